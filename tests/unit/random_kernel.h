#ifndef MLC_TESTS_UNIT_RANDOM_KERNEL_H
#define MLC_TESTS_UNIT_RANDOM_KERNEL_H
/* Random kernels and buffers for tests of backends: every feature of kernel.h, small odd extents, all from a seed. */
#include "ir/kernel/kernel.h"

typedef enum RandomKind {
    RANDOM_elementwise,
    RANDOM_reduction,
    RANDOM_scatter,
    RANDOM_contraction,
    RANDOM_contraction_of_bf16,
    RANDOM_contraction_of_bytes,
    RANDOM_KIND_COUNT,
} RandomKind;

Kernel *random_kernel(RandomKind kind, uint64_t seed, Arena *arena);

/* Buffers that end (or begin) at a page that cannot be touched. */
typedef struct Buffers {
    uint32_t count;
    void **at;
    void **page;
    size_t *bytes, *mapped;
} Buffers;

Buffers guarded_buffers(const Kernel *kernel, bool at_begin, Arena *arena);
/* They begin there for odd seeds.  is_whole: floats are small integers; so they are where the kernel promises zeros. */
Buffers random_buffers(const Kernel *kernel, uint64_t seed, bool is_whole, Arena *arena);
void buffers_free(Buffers *buffers);
/* Index of the first buffer that differs (NaN equals NaN), or -1; *element: where. */
int buffers_differ(const Kernel *kernel, const Buffers *a, const Buffers *b, int64_t *element);

#endif

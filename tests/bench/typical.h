#ifndef MLC_TESTS_BENCH_TYPICAL_H
#define MLC_TESTS_BENCH_TYPICAL_H
/* Kernels of typical shapes, for kernels.c. */
#include "ir/kernel/kernel.h"

typedef struct Convolution {
    int64_t batch, channels, out, side, taps, padding;
} Convolution;

/* y[m, n] = sum over k of a[m, k] * b[k, n], of factors of a type; a_t, b_t: stored with k first, and with n first. */
Kernel *typical_product_of(Arena *arena, Type type, int64_t m, int64_t n, int64_t k, bool a_t, bool b_t);
Kernel *typical_product(Arena *arena, int64_t m, int64_t n, int64_t k, bool a_t, bool b_t); /* of f32 */
Kernel *typical_convolution(Arena *arena, Convolution c);
Kernel *typical_weight_gradient(Arena *arena, Convolution c, int64_t parts); /* of a part of the batch a row */
Kernel *typical_elementwise(Arena *arena, int64_t elements);
Kernel *typical_adam(Arena *arena, int64_t elements);
Kernel *typical_pool(Arena *arena, int64_t planes, int64_t side);
Kernel *typical_sums(Arena *arena, int64_t rows, int64_t columns, bool of_columns);
Kernel *typical_transposition(Arena *arena, int64_t rows, int64_t columns);

#endif

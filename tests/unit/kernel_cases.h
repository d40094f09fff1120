#ifndef MLC_TESTS_UNIT_KERNEL_CASES_H
#define MLC_TESTS_UNIT_KERNEL_CASES_H
/* The kernels that generated code is tested with: at every level that the host runs (test_cpu.c), and for machines that are
 * emulated (tests/cross). */
#include "ir/kernel/kernel.h"

typedef struct CaseSink {
    Arena *arena; /* of the kernels */
    void (*take)(void *user, const Kernel *kernel, uint64_t seed); /* seed: of its buffers */
    void *user;
} CaseSink;

typedef struct CaseGroup {
    const char *name;
    void (*each)(const CaseSink *sink);
    bool is_cut; /* to be planned for caches of CASE_L1 and CASE_L2 bytes, and CASE_THREADS */
} CaseGroup;

#define CASE_L1 (8 << 10)
#define CASE_L2 (64 << 10)
#define CASE_THREADS 7

extern const CaseGroup case_groups[];
extern const uint32_t case_group_count;

#endif

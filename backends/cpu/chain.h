#ifndef MLC_BACKENDS_CPU_CHAIN_H
#define MLC_BACKENDS_CPU_CHAIN_H
/* Which calls of a module run slice by slice, so that what one computes is still in the second-level cache when the next one reads it:
 * a convolution and its pooling, a gradient and the sums over it, so many samples at a time.  It is decided by what the kernels
 * touch, byte by byte of the finished plan: whatever the planner put where, nothing is read too late or overwritten too early. */
#include "backends/cpu/object.h"
#include "ir/base/list.h"
#include "runtime/core/executor.h"

typedef struct ChainPlan {
    uint32_t first, count; /* calls */
    int64_t slices;
    const Plan *plan; /* one a call */
    LIST(Tile) tile;
    int64_t tile_bytes;
} ChainPlan;

typedef LIST(ChainPlan) ChainPlans;

/* In the order of their calls, which are in no more than one. */
ChainPlans chain_plans(const Module *module, const CpuTarget *target, const Tuned *tuned, Arena *arena);

/* Whether what is in a buffer before can matter. */
bool kernel_reads(const Kernel *kernel, uint32_t buffer);

#endif

#ifndef MLC_BACKENDS_CPU_KEPT_H
#define MLC_BACKENDS_CPU_KEPT_H
/* Calls that find a factor packed: the weights of a recurrence are the same at every step of a sequence, so that what the first step
 * has packed serves all others.  Such calls have a room of their own in each thread's scratch, and two functions: one that packs,
 * and one for threads whose room is filled. */
#include "backends/cpu/chain.h"

typedef struct KeptCall {
    uint32_t call;
    const Plan *packed; /* of the function that does not pack */
    int64_t room;       /* bytes into a thread's rooms; shared by calls of one kernel that pack the same */
    bool by_task;       /* each task packs its own columns */
} KeptCall;

typedef struct KeptCalls {
    LIST(KeptCall) call;
    int64_t bytes; /* of a thread's rooms: no more than its second-level cache */
} KeptCalls;

/* kernel: the plan of each of the module's kernels, NULL where only chains call it. */
KeptCalls kept_calls(const Module *module, const Plan *const *kernel, const ChainPlans *chains,
                     const CpuTarget *target, Arena *arena);

#endif

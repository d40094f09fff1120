#ifndef MLC_BACKENDS_CPU_DEVICE_H
#define MLC_BACKENDS_CPU_DEVICE_H
/* The opened backend: what compiling and tuning share. */
#include "backends/backend.h"
#include "backends/cpu/chain.h"
#include "backends/cpu/jit.h"
#include "backends/cpu/kept.h"
#include "backends/cpu/tuned.h"

typedef struct Linked { /* a function in this process */
    uint64_t key[2];
    KernelCode code;
} Linked;

struct Device {
    CpuTarget target;
    Threads *threads;
    Jit *jit;
    Cache cache;
    Tuned tuned;
    Arena *arena;
    Report *report;
    LIST(Linked) linked;
    const CompilerModule *module; /* LLVM's side: NULL until something must be compiled */
    Compiler **compiler;          /* one a thread, opened when first needed */
};

/* All that an entry runs: a plan for each kernel that a call runs by itself and that is more than zeros, one for each call of a chain, and one
 * more for each kernel that finds a factor packed. */
typedef struct Plans {
    const Plan **kernel; /* of each of the module's; NULL: only chains call it, or it clears a buffer */
    ChainPlans chains;
    KeptCalls kept;
    LIST(const Plan *) all;
} Plans;

Plans plans_of(const Module *module, const CpuTarget *target, const Tuned *tuned, Arena *arena);

/* Makes functions of those plans that have none yet.  keeps: what was compiled goes to the cache. */
Status device_link(Device *device, Context *context, const Plan *const *plan, uint32_t count,
                   bool keeps, BackendStatistics *statistics);
/* Compiles a plan, whether there is a function of it or not, for the cache alone. */
Status device_keep(Device *device, Context *context, const Plan *plan);
KernelCode device_code(const Device *device, const Plan *plan); /* of a plan that was linked */

/* tune.c: Backend.tune */
Status tune_entry(Device *device, Context *context, const BackendEntry *entry, Tuning *tuning);

#endif

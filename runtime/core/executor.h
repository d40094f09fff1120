#ifndef MLC_RUNTIME_CORE_EXECUTOR_H
#define MLC_RUNTIME_CORE_EXECUTOR_H
/* Runs a planned entry: its calls in order, each (or each chain of them) over all threads, on one arena of exactly the planned size.  Where the
 * functions come from (JIT or ahead of time) is not known here. */
#include "ir/kernel/module.h"
#include "runtime/core/threads.h"

/* Executes tasks [begin, end); tasks are independent, and how they are split changes no bit.  scratch: this thread's,
 * 64-byte aligned, as large as the kernel asks for. */
typedef void KernelFunction(void *const *buffers, int64_t begin, int64_t end, void *scratch);

typedef struct KernelCode { /* of one Module.kernel */
    KernelFunction *function;
    int64_t tasks;
    int64_t scratch; /* bytes a thread */
    int64_t clears;  /* bytes of its only buffer, which are set to 0 where there is no function */
} KernelCode;

/* A buffer that is needed inside of a chain alone: a thread has room for one slice of it, always the same, which stays in its cache.
 * Byte b of slice t is at b - begin[t] from `offset` in that room. */
typedef struct Tile {
    uint32_t call, buffer; /* of the chain, of its binding */
    int64_t offset;
    const int64_t *begin; /* of each slice; outlives the executor */
} Tile;

/* Calls [first, first + count) that run slice by slice: task t of each, in their order, before anybody has to be done with task
 * t + 1 of any.  Each has as many tasks as there are slices, and task t touches nothing that another's task u writes, nor the other
 * way round, unless t = u.  What one leaves in the cache is still there for the next. */
typedef struct Chain {
    uint32_t first, count;
    int64_t slices;
    const KernelCode *code; /* one a call, in place of its kernel's */
    const Tile *tile;       /* in the order of their calls */
    uint32_t tiles;
    int64_t tile_bytes; /* a thread */
} Chain;

/* A call whose scratch nobody else uses, so that what its kernel has packed there serves the next call that has the same room. */
typedef struct Kept {
    uint32_t call;
    KernelFunction *packed; /* for threads whose room is filled */
    int64_t room;           /* bytes into the rooms of a thread; KEPT_HEADER, then the kernel's scratch */
    bool by_task;           /* each task packs something else */
} Kept;

#define KEPT_HEADER 64 /* bytes, which begin with an int64_t: 0, or what the room is filled for */

typedef struct Executor Executor;

typedef struct ExecutorCode {
    const KernelCode *kernel; /* one of each of Module.kernel */
    const Chain *chain;       /* in the order of their calls, none of which is in two */
    uint32_t chains;
    const Kept *kept; /* none of them in a chain */
    uint32_t kept_count;
    int64_t kept_bytes; /* of all rooms of a thread */
} ExecutorCode;

/* The module, its bindings and the tiles must outlive the executor; the code is copied. */
Status executor_open(const Module *module, const ExecutorCode *code, Threads *threads,
                     Executor **executor);
void executor_close(Executor *executor); /* NULL is fine */

/* Bytes allocated beside the arena: for each thread what the kernel and the chain ask for that ask for most, and the rooms. */
int64_t executor_scratch(const Executor *executor);

/* Buffers in the order of Module.input, Module.output and Program.state. */
void executor_run(Executor *executor, const void *const *input, void *const *output,
                  void *const *state);

/* Once switched on, each run leaves its times behind; *profile points at those of the last. */
void executor_profile(Executor *executor, bool on, Profile *profile);

#endif

#ifndef MLC_RUNTIME_CORE_EXECUTOR_H
#define MLC_RUNTIME_CORE_EXECUTOR_H
/* Runs a planned entry: its calls in order, each over all threads, on one arena of exactly the planned size.  Where the
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
} KernelCode;

typedef struct Executor Executor;

/* The module and its bindings must outlive the executor; code[i] is of module->kernel.at[i] and is copied. */
Status executor_open(const Module *module, const KernelCode *code, Threads *threads,
                     Executor **executor);
void executor_close(Executor *executor); /* NULL is fine */

/* Buffers in the order of Module.input, Module.output and Program.state. */
void executor_run(Executor *executor, const void *const *input, void *const *output,
                  void *const *state);

/* Once switched on, each run leaves its times behind; *profile points at those of the last. */
void executor_profile(Executor *executor, bool on, Profile *profile);

#endif

#ifndef MLC_BACKENDS_CPU_OBJECT_H
#define MLC_BACKENDS_CPU_OBJECT_H
/* A kernel as machine code: merged, scheduled, emitted, optimized; the bytes of an object file that holds its function.
 * Threads may compile different kernels at once. */
#include "backends/cpu/target.h"
#include "ir/base/text.h"

typedef struct Plan {     /* of one kernel */
    const Kernel *kernel; /* merged */
    Schedule schedule;
    char name[40]; /* of its function: two kernels have one name only if their code is the same */
    uint64_t key[2];
} Plan;

typedef struct ObjectCode {
    void *bytes; /* from malloc */
    size_t size;
} ObjectCode;

/* Everything that decides the code is in the key. */
Plan plan_kernel(const Kernel *kernel, const CpuTarget *target, Arena *arena);

/* Makes LLVM know the target; before anything else of LLVM, from any thread, any number of times. */
void llvm_start(void);

typedef struct Compiler Compiler; /* an LLVM context and target machine: one a thread */
Compiler *compiler_open(const CpuTarget *target); /* NULL: LLVM has no such target */
void compiler_close(Compiler *compiler);
ObjectCode compile_plan(Compiler *compiler, const Plan *plan);

/* As text, for dumps: before code generation, and as assembly. */
void compile_to_llvm(Compiler *compiler, const Plan *plan, Text *out);
void compile_to_assembly(Compiler *compiler, const Plan *plan, Text *out);

#endif

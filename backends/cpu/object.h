#ifndef MLC_BACKENDS_CPU_OBJECT_H
#define MLC_BACKENDS_CPU_OBJECT_H
/* A kernel as machine code: merged, scheduled, emitted, optimized; an image of its function that runs wherever it is put.
 * Threads may compile different kernels at once.
 *
 * Planning needs nothing but this program.  Everything that needs LLVM is in a module of its own, which module_open() loads: LLVM
 * alone takes 20 ms and 50 MiB to load, and a run whose kernels are all in the cache needs none of it. */
#include "backends/cpu/target.h"
#include "ir/base/boundary.h"
#include "ir/base/text.h"

/* Changes with every source that decides what code a kernel and schedule come to. */
extern const char emission_identity[];

typedef struct Plan {     /* of one kernel */
    const Kernel *kernel; /* merged */
    Schedule schedule;
    bool is_tuned; /* the schedule is a choice that was measured, and not the model's */
    char name[40]; /* of its function: two kernels have one name only if their code is the same */
    uint64_t key[2];
} Plan;

/* What the linker of a program would do is done once: the bytes hold an ImageHeader, then code and constants. */
typedef struct ObjectCode {
    void *bytes; /* from malloc */
    size_t size;
} ObjectCode;

typedef struct ImageHeader {
    uint64_t magic;
    uint64_t size;  /* of what follows */
    uint64_t entry; /* of the function, from there */
    char name[40];  /* its name */
} ImageHeader;

#define IMAGE_MAGIC     UINT64_C(0x3165676d69636c6d) /* "mlcimge1" */
#define IMAGE_ALIGNMENT 4096 /* what its first byte must be put at a multiple of */

/* What tuning found (tuned.h). */
typedef struct Tuned Tuned;

/* Everything that decides the code is in the key.  slices: NULL, or how the tasks should lie (schedule.h).  tuned: NULL, or where to look for a
 * choice of the schedule. */
Plan plan_kernel(const Kernel *kernel, const CpuTarget *target, const Slices *slices, const Tuned *tuned,
                 Arena *arena);
/* The same for when scratch holds what it would pack of b: all of it, at once. */
Plan plan_packed(const Plan *plan, Arena *arena);

/* The same in steps, for whoever wants several plans of one kernel. */
typedef struct Workload {
    const Kernel *kernel; /* merged */
    bool is_contraction, is_winograd;
    bool has_choices; /* a contraction of another kind */
    Contraction contraction;
    Winograd winograd;
    const CpuTarget *target;
    const Slices *slices;
    Text text; /* what decides the code, the schedule apart */
} Workload;

Workload workload_of(const Kernel *kernel, const CpuTarget *target, const Slices *slices, Arena *arena);
/* Of all that decides which schedule is best: tuning is remembered by it. */
void workload_key(const Workload *workload, uint64_t key[2]);
/* choice: NULL, or in place of what the model says. */
Plan workload_plan(const Workload *workload, const ScheduleChoice *choice);

typedef struct Compiler Compiler; /* an LLVM target machine: one a thread */

/* --- inside the module (tests and tools link it) ------------------------------------------------------------------------ */

Compiler *compiler_open(const CpuTarget *target); /* NULL: LLVM has no such target */
void compiler_close(Compiler *compiler);
ObjectCode compile_plan(Compiler *compiler, const Plan *plan);
/* The image of an object file's only function.  bug() if it is not what LLVM makes of a kernel for that machine (of <elf.h>): code
 * that calls nothing. */
ObjectCode image_of(const void *object, size_t size, uint16_t machine, const char *name);

/* As text, for dumps: before code generation, and as assembly. */
void compile_to_llvm(Compiler *compiler, const Plan *plan, Text *out);
void compile_to_assembly(Compiler *compiler, const Plan *plan, Text *out);

/* --- from outside of it ------------------------------------------------------------------------------------------------- */

/* What the module offers, under the name mlc_compiler.  It has boundaries of its own: what went wrong inside is in the one it was
 * given, as if it had been entered, and goes no further by itself. */
typedef struct CompilerModule {
    const char *
        identity; /* the emission_identity that it was built with: only the program's own is used */
    Compiler *(*open)(const CpuTarget *target);
    void (*close)(Compiler *compiler);
    void (*compile)(Compiler *compiler, const Plan *plan, ObjectCode *code, Boundary *boundary);
    void (*print)(Compiler *compiler, const Plan *plan, bool is_assembly, Text *out,
                  Boundary *boundary);
} CompilerModule;

extern const CompilerModule mlc_compiler;

/* Loads it; it stays for the rest of the process.  STATUS_failed and a report if it is not there, or another build's. */
Status module_open(Report *report, const CompilerModule **module);

#endif

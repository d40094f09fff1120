#ifndef MLC_BACKENDS_CPU_TARGET_H
#define MLC_BACKENDS_CPU_TARGET_H
/* What the code is made for: a level of an instruction set.  Code of any level can be made on any machine, and run where
 * cpu_can_run says so. */
#include "ir/base/report.h"
#include "ir/base/status.h"
#include "ir/kernel/schedule.h"

typedef enum CpuLevel {
    CPU_sse42,
    CPU_avx2,
    CPU_avx512,
    CPU_avx512bf16,
    CPU_amx,
    CPU_neon
} CpuLevel;

typedef struct CpuTarget {
    CpuLevel level;
    const char *triple, *cpu, *features; /* as LLVM names them */
    uint16_t machine;                    /* as ELF numbers it: EM_X86_64 */
    const char *option, *name;           /* "avx512", "AVX-512" */
    bool has_fma, has_half;
    bool has_masks; /* loads and stores of some of a vector's lanes are instructions that cost no more than those of all */
    ScheduleTarget schedule;
} CpuTarget;

/* The level named, or the host's best: otherwise STATUS_usage and a report. */
Status cpu_target(const char *level, uint32_t threads, Report *report, CpuTarget *target);
/* STATUS_usage and a report if this machine does not run the level. */
Status cpu_can_run(const CpuTarget *target, Report *report);

/* host.c */
bool host_runs(CpuLevel level);
bool host_prefers(CpuLevel level); /* of a level that it runs: to those below it */

#endif

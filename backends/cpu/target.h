#ifndef MLC_BACKENDS_CPU_TARGET_H
#define MLC_BACKENDS_CPU_TARGET_H
/* What the code is made for: a level of the host's instruction set. */
#include "ir/base/report.h"
#include "ir/base/status.h"
#include "ir/kernel/schedule.h"

typedef enum CpuLevel { CPU_sse42, CPU_avx2, CPU_avx512, CPU_avx512bf16, CPU_amx } CpuLevel;

typedef struct CpuTarget {
    CpuLevel level;
    const char *cpu, *features; /* as LLVM names them */
    const char *name;           /* "AVX-512" */
    bool has_fma, has_half;
    ScheduleTarget schedule;
} CpuTarget;

/* The host's best level, or the one named, if the host can run it: otherwise STATUS_usage and a report. */
Status cpu_target(const char *level, uint32_t threads, Report *report, CpuTarget *target);

#endif

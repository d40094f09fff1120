/* The levels that code is made for. */
#include "backends/cpu/target.h"
#include "ir/base/text.h"
#include <elf.h>
#include <string.h>
#include <unistd.h>

/* The levels by what they add, as LLVM names it.  Features are listed and no CPU is named, so that the code of a level
 * is the same on every host that can run it. */
#define BASE   "+cx8,+fxsr,+mmx,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+sahf"
#define AVX2   BASE ",+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe,+xsave"
#define AVX512 AVX2 ",+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512cd,+evex512"
#define BF16   AVX512 ",+avx512bf16,+avx512vnni,+fast-dpwssd"
#define AMX    BF16 ",+amx-tile,+amx-bf16,+amx-int8"
#define NEON   "+fp-armv8,+neon"

#define X86_64  "x86_64-unknown-linux-gnu", EM_X86_64
#define AARCH64 "aarch64-unknown-linux-gnu", EM_AARCH64

/* Of one instruction set, the better follow. */
static const struct LevelInfo {
    const char *option, *name, *triple;
    uint16_t machine;
    const char *cpu, *features;
    uint32_t lanes, registers;
    Products products;
    uint32_t integer_steps;
    bool has_fma, has_half, has_masks;
} level_info[] = {
    [CPU_sse42] = {"sse4.2", "SSE4.2", X86_64, "x86-64-v2", BASE, 4, 16, PRODUCTS_single, 2, false,
                   false, false},
    [CPU_avx2] = {"avx2", "AVX2", X86_64, "x86-64-v3", AVX2, 8, 16, PRODUCTS_single, 2, true, true,
                  false},
    [CPU_avx512] = {"avx512", "AVX-512", X86_64, "x86-64-v4", AVX512, 16, 32, PRODUCTS_single, 2,
                    true, true, true},
    [CPU_avx512bf16] = {"avx512bf16", "AVX-512 with BF16", X86_64, "x86-64-v4", BF16, 16, 32,
                        PRODUCTS_pairs, 1, true, true, true},
    [CPU_amx] = {"amx", "AMX", X86_64, "x86-64-v4", AMX, 16, 32, PRODUCTS_tiles, 1, true, true,
                 true},
    [CPU_neon] = {"neon", "NEON", AARCH64, "generic", NEON, 4, 32, PRODUCTS_single, 0, true, true,
                  false},
};
enum { LEVELS = sizeof level_info / sizeof *level_info };

static Status refuse_unknown(const char *wanted, Report *report)
{
    Arena *arena = arena_open(&host_default);
    if (!arena) return STATUS_no_memory;
    Text known = {.arena = arena};
    for (int i = 0; i < LEVELS; i++)
        text_add(&known, "%s%s", !i ? "" : i + 1 < LEVELS ? ", " : " and ", level_info[i].option);
    report_error(report, (Span){0}, "unknown target `%s`", wanted);
    report_hint(report, "the targets are %s", text_done(&known));
    arena_close(arena);
    return STATUS_usage;
}

static Status named_level(const char *wanted, Report *report, CpuLevel *level)
{
    for (int i = 0; i < LEVELS; i++) {
        if (strcmp(level_info[i].option, wanted)) continue;
        *level = (CpuLevel)i;
        return STATUS_ok;
    }
    return refuse_unknown(wanted, report);
}

static Status best_level(Report *report, CpuLevel *level)
{
    for (int i = LEVELS; i-- > 0;) {
        *level = (CpuLevel)i;
        if (host_runs(*level) && host_prefers(*level)) return STATUS_ok;
    }
    report_error(report, (Span){0}, "this CPU is older than all levels that code is made for");
    return STATUS_failed;
}

static int64_t cache_bytes(int name, int64_t otherwise)
{
    long bytes = sysconf(name);
    return bytes > 0 ? bytes : otherwise;
}

Status cpu_target(const char *wanted, uint32_t threads, Report *report, CpuTarget *target)
{
    CpuLevel level;
    TRY(wanted ? named_level(wanted, report, &level) : best_level(report, &level));
    const struct LevelInfo *info = &level_info[level];
    *target = (CpuTarget){.level = level,
                          .triple = info->triple,
                          .cpu = info->cpu,
                          .features = info->features,
                          .machine = info->machine,
                          .option = info->option,
                          .name = info->name,
                          .has_fma = info->has_fma,
                          .has_half = info->has_half,
                          .has_masks = info->has_masks};
    target->schedule = (ScheduleTarget){.lanes = info->lanes,
                                        .registers = info->registers,
                                        .threads = threads,
                                        .products = info->products,
                                        .integer_steps = info->integer_steps,
                                        .has_fma = target->has_fma,
                                        .l1 = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10),
                                        .l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 << 10)};
    return STATUS_ok;
}

Status cpu_can_run(const CpuTarget *target, Report *report)
{
    if (host_runs(target->level)) return STATUS_ok;
    report_error(report, (Span){0}, "this CPU cannot run code for %s", target->option);
    return STATUS_usage;
}

/* What the host can run, and the levels that code is made for. */
#include "backends/cpu/target.h"
#include <cpuid.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The levels by what they add, as LLVM names it.  Features are listed and no CPU is named, so that the code of a level
 * is the same on every host that can run it. */
#define BASE   "+cx8,+fxsr,+mmx,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+sahf"
#define AVX2   BASE ",+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe,+xsave"
#define AVX512 AVX2 ",+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512cd,+evex512"
#define BF16   AVX512 ",+avx512bf16,+avx512vnni"
#define AMX    BF16 ",+amx-tile,+amx-bf16,+amx-int8"

static const struct LevelInfo {
    const char *option, *name, *cpu, *features;
    uint32_t lanes, registers;
    Products products;
} level_info[] = {
    [CPU_sse42] = {"sse4.2", "SSE4.2", "x86-64-v2", BASE, 4, 16, PRODUCTS_single},
    [CPU_avx2] = {"avx2", "AVX2", "x86-64-v3", AVX2, 8, 16, PRODUCTS_single},
    [CPU_avx512] = {"avx512", "AVX-512", "x86-64-v4", AVX512, 16, 32, PRODUCTS_single},
    [CPU_avx512bf16] = {"avx512bf16", "AVX-512 with BF16", "x86-64-v4", BF16, 16, 32,
                        PRODUCTS_pairs},
    [CPU_amx] = {"amx", "AMX", "x86-64-v4", AMX, 16, 32, PRODUCTS_tiles},
};
enum { LEVELS = sizeof level_info / sizeof *level_info };

/* Leaf 7 of cpuid, of both subleaves. */
typedef struct Features {
    unsigned ecx, edx, eax1;
} Features;

static Features host_features(void)
{
    Features features = {0};
    unsigned a, b, c, d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) features = (Features){.ecx = c, .edx = d};
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) features.eax1 = a;
    return features;
}

/* Linux grants the registers of tiles, 8 KiB a thread, to processes that ask (arch/x86/xstate). */
static bool may_use_tiles(void)
{
    const long request = 0x1023 /* ARCH_REQ_XCOMP_PERM */, tile_data = 18;
    return syscall(SYS_arch_prctl, request, tile_data) == 0;
}

static bool host_runs(CpuLevel level)
{
    __builtin_cpu_init();
    switch (level) {
    case CPU_sse42: return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    case CPU_avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c");
    case CPU_avx512:
        return host_runs(CPU_avx2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
    case CPU_avx512bf16: {
        const unsigned vnni = 1u << 11, bf16 = 1u << 5;
        Features has = host_features();
        return host_runs(CPU_avx512) && has.ecx & vnni && has.eax1 & bf16;
    }
    case CPU_amx: {
        const unsigned all = 1u << 22 | 1u << 24 | 1u << 25; /* bf16, tile, int8 */
        return host_runs(CPU_avx512bf16) && (host_features().edx & all) == all && may_use_tiles();
    }
    }
    return false;
}

static int64_t cache_bytes(int name, int64_t otherwise)
{
    long bytes = sysconf(name);
    return bytes > 0 ? bytes : otherwise;
}

/* Intel's cores start one vdpbf16ps in two cycles, and four fused products of vectors in that time, to the same bits (Sapphire
 * Rapids: 104 GFLOP/s against 168).  So it is for those who ask. */
static bool is_worth_it(CpuLevel level)
{
    return level != CPU_avx512bf16 || !__builtin_cpu_is("intel");
}

static Status choose_level(const char *wanted, Report *report, CpuLevel *level)
{
    for (int i = LEVELS; i-- > 0;) {
        bool runs = host_runs((CpuLevel)i);
        if (wanted && strcmp(level_info[i].option, wanted)) continue;
        *level = (CpuLevel)i;
        if (runs && (wanted || is_worth_it(*level))) return STATUS_ok;
        if (!wanted) continue;
        report_error(report, (Span){0}, "this CPU cannot run code for %s", wanted);
        return STATUS_usage;
    }
    if (wanted) {
        report_error(report, (Span){0}, "unknown target `%s`", wanted);
        report_hint(report, "the targets are sse4.2, avx2, avx512, avx512bf16 and amx");
        return STATUS_usage;
    }
    report_error(report, (Span){0}, "this CPU is older than SSE4.2");
    return STATUS_failed;
}

Status cpu_target(const char *wanted, uint32_t threads, Report *report, CpuTarget *target)
{
    CpuLevel level;
    TRY(choose_level(wanted, report, &level));
    const struct LevelInfo *info = &level_info[level];
    *target = (CpuTarget){.level = level,
                          .cpu = info->cpu,
                          .features = info->features,
                          .name = info->name,
                          .has_fma = level >= CPU_avx2,
                          .has_half = level >= CPU_avx2};
    target->schedule = (ScheduleTarget){.lanes = info->lanes,
                                        .registers = info->registers,
                                        .threads = threads,
                                        .products = info->products,
                                        .has_fma = target->has_fma,
                                        .l1 = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10),
                                        .l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 << 10)};
    return STATUS_ok;
}

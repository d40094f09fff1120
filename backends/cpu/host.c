/* What the machine at hand can run. */
#include "backends/cpu/target.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

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

bool host_runs(CpuLevel level)
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
    case CPU_neon: return false;
    }
    return false;
}

/* Intel's cores start one vdpbf16ps in two cycles, and four fused products of vectors in that time, to the same bits (Sapphire
 * Rapids: 104 GFLOP/s against 168).  So it is for those who ask. */
bool host_prefers(CpuLevel level)
{
    return level != CPU_avx512bf16 || !__builtin_cpu_is("intel");
}
#elif defined(__aarch64__)
/* Every CPU of this architecture that Linux runs on has NEON. */
bool host_runs(CpuLevel level)
{
    return level == CPU_neon;
}

bool host_prefers(CpuLevel level)
{
    (void)level;
    return true;
}
#else
#error "which levels does this processor run?"
#endif

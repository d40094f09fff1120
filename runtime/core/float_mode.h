#ifndef MLC_RUNTIME_CORE_FLOAT_MODE_H
#define MLC_RUNTIME_CORE_FLOAT_MODE_H
/* How the processor rounds while kernels run: to nearest, no traps, numbers too small for full precision are 0.  Moments and weights that decay
 * end among those, where each operation takes a hundred cycles.  Kernels compute the same whatever the program around them has
 * set, and it finds its own mode as it left it. */
#if defined(__x86_64__)
#include <xmmintrin.h>

#define FLOAT_MODE 0x9fc0u /* MXCSR: flush to zero, denormals are zero, all exceptions masked */

typedef unsigned FloatMode;

static inline FloatMode float_mode_enter(void)
{
    FloatMode before = _mm_getcsr();
    _mm_setcsr(FLOAT_MODE);
    return before;
}

static inline void float_mode_leave(FloatMode before)
{
    _mm_setcsr(before);
}
#elif defined(__aarch64__)
#include <stdint.h>

#define FLOAT_MODE ((uint64_t)1 << 24) /* FPCR: flush to zero */

typedef uint64_t FloatMode;

static inline FloatMode float_mode_enter(void)
{
    FloatMode before, now = FLOAT_MODE;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(now));
    return before;
}

static inline void float_mode_leave(FloatMode before)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
}
#else
#error "how does this processor flush denormal numbers?"
#endif

#endif

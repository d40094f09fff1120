#ifndef MLC_RUNTIME_PEAK_H
#define MLC_RUNTIME_PEAK_H
/* What this machine can do at this moment, measured: the roof that `mlc bench` compares with. */
#include "ir/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Where data comes from and goes to: each thread's own second-level cache, what the threads share behind it, memory. */
typedef enum PeakPlace { PEAK_own_cache, PEAK_shared_cache, PEAK_memory, PEAK_PLACES } PeakPlace;

typedef struct Peak {
    double flops; /* f32 fused multiply-adds a second times two, all threads together */
    double
        bf16_flops; /* products of bf16 matrix tiles (AMX) added in f32; 0: the machine has none */
    struct {
        int64_t bytes;           /* copied from and to in turn, all threads together */
        double bytes_per_second; /* read and written */
    } copy[PEAK_PLACES];
} Peak;

/* Takes about an eighth of a second. */
Status peak_measure(int threads, Peak *peak);

/* The least time in which work of so many operations, which loads and stores so many bytes, can be done: whichever of arithmetic and
 * movement takes longer.  The bytes move as fast as in the fastest copy that touched as many. */
double peak_seconds(const Peak *peak, int64_t flops, int64_t bytes, bool in_bf16);

#endif

#ifndef MLC_RUNTIME_PEAK_H
#define MLC_RUNTIME_PEAK_H
/* What this machine can do at this moment, measured: the roof that `mlc bench` compares with. */
#include "ir/base/status.h"

typedef struct Peak {
    double flops;            /* f32 fused multiply-adds a second times two, all threads together */
    double bytes_per_second; /* copying memory larger than the caches, read and written bytes */
} Peak;

/* Takes about a quarter of a second. */
Status peak_measure(int threads, Peak *peak);

#endif

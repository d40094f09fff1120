#ifndef MLC_RUNTIME_BENCH_H
#define MLC_RUNTIME_BENCH_H
/* What `mlc bench` measured, between the part that measures and the part that writes. */
#include "runtime/compile.h"
#include "runtime/peak.h"

typedef struct Benching {
    mlc_model *model;
    const mlc_bench_options *options;
    const char *name; /* of the entry */
    const Compiled *entry;
    const void **input;
    void **output;
    LIST(double) seconds; /* of each timed run, ascending */
    int64_t planned;      /* bytes */
    int64_t peak_rss;     /* bytes, before the peaks are measured */
    Peak peak;
    double *call_seconds; /* of each call, the median of the profiled runs; NULL: not profiled */
    Profile profile;      /* of one run that took about the median, if call_seconds */
    Text text;
} Benching;

static inline double bench_median(const Benching *b)
{
    return b->seconds.at[b->seconds.count / 2];
}

/* The result, as a table or as JSON, into b->text. */
void bench_write(Benching *b);
/* One run as a Chrome trace: an event for each call and each thread that worked on it. */
void bench_trace(const Benching *b, Text *out);

#endif

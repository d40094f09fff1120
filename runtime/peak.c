#include "runtime/peak.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 256
#define COPY_BYTES ((size_t)64 << 20) /* beyond a share of any last-level cache that one thread may count on */

typedef struct Worker {
    pthread_t thread;
    double flops;  /* a second, at best */
    double copied; /* bytes a second, at best */
    int failed;
} Worker;

static double clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Products fused into sums, each compiler in its own words. */
#ifdef __clang__
#define FUSED         _Pragma("clang fp contract(fast)")
#define FOR(features) __attribute__((target(features)))
#else
#define FUSED
#define FOR(features) __attribute__((target(features), optimize("fp-contract=fast")))
#endif

/* Twelve independent chains hide the latency of four or five cycles on two ports. The factors keep the values finite. */
#define CHAINS 12
#define FMA_BODY(vector_bytes)                                                                                         \
    FUSED                                                                                                              \
    typedef float Vector __attribute__((vector_size(vector_bytes)));                                                   \
    Vector sum[CHAINS], a = {0}, b = {0};                                                                              \
    for (size_t i = 0; i < (vector_bytes) / 4; i++) {                                                                  \
        a[i] = 0.999f;                                                                                                 \
        b[i] = 0.001f;                                                                                                 \
    }                                                                                                                  \
    for (int i = 0; i < CHAINS; i++)                                                                                   \
        sum[i] = b * (float)i;                                                                                         \
    for (long r = 0; r < rounds; r++)                                                                                  \
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * a + b;                             \
    float total = 0;                                                                                                   \
    for (int i = 0; i < CHAINS; i++)                                                                                   \
        total += sum[i][0];                                                                                            \
    *sink = total;                                                                                                     \
    return (double)rounds * CHAINS * ((vector_bytes) / 4) * 2;

#if defined(__x86_64__)
FOR("avx512f,fma") static double fma_512(long rounds, volatile float *sink)
{
    FMA_BODY(64)
}
FOR("avx2,fma") static double fma_256(long rounds, volatile float *sink)
{
    FMA_BODY(32)
}
#endif
static double fma_128(long rounds, volatile float *sink)
{
    FMA_BODY(16)
}

static double multiply_add(long rounds, volatile float *sink)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return fma_512(rounds, sink);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return fma_256(rounds, sink);
#endif
    return fma_128(rounds, sink);
}

static void *measure(void *argument)
{
    Worker *worker = argument;
    volatile float sink;
    char *from = malloc(COPY_BYTES), *to = malloc(COPY_BYTES);
    double best = 0, start;
    for (int i = 0; i < 8; i++) {
        start = clock_now();
        double flops = multiply_add(1000000, &sink);
        double rate = flops / (clock_now() - start);
        if (rate > best) best = rate;
    }
    worker->flops = best;
    worker->failed = !from || !to;
    if (!worker->failed) {
        memset(from, 1, COPY_BYTES);
        memset(to, 2, COPY_BYTES);
        for (int i = 0; i < 4; i++) {
            start = clock_now();
            memcpy(to, from, COPY_BYTES);
            double rate = 2.0 * (double)COPY_BYTES / (clock_now() - start);
            if (rate > worker->copied) worker->copied = rate;
        }
    }
    free(from);
    free(to);
    return NULL;
}

Status peak_measure(int threads, Peak *peak)
{
    Worker worker[MAX_THREADS] = {0};
    int count = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads, started = 0;
    while (started < count && pthread_create(&worker[started].thread, NULL, measure, &worker[started]) == 0)
        started++;
    *peak = (Peak){0};
    int failed = started < count;
    for (int i = 0; i < started; i++) {
        pthread_join(worker[i].thread, NULL);
        peak->flops += worker[i].flops;
        peak->bytes_per_second += worker[i].copied;
        failed |= worker[i].failed;
    }
    return failed ? STATUS_failed : STATUS_ok;
}

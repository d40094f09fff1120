#include "runtime/peak.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#define MAX_THREADS 256
#define MEMORY_BYTES                                                                               \
    ((size_t)128 << 20) /* beyond a share of any last-level cache that one thread may count on */
#define ROUNDS 8        /* the best of so many counts */

/* One thread's part of a measurement; all threads measure the same thing at the same time. */
typedef struct Worker {
    pthread_t thread;
    double (*measure)(const struct Worker *worker); /* work a second, at best; below 0: failed */
    size_t bytes;                                   /* of a copy: from and to together */
    double rate;
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
#define FOR_ALL
#else
#define FUSED
#define FOR(features) __attribute__((target(features), optimize("fp-contract=fast")))
#define FOR_ALL       __attribute__((optimize("fp-contract=fast")))
#endif

/* Twelve independent chains hide the latency of four or five cycles on two ports. The factors keep the values finite. */
#define CHAINS 12
#define FMA_BODY(vector_bytes)                                                                     \
    FUSED                                                                                          \
    typedef float Vector __attribute__((vector_size(vector_bytes)));                               \
    Vector sum[CHAINS], a = {0}, b = {0};                                                          \
    for (size_t i = 0; i < (vector_bytes) / 4; i++) {                                              \
        a[i] = 0.999f;                                                                             \
        b[i] = 0.001f;                                                                             \
    }                                                                                              \
    for (int i = 0; i < CHAINS; i++)                                                               \
        sum[i] = b * (float)i;                                                                     \
    for (long r = 0; r < rounds; r++)                                                              \
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * a + b;         \
    float total = 0;                                                                               \
    for (int i = 0; i < CHAINS; i++)                                                               \
        total += sum[i][0];                                                                        \
    *sink = total;                                                                                 \
    return (double)rounds * CHAINS * ((vector_bytes) / 4) * 2;

#if defined(__x86_64__)
FOR("avx512f,fma")
static double fma_512(long rounds, volatile float *sink){
    FMA_BODY(64)} FOR("avx2,fma") static double fma_256(long rounds, volatile float *sink)
{
    FMA_BODY(32)
}
#endif
FOR_ALL static double fma_128(long rounds, volatile float *sink)
{
    FMA_BODY(16)
}

static double multiply_add(long rounds, volatile float *sink)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return fma_512(rounds, sink);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return fma_256(rounds, sink);
#endif
    return fma_128(rounds, sink);
}

static double fma_rate(const Worker *worker)
{
    (void)worker;
    volatile float sink;
    double best = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double start = clock_now(), flops = multiply_add(1000000, &sink),
               rate = flops / (clock_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

typedef float Four __attribute__((vector_size(16)));

/* The C library's copy takes instructions for strings, which stay far below what the caches of some processors give; and without
 * reading what is overwritten, which no other code does: so both. */
static void copy_floats(void *to, const void *from, size_t bytes)
{
    Four *a = to;
    const Four *b = from;
    for (size_t i = 0; i < bytes / sizeof *a; i += 4) {
        Four first = b[i], second = b[i + 1], third = b[i + 2], fourth = b[i + 3];
        a[i] = first;
        a[i + 1] = second;
        a[i + 2] = third;
        a[i + 3] = fourth;
        __asm__ volatile("" ::: "memory"); /* a loop it stays */
    }
}

static double copy_rate(const Worker *worker)
{
    size_t half = worker->bytes / 2, repeat = 1 + ((size_t)8 << 20) / worker->bytes;
    char *from = malloc(half), *to = malloc(half);
    double best = from && to ? 0 : -1;
    if (best == 0) memset(from, 1, half), memset(to, 2, half);
    for (int i = 0; best >= 0 && i < ROUNDS; i++) {
        double start = clock_now();
        for (size_t k = 0; k < repeat; k++) {
            if (i % 2)
                memcpy(to, from, half);
            else
                copy_floats(to, from, half);
            __asm__ volatile("" ::"r"(to), "r"(from) : "memory"); /* every copy is wanted */
        }
        double rate = (double)(2 * half * repeat) / (clock_now() - start);
        if (rate > best) best = rate;
    }
    free(from);
    free(to);
    return best;
}

/* --- AMX: tiles of 16 rows of 64 bytes ------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_TILE_DATA  18
#define TILE_FLOPS          (2.0 * 16 * 16 * 32)

static bool has_amx(void)
{
    unsigned a, b, c, d;
    const unsigned bf16 = 1u << 22, tile = 1u << 24;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (bf16 | tile)) != (bf16 | tile))
        return false;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA) ==
           0; /* older kernels do not know it */
}

/* Four sums, as many as hide the latency of a tile product. */
__attribute__((target("amx-tile,amx-bf16"))) static double amx_products(long rounds)
{
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shape.row_bytes[i] = 64;
        shape.rows[i] = 16;
    }
    __asm__ volatile("" ::"r"(&shape)
                     : "memory"); /* gcc takes the intrinsic to read 8 bytes of the 64 */
    _tile_loadconfig(&shape);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (long i = 0; i < rounds; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return (double)rounds * 4 * TILE_FLOPS;
}

static double amx_rate(const Worker *worker)
{
    (void)worker;
    double best = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double start = clock_now(), flops = amx_products(20000),
               rate = flops / (clock_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}
#endif

/* --- all threads together -------------------------------------------------------------------------------------------------- */

static void *work(void *argument)
{
    Worker *worker = argument;
    worker->rate = worker->measure(worker);
    return NULL;
}

static Status together(int count, double (*measure)(const Worker *), size_t bytes, double *rate)
{
    Worker worker[MAX_THREADS];
    int started = 0;
    for (; started < count; started++) {
        worker[started] = (Worker){.measure = measure, .bytes = bytes};
        if (pthread_create(&worker[started].thread, NULL, work, &worker[started])) break;
    }
    Status status = started < count ? STATUS_failed : STATUS_ok;
    *rate = 0;
    for (int i = 0; i < started; i++) {
        pthread_join(worker[i].thread, NULL);
        if (worker[i].rate < 0) status = STATUS_no_memory;
        *rate += worker[i].rate;
    }
    return status;
}

/* Half of the second-level cache, so that a copy leaves room for the rest of the program; four times that cache, which is behind it. */
static size_t copy_bytes(PeakPlace place)
{
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    size_t own = cache > 0 ? (size_t)cache : (size_t)512 << 10;
    switch (place) {
    case PEAK_own_cache: return own / 2;
    case PEAK_shared_cache: return own * 4;
    case PEAK_memory:
    case PEAK_PLACES: return MEMORY_BYTES;
    }
    return MEMORY_BYTES;
}

Status peak_measure(int threads, Peak *peak)
{
    int count = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
    *peak = (Peak){0};
    TRY(together(count, fma_rate, 0, &peak->flops));
#if defined(__x86_64__)
    if (has_amx()) TRY(together(count, amx_rate, 0, &peak->bf16_flops));
#endif
    for (PeakPlace place = 0; place < PEAK_PLACES; place++) {
        size_t bytes = copy_bytes(place);
        peak->copy[place].bytes = (int64_t)bytes * count;
        TRY(together(count, copy_rate, bytes, &peak->copy[place].bytes_per_second));
    }
    return STATUS_ok;
}

double peak_seconds(const Peak *peak, int64_t flops, int64_t bytes, bool in_bf16)
{
    PeakPlace place = PEAK_own_cache;
    while (place < PEAK_memory && bytes > peak->copy[place].bytes)
        place++;
    double rate = in_bf16 && peak->bf16_flops > peak->flops ? peak->bf16_flops : peak->flops;
    double arithmetic = (double)flops / rate,
           movement = (double)bytes / peak->copy[place].bytes_per_second;
    return arithmetic > movement ? arithmetic : movement;
}

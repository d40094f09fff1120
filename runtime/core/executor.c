#include "runtime/core/executor.h"
#include "runtime/core/float_mode.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Work below which waking the other threads costs more than it saves: measured, a round of threads takes 1 to 2 microseconds,
 * in which one core does some 50,000 operations or moves some 30,000 bytes. */
#define GRAIN_FLOPS 100000
#define GRAIN_BYTES 65536

#define LARGE_PAGE ((size_t)2 << 20)

struct Executor {
    const Module *module;
    Threads *threads;
    KernelCode *code;
    void ***buffer; /* of each call: pointers, filled in before it runs */
    char *arena, *scratch;
    int64_t scratch_bytes; /* a thread */
    double *seconds;
    Interval *share;
    bool is_profiled;
    double begin; /* of the run, on the clock of now() */
};

typedef struct Share {
    const KernelCode *code;
    void *const *buffer;
    char *scratch;
    int64_t scratch_bytes;
    Interval *interval; /* of each thread; NULL: not profiled */
    double run_begin;
} Share;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void run_share(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    const Share *share = user;
    share->code->function(share->buffer, begin, end,
                          share->scratch + thread * share->scratch_bytes);
}

/* A thread is called several times a round: from its first begin to its last end. */
static void run_timed_share(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    const Share *share = user;
    Interval *interval = &share->interval[thread];
    if (interval->end == 0) interval->begin = now() - share->run_begin;
    run_share(user, thread, begin, end);
    interval->end = now() - share->run_begin;
}

/* Large buffers on large pages, where the system gives those to who asks: no more than the bytes are touched either way. */
static void *aligned(int64_t bytes)
{
    size_t size = (size_t)(bytes + 63) / 64 * 64 + (bytes <= 0 ? 64 : 0);
    bool is_large = size >= LARGE_PAGE;
    void *at;
    if (posix_memalign(&at, is_large ? LARGE_PAGE : 64, size)) return NULL;
    if (is_large) madvise(at, size / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
    return at;
}

static Status allocate(Executor *x)
{
    const Module *module = x->module;
    uint32_t kernels = module->kernel.count, calls = module->call.count;
    for (uint32_t i = 0; i < kernels; i++)
        if (x->code[i].scratch > x->scratch_bytes) x->scratch_bytes = x->code[i].scratch;
    x->scratch_bytes = (x->scratch_bytes + 63) / 64 * 64;
    x->arena = aligned(module->arena_bytes);
    x->scratch = aligned(x->scratch_bytes * threads_count(x->threads));
    x->seconds = calloc(calls + 1, sizeof *x->seconds);
    x->share = calloc((size_t)calls * threads_count(x->threads) + 1, sizeof *x->share);
    x->buffer = calloc(calls + 1, sizeof *x->buffer);
    if (!x->arena || !x->scratch || !x->seconds || !x->share || !x->buffer) return STATUS_no_memory;
    for (uint32_t i = 0; i < calls; i++) {
        x->buffer[i] = calloc(module->call.at[i].count + 1, sizeof *x->buffer[i]);
        if (!x->buffer[i]) return STATUS_no_memory;
    }
    return STATUS_ok;
}

Status executor_open(const Module *module, const KernelCode *code, Threads *threads,
                     Executor **executor)
{
    Executor *x = calloc(1, sizeof *x);
    *executor = NULL;
    if (!x) return STATUS_no_memory;
    x->module = module;
    x->threads = threads;
    x->code = calloc(module->kernel.count + 1, sizeof *x->code);
    Status status = STATUS_no_memory;
    if (x->code) {
        memcpy(x->code, code, module->kernel.count * sizeof *code);
        status = allocate(x);
    }
    if (status != STATUS_ok) {
        executor_close(x);
        return status;
    }
    *executor = x;
    return STATUS_ok;
}

void executor_close(Executor *x)
{
    if (!x) return;
    for (uint32_t i = 0; x->buffer && i < x->module->call.count; i++)
        free(x->buffer[i]);
    free(x->buffer);
    free(x->seconds);
    free(x->share);
    free(x->scratch);
    free(x->arena);
    free(x->code);
    free(x);
}

typedef struct Outside {
    const void *const *input;
    void *const *output;
    void *const *state;
} Outside;

static void *resolve(const Executor *x, const Region *region, const Outside *outside)
{
    char *base = NULL;
    switch (region->place) {
    case PLACE_arena: base = x->arena; break;
    case PLACE_state: base = outside->state[region->index]; break;
    case PLACE_input: base = (char *)outside->input[region->index]; break; /* only ever read */
    case PLACE_output: base = outside->output[region->index]; break;
    case PLACE_literal: base = (char *)x->module->literal.at[region->index].bytes; break;
    }
    return base + region->offset;
}

static void run_call(Executor *x, uint32_t i, const Outside *outside)
{
    const Call *call = &x->module->call.at[i];
    const KernelCode *code = &x->code[call->kernel];
    void **buffer = x->buffer[i];
    for (uint32_t k = 0; k < call->count; k++)
        buffer[k] = resolve(x, &call->binding[k], outside);
    Share share = {code, buffer, x->scratch, x->scratch_bytes, NULL, x->begin};
    if (x->is_profiled) share.interval = x->share + (size_t)i * threads_count(x->threads);
    ThreadWork *work = x->is_profiled ? run_timed_share : run_share;
    if (call->flops < GRAIN_FLOPS && call->bytes < GRAIN_BYTES)
        work(&share, 0, 0, code->tasks);
    else
        threads_run(x->threads, code->tasks, work, &share);
}

void executor_run(Executor *x, const void *const *input, void *const *output, void *const *state)
{
    Outside outside = {input, output, state};
    uint32_t calls = x->module->call.count;
    FloatMode mode = float_mode_enter();
    double before = 0;
    if (x->is_profiled) {
        memset(x->share, 0, (size_t)calls * threads_count(x->threads) * sizeof *x->share);
        x->begin = before = now();
    }
    for (uint32_t i = 0; i < calls; i++) {
        run_call(x, i, &outside);
        if (!x->is_profiled) continue;
        double after = now();
        x->seconds[i] = after - before;
        before = after;
    }
    float_mode_leave(mode);
}

void executor_profile(Executor *x, bool on, Profile *profile)
{
    x->is_profiled = on;
    *profile = (Profile){threads_count(x->threads), x->seconds, x->share};
}

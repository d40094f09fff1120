#include "runtime/core/executor.h"
#include "runtime/core/float_mode.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Work below which a second thread costs more than it saves: measured, a phase of threads takes some 300 ns and what moves to
 * another core's caches comes on top. */
#define GRAIN_FLOPS 100000
#define GRAIN_BYTES 65536

#define LARGE_PAGE ((size_t)2 << 20)

typedef struct Step { /* a call, ready to run */
    KernelFunction *function;
    void **buffer;
    int64_t tasks;
    bool is_shared; /* among all threads */
} Step;

/* A pointer that the caller of a run decides. */
typedef struct Slot {
    void **at;
    uint32_t index; /* of the input, output or state */
    int64_t offset;
} Slot;

typedef struct Slots {
    uint32_t count;
    Slot *at;
} Slots;

struct Executor {
    const Module *module;
    Threads *threads;
    KernelCode *code;
    Step *step;     /* of each call */
    void **pointer; /* of all calls' buffers */
    Slots slots[PLACE_literal];
    uint32_t state_count;
    void **state; /* where each was in the last run: they hardly ever move */
    char *arena, *scratch;
    int64_t scratch_bytes; /* a thread */
    bool is_shared;        /* any step */
    double *seconds;
    Interval *share;
    bool is_profiled;
    double begin; /* of the run, on the clock of now() */
};

typedef struct Share {
    const Step *step;
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
    share->step->function(share->step->buffer, begin, end,
                          share->scratch + thread * share->scratch_bytes);
}

/* A thread is called several times a step: from its first begin to its last end. */
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
    size_t size = bytes > 0 ? (size_t)bytes : 1;
    bool is_large = size >= LARGE_PAGE;
    void *at;
    if (posix_memalign(&at, is_large ? LARGE_PAGE : 64, size)) return NULL;
    if (is_large) madvise(at, size / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
    return at;
}

/* --- where buffers are ------------------------------------------------------------------------------------------------- */

static void *resolve(Executor *x, const Region *region, void **at)
{
    switch (region->place) {
    case PLACE_arena: return x->arena + region->offset;
    case PLACE_literal: return (char *)x->module->literal.at[region->index].bytes + region->offset;
    case PLACE_state:
    case PLACE_input:
    case PLACE_output: break;
    }
    Slots *slots = &x->slots[region->place];
    slots->at[slots->count++] = (Slot){at, region->index, region->offset};
    return NULL;
}

static void fill(const Slots *slots, void *const *base)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        const Slot *slot = &slots->at[i];
        *slot->at = (char *)base[slot->index] + slot->offset;
    }
}

static void fill_all(Executor *x, const void *const *input, void *const *output, void *const *state)
{
    fill(&x->slots[PLACE_input], (void *const *)input); /* only ever read */
    fill(&x->slots[PLACE_output], output);
    size_t size = x->state_count * sizeof *state;
    if (!size || !memcmp(x->state, state, size)) return;
    memcpy(x->state, state, size);
    fill(&x->slots[PLACE_state], state);
}

/* --- opening and closing ------------------------------------------------------------------------------------------------ */

static void prepare(Executor *x)
{
    void **next = x->pointer;
    for (uint32_t i = 0; i < x->module->call.count; i++) {
        const Call *call = &x->module->call.at[i];
        const KernelCode *code = &x->code[call->kernel];
        bool is_large = call->flops >= GRAIN_FLOPS || call->bytes >= GRAIN_BYTES;
        bool is_shared = is_large && code->tasks > 1 && threads_count(x->threads) > 1;
        x->step[i] = (Step){code->function, next, code->tasks, is_shared};
        x->is_shared |= is_shared;
        for (uint32_t k = 0; k < call->count; k++, next++)
            *next = resolve(x, &call->binding[k], next);
    }
}

static void count_states(Executor *x, const Call *call)
{
    for (uint32_t k = 0; k < call->count; k++)
        if (call->binding[k].place == PLACE_state && call->binding[k].index >= x->state_count)
            x->state_count = call->binding[k].index + 1;
}

static bool allocate(Executor *x)
{
    const Module *module = x->module;
    uint32_t kernels = module->kernel.count, calls = module->call.count;
    size_t buffers = 1;
    for (uint32_t i = 0; i < kernels; i++)
        if (x->code[i].scratch > x->scratch_bytes) x->scratch_bytes = x->code[i].scratch;
    for (uint32_t i = 0; i < calls; i++) {
        buffers += module->call.at[i].count;
        count_states(x, &module->call.at[i]);
    }
    x->scratch_bytes = (x->scratch_bytes + 63) / 64 * 64;
    x->arena = aligned(module->arena_bytes);
    x->scratch = aligned(x->scratch_bytes * threads_count(x->threads));
    x->seconds = calloc(calls + 1, sizeof *x->seconds);
    x->share = calloc((size_t)calls * threads_count(x->threads) + 1, sizeof *x->share);
    x->step = calloc(calls + 1, sizeof *x->step);
    x->pointer = calloc(buffers, sizeof *x->pointer);
    x->state = calloc(x->state_count + 1, sizeof *x->state);
    bool has_slots = true;
    for (uint32_t i = 0; i < PLACE_literal; i++)
        has_slots &= (x->slots[i].at = calloc(buffers, sizeof(Slot))) != NULL;
    return x->arena && x->scratch && x->seconds && x->share && x->step && x->pointer && x->state &&
           has_slots;
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
    if (x->code) memcpy(x->code, code, module->kernel.count * sizeof *code);
    if (!x->code || !allocate(x)) {
        executor_close(x);
        return STATUS_no_memory;
    }
    prepare(x);
    *executor = x;
    return STATUS_ok;
}

void executor_close(Executor *x)
{
    if (!x) return;
    for (uint32_t i = 0; i < PLACE_literal; i++)
        free(x->slots[i].at);
    free(x->step);
    free(x->pointer);
    free(x->state);
    free(x->seconds);
    free(x->share);
    free(x->scratch);
    free(x->arena);
    free(x->code);
    free(x);
}

/* --- running ------------------------------------------------------------------------------------------------------------ */

static void run_step(const Executor *x, const Step *step)
{
    if (!step->is_shared) {
        step->function(step->buffer, 0, step->tasks, x->scratch);
        return;
    }
    Share share = {step, x->scratch, x->scratch_bytes, NULL, 0};
    threads_run(x->threads, step->tasks, run_share, &share);
}

static void run_timed_step(const Executor *x, uint32_t i)
{
    const Step *step = &x->step[i];
    Share share = {step, x->scratch, x->scratch_bytes,
                   x->share + (size_t)i * threads_count(x->threads), x->begin};
    if (step->is_shared)
        threads_run(x->threads, step->tasks, run_timed_share, &share);
    else
        run_timed_share(&share, 0, 0, step->tasks);
}

static void run_profiled(Executor *x)
{
    uint32_t calls = x->module->call.count;
    memset(x->share, 0, (size_t)calls * threads_count(x->threads) * sizeof *x->share);
    double before = now();
    x->begin = before;
    for (uint32_t i = 0; i < calls; i++) {
        run_timed_step(x, i);
        double after = now();
        x->seconds[i] = after - before;
        before = after;
    }
}

void executor_run(Executor *x, const void *const *input, void *const *output, void *const *state)
{
    fill_all(x, input, output, state);
    FloatMode mode = float_mode_enter();
    if (x->is_shared) threads_expect(x->threads, true);
    if (x->is_profiled)
        run_profiled(x);
    else
        for (uint32_t i = 0; i < x->module->call.count; i++)
            run_step(x, &x->step[i]);
    if (x->is_shared) threads_expect(x->threads, false);
    float_mode_leave(mode);
}

void executor_profile(Executor *x, bool on, Profile *profile)
{
    x->is_profiled = on;
    *profile = (Profile){threads_count(x->threads), x->seconds, x->share};
}

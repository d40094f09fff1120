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
    int64_t clears;
    void **buffer;
    int64_t tasks;
    uint32_t count; /* 1, or of the first of a chain how many there are */
    bool is_shared; /* among all threads */
    uint32_t buffers;
    const Chain *chain;     /* that it is the first of; NULL: of none */
    KernelFunction *packed; /* NULL: it has no room of its own */
    int64_t room;           /* bytes into a thread's scratch */
    bool is_kept_by_task;
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
    Step *step;     /* of each call */
    void **pointer; /* of all calls' buffers */
    Slots slots[PLACE_literal];
    uint32_t state_count;
    void **state; /* where each was in the last run: they hardly ever move */
    char *arena,
        *scratch; /* for each thread its kernels', then tiles, then pointers of a chain, then rooms */
    int64_t kernel_bytes, tile_bytes, scratch_bytes; /* a thread */
    Chain *chain;
    bool is_shared; /* any step */
    double *seconds;
    Interval *share;
    bool is_profiled;
    double begin; /* of the run, on the clock of now() */
};

typedef struct Share {
    const Step *step;
    char *scratch;
    int64_t kernel_bytes, tile_bytes, scratch_bytes;
    Interval *interval; /* of each thread, of each call of a chain; NULL: not profiled */
    uint32_t threads;
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
    const Step *step = share->step;
    char *scratch = share->scratch + thread * share->scratch_bytes;
    if (!step->function) {
        memset(step->buffer[0], 0, (size_t)step->clears);
        return;
    }
    if (!step->packed) {
        step->function(step->buffer, begin, end, scratch);
        return;
    }
    char *room = scratch + step->room;
    int64_t *filled = (int64_t *)room, wanted = 1;
    if (step->is_kept_by_task) wanted = end - begin == 1 ? end : 0;
    bool is_there = wanted && *filled == wanted;
    (is_there ? step->packed : step->function)(step->buffer, begin, end, room + KEPT_HEADER);
    *filled = wanted;
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

/* A thread's own pointers for a chain: those of its calls one after the other, in which tiles stand for what they replace. */
typedef struct Weaving {
    const Step *step;
    const Chain *chain;
    char *scratch, *tiles;
    void **pointer;
} Weaving;

static Weaving weaving_of(const Share *share, uint32_t thread)
{
    Weaving w = {.step = share->step, .chain = share->step->chain};
    w.scratch = share->scratch + thread * share->scratch_bytes;
    w.tiles = w.scratch + share->kernel_bytes;
    w.pointer = (void **)(w.tiles + share->tile_bytes);
    void **to = w.pointer;
    for (uint32_t i = 0; i < w.chain->count; to += w.step[i++].buffers)
        memcpy(to, w.step[i].buffer, w.step[i].buffers * sizeof *to);
    return w;
}

static void run_slice(const Weaving *w, uint32_t i, void **pointer, int64_t slice)
{
    for (uint32_t k = 0; k < w->chain->tiles; k++) {
        const Tile *tile = &w->chain->tile[k];
        if (tile->call != i) continue;
        uintptr_t base = (uintptr_t)w->tiles + (uintptr_t)tile->offset;
        pointer[tile->buffer] = (void *)(base - (uintptr_t)tile->begin[slice]);
    }
    w->step[i].function(pointer, slice, slice + 1, w->scratch);
}

/* Slices [begin, end) of a chain. */
static void run_slices(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    Weaving w = weaving_of(user, thread);
    for (int64_t slice = begin; slice < end; slice++) {
        void **pointer = w.pointer;
        for (uint32_t i = 0; i < w.chain->count; pointer += w.step[i++].buffers)
            run_slice(&w, i, pointer, slice);
    }
}

/* Leaves in `end` of each call's interval what the thread spent on it. */
static void run_timed_slices(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    const Share *share = user;
    Weaving w = weaving_of(share, thread);
    double before = now();
    for (int64_t slice = begin; slice < end; slice++) {
        void **pointer = w.pointer;
        for (uint32_t i = 0; i < w.chain->count; pointer += w.step[i++].buffers) {
            run_slice(&w, i, pointer, slice);
            double after = now();
            share->interval[i * share->threads + thread].end += after - before;
            before = after;
        }
    }
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

static void bind(Executor *x)
{
    void **next = x->pointer;
    for (uint32_t i = 0; i < x->module->call.count; i++) {
        const Call *call = &x->module->call.at[i];
        x->step[i].buffer = next;
        for (uint32_t k = 0; k < call->count; k++, next++)
            *next = resolve(x, &call->binding[k], next);
    }
}

static void need_scratch(Executor *x, const KernelCode *code)
{
    if (code->scratch > x->kernel_bytes) x->kernel_bytes = (code->scratch + 63) / 64 * 64;
}

static void add_calls(Executor *x, const KernelCode *code)
{
    for (uint32_t i = 0; i < x->module->call.count; i++) {
        const Call *call = &x->module->call.at[i];
        const KernelCode *of = &code[call->kernel];
        bool is_large = call->flops >= GRAIN_FLOPS || call->bytes >= GRAIN_BYTES;
        bool is_shared = is_large && of->tasks > 1 && threads_count(x->threads) > 1;
        x->step[i] = (Step){.function = of->function,
                            .clears = of->clears,
                            .tasks = of->tasks,
                            .count = 1,
                            .is_shared = is_shared,
                            .buffers = call->count};
        x->is_shared |= is_shared;
        need_scratch(x, of);
    }
}

/* Returns the bytes of its pointers. */
static int64_t add_chain(Executor *x, const Chain *chain)
{
    int64_t pointers = 0;
    bool is_shared = threads_count(x->threads) > 1;
    for (uint32_t i = 0; i < chain->count; i++) {
        const KernelCode *of = &chain->code[i];
        Step *step = &x->step[chain->first + i];
        *step = (Step){.function = of->function, .tasks = chain->slices, .is_shared = is_shared};
        step->buffers = x->module->call.at[chain->first + i].count;
        pointers += (int64_t)(step->buffers * sizeof(void *));
        need_scratch(x, of);
    }
    x->step[chain->first].count = chain->count;
    x->step[chain->first].chain = chain;
    if (chain->tile_bytes > x->tile_bytes) x->tile_bytes = (chain->tile_bytes + 63) / 64 * 64;
    x->is_shared |= is_shared;
    return pointers;
}

static void add_steps(Executor *x, const ExecutorCode *code)
{
    int64_t pointers = 0;
    add_calls(x, code->kernel);
    for (uint32_t i = 0; i < code->chains; i++) {
        x->chain[i] = code->chain[i];
        int64_t bytes = add_chain(x, &x->chain[i]);
        if (bytes > pointers) pointers = bytes;
    }
    int64_t rooms = x->kernel_bytes + x->tile_bytes + (pointers + 63) / 64 * 64;
    x->scratch_bytes = rooms + code->kept_bytes;
    for (uint32_t i = 0; i < code->kept_count; i++) {
        Step *step = &x->step[code->kept[i].call];
        step->packed = code->kept[i].packed;
        step->room = rooms + code->kept[i].room;
        step->is_kept_by_task = code->kept[i].by_task;
    }
}

/* What they hold is of the run before, and weights have changed. */
static void empty_rooms(Executor *x)
{
    for (uint32_t i = 0; i < x->module->call.count; i++)
        for (uint32_t t = 0; x->step[i].packed && t < threads_count(x->threads); t++)
            *(int64_t *)(x->scratch + t * x->scratch_bytes + x->step[i].room) = 0;
}

static void count_states(Executor *x, const Call *call)
{
    for (uint32_t k = 0; k < call->count; k++)
        if (call->binding[k].place == PLACE_state && call->binding[k].index >= x->state_count)
            x->state_count = call->binding[k].index + 1;
}

static bool allocate(Executor *x, uint32_t chains)
{
    const Module *module = x->module;
    uint32_t calls = module->call.count;
    size_t buffers = 1;
    for (uint32_t i = 0; i < calls; i++) {
        buffers += module->call.at[i].count;
        count_states(x, &module->call.at[i]);
    }
    x->arena = aligned(module->arena_bytes);
    x->seconds = calloc(calls + 1, sizeof *x->seconds);
    x->share = calloc((size_t)calls * threads_count(x->threads) + 1, sizeof *x->share);
    x->step = calloc(calls + 1, sizeof *x->step);
    x->chain = calloc(chains + 1, sizeof *x->chain);
    x->pointer = calloc(buffers, sizeof *x->pointer);
    x->state = calloc(x->state_count + 1, sizeof *x->state);
    bool has_slots = true;
    for (uint32_t i = 0; i < PLACE_literal; i++)
        has_slots &= (x->slots[i].at = calloc(buffers, sizeof(Slot))) != NULL;
    return x->arena && x->seconds && x->share && x->step && x->chain && x->pointer && x->state &&
           has_slots;
}

Status executor_open(const Module *module, const ExecutorCode *code, Threads *threads,
                     Executor **executor)
{
    *executor = NULL;
    Executor *x = calloc(1, sizeof *x);
    if (!x) return STATUS_no_memory;
    x->module = module;
    x->threads = threads;
    bool has_room = allocate(x, code->chains);
    if (has_room) {
        add_steps(x, code);
        bind(x);
        x->scratch = aligned(x->scratch_bytes * threads_count(threads));
    }
    if (!has_room || !x->scratch) {
        executor_close(x);
        return STATUS_no_memory;
    }
    *executor = x;
    return STATUS_ok;
}

void executor_close(Executor *x)
{
    if (!x) return;
    for (uint32_t i = 0; i < PLACE_literal; i++)
        free(x->slots[i].at);
    free(x->step);
    free(x->chain);
    free(x->pointer);
    free(x->state);
    free(x->seconds);
    free(x->share);
    free(x->scratch);
    free(x->arena);
    free(x);
}

int64_t executor_scratch(const Executor *x)
{
    return x->scratch_bytes * threads_count(x->threads);
}

/* --- running ------------------------------------------------------------------------------------------------------------ */

static Share share_of(const Executor *x, const Step *step)
{
    return (Share){.step = step,
                   .scratch = x->scratch,
                   .kernel_bytes = x->kernel_bytes,
                   .tile_bytes = x->tile_bytes,
                   .scratch_bytes = x->scratch_bytes};
}

static void run_step(const Executor *x, const Step *step)
{
    Share share = share_of(x, step);
    ThreadWork *work = step->chain ? run_slices : run_share;
    if (step->is_shared)
        threads_run(x->threads, step->tasks, work, &share);
    else
        work(&share, 0, 0, step->tasks);
}

/* What the threads spent on each call of a chain becomes its share of the time that the chain took, and stretches of each thread's time
 * one after the other, though they were woven. */
static void spread_chain(Executor *x, uint32_t first, double begin, double seconds)
{
    uint32_t threads = threads_count(x->threads), count = x->step[first].count;
    Interval *interval = x->share + (size_t)first * threads;
    double sum = 0;
    for (uint32_t i = 0; i < count * threads; i++)
        sum += interval[i].end;
    for (uint32_t i = 0; i < count; i++) {
        double of_call = 0;
        for (uint32_t t = 0; t < threads; t++)
            of_call += interval[i * threads + t].end;
        x->seconds[first + i] = sum > 0 ? seconds * of_call / sum : 0;
    }
    for (uint32_t t = 0; t < threads; t++) {
        double at = begin;
        for (uint32_t i = 0; i < count; i++) {
            Interval *of = &interval[i * threads + t];
            if (of->end > 0) *of = (Interval){at, at + of->end};
            if (of->end > 0) at = of->end;
        }
    }
}

static void run_timed_step(Executor *x, uint32_t i)
{
    const Step *step = &x->step[i];
    Share share = share_of(x, step);
    share.threads = threads_count(x->threads);
    share.interval = x->share + (size_t)i * share.threads;
    share.run_begin = x->begin;
    ThreadWork *work = step->chain ? run_timed_slices : run_timed_share;
    if (step->is_shared)
        threads_run(x->threads, step->tasks, work, &share);
    else
        work(&share, 0, 0, step->tasks);
}

static void run_profiled(Executor *x)
{
    uint32_t calls = x->module->call.count;
    memset(x->share, 0, (size_t)calls * threads_count(x->threads) * sizeof *x->share);
    double before = now();
    x->begin = before;
    for (uint32_t i = 0; i < calls; i += x->step[i].count) {
        run_timed_step(x, i);
        double after = now();
        x->seconds[i] = after - before;
        if (x->step[i].chain) spread_chain(x, i, before - x->begin, after - before);
        before = after;
    }
}

void executor_run(Executor *x, const void *const *input, void *const *output, void *const *state)
{
    fill_all(x, input, output, state);
    empty_rooms(x);
    FloatMode mode = float_mode_enter();
    if (x->is_shared) threads_expect(x->threads, true);
    if (x->is_profiled)
        run_profiled(x);
    else
        for (uint32_t i = 0; i < x->module->call.count; i += x->step[i].count)
            run_step(x, &x->step[i]);
    if (x->is_shared) threads_expect(x->threads, false);
    float_mode_leave(mode);
}

void executor_profile(Executor *x, bool on, Profile *profile)
{
    x->is_profiled = on;
    *profile = (Profile){threads_count(x->threads), x->seconds, x->share};
}

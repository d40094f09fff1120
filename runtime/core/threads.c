/* A round of work: the caller opens the gate, workers that see it in time join, the caller closes it when no task is left to
 * take and waits for those that joined.  A worker that comes late finds the gate closed and has missed nothing. */
#include "runtime/core/threads.h"
#include "runtime/core/float_mode.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rounds of waiting before a thread sleeps: about thirty microseconds, longer than the small kernels between two large ones
 * take.  With more threads than cores spinning only takes time from those that work. */
#define SPINS 700

/* A thread takes its range in so many parts, and others may take what is left. */
#define PARTS 8

/* The gate: round in the upper half, then whether it is open, then how many workers joined. */
#define GATE_OPEN   ((uint64_t)1 << 31)
#define GATE_JOINED (GATE_OPEN - 1)

typedef struct Range {
    _Alignas(64) atomic_llong next;
    int64_t end, part;
} Range;

typedef struct Worker {
    struct Threads *threads;
    uint32_t number;
    pthread_t thread;
} Worker;

struct Threads {
    uint32_t count, started, spins;
    _Alignas(64) atomic_uint round; /* what workers sleep on */
    atomic_uint sleepers;
    atomic_bool closing;
    ThreadWork *work; /* of the round, written while the gate is closed */
    void *user;
    _Alignas(64) _Atomic uint64_t gate;
    _Alignas(64) atomic_uint finished; /* workers that joined and are done */
    atomic_bool caller_sleeps;
    Range *range;
    Worker *worker;
};

static void rest(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void sleep_while(atomic_uint *word, unsigned value)
{
    syscall(SYS_futex, (unsigned *)word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(atomic_uint *word, int how_many)
{
    syscall(SYS_futex, (unsigned *)word, FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0);
}

static void work_through(Threads *t, Range *range, uint32_t number)
{
    for (;;) {
        int64_t begin = atomic_fetch_add(&range->next, range->part), end = begin + range->part;
        if (begin >= range->end) return;
        t->work(t->user, number, begin, end < range->end ? end : range->end);
    }
}

static void do_tasks(Threads *t, uint32_t number)
{
    for (uint32_t i = 0; i < t->count; i++)
        work_through(t, &t->range[(number + i) % t->count], number);
}

static unsigned next_round(Threads *t, unsigned seen)
{
    for (uint32_t i = 0; i < t->spins; i++) {
        unsigned now = atomic_load_explicit(&t->round, memory_order_acquire);
        if (now != seen) return now;
        rest();
    }
    /* Counted before the last look, so that the caller, who writes the round first, sees either. */
    atomic_fetch_add(&t->sleepers, 1);
    while (atomic_load(&t->round) == seen)
        sleep_while(&t->round, seen);
    atomic_fetch_sub(&t->sleepers, 1);
    return atomic_load(&t->round);
}

static bool join(Threads *t)
{
    uint64_t gate = atomic_load(&t->gate);
    while (gate & GATE_OPEN)
        if (atomic_compare_exchange_weak(&t->gate, &gate, gate + 1)) return true;
    return false;
}

static void *worker_main(void *user)
{
    Worker *worker = user;
    Threads *t = worker->threads;
    float_mode_enter();
    for (unsigned seen = 0;;) {
        seen = next_round(t, seen);
        if (atomic_load(&t->closing)) return NULL;
        if (!join(t)) continue;
        do_tasks(t, worker->number);
        atomic_fetch_add(&t->finished, 1);
        if (atomic_load(&t->caller_sleeps)) wake(&t->finished, 1);
    }
}

static void start_round(Threads *t)
{
    atomic_fetch_add(&t->round, 1);
    if (atomic_load(&t->sleepers)) wake(&t->round, (int)t->count);
}

static void open_gate(Threads *t)
{
    atomic_store(&t->finished, 0);
    uint64_t round = (atomic_load(&t->gate) >> 32) + 1;
    atomic_store(&t->gate, round << 32 | GATE_OPEN);
    start_round(t);
}

static void close_gate(Threads *t)
{
    unsigned joined = (unsigned)(atomic_fetch_and(&t->gate, ~GATE_OPEN) & GATE_JOINED);
    for (uint32_t i = 0; i < t->spins; i++) {
        if (atomic_load_explicit(&t->finished, memory_order_acquire) == joined) return;
        rest();
    }
    atomic_store(&t->caller_sleeps, true);
    for (unsigned done; (done = atomic_load(&t->finished)) != joined;)
        sleep_while(&t->finished, done);
    atomic_store(&t->caller_sleeps, false);
}

void threads_run(Threads *t, int64_t tasks, ThreadWork *work, void *user)
{
    if (tasks <= 0) return;
    if (t->count == 1 || tasks == 1) {
        work(user, 0, 0, tasks);
        return;
    }
    t->work = work;
    t->user = user;
    for (uint32_t i = 0; i < t->count; i++) {
        Range *range = &t->range[i];
        int64_t begin = tasks * i / t->count;
        range->end = tasks * (i + 1) / t->count;
        range->part = (range->end - begin + PARTS - 1) / PARTS;
        if (range->part < 1) range->part = 1;
        atomic_store_explicit(&range->next, begin, memory_order_relaxed);
    }
    open_gate(t);
    do_tasks(t, 0);
    close_gate(t);
}

static Threads *allocate(uint32_t count)
{
    Threads *t = aligned_alloc(64, sizeof *t);
    if (!t) return NULL;
    *t = (Threads){.count = count};
    t->range = aligned_alloc(64, count * sizeof *t->range);
    t->worker = calloc(count, sizeof *t->worker);
    if (t->range && t->worker) return t;
    threads_close(t);
    return NULL;
}

/* Signals belong to the program's threads, not to these. */
static bool start_workers(Threads *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint32_t i = 1; i < t->count; i++) {
        t->worker[i] = (Worker){.threads = t, .number = i};
        if (pthread_create(&t->worker[i].thread, NULL, worker_main, &t->worker[i])) break;
        t->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return t->started == t->count - 1;
}

Status threads_open(uint32_t count, Threads **threads)
{
    *threads = NULL;
    Threads *t = allocate(count < 1 ? 1 : count);
    if (!t) return STATUS_no_memory;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    t->spins = cores > 0 && (long)t->count <= cores ? SPINS : 1;
    if (start_workers(t)) {
        *threads = t;
        return STATUS_ok;
    }
    threads_close(t);
    return STATUS_failed;
}

void threads_close(Threads *t)
{
    if (!t) return;
    atomic_store(&t->closing, true);
    start_round(t);
    for (uint32_t i = 1; i <= t->started; i++)
        pthread_join(t->worker[i].thread, NULL);
    free(t->worker);
    free(t->range);
    free(t);
}

uint32_t threads_count(const Threads *t)
{
    return t->count;
}

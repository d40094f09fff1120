/* A phase of work: the caller opens it, threads that see it in time take part, the caller closes it when there is nothing left to
 * take and waits for those that are still at it.  A thread that comes late finds the phase closed and has missed nothing.
 *
 * Two lines of memory travel in a phase, so that it costs some 300 ns: the caller's, which says what there is to do, and each worker's
 * seat, on which it says that it is busy.  A worker marks its seat and then looks once more whether the phase is open; the
 * caller closes the phase and then looks at the seats: one of the two sees the other (Dekker's argument). */
#include "runtime/core/threads.h"
#include "runtime/core/cores.h"
#include "runtime/core/float_mode.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long threads look for work before they sleep; between the steps of a loop, and where more is expected: longer than the small
 * kernels between two large ones take.  With more threads than cores waiting only takes time from those that work. */
#define WAIT_SECONDS     50e-6
#define EXPECTED_SECONDS 500e-6

/* A thread takes its range in at most so many parts, and others may take what is left. */
#define PARTS 8

#define TAKEN_BITS 16 /* of a seat's `taken`: parts; above them the phase */

typedef struct Seat { /* of one thread; nobody else's on the same pair of lines */
    _Alignas(128) _Atomic uint64_t busy; /* the phase that it works on; 0: none */
    _Atomic uint64_t taken;              /* parts of its range; of an earlier phase: none */
    struct Threads *threads;
    uint32_t number;
} Seat;

struct Threads {
    uint32_t count, started;
    bool waits; /* before it sleeps */
    Seat *seat;
    pthread_t *worker;
    Placement *placement; /* NULL: left to the system */
    int caller_cpu;       /* that workers keep off */
    /* What there is to do: written while the phase is closed and nobody is busy. */
    _Alignas(128) _Atomic uint64_t phase; /* odd: open */
    ThreadWork *work;
    void *user;
    int64_t tasks;
    atomic_bool closing, expected;
    _Alignas(128) atomic_uint sleepers; /* workers */
    atomic_bool caller_sleeps;
};

static void rest(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Futexes are of 32 bits: the lower half, which is different whenever the whole is for any time that a thread could sleep. */
static unsigned *lower_half(_Atomic uint64_t *word)
{
    return (unsigned *)word + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static void sleep_while(_Atomic uint64_t *word, uint64_t value)
{
    syscall(SYS_futex, lower_half(word), FUTEX_WAIT_PRIVATE, (unsigned)value, NULL, NULL, 0);
}

static void wake(_Atomic uint64_t *word, int how_many)
{
    syscall(SYS_futex, lower_half(word), FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0);
}

/* --- what all do in a phase ---------------------------------------------------------------------------------------------- */

/* The first ranges, the caller's among them, are the longer ones. */
static int64_t range_begin(const Threads *t, uint32_t number)
{
    return (t->tasks * number + t->count - 1) / t->count;
}

/* False: the range of that seat is taken. */
static bool take_part(Seat *seat, uint64_t phase, int64_t parts, int64_t *part)
{
    uint64_t now = atomic_load_explicit(&seat->taken, memory_order_relaxed), taken;
    do {
        taken = now >> TAKEN_BITS == phase ? now & ((1u << TAKEN_BITS) - 1) : 0;
        if ((int64_t)taken >= parts) return false;
    } while (!atomic_compare_exchange_weak(&seat->taken, &now, (phase << TAKEN_BITS) + taken + 1));
    *part = (int64_t)taken;
    return true;
}

static void work_through(Threads *t, uint64_t phase, uint32_t whose, uint32_t number)
{
    int64_t begin = range_begin(t, whose), tasks = range_begin(t, whose + 1) - begin;
    int64_t parts = tasks < PARTS ? tasks : PARTS, part;
    while (take_part(&t->seat[whose], phase, parts, &part))
        t->work(t->user, number, begin + tasks * part / parts, begin + tasks * (part + 1) / parts);
}

static void do_tasks(Threads *t, uint64_t phase, uint32_t number)
{
    for (uint32_t i = 0; i < t->count; i++)
        work_through(t, phase, (number + i) % t->count, number);
}

/* --- waiting and workers ------------------------------------------------------------------------------------------------------------ */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* False: it has not come to be. */
static bool await_change(Threads *t, _Atomic uint64_t *word, uint64_t value)
{
    double begin = t->waits ? now() : 0;
    do {
        for (int i = 0; i < 64; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
            rest();
        }
    } while (t->waits && now() - begin < (atomic_load_explicit(&t->expected, memory_order_relaxed)
                                              ? EXPECTED_SECONDS
                                              : WAIT_SECONDS));
    return false;
}

static uint64_t next_phase(Threads *t, uint64_t seen)
{
    if (!await_change(t, &t->phase, seen)) {
        /* Counted before the last look, so that the caller, who writes the phase first, sees either. */
        atomic_fetch_add(&t->sleepers, 1);
        while (atomic_load(&t->phase) == seen)
            sleep_while(&t->phase, seen);
        atomic_fetch_sub(&t->sleepers, 1);
    }
    return atomic_load(&t->phase);
}

static void take_part_in(Threads *t, uint64_t phase, Seat *seat)
{
    atomic_store(&seat->busy, phase);
    if (atomic_load(&t->phase) == phase) do_tasks(t, phase, seat->number);
    atomic_store(&seat->busy, 0);
    if (atomic_load(&t->caller_sleeps)) wake(&seat->busy, 1);
}

static void *worker_main(void *user)
{
    Seat *seat = user;
    Threads *t = seat->threads;
    float_mode_enter();
    for (uint64_t seen = 0;;) {
        seen = next_phase(t, seen);
        if (atomic_load(&t->closing)) return NULL;
        if (seen & 1) take_part_in(t, seen, seat);
    }
}

/* --- the caller ---------------------------------------------------------------------------------------------------------- */

static void open_phase(Threads *t, uint64_t phase)
{
    atomic_store(&t->phase, phase);
    if (atomic_load(&t->sleepers)) wake(&t->phase, (int)t->count);
}

static void await_worker(Threads *t, Seat *seat, uint64_t phase)
{
    if (atomic_load(&seat->busy) != phase || await_change(t, &seat->busy, phase)) return;
    atomic_store(&t->caller_sleeps, true);
    while (atomic_load(&seat->busy) == phase)
        sleep_while(&seat->busy, phase);
    atomic_store(&t->caller_sleeps, false);
}

static void place_workers(Threads *t)
{
    int cpu = sched_getcpu();
    if (!t->placement || cpu == t->caller_cpu || cpu < 0) return;
    t->caller_cpu = cpu;
    placement_follow(t->placement, (uint32_t)cpu, t->worker);
}

void threads_run(Threads *t, int64_t tasks, ThreadWork *work, void *user)
{
    if (tasks <= 0) return;
    if (t->count == 1 || tasks == 1) {
        work(user, 0, 0, tasks);
        return;
    }
    place_workers(t);
    uint64_t phase = atomic_load_explicit(&t->phase, memory_order_relaxed) + 1;
    t->work = work;
    t->user = user;
    t->tasks = tasks;
    open_phase(t, phase);
    do_tasks(t, phase, 0);
    atomic_store(&t->phase, phase + 1);
    for (uint32_t i = 1; i < t->count; i++)
        await_worker(t, &t->seat[i], phase);
}

void threads_expect(Threads *t, bool more)
{
    if (t->count > 1) atomic_store_explicit(&t->expected, more, memory_order_relaxed);
}

/* --- opening and closing ------------------------------------------------------------------------------------------------ */

static Threads *allocate(uint32_t count)
{
    Threads *t = aligned_alloc(_Alignof(Threads), sizeof *t);
    if (!t) return NULL;
    *t = (Threads){.count = count, .caller_cpu = -1};
    t->seat = aligned_alloc(_Alignof(Seat), count * sizeof *t->seat);
    t->worker = calloc(count, sizeof *t->worker);
    if (!t->seat || !t->worker) {
        threads_close(t);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++)
        t->seat[i] = (Seat){.threads = t, .number = i};
    return t;
}

/* Signals belong to the program's threads, not to these. */
static bool start_workers(Threads *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint32_t i = 1; i < t->count; i++) {
        if (pthread_create(&t->worker[i], NULL, worker_main, &t->seat[i])) break;
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
    t->waits = t->count > 1 && t->count <= cores_usable();
    t->placement = t->waits ? placement_open(t->count) : NULL;
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
    open_phase(t, atomic_load(&t->phase) + 2);
    for (uint32_t i = 1; i <= t->started; i++)
        pthread_join(t->worker[i], NULL);
    placement_close(t->placement);
    free(t->worker);
    free(t->seat);
    free(t);
}

uint32_t threads_count(const Threads *t)
{
    return t->count;
}

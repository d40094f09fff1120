#include "runtime/core/threads.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rounds of waiting before a thread sleeps: some ten microseconds, about what a wake-up costs.  With more threads than cores
 * spinning only takes time from those that work. */
#define SPINS 4000

typedef struct Worker {
    struct Threads *threads;
    uint32_t number;
    pthread_t thread;
} Worker;

struct Threads {
    uint32_t count, started, spins;
    /* The round: workers start when it changes. Written by the caller alone; the work below it belongs to the round. */
    _Alignas(64) atomic_uint round;
    atomic_uint sleepers;
    atomic_bool closing;
    ThreadWork *work;
    void *user;
    int64_t tasks;
    _Alignas(64) atomic_uint pending; /* workers that have not finished the round */
    atomic_bool caller_sleeps;
    Worker worker[];
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

static void do_share(Threads *t, uint32_t number)
{
    int64_t begin = t->tasks * number / t->count, end = t->tasks * (number + 1) / t->count;
    if (begin < end) t->work(t->user, number, begin, end);
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
    return atomic_load_explicit(&t->round, memory_order_acquire);
}

static void *worker_main(void *user)
{
    Worker *worker = user;
    Threads *t = worker->threads;
    for (unsigned seen = 0;;) {
        seen = next_round(t, seen);
        if (atomic_load(&t->closing)) return NULL;
        do_share(t, worker->number);
        if (atomic_fetch_sub(&t->pending, 1) == 1 && atomic_load(&t->caller_sleeps))
            wake(&t->pending, 1);
    }
}

static void start_round(Threads *t)
{
    atomic_fetch_add(&t->round, 1);
    if (atomic_load(&t->sleepers)) wake(&t->round, (int)t->count);
}

static void wait_for_workers(Threads *t)
{
    for (uint32_t i = 0; i < t->spins; i++) {
        if (!atomic_load_explicit(&t->pending, memory_order_acquire)) return;
        rest();
    }
    atomic_store(&t->caller_sleeps, true);
    for (unsigned left; (left = atomic_load(&t->pending));)
        sleep_while(&t->pending, left);
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
    t->tasks = tasks;
    atomic_store(&t->pending, t->count - 1);
    start_round(t);
    do_share(t, 0);
    wait_for_workers(t);
}

Status threads_open(uint32_t count, Threads **threads)
{
    if (count < 1) count = 1;
    size_t size = (sizeof(Threads) + count * sizeof(Worker) + 63) / 64 * 64;
    Threads *t = aligned_alloc(64, size);
    *threads = NULL;
    if (!t) return STATUS_no_memory;
    *t = (Threads){.count = count};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    t->spins = cores > 0 && (long)count <= cores ? SPINS : 1;
    for (uint32_t i = 1; i < count; i++) {
        t->worker[i] = (Worker){.threads = t, .number = i};
        if (pthread_create(&t->worker[i].thread, NULL, worker_main, &t->worker[i])) {
            threads_close(t);
            return STATUS_failed;
        }
        t->started++;
    }
    *threads = t;
    return STATUS_ok;
}

void threads_close(Threads *t)
{
    if (!t) return;
    atomic_store(&t->closing, true);
    start_round(t);
    for (uint32_t i = 1; i <= t->started; i++)
        pthread_join(t->worker[i].thread, NULL);
    free(t);
}

uint32_t threads_count(const Threads *t)
{
    return t->count;
}

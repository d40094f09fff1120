/* What a phase of threads costs: bench_threads [threads].  The least of many batches, since every other program on the machine
 * only adds; the median says how much. */
#include "runtime/core/threads.h"
#include "runtime/core/cores.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCHES = 2000, PHASES = 100 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef struct Load {
    uint32_t rounds; /* of a multiplication that waits for the one before: four cycles each */
    volatile float sink[64][64];
} Load;

static float turn(uint32_t rounds)
{
    float x = 1;
    for (uint32_t i = 0; i < rounds; i++) {
        x *= 1.000001f;
        __asm__ volatile("" : "+x"(x));
    }
    return x;
}

static void work(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    Load *load = user;
    for (int64_t i = begin; i < end; i++)
        load->sink[thread % 64][0] = turn(load->rounds);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of a phase of so many tasks. */
static void measure(Threads *threads, int64_t tasks, Load *load, double *least, double *median)
{
    static double taken[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        double begin = now();
        for (int k = 0; k < PHASES; k++)
            if (threads)
                threads_run(threads, tasks, work, load);
            else
                work(load, 0, 0, tasks);
        taken[i] = (now() - begin) / PHASES;
    }
    qsort(taken, BATCHES, sizeof *taken, ascending);
    *least = taken[0];
    *median = taken[BATCHES / 2];
}

int main(int count, char **argument)
{
    static const uint32_t rounds[] = {0, 30, 100, 300, 1000};
    static Load load;
    uint32_t wanted = count > 1 ? (uint32_t)atoi(argument[1]) : cores_usable();
    Threads *threads;
    if (threads_open(wanted, &threads) != STATUS_ok) return 1;
    threads_expect(threads, true);
    printf("%u threads, phases of 16 tasks; us, least and median\n"
           "      one thread       all threads\n",
           wanted);
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        double alone, alone_median, shared, shared_median;
        load.rounds = rounds[i];
        measure(NULL, 16, &load, &alone, &alone_median);
        measure(threads, 16, &load, &shared, &shared_median);
        printf("%7.2f %7.2f   %7.2f %7.2f\n", alone * 1e6, alone_median * 1e6, shared * 1e6,
               shared_median * 1e6);
    }
    threads_close(threads);
    return 0;
}

/* How far the cores are from each other: nanoseconds in which a line of memory goes from the first to the last and back, the median of
 * several series.  Cores that share a cache take some 60; where a host moves its guests about, that changes from second to second. */
#include "runtime/core/cores.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SERIES = 9, TRIPS = 2000 };

static _Alignas(128) atomic_uint line;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void stay_on(uint32_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void await(unsigned value)
{
    while (atomic_load(&line) != value)
        continue;
}

static void *answer(void *user)
{
    stay_on(*(uint32_t *)user);
    for (unsigned i = 0; i < SERIES * TRIPS; i++) {
        await(2 * i + 1);
        atomic_store(&line, 2 * i + 2);
    }
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    double seconds[SERIES];
    pthread_t other;
    Cores *cores = cores_open();
    if (!cores || cores->count < 2) return 1;
    stay_on(cores->cpu[0].cpu);
    if (pthread_create(&other, NULL, answer, &cores->cpu[cores->cpu_count - 1].cpu)) return 1;
    for (unsigned series = 0; series < SERIES; series++) {
        double begin = now();
        for (unsigned i = series * TRIPS; i < (series + 1) * TRIPS; i++) {
            atomic_store(&line, 2 * i + 1);
            await(2 * i + 2);
        }
        seconds[series] = now() - begin;
    }
    pthread_join(other, NULL);
    free(cores);
    qsort(seconds, SERIES, sizeof *seconds, ascending);
    printf("%.0f\n", seconds[SERIES / 2] / TRIPS * 1e9);
    return 0;
}

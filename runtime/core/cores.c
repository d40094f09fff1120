/* Read from /sys and /proc directly: hwloc asks the same files, and everything else about the machine with them, which takes longer
 * (3 to 13 ms on two cores) than all else between the start of the process and its first step. */
#include "runtime/core/cores.h"
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CPUS 4096

/* The first number in a file; -1: no file, or it says something else. */
static long number_in(const char *path)
{
    long number = -1;
    FILE *file = fopen(path, "re");
    if (!file) return -1;
    if (fscanf(file, "%ld", &number) != 1) number = -1;
    fclose(file);
    return number;
}

/* Threads of one core name the same first sibling. */
static uint32_t core_of(const char *root, uint32_t cpu)
{
    char path[512];
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list",
             root, cpu);
    long first = number_in(path);
    return first >= 0 && first < MAX_CPUS ? (uint32_t)first : cpu;
}

Cores *cores_open_in(const char *root, uint32_t count, const uint32_t *allowed)
{
    Cores *cores = malloc(sizeof *cores + count * sizeof *cores->cpu);
    if (!cores) return NULL;
    bool seen[MAX_CPUS] = {false};
    *cores = (Cores){.cpu_count = count};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t core = core_of(root, allowed[i]);
        cores->cpu[i] = (Cpu){allowed[i], core};
        cores->count += !seen[core];
        seen[core] = true;
    }
    return cores;
}

static uint32_t smaller(uint32_t cores, double quota, double period)
{
    if (quota <= 0 || period <= 0 || quota / period >= cores) return cores;
    return (uint32_t)(quota / period);
}

/* cpu.max of a group (version 2: "quota period" or "max period"), or the two files of version 1. */
static uint32_t limit_of(const char *root, const char *group, uint32_t cores)
{
    char path[1024];
    double quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/sys/fs/cgroup%s/cpu.max", root, group);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%lf %lf", &quota, &period) != 2) quota = 0;
        fclose(file);
        return smaller(cores, quota, period);
    }
    snprintf(path, sizeof path, "%s/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", root, group);
    quota = (double)number_in(path);
    snprintf(path, sizeof path, "%s/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", root, group);
    return smaller(cores, quota, (double)number_in(path));
}

/* A group has no more than the groups that it is in. */
static uint32_t limit_by_groups(const char *root, char *group, uint32_t cores)
{
    if (!strcmp(group, "/")) *group = 0;
    for (;;) {
        cores = limit_of(root, group, cores);
        char *last = strrchr(group, '/');
        if (!last) return cores;
        *last = 0;
    }
}

static bool is_of_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, "cpu", 3) && (at[3] == ',' || !at[3])) return true;
    return !*controllers; /* version 2 */
}

/* Lines of /proc/self/cgroup: "number:controllers:group". */
static uint32_t limit_by_quota(const char *root, uint32_t cores)
{
    char line[768];
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *file = fopen(line, "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group = 0;
        if (is_of_cpu(controllers + 1)) cores = limit_by_groups(root, group + 1, cores);
    }
    if (file) fclose(file);
    return cores;
}

uint32_t cores_usable_in(const char *root, const Cores *cores)
{
    uint32_t usable = limit_by_quota(root, cores->count);
    return usable < 1 ? 1 : usable;
}

Cores *cores_open(void)
{
    uint32_t allowed[MAX_CPUS], count = 0;
    size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
    cpu_set_t *set = CPU_ALLOC(MAX_CPUS);
    if (set && !sched_getaffinity(0, size, set))
        for (uint32_t i = 0; i < MAX_CPUS; i++)
            if (CPU_ISSET_S(i, size, set)) allowed[count++] = i;
    if (set) CPU_FREE(set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    for (uint32_t i = 0; !set && (long)i < online && i < MAX_CPUS; i++)
        allowed[count++] = i;
    return cores_open_in("", count, allowed);
}

uint32_t cores_usable(void)
{
    Cores *cores = cores_open();
    uint32_t usable = cores ? cores_usable_in("", cores) : 1;
    free(cores);
    return usable;
}

/* --- placement ---------------------------------------------------------------------------------------------------------- */

struct Placement {
    Cores *cores;
    cpu_set_t *set;
    uint32_t threads;
    bool is_settled; /* every worker has been placed before */
    uint32_t core[]; /* of each thread, the caller's first, if there is one for every core */
};

static void set_all_cores(Placement *p)
{
    bool seen[MAX_CPUS] = {false};
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->cores->cpu_count; i++) {
        uint32_t core = p->cores->cpu[i].core;
        if (!seen[core]) p->core[count++] = core;
        seen[core] = true;
    }
}

Placement *placement_open(uint32_t threads)
{
    if (threads < 2) return NULL;
    Placement *p = malloc(sizeof *p + threads * sizeof *p->core);
    if (!p) return NULL;
    *p = (Placement){.cores = cores_open(), .set = CPU_ALLOC(MAX_CPUS), .threads = threads};
    if (!p->cores || !p->set || p->cores->count < threads) {
        placement_close(p);
        return NULL;
    }
    if (p->cores->count == threads) set_all_cores(p);
    return p;
}

void placement_close(Placement *p)
{
    if (!p) return;
    if (p->set) CPU_FREE(p->set);
    free(p->cores);
    free(p);
}

/* On this core alone, or anywhere but there. */
static void allow(Placement *p, pthread_t worker, uint32_t core, bool alone)
{
    size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
    CPU_ZERO_S(size, p->set);
    for (uint32_t i = 0; i < p->cores->cpu_count; i++)
        if ((p->cores->cpu[i].core == core) == alone) CPU_SET_S(p->cores->cpu[i].cpu, size, p->set);
    pthread_setaffinity_np(worker, size, p->set); /* without it things are slower, not wrong */
}

/* The worker whose core the caller has come to takes the one that it left. */
static void trade(Placement *p, uint32_t core, const pthread_t *worker)
{
    for (uint32_t i = 1; i < p->threads; i++) {
        bool has_moved = p->core[i] == core;
        if (has_moved) {
            p->core[i] = p->core[0];
            p->core[0] = core;
        }
        if (has_moved || !p->is_settled) allow(p, worker[i], p->core[i], true);
    }
}

void placement_follow(Placement *p, uint32_t cpu, const pthread_t *worker)
{
    uint32_t core = MAX_CPUS;
    for (uint32_t i = 0; i < p->cores->cpu_count; i++)
        if (p->cores->cpu[i].cpu == cpu) core = p->cores->cpu[i].core;
    if (core == MAX_CPUS) return;
    if (p->cores->count == p->threads)
        trade(p, core, worker);
    else
        for (uint32_t i = 1; i < p->threads; i++)
            allow(p, worker[i], core, false);
    p->is_settled = true;
}

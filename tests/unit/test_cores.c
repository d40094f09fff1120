#include "runtime/core/cores.h"
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A machine made of files: siblings of each CPU, control groups with their limits. */
static char root[64];

static void make_root(void)
{
    strcpy(root, "/tmp/mlc-cores-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *file, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, file);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(path, 0700);
        *at = '/';
    }
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fputs(text, out);
    fclose(out);
}

static Cores *machine(uint32_t count)
{
    static const uint32_t allowed[] = {0, 1, 2, 3, 4, 5, 6, 7};
    Cores *cores = cores_open_in(root, count, allowed);
    ck_assert_ptr_nonnull(cores);
    return cores;
}

static void expect_usable(uint32_t count, uint32_t usable)
{
    Cores *cores = machine(count);
    ck_assert_uint_eq(cores_usable_in(root, cores), usable);
    free(cores);
}

START_TEST(siblings_are_one_core)
{
    for (int cpu = 0; cpu < 4; cpu++) {
        char file[96], siblings[16];
        snprintf(file, sizeof file, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 cpu);
        snprintf(siblings, sizeof siblings, "%d,%d\n", cpu % 2, cpu % 2 + 2);
        put(file, siblings);
    }
    Cores *cores = machine(4);
    ck_assert_uint_eq(cores->cpu_count, 4);
    ck_assert_uint_eq(cores->count, 2);
    ck_assert_uint_eq(cores->cpu[3].core, 1);
    ck_assert_uint_eq(cores_usable_in(root, cores), 2);
    free(cores);
}
END_TEST

START_TEST(unknown_machine_has_a_core_for_each_cpu)
{
    expect_usable(4, 4);
}
END_TEST

START_TEST(quota_of_a_group_or_of_one_around_it)
{
    put("/proc/self/cgroup", "0::/box/job\n");
    put("/sys/fs/cgroup/box/job/cpu.max", "max 100000\n");
    expect_usable(8, 8);
    put("/sys/fs/cgroup/box/cpu.max", "350000 100000\n");
    expect_usable(8, 3);
    put("/sys/fs/cgroup/box/job/cpu.max", "50000 100000\n");
    expect_usable(8, 1);
}
END_TEST

START_TEST(quota_of_the_older_groups)
{
    put("/proc/self/cgroup", "7:memory:/other\n4:cpu,cpuacct:/job\n");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
    expect_usable(8, 2);
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
    expect_usable(8, 8);
}
END_TEST

START_TEST(files_of_nonsense_limit_nothing)
{
    put("/proc/self/cgroup", "nonsense\n:\n0::/\n");
    put("/sys/fs/cgroup/cpu.max", "many 0\n");
    put("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "-5\n");
    expect_usable(2, 2);
}
END_TEST

static void *wait_for(void *user)
{
    pthread_mutex_lock(user);
    pthread_mutex_unlock(user);
    return NULL;
}

/* CPUs of that core which the thread may run on, and others. */
static void count_allowed(const Cores *cores, pthread_t thread, uint32_t core, int *there,
                          int *away)
{
    cpu_set_t set;
    ck_assert_int_eq(pthread_getaffinity_np(thread, sizeof set, &set), 0);
    *there = *away = 0;
    for (uint32_t i = 0; i < cores->cpu_count; i++)
        if (CPU_ISSET(cores->cpu[i].cpu, &set)) *(cores->cpu[i].core == core ? there : away) += 1;
}

/* On the machine that this runs on, wherever the caller goes. */
START_TEST(workers_keep_off_the_callers_core)
{
    pthread_mutex_t until_done = PTHREAD_MUTEX_INITIALIZER;
    pthread_t worker[2];
    Cores *cores = cores_open();
    Placement *placement = placement_open(2);
    ck_assert_int_eq(placement != NULL, cores->count >= 2);
    pthread_mutex_lock(&until_done);
    ck_assert_int_eq(pthread_create(&worker[1], NULL, wait_for, &until_done), 0);
    for (uint32_t i = 0; placement && i < 2 * cores->cpu_count; i++) {
        Cpu at = cores->cpu[i % cores->cpu_count];
        int there, away;
        placement_follow(placement, at.cpu, worker);
        count_allowed(cores, worker[1], at.core, &there, &away);
        ck_assert_int_eq(there, 0);
        ck_assert_int_gt(away, 0);
    }
    pthread_mutex_unlock(&until_done);
    pthread_join(worker[1], NULL);
    placement_close(placement);
    free(cores);
}
END_TEST

Suite *suite_cores(void);
Suite *suite_cores(void)
{
    Suite *suite = suite_create("cores");
    TCase *tests = tcase_create("cores");
    tcase_add_checked_fixture(tests, make_root, remove_root);
    tcase_add_test(tests, siblings_are_one_core);
    tcase_add_test(tests, unknown_machine_has_a_core_for_each_cpu);
    tcase_add_test(tests, quota_of_a_group_or_of_one_around_it);
    tcase_add_test(tests, quota_of_the_older_groups);
    tcase_add_test(tests, files_of_nonsense_limit_nothing);
    tcase_add_test(tests, workers_keep_off_the_callers_core);
    suite_add_tcase(suite, tests);
    return suite;
}

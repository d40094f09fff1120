#include "runtime/core/threads.h"
#include <check.h>
#include <stdatomic.h>
#include <unistd.h>

enum { TASKS = 1000 };

typedef struct Seen {
    atomic_int done[TASKS];
    atomic_int calls;
} Seen;

static void mark(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    (void)thread;
    Seen *seen = user;
    atomic_fetch_add(&seen->calls, 1);
    for (int64_t i = begin; i < end; i++)
        atomic_fetch_add(&seen->done[i], 1);
}

static void check_count(uint32_t count, int64_t tasks, int rounds)
{
    static Seen seen;
    Threads *threads;
    ck_assert_int_eq(threads_open(count, &threads), STATUS_ok);
    ck_assert_uint_eq(threads_count(threads), count);
    for (int round = 0; round < rounds; round++) {
        seen = (Seen){0};
        threads_run(threads, tasks, mark, &seen);
        for (int64_t i = 0; i < TASKS; i++)
            ck_assert_int_eq(seen.done[i], i < tasks);
        ck_assert_int_le(seen.calls, (int)tasks);
        if (round == 2) usleep(3000); /* long enough that workers sleep */
    }
    threads_close(threads);
}

START_TEST(each_task_once)
{
    static const int64_t tasks[] = {0, 1, 2, 3, 7, 64, TASKS};
    for (uint32_t count = 1; count <= 9; count += 2)
        for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
            check_count(count, tasks[i], 5);
}
END_TEST

START_TEST(many_rounds)
{
    check_count(2, TASKS, 300);
}
END_TEST

typedef struct Slow {
    atomic_int tasks[3];
} Slow;

/* The last task takes long; whoever has it, the others do everything else meanwhile. */
static void one_is_slow(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    Slow *slow = user;
    if (begin <= 59 && 59 < end) usleep(20000);
    atomic_fetch_add(&slow->tasks[thread], (int)(end - begin));
}

START_TEST(others_help)
{
    Threads *threads;
    Slow slow = {0};
    ck_assert_int_eq(threads_open(3, &threads), STATUS_ok);
    threads_run(threads, 60, one_is_slow, &slow);
    ck_assert_int_eq(slow.tasks[0] + slow.tasks[1] + slow.tasks[2], 60);
    threads_close(threads);
}
END_TEST

Suite *suite_threads(void);
Suite *suite_threads(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("threads");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, each_task_once);
    tcase_add_test(tests, many_rounds);
    tcase_add_test(tests, others_help);
    suite_add_tcase(suite, tests);
    return suite;
}

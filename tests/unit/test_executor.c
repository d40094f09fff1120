#include "runtime/core/executor.h"
#include <check.h>
#include <string.h>
#include <time.h>

enum { ELEMENTS = 100 };

/* Tasks of ten elements: out = in * 2, through scratch, which is left alone for long enough that another thread would be seen in it. */
static void twice(void *const *buffers, int64_t begin, int64_t end, void *scratch)
{
    float *kept = scratch;
    for (int64_t task = begin; task < end; task++) {
        for (int i = 0; i < 10; i++)
            kept[i] = ((const float *)buffers[0])[task * 10 + i] * 2;
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        memcpy((float *)buffers[1] + task * 10, kept, 10 * sizeof *kept);
    }
}

/* out += in; one task. */
static void add_to(void *const *buffers, int64_t begin, int64_t end, void *scratch)
{
    (void)begin, (void)end, (void)scratch;
    for (int64_t i = 0; i < ELEMENTS; i++)
        ((float *)buffers[1])[i] += ((const float *)buffers[0])[i];
}

static Module *module_of(Arena *arena, const float *literal)
{
    Module *module = arena_new(arena, Module);
    module->arena_bytes = 2 * ELEMENTS * sizeof(float);
    for (int i = 0; i < 2; i++)
        *list_add(arena, &module->kernel) = arena_new(arena, Kernel);
    *list_add(arena, &module->literal) = (Literal){literal, ELEMENTS * sizeof(float)};
    static const Region in = {.place = PLACE_input}, out = {.place = PLACE_output},
                        state = {.place = PLACE_state, .index = 1},
                        table = {.place = PLACE_literal},
                        middle = {.place = PLACE_arena, .offset = ELEMENTS * sizeof(float)};
    const Region bound[][2] = {{in, middle}, {middle, out}, {table, state}, {out, state}};
    for (int i = 0; i < 4; i++) {
        Region *binding = arena_array(arena, Region, 2);
        memcpy(binding, bound[i], sizeof bound[i]);
        *list_add(arena, &module->call) =
            (Call){.kernel = i >= 2, .count = 2, .binding = binding, .flops = i % 2 ? 0 : 1 << 20};
    }
    return module;
}

/* A call lies behind those before it, and a thread's share within the call. */
static void check_profile(const Profile *profile, uint32_t count)
{
    ck_assert_uint_eq(profile->threads, count);
    double begin = 0;
    for (uint32_t call = 0; call < 4; call++) {
        ck_assert_double_ge(profile->seconds[call], 0);
        double end = begin + profile->seconds[call];
        uint32_t shares = 0;
        for (uint32_t thread = 0; thread < count; thread++) {
            Interval share = profile->share[call * count + thread];
            if (share.end == 0) continue;
            shares++;
            ck_assert_double_ge(share.begin, begin - 1e-6);
            ck_assert_double_ge(share.end, share.begin);
            ck_assert_double_le(share.end, end + 1e-6);
        }
        ck_assert_uint_ge(shares, 1);
        if (call % 2) ck_assert_uint_eq(shares, 1); /* below the grain: the caller alone */
        begin = end;
    }
}

static void check_threads(uint32_t count)
{
    Arena *arena = arena_open(&host_default);
    Threads *threads;
    Executor *executor;
    float input[ELEMENTS], output[ELEMENTS], literal[ELEMENTS];
    float state[ELEMENTS] = {0}, moved[ELEMENTS] = {0};
    for (int i = 0; i < ELEMENTS; i++)
        input[i] = (float)i, literal[i] = 0.5f;
    static const KernelCode code[] = {{twice, 10, 40, 0}, {add_to, 1, 0, 0}};
    ck_assert_int_eq(threads_open(count, &threads), STATUS_ok);
    Module *module = module_of(arena, literal);
    ck_assert_int_eq(executor_open(module, &(ExecutorCode){.kernel = code}, threads, &executor),
                     STATUS_ok);
    Profile profile;
    executor_profile(executor, true, &profile);
    for (int run = 0; run < 2; run++)
        executor_run(executor, (const void *[]){input}, (void *[]){output},
                     (void *[]){NULL, state});
    executor_run(executor, (const void *[]){input}, (void *[]){output}, (void *[]){NULL, moved});
    for (int i = 0; i < ELEMENTS; i++) {
        ck_assert_float_eq(output[i], 4 * input[i]);
        ck_assert_float_eq(state[i], 2 * (4 * input[i] + 0.5f));
        ck_assert_float_eq(moved[i], 4 * input[i] + 0.5f);
    }
    check_profile(&profile, count);
    executor_close(executor);
    threads_close(threads);
    arena_close(arena);
}

START_TEST(runs_calls_in_order)
{
    for (uint32_t count = 1; count <= 4; count++)
        check_threads(count);
}
END_TEST

START_TEST(zeros_need_no_function)
{
    Arena *arena = arena_open(&host_default);
    Threads *threads;
    Executor *executor;
    Module *module = arena_new(arena, Module);
    *list_add(arena, &module->kernel) = arena_new(arena, Kernel);
    static const Region state = {.place = PLACE_state, .offset = 8, .bytes = 12};
    *list_add(arena, &module->call) = (Call){.count = 1, .binding = &state, .flops = 1 << 20};
    ck_assert_int_eq(threads_open(2, &threads), STATUS_ok);
    static const KernelCode code = {.tasks = 1, .clears = 12};
    ck_assert_int_eq(executor_open(module, &(ExecutorCode){.kernel = &code}, threads, &executor),
                     STATUS_ok);
    Profile profile;
    for (int is_profiled = 0; is_profiled < 2; is_profiled++) {
        float cleared[7] = {1, 2, 3, 4, 5, 6, 7};
        executor_profile(executor, is_profiled, &profile);
        executor_run(executor, NULL, NULL, (void *[]){cleared});
        for (int i = 0; i < 7; i++)
            ck_assert_float_eq(cleared[i], i >= 2 && i < 5 ? 0 : (float)(i + 1));
    }
    executor_close(executor);
    threads_close(threads);
    arena_close(arena);
}
END_TEST

/* On every thread, whatever the caller's mode, which stays. */
START_TEST(denormals_are_zero)
{
    Arena *arena = arena_open(&host_default);
    Threads *threads;
    Executor *executor;
    float input[ELEMENTS], output[ELEMENTS], state[ELEMENTS] = {0}, literal[ELEMENTS] = {0};
    for (int i = 0; i < ELEMENTS; i++)
        input[i] = 1e-39f;
    static const KernelCode code[] = {{twice, 10, 40, 0}, {add_to, 1, 0, 0}};
    ck_assert_int_eq(threads_open(3, &threads), STATUS_ok);
    Module *module = module_of(arena, literal);
    ck_assert_int_eq(executor_open(module, &(ExecutorCode){.kernel = code}, threads, &executor),
                     STATUS_ok);
    executor_run(executor, (const void *[]){input}, (void *[]){output}, (void *[]){NULL, state});
    for (int i = 0; i < ELEMENTS; i++)
        ck_assert(output[i] == 0);
    volatile float tiny = 1e-39f;
    ck_assert(tiny * 2 != 0);
    executor_close(executor);
    threads_close(threads);
    arena_close(arena);
}
END_TEST

Suite *suite_executor(void);
Suite *suite_executor(void)
{
    Suite *suite = suite_create("executor");
    TCase *tests = tcase_create("executor");
    tcase_add_test(tests, runs_calls_in_order);
    tcase_add_test(tests, zeros_need_no_function);
    tcase_add_test(tests, denormals_are_zero);
    suite_add_tcase(suite, tests);
    return suite;
}

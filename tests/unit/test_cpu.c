/* Generated code against kernel_interpret: random kernels at every level that the host runs, tasks split in two. */
#include <check.h>

#if MLC_HAS_LLVM
#include "backends/cpu/jit.h"
#include "backends/cpu/object.h"
#include "ir/kernel/expand.h"
#include "runtime/core/float_mode.h"
#include "tests/unit/kernel_cases.h"
#include "tests/unit/random_kernel.h"
#include <stdlib.h>
#include <string.h>

static const char *const levels[] = {"sse4.2", "avx2", "avx512", "avx512bf16", "amx", "neon"};
enum { LEVELS = sizeof levels / sizeof *levels };

typedef struct Bench {
    Arena *arena;
    CpuTarget target;
    Compiler *compiler;
    Jit *jit;
} Bench;

/* False if the host does not run the level. */
static bool bench_open(Bench *bench, const char *level)
{
    bench->arena = arena_open(&host_default);
    Report *report = report_new(bench->arena, sources_new(bench->arena));
    ck_assert_int_eq(cpu_target(level, 2, report, &bench->target), STATUS_ok);
    if (cpu_can_run(&bench->target, report) != STATUS_ok) {
        arena_close(bench->arena);
        return false;
    }
    bench->compiler = compiler_open(&bench->target);
    ck_assert_ptr_nonnull(bench->compiler);
    ck_assert_int_eq(jit_open(report, &bench->jit), STATUS_ok);
    return true;
}

static void bench_close(Bench *bench)
{
    compiler_close(bench->compiler);
    jit_close(bench->jit);
    arena_close(bench->arena);
}

/* Bytes behind scratch, where that of the next thread begins, and what is in them. */
#define GUARD 256
#define FILL  0x5a

static void run_plan(Bench *bench, const Plan *plan, void *const *buffer)
{
    ObjectCode object = compile_plan(bench->compiler, plan);
    KernelFunction *function;
    ck_assert_int_eq(jit_add(bench->jit, object.bytes, object.size, plan->name, &function),
                     STATUS_ok);
    free(object.bytes);
    size_t bytes = (size_t)plan->schedule.scratch;
    char *scratch = aligned_alloc(64, (bytes + 63) / 64 * 64 + GUARD);
    memset(scratch + bytes, FILL, GUARD);
    int64_t tasks = plan->schedule.tasks, half = tasks / 2;
    function(buffer, half, tasks, scratch);
    if (half) function(buffer, 0, half, scratch);
    for (size_t i = 0; i < GUARD; i++)
        ck_assert_msg(scratch[bytes + i] == FILL, "writes behind its scratch");
    free(scratch);
}

/* Where there is no fused product, sums of products agree only as long as they are exact: on small integers. */
static Buffers buffers_for(Bench *bench, const Kernel *kernel, const Plan *plan, uint64_t seed)
{
    bool is_whole = plan->schedule.contraction && !bench->target.has_fma &&
                    plan->schedule.products != PRODUCTS_integers;
    return random_buffers(kernel, seed, is_whole, bench->arena);
}

/* Instructions on pairs of floats know no other mode than that denormals are 0. */
static bool has_float_pairs(const Plan *plan)
{
    return plan->schedule.products == PRODUCTS_pairs || plan->schedule.products == PRODUCTS_tiles;
}

static FloatMode enter(const Plan *plan)
{
    return has_float_pairs(plan) ? float_mode_enter() : 0;
}

static void leave(const Plan *plan, FloatMode mode)
{
    if (has_float_pairs(plan)) float_mode_leave(mode);
}

/* What the kernel means at this level. */
static Buffers expected_of(Bench *bench, const Kernel *kernel, const Plan *plan, uint64_t seed)
{
    const char *wrong = kernel_verify(kernel, bench->arena);
    ck_assert_msg(!wrong, "seed %lu: %s", (unsigned long)seed, wrong);
    Buffers expected = buffers_for(bench, kernel, plan, seed);
    FloatMode mode = enter(plan);
    const Kernel *expanded = kernel_expand(plan->kernel, bench->arena);
    if (plan->schedule.is_winograd && !plan->schedule.winograd.of_integers)
        kernel_interpret_winograd(expanded, &plan->schedule.of, &plan->schedule.winograd,
                                  expected.at);
    else if (plan->schedule.products == PRODUCTS_tiles)
        kernel_interpret_tiles(expanded, &plan->schedule.of, expected.at);
    else
        kernel_interpret(kernel_expand(kernel, bench->arena), expected.at);
    leave(plan, mode);
    return expected;
}

static void check_code(Bench *bench, const Kernel *kernel, const Plan *plan,
                       const Buffers *expected, uint64_t seed)
{
    Buffers buffers = buffers_for(bench, kernel, plan, seed);
    FloatMode mode = enter(plan);
    run_plan(bench, plan, buffers.at);
    leave(plan, mode);
    int64_t element;
    int differs = buffers_differ(kernel, expected, &buffers, &element);
    Text text = {.arena = bench->arena};
    kernel_print(&text, kernel);
    if (differs >= 0) schedule_print(&text, &plan->schedule);
    ck_assert_msg(differs < 0, "%s, seed %lu: buffer %d, element %ld\n%s", bench->target.name,
                  (unsigned long)seed, differs, (long)element, text.at);
    buffers_free(&buffers);
}

static void take_case(void *user, const Kernel *kernel, uint64_t seed)
{
    Bench *bench = user;
    Plan plan = plan_kernel(kernel, &bench->target, NULL, NULL, bench->arena);
    Buffers expected = expected_of(bench, kernel, &plan, seed);
    check_code(bench, kernel, &plan, &expected, seed);
    buffers_free(&expected);
}

START_TEST(code_computes_what_the_kernel_means)
{
    const CaseGroup *group = &case_groups[_i];
    for (int level = 0; level < LEVELS; level++) {
        Bench bench;
        if (!bench_open(&bench, levels[level])) continue;
        if (group->is_cut) {
            bench.target.schedule.l1 = CASE_L1;
            bench.target.schedule.l2 = CASE_L2;
            bench.target.schedule.threads = CASE_THREADS;
        }
        group->each(&(CaseSink){.arena = bench.arena, .take = take_case, .user = &bench});
        bench_close(&bench);
    }
}
END_TEST

/* Choices of a workload. */
typedef uint32_t Choices(Bench *bench, const Workload *w, uint64_t seed,
                         ScheduleChoice choice[CHOICE_MOST]);

static uint32_t listed_choices(Bench *bench, const Workload *w, uint64_t seed,
                               ScheduleChoice choice[CHOICE_MOST])
{
    (void)seed;
    ScheduleChoice none = {0};
    return schedule_choices(w->kernel, &w->contraction, &bench->target.schedule, NULL, &none,
                            choice, bench->arena);
}

/* What no search would propose, as a record of another machine may. */
static uint32_t wild_choices(Bench *bench, const Workload *w, uint64_t seed,
                             ScheduleChoice choice[CHOICE_MOST])
{
    (void)bench, (void)w;
    uint32_t random = (uint32_t)seed * 2654435761u, count = 4;
    for (uint32_t i = 0; i < count; i++) {
        choice[i] = (ScheduleChoice){0};
#define CHOICE(name)                                                                               \
    random = random * 1664525u + 1013904223u;                                                      \
    if (random >> 30) choice[i].name = (random >> 20) % (random >> 29 & 1 ? 4 : 40);
#include "ir/kernel/choice.def"
#undef CHOICE
    }
    return count;
}

#define ONE_OF 16 /* kernels: each has up to two dozen schedules */

typedef struct Choosing {
    Bench *bench;
    Choices *choices;
    uint32_t seen;
} Choosing;

static void take_choices(void *user, const Kernel *kernel, uint64_t seed)
{
    Choosing *choosing = user;
    Bench *bench = choosing->bench;
    ScheduleChoice choice[CHOICE_MOST];
    Workload w = workload_of(kernel, &bench->target, NULL, bench->arena);
    if (!w.has_choices || choosing->seen++ % ONE_OF) return;
    uint32_t count = choosing->choices(bench, &w, seed, choice);
    Plan model = workload_plan(&w, NULL);
    Buffers expected = expected_of(bench, kernel, &model, seed);
    for (uint32_t i = 0; i < count; i++) {
        Plan plan = workload_plan(&w, &choice[i]);
        check_code(bench, kernel, &plan, &expected, seed);
    }
    buffers_free(&expected);
}

static void check_all_choices(const char *level, Choices *choices)
{
    Bench bench;
    if (!bench_open(&bench, level)) return;
    Choosing choosing = {&bench, choices, 0};
    for (uint32_t i = 0; i < case_group_count; i++)
        if (!case_groups[i].is_cut)
            case_groups[i].each(
                &(CaseSink){.arena = bench.arena, .take = take_choices, .user = &choosing});
    bench_close(&bench);
}

START_TEST(every_choice)
{
    check_all_choices(levels[_i], listed_choices);
}
END_TEST

START_TEST(any_choice)
{
    check_all_choices(levels[_i], wild_choices);
}
END_TEST

/* Sums that no two levels compute alike: there is code of each even where the host runs it not. */
static void take_code(void *user, const Kernel *kernel, uint64_t seed)
{
    Bench *bench = user;
    (void)seed;
    Plan plan = plan_kernel(kernel, &bench->target, NULL, NULL, bench->arena);
    ObjectCode object = compile_plan(bench->compiler, &plan);
    ck_assert_uint_gt(object.size, 0);
    free(object.bytes);
}

START_TEST(code_of_what_the_host_does_not_run)
{
    Bench bench = {.arena = arena_open(&host_default)};
    Report *report = report_new(bench.arena, sources_new(bench.arena));
    ck_assert_int_eq(cpu_target(levels[_i], 2, report, &bench.target), STATUS_ok);
    bench.compiler = compiler_open(&bench.target);
    ck_assert_ptr_nonnull(bench.compiler);
    for (uint32_t i = 0; i < case_group_count; i++)
        if (strstr(case_groups[i].name, "contractions_of_"))
            case_groups[i].each(
                &(CaseSink){.arena = bench.arena, .take = take_code, .user = &bench});
    compiler_close(bench.compiler);
    arena_close(bench.arena);
}
END_TEST

START_TEST(unknown_target)
{
    Arena *arena = arena_open(&host_default);
    Report *report = report_new(arena, sources_new(arena));
    CpuTarget target;
    ck_assert_int_eq(cpu_target("avx1024", 1, report, &target), STATUS_usage);
    ck_assert_uint_eq(report_errors(report), 1);
    arena_close(arena);
}
END_TEST

/* Its code can be made all the same. */
START_TEST(what_the_host_does_not_run)
{
#ifdef __x86_64__
    const char *elsewhere = "neon";
#else
    const char *elsewhere = "avx2";
#endif
    Arena *arena = arena_open(&host_default);
    Report *report = report_new(arena, sources_new(arena));
    CpuTarget target;
    ck_assert_int_eq(cpu_target(elsewhere, 1, report, &target), STATUS_ok);
    ck_assert_int_eq(cpu_can_run(&target, report), STATUS_usage);
    ck_assert_uint_eq(report_errors(report), 1);
    arena_close(arena);
}
END_TEST

/* Test cases of their own, so that CK_RUN_CASE chooses among them. */
static void add_tests(Suite *suite)
{
    for (uint32_t i = 0; i < case_group_count; i++) {
        TCase *tests = tcase_create(case_groups[i].name);
        tcase_set_timeout(tests, 120);
        tcase_add_loop_test(tests, code_computes_what_the_kernel_means, (int)i, (int)i + 1);
        suite_add_tcase(suite, tests);
    }
    TCase *choices = tcase_create("choices");
    tcase_set_timeout(choices, 120);
    tcase_add_loop_test(choices, every_choice, 0, LEVELS);
    tcase_add_loop_test(choices, any_choice, 0, LEVELS);
    suite_add_tcase(suite, choices);
    TCase *tests = tcase_create("targets");
    tcase_add_loop_test(tests, code_of_what_the_host_does_not_run, 0, LEVELS);
    tcase_add_test(tests, unknown_target);
    tcase_add_test(tests, what_the_host_does_not_run);
    suite_add_tcase(suite, tests);
}
#else
static void add_tests(Suite *suite)
{
    (void)suite; /* the backend is not in this build */
}
#endif

Suite *suite_cpu(void);
Suite *suite_cpu(void)
{
    Suite *suite = suite_create("cpu");
    add_tests(suite);
    return suite;
}

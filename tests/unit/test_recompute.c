/* Values that are computed again rather than stored: less memory, the same bits. */
#include <check.h>

#if MLC_HAS_LLVM
#include "tests/unit/steps.h"
#include <stdio.h>

/* Eight layers deep, so that what is stored for the way back is most of the memory. */
static const char deep[] =
    "fn block(x) {\n  up = dense(x, 64)\n  %s act = gelu(up)\n  down = dense(act, 16)\n"
    "  return x + down\n}\n"
    "model m {\n  input x: f32[N, 16]\n  input y: f32[N, 16]\n"
    "  for i in 0..8 { %s h = block(x); x = h }\n  output z = x\n}\n"
    "train {\n  minimize mse(z, y)\n  optimizer adam(rate: 1e-2)\n  batch 2\n}\n";

typedef struct Run {
    Model *model;
    const Module *module;
    StepMemory memory;
} Run;

static Run run(const char *inside, const char *around, int64_t memory)
{
    char text[1024];
    uint32_t chains;
    snprintf(text, sizeof text, deep, inside, around);
    Run r = {.model = model_open(text, 1u << ENTRY_step)};
    r.module = step_module(r.model, 64, memory);
    r.memory = step_run(r.model, r.module, 1 << 30, &chains);
    return r;
}

static void expect_same(const Run *a, const Run *b)
{
    step_expect_same(a->model, a->module, &a->memory, &b->memory);
}

static void close_runs(Run *a, Run *b)
{
    model_close(a->model);
    model_close(b->model);
}

/* Of eight blocks' two wide and two narrow buffers, one block's and the eight narrow ones between are left. */
START_TEST(marked_blocks_are_not_stored)
{
    Run plain = run("", "", 0), marked = run("", "recompute", 0);
    ck_assert_int_lt(2 * marked.module->arena_bytes, plain.module->arena_bytes);
    ck_assert_int_gt(marked.module->flops, plain.module->flops);
    ck_assert_int_lt(2 * marked.module->flops, 3 * plain.module->flops);
    ck_assert_uint_eq(marked.module->kernel.count, plain.module->kernel.count);
    expect_same(&plain, &marked);
    close_runs(&plain, &marked);
}
END_TEST

/* What is kept inside of a block is stored, and need not be computed again. */
START_TEST(kept_inside_of_a_block_is_stored)
{
    Run marked = run("", "recompute", 0), kept = run("keep", "recompute", 0);
    ck_assert_int_gt(kept.module->arena_bytes, marked.module->arena_bytes);
    expect_same(&kept, &marked);
    close_runs(&kept, &marked);
}
END_TEST

/* Whatever the budget, the plan is within it or does what it can, and costs no more than asked for. */
START_TEST(budgets_are_kept)
{
    Run plain = run("", "", 0);
    int64_t fixed = plain.module->peak_bytes - plain.module->arena_bytes;
    int64_t flops = plain.module->flops;
    for (int percent = 100; percent >= 50; percent -= 10) {
        int64_t budget = fixed + plain.module->arena_bytes * percent / 100;
        Run less = run("", "", budget);
        ck_assert_int_le(less.module->peak_bytes, budget);
        ck_assert_int_ge(less.module->flops, flops);
        if (percent == 100) ck_assert_int_eq(less.module->flops, flops);
        flops = less.module->flops;
        expect_same(&plain, &less);
        model_close(less.model);
    }
    Run least = run("", "", 1);
    ck_assert_int_lt(2 * least.module->arena_bytes, plain.module->arena_bytes);
    expect_same(&plain, &least);
    close_runs(&plain, &least);
}
END_TEST

/* Batch norm's running statistics and dropout's step are states that the step overwrites: nothing is computed from the new ones. */
START_TEST(states_are_read_as_they_were)
{
    static const char text[] =
        "model m {\n input x: f32[N, 3, 8, 8]\n input y: i32[N]\n"
        " for i in 0..4 {\n  c = conv2d(x, 8, kernel: 3, padding: 1)\n  b = batch_norm(c)\n"
        "  x = dropout(relu(b), 0.3)\n }\n"
        " fc = dense(mean(x, axis: [2, 3]), 3)\n output z = fc\n}\n"
        "train {\n minimize cross_entropy(z, y)\n optimizer sgd(rate: 0.1)\n batch 2\n}\n";
    uint32_t chains;
    Model *m = model_open(text, 1u << ENTRY_step);
    const Module *plain = step_module(m, 16, 0), *least = step_module(m, 16, 1);
    ck_assert_int_lt(least->arena_bytes, plain->arena_bytes);
    StepMemory a = step_run(m, plain, 1 << 30, &chains), b = step_run(m, least, 1 << 30, &chains);
    step_expect_same(m, plain, &a, &b);
    model_close(m);
}
END_TEST

/* In a large plan what is cheap is not stored; who has memory to spare can say so. */
START_TEST(cheap_values_of_large_plans_are_not_stored)
{
    static const char text[] =
        "model m {\n input x: f32[N, 256]\n input y: i32[N]\n"
        " for i in 0..4 {\n  x = x + dense(gelu(dense(layer_norm(x), 256)), 256)\n }\n"
        " fc = dense(x, 3)\n output z = fc\n}\n"
        "train {\n minimize cross_entropy(z, y)\n optimizer sgd(rate: 0.1)\n batch 2\n}\n";
    uint32_t chains;
    Model *m = model_open(text, 1u << ENTRY_step);
    const Module *usual = step_module(m, 2048, 0), *all = step_module(m, 2048, (int64_t)1 << 40);
    ck_assert_int_lt(10 * usual->arena_bytes, 9 * all->arena_bytes);
    ck_assert_int_lt(10 * usual->flops, 11 * all->flops);
    StepMemory a = step_run(m, usual, 1 << 30, &chains), b = step_run(m, all, 1 << 30, &chains);
    step_expect_same(m, usual, &a, &b);
    model_close(m);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, cheap_values_of_large_plans_are_not_stored);
    tcase_add_test(tests, marked_blocks_are_not_stored);
    tcase_add_test(tests, kept_inside_of_a_block_is_stored);
    tcase_add_test(tests, budgets_are_kept);
    tcase_add_test(tests, states_are_read_as_they_were);
}
#else
static void add_tests(TCase *tests)
{
    (void)tests; /* the backend is not in this build */
}
#endif

Suite *suite_recompute(void);
Suite *suite_recompute(void)
{
    Suite *suite = suite_create("recompute");
    TCase *tests = tcase_create("recompute");
    tcase_set_timeout(tests, 120);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    return suite;
}

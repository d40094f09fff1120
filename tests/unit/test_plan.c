#include "passes/plan.h"
#include "tests/unit/lowering.h"
#include <check.h>

#define NEAR 1e-5

/* Both are read before either is written: one goes through the arena. */
START_TEST(states_change_places)
{
    const char text[] = "state a: f32[4] parameter\n"
                        "state b: f32[4] parameter\n"
                        "entry step () {\n"
                        "  %1 = read a : f32[4]\n"
                        "  %2 = read b : f32[4]\n"
                        "  output z = %1\n"
                        "  write a = %2\n"
                        "  write b = %1\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

/* Each new value is computed from the old one of the other. */
START_TEST(states_cross_over)
{
    const char text[] = "state a: f32[4] parameter\n"
                        "state b: f32[4] parameter\n"
                        "entry step () {\n"
                        "  %1 = read a : f32[4]\n"
                        "  %2 = read b : f32[4]\n"
                        "  %3 = exp %1 : f32[4]\n"
                        "  %4 = neg %2 : f32[4]\n"
                        "  %5 = add %1, %2 : f32[4]\n"
                        "  write a = %4\n"
                        "  write b = %3\n"
                        "  output s = %5\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

/* A reversed read cannot be overwritten in place; copies for every further place; an unchanged state is not written. */
START_TEST(one_value_to_many_places)
{
    const char text[] = "state a: f32[4] parameter\n"
                        "state b: f32[4] parameter\n"
                        "state c: f32[4] parameter\n"
                        "entry step (x: f32[4]) {\n"
                        "  %1 = read a : f32[4]\n"
                        "  %2 = slice %1 [3:-1] : f32[4]\n"
                        "  %3 = add %2, x : f32[4]\n"
                        "  write a = %3\n"
                        "  write b = %3\n"
                        "  output o = %3\n"
                        "  output p = %3\n"
                        "  output q = x\n"
                        "  %4 = read c : f32[4]\n"
                        "  write c = %4\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

/* The product, both moments and the weights in one kernel, each state where it lies, and no arena at all. */
START_TEST(adam_updates_in_place)
{
    const char text[] = "state p: f32[3, 4] parameter\n"
                        "state m: f32[3, 4] optimizer\n"
                        "state v: f32[3, 4] optimizer\n"
                        "entry step (x: f32[5, 4], y: f32[5, 3]) {\n"
                        "  %1 = read p : f32[3, 4]\n"
                        "  %2 = read m : f32[3, 4]\n"
                        "  %3 = read v : f32[3, 4]\n"
                        "  %4 = dot y, x mi,mj->ij : f32[3, 4]\n"
                        "  %5 = constant 0.9 : f32[3, 4]\n"
                        "  %6 = constant 0.1 : f32[3, 4]\n"
                        "  %7 = mul %2, %5 : f32[3, 4]\n"
                        "  %8 = mul %4, %6 : f32[3, 4]\n"
                        "  %9 = add %7, %8 : f32[3, 4]\n"
                        "  %10 = mul %4, %4 : f32[3, 4]\n"
                        "  %11 = mul %10, %6 : f32[3, 4]\n"
                        "  %12 = mul %3, %5 : f32[3, 4]\n"
                        "  %13 = abs %12 : f32[3, 4]\n"
                        "  %14 = add %13, %11 : f32[3, 4]\n"
                        "  %15 = sqrt %14 : f32[3, 4]\n"
                        "  %16 = constant 0.1 : f32[3, 4]\n"
                        "  %17 = add %15, %16 : f32[3, 4]\n"
                        "  %18 = div %9, %17 : f32[3, 4]\n"
                        "  %19 = sub %1, %18 : f32[3, 4]\n"
                        "  write p = %19\n"
                        "  write m = %9\n"
                        "  write v = %14\n"
                        "}\n";
    Lowering *l = lowering_run(text, NEAR);
    ck_assert_uint_eq(l->module->call.count, 1);
    ck_assert_int_eq(l->module->arena_bytes, 0);
    lowering_close(l);
}
END_TEST

/* a -> b -> c -> d, each of 4 KiB and read at one element: the third reuses what the second read. */
START_TEST(dead_values_give_their_bytes_away)
{
    const char text[] = "entry predict (x: f32[32, 32]) {\n"
                        "  %1 = dot x, x mk,kn->mn : f32[32, 32]\n"
                        "  %2 = dot %1, x mk,kn->mn : f32[32, 32]\n"
                        "  %3 = dot %2, x mk,kn->mn : f32[32, 32]\n"
                        "  %4 = dot %3, x mk,kn->mn : f32[32, 32]\n"
                        "  %5 = dot %4, x mk,kn->mn : f32[32, 32]\n"
                        "  output y = %5\n"
                        "}\n";
    Lowering *l = lowering_run(text, 1e-3);
    ck_assert_uint_eq(l->module->call.count, 5);
    ck_assert_int_eq(l->module->arena_bytes, 2 * 4096);
    ck_assert_int_eq(l->module->peak_bytes, 4 * 4096);
    ck_assert_int_eq(l->module->flops, 5 * 2 * 32 * 32 * 32);
    lowering_close(l);
}
END_TEST

/* What the planner must never say is caught when it does. */
START_TEST(the_verifier_sees_overlaps)
{
    Lowering *l = lowering_of("entry predict (x: f32[32, 32]) {\n"
                              "  %1 = dot x, x mk,kn->mn : f32[32, 32]\n"
                              "  %2 = dot %1, x mk,kn->mn : f32[32, 32]\n"
                              "  %3 = dot %2, %1 mk,kn->mn : f32[32, 32]\n"
                              "  output y = %3\n"
                              "}\n");
    ck_assert_ptr_null(plan_verify(l->module, l->program, l->arena));
    Call *call = &l->module->call.at[1];
    Region *region = (Region *)&call->binding[call->count - 1];
    ck_assert(region->place == PLACE_arena);
    region->offset = region->offset ? 0 : 4096;
    ck_assert_ptr_nonnull(plan_verify(l->module, l->program, l->arena));
    lowering_close(l);
}
END_TEST

/* A concat in nine pieces, which its reader needs all: none may be missing, nor be taken for a value of its own. */
START_TEST(the_verifier_follows_pieces)
{
    Lowering *l = lowering_of("entry predict (x: f32[4, 3], y: f32[4, 2]) {\n"
                              "  %1 = concat x, y, x, y, x, y, x, y, x 1 : f32[4, 23]\n"
                              "  %2 = dot %1, %1 mk,nk->mn : f32[4, 4]\n"
                              "  output y = %2\n"
                              "}\n");
    Module *module = l->module;
    ck_assert_uint_eq(module->call.count, 10);
    ck_assert_uint_eq(module->kernel.count, 3);
    ck_assert_ptr_null(plan_verify(module, l->program, l->arena));
    Call last = module->call.at[8];
    ck_assert_uint_eq(last.part, 8);
    module->call.at[8] = module->call.at[7];
    ck_assert_ptr_nonnull(plan_verify(module, l->program, l->arena));
    module->call.at[8] = last;
    module->call.at[8].part = 0;
    ck_assert_ptr_nonnull(plan_verify(module, l->program, l->arena));
    lowering_close(l);
}
END_TEST

START_TEST(calls_are_named_after_what_they_do)
{
    Lowering *l = lowering_of("state fc.weight: f32[8, 8] parameter\n"
                              "entry predict (x: f32[8, 8]) {\n"
                              "  %1 = read fc.weight : f32[8, 8]\n"
                              "  %2 = dot x, %1 mk,nk->mn : f32[8, 8]\n"
                              "  output y = %2\n"
                              "}\n");
    ck_assert_str_eq(l->module->call.at[0].label, "dot fc.weight");
    lowering_close(l);
}
END_TEST

/* A long chain of thousands of nodes lowers without deep recursion or quadratic time. */
START_TEST(ten_thousand_nodes)
{
    Text text = {.arena = arena_open(&host_default)};
    text_add(&text, "entry predict (x: f32[16, 16]) {\n  %%1 = neg x : f32[16, 16]\n");
    for (int i = 2; i <= 10000; i++)
        text_add(&text,
                 i % 5 ? "  %%%d = sin %%%d : f32[16, 16]\n"
                       : "  %%%d = dot %%%d, x mk,kn->mn : f32[16, 16]\n",
                 i, i - 1);
    text_add(&text, "  output y = %%10000\n}\n");
    Lowering *l = lowering_of(text_done(&text));
    ck_assert_uint_le(l->module->kernel.count, 4);
    ck_assert_int_le(l->module->arena_bytes, 2 * 1024);
    lowering_close(l);
    arena_close(text.arena);
}
END_TEST

Suite *suite_plan(void);
Suite *suite_plan(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, states_change_places);
    tcase_add_test(tests, states_cross_over);
    tcase_add_test(tests, one_value_to_many_places);
    tcase_add_test(tests, adam_updates_in_place);
    tcase_add_test(tests, dead_values_give_their_bytes_away);
    tcase_add_test(tests, the_verifier_sees_overlaps);
    tcase_add_test(tests, the_verifier_follows_pieces);
    tcase_add_test(tests, calls_are_named_after_what_they_do);
    tcase_add_test(tests, ten_thousand_nodes);
    suite_add_tcase(suite, tests);
    return suite;
}

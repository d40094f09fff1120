#include "ir/kernel/contraction.h"
#include "passes/fuse.h"
#include "tests/unit/lowering.h"
#include <check.h>

#define NEAR 1e-5

START_TEST(softmax_is_one_kernel)
{
    const char text[] = "entry predict (x: f32[4, 7]) {\n"
                        "  %1 = reduce_max x [1] : f32[4]\n"
                        "  %2 = broadcast %1 [0] : f32[4, 7]\n"
                        "  %3 = sub x, %2 : f32[4, 7]\n"
                        "  %4 = exp %3 : f32[4, 7]\n"
                        "  %5 = sum %4 [1] : f32[4]\n"
                        "  %6 = broadcast %5 [0] : f32[4, 7]\n"
                        "  %7 = div %4, %6 : f32[4, 7]\n"
                        "  output z = %7\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

START_TEST(layer_norm_is_one_kernel)
{
    const char text[] = "entry predict (x: f32[6, 16], g: f32[16], b: f32[16]) {\n"
                        "  %1 = sum x [1] : f32[6]\n"
                        "  %2 = constant 0.0625 : f32[6]\n"
                        "  %3 = mul %1, %2 : f32[6]\n"
                        "  %4 = broadcast %3 [0] : f32[6, 16]\n"
                        "  %5 = sub x, %4 : f32[6, 16]\n"
                        "  %6 = mul %5, %5 : f32[6, 16]\n"
                        "  %7 = sum %6 [1] : f32[6]\n"
                        "  %8 = mul %7, %2 : f32[6]\n"
                        "  %9 = constant 1e-5 : f32[6]\n"
                        "  %10 = add %8, %9 : f32[6]\n"
                        "  %11 = sqrt %10 : f32[6]\n"
                        "  %12 = broadcast %11 [0] : f32[6, 16]\n"
                        "  %13 = div %5, %12 : f32[6, 16]\n"
                        "  %14 = broadcast g [1] : f32[6, 16]\n"
                        "  %15 = mul %13, %14 : f32[6, 16]\n"
                        "  %16 = broadcast b [1] : f32[6, 16]\n"
                        "  %17 = add %15, %16 : f32[6, 16]\n"
                        "  output z = %17\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

START_TEST(a_chain_is_one_kernel)
{
    const char text[] = "entry predict (x: f32[3, 4], y: f32[3, 4]) {\n"
                        "  %1 = add x, y : f32[3, 4]\n"
                        "  %2 = exp %1 : f32[3, 4]\n"
                        "  output z = %2\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

START_TEST(attention_is_three_products_and_a_softmax)
{
    const char text[] = "entry predict (x: f32[2, 5, 8], w: f32[24, 8]) {\n"
                        "  %1 = dot x, w btc,oc->bto : f32[2, 5, 24]\n"
                        "  %2 = slice %1 [0:1, 0:1, 0:1] : f32[2, 5, 8]\n"
                        "  %3 = slice %1 [0:1, 0:1, 8:1] : f32[2, 5, 8]\n"
                        "  %4 = slice %1 [0:1, 0:1, 16:1] : f32[2, 5, 8]\n"
                        "  %5 = reshape %2 : f32[2, 5, 2, 4]\n"
                        "  %6 = reshape %3 : f32[2, 5, 2, 4]\n"
                        "  %7 = reshape %4 : f32[2, 5, 2, 4]\n"
                        "  %8 = dot %5, %6 bthc,bshc->bhts : f32[2, 2, 5, 5]\n"
                        "  %9 = constant 0.5 : f32[2, 2, 5, 5]\n"
                        "  %10 = mul %8, %9 : f32[2, 2, 5, 5]\n"
                        "  %11 = iota 2 : i32[2, 2, 5, 5]\n"
                        "  %12 = iota 3 : i32[2, 2, 5, 5]\n"
                        "  %13 = less_equal %12, %11 : bool[2, 2, 5, 5]\n"
                        "  %14 = constant -inf : f32[2, 2, 5, 5]\n"
                        "  %15 = select %13, %10, %14 : f32[2, 2, 5, 5]\n"
                        "  %16 = reduce_max %15 [3] : f32[2, 2, 5]\n"
                        "  %17 = broadcast %16 [0, 1, 2] : f32[2, 2, 5, 5]\n"
                        "  %18 = sub %15, %17 : f32[2, 2, 5, 5]\n"
                        "  %19 = exp %18 : f32[2, 2, 5, 5]\n"
                        "  %20 = sum %19 [3] : f32[2, 2, 5]\n"
                        "  %21 = broadcast %20 [0, 1, 2] : f32[2, 2, 5, 5]\n"
                        "  %22 = div %19, %21 : f32[2, 2, 5, 5]\n"
                        "  %23 = dot %22, %7 bhts,bshc->bthc : f32[2, 5, 2, 4]\n"
                        "  %24 = reshape %23 : f32[2, 5, 8]\n"
                        "  output z = %24\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 4);
}
END_TEST

/* Loss and gradient: the row statistics, the loss, and the logits' gradient. */
START_TEST(cross_entropy_is_three_kernels)
{
    const char text[] = "entry grad (z: f32[64, 16], label: i32[64]) {\n"
                        "  %1 = reduce_max z [1] : f32[64]\n"
                        "  %2 = stop %1 : f32[64]\n"
                        "  %3 = broadcast %2 [0] : f32[64, 16]\n"
                        "  %4 = sub z, %3 : f32[64, 16]\n"
                        "  %5 = exp %4 : f32[64, 16]\n"
                        "  %6 = sum %5 [1] : f32[64]\n"
                        "  %7 = log %6 : f32[64]\n"
                        "  %8 = broadcast %7 [0] : f32[64, 16]\n"
                        "  %9 = sub %4, %8 : f32[64, 16]\n"
                        "  %10 = iota 1 : i32[64, 16]\n"
                        "  %11 = broadcast label [0] : i32[64, 16]\n"
                        "  %12 = equal %10, %11 : bool[64, 16]\n"
                        "  %13 = constant 0 : f32[64, 16]\n"
                        "  %14 = select %12, %9, %13 : f32[64, 16]\n"
                        "  %15 = sum %14 [0, 1] : f32[]\n"
                        "  %16 = constant -0.015625 : f32[]\n"
                        "  %17 = mul %15, %16 : f32[]\n"
                        "  %18 = gradient %17, z : f32[64, 16]\n"
                        "  output loss = %17\n"
                        "  output dz = %18\n"
                        "}\n";
    Lowering *l = lowering_run(text, NEAR);
    ck_assert_uint_le(l->module->call.count, 3);
    lowering_close(l);
}
END_TEST

/* Bias, relu and a residual join the product; the sum over its result does not. */
START_TEST(an_epilogue_joins_its_product)
{
    const char text[] = "entry predict (x: f32[8, 6], w: f32[5, 6], b: f32[5], r: f32[5, 8]) {\n"
                        "  %1 = dot x, w mk,nk->mn : f32[8, 5]\n"
                        "  %2 = broadcast b [1] : f32[8, 5]\n"
                        "  %3 = add %1, %2 : f32[8, 5]\n"
                        "  %4 = constant 0 : f32[8, 5]\n"
                        "  %5 = max %3, %4 : f32[8, 5]\n"
                        "  %6 = transpose %5 [1, 0] : f32[5, 8]\n"
                        "  %7 = add %6, r : f32[5, 8]\n"
                        "  %8 = sum %7 [0] : f32[8]\n"
                        "  output y = %7\n"
                        "  output s = %8\n"
                        "}\n";
    Lowering *l = lowering_run(text, NEAR);
    ck_assert_uint_eq(l->module->call.count, 2);
    Contraction contraction;
    ck_assert(contraction_of(l->module->kernel.at[l->module->call.at[0].kernel], &contraction));
    lowering_close(l);
}
END_TEST

/* A product inside another's operand would be computed again for each of its elements. */
START_TEST(a_product_is_never_a_factor)
{
    const char text[] = "entry predict (a: f32[8, 6], b: f32[6, 5], c: f32[5, 7]) {\n"
                        "  %1 = dot a, b mk,kn->mn : f32[8, 5]\n"
                        "  %2 = dot %1, c mk,kn->mn : f32[8, 7]\n"
                        "  output y = %2\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 2);
}
END_TEST

/* Both stores have one shape; the first leaves the kernel through another one and comes back. */
START_TEST(stores_along_make_no_cycle)
{
    const char text[] = "entry predict (x: f32[64, 64]) {\n"
                        "  %1 = exp x : f32[64, 64]\n"
                        "  %2 = dot %1, x mk,kn->mn : f32[64, 64]\n"
                        "  %3 = dot %2, x mk,nk->mn : f32[64, 64]\n"
                        "  %4 = add %1, %3 : f32[64, 64]\n"
                        "  output a = %1\n"
                        "  output b = %4\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, 1e-4), 3);
}
END_TEST

/* A condition on indices is computed wherever it is used, and binds what it chooses to no other kernel that uses it: here to its product. */
START_TEST(indices_bind_no_kernels)
{
    const char text[] = "entry predict (x: f32[64, 64], y: f32[64, 64]) {\n"
                        "  %1 = iota 0 : i32[64, 64]\n"
                        "  %2 = iota 1 : i32[64, 64]\n"
                        "  %3 = less_equal %2, %1 : bool[64, 64]\n"
                        "  %4 = constant 0 : f32[64, 64]\n"
                        "  %5 = select %3, x, %4 : f32[64, 64]\n"
                        "  %6 = dot y, y mk,nk->mn : f32[64, 64]\n"
                        "  %7 = select %3, %6, %4 : f32[64, 64]\n"
                        "  output b = %7\n"
                        "  output a = %5\n"
                        "}\n";
    Lowering *l = lowering_run(text, NEAR);
    ck_assert_uint_eq(l->module->call.count, 2);
    for (uint32_t i = 0; i < l->module->kernel.count; i++) {
        const Kernel *kernel = l->module->kernel.at[i];
        ck_assert_uint_eq(kernel->store.count, 1);
        for (uint32_t k = 0; k < kernel->buffer.count; k++)
            ck_assert_int_ne(kernel->buffer.at[k].type, TYPE_bool);
    }
    lowering_close(l);
}
END_TEST

/* What one kernel may not hold together. */
static const struct Apart {
    const char *why, *text;
} apart[] = {
    {"reduces of different rows", "entry predict (x: f32[64, 64]) {\n"
                                  "  %1 = sum x [1] : f32[64]\n"
                                  "  %2 = broadcast %1 [0] : f32[64, 64]\n"
                                  "  %3 = reduce_max x [0] : f32[64]\n"
                                  "  %4 = broadcast %3 [1] : f32[64, 64]\n"
                                  "  %5 = add %2, %4 : f32[64, 64]\n"
                                  "  %6 = add %5, x : f32[64, 64]\n"
                                  "  output y = %6\n"
                                  "}\n"},
    {"a product and a reduce", "entry predict (a: f32[8, 6], b: f32[6, 5], c: f32[8, 5, 9]) {\n"
                               "  %1 = dot a, b mk,kn->mn : f32[8, 5]\n"
                               "  %2 = reduce_max c [2] : f32[8, 5]\n"
                               "  %3 = add %1, %2 : f32[8, 5]\n"
                               "  output y = %3\n"
                               "}\n"},
    {"a value that is read transposed", "entry predict (x: f32[64, 64], z: f32[64, 64]) {\n"
                                        "  %1 = exp x : f32[64, 64]\n"
                                        "  %2 = transpose %1 [1, 0] : f32[64, 64]\n"
                                        "  %3 = add %2, z : f32[64, 64]\n"
                                        "  output a = %1\n"
                                        "  output b = %3\n"
                                        "}\n"},
    {"a value whose operand is read transposed",
     "entry predict (x: f32[64, 64], z: f32[64, 64]) {\n"
     "  %1 = exp x : f32[64, 64]\n"
     "  %2 = abs %1 : f32[64, 64]\n"
     "  %3 = transpose %1 [1, 0] : f32[64, 64]\n"
     "  %4 = add %3, z : f32[64, 64]\n"
     "  output a = %2\n"
     "  output b = %4\n"
     "}\n"},
    {"a value that is read backwards", "entry predict (x: f32[64], z: f32[64]) {\n"
                                       "  %1 = exp x : f32[64]\n"
                                       "  %2 = slice %1 [63:-1] : f32[64]\n"
                                       "  %3 = add %2, z : f32[64]\n"
                                       "  output a = %1\n"
                                       "  output b = %3\n"
                                       "}\n"},
};

START_TEST(what_does_not_fit_is_apart)
{
    uint32_t calls = lowering_calls(apart[_i].text, 1e-4);
    ck_assert_msg(calls == 2, "%s: %u kernels", apart[_i].why, calls);
}
END_TEST

START_TEST(nothing_fused_is_a_kernel_for_each_value)
{
    Lowering *l = lowering_of("entry predict (x: f32[4]) {\n"
                              "  %1 = exp x : f32[4]\n"
                              "  %2 = neg %1 : f32[4]\n"
                              "  %3 = reshape %2 : f32[2, 2]\n"
                              "  output y = %3\n"
                              "}\n");
    Fusion *fusion = fuse_nothing(l->arena, l->graph);
    ck_assert_uint_eq(fusion->groups.count - 1, 2);
    fusion = fuse(l->arena, l->graph);
    ck_assert_uint_eq(fusion->groups.count - 1, 1);
    lowering_close(l);
}
END_TEST

/* The gradients of a normalization's scale and shift: two stores of one kernel, one pass over dy. */
START_TEST(sibling_sums_are_one_pass)
{
    const char text[] = "entry predict (x: f32[64, 32], dy: f32[64, 32]) {\n"
                        "  %1 = mul x, dy : f32[64, 32]\n"
                        "  %2 = sum %1 [0] : f32[32]\n"
                        "  %3 = sum dy [0] : f32[32]\n"
                        "  output scale = %2\n"
                        "  output shift = %3\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

/* The second sum needs the first one's result: one pass each. */
START_TEST(a_sum_that_needs_another_is_not_its_sibling)
{
    const char text[] = "entry predict (x: f32[64, 32]) {\n"
                        "  %1 = sum x [0] : f32[32]\n"
                        "  %2 = transpose x [1, 0] : f32[32, 64]\n"
                        "  %3 = dot %2, %1 ab,a->b : f32[64]\n"
                        "  %4 = broadcast %3 [0] : f32[64, 32]\n"
                        "  %5 = mul x, %4 : f32[64, 32]\n"
                        "  %6 = sum %5 [0] : f32[32]\n"
                        "  output first = %1\n"
                        "  output second = %6\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, 1e-4), 3);
}
END_TEST

/* Forward with statistics, then every gradient: the input's is one kernel beside the sums. */
START_TEST(layer_norm_and_its_gradients)
{
    const char text[] = "entry grad (x: f32[64, 32], g: f32[32], dy: f32[64, 32]) {\n"
                        "  %1 = sum x [1] : f32[64]\n"
                        "  %2 = constant 0.03125 : f32[64]\n"
                        "  %3 = mul %1, %2 : f32[64]\n"
                        "  %4 = broadcast %3 [0] : f32[64, 32]\n"
                        "  %5 = sub x, %4 : f32[64, 32]\n"
                        "  %6 = mul %5, %5 : f32[64, 32]\n"
                        "  %7 = sum %6 [1] : f32[64]\n"
                        "  %8 = mul %7, %2 : f32[64]\n"
                        "  %9 = constant 1e-5 : f32[64]\n"
                        "  %10 = add %8, %9 : f32[64]\n"
                        "  %11 = sqrt %10 : f32[64]\n"
                        "  %12 = broadcast %11 [0] : f32[64, 32]\n"
                        "  %13 = div %5, %12 : f32[64, 32]\n"
                        "  %14 = broadcast g [1] : f32[64, 32]\n"
                        "  %15 = mul %13, %14 : f32[64, 32]\n"
                        "  %16 = mul %15, dy : f32[64, 32]\n"
                        "  %17 = sum %16 [0, 1] : f32[]\n"
                        "  %18 = gradient %17, x : f32[64, 32]\n"
                        "  %19 = gradient %17, g : f32[32]\n"
                        "  output y = %15\n"
                        "  output dx = %18\n"
                        "  output dg = %19\n"
                        "}\n";
    Lowering *l = lowering_run(text, 1e-4);
    ck_assert_uint_le(l->module->call.count, 5);
    lowering_close(l);
}
END_TEST

/* Movement is always inline; thousands of it would need as many nested calls. */
START_TEST(a_long_chain_of_movement_is_cut)
{
    Text text = {.arena = arena_open(&host_default)};
    text_add(&text, "entry predict (x: f32[3, 3]) {\n  %%1 = transpose x [1, 0] : f32[3, 3]\n");
    for (int i = 2; i <= 20000; i++)
        text_add(&text, "  %%%d = transpose %%%d [1, 0] : f32[3, 3]\n", i, i - 1);
    text_add(&text, "  output y = %%20000\n}\n");
    Lowering *l = lowering_run(text_done(&text), 0);
    ck_assert_uint_gt(l->module->call.count, 1);
    lowering_close(l);
    arena_close(text.arena);
}
END_TEST

/* Six blocks of equal structure share their kernels: buffers are not part of a kernel. */
START_TEST(equal_blocks_share_kernels)
{
    Text text = {.arena = arena_open(&host_default)};
    for (int i = 0; i < 6; i++)
        text_add(&text, "state w%d: f32[8, 8] parameter\n", i);
    text_add(&text, "entry predict (x: f32[4, 8]) {\n");
    for (int i = 0; i < 6; i++) {
        text_add(&text, "  %%%d = read w%d : f32[8, 8]\n", 3 * i + 1, i);
        if (i == 0)
            text_add(&text, "  %%2 = dot x, %%1 mk,nk->mn : f32[4, 8]\n");
        else
            text_add(&text, "  %%%d = dot %%%d, %%%d mk,nk->mn : f32[4, 8]\n", 3 * i + 2, 3 * i,
                     3 * i + 1);
        text_add(&text, "  %%%d = tanh %%%d : f32[4, 8]\n", 3 * i + 3, 3 * i + 2);
    }
    text_add(&text, "  output y = %%18\n}\n");
    Lowering *l = lowering_run(text_done(&text), 1e-4);
    ck_assert_uint_eq(l->module->call.count, 6);
    ck_assert_uint_eq(l->module->kernel.count, 1);
    lowering_close(l);
    arena_close(text.arena);
}
END_TEST

Suite *suite_fuse(void);
Suite *suite_fuse(void)
{
    Suite *suite = suite_create("fuse");
    TCase *tests = tcase_create("fuse");
    tcase_add_test(tests, softmax_is_one_kernel);
    tcase_add_test(tests, layer_norm_is_one_kernel);
    tcase_add_test(tests, a_chain_is_one_kernel);
    tcase_add_test(tests, attention_is_three_products_and_a_softmax);
    tcase_add_test(tests, cross_entropy_is_three_kernels);
    tcase_add_test(tests, an_epilogue_joins_its_product);
    tcase_add_test(tests, a_product_is_never_a_factor);
    tcase_add_test(tests, stores_along_make_no_cycle);
    tcase_add_test(tests, indices_bind_no_kernels);
    tcase_add_loop_test(tests, what_does_not_fit_is_apart, 0, sizeof apart / sizeof *apart);
    tcase_add_test(tests, nothing_fused_is_a_kernel_for_each_value);
    tcase_add_test(tests, sibling_sums_are_one_pass);
    tcase_add_test(tests, a_sum_that_needs_another_is_not_its_sibling);
    tcase_add_test(tests, layer_norm_and_its_gradients);
    tcase_add_test(tests, a_long_chain_of_movement_is_cut);
    tcase_add_test(tests, equal_blocks_share_kernels);
    suite_add_tcase(suite, tests);
    return suite;
}

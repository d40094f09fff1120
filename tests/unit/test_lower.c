#include "passes/lower.h"
#include "tests/unit/lowering.h"
#include "tests/unit/random_graph.h"
#include <check.h>

/* f32 sums in another order than the reference's double. */
#define NEAR 1e-5

/* [3, 4] as [12] as [2, 6]: 4 does not divide 6, so one of the values must have a buffer. */
START_TEST(reshapes_split_axes)
{
    const char text[] = "entry predict (x: f32[3, 4]) {\n"
                        "  %1 = neg x : f32[3, 4]\n"
                        "  %2 = reshape %1 : f32[12]\n"
                        "  %3 = exp %2 : f32[12]\n"
                        "  %4 = reshape %3 : f32[2, 6]\n"
                        "  %5 = exp %4 : f32[2, 6]\n"
                        "  output z = %5\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 2);
}
END_TEST

START_TEST(convolution_and_both_gradients_with_stride)
{
    const char text[] =
        "entry predict (image: f32[2, 3, 9, 9], kernel: f32[5, 3, 3, 3]) {\n"
        "  %28 = conv image, kernel nchw,ockl->noyx h=2y+k-1 w=2x+l-1 : f32[2, 5, 5, 5]\n"
        "  %29 = conv %28, kernel noyx,ockl->nchw h=2y+k-1 w=2x+l-1 : f32[2, 3, 9, 9]\n"
        "  %30 = conv image, %28 nchw,noyx->ockl h=2y+k-1 w=2x+l-1 : f32[5, 3, 3, 3]\n"
        "  output a = %28\n"
        "  output b = %29\n"
        "  output c = %30\n"
        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 3);
}
END_TEST

START_TEST(convolution_with_dilation_and_padding)
{
    const char text[] =
        "entry predict (image: f32[2, 3, 12, 12], kernel: f32[5, 3, 3, 3]) {\n"
        "  %28 = conv image, kernel nchw,ockl->noyx h=y+2k-2 w=x+3l-3 : f32[2, 5, 12, 12]\n"
        "  %29 = conv %28, kernel noyx,ockl->nchw h=y+2k-2 w=x+3l-3 : f32[2, 3, 12, 12]\n"
        "  %30 = conv image, %28 nchw,noyx->ockl h=y+2k-2 w=x+3l-3 : f32[5, 3, 3, 3]\n"
        "  output a = %28\n"
        "  output b = %29\n"
        "  output c = %30\n"
        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

START_TEST(convolution_turned_round)
{
    const char text[] =
        "entry predict (image: f32[2, 3, 7, 7], kernel: f32[5, 3, 3, 3]) {\n"
        "  %28 = conv image, kernel nchw,ockl->noyx h=y-k+1 w=x-2l+2 : f32[2, 5, 7, 7]\n"
        "  %29 = conv %28, kernel noyx,ockl->nchw h=y-k+1 w=x-2l+2 : f32[2, 3, 7, 7]\n"
        "  %30 = conv image, %28 nchw,noyx->ockl h=y-k+1 w=x-2l+2 : f32[5, 3, 3, 3]\n"
        "  output a = %28\n"
        "  output b = %29\n"
        "  output c = %30\n"
        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

START_TEST(grouped_convolution)
{
    const char text[] = "entry predict (image: f32[2, 4, 3, 6], kernel: f32[4, 5, 3, 3]) {\n"
                        "  %28 = conv image, kernel ngch,gock->ngoy h=y+k-1 : f32[2, 4, 5, 6]\n"
                        "  output a = %28\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

START_TEST(pooling_by_reshape)
{
    const char text[] = "entry predict (x: f32[2, 3, 4, 6]) {\n"
                        "  %1 = reshape x : f32[2, 3, 2, 2, 3, 2]\n"
                        "  %2 = reduce_max %1 [3, 5] : f32[2, 3, 2, 3]\n"
                        "  output z = %2\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

START_TEST(pooling_by_window_and_its_fold)
{
    const char text[] = "entry predict (x: f32[2, 3, 7, 7]) {\n"
                        "  %1 = window x [2:3:2:1, 3:3:2:1] : f32[2, 3, 3, 3, 3, 3]\n"
                        "  %2 = reduce_max %1 [4, 5] : f32[2, 3, 3, 3]\n"
                        "  %3 = broadcast %2 [0, 1, 2, 3] : f32[2, 3, 3, 3, 3, 3]\n"
                        "  %4 = equal %1, %3 : bool[2, 3, 3, 3, 3, 3]\n"
                        "  %5 = cast %4 : f32[2, 3, 3, 3, 3, 3]\n"
                        "  %6 = fold %5 [2:3:2:1, 3:3:2:1] : f32[2, 3, 7, 7]\n"
                        "  output z = %2\n"
                        "  output dx = %6\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

START_TEST(pad_concat_slice_and_transpose)
{
    const char text[] = "entry predict (x: f32[3, 4], y: f32[3, 2]) {\n"
                        "  %1 = pad x [1:2:0, 0:1:2] 0 : f32[8, 9]\n"
                        "  %2 = slice %1 [1:2, 8:-2] : f32[3, 5]\n"
                        "  %3 = concat %2, y, x 1 : f32[3, 11]\n"
                        "  %4 = exp %3 : f32[3, 11]\n"
                        "  %5 = pad %4 [0:0:1, 2:0:0] -1.5 : f32[4, 13]\n"
                        "  %6 = transpose %5 [1, 0] : f32[13, 4]\n"
                        "  %7 = slice %6 [3:1, 0:2] : f32[7, 2]\n"
                        "  output z = %7\n"
                        "  output w = %6\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

START_TEST(gather_and_scatter)
{
    const char text[] = "entry predict (t: f32[5, 3], i: i32[2, 4], g: f32[2, 4, 3]) {\n"
                        "  %1 = gather t, i 0 : f32[2, 4, 3]\n"
                        "  %2 = scatter g, i 0 : f32[5, 3]\n"
                        "  %3 = gather t, i 1 : f32[5, 2, 4]\n"
                        "  %5 = scatter %3, i 1 : f32[5, 3]\n"
                        "  output z = %1\n"
                        "  output s = %2\n"
                        "  output u = %3\n"
                        "  output v = %5\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

START_TEST(picking_by_comparison_is_one_kernel)
{
    const char text[] = "entry predict (t: f32[4, 7], i: i32[4]) {\n"
                        "  %1 = iota 1 : i32[4, 7]\n"
                        "  %2 = broadcast i [0] : i32[4, 7]\n"
                        "  %3 = equal %1, %2 : bool[4, 7]\n"
                        "  %4 = constant 0 : f32[4, 7]\n"
                        "  %5 = select %3, t, %4 : f32[4, 7]\n"
                        "  %6 = sum %5 [1] : f32[4]\n"
                        "  output z = %6\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

START_TEST(random_elements_keep_their_numbers)
{
    const char text[] = "entry predict (s: i32[], t: i32[]) {\n"
                        "  %1 = table {77} : u32[]\n"
                        "  %2 = uniform s, t, %1 : f32[3, 5]\n"
                        "  %3 = slice %2 [1:1, 0:2] : f32[2, 3]\n"
                        "  output z = %3\n"
                        "  output y = %2\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

START_TEST(tables_are_literals)
{
    const char text[] = "entry predict () {\n"
                        "  %1 = table {1, 2, 3, 4} : f32[2, 2]\n"
                        "  %2 = exp %1 : f32[2, 2]\n"
                        "  output z = %2\n"
                        "  output y = %1\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

/* Sums of nothing, a product over nothing, a concat of nothing; empty outputs have no kernel. */
START_TEST(empty_tensors)
{
    const char text[] = "entry predict (x: f32[0, 4], y: f32[3, 0]) {\n"
                        "  %1 = sum x [0] : f32[4]\n"
                        "  %2 = reduce_max x [0] : f32[4]\n"
                        "  %3 = exp x : f32[0, 4]\n"
                        "  %4 = dot y, x mk,kn->mn : f32[3, 4]\n"
                        "  %5 = concat %3, %4 0 : f32[3, 4]\n"
                        "  %6 = pad y [0:0:0, 1:0:1] 2 : f32[3, 2]\n"
                        "  output a = %1\n"
                        "  output b = %2\n"
                        "  output c = %3\n"
                        "  output d = %4\n"
                        "  output e = %5\n"
                        "  output f = %6\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

START_TEST(narrow_operands_are_widened)
{
    const char text[] = "entry predict (x: bf16[3, 4], y: bf16[5, 4]) {\n"
                        "  %1 = dot x, y mk,nk->mn : f32[3, 5]\n"
                        "  output z = %1\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

/* Guards pass through an inline chain; where it does not keep 0 outside, a select does. */
START_TEST(guards_hold_for_what_is_computed_inline)
{
    const char text[] = "entry predict (x: f32[2, 3], y: f32[2, 3]) {\n"
                        "  %1 = exp x : f32[2, 3]\n"
                        "  %2 = pad %1 [1:1:0, 0:0:2] 0 : f32[4, 5]\n"
                        "  %3 = constant 0 : f32[2, 3]\n"
                        "  %4 = max y, %3 : f32[2, 3]\n"
                        "  %5 = pad %4 [1:1:0, 0:0:2] 0 : f32[4, 5]\n"
                        "  %6 = sub %2, %5 : f32[4, 5]\n"
                        "  output z = %6\n"
                        "}\n";
    ck_assert_uint_eq(lowering_calls(text, NEAR), 1);
}
END_TEST

/* An extent-1 axis that moves under a guard: the sum is not the same for the whole row. */
START_TEST(a_sum_below_a_concat_is_not_a_row_of_its_consumer)
{
    const char text[] = "entry predict (x: f32[1, 6], y: f32[3]) {\n"
                        "  %1 = sum x [1] : f32[1]\n"
                        "  %2 = concat y, %1 0 : f32[4]\n"
                        "  %3 = sin %2 : f32[4]\n"
                        "  %4 = sum %3 [0] : f32[]\n"
                        "  %5 = broadcast %4 [] : f32[4]\n"
                        "  %6 = add %3, %5 : f32[4]\n"
                        "  output z = %6\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

/* Parts that are loaded, moved, computed on the spot, shared, numbers, empty, and of several extents. */
START_TEST(long_concats_are_stored_in_pieces)
{
    const char text[] = "entry predict (x: f32[3, 4], y: f32[3, 1], e: f32[3, 0]) {\n"
                        "  %1 = exp x : f32[3, 4]\n"
                        "  %2 = sin y : f32[3, 1]\n"
                        "  %3 = sin %2 : f32[3, 1]\n"
                        "  %4 = slice x [2:-1, 1:2] : f32[3, 2]\n"
                        "  %5 = constant 3 : f32[3, 2]\n"
                        "  %6 = sum x [1] : f32[3]\n"
                        "  %7 = reshape %6 : f32[3, 1]\n"
                        "  %8 = concat %3, y, e, x, %2, %1, %4, y, %5, %7, %3 1 : f32[3, 18]\n"
                        "  %9 = slice %8 [0:1, 17:-2] : f32[3, 8]\n"
                        "  %10 = sum %9 [1] : f32[3]\n"
                        "  output z = %8\n"
                        "  output w = %10\n"
                        "}\n";
    lowering_calls(text, NEAR);
}
END_TEST

static const char *scan_of(Arena *arena, int steps)
{
    Text text = {.arena = arena};
    text_add(&text, "entry predict (x: f32[5, %d]) {\n  %%1 = sin x : f32[5, %d]\n", steps, steps);
    text_add(&text, "  %%2 = slice %%1 [0:1, 0:1] : f32[5, 1]\n");
    for (int i = 1; i < steps; i++) {
        text_add(&text, "  %%%d = slice %%1 [0:1, %d:1] : f32[5, 1]\n", 3 * i, i);
        text_add(&text, "  %%%d = tanh %%%d : f32[5, 1]\n", 3 * i + 1, 3 * i - 1);
        text_add(&text, "  %%%d = add %%%d, %%%d : f32[5, 1]\n", 3 * i + 2, 3 * i, 3 * i + 1);
    }
    text_add(&text, "  %%%d = concat ", 3 * steps);
    for (int i = 0; i < steps; i++)
        text_add(&text, "%s%%%d", i ? ", " : "", 3 * i + 2);
    text_add(&text, " 1 : f32[5, %d]\n", steps);
    text_add(&text, "  %%%d = sum %%%d [0, 1] : f32[]\n", 3 * steps + 1, 3 * steps);
    text_add(&text, "  %%%d = gradient %%%d, x : f32[5, %d]\n", 3 * steps + 2, 3 * steps + 1,
             steps);
    text_add(&text, "  output y = %%%d\n  output dx = %%%d\n}\n", 3 * steps, 3 * steps + 2);
    return text_done(&text);
}

/* What the steps of a scan yield, and the gradient by what they read: more steps are more calls of the same kernels. */
START_TEST(steps_of_a_scan_share_their_kernels)
{
    Arena *arena = arena_open(&host_default);
    uint32_t kernels[2], calls[2];
    for (int i = 0; i < 2; i++) {
        Lowering *l = lowering_run(scan_of(arena, i ? 160 : 40), 1e-4);
        kernels[i] = l->module->kernel.count;
        calls[i] = l->module->call.count;
        lowering_close(l);
    }
    ck_assert_uint_le(kernels[1], kernels[0] + 4);
    ck_assert_uint_le(kernels[0], 30);
    ck_assert_uint_le(calls[1], 5 * calls[0]);
    arena_close(arena);
}
END_TEST

START_TEST(small_random_graphs)
{
    Arena *arena = arena_open(&host_default);
    for (uint32_t seed = 0; seed < 40; seed++)
        lowering_calls(random_graph(arena, (uint32_t)_i * 40 + seed, 30), 2e-4);
    arena_close(arena);
}
END_TEST

START_TEST(large_random_graphs)
{
    Arena *arena = arena_open(&host_default);
    for (uint32_t seed = 0; seed < 5; seed++)
        lowering_calls(random_graph(arena, 5000 + (uint32_t)_i * 5 + seed, 150), 2e-4);
    arena_close(arena);
}
END_TEST

Suite *suite_lower(void);
Suite *suite_lower(void)
{
    Suite *suite = suite_create("lower");
    TCase *tests = tcase_create("lower");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, reshapes_split_axes);
    tcase_add_test(tests, convolution_and_both_gradients_with_stride);
    tcase_add_test(tests, convolution_with_dilation_and_padding);
    tcase_add_test(tests, convolution_turned_round);
    tcase_add_test(tests, grouped_convolution);
    tcase_add_test(tests, pooling_by_reshape);
    tcase_add_test(tests, pooling_by_window_and_its_fold);
    tcase_add_test(tests, pad_concat_slice_and_transpose);
    tcase_add_test(tests, gather_and_scatter);
    tcase_add_test(tests, picking_by_comparison_is_one_kernel);
    tcase_add_test(tests, random_elements_keep_their_numbers);
    tcase_add_test(tests, tables_are_literals);
    tcase_add_test(tests, empty_tensors);
    tcase_add_test(tests, narrow_operands_are_widened);
    tcase_add_test(tests, guards_hold_for_what_is_computed_inline);
    tcase_add_test(tests, a_sum_below_a_concat_is_not_a_row_of_its_consumer);
    tcase_add_test(tests, long_concats_are_stored_in_pieces);
    tcase_add_test(tests, steps_of_a_scan_share_their_kernels);
    tcase_add_loop_test(tests, small_random_graphs, 0, 10);
    tcase_add_loop_test(tests, large_random_graphs, 0, 4);
    suite_add_tcase(suite, tests);
    return suite;
}

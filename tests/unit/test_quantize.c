/* What is quantized, and what predict says of it; the graphs themselves are golden tests. */
#include "tests/unit/graph_text.h"

#include "passes/quantize.h"
#include <math.h>

static Quantization plan(Kit *kit, const char *text, Program **program)
{
    *program = text_program(kit, text);
    return quantization_of(*program, kit->arena);
}

static const char *text_of(const Kit *kit, Name name)
{
    return name_text(kit->names, name);
}

/* The first two weights read x, the second reads h too, and the third h alone. */
START_TEST(weights_that_multiply_the_same_share_a_range)
{
    Kit kit = kit_open(1);
    Program *program;
    Quantization q = plan(&kit,
                          "state u: f32[32, 32] parameter\n"
                          "state v: f32[32, 32] parameter\n"
                          "state w: f32[3, 32] parameter\n"
                          "state alone: f32[5, 32] parameter\n"
                          "entry predict (x: f32[2, 32], y: f32[2, 32]) {\n"
                          "  %1 = read w : f32[3, 32]\n"
                          "  %2 = read v : f32[32, 32]\n"
                          "  %3 = read u : f32[32, 32]\n"
                          "  %4 = dot x, %3 mk,nk->mn : f32[2, 32]\n"
                          "  %5 = dot x, %2 mk,nk->mn : f32[2, 32]\n"
                          "  %6 = tanh %4 : f32[2, 32]\n"
                          "  %7 = dot %6, %2 mk,nk->mn : f32[2, 32]\n"
                          "  %8 = dot %6, %1 mk,nk->mn : f32[2, 3]\n"
                          "  %9 = read alone : f32[5, 32]\n"
                          "  %10 = dot y, %9 mk,nk->mn : f32[2, 5]\n"
                          "  output a = %5\n"
                          "  output b = %7\n"
                          "  output c = %8\n"
                          "  output d = %10\n"
                          "}\n",
                          &program);
    static const char *const ranges[] = {"u.input_range", "u.input_range", "u.input_range",
                                         "alone.input_range"};
    ck_assert_uint_eq(q.weight.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_str_eq(text_of(&kit, q.weight.at[i].input_range), ranges[i]);
        ck_assert_int_eq(q.weight.at[i].owns_range, i == 0 || i == 3);
    }
    kit_close(&kit);
}
END_TEST

/* Outputs are an axis that the weight alone has; sums of more than 66311 products of 255 * 127 could wrap, and
 * those of less than 32 gain nothing. */
START_TEST(what_cannot_be_in_integers_stays)
{
    Kit kit = kit_open(1);
    Program *program;
    Quantization q = plan(&kit,
                          "state long: f32[1, 66312] parameter\n"
                          "state fits: f32[1, 66311] parameter\n"
                          "state short: f32[4, 31] parameter\n"
                          "state vector: f32[32] parameter\n"
                          "state turned: f32[32, 3] parameter\n"
                          "state buffer: f32[4, 32] buffer\n"
                          "entry predict (x: f32[2, 66312], y: f32[2, 66311], z: f32[2, 32], "
                          "s: f32[2, 31]) {\n"
                          "  %1 = read long : f32[1, 66312]\n"
                          "  %2 = read fits : f32[1, 66311]\n"
                          "  %3 = read vector : f32[32]\n"
                          "  %4 = read turned : f32[32, 3]\n"
                          "  %5 = read buffer : f32[4, 32]\n"
                          "  %6 = dot x, %1 mk,nk->mn : f32[2, 1]\n"
                          "  %7 = dot y, %2 mk,nk->mn : f32[2, 1]\n"
                          "  %8 = dot z, %3 mk,k->m : f32[2]\n"
                          "  %9 = dot z, %4 mk,kn->mn : f32[2, 3]\n"
                          "  %10 = dot z, %5 mk,nk->mn : f32[2, 4]\n"
                          "  %11 = read short : f32[4, 31]\n"
                          "  %12 = dot s, %11 mk,nk->mn : f32[2, 4]\n"
                          "  output f = %12\n"
                          "  output a = %6\n"
                          "  output b = %7\n"
                          "  output c = %8\n"
                          "  output d = %9\n"
                          "  output e = %10\n"
                          "}\n",
                          &program);
    ck_assert_uint_eq(q.weight.count, 2);
    ck_assert_str_eq(text_of(&kit, q.weight.at[0].weight), "fits");
    ck_assert_str_eq(text_of(&kit, q.weight.at[1].weight), "turned");
    ck_assert_int_eq(q.weight.at[1].axis, 1);
    kit_close(&kit);
}
END_TEST

static const char *const one_layer = "state w: f32[2, 32] parameter\n"
                                     "entry predict (x: f32[2, 32]) {\n"
                                     "  %1 = read w : f32[2, 32]\n"
                                     "  %2 = dot x, %1 mk,nk->mn : f32[2, 2]\n"
                                     "  output y = %2\n"
                                     "}\n";

/* Outputs by name. */
static const double *output(const Kit *kit, const Graph *graph, double **values, const char *name)
{
    for (uint32_t i = 0; i < graph->result.count; i++)
        if (!strcmp(text_of(kit, graph->result.at[i].name), name)) return values[i];
    ck_abort_msg("there is no output %s", name);
}

static void expect_numbers(const double *at, int count, const double *wanted)
{
    for (int i = 0; i < count; i++)
        ck_assert_msg(fabs(at[i] - wanted[i]) <= 1e-6 * fabs(wanted[i]), "element %d: %g, not %g",
                      i, at[i], wanted[i]);
}

/* 0.5 of 1 is 63.5 of 127, which rounds to the even 64; a row of zeros has a scale whose reciprocal is a number. */
START_TEST(predict_tells_ranges_and_integers)
{
    Kit kit = kit_open(1);
    Program *program;
    Quantization q = plan(&kit, one_layer, &program);
    Graph *observed = quantize_observed(program, &q);
    Feed feed = kit_feed(&kit, observed, DATA_reals, DOMAIN_any);
    feed_set(&kit, &feed, "w", (const double[64]){1, 0.5, -0.25});
    feed_set(&kit, &feed, "x", (const double[64]){1, 2, 3, [32] = -4, 0.5});
    double **values = kit_evaluate(&kit, observed, &feed, false);
    expect_numbers(output(&kit, observed, values, "w"), 64, (const double[64]){127, 64, -32});
    expect_numbers(output(&kit, observed, values, "w.scale"), 2,
                   (const double[]){1.0 / 127, 0x1p-100 / 127});
    expect_numbers(output(&kit, observed, values, "w.input_range"), 1, (const double[]){4});
    expect_numbers(output(&kit, observed, values, "y"), 4,
                   (const double[]){1 + 1 - 0.75, 0, -4 + 0.25, 0});
    kit_close(&kit);
}
END_TEST

/* x in steps of 4 / 127; products of integers are exact, and only the scales round. */
START_TEST(integers_compute_what_they_stand_for)
{
    Kit kit = kit_open(1);
    Program *program;
    Quantization q = plan(&kit, one_layer, &program);
    quantize_program(program, &q);
    ck_assert_uint_eq(program->state.count, 3);
    ck_assert_int_eq(program->state.at[0].type, TYPE_i8);
    const Graph *predict = program->entry[ENTRY_predict];
    Feed feed = kit_feed(&kit, predict, DATA_reals, DOMAIN_any);
    feed_set(&kit, &feed, "w", (const double[64]){127, 64, -32, [32] = -127, 3});
    feed_set(&kit, &feed, "w.scale", (const double[]){1, 0.5});
    feed_set(&kit, &feed, "w.input_range", (const double[]){4});
    feed_set(&kit, &feed, "x", (const double[64]){4, 0, 1, [32] = -40, 2, 0.01});
    double **values = kit_evaluate(&kit, predict, &feed, false);
    const double step = 4.0 / 127;
    expect_numbers(values[0], 4,
                   (const double[]){(127 * 127 - 32 * 32) * step, -127 * 127 * step / 2,
                                    (-128 * 127 + 64 * 64) * step,
                                    (128 * 127 + 3 * 64) * step / 2});
    kit_close(&kit);
}
END_TEST

Suite *suite_quantize(void);
Suite *suite_quantize(void)
{
    Suite *suite = suite_create("quantize");
    TCase *tests = tcase_create("quantize");
    tcase_add_test(tests, weights_that_multiply_the_same_share_a_range);
    tcase_add_test(tests, what_cannot_be_in_integers_stays);
    tcase_add_test(tests, predict_tells_ranges_and_integers);
    tcase_add_test(tests, integers_compute_what_they_stand_for);
    suite_add_tcase(suite, tests);
    return suite;
}

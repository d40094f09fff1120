/* Gradients of small graphs: what flows where, ties, spans. That they are right is measured in tests/properties. */
#include "tests/unit/graph_text.h"

#include "ir/graph/build.h"

static Graph *passed(Kit *kit, const char *text)
{
    Program *program = text_program(kit, text);
    Context context = {.arena = kit->arena, .names = kit->names};
    PassOptions options = {.verify = true, .round_trip = true};
    return passes_run(&context, kit->arena, program, program->entry[ENTRY_predict], &options);
}

static void expect(const char *text, const char *wanted)
{
    Kit kit = kit_open(1);
    ck_assert_str_eq(kit_text(&kit, passed(&kit, text)), wanted);
    kit_close(&kit);
}

/* The first result of `text` on x (and z). */
static void expect_numbers(const char *text, const double *x, const double *z, int count,
                           const double *wanted)
{
    Kit kit = kit_open(1);
    Graph *graph = passed(&kit, text);
    Feed feed = kit_feed(&kit, text_graph(&kit, text), DATA_integers, DOMAIN_any);
    feed_set(&kit, &feed, "x", x);
    if (z) feed_set(&kit, &feed, "z", z);
    const double *got = kit_evaluate(&kit, graph, &feed, true)[0];
    for (int i = 0; i < count; i++)
        ck_assert_msg(got[i] == wanted[i], "element %d is %.17g, not %.17g", i, got[i], wanted[i]);
    kit_close(&kit);
}

#define NUMBERS(...) ((const double[]){__VA_ARGS__})

START_TEST(dot_only_exchanges_letters)
{
    expect("entry predict (x: f32[8, 4], w: f32[3, 4], v: f32[8, 3]) {\n"
           "  %1 = dot x, w mk,nk->mn : f32[8, 3]\n"
           "  %2 = mul %1, v : f32[8, 3]\n"
           "  %3 = sum %2 [0, 1] : f32[]\n"
           "  %4 = gradient %3, x : f32[8, 4]\n"
           "  %5 = gradient %3, w : f32[3, 4]\n"
           "  output dx = %4\n  output dw = %5\n}\n",
           "entry predict (v: f32[8, 3], w: f32[3, 4], x: f32[8, 4]) {\n"
           "  %1 = dot v, w mn,nk->mk : f32[8, 4]\n"
           "  %2 = dot v, x mn,mk->nk : f32[3, 4]\n"
           "  output dx = %1\n  output dw = %2\n}\n");
}
END_TEST

START_TEST(what_does_not_depend_has_gradient_zero)
{
    expect("entry predict (x: f32[2], z: f32[2]) {\n"
           "  %1 = stop x : f32[2]\n"
           "  %2 = mul %1, z : f32[2]\n"
           "  %3 = floor x : f32[2]\n"
           "  %4 = add %2, %3 : f32[2]\n"
           "  %5 = sum %4 [0] : f32[]\n"
           "  %6 = gradient %5, x : f32[2]\n"
           "  %7 = gradient %5, z : f32[2]\n"
           "  output dx = %6\n  output dz = %7\n}\n",
           "entry predict (x: f32[2]) {\n"
           "  %1 = constant 0 : f32[2]\n"
           "  output dx = %1\n  output dz = x\n}\n");
}
END_TEST

/* Equal operands of max share; of a reduction the first takes all. */
START_TEST(ties)
{
    const char *maximum = "entry predict (x: f32[3], z: f32[3]) {\n"
                          "  %1 = max x, z : f32[3]\n"
                          "  %2 = sum %1 [0] : f32[]\n"
                          "  %3 = gradient %2, x : f32[3]\n  output dx = %3\n}\n";
    expect_numbers(maximum, NUMBERS(1, 2, 3), NUMBERS(2, 2, 2), 3, NUMBERS(0, 0.5, 1));
    const char *reduction = "entry predict (x: f32[4]) {\n"
                            "  %1 = reduce_max x [0] : f32[]\n"
                            "  %2 = gradient %1, x : f32[4]\n  output dx = %2\n}\n";
    expect_numbers(reduction, NUMBERS(5, 1, 5, 2), NULL, 4, NUMBERS(1, 0, 0, 0));
    const char *relu = "entry predict (x: f32[3]) {\n"
                       "  %1 = constant 0 : f32[3]\n"
                       "  %2 = max x, %1 : f32[3]\n"
                       "  %3 = sum %2 [0] : f32[]\n"
                       "  %4 = gradient %3, x : f32[3]\n  output dx = %4\n}\n";
    expect_numbers(relu, NUMBERS(-1, 0, 1), NULL, 3, NUMBERS(0, 0, 1));
}
END_TEST

/* The first of 256 equal elements has a number that no byte holds. */
START_TEST(the_first_of_many_takes_all)
{
    double x[256], wanted[256] = {1};
    for (int i = 0; i < 256; i++)
        x[i] = 3;
    expect_numbers("entry predict (x: f32[256]) {\n"
                   "  %1 = reduce_max x [0] : f32[]\n"
                   "  %2 = gradient %1, x : f32[256]\n  output dx = %2\n}\n",
                   x, NULL, 256, wanted);
}
END_TEST

/* x^3: 3 x^2, 6 x, 6. */
START_TEST(gradients_nest)
{
    const char *text = "entry predict (x: f32[]) {\n"
                       "  %1 = mul x, x : f32[]\n"
                       "  %2 = mul %1, x : f32[]\n"
                       "  %3 = gradient %2, x : f32[]\n"
                       "  %4 = gradient %3, x : f32[]\n"
                       "  %5 = gradient %4, x : f32[]\n"
                       "  output third = %5\n}\n";
    expect_numbers(text, NUMBERS(2), NULL, 1, NUMBERS(6));
}
END_TEST

START_TEST(powers_are_differentiable_at_zero)
{
    const char *text = "entry predict (x: f32[3], z: f32[3]) {\n"
                       "  %1 = pow x, z : f32[3]\n"
                       "  %2 = sum %1 [0] : f32[]\n"
                       "  %3 = gradient %2, z : f32[3]\n"
                       "  %4 = gradient %2, x : f32[3]\n"
                       "  %5 = add %3, %4 : f32[3]\n  output d = %5\n}\n";
    /* 0^2 by z: 0, by x: 0.  1^0: log 1 = 0 and 0.  0^0: 0 and 0. */
    expect_numbers(text, NUMBERS(0, 1, 0), NUMBERS(2, 0, 0), 3, NUMBERS(0, 0, 0));
}
END_TEST

START_TEST(narrow_operands_get_narrow_gradients)
{
    Kit kit = kit_open(1);
    Graph *graph = passed(&kit, "entry predict (x: bf16[8, 4], w: bf16[3, 4]) {\n"
                                "  %1 = dot x, w mk,nk->mn : f32[8, 3]\n"
                                "  %2 = mul %1, %1 : f32[8, 3]\n"
                                "  %3 = sum %2 [0, 1] : f32[]\n"
                                "  %4 = gradient %3, w : bf16[3, 4]\n  output dw = %4\n}\n");
    Value dw = graph->result.at[0].value;
    ck_assert_int_eq(graph_type(graph, dw), TYPE_bf16);
    Value sum = graph_argument(graph, dw, 0);
    ck_assert_int_eq(graph_node(graph, sum)->op, OP_dot);
    ck_assert_int_eq(graph_type(graph, sum), TYPE_f32);
    kit_close(&kit);
}
END_TEST

/* An adjoint names the line of what it is the adjoint of. */
START_TEST(adjoints_have_the_span_of_their_forward_node)
{
    Kit kit = kit_open(1);
    Graph *graph = graph_new(kit.arena, kit.names, name_of(kit.names, "predict"), NULL);
    Shape scalar = {0};
    graph->at = (Span){1, 10, 1};
    Value x = ir_input(graph, name_of(kit.names, "x"), TYPE_f32, scalar);
    graph->at = (Span){1, 20, 1};
    Value y = ir_tanh(graph, x);
    graph->at = (Span){1, 30, 1};
    Value z = ir_sin(graph, y);
    graph->at = (Span){1, 40, 1};
    Value dx = ir_gradient(graph, z, x);
    graph_result(graph, RESULT_output, name_of(kit.names, "dx"), dx, graph->at);

    const Graph *out = kit_differentiate(&kit, graph);
    const Node *adjoint = graph_node(out, out->result.at[0].value);
    ck_assert_int_eq(adjoint->op, OP_mul); /* cos(y) (1 - y^2) */
    ck_assert_uint_eq(adjoint->at.begin, 20);
    for (uint32_t id = 1; id < out->node.count; id++)
        if (out->node.at[id].op == OP_cos) ck_assert_uint_eq(out->node.at[id].at.begin, 30);
    kit_close(&kit);
}
END_TEST

Suite *suite_autodiff(void);
Suite *suite_autodiff(void)
{
    Suite *suite = suite_create("autodiff");
    TCase *tests = tcase_create("autodiff");
    tcase_add_test(tests, dot_only_exchanges_letters);
    tcase_add_test(tests, what_does_not_depend_has_gradient_zero);
    tcase_add_test(tests, ties);
    tcase_add_test(tests, the_first_of_many_takes_all);
    tcase_add_test(tests, gradients_nest);
    tcase_add_test(tests, powers_are_differentiable_at_zero);
    tcase_add_test(tests, narrow_operands_get_narrow_gradients);
    tcase_add_test(tests, adjoints_have_the_span_of_their_forward_node);
    suite_add_tcase(suite, tests);
    return suite;
}

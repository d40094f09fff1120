/* Every op with a gradient, against central differences on the reference in double. */
#include "tests/properties/generate.h"

#include "ir/graph/build.h"
#include "passes/pass.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>

/* Central differences err by h^2 f''' / 6, about 1e-10, and by rounding, about 1e-16 |f| / h = 1e-11 |f|; the simplifier
 * rounds constants to f32, 6e-8 relative. The tolerance is above the largest of the three and far below any wrong term. */
#define STEP      1e-5
#define TOLERANCE 1e-6
#define VARIANTS  24

static bool is_differentiable(const Graph *graph, Value value)
{
    return type_is_float(graph_type(graph, value));
}

/* The sum of y, every element with a weight of its own. */
static Value weighted_sum(Generator *g, Value y)
{
    Shape shape = *graph_shape(g->graph, y);
    Value real = ir_cast(g->graph, y, TYPE_f32);
    Value weight = generate_operand(g, TYPE_f32, &shape);
    Value product = ir_mul(g->graph, real, weight);
    return ir_sum(g->graph, product, axes_range(0, shape.rank));
}

static Value input_named(const Graph *graph, Name name)
{
    for (uint32_t id = 1; id < graph->node.count; id++)
        if (graph->node.at[id].op == OP_input &&
            name_same(graph->node.at[id].attribute->name, name))
            return (Value){id};
    return (Value){0};
}

static void add_result(Generator *g, Value value, Name name)
{
    graph_result(g->graph, RESULT_output, name, value, (Span){0});
}

/* Results: the loss, then its gradient by each float input, under that input's name. */
static void ask_for_gradients(Generator *g, Value loss)
{
    add_result(g, loss, name_of(g->kit->names, "loss"));
    for (uint32_t id = 1, count = g->graph->node.count; id < count; id++) {
        const Node *node = &g->graph->node.at[id];
        if (node->op != OP_input || !is_differentiable(g->graph, (Value){id})) continue;
        Name name = node->attribute->name;
        Value gradient = ir_gradient(g->graph, loss, (Value){id});
        add_result(g, gradient, name);
    }
}

static double loss_of(Kit *kit, const Graph *graph, const Feed *feed)
{
    return kit_evaluate(kit, graph, feed, true)[0][0];
}

static double slope(Kit *kit, const Graph *graph, const Feed *feed, double *at)
{
    double x = *at;
    *at = x + STEP;
    double above = loss_of(kit, graph, feed);
    *at = x - STEP;
    double below = loss_of(kit, graph, feed);
    *at = x;
    return (above - below) / (2 * STEP);
}

static void compare(Kit *kit, const Graph *asked, Domain domain, const char *what)
{
    Feed feed = kit_feed(kit, asked, DATA_reals, domain);
    Graph *graph = kit_differentiate(kit, asked);
    double **exact = kit_evaluate(kit, graph, &feed, true);
    for (uint32_t i = 1; i < graph->result.count; i++) {
        Name name = graph->result.at[i].name;
        Value x = input_named(asked, name);
        int64_t count = shape_elements(graph_shape(asked, x));
        double *measured = arena_array(kit->arena, double, count);
        for (int64_t k = 0; k < count; k++)
            measured[k] = slope(kit, graph, &feed, feed_find(&feed, name) + k);
        const char *wrong = kit_difference(kit, exact[i], measured, count, TOLERANCE, TOLERANCE);
        ck_assert_msg(!wrong, "%s, gradient by %s: %s\n%s", what, name_text(kit->names, name),
                      wrong, kit_text(kit, asked));
    }
}

/* The maximum of nothing is -inf, where differences mean nothing. */
static Generator open(Kit *kit, Op op, int variant)
{
    Generator g = generator_open(kit, variant % 2 ? pass_simplify_node : NULL);
    g.only_f32 = true;
    g.may_be_empty = variant % 6 == 5 && op != OP_reduce_max;
    return g;
}

START_TEST(agree_with_finite_differences)
{
    Op op = (Op)_i;
    if (!op_info[op].gradient) return;
    for (int variant = 0; variant < VARIANTS; variant++) {
        Kit kit = kit_open((uint64_t)op * 1000 + (uint64_t)variant);
        Generator g = open(&kit, op, variant);
        Value y = generate_surely(&g, op, (Value){0}, 20);
        ck_assert_msg(y.id, "no sample of %s", op_info[op].name);
        if (type_is_float(graph_type(g.graph, y))) {
            ask_for_gradients(&g, weighted_sum(&g, y));
            compare(&kit, g.graph, op_info[op].domain, op_info[op].name);
        }
        kit_close(&kit);
    }
}
END_TEST

/* Gradients of gradients: the loss is a weighted sum of gradients by x0, of a weighted sum of gradients by x0 and so on, `depth`
 * times, of a weighted sum of powers of y, which do not vanish before. */
static void check_nested(Op op, int variant, int depth)
{
    Kit kit = kit_open((uint64_t)op * 1000 + 500 + (uint64_t)variant);
    Generator g = open(&kit, op, variant);
    Value y = generate_surely(&g, op, (Value){0}, 20);
    Value x = input_named(g.graph, name_of(kit.names, "x0"));
    if (y.id && x.id && is_differentiable(g.graph, x) && is_differentiable(g.graph, y)) {
        Value inner = y;
        for (int i = 0; i < depth; i++)
            inner = ir_mul(g.graph, inner, y);
        for (int i = 0; i < depth; i++)
            inner = ir_gradient(g.graph, weighted_sum(&g, inner), x);
        ask_for_gradients(&g, weighted_sum(&g, inner));
        compare(&kit, g.graph, op_info[op].domain, op_info[op].name);
    }
    kit_close(&kit);
}

START_TEST(of_gradients_agree_with_finite_differences)
{
    if (!op_info[_i].gradient) return;
    for (int variant = 0; variant < VARIANTS / 2; variant++)
        check_nested((Op)_i, variant, 1);
}
END_TEST

START_TEST(of_gradients_of_gradients_agree_with_finite_differences)
{
    if (!op_info[_i].gradient) return;
    for (int variant = 0; variant < VARIANTS / 2; variant++)
        check_nested((Op)_i, variant, 2);
}
END_TEST

TCase *case_gradients(void);
TCase *case_gradients(void)
{
    TCase *tests = tcase_create("gradients");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, agree_with_finite_differences, OP_none + 1, OP_COUNT);
    tcase_add_loop_test(tests, of_gradients_agree_with_finite_differences, OP_none + 1, OP_COUNT);
    tcase_add_loop_test(tests, of_gradients_of_gradients_agree_with_finite_differences, OP_none + 1,
                        OP_COUNT);
    return tests;
}

/* Builders of the rows that take apart what a sum adds up: factors that do not vary along it are applied to the result, and
 * differences from the mean, which add up to nothing, are left out. */
#include "passes/simplify.h"

#include "ir/graph/build.h"

/* How far the factors of a term are looked through. */
#define TERM_DEPTH 6

static const Value none = {0};

static bool has(const Axes *axes, int axis)
{
    return axes->count && memchr(axes->at, axis, axes->count);
}

static bool is_f32(const Match *match)
{
    return match->root->type == TYPE_f32;
}

/* x, a number or broadcast from axes that stay, as the sum's result sees it; {0} if it varies along the sum. */
static Value seen_from_sum(const Match *match, Value x)
{
    Graph *graph = match->graph;
    const Axes *reduced = &match->root->attribute->axes;
    Shape to = graph->shape.at[match->root->shape];
    double number;
    if (graph_is_number(graph, x, &number))
        return ir_constant(graph, graph_type(graph, x), to, number);
    Node node = *graph_node(graph, x);
    if (node.op != OP_broadcast) return none;
    Axes kept = {.count = node.attribute->axes.count};
    for (int i = 0; i < kept.count; i++) {
        int axis = node.attribute->axes.at[i], dropped = 0;
        if (has(reduced, axis)) return none;
        for (int k = 0; k < reduced->count; k++)
            dropped += reduced->at[k] < axis;
        kept.at[i] = (uint8_t)(axis - dropped);
    }
    return ir_broadcast(graph, node.argument[0], kept, to);
}

static Value sum_of(const Match *match, Value x)
{
    return ir_sum(match->graph, x, match->root->attribute->axes);
}

Value sum_of_neg(const Match *match)
{
    return ir_neg(match->graph, sum_of(match, match->slot[0]));
}

/* The sum's operand is `x op factor`. */
static Value apply_outside(const Match *match, Op op, Value x, Value factor)
{
    Value outside = is_f32(match) ? seen_from_sum(match, factor) : none;
    if (!outside.id) return none;
    Value sum = sum_of(match, x);
    return op == OP_mul ? ir_mul(match->graph, sum, outside) : ir_div(match->graph, sum, outside);
}

/* Whichever operand of a product, or the divisor, does not vary. */
static Value pull(const Match *match, Value product)
{
    Node node = *graph_node(match->graph, product);
    Value x = node.argument[0], y = node.argument[1];
    Value result = apply_outside(match, node.op, x, y);
    return result.id || node.op != OP_mul ? result : apply_outside(match, OP_mul, y, x);
}

Value sum_of_factor(const Match *match)
{
    return pull(match, match->root->argument[0]);
}

/* (x op factor) * z */
static Value pull_inner(const Match *match, Value inner, Value z)
{
    Graph *graph = match->graph;
    Node node = *graph_node(graph, inner);
    if ((node.op != OP_mul && node.op != OP_div) || !is_f32(match)) return none;
    for (int i = node.op == OP_mul ? 0 : 1; i < 2; i++) {
        Value outside = seen_from_sum(match, node.argument[i]);
        if (!outside.id) continue;
        Value sum = sum_of(match, ir_mul(graph, node.argument[1 - i], z));
        return node.op == OP_mul ? ir_mul(graph, sum, outside) : ir_div(graph, sum, outside);
    }
    return none;
}

Value sum_of_inner_factor(const Match *match)
{
    Node node = *graph_node(match->graph, match->root->argument[0]);
    Value result = pull_inner(match, node.argument[0], node.argument[1]);
    return result.id ? result : pull_inner(match, node.argument[1], node.argument[0]);
}

/* Whether m, broadcast, is the mean of x along the sum's axes. */
static bool is_mean(const Match *match, Value m, Value x)
{
    const Graph *graph = match->graph;
    const Axes *reduced = &match->root->attribute->axes;
    const Shape *shape = graph_shape(graph, x);
    const Node *broadcast = graph_node(graph, m);
    if (broadcast->op != OP_broadcast) return false;
    const Node *mean = graph_node(graph, broadcast->argument[0]);
    if (mean->op != OP_mul && mean->op != OP_div) return false;
    const Node *sum = graph_node(graph, mean->argument[0]);
    if (sum->op != OP_sum || !value_same(sum->argument[0], x)) return false;

    Axes kept = axes_other(*reduced, shape->rank);
    const Axes *places = &broadcast->attribute->axes, *summed = &sum->attribute->axes;
    if (kept.count != places->count || memcmp(kept.at, places->at, kept.count) != 0) return false;
    if (summed->count != reduced->count || memcmp(summed->at, reduced->at, summed->count) != 0)
        return false;
    double count = 1, number;
    for (int i = 0; i < reduced->count; i++)
        count *= (double)shape->extent[reduced->at[i]];
    if (!graph_is_number(graph, mean->argument[1], &number)) return false;
    return number == simplify_round(TYPE_f32, mean->op == OP_div ? count : 1 / count);
}

/* Whether x adds up to nothing: differences from a mean, times what does not vary. */
static bool is_centered(const Match *match, Value x, int depth)
{
    Node node = *graph_node(match->graph, x);
    if (depth == 0) return false;
    if (node.op == OP_neg) return is_centered(match, node.argument[0], depth - 1);
    if (node.op == OP_sub) return is_mean(match, node.argument[1], node.argument[0]);
    if (node.op != OP_mul && node.op != OP_div) return false;
    for (int i = 0; i < (node.op == OP_mul ? 2 : 1); i++)
        if (is_centered(match, node.argument[i], depth - 1))
            return seen_from_sum(match, node.argument[1 - i]).id != 0;
    return false;
}

Value sum_of_centered(const Match *match)
{
    if (!is_f32(match) || !is_centered(match, match->root->argument[0], TERM_DEPTH)) return none;
    Shape shape = match->graph->shape.at[match->root->shape];
    return ir_constant(match->graph, TYPE_f32, shape, 0);
}

Value sum_beside_centered(const Match *match)
{
    Node node = *graph_node(match->graph, match->root->argument[0]);
    if (!is_f32(match)) return none;
    for (int i = 0; i < 2; i++)
        if (is_centered(match, node.argument[i], TERM_DEPTH))
            return sum_of(match, node.argument[1 - i]);
    return none;
}

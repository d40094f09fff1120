/* Builders of the rows for sum and reduce_max; `reduce` stands for either. */
#include "passes/simplify.h"

#include "ir/graph/build.h"
#include <math.h>

static const Value none = {0};

static const Axes *axes_of_root(const Match *match)
{
    return &match->root->attribute->axes;
}

static const Attribute *inner(const Match *match)
{
    return graph_node(match->graph, match->root->argument[0])->attribute;
}

static Value reduce(const Match *match, Value x, Axes axes)
{
    return match->root->op == OP_sum ? ir_sum(match->graph, x, axes)
                                     : ir_reduce_max(match->graph, x, axes);
}

static bool has(const Axes *axes, int axis)
{
    for (int i = 0; i < axes->count; i++)
        if (axes->at[i] == axis) return true;
    return false;
}

/* Reducing an axis of extent 1 is leaving it out. */
Value reduce_of_units(const Match *match)
{
    Value x = match->slot[0];
    const Axes *axes = axes_of_root(match);
    const Shape *shape = graph_shape(match->graph, x);
    Shape rest = {0};
    Axes left = {0};
    for (int i = 0; i < shape->rank; i++) {
        bool is_reduced = has(axes, i);
        if (is_reduced && shape->extent[i] == 1) continue;
        if (is_reduced) left.at[left.count++] = rest.rank;
        rest.extent[rest.rank++] = shape->extent[i];
    }
    if (axes->count && left.count == axes->count) return none;
    Value small = ir_reshape(match->graph, x, rest);
    return left.count ? reduce(match, small, left) : small;
}

Value reduce_of_nothing(const Match *match)
{
    const Graph *graph = match->graph;
    Type type = match->root->type;
    if (shape_elements(graph_shape(graph, match->slot[0]))) return none;

    double least = -INFINITY;
    if (type_info[type].class == CLASS_SIGNED) least = -ldexp(1, 8 * type_info[type].bytes - 1);
    if (type_info[type].class == CLASS_UNSIGNED) least = 0;
    return ir_constant(match->graph, type, graph->shape.at[match->root->shape],
                       match->root->op == OP_sum ? 0 : least);
}

/* The operand's broadcast without the axes that are reduced again at once; how often each element stood there. */
static Value narrower(const Match *match, Axes *left, int64_t *times)
{
    const Axes *axes = axes_of_root(match), *kept = &inner(match)->axes;
    const Shape *wide = graph_shape(match->graph, match->root->argument[0]);
    Shape narrow = {0};
    Axes places = {0};
    *left = (Axes){0};
    *times = 1;
    for (int i = 0; i < wide->rank; i++) {
        bool is_reduced = has(axes, i), is_kept = has(kept, i);
        if (is_reduced && !is_kept) {
            *times *= wide->extent[i];
            continue;
        }
        if (is_reduced) left->at[left->count++] = narrow.rank;
        if (is_kept) places.at[places.count++] = narrow.rank;
        narrow.extent[narrow.rank++] = wide->extent[i];
    }
    if (narrow.rank == wide->rank) return none;
    return ir_broadcast(match->graph, match->slot[0], places, narrow);
}

Value sum_of_broadcast(const Match *match)
{
    Axes left;
    int64_t times;
    Type type = match->root->type;
    Value x = narrower(match, &left, &times);
    if (!x.id || (type_is_float(type) && simplify_round(type, (double)times) != (double)times))
        return none;
    Value sum = ir_sum(match->graph, x, left);
    Value count = ir_like(match->graph, sum, simplify_round(type, (double)times));
    return ir_mul(match->graph, sum, count);
}

Value reduce_max_of_broadcast(const Match *match)
{
    Axes left;
    int64_t times;
    Value x = narrower(match, &left, &times);
    return x.id ? ir_reduce_max(match->graph, x, left) : none;
}

/* The larger of the largest element and a number: through a movement too that neither drops elements nor adds any. */
Value reduce_max_of_max(const Match *match)
{
    double number;
    Graph *graph = match->graph;
    Value x = match->slot[0], moved = match->root->argument[0];
    const Node *movement = graph_node(graph, moved);
    Shape shape = *graph_shape(graph, moved);
    if (!shape_elements(&shape) || !graph_is_number(graph, match->slot[4], &number)) return none;
    if (movement->op == OP_reshape) x = ir_reshape(graph, x, shape);
    if (movement->op == OP_window) x = ir_window(graph, x, movement->attribute->windows);
    Value largest = ir_reduce_max(graph, x, *axes_of_root(match));
    return ir_max(graph, largest, ir_like(graph, largest, number));
}

/* Both at once, unless pass_split cut them apart. */
Value reduce_of_reduce(const Match *match)
{
    const Graph *graph = match->graph;
    const Shape *x = graph_shape(graph, match->slot[0]);
    const Axes *first = &inner(match)->axes, *second = axes_of_root(match);
    Axes between = axes_other(*first, x->rank), all = {0};
    for (int i = 0; i < x->rank; i++) {
        bool is_reduced = has(first, i);
        for (int k = 0; k < second->count; k++)
            is_reduced |= between.at[second->at[k]] == i;
        if (is_reduced) all.at[all.count++] = (uint8_t)i;
    }
    int64_t outputs = shape_elements(&graph->shape.at[match->root->shape]);
    if (split_is_long(outputs, shape_elements(x) / outputs)) return none;
    return reduce(match, match->slot[0], all);
}

/* A sum does not mind the order of its axes; what remains is transposed afterwards, which is smaller. */
Value reduce_of_transpose(const Match *match)
{
    const Axes *axes = axes_of_root(match), *order = &inner(match)->axes;
    Axes reduced = {0}, back = {0};
    int place[MAX_RANK], kept = 0;
    for (int i = 0; i < order->count; i++) {
        bool is_reduced = false;
        for (int k = 0; k < axes->count; k++)
            is_reduced |= order->at[axes->at[k]] == i;
        if (is_reduced) reduced.at[reduced.count++] = (uint8_t)i;
        place[i] = is_reduced ? -1 : kept++;
    }
    for (int i = 0; i < order->count; i++)
        if (place[order->at[i]] >= 0) back.at[back.count++] = (uint8_t)place[order->at[i]];
    Value y = reduce(match, match->slot[0], reduced);
    return ir_transpose(match->graph, y, back);
}

/* Cuts long reductions with few results in two stages, so that there is work for every thread and sums stay shallow.  A
 * serial f32 sum of n terms is off by up to n roundings; in two stages of sqrt(n) terms, by 2 sqrt(n).  Everything here
 * depends on shapes alone, never on the machine: one graph has one tree of additions, hence one result. */
#include "passes/simplify.h"

#include "ir/graph/build.h"
#include "passes/pass.h"
#include "passes/split.h"
#include <math.h>

/* Below so many terms one thread is done before another has woken up (4096 f32 are a page or four). */
#define TERMS_LONG        4096
/* So many results keep any machine's threads busy without splitting: 64 results one by one, or as many tiles of 8 x 32. */
#define OUTPUTS_FEW       64
#define OUTPUTS_FEW_TILES (64 * 8 * 32)
/* A part of a contraction is at least so many terms long: the fewer its results, which are stored and added, the fewer; so that what it reads
 * may still be in the second-level cache, where it has been computed.  And all partial results fit one (1 MiB). */
#define PART_TERMS_LEAST  1024
#define PART_TERMS_MOST   2048
#define RESULTS_A_TERM    8
#define PART_RESULTS      ((int64_t)1 << 18)
#define PARTS_MOST        64
/* How far a number of parts may be from what was wanted, either way.  Of reductions the outermost axis is cut if at all
 * possible, so that a part is one stretch of memory. */
#define NEAR_REDUCED      16
#define NEAR_CONTRACTED   8

bool split_is_long(int64_t outputs, int64_t reduced)
{
    return outputs < OUTPUTS_FEW && reduced > TERMS_LONG;
}

static double ratio(int64_t a, int64_t b)
{
    return a > b ? (double)a / (double)b : (double)b / (double)a;
}

/* The divisor of n nearest to `wanted`, 0 if it is further off than a factor of `near`.  n itself if it is good enough: an axis that need not
 * be cut spares a reshape. */
static int64_t divisor_near(int64_t n, int64_t wanted, double near)
{
    if (n > 1 && ratio(n, wanted) <= 2) return n;
    int64_t best = 0;
    for (int64_t low = 1; low * low <= n; low++) {
        if (n % low != 0) continue;
        int64_t pair[] = {low, n / low};
        for (int i = 0; i < 2; i++)
            if (pair[i] > 1 && (!best || ratio(pair[i], wanted) < ratio(best, wanted)))
                best = pair[i];
    }
    return best && ratio(best, wanted) <= near ? best : 0;
}

/* shape with `axis` cut into [parts, extent / parts]. */
static Shape cut(const Shape *shape, int axis, int64_t parts)
{
    Shape result = {.rank = (uint8_t)(shape->rank + 1)};
    for (int i = 0; i < shape->rank; i++)
        result.extent[i < axis ? i : i + 1] = shape->extent[i];
    result.extent[axis] = parts;
    result.extent[axis + 1] = shape->extent[axis] / parts;
    return result;
}

static Value reduce(Graph *out, Op op, Value x, Axes axes)
{
    return op == OP_sum ? ir_sum(out, x, axes) : ir_reduce_max(out, x, axes);
}

/* Reduces x in parts along one of its axes, then the parts.  {0} if no axis divides well. */
static Value reduce_in_parts(Graph *out, Op op, Value x, Axes axes, int64_t reduced)
{
    const Shape *shape = graph_shape(out, x);
    int64_t wanted = (int64_t)sqrt((double)reduced), parts = 0;
    int at = 0;
    for (; at < axes.count && !parts; at++)
        parts = divisor_near(shape->extent[axes.at[at]], wanted, NEAR_REDUCED);
    if (!parts) return (Value){0};

    int axis = axes.at[--at];
    bool is_whole = parts == shape->extent[axis];
    if (is_whole ? axes.count == 1 : shape->rank == MAX_RANK) return (Value){0};
    Value whole = is_whole ? x : ir_reshape(out, x, cut(shape, axis, parts));
    Axes first = {0};
    for (int i = 0; i < axes.count; i++) {
        int later = axes.at[i] >= axis && !is_whole;
        if (i != at || !is_whole) first.at[first.count++] = (uint8_t)(axes.at[i] + later);
    }
    Value partial = reduce(out, op, whole, first);
    return reduce(out, op, partial, axes_range(axis - at, 1));
}

static Value split_reduction(Graph *out, const Graph *in, Value value, const Value *map)
{
    const Node *node = graph_node(in, value);
    int64_t outputs = shape_elements(graph_shape(in, value));
    int64_t elements = shape_elements(graph_shape(in, node->argument[0]));
    if (!outputs || !split_is_long(outputs, elements / outputs)) return (Value){0};
    return reduce_in_parts(out, node->op, map[node->argument[0].id], node->attribute->axes,
                           elements / outputs);
}

/* The terms added up for each result: the letters that are not in y, of the three of a window one. */
static int64_t terms_of(const Indices *indices, const Shape *a, const Shape *b, const Shape *y)
{
    int64_t terms = 1;
    bool follows[128] = {false};
    for (int w = 0; w < indices->windows; w++) {
        bool is_input = strchr(indices->y, indices->window[w].input) != NULL;
        char third = is_input ? indices->window[w].output : indices->window[w].input;
        follows[(int)third] = true;
    }
    const char *lists[] = {indices->a, indices->b};
    for (int k = 0; k < 2; k++)
        for (const char *letter = lists[k]; *letter; letter++) {
            bool is_seen = k == 1 && strchr(indices->a, *letter);
            if (is_seen || follows[(int)*letter] || strchr(indices->y, *letter)) continue;
            terms *= indices_extent(indices, *letter, a, b, y);
        }
    return terms;
}

/* Makes `parts` of `letter` a batch: x, whose axes `letters` names, is cut along it. */
static Value cut_operand(Graph *out, Value x, char letters[MAX_RANK + 1], char letter, char part,
                         int64_t parts)
{
    int axis = (int)(strchr(letters, letter) - letters);
    Shape shape = cut(graph_shape(out, x), axis, parts);
    indices_insert(letters, axis, part);
    return ir_reshape(out, x, shape);
}

/* The contraction with `letter` cut into parts, and their sum. */
static Value contract_in_parts(Graph *out, Value a, Value b, const Node *node, Shape y, char letter,
                               int64_t parts)
{
    Indices indices = node->attribute->indices;
    bool is_whole =
        indices_extent(&indices, letter, graph_shape(out, a), graph_shape(out, b), &y) == parts;
    char part = is_whole ? letter : indices_free_letter(&indices);
    if (!is_whole) {
        a = cut_operand(out, a, indices.a, letter, part, parts);
        b = cut_operand(out, b, indices.b, letter, part, parts);
    }
    indices_insert(indices.y, 0, part);
    memmove(y.extent + 1, y.extent, sizeof *y.extent * y.rank);
    y.extent[0] = parts;
    y.rank++;
    Value partial =
        node->op == OP_dot ? ir_dot(out, a, b, indices) : ir_conv(out, a, b, indices, y);
    return ir_sum(out, partial, axes_range(0, 1));
}

static Value split_contraction(Graph *out, const Graph *in, Value value, const Value *map)
{
    const Node *node = graph_node(in, value);
    const Indices *indices = &node->attribute->indices;
    const Shape *y = graph_shape(in, value), *a = graph_shape(in, node->argument[0]),
                *b = graph_shape(in, node->argument[1]);
    int64_t outputs = shape_elements(y), terms = terms_of(indices, a, b, y);
    if (!outputs || outputs >= OUTPUTS_FEW_TILES || terms <= TERMS_LONG) return (Value){0};
    if (a->rank == MAX_RANK || b->rank == MAX_RANK || y->rank == MAX_RANK) return (Value){0};

    int64_t part = PART_TERMS_LEAST + outputs / RESULTS_A_TERM;
    int64_t wanted = terms / (part < PART_TERMS_MOST ? part : PART_TERMS_MOST);
    if (wanted > PARTS_MOST) wanted = PARTS_MOST;
    if (wanted > PART_RESULTS / outputs) wanted = PART_RESULTS / outputs;
    /* The outermost axis of the larger operand, so that each part reads one stretch of it. */
    bool is_a = shape_elements(a) >= shape_elements(b);
    const char *other = is_a ? indices->b : indices->a;
    for (const char *letter = is_a ? indices->a : indices->b; *letter; letter++) {
        if (!strchr(other, *letter) || strchr(indices->y, *letter)) continue;
        int64_t extent = indices_extent(indices, *letter, a, b, y);
        int64_t parts = divisor_near(extent, wanted, NEAR_CONTRACTED);
        if (parts)
            return contract_in_parts(out, map[node->argument[0].id], map[node->argument[1].id],
                                     node, *y, *letter, parts);
    }
    return (Value){0};
}

static Value split(Graph *out, const Graph *in, Value value, const Value *map)
{
    const Node *node = graph_node(in, value);
    out->at = node->at;
    if (node->op == OP_sum || node->op == OP_reduce_max)
        return split_reduction(out, in, value, map);
    Value phases = node->op == OP_conv ? split_phases(out, in, value, map) : (Value){0};
    if (phases.id) return phases;
    if (op_info[node->op].class == CONTRACTION) return split_contraction(out, in, value, map);
    return (Value){0};
}

Graph *pass_split(Pass *pass, const Graph *in)
{
    Graph *out = graph_new(pass->arena, in->names, in->name, in->simplify);
    Value *map = arena_array(pass->scratch, Value, in->node.count);
    for (uint32_t id = 1; id < in->node.count; id++) {
        map[id] = split(out, in, (Value){id}, map);
        if (!map[id].id) map[id] = graph_copy(out, in, (Value){id}, map);
    }
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(out, (int)result->kind, result->name, map[result->value.id], result->at);
    }
    return out;
}

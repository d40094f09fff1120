/* Channels are innermost at the convolutions, and from there on in whatever is computed element by element, axis by axis. */
#include "passes/layout.h"
#include "ir/base/boundary.h"
#include <string.h>

/* Below, vectors of channels would be mostly empty. */
#define FEW_CHANNELS 8

typedef struct Choosing {
    const Graph *graph;
    int8_t *axis; /* by node: the axis to be innermost, -1: not known */
    bool changed;
} Choosing;

static void choose(Choosing *c, Value x, int axis)
{
    const Shape *shape = graph_shape(c->graph, x);
    if (axis < 0 || c->axis[x.id] >= 0 || shape->extent[axis] < FEW_CHANNELS) return;
    c->axis[x.id] = (int8_t)axis;
    c->changed = true;
}

/* The last axis of an image that the weights have as well and no window moves over. */
static int channels_of(const Indices *indices, const char *image, const char *weights)
{
    for (int d = (int)strlen(image); d-- > 0;) {
        bool is_moved = false;
        for (int w = 0; w < indices->windows; w++)
            is_moved |=
                image[d] == indices->window[w].input || image[d] == indices->window[w].output;
        if (!is_moved && strchr(weights, image[d])) return d;
    }
    return -1;
}

static void choose_at_convolution(Choosing *c, Value y)
{
    const Node *node = graph_node(c->graph, y);
    const Indices *indices = &node->attribute->indices;
    const char *list[] = {indices->a, indices->b, indices->y};
    Value value[] = {node->argument[0], node->argument[1], y};
    const char *weights = NULL;
    for (int i = 0; i < 3; i++)
        if (strchr(list[i], indices->window[0].tap)) weights = list[i];
    for (int i = 0; i < 3; i++)
        if (list[i] != weights) choose(c, value[i], channels_of(indices, list[i], weights));
}

/* The axis of `to` that axis `d` of `from` is in a reshape: with as many elements in front of it and behind it. */
static int alone(const Shape *from, const Shape *to, int d)
{
    int64_t before = 1, also = 1;
    for (int i = 0; i < d; i++)
        before *= from->extent[i];
    for (int i = 0; i < to->rank; i++) {
        if (also == before && to->extent[i] == from->extent[d]) return i;
        also *= to->extent[i];
    }
    return -1;
}

/* The axis of y that axis `d` of its operand becomes; -1: none. */
static int becomes(const Graph *graph, Value y, int d)
{
    const Node *node = graph_node(graph, y);
    const Axes *axes = node->attribute ? &node->attribute->axes : NULL;
    int dropped = 0;
    switch ((int)node->op) {
    case OP_broadcast: return axes->at[d];
    case OP_transpose:
        for (int i = 0; i < axes->count; i++)
            if (axes->at[i] == d) return i;
        return -1;
    case OP_sum:
    case OP_reduce_max:
        for (int i = 0; i < axes->count; i++) {
            if (axes->at[i] == d) return -1;
            dropped += axes->at[i] < d;
        }
        return d - dropped;
    case OP_reshape: return alone(graph_shape(graph, node->argument[0]), graph_shape(graph, y), d);
    case OP_window:
    case OP_fold: return d < graph_shape(graph, y)->rank ? d : -1;
    default: return d;
    }
}

static bool keeps_axes(Op op)
{
    return op_info[op].class == ELEMENTWISE || op == OP_slice || op == OP_pad || op == OP_concat ||
           op == OP_broadcast || op == OP_transpose || op == OP_sum || op == OP_reduce_max ||
           op == OP_window || op == OP_fold || op == OP_reshape;
}

static void carry(Choosing *c, Value y)
{
    const Node *node = graph_node(c->graph, y);
    if (!keeps_axes(node->op)) return;
    for (uint32_t i = 0; i < node->argument_count; i++) {
        Value x = node->argument[i];
        for (int d = 0; d < graph_shape(c->graph, x)->rank; d++) {
            int to = becomes(c->graph, y, d);
            if (to < 0) continue;
            if (c->axis[x.id] == d) choose(c, y, to);
            if (c->axis[y.id] == to) choose(c, x, d);
        }
    }
}

static void strides_of(const Shape *shape, int innermost, int64_t stride[MAX_RANK])
{
    int64_t step = shape->extent[innermost];
    stride[innermost] = 1;
    for (int d = shape->rank; d-- > 0;) {
        if (d == innermost) continue;
        stride[d] = step;
        step *= shape->extent[d];
    }
}

/* One step through axes begin..end-1 in row-major order, in elements; -1 if it is not always the same. */
static int64_t common_step(const Shape *shape, const int64_t *own, uint32_t begin, uint32_t end)
{
    int64_t step = 0, all = 1;
    for (uint32_t d = end; d-- > begin;) {
        if (shape->extent[d] == 1) continue;
        if (step == 0) step = own[d];
        if (own[d] != step * all) return -1;
        all *= shape->extent[d];
    }
    return step;
}

/* Strides of a view by those of the shape: runs of axes that hold equally many elements in both are seen as one.  False if the elements
 * of a run do not follow each other at one distance.  Neither shape is empty. */
static bool view_strides(const Shape *shape, const int64_t *own, const Shape *view,
                         int64_t stride[MAX_RANK])
{
    uint32_t from = 0, to = 0;
    while (from < shape->rank || to < view->rank) {
        uint32_t begin = from, first = to;
        int64_t a = 1, b = 1;
        do {
            if (from < shape->rank && (a <= b || to == view->rank))
                a *= shape->extent[from++];
            else
                b *= view->extent[to++];
        } while (a != b);
        int64_t step = common_step(shape, own, begin, from);
        if (step < 0) return false;
        for (uint32_t d = to; d-- > first;) {
            stride[d] = step;
            step *= view->extent[d];
        }
    }
    return true;
}

/* Whether y is computed on the spot from something in which the axis is not one, like a product that is then seen as an image: its
 * kernel would write every element far from the last. */
static bool is_mixed(const Choosing *c, const Fusion *fusion, Value y, const bool *mixed)
{
    const Node *node = graph_node(c->graph, y);
    for (uint32_t i = 0; i < node->argument_count; i++) {
        Value x = node->argument[i], stored = fusion_storage(c->graph, x);
        if (fusion->group[stored.id] || fusion_is_source(c->graph, stored)) continue;
        if (mixed[x.id]) return true;
        if (node->op != OP_reshape || c->axis[y.id] < 0) continue;
        const Shape *from = graph_shape(c->graph, y), *to = graph_shape(c->graph, x);
        if (alone(from, to, c->axis[y.id]) < 0) return true;
    }
    return false;
}

/* Plain where a reshape sees the channels with other axes, where a result of the graph is it, where it is computed from something
 * without them, and where no group stores. */
static void keep_plain(Choosing *c, const Fusion *fusion)
{
    const Graph *graph = c->graph;
    bool *mixed = arena_array(fusion->arena, bool, graph->node.count);
    for (uint32_t id = 1; id < graph->node.count; id++)
        mixed[id] = is_mixed(c, fusion, (Value){id}, mixed);
    for (uint32_t i = 0; i < graph->result.count; i++)
        c->axis[fusion_storage(graph, graph->result.at[i].value).id] = -1;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        Value stored = fusion_storage(graph, (Value){id});
        const Shape *shape = graph_shape(graph, stored);
        int64_t own[MAX_RANK], stride[MAX_RANK];
        if (c->axis[stored.id] < 0) continue;
        strides_of(shape, c->axis[stored.id], own);
        if (!fusion->group[stored.id] || mixed[stored.id] || !shape_elements(shape) ||
            !view_strides(shape, own, graph_shape(graph, (Value){id}), stride))
            c->axis[stored.id] = -1;
    }
}

static Choosing choose_all(const Graph *graph, Arena *arena)
{
    Choosing c = {.graph = graph, .axis = arena_array(arena, int8_t, graph->node.count)};
    memset(c.axis, -1, graph->node.count);
    for (uint32_t id = 1; id < graph->node.count; id++)
        if (graph_node(graph, (Value){id})->op == OP_conv) choose_at_convolution(&c, (Value){id});
    do {
        c.changed = false;
        for (uint32_t id = 1; id < graph->node.count; id++)
            carry(&c, (Value){id});
        for (uint32_t id = graph->node.count; id-- > 1;)
            carry(&c, (Value){id});
    } while (c.changed);
    return c;
}

const int8_t *layout_channels(const Graph *graph, Arena *arena)
{
    return choose_all(graph, arena).axis;
}

void layout(Fusion *fusion)
{
    const Graph *graph = fusion->graph;
    Choosing c = choose_all(graph, fusion->arena);
    keep_plain(&c, fusion);
    for (uint32_t id = 1; id < graph->node.count; id++)
        fusion->innermost[id] = (uint8_t)(c.axis[id] + 1);
}

void layout_strides(const Fusion *fusion, Value stored, const Shape *view, int64_t stride[MAX_RANK])
{
    int64_t own[MAX_RANK];
    const Shape *shape = graph_shape(fusion->graph, stored);
    if (!fusion->innermost[stored.id]) {
        shape_strides(view, stride);
        return;
    }
    strides_of(shape, fusion->innermost[stored.id] - 1, own);
    if (!view_strides(shape, own, view, stride)) bug("%%%u cannot be seen like that", stored.id);
}

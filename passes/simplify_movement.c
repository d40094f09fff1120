/* Builders of the movement rows. x is what moves; y the result, as the root states it. */
#include "passes/simplify.h"

#include "ir/graph/build.h"

static const Value none = {0};

static const Shape *shape_of_root(const Match *match)
{
    return &match->graph->shape.at[match->root->shape];
}

static const Shape *shape_of_x(const Match *match)
{
    return graph_shape(match->graph, match->slot[0]);
}

/* The attribute of the root's operand. */
static const Attribute *inner(const Match *match)
{
    return graph_node(match->graph, match->root->argument[0])->attribute;
}

Value reshape_to_same(const Match *match)
{
    return shape_same(shape_of_root(match), shape_of_x(match)) ? match->slot[0] : none;
}

Value reshape_of_reshape(const Match *match)
{
    return ir_reshape(match->graph, match->slot[0], *shape_of_root(match));
}

Value reshape_of_table(const Match *match)
{
    return ir_table(match->graph, match->root->type, *shape_of_root(match), inner(match)->table);
}

/* Whether axes longer than 1 keep their order: then no element moves in memory. */
Value transpose_of_units(const Match *match)
{
    const Axes *axes = &match->root->attribute->axes;
    const Shape *x = shape_of_x(match);
    for (int i = 0, last = -1; i < axes->count; i++) {
        if (x->extent[axes->at[i]] == 1) continue;
        if (axes->at[i] < last) return none;
        last = axes->at[i];
    }
    return ir_reshape(match->graph, match->slot[0], *shape_of_root(match));
}

Value transpose_of_transpose(const Match *match)
{
    const Axes *outer = &match->root->attribute->axes, *first = &inner(match)->axes;
    Axes both = {.count = outer->count};
    for (int i = 0; i < outer->count; i++)
        both.at[i] = first->at[outer->at[i]];
    return ir_transpose(match->graph, match->slot[0], both);
}

/* The small tensor is transposed, if at all, and then broadcast. */
Value transpose_of_broadcast(const Match *match)
{
    const Axes *outer = &match->root->attribute->axes, *broadcast = &inner(match)->axes;
    Axes order = {0}, places = {0};
    for (int i = 0; i < outer->count; i++)
        for (int k = 0; k < broadcast->count; k++)
            if (broadcast->at[k] == outer->at[i]) {
                order.at[order.count++] = (uint8_t)k;
                places.at[places.count++] = (uint8_t)i;
            }
    Value small = ir_transpose(match->graph, match->slot[0], order);
    return ir_broadcast(match->graph, small, places, *shape_of_root(match));
}

/* Only axes of extent 1 are new, or none. */
Value broadcast_by_units(const Match *match)
{
    const Shape *y = shape_of_root(match);
    if (shape_elements(y) != shape_elements(shape_of_x(match))) return none;
    return ir_reshape(match->graph, match->slot[0], *y);
}

Value broadcast_of_broadcast(const Match *match)
{
    const Axes *outer = &match->root->attribute->axes, *first = &inner(match)->axes;
    Axes both = {.count = first->count};
    for (int i = 0; i < first->count; i++)
        both.at[i] = outer->at[first->at[i]];
    return ir_broadcast(match->graph, match->slot[0], both, *shape_of_root(match));
}

Value slice_of_all(const Match *match)
{
    const Slice *slice = &match->root->attribute->slice;
    const Shape *x = shape_of_x(match);
    for (int i = 0; i < x->rank; i++)
        if (slice->start[i] != 0 || slice->extent[i] != x->extent[i] ||
            (slice->stride[i] != 1 && x->extent[i] > 1))
            return none;
    return match->slot[0];
}

Value slice_of_slice(const Match *match)
{
    const Slice *first = &inner(match)->slice;
    Slice both = match->root->attribute->slice;
    for (int i = 0; i < shape_of_root(match)->rank; i++) {
        both.start[i] = first->start[i] + both.start[i] * first->stride[i];
        both.stride[i] *= both.extent[i] > 1 ? first->stride[i] : 1;
    }
    return ir_slice(match->graph, match->slot[0], both);
}

Value slice_of_broadcast(const Match *match)
{
    const Slice *slice = &match->root->attribute->slice;
    const Axes *axes = &inner(match)->axes;
    Slice small = {0};
    for (int i = 0; i < axes->count; i++) {
        small.start[i] = slice->start[axes->at[i]];
        small.stride[i] = slice->stride[axes->at[i]];
        small.extent[i] = slice->extent[axes->at[i]];
    }
    Value x = ir_slice(match->graph, match->slot[0], small);
    return ir_broadcast(match->graph, x, *axes, *shape_of_root(match));
}

/* The slice may be one of a part. */
Value slice_of_transpose(const Match *match)
{
    const Slice *slice = &match->root->attribute->slice;
    const Node *transpose = graph_node(match->graph, match->root->argument[0]);
    const Axes *axes = &transpose->attribute->axes;
    Slice small = {0};
    for (int i = 0; i < axes->count; i++) {
        small.start[axes->at[i]] = slice->start[i];
        small.stride[axes->at[i]] = slice->stride[i];
        small.extent[axes->at[i]] = slice->extent[i];
    }
    return ir_transpose(match->graph, ir_slice(match->graph, transpose->argument[0], small), *axes);
}

/* Only elements are taken that are not padding. */
Value slice_of_pad(const Match *match)
{
    const Pad *pad = &inner(match)->pad;
    const Shape *x = shape_of_x(match);
    Slice slice = match->root->attribute->slice;
    for (int i = 0; i < x->rank; i++) {
        int64_t step = pad->interior[i] + 1, first = slice.start[i] - pad->low[i];
        int64_t last = first + (slice.extent[i] - 1) * slice.stride[i];
        bool strides = slice.stride[i] % step == 0 || slice.extent[i] == 1;
        if (first % step != 0 || !strides) return none;
        if (first < 0 || last < 0 || first / step >= x->extent[i] || last / step >= x->extent[i])
            return none;
        slice.start[i] = first / step;
        slice.stride[i] = slice.extent[i] == 1 ? 1 : slice.stride[i] / step;
    }
    return ir_slice(match->graph, match->slot[0], slice);
}

/* All elements come from one part. */
Value slice_of_concat(const Match *match)
{
    const Node *concat = graph_node(match->graph, match->root->argument[0]);
    int axis = concat->attribute->axis;
    Slice slice = match->root->attribute->slice;
    int64_t first = slice.start[axis];
    int64_t last = first + (slice.extent[axis] - 1) * slice.stride[axis];
    for (uint32_t k = 0; k < concat->argument_count; k++) {
        Value part = concat->argument[k];
        int64_t extent = graph_shape(match->graph, part)->extent[axis];
        if (first >= 0 && first < extent && last >= 0 && last < extent) {
            slice.start[axis] = first;
            return ir_slice(match->graph, part, slice);
        }
        first -= extent, last -= extent;
    }
    return none;
}

Value pad_by_nothing(const Match *match)
{
    return shape_same(shape_of_root(match), shape_of_x(match)) ? match->slot[0] : none;
}

Value pad_of_pad(const Match *match)
{
    const Pad *outer = &match->root->attribute->pad;
    Pad both = inner(match)->pad;
    if (memcmp(&outer->value, &both.value, sizeof both.value) != 0) return none;
    for (int i = 0; i < shape_of_root(match)->rank; i++) {
        if (outer->interior[i]) return none;
        both.low[i] += outer->low[i];
        both.high[i] += outer->high[i];
    }
    return ir_pad(match->graph, match->slot[0], both);
}

static bool is_zero_pad(const Pad *pad, int rank)
{
    for (int i = 0; i < rank; i++)
        if (pad->interior[i]) return false;
    return pad->value == 0;
}

/* The one axis along which `second` begins where `first`, of the given shape, ends, all other padding being equal; or -1. */
static int axis_of_meeting(const Pad *first, const Shape *shape, const Pad *second)
{
    int axis = -1;
    for (int i = 0; i < shape->rank; i++) {
        if (first->low[i] == second->low[i] && first->high[i] == second->high[i]) continue;
        if (axis >= 0 || first->low[i] + shape->extent[i] != second->low[i]) return -1;
        axis = i;
    }
    return axis;
}

static Value join(const Match *match, int first)
{
    const Pad *a = &graph_node(match->graph, match->root->argument[first])->attribute->pad;
    const Pad *b = &graph_node(match->graph, match->root->argument[1 - first])->attribute->pad;
    Value x = match->slot[first], y = match->slot[1 - first];
    const Shape *shape = graph_shape(match->graph, x);
    int axis = axis_of_meeting(a, shape, b);
    if (axis < 0 || !is_zero_pad(a, shape->rank) || !is_zero_pad(b, shape->rank)) return none;

    Pad around = *a;
    around.high[axis] = b->high[axis];
    Value both = ir_concat(match->graph, 2, (Value[]){x, y}, axis);
    return ir_pad(match->graph, both, around);
}

/* Two parts side by side in zeros: what the gradients of slices add up to. */
Value add_of_pads(const Match *match)
{
    Value joined = join(match, 0);
    return joined.id ? joined : join(match, 1);
}

/* Parts without elements do not count. */
Value concat_of_one(const Match *match)
{
    const Node *root = match->root;
    Value *part = arena_array(match->graph->arena, Value, root->argument_count);
    uint32_t count = 0;
    for (uint32_t k = 0; k < root->argument_count; k++)
        if (shape_elements(graph_shape(match->graph, root->argument[k])))
            part[count++] = root->argument[k];
    if (count == 1) return part[0];
    if (count == root->argument_count) return none;
    return ir_concat(match->graph, count, part, root->attribute->axis);
}

static bool is_concat_along(const Graph *graph, Value value, int axis)
{
    const Node *node = graph_node(graph, value);
    return node->op == OP_concat && node->attribute->axis == axis;
}

Value concat_of_concat(const Match *match)
{
    const Node *root = match->root;
    int axis = root->attribute->axis;
    LIST(Value) part = {0};
    for (uint32_t k = 0; k < root->argument_count; k++) {
        Value x = root->argument[k];
        if (!is_concat_along(match->graph, x, axis)) {
            *list_add(match->graph->arena, &part) = x;
            continue;
        }
        const Node *joined = graph_node(match->graph, x);
        for (uint32_t i = 0; i < joined->argument_count; i++)
            *list_add(match->graph->arena, &part) = joined->argument[i];
    }
    if (part.count == root->argument_count) return none;
    return ir_concat(match->graph, part.count, part.at, axis);
}

/* Windows that neither overlap nor leave a gap cut each axis in two, [h] into [h / s, s]: `cut` is that shape and `order`
 * the transpose that takes every s to the end. */
static bool cut_windows(const Windows *windows, const Shape *whole, Shape *cut, Axes *order)
{
    *cut = (Shape){0};
    *order = (Axes){0};
    Axes taps = {0};
    for (int i = 0, w = 0; i < whole->rank; i++) {
        int64_t extent = whole->extent[i];
        order->at[order->count++] = cut->rank;
        if (w == windows->count || windows->at[w].axis != i) {
            cut->extent[cut->rank++] = extent;
            continue;
        }
        int64_t size = windows->at[w].size;
        if (size != windows->at[w].stride || extent % size != 0) return false;
        if (size > 1 && windows->at[w].dilation != 1) return false;
        cut->extent[cut->rank++] = extent / size;
        taps.at[taps.count++] = cut->rank;
        cut->extent[cut->rank++] = size;
        w++;
    }
    for (int i = 0; i < taps.count; i++)
        order->at[order->count++] = taps.at[i];
    return true;
}

Value window_by_reshape(const Match *match)
{
    Shape cut;
    Axes order;
    if (!cut_windows(&match->root->attribute->windows, shape_of_x(match), &cut, &order))
        return none;
    Value x = ir_reshape(match->graph, match->slot[0], cut);
    return ir_transpose(match->graph, x, order);
}

Value fold_by_reshape(const Match *match)
{
    Shape cut;
    Axes order, back;
    if (!cut_windows(&match->root->attribute->windows, shape_of_root(match), &cut, &order))
        return none;
    back.count = order.count;
    for (int i = 0; i < order.count; i++)
        back.at[order.at[i]] = (uint8_t)i;
    Value x = ir_transpose(match->graph, match->slot[0], back);
    return ir_reshape(match->graph, x, *shape_of_root(match));
}

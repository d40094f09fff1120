/* grad_NAME for the ops that move, reduce, contract and index.  They come in pairs, each the other's adjoint: broadcast and
 * sum, slice and pad, window and fold, gather and scatter; dot and conv are adjoint to themselves. */
#include "passes/autodiff.h"

#include "ir/graph/build.h"

static Value operand(const Autodiff *d, Value y)
{
    return graph_argument(d->graph, y, 0);
}

static const Attribute *attribute(const Autodiff *d, Value y)
{
    return graph_node(d->graph, y)->attribute;
}

void grad_reshape(Autodiff *d, Value y, Value dy)
{
    Value x = operand(d, y);
    flow(d, x, ir_reshape(d->graph, dy, *graph_shape(d->graph, x)));
}

void grad_transpose(Autodiff *d, Value y, Value dy)
{
    const Axes *axes = &attribute(d, y)->axes;
    Axes back = {.count = axes->count};
    for (int i = 0; i < axes->count; i++)
        back.at[axes->at[i]] = (uint8_t)i;
    flow(d, operand(d, y), ir_transpose(d->graph, dy, back));
}

void grad_broadcast(Autodiff *d, Value y, Value dy)
{
    Axes added = axes_other(attribute(d, y)->axes, graph_shape(d->graph, y)->rank);
    flow(d, operand(d, y), ir_sum(d->graph, dy, added));
}

/* dy with every axis reversed along which the slice went backwards. */
static Value forwards(Graph *graph, Value dy, const Slice *slice)
{
    const Shape *shape = graph_shape(graph, dy);
    Slice turn = {0};
    for (int i = 0; i < shape->rank; i++) {
        bool is_reversed = slice->stride[i] < 0;
        turn.extent[i] = shape->extent[i];
        turn.stride[i] = is_reversed ? -1 : 1;
        turn.start[i] = is_reversed ? shape->extent[i] - 1 : 0;
    }
    return ir_slice(graph, dy, turn);
}

void grad_slice(Autodiff *d, Value y, Value dy)
{
    Value x = operand(d, y);
    const Shape *shape = graph_shape(d->graph, x);
    const Slice *slice = &attribute(d, y)->slice;
    if (!shape_elements(graph_shape(d->graph, y))) return; /* nothing was taken */

    Pad pad = {0};
    for (int i = 0; i < shape->rank; i++) {
        int64_t way = (slice->extent[i] - 1) * slice->stride[i];
        int64_t first = way < 0 ? slice->start[i] + way : slice->start[i];
        int64_t last = way < 0 ? slice->start[i] : slice->start[i] + way;
        pad.low[i] = first;
        pad.high[i] = shape->extent[i] - 1 - last;
        pad.interior[i] = (slice->stride[i] < 0 ? -slice->stride[i] : slice->stride[i]) - 1;
    }
    Value turned = forwards(d->graph, dy, slice);
    flow(d, x, ir_pad(d->graph, turned, pad));
}

void grad_pad(Autodiff *d, Value y, Value dy)
{
    Value x = operand(d, y);
    const Shape *shape = graph_shape(d->graph, x);
    const Pad *pad = &attribute(d, y)->pad;
    Slice slice = {0};
    for (int i = 0; i < shape->rank; i++) {
        slice.start[i] = pad->low[i];
        slice.stride[i] = pad->interior[i] + 1;
        slice.extent[i] = shape->extent[i];
    }
    flow(d, x, ir_slice(d->graph, dy, slice));
}

void grad_concat(Autodiff *d, Value y, Value dy)
{
    int axis = attribute(d, y)->axis;
    uint32_t count = graph_node(d->graph, y)->argument_count;
    int64_t start = 0;
    for (uint32_t k = 0; k < count; k++) {
        Value x = graph_argument(d->graph, y, (int)k);
        Shape shape = *graph_shape(d->graph, x);
        Slice slice = {0};
        for (int i = 0; i < shape.rank; i++) {
            slice.start[i] = i == axis ? start : 0;
            slice.stride[i] = 1;
            slice.extent[i] = shape.extent[i];
        }
        start += shape.extent[axis];
        flow(d, x, ir_slice(d->graph, dy, slice));
    }
}

void grad_window(Autodiff *d, Value y, Value dy)
{
    Value x = operand(d, y);
    flow(d, x, ir_fold(d->graph, dy, attribute(d, y)->windows, *graph_shape(d->graph, x)));
}

void grad_fold(Autodiff *d, Value y, Value dy)
{
    flow(d, operand(d, y), ir_window(d->graph, dy, attribute(d, y)->windows));
}

/* A reduction's result, or its adjoint, back at every element that went into it. */
static Value spread(Graph *graph, Value reduced, Axes axes, const Shape *shape)
{
    return ir_broadcast(graph, reduced, axes_other(axes, shape->rank), *shape);
}

void grad_sum(Autodiff *d, Value y, Value dy)
{
    Value x = operand(d, y);
    flow(d, x, spread(d->graph, dy, attribute(d, y)->axes, graph_shape(d->graph, x)));
}

/* Numbers the elements that are reduced to one, the first highest and the last 1: the first of some has the largest
 * number. */
static Value backwards(Graph *graph, Axes axes, const Shape *shape, int64_t *count)
{
    *count = 1;
    for (int i = 0; i < axes.count; i++)
        *count *= shape->extent[axes.at[i]];
    Value number = ir_constant(graph, TYPE_i32, *shape, (double)*count);
    int64_t stride = 1;
    for (int i = axes.count; i-- > 0;) {
        Value at = ir_iota(graph, TYPE_i32, *shape, axes.at[i]);
        Value step = ir_like(graph, at, (double)stride);
        Value steps = ir_mul(graph, at, step);
        number = ir_sub(graph, number, steps);
        stride *= shape->extent[axes.at[i]];
    }
    return number;
}

/* Windows of pooling need a byte, where numbers are stored; they are computed in words, as wide as what is compared. */
static Value stored_number(Graph *graph, Value number, int64_t count)
{
    return ir_cast(graph, number, count <= UINT8_MAX ? TYPE_u8 : TYPE_i32);
}

/* All flows to the first of the elements that are the maximum, as in PyTorch's pooling. */
void grad_reduce_max(Autodiff *d, Value y, Value dy)
{
    Graph *graph = d->graph;
    Value x = operand(d, y);
    Shape shape = *graph_shape(graph, x);
    Axes axes = attribute(d, y)->axes;

    Value maximum = spread(graph, y, axes, &shape);
    Value wins = ir_equal(graph, x, maximum);
    int64_t count;
    Value number = backwards(graph, axes, &shape, &count);
    Value none = ir_like(graph, number, 0);
    Value winner = ir_select(graph, wins, number, none);
    Value first = stored_number(graph, ir_reduce_max(graph, winner, axes), count);
    Value chosen =
        ir_equal(graph, stored_number(graph, number, count), spread(graph, first, axes, &shape));
    Value zero = ir_like(graph, x, 0);
    flow(d, x, ir_select(graph, chosen, spread(graph, dy, axes, &shape), zero));
}

static Indices exchanged(const Indices *indices, const char *a, const char *b, const char *y)
{
    Indices result = *indices;
    memmove(result.a, a, sizeof result.a);
    memmove(result.b, b, sizeof result.b);
    memmove(result.y, y, sizeof result.y);
    return result;
}

/* The contraction that gives the adjoint of one operand, of shape and type `like`. Narrow operands are multiplied as
 * they are and summed in the wider type, so the adjoint is narrowed on the way in and on the way out. */
static Value contract(Graph *graph, Op op, Value dy, Value other, const Indices *indices,
                      Value like)
{
    Type type = graph_type(graph, like);
    Value narrow = ir_cast(graph, dy, type);
    Value dx = op == OP_dot ? ir_dot(graph, narrow, other, *indices)
                            : ir_conv(graph, narrow, other, *indices, *graph_shape(graph, like));
    return ir_cast(graph, dx, type);
}

/* Y[y] = sum of A[a] B[b].  Differentiating only exchanges the roles of the three index lists, and windows tie letters
 * whichever list they are in: dot and conv are closed under it, and no gradient ever asks for a transpose in memory. */
static void grad_contraction(Autodiff *d, Value y, Value dy)
{
    Op op = graph_node(d->graph, y)->op;
    Value a = operand(d, y), b = graph_argument(d->graph, y, 1);
    const Indices *i = &attribute(d, y)->indices;

    Indices by_a = exchanged(i, i->y, i->b, i->a);
    Indices by_b = exchanged(i, i->y, i->a, i->b);
    flow(d, a, contract(d->graph, op, dy, b, &by_a, a));
    flow(d, b, contract(d->graph, op, dy, a, &by_b, b));
}

void grad_dot(Autodiff *d, Value y, Value dy)
{
    grad_contraction(d, y, dy);
}

void grad_conv(Autodiff *d, Value y, Value dy)
{
    grad_contraction(d, y, dy);
}

void grad_gather(Autodiff *d, Value y, Value dy)
{
    Value x = operand(d, y), index = graph_argument(d->graph, y, 1);
    Shape shape = *graph_shape(d->graph, x);
    flow(d, x, ir_scatter(d->graph, dy, index, attribute(d, y)->axis, shape));
}

void grad_scatter(Autodiff *d, Value y, Value dy)
{
    Value index = graph_argument(d->graph, y, 1);
    flow(d, operand(d, y), ir_gather(d->graph, dy, index, attribute(d, y)->axis));
}

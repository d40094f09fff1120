/* The scalar that each op computes at an index: one short function an op that is not elementwise.  Movement only turns the
 * index of the result into one of the operand. */
#include "passes/lower_rules.h"
#include "ir/base/boundary.h"
#include <math.h>

typedef Scalar LowerRule(Lower *l, Value y, uint32_t at);

static Value arg(const Lower *l, Value y, int i)
{
    return graph_argument(l->graph, y, i);
}

static const Attribute *attribute(const Lower *l, Value y)
{
    return graph_node(l->graph, y)->attribute;
}

/* -- elementwise ---------------------------------------------------------------------------------------- */

static const ScalarOp scalar_of[OP_COUNT] = {
#define UNARY(name, ...)  [OP_##name] = SCALAR_##name,
#define BINARY(name, ...) [OP_##name] = SCALAR_##name,
#define OP(...)
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
    [OP_select] = SCALAR_select,
    [OP_cast] = SCALAR_cast,
};

static Scalar lower_elementwise(Lower *l, Value y, uint32_t at)
{
    const Node *node = graph_node(l->graph, y);
    Scalar argument[3] = {0};
    for (uint32_t i = 0; i < node->argument_count; i++)
        argument[i] = value_at(l, node->argument[i], at);
    l->flops += shape_elements(graph_shape(l->graph, y));
    return kernel_apply(l->kernel, scalar_of[node->op], node->type, argument);
}

static Scalar lower_select(Lower *l, Value y, uint32_t at)
{
    return lower_elementwise(l, y, at);
}

static Scalar lower_cast(Lower *l, Value y, uint32_t at)
{
    return lower_elementwise(l, y, at);
}

static Scalar never(Lower *l, Value y)
{
    bug("%s %%%u reached the lowering", op_info[graph_node(l->graph, y)->op].name, y.id);
}

static Scalar lower_stop(Lower *l, Value y, uint32_t at)
{
    return value_at(l, arg(l, y, 0), at);
}

/* -- leaves --------------------------------------------------------------------------------------------- */

static Scalar lower_constant(Lower *l, Value y, uint32_t at)
{
    (void)at;
    return lower_number(l, graph_type(l->graph, y), attribute(l, y)->number);
}

static Scalar lower_iota(Lower *l, Value y, uint32_t at)
{
    Coordinate along = l->index.at[at].at[attribute(l, y)->axis];
    Scalar value = coordinate_scalar(l, &along);
    return kernel_apply(l->kernel, SCALAR_cast, graph_type(l->graph, y), &value);
}

static Scalar lower_table(Lower *l, Value y, uint32_t at)
{
    (void)at;
    return never(l, y);
}

static Scalar lower_input(Lower *l, Value y, uint32_t at)
{
    (void)at;
    return never(l, y);
}

static Scalar lower_read(Lower *l, Value y, uint32_t at)
{
    (void)at;
    return never(l, y);
}

static Scalar lower_gradient(Lower *l, Value y, uint32_t at)
{
    (void)at;
    return never(l, y);
}

/* The element's number is its row-major place in the random tensor, wherever it is read. */
static Scalar lower_uniform(Lower *l, Value y, uint32_t at)
{
    const Shape *shape = graph_shape(l->graph, y);
    Index index = l->index.at[at];
    if (shape_elements(shape) > INT32_MAX) bug("a random tensor of over 2^31 elements");

    Affine element = affine_constant(0);
    for (uint32_t d = 0; d < index.rank; d++) {
        if (!coordinate_is_plain(&index.at[d])) lower_want_store(l, y);
        element = affine_add(affine_scale(element, shape->extent[d]), index.at[d].affine);
    }
    uint32_t scalar = index_intern(l, &(Index){0});
    Scalar seed = value_at(l, arg(l, y, 0), scalar);
    Scalar step = value_at(l, arg(l, y, 1), scalar);
    Scalar stream = value_at(l, arg(l, y, 2), scalar);
    Scalar number = kernel_index(l->kernel, element);
    l->flops += shape_elements(shape);
    return kernel_apply(l->kernel, SCALAR_uniform, TYPE_f32,
                        (Scalar[]){seed, step, stream, number});
}

/* -- movement ------------------------------------------------------------------------------------------- */

static Scalar lower_reshape(Lower *l, Value y, uint32_t at)
{
    (void)at;
    return never(l, y);
}

static Scalar lower_transpose(Lower *l, Value y, uint32_t at)
{
    Axes axes = attribute(l, y)->axes;
    Index index = l->index.at[at], inner = {.rank = index.rank};
    for (uint32_t d = 0; d < index.rank; d++)
        inner.at[axes.at[d]] = index.at[d];
    return value_at(l, arg(l, y, 0), index_intern(l, &inner));
}

static Scalar lower_broadcast(Lower *l, Value y, uint32_t at)
{
    Axes axes = attribute(l, y)->axes;
    Index index = l->index.at[at], inner = {.rank = axes.count};
    const Shape *shape = graph_shape(l->graph, arg(l, y, 0));
    for (uint32_t d = 0; d < axes.count; d++)
        inner.at[d] = shape->extent[d] == 1 ? coordinate_constant(0) : index.at[axes.at[d]];
    return value_at(l, arg(l, y, 0), index_intern(l, &inner));
}

static Scalar lower_slice(Lower *l, Value y, uint32_t at)
{
    const Slice *slice = &attribute(l, y)->slice;
    Index index = l->index.at[at];
    for (uint32_t d = 0; d < index.rank; d++)
        index.at[d] = coordinate_move(l, &index.at[d], slice->stride[d], slice->start[d]);
    return value_at(l, arg(l, y, 0), index_intern(l, &index));
}

static Scalar lower_pad(Lower *l, Value y, uint32_t at)
{
    const Pad *pad = &attribute(l, y)->pad;
    Value x = arg(l, y, 0);
    Type type = graph_type(l->graph, y);
    const Shape *shape = graph_shape(l->graph, x);
    Scalar fill = lower_number(l, type, pad->value);
    if (shape_elements(shape) == 0) return fill;

    Index index = l->index.at[at];
    for (uint32_t d = 0; d < index.rank; d++) {
        Coordinate moved = coordinate_move(l, &index.at[d], 1, -pad->low[d]);
        index.at[d] = coordinate_divide(&moved, pad->interior[d] + 1);
    }
    uint32_t inner = index_intern(l, &index);
    if (pad->value == 0 && !signbit(pad->value)) return value_or_zero(l, x, inner);

    for (uint32_t d = 0; d < index.rank; d++) {
        index.at[d].extent = shape->extent[d];
        index.at[d].guarded = true;
    }
    Scalar inside = kernel_inside(l->kernel, index.rank, index.at);
    Scalar value = value_at(l, x, inner);
    return kernel_apply(l->kernel, SCALAR_select, type, (Scalar[]){inside, value, fill});
}

/* Range of a coordinate whose piece is known before anything runs. */
static bool lies_within(const Lower *l, const Coordinate *at, int64_t begin, int64_t end)
{
    int64_t least, greatest;
    if (!coordinate_is_plain(at)) return false;
    affine_range(l->kernel, &at->affine, &least, &greatest);
    return least >= begin && greatest < end;
}

static Scalar lower_concat(Lower *l, Value y, uint32_t at)
{
    const Node *node = graph_node(l->graph, y);
    int axis = node->attribute->axis;
    Index index = l->index.at[at];
    Coordinate along = index.at[axis];
    int64_t end = graph_shape(l->graph, y)->extent[axis];
    Scalar result = {0};

    for (uint32_t i = node->argument_count; i-- > 0;) {
        int64_t begin = end - graph_shape(l->graph, node->argument[i])->extent[axis];
        bool whole = lies_within(l, &along, begin, end);
        if (begin == end || (!whole && lies_within(l, &along, end, INT64_MAX))) {
            end = begin;
            continue;
        }
        index.at[axis] = coordinate_move(l, &along, 1, -begin);
        Scalar piece = value_at(l, node->argument[i], index_intern(l, &index));
        if (whole) return piece;
        if (result.id) {
            Scalar here = coordinate_scalar(l, &along);
            Scalar limit = lower_number(l, TYPE_i32, (double)end);
            here = kernel_apply(l->kernel, SCALAR_less, TYPE_bool, (Scalar[]){here, limit});
            piece =
                kernel_apply(l->kernel, SCALAR_select, node->type, (Scalar[]){here, piece, result});
        }
        result = piece;
        end = begin;
    }
    /* Beyond the last piece: read under a guard that does not hold. */
    return result.id ? result : lower_number(l, node->type, 0);
}

/* [.., h, ..] -> [.., o, .., k] with h = o * stride + k * dilation */
static Scalar lower_window(Lower *l, Value y, uint32_t at)
{
    const Windows *windows = &attribute(l, y)->windows;
    Index index = l->index.at[at], inner = index;
    inner.rank = index.rank - windows->count;
    for (uint32_t w = 0; w < windows->count; w++) {
        uint32_t axis = windows->at[w].axis;
        Coordinate *o = &index.at[axis], *k = &index.at[inner.rank + w];
        if (!coordinate_is_plain(o) || !coordinate_is_plain(k)) {
            lower_want_store(l, y);
            return lower_number(l, graph_type(l->graph, y), 0);
        }
        Coordinate stride = coordinate_move(l, o, windows->at[w].stride, 0);
        Coordinate tap = coordinate_move(l, k, windows->at[w].dilation, 0);
        inner.at[axis].affine = affine_add(stride.affine, tap.affine);
    }
    for (uint32_t d = inner.rank; d < MAX_RANK; d++)
        inner.at[d] = (Coordinate){0};
    return value_at(l, arg(l, y, 0), index_intern(l, &inner));
}

/* -- reductions ----------------------------------------------------------------------------------------- */

static double lowest(Type type)
{
    switch (type) {
    case TYPE_i64: return -0x1p63;
    case TYPE_i32: return INT32_MIN;
    case TYPE_i8: return INT8_MIN;
    case TYPE_f32:
    case TYPE_bf16:
    case TYPE_f16: return -INFINITY;
    case TYPE_u32:
    case TYPE_u8:
    case TYPE_bool:
    case TYPE_none:
    case TYPE_COUNT: break;
    }
    return 0;
}

/* Small floats are added in f32 and rounded once. */
static Scalar reduce(Lower *l, ReduceOp op, uint32_t axes, Scalar body)
{
    Type type = l->kernel->scalar.at[body.id].type;
    bool wide = op == REDUCE_add && (type == TYPE_bf16 || type == TYPE_f16);
    if (!axes) return body;
    if (wide) body = kernel_apply(l->kernel, SCALAR_cast, TYPE_f32, &body);
    body = kernel_reduce(l->kernel, op, axes, body);
    return wide ? kernel_apply(l->kernel, SCALAR_cast, type, &body) : body;
}

static Scalar lower_reduce(Lower *l, Value y, uint32_t at, ReduceOp op, double empty)
{
    Axes reduced = attribute(l, y)->axes;
    Value x = arg(l, y, 0);
    const Shape *shape = graph_shape(l->graph, x);
    if (shape_elements(shape) == 0) return lower_number(l, graph_type(l->graph, y), empty);
    Index outer = l->index.at[at], index = {.rank = shape->rank};
    uint32_t used = index_axes(l, &outer), axes = 0, next = 0, rest = 0;
    bool reduces = shape_elements(shape) != shape_elements(graph_shape(l->graph, y));
    if (reduces && !lower_can_reduce(l, y, used, reduced.count))
        return lower_number(l, graph_type(l->graph, y), 0);
    for (uint32_t d = 0; d < shape->rank; d++) {
        if (next < reduced.count && reduced.at[next] == d) {
            index.at[d] = index_reduction(l, shape->extent[d], used, &axes);
            next++;
        } else {
            index.at[d] = outer.at[rest++];
        }
    }
    l->flops += shape_elements(shape);
    l->main = l->main.id ? l->main : y;
    Scalar body = value_at(l, x, index_intern(l, &index));
    return l->outcome ? body : reduce(l, op, axes, body);
}

static Scalar lower_sum(Lower *l, Value y, uint32_t at)
{
    return lower_reduce(l, y, at, REDUCE_add, 0);
}

static Scalar lower_reduce_max(Lower *l, Value y, uint32_t at)
{
    return lower_reduce(l, y, at, REDUCE_max, lowest(graph_type(l->graph, y)));
}

/* -- indexing ------------------------------------------------------------------------------------------- */

static Scalar lower_gather(Lower *l, Value y, uint32_t at)
{
    Value x = arg(l, y, 0), positions = arg(l, y, 1);
    uint32_t axis = (uint32_t)attribute(l, y)->axis;
    Index index = l->index.at[at];
    Index position = {.rank = graph_shape(l->graph, positions)->rank};
    Index inner = {.rank = graph_shape(l->graph, x)->rank};

    for (uint32_t d = 0; d < position.rank; d++)
        position.at[d] = index.at[axis + d];
    Scalar where = value_at(l, positions, index_intern(l, &position));
    where = kernel_apply(l->kernel, SCALAR_cast, TYPE_i32, &where);
    for (uint32_t d = 0; d < inner.rank; d++)
        if (d != axis) inner.at[d] = d < axis ? index.at[d] : index.at[d + position.rank - 1];
    inner.at[axis] = (Coordinate){.dynamic = where, .divisor = 1};
    return value_or_zero(l, x, index_intern(l, &inner));
}

static Scalar lower_scatter(Lower *l, Value y, uint32_t at)
{
    (void)at;
    return never(l, y);
}

/* -- the table ------------------------------------------------------------------------------------------ */

static LowerRule *const rule_of[OP_COUNT] = {
#define UNARY(name, ...)  [OP_##name] = lower_elementwise,
#define BINARY(name, ...) [OP_##name] = lower_elementwise,
#define OP(name, ...)     [OP_##name] = lower_##name,
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
};

Scalar lower_rule(Lower *l, Value y, uint32_t at)
{
    return rule_of[graph_node(l->graph, y)->op](l, y, at);
}

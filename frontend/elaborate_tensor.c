/* One node at a time, checked: a shape rule that does not hold becomes a report at the expression being elaborated,
 * with the operands' types in full. */
#include "frontend/elaborate.h"

Datum tensor_datum(Value value)
{
    if (!value.id) return POISON;
    return (Datum){.kind = DATUM_tensor, .value = value};
}

const Shape *tensor_shape(const Elaborator *e, Value x)
{
    return graph_shape(e->graph, x);
}

Type tensor_type(const Elaborator *e, Value x)
{
    return graph_type(e->graph, x);
}

static void refuse(Elaborator *e, Op op, int count, const Value *argument, const char *why)
{
    Text text = {.arena = e->arena};
    const Value *shown = e->shown ? e->shown : argument;
    int n = e->shown ? e->shown_count : count;
    for (int i = 0; i < n && i < 4; i++)
        text_add(&text, "%s%s",
                 i == 0       ? " of "
                 : i == n - 1 ? " and "
                              : ", ",
                 elaborate_type(e, shown[i]));
    const char *doing = e->doing ? e->doing : op_info[op].name;
    elaborate_error(e, e->at, "`%s`%s: %s", doing, text_done(&text), why);
}

#define MAX_NODES 4000000

Value tensor_add(Elaborator *e, Op op, int count, const Value *argument, const Attribute *attribute,
                 const TypedShape *given)
{
    for (int i = 0; i < count; i++)
        if (!argument[i].id) return (Value){0};
    if (e->graph->node.count > MAX_NODES) {
        if (!e->exhausted)
            elaborate_error(e, e->at, "the model has more than %d operations", MAX_NODES);
        e->exhausted = true;
        return (Value){0};
    }

    TypedShape *types = arena_array(e->arena, TypedShape, count);
    for (int i = 0; i < count; i++)
        types[i] = (TypedShape){tensor_type(e, argument[i]), *tensor_shape(e, argument[i])};
    TypedShape result;
    const char *why = shape_infer(op, (uint32_t)count, types, attribute, given, e->arena, &result);
    if (why) {
        refuse(e, op, count, argument, why);
        return (Value){0};
    }
    return graph_add(e->graph, op, (uint32_t)count, argument, attribute, given);
}

Value tensor_unary(Elaborator *e, Op op, Value x)
{
    return tensor_add(e, op, 1, &x, NULL, NULL);
}

Value tensor_binary(Elaborator *e, Op op, Value x, Value y)
{
    return tensor_add(e, op, 2, (Value[]){x, y}, NULL, NULL);
}

Value tensor_constant(Elaborator *e, Type type, Shape shape, double number)
{
    return tensor_add(e, OP_constant, 0, NULL, &(Attribute){.number = number},
                      &(TypedShape){type, shape});
}

Value tensor_like(Elaborator *e, Value x, double number)
{
    if (!x.id) return x;
    return tensor_constant(e, tensor_type(e, x), *tensor_shape(e, x), number);
}

Value tensor_with(Elaborator *e, Op op, Value x, double number)
{
    Value y = tensor_like(e, x, number);
    return tensor_binary(e, op, x, y);
}

Value tensor_cast(Elaborator *e, Value x, Type type)
{
    if (!x.id || tensor_type(e, x) == type) return x;
    TypedShape given = {type, *tensor_shape(e, x)};
    return tensor_add(e, OP_cast, 1, &x, NULL, &given);
}

Value tensor_select(Elaborator *e, Value condition, Value then, Value otherwise)
{
    return tensor_add(e, OP_select, 3, (Value[]){condition, then, otherwise}, NULL, NULL);
}

Value tensor_iota(Elaborator *e, Type type, Shape shape, int axis)
{
    return tensor_add(e, OP_iota, 0, NULL, &(Attribute){.axis = axis}, &(TypedShape){type, shape});
}

Value tensor_reshape(Elaborator *e, Value x, Shape shape)
{
    if (!x.id || shape_same(tensor_shape(e, x), &shape)) return x;
    TypedShape given = {tensor_type(e, x), shape};
    return tensor_add(e, OP_reshape, 1, &x, NULL, &given);
}

Value tensor_transpose(Elaborator *e, Value x, Axes axes)
{
    bool moved = false;
    for (int i = 0; i < axes.count; i++)
        moved = moved || axes.at[i] != i;
    return moved ? tensor_add(e, OP_transpose, 1, &x, &(Attribute){.axes = axes}, NULL) : x;
}

Value tensor_broadcast(Elaborator *e, Value x, Shape shape)
{
    if (!x.id || shape_same(tensor_shape(e, x), &shape)) return x;

    Shape from = *tensor_shape(e, x), kept = {0};
    double number;
    if (graph_is_number(e->graph, x, &number))
        return tensor_constant(e, tensor_type(e, x), shape, number);

    Axes axes = {0};
    for (int i = 0; i < from.rank; i++) {
        int to = i + shape.rank - from.rank;
        if (from.extent[i] == 1 && (to < 0 || shape.extent[to] != 1)) continue;
        axes.at[axes.count++] = (uint8_t)to;
        kept.extent[kept.rank++] = from.extent[i];
    }
    x = tensor_reshape(e, x, kept);
    if (shape_same(&kept, &shape)) return x;
    if (!x.id) return x;
    TypedShape given = {tensor_type(e, x), shape};
    return tensor_add(e, OP_broadcast, 1, &x, &(Attribute){.axes = axes}, &given);
}

Value tensor_slice(Elaborator *e, Value x, const Slice *slice)
{
    return tensor_add(e, OP_slice, 1, &x, &(Attribute){.slice = *slice}, NULL);
}

Value tensor_pad(Elaborator *e, Value x, const Pad *pad)
{
    return tensor_add(e, OP_pad, 1, &x, &(Attribute){.pad = *pad}, NULL);
}

Value tensor_concat(Elaborator *e, uint32_t count, const Value *x, int axis)
{
    return count == 1 ? x[0]
                      : tensor_add(e, OP_concat, (int)count, x, &(Attribute){.axis = axis}, NULL);
}

Value tensor_window(Elaborator *e, Value x, const Windows *windows)
{
    return tensor_add(e, OP_window, 1, &x, &(Attribute){.windows = *windows}, NULL);
}

Value tensor_reduce(Elaborator *e, Op op, Value x, Axes axes)
{
    return axes.count ? tensor_add(e, op, 1, &x, &(Attribute){.axes = axes}, NULL) : x;
}

Value tensor_dot(Elaborator *e, Value a, Value b, const Indices *indices)
{
    return tensor_add(e, OP_dot, 2, (Value[]){a, b}, &(Attribute){.indices = *indices}, NULL);
}

Value tensor_conv(Elaborator *e, Value a, Value b, const Indices *indices, Shape shape)
{
    if (!a.id || !b.id) return (Value){0};
    TypedShape given = {tensor_type(e, a), shape};
    return tensor_add(e, OP_conv, 2, (Value[]){a, b}, &(Attribute){.indices = *indices}, &given);
}

Value tensor_gather(Elaborator *e, Value x, Value index, int axis)
{
    return tensor_add(e, OP_gather, 2, (Value[]){x, index}, &(Attribute){.axis = axis}, NULL);
}

Value tensor_state(Elaborator *e, Name name, Type type, Shape shape)
{
    return tensor_add(e, OP_read, 0, NULL, &(Attribute){.name = name}, &(TypedShape){type, shape});
}

Value tensor_gradient(Elaborator *e, Value y, Value x)
{
    return tensor_add(e, OP_gradient, 2, (Value[]){y, x}, NULL, NULL);
}

Shape shape_insert(Shape shape, int axis, int64_t extent)
{
    for (int i = shape.rank; i > axis; i--)
        shape.extent[i] = shape.extent[i - 1];
    shape.extent[axis] = extent;
    shape.rank++;
    return shape;
}

Shape shape_remove(Shape shape, int axis)
{
    shape.rank--;
    for (int i = axis; i < shape.rank; i++)
        shape.extent[i] = shape.extent[i + 1];
    shape.extent[shape.rank] = 0;
    return shape;
}

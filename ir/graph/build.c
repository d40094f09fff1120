#include "ir/graph/build.h"

#define UNARY(name, ...)                                                                           \
    Value ir_##name(Graph *graph, Value x)                                                         \
    {                                                                                              \
        return graph_add(graph, OP_##name, 1, &x, NULL, NULL);                                     \
    }
#define BINARY(name, ...)                                                                          \
    Value ir_##name(Graph *graph, Value x, Value y)                                                \
    {                                                                                              \
        return graph_add(graph, OP_##name, 2, (Value[]){x, y}, NULL, NULL);                        \
    }
#define OP(...)
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP

Value ir_select(Graph *graph, Value condition, Value then, Value otherwise)
{
    return graph_add(graph, OP_select, 3, (Value[]){condition, then, otherwise}, NULL, NULL);
}

Value ir_cast(Graph *graph, Value x, Type type)
{
    if (graph_type(graph, x) == type) return x;
    return graph_add(graph, OP_cast, 1, &x, NULL, &(TypedShape){.type = type});
}

Value ir_stop(Graph *graph, Value x)
{
    return graph_add(graph, OP_stop, 1, &x, NULL, NULL);
}

Value ir_constant(Graph *graph, Type type, Shape shape, double number)
{
    return graph_add(graph, OP_constant, 0, NULL, &(Attribute){.number = number},
                     &(TypedShape){type, shape});
}

Value ir_like(Graph *graph, Value x, double number)
{
    return ir_constant(graph, graph_type(graph, x), *graph_shape(graph, x), number);
}

Value ir_table(Graph *graph, Type type, Shape shape, Table table)
{
    return graph_add(graph, OP_table, 0, NULL, &(Attribute){.table = table},
                     &(TypedShape){type, shape});
}

Value ir_iota(Graph *graph, Type type, Shape shape, int axis)
{
    return graph_add(graph, OP_iota, 0, NULL, &(Attribute){.axis = axis},
                     &(TypedShape){type, shape});
}

Value ir_input(Graph *graph, Name name, Type type, Shape shape)
{
    return graph_add(graph, OP_input, 0, NULL, &(Attribute){.name = name},
                     &(TypedShape){type, shape});
}

Value ir_read(Graph *graph, Name state, Type type, Shape shape)
{
    return graph_add(graph, OP_read, 0, NULL, &(Attribute){.name = state},
                     &(TypedShape){type, shape});
}

Value ir_uniform(Graph *graph, Value seed, Value step, uint32_t stream, Shape shape)
{
    const double number = stream;
    Value of_stream = ir_table(graph, TYPE_u32, (Shape){0}, (Table){1, &number});
    return graph_add(graph, OP_uniform, 3, (Value[]){seed, step, of_stream}, NULL,
                     &(TypedShape){TYPE_f32, shape});
}

Value ir_reshape(Graph *graph, Value x, Shape shape)
{
    return graph_add(graph, OP_reshape, 1, &x, NULL, &(TypedShape){.shape = shape});
}

Value ir_transpose(Graph *graph, Value x, Axes axes)
{
    return graph_add(graph, OP_transpose, 1, &x, &(Attribute){.axes = axes}, NULL);
}

Value ir_broadcast(Graph *graph, Value x, Axes axes, Shape shape)
{
    return graph_add(graph, OP_broadcast, 1, &x, &(Attribute){.axes = axes},
                     &(TypedShape){.shape = shape});
}

Value ir_slice(Graph *graph, Value x, Slice slice)
{
    return graph_add(graph, OP_slice, 1, &x, &(Attribute){.slice = slice}, NULL);
}

Value ir_pad(Graph *graph, Value x, Pad pad)
{
    return graph_add(graph, OP_pad, 1, &x, &(Attribute){.pad = pad}, NULL);
}

Value ir_concat(Graph *graph, uint32_t count, const Value *x, int axis)
{
    return graph_add(graph, OP_concat, count, x, &(Attribute){.axis = axis}, NULL);
}

Value ir_window(Graph *graph, Value x, Windows windows)
{
    return graph_add(graph, OP_window, 1, &x, &(Attribute){.windows = windows}, NULL);
}

Value ir_fold(Graph *graph, Value x, Windows windows, Shape shape)
{
    return graph_add(graph, OP_fold, 1, &x, &(Attribute){.windows = windows},
                     &(TypedShape){.shape = shape});
}

Value ir_sum(Graph *graph, Value x, Axes axes)
{
    return graph_add(graph, OP_sum, 1, &x, &(Attribute){.axes = axes}, NULL);
}

Value ir_reduce_max(Graph *graph, Value x, Axes axes)
{
    return graph_add(graph, OP_reduce_max, 1, &x, &(Attribute){.axes = axes}, NULL);
}

Value ir_dot(Graph *graph, Value a, Value b, Indices indices)
{
    return graph_add(graph, OP_dot, 2, (Value[]){a, b}, &(Attribute){.indices = indices}, NULL);
}

Value ir_conv(Graph *graph, Value a, Value b, Indices indices, Shape shape)
{
    return graph_add(graph, OP_conv, 2, (Value[]){a, b}, &(Attribute){.indices = indices},
                     &(TypedShape){.shape = shape});
}

Value ir_gather(Graph *graph, Value x, Value index, int axis)
{
    return graph_add(graph, OP_gather, 2, (Value[]){x, index}, &(Attribute){.axis = axis}, NULL);
}

Value ir_scatter(Graph *graph, Value updates, Value index, int axis, Shape shape)
{
    return graph_add(graph, OP_scatter, 2, (Value[]){updates, index}, &(Attribute){.axis = axis},
                     &(TypedShape){.shape = shape});
}

Value ir_gradient(Graph *graph, Value y, Value x)
{
    return graph_add(graph, OP_gradient, 2, (Value[]){y, x}, NULL, NULL);
}

Axes axes_range(int first, int count)
{
    Axes axes = {.count = (uint8_t)count};
    for (int i = 0; i < count; i++)
        axes.at[i] = (uint8_t)(first + i);
    return axes;
}

Axes axes_other(Axes axes, int rank)
{
    bool named[MAX_RANK] = {0};
    for (int i = 0; i < axes.count; i++)
        named[axes.at[i]] = true;
    Axes other = {0};
    for (int i = 0; i < rank; i++)
        if (!named[i]) other.at[other.count++] = (uint8_t)i;
    return other;
}

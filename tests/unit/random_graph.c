#include "tests/unit/random_graph.h"
#include "ir/graph/build.h"
#include "ir/graph/print.h"

enum { LARGEST = 600 }; /* elements of a value */

typedef struct Random {
    uint32_t state;
    Arena *arena;
    Program *program;
    Graph *graph;
    LIST(Value) value; /* f32 values to build on */
    int inputs, states;
} Random;

static int pick(Random *r, int count)
{
    r->state = r->state * 1664525u + 1013904223u;
    return (int)((r->state >> 8) % (uint32_t)count);
}

static const Shape *shape_at(const Random *r, Value x)
{
    return graph_shape(r->graph, x);
}

/* Mostly recent values, so that chains grow, sometimes old ones, so that they meet. */
static Value any(Random *r)
{
    int count = (int)r->value.count;
    int back = pick(r, 3) ? pick(r, count < 4 ? count : 4) : pick(r, count);
    return r->value.at[count - 1 - back];
}

static Value input(Random *r, Type type, Shape shape)
{
    Name name = name_format(r->graph->names, "x%d", r->inputs++);
    return ir_input(r->graph, name, type, shape);
}

static Value state(Random *r, Shape shape)
{
    Name name = name_format(r->graph->names, "s%d", r->states++);
    *list_add(r->arena, &r->program->state) =
        (State){.name = name, .role = STATE_parameter, .type = TYPE_f32, .shape = shape};
    return ir_read(r->graph, name, TYPE_f32, shape);
}

static Value leaf(Random *r, Shape shape)
{
    switch (pick(r, 4)) {
    case 0: return state(r, shape);
    case 1: return ir_constant(r->graph, TYPE_f32, shape, 0.25 * pick(r, 9) - 1);
    default: return input(r, TYPE_f32, shape);
    }
}

static Value of_shape(Random *r, Shape shape)
{
    for (uint32_t i = r->value.count; i-- > 0;)
        if (shape_same(shape_at(r, r->value.at[i]), &shape) && pick(r, 2)) return r->value.at[i];
    return leaf(r, shape);
}

static Value unary(Random *r, Value x)
{
    switch (pick(r, 7)) {
    case 0: return ir_neg(r->graph, x);
    case 1: return ir_abs(r->graph, x);
    case 2: return ir_sin(r->graph, x);
    case 3: {
        Value small = ir_tanh(r->graph, x);
        return ir_exp(r->graph, small);
    }
    case 4: {
        Value zero = ir_like(r->graph, x, 0);
        return ir_max(r->graph, x, zero);
    }
    case 5: return ir_stop(r->graph, x);
    default: return ir_tanh(r->graph, x);
    }
}

static Value binary(Random *r, Value x)
{
    Value y = of_shape(r, *shape_at(r, x));
    switch (pick(r, 5)) {
    case 0: return ir_sub(r->graph, x, y);
    case 1: {
        Value small = ir_tanh(r->graph, y);
        return ir_mul(r->graph, x, small);
    }
    case 2: return ir_min(r->graph, x, y);
    case 3: {
        Value condition = input(r, TYPE_bool, *shape_at(r, x));
        return ir_select(r->graph, condition, x, y);
    }
    default: return ir_add(r->graph, x, y);
    }
}

/* The same elements under another shape: two axes become one, or one becomes two. */
static Value reshape(Random *r, Value x)
{
    Shape shape = *shape_at(r, x);
    int d = shape.rank ? pick(r, shape.rank) : 0;
    if (shape.rank > 1 && d + 1 < shape.rank && pick(r, 2)) {
        shape.extent[d] *= shape.extent[d + 1];
        for (int i = d + 1; i + 1 < shape.rank; i++)
            shape.extent[i] = shape.extent[i + 1];
        shape.extent[--shape.rank] = 0;
        return ir_reshape(r->graph, x, shape);
    }
    int64_t inner = 1;
    for (int64_t k = 2; shape.rank && k <= shape.extent[d]; k++)
        if (shape.extent[d] % k == 0 && (inner == 1 || pick(r, 2))) inner = k;
    if (shape.rank >= 5) return x;
    for (int i = shape.rank; i > d + 1; i--)
        shape.extent[i] = shape.extent[i - 1];
    if (shape.rank) shape.extent[d] /= inner;
    if (shape.rank)
        shape.extent[d + 1] = inner;
    else
        shape.extent[0] = 1;
    shape.rank++;
    return ir_reshape(r->graph, x, shape);
}

static Value transpose(Random *r, Value x)
{
    Axes axes = axes_range(0, shape_at(r, x)->rank);
    for (int i = axes.count; i-- > 1;) {
        int k = pick(r, i + 1);
        uint8_t other = axes.at[i];
        axes.at[i] = axes.at[k];
        axes.at[k] = other;
    }
    return ir_transpose(r->graph, x, axes);
}

static Value broadcast(Random *r, Value x)
{
    Shape shape = *shape_at(r, x);
    if (shape.rank >= 5) return x;
    int at = pick(r, shape.rank + 1);
    Axes axes = {.count = shape.rank};
    for (int i = shape.rank; i > at; i--)
        shape.extent[i] = shape.extent[i - 1];
    shape.extent[at] = 1 + pick(r, 5);
    for (int i = 0; i < shape.rank; i++)
        axes.at[i] = (uint8_t)(i < at ? i : i + 1);
    shape.rank++;
    return ir_broadcast(r->graph, x, axes, shape);
}

static Value slice(Random *r, Value x)
{
    const Shape *shape = shape_at(r, x);
    Slice slice = {0};
    for (int d = 0; d < shape->rank; d++) {
        int64_t extent = shape->extent[d], start = pick(r, (int)extent), left = extent - start;
        int64_t stride = 1 + pick(r, 2);
        if (pick(r, 3) == 0) {
            start = extent - 1 - start;
            stride = -stride;
        }
        if (pick(r, 2)) {
            start = 0;
            stride = 1;
            left = extent;
        }
        slice.start[d] = start;
        slice.stride[d] = stride;
        int64_t room = stride < 0 ? start / -stride + 1 : (extent - start - 1) / stride + 1;
        slice.extent[d] = left < room ? left : room;
    }
    return ir_slice(r->graph, x, slice);
}

static Value pad(Random *r, Value x)
{
    Pad pad = {.value = pick(r, 2) ? 0 : 0.5};
    for (int d = 0; d < shape_at(r, x)->rank; d++) {
        if (pick(r, 2)) continue;
        pad.low[d] = pick(r, 3);
        pad.interior[d] = pick(r, 3) ? 0 : 1;
        pad.high[d] = pick(r, 3);
    }
    return ir_pad(r->graph, x, pad);
}

static Value concat(Random *r, Value x)
{
    Shape shape = *shape_at(r, x);
    if (!shape.rank) return x;
    int axis = pick(r, shape.rank);
    shape.extent[axis] = pick(r, 4); /* 0 too */
    Value y = of_shape(r, shape);
    Value z = any(r);
    bool fits = shape_at(r, z)->rank == shape.rank;
    for (int d = 0; fits && d < shape.rank; d++)
        fits = d == axis || shape_at(r, z)->extent[d] == shape.extent[d];
    Value all[16] = {x, y, z};
    int count = fits ? 3 : 2;
    if (pick(r, 4) == 0) /* long enough to be stored in pieces */
        for (int end = 9 + pick(r, 7); count < end; count++)
            all[count] = pick(r, 2) ? unary(r, all[pick(r, count)]) : all[pick(r, count)];
    return ir_concat(r->graph, (uint32_t)count, all, axis);
}

static Value window(Random *r, Value x)
{
    const Shape *shape = shape_at(r, x);
    Windows windows = {0};
    if (!shape->rank || shape->rank > 5) return x;
    for (int d = pick(r, shape->rank); d < shape->rank && windows.count < 2; d++) {
        int64_t dilation = 1 + pick(r, 2), size = 1 + pick(r, 3);
        if ((size - 1) * dilation >= shape->extent[d]) continue;
        windows.at[windows.count].axis = (uint8_t)d;
        windows.at[windows.count].size = size;
        windows.at[windows.count].stride = 1 + pick(r, 2);
        windows.at[windows.count++].dilation = dilation;
    }
    if (!windows.count) return x;
    Value y = ir_window(r->graph, x, windows);
    if (pick(r, 2)) return y;
    y = unary(r, y);
    return ir_fold(r->graph, y, windows, *shape_at(r, x));
}

static Value reduce(Random *r, Value x)
{
    Axes axes = {0};
    for (int d = 0; d < shape_at(r, x)->rank; d++)
        if (pick(r, 2)) axes.at[axes.count++] = (uint8_t)d;
    Value y = pick(r, 2) ? ir_sum(r->graph, x, axes) : ir_reduce_max(r->graph, x, axes);
    Value small = ir_tanh(r->graph, y);
    if (pick(r, 3) == 0) return pick(r, 2) ? y : small;
    Axes kept = axes_other(axes, shape_at(r, x)->rank);
    Value back = ir_broadcast(r->graph, small, kept, *shape_at(r, x));
    return ir_sub(r->graph, x, back);
}

static Value dot(Random *r, Value x)
{
    Indices indices = {0};
    Shape other = {0};
    const Shape *shape = shape_at(r, x);
    int y = 0, b = 0;
    for (int d = 0; d < shape->rank; d++) {
        char letter = (char)('a' + d);
        int role = pick(r, 4);
        indices.a[d] = letter;
        if (role != 0) indices.y[y++] = letter;
        if (role > 1) continue;
        other.extent[b] = shape->extent[d];
        indices.b[b++] = letter;
    }
    if (b < 5 && y < 5) {
        other.extent[b] = 1 + pick(r, 4);
        indices.b[b++] = 'z';
        if (y && pick(r, 2)) {
            indices.y[y] = indices.y[0];
            indices.y[0] = 'z';
            y++;
        } else {
            indices.y[y++] = 'z';
        }
    }
    other.rank = (uint8_t)b;
    Value with = of_shape(r, other);
    Value product = ir_dot(r->graph, x, with, indices);
    return pick(r, 2) ? product : ir_tanh(r->graph, product);
}

static Value conv(Random *r, Value x)
{
    const Shape *shape = shape_at(r, x);
    if (shape->rank < 2 || shape->rank > 4) return x;
    int64_t stride = 1 + pick(r, 2), dilation = 1 + pick(r, 2), low = pick(r, 3),
            size = 1 + pick(r, 3);
    int64_t extent = shape->extent[1],
            out = (extent + 2 * low - (size - 1) * dilation - 1) / stride + 1;
    if (extent + 2 * low < (size - 1) * dilation + 1) return x;
    Indices indices = {.a = "nh", .b = "ok", .y = "noy", .windows = 1};
    Shape kernel = shape_of(2, (int64_t[]){1 + pick(r, 4), size});
    Shape result = shape_of(3, (int64_t[]){shape->extent[0], kernel.extent[0], out});
    for (int d = 2; d < shape->rank; d++) {
        indices.a[d] = (char)('a' + d);
        indices.b[d] = (char)('a' + d);
        kernel.extent[kernel.rank++] = shape->extent[d];
    }
    indices.window[0].input = 'h';
    indices.window[0].output = 'y';
    indices.window[0].tap = 'k';
    indices.window[0].input_scale = 1;
    indices.window[0].output_scale = stride;
    indices.window[0].tap_scale = dilation;
    indices.window[0].offset = -low;
    Value weight = of_shape(r, kernel);
    Value y = ir_conv(r->graph, x, weight, indices, result);
    if (pick(r, 2)) return ir_tanh(r->graph, y);

    /* Its gradient by x: the lists change roles. */
    Indices back = indices;
    memcpy(back.a, indices.y, sizeof back.a);
    memcpy(back.y, indices.a, sizeof back.y);
    y = unary(r, y);
    return ir_conv(r->graph, y, weight, back, *shape);
}

static Value gather(Random *r, Value x)
{
    Shape shape = *shape_at(r, x);
    if (!shape.rank || shape.rank > 4) return x;
    int axis = pick(r, shape.rank);
    Shape index = shape_of(pick(r, 3), (int64_t[]){1 + pick(r, 3), 1 + pick(r, 3)});
    Value positions = input(r, TYPE_i32, index);
    Value y = ir_gather(r->graph, x, positions, axis);
    if (pick(r, 2)) return y;
    y = unary(r, y);
    return ir_scatter(r->graph, y, positions, axis, shape);
}

static Value next(Random *r)
{
    Value x = any(r);
    switch (pick(r, 16)) {
    case 0:
    case 1: return unary(r, x);
    case 2:
    case 3:
    case 4: return binary(r, x);
    case 5: return reshape(r, x);
    case 6: return transpose(r, x);
    case 7: return broadcast(r, x);
    case 8: return slice(r, x);
    case 9: return pad(r, x);
    case 10: return concat(r, x);
    case 11: return window(r, x);
    case 12: return dot(r, x);
    case 13: return conv(r, x);
    case 14: return gather(r, x);
    default: return reduce(r, x);
    }
}

static void add_results(Random *r)
{
    Graph *graph = r->graph;
    for (int i = 0; i < 3; i++) {
        Value value = i ? any(r) : *list_last(&r->value);
        graph_result(graph, RESULT_output, name_format(graph->names, "y%d", i), value, (Span){0});
    }
    for (uint32_t s = 0; s < r->program->state.count; s++) {
        const State *at = &r->program->state.at[s];
        Value value = of_shape(r, at->shape);
        if (pick(r, 3)) graph_result(graph, RESULT_write, at->name, value, (Span){0});
    }
}

const char *random_graph(Arena *arena, uint32_t seed, int nodes)
{
    Names *names = names_new(arena);
    Random r = {.state = seed * 7919u + 1, .arena = arena, .program = program_new(arena, names)};
    r.graph = graph_new(arena, names, name_of(names, "step"), NULL);
    Shape first =
        shape_of(1 + pick(&r, 3), (int64_t[]){1 + pick(&r, 4), 1 + pick(&r, 6), 1 + pick(&r, 6)});
    *list_add(arena, &r.value) = leaf(&r, first);
    for (int i = 0; i < nodes; i++) {
        Value value = next(&r);
        int64_t elements = shape_elements(shape_at(&r, value));
        if (elements > 0 && elements <= LARGEST) *list_add(arena, &r.value) = value;
    }
    add_results(&r);
    r.program->entry[ENTRY_step] = graph_sweep(r.graph, arena);
    Text text = {.arena = arena};
    program_print(&text, r.program, &(PrintOptions){0});
    return text_done(&text);
}

/* The gradient of a strided convolution by its input, as the convolution that it is, would mostly multiply zeros: of stride s
 * only one tap in s meets an element.  Positions of one remainder by s all meet the same taps: each remainder is a dense
 * convolution over a part of the kernel, and the results interleave. */
#include "passes/split.h"

#include "ir/graph/build.h"

/* Of all windows together; larger strides are left alone. */
#define PHASES_MOST 16

typedef struct Phases {
    Graph *out;
    Value operand[2];
    Indices indices;
    Shape shape;           /* of the result */
    bool cut[MAX_WINDOWS]; /* windows that step */
    int axis[MAX_WINDOWS]; /* of the result, along which each moves */
    int64_t step[MAX_WINDOWS];
    int64_t phase[MAX_WINDOWS];
    int64_t count;
    Shape small; /* of one phase */
} Phases;

static int axis_of(const char *list, char letter)
{
    const char *found = strchr(list, letter);
    return found ? (int)(found - list) : -1;
}

static bool find_phases(Phases *p)
{
    const Indices *indices = &p->indices;
    p->count = 1;
    p->small = p->shape;
    for (int w = 0; w < indices->windows; w++) {
        int64_t tap = indices->window[w].tap_scale, step = indices->window[w].output_scale;
        int axis = axis_of(indices->y, indices->window[w].input);
        if (axis < 0 || step < 2) continue;
        if (indices->window[w].input_scale != 1 || (tap != 1 && tap != -1)) return false;
        if (p->shape.extent[axis] % step != 0) return false;
        p->cut[w] = true;
        p->axis[w] = axis;
        p->step[w] = step;
        p->small.extent[axis] /= step;
        p->count *= step;
        if (p->count > PHASES_MOST) return false;
    }
    int windows = 0;
    for (int w = 0; w < indices->windows; w++)
        windows += p->cut[w];
    return p->count > 1 && p->shape.rank + windows <= MAX_RANK && shape_elements(&p->shape) > 0;
}

static Value every(Graph *graph, Value x, int axis, int64_t start, int64_t step)
{
    const Shape *shape = graph_shape(graph, x);
    Slice slice = {0};
    for (int i = 0; i < shape->rank; i++) {
        slice.stride[i] = 1;
        slice.extent[i] = shape->extent[i];
    }
    slice.start[axis] = start;
    slice.stride[axis] = step;
    slice.extent[axis] = (shape->extent[axis] - start + step - 1) / step;
    return ir_slice(graph, x, slice);
}

/* input = step * output + tap_scale * tap + offset at the inputs step * i + phase: the taps are first + step * k.
 * {0} if there are none. */
static bool take_taps(const Phases *p, int w, Indices *indices, Value operand[2])
{
    int64_t step = p->step[w], sign = indices->window[w].tap_scale;
    int64_t offset = indices->window[w].offset - p->phase[w];
    int64_t first = ((-sign * offset) % step + step) % step;
    int of = axis_of(indices->a, indices->window[w].tap) >= 0 ? 0 : 1;
    int axis = axis_of(of ? indices->b : indices->a, indices->window[w].tap);
    if (first >= graph_shape(p->out, operand[of])->extent[axis]) return false;
    operand[of] = every(p->out, operand[of], axis, first, step);
    indices->window[w].output_scale = 1;
    indices->window[w].offset = (offset + sign * first) / step;
    return true;
}

/* The result at the positions of the phase; {0} if it is nothing but zeros. */
static Value one_phase(const Phases *p)
{
    Indices indices = p->indices;
    Value operand[2] = {p->operand[0], p->operand[1]};
    for (int w = 0; w < indices.windows; w++)
        if (p->cut[w] && !take_taps(p, w, &indices, operand)) return (Value){0};
    return ir_conv(p->out, operand[0], operand[1], indices, p->small);
}

static bool next_phase(Phases *p)
{
    for (int w = p->indices.windows; w-- > 0;) {
        if (!p->cut[w]) continue;
        if (++p->phase[w] < p->step[w]) return true;
        p->phase[w] = 0;
    }
    return false;
}

/* The only phase that is not zero, spread out: `number` counts as next_phase does. */
static Value spread_one(const Phases *p, Value x, int64_t number)
{
    Pad pad = {0};
    for (int w = p->indices.windows; w-- > 0;) {
        if (!p->cut[w]) continue;
        int64_t phase = number % p->step[w];
        number /= p->step[w];
        pad.low[p->axis[w]] = phase;
        pad.interior[p->axis[w]] = p->step[w] - 1;
        pad.high[p->axis[w]] = p->step[w] - 1 - phase;
    }
    return ir_pad(p->out, x, pad);
}

/* [phases, y..] to y, each phase's positions in their places. */
static Value interleave(const Phases *p, const Value *part)
{
    Graph *out = p->out;
    Value whole = ir_concat(out, (uint32_t)p->count, part, 0);
    Shape apart = {0};
    Axes order = {0};
    int windows = 0;
    for (int w = 0; w < p->indices.windows; w++)
        if (p->cut[w]) apart.extent[apart.rank++] = p->step[w];
    windows = apart.rank;
    for (int d = 0; d < p->shape.rank; d++) {
        apart.extent[apart.rank++] = p->small.extent[d];
        order.at[order.count++] = (uint8_t)(windows + d);
        int before = 0;
        for (int w = 0; w < p->indices.windows; w++) {
            if (p->cut[w] && p->axis[w] == d) order.at[order.count++] = (uint8_t)before;
            before += p->cut[w];
        }
    }
    Value grid = ir_reshape(out, whole, apart);
    return ir_reshape(out, ir_transpose(out, grid, order), p->shape);
}

Value split_phases(Graph *out, const Graph *in, Value value, const Value *map)
{
    const Node *node = graph_node(in, value);
    Phases p = {.out = out,
                .operand = {map[node->argument[0].id], map[node->argument[1].id]},
                .indices = node->attribute->indices,
                .shape = *graph_shape(in, value)};
    if (!find_phases(&p)) return (Value){0};

    Value part[PHASES_MOST];
    Shape row = {.rank = (uint8_t)(p.small.rank + 1), .extent = {1}};
    memcpy(row.extent + 1, p.small.extent, sizeof *row.extent * p.small.rank);
    int64_t number = 0, some = 0, last = 0;
    do {
        part[number] = one_phase(&p);
        some += part[number].id != 0;
        last = part[number].id ? number : last;
        number++;
    } while (next_phase(&p));
    if (some == 1) return spread_one(&p, part[last], last);
    for (int64_t i = 0; i < p.count; i++)
        part[i] = part[i].id ? ir_reshape(out, part[i], row) : ir_constant(out, node->type, row, 0);
    return interleave(&p, part);
}

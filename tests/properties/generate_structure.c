#include "tests/properties/generate.h"

#include "ir/base/boundary.h"
#include "ir/graph/build.h"

static int64_t draw(Generator *g, int64_t low, int64_t high)
{
    return random_from(&g->kit->random, low, high);
}

static Type any_type(Generator *g)
{
    static const Type types[] = {TYPE_f32, TYPE_f32, TYPE_i32, TYPE_u8, TYPE_f16, TYPE_i64};
    return g->only_f32 ? TYPE_f32 : types[draw(g, 0, 5)];
}

static Value any_operand(Generator *g, Value first)
{
    return first.id ? first : generate_operand(g, any_type(g), NULL);
}

static void shuffle(Generator *g, char *at, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int k = (int)draw(g, 0, i);
        char held = at[i];
        at[i] = at[k];
        at[k] = held;
    }
}

static Axes random_axes(Generator *g, int rank)
{
    Axes axes = {0};
    for (int i = 0; i < rank; i++)
        if (draw(g, 0, 1)) axes.at[axes.count++] = (uint8_t)i;
    return axes;
}

static Value make_constant(Generator *g, Value first)
{
    (void)first;
    Shape shape = generate_shape(g);
    return ir_constant(g->graph, any_type(g), shape, (double)draw(g, 0, 3));
}

static Value make_table(Generator *g, Value first)
{
    (void)first;
    Shape shape = generate_shape(g);
    Table table = {.count = (uint32_t)shape_elements(&shape)};
    double *at = arena_array(g->kit->arena, double, table.count);
    for (uint32_t i = 0; i < table.count; i++)
        at[i] = (double)draw(g, 0, 3);
    table.at = at;
    return ir_table(g->graph, any_type(g), shape, table);
}

static Value make_iota(Generator *g, Value first)
{
    (void)first;
    Shape shape = generate_shape(g);
    if (!shape.rank) return (Value){0};
    Attribute attribute = {.axis = (int)draw(g, 0, shape.rank - 1)};
    return generate_node(g, OP_iota, 0, NULL, &attribute, &(TypedShape){any_type(g), shape});
}

static Value make_input(Generator *g, Value first)
{
    (void)first;
    Name name = name_format(g->kit->names, "x%d", g->inputs++);
    return ir_input(g->graph, name, any_type(g), generate_shape(g));
}

static Value make_read(Generator *g, Value first)
{
    (void)first;
    Name name = name_format(g->kit->names, "s%d", g->inputs++);
    return ir_read(g->graph, name, any_type(g), generate_shape(g));
}

static Value make_uniform(Generator *g, Value first)
{
    (void)first;
    Shape scalar = {0}, shape = generate_shape(g);
    Value seed = generate_operand(g, TYPE_i32, &scalar);
    Value step = generate_operand(g, TYPE_i32, &scalar);
    Value stream = generate_operand(g, TYPE_u32, &scalar);
    return generate_node(g, OP_uniform, 3, (Value[]){seed, step, stream}, NULL,
                         &(TypedShape){TYPE_f32, shape});
}

static Shape merged(Shape shape, int axis)
{
    shape.extent[axis] *= shape.extent[axis + 1];
    for (int i = axis + 1; i + 1 < shape.rank; i++)
        shape.extent[i] = shape.extent[i + 1];
    shape.extent[--shape.rank] = 0;
    return shape;
}

static Shape cut(Shape shape, int axis, int64_t parts)
{
    for (int i = shape.rank; i > axis; i--)
        shape.extent[i] = shape.extent[i - 1];
    shape.rank++;
    shape.extent[axis] = parts;
    if (parts) shape.extent[axis + 1] /= parts;
    return shape;
}

static Value make_reshape(Generator *g, Value first)
{
    Value x = any_operand(g, first);
    Shape shape = *graph_shape(g->graph, x);
    for (int64_t turns = draw(g, 0, 3); turns > 0; turns--) {
        int axis = shape.rank ? (int)draw(g, 0, shape.rank - 1) : 0;
        if (draw(g, 0, 1) && shape.rank >= 2 && axis + 1 < shape.rank)
            shape = merged(shape, axis);
        else if (shape.rank && shape.rank < 5 && shape.extent[axis] % 2 == 0 && shape.extent[axis])
            shape = cut(shape, axis, 2);
        else if (shape.rank < 5 && shape.rank)
            shape = cut(shape, axis, 1);
    }
    return generate_node(g, OP_reshape, 1, &x, NULL, &(TypedShape){.shape = shape});
}

static Value make_transpose(Generator *g, Value first)
{
    Value x = any_operand(g, first);
    char order[MAX_RANK];
    int rank = graph_shape(g->graph, x)->rank;
    for (int i = 0; i < rank; i++)
        order[i] = (char)i;
    shuffle(g, order, rank);
    Attribute attribute = {.axes = {.count = (uint8_t)rank}};
    for (int i = 0; i < rank; i++)
        attribute.axes.at[i] = (uint8_t)order[i];
    return generate_node(g, OP_transpose, 1, &x, &attribute, NULL);
}

static Value make_broadcast(Generator *g, Value first)
{
    Value x = any_operand(g, first);
    const Shape *small = graph_shape(g->graph, x);
    Shape shape = {0};
    Attribute attribute = {0};
    for (int i = 0; i <= small->rank; i++) {
        bool has_room = shape.rank - i + small->rank < MAX_RANK;
        if (draw(g, 0, 1) && has_room) shape.extent[shape.rank++] = draw(g, 1, 3);
        if (i == small->rank) break;
        attribute.axes.at[attribute.axes.count++] = shape.rank;
        shape.extent[shape.rank++] = small->extent[i];
    }
    return generate_node(g, OP_broadcast, 1, &x, &attribute, &(TypedShape){.shape = shape});
}

static Value make_slice(Generator *g, Value first)
{
    Value x = any_operand(g, first);
    const Shape *shape = graph_shape(g->graph, x);
    Attribute attribute = {0};
    Slice *slice = &attribute.slice;
    bool whole = draw(g, 0, 4) == 0;
    for (int i = 0; i < shape->rank; i++) {
        int64_t extent = shape->extent[i];
        slice->stride[i] = whole || extent < 2 ? 1 : draw(g, 0, 1) ? 1 : draw(g, -2, -1);
        if (!whole && extent > 2 && draw(g, 0, 3) == 0) slice->stride[i] = 2;
        slice->start[i] = whole || !extent ? 0 : draw(g, 0, extent - 1);
        int64_t ahead = slice->stride[i] > 0 ? extent - 1 - slice->start[i] : slice->start[i];
        int64_t step = slice->stride[i] > 0 ? slice->stride[i] : -slice->stride[i];
        int64_t most = extent ? ahead / step + 1 : 0;
        slice->extent[i] = whole ? extent : draw(g, g->may_be_empty || !most ? 0 : 1, most);
    }
    return generate_node(g, OP_slice, 1, &x, &attribute, NULL);
}

static Value make_pad(Generator *g, Value first)
{
    Value x = any_operand(g, first);
    Attribute attribute = {.pad = {.value = (double)draw(g, 0, 1)}};
    bool nothing = draw(g, 0, 4) == 0;
    for (int i = 0; i < graph_shape(g->graph, x)->rank && !nothing; i++) {
        attribute.pad.low[i] = draw(g, 0, 2);
        attribute.pad.high[i] = draw(g, 0, 2);
        attribute.pad.interior[i] = draw(g, 0, 2) ? 0 : draw(g, 1, 2);
    }
    return generate_node(g, OP_pad, 1, &x, &attribute, NULL);
}

static Value make_concat(Generator *g, Value first)
{
    Value part[12] = {any_operand(g, first)};
    Shape shape = *graph_shape(g->graph, part[0]);
    if (!shape.rank) return (Value){0};
    Attribute attribute = {.axis = (int)draw(g, 0, shape.rank - 1)};
    int64_t count = draw(g, 0, 4) ? draw(g, 1, 3) : draw(g, 9, 12);
    for (int64_t i = 1; i < count; i++) {
        shape.extent[attribute.axis] = draw(g, 1, 3);
        part[i] = generate_operand(g, graph_type(g->graph, part[0]), &shape);
    }
    return generate_node(g, OP_concat, (uint32_t)count, part, &attribute, NULL);
}

static Windows random_windows(Generator *g, const Shape *shape)
{
    Windows windows = {0};
    bool tiles = draw(g, 0, 2) == 0;
    for (int i = 0; i < shape->rank && windows.count < 2; i++) {
        if (draw(g, 0, 1)) continue;
        int w = windows.count++;
        windows.at[w].axis = (uint8_t)i;
        windows.at[w].size = tiles ? 2 : draw(g, 1, 3);
        windows.at[w].stride = tiles ? 2 : draw(g, 1, 2);
        windows.at[w].dilation = tiles ? 1 : draw(g, 1, 2);
    }
    return windows;
}

static Value make_window(Generator *g, Value first)
{
    Value x = any_operand(g, first);
    Attribute attribute = {.windows = random_windows(g, graph_shape(g->graph, x))};
    return generate_node(g, OP_window, 1, &x, &attribute, NULL);
}

static Value make_fold(Generator *g, Value first)
{
    TypedShape whole = {any_type(g), generate_shape(g)}, taken;
    Attribute attribute = {.windows = random_windows(g, &whole.shape)};
    if (first.id || shape_infer(OP_window, 1, &whole, &attribute, NULL, g->kit->arena, &taken))
        return (Value){0};
    Value x = generate_operand(g, whole.type, &taken.shape);
    return generate_node(g, OP_fold, 1, &x, &attribute, &(TypedShape){.shape = whole.shape});
}

static Value make_reduction(Generator *g, Op op, Value first)
{
    Value x = any_operand(g, first);
    Attribute attribute = {.axes = random_axes(g, graph_shape(g->graph, x)->rank)};
    return generate_node(g, op, 1, &x, &attribute, NULL);
}

static Value make_sum(Generator *g, Value first)
{
    return make_reduction(g, OP_sum, first);
}

static Value make_reduce_max(Generator *g, Value first)
{
    return make_reduction(g, OP_reduce_max, first);
}

/* The lists of a contraction while letters are dealt out. */
typedef struct Deal {
    Generator *generator;
    Attribute attribute;
    Shape b, y;
    char next;
} Deal;

static void append(char letters[MAX_RANK + 1], char letter)
{
    size_t count = strlen(letters);
    if (count < MAX_RANK) letters[count] = letter;
}

static void deal_window(Deal *deal, char letter)
{
    Generator *g = deal->generator;
    Indices *indices = &deal->attribute.indices;
    char in_b = deal->next++, in_y = deal->next++;
    append(indices->b, in_b);
    append(indices->y, in_y);
    deal->b.extent[deal->b.rank++] = draw(g, 1, 3);
    deal->y.extent[deal->y.rank++] = draw(g, 1, 4);

    char role[3] = {letter, in_y, in_b};
    if (draw(g, 0, 2) == 0) shuffle(g, role, 3);
    int w = indices->windows++;
    indices->window[w].input = role[0];
    indices->window[w].output = role[1];
    indices->window[w].tap = role[2];
    bool plain = draw(g, 0, 2) == 0;
    indices->window[w].input_scale = plain || draw(g, 0, 3) ? 1 : 2;
    indices->window[w].output_scale = plain ? 1 : draw(g, 1, 2);
    indices->window[w].tap_scale = plain || draw(g, 0, 2) ? 1 : draw(g, 0, 1) ? -1 : 2;
    indices->window[w].offset = plain ? 0 : draw(g, -2, 1);
}

/* Gives the next axis of a a role. */
static void deal_axis(Deal *deal, int64_t extent, bool may_slide)
{
    Indices *indices = &deal->attribute.indices;
    char letter = deal->next++;
    append(indices->a, letter);
    int64_t role = draw(deal->generator, 0, may_slide && indices->windows < 2 ? 4 : 2);
    if (role >= 3) {
        deal_window(deal, letter);
        return;
    }
    if (role != 2) { /* batch or contracted */
        append(indices->b, letter);
        deal->b.extent[deal->b.rank++] = extent;
    }
    if (role != 1) { /* batch or free */
        append(indices->y, letter);
        deal->y.extent[deal->y.rank++] = extent;
    }
}

/* The same order for letters and extents. */
static void mix(Generator *g, char *letters, Shape *shape)
{
    char order[MAX_RANK], old[MAX_RANK + 1];
    Shape before = *shape;
    memcpy(old, letters, sizeof old);
    for (int i = 0; i < shape->rank; i++)
        order[i] = (char)i;
    shuffle(g, order, shape->rank);
    for (int i = 0; i < shape->rank; i++) {
        letters[i] = old[(int)order[i]];
        shape->extent[i] = before.extent[(int)order[i]];
    }
}

/* Of bytes, often the other kind. */
static Type type_beside(Generator *g, Type type)
{
    bool is_byte = type == TYPE_i8 || type == TYPE_u8;
    if (!is_byte || g->only_f32 || draw(g, 0, 1)) return type;
    return type == TYPE_i8 ? TYPE_u8 : TYPE_i8;
}

static Value make_contraction(Generator *g, Op op, Value first)
{
    static const Type types[] = {TYPE_f32, TYPE_f32, TYPE_bf16, TYPE_f16,
                                 TYPE_i8,  TYPE_i32, TYPE_u8};
    Type type = g->only_f32 ? TYPE_f32 : types[draw(g, 0, 6)];
    Value a = first.id ? first : generate_operand(g, type, NULL);
    Shape shape = *graph_shape(g->graph, a);
    if (shape.rank > 4) return (Value){0};

    Deal deal = {.generator = g, .next = 'a'};
    for (int i = 0; i < shape.rank; i++)
        deal_axis(&deal, shape.extent[i], op == OP_conv);
    if (draw(g, 0, 1)) { /* an axis that only b has */
        char letter = deal.next++;
        append(deal.attribute.indices.b, letter);
        append(deal.attribute.indices.y, letter);
        deal.b.extent[deal.b.rank++] = deal.y.extent[deal.y.rank++] = draw(g, 1, 3);
    }
    mix(g, deal.attribute.indices.b, &deal.b);
    mix(g, deal.attribute.indices.y, &deal.y);
    Value b = generate_operand(g, type_beside(g, graph_type(g->graph, a)), &deal.b);
    return generate_node(g, op, 2, (Value[]){a, b}, &deal.attribute,
                         op == OP_conv ? &(TypedShape){.shape = deal.y} : NULL);
}

static Value make_dot(Generator *g, Value first)
{
    return make_contraction(g, OP_dot, first);
}

static Value make_conv(Generator *g, Value first)
{
    return make_contraction(g, OP_conv, first);
}

static Shape index_shape(Generator *g)
{
    Shape shape = {.rank = (uint8_t)draw(g, 0, 2)};
    for (int i = 0; i < shape.rank; i++)
        shape.extent[i] = draw(g, 1, 3);
    return shape;
}

static Value make_gather(Generator *g, Value first)
{
    Value x = any_operand(g, first);
    int rank = graph_shape(g->graph, x)->rank;
    if (!rank) return (Value){0};
    Shape shape = index_shape(g);
    Value index = generate_operand(g, TYPE_i32, &shape);
    Attribute attribute = {.axis = (int)draw(g, 0, rank - 1)};
    return generate_node(g, OP_gather, 2, (Value[]){x, index}, &attribute, NULL);
}

static Value make_scatter(Generator *g, Value first)
{
    TypedShape whole[2] = {{any_type(g), generate_shape(g)}, {TYPE_i32, index_shape(g)}}, taken;
    Attribute attribute = {.axis = (int)draw(g, 0, 2)};
    if (first.id || shape_infer(OP_gather, 2, whole, &attribute, NULL, g->kit->arena, &taken))
        return (Value){0};
    Value updates = generate_operand(g, whole[0].type, &taken.shape);
    Value index = generate_operand(g, TYPE_i32, &whole[1].shape);
    return generate_node(g, OP_scatter, 2, (Value[]){updates, index}, &attribute,
                         &(TypedShape){.shape = whole[0].shape});
}

static Value make_gradient(Generator *g, Value first)
{
    Value x = first.id ? first : generate_operand(g, TYPE_f32, NULL);
    if (!type_is_float(graph_type(g->graph, x))) return (Value){0};
    Value square = ir_mul(g->graph, x, x);
    Value y = ir_sum(g->graph, square, axes_range(0, graph_shape(g->graph, x)->rank));
    return ir_gradient(g->graph, y, x);
}

typedef Value Make(Generator *g, Value first);

/* select, cast and stop are elementwise and made without a table. */
#define make_select NULL
#define make_cast   NULL
#define make_stop   NULL

static Make *const make_rule[OP_COUNT] = {
#define UNARY(...)
#define BINARY(...)
#define OP(name, ...) [OP_##name] = make_##name,
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
};

Value generate_structured(Generator *g, Op op, Value first)
{
    if (!make_rule[op]) bug("%s is elementwise", op_info[op].name);
    return make_rule[op](g, first);
}

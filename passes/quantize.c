#include "passes/quantize_linear.h"
#include "passes/quantize_products.h"

#include "ir/graph/build.h"
#include <string.h>

/* The magnitude of what is 0 everywhere. */
#define LEAST_MAGNITUDE 0x1p-100
/* Of activations that nobody has calibrated. */
#define UNCALIBRATED    4
#define MOST_i8         127
#define MOST_u8         255

typedef struct Quantizing {
    const Program *program;
    const Quantization *quantization;
    Graph *out;
    const Graph *in;
    const bool *positive; /* by node */
    const QuantizedWeight *
        *of_root; /* by node: one that multiplies it, as it is or moved; NULL: none does */
    Value *map;
    Value *narrow;  /* by node: in integers; {0}: it is not */
    Value *scale;   /* ... their scale */
    Linear *linear; /* by node: how it comes of integers; or not */
} Quantizing;

/* --- the four steps --------------------------------------------------------------------------------------------------------- */

static Value most_of(Graph *out, Value like, Type type)
{
    return ir_like(out, like, type == TYPE_u8 ? MOST_u8 : MOST_i8);
}

/* `axes` of x are those of its magnitude. */
static Value to_integers(Graph *out, Value x, Value magnitude, Axes axes, Type type)
{
    Value rate = ir_div(out, most_of(out, magnitude, type), magnitude);
    Value scaled = ir_mul(out, x, ir_broadcast(out, rate, axes, *graph_shape(out, x)));
    return ir_cast(out, ir_round(out, scaled), type);
}

static Value of_integers(Graph *out, Value q, Value scale, Axes axes)
{
    Value real = ir_cast(out, q, TYPE_f32);
    return ir_mul(out, real, ir_broadcast(out, scale, axes, *graph_shape(out, real)));
}

static Value scale_of(Graph *out, Value magnitude, Type type)
{
    return ir_div(out, magnitude, most_of(out, magnitude, type));
}

static Axes only(int axis)
{
    return (Axes){1, {(uint8_t)axis}};
}

/* Of x but for the axes given, so that a reciprocal is a number. */
static Value magnitude_of(Graph *out, Value x, Axes axes)
{
    Value largest = ir_reduce_max(out, ir_abs(out, x), axes);
    return ir_max(out, largest, ir_like(out, largest, LEAST_MAGNITUDE));
}

typedef struct Integers {
    Value at, scale;
} Integers;

static Integers weight_in_integers(Graph *out, Value weight, int axis)
{
    Axes others = axes_other(only(axis), graph_shape(out, weight)->rank);
    Value magnitude = magnitude_of(out, weight, others);
    Value integers = to_integers(out, weight, magnitude, only(axis), TYPE_i8);
    return (Integers){integers, scale_of(out, magnitude, TYPE_i8)};
}

/* --- graphs ----------------------------------------------------------------------------------------------------------------- */

static const QuantizedWeight **find_roots(const Program *program, const Graph *graph,
                                          const Quantization *q, Arena *arena)
{
    const QuantizedWeight **of_root =
        arena_array(arena, const QuantizedWeight *, graph->node.count);
    for (uint32_t id = 1; id < graph->node.count; id++) {
        Product p;
        if (quantize_product(program, graph, (Value){id}, &p))
            of_root[p.root.id] = quantize_weight(q, p.weight);
    }
    return of_root;
}

static Quantizing begin(const Program *program, const Quantization *q, const Graph *entry)
{
    Arena *arena = program->arena;
    const Graph *in = quantize_expose(entry, arena);
    return (Quantizing){.program = program,
                        .quantization = q,
                        .out = graph_new(arena, in->names, in->name, entry->simplify),
                        .in = in,
                        .positive = quantize_positive(in, arena),
                        .of_root = find_roots(program, in, q, arena),
                        .map = arena_array(arena, Value, in->node.count),
                        .narrow = arena_array(arena, Value, in->node.count),
                        .scale = arena_array(arena, Value, in->node.count),
                        .linear = arena_array(arena, Linear, in->node.count)};
}

static Value read_scale(Quantizing *w, const QuantizedWeight *weight, const Shape *shape)
{
    Shape outputs = {.rank = 1, .extent = {shape->extent[weight->axis]}};
    return ir_read(w->out, weight->scale, TYPE_f32, outputs);
}

/* A weight in integers, and for whoever wants it otherwise times its scale. */
static Value read_weight(Quantizing *w, Value read, const QuantizedWeight *weight)
{
    const Shape *shape = graph_shape(w->in, read);
    w->narrow[read.id] = ir_read(w->out, weight->weight, TYPE_i8, *shape);
    w->scale[read.id] = read_scale(w, weight, shape);
    return of_integers(w->out, w->narrow[read.id], w->scale[read.id], only(weight->axis));
}

static Value round_linear(Quantizing *w, Linear linear, Value range, Type type)
{
    Value rate = ir_div(w->out, most_of(w->out, range, type), range);
    linear_multiply(w->out, &linear, rate, (Axes){0});
    return ir_cast(w->out, ir_round(w->out, linear_value(w->out, &linear)), type);
}

/* Rounds an activation that products read.  What is negative becomes 0 as u8, with relu or without. */
static Value round_root(Quantizing *w, Value root, Value x)
{
    Type type = w->positive[root.id] ? TYPE_u8 : TYPE_i8;
    Value range = ir_read(w->out, w->of_root[root.id]->input_range, TYPE_f32, (Shape){0});
    Value inside = quantize_relu(w->in, root);
    if (inside.id) x = w->map[inside.id];
    const Linear *linear = &w->linear[inside.id ? inside.id : root.id];
    Value q = linear->terms ? round_linear(w, *linear, range, type)
                            : to_integers(w->out, x, range, (Axes){0}, type);
    w->narrow[root.id] = q;
    w->scale[root.id] = scale_of(w->out, range, type);
    w->linear[root.id] = linear_of(ir_cast(w->out, q, TYPE_f32), w->scale[root.id], (Axes){0});
    return linear_value(w->out, &w->linear[root.id]);
}

static Value multiply(Quantizing *w, Value y, const Product *p)
{
    const Node *node = graph_node(w->in, y);
    const Indices *indices = &node->attribute->indices;
    const Shape *shape = graph_shape(w->in, y);
    Value a = w->narrow[node->argument[0].id], b = w->narrow[node->argument[1].id];
    Value sum = node->op == OP_dot ? ir_dot(w->out, a, b, *indices)
                                   : ir_conv(w->out, a, b, *indices, *shape);
    Value outputs = w->scale[node->argument[p->side].id];
    Value scale = ir_broadcast(w->out, w->scale[node->argument[1 - p->side].id], (Axes){0},
                               *graph_shape(w->out, outputs));
    scale = ir_mul(w->out, scale, outputs);
    char letter = (p->side ? indices->b : indices->a)[p->axis];
    Axes axes = only((int)(strchr(indices->y, letter) - indices->y));
    w->linear[y.id] = linear_of(ir_cast(w->out, sum, TYPE_f32), scale, axes);
    return linear_value(w->out, &w->linear[y.id]);
}

/* A value of the channels that is spread over all else, as an axis of unit extents too; or a number. {0}: it is none. */
static Value of_channels(const Quantizing *w, Value x, Axes *axes)
{
    const Node *node = graph_node(w->in, x);
    const Shape *shape = graph_shape(w->in, x);
    double number;
    *axes = (Axes){0};
    if (graph_is_number(w->in, x, &number))
        return ir_constant(w->out, node->type, (Shape){0}, number);
    if (node->op != OP_broadcast && node->op != OP_reshape) return (Value){0};
    Value from = node->argument[0];
    const Shape *own = graph_shape(w->in, from);
    if (own->rank > 1) return (Value){0};
    if (node->op == OP_broadcast) *axes = node->attribute->axes;
    for (int d = 0; d < shape->rank && node->op == OP_reshape && own->rank; d++)
        if (shape->extent[d] == shape_elements(own)) *axes = only(d);
    return own->rank == axes->count ? w->map[from.id] : (Value){0};
}

static bool combine_with(Quantizing *w, Op op, Linear *y, bool is_first, Value x)
{
    Axes axes;
    Value channels = of_channels(w, x, &axes);
    if (!channels.id) return false;
    if (op == OP_add) return linear_add(w->out, y, channels, axes);
    if (op == OP_mul) return linear_multiply(w->out, y, channels, axes);
    if (!is_first) return false;
    if (op == OP_sub) return linear_subtract(w->out, y, channels, axes);
    return op == OP_div && linear_divide(w->out, y, channels, axes);
}

/* Whether a node is linear as its operands are. */
static bool combine(Quantizing *w, Value y)
{
    const Node *node = graph_node(w->in, y);
    if (node->argument_count != 2 || op_info[node->op].class != ELEMENTWISE) return false;
    const Linear *operand[2];
    for (int i = 0; i < 2; i++)
        operand[i] = &w->linear[node->argument[i].id];
    for (int i = 0; i < 2; i++) {
        Linear made = *operand[i];
        bool is_sum = node->op == OP_add && linear_join(w->out, &made, operand[1 - i]);
        if (!is_sum &&
            (!made.terms || !combine_with(w, node->op, &made, i == 0, node->argument[1 - i])))
            continue;
        w->linear[y.id] = made;
        return true;
    }
    return false;
}

/* The same movement of the integers. */
static void move(Quantizing *w, Value y)
{
    const Node *node = graph_node(w->in, y);
    Value x = node->argument[0];
    TypedShape given = {w->narrow[x.id].id ? graph_type(w->out, w->narrow[x.id]) : TYPE_none,
                        *graph_shape(w->in, y)};
    if (!given.type) return;
    w->narrow[y.id] = graph_add(w->out, node->op, 1, &w->narrow[x.id], node->attribute, &given);
    w->scale[y.id] = w->scale[x.id];
}

static Value write_node(Quantizing *w, Value y)
{
    const Node *node = graph_node(w->in, y);
    Product p;
    const QuantizedWeight *weight = NULL;
    w->out->at = node->at;
    if (node->op == OP_read) weight = quantize_weight(w->quantization, node->attribute->name);
    if (weight) return read_weight(w, y, weight);
    bool is_product = quantize_product(w->program, w->in, y, &p);
    if (is_product) weight = quantize_weight(w->quantization, p.weight);
    Value made;
    if (weight && weight->axis == p.axis)
        made = multiply(w, y, &p);
    else if (combine(w, y))
        made = linear_value(w->out, &w->linear[y.id]);
    else
        made = graph_copy(w->out, w->in, y, w->map);
    if (w->of_root[y.id]) return round_root(w, y, made);
    if (quantize_passes_through(node)) move(w, y);
    return made;
}

/* What `init` writes instead of a weight. */
static void write_states(Quantizing *w, const Result *result, const QuantizedWeight *weight)
{
    Integers q = weight_in_integers(w->out, w->map[result->value.id], weight->axis);
    graph_result(w->out, RESULT_write, weight->weight, q.at, result->at);
    graph_result(w->out, RESULT_write, weight->scale, q.scale, result->at);
    if (!weight->owns_range) return;
    Value range = ir_constant(w->out, TYPE_f32, (Shape){0}, UNCALIBRATED);
    graph_result(w->out, RESULT_write, weight->input_range, range, result->at);
}

static Graph *rewrite(const Program *program, const Quantization *q, const Graph *entry)
{
    Quantizing w = begin(program, q, entry);
    const Graph *in = w.in;
    for (uint32_t id = 1; id < in->node.count; id++)
        w.map[id] = write_node(&w, (Value){id});
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        const QuantizedWeight *weight =
            result->kind == RESULT_write ? quantize_weight(q, result->name) : NULL;
        if (weight)
            write_states(&w, result, weight);
        else
            graph_result(w.out, (int)result->kind, result->name, w.map[result->value.id],
                         result->at);
    }
    return w.out;
}

/* --- programs --------------------------------------------------------------------------------------------------------------- */

static void add_state(Program *program, const State *beside, Name name, Shape shape)
{
    State state = {
        .name = name, .role = STATE_buffer, .type = TYPE_f32, .shape = shape, .at = beside->at};
    *list_add(program->arena, &program->state) = state;
}

static void change_states(Program *program, const Quantization *q)
{
    uint32_t count = program->state.count;
    for (uint32_t i = 0; i < count; i++) {
        const QuantizedWeight *weight = quantize_weight(q, program->state.at[i].name);
        if (!weight) continue;
        program->state.at[i].type = TYPE_i8;
        const State state = program->state.at[i];
        Shape outputs = {.rank = 1, .extent = {state.shape.extent[weight->axis]}};
        add_state(program, &state, weight->scale, outputs);
        if (weight->owns_range) add_state(program, &state, weight->input_range, (Shape){0});
    }
}

void quantize_program(Program *program, const Quantization *q)
{
    static const EntryKind kinds[] = {ENTRY_init, ENTRY_eval, ENTRY_predict};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        Graph **entry = &program->entry[kinds[i]];
        if (*entry) *entry = rewrite(program, q, *entry);
    }
    change_states(program, q);
}

/* Of all activations whose range it is. */
static void observe_range(const Quantizing *w, const QuantizedWeight *weight)
{
    Value range = {0};
    for (uint32_t id = 1; id < w->in->node.count; id++) {
        const QuantizedWeight *of = w->of_root[id];
        if (!of || !name_same(of->input_range, weight->input_range)) continue;
        Axes all = axes_range(0, graph_shape(w->in, (Value){id})->rank);
        Value largest = magnitude_of(w->out, w->map[id], all);
        range = range.id ? ir_max(w->out, range, largest) : largest;
    }
    graph_result(w->out, RESULT_output, weight->input_range, range, w->in->at);
}

Graph *quantize_observed(const Program *program, const Quantization *q)
{
    Quantizing w = begin(program, q, program->entry[ENTRY_predict]);
    const Graph *in = w.in;
    for (uint32_t id = 1; id < in->node.count; id++)
        w.map[id] = graph_copy(w.out, in, (Value){id}, w.map);
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(w.out, (int)result->kind, result->name, w.map[result->value.id], result->at);
    }
    for (uint32_t i = 0; i < q->weight.count; i++) {
        const QuantizedWeight *weight = &q->weight.at[i];
        const State *state = program_state(program, weight->weight);
        Value value = ir_read(w.out, weight->weight, state->type, state->shape);
        Integers integers = weight_in_integers(w.out, value, weight->axis);
        graph_result(w.out, RESULT_output, weight->weight, integers.at, state->at);
        graph_result(w.out, RESULT_output, weight->scale, integers.scale, state->at);
        if (weight->owns_range) observe_range(&w, weight);
    }
    return w.out;
}

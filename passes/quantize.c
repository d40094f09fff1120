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
    Value *narrow; /* by node: in integers; {0}: it is not */
    Value *scale;  /* ... their scale */
} Quantizing;

/* --- the four steps --------------------------------------------------------------------------------------------------------- */

/* `axes` of x are those of its magnitude. */
static Value to_integers(Graph *out, Value x, Value magnitude, Axes axes, Type type)
{
    Value most = ir_like(out, magnitude, type == TYPE_u8 ? MOST_u8 : MOST_i8);
    Value rate = ir_broadcast(out, ir_div(out, most, magnitude), axes, *graph_shape(out, x));
    return ir_cast(out, ir_round(out, ir_mul(out, x, rate)), type);
}

static Value of_integers(Graph *out, Value q, Value scale, Axes axes)
{
    Value real = ir_cast(out, q, TYPE_f32);
    return ir_mul(out, real, ir_broadcast(out, scale, axes, *graph_shape(out, real)));
}

static Value scale_of(Graph *out, Value magnitude, Type type)
{
    Value most = ir_like(out, magnitude, type == TYPE_u8 ? MOST_u8 : MOST_i8);
    return ir_div(out, magnitude, most);
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

static Quantizing begin(const Program *program, const Quantization *q, const Graph *in)
{
    Arena *arena = program->arena;
    return (Quantizing){.program = program,
                        .quantization = q,
                        .out = graph_new(program->arena, in->names, in->name, in->simplify),
                        .in = in,
                        .positive = quantize_positive(in, arena),
                        .of_root = find_roots(program, in, q, arena),
                        .map = arena_array(arena, Value, in->node.count),
                        .narrow = arena_array(arena, Value, in->node.count),
                        .scale = arena_array(arena, Value, in->node.count)};
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

/* Rounds an activation that products read. */
static Value round_root(Quantizing *w, Value root, Value x)
{
    Type type = w->positive[root.id] ? TYPE_u8 : TYPE_i8;
    Value range = ir_read(w->out, w->of_root[root.id]->input_range, TYPE_f32, (Shape){0});
    w->scale[root.id] = scale_of(w->out, range, type);
    w->narrow[root.id] = to_integers(w->out, x, range, (Axes){0}, type);
    return of_integers(w->out, w->narrow[root.id], w->scale[root.id], (Axes){0});
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
    return of_integers(w->out, sum, scale, only((int)(strchr(indices->y, letter) - indices->y)));
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
    Value made = weight && weight->axis == p.axis ? multiply(w, y, &p)
                                                  : graph_copy(w->out, w->in, y, w->map);
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

static Graph *rewrite(const Program *program, const Quantization *q, const Graph *in)
{
    Quantizing w = begin(program, q, in);
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
    static const EntryKind kinds[] = {ENTRY_init, ENTRY_loss, ENTRY_eval, ENTRY_predict};
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
    const Graph *in = program->entry[ENTRY_predict];
    Quantizing w = begin(program, q, in);
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

/* Which products become those of integers, and which values are never negative. */
#include "passes/quantize_products.h"

#include <string.h>

/* Products that sums in i32 always have room for: 2^31 / (255 * 127). */
#define MOST_POINTS  66311
/* Shorter sums gain nothing: rounding and scaling take as long as their products. */
#define LEAST_POINTS 32

/* What moves or selects elements, and whose zeros are zeros: rounding may as well be done before. */
bool quantize_passes_through(const Node *node)
{
    if (node->op == OP_pad) return node->attribute->pad.value == 0;
    return node->op == OP_reduce_max || node->op == OP_reshape || node->op == OP_transpose ||
           node->op == OP_broadcast || node->op == OP_slice || node->op == OP_window;
}

/* Below a largest of padding with the least number, as of pooling, there is nothing to measure: that largest is it. */
static Value root_of(const Graph *graph, Value x)
{
    Value largest = {0};
    while (quantize_passes_through(graph_node(graph, x))) {
        if (!largest.id && graph_node(graph, x)->op == OP_reduce_max) largest = x;
        x = graph_argument(graph, x, 0);
    }
    return largest.id && graph_node(graph, x)->op == OP_pad ? largest : x;
}

Value quantize_relu(const Graph *graph, Value x)
{
    const Node *node = graph_node(graph, x);
    double number;
    for (int i = 0; i < 2 && node->op == OP_max; i++)
        if (graph_is_number(graph, node->argument[1 - i], &number) && number == 0)
            return node->argument[i];
    return (Value){0};
}

static bool is_parameter(const Program *program, const Node *node)
{
    const State *state = node->op == OP_read ? program_state(program, node->attribute->name) : NULL;
    return state && state->role == STATE_parameter;
}

static bool is_of_window(const Indices *indices, char letter)
{
    for (int i = 0; i < indices->windows; i++)
        if (indices->window[i].tap == letter || indices->window[i].output == letter) return true;
    return false;
}

/* The first axis of the weight that is one of the result's and none of the activation's; -1: there is none. */
static int output_axis(const Indices *indices, int side)
{
    const char *own = side ? indices->b : indices->a, *other = side ? indices->a : indices->b;
    for (int i = 0; own[i]; i++)
        if (strchr(indices->y, own[i]) && !strchr(other, own[i]) && !is_of_window(indices, own[i]))
            return i;
    return -1;
}

bool quantize_product(const Program *program, const Graph *graph, Value value, Product *product)
{
    const Node *node = graph_node(graph, value);
    if (op_info[node->op].class != CONTRACTION || node->type != TYPE_f32) return false;
    bool is_weight[2];
    for (int i = 0; i < 2; i++) {
        if (graph_type(graph, node->argument[i]) != TYPE_f32) return false;
        is_weight[i] = is_parameter(program, graph_node(graph, node->argument[i]));
    }
    if (is_weight[0] == is_weight[1]) return false;
    int side = is_weight[1], axis = output_axis(&node->attribute->indices, side);
    if (axis < 0) return false;
    const Shape *shape = graph_shape(graph, node->argument[side]);
    int64_t points = shape_elements(shape) / shape->extent[axis];
    if (points < LEAST_POINTS || points > MOST_POINTS) return false;
    Value root = root_of(graph, node->argument[1 - side]);
    if (is_parameter(program, graph_node(graph, root))) return false;
    *product = (Product){.side = side,
                         .weight = graph_node(graph, node->argument[side])->attribute->name,
                         .axis = axis,
                         .root = root};
    return true;
}

const QuantizedWeight *quantize_weight(const Quantization *quantization, Name name)
{
    for (uint32_t i = 0; i < quantization->weight.count; i++)
        if (name_same(quantization->weight.at[i].weight, name)) return &quantization->weight.at[i];
    return NULL;
}

/* In the order of the states: entries differ in the order of their nodes. */
static void list_weights(const Program *program, const Graph *graph, Arena *arena, Quantization *q)
{
    for (uint32_t i = 0; i < program->state.count; i++)
        for (uint32_t id = 1; id < graph->node.count; id++) {
            Product p;
            Name name = program->state.at[i].name;
            if (!quantize_product(program, graph, (Value){id}, &p) || !name_same(p.weight, name))
                continue;
            const char *text = name_text(graph->names, name);
            *list_add(arena, &q->weight) =
                (QuantizedWeight){.weight = name,
                                  .scale = name_format(graph->names, "%s.scale", text),
                                  .axis = p.axis};
            break;
        }
}

static uint32_t first_of(const uint32_t *group, uint32_t i)
{
    while (group[i] != i)
        i = group[i];
    return i;
}

/* Weights are of one group if they multiply the same. */
static void share_ranges(const Program *program, const Graph *graph, Arena *arena, Quantization *q)
{
    uint32_t *group = arena_array(arena, uint32_t, q->weight.count);
    uint32_t *of_root = arena_array(arena, uint32_t, graph->node.count); /* and 1; 0: none so far */
    for (uint32_t i = 0; i < q->weight.count; i++)
        group[i] = i;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        Product p;
        if (!quantize_product(program, graph, (Value){id}, &p)) continue;
        uint32_t own = first_of(group, (uint32_t)(quantize_weight(q, p.weight) - q->weight.at));
        uint32_t *of = &of_root[p.root.id], other = *of ? first_of(group, *of - 1) : own;
        group[own > other ? own : other] = own > other ? other : own;
        *of = own + 1;
    }
    for (uint32_t i = 0; i < q->weight.count; i++) {
        uint32_t first = first_of(group, i);
        const char *text = name_text(graph->names, q->weight.at[first].weight);
        q->weight.at[i].input_range = name_format(graph->names, "%s.input_range", text);
        q->weight.at[i].owns_range = first == i;
    }
}

Quantization quantization_of(const Program *program, Arena *arena)
{
    Quantization q = {0};
    if (!program->entry[ENTRY_predict]) return q;
    const Graph *graph = quantize_expose(program->entry[ENTRY_predict], arena);
    list_weights(program, graph, arena, &q);
    share_ranges(program, graph, arena, &q);
    return q;
}

/* --- signs ------------------------------------------------------------------------------------------------------------------ */

typedef enum Operands {
    OPERANDS_none,
    OPERANDS_nobody,
    OPERANDS_first,
    OPERANDS_all,
    OPERANDS_any,
    OPERANDS_branches
} Operands;

static const Operands positive_if[OP_COUNT] = {
#define POSITIVE(op, operands) [OP_##op] = OPERANDS_##operands,
#include "passes/quantize.def"
#undef POSITIVE
};

/* Whether those of the operands from `from` on are all, or any, never negative. */
static bool are_positive(const bool *positive, const Node *node, uint32_t from, bool all)
{
    for (uint32_t i = from; i < node->argument_count; i++)
        if (positive[node->argument[i].id] != all) return !all;
    return all;
}

static bool is_never_negative(const Graph *graph, const bool *positive, const Node *node)
{
    bool first = node->argument_count && positive[node->argument[0].id];
    if (type_info[node->type].class == CLASS_UNSIGNED) return true;
    if (node->op == OP_constant) return node->attribute->number >= 0;
    if (node->op == OP_pad) return first && node->attribute->pad.value >= 0;
    if (node->op == OP_cast) return first || graph_type(graph, node->argument[0]) == TYPE_bool;
    if (node->op == OP_mul && value_same(node->argument[0], node->argument[1])) return true;
    switch (positive_if[node->op]) {
    case OPERANDS_none: return false;
    case OPERANDS_nobody: return true;
    case OPERANDS_first: return first;
    case OPERANDS_all: return are_positive(positive, node, 0, true);
    case OPERANDS_any: return are_positive(positive, node, 0, false);
    case OPERANDS_branches: return are_positive(positive, node, 1, true);
    }
    return false;
}

bool *quantize_positive(const Graph *graph, Arena *arena)
{
    bool *positive = arena_array(arena, bool, graph->node.count);
    for (uint32_t id = 1; id < graph->node.count; id++)
        positive[id] = is_never_negative(graph, positive, &graph->node.at[id]);
    return positive;
}

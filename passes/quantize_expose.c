/* Brings relu next to what it cuts off.  The simplifier pools first, which is less work in f32; but of integers that are never negative,
 * relu is no work at all, and what is pooled then is bytes. */
#include "passes/quantize_products.h"

#include "ir/graph/build.h"

typedef struct Exposing {
    Graph *out;
    const Graph *in;
    Value *map;
    const uint32_t *uses;
} Exposing;

static uint32_t *count_uses(const Graph *graph, Arena *arena)
{
    uint32_t *uses = arena_array(arena, uint32_t, graph->node.count);
    for (uint32_t id = 1; id < graph->node.count; id++)
        for (uint32_t i = 0; i < graph->node.at[id].argument_count; i++)
            uses[graph->node.at[id].argument[i].id]++;
    for (uint32_t i = 0; i < graph->result.count; i++)
        uses[graph->result.at[i].value.id]++;
    return uses;
}

static bool lets_through(const Exposing *x, Value value)
{
    const Node *node = graph_node(x->in, value);
    return x->uses[value.id] == 1 && (node->op == OP_pad || quantize_passes_through(node));
}

static Value cut_off(Exposing *x, Value value)
{
    if (!lets_through(x, value))
        return ir_max(x->out, x->map[value.id], ir_like(x->out, x->map[value.id], 0));
    const Node *node = graph_node(x->in, value);
    Value inside = cut_off(x, node->argument[0]);
    Attribute attribute = node->attribute ? *node->attribute : (Attribute){0};
    if (node->op == OP_pad && attribute.pad.value < 0) attribute.pad.value = 0;
    TypedShape given = {.shape = *graph_shape(x->in, value)};
    return graph_add(x->out, node->op, 1, &inside, &attribute, &given);
}

Graph *quantize_expose(const Graph *in, Arena *arena)
{
    Exposing x = {.out = graph_new(arena, in->names, in->name, NULL),
                  .in = in,
                  .map = arena_array(arena, Value, in->node.count),
                  .uses = count_uses(in, arena)};
    for (uint32_t id = 1; id < in->node.count; id++) {
        const Node *node = graph_node(in, (Value){id});
        Value operand = quantize_relu(in, (Value){id});
        x.out->at = node->at;
        x.map[id] = operand.id && lets_through(&x, operand)
                        ? cut_off(&x, operand)
                        : graph_copy(x.out, in, (Value){id}, x.map);
    }
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(x.out, (int)result->kind, result->name, x.map[result->value.id], result->at);
    }
    return graph_sweep(x.out, arena);
}

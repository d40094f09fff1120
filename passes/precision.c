/* What contractions multiply.  bf16: operands are rounded to it, everything else stays f32.  Contractions sum in f32 by the op
 * table, master weights and optimizer states are never touched, and bf16 has f32's range, so there is no loss to scale.
 * f32_fast, for machines whose products of bf16 take less than a third of the time of those of f32: every operand is the sum of two
 * numbers of bf16, x = high + low + an error of at most 2^-17 |x|, and of the four products all but low * low are summed, at once, as
 * if there were three times as many points to sum over (Henry, Tang, Heinecke, Leveraging the bfloat16 Artificial Intelligence
 * Datatype For Higher-Precision Computations, 2019). */
#include "passes/pass.h"

#include "ir/graph/build.h"

typedef enum Policy { POLICY_f32, POLICY_bf16, POLICY_f32_fast } Policy;

static Value contract(Graph *out, const Graph *in, Value value, Value a, Value b,
                      const Indices *indices)
{
    return graph_node(in, value)->op == OP_dot
               ? ir_dot(out, a, b, *indices)
               : ir_conv(out, a, b, *indices, *graph_shape(in, value));
}

static Value contract_in_bf16(Graph *out, const Graph *in, Value value, const Value *map)
{
    const Node *node = graph_node(in, value);
    Value a = ir_cast(out, map[node->argument[0].id], TYPE_bf16);
    Value b = ir_cast(out, map[node->argument[1].id], TYPE_bf16);
    return contract(out, in, value, a, b, &node->attribute->indices);
}

/* Along a new first axis: low, high, high; or high, low, high. The small products come first. */
static Value in_parts(Graph *out, Value x, bool is_first)
{
    Shape shape = *graph_shape(out, x), longer = {.rank = shape.rank + 1, .extent = {1}};
    memcpy(longer.extent + 1, shape.extent, shape.rank * sizeof *shape.extent);
    Value high = ir_cast(out, x, TYPE_bf16);
    Value low = ir_cast(out, ir_sub(out, x, ir_cast(out, high, TYPE_f32)), TYPE_bf16);
    high = ir_reshape(out, high, longer);
    low = ir_reshape(out, low, longer);
    return ir_concat(out, 3, (Value[]){is_first ? low : high, is_first ? high : low, high}, 0);
}

static bool has_room(const Node *node)
{
    const Indices *indices = &node->attribute->indices;
    return strlen(indices->a) < MAX_RANK && strlen(indices->b) < MAX_RANK;
}

static Value contract_in_parts(Graph *out, const Graph *in, Value value, const Value *map)
{
    const Node *node = graph_node(in, value);
    Indices indices = node->attribute->indices;
    char letter = indices_free_letter(&indices);
    indices_insert(indices.a, 0, letter);
    indices_insert(indices.b, 0, letter);
    Value a = in_parts(out, map[node->argument[0].id], true);
    Value b = in_parts(out, map[node->argument[1].id], false);
    return contract(out, in, value, a, b, &indices);
}

static bool is_of_f32(const Graph *graph, const Node *node)
{
    return op_info[node->op].class == CONTRACTION &&
           graph_type(graph, node->argument[0]) == TYPE_f32;
}

static Policy policy_of(const char *wanted)
{
    if (wanted && !strcmp(wanted, "bf16")) return POLICY_bf16;
    return wanted && !strcmp(wanted, "f32_fast") ? POLICY_f32_fast : POLICY_f32;
}

Graph *pass_precision(Pass *pass, const Graph *in)
{
    Policy policy = policy_of(pass->options->precision);
    Graph *out = graph_new(pass->arena, in->names, in->name, in->simplify);
    Value *map = arena_array(pass->scratch, Value, in->node.count);
    for (uint32_t id = 1; id < in->node.count; id++) {
        const Node *node = &in->node.at[id];
        out->at = node->at;
        bool is_wanted = policy != POLICY_f32 && is_of_f32(in, node);
        if (is_wanted && policy == POLICY_bf16)
            map[id] = contract_in_bf16(out, in, (Value){id}, map);
        else if (is_wanted && has_room(node))
            map[id] = contract_in_parts(out, in, (Value){id}, map);
        else
            map[id] = graph_copy(out, in, (Value){id}, map);
    }
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(out, (int)result->kind, result->name, map[result->value.id], result->at);
    }
    return out;
}

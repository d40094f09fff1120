/* The bf16 policy: operands of contractions are rounded to bf16, everything else stays f32.  Contractions sum in f32 by
 * the op table, master weights and optimizer states are never touched, and bf16 has f32's range, so there is no loss to
 * scale. */
#include "passes/pass.h"

#include "ir/graph/build.h"

static Value contract_in_bf16(Graph *out, const Graph *in, Value value, const Value *map)
{
    const Node *node = graph_node(in, value);
    Value a = ir_cast(out, map[node->argument[0].id], TYPE_bf16);
    Value b = ir_cast(out, map[node->argument[1].id], TYPE_bf16);
    const Indices *indices = &node->attribute->indices;
    return node->op == OP_dot ? ir_dot(out, a, b, *indices)
                              : ir_conv(out, a, b, *indices, *graph_shape(in, value));
}

static bool is_narrowed(const Graph *graph, const Node *node)
{
    return op_info[node->op].class == CONTRACTION &&
           graph_type(graph, node->argument[0]) == TYPE_f32;
}

Graph *pass_precision(Pass *pass, const Graph *in)
{
    const char *wanted = pass->options->precision;
    bool narrow = wanted && strcmp(wanted, "bf16") == 0;
    Graph *out = graph_new(pass->arena, in->names, in->name, in->simplify);
    Value *map = arena_array(pass->scratch, Value, in->node.count);
    for (uint32_t id = 1; id < in->node.count; id++) {
        const Node *node = &in->node.at[id];
        out->at = node->at;
        map[id] = narrow && is_narrowed(in, node) ? contract_in_bf16(out, in, (Value){id}, map)
                                                  : graph_copy(out, in, (Value){id}, map);
    }
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(out, (int)result->kind, result->name, map[result->value.id], result->at);
    }
    return out;
}

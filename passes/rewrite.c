#include "passes/rewrite.h"

#include "ir/base/boundary.h"

bool op_is_commutative(Op op)
{
    return op == OP_add || op == OP_mul || op == OP_max || op == OP_min || op == OP_equal ||
           op == OP_and || op == OP_or;
}

static bool match_value(Match *match, const Pattern *pattern, Value value);

static bool match_pair(Match *match, const Pattern *pattern, const Node *node, int first)
{
    Match before = *match;
    if (match_value(match, pattern->argument[0], node->argument[first]) &&
        match_value(match, pattern->argument[1], node->argument[1 - first]))
        return true;
    *match = before;
    return false;
}

static bool match_node(Match *match, const Pattern *pattern, const Node *node)
{
    if (pattern->op == OP_none) return op_info[node->op].class == ELEMENTWISE;
    if (pattern->op != node->op) return false;
    if (op_is_commutative(node->op))
        return match_pair(match, pattern, node, 0) || match_pair(match, pattern, node, 1);

    for (uint32_t i = 0; i < node->argument_count && pattern->argument[i]; i++)
        if (!match_value(match, pattern->argument[i], node->argument[i])) return false;
    return true;
}

static bool match_slot(Match *match, int slot, Value value)
{
    if (match->slot[slot].id) return value_same(match->slot[slot], value);
    match->slot[slot] = value;
    return true;
}

static bool match_value(Match *match, const Pattern *pattern, Value value)
{
    double number = 0;
    switch (pattern->kind) {
    case PATTERN_value: return match_slot(match, pattern->slot, value);
    case PATTERN_constant:
        return graph_is_number(match->graph, value, &number) &&
               match_slot(match, pattern->slot, value);
    case PATTERN_number:
        return graph_is_number(match->graph, value, &number) && number == pattern->number;
    case PATTERN_op: return match_node(match, pattern, graph_node(match->graph, value));
    }
    unreachable("pattern");
}

static Value build(const Match *match, const Pattern *pattern)
{
    Graph *graph = match->graph;
    TypedShape root = {match->root->type, graph->shape.at[match->root->shape]};
    switch (pattern->kind) {
    case PATTERN_value:
    case PATTERN_constant: return match->slot[pattern->slot];
    case PATTERN_number:
        return graph_add(graph, OP_constant, 0, NULL, &(Attribute){.number = pattern->number},
                         &root);
    case PATTERN_op: {
        Value argument[3];
        uint32_t count = 0;
        for (; pattern->argument[count]; count++)
            argument[count] = build(match, pattern->argument[count]);
        return graph_add(graph, pattern->op, count, argument, NULL, NULL);
    }
    }
    unreachable("pattern");
}

Value rewrite_apply(Graph *graph, const Rule *rule, const Node *node)
{
    Match match = {.graph = graph, .root = node};
    if (!match_node(&match, rule->pattern, node)) return (Value){0};
    if (rule->when && !rule->when(&match)) return (Value){0};
    return rule->result ? build(&match, rule->result) : rule->build(&match);
}

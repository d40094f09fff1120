/* Reverse mode by graph rewriting.  The graph is copied node by node; where a `gradient` node stands, one sweep back
 * from its y, in the graph built so far, writes the adjoints of everything between y and the wanted values as ordinary
 * nodes.  All gradient nodes of one y share the sweep.  A gradient of a gradient needs nothing more: by the time it is
 * met, the inner one is ordinary nodes already.
 *
 * The gradient by a value takes every use of that value into account, also those that another expression which happens
 * to be equal has: values are what they compute, and equal ones are one. */
#include "passes/autodiff.h"

#include "ir/graph/build.h"

static GradRule *const grad_rule[OP_COUNT] = {
#define RULE_yes(name)              grad_##name
#define RULE_no(name)               NULL
#define UNARY(name, gradient, ...)  [OP_##name] = RULE_##gradient(name),
#define BINARY(name, gradient, ...) [OP_##name] = RULE_##gradient(name),
#define OP(name, gradient, ...)     [OP_##name] = RULE_##gradient(name),
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
#undef RULE_yes
#undef RULE_no
};

void flow(Autodiff *d, Value x, Value dx)
{
    if (!d->needs[x.id]) return;
    Value *sum = &d->adjoint[x.id];
    *sum = sum->id ? ir_add(d->graph, *sum, dx) : dx;
}

/* Extends `wanted` to every value up to `last` through which a wanted one is reached differentiably. */
static void spread_needs(const Graph *graph, uint32_t last, bool *needs)
{
    for (uint32_t id = 1; id <= last; id++) {
        const Node *node = &graph->node.at[id];
        if (!grad_rule[node->op] || !type_is_float(node->type)) continue;
        for (uint32_t i = 0; i < node->argument_count; i++)
            needs[id] |= needs[node->argument[i].id];
    }
}

static bool is_gradient_of(const Node *node, Value y)
{
    return node->op == OP_gradient && value_same(node->argument[0], y);
}

/* The graph that is read, the one that is built, and the map between them. */
typedef struct Expansion {
    Pass *pass;
    const Graph *in;
    Graph *out;
    Value *map;
} Expansion;

/* The gradient nodes from `first` on that ask for y, as far as their x exists already; `first` is one of them. */
static void sweep_back(Expansion *e, uint32_t first)
{
    Value y_in = e->in->node.at[first].argument[0], y = e->map[y_in.id];
    Autodiff d = {.graph = e->out, .adjoint = arena_array(e->pass->scratch, Value, y.id + 1)};
    bool *needs = arena_array(e->pass->scratch, bool, e->out->node.count);
    for (uint32_t id = first; id < e->in->node.count; id++) {
        const Node *node = &e->in->node.at[id];
        Value x = is_gradient_of(node, y_in) ? e->map[node->argument[1].id] : (Value){0};
        needs[x.id] |= x.id != 0;
    }
    spread_needs(e->out, y.id, needs);
    d.needs = needs;

    if (needs[y.id]) d.adjoint[y.id] = ir_like(e->out, y, 1);
    for (uint32_t id = y.id; id > 0; id--) {
        const Node *node = &e->out->node.at[id];
        if (!d.adjoint[id].id || !grad_rule[node->op]) continue;
        e->out->at = node->at;
        e->out->at.storage = STORAGE_gradient;
        grad_rule[node->op](&d, (Value){id}, d.adjoint[id]);
    }
    for (uint32_t id = first; id < e->in->node.count; id++) {
        const Node *node = &e->in->node.at[id];
        if (!is_gradient_of(node, y_in)) continue;
        Value x = e->map[node->argument[1].id];
        if (!x.id) continue;
        Value dx = x.id <= y.id ? d.adjoint[x.id] : (Value){0};
        e->out->at = node->at;
        e->map[id] = dx.id ? dx : ir_like(e->out, x, 0);
    }
}

static Graph *expand(Pass *pass, const Graph *in)
{
    Expansion e = {
        .pass = pass,
        .in = in,
        .out = graph_new(pass->arena, in->names, in->name, in->simplify),
        .map = arena_array(pass->scratch, Value, in->node.count),
    };
    for (uint32_t id = 1; id < in->node.count; id++) {
        if (e.map[id].id) continue;
        if (in->node.at[id].op == OP_gradient)
            sweep_back(&e, id);
        else
            e.map[id] = graph_copy(e.out, in, (Value){id}, e.map);
    }
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(e.out, (int)result->kind, result->name, e.map[result->value.id], result->at);
    }
    return e.out;
}

/* Once no gradient is left to be asked for, `stop` is the identity. */
static Graph *without_stops(Pass *pass, const Graph *in)
{
    Graph *out = graph_new(pass->arena, in->names, in->name, in->simplify);
    Value *map = arena_array(pass->scratch, Value, in->node.count);
    for (uint32_t id = 1; id < in->node.count; id++) {
        const Node *node = &in->node.at[id];
        map[id] =
            node->op == OP_stop ? map[node->argument[0].id] : graph_copy(out, in, (Value){id}, map);
    }
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(out, (int)result->kind, result->name, map[result->value.id], result->at);
    }
    return out;
}

Graph *pass_autodiff(Pass *pass, const Graph *in)
{
    return without_stops(pass, expand(pass, in));
}

#include "tests/properties/generate.h"

#include "ir/graph/build.h"

#define NODES_MOST 400

/* Ops of random graphs. With integers: those that give integers from integers, where every order of addition is exact. */
static bool is_used(Op op, bool integers)
{
    const OpInfo *info = &op_info[op];
    switch (info->class) {
    case LEAF: return op == OP_iota || op == OP_table;
    case STATE:
    case GRADIENT: return false;
    case RANDOM: return !integers;
    case ELEMENTWISE: break;
    case MOVEMENT:
    case REDUCTION:
    case CONTRACTION:
    case INDEXING: return true;
    }
    if (!info->meaning) return true;
    bool jumps = op == OP_sign || op == OP_floor || op == OP_round || op == OP_rem ||
                 info->types == TYPES_compare;
    if (!integers) return !jumps; /* where rounding decides which side of a jump a value is on */
    return info->types == TYPES_logic || jumps ? op != OP_rem
                                               : info->types == TYPES_number && op != OP_div;
}

/* Whether results may be larger than operands. */
static bool grows(Op op)
{
    OpClass class = op_info[op].class;
    return class == CONTRACTION || class == REDUCTION || op == OP_scatter || op == OP_add ||
           op == OP_sub || op == OP_mul || op == OP_div || op == OP_exp || op == OP_expm1 ||
           op == OP_pow || op == OP_iota;
}

/* x, kept inside [-4, 4], so that sums and products of many stay in range. */
static Value tamed(Generator *g, Value x)
{
    if (graph_type(g->graph, x) != TYPE_f32) return x;
    Value high = ir_like(g->graph, x, 4), low = ir_like(g->graph, x, -4);
    Value bounded = ir_min(g->graph, x, high);
    return ir_max(g->graph, bounded, low);
}

/* |x| + 1/2: inside every domain. */
static Value positive(Generator *g, Value x)
{
    Value size = ir_abs(g->graph, x), half = ir_like(g->graph, x, 0.5);
    return ir_add(g->graph, size, half);
}

static Value inside_domain(Generator *g, Op op)
{
    Value x = generate_operand(g, TYPE_f32, NULL);
    Shape shape = *graph_shape(g->graph, x);
    Value y = generate_operand(g, TYPE_f32, &shape);
    if (op == OP_div) return ir_div(g->graph, x, positive(g, y));
    x = positive(g, x);
    Value argument[2] = {x, y};
    return generate_node(g, op, (uint32_t)op_info[op].arguments, argument, NULL, NULL);
}

static Value one_more(Generator *g, bool integers)
{
    Op op;
    do
        op = (Op)random_from(&g->kit->random, OP_none + 1, OP_COUNT - 1);
    while (!is_used(op, integers));
    bool is_narrow = op_info[op].meaning && (op_info[op].domain == DOMAIN_positive || op == OP_div);
    Value value = is_narrow ? inside_domain(g, op) : generate(g, op, (Value){0});
    return value.id && grows(op) ? tamed(g, value) : value;
}

/* Sum of all elements of all real values that are results. */
static Value loss_of(Generator *g, const Value *kept, uint32_t count)
{
    Shape scalar = {0};
    Value loss = ir_constant(g->graph, TYPE_f32, scalar, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (graph_type(g->graph, kept[i]) != TYPE_f32) continue;
        int rank = graph_shape(g->graph, kept[i])->rank;
        Value sum = ir_sum(g->graph, kept[i], axes_range(0, rank));
        loss = ir_add(g->graph, loss, sum);
    }
    return loss;
}

static void output(Generator *g, Value value)
{
    Name name = name_format(g->kit->names, "y%u", g->graph->result.count);
    graph_result(g->graph, RESULT_output, name, value, (Span){0});
}

static void output_gradients(Generator *g, Value loss)
{
    output(g, loss);
    for (uint32_t id = 1, count = g->graph->node.count; id < count; id++) {
        const Node *node = &g->graph->node.at[id];
        if (node->op == OP_input && node->type == TYPE_f32)
            output(g, ir_gradient(g->graph, loss, (Value){id}));
    }
}

Graph *random_graph(Kit *kit, const RandomGraph *what, GraphSimplify *simplify)
{
    Generator g = generator_open(kit, simplify);
    g.operands = OPERANDS_values;
    g.only_f32 = true;
    Value kept[NODES_MOST];
    uint32_t count = 0;
    for (int i = 0; i < what->count && count < NODES_MOST && g.inputs < 24; i++) {
        Value value = one_more(&g, what->integers);
        if (value.id) kept[count++] = value;
    }
    for (uint32_t i = 0; i < count; i++)
        if (random_once_in(&kit->random, 3) || i + 1 == count) output(&g, kept[i]);
    if (what->gradients) output_gradients(&g, loss_of(&g, kept, count));
    return g.graph;
}

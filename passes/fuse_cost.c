/* The cost model: bytes moved against operations repeated, both in vector operations per element.  A load from the caches costs
 * about two additions and a store four (it also evicts); the numbers need only be right within a factor of two. */
#include "passes/fuse_sites.h"

/* What must be computed in a kernel of its own if it is not stored here: never cheaper than a load. */
#define COST_KERNEL 1000.0
/* Twice in one kernel, as in softmax, still beats a second pass over memory. */
#define COST_TWICE  60.0

static double op_cost(Op op)
{
    static const double cost[OP_COUNT] = {
#define COST(name, cost) [OP_##name] = cost,
#include "passes/fuse_cost.def"
#undef COST
    };
    return cost[op] ? cost[op] : 1;
}

static double arguments(const Weights *weights, const Node *node)
{
    double sum = 0;
    for (uint32_t i = 0; i < node->argument_count; i++)
        if (i == 0 || !value_same(node->argument[i], node->argument[i - 1]))
            sum += weights->seen[node->argument[i].id];
    return sum;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double weight(const Weights *weights, const Graph *graph, Value x)
{
    const Node *node = graph_node(graph, x);
    switch (op_info[node->op].class) {
    case LEAF: return fusion_is_source(graph, x) ? COST_LOAD : 0;
    case STATE: return COST_LOAD;
    case ELEMENTWISE: return least(op_cost(node->op) + arguments(weights, node), 2 * COST_KERNEL);
    case RANDOM: return op_cost(node->op);
    case INDEXING: return COST_LOAD + arguments(weights, node);
    case REDUCTION:
    case CONTRACTION:
    case GRADIENT: return COST_KERNEL;
    case MOVEMENT: break;
    }
    double inner = arguments(weights, node);
    int64_t elements = shape_elements(graph_shape(graph, x));
    int64_t from = shape_elements(graph_shape(graph, node->argument[0]));
    /* What is small beside its broadcast is stored at no cost worth counting. */
    if (node->op == OP_broadcast && elements >= 4 * from) return least(inner, COST_LOAD);
    return node->op == OP_concat || node->op == OP_pad ? inner + node->argument_count : inner;
}

Weights cost_weights(Arena *arena, const Graph *graph, const uint32_t *uses)
{
    Weights weights = {.own = arena_array(arena, double, graph->node.count),
                       .seen = arena_array(arena, double, graph->node.count)};
    for (uint32_t id = 1; id < graph->node.count; id++) {
        Value x = {id};
        weights.own[id] = weights.seen[id] = weight(&weights, graph, x);
        if (uses[id] > 1 && weights.own[id] >= COST_KERNEL) weights.seen[id] = COST_LOAD;
    }
    return weights;
}

static bool is_one_kernel(const Sites *sites)
{
    for (uint32_t i = 0; i < sites->count; i++)
        if (sites->at[i].group != sites->at[0].group || sites->at[i].spot > SPOT_body) return false;
    return true;
}

bool cost_says_store(const Weights *weights, const Graph *graph, Value x, const Sites *sites)
{
    double own = weights->own[x.id], copies = sites->copies;
    if (sites->overflow) return own > COST_LOAD;
    if (copies <= 1) return false;
    if (is_one_kernel(sites) && copies <= 2 && own <= COST_TWICE) return false;

    double elements = (double)shape_elements(graph_shape(graph, x));
    double again = (copies - 1) * own * elements;
    double moved = COST_LAUNCH + elements * (COST_STORE + COST_LOAD * copies);
    return again > moved;
}

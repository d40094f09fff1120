/* The cost model: bytes moved against operations repeated.  The unit is one addition of a vector of 16 floats from registers, per
 * vector of the value; loads are what the levels of the cache hierarchy deliver meanwhile.  The numbers need only be right
 * within a factor of two: what they decide lies further apart. */
#include "passes/fuse_sites.h"

/* What must be computed in a kernel of its own if it is not stored here: never cheaper than a load. */
#define COST_KERNEL 1e6
/* Twice in one kernel, as exp in softmax, beats a second pass over memory. */
#define COST_TWICE  100.0
/* One more kernel: its launch and the wait for all threads, about a microsecond. */
#define COST_LAUNCH 100000.0
/* A single number is worth a kernel from here on if several kernels would compute it: they also compile faster. */
#define COST_SCALAR 20.0

/* Of a vector of x: from the second-level cache, the shared one, or memory.  A store is a load and an eviction. */
static double cost_load(const Graph *graph, Value x)
{
    double width = type_info[graph_type(graph, x)].bytes;
    double bytes = width * (double)shape_elements(graph_shape(graph, x));
    double vector = bytes <= 0x1p19 ? 3 : bytes <= 0x1p23 ? 10 : 18;
    return vector * width / 4;
}

static double op_cost(Op op)
{
    static const double cost[OP_COUNT] = {
#define COST(name, cost) [OP_##name] = cost,
#include "passes/fuse_cost.def"
#undef COST
    };
    return cost[op] > 0 ? cost[op] : 1;
}

/* Operations alone. */
static double work(const Weights *weights, const Graph *graph, Value x)
{
    const Node *node = graph_node(graph, x);
    OpClass class = op_info[node->op].class;
    if (class == RANDOM) return op_cost(node->op);
    if (class == LEAF && !fusion_is_source(graph, x)) return 0;
    if (class != ELEMENTWISE && class != MOVEMENT) return 1;
    double sum = class == ELEMENTWISE ? op_cost(node->op) : 0;
    for (uint32_t i = 0; i < node->argument_count; i++)
        if (i == 0 || !value_same(node->argument[i], node->argument[i - 1]))
            sum += weights->work[node->argument[i].id];
    return sum < COST_KERNEL ? sum : COST_KERNEL;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double arguments(const Weights *weights, const Node *node)
{
    double sum = 0;
    for (uint32_t i = 0; i < node->argument_count; i++)
        if (i == 0 || !value_same(node->argument[i], node->argument[i - 1]))
            sum += weights->seen[node->argument[i].id];
    return least(sum, 2 * COST_KERNEL);
}

/* What is small beside its broadcast is stored at no cost worth counting: one register a row, or a vector from the
 * first-level cache. */
static double broadcast_weight(const Graph *graph, Value x, double inner)
{
    const Node *node = graph_node(graph, x);
    Axes axes = node->attribute->axes;
    const Shape *shape = graph_shape(graph, x), *from = graph_shape(graph, node->argument[0]);
    if (shape_elements(shape) < 4 * shape_elements(from)) return inner;
    bool by_row = !axes.count || axes.at[axes.count - 1] != shape->rank - 1;
    return least(inner, by_row ? 0.5 : 2);
}

static double weight(const Weights *weights, const Graph *graph, Value x)
{
    const Node *node = graph_node(graph, x);
    switch (op_info[node->op].class) {
    case LEAF: return fusion_is_source(graph, x) ? cost_load(graph, x) : 0;
    case STATE: return cost_load(graph, x);
    case ELEMENTWISE: return op_cost(node->op) + arguments(weights, node);
    case RANDOM: return op_cost(node->op);
    case INDEXING: return cost_load(graph, x) + arguments(weights, node);
    case REDUCTION:
    case CONTRACTION:
    case GRADIENT: return COST_KERNEL;
    case MOVEMENT: break;
    }
    double inner = arguments(weights, node);
    if (node->op == OP_broadcast) return broadcast_weight(graph, x, inner);
    return node->op == OP_concat || node->op == OP_pad ? inner + node->argument_count : inner;
}

Weights cost_weights(Arena *arena, const Graph *graph, const uint32_t *uses)
{
    Weights weights = {.own = arena_array(arena, double, graph->node.count),
                       .seen = arena_array(arena, double, graph->node.count),
                       .work = arena_array(arena, double, graph->node.count)};
    for (uint32_t id = 1; id < graph->node.count; id++) {
        Value x = {id};
        weights.own[id] = weights.seen[id] = weight(&weights, graph, x);
        weights.work[id] = work(&weights, graph, x);
        if (uses[id] > 1 && weights.own[id] >= COST_KERNEL) weights.seen[id] = cost_load(graph, x);
    }
    return weights;
}

static bool is_one_group(const Sites *sites)
{
    for (uint32_t i = 1; i < sites->count; i++)
        if (sites->at[i].group != sites->at[0].group) return false;
    return !sites->overflow;
}

static bool is_factor(const Sites *sites)
{
    for (uint32_t i = 0; i < sites->count; i++)
        if (sites->at[i].spot > SPOT_body) return true;
    return false;
}

/* Cheaper than a load; and what is chosen by it is seen to be chosen by indices. */
bool fusion_is_index(const Graph *graph, Value x)
{
    enum { FEW = 8 };
    Value open[FEW] = {x};
    int count = 1;
    for (int seen = 0; count; seen++) {
        if (seen == FEW) return false;
        const Node *node = graph_node(graph, open[--count]);
        OpClass class = op_info[node->op].class;
        bool is_leaf = class == LEAF && !fusion_is_source(graph, open[count]);
        bool is_step = class == ELEMENTWISE ? op_cost(node->op) <= 1
                                            : node->op == OP_broadcast || node->op == OP_reshape;
        if (!is_leaf && !is_step) return false;
        for (uint32_t i = 0; !is_leaf && i < node->argument_count; i++) {
            if (count == FEW) return false;
            open[count++] = node->argument[i];
        }
    }
    return true;
}

bool cost_says_store(const Weights *weights, const Graph *graph, Value x, const Sites *sites,
                     double inlined)
{
    double own = weights->own[x.id], copies = sites->copies;
    if (fusion_is_index(graph, x)) return false;
    double elements = (double)shape_elements(graph_shape(graph, x));
    if (elements == 1 && own >= COST_SCALAR && !is_one_group(sites)) return true;
    if (copies <= 1) return false;
    if (is_one_group(sites) && !is_factor(sites) && copies <= 2 && own <= COST_TWICE) return false;

    double load = cost_load(graph, x);
    double stored = own + load * (2 + copies);
    return elements * (inlined - stored) > COST_LAUNCH;
}

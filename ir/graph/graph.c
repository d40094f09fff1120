/* graph_add looks for an equal node first: what is already there has been simplified before.  Only then the rules are
 * asked, and since they may have added nodes themselves the place in the table is looked up again before storing. */
#include "ir/graph/graph.h"
#include "ir/base/bits.h"
#include "ir/base/boundary.h"
#include "ir/graph/attribute.h"

#define SMALL 8 /* operands that need no memory of the arena while a node is looked up */

Graph *graph_new(Arena *arena, Names *names, Name name, GraphSimplify *simplify)
{
    Graph *graph = arena_new(arena, Graph);
    *graph = (Graph){.arena = arena, .names = names, .name = name, .simplify = simplify};
    graph->table_room = 256;
    graph->table = arena_array(arena, uint32_t, graph->table_room);
    graph->shape_table_room = 64;
    graph->shape_table = arena_array(arena, uint32_t, graph->shape_table_room);
    *list_add(arena, &graph->node) = (Node){0};
    *list_add(arena, &graph->shape) = (Shape){0};
    return graph;
}

/* Shape ids in the table are never 0: rank 0 is found without it. */
static uint32_t *shape_slot(const Graph *graph, const Shape *shape)
{
    uint64_t hash = bits_hash(shape->extent, sizeof *shape->extent * shape->rank, 0);
    for (uint32_t mask = graph->shape_table_room - 1, i = (uint32_t)hash & mask;;
         i = (i + 1) & mask) {
        uint32_t *slot = &graph->shape_table[i];
        if (!*slot || shape_same(&graph->shape.at[*slot], shape)) return slot;
    }
}

static uint32_t intern_shape(Graph *graph, const Shape *shape)
{
    if (!shape->rank) return 0;
    uint32_t *slot = shape_slot(graph, shape);
    if (*slot) return *slot;

    uint32_t id = *slot = graph->shape.count;
    *list_add(graph->arena, &graph->shape) = shape_of(shape->rank, shape->extent);
    if (graph->shape.count * 2 > graph->shape_table_room) {
        graph->shape_table_room *= 2;
        graph->shape_table = arena_array(graph->arena, uint32_t, graph->shape_table_room);
        for (uint32_t i = 1; i < graph->shape.count; i++)
            *shape_slot(graph, &graph->shape.at[i]) = i;
    }
    return id;
}

static uint64_t node_hash(const Node *node)
{
    uint32_t head[] = {node->op, node->type, node->shape, node->argument_count};
    uint64_t hash = bits_hash(node->argument, sizeof *node->argument * node->argument_count,
                              bits_hash(head, sizeof head, 0));
    return attribute_hash(op_info[node->op].attribute, node->attribute, hash);
}

static bool node_same(const Node *a, const Node *b)
{
    if (a->op != b->op || a->type != b->type || a->shape != b->shape ||
        a->argument_count != b->argument_count)
        return false;
    for (uint32_t i = 0; i < a->argument_count; i++)
        if (!value_same(a->argument[i], b->argument[i])) return false;
    return attribute_same(op_info[a->op].attribute, a->attribute, b->attribute);
}

/* Where the node's id is or belongs. */
static uint32_t *node_slot(const Graph *graph, const Node *node, uint64_t hash)
{
    for (uint32_t mask = graph->table_room - 1, i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &graph->table[i];
        if (!*slot || node_same(&graph->node.at[*slot], node)) return slot;
    }
}

static void grow_table(Graph *graph)
{
    graph->table_room *= 2;
    graph->table = arena_array(graph->arena, uint32_t, graph->table_room);
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = &graph->node.at[id];
        *node_slot(graph, node, node_hash(node)) = id;
    }
}

/* Finds or stores the node, copying what it points to. */
static Value store(Graph *graph, const Node *node, uint64_t hash)
{
    uint32_t *slot = node_slot(graph, node, hash);
    if (*slot) return (Value){*slot};

    Node stored = *node;
    Value *argument = arena_array(graph->arena, Value, node->argument_count);
    for (uint32_t i = 0; i < node->argument_count; i++)
        argument[i] = node->argument[i];
    stored.argument = argument;
    stored.attribute = attribute_copy(graph->arena, op_info[node->op].attribute, node->attribute);
    Value value = { *slot = graph->node.count};
    *list_add(graph->arena, &graph->node) = stored;
    if (graph->node.count * 2 > graph->table_room) grow_table(graph);
    return value;
}

static TypedShape infer(const Graph *graph, Op op, uint32_t argument_count, const Value *arguments,
                        const Attribute *attribute, const TypedShape *given)
{
    TypedShape small[SMALL], result;
    TypedShape *typed =
        argument_count <= SMALL ? small : arena_array(graph->arena, TypedShape, argument_count);
    for (uint32_t i = 0; i < argument_count; i++) {
        if (!arguments[i].id || arguments[i].id >= graph->node.count)
            bug("operand %u of %s is no value of this graph", i, op_info[op].name);
        typed[i] = (TypedShape){graph_type(graph, arguments[i]), *graph_shape(graph, arguments[i])};
    }
    const char *wrong =
        shape_infer(op, argument_count, typed, attribute, given, graph->arena, &result);
    if (wrong) bug("%s: %s", op_info[op].name, wrong);
    return result;
}

Value graph_add(Graph *graph, Op op, uint32_t argument_count, const Value *arguments,
                const Attribute *attribute, const TypedShape *given)
{
    if (op <= OP_none || op >= OP_COUNT) bug("there is no operation %d", (int)op);
    TypedShape result = infer(graph, op, argument_count, arguments, attribute, given);
    Node node = {
        .op = op,
        .type = result.type,
        .shape = intern_shape(graph, &result.shape),
        .argument_count = argument_count,
        .argument = arguments,
        .attribute = op_info[op].attribute == ATTRIBUTE_none ? NULL : attribute,
        .at = graph->at,
    };
    uint64_t hash = node_hash(&node);
    uint32_t known = *node_slot(graph, &node, hash);
    if (known) return (Value){known};

    if (graph->simplify) {
        Value simpler = graph->simplify(graph, &node);
        if (simpler.id) return simpler;
    }
    return store(graph, &node, hash);
}

void graph_result(Graph *graph, int kind, Name name, Value value, Span at)
{
    Result *result = list_add(graph->arena, &graph->result);
    *result = (Result){.name = name, .value = value, .at = at};
    if (kind == RESULT_write) result->kind = RESULT_write;
}

Value graph_copy(Graph *to, const Graph *from, Value value, const Value *map)
{
    const Node *node = graph_node(from, value);
    TypedShape given = {node->type, *graph_shape(from, value)};
    Value small[SMALL];
    Value *argument =
        node->argument_count <= SMALL ? small : arena_array(to->arena, Value, node->argument_count);
    for (uint32_t i = 0; i < node->argument_count; i++)
        argument[i] = map[node->argument[i].id];

    Span cursor = to->at;
    to->at = node->at;
    Value copy = graph_add(to, node->op, node->argument_count, argument, node->attribute, &given);
    to->at = cursor;
    return copy;
}

/* The node as it is: no rule and no shape is asked again. */
static Value transfer(Graph *to, const Graph *from, uint32_t id, const Value *map)
{
    Node node = from->node.at[id];
    Value small[SMALL];
    Value *argument =
        node.argument_count <= SMALL ? small : arena_array(to->arena, Value, node.argument_count);
    for (uint32_t i = 0; i < node.argument_count; i++)
        argument[i] = map[node.argument[i].id];
    node.argument = argument;
    node.shape = intern_shape(to, &from->shape.at[node.shape]);
    return store(to, &node, node_hash(&node));
}

/* A node on the way down, and the operand to visit next. */
typedef struct Visit {
    uint32_t id, next;
} Visit;

/* Chains are as deep as the graph is long, so the way back is kept here and not on C's stack.  Operands precede their
 * users, hence no node is on the way twice and one visit a node is room enough. */
static uint32_t order_below(const Graph *graph, uint32_t root, bool *done, Visit *stack,
                            Value *order, uint32_t count)
{
    uint32_t depth = 0;
    if (!done[root]) stack[depth++] = (Visit){root, 0};
    while (depth) {
        Visit *top = &stack[depth - 1];
        const Node *node = &graph->node.at[top->id];
        if (top->next == node->argument_count) {
            done[top->id] = true;
            order[count++] = (Value){top->id};
            depth--;
            continue;
        }
        uint32_t operand = node->argument[top->next++].id;
        if (!done[operand]) stack[depth++] = (Visit){operand, 0};
    }
    return count;
}

uint32_t graph_order(const Graph *graph, Value *order, Arena *scratch)
{
    bool *done = arena_array(scratch, bool, graph->node.count);
    Visit *stack = arena_array(scratch, Visit, graph->node.count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        if (!result->value.id) bug("result %s has no value", name_text(graph->names, result->name));
        count = order_below(graph, result->value.id, done, stack, order, count);
    }
    return count;
}

Graph *graph_sweep(const Graph *graph, Arena *arena)
{
    Graph *swept = graph_new(arena, graph->names, graph->name, graph->simplify);
    swept->at = graph->at;
    Value *map = arena_array(arena, Value, graph->node.count);
    Value *order = arena_array(arena, Value, graph->node.count);
    uint32_t count = graph_order(graph, order, arena);
    for (uint32_t i = 0; i < count; i++)
        map[order[i].id] = transfer(swept, graph, order[i].id, map);
    for (uint32_t i = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        graph_result(swept, (int)result->kind, result->name, map[result->value.id], result->at);
    }
    return swept;
}

bool graph_is_number(const Graph *graph, Value value, double *number)
{
    const Node *node = graph_node(graph, value);
    if (node->op != OP_constant) return false;
    *number = node->attribute->number;
    return true;
}

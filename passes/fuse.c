#include "passes/fuse.h"

Value fusion_storage(const Graph *graph, Value x)
{
    while (graph_node(graph, x)->op == OP_reshape || graph_node(graph, x)->op == OP_stop)
        x = graph_argument(graph, x, 0);
    return x;
}

bool fusion_is_source(const Graph *graph, Value x)
{
    Op op = graph_node(graph, x)->op;
    return op == OP_input || op == OP_read || op == OP_table;
}

uint32_t fusion_store(Fusion *fusion, Value x)
{
    uint32_t number = fusion->groups.count;
    Group *group = list_add(fusion->arena, &fusion->groups);
    *group = (Group){0};
    *list_add(fusion->arena, &group->store) = x;
    fusion->group[x.id] = number;
    return number;
}

void fusion_separate(Fusion *fusion, uint32_t group)
{
    Group old = fusion->groups.at[group];
    fusion->groups.at[group] = (Group){0};
    for (uint32_t i = 0; i < old.store.count; i++)
        fusion_store(fusion, old.store.at[i]);
}

static Fusion *fusion_new(Arena *arena, const Graph *graph)
{
    Fusion *fusion = arena_new(arena, Fusion);
    fusion->arena = arena;
    fusion->graph = graph;
    fusion->group = arena_array(arena, uint32_t, graph->node.count);
    *list_add(arena, &fusion->groups) = (Group){0};
    return fusion;
}

static bool is_computed(Op op)
{
    switch (op_info[op].class) {
    case ELEMENTWISE:
    case RANDOM:
    case REDUCTION:
    case CONTRACTION:
    case INDEXING: return op != OP_stop;
    case LEAF:
    case STATE:
    case MOVEMENT:
    case GRADIENT: break;
    }
    return false;
}

static void store_results(Fusion *fusion)
{
    const Graph *graph = fusion->graph;
    for (uint32_t i = 0; i < graph->result.count; i++) {
        Value value = fusion_storage(graph, graph->result.at[i].value);
        if (!fusion->group[value.id] && !fusion_is_source(graph, value))
            fusion_store(fusion, value);
    }
}

Fusion *fuse_nothing(Arena *arena, const Graph *graph)
{
    Fusion *fusion = fusion_new(arena, graph);
    for (uint32_t id = 1; id < graph->node.count; id++)
        if (is_computed(graph->node.at[id].op)) fusion_store(fusion, (Value){id});
    store_results(fusion);
    return fusion;
}

Fusion *fuse(Arena *arena, const Graph *graph)
{
    return fuse_nothing(arena, graph);
}

/* Lowers what the results need, from the results backwards: the loads of one unit say which others are needed.  A group of
 * several stores can close a cycle with other units; such groups are taken apart and everything is lowered again. */
#include "ir/base/boundary.h"
#include "passes/layout.h"
#include "passes/lower.h"
#include "passes/pass.h"
#include "passes/plan.h"

typedef LIST(Value) Values;

static void want_loads(Arena *arena, const Unit *unit, Values *todo)
{
    for (uint32_t p = 0; p < unit->part.count; p++) {
        const Part *part = &unit->part.at[p];
        for (uint32_t i = 0; i < part->kernel->buffer.count; i++)
            if (!part->kernel->buffer.at[i].written) *list_add(arena, todo) = part->buffer[i];
    }
}

static Units *lower_needed(Arena *arena, Fusion *fusion)
{
    const Graph *graph = fusion->graph;
    Units *units = arena_new(arena, Units);
    units->of = arena_array(arena, uint32_t, graph->node.count);
    Values todo = {0};
    for (uint32_t i = graph->result.count; i-- > 0;)
        *list_add(arena, &todo) = fusion_storage(graph, graph->result.at[i].value);

    while (todo.count) {
        Value value = *list_last(&todo);
        uint32_t group = fusion->group[value.id];
        if (units->of[value.id] || fusion_is_source(graph, value) ||
            shape_elements(graph_shape(graph, value)) == 0) {
            todo.count--;
            continue;
        }
        if (!group) bug("%%%u is loaded and never stored", value.id);
        Unit unit = {0};
        if (!lower_group(arena, fusion, group, &unit)) continue;
        todo.count--;
        *list_add(arena, &units->unit) = unit;
        const Group *done = &fusion->groups.at[group];
        for (uint32_t i = 0; i < done->store.count; i++)
            units->of[done->store.at[i].id] = units->unit.count;
        want_loads(arena, &unit, &todo);
    }
    return units;
}

/* -- cycles --------------------------------------------------------------------------------------------- */

typedef enum Mark { MARK_new, MARK_open, MARK_done } Mark;

typedef struct Walk {
    const Units *units;
    Mark *mark;
    uint32_t *path; /* units (from 1) that are open, outermost first */
    uint32_t depth;
    LIST(uint32_t) next; /* explicit stack of units to visit; 0 closes the innermost open one */
    Arena *arena;
    Values split; /* one store of each group that a cycle goes through */
} Walk;

static void note_cycle(Walk *walk, uint32_t unit)
{
    for (uint32_t i = walk->depth; i-- > 0;) {
        const Unit *on = &walk->units->unit.at[walk->path[i] - 1];
        const Part *part = &on->part.at[0];
        for (uint32_t b = 0; b < part->kernel->buffer.count; b++)
            if (part->kernel->buffer.at[b].written)
                *list_add(walk->arena, &walk->split) = part->buffer[b];
        if (walk->path[i] == unit) return;
    }
}

static void enter(Walk *walk, uint32_t unit)
{
    walk->mark[unit] = MARK_open;
    walk->path[walk->depth++] = unit;
    *list_add(walk->arena, &walk->next) = 0;
    Values loads = {0};
    want_loads(walk->arena, &walk->units->unit.at[unit - 1], &loads);
    for (uint32_t i = loads.count; i-- > 0;) {
        uint32_t from = walk->units->of[loads.at[i].id];
        if (from) *list_add(walk->arena, &walk->next) = from;
    }
}

static void walk_from(Walk *walk, uint32_t root)
{
    *list_add(walk->arena, &walk->next) = root;
    while (walk->next.count) {
        uint32_t unit = walk->next.at[--walk->next.count];
        if (unit == 0)
            walk->mark[walk->path[--walk->depth]] = MARK_done;
        else if (walk->mark[unit] == MARK_new)
            enter(walk, unit);
        else if (walk->mark[unit] == MARK_open)
            note_cycle(walk, unit);
    }
}

static bool take_apart(Fusion *fusion, const Walk *walk)
{
    bool any = false;
    for (uint32_t i = 0; i < walk->split.count; i++) {
        uint32_t group = fusion->group[walk->split.at[i].id];
        if (fusion->groups.at[group].store.count < 2) continue;
        fusion_separate(fusion, group);
        any = true;
    }
    if (walk->split.count && !any) bug("units of one store each depend on each other");
    return any;
}

Units *lower_graph(Arena *arena, Fusion *fusion)
{
    for (;;) {
        Units *units = lower_needed(arena, fusion);
        Walk walk = {.units = units, .arena = arena};
        walk.mark = arena_array(arena, Mark, units->unit.count + 1);
        walk.path = arena_array(arena, uint32_t, units->unit.count + 1);
        for (uint32_t unit = 1; unit <= units->unit.count; unit++)
            walk_from(&walk, unit);
        if (!take_apart(fusion, &walk)) return units;
    }
}

/* -- the entry as kernels ------------------------------------------------------------------------------- */

Module *passes_lower(Context *context, Arena *arena, const Program *program, const Graph *entry,
                     const PassOptions *options)
{
    (void)context;
    Fusion *fusion = fuse(arena, entry);
    layout(fusion);
    PlanInput input = {.program = program,
                       .graph = entry,
                       .units = lower_graph(arena, fusion),
                       .alignment = options->alignment ? options->alignment : 64,
                       .memory = options->memory};
    Module *module = plan(arena, &input);
    if (options->verify) {
        const char *wrong = plan_verify(module, program, arena);
        if (wrong) bug("the plan of %s: %s", name_text(entry->names, entry->name), wrong);
    }
    return module;
}

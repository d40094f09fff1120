#include "ir/graph/verify.h"
#include "ir/graph/print.h"
#include <stdarg.h>
#include <stdio.h>

typedef struct Verifier {
    const Graph *graph;
    const Program *program; /* NULL: states are not checked */
    Arena *arena;
    const char **note; /* under each node; [0] for the entry */
    bool *sound;       /* nodes that can be looked at without leaving any table */
    uint32_t wrong;
} Verifier;

static void complain(Verifier *verifier, uint32_t id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(Verifier *verifier, uint32_t id, const char *format, ...)
{
    char message[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    Text text = {.arena = verifier->arena};
    if (verifier->note[id]) text_add(&text, "%s\n", verifier->note[id]);
    text_add(&text, "%s", message);
    verifier->note[id] = text_done(&text);
    verifier->wrong++;
}

static const char *type_text(const Verifier *verifier, Type type, const Shape *shape)
{
    Text text = {.arena = verifier->arena};
    shape_print(&text, type, shape);
    return text_done(&text);
}

/* Finds out whether the node and all below it are sound. */
static void check_soundness(Verifier *verifier, uint32_t id)
{
    const Node *node = &verifier->graph->node.at[id];
    uint32_t before = verifier->wrong;
    bool operands_sound = true;
    if (node->op <= OP_none || node->op >= OP_COUNT)
        complain(verifier, id, "there is no operation %d", (int)node->op);
    if (node->type <= TYPE_none || node->type >= TYPE_COUNT)
        complain(verifier, id, "the element type is missing");
    if (node->shape >= verifier->graph->shape.count)
        complain(verifier, id, "there is no shape %u", node->shape);
    for (uint32_t i = 0; i < node->argument_count; i++) {
        uint32_t operand = node->argument[i].id;
        if (!operand || operand >= id)
            complain(verifier, id, "operand %u does not precede its user", i);
        else
            operands_sound &= verifier->sound[operand];
    }
    verifier->sound[id] = operands_sound && verifier->wrong == before;
}

/* Arity, attribute and operands by the op's own rule, which must give the stored type and shape. */
static void check_rule(Verifier *verifier, uint32_t id)
{
    const Graph *graph = verifier->graph;
    const Node *node = &graph->node.at[id];
    TypedShape *operand = arena_array(verifier->arena, TypedShape, node->argument_count);
    for (uint32_t i = 0; i < node->argument_count; i++)
        operand[i] = (TypedShape){graph_type(graph, node->argument[i]),
                                  *graph_shape(graph, node->argument[i])};
    if (op_info[node->op].attribute == ATTRIBUTE_none && node->attribute)
        complain(verifier, id, "%s has no attribute", op_info[node->op].name);

    TypedShape stored = {node->type, graph->shape.at[node->shape]}, result;
    const char *wrong = shape_infer(node->op, node->argument_count, operand, node->attribute,
                                    &stored, verifier->arena, &result);
    if (wrong)
        complain(verifier, id, "%s", wrong);
    else if (result.type != stored.type || !shape_same(&result.shape, &stored.shape))
        complain(verifier, id, "should be %s", type_text(verifier, result.type, &result.shape));
}

static void check_state(Verifier *verifier, uint32_t id, Name name, Value value)
{
    if (!verifier->program) return;
    const Graph *graph = verifier->graph;
    const State *state = program_state(verifier->program, name);
    if (!state) {
        complain(verifier, id, "state %s is not declared", name_text(graph->names, name));
        return;
    }
    Shape stored = state_stored(state);
    if (state->type != graph_type(graph, value) || !shape_same(&stored, graph_shape(graph, value)))
        complain(verifier, id, "state %s is %s", name_text(graph->names, name),
                 type_text(verifier, state->type, &stored));
}

/* One bit a name, as the names of one kind come by. */
typedef struct Seen {
    Arena *arena;
    LIST(bool) name;
} Seen;

static bool seen_before(Seen *seen, Name name)
{
    while (seen->name.count <= name.id)
        *list_add(seen->arena, &seen->name) = false;
    bool before = seen->name.at[name.id];
    seen->name.at[name.id] = true;
    return before;
}

static void check_nodes(Verifier *verifier)
{
    Seen inputs = {.arena = verifier->arena};
    for (uint32_t id = 1; id < verifier->graph->node.count; id++) {
        const Node *node = &verifier->graph->node.at[id];
        check_soundness(verifier, id);
        if (!verifier->sound[id]) continue;
        uint32_t before = verifier->wrong;
        check_rule(verifier, id);
        if (verifier->wrong != before) continue;
        if (node->op == OP_read) check_state(verifier, id, node->attribute->name, (Value){id});
        if (node->op == OP_input && seen_before(&inputs, node->attribute->name))
            complain(verifier, id, "two inputs are called %s",
                     name_text(verifier->graph->names, node->attribute->name));
    }
}

static void check_results(Verifier *verifier)
{
    const Graph *graph = verifier->graph;
    Seen writes = {.arena = verifier->arena};
    if (!graph->result.count) complain(verifier, 0, "there is no result");
    for (uint32_t i = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        const char *name = name_text(graph->names, result->name);
        if (!result->name.id) complain(verifier, 0, "result %u has no name", i);
        if (!result->value.id || result->value.id >= graph->node.count) {
            complain(verifier, 0, "result %s has no value", name);
            continue;
        }
        if (result->kind != RESULT_write) continue;
        if (seen_before(&writes, result->name))
            complain(verifier, 0, "state %s is written twice", name);
        if (verifier->sound[result->value.id])
            check_state(verifier, 0, result->name, result->value);
    }
}

/* Asked only of graphs that are right otherwise. */
static void check_numbering(Verifier *verifier)
{
    const Graph *graph = verifier->graph;
    Value *order = arena_array(verifier->arena, Value, graph->node.count);
    uint32_t *place = arena_array(verifier->arena, uint32_t, graph->node.count);
    uint32_t count = graph_order(graph, order, verifier->arena);
    for (uint32_t i = 0; i < count; i++)
        place[order[i].id] = i + 1;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        if (!place[id])
            complain(verifier, id, "no result needs it");
        else if (place[id] != id)
            complain(verifier, id, "node %u should be node %u", id, place[id]);
    }
}

const char *graph_verify(const Graph *graph, const Program *program, bool canonical, Arena *arena)
{
    Verifier verifier = {
        .graph = graph,
        .program = program,
        .arena = arena,
        .note = arena_array(arena, const char *, graph->node.count),
        .sound = arena_array(arena, bool, graph->node.count),
    };
    check_nodes(&verifier);
    check_results(&verifier);
    if (canonical && !verifier.wrong) check_numbering(&verifier);
    if (!verifier.wrong) return NULL;

    Text out = {.arena = arena};
    graph_print(&out, graph, &(PrintOptions){.note = verifier.note});
    return text_done(&out);
}

static void check_states(const Program *program, Text *out)
{
    Seen seen = {.arena = out->arena};
    for (uint32_t i = 0; i < program->state.count; i++) {
        const State *state = &program->state.at[i];
        if (!state->name.id) text_add(out, "// state %u has no name\n", i);
        if (seen_before(&seen, state->name))
            text_add(out, "// state %s is declared twice\n",
                     name_text(program->names, state->name));
    }
}

const char *program_verify(const Program *program, bool canonical, Arena *arena)
{
    Text out = {.arena = arena};
    check_states(program, &out);
    for (int kind = 0; kind < ENTRY_COUNT; kind++) {
        if (!program->entry[kind]) continue;
        const char *wrong = graph_verify(program->entry[kind], program, canonical, arena);
        if (wrong) text_add(&out, "%s", wrong);
    }
    return out.count ? text_done(&out) : NULL;
}

#include "passes/pass.h"

#include "ir/base/boundary.h"
#include "ir/graph/print.h"
#include "ir/graph/verify.h"

static const struct Row {
    const char *name;
    PassFn *run;
} passes[] = {
#define PASS(name, help) {#name, pass_##name},
#include "passes/passes.def"
#undef PASS
};
enum { PASS_COUNT = sizeof passes / sizeof *passes };

/* Building anew is simplifying: graph_add asks the rules. */
Graph *pass_simplify(Pass *pass, const Graph *in)
{
    Graph *out = graph_new(pass->arena, in->names, in->name, pass_simplify_node);
    Value *map = arena_array(pass->scratch, Value, in->node.count);
    for (uint32_t id = 1; id < in->node.count; id++)
        map[id] = graph_copy(out, in, (Value){id}, map);
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(out, (int)result->kind, result->name, map[result->value.id], result->at);
    }
    return out;
}

/* The entry alone, with the states, as a program. */
static const char *text_of(const Program *program, Arena *arena)
{
    Text text = {.arena = arena};
    program_print(&text, program, &(PrintOptions){0});
    return text_done(&text);
}

static void check_round_trip(const Pass *pass, const char *name, Graph *graph)
{
    Arena *arena = pass->scratch;
    Program *program = program_new(arena, graph->names);
    if (pass->program) program->state = pass->program->state;
    for (int kind = 0; kind < ENTRY_COUNT; kind++)
        if (strcmp(entry_name[kind], name_text(graph->names, graph->name)) == 0)
            program->entry[kind] = graph;
    const char *text = text_of(program, arena);

    Sources *sources = sources_new(arena);
    Report *report = report_new(arena, sources);
    Context context = {arena, graph->names, sources, report};
    uint32_t source = sources_add(sources, name, text, strlen(text), false);
    const Program *again = program_parse(&context, arena, source, NULL);
    if (!again) {
        Text message = {.arena = arena};
        report_render(report, &message, false);
        bug("after %s the graph does not read back:\n%s", name, text_done(&message));
    }
    if (strcmp(text, text_of(again, arena)) != 0)
        bug("after %s the graph reads back as another", name);
}

static void check(const Pass *pass, const char *name, Graph *graph)
{
    if (pass->options->verify) {
        const char *wrong = graph_verify(graph, pass->program, true, pass->scratch);
        if (wrong) bug("after %s:\n%s", name, wrong);
    }
    if (pass->options->round_trip) check_round_trip(pass, name, graph);
    if (pass->options->dump) pass->options->dump(pass->options->user, name, graph);
}

/* What passes_run owns: a pass reads a graph in one of the arenas and builds its own in the other. */
typedef struct Workshop {
    Arena *turn[2], *scratch;
} Workshop;

static Graph *run_all(Pass *pass, const Workshop *workshop, const Graph *entry)
{
    const Graph *graph = entry;
    for (int i = 0; i < PASS_COUNT; i++) {
        pass->arena = workshop->turn[i % 2];
        arena_reset(pass->arena);
        Graph *built = passes[i].run(pass, graph);
        Graph *swept = graph_sweep(built, pass->arena);
        check(pass, passes[i].name, swept);
        arena_reset(pass->scratch);
        graph = swept;
    }
    return (Graph *)(uintptr_t)graph;
}

static void close_all(Workshop *workshop)
{
    arena_close(workshop->turn[0]);
    arena_close(workshop->turn[1]);
    arena_close(workshop->scratch);
}

static void run_inside(Pass *pass, const Workshop *workshop, const Graph *entry, Boundary *boundary,
                       Graph **result)
{
    Arena *arena = pass->arena;
    if (setjmp(boundary->jump) != 0) return;
    if (!workshop->turn[0] || !workshop->turn[1] || !workshop->scratch) out_of_memory();
    *result = graph_sweep(run_all(pass, workshop, entry), arena);
}

Graph *passes_run(Context *context, Arena *arena, const Program *program, const Graph *entry,
                  const PassOptions *options)
{
    Workshop workshop = {{arena_open(&host_default), arena_open(&host_default)},
                         arena_open(&host_default)};
    Pass pass = {context, arena, workshop.scratch, program, options};
    Graph *result = NULL;
    Boundary boundary;
    boundary_enter(&boundary);
    run_inside(&pass, &workshop, entry, &boundary, &result);
    boundary_leave(&boundary);
    close_all(&workshop);
    if (boundary.status == STATUS_no_memory) out_of_memory();
    if (boundary.status != STATUS_ok) bug("%s", boundary.message);
    return result;
}

#include "tests/unit/model.h"
#include "backends/reference/interpret.h"
#include "ir/graph/print.h"
#include "ir/graph/verify.h"
#include "passes/pass.h"

#include <check.h>

static int64_t extent_of_data(void *user, uint32_t input, int axis)
{
    (void)user, (void)input, (void)axis;
    return 3;
}

Model *model_open_with(const char *text, unsigned entries, const FrontendOptions *options)
{
    Arena *arena = arena_open(&host_default);
    Model *m = arena_new(arena, Model);
    *m = (Model){.arena = arena, .context = {.arena = arena}};
    m->context.names = names_new(arena);
    m->context.sources = sources_new(arena);
    m->context.report = report_new(arena, m->context.sources);

    uint32_t source = sources_add(m->context.sources, "m.mlc", text, strlen(text), false);
    m->experiment = experiment_open(&m->context, source, options);
    Binding binding = {
        .batch = 2, .steps = 100, .steps_per_epoch = 10, .data_extent = extent_of_data};
    if (m->experiment) m->result = experiment_elaborate(m->experiment, arena, &binding, entries);
    Text report = {.arena = arena};
    report_render(m->context.report, &report, false);
    m->report = text_done(&report);
    if (!m->result) {
        ck_assert_msg(report_errors(m->context.report) > 0, "no result and no error:\n%s", text);
        return m;
    }

    const char *wrong = program_verify(m->result->program, true, arena);
    ck_assert_msg(!wrong, "%s", wrong);
    m->state = arena_array(arena, double *, m->result->program->state.count);
    for (uint32_t i = 0; i < m->result->program->state.count; i++)
        m->state[i] =
            arena_array(arena, double, shape_elements(&m->result->program->state.at[i].shape));
    return m;
}

Model *model_open(const char *text, unsigned entries)
{
    return model_open_with(text, entries, &(FrontendOptions){.variant = NULL});
}

void model_close(Model *m)
{
    arena_close(m->arena);
}

const char *model_entry(Model *m, EntryKind entry)
{
    ck_assert_msg(m->result != NULL, "%s", m->report);
    Text text = {.arena = m->arena};
    graph_print(&text, m->result->program->entry[entry], NULL);
    return text_done(&text);
}

const char *model_states(Model *m, StateRole role)
{
    ck_assert_msg(m->result != NULL, "%s", m->report);
    Text text = {.arena = m->arena};
    const Program *program = m->result->program;
    for (uint32_t i = 0; i < program->state.count; i++) {
        const State *s = &program->state.at[i];
        if (s->role != role) continue;
        text_add(&text, "%s%s: ", text.count ? ", " : "", name_text(m->context.names, s->name));
        shape_print(&text, s->type, &s->shape);
    }
    return text_done(&text);
}

static int state_index(const Model *m, const char *name)
{
    const Program *program = m->result->program;
    for (uint32_t i = 0; i < program->state.count; i++)
        if (strcmp(name_text(m->context.names, program->state.at[i].name), name) == 0)
            return (int)i;
    ck_abort_msg("no state is called %s", name);
    return -1;
}

double *model_state(Model *m, const char *name)
{
    return m->state[state_index(m, name)];
}

typedef struct Leaves {
    Model *model;
    const Feed *feed;
} Leaves;

static const double *leaf(void *user, const Graph *graph, Value value)
{
    static const double seed = 7;
    const Leaves *leaves = user;
    const Node *n = graph_node(graph, value);
    const char *name = name_text(leaves->model->context.names, n->attribute->name);
    if (n->op == OP_read) return model_state(leaves->model, name);
    if (strcmp(name, "seed") == 0) return &seed;
    for (const Feed *f = leaves->feed; f && f->input; f++)
        if (strcmp(f->input, name) == 0) return f->element;
    ck_abort_msg("nothing is fed to the input %s", name);
    return NULL;
}

double **model_run(Model *m, EntryKind entry, const Feed *feed)
{
    ck_assert_msg(m->result != NULL, "%s", m->report);
    PassOptions options = {.verify = true, .precision = "f32", .alignment = 64};
    Program *program = m->result->program;
    const Graph *graph =
        passes_run(&m->context, m->arena, program, program->entry[entry], &options);
    double **result = arena_array(m->arena, double *, graph->result.count);
    for (uint32_t i = 0; i < graph->result.count; i++)
        result[i] = arena_array(m->arena, double,
                                shape_elements(graph_shape(graph, graph->result.at[i].value)));
    Leaves leaves = {m, feed};
    Interpretation how = {.in_double = true, .leaf = leaf, .user = &leaves};
    ck_assert_int_eq(interpret(graph, &how, result), STATUS_ok);
    for (uint32_t i = 0; i < graph->result.count; i++)
        if (graph->result.at[i].kind == RESULT_write)
            m->state[state_index(m, name_text(m->context.names, graph->result.at[i].name))] =
                result[i];
    return result;
}

bool model_calls(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at++) {
        bool begins = at == text || !(at[-1] == '_' || (at[-1] >= 'a' && at[-1] <= 'z'));
        char next = at[length];
        if (begins &&
            !(next == '_' || (next >= 'a' && next <= 'z') || (next >= '0' && next <= '9')))
            return true;
    }
    return false;
}

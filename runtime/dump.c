/* `mlc dump`: every stage of compilation as text, and graphs as pictures. */
#include "frontend/parser.h"
#include "ir/graph/print.h"
#include "runtime/compile.h"

#include <string.h>

typedef struct Dumping {
    mlc_model *model;
    const char *stage, *entry, *format;
    CompileDepth depth;
    Text text;
    bool seen; /* the pass that is shown has run; some run again later */
} Dumping;

static bool as_picture(const Dumping *d)
{
    return d->format && !strcmp(d->format, "dot");
}

static void show_graph(Dumping *d, const Graph *graph)
{
    if (as_picture(d))
        graph_print_dot(&d->text, graph);
    else
        graph_print(&d->text, graph, NULL);
}

static void after_pass(void *user, const char *pass, const Graph *graph)
{
    Dumping *d = user;
    if (d->seen || strcmp(pass, d->stage) != 0) return;
    d->seen = true;
    show_graph(d, graph);
}

static Status dump_passes(Dumping *d, EntryKind kind)
{
    const Graph *last;
    d->seen = false;
    TRY(compile_dump(d->model, kind, after_pass, d, &last));
    if (!strcmp(d->stage, "optimize")) show_graph(d, last);
    return STATUS_ok;
}

static Status dump_module(Dumping *d, EntryKind kind)
{
    Compiled *c;
    mlc_model *model = d->model;
    TRY(compile_entry(model, kind, 0, COMPILE_module, &c));
    if (!c->module) {
        report_error(model->context.report, (Span){0}, "the %s backend has no stage `%s`",
                     model->backend->name, d->stage);
        return STATUS_usage;
    }
    if (!strcmp(d->stage, "plan") || !strcmp(d->stage, "fuse")) {
        module_print(&d->text, c->module, model->context.names);
        return STATUS_ok;
    }
    if (!strcmp(d->stage, "kernel")) {
        for (uint32_t i = 0; i < c->module->kernel.count; i++)
            kernel_print(&d->text, c->module->kernel.at[i]);
        return STATUS_ok;
    }
    const BackendEntry entry = {c->elaborated->program, c->graph, c->module};
    const BackendOptions options = {.threads = model->threads, .target = model->target};
    if (!model->device) TRY(model->backend->open(&options, model->context.report, &model->device));
    return model->backend->dump(model->device, &model->context, &entry, d->stage, &d->text);
}

static Status dump_entry(Dumping *d, EntryKind kind)
{
    Compiled *c;
    if (d->depth == COMPILE_module) return dump_module(d, kind);
    if (d->depth == COMPILE_passes) return dump_passes(d, kind);
    TRY(compile_entry(d->model, kind, 0, COMPILE_graph, &c));
    show_graph(d, graph_sweep(c->raw, c->arena));
    return STATUS_ok;
}

static Status find_stage(Dumping *d)
{
    static const struct {
        const char *name;
        CompileDepth depth;
    } stage[] = {
#define STAGE(name, depth, help) {#name, COMPILE_##depth},
#include "runtime/stages.def"
#undef STAGE
    };
    Text known = {.arena = d->model->arena};
    for (size_t i = 0; i < sizeof stage / sizeof *stage; i++) {
        d->depth = stage[i].depth;
        if (!strcmp(stage[i].name, d->stage)) return STATUS_ok;
        text_add(&known, "%s%s", i ? ", " : "", stage[i].name);
    }
    report_error(d->model->context.report, (Span){0}, "unknown stage `%s`", d->stage);
    report_hint(d->model->context.report, "the stages are %s", text_done(&known));
    return STATUS_usage;
}

static Status check_format(const Dumping *d)
{
    Report *report = d->model->context.report;
    if (!d->format || !strcmp(d->format, "text")) return STATUS_ok;
    if (!as_picture(d)) {
        report_error(report, (Span){0}, "unknown format `%s`", d->format);
        report_hint(report, "the formats are text and dot");
        return STATUS_usage;
    }
    if (d->depth != COMPILE_module && strcmp(d->stage, "ast") != 0) return STATUS_ok;
    report_error(report, (Span){0}, "the stage `%s` is no graph, so it has no picture", d->stage);
    report_hint(report, "leave --format away");
    return STATUS_usage;
}

static Status dump_syntax(Dumping *d)
{
    Context *context = &d->model->context;
    if (model_is_program(d->model)) {
        report_error(context->report, (Span){0}, "%s holds IR text, which has no stage `ast`",
                     d->model->path);
        return STATUS_usage;
    }
    const Ast *file = parse_file(context, d->model->source);
    if (report_errors(context->report)) return STATUS_invalid;
    ast_print(&d->text, file, context->names);
    return STATUS_ok;
}

/* Without --entry: what a reader most likely means, the whole step, or predict of a model that is not trained; of IR text the
 * first entry that it has. */
static EntryKind usual_entry(const mlc_model *model)
{
    if (!model->program) return model_settings(model) ? ENTRY_step : ENTRY_predict;
    int kind = 0;
    while (kind < ENTRY_COUNT - 1 && !model->program->entry[kind])
        kind++;
    return (EntryKind)kind;
}

static Status dump(void *argument)
{
    Dumping *d = argument;
    d->text.arena = d->model->arena;
    TRY(find_stage(d));
    TRY(check_format(d));
    if (!strcmp(d->stage, "ast")) return dump_syntax(d);
    TRY(model_is_program(d->model) ? model_program(d->model) : model_experiment(d->model));
    EntryKind kind = usual_entry(d->model);
    if (d->entry) TRY(entry_named(d->model, d->entry, &kind));
    return dump_entry(d, kind);
}

mlc_status mlc_dump(mlc_model *model, const char *stage, const char *entry, const char *format,
                    const char **text)
{
    if (!model || !stage || !text) return model_misused(model);
    Dumping dumping = {.model = model, .stage = stage, .entry = entry, .format = format};
    mlc_status status = session_guard(model->session, &model->context, dump, &dumping);
    *text = status == MLC_OK ? text_done(&dumping.text) : "";
    return status;
}

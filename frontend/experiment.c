/* A model file with what it uses, its variant and its overrides: the items sorted by kind, and the blocks read. */
#include "frontend/elaborate.h"
#include "frontend/parser.h"
#include "frontend/std.h"

typedef struct Opening {
    Experiment *x;
    const char *chain[32]; /* the files being read, each used by the one before */
    uint32_t depth;
} Opening;

static const char *path_beside(Arena *arena, const char *from, const char *path)
{
    const char *slash = strrchr(from, '/');
    if (!slash || path[0] == '/') return path;
    Text text = {.arena = arena};
    text_put(&text, from, (size_t)(slash - from) + 1);
    text_add(&text, "%s", path);
    return text_done(&text);
}

static void take_file(Opening *o, uint32_t source);

static void take_use(Opening *o, const Ast *ast, const char *user)
{
    Experiment *x = o->x;
    Report *report = x->context->report;
    const char *path = path_beside(x->context->arena, user, ast->text);
    *list_add(x->context->arena, &x->edit) = (Edit){ast->at, ""};
    for (uint32_t i = 0; i < o->depth; i++) {
        if (strcmp(o->chain[i], path) != 0) continue;
        report_error(report, ast->at, "\"%s\" uses itself", ast->text);
        return;
    }
    for (uint32_t i = 0; i < x->used.count; i++)
        if (strcmp(sources_get(x->context->sources, x->used.at[i])->path, path) == 0) return;
    size_t size = 0;
    const char *text =
        x->options.read_file ? x->options.read_file(x->options.user, path, &size) : NULL;
    if (!text) {
        report_error(report, ast->at, "the file \"%s\" cannot be read", path);
        report_hint(report, "the path starts at the folder of the file that uses it");
        return;
    }
    if (o->depth == sizeof o->chain / sizeof *o->chain || size >= INT32_MAX) {
        report_error(report, ast->at, "too many files use each other, or \"%s\" is too large",
                     path);
        return;
    }
    take_file(o, sources_add(x->context->sources, path, text, size, false));
}

static void take_function(Experiment *x, const Ast *ast, bool library)
{
    const Names *names = x->context->names;
    for (uint32_t i = 0; i < x->function.count; i++) {
        const Function *f = &x->function.at[i];
        if (f->library != library || !name_same(f->name, ast->name)) continue;
        report_error(x->context->report, ast->name_at, "the function `%s` is defined twice",
                     name_text(names, ast->name));
        report_note(x->context->report, f->ast->name_at, "the first is here");
        return;
    }
    for (uint32_t i = 0; i < ast->child[0]->count; i++) {
        const Ast *p = ast->child[0]->child[i];
        for (uint32_t k = 0; k < i; k++)
            if (name_same(ast->child[0]->child[k]->name, p->name))
                report_error(x->context->report, p->at, "the parameter `%s` is named twice",
                             name_text(names, p->name));
    }
    *list_add(x->context->arena, &x->function) = (Function){ast->name, ast, library};
}

static void take_constant(Experiment *x, const Ast *ast)
{
    for (uint32_t i = 0; i < x->constant.count; i++) {
        if (!name_same(x->constant.at[i].name, ast->name)) continue;
        report_error(x->context->report, ast->at, "the constant `%s` is defined twice",
                     name_text(x->context->names, ast->name));
        report_note(x->context->report, x->constant.at[i].at, "the first is here");
        return;
    }
    *list_add(x->context->arena, &x->constant) =
        (Global){ast->name, ast->child[0], ast->at, ast->child[0]->at};
}

static void take_block(Experiment *x, const Ast **where, const Ast *ast, const char *what)
{
    if (!*where) {
        *where = ast;
        return;
    }
    report_error(x->context->report, ast->at, "a file has one %s block, and this is another", what);
    report_note(x->context->report, (*where)->at, "the first is here");
}

static void take_item(Opening *o, const Ast *ast, const char *path)
{
    Experiment *x = o->x;
    switch ((unsigned)ast->kind) {
    case AST_use: take_use(o, ast, path); return;
    case AST_const: take_constant(x, ast); return;
    case AST_variant: *list_add(x->context->arena, &x->variant) = ast; return;
    case AST_function: take_function(x, ast, false); return;
    case AST_model: take_block(x, &x->model, ast, "model"); return;
    case AST_data: take_block(x, &x->data, ast, "data"); return;
    case AST_train: take_block(x, &x->train, ast, "train"); return;
    case AST_compress: take_block(x, &x->compress, ast, "compress"); return;
    case AST_weights: take_block(x, &x->weights, ast, "weights"); return;
    default: return; /* what the parser could not read has been reported */
    }
}

static void take_file(Opening *o, uint32_t source)
{
    Experiment *x = o->x;
    const char *path = sources_get(x->context->sources, source)->path;
    const Ast *file = parse_file(x->context, source);
    if (!x->file) x->file = file;
    o->chain[o->depth++] = path;
    for (uint32_t i = 0; i < file->count; i++)
        take_item(o, file->child[i], path);
    o->depth--;
    *list_add(x->context->arena, &x->used) = source;
}

static void take_library(Experiment *x)
{
    Context *context = x->context;
    for (uint32_t i = 0; i < std_count; i++) {
        const StdFile *f = &std_file[i];
        uint32_t source =
            sources_add(context->sources, f->path, (const char *)f->text, f->size, true);
        const Ast *file = parse_file(context, source);
        for (uint32_t k = 0; k < file->count; k++)
            if (file->child[k]->kind == AST_function) take_function(x, file->child[k], true);
    }
}

/* `weights` may stand in the model too. */
static void find_weights(Experiment *x)
{
    const Ast *block = x->model->child[0];
    for (uint32_t i = 0; i < block->count; i++)
        if (block->child[i]->kind == AST_weights)
            take_block(x, &x->weights, block->child[i], "weights");
}

static void read_blocks(Experiment *x)
{
    Elaborator *e = evaluator_new(x, x->context->arena);
    find_weights(x);
    block_train(e);
    block_data(e);
    block_compress(e);
    block_weights(e);
}

Experiment *experiment_open(Context *context, uint32_t source, const FrontendOptions *options)
{
    uint32_t errors = report_errors(context->report);
    Experiment *x = arena_new(context->arena, Experiment);
    *x = (Experiment){.context = context, .options = *options, .source = source};
    Opening opening = {.x = x};
    take_file(&opening, source);
    if (report_errors(context->report) > errors) return NULL;
    take_library(x);
    if (!x->model) {
        report_error(context->report, (Span){0}, "%s has no model block",
                     sources_get(context->sources, source)->path);
        report_hint(context->report, "write `model NAME { input ...; output ... }`");
        return NULL;
    }
    block_overrides(x);
    if (report_errors(context->report) > errors) return NULL;
    read_blocks(x);
    return report_errors(context->report) > errors ? NULL : x;
}

const char *experiment_model(const Experiment *x)
{
    return name_text(x->context->names, x->model->name);
}

const DataBlock *experiment_data(const Experiment *x)
{
    return x->data ? &x->data_block : NULL;
}

const TrainSettings *experiment_train(const Experiment *x)
{
    return &x->settings;
}

const WeightMap *experiment_weights(const Experiment *x)
{
    return &x->weight_map;
}

const CompressBlock *experiment_compress(const Experiment *x)
{
    return x->compress ? &x->compress_block : NULL;
}

const char *experiment_resolved(const Experiment *x)
{
    const char *text = block_resolved(x);
    uint32_t source = sources_add(x->context->sources, "resolved.mlc", text, strlen(text), false);
    Text out = {.arena = x->context->arena};
    return format_source(x->context, source, &out) ? text_done(&out) : text;
}

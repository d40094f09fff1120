/* Any bytes are parsed and formatted.  Nothing may crash, hang or leak, an error is reported for every error node, and what can
 * be formatted keeps its tree and does not change when it is formatted again. */
#include "frontend/parser.h"
#include <stdlib.h>

static bool has_error(const Ast *ast)
{
    if (!ast) return false;
    bool found = ast->kind == AST_error;
    for (uint32_t i = 0; i < ast->count; i++)
        found |= has_error(ast->child[i]);
    return found;
}

static const char *tree(Context *context, const char *text, size_t size)
{
    Text out = {.arena = context->arena};
    uint32_t source = sources_add(context->sources, "fuzz.mlc", text, size, false);
    const Ast *ast = parse_file(context, source);
    if (has_error(ast) && !report_errors(context->report)) abort();
    ast_print(&out, ast, context->names);
    return text_done(&out);
}

static void check_format(Context *context, const char *text, size_t size)
{
    Text once = {.arena = context->arena}, twice = {.arena = context->arena};
    uint32_t source = sources_add(context->sources, "fuzz.mlc", text, size, false);
    if (!format_source(context, source, &once)) return;
    const char *first = text_done(&once);
    source = sources_add(context->sources, "again.mlc", first, once.count, false);
    if (!format_source(context, source, &twice)) abort();
    if (strcmp(first, text_done(&twice)) != 0) abort();
    if (strcmp(tree(context, text, size), tree(context, first, once.count)) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_open(&host_default);
    Context context = {.arena = arena, .names = names_new(arena), .sources = sources_new(arena)};
    context.report = report_new(arena, context.sources);
    tree(&context, (const char *)data, size);
    uint32_t source = sources_add(context.sources, "--set", (const char *)data, size, false);
    parse_expression(&context, source);
    check_format(&context, (const char *)data, size);
    Text out = {.arena = arena};
    report_render(context.report, &out, false);
    arena_close(arena);
    return 0;
}

#include "frontend/ast.h"

const char *const ast_name[AST_COUNT] = {
#define AST(kind, children) [AST_##kind] = #kind,
#include "frontend/ast.def"
#undef AST
};

static void print_text(Text *out, const char *text)
{
    text_put(out, " \"", 2);
    for (; *text; text++) {
        if (*text == '\n')
            text_put(out, "\\n", 2);
        else if (*text == '\t')
            text_put(out, "\\t", 2);
        else if (*text == '"' || *text == '\\')
            text_add(out, "\\%c", *text);
        else
            text_put(out, text, 1);
    }
    text_put(out, "\"", 1);
}

/* `number 200KB = 200000`: as written, and its value where that reads otherwise. */
static void print_number(Text *out, const Ast *ast)
{
    Text value = {.arena = out->arena};
    text_number(&value, ast->number);
    text_add(out, " %s", ast->text);
    if (strcmp(ast->text, text_done(&value)) != 0) text_add(out, " = %s", text_done(&value));
}

static void print(Text *out, const Ast *ast, const Names *names, int depth)
{
    text_add(out, "%*s", 2 * depth, "");
    if (!ast) {
        text_put(out, "-\n", 2);
        return;
    }
    text_add(out, "%s", ast_name[ast->kind]);
    if (ast->name.id) text_add(out, " %s", name_text(names, ast->name));
    if (ast->kind == AST_number)
        print_number(out, ast);
    else if (ast->text)
        print_text(out, ast->text);
    text_put(out, "\n", 1);
    for (uint32_t i = 0; i < ast->count; i++)
        print(out, ast->child[i], names, depth + 1);
}

void ast_print(Text *out, const Ast *ast, const Names *names)
{
    print(out, ast, names, 0);
}

#ifndef MLC_FRONTEND_AST_H
#define MLC_FRONTEND_AST_H
/* The syntax tree: one node type, children in the order that ast.def states, immutable after parsing. */
#include "ir/base/context.h"
#include "ir/base/list.h"

typedef enum AstKind {
#define AST(kind, children) AST_##kind,
#include "frontend/ast.def"
#undef AST
    AST_COUNT
} AstKind;

typedef struct Ast {
    AstKind kind;
    Span at;      /* the whole construct */
    Span name_at; /* where `name` stands, for carets at a name */
    Name name;
    double number;
    bool is_integer;  /* a number without point, exponent or fractional unit (ms) */
    const char *text; /* NUL-terminated, see ast.def; NULL if the kind has none */
    uint32_t height; /* of the tree below, at most AST_HEIGHT_MOST: walking it recursively is safe */
    uint32_t count;
    const struct Ast *const *child; /* NULL entries only where ast.def says `?` */
} Ast;

#define AST_HEIGHT_MOST 500

extern const char *const ast_name[AST_COUNT];

void ast_print(Text *out, const Ast *ast, const Names *names); /* indented text, for `mlc dump --stage ast` */

#endif

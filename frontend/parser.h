#ifndef MLC_FRONTEND_PARSER_H
#define MLC_FRONTEND_PARSER_H
/* Text to syntax tree.  Never fails: what cannot be parsed is reported, becomes an `error` node, and parsing goes on at the
 * next statement.  Nesting is bounded, so no input overflows the stack. */
#include "frontend/ast.h"

const Ast *parse_file(Context *context, uint32_t source);
/* One expression, as `--set train.batch=64` and `--set width=192` need it. */
const Ast *parse_expression(Context *context, uint32_t source);
/* The file in the one style (mlc fmt).  False, and the report filled, if it does not parse. Comments are kept. */
bool format_source(Context *context, uint32_t source, Text *out);

#endif

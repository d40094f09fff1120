#ifndef MLC_IR_GRAPH_VERIFY_H
#define MLC_IR_GRAPH_VERIFY_H
/* What must hold between any two passes: operands precede users; arity and attribute kind; type and shape recomputed and
 * equal; every read and written state declared with that type and shape, written at most once; inputs' names distinct; results
 * present; and (after a sweep) canonical numbering. */
#include "ir/graph/program.h"

/* NULL if all is well, else the graph's text with each violation under its node, in `arena`. */
const char *graph_verify(const Graph *graph, const Program *program, bool canonical, Arena *arena);
const char *program_verify(const Program *program, bool canonical, Arena *arena);

#endif

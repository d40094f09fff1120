#ifndef MLC_PASSES_SIMPLIFY_H
#define MLC_PASSES_SIMPLIFY_H
/* Simplification at insertion: constants are folded, then the first row of simplify.def that applies wins. */
#include "passes/rewrite.h"

/* Constant folding and canonical order of operands; {0} if there is nothing to fold. */
Value simplify_fold(Graph *graph, const Node *node);
/* pass_simplify_node without the LOOSE rows: for comparing with ==. */
Value simplify_exactly(Graph *graph, const Node *node);

/* x as an element of `type` holds it. */
double simplify_round(Type type, double x);
/* Whether a reduction of so many elements into each of `outputs` results is cut in two by pass_split: then no rule may
 * join its halves again. */
bool split_is_long(int64_t outputs, int64_t reduced);

#define RULE(name, pattern, result)
#define LOOSE(name, pattern, result)
#define RULE_IF(name, condition, pattern, result)  Condition condition;
#define LOOSE_IF(name, condition, pattern, result) Condition condition;
#define RULE_FN(name, pattern, function)           Builder function;
#define LOOSE_FN(name, pattern, function)          Builder function;
#include "passes/simplify.def"
#undef RULE
#undef LOOSE
#undef RULE_IF
#undef LOOSE_IF
#undef RULE_FN
#undef LOOSE_FN

#endif

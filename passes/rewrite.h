#ifndef MLC_PASSES_REWRITE_H
#define MLC_PASSES_REWRITE_H
/* Patterns over graph nodes, the matcher, and the rows of simplify.def as constant data.
 *
 * A pattern is a tree of: X, Y, Z, W (any value; the same letter twice is the same value), C, D (constants), NUM(v) (the
 * constant v) and IS(op, ...).  The operands of commutative ops are tried in both orders.  What a row gives back is
 * such a tree too, of elementwise ops, whose numbers take the root's type and shape; or a builder function makes it. */
#include "ir/graph/graph.h"

#define MATCH_SLOTS 6

typedef struct Pattern {
    enum { PATTERN_value, PATTERN_constant, PATTERN_number, PATTERN_op } kind;
    int slot;      /* of a value or constant */
    double number; /* PATTERN_number */
    Op op;         /* PATTERN_op; OP_none: any elementwise op, operands not looked at */
    const struct Pattern *argument[4]; /* NULL behind the last */
} Pattern;

typedef struct Match {
    Graph *graph;
    const Node *root; /* not stored yet; its operands are */
    Value slot[MATCH_SLOTS];
} Match;

typedef bool Condition(const Match *match);
/* {0} if the row does not apply after all. */
typedef Value Builder(const Match *match);

typedef struct Rule {
    const char *name;
    bool loose; /* may change rounding, or what NaN and infinity become: see simplify.def */
    Condition *when;
    const Pattern *pattern;
    const Pattern *result; /* or NULL: */
    Builder *build;
} Rule;

extern const Rule rewrite_rule[];
extern const uint32_t rewrite_rule_count;

/* What the rule makes of a node, {0} if it does not apply. Adds nodes through graph_add. */
Value rewrite_apply(Graph *graph, const Rule *rule, const Node *node);

bool op_is_commutative(Op op);

#endif

#ifndef MLC_BACKENDS_REFERENCE_INTERPRET_H
#define MLC_BACKENDS_REFERENCE_INTERPRET_H
/* The meaning of the tensor graph: every value an array of double, one op after the other, as plainly as possible.
 * Outside the pipeline of passes and kernels on purpose, so that a mistake in them cannot hide here.
 *
 * Each op computes in double from its operands, sums in double included, and its result is rounded once to the value's
 * type; with in_double floats are not rounded at all.  Integers wrap.  64-bit integers are exact up to 2^53 only. */
#include "ir/base/status.h"
#include "ir/graph/graph.h"

typedef struct Interpretation {
    bool in_double;
    /* The elements of an input or a state, row-major; called once for each such node. */
    const double *(*leaf)(void *user, const Graph *graph, Value leaf);
    void *user;
    /* If set, sees every value as soon as it is computed. */
    void (*watch)(void *user, const Graph *graph, Value value, const double *elements);
} Interpretation;

/* Computes graph.result[i] into result[i], which has room for its elements. Fails only for want of memory.
 * Gradient nodes must have been expanded. */
Status interpret(const Graph *graph, const Interpretation *how, double *const *result);

/* x as an element of `type` holds it: floats rounded to nearest even (kept if in_double), integers wrapped. */
double interpret_round(Type type, bool in_double, double x);
/* Between typed buffers, as the other backends have them, and elements. */
void interpret_load(Type type, const void *buffer, int64_t count, double *elements);
void interpret_store(Type type, const double *elements, int64_t count, void *buffer);

/* One op on computed operands. y has room and is zero; the result is rounded by the caller. */
typedef struct Evaluation {
    const Graph *graph;
    const Node *node;
    const double *const *x; /* operands */
    double *y;
    bool in_double;
} Evaluation;

typedef void EvalRule(const Evaluation *e);

#define UNARY(...)
#define BINARY(...)
#define OP(name, ...) EvalRule eval_##name;
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
EvalRule eval_elementwise; /* every UNARY and BINARY row */

#endif

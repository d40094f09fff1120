#ifndef MLC_PASSES_AUTODIFF_H
#define MLC_PASSES_AUTODIFF_H
/* What a gradient rule sees.  grad_NAME(d, y, dy) is called once for each value y that the loss depends on, after all of
 * its users, with the whole adjoint dy; it calls flow() for every operand that a gradient flows to.  Rules need not ask
 * which operands are wanted: flow() drops what nobody asked for, and the sweep after the pass drops its computation.
 * An operand's adjoint has the operand's type and shape. */
#include "passes/pass.h"

typedef struct Autodiff {
    Graph *graph;      /* being built: y, its operands and all adjoints are values of it */
    Value *adjoint;    /* by id, up to the loss's; {0} where nothing arrived yet */
    const bool *needs; /* by id: whether a wanted value is reached from here */
} Autodiff;

/* dx arrives at x, from one of its users. */
void flow(Autodiff *d, Value x, Value dx);

typedef void GradRule(Autodiff *d, Value y, Value dy);

#define RULE_yes(name) GradRule grad_##name;
#define RULE_no(name)
#define UNARY(name, gradient, ...)  RULE_##gradient(name)
#define BINARY(name, gradient, ...) RULE_##gradient(name)
#define OP(name, gradient, ...)     RULE_##gradient(name)
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
#undef RULE_yes
#undef RULE_no

#endif

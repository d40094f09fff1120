#ifndef MLC_PASSES_PLAN_H
#define MLC_PASSES_PLAN_H
/* From units to the module: results bound to states and outputs, an order, and a place for every buffer.
 *
 * A state is overwritten where it lies if every reader of its old value runs before, or is the writer itself and
 * reads exactly the element that it stores; otherwise its new value waits in the arena and is copied last. */
#include "ir/kernel/module.h"
#include "passes/lower.h"
#include "passes/pass.h"

typedef struct PlanInput {
    const Program *program;
    const Graph *graph;
    const Units *units;
    uint32_t alignment; /* of arena offsets: a power of two */
    int64_t memory;     /* bytes of peak_bytes that are wanted at most; 0: as many as it takes */
} PlanInput;

Module *plan(Arena *arena, const PlanInput *input);

/* NULL, or what is wrong with a module: regions that are live together and overlap, or are read before they were written,
 * or leave their buffer; a kernel that breaks its rules. */
const char *plan_verify(const Module *module, const Program *program, Arena *arena);

#endif

#ifndef MLC_PASSES_PLAN_STEPS_H
#define MLC_PASSES_PLAN_STEPS_H
/* What the files of the planner share.  A slot is a buffer that one step writes (or nobody: sources) and steps read; a step
 * is a unit or a copy.  Steps are ordered by the slots and by `before`: readers of an old state before its writer. */
#include "passes/plan.h"

typedef struct Slot {
    uint32_t storage; /* what was said of its value (graph.h) */
    RegionPlace place;
    uint32_t index;
    int64_t bytes;
    uint32_t writer;       /* step from 1; 0: a source */
    LIST(uint32_t) reader; /* steps, each once, ascending unless added later */
    uint32_t first, last;  /* positions in the order: written, last read */
    uint32_t block;        /* in the arena: slots that share bytes in place share the block */
    uint32_t whole;        /* the slot that this one is a part of; 0: none */
    int64_t place_in_whole; /* bytes */
    bool is_whole;          /* others are parts of this one */
} Slot;

typedef struct StepPart {
    Kernel *kernel;
    uint32_t *slot;       /* of each buffer */
    const int64_t *first; /* and the element of it that the buffer begins at; NULL: 0 */
} StepPart;

typedef struct Step {
    StepPart *part;
    uint32_t parts;
    int64_t flops;
    double time; /* plan_recompute.c: about, in bytes that move in it */
    Value main;
    LIST(uint32_t) reads, writes; /* slots, each once */
    LIST(uint32_t) before; /* steps that must run after this one, beyond the readers of its slots */
} Step;

typedef struct Block {
    int64_t bytes, offset;
    uint32_t first, last;
} Block;

typedef struct Plan {
    Arena *arena; /* of the result */
    Arena *scratch;
    const PlanInput *input;
    LIST(Slot) slot;   /* [0] unused */
    LIST(Step) step;   /* [0] unused */
    uint32_t *slot_of; /* by node */
    uint32_t *order;   /* steps, in the order they run */
    LIST(Block) block;
    int64_t arena_bytes;
    int64_t budget; /* of arena_bytes; 0: none */
    uint32_t peak; /* step that sees the most live bytes */
} Plan;

/* plan.c: notes what a step reads and writes, in the step and in the slots. */
void plan_connect(Plan *plan, uint32_t step);

/* plan_order.c: fills order. */
void plan_order(Plan *plan);
/* True if `to` must run after `from`. */
bool plan_reaches(const Plan *plan, uint32_t from, uint32_t to);

/* plan_recompute.c: adds steps that compute anew, late, what the backward steps would otherwise find stored; as the model says, and as
 * far as the budget asks for it. */
void plan_recompute(Plan *plan);

/* plan_inside.c: which slots are parts of others. */
void plan_inside(Plan *plan);
/* Whether the part would copy a slot to where it lies. */
bool plan_is_in_place(const Plan *plan, const StepPart *part);

/* plan_arena.c: liveness, in-place reuse, offsets. */
void plan_arena(Plan *plan);
/* True if the kernel loads buffer `in` only at the very element that it stores to buffer `out`. */
bool plan_in_place(const Kernel *kernel, uint32_t in, uint32_t out);

#endif

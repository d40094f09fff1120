#ifndef MLC_PASSES_LOWER_H
#define MLC_PASSES_LOWER_H
/* From groups of the tensor graph to kernels.  A group becomes a Unit: one kernel, or several over one buffer (scatter: fill,
 * then accumulate; a long concat: one a part), or a copy.  Units name their buffers by graph value; plan.h gives them places. */
#include "ir/kernel/kernel.h"
#include "passes/fuse.h"

typedef struct Part {
    Kernel *kernel;
    const Value *buffer;  /* the stored value in each of the kernel's buffers */
    const int64_t *first; /* the element of it that the buffer begins at */
} Part;

typedef struct Unit {
    LIST(Part) part;
    int64_t flops; /* of all parts */
    Value
        main; /* the node that the unit is named after: a contraction, a reduction, else the root */
} Unit;

typedef struct Units {
    LIST(Unit) unit;
    uint32_t *of; /* by node: 1 + the unit that stores it, 0: none */
} Units;

/* Lowers one group.  What cannot be lowered as it was fused changes `fusion` (one more value stored, a group taken
 * apart) and is tried again; returns false if the group itself was taken apart. Kernels live in `arena`. */
bool lower_group(Arena *arena, Fusion *fusion, uint32_t group, Unit *unit);

/* Everything that the graph's results need, in no order, without cycles between units. */
Units *lower_graph(Arena *arena, Fusion *fusion);

/* A kernel that copies `elements` of a type: buffer 0 to buffer 1. */
Kernel *lower_copy(Arena *arena, Type type, int64_t elements, Span at);

/* The same kernel in `arena` in its simplest form: dead scalars dropped, unguarded coordinates made one, axes that always
 * move together merged.  A buffer begins at the `first` element that is touched and ends behind the last, if those can be
 * known.  Structures that differ in shape, or in which slice they take, alone become equal. */
Kernel *lower_tidy(Arena *arena, const Kernel *kernel, int64_t *first);

#endif

#ifndef MLC_BACKENDS_CPU_REDUCE_H
#define MLC_BACKENDS_CPU_REDUCE_H
/* The reduces of a row.  Those over the same axes that do not need each other share one loop. */
#include "backends/cpu/emit.h"

typedef struct ReduceGroup {
    uint32_t axes;
    LIST(Scalar) reduce;
} ReduceGroup;

typedef struct RowReduces {
    LIST(ReduceGroup) group; /* in an order in which each can be computed */
} RowReduces;

RowReduces plan_reduces(const Kernel *kernel, Arena *arena);

/* Emits all groups at the current level.  Without a vector axis the innermost reduction axis is vectorized, a lane of the
 * tree a lane of the vector; with one each lane is a row of its own and holds the tree's lanes one after another. */
void emit_reduces(Emit *e, const RowReduces *reduces);

#endif

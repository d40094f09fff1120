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

/* columns.c: the reduces of the rows from `from` to below `to` of the vector axis, side by side; then `inside` once a vector
 * of these rows, with the results at hand. */
typedef struct RowBlock {
    const RowReduces *reduces;
    LLVMValueRef from, to;
    void (*inside)(Emit *e, void *user);
    void *user;
} RowBlock;
void emit_columns(Emit *e, const RowBlock *block);

/* What every way to reduce has in common. */
LLVMValueRef reduce_combine(Emit *e, const ScalarNode *node, LLVMValueRef a, LLVMValueRef b,
                            uint32_t width);
LLVMValueRef reduce_neutral(Emit *e, const ScalarNode *node, uint32_t width);
/* The tree over lanes that are values; the first `count` of REDUCE_LANES had elements. */
LLVMValueRef reduce_tree(Emit *e, const ScalarNode *node, LLVMValueRef *lane, uint32_t count);

#endif

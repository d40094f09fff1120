#ifndef MLC_PASSES_FUSE_H
#define MLC_PASSES_FUSE_H
/* Which values have a buffer.  Fusion is nothing more than this choice: a value is either stored, by exactly one group (one
 * kernel), or inline, computed on the spot wherever it is read.  Sources (inputs, states, tables) have a
 * buffer without a group.  A reshape or stop never has one of its own: it is its operand under another shape. */
#include "ir/graph/graph.h"

/* What one kernel stores: the root first, then values of the same shape that are stored along with it. */
typedef struct Group {
    LIST(Value) store;
} Group;

typedef struct Fusion {
    Arena *arena;
    const Graph *graph;
    uint32_t *group;    /* by node: the group that stores it, 0: inline or a source */
    LIST(Group) groups; /* [0] unused */
    uint8_t *innermost; /* by node: 1 + the axis that is innermost in its buffer, 0: the last; see layout.h */
} Fusion;

/* The assignment for everything that the graph's results need. */
Fusion *fuse(Arena *arena, const Graph *graph);
/* The same without fusion: every value that is computed has a kernel of its own, movement is inline. For tests. */
Fusion *fuse_nothing(Arena *arena, const Graph *graph);

/* Concats of more parts than this, or of what contractions compute, are stored in pieces: a kernel a part, each with its slice of
 * the buffer. Others are selects. */
#define CONCAT_LIMIT 8
bool fusion_in_pieces(const Graph *graph, Value x);
/* The value whose buffer holds x: x without the reshapes and stops around it. */
Value fusion_storage(const Graph *graph, Value x);
bool fusion_is_source(const Graph *graph, Value x);
/* What is made of an axis' numbers and constants, in few operations: it is never stored. */
bool fusion_is_index(const Graph *graph, Value x);
/* Gives x a buffer and a group of its own; returns the group. */
uint32_t fusion_store(Fusion *fusion, Value x);
/* Takes the group apart: each of its values gets a group of its own.  The old group stays, empty. */
void fusion_separate(Fusion *fusion, uint32_t group);

#endif

#ifndef MLC_PASSES_SPLIT_H
#define MLC_PASSES_SPLIT_H
/* What split.c and split_phases.c share. */
#include "ir/graph/graph.h"

/* The convolution as one for each remainder of its strides; {0} if it does not step that way. */
Value split_phases(Graph *out, const Graph *in, Value value, const Value *map);

#endif

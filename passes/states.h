#ifndef MLC_PASSES_STATES_H
#define MLC_PASSES_STATES_H
/* How states lie in memory.  The weights of a product are read by columns in one direction and by rows in the other, and their update
 * goes through all of it tile by tile; of a large matrix each of these is another walk through memory.  So it lies in panels,
 *
 *     [outputs, inputs]  ->  [inputs / 32, outputs, 32]
 *
 * with the inputs in the order in which their values lie: what is flattened from channels and pixels has the channels innermost
 * (passes/layout.h).  Moments, averages and whatever else is computed with it element by element lie as the weights do.
 * An entry that only reads its weights, as inference does, has one direction to serve: panels of outputs, of what flattened images
 * multiply in the order of the pixels,
 *
 *     [outputs, inputs]  ->  [outputs / 32, inputs, 32]      [filters, channels, taps]  ->  [taps, channels, filters]
 *
 * but matrices of bytes, which are multiplied along their inputs, by outputs.
 *
 * What the entry does with them is written for panels by the first pass; nothing is moved at run time.
 *
 * passes_place (passes/pass.h) chooses, pass_states writes. */
#include "ir/graph/graph.h"

/* Values of one shape that are computed element by element from each other: a number for each node. */
uint32_t *states_classes(const Graph *graph, Arena *arena);

#endif

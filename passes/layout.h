#ifndef MLC_PASSES_LAYOUT_H
#define MLC_PASSES_LAYOUT_H
/* In which order the elements of stored values lie in memory.  Every value has its axes in the order of its shape, the last innermost,
 * except those for which another axis was moved to the innermost place: the channels of images that convolutions read and write, so
 * that a vector of channels is one load and a pixel's taps lie a whole number of vectors apart.  Sources and results of
 * the graph keep the plain order; no checkpoint, input or output ever sees another. */
#include "passes/fuse.h"

/* By node of any graph: the axis that is better innermost than the last, as convolutions have it; -1: none. */
const int8_t *layout_channels(const Graph *graph, Arena *arena);

/* Fills in fusion->innermost. */
void layout(Fusion *fusion);

/* Elements from one point of each axis of `view` to the next, in the buffer of `stored`; `view` is its shape, or that of a
 * reshape of it. */
void layout_strides(const Fusion *fusion, Value stored, const Shape *view,
                    int64_t stride[MAX_RANK]);

#endif

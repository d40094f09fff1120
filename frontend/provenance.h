#ifndef MLC_FRONTEND_PROVENANCE_H
#define MLC_FRONTEND_PROVENANCE_H
/* Where a dimension came from: an axis of a value is traced back to the axis of an input whose size the file gives a
 * name to.  Computed only when a message needs it. */
#include "ir/graph/graph.h"

/* The name declared for an axis of an input, or none. */
typedef Name ProvenanceInput(void *user, Name input, int axis);

/* The symbol behind an axis of value; none if it is just a number. */
Name provenance_axis(const Graph *graph, Value value, int axis, ProvenanceInput *input, void *user);

#endif

#ifndef MLC_IR_GRAPH_ATTRIBUTE_H
#define MLC_IR_GRAPH_ATTRIBUTE_H
/* Comparing, hashing and copying attributes, once per kind of attributes.def.  Numbers are compared by their bits, so
 * that -0 and the NaNs stay what they are.  ATTRIBUTE_none takes NULL everywhere. */
#include "ir/graph/shape.h"

bool attribute_same(AttributeKind kind, const Attribute *a, const Attribute *b);
uint64_t attribute_hash(AttributeKind kind, const Attribute *attribute, uint64_t seed);
/* Deep. */
const Attribute *attribute_copy(Arena *arena, AttributeKind kind, const Attribute *attribute);

#endif

#ifndef MLC_RUNTIME_DATA_CONVERT_H
#define MLC_RUNTIME_DATA_CONVERT_H
/* Element types into each other, for batches of another type than the file's. */
#include "ir/graph/op.h"
#include <stddef.h>

/* Every value of `from` is one of `to`. */
bool convert_is_exact(Type from, Type to);
void convert(Type to, void *out, Type from, const void *in, size_t count);
/* The elements as doubles: exact but for i64 beyond 2^53. */
void convert_to_double(double *out, Type from, const void *in, size_t count);
/* The value is one of the type. */
bool convert_holds(Type type, double value);

#endif

#ifndef MLC_IR_GRAPH_BUILD_H
#define MLC_IR_GRAPH_BUILD_H
/* A builder an op: ir_exp(g, x), ir_add(g, x, y) are made from ops.def; the ops with attributes or stated shapes
 * are spelled out, since each has its own parameters.  The span is the graph's cursor.  Never put two builder calls into
 * one argument list: C does not say which runs first, and numbering would differ between compilers. */
#include "ir/graph/graph.h"

#define UNARY(name, ...) Value ir_##name(Graph *graph, Value x);
#define BINARY(name, ...) Value ir_##name(Graph *graph, Value x, Value y);
#define OP(...)
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP

Value ir_select(Graph *graph, Value condition, Value then, Value otherwise);
Value ir_cast(Graph *graph, Value x, Type type); /* x itself if it has the type */
Value ir_stop(Graph *graph, Value x);
Value ir_constant(Graph *graph, Type type, Shape shape, double number);
Value ir_like(Graph *graph, Value x, double number); /* a constant with x's type and shape */
Value ir_table(Graph *graph, Type type, Shape shape, Table table);
Value ir_iota(Graph *graph, Type type, Shape shape, int axis);
Value ir_input(Graph *graph, Name name, Type type, Shape shape);
Value ir_read(Graph *graph, Name state, Type type, Shape shape);
/* The stream becomes a table: kernels load it, so that those that differ in it alone are one. */
Value ir_uniform(Graph *graph, Value seed, Value step, uint32_t stream, Shape shape);
Value ir_reshape(Graph *graph, Value x, Shape shape);
Value ir_transpose(Graph *graph, Value x, Axes axes);
Value ir_broadcast(Graph *graph, Value x, Axes axes, Shape shape);
Value ir_slice(Graph *graph, Value x, Slice slice);
Value ir_pad(Graph *graph, Value x, Pad pad);
Value ir_concat(Graph *graph, uint32_t count, const Value *x, int axis);
Value ir_window(Graph *graph, Value x, Windows windows);
Value ir_fold(Graph *graph, Value x, Windows windows, Shape shape);
Value ir_sum(Graph *graph, Value x, Axes axes);
Value ir_reduce_max(Graph *graph, Value x, Axes axes);
Value ir_dot(Graph *graph, Value a, Value b, Indices indices);
Value ir_conv(Graph *graph, Value a, Value b, Indices indices, Shape shape);
Value ir_gather(Graph *graph, Value x, Value index, int axis);
Value ir_scatter(Graph *graph, Value updates, Value index, int axis, Shape shape);
Value ir_gradient(Graph *graph, Value y, Value x);

/* Axes {first, first + 1, ...}, count of them. */
Axes axes_range(int first, int count);
/* Those of 0..rank-1 that are not in `axes`, ascending. */
Axes axes_other(Axes axes, int rank);

#endif

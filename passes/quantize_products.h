#ifndef MLC_PASSES_QUANTIZE_PRODUCTS_H
#define MLC_PASSES_QUANTIZE_PRODUCTS_H
/* quantize_plan.c and quantize_expose.c, for quantize.c: what of a graph is quantized. */
#include "passes/quantize.h"

/* A product of a weight and an activation that may be one of integers. */
typedef struct Product {
    int side; /* of the weight */
    Name weight;
    int axis;   /* of the weight: that of the outputs */
    Value root; /* the activation, before it is moved */
} Product;

bool quantize_product(const Program *program, const Graph *graph, Value value, Product *product);
/* Whether rounding may as well be done before the node, to its operand. */
bool quantize_passes_through(const Node *node);
/* What relu cuts off; {0}: the node is none. */
Value quantize_relu(const Graph *graph, Value x);
/* By node: whether it is never negative, NaN aside. */
bool *quantize_positive(const Graph *graph, Arena *arena);

/* The graph with each relu next to what it cuts off, below pooling; it is not simplified. */
Graph *quantize_expose(const Graph *graph, Arena *arena);

#endif

#ifndef MLC_PASSES_QUANTIZE_LINEAR_H
#define MLC_PASSES_QUANTIZE_LINEAR_H
/* What follows a sum of integers is mostly linear: its scale, a bias, batch norm by running statistics, a residual, the rate of the next
 * rounding.  Followed symbolically, all of it is arithmetic of channels, and a multiplication and an addition an element are left:
 *
 *     y = base * factor + base * factor + addend
 *
 * Factors and addend are of one axis of y, or numbers. */
#include "ir/graph/graph.h"

typedef struct Linear {
    int terms; /* 0: not linear */
    Value base[2], factor[2];
    Value addend; /* {0}: 0 */
    Axes axes;    /* of y, that factors and addend have: one or none */
} Linear;

Linear linear_of(Value base, Value factor, Axes axes);
/* x is of those axes, one or none.  False, and nothing done, where they do not go together. */
bool linear_multiply(Graph *graph, Linear *y, Value x, Axes axes);
bool linear_divide(Graph *graph, Linear *y, Value x, Axes axes);
bool linear_add(Graph *graph, Linear *y, Value x, Axes axes);
bool linear_subtract(Graph *graph, Linear *y, Value x, Axes axes);
/* Adds another. */
bool linear_join(Graph *graph, Linear *y, const Linear *x);
Value linear_value(Graph *graph, const Linear *y);

#endif

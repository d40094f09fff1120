#ifndef MLC_IR_KERNEL_CONTRACTION_H
#define MLC_IR_KERNEL_CONTRACTION_H
/* Recognizes sums of products from the accesses, not from op names: a reduce(add) whose body is
 * mul(a, b), of which one factor misses a parallel axis that the other has.  dot, convolution,
 * their gradients, attention and quantized products are all this one thing, with whatever computes
 * the factors (prologue) and whatever follows the sum (epilogue).
 *
 * The factors are the two arguments of the mul as it stands: in (x * y) * z the split is x * y and
 * z.  Usually each side misses an axis; a matrix-vector product has n alone (m is empty).  Each
 * factor has a load and a reduction axis in it: a sum of x or of x * 0.5 is a plain reduction, and
 * so is a sum of products over all the same axes (both m and n empty). */
#include "ir/kernel/kernel.h"

typedef struct Contraction {
    Scalar sum;       /* the reduce */
    Scalar a, b;      /* its factors */
    uint32_t m, n;    /* parallel axes that only a (m) or only b (n) depends on, as bit sets; n is never empty, and is the side
                         whose axes contain the axis along which the first store is contiguous, if any does */
    uint32_t batch;   /* parallel axes that both depend on, or that only the epilogue has */
    uint32_t k;       /* the reduction axes */
} Contraction;

/* False if the kernel is none: no reduce or several, sequential axes, or m and n both empty.
 * kernel_expand keeps the answer. */
bool contraction_of(const Kernel *kernel, Contraction *contraction);

#endif

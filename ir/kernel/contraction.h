#ifndef MLC_IR_KERNEL_CONTRACTION_H
#define MLC_IR_KERNEL_CONTRACTION_H
/* Recognizes sums of products from the accesses, not from op names: a reduce(add) whose body is mul(a, b) where each factor
 * misses a parallel axis that the other has.  dot, convolution, their gradients, attention and quantized products are
 * all this one thing, with whatever computes the factors (prologue) and whatever follows the sum (epilogue). */
#include "ir/kernel/kernel.h"

typedef struct Contraction {
    Scalar sum;       /* the reduce */
    Scalar a, b;      /* its factors */
    uint32_t m, n;    /* parallel axes that only a (m) or only b (n) depends on, as bit sets; n is the side whose axes contain
                         the axis along which the first store is contiguous, if any does */
    uint32_t batch;   /* parallel axes that both depend on, or that only the epilogue has */
    uint32_t k;       /* the reduction axes */
} Contraction;

/* False if the kernel is none: no reduce, several reduces, or a factor that has all axes. */
bool contraction_of(const Kernel *kernel, Contraction *contraction);

#endif

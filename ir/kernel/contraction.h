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
    Scalar sum;  /* the reduce */
    Scalar a, b; /* its factors, less the promise that they are 0 */
    Scalar a_where, b_where; /* wherever these are false; {0}: nothing is promised */
    uint32_t m,
        n; /* parallel axes that only a (m) or only b (n) depends on, as bit sets; n is never empty, and is the side
                         whose axes contain the axis along which the first store is contiguous, if any does */
    uint32_t batch; /* parallel axes that both depend on, or that only the epilogue has */
    uint32_t k;     /* the reduction axes */
} Contraction;

/* False if the kernel is none: no reduce or several, sequential axes, or m and n both empty.
 * kernel_expand keeps the answer. */
bool contraction_of(const Kernel *kernel, Contraction *contraction);

/* How a machine multiplies factors of bf16, or of one-byte integers, by what its levels offer. */
typedef enum Products {
    PRODUCTS_single,   /* widened, one by one */
    PRODUCTS_pairs,    /* two of bf16 in an instruction, to the same sums as one by one */
    PRODUCTS_tiles,    /* 32 points of k in an instruction, with a tree of its own: see kernel.h */
    PRODUCTS_integers, /* two of i16, to which bytes were widened */
} Products;

/* `of_bf16` if both factors are values of bf16 that were widened, `of_bytes` if both are i8 or u8 and were widened to i32, and the
 * result has an axis; else PRODUCTS_single. */
Products contraction_products(const Kernel *kernel, const Contraction *contraction,
                              Products of_bf16, Products of_bytes);
/* The reduction axis, of extent above 1 if there is one, whose points are taken in pairs, as if an odd extent had one more point whose
 * factors are 0; it is the innermost of the reduction axes in the order in which they are summed.  Pairs: the last in
 * the axis list.  Tiles: of those with an even extent, or of all if there is none, the one along which more
 * of the two factors are read as they lie in memory; of equals the last. */
Axis contraction_pairs(const Kernel *kernel, const Contraction *contraction, Products products);

/* kernel_interpret with the tree of tiles; the contraction as contraction_of gave it, before axes were merged if they were. */
void kernel_interpret_tiles(const Kernel *kernel, const Contraction *contraction,
                            void *const *buffer);

#endif

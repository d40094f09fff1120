#ifndef MLC_IR_KERNEL_WINOGRAD_H
#define MLC_IR_KERNEL_WINOGRAD_H
/* Convolutions of 3 x 3 taps by minimal filtering, F(4 x 4, 3 x 3): 36 products a channel where 16 outputs have 144 (Lavin and Gray,
 * Fast Algorithms for Convolutional Neural Networks, 2015).
 *
 * Recognized from the accesses.  One factor, the image, is read where a window is: its loads see axis `window[i]` and axis `tap[i]` only
 * as window + sign * tap, for two such pairs.  The other factor is the taps, in which the windows do not occur, or, for the
 * gradient of the taps, what the windows' outputs became, in which the taps do not.  `channel` is of the image alone or summed over,
 * `filter` of the other factor:
 *
 *     y[image.., window, filter] = sum over tap, channel   x[image.., window + tap, channel] * w[tap, filter, channel]
 *     w[tap, filter, channel]    = sum over image.., window x[image.., window + tap, channel] * y[image.., window, filter]
 *
 * A tile is 4 x 4 windows and the 6 x 6 points of the image under them.
 *
 * Meaning ("tree of minimal filtering"), f32 throughout, all by winograd_square: the image's points of a tile become 36 numbers by
 * WINOGRAD_image, the taps by WINOGRAD_taps, outputs by WINOGRAD_outputs.  Of each of the 36, products are summed by fma from 0: over the
 * channels ascending; for the gradient over the images, in the order of the axis list, and in each over the tiles row by row. The 36
 * sums become 16 outputs by WINOGRAD_back, or the 9 taps by WINOGRAD_taps_back.
 *
 * Products of bytes, summed in i32, are filtered to the very same sums.  The matrix of the taps has fractions of 24: it is taken 24 times along
 * each axis, so that turned taps are whole numbers, and of 16 bits, as turned images are, once the last row leaves a factor of 8 to the
 * way back.  That gives 576 times the sum, modulo 2^32.  9 has an inverse there, so 64 times the sum comes of it, from which the sum is
 * known as long as it is below 2^25, whatever has overflowed meanwhile. */
#include "ir/kernel/contraction.h"

#define WINOGRAD_SIDE   4 /* outputs of a tile, along an axis */
#define WINOGRAD_TAPS   3
#define WINOGRAD_POINTS 6

typedef struct Winograd {
    bool is_gradient; /* of the taps */
    bool of_integers;
    Axis window[2], tap[2];
    int sign[2];
    Axis channel, filter;
    Scalar image, other; /* the factors */
    uint32_t images; /* axes of extent above 1 that index images, as a bit set: parallel, or summed over for the gradient */
    uint32_t around; /* gradient: parallel axes of both factors */
} Winograd;

/* Whether a sum of products is worth it and has nothing that the above does not: f32, or bytes forwards and few enough; both windows multiples of 4, channels and filters
 * multiples of 16 that lie side by side in memory where many of them are read.  `kernel` and contraction as
 * contraction_of has them: no axes were merged. */
bool winograd_of(const Kernel *kernel, const Contraction *contraction, Winograd *winograd);

typedef enum WinogradStep {
    WINOGRAD_image,     /* 6 -> 6 */
    WINOGRAD_taps,      /* 3 -> 6 */
    WINOGRAD_outputs,   /* 4 -> 6 */
    WINOGRAD_back,      /* 6 -> 4 */
    WINOGRAD_taps_back, /* 6 -> 3 */
    WINOGRAD_integer_image, /* 6 -> 6 */
    WINOGRAD_integer_taps,  /* 3 -> 6 */
    WINOGRAD_integer_back,  /* 6 -> 4, to 576 times the sums */
} WinogradStep;

#define WINOGRAD_TAPS_GROW 144 /* times their magnitude, at most */
#define WINOGRAD_INVERSE   954437177 /* of 9, modulo 2^32 */
#define WINOGRAD_SHIFT     6

/* A number, or whatever stands for it. */
typedef union WinogradNumber {
    float real;
    void *value;
} WinogradNumber;

typedef struct WinogradArithmetic {
    void *user;
    WinogradNumber (*add)(void *user, WinogradNumber x, WinogradNumber y);
    WinogradNumber (*subtract)(void *user, WinogradNumber x, WinogradNumber y);
    WinogradNumber (*scale)(void *user, float factor, WinogradNumber x);
    WinogradNumber (*fma)(void *user, float factor, WinogradNumber x, WinogradNumber plus);
} WinogradArithmetic;

/* n x n numbers, rows outermost, to m x m: along the columns, then along the rows.  They may be the same array. */
void winograd_square(const WinogradArithmetic *with, WinogradStep step, const WinogradNumber *from,
                     WinogradNumber *to);
int winograd_from(WinogradStep step); /* n */
int winograd_to(WinogradStep step);   /* m */

/* kernel_interpret with the tree of minimal filtering. */
void kernel_interpret_winograd(const Kernel *kernel, const Contraction *contraction,
                               const Winograd *winograd, void *const *buffer);

#endif

/* sin and cos for |x| up to 6.5e6; beyond, where neighbouring floats are whole quarters of a turn
 * apart, x counts as 0. */
#include "ir/kernel/expand_math.h"
#include <math.h>

/* (sin(r) - r) / r^3 and (cos(r) - 1 + r^2/2) / r^4 in r^2 for |r| <= 0.786; relative errors
 * 2^-32. */
static const double sin_series[] = {-0x1.555556p-3, 0x1.111174p-7, -0x1.a0596cp-13, 0x1.7c3888p-19};
static const double cos_series[] = {0x1.55554ap-5, -0x1.6c0c2ap-10, 0x1.99e8fap-16};

/* pi/2 in parts of 8 bits, so that their products with quarters are exact up to |x| = 1e5, whether or
 * not the target's fma rounds once; the last has 24, and 2^-73 is missing (Cody and Waite). */
static const double half_pi[] = {0x1.92p+0,  0x1.ep-12, 0x1.b4p-16,    0x1.44p-24,
                                 0x1.08p-34, 0x1.ap-41, 0x1.84698ap-48};

/* x - n pi/2, and n.  The first three steps are exact.  Of the next three each either is exact, or r is
 * large beside what follows; then what it rounds away is kept in `lost`. */
static Scalar reduce_angle(Kernel *k, Scalar x, Scalar *quarter)
{
    Scalar within = TWO(less_equal, ONE(abs, x), REAL(6.5e6)), lost = {0};
    Scalar r = SELECT(within, x, MUL(x, REAL(0)));
    Scalar shifted = FMA(r, REAL(M_2_PI), REAL(ROUNDING_MAGIC));
    Scalar n = SUB(shifted, REAL(ROUNDING_MAGIC));
    *quarter = SUB(BITS(shifted, TYPE_i32), BITS(REAL(ROUNDING_MAGIC), TYPE_i32));
    for (int i = 0; i < 6; i++) {
        Scalar before = r, part = MUL(n, REAL(half_pi[i]));
        r = SUB(r, part);
        Scalar rounded = SUB(SUB(before, r), part);
        if (i >= 3) lost = i == 3 ? rounded : ADD(lost, rounded);
    }
    return ADD(r, FMA(n, REAL(-half_pi[6]), lost));
}

/* The wave whose quarters are sin, cos, -sin, -cos of r. */
static Scalar wave(Kernel *k, Scalar r, Scalar quarter)
{
    Scalar square = MUL(r, r);
    Scalar sine = FMA(MUL(POLYNOMIAL(square, sin_series), square), r, r);
    Scalar rest = FMA(square, POLYNOMIAL(square, cos_series), REAL(-0.5));
    Scalar cosine = FMA(square, rest, REAL(1));
    Scalar is_odd = EQUAL(TWO(bit_and, quarter, WORD(1)), WORD(1));
    Scalar sign = TWO(shift_left, TWO(bit_and, quarter, WORD(2)), WORD(30));
    Scalar bits = BITS(SELECT(is_odd, cosine, sine), TYPE_i32);
    return BITS(TWO(bit_xor, bits, sign), TYPE_f32);
}

/* At most 2 ULP for |x| <= 1e5. */
Scalar expand_sin(Kernel *k, const ScalarNode *node)
{
    Scalar x = node->argument[0], quarter, r = reduce_angle(k, x, &quarter);
    return SELECT(EQUAL(x, REAL(0)), x, wave(k, r, quarter));
}

/* At most 2 ULP for |x| <= 1e5. */
Scalar expand_cos(Kernel *k, const ScalarNode *node)
{
    Scalar quarter, r = reduce_angle(k, node->argument[0], &quarter);
    return wave(k, r, ADD(quarter, WORD(1)));
}

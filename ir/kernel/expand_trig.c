/* sin and cos for |x| up to 6.5e6; beyond, where neighbouring floats are whole quarters of a turn apart, x counts as 0. */
#include "ir/kernel/expand_math.h"
#include <math.h>

/* (sin(r) - r) / r^3 and (cos(r) - 1 + r^2/2) / r^4 in r^2 for |r| <= 0.786; relative errors 2^-32. */
static const double sin_series[] = {-0x1.555556p-3, 0x1.111174p-7, -0x1.a0596cp-13, 0x1.7c3888p-19};
static const double cos_series[] = {0x1.55554ap-5, -0x1.6c0c2ap-10, 0x1.99e8fap-16};

/* Cody and Waite: x - n pi/2, pi/2 in three floats.  n has at most 22 bits; the first fma is exact, since its result is a multiple of
 * 2^-23 below 1; after the third n times 2^-77 is missing. */
static Scalar reduce_angle(Kernel *k, Scalar x, Scalar *quarter)
{
    Scalar within = TWO(less_equal, ONE(abs, x), REAL(6.5e6));
    x = SELECT(within, x, MUL(x, REAL(0)));
    Scalar shifted = FMA(x, REAL(M_2_PI), REAL(ROUNDING_MAGIC));
    Scalar n = SUB(shifted, REAL(ROUNDING_MAGIC));
    *quarter = SUB(BITS(shifted, TYPE_i32), BITS(REAL(ROUNDING_MAGIC), TYPE_i32));
    Scalar r = FMA(n, REAL(-0x1.921fb6p+0), x);
    r = FMA(n, REAL(0x1.777a5cp-25), r);
    return FMA(n, REAL(0x1.ee59dap-50), r);
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

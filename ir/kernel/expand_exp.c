/* exp and what is made of it. */
#include "ir/kernel/expand_math.h"
#include <math.h>

/* (exp(r) - 1 - r) / r^2 for |r| <= 0.3468; relative error of exp(r) - 1: 2^-31. */
static const double exp_series[] = {0.5,           0x1.555554p-3,  0x1.5554f8p-5,
                                    0x1.1112d6p-7, 0x1.6d3a4ap-10, 0x1.9e77a8p-13};

/* x + low = n ln 2 + r, |r| <= ln 2 / 2; and exp(r) - 1. */
typedef struct Reduced {
    Scalar n, less_one;
} Reduced;

static Reduced reduce_exp(Kernel *k, Scalar x, Scalar low)
{
    Scalar shifted = FMA(x, REAL(1 / M_LN2), REAL(ROUNDING_MAGIC));
    Scalar whole = SUB(shifted, REAL(ROUNDING_MAGIC));
    Scalar r = FMA(whole, REAL(-LN2_LOW), FMA(whole, REAL(-LN2_HIGH), x));
    if (low.id) r = ADD(r, low);
    Scalar n = SUB(BITS(shifted, TYPE_i32), BITS(REAL(ROUNDING_MAGIC), TYPE_i32));
    return (Reduced){n, FMA(POLYNOMIAL(r, exp_series), MUL(r, r), r)};
}

Scalar math_exp_near(Kernel *k, Scalar x)
{
    Reduced reduced = reduce_exp(k, x, (Scalar){0});
    return MUL(ADD(reduced.less_one, REAL(1)), math_power_of_two(k, reduced.n));
}

/* 2^n in two factors, so that subnormal results are rounded once and n = 128 overflows only if the
 * product does.  Where the result is 0 nothing underflows: that takes a processor a hundred cycles, and every masked
 * score is there. */
Scalar math_exp(Kernel *k, Scalar x, Scalar low)
{
    Scalar is_zero = LESS(x, REAL(-104)), zero = REAL(0);
    Scalar within = TWO(min, SELECT(is_zero, zero, x), REAL(89));
    Reduced reduced = reduce_exp(k, within, low);
    Scalar half = TWO(shift_right, reduced.n, WORD(1));
    Scalar scaled = MUL(ADD(reduced.less_one, REAL(1)), math_power_of_two(k, half));
    return SELECT(is_zero, zero, MUL(scaled, math_power_of_two(k, SUB(reduced.n, half))));
}

/* At most 1 ULP. */
Scalar expand_exp(Kernel *k, const ScalarNode *node)
{
    return math_exp(k, node->argument[0], (Scalar){0});
}

/* At most 2 ULP.  2^n (e + 1) - 1 for e = exp(r) - 1, halved until the end since 2^128 is no
 * float; with n = 0 it is e. */
Scalar expand_expm1(Kernel *k, const ScalarNode *node)
{
    Scalar x = node->argument[0];
    Reduced reduced = reduce_exp(k, TWO(min, TWO(max, x, REAL(-40)), REAL(89)), (Scalar){0});
    Scalar power = math_power_of_two(k, SUB(reduced.n, WORD(1)));
    Scalar half = FMA(power, reduced.less_one, SUB(power, REAL(0.5)));
    Scalar is_near = EQUAL(reduced.n, WORD(0)), is_tiny = LESS(ONE(abs, x), REAL(0x1p-25));
    return SELECT(is_tiny, x, SELECT(is_near, reduced.less_one, ADD(half, half)));
}

/* At most 2.5 ULP, of which the rounding of h + 2 takes one.  tanh |x| = h / (h + 2) for h = exp(2 |x|) - 1, which is exact near 0
 * and never above 1: no second formula, no choice between them. */
Scalar expand_tanh(Kernel *k, const ScalarNode *node)
{
    Scalar x = node->argument[0];
    Scalar within = TWO(min, ONE(abs, x), REAL(10)); /* where tanh has long been 1 */
    Reduced reduced = reduce_exp(k, ADD(within, within), (Scalar){0});
    Scalar power = math_power_of_two(k, reduced.n);
    Scalar h = FMA(power, reduced.less_one, SUB(power, REAL(1)));
    Scalar size = TWO(div, h, ADD(h, REAL(2)));
    Scalar sign = TWO(bit_and, BITS(x, TYPE_i32), WORD(INT32_MIN));
    return BITS(TWO(bit_or, BITS(size, TYPE_i32), sign), TYPE_f32);
}

/* erf(x) / x - 1 in x^2 for |x| <= 0.93; relative error of erf(x): 2^-30. */
static const double erf_series[] = {0x1.06eba8p-3, -0x1.81274p-2,   0x1.ce2d64p-4, -0x1.b8011ap-6,
                                    0x1.544a1ap-8, -0x1.a60a2ep-11, 0x1.4f675ep-14};

/* -log(erfc(x)) / x - 1 for 0.92 <= x <= 4; relative error of erf(x): 2^-30. */
static const double erfc_series[] = {0x1.0778dep-3, 0x1.45328cp-1,   0x1.b32582p-4, -0x1.85517ap-6,
                                     0x1.dd6cfp-9,  -0x1.527bdcp-12, 0x1.78d912p-17};

/* At most 2 ULP. */
Scalar expand_erf(Kernel *k, const ScalarNode *node)
{
    Scalar x = node->argument[0], size = ONE(abs, x);
    Scalar near = FMA(POLYNOMIAL(MUL(x, x), erf_series), x, x);
    Scalar within = TWO(min, size, REAL(4)); /* where erf rounds to 1 */
    Scalar exponent = FMA(POLYNOMIAL(within, erfc_series), within, within);
    Scalar far = SUB(REAL(1), math_exp_near(k, ONE(neg, exponent)));
    return math_with_sign(k, SELECT(LESS(size, REAL(0.925)), near, far), x);
}

/* log, log1p, and pow by a logarithm in two floats. */
#include "ir/kernel/expand_math.h"
#include <math.h>

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)), for x > 0; e as i32. */
typedef struct Split {
    Scalar m, e;
} Split;

static Split split_normal(Kernel *k, Scalar x)
{
    Scalar bits = BITS(x, TYPE_i32), root = BITS(REAL(M_SQRT1_2), TYPE_i32);
    Scalar e = TWO(shift_right, SUB(bits, root), WORD(23));
    return (Split){BITS(SUB(bits, TWO(shift_left, e, WORD(23))), TYPE_f32), e};
}

/* Subnormals too. */
static Split split_any(Kernel *k, Scalar x)
{
    Scalar is_subnormal = LESS(x, REAL(0x1p-126));
    Split split = split_normal(k, SELECT(is_subnormal, MUL(x, REAL(0x1p23)), x));
    split.e = SUB(split.e, SELECT(is_subnormal, WORD(23), WORD(0)));
    return split;
}

/* (log(1 + f) - f + f^2/2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)]; relative error of log(1 + f):
 * 2^-30. */
static const double log_series[] = {0x1.555548p-2,  -0x1.000006p-2, 0x1.99a478p-3,
                                    -0x1.555c4ep-3, 0x1.233b78p-3,  -0x1.fc26acp-4,
                                    0x1.e6c03ep-4,  -0x1.de1004p-4, 0x1.1484e8p-4};

/* log(1 + f) + e ln 2. */
static Scalar log_sum(Kernel *k, Scalar f, Scalar e)
{
    Scalar count = CAST(e, TYPE_f32), square = MUL(f, f);
    Scalar rest = FMA(MUL(square, f), POLYNOMIAL(f, log_series), MUL(count, REAL(LN2_LOW)));
    rest = FMA(square, REAL(-0.5), rest);
    return ADD(FMA(count, REAL(LN2_HIGH), f), rest);
}

/* log's value where x, its argument, is not positive and finite. */
static Scalar log_ends(Kernel *k, Scalar x, Scalar inside)
{
    Scalar zero = REAL(0), infinity = REAL(INFINITY);
    Scalar above = SELECT(EQUAL(x, infinity), infinity, inside);
    Scalar below = SELECT(EQUAL(x, zero), REAL(-INFINITY), REAL(NAN));
    return SELECT(LESS(zero, x), above, below);
}

/* At most 2 ULP. */
Scalar expand_log(Kernel *k, const ScalarNode *node)
{
    Scalar x = node->argument[0];
    Split split = split_any(k, x);
    return log_ends(k, x, log_sum(k, SUB(split.m, REAL(1)), split.e));
}

/* At most 2 ULP.  u = 1 + x is rounded, and lost = 1 + x - u exactly (Knuth's sum), so f = m - 1 +
 * lost 2^-e is x itself where e = 0; for large e any small factor will do. */
Scalar expand_log1p(Kernel *k, const ScalarNode *node)
{
    Scalar x = node->argument[0], one = REAL(1), u = ADD(one, x), of_one = SUB(u, x);
    Scalar lost = ADD(SUB(x, SUB(u, of_one)), SUB(one, of_one));
    Split split = split_normal(k, u);
    Scalar scale = math_power_of_two(k, ONE(neg, TWO(min, split.e, WORD(100))));
    Scalar inside = log_sum(k, FMA(lost, scale, SUB(split.m, one)), split.e);
    Scalar is_tiny = LESS(ONE(abs, x), REAL(0x1p-25));
    return SELECT(is_tiny, x, log_ends(k, u, inside));
}

/* A value as a sum of two floats, the second small beside the first. */
typedef struct Pair {
    Scalar high, low;
} Pair;

/* a + b, |a| >= |b| or a = 0. */
static Pair sum_of(Kernel *k, Scalar a, Scalar b)
{
    Scalar high = ADD(a, b);
    return (Pair){high, SUB(b, SUB(high, a))};
}

/* (log(m) - 2 s) / s^3 in s^2 for s = (m - 1) / (m + 1), |s| <= 0.172; absolute error 2^-35 of 2
 * s. */
static const double ratio_series[] = {0x1.555554p-1, 0x1.999c24p-2, 0x1.23d4b4p-2, 0x1.f111c2p-3};

/* x as its upper 12 bits and the rest, so that products of parts are exact. */
static Pair halves_of(Kernel *k, Scalar x)
{
    Scalar high = BITS(TWO(bit_and, BITS(x, TYPE_i32), WORD(-0x1000)), TYPE_f32);
    return (Pair){high, SUB(x, high)};
}

/* a b, exactly.  Dekker's product instead of fma, which not every target rounds once. */
static Pair product_of(Kernel *k, Scalar a, Scalar b)
{
    Scalar high = MUL(a, b);
    Pair x = halves_of(k, a), y = halves_of(k, b);
    Scalar cross = ADD(SUB(MUL(x.high, y.high), high), MUL(x.high, y.low));
    return (Pair){high, ADD(ADD(cross, MUL(x.low, y.high)), MUL(x.low, y.low))};
}

/* log(m) = 2 s + s^3 P(s^2), s divided with its remainder; all of it in pairs but for P. */
static Pair log_near_one(Kernel *k, Scalar m)
{
    Scalar f = SUB(m, REAL(1));
    Pair below = sum_of(k, REAL(2), f);
    Scalar s = TWO(div, f, below.high);
    Pair taken = product_of(k, s, below.high);
    Scalar left = SUB(SUB(SUB(f, taken.high), taken.low), MUL(s, below.low));
    Scalar s_low = TWO(div, left, below.high);

    Pair square = product_of(k, s, s), cube = product_of(k, s, square.high);
    Scalar series = POLYNOMIAL(square.high, ratio_series);
    Scalar cube_low = FMA(square.high, MUL(s_low, REAL(3)), FMA(square.low, s, cube.low));
    Pair term = product_of(k, cube.high, series), sum = sum_of(k, ADD(s, s), term.high);
    Scalar low = FMA(cube_low, series, ADD(term.low, ADD(s_low, s_low)));
    return (Pair){sum.high, ADD(sum.low, low)};
}

/* log(x) for finite x > 0 with a relative error of about 2^-31. */
static Pair log_pair(Kernel *k, Scalar x)
{
    Split split = split_any(k, x);
    Scalar count = CAST(split.e, TYPE_f32);
    Pair log = log_near_one(k, split.m), sum = sum_of(k, MUL(count, REAL(LN2_HIGH)), log.high);
    Scalar low = FMA(count, REAL(LN2_LOW), ADD(sum.low, log.low));
    return sum_of(k, sum.high, low);
}

/* exp(y log(size)) for size >= 0, infinities included; 1 where y = 0 or size = 1, even by NaN. */
static Scalar positive_power(Kernel *k, Scalar size, Scalar y)
{
    Scalar zero = REAL(0);
    Pair log = log_pair(k, size);
    Scalar high = SELECT(LESS(size, REAL(INFINITY)), log.high, size);
    high = SELECT(EQUAL(size, zero), REAL(-INFINITY), high);
    Pair product = product_of(k, y, high);
    Scalar rest = FMA(y, log.low, product.low);
    rest = SELECT(LESS(ONE(abs, product.high), REAL(128)), rest, zero);
    Scalar is_one = TWO(or, EQUAL(y, zero), EQUAL(size, REAL(1)));
    return math_exp(k, SELECT(is_one, zero, product.high), rest);
}

/* At most 2 ULP.  Special cases as in C99 F.9.4.4. */
Scalar expand_pow(Kernel *k, const ScalarNode *node)
{
    Scalar x = node->argument[0], y = node->argument[1], size = ONE(abs, x), zero = REAL(0);
    Scalar power = positive_power(k, size, y), half = MUL(y, REAL(0.5));
    Scalar is_whole = EQUAL(ONE(floor, y), y), is_even = EQUAL(ONE(floor, half), half);
    Scalar is_odd = TWO(and, is_whole, ONE(not, is_even));
    Scalar signed_power = SELECT(is_odd, math_with_sign(k, power, x), power);
    Scalar is_below = TWO(and, LESS(x, zero), LESS(size, REAL(INFINITY)));
    return SELECT(TWO(and, is_below, ONE(not, is_whole)), REAL(NAN), signed_power);
}

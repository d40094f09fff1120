#ifndef MLC_IR_KERNEL_EXPAND_MATH_H
#define MLC_IR_KERNEL_EXPAND_MATH_H
/* What the expansions of expand_*.c share.  Each is expand_NAME(k, node) for a MATH row of
 * scalars.def, gets its arguments as f32 (sign: as any number), and gives the scalar that equals
 * the node.
 *
 * The errors stated, in ULP, hold whether the target's fma rounds once or twice.
 *
 * Coefficients: minimax fits by Lawson's weighted least squares in 30-digit arithmetic over the
 * interval stated, the weight chosen for relative error of the function; each coefficient was
 * rounded to f32 in turn, lowest first, and the rest fitted again.
 *
 * The macros build scalars in a kernel named k.  Builder calls stand in argument lists here,
 * although C leaves their order open: kernel_expand numbers its result canonically at the end. */
#include "ir/kernel/kernel.h"

#define EXPAND_BASIC(name)
#define EXPAND_MATH(name)                 Scalar expand_##name(Kernel *k, const ScalarNode *node);
#define SCALAR(name, arity, level, types) EXPAND_##level(name)
#include "ir/kernel/scalars.def"
#undef SCALAR
#undef EXPAND_BASIC
#undef EXPAND_MATH

/* The op on arguments whose last has the type of the result, or bool for comparisons. */
Scalar math_apply(Kernel *k, ScalarOp op, Scalar a, Scalar b, Scalar c);
/* coefficient[0] + coefficient[1] * x + ..., by Horner's rule with fma. */
Scalar math_polynomial(Kernel *k, Scalar x, int count, const double *coefficient);
/* 2^n for i32 n in [-126, 127]; 0 and infinity at the neighbours. */
Scalar math_power_of_two(Kernel *k, Scalar n);
/* |x| with the sign of y. */
Scalar math_with_sign(Kernel *k, Scalar x, Scalar y);
/* exp(x + low) for |x| at most 20, and for any x: saturating, low small beside x (0 for exp
 * itself). */
Scalar math_exp_near(Kernel *k, Scalar x);
Scalar math_exp(Kernel *k, Scalar x, Scalar low);

#define REAL(number)               kernel_constant(k, TYPE_f32, number)
#define WORD(number)               kernel_constant(k, TYPE_i32, number)
#define NATURAL(number)            kernel_constant(k, TYPE_u32, number)
#define ONE(op, x)                 math_apply(k, SCALAR_##op, x, (Scalar){0}, (Scalar){0})
#define TWO(op, x, y)              math_apply(k, SCALAR_##op, x, y, (Scalar){0})
#define FMA(x, y, z)               math_apply(k, SCALAR_fma, x, y, z)
#define SELECT(condition, yes, no) math_apply(k, SCALAR_select, condition, yes, no)
#define ADD(x, y)                  TWO(add, x, y)
#define SUB(x, y)                  TWO(sub, x, y)
#define MUL(x, y)                  TWO(mul, x, y)
#define LESS(x, y)                 TWO(less, x, y)
#define EQUAL(x, y)                TWO(equal, x, y)
#define BITS(x, type)              kernel_apply(k, SCALAR_bits, type, (Scalar[]){x})
#define CAST(x, type)              kernel_apply(k, SCALAR_cast, type, (Scalar[]){x})
#define POLYNOMIAL(x, coefficients)                                                                \
    math_polynomial(k, x, (int)(sizeof(coefficients) / sizeof *(coefficients)), coefficients)

/* ln 2 in two parts; the first has 15 bits, so that its products with exponents are exact. */
#define LN2_HIGH 0x1.62e4p-1
#define LN2_LOW  0x1.7f7d1cp-20

/* Adding 1.5 * 2^23 rounds to an integer, for |x| below 2^22: the sum's low bits hold it. */
#define ROUNDING_MAGIC 0x1.8p23

#endif

/* Scalar operations as instructions.  In registers every float is f32 (16-bit ones hold a value of their type, rounded after
 * each operation), integers have their own width, bools are i1. */
#include "backends/cpu/emit.h"
#include "ir/kernel/scalar.h"
#include <elf.h>
#include <math.h>

static LLVMTypeRef vector_of(LLVMTypeRef type, uint32_t width)
{
    return width > 1 ? LLVMVectorType(type, width) : type;
}

static LLVMTypeRef integer_type(const Emit *e, uint32_t bits, uint32_t width)
{
    return vector_of(LLVMIntTypeInContext(e->context, bits), width);
}

LLVMTypeRef type_of(const Emit *e, Type type, uint32_t width)
{
    if (type_is_float(type)) return vector_of(LLVMFloatTypeInContext(e->context), width);
    return integer_type(e, type == TYPE_bool ? 1 : type_info[type].bytes * 8u, width);
}

LLVMTypeRef memory_type(const Emit *e, Type type, uint32_t width)
{
    if (type == TYPE_f32) return type_of(e, type, width);
    return integer_type(e, type_info[type].bytes * 8u, width);
}

static LLVMValueRef splat(LLVMValueRef constant, uint32_t width)
{
    LLVMValueRef lane[64];
    if (width == 1) return constant;
    for (uint32_t i = 0; i < width; i++)
        lane[i] = constant;
    return LLVMConstVector(lane, width);
}

LLVMValueRef whole_of(const Emit *e, uint32_t bits, int64_t number, uint32_t width)
{
    return splat(LLVMConstInt(LLVMIntTypeInContext(e->context, bits), (uint64_t)number, true),
                 width);
}

static LLVMValueRef real_of(const Emit *e, double number, uint32_t width)
{
    return splat(LLVMConstReal(LLVMFloatTypeInContext(e->context), number), width);
}

LLVMValueRef constant_of(const Emit *e, Type type, double number)
{
    if (type_is_float(type)) return real_of(e, number_value(type, number_of(type, number)), 1);
    return LLVMConstInt(type_of(e, type, 1), (uint64_t)number_of(type, number).whole, true);
}

static LLVMValueRef call(Emit *e, const char *name, LLVMValueRef x, LLVMValueRef y)
{
    LLVMTypeRef type = LLVMTypeOf(x);
    return emit_intrinsic(e, name, 1, &type, y ? 2 : 1, (LLVMValueRef[]){x, y});
}

static LLVMValueRef is_nan(Emit *e, LLVMValueRef x)
{
    return LLVMBuildFCmp(e->builder, LLVMRealUNO, x, x, "");
}

/* The 32 bits of x, rounded to nearest even as a bf16, in the upper half. */
static LLVMValueRef bf16_bits(Emit *e, LLVMValueRef x, uint32_t width)
{
    LLVMBuilderRef b = e->builder;
    LLVMValueRef bits = LLVMBuildBitCast(b, x, integer_type(e, 32, width), "");
    LLVMValueRef odd = LLVMBuildLShr(b, bits, whole_of(e, 32, 16, width), "");
    odd = LLVMBuildAnd(b, odd, whole_of(e, 32, 1, width), "");
    LLVMValueRef up = LLVMBuildAdd(b, odd, whole_of(e, 32, 0x7fff, width), "");
    LLVMValueRef rounded = LLVMBuildAdd(b, bits, up, "");
    LLVMValueRef quiet = LLVMBuildOr(b, bits, whole_of(e, 32, 0x400000, width), "");
    rounded = LLVMBuildSelect(b, is_nan(e, x), quiet, rounded, "");
    return LLVMBuildAnd(b, rounded, whole_of(e, 32, (int64_t)0xffff0000, width), "");
}

/* f16 without conversion instructions.  Scaling by 2^112 turns a half's exponent into a float's, subnormals included, exactly. */
static LLVMValueRef widen_half(Emit *e, LLVMValueRef bits, uint32_t width)
{
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef i32 = integer_type(e, 32, width), f32 = type_of(e, TYPE_f32, width);
    LLVMValueRef wide = LLVMBuildZExt(b, bits, i32, "");
    LLVMValueRef magnitude = LLVMBuildAnd(b, wide, whole_of(e, 32, 0x7fff, width), "");
    LLVMValueRef shifted = LLVMBuildShl(b, magnitude, whole_of(e, 32, 13, width), "");
    LLVMValueRef scaled =
        LLVMBuildFMul(b, LLVMBuildBitCast(b, shifted, f32, ""), real_of(e, 0x1p112, width), "");
    LLVMValueRef special = LLVMBuildOr(b, shifted, whole_of(e, 32, 0x7f800000, width), "");
    LLVMValueRef is_special =
        LLVMBuildICmp(b, LLVMIntUGE, magnitude, whole_of(e, 32, 0x7c00, width), "");
    LLVMValueRef value =
        LLVMBuildSelect(b, is_special, special, LLVMBuildBitCast(b, scaled, i32, ""), "");
    LLVMValueRef sign = LLVMBuildAnd(b, wide, whole_of(e, 32, 0x8000, width), "");
    sign = LLVMBuildShl(b, sign, whole_of(e, 32, 16, width), "");
    return LLVMBuildBitCast(b, LLVMBuildOr(b, value, sign, ""), f32, "");
}

/* Normal results round in the integers; for subnormal ones adding 0.5 makes the adder round at 2^-24, the last place of a
 * half's subnormals, in the last place of the sum. */
static LLVMValueRef narrow_half(Emit *e, LLVMValueRef x, uint32_t width)
{
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef i32 = integer_type(e, 32, width), f32 = type_of(e, TYPE_f32, width);
#define WHOLE(number) whole_of(e, 32, (number), width)
    LLVMValueRef bits = LLVMBuildBitCast(b, x, i32, "");
    LLVMValueRef magnitude = LLVMBuildAnd(b, bits, WHOLE(0x7fffffff), "");
    LLVMValueRef odd = LLVMBuildLShr(b, magnitude, WHOLE(13), "");
    odd = LLVMBuildAnd(b, odd, WHOLE(1), "");
    LLVMValueRef normal = LLVMBuildSub(b, magnitude, WHOLE(0x38000000 - 0xfff), "");
    normal = LLVMBuildLShr(b, LLVMBuildAdd(b, normal, odd, ""), WHOLE(13), "");
    LLVMValueRef small =
        LLVMBuildFAdd(b, LLVMBuildBitCast(b, magnitude, f32, ""), real_of(e, 0.5, width), "");
    small = LLVMBuildSub(b, LLVMBuildBitCast(b, small, i32, ""), WHOLE(0x3f000000), "");
    LLVMValueRef is_small = LLVMBuildICmp(b, LLVMIntULT, magnitude, WHOLE(0x38800000), "");
    LLVMValueRef is_large = LLVMBuildICmp(b, LLVMIntUGE, magnitude, WHOLE(0x47800000), "");
    LLVMValueRef half = LLVMBuildSelect(b, is_small, small, normal, "");
    half = LLVMBuildSelect(b, is_large, WHOLE(0x7c00), half, "");
    half = LLVMBuildSelect(b, is_nan(e, x), WHOLE(0x7e00), half, "");
    LLVMValueRef sign = LLVMBuildLShr(b, bits, WHOLE(16), "");
    sign = LLVMBuildAnd(b, sign, WHOLE(0x8000), "");
#undef WHOLE
    return LLVMBuildTrunc(b, LLVMBuildOr(b, half, sign, ""), integer_type(e, 16, width), "");
}

LLVMValueRef from_memory(Emit *e, Type type, LLVMValueRef value, uint32_t width)
{
    LLVMBuilderRef b = e->builder;
    if (type == TYPE_bool) return LLVMBuildICmp(b, LLVMIntNE, value, whole_of(e, 8, 0, width), "");
    if (type == TYPE_bf16) {
        value = LLVMBuildZExt(b, value, integer_type(e, 32, width), "");
        value = LLVMBuildShl(b, value, whole_of(e, 32, 16, width), "");
        return LLVMBuildBitCast(b, value, type_of(e, type, width), "");
    }
    if (type == TYPE_f16) {
        if (!e->target->has_half) return widen_half(e, value, width);
        LLVMTypeRef half = vector_of(LLVMHalfTypeInContext(e->context), width);
        value = LLVMBuildBitCast(b, value, half, "");
        return LLVMBuildFPExt(b, value, type_of(e, type, width), "");
    }
    return value;
}

LLVMValueRef to_memory(Emit *e, Type type, LLVMValueRef value, uint32_t width)
{
    LLVMBuilderRef b = e->builder;
    if (type == TYPE_bool) return LLVMBuildZExt(b, value, integer_type(e, 8, width), "");
    if (type == TYPE_bf16) { /* rounded already */
        value = LLVMBuildBitCast(b, value, integer_type(e, 32, width), "");
        value = LLVMBuildLShr(b, value, whole_of(e, 32, 16, width), "");
        return LLVMBuildTrunc(b, value, integer_type(e, 16, width), "");
    }
    if (type == TYPE_f16) {
        if (!e->target->has_half) return narrow_half(e, value, width);
        LLVMTypeRef half = vector_of(LLVMHalfTypeInContext(e->context), width);
        value = LLVMBuildFPTrunc(b, value, half, "");
        return LLVMBuildBitCast(b, value, integer_type(e, 16, width), "");
    }
    return value;
}

LLVMValueRef round_real(Emit *e, Type type, LLVMValueRef value, uint32_t width)
{
    if (type == TYPE_bf16)
        return LLVMBuildBitCast(e->builder, bf16_bits(e, value, width), type_of(e, type, width),
                                "");
    if (type == TYPE_f16) return from_memory(e, type, to_memory(e, type, value, width), width);
    return value;
}

/* x > y ? x : y as the instruction that it is on x86, which LLVM cannot take apart again; NULL: of this width there is none. */
static LLVMValueRef extreme_instruction(Emit *e, bool is_max, LLVMValueRef x, LLVMValueRef y)
{
    LLVMTypeRef type = LLVMTypeOf(x);
    bool is_vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    uint32_t width = is_vector ? LLVMGetVectorSize(type) : 1;
    if (e->target->machine != EM_X86_64 || width > e->target->schedule.lanes) return NULL;
    LLVMValueRef argument[] = {x, y, emit_i32(e, 4 /* rounded as the mode says */)};
    const char *name =
        width == 4    ? (is_max ? "llvm.x86.sse.max.ps" : "llvm.x86.sse.min.ps")
        : width == 8  ? (is_max ? "llvm.x86.avx.max.ps.256" : "llvm.x86.avx.min.ps.256")
        : width == 16 ? (is_max ? "llvm.x86.avx512.max.ps.512" : "llvm.x86.avx512.min.ps.512")
                      : NULL;
    return name ? emit_intrinsic(e, name, 0, NULL, width == 16 ? 3 : 2, argument) : NULL;
}

/* x > y ? x : y gives y where either is NaN; what is left is the NaN of x: two selects, of which LLVM makes one with four instructions where
 * it can.  Against a constant both questions are one comparison, and must be asked as one: of two selects, LLVM 19 makes
 * `x > 0 or x is NaN` for max(abs(x), 0). */
static LLVMValueRef real_extreme(Emit *e, bool is_max, LLVMValueRef x, LLVMValueRef y)
{
    if (LLVMIsConstant(y)) {
        LLVMValueRef is_number = LLVMBuildFCmp(e->builder, LLVMRealORD, y, y, "");
        LLVMRealPredicate wins_or_nan = is_max ? LLVMRealUGT : LLVMRealULT;
        LLVMValueRef wins = LLVMBuildFCmp(e->builder, wins_or_nan, x, y, "");
        return LLVMBuildSelect(e->builder, LLVMBuildAnd(e->builder, wins, is_number, ""), x, y, "");
    }
    LLVMValueRef value = extreme_instruction(e, is_max, x, y);
    if (!value) {
        LLVMRealPredicate beats = is_max ? LLVMRealOGT : LLVMRealOLT;
        LLVMValueRef wins = LLVMBuildFCmp(e->builder, beats, x, y, "");
        value = LLVMBuildSelect(e->builder, wins, x, y, "");
    }
    return LLVMBuildSelect(e->builder, is_nan(e, x), x, value, "");
}

static LLVMValueRef real_remainder(Emit *e, LLVMValueRef x, LLVMValueRef y)
{
    LLVMValueRef quotient = LLVMBuildFDiv(e->builder, x, y, "");
    quotient = call(e, "llvm.floor", quotient, NULL);
    return LLVMBuildFSub(e->builder, x, LLVMBuildFMul(e->builder, y, quotient, ""), "");
}

static LLVMValueRef apply_real(Emit *e, ScalarOp op, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = e->builder;
    switch ((int)op) {
    case SCALAR_add: return LLVMBuildFAdd(b, x, y, "");
    case SCALAR_sub: return LLVMBuildFSub(b, x, y, "");
    case SCALAR_mul: return LLVMBuildFMul(b, x, y, "");
    case SCALAR_div: return LLVMBuildFDiv(b, x, y, "");
    case SCALAR_rem: return real_remainder(e, x, y);
    case SCALAR_max: return real_extreme(e, true, x, y);
    case SCALAR_min: return real_extreme(e, false, x, y);
    case SCALAR_neg: return LLVMBuildFNeg(b, x, "");
    case SCALAR_abs: return call(e, "llvm.fabs", x, NULL);
    case SCALAR_sqrt: return call(e, "llvm.sqrt", x, NULL);
    case SCALAR_floor: return call(e, "llvm.floor", x, NULL);
    case SCALAR_round: return call(e, "llvm.roundeven", x, NULL);
    default: bug("%s of floats", scalar_info[op].name);
    }
}

/* Floor division.  The divisors that trap are replaced first: 0, whose results are 0, and -1, by which dividing is negating. */
static LLVMValueRef whole_divide(Emit *e, bool is_signed, bool is_remainder, LLVMValueRef x,
                                 LLVMValueRef y)
{
    LLVMBuilderRef b = e->builder;
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x)), minus = LLVMConstAllOnes(LLVMTypeOf(x));
    LLVMValueRef one = LLVMBuildNeg(b, minus, "");
    LLVMValueRef is_zero = LLVMBuildICmp(b, LLVMIntEQ, y, zero, "");
    LLVMValueRef is_minus = LLVMBuildICmp(b, LLVMIntEQ, y, minus, "");
    LLVMValueRef safe = LLVMBuildSelect(b, is_zero, one, y, "");
    if (is_signed) safe = LLVMBuildSelect(b, is_minus, one, safe, "");
    LLVMValueRef quotient =
        is_signed ? LLVMBuildSDiv(b, x, safe, "") : LLVMBuildUDiv(b, x, safe, "");
    LLVMValueRef rest = LLVMBuildSub(b, x, LLVMBuildMul(b, quotient, safe, ""), "");
    if (is_signed) {
        LLVMValueRef apart =
            LLVMBuildICmp(b, LLVMIntSLT, LLVMBuildXor(b, rest, safe, ""), zero, "");
        LLVMValueRef some = LLVMBuildICmp(b, LLVMIntNE, rest, zero, "");
        LLVMValueRef below = LLVMBuildAnd(b, apart, some, "");
        LLVMValueRef down = LLVMBuildAdd(b, quotient, minus, "");
        quotient = LLVMBuildSelect(b, below, down, quotient, "");
        rest = LLVMBuildSelect(b, below, LLVMBuildAdd(b, rest, safe, ""), rest, "");
        quotient = LLVMBuildSelect(b, is_minus, LLVMBuildNeg(b, x, ""), quotient, "");
    }
    return LLVMBuildSelect(b, is_zero, zero, is_remainder ? rest : quotient, "");
}

static LLVMValueRef mul_high(Emit *e, LLVMValueRef x, LLVMValueRef y, uint32_t width)
{
    LLVMTypeRef wide = integer_type(e, 64, width);
    LLVMValueRef product = LLVMBuildMul(e->builder, LLVMBuildZExt(e->builder, x, wide, ""),
                                        LLVMBuildZExt(e->builder, y, wide, ""), "");
    product = LLVMBuildLShr(e->builder, product, whole_of(e, 64, 32, width), "");
    return LLVMBuildTrunc(e->builder, product, LLVMTypeOf(x), "");
}

static LLVMValueRef shift_amount(Emit *e, Type type, LLVMValueRef y, uint32_t width)
{
    return LLVMBuildAnd(e->builder, y, whole_of(e, type_info[type].bytes * 8u, 31, width), "");
}

static LLVMValueRef apply_whole(Emit *e, ScalarOp op, Type type, LLVMValueRef x, LLVMValueRef y,
                                uint32_t width)
{
    LLVMBuilderRef b = e->builder;
    bool is_signed = type_info[type].class == CLASS_SIGNED;
    switch ((int)op) {
    case SCALAR_add: return LLVMBuildAdd(b, x, y, "");
    case SCALAR_sub: return LLVMBuildSub(b, x, y, "");
    case SCALAR_mul: return LLVMBuildMul(b, x, y, "");
    case SCALAR_div: return whole_divide(e, is_signed, false, x, y);
    case SCALAR_rem: return whole_divide(e, is_signed, true, x, y);
    case SCALAR_max: return call(e, is_signed ? "llvm.smax" : "llvm.umax", x, y);
    case SCALAR_min: return call(e, is_signed ? "llvm.smin" : "llvm.umin", x, y);
    case SCALAR_neg: return LLVMBuildNeg(b, x, "");
    case SCALAR_abs: {
        if (!is_signed) return x;
        LLVMValueRef is_negative =
            LLVMBuildICmp(b, LLVMIntSLT, x, LLVMConstNull(LLVMTypeOf(x)), "");
        return LLVMBuildSelect(b, is_negative, LLVMBuildNeg(b, x, ""), x, "");
    }
    case SCALAR_and:
    case SCALAR_bit_and: return LLVMBuildAnd(b, x, y, "");
    case SCALAR_or:
    case SCALAR_bit_or: return LLVMBuildOr(b, x, y, "");
    case SCALAR_bit_xor: return LLVMBuildXor(b, x, y, "");
    case SCALAR_not: return LLVMBuildNot(b, x, "");
    case SCALAR_shift_left: return LLVMBuildShl(b, x, shift_amount(e, type, y, width), "");
    case SCALAR_shift_right:
        y = shift_amount(e, type, y, width);
        return is_signed ? LLVMBuildAShr(b, x, y, "") : LLVMBuildLShr(b, x, y, "");
    case SCALAR_mul_high: return mul_high(e, x, y, width);
    default: bug("%s of %s", scalar_info[op].name, type_info[type].name);
    }
}

LLVMValueRef apply_binary(Emit *e, ScalarOp op, Type type, LLVMValueRef x, LLVMValueRef y,
                          uint32_t width)
{
    if (!type_is_float(type)) return apply_whole(e, op, type, x, y, width);
    return round_real(e, type, apply_real(e, op, x, y), width);
}

LLVMValueRef apply_fma(Emit *e, Type type, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z,
                       uint32_t width)
{
    LLVMBuilderRef b = e->builder;
    if (!type_is_float(type)) return LLVMBuildAdd(b, LLVMBuildMul(b, x, y, ""), z, "");
    LLVMTypeRef f32 = LLVMTypeOf(x);
    LLVMValueRef sum = e->target->has_fma
                           ? emit_intrinsic(e, "llvm.fma", 1, &f32, 3, (LLVMValueRef[]){x, y, z})
                           : LLVMBuildFAdd(b, LLVMBuildFMul(b, x, y, ""), z, "");
    return round_real(e, type, sum, width);
}

static LLVMValueRef compare(Emit *e, ScalarOp op, Type of, LLVMValueRef x, LLVMValueRef y)
{
    if (type_is_float(of)) {
        LLVMRealPredicate predicate = op == SCALAR_equal  ? LLVMRealOEQ
                                      : op == SCALAR_less ? LLVMRealOLT
                                                          : LLVMRealOLE;
        return LLVMBuildFCmp(e->builder, predicate, x, y, "");
    }
    bool is_signed = type_info[of].class == CLASS_SIGNED;
    LLVMIntPredicate predicate = op == SCALAR_equal  ? LLVMIntEQ
                                 : op == SCALAR_less ? (is_signed ? LLVMIntSLT : LLVMIntULT)
                                                     : (is_signed ? LLVMIntSLE : LLVMIntULE);
    return LLVMBuildICmp(e->builder, predicate, x, y, "");
}

static LLVMValueRef clamp_whole(Emit *e, Type type, Type of, LLVMValueRef x, uint32_t width)
{
    uint32_t bits = type_info[of].bytes * 8u;
    bool is_signed = type_info[of].class == CLASS_SIGNED;
    int64_t least = type_info[type].class == CLASS_SIGNED
                        ? -((int64_t)1 << (type_info[type].bytes * 8 - 1))
                        : 0;
    int64_t greatest = ((int64_t)1 << (type_info[type].bytes * 8 - 1)) - 1;
    if (!least) greatest = greatest * 2 + 1;
    int64_t lowest = is_signed ? INT64_MIN >> (64 - bits) : 0;
    int64_t highest = (int64_t)(UINT64_MAX >> (is_signed ? 65 - bits : 64 - bits));
    if (lowest < least)
        x = call(e, is_signed ? "llvm.smax" : "llvm.umax", x, whole_of(e, bits, least, width));
    if (highest > greatest)
        x = call(e, is_signed ? "llvm.smin" : "llvm.umin", x, whole_of(e, bits, greatest, width));
    return x;
}

static LLVMValueRef whole_cast(Emit *e, Type type, Type of, LLVMValueRef x, uint32_t width)
{
    LLVMTypeRef to = type_of(e, type, width);
    if (type_info[type].bytes < 8 && of != TYPE_bool) x = clamp_whole(e, type, of, x, width);
    unsigned from_bits = of == TYPE_bool ? 1 : type_info[of].bytes * 8u;
    unsigned to_bits = type_info[type].bytes * 8u;
    if (from_bits == to_bits) return x;
    if (from_bits > to_bits) return LLVMBuildTrunc(e->builder, x, to, "");
    return type_info[of].class == CLASS_SIGNED ? LLVMBuildSExt(e->builder, x, to, "")
                                               : LLVMBuildZExt(e->builder, x, to, "");
}

/* Truncates and clamps; NaN gives 0.  Small types go through i32, where the instruction is. */
static LLVMValueRef real_to_whole(Emit *e, Type type, LLVMValueRef x, uint32_t width)
{
    Type through = type_info[type].bytes < 4 ? TYPE_i32 : type;
    bool is_signed = type_info[through].class == CLASS_SIGNED;
    LLVMTypeRef types[] = {type_of(e, through, width), LLVMTypeOf(x)};
    x = emit_intrinsic(e, is_signed ? "llvm.fptosi.sat" : "llvm.fptoui.sat", 2, types, 1, &x);
    return through == type ? x : whole_cast(e, type, through, x, width);
}

static LLVMValueRef cast(Emit *e, Type type, Type of, LLVMValueRef x, uint32_t width)
{
    LLVMBuilderRef b = e->builder;
    if (type == of) return x;
    if (type_is_float(of) && type_is_integer(type) && type_info[type].bytes == 1 &&
        e->target->machine == EM_X86_64)
        return real_to_byte(e, type, x, width);
    if (type == TYPE_bool)
        return type_is_float(of) ? LLVMBuildFCmp(b, LLVMRealUNE, x, real_of(e, 0, width), "")
                                 : LLVMBuildICmp(b, LLVMIntNE, x, LLVMConstNull(LLVMTypeOf(x)), "");
    if (type_is_float(of))
        return type_is_float(type) ? round_real(e, type, x, width)
                                   : real_to_whole(e, type, x, width);
    if (!type_is_float(type)) return whole_cast(e, type, of, x, width);
    LLVMTypeRef f32 = type_of(e, TYPE_f32, width);
    x = type_info[of].class == CLASS_SIGNED ? LLVMBuildSIToFP(b, x, f32, "")
                                            : LLVMBuildUIToFP(b, x, f32, "");
    return round_real(e, type, x, width);
}

LLVMValueRef apply_scalar(Emit *e, const ScalarNode *node, Type of, LLVMValueRef *argument,
                          uint32_t width)
{
    switch ((int)node->op) {
    case SCALAR_select:
        return LLVMBuildSelect(e->builder, argument[0], argument[1], argument[2], "");
    case SCALAR_zero_unless: return argument[1];
    case SCALAR_cast: return cast(e, node->type, of, argument[0], width);
    case SCALAR_bits:
        return LLVMBuildBitCast(e->builder, argument[0], type_of(e, node->type, width), "");
    case SCALAR_fma: return apply_fma(e, node->type, argument[0], argument[1], argument[2], width);
    case SCALAR_equal:
    case SCALAR_less:
    case SCALAR_less_equal: return compare(e, node->op, of, argument[0], argument[1]);
    default: return apply_binary(e, node->op, node->type, argument[0], argument[1], width);
    }
}

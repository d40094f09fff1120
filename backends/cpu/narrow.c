/* f32 to bytes on x86, clamped at the ends, NaN to 0.  Clamped before it is truncated, or rounded, a number is the same as after; so one
 * instruction rounds and converts.  Of what lies beyond i32 that makes the least number, and packing lets whatever is too small saturate: up
 * to AVX2 only what is too large is clamped.  (LLVM would ask for each lane apart whether it fits.) */
#include "backends/cpu/emit.h"

#include <string.h>

static LLVMValueRef number(const Emit *e, double value, LLVMValueRef like)
{
    LLVMTypeRef type = LLVMTypeOf(like);
    bool is_vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    LLVMValueRef lane[64], one = LLVMConstReal(LLVMFloatTypeInContext(e->context), value);
    if (!is_vector) return one;
    uint32_t width = LLVMGetVectorSize(type);
    for (uint32_t i = 0; i < width; i++)
        lane[i] = one;
    return LLVMConstVector(lane, width);
}

static LLVMTypeRef vector(const Emit *e, uint32_t bits, uint32_t width)
{
    return LLVMVectorType(LLVMIntTypeInContext(e->context, bits), width);
}

/* What x is rounded from, to the nearest even; NULL: it is no rounded number. */
static LLVMValueRef before_rounding(LLVMValueRef x)
{
    static const char name[] = "llvm.roundeven";
    if (!LLVMIsACallInst(x)) return NULL;
    bool is_rounded =
        LLVMGetIntrinsicID(LLVMGetCalledValue(x)) == LLVMLookupIntrinsicID(name, strlen(name));
    return is_rounded ? LLVMGetOperand(x, 0) : NULL;
}

/* NaN stays. */
static LLVMValueRef at_most(Emit *e, LLVMValueRef x, double most)
{
    LLVMValueRef end = number(e, most, x);
    LLVMValueRef is_beyond = LLVMBuildFCmp(e->builder, LLVMRealOLT, end, x, "");
    return LLVMBuildSelect(e->builder, is_beyond, end, x, "");
}

static LLVMValueRef without_nan(Emit *e, LLVMValueRef x)
{
    LLVMValueRef is_nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, x, x, "");
    return LLVMBuildSelect(e->builder, is_nan, number(e, 0, x), x, "");
}

/* --- up to AVX2 ----------------------------------------------------------------------------------------------------------------- */

static LLVMValueRef part_of(Emit *e, LLVMValueRef x, uint32_t first, uint32_t width)
{
    uint32_t from[16];
    for (uint32_t i = 0; i < width; i++)
        from[i] = first + i;
    return shuffle(e, x, NULL, from, width);
}

static LLVMValueRef to_i32(Emit *e, LLVMValueRef x, bool rounds)
{
    bool is_wide = e->target->schedule.lanes == 8;
    const char *name = is_wide
                           ? (rounds ? "llvm.x86.avx.cvt.ps2dq.256" : "llvm.x86.avx.cvtt.ps2dq.256")
                           : (rounds ? "llvm.x86.sse2.cvtps2dq" : "llvm.x86.sse2.cvttps2dq");
    return emit_intrinsic(e, name, 0, NULL, 1, &x);
}

static LLVMValueRef pack(Emit *e, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    return emit_intrinsic(e, name, 0, NULL, 2, (LLVMValueRef[]){a, b});
}

#define TO_i16 "llvm.x86.sse2.packssdw.128"

/* Of one or two vectors of i32; 16 bytes, of which so many count. */
static LLVMValueRef pack_bytes(Emit *e, LLVMValueRef *whole, uint32_t parts, bool is_signed)
{
    const char *to_bytes = is_signed ? "llvm.x86.sse2.packsswb.128" : "llvm.x86.sse2.packuswb.128";
    LLVMValueRef low, high;
    if (e->target->schedule.lanes == 4) {
        low = high = pack(e, TO_i16, whole[0], whole[parts - 1]);
    } else if (parts == 1) {
        low = high = pack(e, TO_i16, part_of(e, whole[0], 0, 4), part_of(e, whole[0], 4, 4));
    } else {
        LLVMValueRef words = pack(e, "llvm.x86.avx2.packssdw", whole[0], whole[1]);
        low = part_of(e, words, 0, 8);
        high = part_of(e, words, 8, 8);
    }
    LLVMValueRef bytes = pack(e, to_bytes, low, high);
    if (e->target->schedule.lanes == 4 || parts == 1) return bytes;
    /* That instruction packs each half of its operands apart. */
    static const uint32_t order[] = {0, 2, 1, 3};
    LLVMValueRef fours = LLVMBuildBitCast(e->builder, bytes, vector(e, 32, 4), "");
    return LLVMBuildBitCast(e->builder, shuffle(e, fours, NULL, order, 4), vector(e, 8, 16), "");
}

static LLVMValueRef saturate(Emit *e, bool is_signed, LLVMValueRef x, bool rounds, uint32_t width)
{
    uint32_t lanes = e->target->schedule.lanes, parts = width / lanes;
    LLVMValueRef whole[2];
    if (is_signed) x = without_nan(e, x);
    x = at_most(e, x, is_signed ? 127 : 255);
    for (uint32_t i = 0; i < parts; i++)
        whole[i] = to_i32(e, parts > 1 ? part_of(e, x, i * lanes, lanes) : x, rounds);
    LLVMValueRef bytes = pack_bytes(e, whole, parts, is_signed);
    return width == 16 ? bytes : part_of(e, bytes, 0, width);
}

/* --- others --------------------------------------------------------------------------------------------------------------------- */

static LLVMValueRef round_512(Emit *e, LLVMValueRef x)
{
    LLVMValueRef argument[] = {x, LLVMConstNull(vector(e, 32, 16)),
                               LLVMConstAllOnes(LLVMInt16TypeInContext(e->context)),
                               emit_i32(e, 4 /* as the mode says */)};
    return emit_intrinsic(e, "llvm.x86.avx512.mask.cvtps2dq.512", 0, NULL, 4, argument);
}

LLVMValueRef real_to_byte(Emit *e, Type type, LLVMValueRef x, uint32_t width)
{
    uint32_t lanes = e->target->schedule.lanes;
    bool is_signed = type_info[type].class == CLASS_SIGNED;
    LLVMValueRef before = before_rounding(x);
    if (lanes <= 8 && (width == lanes || width == 2 * lanes))
        return saturate(e, is_signed, before ? before : x, before, width);
    bool is_vector = lanes == 16 && width == 16;
    if (before && is_vector) x = before;
    if (is_signed) x = without_nan(e, x);
    LLVMValueRef least = number(e, is_signed ? -128 : 0, x);
    LLVMValueRef is_inside = LLVMBuildFCmp(e->builder, LLVMRealOGT, x, least, "");
    x = at_most(e, LLVMBuildSelect(e->builder, is_inside, x, least, ""), is_signed ? 127 : 255);
    LLVMTypeRef i32 = type_of(e, TYPE_i32, width);
    LLVMValueRef whole =
        before && is_vector ? round_512(e, x) : LLVMBuildFPToSI(e->builder, x, i32, "");
    return LLVMBuildTrunc(e->builder, whole, type_of(e, type, width), "");
}

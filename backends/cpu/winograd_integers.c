/* Minimal filtering of bytes: numbers of 16 bits two in an element of scratch, and the sums that come of them. */
#include "backends/cpu/winograd.h"

/* --- arithmetic of vectors, modulo 2^16 or 2^32 --------------------------------------------------------------------------------------- */

typedef struct Integers {
    Emit *e;
    uint32_t bits;
} Integers;

static WinogradNumber add(void *user, WinogradNumber x, WinogradNumber y)
{
    const Integers *i = user;
    return (WinogradNumber){.value = LLVMBuildAdd(i->e->builder, x.value, y.value, "")};
}

static WinogradNumber subtract(void *user, WinogradNumber x, WinogradNumber y)
{
    const Integers *i = user;
    return (WinogradNumber){.value = LLVMBuildSub(i->e->builder, x.value, y.value, "")};
}

static WinogradNumber scale(void *user, float factor, WinogradNumber x)
{
    const Integers *i = user;
    uint32_t lanes = LLVMGetVectorSize(LLVMTypeOf(x.value));
    LLVMValueRef by = whole_of(i->e, i->bits, (int64_t)factor, lanes);
    return (WinogradNumber){.value = LLVMBuildMul(i->e->builder, x.value, by, "")};
}

static WinogradNumber scale_and_add(void *user, float factor, WinogradNumber x, WinogradNumber plus)
{
    return add(user, scale(user, factor, x), plus);
}

void turn_integers(Emit *e, WinogradStep step, uint32_t bits, WinogradNumber *square)
{
    Integers integers = {e, bits};
    WinogradArithmetic with = {&integers, add, subtract, scale, scale_and_add};
    emit_at(e, e->depth);
    winograd_square(&with, step, square, square);
}

/* --- elements ----------------------------------------------------------------------------------------------------------------------- */

static LLVMTypeRef i16_vector(const Emit *e, uint32_t width)
{
    return LLVMVectorType(LLVMInt16TypeInContext(e->context), width);
}

void split_pairs(Emit *e, WinogradNumber *square, int count)
{
    for (int i = 0; i < count; i++)
        square[i].value = LLVMBuildBitCast(e->builder, square[i].value,
                                           i16_vector(e, 2 * e->schedule->width), "");
}

void join_pairs(Emit *e, WinogradNumber *square, int count)
{
    for (int i = 0; i < count; i++)
        square[i].value = LLVMBuildBitCast(e->builder, square[i].value,
                                           type_of(e, TYPE_i32, e->schedule->width), "");
}

LLVMValueRef pairs_of(Emit *e, LLVMValueRef first, LLVMValueRef second, uint32_t vector)
{
    uint32_t from[128], width = e->schedule->width, lanes = e->schedule->vectors * width;
    for (uint32_t i = 0; i < 2 * width; i++)
        from[i] = vector * width + i / 2 + i % 2 * lanes;
    LLVMValueRef pairs = shuffle(e, first, second, from, 2 * width);
    return LLVMBuildBitCast(e->builder, pairs, type_of(e, TYPE_i32, width), "");
}

LLVMValueRef as_numbers(Emit *e, LLVMValueRef value)
{
    LLVMTypeRef type = LLVMTypeOf(value);
    if (!e->schedule->winograd.of_integers) return value;
    return LLVMBuildSExt(e->builder, value, i16_vector(e, LLVMGetVectorSize(type)), "");
}

void sums_of_integers(Emit *e, WinogradNumber *sum, int count)
{
    uint32_t width = e->schedule->width;
    LLVMValueRef inverse = whole_of(e, 32, WINOGRAD_INVERSE, width);
    LLVMValueRef shift = whole_of(e, 32, WINOGRAD_SHIFT, width);
    for (int i = 0; i < count; i++) {
        LLVMValueRef product = LLVMBuildMul(e->builder, sum[i].value, inverse, "");
        sum[i].value = LLVMBuildAShr(e->builder, product, shift, "");
    }
}

/* --- points ------------------------------------------------------------------------------------------------------------------------- */

Type point_type(const Emit *e)
{
    return e->kernel->scalar.at[byte_source(e, e->schedule->winograd.image).id].type;
}

Scalar byte_source(const Emit *e, Scalar factor)
{
    bool of_integers = e->schedule->winograd.of_integers;
    return of_integers ? e->kernel->scalar.at[factor.id].argument[0] : factor;
}

LLVMTypeRef point_element(const Emit *e)
{
    return e->schedule->winograd.of_integers ? LLVMInt16TypeInContext(e->context) : real(e);
}

/* Channels come in whole sixteens. */
uint32_t point_lanes(const Emit *e)
{
    uint32_t width = e->schedule->width;
    if (!e->schedule->winograd.of_integers) return width;
    return width < 8 ? 2 * width : 16;
}

LLVMValueRef load_points(Emit *e, LLVMValueRef from)
{
    Type type = point_type(e);
    uint32_t lanes = point_lanes(e);
    if (type == TYPE_f32) return load_floats(e, from);
    LLVMTypeRef bytes = LLVMVectorType(LLVMInt8TypeInContext(e->context), lanes);
    LLVMValueRef value = LLVMBuildLoad2(e->builder, bytes, from, "");
    LLVMSetAlignment(value, 1);
    return type == TYPE_i8 ? LLVMBuildSExt(e->builder, value, i16_vector(e, lanes), "")
                           : LLVMBuildZExt(e->builder, value, i16_vector(e, lanes), "");
}

LLVMValueRef as_points(Emit *e, LLVMValueRef value)
{
    if (!e->schedule->winograd.of_integers) return value;
    return LLVMBuildTrunc(e->builder, value, i16_vector(e, e->schedule->width), "");
}

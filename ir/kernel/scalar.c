#include "ir/kernel/scalar.h"
#include "ir/base/bits.h"
#include "ir/base/boundary.h"
#include <math.h>

#define IS_BASIC false
#define IS_MATH  true
const ScalarInfo scalar_info[SCALAR_COUNT] = {
    [SCALAR_none] = {"none", 0, false, SCALAR_TYPES_special},
    [SCALAR_constant] = {"constant", 0, false, SCALAR_TYPES_special},
    [SCALAR_index] = {"index", 0, false, SCALAR_TYPES_special},
    [SCALAR_inside] = {"inside", 0, false, SCALAR_TYPES_special},
    [SCALAR_load] = {"load", 0, false, SCALAR_TYPES_special},
    [SCALAR_reduce] = {"reduce", 1, false, SCALAR_TYPES_special},
#define SCALAR(name, arity, level, types)                                                          \
    [SCALAR_##name] = {#name, arity, IS_##level, SCALAR_TYPES_##types},
#include "ir/kernel/scalars.def"
#undef SCALAR
};

ScalarOp scalar_named(const char *name, uint32_t length)
{
    for (int op = SCALAR_none + 1; op < SCALAR_COUNT; op++)
        if (strlen(scalar_info[op].name) == length && !memcmp(scalar_info[op].name, name, length))
            return (ScalarOp)op;
    return SCALAR_none;
}

/* The float nearest to a value of the type. */
static float rounded(Type type, float value)
{
    if (type == TYPE_bf16) return bits_of_bf16(bits_bf16_of(value));
    if (type == TYPE_f16) return bits_of_f16(bits_f16_of(value));
    return value;
}

static Number real(Type type, float value)
{
    return (Number){.real = rounded(type, value)};
}

static int64_t wrapped(Type type, uint64_t value)
{
    switch (type) {
    case TYPE_i64: return (int64_t)value;
    case TYPE_i32: return (int32_t)value;
    case TYPE_i8: return (int8_t)value;
    case TYPE_u32: return (uint32_t)value;
    case TYPE_u8: return (uint8_t)value;
    case TYPE_bool: return value != 0;
    case TYPE_none:
    case TYPE_f32:
    case TYPE_bf16:
    case TYPE_f16:
    case TYPE_COUNT: break;
    }
    unreachable("integers alone wrap");
}

static Number whole(Type type, uint64_t value)
{
    return (Number){.whole = wrapped(type, value)};
}

static void integer_ends(Type type, int64_t *least, int64_t *greatest)
{
    int bits = type_info[type].bytes * 8;
    bool is_unsigned = type_info[type].class == CLASS_UNSIGNED;
    *greatest = (int64_t)(UINT64_MAX >> (is_unsigned ? 64 - bits : 65 - bits));
    *least = is_unsigned ? 0 : -*greatest - 1;
}

/* Truncated and clamped. 2^63 and more is beyond the end of every type. */
static int64_t clamped(Type type, double value)
{
    if (type == TYPE_bool) return value != 0;
    if (isnan(value)) return 0;
    int64_t least, greatest;
    integer_ends(type, &least, &greatest);
    if (value >= 0x1p63) return greatest;
    if (value < -0x1p63) return least;
    int64_t cut = (int64_t)value;
    return cut < least ? least : cut > greatest ? greatest : cut;
}

Number number_of(Type type, double value)
{
    if (type_is_float(type)) return real(type, (float)value);
    return (Number){.whole = clamped(type, value)};
}

double number_value(Type type, Number number)
{
    return type_is_float(type) ? (double)number.real : (double)number.whole;
}

Number number_cast(Type from, Type to, Number number)
{
    if (type_is_float(to)) return real(to, type_is_float(from) ? number.real : (float)number.whole);
    if (type_is_float(from)) return (Number){.whole = clamped(to, (double)number.real)};
    if (to == TYPE_bool) return (Number){.whole = number.whole != 0};

    int64_t least, greatest;
    integer_ends(to, &least, &greatest);
    if (number.whole < least) return (Number){.whole = least};
    return number.whole > greatest ? (Number){.whole = greatest} : number;
}

Number number_load(Type type, const void *buffer, int64_t index)
{
    switch (type) {
    case TYPE_f32: return (Number){.real = ((const float *)buffer)[index]};
    case TYPE_bf16: return (Number){.real = bits_of_bf16(((const uint16_t *)buffer)[index])};
    case TYPE_f16: return (Number){.real = bits_of_f16(((const uint16_t *)buffer)[index])};
    case TYPE_i64: return (Number){.whole = ((const int64_t *)buffer)[index]};
    case TYPE_i32: return (Number){.whole = ((const int32_t *)buffer)[index]};
    case TYPE_i8: return (Number){.whole = ((const int8_t *)buffer)[index]};
    case TYPE_u32: return (Number){.whole = ((const uint32_t *)buffer)[index]};
    case TYPE_u8: return (Number){.whole = ((const uint8_t *)buffer)[index]};
    case TYPE_bool: return (Number){.whole = ((const uint8_t *)buffer)[index] != 0};
    case TYPE_none:
    case TYPE_COUNT: break;
    }
    unreachable("every buffer has a type");
}

void number_store(Type type, void *buffer, int64_t index, Number number)
{
    switch (type) {
    case TYPE_f32: ((float *)buffer)[index] = number.real; return;
    case TYPE_bf16: ((uint16_t *)buffer)[index] = bits_bf16_of(number.real); return;
    case TYPE_f16: ((uint16_t *)buffer)[index] = bits_f16_of(number.real); return;
    case TYPE_i64: ((int64_t *)buffer)[index] = number.whole; return;
    case TYPE_i32: ((int32_t *)buffer)[index] = (int32_t)number.whole; return;
    case TYPE_i8: ((int8_t *)buffer)[index] = (int8_t)number.whole; return;
    case TYPE_u32: ((uint32_t *)buffer)[index] = (uint32_t)number.whole; return;
    case TYPE_u8:
    case TYPE_bool: ((uint8_t *)buffer)[index] = (uint8_t)number.whole; return;
    case TYPE_none:
    case TYPE_COUNT: break;
    }
    unreachable("every buffer has a type");
}

/* Towards minus infinity; by zero 0.  By -1 apart, as INT64_MIN / -1 traps. */
static uint64_t floor_quotient(int64_t x, int64_t y)
{
    if (y == 0) return 0;
    if (y == -1) return -(uint64_t)x;
    int64_t quotient = x / y;
    return (uint64_t)(quotient - (x % y != 0 && (x < 0) != (y < 0)));
}

static uint64_t floor_remainder(int64_t x, int64_t y)
{
    return y == 0 ? 0 : (uint64_t)x - (uint64_t)y * floor_quotient(x, y);
}

static float greater(float x, float y)
{
    return isnan(x) ? x : isnan(y) ? y : x > y ? x : y;
}

static float lesser(float x, float y)
{
    return isnan(x) ? x : isnan(y) ? y : x < y ? x : y;
}

static float evaluate_real(ScalarOp op, float x, float y, float z)
{
    /* An enumerator may be an index of scalars.def's rows alone; the rest of the ops never get
     * here. */
    switch ((int)op) {
    case SCALAR_add: return x + y;
    case SCALAR_sub: return x - y;
    case SCALAR_mul: return x * y;
    case SCALAR_div: return x / y;
    case SCALAR_rem: return x - y * floorf(x / y);
    case SCALAR_max: return greater(x, y);
    case SCALAR_min: return lesser(x, y);
    case SCALAR_neg: return -x;
    case SCALAR_abs: return fabsf(x);
    case SCALAR_sqrt: return sqrtf(x);
    case SCALAR_floor: return floorf(x);
    case SCALAR_round: return nearbyintf(x);
    case SCALAR_fma: return fmaf(x, y, z);
    default: bug("%s of floats", scalar_info[op].name);
    }
}

static uint64_t evaluate_whole(ScalarOp op, Type type, int64_t x, int64_t y, int64_t z)
{
    uint64_t a = (uint64_t)x, b = (uint64_t)y;
    switch ((int)op) {
    case SCALAR_add: return a + b;
    case SCALAR_sub: return a - b;
    case SCALAR_mul: return a * b;
    case SCALAR_div: return floor_quotient(x, y);
    case SCALAR_rem: return floor_remainder(x, y);
    case SCALAR_max: return x > y ? a : b;
    case SCALAR_min: return x < y ? a : b;
    case SCALAR_neg: return -a;
    case SCALAR_abs: return x < 0 ? -a : a;
    case SCALAR_fma: return a * b + (uint64_t)z;
    case SCALAR_and:
    case SCALAR_bit_and: return a & b;
    case SCALAR_or:
    case SCALAR_bit_or: return a | b;
    case SCALAR_bit_xor: return a ^ b;
    case SCALAR_not: return !a;
    case SCALAR_shift_left: return a << (b & 31);
    case SCALAR_shift_right:
        return (uint64_t)(x >> (b & 31)); /* as wide as the type was extended */
    case SCALAR_mul_high: return a * b >> 32;
    default: bug("%s of %s", scalar_info[op].name, type_info[type].name);
    }
}

static bool evaluate_compare(ScalarOp op, Type of, Number x, Number y)
{
    bool is_real = type_is_float(of);
    if (op == SCALAR_equal) return is_real ? x.real == y.real : x.whole == y.whole;
    if (op == SCALAR_less) return is_real ? x.real < y.real : x.whole < y.whole;
    return is_real ? x.real <= y.real : x.whole <= y.whole;
}

static Number evaluate_bits(Type type, Type of, Number x)
{
    if (type_is_float(type) == type_is_float(of))
        return type_is_float(type) ? x : whole(type, (uint64_t)x.whole);

    uint32_t bits = (uint32_t)x.whole;
    Number result = {0};
    if (type_is_float(type)) {
        memcpy(&result.real, &bits, sizeof bits);
        return result;
    }
    memcpy(&bits, &x.real, sizeof bits);
    return whole(type, bits);
}

Number scalar_evaluate(ScalarOp op, Type type, Type of, const Number argument[3])
{
    if (op == SCALAR_select) return argument[0].whole ? argument[1] : argument[2];
    if (op == SCALAR_zero_unless) return argument[0].whole ? argument[1] : (Number){0};
    if (op == SCALAR_cast) return number_cast(of, type, argument[0]);
    if (op == SCALAR_bits) return evaluate_bits(type, of, argument[0]);
    if (scalar_info[op].types == SCALAR_TYPES_compare)
        return (Number){.whole = evaluate_compare(op, of, argument[0], argument[1])};
    if (type_is_float(type))
        return real(type, evaluate_real(op, argument[0].real, argument[1].real, argument[2].real));
    return whole(type,
                 evaluate_whole(op, type, argument[0].whole, argument[1].whole, argument[2].whole));
}

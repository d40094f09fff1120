#include "runtime/data/convert.h"
#include "ir/base/bits.h"
#include <math.h>
#include <string.h>

/* Integers up to here, either sign, are exact in a float type. */
static double exact_limit(Type type)
{
    return type == TYPE_f32 ? 0x1p24 : type == TYPE_f16 ? 0x1p11 : type == TYPE_bf16 ? 0x1p8 : 0;
}

static double integer_low(Type type)
{
    return type == TYPE_i64 ? -0x1p63 : type == TYPE_i32 ? -0x1p31 : type == TYPE_i8 ? -128 : 0;
}

/* One above the largest. */
static double integer_high(Type type)
{
    switch (type) {
    case TYPE_i64: return 0x1p63;
    case TYPE_i32: return 0x1p31;
    case TYPE_u32: return 0x1p32;
    case TYPE_i8: return 128;
    case TYPE_u8: return 256;
    case TYPE_bool: return 2;
    case TYPE_none:
    case TYPE_f32:
    case TYPE_bf16:
    case TYPE_f16:
    case TYPE_COUNT: break;
    }
    return 0;
}

bool convert_is_exact(Type from, Type to)
{
    if (from == to) return true;
    if (type_is_float(from)) return to == TYPE_f32;
    if (type_is_float(to))
        return -integer_low(from) <= exact_limit(to) && integer_high(from) - 1 <= exact_limit(to);
    return integer_low(from) >= integer_low(to) && integer_high(from) <= integer_high(to);
}

bool convert_holds(Type type, double value)
{
    if (type_is_float(type)) {
        float narrow = (float)value;
        if (type == TYPE_f16) narrow = bits_of_f16(bits_f16_of(narrow));
        if (type == TYPE_bf16) narrow = bits_of_bf16(bits_bf16_of(narrow));
        return (double)narrow == value || isnan(value);
    }
    return value == trunc(value) && value >= integer_low(type) && value < integer_high(type);
}

#define WIDEN(T)                                                                                   \
    for (size_t i = 0; i < count; i++) {                                                           \
        T value;                                                                                   \
        memcpy(&value, (const char *)in + i * sizeof value, sizeof value);                         \
        out[i] = (double)value;                                                                    \
    }                                                                                              \
    return
#define WIDEN_BITS(read)                                                                           \
    for (size_t i = 0; i < count; i++) {                                                           \
        uint16_t value;                                                                            \
        memcpy(&value, (const char *)in + i * sizeof value, sizeof value);                         \
        out[i] = (double)read(value);                                                              \
    }                                                                                              \
    return

void convert_to_double(double *out, Type from, const void *in, size_t count)
{
    switch (from) {
    case TYPE_f32: WIDEN(float);
    case TYPE_i64: WIDEN(int64_t);
    case TYPE_i32: WIDEN(int32_t);
    case TYPE_u32: WIDEN(uint32_t);
    case TYPE_i8: WIDEN(int8_t);
    case TYPE_u8:
    case TYPE_bool: WIDEN(uint8_t);
    case TYPE_f16: WIDEN_BITS(bits_of_f16);
    case TYPE_bf16: WIDEN_BITS(bits_of_bf16);
    case TYPE_none:
    case TYPE_COUNT: break;
    }
}

#define NARROW(T, expression)                                                                      \
    for (size_t i = 0; i < count; i++)                                                             \
        ((T *)out)[i] = (T)(expression);                                                           \
    return

static void narrow(Type to, void *out, const double *in, size_t count)
{
    switch (to) {
    case TYPE_f32: NARROW(float, in[i]);
    case TYPE_i64: NARROW(int64_t, in[i]);
    case TYPE_i32: NARROW(int32_t, in[i]);
    case TYPE_u32: NARROW(uint32_t, in[i]);
    case TYPE_i8: NARROW(int8_t, in[i]);
    case TYPE_u8: NARROW(uint8_t, in[i]);
    case TYPE_bool: NARROW(uint8_t, in[i] != 0);
    case TYPE_f16: NARROW(uint16_t, bits_f16_of((float)in[i]));
    case TYPE_bf16: NARROW(uint16_t, bits_bf16_of((float)in[i]));
    case TYPE_none:
    case TYPE_COUNT: break;
    }
}

/* Pixels to f32 are what a training loop spends its copying on. */
void convert(Type to, void *out, Type from, const void *in, size_t count)
{
    if (to == from) {
        memcpy(out, in, count * type_info[to].bytes);
        return;
    }
    if (to == TYPE_f32 && from == TYPE_u8) {
        for (size_t i = 0; i < count; i++)
            ((float *)out)[i] = ((const uint8_t *)in)[i];
        return;
    }
    double chunk[256];
    for (size_t done = 0; done < count; done += 256) {
        size_t step = count - done < 256 ? count - done : 256;
        convert_to_double(chunk, from, (const char *)in + done * type_info[from].bytes, step);
        narrow(to, (char *)out + done * type_info[to].bytes, chunk, step);
    }
}

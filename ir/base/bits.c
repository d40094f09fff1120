#include "ir/base/bits.h"
#include <string.h>

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float bits_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t bits_bf16_of(float value)
{
    uint32_t bits = float_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float bits_of_bf16(uint16_t bits)
{
    return bits_float((uint32_t)bits << 16);
}

/* mantissa / 2^shift, to nearest, ties to even. */
static uint32_t round_shift(uint32_t mantissa, uint32_t shift)
{
    uint32_t half = 1u << (shift - 1), odd = mantissa >> shift & 1;
    return (mantissa + half - 1 + odd) >> shift;
}

/* A carry out of the mantissa runs into the exponent, which is the right next number, up to infinity. */
uint16_t bits_f16_of(float value)
{
    uint32_t bits = float_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
    if (magnitude >= 0x47800000) return (uint16_t)(sign | 0x7c00); /* 2^16 and more */
    if (magnitude >= 0x38800000)                                   /* 2^-14 and more: normal */
        return (uint16_t)(sign | round_shift(magnitude - 0x38000000, 13));
    if (magnitude < 0x33000000) return (uint16_t)sign; /* under 2^-25, half the least subnormal */

    uint32_t exponent = magnitude >> 23, mantissa = (magnitude & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | round_shift(mantissa, 126 - exponent));
}

float bits_of_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 0x1f,
             mantissa = bits & 0x3ff;
    if (exponent == 31) return bits_float(sign | 0x7f800000 | mantissa << 13);
    if (exponent) return bits_float(sign | (exponent + 112) << 23 | mantissa << 13);

    float magnitude = (float)mantissa * 0x1p-24f;
    return bits_float(sign | float_bits(magnitude));
}

void bits_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4], k[2] = {key[0], key[1]};
    memcpy(c, counter, sizeof c);
    for (int round = 0; round < 10; round++) {
        uint64_t product0 = 0xD2511F53ull * c[0], product1 = 0xCD9E8D57ull * c[2];
        uint32_t next0 = (uint32_t)(product1 >> 32) ^ c[1] ^ k[0];
        uint32_t next2 = (uint32_t)(product0 >> 32) ^ c[3] ^ k[1];
        c[0] = next0;
        c[1] = (uint32_t)product1;
        c[2] = next2;
        c[3] = (uint32_t)product0;
        k[0] += 0x9E3779B9;
        k[1] += 0xBB67AE85;
    }
    memcpy(out, c, sizeof c);
}

float bits_uniform(uint32_t seed, uint32_t stream, uint32_t step, uint64_t element)
{
    uint64_t group = element >> 2;
    uint32_t word[4];
    bits_philox((uint32_t[4]){(uint32_t)group, (uint32_t)(group >> 32), step, stream},
                (uint32_t[2]){seed, 0}, word);
    return (float)(word[element & 3] >> 8) * 0x1p-24f;
}

/* Folds a 64 by 64 bit product, the mixing step of wyhash (Wang Yi, public domain). */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t bits_hash(const void *bytes, uint64_t size, uint64_t seed)
{
    const unsigned char *at = bytes;
    uint64_t hash = seed ^ 0xa0761d6478bd642full, word;
    for (uint64_t left = size; left;) {
        uint64_t step = left < sizeof word ? left : sizeof word;
        word = 0;
        memcpy(&word, at, step);
        hash = mix(hash ^ word, 0xe7037ed1a0b428dbull) + 0x8ebc6af09c88c6e3ull;
        at += step;
        left -= step;
    }
    return mix(hash ^ size, 0x589965cc75374cc3ull);
}

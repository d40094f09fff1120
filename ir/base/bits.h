#ifndef MLC_IR_BASE_BITS_H
#define MLC_IR_BASE_BITS_H
/* Number formats and the random generator, bit for bit as every backend must compute them. */
#include <stdint.h>

uint16_t bits_bf16_of(float value); /* round to nearest even; NaN stays a quiet NaN */
float bits_of_bf16(uint16_t bits);
uint16_t bits_f16_of(float value); /* IEEE binary16, round to nearest even, subnormals kept */
float bits_of_f16(uint16_t bits);

/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). */
void bits_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Element `element` of the random tensor named by (seed, stream, step), in [0, 1), a multiple of 2^-24:
 * counter = (element >> 2 low, element >> 2 high, step, stream), key = (seed, 0), word element & 3, top 24 bits. */
float bits_uniform(uint32_t seed, uint32_t stream, uint32_t step, uint64_t element);

/* 64-bit hash of bytes, for interning and structural hashes (not stable across versions on purpose). */
uint64_t bits_hash(const void *bytes, uint64_t size, uint64_t seed);

#endif

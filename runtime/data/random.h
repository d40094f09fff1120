#ifndef MLC_RUNTIME_DATA_RANDOM_H
#define MLC_RUNTIME_DATA_RANDOM_H
/* Random permutations that are the same on every machine: Fisher-Yates over Philox.  The key's second word sets them
 * apart from the random tensors of the graph, which have 0 there (bits.h). */
#include "ir/base/bits.h"

enum { RANDOM_SHUFFLE = 1, RANDOM_SPLIT = 2, RANDOM_SYNTHETIC = 3 };

/* 128 bits of (seed, purpose, epoch, index). */
void random_bits(uint32_t seed, uint32_t purpose, uint32_t epoch, uint64_t index, uint32_t out[4]);
/* Fills order with a permutation of 0 .. count - 1. */
void random_permutation(uint32_t seed, uint32_t purpose, uint32_t epoch, uint32_t *order,
                        uint32_t count);

#endif

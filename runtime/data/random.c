#include "runtime/data/random.h"

void random_bits(uint32_t seed, uint32_t purpose, uint32_t epoch, uint64_t index, uint32_t out[4])
{
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), epoch, purpose};
    bits_philox(counter, (const uint32_t[2]){seed, 0x61746164}, out);
}

/* In [0, count): the high half of a product; its bias is below count / 2^64. */
static uint32_t below(const uint32_t bits[2], uint32_t count)
{
    uint64_t number = (uint64_t)bits[1] << 32 | bits[0];
    return (uint32_t)(((unsigned __int128)number * count) >> 64);
}

void random_permutation(uint32_t seed, uint32_t purpose, uint32_t epoch, uint32_t *order,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i-- > 1;) {
        uint32_t bits[4];
        random_bits(seed, purpose, epoch, i, bits);
        uint32_t other = below(bits, i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

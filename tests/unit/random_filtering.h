#ifndef MLC_TESTS_UNIT_RANDOM_FILTERING_H
#define MLC_TESTS_UNIT_RANDOM_FILTERING_H
/* Random convolutions of 3 x 3 taps, forward, backward and for the gradient of the taps, that winograd_of recognizes. */
#include "ir/kernel/kernel.h"

Kernel *random_filtering(uint64_t seed, Arena *arena);
/* The same forward, of bytes of any signs. */
Kernel *random_byte_filtering(uint64_t seed, Arena *arena);

#endif

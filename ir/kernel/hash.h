#ifndef MLC_IR_KERNEL_HASH_H
#define MLC_IR_KERNEL_HASH_H
/* Structural hashes and equality of the parts of a kernel: for sharing scalars and for compiling a
 * kernel once. */
#include "ir/kernel/kernel.h"

uint64_t scalar_hash(const ScalarNode *node, uint64_t seed);
bool scalar_same(const ScalarNode *a, const ScalarNode *b);

#endif

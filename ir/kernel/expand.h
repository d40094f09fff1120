#ifndef MLC_IR_KERNEL_EXPAND_H
#define MLC_IR_KERNEL_EXPAND_H
/* MATH scalars as polynomials over BASIC ones, so that every backend computes the same function.
 * Each states its largest error in ULP beside it, measured by a test over all (or a dense sample
 * of) floats; saturation, NaN, infinities, signed zeros and subnormals are handled by selects,
 * never by branches. */
#include "ir/kernel/kernel.h"

/* A kernel without MATH scalars that computes the same (compute in f32 for bf16/f16: casts
 * around), its scalars numbered depth first from the stores, the dead ones dropped.  Expanding
 * twice changes nothing. */
Kernel *kernel_expand(const Kernel *kernel, Arena *arena);
/* The same, but uniform of f32 stays: for backends that share one evaluation of Philox among the elements of a vector. */
Kernel *kernel_expand_but_uniform(const Kernel *kernel, Arena *arena);

#endif

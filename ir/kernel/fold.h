#ifndef MLC_IR_KERNEL_FOLD_H
#define MLC_IR_KERNEL_FOLD_H
/* Identities that hold bit for bit (NaN payloads aside), applied as scalars are built. */
#include "ir/kernel/kernel.h"

/* An existing scalar or a constant that equals the node; {0} if it is to be kept. */
Scalar scalar_fold(Kernel *kernel, const ScalarNode *node);

#endif

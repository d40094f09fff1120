#ifndef MLC_IR_KERNEL_REACH_H
#define MLC_IR_KERNEL_REACH_H
/* Which part of its buffers each slice of a kernel touches: what must be known to run several kernels slice by slice. */
#include "ir/kernel/schedule.h"

/* Elements [begin, end) that contain all that a slice touches of a buffer. */
typedef struct Stretch {
    int64_t begin, end;
} Stretch;

typedef struct Reach {
    Slices slices;
    const Stretch *touched; /* [buffer * slices.count + slice] */
} Reach;

/* The axis that lies outermost in what the kernel stores, if it can be cut into so many slices; {0} otherwise. */
Axis reach_axis(const Kernel *kernel, int64_t slices);
Reach reach_of(const Kernel *kernel, Slices slices, Arena *arena);

#endif

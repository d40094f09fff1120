#ifndef MLC_BACKENDS_CPU_JIT_H
#define MLC_BACKENDS_CPU_JIT_H
/* Images into this process: each in pages of its own, written first and then made executable. */
#include "ir/base/report.h"
#include "ir/base/status.h"
#include "runtime/core/executor.h"

typedef struct Jit Jit;

Status jit_open(Report *report, Jit **jit);
void jit_close(Jit *jit); /* the functions go with it */
/* Maps an image and finds its function.  STATUS_failed: the image is damaged or holds another function. */
Status jit_add(Jit *jit, const void *object, size_t size, const char *name,
               KernelFunction **function);

#endif

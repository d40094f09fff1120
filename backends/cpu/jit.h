#ifndef MLC_BACKENDS_CPU_JIT_H
#define MLC_BACKENDS_CPU_JIT_H
/* Object files into this process, through LLJIT's object layer: nothing is compiled here. */
#include "ir/base/report.h"
#include "ir/base/status.h"
#include "runtime/core/executor.h"

typedef struct Jit Jit;

Status jit_open(Report *report, Jit **jit);
void jit_close(Jit *jit); /* the functions go with it */
/* Links an object and finds a function in it.  STATUS_failed: the object is damaged or its function is missing. */
Status jit_add(Jit *jit, const void *object, size_t size, const char *name,
               KernelFunction **function);

#endif

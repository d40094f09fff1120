#ifndef MLC_RUNTIME_CALL_H
#define MLC_RUNTIME_CALL_H
#include "runtime/compile.h"

/* Every value of an input with a bound lies in it, or a report that names the value and the expression that needs it. */
Status call_check_bounds(mlc_model *model, const Compiled *compiled, const void *const *input);

#endif

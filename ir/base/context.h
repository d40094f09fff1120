#ifndef MLC_IR_BASE_CONTEXT_H
#define MLC_IR_BASE_CONTEXT_H
/* What every stage of one compilation shares.  Belongs to the session; nobody keeps it in a global. */
#include "ir/base/name.h"
#include "ir/base/report.h"

typedef struct Context {
    Arena *arena; /* lives as long as the compilation */
    Names *names;
    Sources *sources;
    Report *report;
} Context;

#endif

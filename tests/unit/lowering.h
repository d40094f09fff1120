#ifndef MLC_TESTS_UNIT_LOWERING_H
#define MLC_TESTS_UNIT_LOWERING_H
/* Runs an entry, given as text (gradients are expanded first), twice: as kernels, through the kernel interpreter, and through the reference.  Inputs and
 * states hold the same small numbers for both; every output and every written state must agree. */
#include "passes/pass.h"

typedef struct Lowering {
    Context context;
    Arena *arena;
    Program *program;
    const Graph *graph;
    Module *module;
    void **input, **output, **state; /* as after the run */
} Lowering;

/* Fails the test if the text is wrong or the results differ: exactly for integers and bools, by `tolerance` relative to the
 * larger of 1 and the value for floats. */
Lowering *lowering_run(const char *text, double tolerance);
Lowering *lowering_of(const char *text); /* without running */
void lowering_close(Lowering *lowering);
/* Closes it and returns the number of calls: for the many tests that ask no more. */
uint32_t lowering_calls(const char *text, double tolerance);

#endif

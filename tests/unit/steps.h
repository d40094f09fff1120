#ifndef MLC_TESTS_UNIT_STEPS_H
#define MLC_TESTS_UNIT_STEPS_H
/* Training steps of model files on the cpu backend, for tests that run one in two ways: plans and schedules change no bit. */
#include "backends/backend.h"
#include "passes/pass.h"
#include "tests/unit/model.h"

typedef struct StepMemory { /* after a run */
    void **output, **state;
} StepMemory;

/* The planned step for a batch, within `memory` bytes if that is not 0. */
const Module *step_module(Model *m, int64_t batch, int64_t memory);
/* Three runs on two threads over inputs and from states that are always the same; *chains: how many of calls there were. */
StepMemory step_run(Model *m, const Module *module, int64_t cache_bytes, uint32_t *chains);
StepMemory step_run_with(Model *m, const Module *module, const BackendOptions *options,
                         BackendStatistics *statistics);
void step_expect_same(const Model *m, const Module *module, const StepMemory *a,
                      const StepMemory *b);

#endif

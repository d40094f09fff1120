#include "tests/unit/steps.h"

#if MLC_HAS_LLVM
#include <check.h>
#include <math.h>
#include <string.h>

extern const Backend backend_cpu;

const Module *step_module(Model *m, int64_t batch, int64_t memory)
{
    ck_assert_msg(m->result != NULL, "%s", m->report);
    Binding binding = {.batch = batch, .steps = 100, .steps_per_epoch = 10};
    m->result = experiment_elaborate(m->experiment, m->arena, &binding, 1u << ENTRY_step);
    const Program *program = m->result->program;
    PassOptions options = {.verify = true, .precision = "f32", .alignment = 64, .memory = memory};
    const Graph *graph =
        passes_run(&m->context, m->arena, program, program->entry[ENTRY_step], &options);
    return passes_lower(&m->context, m->arena, program, graph, &options);
}

/* f32: nothing below 0, as moments of a second order are states too, and NaNs are not the same from one order of operands to another. */
static void *filled(Arena *arena, Type type, int64_t count)
{
    char *at = arena_alloc(arena, (size_t)count * type_info[type].bytes + 64);
    at = (char *)(((uintptr_t)at + 63) & ~(uintptr_t)63);
    for (int64_t i = 0; i < count; i++)
        if (type == TYPE_f32)
            ((float *)(void *)at)[i] = (float)(i * 37 % 101) / 1024;
        else
            memset(at + i * type_info[type].bytes, type_info[type].bytes == 4 && i % 4 ? 0 : 1, 1);
    return at;
}

StepMemory step_run(Model *m, const Module *module, int64_t cache_bytes, uint32_t *chains)
{
    BackendOptions options = {.threads = 2, .cache_bytes = cache_bytes};
    BackendStatistics statistics;
    StepMemory memory = step_run_with(m, module, &options, &statistics);
    *chains = statistics.chains;
    return memory;
}

StepMemory step_run_with(Model *m, const Module *module, const BackendOptions *options,
                         BackendStatistics *statistics)
{
    StepMemory memory = {arena_array(m->arena, void *, module->output.count),
                         arena_array(m->arena, void *, m->result->program->state.count)};
    const void **input = arena_array(m->arena, const void *, module->input.count);
    for (uint32_t i = 0; i < module->input.count; i++)
        input[i] =
            filled(m->arena, module->input.at[i].type, shape_elements(&module->input.at[i].shape));
    for (uint32_t i = 0; i < module->output.count; i++)
        memory.output[i] = filled(m->arena, module->output.at[i].type,
                                  shape_elements(&module->output.at[i].shape));
    for (uint32_t i = 0; i < m->result->program->state.count; i++) {
        const State *state = &m->result->program->state.at[i];
        memory.state[i] = filled(m->arena, state->type, shape_elements(&state->shape));
    }
    BackendEntry entry = {m->result->program, NULL, module};
    Device *device;
    Executable *executable;
    ck_assert_int_eq(backend_cpu.open(options, m->context.report, &device), STATUS_ok);
    ck_assert_int_eq(backend_cpu.compile(device, &m->context, &entry, &executable), STATUS_ok);
    *statistics = backend_cpu.statistics(executable);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(backend_cpu.run(executable, input, memory.output, memory.state),
                         STATUS_ok);
    backend_cpu.dispose(executable);
    backend_cpu.close(device);
    return memory;
}

void step_expect_same(const Model *m, const Module *module, const StepMemory *a,
                      const StepMemory *b)
{
    for (uint32_t i = 0; i < module->output.count; i++) {
        const Port *port = &module->output.at[i];
        ck_assert_mem_eq(a->output[i], b->output[i],
                         (size_t)shape_elements(&port->shape) * type_info[port->type].bytes);
    }
    for (uint32_t i = 0; i < m->result->program->state.count; i++) {
        const State *state = &m->result->program->state.at[i];
        int64_t elements = shape_elements(&state->shape);
        for (int64_t k = 0; k < elements && state->type == TYPE_f32; k++)
            ck_assert(isfinite(((float *)a->state[i])[k]));
        ck_assert_mem_eq(a->state[i], b->state[i], (size_t)elements * type_info[state->type].bytes);
    }
}
#endif

#include "tests/unit/lowering.h"
#include "backends/reference/interpret.h"
#include "ir/graph/print.h"
#include "ir/graph/verify.h"
#include "ir/kernel/expand.h"
#include "passes/plan.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>

/* Guard bytes after every buffer, that no kernel may touch. */
enum { GUARD = 64, GUARD_BYTE = 0xA5 };

static void *new_buffer(Arena *arena, int64_t bytes)
{
    unsigned char *buffer = arena_alloc(arena, (size_t)bytes + GUARD);
    memset(buffer, GUARD_BYTE, (size_t)bytes + GUARD);
    return buffer;
}

static void check_guard(const void *buffer, int64_t bytes)
{
    for (int i = 0; i < GUARD; i++)
        ck_assert_msg(((const unsigned char *)buffer)[bytes + i] == GUARD_BYTE,
                      "wrote past a buffer");
}

static int64_t bytes_of(Type type, const Shape *shape)
{
    return shape_elements(shape) * type_info[type].bytes;
}

/* Small numbers without pattern; integers are within most index ranges, and sometimes outside. */
static double sample(Type type, uint32_t seed, int64_t i)
{
    uint32_t x = (uint32_t)i * 2654435761u + seed * 40503u + 12345u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    if (type == TYPE_bool) return x & 1;
    if (type_is_integer(type)) return x % 6;
    return (double)(int32_t)(x % 2001 - 1000) / 500.0;
}

static void *fill(Arena *arena, Type type, const Shape *shape, uint32_t seed)
{
    int64_t count = shape_elements(shape);
    double *numbers = arena_array(arena, double, count);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = sample(type, seed, i);
    void *buffer = new_buffer(arena, bytes_of(type, shape));
    interpret_store(type, numbers, count, buffer);
    return buffer;
}

static const char *report_text(Lowering *l)
{
    Text text = {.arena = l->arena};
    report_render(l->context.report, &text, false);
    return text_done(&text);
}

static bool has_gradients(const Graph *graph)
{
    for (uint32_t id = 1; id < graph->node.count; id++)
        if (graph->node.at[id].op == OP_gradient) return true;
    return false;
}

Lowering *lowering_of(const char *text)
{
    Arena *arena = arena_open(&host_default);
    Lowering *l = arena_new(arena, Lowering);
    l->arena = arena;
    l->context.arena = arena;
    l->context.names = names_new(arena);
    l->context.sources = sources_new(arena);
    l->context.report = report_new(arena, l->context.sources);
    uint32_t source = sources_add(l->context.sources, "test", text, strlen(text), false);
    l->program = program_parse(&l->context, arena, source, NULL);
    ck_assert_msg(l->program != NULL, "%s", report_text(l));
    for (int i = 0; i < ENTRY_COUNT; i++)
        if (l->program->entry[i]) l->graph = l->program->entry[i];
    ck_assert_msg(l->graph != NULL, "no entry");
    l->graph = graph_sweep(l->graph, arena);
    PassOptions options = {.verify = true, .alignment = 64, .precision = "f32"};
    if (has_gradients(l->graph))
        l->graph = passes_run(&l->context, arena, l->program, l->graph, &options);
    const char *wrong = graph_verify(l->graph, l->program, true, arena);
    ck_assert_msg(!wrong, "%s", wrong);
    l->module = passes_lower(&l->context, arena, l->program, l->graph, &options);
    return l;
}

void lowering_close(Lowering *l)
{
    arena_close(l->arena);
}

static void *bind(const Lowering *l, char *memory, const Region *region)
{
    switch (region->place) {
    case PLACE_arena: return memory + region->offset;
    case PLACE_state: return (char *)l->state[region->index] + region->offset;
    case PLACE_input: return (char *)l->input[region->index] + region->offset;
    case PLACE_output: return (char *)l->output[region->index] + region->offset;
    case PLACE_literal:
        return (char *)(uintptr_t)l->module->literal.at[region->index].bytes + region->offset;
    }
    return NULL;
}

static void run_module(Lowering *l)
{
    const Module *module = l->module;
    char *memory = new_buffer(l->arena, module->arena_bytes);
    for (uint32_t c = 0; c < module->call.count; c++) {
        const Call *call = &module->call.at[c];
        void **buffer = arena_array(l->arena, void *, call->count);
        for (uint32_t i = 0; i < call->count; i++)
            buffer[i] = bind(l, memory, &call->binding[i]);
        kernel_interpret(kernel_expand(module->kernel.at[call->kernel], l->arena), buffer);
    }
    check_guard(memory, module->arena_bytes);
}

static uint32_t port_named(const Module *module, Name name)
{
    for (uint32_t i = 0; i < module->input.count; i++)
        if (name_same(module->input.at[i].name, name)) return i;
    ck_abort_msg("no port");
}

static const double *leaf(void *user, const Graph *graph, Value value)
{
    Lowering *l = user;
    const Node *node = graph_node(graph, value);
    int64_t count = shape_elements(graph_shape(graph, value));
    double *elements = arena_array(l->arena, double, count);
    const void *buffer =
        node->op == OP_input
            ? l->input[port_named(l->module, node->attribute->name)]
            : l->state[program_state(l->program, node->attribute->name) - l->program->state.at];
    interpret_load(node->type, buffer, count, elements);
    return elements;
}

static void open_buffers(Lowering *l)
{
    const Module *module = l->module;
    l->input = arena_array(l->arena, void *, module->input.count);
    l->output = arena_array(l->arena, void *, module->output.count);
    l->state = arena_array(l->arena, void *, l->program->state.count);
    for (uint32_t i = 0; i < module->input.count; i++)
        l->input[i] = fill(l->arena, module->input.at[i].type, &module->input.at[i].shape, i);
    for (uint32_t i = 0; i < l->program->state.count; i++) {
        const State *state = &l->program->state.at[i];
        l->state[i] = fill(l->arena, state->type, &state->shape, 100 + i);
    }
    for (uint32_t i = 0; i < module->output.count; i++)
        l->output[i] =
            new_buffer(l->arena, bytes_of(module->output.at[i].type, &module->output.at[i].shape));
}

static void check_result(Lowering *l, const Result *result, const void *buffer,
                         const double *expected, double tolerance)
{
    Type type = graph_type(l->graph, result->value);
    const Shape *shape = graph_shape(l->graph, result->value);
    int64_t count = shape_elements(shape);
    double *got = arena_array(l->arena, double, count);
    interpret_load(type, buffer, count, got);
    check_guard(buffer, bytes_of(type, shape));
    double allowed = type_is_float(type) ? tolerance : 0;
    for (int64_t i = 0; i < count; i++) {
        if (got[i] == expected[i] || (isnan(got[i]) && isnan(expected[i]))) continue;
        ck_assert_msg(fabs(got[i] - expected[i]) <= allowed * fmax(1, fabs(expected[i])),
                      "%s[%lld] is %.9g, not %.9g", name_text(l->context.names, result->name),
                      (long long)i, got[i], expected[i]);
    }
}

Lowering *lowering_run(const char *text, double tolerance)
{
    Lowering *l = lowering_of(text);
    open_buffers(l);
    double **expected = arena_array(l->arena, double *, l->graph->result.count);
    for (uint32_t i = 0; i < l->graph->result.count; i++)
        expected[i] = arena_array(
            l->arena, double, shape_elements(graph_shape(l->graph, l->graph->result.at[i].value)));
    Interpretation how = {.leaf = leaf, .user = l};
    ck_assert(interpret(l->graph, &how, expected) == STATUS_ok);
    run_module(l);

    uint32_t outputs = 0;
    for (uint32_t i = 0; i < l->graph->result.count; i++) {
        const Result *result = &l->graph->result.at[i];
        const void *buffer =
            result->kind == RESULT_output
                ? l->output[outputs++]
                : l->state[program_state(l->program, result->name) - l->program->state.at];
        check_result(l, result, buffer, expected[i], tolerance);
    }
    return l;
}

uint32_t lowering_calls(const char *text, double tolerance)
{
    Lowering *l = lowering_run(text, tolerance);
    uint32_t calls = l->module->call.count;
    lowering_close(l);
    return calls;
}

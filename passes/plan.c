/* Steps from units, results bound to their places, and the module written down. */
#include "passes/plan.h"
#include "ir/base/bits.h"
#include "ir/base/boundary.h"
#include "passes/plan_steps.h"
#include <math.h>

/* -- slots and steps ------------------------------------------------------------------------------------ */

static uint32_t new_slot(Plan *plan, RegionPlace place, uint32_t index, int64_t bytes)
{
    if (!plan->slot.count) *list_add(plan->scratch, &plan->slot) = (Slot){0};
    *list_add(plan->scratch, &plan->slot) = (Slot){.place = place, .index = index, .bytes = bytes};
    return plan->slot.count - 1;
}

static int64_t value_bytes(const Plan *plan, Value value)
{
    const Graph *graph = plan->input->graph;
    return shape_elements(graph_shape(graph, value)) * type_info[graph_type(graph, value)].bytes;
}

static uint32_t state_index(const Plan *plan, Name name)
{
    const Program *program = plan->input->program;
    const State *state = program_state(program, name);
    if (!state) bug("state %s is not declared", name_text(program->names, name));
    return (uint32_t)(state - program->state.at);
}

static uint32_t slot_of(Plan *plan, Value value)
{
    uint32_t *slot = &plan->slot_of[value.id];
    if (*slot) return *slot;

    const Node *node = graph_node(plan->input->graph, value);
    int64_t bytes = value_bytes(plan, value);
    *slot = node->op == OP_read
                ? new_slot(plan, PLACE_state, state_index(plan, node->attribute->name), bytes)
                : new_slot(plan, PLACE_arena, 0, bytes);
    plan->slot.at[*slot].storage = node->at.storage;
    return *slot;
}

static bool has(const uint32_t *at, uint32_t count, uint32_t what)
{
    for (uint32_t i = 0; i < count; i++)
        if (at[i] == what) return true;
    return false;
}

void plan_connect(Plan *plan, uint32_t number)
{
    Step *step = &plan->step.at[number];
    for (uint32_t p = 0; p < step->parts; p++)
        for (uint32_t i = 0; i < step->part[p].kernel->buffer.count; i++) {
            uint32_t slot = step->part[p].slot[i];
            Slot *at = &plan->slot.at[slot];
            if (step->part[p].kernel->buffer.at[i].written) {
                if (has(step->writes.at, step->writes.count, slot)) continue;
                at->writer = number;
                *list_add(plan->scratch, &step->writes) = slot;
            } else if (!has(step->reads.at, step->reads.count, slot)) {
                *list_add(plan->scratch, &at->reader) = number;
                *list_add(plan->scratch, &step->reads) = slot;
            }
        }
}

static uint32_t add_step(Plan *plan, const Step *step)
{
    if (!plan->step.count) *list_add(plan->scratch, &plan->step) = (Step){0};
    *list_add(plan->scratch, &plan->step) = *step;
    plan_connect(plan, plan->step.count - 1);
    return plan->step.count - 1;
}

static void add_unit(Plan *plan, const Unit *unit)
{
    Step step = {.parts = unit->part.count, .flops = unit->flops, .main = unit->main};
    step.part = arena_array(plan->scratch, StepPart, step.parts);
    for (uint32_t p = 0; p < step.parts; p++) {
        const Part *part = &unit->part.at[p];
        uint32_t count = part->kernel->buffer.count;
        step.part[p].kernel = part->kernel;
        step.part[p].first = part->first;
        step.part[p].slot = arena_array(plan->scratch, uint32_t, count);
        for (uint32_t i = 0; i < count; i++)
            step.part[p].slot[i] = slot_of(plan, part->buffer[i]);
    }
    add_step(plan, &step);
}

static uint32_t add_copy(Plan *plan, Value value, uint32_t from, uint32_t to, Span at)
{
    const Graph *graph = plan->input->graph;
    Type type = graph_type(graph, value);
    Kernel *kernel = lower_copy(plan->arena, type, shape_elements(graph_shape(graph, value)), at);
    Step step = {.parts = 1, .main = value, .part = arena_new(plan->scratch, StepPart)};
    step.part[0].kernel = kernel;
    step.part[0].slot = arena_array(plan->scratch, uint32_t, 2);
    step.part[0].slot[0] = from;
    step.part[0].slot[1] = to;
    return add_step(plan, &step);
}

static void add_sources(Plan *plan, Module *module)
{
    const Graph *graph = plan->input->graph;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = &graph->node.at[id];
        if (node->op != OP_input) continue;
        const Shape *shape = graph_shape(graph, (Value){id});
        plan->slot_of[id] =
            new_slot(plan, PLACE_input, module->input.count, value_bytes(plan, (Value){id}));
        *list_add(plan->arena, &module->input) =
            (Port){.name = node->attribute->name, .type = node->type, .shape = *shape};
    }
}

/* -- literals ------------------------------------------------------------------------------------------- */

static void write_element(Type type, void *to, double number)
{
    switch (type) {
    case TYPE_f32: *(float *)to = (float)number; break;
    case TYPE_bf16: *(uint16_t *)to = bits_bf16_of((float)number); break;
    case TYPE_f16: *(uint16_t *)to = bits_f16_of((float)number); break;
    case TYPE_i64: *(int64_t *)to = (int64_t)number; break;
    case TYPE_i32: *(int32_t *)to = (int32_t)number; break;
    case TYPE_i8: *(int8_t *)to = (int8_t)number; break;
    case TYPE_u32: *(uint32_t *)to = (uint32_t)number; break;
    case TYPE_u8: *(uint8_t *)to = (uint8_t)number; break;
    case TYPE_bool: *(uint8_t *)to = number != 0; break;
    case TYPE_none:
    case TYPE_COUNT: unreachable("a table without a type");
    }
}

static void add_literals(Plan *plan, Module *module)
{
    const Graph *graph = plan->input->graph;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = &graph->node.at[id];
        if (node->op != OP_table) continue;
        Table table = node->attribute->table;
        uint32_t size = type_info[node->type].bytes;
        char *bytes = arena_alloc(plan->arena, (size_t)size * table.count);
        for (uint32_t i = 0; i < table.count; i++)
            write_element(node->type, bytes + (size_t)i * size, table.at[i]);
        plan->slot_of[id] =
            new_slot(plan, PLACE_literal, module->literal.count, (int64_t)size * table.count);
        *list_add(plan->arena, &module->literal) = (Literal){bytes, (int64_t)size * table.count};
    }
}

/* -- results -------------------------------------------------------------------------------------------- */

typedef struct Write {
    uint32_t state, slot; /* slot: the new value, still in the arena */
    Value value;
    Span at;
} Write;

typedef struct Writes {
    LIST(Write) of;
    uint32_t *old; /* by state: the slot of its old value, 0 if nobody reads it */
} Writes;

/* The slot that this result may claim as its own: the value's, if it is computed and not claimed yet, else a copy's. */
static uint32_t claim(Plan *plan, const Result *result, bool *claimed)
{
    const Graph *graph = plan->input->graph;
    Value value = fusion_storage(graph, result->value);
    uint32_t slot = slot_of(plan, value);
    if (plan->slot.at[slot].writer && !claimed[slot]) {
        claimed[slot] = true;
        return slot;
    }
    uint32_t copy = new_slot(plan, PLACE_arena, 0, plan->slot.at[slot].bytes);
    add_copy(plan, value, slot, copy, result->at);
    return copy;
}

static bool is_unchanged(const Plan *plan, const Result *result)
{
    const Node *node =
        graph_node(plan->input->graph, fusion_storage(plan->input->graph, result->value));
    return node->op == OP_read && name_same(node->attribute->name, result->name);
}

static void add_output(Plan *plan, Module *module, const Result *result, bool *claimed)
{
    const Graph *graph = plan->input->graph;
    const Shape *shape = graph_shape(graph, result->value);
    uint32_t index = module->output.count;
    *list_add(plan->arena, &module->output) =
        (Port){.name = result->name, .type = graph_type(graph, result->value), .shape = *shape};
    if (shape_elements(shape) == 0) return;
    uint32_t slot = claim(plan, result, claimed);
    plan->slot.at[slot].place = PLACE_output;
    plan->slot.at[slot].index = index;
}

/* Puts the new value where the old one lies if no reader of the old one can come later; orders them so. */
static bool write_directly(Plan *plan, const Write *write, uint32_t old)
{
    uint32_t writer = plan->slot.at[write->slot].writer;
    Step *step = &plan->step.at[writer];
    uint32_t readers = old ? plan->slot.at[old].reader.count : 0;
    const uint32_t *reader = old ? plan->slot.at[old].reader.at : NULL;

    for (uint32_t i = 0; i < readers; i++) {
        if (reader[i] != writer) {
            if (plan_reaches(plan, writer, reader[i])) return false;
            continue;
        }
        if (step->parts != 1) return false;
        const StepPart *part = &step->part[0];
        uint32_t in = 0, out = 0;
        while (part->slot[in] != old)
            in++;
        while (part->slot[out] != write->slot)
            out++;
        if (!plan_in_place(part->kernel, in, out)) return false;
    }
    for (uint32_t i = 0; i < readers; i++)
        if (reader[i] != writer)
            *list_add(plan->scratch, &plan->step.at[reader[i]].before) = writer;
    return true;
}

static void write_last(Plan *plan, const Write *write, uint32_t old)
{
    uint32_t to = new_slot(plan, PLACE_state, write->state, plan->slot.at[write->slot].bytes);
    uint32_t copy = add_copy(plan, write->value, write->slot, to, write->at);
    for (uint32_t i = 0; old && i < plan->slot.at[old].reader.count; i++)
        *list_add(plan->scratch, &plan->step.at[plan->slot.at[old].reader.at[i]].before) = copy;
}

static void bind_writes(Plan *plan, const Writes *writes)
{
    for (uint32_t i = 0; i < writes->of.count; i++) {
        const Write *write = &writes->of.at[i];
        uint32_t old = writes->old[write->state];
        if (write_directly(plan, write, old)) {
            plan->slot.at[write->slot].place = PLACE_state;
            plan->slot.at[write->slot].index = write->state;
        } else {
            write_last(plan, write, old);
        }
    }
}

/* All copies are made first: they read states too, and every reader must be known before a state is overwritten. */
static void bind_results(Plan *plan, Module *module)
{
    const Graph *graph = plan->input->graph;
    Writes writes = {0};
    bool *claimed =
        arena_array(plan->scratch, bool, plan->slot.count + 2 * graph->result.count + 1);
    for (uint32_t i = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        if (result->kind == RESULT_output) {
            add_output(plan, module, result, claimed);
        } else if (!is_unchanged(plan, result) && value_bytes(plan, result->value)) {
            uint32_t slot = claim(plan, result, claimed);
            *list_add(plan->scratch, &writes.of) =
                (Write){state_index(plan, result->name), slot, result->value, result->at};
        }
    }
    writes.old = arena_array(plan->scratch, uint32_t, plan->input->program->state.count + 1);
    for (uint32_t i = 1; i < plan->slot.count; i++)
        if (plan->slot.at[i].place == PLACE_state && !plan->slot.at[i].writer)
            writes.old[plan->slot.at[i].index] = i;
    bind_writes(plan, &writes);
}

/* -- the module ----------------------------------------------------------------------------------------- */

typedef struct Shared {
    uint32_t *table, room; /* open addressing over the module's kernels, 1-based */
    uint64_t *hash;
} Shared;

static uint32_t share_kernel(Plan *plan, Module *module, Shared *shared, Kernel *kernel)
{
    uint64_t hash = kernel_hash(kernel);
    uint32_t slot = (uint32_t)hash & (shared->room - 1);
    for (; shared->table[slot]; slot = (slot + 1) & (shared->room - 1)) {
        uint32_t at = shared->table[slot] - 1;
        if (shared->hash[at] == hash && kernel_same(module->kernel.at[at], kernel)) return at;
    }
    shared->hash[module->kernel.count] = hash;
    *list_add(plan->arena, &module->kernel) = kernel;
    shared->table[slot] = module->kernel.count;
    return module->kernel.count - 1;
}

/* The bytes of buffer `i`: of all that its slot holds, what the kernel touches. */
static Region region_of(const Plan *plan, const StepPart *part, uint32_t i)
{
    const Slot *at = &plan->slot.at[part->slot[i]];
    const BufferInfo *buffer = &part->kernel->buffer.at[i];
    int64_t size = type_info[buffer->type].bytes;
    Region region = {.place = at->place, .index = at->index, .bytes = buffer->elements * size};
    if (part->first) region.offset = part->first[i] * size;
    if (at->place == PLACE_arena)
        region.offset += plan->block.at[at->block - 1].offset + at->place_in_whole;
    return region;
}

/* Each buffer counts once, as its widest access. */
static int64_t traffic(Arena *scratch, const Kernel *kernel)
{
    int64_t *most = arena_array(scratch, int64_t, kernel->buffer.count);
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (node->op != SCALAR_load) continue;
        int64_t bytes = access_bytes(kernel, node->access);
        if (bytes > most[node->access->buffer]) most[node->access->buffer] = bytes;
    }
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        int64_t bytes = access_bytes(kernel, &kernel->store.at[i].at);
        if (bytes > most[kernel->store.at[i].at.buffer])
            most[kernel->store.at[i].at.buffer] = bytes;
    }
    int64_t sum = 0;
    for (uint32_t i = 0; i < kernel->buffer.count; i++)
        sum += most[i];
    return sum;
}

/* "dot fc1.weight": the op, and the first state that the step writes, else reads. */
static const char *label_of(const Plan *plan, const Step *step)
{
    const Program *program = plan->input->program;
    Text text = {.arena = plan->arena};
    bool copies = step->parts == 1 && step->part[0].kernel->scalar.count == 2 &&
                  step->part[0].kernel->scalar.at[1].op == SCALAR_load && !step->flops;
    Op op = graph_node(plan->input->graph, step->main)->op;
    text_add(&text, "%s", copies ? "copy" : op_info[op].name);

    uint32_t best = 0;
    for (uint32_t i = step->reads.count; i-- > 0;) {
        const Slot *slot = &plan->slot.at[step->reads.at[i]];
        if (slot->place == PLACE_state &&
            (!best || program->state.at[slot->index].role == STATE_parameter))
            best = slot->index + 1;
    }
    for (uint32_t i = step->writes.count; i-- > 0;)
        if (plan->slot.at[step->writes.at[i]].place == PLACE_state)
            best = plan->slot.at[step->writes.at[i]].index + 1;
    if (best) text_add(&text, " %s", name_text(program->names, program->state.at[best - 1].name));
    return text_done(&text);
}

static void add_calls(Plan *plan, Module *module, Shared *shared, uint32_t number)
{
    const Step *step = &plan->step.at[number];
    const char *label = label_of(plan, step);
    uint32_t parts = 0;
    for (uint32_t p = 0; p < step->parts; p++) {
        const Kernel *kernel = step->part[p].kernel;
        Span at = kernel->span.count ? kernel->span.at[0] : (Span){0};
        if (number == plan->peak) module->peak_at = at;
        if (plan_is_in_place(plan, &step->part[p])) continue;
        Region *binding = arena_array(plan->arena, Region, kernel->buffer.count);
        for (uint32_t i = 0; i < kernel->buffer.count; i++)
            binding[i] = region_of(plan, &step->part[p], i);
        Call call = {.count = kernel->buffer.count, .binding = binding, .label = label, .at = at};
        call.part = parts++;
        call.bytes = traffic(plan->scratch, kernel);
        call.kernel = share_kernel(plan, module, shared, step->part[p].kernel);
        *list_add(plan->arena, &module->call) = call;
        module->bytes += call.bytes;
    }
    if (parts) list_last(&module->call)->flops = step->flops;
    module->flops += step->flops;
}

static void write_calls(Plan *plan, Module *module)
{
    Shared shared = {.room = 64};
    while (shared.room < 4 * plan->step.count + 4)
        shared.room *= 2;
    shared.table = arena_array(plan->scratch, uint32_t, shared.room);
    shared.hash = arena_array(plan->scratch, uint64_t, 2 * plan->step.count + 2);
    for (uint32_t i = 0; i + 1 < plan->step.count; i++)
        add_calls(plan, module, &shared, plan->order[i]);
}

static int64_t ports_bytes(const Port *port, uint32_t count)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += shape_elements(&port[i].shape) * type_info[port[i].type].bytes;
    return bytes;
}

/* What the entry needs beside its arena. */
static int64_t fixed_bytes(const Plan *plan, const Module *module)
{
    const Program *program = plan->input->program;
    int64_t bytes = ports_bytes(module->input.at, module->input.count) +
                    ports_bytes(module->output.at, module->output.count);
    for (uint32_t i = 0; i < program->state.count; i++) {
        const State *state = &program->state.at[i];
        bytes += shape_elements(&state->shape) * type_info[state->type].bytes;
    }
    return bytes;
}

static void make_plan(Plan *plan, Module *module)
{
    const PlanInput *input = plan->input;
    plan->slot_of = arena_array(plan->scratch, uint32_t, input->graph->node.count);
    add_sources(plan, module);
    add_literals(plan, module);
    for (uint32_t i = 0; i < input->units->unit.count; i++)
        add_unit(plan, &input->units->unit.at[i]);
    bind_results(plan, module);
    int64_t fixed = fixed_bytes(plan, module);
    if (input->memory > 0) plan->budget = input->memory > fixed ? input->memory - fixed : 1;
    plan_order(plan);
    plan_recompute(plan);
    plan_arena(plan);
    write_calls(plan, module);
    module->arena_bytes = plan->arena_bytes;
    module->peak_bytes = plan->arena_bytes + fixed;
}

Module *plan(Arena *arena, const PlanInput *input)
{
    Module *module = arena_new(arena, Module);
    module->name = input->graph->name;
    Plan work = {.arena = arena, .scratch = arena_open(&host_default), .input = input};
    if (!work.scratch) out_of_memory();
    make_plan(&work, module);
    arena_close(work.scratch);
    return module;
}

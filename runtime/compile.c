#include "runtime/compile.h"
#include "ir/base/boundary.h"
#include "passes/pass.h"
#include "passes/quantize.h"
#include "runtime/state.h"

#include <string.h>

int64_t port_bytes(const Port *port)
{
    return shape_elements(&port->shape) * type_info[port->type].bytes;
}

const TrainSettings *model_settings(const mlc_model *model)
{
    const TrainSettings *train = model->experiment ? experiment_train(model->experiment) : NULL;
    return train && train->present ? train : NULL;
}

static const Split *training_split(const mlc_model *model)
{
    const Split *split = data_split(model->data, "train");
    return split ? split : data_split_at(model->data, 0);
}

Status model_batch(mlc_model *model, int64_t *batch)
{
    const TrainSettings *train = model_settings(model);
    *batch = 1;
    if (!train) return STATUS_ok;
    *batch = train->batch;
    if (train->batch > 0 && !model->data) return STATUS_ok;
    TRY(model_data(model));
    int64_t count = training_split(model)->count;
    if (train->batch == 0 || train->batch > count) *batch = count;
    return STATUS_ok;
}

/* The window of `text("file", window: 256)`, so that checking a model needs no data. */
static int64_t declared_window(const DataBlock *block)
{
    for (uint32_t i = 0; block && i < block->count; i++) {
        const Static *value = &block->entry[i].value;
        if (value->kind != STATIC_call) continue;
        for (uint32_t j = 0; j < value->count; j++)
            if (!strcmp(value->label[j], "window")) return (int64_t)value->element[j].number;
    }
    return 0;
}

/* Extents that only the data knows: axis 1.. of the field that feeds an input. */
static int64_t data_extent(void *user, uint32_t input, int axis)
{
    mlc_model *model = user;
    const DataBlock *block = experiment_data(model->experiment);
    int64_t window = declared_window(block);
    if (window > 0) return window;
    if (!block || model_data(model) != STATUS_ok) return 0;
    const Split *split = training_split(model);
    if (!split || input >= split->field_count) return 0;
    const Shape *sample = &split->field[input].sample;
    return axis >= 1 && axis <= sample->rank ? sample->extent[axis - 1] : 0;
}

/* Schedules need to know how long the run is. What does not train (check, dump, bench) does without the data, and assumes a length:
 * neither costs nor shapes depend on it. */
#define ASSUMED_STEPS_PER_EPOCH 1000
static void bind_length(mlc_model *model, Binding *binding)
{
    const TrainSettings *train = model_settings(model);
    if (!train) return;
    int64_t samples =
        model->data ? training_split(model)->count : ASSUMED_STEPS_PER_EPOCH * binding->batch;
    binding->steps_per_epoch = (samples + binding->batch - 1) / binding->batch;
    binding->steps = train->steps > 0 ? train->steps : train->epochs * samples / binding->batch;
}

bool compile_offers(const mlc_model *model, EntryKind kind)
{
    return !model_is_int8(model) || kind == ENTRY_init || kind == ENTRY_eval ||
           kind == ENTRY_predict;
}

static Status refuse_integers(const mlc_model *model, const Compiled *c)
{
    Report *report = model->context.report;
    if (!compile_offers(model, c->kind)) {
        report_error(report, (Span){0}, "`%s` is not computed in int8", entry_name[c->kind]);
        report_hint(report, "train in f32 or bf16, then `mlc quantize`");
        return STATUS_usage;
    }
    report_error(report, (Span){0},
                 "%s multiplies no weights with activations on the way to an `output`: there is "
                 "nothing to compute in int8",
                 model->path);
    return STATUS_invalid;
}

/* What predict multiplies decides for all entries. */
static Status quantize(const mlc_model *model, const Compiled *c)
{
    Program *program = c->elaborated->program;
    if (!c->observes && !model_is_int8(model)) return STATUS_ok;
    Quantization quantization = quantization_of(program, c->arena);
    if (!quantization.weight.count || !compile_offers(model, c->kind))
        return refuse_integers(model, c);
    if (c->observes)
        program->entry[ENTRY_predict] = quantize_observed(program, &quantization);
    else
        quantize_program(program, &quantization);
    return STATUS_ok;
}

static Status elaborate_experiment(mlc_model *model, Compiled *c)
{
    Binding binding = {.batch = c->batch, .data_extent = data_extent, .user = model};
    int64_t train_batch = 0;
    TRY(model_batch(model, &train_batch));
    Binding length = {.batch = train_batch};
    bind_length(model, &length);
    binding.steps = length.steps;
    binding.steps_per_epoch = length.steps_per_epoch;
    c->assumed = !model->data;
    unsigned entries = 1u << c->kind | (model_is_int8(model) ? 1u << ENTRY_predict : 0);
    c->elaborated = experiment_elaborate(model->experiment, c->arena, &binding, entries);
    return c->elaborated ? quantize(model, c) : STATUS_invalid;
}

/* IR text is a program already. */
static Status take_program(mlc_model *model, Compiled *c)
{
    if (model_is_int8(model)) {
        report_error(model->context.report, (Span){0},
                     "%s holds IR text, which is computed as it is written and not in int8",
                     model->path);
        return STATUS_usage;
    }
    TRY(model_program(model));
    Elaborated *elaborated = arena_new(c->arena, Elaborated);
    *elaborated = (Elaborated){.program = model->program};
    c->elaborated = elaborated;
    return STATUS_ok;
}

static Status elaborate(mlc_model *model, Compiled *c)
{
    bool is_program = model_is_program(model);
    TRY(is_program ? take_program(model, c) : elaborate_experiment(model, c));
    c->raw = c->elaborated->program->entry[c->kind];
    if (c->raw) return STATUS_ok;
    const Span nowhere = {0};
    report_error(model->context.report, nowhere, "%s has no entry `%s`", model->path,
                 entry_name[c->kind]);
    if (!is_program)
        report_hint(
            model->context.report,
            "init, step, loss, grad and eval need a `train` block; predict needs an `output`");
    return STATUS_invalid;
}

static void list_ports(Compiled *c, const Graph *graph)
{
    c->input_count = c->output_count = 0;
    Port *input = arena_array(c->arena, Port, graph->node.count);
    uint32_t *source = arena_array(c->arena, uint32_t, graph->node.count);
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = &graph->node.at[id];
        if (node->op != OP_input) continue;
        uint32_t at = c->input_count++;
        input[at] = (Port){node->attribute->name, node->type, graph->shape.at[node->shape]};
        source[at] = UINT32_MAX;
        for (uint32_t i = 0; i < c->elaborated->input_count; i++)
            if (name_same(c->elaborated->input[i].name, input[at].name)) source[at] = i;
    }
    Port *output = arena_array(c->arena, Port, graph->result.count);
    for (uint32_t i = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        if (result->kind != RESULT_output) continue;
        output[c->output_count++] = (Port){result->name, graph_type(graph, result->value),
                                           *graph_shape(graph, result->value)};
    }
    c->input = input;
    c->input_source = source;
    c->output = output;
    c->state = arena_array(c->arena, void *, c->elaborated->program->state.count);
}

static const char *precision_of(const mlc_model *model)
{
    if (model->precision) return model->precision;
    const TrainSettings *train = model_settings(model);
    return train && train->precision ? train->precision : "f32";
}

static Status open_device(mlc_model *model)
{
    if (model->device) return STATUS_ok;
    BackendOptions options = {.threads = model->threads,
                              .cache_folder = model->cache_folder,
                              .target = model->target,
                              .verify = model->verify};
    return model->backend->open(&options, model->context.report, &model->device);
}

Status compiled_memory(mlc_model *model, const Compiled *c, int64_t *bytes)
{
    const Backend *backend = model->backend;
    *bytes = c->module ? c->module->peak_bytes : 0;
    if (!c->module || !backend->scratch) return STATUS_ok;
    TRY(open_device(model));
    *bytes += c->executable ? backend->statistics(c->executable).scratch
                            : backend->scratch(model->device, &model->context, c->module);
    return STATUS_ok;
}

Status compiled_tune(mlc_model *model, const Compiled *c, Tuning *tuning)
{
    TRY(open_device(model));
    BackendEntry entry = {c->elaborated->program, c->graph, c->module};
    return model->backend->tune(model->device, &model->context, &entry, tuning);
}

/* Kernels and plan; under a budget once more, with what the threads' scratch leaves of it, where that is too much.  A budget is there to be
 * used: a plan that fits into it computes nothing again. */
static Status lower(mlc_model *model, Compiled *c, PassOptions *options)
{
    const Program *program = c->elaborated->program;
    options->memory = model->memory;
    c->module = passes_lower(&model->context, c->arena, program, c->graph, options);
    if (model->memory <= 0) return STATUS_ok;
    int64_t bytes;
    TRY(compiled_memory(model, c, &bytes));
    if (bytes <= model->memory) return STATUS_ok;
    options->memory = model->memory - (bytes - c->module->peak_bytes);
    if (options->memory < 1) options->memory = 1;
    c->module = passes_lower(&model->context, c->arena, program, c->graph, options);
    return STATUS_ok;
}

static void mark_used(const Program *program, Name state, bool *used)
{
    for (uint32_t i = 0; i < program->state.count; i++)
        used[i] |= name_same(program->state.at[i].name, state);
}

static const bool *used_states(const Program *program, const Graph *entry, Arena *arena)
{
    bool *used = arena_array(arena, bool, program->state.count);
    for (uint32_t id = 1; id < entry->node.count; id++)
        if (entry->node.at[id].op == OP_read)
            mark_used(program, entry->node.at[id].attribute->name, used);
    for (uint32_t i = 0; i < entry->result.count; i++)
        if (entry->result.at[i].kind == RESULT_write)
            mark_used(program, entry->result.at[i].name, used);
    return used;
}

/* States lie as the entry that used them first has them, and if this is it, as is good for it. So what trains is compiled before
 * what initializes. */
static Status place_states(mlc_model *model, Compiled *c)
{
    Program *program = c->elaborated->program;
    const uint32_t *indices;
    if (c->state_memory) return STATUS_ok;
    TRY(state_map(model, program, c->arena, &indices));
    bool *fixed = arena_array(c->arena, bool, program->state.count);
    for (uint32_t i = 0; i < program->state.count; i++) {
        const StateMemory *memory = &model->state.at[indices[i]];
        fixed[i] = memory->is_placed;
        program->state.at[i].storage = memory->state.storage;
    }
    passes_place(program, c->raw, fixed, c->arena);
    const bool *used = used_states(program, c->raw, c->arena);
    for (uint32_t i = 0; i < program->state.count; i++) {
        StateMemory *memory = &model->state.at[indices[i]];
        memory->state.storage = program->state.at[i].storage;
        memory->is_placed |= used[i];
    }
    c->state_memory = indices; /* last: memory may run out before, and all is decided anew */
    return STATUS_ok;
}

static Status run_passes(mlc_model *model, Compiled *c, CompileDepth depth, PassOptions *options)
{
    const Program *program = c->elaborated->program;
    if (!c->graph) {
        TRY(place_states(model, c));
        Graph *graph = passes_run(&model->context, c->arena, program, c->raw, options);
        list_ports(c, graph);
        c->graph =
            graph; /* last: memory may run out before, and what is there by halves is made anew */
    }
    if (depth >= COMPILE_module && !c->module && !model->backend->takes_graph)
        TRY(lower(model, c, options));
    return STATUS_ok;
}

/* What is said is exact: what recomputing could not save is refused before anything is allocated. */
static Status keep_budget(mlc_model *model, const Compiled *c)
{
    int64_t bytes;
    if (model->memory <= 0) return STATUS_ok;
    TRY(compiled_memory(model, c, &bytes));
    if (bytes <= model->memory) return STATUS_ok;
    Report *report = model->context.report;
    const Span nowhere = {0};
    report_error(report, nowhere, "%s needs %lld bytes, and --memory allows %lld",
                 entry_name[c->kind], (long long)bytes, (long long)model->memory);
    report_hint(report, "a smaller batch needs less; `mlc check` says how much");
    return STATUS_failed;
}

/* For whoever wants to know what takes the time before anything runs. */
static void tell_compiled(mlc_model *model, const Compiled *c, double seconds)
{
    Text text = {.arena = model->arena};
    text_add(&text, "%s, batch %lld: ", entry_name[c->kind], (long long)c->batch);
    if (c->module) text_add(&text, "%u kernels, ", c->module->call.count);
    uint32_t tuned = c->executable ? model->backend->statistics(c->executable).tuned : 0;
    if (tuned) text_add(&text, "%u tuned, ", tuned);
    text_add(&text, "%.2f s", seconds);
    mlc_event event = {.kind = MLC_EVENT_COMPILED, .text = text_done(&text)};
    session_event(model->session, &event);
}

static Status advance(mlc_model *model, Compiled *c, CompileDepth depth, PassOptions *options)
{
    double start = session_clock();
    bool lowers = depth >= COMPILE_module && !c->module && !c->executable;
    if (!c->raw) TRY(elaborate(model, c));
    if (depth >= COMPILE_passes) TRY(run_passes(model, c, depth, options));
    if (depth >= COMPILE_full && !c->executable) {
        TRY(keep_budget(model, c));
        TRY(open_device(model));
        BackendEntry entry = {c->elaborated->program, c->graph, c->module};
        TRY(model->backend->compile(model->device, &model->context, &entry, &c->executable));
    }
    double seconds = session_clock() - start;
    c->seconds += seconds;
    if (lowers) tell_compiled(model, c, seconds);
    return STATUS_ok;
}

static Compiled *find(mlc_model *model, EntryKind kind, int64_t batch)
{
    for (Compiled *c = model->compiled; c; c = c->next)
        if (c->kind == kind && c->batch == batch && c->observes == model->observes &&
            !(c->assumed && model->data))
            return c;
    Compiled *c = arena_new(model->arena, Compiled);
    Arena *arena = arena_open(&model->session->host);
    if (!arena) out_of_memory();
    *c = (Compiled){.next = model->compiled,
                    .arena = arena,
                    .batch = batch,
                    .kind = kind,
                    .observes = model->observes};
    model->compiled = c;
    return c;
}

/* What is only allowed where it is faster is not done where it is not. */
static Status pass_options(mlc_model *model, PassOptions *options)
{
    const char *precision = precision_of(model);
    const Backend *backend = model->backend;
    if (!strcmp(precision, "f32_fast")) {
        TRY(open_device(model));
        if (!backend->is_fast_in_bf16 || !backend->is_fast_in_bf16(model->device))
            precision = "f32";
    }
    *options = (PassOptions){.verify = model->verify, .precision = precision, .alignment = 64};
    return STATUS_ok;
}

Status compile_dump(mlc_model *model, EntryKind kind,
                    void (*dump)(void *user, const char *pass, const Graph *graph), void *user,
                    const Graph **graph)
{
    Compiled *c;
    TRY(compile_entry(model, kind, 0, COMPILE_graph, &c));
    PassOptions options;
    TRY(place_states(model, c));
    TRY(pass_options(model, &options));
    options.dump = dump;
    options.user = user;
    *graph = passes_run(&model->context, c->arena, c->elaborated->program, c->raw, &options);
    return STATUS_ok;
}

Status compile_entry(mlc_model *model, EntryKind kind, int64_t batch, CompileDepth depth,
                     Compiled **compiled)
{
    if (batch == 0) TRY(model_batch(model, &batch));
    Compiled *c = find(model, kind, batch);
    PassOptions options;
    TRY(pass_options(model, &options));
    TRY(advance(model, c, depth, &options));
    *compiled = c;
    return STATUS_ok;
}

Status compiled_run(mlc_model *model, const Compiled *compiled, const void *const *input,
                    void *const *output)
{
    for (uint32_t i = 0; i < compiled->elaborated->program->state.count; i++)
        compiled->state[i] = model->state.at[compiled->state_memory[i]].bytes;
    return model->backend->run(compiled->executable, input, output, compiled->state);
}

Status entry_named(mlc_model *model, const char *name, EntryKind *kind)
{
    for (int i = 0; i < ENTRY_COUNT; i++)
        if (!strcmp(entry_name[i], name)) {
            *kind = (EntryKind)i;
            return STATUS_ok;
        }
    const Span nowhere = {0};
    report_error(model->context.report, nowhere, "unknown entry `%s`", name);
    report_hint(model->context.report, "the entries are init, step, loss, grad, eval and predict");
    return STATUS_usage;
}

/* Entries on memory (mlc_call) and on files (mlc_run). */
#include "runtime/call.h"
#include "ir/base/boundary.h"
#include "runtime/state.h"

#include <string.h>

typedef struct Calling {
    mlc_model *model;
    const char *entry, *weights, *in, *out;
    const void *const *input;
    void *const *output;
    const Compiled *compiled;
    TensorSet read, written; /* of files */
} Calling;

/* The rate of a step depends on the length of the run, which only the data knows. */
static Status know_length(mlc_model *model, EntryKind kind)
{
    bool asks = kind == ENTRY_step && experiment_data(model->experiment);
    return asks ? model_data(model) : STATUS_ok;
}

static Status compile_for(Calling *c, int64_t batch)
{
    EntryKind kind;
    Compiled *compiled;
    TRY(entry_named(c->model, c->entry, &kind));
    TRY(know_length(c->model, kind));
    TRY(compile_entry(c->model, kind, batch, COMPILE_full, &compiled));
    c->compiled = compiled;
    return STATUS_ok;
}

/* --- on memory ----------------------------------------------------------------------------------------------------------- */

static mlc_tensor tensor_of(mlc_model *model, const Port *port)
{
    return (mlc_tensor){.name = name_text(model->context.names, port->name),
                        .type = type_info[port->type].name,
                        .rank = port->shape.rank,
                        .extent = port->shape.extent,
                        .bytes = (size_t)port_bytes(port)};
}

static const mlc_tensor *tensors_of(mlc_model *model, const Port *port, uint32_t count)
{
    mlc_tensor *tensor = arena_array(model->arena, mlc_tensor, count);
    for (uint32_t i = 0; i < count; i++)
        tensor[i] = tensor_of(model, &port[i]);
    return tensor;
}

static Status work_ports(void *argument)
{
    return compile_for(argument, 0);
}

mlc_status mlc_entry_ports(mlc_model *model, const char *entry, const mlc_tensor **inputs,
                           uint32_t *input_count, const mlc_tensor **outputs,
                           uint32_t *output_count)
{
    if (!model || !entry || !inputs || !input_count || !outputs || !output_count)
        return model_misused(model);
    Calling calling = {.model = model, .entry = entry};
    mlc_status status = model_guard(model, work_ports, &calling);
    if (status != MLC_OK) return status;
    const Compiled *c = calling.compiled;
    *inputs = tensors_of(model, c->input, c->input_count);
    *outputs = tensors_of(model, c->output, c->output_count);
    *input_count = c->input_count;
    *output_count = c->output_count;
    return MLC_OK;
}

static Status require_buffers(mlc_model *model, const Port *port, uint32_t count,
                              const void *const *buffer)
{
    for (uint32_t i = 0; i < count; i++) {
        if (buffer && buffer[i]) continue;
        report_error(model->context.report, (Span){0}, "there is no buffer for `%s`",
                     name_text(model->context.names, port[i].name));
        report_hint(model->context.report, "mlc_entry_ports lists what the entry takes and gives");
        return STATUS_usage;
    }
    return STATUS_ok;
}

static Status work_call(void *argument)
{
    Calling *c = argument;
    TRY(compile_for(c, 0));
    TRY(state_initialize(c->model));
    const Compiled *entry = c->compiled;
    TRY(require_buffers(c->model, entry->input, entry->input_count, c->input));
    TRY(require_buffers(c->model, entry->output, entry->output_count,
                        (const void *const *)c->output));
    TRY(call_check_bounds(c->model, entry, c->input));
    return compiled_run(c->model, entry, c->input, c->output);
}

mlc_status mlc_call(mlc_model *model, const char *entry, const void *const *inputs,
                    void *const *outputs)
{
    if (!model || !entry) return model_misused(model);
    Calling calling = {.model = model, .entry = entry, .input = inputs, .output = outputs};
    return model_guard(model, work_call, &calling);
}

static Status work_weights(void *argument)
{
    mlc_model *model = argument;
    TRY(state_initialize(model));
    model->tensor.count = 0;
    for (uint32_t i = 0; i < model->state.count; i++) {
        StateMemory *state = &model->state.at[i];
        if (!state_is_weight(state)) continue;
        const Port port = {state->state.name, state->state.type, state->state.shape};
        mlc_tensor tensor = tensor_of(model, &port);
        tensor.extent = state->state.shape.extent;
        TRY(state_lend(model, state, &tensor.data));
        *list_add(model->arena, &model->tensor) = tensor;
    }
    return STATUS_ok;
}

mlc_status mlc_weights(mlc_model *model, const mlc_tensor **tensors, uint32_t *count)
{
    if (!model || !tensors || !count) return model_misused(model);
    mlc_status status = model_guard(model, work_weights, model);
    *tensors = model->tensor.at;
    *count = status == MLC_OK ? model->tensor.count : 0;
    return status;
}

static Status work_save(void *argument)
{
    Calling *c = argument;
    TRY(state_initialize(c->model));
    return state_save_weights(c->model, c->out);
}

mlc_status mlc_save(mlc_model *model, const char *path)
{
    if (!model || !path) return model_misused(model);
    Calling calling = {.model = model, .out = path};
    return model_guard(model, work_save, &calling);
}

static Status work_load(void *argument)
{
    Calling *c = argument;
    return state_load_weights(c->model, c->in);
}

mlc_status mlc_load(mlc_model *model, const char *path)
{
    if (!model || !path) return model_misused(model);
    Calling calling = {.model = model, .in = path};
    return model_guard(model, work_load, &calling);
}

/* --- on files -------------------------------------------------------------------------------------------------------------- */

static Status mismatch(mlc_model *model, const char *path, const Port *port, const Tensor *tensor)
{
    Report *report = model->context.report;
    Text ours = {.arena = model->arena}, theirs = {.arena = model->arena};
    const char *name = name_text(model->context.names, port->name);
    shape_print(&ours, port->type, &port->shape);
    if (!tensor) {
        report_error(report, (Span){0}, "%s has no tensor `%s`", path, name);
        report_hint(report, "it must be %s", text_done(&ours));
        return STATUS_invalid;
    }
    shape_print(&theirs, tensor->type, &tensor->shape);
    report_error(report, (Span){0}, "`%s` in %s is %s, the entry takes %s", name, path,
                 text_done(&theirs), text_done(&ours));
    return STATUS_invalid;
}

/* The batch of a file: the first axis of the first model input that it holds. */
static int64_t batch_in(mlc_model *model, const TensorSet *set, const Compiled *probe)
{
    for (uint32_t i = 0; i < probe->elaborated->input_count; i++) {
        const ModelInput *input = &probe->elaborated->input[i];
        const Tensor *tensor = tensor_set_find(set, name_text(model->context.names, input->name));
        if (tensor && input->batched && tensor->shape.rank > 0) return tensor->shape.extent[0];
    }
    return 0;
}

static int64_t integer_at(Type type, const void *bytes, int64_t i)
{
    switch (type) {
    case TYPE_i64: return ((const int64_t *)bytes)[i];
    case TYPE_i32: return ((const int32_t *)bytes)[i];
    case TYPE_i8: return ((const int8_t *)bytes)[i];
    case TYPE_u32: return ((const uint32_t *)bytes)[i];
    case TYPE_u8:
    case TYPE_bool: return ((const uint8_t *)bytes)[i];
    case TYPE_none:
    case TYPE_f32:
    case TYPE_bf16:
    case TYPE_f16:
    case TYPE_COUNT: break;
    }
    return 0;
}

Status call_check_bounds(mlc_model *model, const Compiled *compiled, const void *const *input)
{
    for (uint32_t i = 0; i < compiled->input_count; i++) {
        if (compiled->input_source[i] == UINT32_MAX) continue;
        const ModelInput *declared = &compiled->elaborated->input[compiled->input_source[i]];
        int64_t count = shape_elements(&compiled->input[i].shape);
        for (int64_t j = 0; declared->bound > 0 && j < count; j++) {
            int64_t value = integer_at(compiled->input[i].type, input[i], j);
            if (value >= 0 && value < declared->bound) continue;
            report_error(model->context.report, declared->bound_at,
                         "value %lld of `%s`, element %lld, is outside [0, %lld)", (long long)value,
                         name_text(model->context.names, declared->name), (long long)j,
                         (long long)declared->bound);
            return STATUS_invalid;
        }
    }
    return STATUS_ok;
}

/* Frameworks write labels as 64-bit integers; any integer type serves whose values fit. NULL if one does not. */
static const void *as_integers(const Calling *c, const Tensor *tensor, Type type)
{
    int64_t count = shape_elements(&tensor->shape);
    uint8_t *bytes = arena_alloc(c->model->arena, (size_t)count * type_info[type].bytes + 64);
    bytes = (uint8_t *)(((uintptr_t)bytes + 63) & ~(uintptr_t)63);
    for (int64_t i = 0; i < count; i++) {
        int64_t value = integer_at(tensor->type, tensor->bytes, i);
        memcpy(bytes + i * type_info[type].bytes, &value,
               type_info[type].bytes); /* little-endian hosts */
        if (integer_at(type, bytes, i) != value) return NULL;
    }
    return bytes;
}

static Status bind_inputs(const Calling *c, const TensorSet *set, const void **input)
{
    const char *path = c->in ? c->in : "the input (--in)";
    for (uint32_t i = 0; i < c->compiled->input_count; i++) {
        const Port *port = &c->compiled->input[i];
        const Tensor *tensor = tensor_set_find(set, name_text(c->model->context.names, port->name));
        bool fits = tensor && shape_same(&tensor->shape, &port->shape);
        if (fits && tensor->type == port->type)
            input[i] = tensor->bytes;
        else if (fits && type_is_integer(tensor->type) && type_is_integer(port->type))
            input[i] = as_integers(c, tensor, port->type);
        else
            return mismatch(c->model, path, port, tensor);
        if (!input[i]) return mismatch(c->model, path, port, tensor);
    }
    return call_check_bounds(c->model, c->compiled, input);
}

static Status add_outputs(const Calling *c, TensorSet *set, void **output)
{
    for (uint32_t i = 0; i < c->compiled->output_count; i++) {
        const Port *port = &c->compiled->output[i];
        const Tensor *tensor = tensor_set_add(set, name_text(c->model->context.names, port->name),
                                              port->type, &port->shape);
        if (!tensor) return STATUS_no_memory;
        output[i] = tensor->bytes;
    }
    /* The set's own list may have moved while it grew; the tensors' bytes have not. */
    return STATUS_ok;
}

/* What the entry wrote: all states of init; of step, the weights. */
static Status add_states(const Calling *c, TensorSet *set)
{
    bool all = c->compiled->kind == ENTRY_init;
    for (uint32_t i = 0; i < c->model->state.count; i++) {
        const StateMemory *state = &c->model->state.at[i];
        if (!all && !state_is_weight(state)) continue;
        const Tensor *tensor =
            tensor_set_add(set, name_text(c->model->context.names, state->state.name),
                           state->state.type, &state->state.shape);
        if (!tensor) return STATUS_no_memory;
        state_copy_out(state, tensor->bytes);
    }
    return STATUS_ok;
}

static Status run_with(Calling *c)
{
    mlc_model *model = c->model;
    const TensorSet *in = &c->read;
    TensorSet *out = &c->written;
    EntryKind kind;
    Compiled *probe;
    TRY(entry_named(model, c->entry, &kind));
    TRY(know_length(model, kind));
    if (c->weights) TRY(state_take_precision(model, c->weights));
    TRY(compile_entry(model, kind, 0, COMPILE_graph, &probe));
    TRY(compile_for(c, batch_in(model, in, probe)));
    TRY(state_initialize(model));
    if (c->weights) TRY(state_load_weights(model, c->weights));
    const void **input = arena_array(model->arena, const void *, c->compiled->input_count);
    void **output = arena_array(model->arena, void *, c->compiled->output_count);
    const int32_t seed = (int32_t)model->seed;
    if (kind != ENTRY_init)
        TRY(bind_inputs(c, in, input));
    else if (c->compiled->input_count)
        input[0] = &seed;
    TRY(add_outputs(c, out, output));
    TRY(compiled_run(model, c->compiled, input, output));
    return kind == ENTRY_step || kind == ENTRY_init ? add_states(c, out) : STATUS_ok;
}

static Status run_on_files(void *argument)
{
    Calling *c = argument;
    if (c->in) TRY(safetensors_read(&c->read, c->in, c->model->context.report));
    TRY(run_with(c));
    return safetensors_write(&c->written, c->out, c->model->context.report);
}

static void close_files(void *argument)
{
    Calling *c = argument;
    tensor_set_close(&c->read);
    tensor_set_close(&c->written);
}

static Status work_run(void *argument)
{
    Calling *c = argument;
    const Host *host = &c->model->session->host;
    tensor_set_open(&c->read, host);
    tensor_set_open(&c->written, host);
    return boundary_clean(run_on_files, close_files, c);
}

mlc_status mlc_run(mlc_model *model, const char *entry, const char *weights, const char *in,
                   const char *out)
{
    if (!model || !entry || !out) return model_misused(model);
    Calling calling = {.model = model, .entry = entry, .weights = weights, .in = in, .out = out};
    return model_guard(model, work_run, &calling);
}

#include "runtime/state.h"
#include "ir/base/boundary.h"

#include <string.h>

static const char *text_of(const mlc_model *model, Name name)
{
    return name_text(model->context.names, name);
}

/* One set of buffers serves every batch size, so a state that changes its shape with the batch has none to live in. */
static Status same_state(const mlc_model *model, const State *old, const State *new)
{
    if (old->type == new->type && shape_same(&old->shape, &new->shape)) return STATUS_ok;
    Report *report = model->context.report;
    Text was = {.arena = model->arena}, is = {.arena = model->arena};
    shape_print(&was, old->type, &old->shape);
    shape_print(&is, new->type, &new->shape);
    report_error(report, new->at, "`%s` is %s at one size of the batch and %s at another",
                 text_of(model, new->name), text_done(&was), text_done(&is));
    report_hint(report, "what is kept from step to step has one shape: the batch cannot be in it");
    return STATUS_invalid;
}

Status state_map(mlc_model *model, const Program *program, Arena *arena, const uint32_t **indices)
{
    uint32_t *map = arena_array(arena, uint32_t, program->state.count);
    for (uint32_t i = 0; i < program->state.count; i++) {
        const State *state = &program->state.at[i];
        uint32_t at = 0;
        while (at < model->state.count && !name_same(model->state.at[at].state.name, state->name))
            at++;
        if (at == model->state.count)
            *list_add(model->arena, &model->state) = (StateMemory){.state = *state};
        TRY(same_state(model, &model->state.at[at].state, state));
        map[i] = at;
    }
    *indices = map;
    return STATUS_ok;
}

/* Row by row of the split shape, from `at` axes on. */
static void copy_axes(const StateMemory *state, const int64_t *stride, int at, char *stored,
                      char **elements, bool is_out)
{
    const Shape *split = &state->state.storage.split;
    size_t bytes = type_info[state->state.type].bytes;
    for (int64_t i = 0; i < split->extent[at]; i++, stored += stride[at] * (int64_t)bytes) {
        if (at + 1 < split->rank) {
            copy_axes(state, stride, at + 1, stored, elements, is_out);
            continue;
        }
        memcpy(is_out ? *elements : stored, is_out ? stored : *elements, bytes);
        *elements += bytes;
    }
}

static void copy_elements(const StateMemory *state, char *elements, bool is_out)
{
    const Storage *storage = &state->state.storage;
    if (!storage->split.rank) {
        memcpy(is_out ? elements : state->bytes, is_out ? state->bytes : elements, state->size);
        return;
    }
    Shape stored = state_stored(&state->state);
    int64_t own[MAX_RANK], stride[MAX_RANK];
    shape_strides(&stored, own);
    for (int i = 0; i < stored.rank; i++)
        stride[storage->order.at[i]] = own[i];
    copy_axes(state, stride, 0, state->bytes, &elements, is_out);
}

void state_copy_out(const StateMemory *state, void *elements)
{
    copy_elements(state, elements, true);
}

void state_copy_in(const StateMemory *state, const void *elements)
{
    copy_elements(state, (char *)(uintptr_t)elements, false);
}

Status state_lend(const mlc_model *model, StateMemory *state, void **elements)
{
    *elements = state->bytes;
    if (!state->state.storage.split.rank) return STATUS_ok;
    if (!state->plain) state->plain = aligned_new(&model->session->host, state->size);
    if (!state->plain) return STATUS_no_memory;
    state_copy_out(state, state->plain);
    state->is_lent = true;
    *elements = state->plain;
    return STATUS_ok;
}

void state_take_back(mlc_model *model)
{
    for (uint32_t i = 0; i < model->state.count; i++) {
        StateMemory *state = &model->state.at[i];
        if (state->is_lent) state_copy_in(state, state->plain);
        state->is_lent = false;
    }
}

StateMemory *state_find(mlc_model *model, const char *name)
{
    for (uint32_t i = 0; i < model->state.count; i++)
        if (!strcmp(text_of(model, model->state.at[i].state.name), name))
            return model->state.at[i].bytes ? &model->state.at[i] : NULL;
    return NULL;
}

bool state_is_weight(const StateMemory *state)
{
    return state->state.role == STATE_parameter || state->state.role == STATE_buffer;
}

static Status allocate(mlc_model *model)
{
    const Host *host = &model->session->host;
    for (uint32_t i = 0; i < model->state.count; i++) {
        StateMemory *state = &model->state.at[i];
        if (state->bytes) continue;
        state->size =
            (size_t)shape_elements(&state->state.shape) * type_info[state->state.type].bytes;
        state->bytes = aligned_new(host, state->size ? state->size : 1);
        if (!state->bytes) return STATUS_no_memory;
    }
    return STATUS_ok;
}

void state_release(mlc_model *model)
{
    for (uint32_t i = 0; i < model->state.count; i++) {
        const StateMemory *state = &model->state.at[i];
        if (state->bytes) aligned_free(&model->session->host, state->bytes);
        if (state->plain) aligned_free(&model->session->host, state->plain);
    }
    model->state.count = 0;
}

/* A model without training and random numbers has no seed and no init inputs. */
Status state_initialize(mlc_model *model)
{
    if (model->initialized) return STATUS_ok;
    Compiled *init;
    TRY(compile_entry(model, ENTRY_init, 0, COMPILE_full, &init));
    TRY(allocate(model));
    int32_t seed = (int32_t)model->seed;
    const void *input[1] = {&seed};
    TRY(compiled_run(model, init, input, NULL));
    model->initialized = true;
    return STATUS_ok;
}

static Status copy_out(mlc_model *model, TensorSet *set, bool weights_only)
{
    for (uint32_t i = 0; i < model->state.count; i++) {
        const StateMemory *state = &model->state.at[i];
        if (!state->bytes || (weights_only && !state_is_weight(state))) continue;
        const State *s = &state->state;
        Tensor *tensor = tensor_set_add(set, text_of(model, s->name), s->type, &s->shape);
        if (!tensor) return STATUS_no_memory;
        state_copy_out(state, tensor->bytes);
    }
    return STATUS_ok;
}

typedef struct Saving {
    mlc_model *model;
    const char *path;
    bool weights_only;
    uint32_t count;
    const Note *notes;
    TensorSet set;
} Saving;

static Status save_set(void *argument)
{
    Saving *s = argument;
    TRY(copy_out(s->model, &s->set, s->weights_only));
    for (uint32_t i = 0; i < s->count; i++)
        TRY(tensor_set_note(&s->set, s->notes[i].key, s->notes[i].value));
    return safetensors_write(&s->set, s->path, s->model->context.report);
}

static void close_set(void *argument)
{
    Saving *s = argument;
    tensor_set_close(&s->set);
}

static Status save(mlc_model *model, const char *path, bool weights_only, uint32_t count,
                   const Note *notes)
{
    Saving saving = {model, path, weights_only, count, notes, {0}};
    tensor_set_open(&saving.set, &model->session->host);
    return boundary_clean(save_set, close_set, &saving);
}

Status state_save_weights(mlc_model *model, const char *path)
{
    const Note note[] = {{"format", "pt"}, {"mlc.weights", "1"}, {NOTE_PRECISION, "int8"}};
    return save(model, path, true, model_is_int8(model) ? 3 : 2, note);
}

Status state_save_checkpoint(mlc_model *model, const char *path, uint32_t count, const Note *notes)
{
    return save(model, path, false, count, notes);
}

/* A checkpoint is our own file: anything that does not fit exactly means another model. */
static Status check_checkpoint(mlc_model *model, const char *path, const TensorSet *set)
{
    const char *misfit = NULL, *what = NULL;
    for (uint32_t i = 0; i < model->state.count && !misfit; i++) {
        const State *state = &model->state.at[i].state;
        const Tensor *tensor = tensor_set_find(set, text_of(model, state->name));
        if (tensor && tensor->type == state->type && shape_same(&tensor->shape, &state->shape))
            continue;
        misfit = text_of(model, state->name);
        what = tensor ? "of another shape" : "missing";
    }
    for (uint32_t i = 0; i < set->count && !misfit; i++) {
        if (state_find(model, set->at[i].name)) continue;
        misfit = arena_text(model->arena, set->at[i].name, strlen(set->at[i].name));
        what = "not of this model";
    }
    if (!misfit) return STATUS_ok;
    Report *report = model->context.report;
    report_error(report, (Span){0}, "%s: `%s` is %s; this checkpoint belongs to another model",
                 path, misfit, what);
    report_hint(
        report,
        "train without --resume to start anew, or restore the model file from the run folder");
    return STATUS_invalid;
}

Status state_load_checkpoint(mlc_model *model, const char *path, TensorSet *set)
{
    tensor_set_open(set, &model->session->host);
    Status status = safetensors_read(set, path, model->context.report);
    if (status == STATUS_ok) status = check_checkpoint(model, path, set);
    for (uint32_t i = 0; i < model->state.count && status == STATUS_ok; i++) {
        const StateMemory *state = &model->state.at[i];
        state_copy_in(state, tensor_set_find(set, text_of(model, state->state.name))->bytes);
    }
    if (status != STATUS_ok) tensor_set_close(set);
    return status;
}

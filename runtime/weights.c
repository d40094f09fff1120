/* Weights from other people's files: names and layouts through the model file's map, every misfit listed, and nothing
 * loaded by halves. */
#include "ir/base/bits.h"
#include "ir/base/boundary.h"
#include "runtime/state.h"

#include <string.h>
#include <sys/stat.h>

typedef struct Loading {
    mlc_model *model;
    const char *path; /* the file itself, not the run folder */
    const WeightMap *map;
    TensorSet set;
    bool *taken; /* one a tensor */
} Loading;

/* A file that we wrote has our names and layouts: the map is for the files of others. */
static bool is_ours(const TensorSet *set)
{
    return tensor_set_noted(set, "mlc.weights") || tensor_set_noted(set, "mlc.step");
}

/* Matches with one `*`; what it stands for is returned in *rest. */
static bool glob(const char *pattern, const char *text, const char **rest, size_t *rest_length)
{
    const char *star = strchr(pattern, '*');
    size_t length = strlen(text), before = star ? (size_t)(star - pattern) : strlen(pattern);
    *rest = text + length;
    *rest_length = 0;
    if (!star) return !strcmp(pattern, text);
    size_t after = strlen(star + 1);
    if (length < before + after || memcmp(pattern, text, before) != 0) return false;
    if (strcmp(star + 1, text + length - after) != 0) return false;
    *rest = text + before;
    *rest_length = length - before - after;
    return true;
}

/* Our name for a tensor of the file; *transpose if a rule asks for it. */
static const char *mapped(const Loading *l, const char *name, bool *transpose)
{
    const char *rest;
    size_t rest_length;
    *transpose = false;
    for (uint32_t i = 0; l->map && i < l->map->count; i++) {
        if (l->map->rule[i].transpose) {
            if (glob(l->map->rule[i].pattern, name, &rest, &rest_length)) *transpose = true;
        } else if (glob(l->map->rule[i].pattern, name, &rest, &rest_length)) {
            Text text = {.arena = l->model->arena};
            const char *target = l->map->rule[i].target, *star = strchr(target, '*');
            text_put(&text, target, star ? (size_t)(star - target) : strlen(target));
            if (star) text_put(&text, rest, rest_length);
            if (star) text_add(&text, "%s", star + 1);
            name = text_done(&text);
        }
    }
    return name;
}

static const Tensor *tensor_for(const Loading *l, const char *name, bool *transpose)
{
    for (uint32_t i = 0; i < l->set.count; i++) {
        if (strcmp(mapped(l, l->set.at[i].name, transpose), name) != 0) continue;
        l->taken[i] = true;
        return &l->set.at[i];
    }
    return NULL;
}

static const char *nearest_in_file(const Loading *l, const char *name)
{
    const char *best = NULL;
    unsigned least = 8;
    for (uint32_t i = 0; i < l->set.count; i++) {
        unsigned distance = text_distance(name, l->set.at[i].name, least);
        if (l->taken[i] || distance >= least) continue;
        best = l->set.at[i].name;
        least = distance;
    }
    return best;
}

static const char *shape_text(const Loading *l, Type type, const Shape *shape)
{
    Text text = {.arena = l->model->arena};
    shape_print(&text, type, shape);
    return text_done(&text);
}

static Shape turned(const Shape *shape)
{
    const int64_t extent[2] = {shape->extent[1], shape->extent[0]};
    return shape_of(2, extent);
}

/* Numbers of a file can become f32; other states take their own type alone. */
static bool type_fits(Type type, Type wanted)
{
    return type == wanted || (wanted == TYPE_f32 && type_is_float(type));
}

static void fits(Loading *l, const StateMemory *state, const Tensor *tensor, bool transpose)
{
    Report *report = l->model->context.report;
    const char *name = name_text(l->model->context.names, state->state.name);
    if (!tensor) {
        const char *near = nearest_in_file(l, name);
        report_error(report, state->state.at, "%s has no `%s`", l->path, name);
        if (near)
            report_hint(report,
                        "it has `%s`; map names with `weights \"file\" { \"theirs\" -> \"ours\" }`",
                        near);
        return;
    }
    if (transpose && tensor->shape.rank != 2) {
        report_error(report, l->map->at, "`%s` cannot be transposed: it is %s", name,
                     shape_text(l, tensor->type, &tensor->shape));
        return;
    }
    Shape shape = transpose ? turned(&tensor->shape) : tensor->shape;
    if (shape_same(&shape, &state->state.shape) &&
        type_fits(tensor->type, transpose ? TYPE_f32 : state->state.type))
        return;
    report_error(report, state->state.at, "`%s` is %s here and %s in %s", name,
                 shape_text(l, state->state.type, &state->state.shape),
                 shape_text(l, tensor->type, &shape), l->path);
    if (state->state.type == TYPE_i8 && type_is_float(tensor->type))
        report_hint(report, "`mlc quantize` makes int8 weights of those");
    if (shape.rank == 2 && state->state.shape.rank == 2 &&
        !shape_same(&shape, &state->state.shape) &&
        shape.extent[0] == state->state.shape.extent[1] &&
        shape.extent[1] == state->state.shape.extent[0])
        report_hint(report, "the file has it transposed: `weights \"%s\" { \"%s\" -> transpose }`",
                    l->path, name);
}

/* What training keeps (in checkpoints and in what `init` writes) and PyTorch's batch counters are not weights, and not
 * surprising either. */
static bool expected_extra(const Loading *l, const char *name)
{
    if (strncmp(name, "optimizer.", 10) == 0 || strncmp(name, "train.", 6) == 0) return true;
    const char *counter = "num_batches_tracked";
    size_t length = strlen(name), counted = strlen(counter);
    if (length >= counted && !strcmp(name + length - counted, counter)) return true;
    return tensor_set_noted(&l->set, "mlc.step") != NULL;
}

static void report_unexpected(const Loading *l)
{
    const Span nowhere = {0};
    for (uint32_t i = 0; i < l->set.count; i++) {
        if (l->taken[i] || expected_extra(l, l->set.at[i].name)) continue;
        report_error(l->model->context.report, nowhere,
                     "%s holds `%s`, which the model does not have", l->path, l->set.at[i].name);
    }
}

static float element(const Tensor *tensor, int64_t i)
{
    const uint8_t *at = (const uint8_t *)tensor->bytes + i * type_info[tensor->type].bytes;
    uint16_t half;
    float value;
    if (tensor->type == TYPE_f32) return memcpy(&value, at, sizeof value), value;
    memcpy(&half, at, sizeof half);
    return tensor->type == TYPE_bf16 ? bits_of_bf16(half) : bits_of_f16(half);
}

static Status copy_in(const Loading *l, const StateMemory *state, const Tensor *tensor,
                      bool transpose)
{
    const Host *host = &l->model->session->host;
    int64_t rows = state->state.shape.extent[0], columns = state->state.shape.extent[1];
    int64_t count = shape_elements(&state->state.shape);
    if (!transpose && tensor->type == state->state.type) {
        state_copy_in(state, tensor->bytes);
        return STATUS_ok;
    }
    float *room = aligned_new(host, state->size ? state->size : 1);
    if (!room) return STATUS_no_memory;
    for (int64_t i = 0; i < count; i++)
        room[i] = element(tensor, transpose ? i % columns * rows + i / columns : i);
    state_copy_in(state, room);
    aligned_free(host, room);
    return STATUS_ok;
}

static void close_weights(void *argument)
{
    Loading *l = argument;
    tensor_set_close(&l->set);
}

static Status load(void *argument)
{
    Loading *l = argument;
    mlc_model *model = l->model;
    bool transpose;
    TRY(safetensors_read(&l->set, l->path, model->context.report));
    l->taken = arena_array(model->arena, bool, l->set.count);
    if (is_ours(&l->set)) l->map = NULL;
    for (uint32_t i = 0; i < model->state.count; i++) {
        const StateMemory *state = &model->state.at[i];
        if (!state_is_weight(state)) continue;
        const Tensor *tensor =
            tensor_for(l, name_text(model->context.names, state->state.name), &transpose);
        fits(l, state, tensor, transpose);
    }
    report_unexpected(l);
    if (report_errors(model->context.report)) return STATUS_invalid;
    for (uint32_t i = 0; i < model->state.count; i++) {
        const StateMemory *state = &model->state.at[i];
        if (!state_is_weight(state)) continue;
        const Tensor *tensor =
            tensor_for(l, name_text(model->context.names, state->state.name), &transpose);
        TRY(copy_in(l, state, tensor, transpose));
    }
    return STATUS_ok;
}

static const char *weight_file(mlc_model *model, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) return path;
    Text best = {.arena = model->arena}, last = {.arena = model->arena};
    text_add(&best, "%s/best.safetensors", path);
    text_add(&last, "%s/checkpoint.safetensors", path);
    return stat(text_done(&best), &status) == 0 ? text_done(&best) : text_done(&last);
}

typedef struct Asking {
    mlc_model *model;
    const char *path;
    TensorSet set;
} Asking;

/* What is wrong with the file is said when it is loaded. */
static Status take_precision(void *argument)
{
    Asking *a = argument;
    mlc_model *model = a->model;
    Report *unheard = report_new(model->arena, model->context.sources);
    Status status = safetensors_read_notes(&a->set, a->path, unheard);
    if (status != STATUS_ok) return status == STATUS_no_memory ? status : STATUS_ok;
    const char *noted = tensor_set_noted(&a->set, NOTE_PRECISION);
    if (!noted || model_is_int8(model)) return STATUS_ok;
    if (strcmp(noted, "int8") != 0) {
        report_error(model->context.report, (Span){0},
                     "%s holds weights of the unknown precision `%s`", a->path, noted);
        report_hint(model->context.report, "a later version of mlc may have written them");
        return STATUS_invalid;
    }
    if (model->precision || model->compiled) {
        report_error(model->context.report, (Span){0}, "%s holds int8 weights, and the model is %s",
                     a->path, model->precision ? model->precision : "at work in another precision");
        report_hint(model->context.report, "open it with precision int8, or without one");
        return STATUS_usage;
    }
    model->precision = "int8";
    return STATUS_ok;
}

static void close_notes(void *argument)
{
    Asking *a = argument;
    tensor_set_close(&a->set);
}

Status state_take_precision(mlc_model *model, const char *path)
{
    Asking asking = {.model = model, .path = weight_file(model, path)};
    tensor_set_open(&asking.set, &model->session->host);
    return boundary_clean(take_precision, close_notes, &asking);
}

Status state_load_weights(mlc_model *model, const char *path)
{
    TRY(state_take_precision(model, path));
    TRY(state_initialize(model));
    Loading l = {.model = model,
                 .path = weight_file(model, path),
                 .map = experiment_weights(model->experiment)};
    tensor_set_open(&l.set, &model->session->host);
    return boundary_clean(load, close_weights, &l);
}

Status state_load_declared(mlc_model *model)
{
    const WeightMap *map = experiment_weights(model->experiment);
    if (!map || !map->file) return STATUS_ok;
    Text path = {.arena = model->arena};
    if (map->file[0] != '/' && strcmp(model->data_folder, ".") != 0)
        text_add(&path, "%s/", model->data_folder);
    text_add(&path, "%s", map->file);
    Status status = state_load_weights(model, text_done(&path));
    if (status != STATUS_ok)
        report_note(model->context.report, map->at, "these weights are asked for here");
    return status;
}

/* Arrays by name from one safetensors file, or one a npy file; the first axis counts the samples. */
#include "runtime/data/load.h"

/* Moves the bytes of a tensor from its set to the data. */
static Status take(Load *load, const Origin *origin, Tensor *tensor, const char *name)
{
    void *bytes = tensor->bytes;
    tensor->bytes = NULL;
    *list_add(load->data->arena, &load->data->aligned) = bytes;
    return load_tensor(load, origin, name, tensor->type, &tensor->shape, bytes);
}

static Status take_named(Load *load, const Origin *file, TensorSet *set, uint32_t i)
{
    const char *name;
    TRY(argument_text(load, i, &name));
    Tensor *tensor = tensor_set_find(set, name);
    if (tensor && tensor->bytes) {
        Origin origin = *file;
        origin.at = argument_at(load, i)->at;
        return take(load, &origin, tensor, name);
    }
    if (tensor) return argument_refuse(load, argument_at(load, i), "`%s` is named twice", name);

    argument_refuse(load, argument_at(load, i), "%s has no tensor `%s`", file->path,
                    shown(name, strlen(name)).text);
    Text words = {.arena = load->context->arena};
    for (uint32_t k = 0; k < set->count && k < 100; k++)
        text_add(&words, "%s%s", k ? " " : "", set->at[k].name);
    const char *near = nearest_word(load->context->arena, name, text_done(&words));
    if (near)
        report_hint(load->context->report, "did you mean `%s`?", near);
    else if (set->count <= 8)
        report_hint(load->context->report, "it has: %s", text_done(&words));
    return STATUS_invalid;
}

Status source_safetensors(Load *load)
{
    const char *path;
    TRY(argument_text(load, 0, &path));
    Origin origin = load_origin(load, argument_at(load, 0), load_path(load, path));
    TensorSet set;
    tensor_set_open(&set, load->data->host);
    Status status = safetensors_load(&set, &origin);
    for (uint32_t i = 1; status == STATUS_ok && i < argument_count(load); i++)
        status = take_named(load, &origin, &set, i);
    tensor_set_close(&set);
    return status;
}

Status source_npy(Load *load)
{
    static const char *const names[] = {"x", "y"};
    for (uint32_t i = 0; i < argument_count(load); i++) {
        const char *path;
        TRY(argument_text(load, i, &path));
        Origin origin = load_origin(load, argument_at(load, i), load_path(load, path));
        TensorSet set;
        tensor_set_open(&set, load->data->host);
        Status status = npy_load(&set, "array", &origin);
        if (status == STATUS_ok) status = take(load, &origin, set.at, i < 2 ? names[i] : "more");
        tensor_set_close(&set);
        TRY(status);
    }
    return STATUS_ok;
}

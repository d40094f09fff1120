/* A file as the samples of one split, for predict: the source is told by the file's ending, the fields by the model's
 * inputs. */
#include "runtime/data/load.h"
#include "runtime/data/picture.h"

static Status open_picture(Load *load, const Origin *origin)
{
    Picture picture;
    TRY(picture_read(origin, &picture));
    /* A model of gray or color pictures gets its kind. */
    int channels =
        load->features == 1 || load->features == 3 ? (int)load->features : picture.channels;
    size_t bytes = (size_t)(picture.width * picture.height) * (size_t)channels;
    uint8_t *planes = load_block(load, bytes);
    if (planes) picture_planes(&picture, channels, planes);
    aligned_free(load->data->host, picture.pixels);
    if (!planes) return STATUS_no_memory;
    Shape shape = {4, {1, channels, picture.height, picture.width}};
    return load_tensor(load, origin, "image", TYPE_u8, &shape, planes);
}

/* Tensors by the inputs' names; a file of one tensor feeds one input under any name. */
static Status open_tensors(Load *load, const Origin *origin, uint32_t input_count,
                           const ModelInput *input)
{
    TensorSet set;
    tensor_set_open(&set, load->data->host);
    Status status = safetensors_load(&set, origin);
    for (uint32_t i = 0; status == STATUS_ok && i < input_count; i++) {
        const char *name = name_text(load->context->names, input[i].name);
        Tensor *tensor = set.count == 1 && input_count == 1 ? set.at : tensor_set_find(&set, name);
        if (!tensor) {
            status = origin_refuse(origin, "has no tensor `%s` for the input of that name", name);
            break;
        }
        *list_add(load->data->arena, &load->data->aligned) = tensor->bytes;
        status = load_tensor(load, origin, name, tensor->type, &tensor->shape, tensor->bytes);
        tensor->bytes = NULL;
    }
    tensor_set_close(&set);
    return status;
}

static Status open_call(Load *load, Status (*source)(Load *load), const char *path)
{
    Static argument = {.kind = STATIC_text, .text = path};
    Static call = {.kind = STATIC_call, .text = "file", .count = 1, .element = &argument};
    load->call = &call;
    Status status = source(load);
    load->call = NULL;
    return status;
}

/* The first input's features (csv) or channels (pictures). */
static int64_t count_features(const char *path, const ModelInput *input)
{
    const Shape *shape = &input->shape;
    bool is_table =
        path_ends(path, ".csv") || path_ends(path, ".csv.gz") || path_ends(path, ".tsv");
    if (is_table) return shape->rank == 2 ? shape->extent[1] : 1;
    return shape->rank == 4 ? shape->extent[1] : shape->rank == 3 ? 1 : 0;
}

static Status open_any(Load *load, const char *path, uint32_t input_count, const ModelInput *input)
{
    static const Static nowhere = {.kind = STATIC_text};
    Origin origin = load_origin(load, &nowhere, load_path(load, path));
    load->call = &nowhere;
    if (input_count) load->features = count_features(path, &input[0]);
    if (path_ends(path, ".safetensors")) return open_tensors(load, &origin, input_count, input);
    if (path_ends(path, ".npy")) return open_call(load, source_npy, path);
    if (path_ends(path, ".csv") || path_ends(path, ".csv.gz") || path_ends(path, ".tsv"))
        return open_call(load, source_csv, path);
    if (path_ends(path, ".png") || path_ends(path, ".jpg") || path_ends(path, ".jpeg"))
        return open_picture(load, &origin);
    return origin_refuse(&origin,
                         "samples are read from .safetensors, .npy, .csv, .png and .jpg files");
}

Status data_open_file(Context *context, const char *path, const DataOptions *options,
                      uint32_t input_count, const ModelInput *input, Data **data)
{
    *data = options->host->resize(options->host->user, NULL, sizeof **data);
    if (!*data) return STATUS_no_memory;
    **data = (Data){.host = options->host, .arena = arena_open(options->host)};
    Part part = {.split.name = "file"};
    Load load = {.context = context, .data = *data, .options = options, .part = &part};
    Status status = (*data)->arena ? open_any(&load, path, input_count, input) : STATUS_no_memory;
    if (status == STATUS_ok) {
        *list_add((*data)->arena, &(*data)->parts) = part;
        return STATUS_ok;
    }
    data_close(*data);
    *data = NULL;
    return status;
}

/* The binary version of CIFAR-10: records of a label and 3 x 32 x 32 pixels, planes of red, green and blue.
 * https://www.cs.toronto.edu/~kriz/cifar.html */
#include "runtime/data/load.h"

enum { RECORD = 3073, CLASSES = 10 };
#define MAX_FILE ((size_t)1 << 38)

static const char *const class_names[CLASSES] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

static Status check_records(const Origin *origin, const char *bytes, size_t size)
{
    if (size == 0 || size % RECORD)
        return origin_refuse(origin, "%zu bytes are no whole number of CIFAR-10 records of 3073",
                             size);
    for (size_t i = 0; i < size; i += RECORD)
        if ((unsigned char)bytes[i] >= CLASSES)
            return origin_refuse(origin, "label %u of image %zu is outside [0, 10)",
                                 (unsigned char)bytes[i], i / RECORD);
    return STATUS_ok;
}

/* Appends one file to the records read so far. */
static Status append(Load *load, const Origin *origin, char **all, size_t *count)
{
    const Host *host = load->data->host;
    char *bytes;
    size_t size;
    TRY(file_load(origin, MAX_FILE, 0, &bytes, &size));
    Status status = check_records(origin, bytes, size);
    if (status == STATUS_ok && !*all) {
        *all = bytes;
        *count = size;
        return STATUS_ok;
    }
    char *more = status == STATUS_ok ? host->resize(host->user, *all, *count + size) : NULL;
    if (status == STATUS_ok && !more) status = load_no_memory(load, *count + size);
    if (more) {
        memcpy(more + *count, bytes, size);
        *all = more;
        *count += size;
    }
    host->resize(host->user, bytes, 0);
    return status;
}

Status cifar_load(Load *load, const Static *argument, const char *const *paths, uint32_t count)
{
    char *all = NULL;
    size_t size = 0;
    Status status = STATUS_ok;
    for (uint32_t i = 0; status == STATUS_ok && i < count; i++) {
        Origin origin = load_origin(load, argument, paths[i]);
        status = append(load, &origin, &all, &size);
    }
    if (all) load_keep(load, all);
    TRY(status);

    const char *path =
        count == 1 ? paths[0] : load_text(load, paths[0], (size_t)(path_name(paths[0]) - paths[0]));
    Field *image = load_field(load, "image", path), *label = load_field(load, "label", path);
    image->type = label->type = TYPE_u8;
    image->stride = label->stride = RECORD;
    image->sample = shape_of(3, (int64_t[]){3, 32, 32});
    image->bytes = (const uint8_t *)all + 1;
    label->bytes = (const uint8_t *)all;
    load->part->split.class_count = CLASSES;
    load->part->split.class_name = class_names;
    Origin origin = load_origin(load, argument, path);
    return load_count(load, &origin, (int64_t)(size / RECORD));
}

/* Every argument is a file, or a pattern of files in one folder. */
Status source_cifar(Load *load)
{
    Paths all = {0};
    for (uint32_t i = 0; i < argument_count(load); i++) {
        const char *text;
        TRY(argument_text(load, i, &text));
        const char *path = load_path(load, text), *name = path_name(path);
        Paths some = {0};
        if (strpbrk(name, "*?[")) {
            const char *folder =
                name > path ? load_text(load, path, (size_t)(name - path - (name - path > 1)))
                            : ".";
            TRY(paths_in(load, argument_at(load, i), folder, name, false, &some));
        } else {
            *list_add(load->data->arena, &some) = path;
        }
        if (some.count == 0)
            return argument_refuse(load, argument_at(load, i), "no file matches %s", path);
        for (uint32_t k = 0; k < some.count; k++)
            *list_add(load->data->arena, &all) = some.at[k];
    }
    return cifar_load(load, load->call, all.at, all.count);
}

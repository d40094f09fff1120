#include "runtime/data/load.h"
#include <inttypes.h>

Status load_no_memory(const Load *load, uint64_t bytes)
{
    report_error(load->context->report, load->call->at, "no memory for %" PRIu64 " bytes of data",
                 bytes);
    return STATUS_no_memory;
}

void *load_block(Load *load, size_t size)
{
    void *block = aligned_new(load->data->host, size);
    if (block)
        *list_add(load->data->arena, &load->data->aligned) = block;
    else
        load_no_memory(load, size);
    return block;
}

void load_keep(Load *load, void *block)
{
    *list_add(load->data->arena, &load->data->blocks) = block;
}

const char *load_text(Load *load, const char *text, size_t length)
{
    return arena_text(load->data->arena, text, length);
}

const char *load_path(Load *load, const char *path)
{
    const char *folder = load->options->folder;
    if (path[0] == '/' || !folder || !folder[0] || strcmp(folder, ".") == 0)
        return load_text(load, path, strlen(path));
    Text text = {.arena = load->data->arena};
    text_add(&text, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", path);
    return text_done(&text);
}

Origin load_origin(const Load *load, const Static *argument, const char *path)
{
    return (Origin){load->data->host, load->context->report, argument->at, path};
}

Field *load_field(Load *load, const char *name, const char *path)
{
    Split *split = &load->part->split;
    Field *field = &split->field[split->field_count++];
    *field = (Field){.name = load_text(load, name, strlen(name)), .path = path};
    return field;
}

Status load_count(Load *load, const Origin *origin, int64_t count)
{
    Split *split = &load->part->split;
    if (count > MAX_ROWS)
        return origin_refuse(origin, "%" PRId64 " samples, more than 2^32", count);
    if (count == 0) return origin_refuse(origin, "there are no samples in it");
    if (split->count && split->count != count)
        return origin_refuse(origin, "has %" PRId64 " samples, but %s has %" PRId64, count,
                             split->field[0].path, split->count);
    split->count = count;
    return STATUS_ok;
}

Status load_tensor(Load *load, const Origin *origin, const char *name, Type type,
                   const Shape *shape, const void *bytes)
{
    if (shape->rank == 0)
        return origin_refuse(origin, "`%s` is a scalar; its first axis has to count samples", name);

    Field *field = load_field(load, name, origin->path);
    field->type = type;
    field->bytes = bytes;
    field->sample = shape_of(shape->rank - 1, shape->extent + 1);
    field->stride = shape_elements(&field->sample) * type_info[type].bytes;
    if (field->stride == 0) return origin_refuse(origin, "`%s` has samples without elements", name);
    return load_count(load, origin, shape->extent[0]);
}

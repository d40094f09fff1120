/* safetensors: 8 bytes of header length, a JSON header, then the tensors' bytes without holes or overlaps.
 * https://github.com/huggingface/safetensors, "Format".  The header is untrusted: it is read by a cursor that allocates
 * nothing (a JSON tree would take some fifty times its text), then every claim is checked against the file's size. */
#include "runtime/core/foreign.h"
#include "runtime/core/json.h"
#include <inttypes.h>
#include <stdlib.h>

#define MAX_HEADER ((uint64_t)100 << 20)
#define MAX_TEXTS  4096 /* metadata are looked up one by one */

typedef struct Entry {
    char *name;
    const Foreign *type;
    Shape shape;
    uint64_t begin, end;
    bool has_shape, has_range;
} Entry;

typedef struct Header {
    const Origin *origin;
    TensorSet *set;
    Json json;
    Entry *entry;
    uint32_t count, room;
    bool has_texts;
    Status status; /* of what is not the JSON's fault */
} Header;

static bool refuse_entry(Header *header, const Entry *entry, const char *problem)
{
    header->status = origin_refuse(header->origin, "tensor `%s` %s",
                                   shown(entry->name, strlen(entry->name)).text, problem);
    return false;
}

static bool read_type(Header *header, Entry *entry)
{
    char *name;
    if (entry->type) return json_fail(&header->json, "`dtype` twice");
    if (!json_string(&header->json, &name)) return false;
    entry->type = foreign_safetensors(name);
    if (entry->type) return true;
    header->status = origin_refuse(
        header->origin, "tensor `%s` has elements of type %s, which are not supported",
        shown(entry->name, strlen(entry->name)).text, shown(name, strlen(name)).text);
    return false;
}

static bool read_shape(Header *header, Entry *entry)
{
    Json *json = &header->json;
    if (entry->has_shape) return json_fail(json, "`shape` twice");
    entry->has_shape = true;
    if (!json_want(json, '[')) return false;
    if (json_take(json, ']')) return true;

    do {
        uint64_t extent;
        if (!json_natural(json, &extent)) return false;
        if (entry->shape.rank == MAX_RANK)
            return refuse_entry(header, entry, "has more than 8 axes");
        if (extent > (uint64_t)MAX_ELEMENTS)
            return refuse_entry(header, entry, "has too many elements");
        entry->shape.extent[entry->shape.rank++] = (int64_t)extent;
    } while (json_take(json, ','));
    return json_want(json, ']');
}

static bool read_range(Header *header, Entry *entry)
{
    Json *json = &header->json;
    if (entry->has_range) return json_fail(json, "`data_offsets` twice");
    entry->has_range = true;
    return json_want(json, '[') && json_natural(json, &entry->begin) && json_want(json, ',') &&
           json_natural(json, &entry->end) && json_want(json, ']');
}

static bool read_entry(Header *header, char *name)
{
    Json *json = &header->json;
    Entry entry = {.name = name};
    if (!json_want(json, '{')) return false;
    do {
        char *key;
        if (!json_string(json, &key) || !json_want(json, ':')) return false;
        bool ok = strcmp(key, "dtype") == 0   ? read_type(header, &entry)
                  : strcmp(key, "shape") == 0 ? read_shape(header, &entry)
                  : strcmp(key, "data_offsets") == 0
                      ? read_range(header, &entry)
                      : json_fail(json, "a key other than dtype, shape, data_offsets");
        if (!ok) return false;
    } while (json_take(json, ','));
    if (!json_want(json, '}')) return false;
    if (!entry.type || !entry.has_shape || !entry.has_range)
        return refuse_entry(header, &entry, "lacks `dtype`, `shape` or `data_offsets`");

    if (header->count == header->room) {
        const Host *host = header->origin->host;
        uint32_t room = header->room + header->room / 2 + 16;
        Entry *at = host->resize(host->user, header->entry, room * sizeof *at);
        if (!at) {
            header->status = origin_no_memory(header->origin, room * sizeof *at);
            return false;
        }
        header->entry = at;
        header->room = room;
    }
    header->entry[header->count++] = entry;
    return true;
}

static bool read_texts(Header *header)
{
    Json *json = &header->json;
    if (header->has_texts) return json_fail(json, "`__metadata__` twice");
    header->has_texts = true;
    if (!json_want(json, '{')) return false;
    if (json_take(json, '}')) return true;
    do {
        char *key, *value;
        if (!json_string(json, &key) || !json_want(json, ':')) return false;
        if (!json_take(json, '"')) return json_fail(json, "metadata that are not a string");
        json->at--;
        if (!json_string(json, &value)) return false;
        if (tensor_set_noted(header->set, key)) return json_fail(json, "a metadata key twice");
        if (header->set->text_count == MAX_TEXTS) return json_fail(json, "more than 4096 metadata");
        if (tensor_set_note(header->set, key, value) != STATUS_ok) {
            header->status = origin_no_memory(header->origin, strlen(value));
            return false;
        }
    } while (json_take(json, ','));
    return json_want(json, '}');
}

static bool read_items(Header *header)
{
    Json *json = &header->json;
    if (!json_want(json, '{')) return false;
    if (json_take(json, '}')) return json_end(json);
    do {
        char *name;
        if (!json_string(json, &name) || !json_want(json, ':')) return false;
        if (!(strcmp(name, "__metadata__") == 0 ? read_texts(header) : read_entry(header, name)))
            return false;
    } while (json_take(json, ','));
    return json_want(json, '}') && json_end(json);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const Entry *)a)->name, ((const Entry *)b)->name);
}

static int compare_ranges(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end == y->end ? 0 : x->end < y->end ? -1 : 1;
}

static Status check_entries(const Header *header, uint64_t data_size)
{
    const Origin *origin = header->origin;
    if (header->count == 0)
        return data_size ? origin_refuse(origin, "bytes after the last tensor") : STATUS_ok;

    qsort(header->entry, header->count, sizeof *header->entry, compare_names);
    for (uint32_t i = 1; i < header->count; i++)
        if (compare_names(&header->entry[i - 1], &header->entry[i]) == 0)
            return origin_refuse(origin, "two tensors are called `%s`",
                                 shown(header->entry[i].name, strlen(header->entry[i].name)).text);

    qsort(header->entry, header->count, sizeof *header->entry, compare_ranges);
    uint64_t at = 0;
    for (uint32_t i = 0; i < header->count; i++) {
        const Entry *entry = &header->entry[i];
        const char *problem =
            entry->end < entry->begin ? "ends before it begins"
            : entry->end > data_size  ? "lies beyond the end of the file"
            : tensor_bytes(&entry->shape, entry->type->bytes) != entry->end - entry->begin
                ? "has a shape that does not fit its bytes"
            : entry->begin < at ? "overlaps another"
            : entry->begin > at ? "leaves a hole before it"
                                : NULL;
        if (problem)
            return origin_refuse(origin, "tensor `%s` %s",
                                 shown(entry->name, strlen(entry->name)).text, problem);
        at = entry->end;
    }
    return at == data_size ? STATUS_ok : origin_refuse(origin, "bytes after the last tensor");
}

static Status read_tensors(const Header *header, const File *file, uint64_t data)
{
    for (uint32_t i = 0; i < header->count; i++) {
        const Entry *entry = &header->entry[i];
        Tensor *tensor = tensor_set_add(header->set, entry->name, entry->type->type, &entry->shape);
        if (!tensor) return origin_no_memory(header->origin, entry->end - entry->begin);
        TRY(foreign_read(header->origin, file, data + entry->begin, entry->type, false, tensor));
    }
    return STATUS_ok;
}

static Status parse_header(Header *header, char *text, size_t size)
{
    header->json = (Json){.begin = text, .at = text, .end = text + size};
    if (size == 0 || text[0] != '{')
        return origin_refuse(header->origin,
                             "no safetensors file: its header does not begin with {");
    if (!utf8_valid(text, size)) return origin_refuse(header->origin, "the header is not UTF-8");
    if (read_items(header)) return STATUS_ok;
    if (header->status != STATUS_ok) return header->status;
    return origin_refuse(header->origin, "damaged header: %s at byte %zu", header->json.problem,
                         (size_t)(header->json.at - header->json.begin) + 8);
}

static Status read_file(TensorSet *set, const Origin *origin, const File *file, bool only_notes)
{
    unsigned char length[8];
    if (file->size < sizeof length)
        return origin_refuse(origin, "no safetensors file: it has %" PRIu64 " bytes", file->size);
    TRY(file_get(origin, file, 0, length, sizeof length));
    uint64_t size = 0;
    for (int i = 8; i-- > 0;)
        size = size << 8 | length[i];
    if (size > MAX_HEADER)
        return origin_refuse(origin, "no safetensors file: its header would have %" PRIu64 " bytes",
                             size);
    if (size > file->size - 8)
        return origin_refuse(origin, "the header says %" PRIu64 " bytes, more than the file has",
                             size);

    char *text = origin->host->resize(origin->host->user, NULL, (size_t)size + 1);
    if (!text) return origin_no_memory(origin, size);
    text[size] = 0;
    Header header = {.origin = origin, .set = set};
    Status status = file_get(origin, file, 8, text, (size_t)size);
    if (status == STATUS_ok) status = parse_header(&header, text, (size_t)size);
    if (status == STATUS_ok) status = check_entries(&header, file->size - 8 - size);
    if (status == STATUS_ok && !only_notes) status = read_tensors(&header, file, 8 + size);
    if (header.entry) origin->host->resize(origin->host->user, header.entry, 0);
    origin->host->resize(origin->host->user, text, 0);
    return status;
}

static Status load(TensorSet *set, const Origin *origin, bool only_notes)
{
    File file;
    TRY(file_open(origin, &file));
    Status status = read_file(set, origin, &file, only_notes);
    file_close(&file);
    if (status != STATUS_ok) tensor_set_close(set);
    return status;
}

Status safetensors_load(TensorSet *set, const Origin *origin)
{
    return load(set, origin, false);
}

Status safetensors_read(TensorSet *set, const char *path, Report *report)
{
    return load(set, &(Origin){set->host, report, {0}, path}, false);
}

Status safetensors_read_notes(TensorSet *set, const char *path, Report *report)
{
    return load(set, &(Origin){set->host, report, {0}, path}, true);
}

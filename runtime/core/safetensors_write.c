#include "runtime/core/foreign.h"
#include <inttypes.h>

#define DATA_ALIGNMENT 64

static void put_string(Text *out, const char *text)
{
    text_put(out, "\"", 1);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') text_put(out, "\\", 1);
        if ((unsigned char)*text < 0x20)
            text_add(out, "\\u%04x", (unsigned)*text);
        else
            text_put(out, text, 1);
    }
    text_put(out, "\"", 1);
}

static void put_texts(Text *out, const TensorSet *set)
{
    text_add(out, "\"__metadata__\":{");
    for (uint32_t i = 0; i < set->text_count; i++) {
        if (i) text_put(out, ",", 1);
        put_string(out, set->text[i].key);
        text_put(out, ":", 1);
        put_string(out, set->text[i].value);
    }
    text_put(out, "}", 1);
}

static void put_tensor(Text *out, const Tensor *tensor, uint64_t begin)
{
    put_string(out, tensor->name);
    text_add(out, ":{\"dtype\":\"%s\",\"shape\":[", foreign_of(tensor->type)->safetensors);
    for (int i = 0; i < tensor->shape.rank; i++)
        text_add(out, "%s%" PRId64, i ? "," : "", tensor->shape.extent[i]);
    text_add(out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, begin + tensor->size);
}

/* Length and header, padded with spaces until the data begin at a multiple of 64. */
static void put_header(Text *out, const TensorSet *set)
{
    uint64_t begin = 0;
    bool first = true;
    text_put(out, "\0\0\0\0\0\0\0\0{", 9);
    if (set->text_count) {
        put_texts(out, set);
        first = false;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        if (!first) text_put(out, ",", 1);
        put_tensor(out, &set->at[i], begin);
        begin += set->at[i].size;
        first = false;
    }
    text_put(out, "}", 1);
    while (out->count % DATA_ALIGNMENT)
        text_put(out, " ", 1);
    for (uint64_t i = 0, size = out->count - 8; i < 8; i++)
        out->at[i] = (char)(size >> 8 * i);
}

Status safetensors_write(const TensorSet *set, const char *path, Report *report)
{
    Origin origin = {set->host, report, {0}, path};
    Arena *arena = arena_open(set->host);
    if (!arena) return origin_no_memory(&origin, 4096);
    Text header = {.arena = arena};
    put_header(&header, set);

    FileWriter writer;
    Status status = writer_open(&writer, &origin);
    if (status == STATUS_ok) status = writer_put(&writer, header.at, header.count);
    for (uint32_t i = 0; status == STATUS_ok && i < set->count; i++)
        status = writer_put(&writer, set->at[i].bytes, set->at[i].size);
    arena_close(arena);
    return writer_close(&writer, status);
}

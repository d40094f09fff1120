/* text("file", window: W, stride: S): windows of W bytes as tokens, and the same windows one byte later.  The tokens are
 * stored once; both fields point into them. */
#include "runtime/data/load.h"
#include <inttypes.h>

#define MAX_FILE ((size_t)1 << 38)

Status source_text(Load *load)
{
    int64_t window = 0, stride;
    const char *path;
    TRY(argument_text(load, 0, &path));
    TRY(argument_integer(load, "window", 1, INT32_MAX, &window));
    if (!window) {
        argument_refuse(load, load->call,
                        "`text` needs `window`, the number of tokens of a sample");
        report_hint(load->context->report, "write text(\"%s\", window: 256)", path);
        return STATUS_invalid;
    }
    stride = window;
    TRY(argument_integer(load, "stride", 1, INT32_MAX, &stride));

    Origin origin = load_origin(load, argument_at(load, 0), load_path(load, path));
    char *bytes;
    size_t size;
    TRY(file_load(&origin, MAX_FILE, sizeof(int32_t), &bytes, &size));
    int32_t *token = load_block(load, (size + 1) * sizeof *token);
    for (size_t i = 0; token && i < size; i++)
        token[i] = (unsigned char)bytes[i];
    load->data->host->resize(load->data->host->user, bytes, 0);
    if (!token) return STATUS_no_memory;
    if (size <= (size_t)window)
        return origin_refuse(
            &origin, "has %zu bytes; a window of %" PRId64 " and the byte after it need %" PRId64,
            size, window, window + 1);

    for (int i = 0; i < 2; i++) {
        Field *field = load_field(load, i ? "next" : "tokens", origin.path);
        field->type = TYPE_i32;
        field->sample = shape_of(1, &window);
        field->stride = stride * (int64_t)sizeof *token;
        field->bytes = (const uint8_t *)(token + i);
    }
    load->part->sequential = true;
    return load_count(load, &origin, ((int64_t)size - 1 - window) / stride + 1);
}

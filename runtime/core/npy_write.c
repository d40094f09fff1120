#include "ir/base/bits.h"
#include "runtime/core/foreign.h"
#include <inttypes.h>
#include <stdio.h>

/* Version 1.0: six bytes of magic, the version, two bytes of length, the dict, blanks and a newline up to a multiple
 * of 64.  The longest dict has eight extents of 13 digits. */
static size_t make_header(const Tensor *tensor, const char *kind, char header[256])
{
    char shape[160] = "";
    int length = 0;
    for (int i = 0; i < tensor->shape.rank; i++)
        length += snprintf(shape + length, sizeof shape - (size_t)length, "%" PRId64 ", ",
                           tensor->shape.extent[i]);
    int count =
        snprintf(header + 10, 246, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
                 strcmp(kind + 1, "1") == 0 ? '|' : '<', kind, shape);
    size_t size = ((size_t)count + 10 + 1 + 63) / 64 * 64;
    memset(header + 10 + count, ' ', size - 10 - (size_t)count);
    header[size - 1] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(size - 10);
    header[9] = (char)((size - 10) >> 8);
    return size;
}

/* npy has no bf16: written as f32, which holds every value. */
static Status put_bf16(FileWriter *writer, const Tensor *tensor)
{
    const uint16_t *from = tensor->bytes;
    float chunk[2048];
    for (size_t done = 0, count = tensor->size / 2; done < count;) {
        size_t step = count - done < 2048 ? count - done : 2048;
        for (size_t i = 0; i < step; i++)
            chunk[i] = bits_of_bf16(from[done + i]);
        TRY(writer_put(writer, chunk, step * sizeof *chunk));
        done += step;
    }
    return STATUS_ok;
}

Status npy_write(const Tensor *tensor, const char *path, Report *report)
{
    Origin origin = {&host_default, report, {0}, path};
    const char *kind = tensor->type == TYPE_bf16 ? "f4" : foreign_of(tensor->type)->npy;
    char header[256];
    size_t size = make_header(tensor, kind, header);

    FileWriter writer;
    Status status = writer_open(&writer, &origin);
    if (status == STATUS_ok) status = writer_put(&writer, header, size);
    if (status == STATUS_ok)
        status = tensor->type == TYPE_bf16 ? put_bf16(&writer, tensor)
                                           : writer_put(&writer, tensor->bytes, tensor->size);
    return writer_close(&writer, status);
}

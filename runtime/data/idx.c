/* IDX, the format of MNIST: two zero bytes, a type, a rank, big-endian extents, big-endian elements.
 * http://yann.lecun.com/exdb/mnist/ (the section on file formats). */
#include "runtime/data/load.h"
#include <inttypes.h>

#define MAX_FILE ((size_t)1 << 40)

static Type idx_type(unsigned code)
{
    return code == 0x08   ? TYPE_u8
           : code == 0x09 ? TYPE_i8
           : code == 0x0c ? TYPE_i32
           : code == 0x0d ? TYPE_f32
                          : TYPE_none;
}

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Checks the header against the size; *data is where the elements begin. */
static Status read_header(const Origin *origin, const unsigned char *bytes, size_t size, Type *type,
                          Shape *shape, size_t *data)
{
    if (size < 4) return origin_refuse(origin, "no IDX file: it has %zu bytes", size);
    *type = idx_type(bytes[2]);
    unsigned rank = bytes[3];
    if (bytes[0] || bytes[1])
        return origin_refuse(origin, "no IDX file: it does not begin with two zero bytes");
    if (*type == TYPE_none)
        return origin_refuse(origin, "IDX elements of type 0x%02x; u8, i8, i32 and f32 are read",
                             bytes[2]);
    if (rank < 1 || rank > MAX_RANK)
        return origin_refuse(origin, "IDX array of %u axes; 1 to 8 are read", rank);
    *data = 4 + 4 * (size_t)rank;
    if (size < *data) return origin_refuse(origin, "the file ends inside its header");

    int64_t extent[MAX_RANK];
    for (unsigned i = 0; i < rank; i++)
        extent[i] = big_endian(bytes + 4 + 4 * i);
    *shape = shape_of((int)rank, extent);
    uint64_t wanted = tensor_bytes(shape, type_info[*type].bytes);
    if (wanted != size - *data)
        return origin_refuse(origin, "the header announces %s bytes than the %zu that follow it",
                             wanted > size - *data ? "more" : "fewer", size - *data);
    return STATUS_ok;
}

static Status load_file(Load *load, uint32_t i)
{
    static const char *const names[] = {"image", "label"};
    const char *path;
    TRY(argument_text(load, i, &path));
    Origin origin = load_origin(load, argument_at(load, i), load_path(load, path));

    char *bytes;
    size_t size, data = 0;
    TRY(file_load(&origin, MAX_FILE, 0, &bytes, &size));
    load_keep(load, bytes);
    Type type = TYPE_none;
    Shape shape = {0};
    TRY(read_header(&origin, (const unsigned char *)bytes, size, &type, &shape, &data));
    unsigned char *at = (unsigned char *)bytes + data;
    for (size_t k = 0; type_info[type].bytes == 4 && k < size - data; k += 4) {
        uint32_t word = big_endian(at + k);
        memcpy(at + k, &word, 4);
    }
    return load_tensor(load, &origin, i < 2 ? names[i] : "more", type, &shape, at);
}

Status source_idx(Load *load)
{
    for (uint32_t i = 0; i < argument_count(load); i++)
        TRY(load_file(load, i));
    return STATUS_ok;
}

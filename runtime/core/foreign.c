#include "runtime/core/foreign.h"

static const Foreign foreign[] = {
#define FOREIGN(safetensors, npy, bytes, type) {safetensors, npy, bytes, TYPE_##type},
#include "runtime/core/foreign.def"
#undef FOREIGN
};
enum { COUNT = sizeof foreign / sizeof *foreign };

const Foreign *foreign_safetensors(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(foreign[i].safetensors, name) == 0) return &foreign[i];
    return NULL;
}

const Foreign *foreign_npy(const char *kind)
{
    for (int i = 0; i < COUNT; i++)
        if (foreign[i].npy[0] && strcmp(foreign[i].npy, kind) == 0) return &foreign[i];
    return NULL;
}

const Foreign *foreign_of(Type type)
{
    for (int i = 0; i < COUNT; i++)
        if (foreign[i].type == type && foreign[i].bytes == type_info[type].bytes) {
            bool is_unsigned = foreign[i].safetensors[0] == 'U';
            if (is_unsigned == (type_info[type].class == CLASS_UNSIGNED)) return &foreign[i];
        }
    return NULL;
}

static void swap_bytes(unsigned char *at, size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++, at += bytes)
        for (size_t low = 0, high = bytes - 1; low < high; low++, high--) {
            unsigned char byte = at[low];
            at[low] = at[high];
            at[high] = byte;
        }
}

static Status convert_f64(const unsigned char *from, size_t count, float *to)
{
    for (size_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, from + 8 * i, 8);
        to[i] = (float)value;
    }
    return STATUS_ok;
}

static Status convert_16(const unsigned char *from, size_t count, bool is_signed, int32_t *to)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t value;
        memcpy(&value, from + 2 * i, 2);
        to[i] = is_signed ? (int16_t)value : value;
    }
    return STATUS_ok;
}

static Status check_u64(const Origin *origin, const char *name, const unsigned char *from,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (from[8 * i + 7] & 0x80)
            return origin_refuse(origin,
                                 "`%s` has u64 values of 2^63 and more, which i64 cannot hold",
                                 shown(name, strlen(name)).text);
    return STATUS_ok;
}

static Status check_bool(const Origin *origin, const char *name, const unsigned char *from,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (from[i] > 1)
            return origin_refuse(origin, "`%s` is of bools, but holds the byte %u",
                                 shown(name, strlen(name)).text, from[i]);
    return STATUS_ok;
}

/* Chunks of elements, so that converting needs no second copy of the tensor. */
static Status convert(const Origin *origin, const File *file, uint64_t offset, const Foreign *from,
                      bool big_endian, Tensor *tensor)
{
    unsigned char chunk[8192];
    size_t count = tensor->size / type_info[from->type].bytes, most = sizeof chunk / from->bytes;
    for (size_t done = 0; done < count;) {
        size_t step = count - done < most ? count - done : most;
        TRY(file_get(origin, file, offset + done * from->bytes, chunk, step * from->bytes));
        if (big_endian) swap_bytes(chunk, step, from->bytes);
        if (from->bytes == 8)
            TRY(convert_f64(chunk, step, (float *)tensor->bytes + done));
        else
            TRY(convert_16(chunk, step, from->npy[0] == 'i', (int32_t *)tensor->bytes + done));
        done += step;
    }
    return STATUS_ok;
}

Status foreign_read(const Origin *origin, const File *file, uint64_t offset, const Foreign *from,
                    bool big_endian, Tensor *tensor)
{
    if (from->bytes != type_info[from->type].bytes)
        return convert(origin, file, offset, from, big_endian, tensor);

    size_t count = tensor->size / from->bytes;
    TRY(file_get(origin, file, offset, tensor->bytes, tensor->size));
    if (big_endian) swap_bytes(tensor->bytes, count, from->bytes);
    if (from->type == TYPE_bool) return check_bool(origin, tensor->name, tensor->bytes, count);
    if (strcmp(from->npy, "u8") == 0) return check_u64(origin, tensor->name, tensor->bytes, count);
    return STATUS_ok;
}

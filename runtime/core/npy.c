/* .npy files: magic, version, header length, a Python dict literal, the elements.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "runtime/core/foreign.h"
#include <inttypes.h>

#define MAX_HEADER 65536 /* numpy itself warns from 10,000 on */

typedef struct Npy {
    const Origin *origin;
    const char *at, *end;
    const Foreign *type;
    bool big_endian, fortran, has_order, has_shape;
    Shape shape;
} Npy;

static Status refuse_header(const Npy *npy, const char *problem)
{
    return origin_refuse(npy->origin, "damaged npy header: %s", problem);
}

static void skip_blanks(Npy *npy)
{
    while (npy->at < npy->end && (*npy->at == ' ' || *npy->at == '\n' || *npy->at == '\t'))
        npy->at++;
}

static bool take(Npy *npy, char mark)
{
    skip_blanks(npy);
    if (npy->at == npy->end || *npy->at != mark) return false;
    npy->at++;
    return true;
}

static bool take_word(Npy *npy, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(npy);
    if ((size_t)(npy->end - npy->at) < length || memcmp(npy->at, word, length) != 0) return false;
    npy->at += length;
    return true;
}

/* A string in either quotes, without escapes, cut to the room. */
static bool take_string(Npy *npy, char *text, size_t room)
{
    char quote = take(npy, '\'') ? '\'' : take(npy, '"') ? '"' : 0;
    if (!quote) return false;
    size_t count = 0;
    for (; npy->at < npy->end && *npy->at != quote; npy->at++) {
        if (*npy->at == '\\' || *npy->at == '\n' || !*npy->at) return false;
        if (count + 1 < room) text[count++] = *npy->at;
    }
    text[count] = 0;
    return npy->at++ < npy->end;
}

static Status read_type(Npy *npy)
{
    char text[24];
    if (npy->type) return refuse_header(npy, "`descr` twice");
    if (!take_string(npy, text, sizeof text))
        return origin_refuse(npy->origin,
                             "holds records of several fields; only plain arrays are read");
    npy->type = text[0] ? foreign_npy(text + 1) : NULL;
    if (!npy->type || !strchr("<>=|", text[0]))
        return origin_refuse(npy->origin,
                             "has elements of type `%s`; bool, integers and f16, f32, f64 are read",
                             shown(text, strlen(text)).text);
    npy->big_endian = text[0] == '>' && npy->type->bytes > 1;
    return STATUS_ok;
}

static Status read_order(Npy *npy)
{
    if (npy->has_order) return refuse_header(npy, "`fortran_order` twice");
    npy->has_order = true;
    npy->fortran = take_word(npy, "True");
    return npy->fortran || take_word(npy, "False")
               ? STATUS_ok
               : refuse_header(npy, "`fortran_order` is no truth value");
}

static Status read_extent(Npy *npy)
{
    int64_t extent = 0;
    const char *first = npy->at;
    for (; npy->at < npy->end && *npy->at >= '0' && *npy->at <= '9'; npy->at++) {
        extent = extent * 10 + (*npy->at - '0');
        if (extent > MAX_ELEMENTS) return refuse_header(npy, "too many elements");
    }
    if (npy->at == first) return refuse_header(npy, "an extent that is no whole number");
    if (npy->shape.rank == MAX_RANK) return refuse_header(npy, "more than 8 axes");
    npy->shape.extent[npy->shape.rank++] = extent;
    return STATUS_ok;
}

static Status read_shape(Npy *npy)
{
    if (npy->has_shape) return refuse_header(npy, "`shape` twice");
    npy->has_shape = true;
    if (!take(npy, '(')) return refuse_header(npy, "`shape` is no tuple");
    while (!take(npy, ')')) {
        TRY(read_extent(npy));
        if (take(npy, ',')) continue;
        if (npy->shape.rank == 1) return refuse_header(npy, "`shape` is no tuple");
        return take(npy, ')') ? STATUS_ok : refuse_header(npy, "`shape` does not end");
    }
    return STATUS_ok;
}

static Status read_header(Npy *npy)
{
    if (!take(npy, '{')) return refuse_header(npy, "no dictionary");
    while (!take(npy, '}')) {
        char key[24];
        if (!take_string(npy, key, sizeof key) || !take(npy, ':'))
            return refuse_header(npy, "no `key: value`");
        skip_blanks(npy);
        if (strcmp(key, "descr") == 0)
            TRY(read_type(npy));
        else if (strcmp(key, "fortran_order") == 0)
            TRY(read_order(npy));
        else if (strcmp(key, "shape") == 0)
            TRY(read_shape(npy));
        else
            return refuse_header(npy, "a key other than descr, fortran_order, shape");
        if (take(npy, ',')) continue;
        if (!take(npy, '}')) return refuse_header(npy, "no closing brace");
        break;
    }
    skip_blanks(npy);
    if (npy->at != npy->end) return refuse_header(npy, "text after the closing brace");
    if (!npy->type || !npy->has_order || !npy->has_shape)
        return refuse_header(npy, "`descr`, `fortran_order` or `shape` is missing");
    return STATUS_ok;
}

/* Elements as Fortran orders them, first axis fastest, into row-major order. */
static Status reorder(const Npy *npy, const Host *host, Tensor *tensor)
{
    size_t bytes = type_info[tensor->type].bytes, count = tensor->size / bytes;
    unsigned char *to = aligned_new(host, tensor->size);
    if (!to) return origin_no_memory(npy->origin, tensor->size);

    const unsigned char *from = tensor->bytes;
    int64_t stride[MAX_RANK], at[MAX_RANK] = {0}, place = 0;
    shape_strides(&tensor->shape, stride);
    for (size_t i = 0; i < count; i++) {
        memcpy(to + (size_t)place * bytes, from + i * bytes, bytes);
        for (int axis = 0; axis < tensor->shape.rank; axis++) {
            place += stride[axis];
            if (++at[axis] < tensor->shape.extent[axis]) break;
            place -= stride[axis] * at[axis];
            at[axis] = 0;
        }
    }
    aligned_free(host, tensor->bytes);
    tensor->bytes = to;
    return STATUS_ok;
}

static Status read_array(Npy *npy, TensorSet *set, const char *name, const File *file,
                         uint64_t data)
{
    uint64_t wanted = tensor_bytes(&npy->shape, npy->type->bytes), left = file->size - data;
    if (wanted != left)
        return origin_refuse(npy->origin,
                             "the header announces %s bytes than the %" PRIu64 " that follow it",
                             wanted > left ? "more" : "fewer", left);

    Tensor *tensor = tensor_set_add(set, name, npy->type->type, &npy->shape);
    if (!tensor) return origin_no_memory(npy->origin, wanted);
    Status status = foreign_read(npy->origin, file, data, npy->type, npy->big_endian, tensor);
    if (status == STATUS_ok && npy->fortran) status = reorder(npy, set->host, tensor);
    if (status != STATUS_ok) tensor_set_drop(set);
    return status;
}

static Status read_file(TensorSet *set, const char *name, const Origin *origin, const File *file)
{
    unsigned char start[12] = {0};
    size_t have = file->size < sizeof start ? (size_t)file->size : sizeof start;
    TRY(file_get(origin, file, 0, start, have));
    if (have < 10 || memcmp(start, "\x93NUMPY", 6) != 0)
        return origin_refuse(origin, "no npy file");
    if (start[6] < 1 || start[6] > 3 || start[7] != 0)
        return origin_refuse(origin, "npy version %u.%u; 1.0 to 3.0 are read", start[6], start[7]);

    size_t begin = start[6] == 1 ? 10 : 12;
    uint64_t size = (uint64_t)start[8] | (uint64_t)start[9] << 8;
    if (start[6] > 1) size |= (uint64_t)start[10] << 16 | (uint64_t)start[11] << 24;
    if (file->size < begin + size)
        return origin_refuse(origin, "the npy header is longer than the file");
    if (size > MAX_HEADER) return origin_refuse(origin, "an npy header of %" PRIu64 " bytes", size);

    char *text = origin->host->resize(origin->host->user, NULL, (size_t)size + 1);
    if (!text) return origin_no_memory(origin, size);
    Npy npy = {.origin = origin, .at = text, .end = text + size};
    Status status = file_get(origin, file, begin, text, (size_t)size);
    if (status == STATUS_ok) status = read_header(&npy);
    if (status == STATUS_ok) status = read_array(&npy, set, name, file, begin + size);
    origin->host->resize(origin->host->user, text, 0);
    return status;
}

Status npy_load(TensorSet *set, const char *name, const Origin *origin)
{
    File file;
    TRY(file_open(origin, &file));
    Status status = read_file(set, name, origin, &file);
    file_close(&file);
    return status;
}

Status npy_read(TensorSet *set, const char *name, const char *path, Report *report)
{
    return npy_load(set, name, &(Origin){set->host, report, {0}, path});
}

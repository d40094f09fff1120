#ifndef MLC_RUNTIME_CORE_TENSOR_H
#define MLC_RUNTIME_CORE_TENSOR_H
/* Named tensors in memory, and the files that hold them.  Row-major, 64-byte aligned bytes. */
#include "ir/base/report.h"
#include "ir/base/status.h"
#include "ir/graph/shape.h"

typedef struct Tensor {
    const char *name;
    Type type;
    Shape shape;
    void *bytes;
    size_t size;
} Tensor;

typedef struct TensorSet {
    const Host *host;
    uint32_t count, room;
    Tensor *at;
    uint32_t text_count; /* string metadata (safetensors __metadata__) */
    struct {
        const char *key, *value;
    } *text;
} TensorSet;

void tensor_set_open(TensorSet *set, const Host *host);
void tensor_set_close(TensorSet *set);
/* Adds a zeroed tensor and owns its bytes; NULL when out of memory.  Valid until the next one is added. */
Tensor *tensor_set_add(TensorSet *set, const char *name, Type type, const Shape *shape);
void tensor_set_drop(TensorSet *set);                            /* removes the last one added */
Tensor *tensor_set_find(const TensorSet *set, const char *name); /* NULL if there is none */

/* Bytes of a tensor whose shape a file states; UINT64_MAX if that is beyond MAX_ELEMENTS or an extent is negative. */
uint64_t tensor_bytes(const Shape *shape, unsigned element_bytes);

/* Blocks of at least `size` bytes aligned to 64, with undefined contents; NULL when out of memory. */
void *aligned_new(const Host *host, size_t size);
void aligned_free(const Host *host, void *block); /* NULL is fine */

/* Element i of any type, as double. */
double tensor_element(const Tensor *tensor, int64_t i);

/* Adds (or replaces) a string of metadata; both are copied. STATUS_no_memory only. */
Status tensor_set_note(TensorSet *set, const char *key, const char *value);
const char *tensor_set_noted(const TensorSet *set, const char *key); /* NULL if absent */

/* Reading: every error goes to the report with the file's name, cause and remedy; STATUS_invalid for a damaged file,
 * STATUS_failed when the system refuses.  Types that we do not have become the nearest one: f64 f32, i16 and u16 i32, u64
 * i64 (refused if a value does not fit); others are refused by name.  Names are unique and hold no control characters.
 * The set is empty before, and after a failure. */
Status safetensors_read(TensorSet *set, const char *path, Report *report);
/* The metadata alone, of a file whose header is checked as if it were read whole. */
Status safetensors_read_notes(TensorSet *set, const char *path, Report *report);
/* Writes to a temporary file in the same folder, fsyncs, renames over `path`, fsyncs the folder: a crash leaves the old or the new
 * file, whole.  Tensor data start 64-byte aligned. */
Status safetensors_write(const TensorSet *set, const char *path, Report *report);
/* One array of a .npy file (versions 1 to 3, little and big endian, C and Fortran order, bool, ints, floats; others refused). */
Status npy_read(TensorSet *set, const char *name, const char *path, Report *report);
Status npy_write(const Tensor *tensor, const char *path, Report *report);

/* Reads a whole file, gunzipping it if it begins with gzip's magic; at most `limit` bytes come out. Caller frees through host. */
Status file_read(const Host *host, const char *path, size_t limit, char **bytes, size_t *size,
                 Report *report);
/* Writes bytes as safetensors_write does: atomically and durably. */
Status file_write(const char *path, const void *bytes, size_t size, Report *report);

#endif

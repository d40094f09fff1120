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
    void *mapping; /* private */
    size_t mapping_size;
} TensorSet;

void tensor_set_open(TensorSet *set, const Host *host);
void tensor_set_close(TensorSet *set);
/* Adds a zeroed tensor and owns its bytes; NULL when out of memory. */
Tensor *tensor_set_add(TensorSet *set, const char *name, Type type, const Shape *shape);
Tensor *tensor_set_find(const TensorSet *set, const char *name); /* NULL if there is none */

/* Reading: every error goes to the report with the file's name, cause and remedy; STATUS_invalid for a damaged file,
 * STATUS_failed when the system refuses. F64 and I64/U16/... become the nearest type we have (f64 -> f32 with a note only if
 * lossy matters to nobody: values converted), others are refused by name. */
Status safetensors_read(TensorSet *set, const char *path, Report *report);
/* Writes to a temporary file in the same folder, fsyncs, renames over `path`, fsyncs the folder: a crash leaves the old or the new
 * file, whole.  Tensor data start 64-byte aligned. */
Status safetensors_write(const TensorSet *set, const char *path, Report *report);
/* One array of a .npy file (versions 1 to 3, little and big endian, C and Fortran order, bool, ints, floats; others refused). */
Status npy_read(TensorSet *set, const char *name, const char *path, Report *report);
Status npy_write(const Tensor *tensor, const char *path, Report *report);

/* Reads a whole file, gunzipping it if it begins with gzip's magic; at most `limit` bytes come out. Caller frees through host. */
Status file_read(const Host *host, const char *path, size_t limit, char **bytes, size_t *size, Report *report);
/* Writes bytes as safetensors_write does: atomically and durably. */
Status file_write(const char *path, const void *bytes, size_t size, Report *report);

#endif

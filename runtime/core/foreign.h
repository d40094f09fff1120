#ifndef MLC_RUNTIME_CORE_FOREIGN_H
#define MLC_RUNTIME_CORE_FOREIGN_H
/* The element types of safetensors and npy files, and how they become ours. */
#include "runtime/core/file.h"

typedef struct Foreign {
    const char *safetensors, *npy;
    uint8_t bytes;
    Type type;
} Foreign;

const Foreign *foreign_safetensors(const char *name); /* NULL: unknown or unsupported */
const Foreign *foreign_npy(const char *kind);         /* "f4" */
const Foreign *foreign_of(Type type); /* what `type` is written as without conversion */

/* Fills the tensor (of the foreign's type) with the elements at `offset` of the file, bytes swapped if big-endian. */
Status foreign_read(const Origin *origin, const File *file, uint64_t offset, const Foreign *foreign,
                    bool big_endian, Tensor *tensor);

#endif

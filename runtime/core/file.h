#ifndef MLC_RUNTIME_CORE_FILE_H
#define MLC_RUNTIME_CORE_FILE_H
/* Files as the readers see them: opened once, measured, refused with one message at one place. */
#include "runtime/core/tensor.h"

/* Which file is being read and where complaints about it go: the entry of a model file that named it, or nowhere. */
typedef struct Origin {
    const Host *host;
    Report *report;
    Span at;
    const char *path;
} Origin;

/* Reports "<path>: <message>" at the origin and returns STATUS_invalid. */
Status origin_refuse(const Origin *origin, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Reports "<path>: cannot <what>: <error of the system>"; STATUS_failed. */
Status origin_failed(const Origin *origin, const char *what, int error);
/* The same of opening for reading; a name that leads nowhere is a mistake in the input, STATUS_invalid. */
Status origin_unopened(const Origin *origin, int error);
Status origin_no_memory(const Origin *origin, uint64_t bytes);

/* Text of a file made fit for a message: cut, control characters and invalid UTF-8 replaced. */
typedef struct Shown {
    char text[72];
} Shown;
Shown shown(const char *text, size_t length);
bool utf8_valid(const char *text, size_t length);

typedef struct File {
    int descriptor;
    uint64_t size;
} File;

/* Regular files only (a pipe would block, a device never ends). */
Status file_open(const Origin *origin, File *file);
void file_close(File *file);
/* Exactly `size` bytes at `offset`; a file that shrank meanwhile is refused. */
Status file_get(const Origin *origin, const File *file, uint64_t offset, void *bytes, size_t size);

/* file_read with an origin.  `growth`: bytes that the caller will allocate for each byte that comes out, so that a
 * small gzip file cannot ask for more than 16 times its size and 16 MiB in all. */
Status file_load(const Origin *origin, size_t limit, unsigned growth, char **bytes, size_t *size);

/* Writing a file whole or not at all. */
typedef struct FileWriter {
    Origin origin;
    char *temporary;
    int descriptor;
} FileWriter;

Status writer_open(FileWriter *writer, const Origin *origin);
Status writer_put(FileWriter *writer, const void *bytes, size_t size);
/* Syncs, renames over the path and syncs the folder if `status` is ok, else removes the temporary file; returns the first
 * failure. */
Status writer_close(FileWriter *writer, Status status);

Status safetensors_load(TensorSet *set, const Origin *origin);
Status npy_load(TensorSet *set, const char *name, const Origin *origin);

#endif

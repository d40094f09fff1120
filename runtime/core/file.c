#include "runtime/core/file.h"
#include "ir/base/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ONE_CALL ((size_t)1 << 30) /* Linux moves at most 2 GiB a call */

Status origin_refuse(const Origin *origin, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report_error(origin->report, origin->at, "%s: %s", origin->path, text);
    return STATUS_invalid;
}

Status origin_failed(const Origin *origin, const char *what, int error)
{
    char text[128];
    const char *why = strerror_r(error, text, sizeof text);
    report_error(origin->report, origin->at, "%s: cannot %s: %s", origin->path, what, why);
    return STATUS_failed;
}

Status origin_unopened(const Origin *origin, int error)
{
    Status status = origin_failed(origin, "open", error);
    bool misnamed = error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG ||
                    error == ELOOP || error == EACCES;
    return misnamed ? STATUS_invalid : status;
}

Status origin_no_memory(const Origin *origin, uint64_t bytes)
{
    report_error(origin->report, origin->at, "%s: no memory for %llu bytes", origin->path,
                 (unsigned long long)bytes);
    return STATUS_no_memory;
}

bool utf8_valid(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t i = 0, step; i < length; i += step) {
        step = utf8_length(at + i, length - i);
        if (step == 0) return false;
    }
    return true;
}

Shown shown(const char *text, size_t length)
{
    Shown out = {0};
    const unsigned char *at = (const unsigned char *)text;
    size_t count = 0, i = 0;
    while (i < length && count < sizeof out.text - 8) {
        size_t step = utf8_length(at + i, length - i);
        bool plain = step > 1 ? at[i] != 0xc2 || at[i + 1] >= 0xa0 : at[i] >= 0x20 && at[i] < 0x7f;
        if (plain)
            memcpy(out.text + count, text + i, step);
        else
            out.text[count] = '?';
        count += plain ? step : 1;
        i += step ? step : 1;
    }
    if (i < length) memcpy(out.text + count, "...", 3);
    return out;
}

Status file_open(const Origin *origin, File *file)
{
    file->descriptor = open(origin->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->descriptor < 0) return origin_unopened(origin, errno);

    struct stat about;
    if (fstat(file->descriptor, &about) != 0) {
        int error = errno;
        file_close(file);
        return origin_failed(origin, "read", error);
    }
    if (!S_ISREG(about.st_mode)) {
        file_close(file);
        return origin_refuse(origin, "%s, not a file",
                             S_ISDIR(about.st_mode) ? "a folder" : "a device or pipe");
    }
    file->size = (uint64_t)about.st_size;
    return STATUS_ok;
}

void file_close(File *file)
{
    if (file->descriptor >= 0) close(file->descriptor);
    file->descriptor = -1;
}

Status file_get(const Origin *origin, const File *file, uint64_t offset, void *bytes, size_t size)
{
    char *at = bytes;
    while (size > 0) {
        size_t step = size < ONE_CALL ? size : ONE_CALL;
        ssize_t got = pread(file->descriptor, at, step, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return origin_failed(origin, "read", errno);
        if (got == 0) return origin_refuse(origin, "the file shrank while it was being read");
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return STATUS_ok;
}

/* A new file beside the path.  Others of this name are another thread's, or were left by a killed process of our number. */
static void open_temporary(FileWriter *writer, size_t room)
{
    errno = EEXIST;
    for (int i = 0; i < 100 && writer->descriptor < 0 && errno == EEXIST; i++) {
        snprintf(writer->temporary, room, "%s.%ld-%d.tmp", writer->origin.path, (long)getpid(), i);
        writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
}

Status writer_open(FileWriter *writer, const Origin *origin)
{
    const Host *host = origin->host;
    size_t room = strlen(origin->path) + 40;
    struct stat there;
    *writer = (FileWriter){.origin = *origin, .descriptor = -1};
    if (stat(origin->path, &there) == 0 && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode))
        return origin_refuse(origin, "a device or a pipe, which the file would replace");
    writer->temporary = host->resize(host->user, NULL, room);
    if (!writer->temporary) return origin_no_memory(origin, room);

    open_temporary(writer, room);
    if (writer->descriptor >= 0) return STATUS_ok;
    Status status = origin_failed(origin, "write beside it", errno);
    host->resize(host->user, writer->temporary, 0);
    writer->temporary = NULL;
    return status;
}

Status writer_put(FileWriter *writer, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t put = write(writer->descriptor, at, size < ONE_CALL ? size : ONE_CALL);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return origin_failed(&writer->origin, "write", errno);
        at += put;
        size -= (size_t)put;
    }
    return STATUS_ok;
}

/* Makes the rename itself survive a power cut.  File systems that cannot sync a folder say EINVAL. */
static Status sync_folder(const Origin *origin, char *path)
{
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = 0;
    int folder = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return origin_failed(origin, "sync the folder of", errno);
    int error = fsync(folder) == 0 || errno == EINVAL ? 0 : errno;
    close(folder);
    return error ? origin_failed(origin, "sync the folder of", error) : STATUS_ok;
}

Status writer_close(FileWriter *writer, Status status)
{
    const Origin *origin = &writer->origin;
    if (!writer->temporary) return status;

    if (status == STATUS_ok && fsync(writer->descriptor) != 0)
        status = origin_failed(origin, "write", errno);
    if (close(writer->descriptor) != 0 && status == STATUS_ok)
        status = origin_failed(origin, "write", errno);
    if (status == STATUS_ok && rename(writer->temporary, origin->path) != 0)
        status = origin_failed(origin, "replace", errno);
    if (status == STATUS_ok)
        status = sync_folder(origin, writer->temporary);
    else
        unlink(writer->temporary);
    origin->host->resize(origin->host->user, writer->temporary, 0);
    return status;
}

Status file_write(const char *path, const void *bytes, size_t size, Report *report)
{
    Origin origin = {&host_default, report, {0}, path};
    FileWriter writer;
    Status status = writer_open(&writer, &origin);
    if (status == STATUS_ok) status = writer_put(&writer, bytes, size);
    return writer_close(&writer, status);
}

#include "runtime/report/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static Status refused(const Run *run, const char *path, const char *what)
{
    report_error(run->model->context.report, (Span){0}, "%s: cannot %s: %s", path, what,
                 strerror(errno));
    report_hint(run->model->context.report, "choose another folder with --out");
    return STATUS_failed;
}

static const char *joined(const Run *run, const char *name)
{
    Text text = {.arena = run->model->arena};
    text_add(&text, "%s/%s", run->folder, name);
    return text_done(&text);
}

/* digits.mlc gives digits.run. */
static const char *default_folder(mlc_model *model)
{
    const char *slash = strrchr(model->path, '/'), *name = slash ? slash + 1 : model->path;
    const char *dot = strrchr(name, '.');
    Text text = {.arena = model->arena};
    text_add(&text, "%.*s.run", (int)(dot && dot != name ? (size_t)(dot - name) : strlen(name)),
             name);
    return text_done(&text);
}

static Status make_folder(const Run *run)
{
    char *path = arena_text(run->model->arena, run->folder, strlen(run->folder));
    for (char *at = path + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        if (mkdir(path, 0777) != 0 && errno != EEXIST) return refused(run, path, "make the folder");
        *at = '/';
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST) return refused(run, path, "make the folder");
    return STATUS_ok;
}

/* What file writers call the files that they have not finished (runtime/core/file.c). */
static bool is_leftover(const char *name)
{
    static const char *const patterns[] = {"checkpoint.safetensors.[0-9]*-[0-9]*.tmp",
                                           "best.safetensors.[0-9]*-[0-9]*.tmp",
                                           "model.mlc.[0-9]*-[0-9]*.tmp"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (fnmatch(patterns[i], name, 0) == 0) return true;
    return false;
}

/* Of runs that were killed while they wrote. Nobody else writes here any more: the folder is ours. */
static Status remove_leftovers(const Run *run)
{
    DIR *folder = opendir(run->folder);
    if (!folder) return refused(run, run->folder, "read");
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (is_leftover(entry->d_name)) unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    return STATUS_ok;
}

/* Held until the log is closed, also by kill -9. A file system that cannot lock keeps nobody from training on it. */
static Status lock(const Run *run)
{
    if (flock(run->file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return STATUS_ok;
    report_error(run->model->context.report, (Span){0}, "%s: another run is at work in this folder",
                 run->folder);
    report_hint(run->model->context.report, "choose another folder with --out");
    return STATUS_failed;
}

Status run_open(Run *run, mlc_model *model, const char *folder)
{
    *run = (Run){.model = model, .folder = folder ? folder : default_folder(model), .file = -1};
    run->checkpoint = joined(run, "checkpoint.safetensors");
    run->best = joined(run, "best.safetensors");
    run->log = joined(run, "metrics.jsonl");
    TRY(make_folder(run));
    run->file = open(run->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (run->file < 0) return refused(run, run->log, "write");
    TRY(lock(run));
    return remove_leftovers(run);
}

void run_close(Run *run)
{
    if (run->file >= 0) close(run->file);
    run->file = -1;
}

bool run_has_checkpoint(const Run *run)
{
    return access(run->checkpoint, F_OK) == 0;
}

Status run_log(Run *run, const char *line)
{
    struct iovec part[2] = {{(char *)(uintptr_t)line, strlen(line)}, {(char[]){'\n'}, 1}};
    size_t size = part[0].iov_len + 1;
    ssize_t wrote;
    do
        wrote = writev(run->file, part, 2);
    while (wrote < 0 && errno == EINTR);
    if (wrote >= 0 && wrote < (ssize_t)size)
        errno = ENOSPC; /* what a short write to a file means */
    return wrote == (ssize_t)size ? STATUS_ok : refused(run, run->log, "write");
}

Status run_size(const Run *run, int64_t *bytes)
{
    struct stat status;
    if (fstat(run->file, &status) != 0) return refused(run, run->log, "read the size of");
    *bytes = status.st_size;
    return STATUS_ok;
}

Status run_truncate(Run *run, int64_t bytes)
{
    int64_t now;
    TRY(run_size(run, &now));
    if (bytes >= now || bytes < 0) return STATUS_ok;
    return ftruncate(run->file, bytes) == 0 ? STATUS_ok : refused(run, run->log, "shorten");
}

/* The checkpoint first: without it, whoever resumes starts anew as well. */
Status run_clear(Run *run)
{
    const char *const old[] = {run->checkpoint, run->best};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (unlink(old[i]) != 0 && errno != ENOENT) return refused(run, old[i], "remove");
    return run_truncate(run, 0);
}

Status run_keep(const Run *run, const char *name, const char *text)
{
    return file_write(joined(run, name), text, strlen(text), run->model->context.report);
}

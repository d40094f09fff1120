#include "runtime/data/load.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool path_ends(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length >= tail && strcasecmp(path + length - tail, ending) == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

Status paths_in(Load *load, const Static *argument, const char *folder, const char *pattern,
                bool folders, Paths *paths)
{
    Origin origin = load_origin(load, argument, folder);
    *paths = (Paths){0};
    DIR *stream = opendir(folder);
    if (!stream) return origin_unopened(&origin, errno);

    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (entry->d_name[0] == '.' || fnmatch(pattern, entry->d_name, 0) != 0) continue;
        Text path = {.arena = load->data->arena};
        text_add(&path, "%s/%s", folder, entry->d_name);
        struct stat about;
        if (stat(text_done(&path), &about) != 0) continue;
        if (folders ? !S_ISDIR(about.st_mode) : !S_ISREG(about.st_mode)) continue;
        *list_add(load->data->arena, paths) = text_done(&path);
    }
    closedir(stream);
    if (paths->count) qsort(paths->at, paths->count, sizeof *paths->at, compare);
    return STATUS_ok;
}

/* The folder of compiled kernels: how much it holds, and emptying it. Only files that a backend put there are touched. */
#include "runtime/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Caching {
    mlc_session *session;
    const char *folder;
    bool clear, json;
    Text text;
} Caching;

/* Objects, and what a killed process left of one: its name goes on behind the suffix. */
static bool ours(const char *name)
{
    return strstr(name, BACKEND_CACHE_SUFFIX) != NULL;
}

static void tell(Caching *c, const char *folder, uint32_t count, uint64_t bytes)
{
    if (c->json) {
        text_add(&c->text, "{\"removed\":%s,\"files\":%u,\"bytes\":%llu}\n",
                 c->clear ? "true" : "false", count, (unsigned long long)bytes);
        return;
    }
    text_add(&c->text, "%s%s: %u files, ", c->clear ? "removed from " : "", folder, count);
    text_bytes(&c->text, bytes);
    text_add(&c->text, "\n");
}

static Status visit(Caching *c, const char *folder, DIR *directory)
{
    uint64_t bytes = 0;
    uint32_t count = 0;
    for (const struct dirent *entry; (entry = readdir(directory));) {
        struct stat status;
        if (!ours(entry->d_name) ||
            fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        bytes += (uint64_t)status.st_size;
        count++;
        if (c->clear && unlinkat(dirfd(directory), entry->d_name, 0) != 0) return STATUS_failed;
    }
    tell(c, folder, count, bytes);
    return STATUS_ok;
}

static Status cache(void *argument)
{
    Caching *c = argument;
    c->text.arena = c->session->arena;
    const char *folder = session_cache_folder(c->session->arena, c->folder);
    DIR *directory = folder ? opendir(folder) : NULL;
    if (!directory && c->json) {
        tell(c, folder ? folder : "", 0, 0);
        return STATUS_ok;
    }
    if (!directory) {
        text_add(&c->text, "%s: nothing cached\n", folder ? folder : "no cache folder");
        return STATUS_ok;
    }
    Status status = visit(c, folder, directory);
    closedir(directory);
    return status;
}

mlc_status mlc_cache(mlc_session *session, const char *folder, bool clear, bool json,
                     const char **text)
{
    if (!session || !text) return session_misused(session);
    Caching caching = {.session = session, .folder = folder, .clear = clear, .json = json};
    mlc_status status = session_guard(session, NULL, cache, &caching);
    *text = status == MLC_OK ? text_done(&caching.text) : "";
    return status;
}

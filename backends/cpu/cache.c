#include "backends/cpu/cache.h"
#include "backends/backend.h"
#include "ir/base/bits.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC      UINT64_C(0x32746a626f636c6d) /* "mlcobjt2" */
#define MAX_OBJECT (64 << 20)

typedef struct Header {
    uint64_t magic, build, key[2], size, checksum;
} Header;

static void make_folders(const char *folder)
{
    char *path = strdup(folder);
    for (char *at = path ? path + 1 : NULL; at && *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        mkdir(path, 0700);
        *at = '/';
    }
    if (path) mkdir(path, 0700);
    free(path);
}

Cache cache_open(const char *folder)
{
    Cache cache = {0};
    if (!folder || !*folder) return cache;
    make_folders(folder);
    cache.folder = strdup(folder);
    cache.build = bits_hash(emission_identity, strlen(emission_identity), 0);
    return cache;
}

void cache_close(Cache *cache)
{
    free(cache->folder);
    cache->folder = NULL;
}

static bool path_of(const Cache *cache, const uint64_t key[2], char *path, size_t room)
{
    int length = snprintf(path, room, "%s/%016" PRIx64 "%016" PRIx64 BACKEND_CACHE_SUFFIX,
                          cache->folder, key[0], key[1]);
    return length > 0 && (size_t)length < room;
}

static bool read_all(int file, void *bytes, size_t size)
{
    for (char *at = bytes; size;) {
        ssize_t done = read(file, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

static bool write_all(int file, const void *bytes, size_t size)
{
    for (const char *at = bytes; size;) {
        ssize_t done = write(file, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

static bool fits(const Cache *cache, const uint64_t key[2], const Header *header, off_t file_size)
{
    return header->magic == MAGIC && header->build == cache->build && header->key[0] == key[0] &&
           header->key[1] == key[1] && header->size <= MAX_OBJECT &&
           (off_t)(sizeof *header + header->size) == file_size;
}

/* What is read is run: only what this user wrote and nobody else can write.  A checksum is no proof of that. */
static bool is_ours(const struct stat *info)
{
    return S_ISREG(info->st_mode) && info->st_uid == geteuid() &&
           !(info->st_mode & (S_IWGRP | S_IWOTH));
}

static bool read_object(const Cache *cache, const uint64_t key[2], int file, ObjectCode *code)
{
    Header header;
    struct stat info;
    if (fstat(file, &info) || !is_ours(&info)) return false;
    if (!read_all(file, &header, sizeof header)) return false;
    if (!fits(cache, key, &header, info.st_size)) return false;
    *code = (ObjectCode){.bytes = malloc(header.size ? header.size : 1), .size = header.size};
    if (code->bytes && read_all(file, code->bytes, code->size) &&
        bits_hash(code->bytes, code->size, cache->build) == header.checksum) {
        futimens(file, NULL); /* used now */
        return true;
    }
    free(code->bytes);
    return false;
}

bool cache_read(const Cache *cache, const uint64_t key[2], ObjectCode *code)
{
    char path[4096];
    if (!cache->folder || !path_of(cache, key, path, sizeof path)) return false;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return false;
    bool is_good = read_object(cache, key, file, code);
    close(file);
    return is_good;
}

void cache_write(const Cache *cache, const uint64_t key[2], const ObjectCode *code)
{
    char path[4096], temporary[4200];
    if (!cache->folder || !path_of(cache, key, path, sizeof path)) return;
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int file = mkostemp(temporary, O_CLOEXEC); /* of mode 0600, and not through somebody's link */
    if (file < 0) return;
    Header header = {.magic = MAGIC,
                     .build = cache->build,
                     .key = {key[0], key[1]},
                     .size = code->size,
                     .checksum = bits_hash(code->bytes, code->size, cache->build)};
    bool is_written =
        write_all(file, &header, sizeof header) && write_all(file, code->bytes, code->size);
    if (close(file) || !is_written || rename(temporary, path)) unlink(temporary);
}

typedef struct CacheFile {
    char name[80];
    struct timespec used;
    int64_t size;
} CacheFile;

static int by_age(const void *x, const void *y)
{
    const CacheFile *a = x, *b = y;
    if (a->used.tv_sec != b->used.tv_sec) return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
    return (a->used.tv_nsec > b->used.tv_nsec) - (a->used.tv_nsec < b->used.tv_nsec);
}

/* Objects, and what a killed process left of one. */
static bool is_object(const char *name)
{
    return strstr(name, BACKEND_CACHE_SUFFIX) && strlen(name) < sizeof(CacheFile){0}.name;
}

static bool add_file(DIR *folder, const char *name, CacheFile **file, size_t count)
{
    struct stat info;
    if (fstatat(dirfd(folder), name, &info, AT_SYMLINK_NOFOLLOW)) return false;
    if ((count & (count + 1)) == 0) {
        CacheFile *larger = realloc(*file, (count + 1) * 2 * sizeof **file);
        if (!larger) return false;
        *file = larger;
    }
    (*file)[count] = (CacheFile){.used = info.st_mtim, .size = info.st_size};
    strcpy((*file)[count].name, name);
    return true;
}

void cache_trim(const Cache *cache, int64_t limit)
{
    DIR *folder = cache->folder ? opendir(cache->folder) : NULL;
    if (!folder) return;
    CacheFile *file = NULL;
    size_t count = 0;
    int64_t total = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (!is_object(entry->d_name) || !add_file(folder, entry->d_name, &file, count)) continue;
        total += file[count++].size;
    }
    if (total > limit) qsort(file, count, sizeof *file, by_age);
    for (size_t i = 0; i < count && total > limit; i++) {
        unlinkat(dirfd(folder), file[i].name, 0);
        total -= file[i].size;
    }
    closedir(folder);
    free(file);
}

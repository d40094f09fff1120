#ifndef MLC_BACKENDS_CPU_CACHE_H
#define MLC_BACKENDS_CPU_CACHE_H
/* Images of kernels on disk, one file a kernel, and what else is kept under a key (tuned.h).  Files are written beside their place and renamed, and checked when read:
 * whatever is wrong with the cache, kernels are only compiled again.  Several processes of one user may share a folder; files
 * that another user owns or can write are not read. */
#include "backends/cpu/object.h"

typedef struct Cache {
    char *folder;   /* NULL: no cache */
    uint64_t build; /* of the sources that make code: what others made is not read */
} Cache;

Cache cache_open(const char *folder); /* NULL: none */
void cache_close(Cache *cache);
/* False if it is not there, damaged or not ours. */
bool cache_read(const Cache *cache, const uint64_t key[2], ObjectCode *code);
void cache_write(const Cache *cache, const uint64_t key[2], const ObjectCode *code);
/* Removes the files that were not used for longest until all take at most `limit` bytes. */
void cache_trim(const Cache *cache, int64_t limit);

#endif

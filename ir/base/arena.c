/* A list of blocks, filled from the front.  Blocks are inserted behind the one in use and walked in that order after a
 * reset, so that a scratch arena that does the same work twice asks the host for nothing the second time. */
#include "ir/base/arena.h"
#include "ir/base/boundary.h"
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ALIGNMENT   ((size_t)16)
#define BLOCK_LEAST ((size_t)1 << 16)
#define BLOCK_MOST  ((size_t)1 << 20)

typedef struct Block {
    struct Block *next;
    size_t used, room; /* of the bytes behind this header */
} Block;

struct Arena {
    Host host;
    Block *first, *current;
    size_t bytes; /* of all blocks */
};

/* Pages of a block in one go, not by a fault each: these took a quarter of the time of `mlc check`. */
static void populate(void *block, size_t size)
{
#ifdef MADV_POPULATE_WRITE
    uintptr_t page = 4096, from = ((uintptr_t)block + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)block + size) / page * page;
    if (size >= BLOCK_LEAST && size <= 2 * BLOCK_MOST && from < to)
        madvise((void *)from, to - from, MADV_POPULATE_WRITE); /* only a hint */
#else
    (void)block, (void)size;
#endif
}

static void *default_resize(void *user, void *block, size_t size)
{
    (void)user;
    bool is_new = !block;
    if (!size) {
        free(block);
        return NULL;
    }
    block = realloc(block, size);
    if (block && is_new) populate(block, size);
    return block;
}

const Host host_default = {.resize = default_resize};

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static char *block_bytes(Block *block)
{
    return (char *)aligned((size_t)(uintptr_t)(block + 1));
}

static Block *block_new(const Host *host, size_t room)
{
    Block *block = host->resize(host->user, NULL, sizeof(Block) + ALIGNMENT + room);
    if (block) *block = (Block){.room = room};
    return block;
}

Arena *arena_open(const Host *host)
{
    Block *first = block_new(host, BLOCK_LEAST);
    if (!first) return NULL;

    Arena *arena = (Arena *)(void *)block_bytes(first);
    first->used = aligned(sizeof *arena);
    *arena = (Arena){.host = *host, .first = first, .current = first, .bytes = first->room};
    return arena;
}

void arena_close(Arena *arena)
{
    if (!arena) return;

    Host host = arena->host;
    for (Block *block = arena->first, *next; block;
         block = next) { /* the arena itself is in the first */
        next = block->next;
        host.resize(host.user, block, 0);
    }
}

void arena_reset(Arena *arena)
{
    for (Block *block = arena->first; block; block = block->next)
        block->used = 0;
    arena->first->used = aligned(sizeof *arena);
    arena->current = arena->first;
}

size_t arena_bytes(const Arena *arena)
{
    return arena->bytes;
}

static bool fits(const Block *block, size_t size)
{
    return size <= block->room - block->used;
}

/* Makes a block with room for `size` the current one: a kept one if the next fits, else a new one. */
static void advance(Arena *arena, size_t size)
{
    Block *next = arena->current->next;
    if (!next || !fits(next, size)) {
        size_t room = arena->bytes < BLOCK_MOST ? arena->bytes : BLOCK_MOST;
        Block *fresh = block_new(&arena->host, room > size ? room : size);
        if (!fresh) out_of_memory();
        fresh->next = next;
        arena->current->next = fresh;
        arena->bytes += fresh->room;
        next = fresh;
    }
    arena->current = next;
}

void *arena_alloc(Arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4) out_of_memory();

    size_t need = aligned(size);
    if (!fits(arena->current, need)) advance(arena, need);
    char *at = block_bytes(arena->current) + arena->current->used;
    arena->current->used += need;
    return memset(at, 0, size);
}

char *arena_text(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length) memcpy(copy, text, length);
    return copy;
}

#ifndef MLC_IR_BASE_ARENA_H
#define MLC_IR_BASE_ARENA_H
/* Bump allocation over the host's allocator: the compiler's only malloc.  Memory lives until the arena
 * is reset or closed; nothing is freed alone.  Out of memory leaves through the boundary (boundary.h),
 * so arena_alloc never returns NULL. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where arenas take their blocks from.  resize(user, block, size): block NULL allocates, size 0 frees,
 * else reallocates; returns NULL when it cannot. */
typedef struct Host {
    void *(*resize)(void *user, void *block, size_t size);
    void *user;
} Host;

/* The C library's allocator. */
extern const Host host_default;

typedef struct Arena Arena;

Arena *arena_open(const Host *host); /* NULL only if the first block cannot be had */
void arena_close(Arena *arena);      /* NULL is fine */
void arena_reset(Arena *arena);      /* drops everything, keeps the blocks */
size_t arena_bytes(const Arena *arena);

/* size bytes, zeroed, aligned to 16. size 0 gives a valid pointer. */
void *arena_alloc(Arena *arena, size_t size);
char *arena_text(Arena *arena, const char *text, size_t length); /* copy, NUL-terminated */

#define arena_new(arena, T) ((T *)arena_alloc((arena), sizeof(T)))
#define arena_array(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))

#endif

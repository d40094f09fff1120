#ifndef MLC_IR_BASE_LIST_H
#define MLC_IR_BASE_LIST_H
/* A growable array in an arena: LIST(int) numbers = {0}; *list_add(arena, &numbers) = 3; numbers.at[0].
 * Growth leaves the old block to the arena, so a pointer into a list is valid until the next list_add. */
#include "ir/base/arena.h"

#define LIST(T)                                                                                                        \
    struct {                                                                                                           \
        T *at;                                                                                                         \
        uint32_t count, room;                                                                                          \
    }
#define list_add(arena, list)                                                                                          \
    ((list)->count == (list)->room                                                                                     \
         ? (void)((list)->at = list_grow((arena), (list)->at, sizeof *(list)->at, (list)->count, &(list)->room))      \
         : (void)0,                                                                                                    \
     (list)->at + (list)->count++)
#define list_last(list) ((list)->at + (list)->count - 1)

static inline void *list_grow(Arena *arena, const void *at, size_t size, uint32_t count, uint32_t *room)
{
    uint32_t first = size > 256 ? 1 : 8; /* lists of what is large are short: a kernel stores one value, as a rule */
    uint32_t more = *room ? *room * 2 : first;
    void *block = arena_alloc(arena, size * more); /* may leave by a jump, and the list is used again */
    *room = more;
    if (count) memcpy(block, at, size * count);
    return block;
}

#endif

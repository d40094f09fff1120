/* An open-addressing table of ids over the texts; ids are handed out in order of first use. */
#include "ir/base/name.h"
#include "ir/base/bits.h"
#include "ir/base/list.h"
#include <stdarg.h>
#include <stdio.h>

typedef struct Entry {
    const char *text;
    size_t length;
    uint64_t hash;
} Entry;

struct Names {
    Arena *arena;
    LIST(Entry) entry; /* [0] is no name */
    uint32_t *table, room;
};

Names *names_new(Arena *arena)
{
    Names *names = arena_new(arena, Names);
    *names = (Names){.arena = arena, .room = 256};
    names->table = arena_array(arena, uint32_t, names->room);
    *list_add(arena, &names->entry) = (Entry){.text = ""};
    return names;
}

/* The table slot that holds the text, or the empty one where it belongs. */
static uint32_t *slot_of(const Names *names, const char *text, size_t length, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash & (names->room - 1);; i = (i + 1) & (names->room - 1)) {
        uint32_t *slot = &names->table[i];
        const Entry *entry = &names->entry.at[*slot];
        if (!*slot || (entry->hash == hash && entry->length == length &&
                       memcmp(entry->text, text, length) == 0))
            return slot;
    }
}

static void grow(Names *names)
{
    names->room *= 2;
    names->table = arena_array(names->arena, uint32_t, names->room);
    for (uint32_t id = 1; id < names->entry.count; id++) {
        const Entry *entry = &names->entry.at[id];
        *slot_of(names, entry->text, entry->length, entry->hash) = id;
    }
}

Name name_of_range(Names *names, const char *text, size_t length)
{
    if (!length) return (Name){0};

    uint64_t hash = bits_hash(text, length, 0);
    uint32_t *slot = slot_of(names, text, length, hash);
    if (*slot) return (Name){*slot};

    Name name = {names->entry.count};
    *slot = name.id;
    const char *copy = arena_text(names->arena, text, length);
    *list_add(names->arena, &names->entry) = (Entry){copy, length, hash};
    if (names->entry.count * 2 > names->room) grow(names);
    return name;
}

Name name_of(Names *names, const char *text)
{
    return name_of_range(names, text, strlen(text));
}

Name name_format(Names *names, const char *format, ...)
{
    char small[256];
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(small, sizeof small, format, list);
    va_end(list);
    char *text = small;
    if (length >= (int)sizeof small) {
        text = arena_alloc(names->arena, (size_t)length + 1);
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return name_of_range(names, text, length < 0 ? 0 : (size_t)length);
}

const char *name_text(const Names *names, Name name)
{
    return names->entry.at[name.id].text;
}

#ifndef MLC_IR_BASE_NAME_H
#define MLC_IR_BASE_NAME_H
/* Interned strings: two Names are equal when their texts are.  0 is "no name". */
#include "ir/base/arena.h"
#include <stdbool.h>

typedef struct Name {
    uint32_t id;
} Name;

typedef struct Names Names;

Names *names_new(Arena *arena);
Name name_of(Names *names, const char *text);                     /* NUL-terminated */
Name name_of_range(Names *names, const char *text, size_t length);
Name name_format(Names *names, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *name_text(const Names *names, Name name); /* "" for no name; valid as long as the table */

static inline bool name_same(Name a, Name b)
{
    return a.id == b.id;
}

#endif

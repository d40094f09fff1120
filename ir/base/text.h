#ifndef MLC_IR_BASE_TEXT_H
#define MLC_IR_BASE_TEXT_H
/* Builds strings in an arena.  `at` is always NUL-terminated once something was added. */
#include "ir/base/arena.h"
#include <stdbool.h>

typedef struct Text {
    Arena *arena;
    char *at;
    size_t count, room;
} Text;

void text_add(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_put(Text *text, const char *bytes, size_t length);
/* The shortest decimal that reads back to the same double; "inf", "-inf", "nan"; integers without a point. */
void text_number(Text *text, double value);
/* Reads what text_number writes (and any other decimal), to the nearest double, in any locale.  False unless all
 * `length` bytes are the number. */
bool text_read_number(const char *text, size_t length, double *value);
/* Bytes as people read them: 1.5 KiB, 20 MiB. */
void text_bytes(Text *text, uint64_t bytes);
const char *text_done(Text *text); /* the string, "" if nothing was added */

/* Edit distance, for "did you mean"; stops counting above limit. */
unsigned text_distance(const char *a, const char *b, unsigned limit);

#endif

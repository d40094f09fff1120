#ifndef MLC_RUNTIME_CORE_JSON_H
#define MLC_RUNTIME_CORE_JSON_H
/* As much of JSON as the header of a safetensors file has: a cursor over mutable text that decodes strings in place and
 * allocates nothing.  The first problem sticks, and everything after it answers false. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Json {
    char *begin, *at, *end; /* *end is readable */
    const char *problem;    /* NULL: none so far */
} Json;

bool json_fail(Json *json, const char *problem);
bool json_take(Json *json, char mark); /* blanks, then `mark` if it stands there */
bool json_want(Json *json, char mark); /* the same, or a problem */
/* A string without control characters, NUL-terminated in place. */
bool json_string(Json *json, char **text);
bool json_natural(Json *json, uint64_t *value); /* digits alone */
bool json_end(Json *json);                      /* nothing but blanks is left */

#endif

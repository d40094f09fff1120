#ifndef MLC_IR_BASE_SOURCE_H
#define MLC_IR_BASE_SOURCE_H
/* Source texts and places in them.  A Span is 16 bytes and travels with every token, AST node, graph node
 * and kernel, so that whatever happens later can name the user's line. */
#include "ir/base/arena.h"
#include <stdbool.h>

typedef struct Span {
    uint32_t source;        /* 1-based index into Sources; 0: nowhere */
    uint32_t begin, length; /* bytes */
    uint32_t storage;       /* of a graph's node: what was said of storing its value (graph.h) */
} Span;

typedef struct Source {
    const char *path; /* as the user wrote it; std library files are "std/layers.mlc" */
    const char *text; /* NUL-terminated, may hold other NULs */
    uint32_t size;
    bool library;     /* ships with mlc: errors are reported at the caller in the user's file */
    const uint32_t *line_start;
    uint32_t line_count;
} Source;

typedef struct Sources Sources;

Sources *sources_new(Arena *arena);
/* Copies path and text. size below 2^31. Returns the source's index for Span.source. */
uint32_t sources_add(Sources *sources, const char *path, const char *text, size_t size, bool library);
const Source *sources_get(const Sources *sources, uint32_t source); /* NULL for 0 */

typedef struct Place {
    uint32_t line, column; /* 1-based; columns count bytes */
} Place;

Place source_place(const Source *source, uint32_t offset);
Span span_join(Span from, Span to); /* covers both; of one source, else `from` */

#endif

#include "ir/base/source.h"
#include "ir/base/boundary.h"
#include "ir/base/list.h"

struct Sources {
    Arena *arena;
    LIST(const Source *) source; /* [0] is nowhere */
};

Sources *sources_new(Arena *arena)
{
    Sources *sources = arena_new(arena, Sources);
    sources->arena = arena;
    *list_add(arena, &sources->source) = NULL;
    return sources;
}

static void find_lines(Arena *arena, Source *source)
{
    LIST(uint32_t) start = {0};
    *list_add(arena, &start) = 0;
    const char *at = source->text, *end = source->text + source->size;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        *list_add(arena, &start) = (uint32_t)(at - source->text);
    }
    source->line_start = start.at;
    source->line_count = start.count;
}

uint32_t sources_add(Sources *sources, const char *path, const char *text, size_t size,
                     bool library)
{
    if (size >= (size_t)1 << 31) bug("source %s has %zu bytes", path, size);

    Source *source = arena_new(sources->arena, Source);
    source->path = arena_text(sources->arena, path, strlen(path));
    source->text = arena_text(sources->arena, text, size);
    source->size = (uint32_t)size;
    source->library = library;
    find_lines(sources->arena, source);
    *list_add(sources->arena, &sources->source) = source;
    return sources->source.count - 1;
}

const Source *sources_get(const Sources *sources, uint32_t source)
{
    return source < sources->source.count ? sources->source.at[source] : NULL;
}

/* The last line that starts at or before the offset. */
Place source_place(const Source *source, uint32_t offset)
{
    if (offset > source->size) offset = source->size;
    uint32_t low = 0, high = source->line_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (source->line_start[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return (Place){.line = low + 1, .column = offset - source->line_start[low] + 1};
}

Span span_join(Span from, Span to)
{
    if (from.source != to.source || !from.source) return from;

    uint32_t begin = from.begin < to.begin ? from.begin : to.begin;
    uint32_t from_end = from.begin + from.length, to_end = to.begin + to.length;
    uint32_t end = from_end > to_end ? from_end : to_end;
    return (Span){.source = from.source, .begin = begin, .length = end - begin};
}

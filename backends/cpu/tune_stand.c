/* Memory for calls that are measured by themselves.  What the entry keeps in its arena, inputs, outputs and states lies in one block here,
 * as near to the lines and pages of the original as matters to a cache; what overlaps there overlaps here. */
#include "backends/cpu/tune.h"
#include "ir/base/bits.h"
#include <stdlib.h>
#include <string.h>

#define PAGE 4096

typedef struct Piece { /* of memory that nothing overlaps */
    RegionPlace place;
    uint32_t index;
    int64_t begin, end;
    int64_t to; /* in the block */
} Piece;

typedef LIST(Piece) Pieces;

static Piece piece_of(const Region *region)
{
    uint32_t index = region->place == PLACE_arena ? 0 : region->index;
    return (Piece){region->place, index, region->offset, region->offset + region->bytes, 0};
}

static int by_place(const void *x, const void *y)
{
    const Piece *a = x, *b = y;
    if (a->place != b->place) return a->place < b->place ? -1 : 1;
    if (a->index != b->index) return a->index < b->index ? -1 : 1;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

static const Call *calls_of(const Stand *stand)
{
    return &stand->module->call.at[stand->call];
}

static const Kernel *kernel_of(const Stand *stand, uint32_t call)
{
    return stand->module->kernel.at[calls_of(stand)[call].kernel];
}

static Pieces pieces_of(Stand *stand, Arena *arena)
{
    Pieces all = {0}, merged = {0};
    for (uint32_t i = 0; i < stand->calls; i++)
        for (uint32_t k = 0; k < calls_of(stand)[i].count; k++)
            *list_add(arena, &all) = piece_of(&calls_of(stand)[i].binding[k]);
    qsort(all.at, all.count, sizeof *all.at, by_place);
    for (uint32_t i = 0; i < all.count; i++) {
        const Piece *piece = &all.at[i];
        Piece *last = merged.count ? list_last(&merged) : NULL;
        if (piece->place == PLACE_literal) continue;
        if (last && last->place == piece->place && last->index == piece->index &&
            piece->begin < last->end) {
            if (piece->end > last->end) last->end = piece->end;
            continue;
        }
        *list_add(arena, &merged) = *piece;
    }
    for (uint32_t i = 0; i < merged.count; i++) {
        Piece *piece = &merged.at[i];
        piece->to = (stand->bytes + PAGE - 1) / PAGE * PAGE + piece->begin % PAGE;
        stand->bytes = piece->to + piece->end - piece->begin;
    }
    return merged;
}

static Region moved(const Pieces *pieces, Region region)
{
    const Piece of = piece_of(&region);
    for (uint32_t i = 0; i < pieces->count && region.place != PLACE_literal; i++) {
        const Piece *piece = &pieces->at[i];
        if (piece->place != of.place || piece->index != of.index || of.begin < piece->begin ||
            of.end > piece->end)
            continue;
        return (Region){PLACE_output, 0, piece->to + of.begin - piece->begin, region.bytes};
    }
    return region;
}

Status stand_open(Stand *stand, Arena *arena)
{
    stand->bytes = 0;
    Pieces pieces = pieces_of(stand, arena);
    Call *bound = arena_array(arena, Call, stand->calls);
    for (uint32_t i = 0; i < stand->calls; i++) {
        bound[i] = calls_of(stand)[i];
        Region *binding = arena_array(arena, Region, bound[i].count);
        for (uint32_t k = 0; k < bound[i].count; k++)
            binding[k] = moved(&pieces, bound[i].binding[k]);
        bound[i].binding = binding;
    }
    stand->bound = bound;
    size_t bytes = ((size_t)stand->bytes / PAGE + 2) * PAGE;
    stand->block = aligned_alloc(PAGE, bytes);
    stand->expected = aligned_alloc(PAGE, bytes);
    if (!stand->block || !stand->expected) return STATUS_no_memory;
    memset(stand->block, 0, bytes);
    return STATUS_ok;
}

void stand_close(Stand *stand)
{
    free(stand->block);
    free(stand->expected);
    stand->block = stand->expected = NULL;
}

/* --- what it holds before a check ------------------------------------------------------------------------------------------ */

/* Half of them 0: sums of their products are exact, in whatever order. */
static void put_integers(Type type, char *bytes, int64_t count)
{
    uint32_t random = 1;
    for (int64_t i = 0; i < count; i++) {
        random = random * 1664525u + 1013904223u;
        int64_t integer = random >> 31 ? (int64_t)(random >> 24 & 7) - 3 : 0;
        if (!type_is_float(type) && integer < 0) integer = -integer;
        if (type == TYPE_bool) integer &= 1;
        float real = (float)integer;
        uint16_t half = type == TYPE_bf16 ? bits_bf16_of(real) : bits_f16_of(real);
        const void *from = type == TYPE_f32      ? (const void *)&real
                           : type_is_float(type) ? (const void *)&half
                                                 : (const void *)&integer;
        memcpy(bytes + i * type_info[type].bytes, from, type_info[type].bytes);
    }
}

static bool overlap(const Region *a, const Region *b)
{
    return a->place == b->place && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

/* What happens to the bytes of a region, whatever they are called. */
typedef struct Use {
    bool is_read, is_written;
} Use;

static Use use_of(const Stand *stand, const Region *region)
{
    Use use = {0};
    for (uint32_t i = 0; i < stand->calls; i++)
        for (uint32_t k = 0; k < stand->bound[i].count; k++) {
            if (!overlap(region, &stand->bound[i].binding[k])) continue;
            use.is_read |= kernel_reads(kernel_of(stand, i), k);
            use.is_written |= kernel_of(stand, i)->buffer.at[k].written;
        }
    return use;
}

/* Integers in all that is read, and elsewhere what no kernel writes.  Again: where something was written. */
static void prepare(const Stand *stand, bool is_first)
{
    for (uint32_t i = 0; i < stand->calls; i++)
        for (uint32_t k = 0; k < stand->bound[i].count; k++) {
            const Region *region = &stand->bound[i].binding[k];
            const BufferInfo *buffer = &kernel_of(stand, i)->buffer.at[k];
            char *at = stand->block + region->offset;
            if (region->place == PLACE_literal) continue;
            Use use = use_of(stand, region);
            if (!is_first && !use.is_written) continue;
            if (use.is_read)
                put_integers(buffer->type, at, buffer->elements);
            else
                memset(at, 0xcd, (size_t)region->bytes);
        }
}

Status race_check(Stand *stand, const Entrant *entrant, uint32_t count, Arena *arena)
{
    prepare(stand, true);
    TRY(race_run(stand, &entrant[0], arena));
    memcpy(stand->expected, stand->block, (size_t)stand->bytes);
    for (uint32_t i = 1; i < count; i++) {
        prepare(stand, false);
        TRY(race_run(stand, &entrant[i], arena));
        if (!memcmp(stand->expected, stand->block, (size_t)stand->bytes)) continue;
        Text text = {.arena = arena};
        choice_print(&text, &entrant[i].choice);
        bug("a schedule of %s computes something else: %s", entrant[i].plan->name,
            text_done(&text));
    }
    return STATUS_ok;
}

#include "ir/graph/attribute.h"
#include "ir/base/bits.h"

/* Structs with padding are hashed and compared member by member. */

static bool attribute_same_number(const double *a, const double *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static uint64_t attribute_hash_number(const double *number, uint64_t seed)
{
    return bits_hash(number, sizeof *number, seed);
}

static bool attribute_same_table(const Table *a, const Table *b)
{
    return a->count == b->count &&
           (!a->count || memcmp(a->at, b->at, sizeof *a->at * a->count) == 0);
}

static uint64_t attribute_hash_table(const Table *table, uint64_t seed)
{
    return bits_hash(table->at, sizeof *table->at * table->count, seed);
}

static bool attribute_same_name(const Name *a, const Name *b)
{
    return name_same(*a, *b);
}

static uint64_t attribute_hash_name(const Name *name, uint64_t seed)
{
    return bits_hash(&name->id, sizeof name->id, seed);
}

static bool attribute_same_axes(const Axes *a, const Axes *b)
{
    return a->count == b->count && memcmp(a->at, b->at, a->count) == 0;
}

static uint64_t attribute_hash_axes(const Axes *axes, uint64_t seed)
{
    return bits_hash(axes->at, axes->count, seed);
}

static bool attribute_same_axis(const int *a, const int *b)
{
    return *a == *b;
}

static uint64_t attribute_hash_axis(const int *axis, uint64_t seed)
{
    return bits_hash(axis, sizeof *axis, seed);
}

static bool attribute_same_indices(const Indices *a, const Indices *b)
{
    if (memcmp(a->a, b->a, sizeof a->a) != 0 || memcmp(a->b, b->b, sizeof a->b) != 0 ||
        memcmp(a->y, b->y, sizeof a->y) != 0 || a->windows != b->windows)
        return false;
    for (int i = 0; i < a->windows; i++)
        if (a->window[i].input != b->window[i].input ||
            a->window[i].output != b->window[i].output || a->window[i].tap != b->window[i].tap ||
            a->window[i].input_scale != b->window[i].input_scale ||
            a->window[i].output_scale != b->window[i].output_scale ||
            a->window[i].tap_scale != b->window[i].tap_scale ||
            a->window[i].offset != b->window[i].offset)
            return false;
    return true;
}

static uint64_t attribute_hash_indices(const Indices *indices, uint64_t seed)
{
    uint64_t hash = bits_hash(indices->a, sizeof indices->a, seed);
    hash = bits_hash(indices->b, sizeof indices->b, hash);
    hash = bits_hash(indices->y, sizeof indices->y, hash);
    for (int i = 0; i < indices->windows; i++) {
        int64_t part[] = {
            indices->window[i].input,        indices->window[i].output,
            indices->window[i].tap,          indices->window[i].input_scale,
            indices->window[i].output_scale, indices->window[i].tap_scale,
            indices->window[i].offset,
        };
        hash = bits_hash(part, sizeof part, hash);
    }
    return hash;
}

static bool attribute_same_slice(const Slice *a, const Slice *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static uint64_t attribute_hash_slice(const Slice *slice, uint64_t seed)
{
    return bits_hash(slice, sizeof *slice, seed);
}

static bool attribute_same_pad(const Pad *a, const Pad *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static uint64_t attribute_hash_pad(const Pad *pad, uint64_t seed)
{
    return bits_hash(pad, sizeof *pad, seed);
}

_Static_assert(sizeof(Slice) == 3 * MAX_RANK * 8 && sizeof(Pad) == 3 * MAX_RANK * 8 + 8,
               "slice and pad have no padding");

static bool attribute_same_windows(const Windows *a, const Windows *b)
{
    if (a->count != b->count) return false;
    for (int i = 0; i < a->count; i++)
        if (a->at[i].axis != b->at[i].axis || a->at[i].size != b->at[i].size ||
            a->at[i].stride != b->at[i].stride || a->at[i].dilation != b->at[i].dilation)
            return false;
    return true;
}

static uint64_t attribute_hash_windows(const Windows *windows, uint64_t seed)
{
    for (int i = 0; i < windows->count; i++) {
        int64_t part[] = {windows->at[i].axis, windows->at[i].size, windows->at[i].stride,
                          windows->at[i].dilation};
        seed = bits_hash(part, sizeof part, seed);
    }
    return seed;
}

bool attribute_same(AttributeKind kind, const Attribute *a, const Attribute *b)
{
    switch (kind) {
    case ATTRIBUTE_none:
    case ATTRIBUTE_COUNT: return true;
#define ATTRIBUTE(kind, type, member)                                                              \
    case ATTRIBUTE_##kind: return attribute_same_##kind(&a->member, &b->member);
#include "ir/graph/attributes.def"
#undef ATTRIBUTE
    }
    return true;
}

uint64_t attribute_hash(AttributeKind kind, const Attribute *attribute, uint64_t seed)
{
    switch (kind) {
    case ATTRIBUTE_none:
    case ATTRIBUTE_COUNT: return seed;
#define ATTRIBUTE(kind, type, member)                                                              \
    case ATTRIBUTE_##kind: return attribute_hash_##kind(&attribute->member, seed);
#include "ir/graph/attributes.def"
#undef ATTRIBUTE
    }
    return seed;
}

const Attribute *attribute_copy(Arena *arena, AttributeKind kind, const Attribute *attribute)
{
    if (kind == ATTRIBUTE_none) return NULL;

    Attribute *copy = arena_new(arena, Attribute);
    *copy = *attribute;
    if (kind == ATTRIBUTE_table && attribute->table.count) {
        double *at = arena_array(arena, double, attribute->table.count);
        memcpy(at, attribute->table.at, sizeof *at * attribute->table.count);
        copy->table.at = at;
    }
    return copy;
}

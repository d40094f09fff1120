#include "ir/kernel/hash.h"
#include "ir/base/bits.h"

static uint64_t mix(uint64_t seed, uint64_t word)
{
    return bits_hash(&word, sizeof word, seed);
}

static uint64_t access_hash(const Access *access, uint64_t seed)
{
    const uint64_t head[] = {access->buffer, access->rank, (uint64_t)access->offset};
    uint64_t hash = bits_hash(head, sizeof head, seed);
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        const uint64_t words[] = {(uint64_t)access->stride[d], at->dynamic.id, at->divisor,
                                  at->extent, at->guarded};
        hash = bits_hash(&at->affine, sizeof at->affine, hash);
        hash = bits_hash(words, sizeof words, hash);
    }
    return hash;
}

static bool coordinate_same(const Coordinate *a, const Coordinate *b)
{
    return a->dynamic.id == b->dynamic.id && a->divisor == b->divisor && a->extent == b->extent &&
           a->guarded == b->guarded && affine_same(&a->affine, &b->affine);
}

bool access_same(const Access *a, const Access *b)
{
    if (a->buffer != b->buffer || a->rank != b->rank || a->offset != b->offset) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->stride[d] != b->stride[d] || !coordinate_same(&a->at[d], &b->at[d])) return false;
    return true;
}

/* The element as one affine, where no guard intervenes. */
static bool flatten(const Access *access, Affine *element)
{
    *element = affine_constant(access->offset);
    for (int d = 0; d < access->rank; d++) {
        if (access->at[d].guarded) return false;
        *element = affine_add(*element, affine_scale(access->at[d].affine, access->stride[d]));
    }
    return true;
}

bool access_same_element(const Access *a, const Access *b)
{
    Affine of_a, of_b;
    if (flatten(a, &of_a) && flatten(b, &of_b)) return affine_same(&of_a, &of_b);
    Access other = *b;
    other.buffer = a->buffer;
    return access_same(a, &other);
}

static uint64_t number_bits(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

uint64_t scalar_hash(const ScalarNode *node, uint64_t seed)
{
    const uint64_t words[] = {node->op,
                              node->type,
                              node->argument[0].id,
                              node->argument[1].id,
                              node->argument[2].id,
                              node->argument[3].id,
                              number_bits(node->number),
                              node->reduce,
                              node->axes};
    uint64_t hash = bits_hash(words, sizeof words, seed);
    return node->access ? access_hash(node->access, hash) : hash;
}

bool scalar_same(const ScalarNode *a, const ScalarNode *b)
{
    return a->op == b->op && a->type == b->type && a->argument[0].id == b->argument[0].id &&
           a->argument[1].id == b->argument[1].id && a->argument[2].id == b->argument[2].id &&
           a->argument[3].id == b->argument[3].id &&
           number_bits(a->number) == number_bits(b->number) && a->reduce == b->reduce &&
           a->axes == b->axes && !a->access == !b->access &&
           (!a->access || access_same(a->access, b->access));
}

uint64_t kernel_hash(const Kernel *kernel)
{
    uint64_t hash = mix(kernel->axis.count, kernel->buffer.count);
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        hash = mix(mix(hash, (uint64_t)kernel->axis.at[i].extent), kernel->axis.at[i].kind);
    for (uint32_t i = 0; i < kernel->buffer.count; i++) {
        const BufferInfo *buffer = &kernel->buffer.at[i];
        hash = mix(mix(hash, (uint64_t)buffer->elements),
                   (uint64_t)buffer->type * 2 + buffer->written);
    }
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        hash = scalar_hash(&kernel->scalar.at[i], hash);
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        const Store *store = &kernel->store.at[i];
        hash =
            access_hash(&store->at, mix(hash, (uint64_t)store->value.id * 2 + store->accumulate));
    }
    return hash;
}

static bool frame_same(const Kernel *a, const Kernel *b)
{
    if (a->axis.count != b->axis.count || a->buffer.count != b->buffer.count) return false;
    for (uint32_t i = 0; i < a->axis.count; i++)
        if (a->axis.at[i].extent != b->axis.at[i].extent ||
            a->axis.at[i].kind != b->axis.at[i].kind)
            return false;
    for (uint32_t i = 0; i < a->buffer.count; i++) {
        const BufferInfo *x = &a->buffer.at[i], *y = &b->buffer.at[i];
        if (x->type != y->type || x->elements != y->elements || x->written != y->written)
            return false;
    }
    return true;
}

bool kernel_same(const Kernel *a, const Kernel *b)
{
    if (!frame_same(a, b) || a->scalar.count != b->scalar.count || a->store.count != b->store.count)
        return false;
    for (uint32_t i = 1; i < a->scalar.count; i++)
        if (!scalar_same(&a->scalar.at[i], &b->scalar.at[i])) return false;
    for (uint32_t i = 0; i < a->store.count; i++) {
        const Store *x = &a->store.at[i], *y = &b->store.at[i];
        if (x->value.id != y->value.id || x->accumulate != y->accumulate ||
            !access_same(&x->at, &y->at))
            return false;
    }
    return true;
}

#include "ir/base/boundary.h"
#include "ir/kernel/kernel.h"

/* Sums wrap: a coefficient that overflows is nonsense anyway, and the bounds check sees it. */
static int64_t wrapped_sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t wrapped_product(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

Affine affine_constant(int64_t constant)
{
    return (Affine){.constant = constant};
}

Affine affine_axis(Axis axis)
{
    if (axis.id < 1 || axis.id > MAX_AXES) bug("axis %u in an affine expression", axis.id);
    Affine affine = {0};
    affine.by[axis.id - 1] = 1;
    return affine;
}

Affine affine_add(Affine a, Affine b)
{
    a.constant = wrapped_sum(a.constant, b.constant);
    for (int i = 0; i < MAX_AXES; i++)
        a.by[i] = wrapped_sum(a.by[i], b.by[i]);
    return a;
}

Affine affine_scale(Affine a, int64_t factor)
{
    a.constant = wrapped_product(a.constant, factor);
    for (int i = 0; i < MAX_AXES; i++)
        a.by[i] = wrapped_product(a.by[i], factor);
    return a;
}

bool affine_same(const Affine *a, const Affine *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static int64_t saturated(__int128 value)
{
    if (value > INT64_MAX) return INT64_MAX;
    return value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

/* Exact where it fits; else the end of int64, which is outside of every extent. Terms are cut at
 * 2^100 so that their sum cannot overflow. */
void affine_range(const Kernel *kernel, const Affine *affine, int64_t *least, int64_t *greatest)
{
    const __int128 bound = (__int128)1 << 100;
    __int128 low = affine->constant, high = affine->constant;
    for (uint32_t i = 0; i < kernel->axis.count && i < MAX_AXES; i++) {
        __int128 term = (__int128)affine->by[i] * (kernel->axis.at[i].extent - 1);
        if (term > bound) term = bound;
        if (term < -bound) term = -bound;
        if (term > 0) high += term;
        if (term < 0) low += term;
    }
    *least = saturated(low);
    *greatest = saturated(high);
}

uint32_t affine_axes(const Affine *affine)
{
    uint32_t axes = 0;
    for (int i = 0; i < MAX_AXES; i++)
        if (affine->by[i]) axes |= 1u << i;
    return axes;
}

uint32_t access_axes(const Kernel *kernel, const Access *access)
{
    uint32_t axes = 0;
    for (int d = 0; d < access->rank; d++) {
        axes |= affine_axes(&access->at[d].affine);
        axes |= kernel->scalar.at[access->at[d].dynamic.id].depends; /* [0] depends on nothing */
    }
    return axes;
}

int64_t access_bytes(const Kernel *kernel, const Access *access)
{
    const BufferInfo *buffer = &kernel->buffer.at[access->buffer];
    uint32_t axes = access_axes(kernel, access);
    int64_t elements = 1;
    for (uint32_t a = 0; a < kernel->axis.count && elements < buffer->elements; a++)
        if (axes >> a & 1) elements *= kernel->axis.at[a].extent;
    if (elements > buffer->elements) elements = buffer->elements;
    return elements * type_info[buffer->type].bytes;
}

#include "tests/unit/random_filtering.h"

typedef struct Making {
    Kernel *kernel;
    uint64_t state;
    bool is_gradient, is_of_bytes;
    bool is_narrow;            /* what is stored: i8 */
    bool is_padded, is_turned; /* zeros around the image; taps from the last to the first */
    bool is_last;              /* filters are the last axis of the other factor */
    Axis image[2], window[2], tap[2], channel, filter, around;
} Making;

static uint32_t pick(Making *m, uint32_t below)
{
    m->state = m->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(m->state >> 33) % below;
}

static int64_t extent_of(const Making *m, Axis axis)
{
    return m->kernel->axis.at[axis.id - 1].extent;
}

static void add_coordinate(Access *access, Affine affine, int64_t extent, bool guarded)
{
    access->at[access->rank++] =
        (Coordinate){.affine = affine, .divisor = 1, .extent = extent, .guarded = guarded};
}

static void add_axis(const Making *m, Access *access, Axis axis)
{
    if (axis.id) add_coordinate(access, affine_axis(axis), extent_of(m, axis), false);
}

/* Row-major; returns the elements. */
static int64_t set_strides(Access *access)
{
    int64_t stride = 1;
    for (int d = access->rank; d-- > 0;) {
        access->stride[d] = stride;
        stride *= access->at[d].extent;
    }
    return stride;
}

static Scalar load(Making *m, Access access, Type type)
{
    access.buffer = kernel_buffer(m->kernel, type, set_strides(&access), false);
    return kernel_load(m->kernel, &access);
}

/* Images of bytes may have no signs. */
static Type factor_type(Making *m, bool is_image)
{
    if (!m->is_of_bytes) return TYPE_f32;
    return is_image && pick(m, 2) ? TYPE_u8 : TYPE_i8;
}

static Type sum_type(const Making *m)
{
    return m->is_of_bytes ? TYPE_i32 : TYPE_f32;
}

static Scalar load_image(Making *m)
{
    Access access = {0};
    add_axis(m, &access, m->around);
    for (int i = 0; i < 2; i++)
        add_axis(m, &access, m->image[i]);
    for (int i = 0; i < 2; i++) {
        Affine at = affine_scale(affine_axis(m->tap[i]), m->is_turned ? -1 : 1);
        at = affine_add(at, affine_axis(m->window[i]));
        at.constant = m->is_turned ? 2 : 0;
        if (m->is_padded) at.constant--;
        add_coordinate(&access, at, extent_of(m, m->window[i]) + (m->is_padded ? 0 : 2),
                       m->is_padded);
    }
    add_axis(m, &access, m->channel);
    return load(m, access, factor_type(m, true));
}

static Scalar load_other(Making *m)
{
    Access access = {0};
    const Axis *moved = m->is_gradient ? m->window : m->tap;
    add_axis(m, &access, m->around);
    for (int i = 0; i < 2 && m->is_gradient; i++)
        add_axis(m, &access, m->image[i]);
    if (!m->is_last) add_axis(m, &access, m->filter);
    if (!m->is_gradient) add_axis(m, &access, m->channel);
    for (int i = 0; i < 2; i++)
        add_axis(m, &access, moved[i]);
    if (m->is_last) add_axis(m, &access, m->filter);
    return load(m, access, factor_type(m, false));
}

static void store(Making *m, Scalar value)
{
    Access access = {0};
    const Axis *moved = m->is_gradient ? m->tap : m->window;
    add_axis(m, &access, m->around);
    for (int i = 0; i < 2 && !m->is_gradient; i++)
        add_axis(m, &access, m->image[i]);
    if (m->is_gradient) add_axis(m, &access, m->channel);
    for (int i = 0; i < 2; i++)
        add_axis(m, &access, moved[i]);
    add_axis(m, &access, m->filter);
    Type type = m->is_narrow ? TYPE_i8 : sum_type(m);
    access.buffer = kernel_buffer(m->kernel, type, set_strides(&access), true);
    if (m->is_narrow) value = kernel_apply(m->kernel, SCALAR_cast, type, &value);
    kernel_store(m->kernel, &access, value, false);
}

static void add_axes(Making *m)
{
    AxisKind kind = m->is_gradient ? AXIS_reduction : AXIS_parallel;
    AxisKind other = m->is_gradient ? AXIS_parallel : AXIS_reduction;
    if (m->is_gradient && pick(m, 2))
        m->around = kernel_axis(m->kernel, AXIS_parallel, 2 + pick(m, 3));
    if (pick(m, 2)) m->filter = kernel_axis(m->kernel, AXIS_parallel, 16 + (pick(m, 3) ? 0 : 32));
    int images = 1 + (int)pick(m, 2);
    bool is_small = !m->is_gradient && m->is_last && pick(m, 2);
    int64_t tiles = 1, least = is_small ? 4 : 32;
    for (int i = 0; i < images; i++) {
        int64_t extent = 1 + pick(m, is_small ? 2 : 5);
        tiles *= extent;
        m->image[i] = kernel_axis(m->kernel, kind, extent);
    }
    for (int i = 0; i < 2; i++) {
        int64_t count = 1 + pick(m, 2);
        if (i && tiles * count < least) count = (least + tiles - 1) / tiles;
        tiles *= count;
        m->window[i] = kernel_axis(m->kernel, kind, 4 * count);
    }
    if (!m->filter.id) m->filter = kernel_axis(m->kernel, AXIS_parallel, 16);
    for (int i = 0; i < 2; i++)
        m->tap[i] = kernel_axis(m->kernel, other, 3);
    m->channel = kernel_axis(m->kernel, other, 16 + (pick(m, 4) ? 0 : 16));
}

static Scalar widened(Making *m, Scalar factor)
{
    Type type = sum_type(m);
    bool is_wide = m->kernel->scalar.at[factor.id].type == type;
    return is_wide ? factor : kernel_apply(m->kernel, SCALAR_cast, type, &factor);
}

static Kernel *make(Making m)
{
    Type type = sum_type(&m);
    m.is_padded = pick(&m, 3) > 0;
    m.is_turned = pick(&m, 2);
    m.is_last = m.is_gradient || pick(&m, 2);
    add_axes(&m);
    Scalar image = load_image(&m), other = load_other(&m);
    if (!pick(&m, 3)) {
        Type of = m.kernel->scalar.at[image.id].type;
        Scalar both[] = {image, kernel_constant(m.kernel, of, 0)};
        image = kernel_apply(m.kernel, SCALAR_max, of, both);
    }
    image = widened(&m, image);
    other = widened(&m, other);
    bool is_swapped = pick(&m, 2);
    Scalar factors[] = {is_swapped ? other : image, is_swapped ? image : other};
    Scalar product = kernel_apply(m.kernel, SCALAR_mul, type, factors);
    uint32_t axes = 0;
    for (uint32_t i = 0; i < m.kernel->axis.count; i++)
        if (m.kernel->axis.at[i].kind == AXIS_reduction) axes |= 1u << i;
    Scalar sum = kernel_reduce(m.kernel, REDUCE_add, axes, product);
    store(&m, sum);
    Access bias = {0};
    add_axis(&m, &bias, m.filter);
    Scalar terms[] = {sum, load(&m, bias, type)};
    if (pick(&m, 2)) store(&m, kernel_apply(m.kernel, SCALAR_add, type, terms));
    return m.kernel;
}

static Making begin(uint64_t seed, Arena *arena)
{
    return (Making){.kernel = kernel_new(arena), .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
}

Kernel *random_filtering(uint64_t seed, Arena *arena)
{
    Making m = begin(seed, arena);
    m.is_gradient = pick(&m, 2);
    return make(m);
}

Kernel *random_byte_filtering(uint64_t seed, Arena *arena)
{
    Making m = begin(seed, arena);
    m.is_of_bytes = true;
    m.is_narrow = pick(&m, 2);
    return make(m);
}

#include "tests/unit/random_kernel.h"
#include "ir/base/bits.h"
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Generator {
    Kernel *kernel;
    uint64_t state;
    uint32_t parallel, reduction, sequential; /* bit sets of axes */
    bool is_whole;
} Generator;

static uint32_t pick(Generator *g, uint32_t below)
{
    g->state = g->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(g->state >> 33) % below;
}

static bool chance(Generator *g, uint32_t percent)
{
    return pick(g, 100) < percent;
}

static int64_t pick_extent(Generator *g, bool is_small)
{
    static const int64_t extent[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 40, 64, 67};
    return extent[pick(g, is_small ? 6 : sizeof extent / sizeof *extent)];
}

/* As many points as three axes of 64 have: more tests nothing more, and the interpreter takes seconds for them. */
#define POINTS_MOST (1 << 18)

static int64_t count_points(const Kernel *kernel)
{
    int64_t points = 1;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        points *= kernel->axis.at[i].extent;
    return points;
}

static uint32_t add_axes(Generator *g, AxisKind kind, uint32_t count)
{
    uint32_t axes = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t extent = pick_extent(g, i > 0);
        if (count_points(g->kernel) * extent > POINTS_MOST) extent = 1 + extent % 3;
        axes |= 1u << (kernel_axis(g->kernel, kind, extent).id - 1);
    }
    return axes;
}

static int64_t extent_at(const Generator *g, uint32_t axis)
{
    return g->kernel->axis.at[axis].extent;
}

static Scalar load_of(Generator *g, uint32_t axes, Type type);

/* One index over one axis, sometimes over two as a convolution has. */
static Coordinate random_coordinate(Generator *g, uint32_t axis, uint32_t other, bool is_plain)
{
    Coordinate at = {.affine = affine_axis((Axis){axis + 1}), .divisor = 1};
    at.extent = extent_at(g, axis);
    if (other < MAX_AXES && (is_plain || chance(g, 40))) {
        at.affine = affine_add(affine_scale(at.affine, extent_at(g, other)),
                               affine_axis((Axis){other + 1}));
        at.extent *= extent_at(g, other);
    } else if (other < MAX_AXES && chance(g, 60)) {
        at.affine = affine_add(at.affine, affine_axis((Axis){other + 1}));
        at.extent += extent_at(g, other) - 1;
    } else if (chance(g, 10)) {
        at.affine = affine_scale(at.affine, 2);
        at.extent *= 2;
    } else if (chance(g, 5)) {
        at.affine = affine_add(affine_scale(at.affine, -1), affine_constant(at.extent - 1));
    }
    if (is_plain) return at;
    uint32_t kind = pick(g, 100);
    if (kind < 15) {
        at.affine = affine_add(at.affine, affine_constant((int64_t)pick(g, 5) - 2));
        at.guarded = true;
    } else if (kind < 22) {
        at.affine = affine_add(at.affine, affine_constant((int64_t)pick(g, 3) - 1));
        at.divisor = 2 + pick(g, 2);
        at.extent = at.extent / at.divisor + 1;
        at.guarded = true;
    } else if (kind < 27) {
        at.dynamic = load_of(g, 1u << axis, TYPE_i32);
        at.affine = affine_constant(0);
        at.guarded = true;
    }
    return at;
}

static Access access_of(Generator *g, uint32_t axes, Type type, bool is_written, bool is_plain)
{
    Access access = {0};
    uint32_t left = axes;
    while (left && access.rank < MAX_RANK) {
        uint32_t skip = chance(g, 60) ? 0 : pick(g, (uint32_t)__builtin_popcount(left));
        uint32_t set = left;
        while (skip--)
            set &= set - 1;
        uint32_t axis = (uint32_t)__builtin_ctz(set), other = MAX_AXES;
        left &= ~(1u << axis);
        if (left && chance(g, 25)) {
            other = (uint32_t)__builtin_ctz(left);
            left &= ~(1u << other);
        }
        access.at[access.rank++] = random_coordinate(g, axis, other, is_plain);
    }
    int64_t elements = 1;
    for (int d = access.rank; d-- > 0;) {
        access.stride[d] = elements;
        elements *= access.at[d].extent;
    }
    access.offset = chance(g, 20) ? (int64_t)pick(g, 5) : 0;
    access.buffer = kernel_buffer(g->kernel, type, elements + access.offset, is_written);
    return access;
}

static Scalar load_of(Generator *g, uint32_t axes, Type type)
{
    Access access = access_of(g, axes, type, false, type == TYPE_i32 || chance(g, 50));
    return kernel_load(g->kernel, &access);
}

static Type pick_type(Generator *g)
{
    static const Type type[] = {TYPE_f32,  TYPE_f32, TYPE_f32, TYPE_f32, TYPE_f32,
                                TYPE_bf16, TYPE_f16, TYPE_i32, TYPE_u8,  TYPE_i8,
                                TYPE_u32,  TYPE_i64, TYPE_bool};
    return type[pick(g, sizeof type / sizeof *type)];
}

static Scalar cast(Generator *g, Scalar x, Type type)
{
    if (g->kernel->scalar.at[x.id].type == type) return x;
    return kernel_apply(g->kernel, SCALAR_cast, type, &x);
}

static uint32_t some_of(Generator *g, uint32_t axes)
{
    for (uint32_t i = 0; i < MAX_AXES; i++)
        if (chance(g, 20)) axes &= ~(1u << i);
    return axes;
}

static Scalar leaf(Generator *g, uint32_t axes, Type type)
{
    uint32_t kind = pick(g, 20);
    if (kind == 0) return kernel_constant(g->kernel, type, (double)pick(g, 8) - 3);
    if (kind == 1 && axes) {
        Affine affine = affine_axis((Axis){(uint32_t)__builtin_ctz(axes) + 1});
        return cast(g, kernel_index(g->kernel, affine_add(affine, affine_constant(3))), type);
    }
    return cast(g, load_of(g, some_of(g, axes), chance(g, 60) ? type : pick_type(g)), type);
}

static Scalar expression(Generator *g, uint32_t axes, Type type, uint32_t depth);

static Scalar conditional(Generator *g, uint32_t axes, Type type, uint32_t depth)
{
    Type of = pick_type(g);
    static const ScalarOp compare[] = {SCALAR_equal, SCALAR_less, SCALAR_less_equal};
    Scalar pair[2] = {expression(g, axes, of, depth), leaf(g, axes, of)};
    Scalar condition = kernel_apply(g->kernel, compare[pick(g, 3)], TYPE_bool, pair);
    if (type == TYPE_bool) return condition;
    Scalar yes = leaf(g, axes, type), no = expression(g, axes, type, depth);
    return kernel_apply(g->kernel, SCALAR_select, type, (Scalar[]){condition, yes, no});
}

static ScalarOp pick_op(Generator *g, Type type)
{
    static const ScalarOp real[] = {SCALAR_add, SCALAR_sub, SCALAR_mul,   SCALAR_div,
                                    SCALAR_max, SCALAR_min, SCALAR_floor, SCALAR_round,
                                    SCALAR_abs, SCALAR_neg, SCALAR_sqrt,  SCALAR_rem};
    static const ScalarOp whole[] = {SCALAR_add, SCALAR_sub, SCALAR_mul, SCALAR_div, SCALAR_rem,
                                     SCALAR_max, SCALAR_min, SCALAR_neg, SCALAR_abs};
    static const ScalarOp bit[] = {SCALAR_bit_and, SCALAR_bit_or, SCALAR_bit_xor};
    if (type_is_float(type)) return real[pick(g, sizeof real / sizeof *real)];
    if ((type == TYPE_u32 || type == TYPE_i32) && chance(g, 30)) return bit[pick(g, 3)];
    if (type == TYPE_u32 && chance(g, 20)) return SCALAR_mul_high;
    return whole[pick(g, sizeof whole / sizeof *whole)];
}

static Scalar expression(Generator *g, uint32_t axes, Type type, uint32_t depth)
{
    if (!depth) return leaf(g, axes, type);
    if (chance(g, 15)) return conditional(g, axes, type, depth - 1);
    Scalar argument[3] = {expression(g, axes, type, depth - 1)};
    if (chance(g, 15)) {
        Type other = pick_type(g);
        return cast(g, cast(g, argument[0], other), type);
    }
    argument[1] = leaf(g, axes, type);
    ScalarOp op = type == TYPE_bool ? (chance(g, 50) ? SCALAR_and : SCALAR_or) : pick_op(g, type);
    return kernel_apply(g->kernel, op, type, argument);
}

static void store(Generator *g, Scalar value)
{
    Type type = g->kernel->scalar.at[value.id].type;
    Access access = access_of(g, g->parallel, type, true, true);
    kernel_store(g->kernel, &access, value, false);
}

static void make_elementwise(Generator *g)
{
    g->parallel = add_axes(g, AXIS_parallel, 1 + pick(g, 4));
    for (uint32_t i = 0; i < 1 + pick(g, 2); i++)
        store(g, expression(g, g->parallel, pick_type(g), 1 + pick(g, 4)));
    if (!chance(g, 30)) return;
    /* In place: what is stored was loaded from there. */
    Access access = access_of(g, g->parallel, TYPE_f32, true, true);
    Scalar old = kernel_load(g->kernel, &access);
    Scalar value = expression(g, g->parallel, TYPE_f32, 2);
    Scalar sum = kernel_apply(g->kernel, SCALAR_add, TYPE_f32, (Scalar[]){old, value});
    kernel_store(g->kernel, &access, sum, false);
    store(g, kernel_apply(g->kernel, SCALAR_mul, TYPE_f32, (Scalar[]){old, sum}));
}

static Scalar reduce_of(Generator *g, uint32_t rows, Scalar earlier)
{
    Type type = chance(g, 80) ? TYPE_f32 : chance(g, 50) ? TYPE_i32 : TYPE_bf16;
    Scalar body = expression(g, rows | g->reduction, type, 1 + pick(g, 2));
    uint32_t missing = g->reduction & ~g->kernel->scalar.at[body.id].depends;
    if (missing) {
        Scalar whole = cast(g, load_of(g, g->reduction, type), type);
        body = kernel_apply(g->kernel, SCALAR_sub, type, (Scalar[]){body, whole});
    }
    if (g->reduction & ~g->kernel->scalar.at[body.id].depends) return (Scalar){0};
    if (earlier.id) {
        Scalar shift = cast(g, earlier, type);
        body = kernel_apply(g->kernel, SCALAR_sub, type, (Scalar[]){body, shift});
    }
    ReduceOp op = chance(g, 60) ? REDUCE_add : chance(g, 50) ? REDUCE_max : REDUCE_min;
    return kernel_reduce(g->kernel, op, g->reduction, body);
}

static void make_reduction(Generator *g)
{
    g->parallel = add_axes(g, AXIS_parallel, pick(g, 4));
    uint32_t rows = chance(g, 50) ? g->parallel : g->parallel & (g->parallel - 1);
    uint32_t first = chance(g, 50);
    if (!first) g->reduction = add_axes(g, AXIS_reduction, 1 + pick(g, 3));
    if (first) g->reduction = add_axes(g, AXIS_reduction, 1);
    Scalar sum = reduce_of(g, rows, (Scalar){0});
    if (!sum.id) sum = kernel_constant(g->kernel, TYPE_f32, 1);
    if (chance(g, 40)) {
        Scalar next = reduce_of(g, rows, chance(g, 60) ? sum : (Scalar){0});
        if (next.id) {
            Type type = g->kernel->scalar.at[next.id].type;
            Scalar both[2] = {next, cast(g, sum, type)};
            sum = kernel_apply(g->kernel, SCALAR_add, type, both);
        }
    }
    Type type = g->kernel->scalar.at[sum.id].type;
    store(g, sum);
    if (chance(g, 50)) {
        Scalar other = expression(g, g->parallel, type, 1);
        store(g, kernel_apply(g->kernel, SCALAR_mul, type, (Scalar[]){sum, other}));
    }
}

static void make_scatter(Generator *g)
{
    g->parallel = add_axes(g, AXIS_parallel, pick(g, 3));
    g->sequential = add_axes(g, AXIS_sequential, 1 + pick(g, 2));
    uint32_t axis = (uint32_t)__builtin_ctz(g->sequential);
    Type type = chance(g, 70) ? TYPE_f32 : pick_type(g);
    if (type == TYPE_bool) type = TYPE_i32;
    Scalar value = expression(g, g->parallel | g->sequential, type, 1 + pick(g, 2));
    Access access = {0};
    int64_t elements = 1 + pick(g, 9);
    access.at[access.rank++] = (Coordinate){.dynamic = load_of(g, 1u << axis, TYPE_i32),
                                            .divisor = 1,
                                            .extent = elements,
                                            .guarded = true};
    for (uint32_t i = 0; i < g->kernel->axis.count; i++) {
        if (!(g->parallel >> i & 1)) continue;
        Coordinate at = {.affine = affine_axis((Axis){i + 1}), .divisor = 1};
        at.extent = extent_at(g, i);
        elements *= at.extent;
        access.at[access.rank++] = at;
    }
    int64_t stride = 1;
    for (int d = access.rank; d-- > 0;) {
        access.stride[d] = stride;
        stride *= access.at[d].extent;
    }
    access.buffer = kernel_buffer(g->kernel, type, elements, true);
    kernel_store(g->kernel, &access, value, chance(g, 70));
}

/* of_bf16: both factors are values of bf16, some of them computed, and the sum is one of f32. */
static void make_contraction(Generator *g, bool of_bf16)
{
    uint32_t batch = add_axes(g, AXIS_parallel, chance(g, 30));
    uint32_t m = add_axes(g, AXIS_parallel, 1 + chance(g, 30));
    uint32_t n = add_axes(g, AXIS_parallel, 1 + chance(g, 30));
    g->reduction = add_axes(g, AXIS_reduction, 1 + pick(g, 3));
    g->parallel = batch | m | n;
    Type type = of_bf16 || chance(g, 85) ? TYPE_f32 : TYPE_i32;
    Type factor = of_bf16 ? TYPE_bf16 : type;
    Type of = chance(g, 70) ? type : chance(g, 50) ? TYPE_i8 : chance(g, 50) ? TYPE_u8 : TYPE_bf16;
    Scalar a = cast(g, load_of(g, m | batch | g->reduction, of), factor);
    Scalar b = cast(g, load_of(g, n | batch | g->reduction, of), factor);
    if (chance(g, 25))
        b = kernel_apply(g->kernel, SCALAR_add, factor, (Scalar[]){b, leaf(g, n, factor)});
    if (chance(g, 25))
        a = kernel_apply(g->kernel, SCALAR_max, factor, (Scalar[]){a, leaf(g, m, factor)});
    Scalar factors[] = {cast(g, a, type), cast(g, b, type)};
    Scalar product = kernel_apply(g->kernel, SCALAR_mul, type, factors);
    if (g->reduction & ~g->kernel->scalar.at[product.id].depends) return;
    Scalar sum = kernel_reduce(g->kernel, REDUCE_add, g->reduction, product);
    if (chance(g, 50)) {
        Scalar other = expression(g, some_of(g, g->parallel), type, 1);
        sum = kernel_apply(g->kernel, SCALAR_add, type, (Scalar[]){sum, other});
    }
    store(g, sum);
    if (chance(g, 20)) store(g, kernel_apply(g->kernel, SCALAR_neg, type, &sum));
}

/* A number as a byte: scaled, rounded, clamped. */
static Scalar quantized(Generator *g, Scalar x, Type type)
{
    Scalar scale = kernel_constant(g->kernel, TYPE_f32, chance(g, 50) ? 0.75 : 37.5);
    Scalar scaled =
        kernel_apply(g->kernel, SCALAR_mul, TYPE_f32, (Scalar[]){cast(g, x, TYPE_f32), scale});
    return cast(g, kernel_apply(g->kernel, SCALAR_round, TYPE_f32, &scaled), type);
}

static Scalar byte_factor(Generator *g, uint32_t axes, uint32_t some)
{
    Type type = chance(g, 50) ? TYPE_i8 : TYPE_u8;
    if (chance(g, 20)) return quantized(g, load_of(g, axes, TYPE_f32), type);
    Scalar x = load_of(g, axes, type);
    if (chance(g, 20))
        x = kernel_apply(g->kernel, SCALAR_max, type, (Scalar[]){x, leaf(g, some, type)});
    return x;
}

/* What inference makes of sums: scaled, with a bias, perhaps a residual, as bytes again. */
static Scalar finished_as_byte(Generator *g, Scalar sum, uint32_t n)
{
    Scalar scale = load_of(g, n, TYPE_f32), bias = load_of(g, n, TYPE_f32);
    Scalar zero = kernel_constant(g->kernel, TYPE_f32, 0);
    Scalar x =
        kernel_apply(g->kernel, SCALAR_mul, TYPE_f32, (Scalar[]){cast(g, sum, TYPE_f32), scale});
    x = kernel_apply(g->kernel, SCALAR_add, TYPE_f32, (Scalar[]){x, bias});
    if (chance(g, 50)) {
        Scalar residual = cast(g, load_of(g, g->parallel, TYPE_i8), TYPE_f32);
        x = kernel_apply(g->kernel, SCALAR_add, TYPE_f32, (Scalar[]){x, residual});
    }
    if (chance(g, 50)) x = kernel_apply(g->kernel, SCALAR_max, TYPE_f32, (Scalar[]){x, zero});
    return quantized(g, x, chance(g, 50) ? TYPE_i8 : TYPE_u8);
}

static void make_contraction_of_bytes(Generator *g)
{
    uint32_t batch = add_axes(g, AXIS_parallel, chance(g, 30));
    uint32_t m = add_axes(g, AXIS_parallel, chance(g, 90) + chance(g, 30));
    uint32_t n = add_axes(g, AXIS_parallel, 1 + chance(g, 30));
    g->reduction = add_axes(g, AXIS_reduction, 1 + pick(g, 3));
    g->parallel = batch | m | n;
    Scalar a = byte_factor(g, m | batch | g->reduction, m);
    Scalar b = byte_factor(g, n | batch | g->reduction, n);
    Scalar factors[] = {cast(g, a, TYPE_i32), cast(g, b, TYPE_i32)};
    Scalar product = kernel_apply(g->kernel, SCALAR_mul, TYPE_i32, factors);
    if (g->reduction & ~g->kernel->scalar.at[product.id].depends) return;
    Scalar sum = kernel_reduce(g->kernel, REDUCE_add, g->reduction, product);
    store(g, chance(g, 50) ? sum : finished_as_byte(g, sum, n));
}

Kernel *random_kernel(RandomKind kind, uint64_t seed, Arena *arena)
{
    Generator g = {.kernel = kernel_new(arena), .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    pick(&g, 2);
    switch (kind) {
    case RANDOM_elementwise: make_elementwise(&g); break;
    case RANDOM_reduction: make_reduction(&g); break;
    case RANDOM_scatter: make_scatter(&g); break;
    case RANDOM_contraction: make_contraction(&g, false); break;
    case RANDOM_contraction_of_bf16: make_contraction(&g, true); break;
    case RANDOM_contraction_of_bytes: make_contraction_of_bytes(&g); break;
    case RANDOM_KIND_COUNT: break;
    }
    if (!g.kernel->store.count) store(&g, kernel_constant(g.kernel, TYPE_f32, 1));
    return g.kernel;
}

static float random_real(Generator *g)
{
    if (g->is_whole) return (float)pick(g, 9) - 4;
    if (chance(g, 2)) {
        static const float special[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, 3e38f, 65520};
        return special[pick(g, 8)];
    }
    if (chance(g, 50)) return (float)pick(g, 17) - 8;
    return ((float)pick(g, 1u << 24) - 0x1p23f) * 0x1p-21f;
}

static void fill(Generator *g, Type type, void *bytes, int64_t elements)
{
    for (int64_t i = 0; i < elements; i++) {
        float real = random_real(g);
        uint32_t small = pick(g, 12), any = pick(g, 1u << 30) * 4 + pick(g, 4);
        if (g->is_whole) any = small; /* so that sums of products stay exact */
        switch (type) {
        case TYPE_f32: ((float *)bytes)[i] = real; break;
        case TYPE_bf16: ((uint16_t *)bytes)[i] = bits_bf16_of(real); break;
        case TYPE_f16: ((uint16_t *)bytes)[i] = bits_f16_of(real); break;
        case TYPE_i64:
            ((int64_t *)bytes)[i] =
                !g->is_whole && chance(g, 30) ? (int64_t)any << 20 : (int64_t)small - 3;
            break;
        case TYPE_i32:
            ((int32_t *)bytes)[i] = chance(g, 4) ? (int32_t)any : (int32_t)small - 2;
            break;
        case TYPE_u32: ((uint32_t *)bytes)[i] = chance(g, 50) ? any : small; break;
        case TYPE_i8:
        case TYPE_u8: {
            static const uint8_t ends[] = {0x7f, 0x80, 0xff, 0xff};
            ((uint8_t *)bytes)[i] = g->is_whole || any % 8 ? (uint8_t)any : ends[small % 4];
            break;
        }
        case TYPE_bool: ((uint8_t *)bytes)[i] = any & 1; break;
        case TYPE_none:
        case TYPE_COUNT: break;
        }
    }
}

Buffers guarded_buffers(const Kernel *kernel, bool at_begin, Arena *arena)
{
    uint32_t count = kernel->buffer.count;
    Buffers buffers = {.count = count,
                       .at = arena_array(arena, void *, count + 1),
                       .page = arena_array(arena, void *, count + 1),
                       .bytes = arena_array(arena, size_t, count + 1),
                       .mapped = arena_array(arena, size_t, count + 1)};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (uint32_t i = 0; i < count; i++) {
        const BufferInfo *info = &kernel->buffer.at[i];
        size_t bytes = (size_t)info->elements * type_info[info->type].bytes;
        size_t inner = (bytes + page - 1) / page * page;
        char *map = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED || mprotect(map + page, inner, PROT_READ | PROT_WRITE)) abort();
        buffers.page[i] = map;
        buffers.mapped[i] = inner + 2 * page;
        buffers.bytes[i] = bytes;
        buffers.at[i] = map + page + (at_begin ? 0 : inner - bytes);
    }
    return buffers;
}

static bool has_promise(const Kernel *kernel)
{
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        if (kernel->scalar.at[i].op == SCALAR_zero_unless) return true;
    return false;
}

/* What is promised to be 0 may be left out of a sum or be multiplied, which is the same but for infinities and NaN. */
Buffers random_buffers(const Kernel *kernel, uint64_t seed, bool is_whole, Arena *arena)
{
    Generator g = {.state = seed * 77 + 5, .is_whole = is_whole || has_promise(kernel)};
    Buffers buffers = guarded_buffers(kernel, seed % 2, arena);
    for (uint32_t i = 0; i < buffers.count; i++)
        fill(&g, kernel->buffer.at[i].type, buffers.at[i], kernel->buffer.at[i].elements);
    return buffers;
}

void buffers_free(Buffers *buffers)
{
    for (uint32_t i = 0; i < buffers->count; i++)
        munmap(buffers->page[i], buffers->mapped[i]);
}

static bool same_element(Type type, const void *a, const void *b, int64_t i)
{
    size_t size = type_info[type].bytes;
    float x, y;
    switch (type) {
    case TYPE_f32: x = ((const float *)a)[i], y = ((const float *)b)[i]; break;
    case TYPE_bf16:
        x = bits_of_bf16(((const uint16_t *)a)[i]), y = bits_of_bf16(((const uint16_t *)b)[i]);
        break;
    case TYPE_f16:
        x = bits_of_f16(((const uint16_t *)a)[i]), y = bits_of_f16(((const uint16_t *)b)[i]);
        break;
    case TYPE_none:
    case TYPE_i64:
    case TYPE_i32:
    case TYPE_i8:
    case TYPE_u32:
    case TYPE_u8:
    case TYPE_bool:
    case TYPE_COUNT:
        return !memcmp((const char *)a + size * (size_t)i, (const char *)b + size * (size_t)i,
                       size);
    }
    return x == y || (isnan(x) && isnan(y));
}

int buffers_differ(const Kernel *kernel, const Buffers *a, const Buffers *b, int64_t *element)
{
    for (uint32_t i = 0; i < a->count; i++)
        for (int64_t k = 0; k < kernel->buffer.at[i].elements; k++)
            if (!same_element(kernel->buffer.at[i].type, a->at[i], b->at[i], k)) {
                *element = k;
                return (int)i;
            }
    return -1;
}

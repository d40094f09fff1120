#include "tests/unit/kernel_cases.h"
#include "tests/unit/random_filtering.h"
#include "tests/unit/random_kernel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* MLC_KERNELS raises the number of kernels of a kind, which begin at MLC_SEED. */
#define SEEDS 7

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t first_seed(void)
{
    return number_from("MLC_SEED", 1);
}

static uint64_t end_seed(void)
{
    return first_seed() + number_from("MLC_KERNELS", SEEDS);
}

/* From one to the next of a list of kernels: where few are wanted, as under sanitizers, which do not see their code, a part of it. */
static int step(void)
{
    return end_seed() - first_seed() <= SEEDS / 2 ? 3 : 1;
}

static void each_of_kind(const CaseSink *sink, RandomKind kind)
{
    for (uint64_t seed = first_seed(); seed < end_seed(); seed++)
        sink->take(sink->user, random_kernel(kind, seed, sink->arena), seed);
}

static void elementwise(const CaseSink *sink)
{
    each_of_kind(sink, RANDOM_elementwise);
}

static void reductions(const CaseSink *sink)
{
    each_of_kind(sink, RANDOM_reduction);
}

static void scatters(const CaseSink *sink)
{
    each_of_kind(sink, RANDOM_scatter);
}

static void contractions(const CaseSink *sink)
{
    each_of_kind(sink, RANDOM_contraction);
}

/* Each point of these takes the interpreter a whole tile. */
static void filterings(const CaseSink *sink)
{
    for (uint64_t seed = first_seed(); seed < end_seed(); seed += 3)
        sink->take(sink->user, random_filtering(seed, sink->arena), seed);
}

static void filterings_of_bytes(const CaseSink *sink)
{
    for (uint64_t seed = first_seed(); seed < end_seed(); seed += 3)
        sink->take(sink->user, random_byte_filtering(seed, sink->arena), seed);
}

static void contractions_of_bf16(const CaseSink *sink)
{
    each_of_kind(sink, RANDOM_contraction_of_bf16);
}

/* max(abs(x), 0) and min(-abs(x), 0), a vector's width of them. */
static Kernel *extremes_of_magnitudes(Arena *arena)
{
    enum { COUNT = 64 };
    Kernel *kernel = kernel_new(arena);
    Access access = {.rank = 1, .stride = {1}};
    Affine i = affine_axis(kernel_axis(kernel, AXIS_parallel, COUNT));
    access.at[0] = (Coordinate){.affine = i, .divisor = 1, .extent = COUNT};
    access.buffer = kernel_buffer(kernel, TYPE_f32, COUNT, false);
    Scalar x = kernel_load(kernel, &access);
    Scalar up[] = {kernel_apply(kernel, SCALAR_abs, TYPE_f32, &x),
                   kernel_constant(kernel, TYPE_f32, 0)};
    Scalar down[] = {kernel_apply(kernel, SCALAR_neg, TYPE_f32, up), up[1]};
    access.buffer = kernel_buffer(kernel, TYPE_f32, COUNT, true);
    kernel_store(kernel, &access, kernel_apply(kernel, SCALAR_max, TYPE_f32, up), false);
    access.buffer = kernel_buffer(kernel, TYPE_f32, COUNT, true);
    kernel_store(kernel, &access, kernel_apply(kernel, SCALAR_min, TYPE_f32, down), false);
    return kernel;
}

/* LLVM 19 makes `x > 0 or x is NaN` of the two selects that max(abs(x), 0) was. */
static void extremes(const CaseSink *sink)
{
    sink->take(sink->user, extremes_of_magnitudes(sink->arena), 1);
}

static void contractions_of_bytes(const CaseSink *sink)
{
    each_of_kind(sink, RANDOM_contraction_of_bytes);
}

/* Of the two factors. */
typedef struct Types {
    Type a, b;
} Types;

static const Types reals = {TYPE_f32, TYPE_f32}, halves = {TYPE_bf16, TYPE_bf16};
static const Types bytes[] = {
    {TYPE_u8, TYPE_i8}, {TYPE_i8, TYPE_u8}, {TYPE_i8, TYPE_i8}, {TYPE_u8, TYPE_u8}};
enum { BYTES = sizeof bytes / sizeof *bytes };

static Type sum_type(Type type)
{
    return type_is_float(type) ? TYPE_f32 : TYPE_i32;
}

static Scalar widened(Kernel *kernel, Scalar value)
{
    Type type = kernel->scalar.at[value.id].type;
    if (type == sum_type(type)) return value;
    return kernel_apply(kernel, SCALAR_cast, sum_type(type), &value);
}

/* The sum over these axes. */
static Scalar sum_of_products(Kernel *kernel, uint32_t axes, const Scalar *factors)
{
    Type type = kernel->scalar.at[factors[0].id].type;
    Scalar product = kernel_apply(kernel, SCALAR_mul, type, factors);
    return kernel_reduce(kernel, REDUCE_add, axes, product);
}

static Scalar load_matrix(Kernel *kernel, Type type, Affine row, Affine column, int64_t rows,
                          int64_t columns)
{
    Access access = {.rank = 2, .stride = {columns, 1}};
    access.at[0] = (Coordinate){.affine = row, .divisor = 1, .extent = rows};
    access.at[1] = (Coordinate){.affine = column, .divisor = 1, .extent = columns};
    access.buffer = kernel_buffer(kernel, type, rows * columns, false);
    return widened(kernel, kernel_load(kernel, &access));
}

/* layout: bit 0: a is [k, m]; bit 1: b is [n, k]; bit 2: the result is [n, m]. */
static Kernel *product(Arena *arena, Types type, int64_t m, int64_t n, int64_t k, int layout)
{
    Kernel *kernel = kernel_new(arena);
    Affine i = affine_axis(kernel_axis(kernel, AXIS_parallel, m));
    Affine j = affine_axis(kernel_axis(kernel, AXIS_parallel, n));
    Affine l = affine_axis(kernel_axis(kernel, AXIS_reduction, k));
    Scalar a = layout & 1 ? load_matrix(kernel, type.a, l, i, k, m)
                          : load_matrix(kernel, type.a, i, l, m, k);
    Scalar b = layout & 2 ? load_matrix(kernel, type.b, j, l, n, k)
                          : load_matrix(kernel, type.b, l, j, k, n);
    Scalar sum = sum_of_products(kernel, 4, (Scalar[]){a, b});
    Access access = {.rank = 2, .stride = {n, 1}};
    access.at[0] = (Coordinate){.affine = i, .divisor = 1, .extent = m};
    access.at[1] = (Coordinate){.affine = j, .divisor = 1, .extent = n};
    if (layout & 4) access.stride[0] = 1, access.stride[1] = m;
    access.buffer = kernel_buffer(kernel, sum_type(type.a), m * n, true);
    kernel_store(kernel, &access, sum, false);
    return kernel;
}

typedef enum Masking {
    MASK_strictly = 1, /* < rather than <= */
    MASK_from = 2,     /* the other way round */
    MASK_b = 4,        /* b by its column rather than a by its row */
    MASK_stored = 8,   /* what is stored, and no factor */
    MASKINGS = 16
} Masking;

static Scalar order(Kernel *kernel, Affine x, Affine y, int masking)
{
    Scalar index[] = {kernel_index(kernel, masking & MASK_from ? y : x),
                      kernel_index(kernel, masking & MASK_from ? x : y)};
    return kernel_apply(kernel, masking & MASK_strictly ? SCALAR_less : SCALAR_less_equal,
                        TYPE_bool, index);
}

/* A factor that is 0, and known to be, unless the point of k and the row are in order; or a result that wants its sum only then. */
static Kernel *masked_product(Arena *arena, int64_t m, int64_t n, int64_t k, int masking)
{
    Kernel *kernel = kernel_new(arena);
    Affine i = affine_axis(kernel_axis(kernel, AXIS_parallel, m));
    Affine j = affine_axis(kernel_axis(kernel, AXIS_parallel, n));
    Affine l = affine_axis(kernel_axis(kernel, AXIS_reduction, k));
    Scalar zero = kernel_constant(kernel, TYPE_f32, 0);
    Scalar factor[] = {load_matrix(kernel, TYPE_f32, i, l, m, k),
                       load_matrix(kernel, TYPE_f32, l, j, k, n)};
    if (!(masking & MASK_stored)) {
        Scalar *masked = &factor[(masking & MASK_b) != 0];
        Scalar where = order(kernel, l, masking & MASK_b ? j : i, masking);
        *masked = kernel_apply(kernel, SCALAR_select, TYPE_f32, (Scalar[]){where, *masked, zero});
        *masked = kernel_apply(kernel, SCALAR_zero_unless, TYPE_f32, (Scalar[]){where, *masked});
    }
    Scalar value = sum_of_products(kernel, 4, factor);
    if (masking & MASK_stored) {
        Scalar where = order(kernel, j, i, masking);
        value = kernel_apply(kernel, SCALAR_select, TYPE_f32, (Scalar[]){where, value, zero});
    }
    Access access = {.rank = 2, .stride = {n, 1}};
    access.at[0] = (Coordinate){.affine = i, .divisor = 1, .extent = m};
    access.at[1] = (Coordinate){.affine = j, .divisor = 1, .extent = n};
    access.buffer = kernel_buffer(kernel, TYPE_f32, m * n, true);
    kernel_store(kernel, &access, value, false);
    return kernel;
}

/* Square and not; sizes that tiles and steps divide, and that they do not. */
static void masked_products(const CaseSink *sink)
{
    static const int64_t extent[][3] = {{64, 64, 64}, {37, 40, 56}, {80, 33, 48}, {13, 70, 20}};
    for (int i = 0; i < 4; i++)
        for (int masking = i % 2; masking < MASKINGS; masking += 2)
            sink->take(
                sink->user,
                masked_product(sink->arena, extent[i][0], extent[i][1], extent[i][2], masking),
                (uint64_t)masking);
}

/* The types in turns, each with other layouts. */
static void each_product(const CaseSink *sink, const Types *types, int count)
{
    static const int64_t extent[] = {1, 2, 3, 15, 16, 17, 33, 70};
    enum { EXTENTS = sizeof extent / sizeof *extent };
    for (int i = 0; i < 2 * EXTENTS; i += step()) {
        int64_t m = extent[i % EXTENTS], n = extent[i * 5 / 3 % EXTENTS];
        int64_t k = extent[(i * 3 + 4) % EXTENTS];
        sink->take(sink->user, product(sink->arena, types[(i + i / 8) % count], m, n, k, i % 8),
                   (uint64_t)i);
    }
    /* Many steps over k: factors that are packed block by block where they lie far apart. */
    for (int layout = 1; layout < 8; layout += 2) {
        Kernel *kernel =
            product(sink->arena, types[layout / 2 % count], 15, 136, 1030 + 7 * layout, layout);
        sink->take(sink->user, kernel, (uint64_t)layout);
    }
}

static void products(const CaseSink *sink)
{
    each_product(sink, &reals, 1);
}

static void products_of_bf16(const CaseSink *sink)
{
    each_product(sink, &halves, 1);
}

static void products_of_bytes(const CaseSink *sink)
{
    each_product(sink, bytes, BYTES);
    /* Of one row, whose other factor is read in place: with and without a rest. */
    for (int i = 0; i < 24; i += step()) {
        int64_t n = i % 3 ? 21 + i : 64, k = i % 2 ? 128 + 64 * i : 67 + 3 * i;
        Kernel *row = product(sink->arena, bytes[i % BYTES], 1, n, k, i % 8);
        sink->take(sink->user, row, (uint64_t)i);
    }
}

/* Schedules that cut everything there is to cut: several groups of panels, parts of k, factors packed once for all groups. */
static void small_caches(const CaseSink *sink)
{
    for (uint64_t seed = first_seed(); seed < end_seed(); seed++) {
        static const RandomKind kinds[] = {RANDOM_contraction, RANDOM_contraction_of_bf16,
                                           RANDOM_contraction_of_bytes};
        RandomKind kind = kinds[seed % 3];
        sink->take(sink->user, random_kernel(kind, seed, sink->arena), seed);
    }
    for (int layout = 0; layout < 8; layout++) {
        Types type = layout % 3 == 0 ? reals : layout % 3 == 1 ? halves : bytes[layout / 3];
        Kernel *kernel = product(sink->arena, type, 39, 136 + layout, 390 + layout, layout);
        sink->take(sink->user, kernel, (uint64_t)layout);
        /* So many rows that both factors are packed as tiles read them. */
        if (layout & 1) {
            kernel = product(sink->arena, reals, 117, 136 + layout, 390, layout);
            sink->take(sink->user, kernel, (uint64_t)layout);
        }
        /* Of bytes in equal blocks. */
        int64_t k = layout % 2 ? 768 : 1088;
        kernel = product(sink->arena, bytes[layout % BYTES], 15, 136 + layout, k, layout);
        sink->take(sink->user, kernel, (uint64_t)layout);
    }
}

/* is_last: images have their channels innermost; is_tapped: sums run over taps first, and weights lie so, filters innermost. */
typedef struct Convolution {
    int64_t batch, channels, out, side, taps, padding, stride;
    bool is_last, is_tapped;
    Types type; /* of images and of taps */
} Convolution;

static Affine axis_of(Kernel *kernel, AxisKind kind, int64_t extent)
{
    return affine_axis(kernel_axis(kernel, kind, extent));
}

/* Rank 4, row-major or with axis 1 innermost; coordinates 2 and 3 guarded if `guarded`. */
static Access image(uint32_t buffer, const Affine *at, const int64_t *extent, bool guarded,
                    bool is_last)
{
    Access access = {.buffer = buffer, .rank = 4};
    int64_t stride = 1;
    for (int n = 4; n-- > 0;) {
        int d = !is_last || n == 0 ? n : n == 3 ? 1 : n + 1;
        access.stride[d] = stride;
        access.at[d] = (Coordinate){.affine = at[d], .divisor = 1, .extent = extent[d]};
        access.at[d].guarded = guarded && d >= 2;
        stride *= extent[d];
    }
    return access;
}

static Scalar load_image(Kernel *kernel, Type type, const Affine *at, const int64_t *extent,
                         bool guarded, bool is_last)
{
    int64_t elements = extent[0] * extent[1] * extent[2] * extent[3];
    uint32_t buffer = kernel_buffer(kernel, type, elements, false);
    Access access = image(buffer, at, extent, guarded, is_last);
    return widened(kernel, kernel_load(kernel, &access));
}

/* of_weights: the gradient of the weights, which sums over images and pixels; else the output, which sums over channels and taps. */
static Kernel *convolution(Arena *arena, Convolution c, bool of_weights)
{
    Kernel *kernel = kernel_new(arena);
    int64_t side = (c.side + 2 * c.padding - c.taps) / c.stride + 1;
    AxisKind pixel = of_weights ? AXIS_reduction : AXIS_parallel;
    AxisKind tap = of_weights ? AXIS_parallel : AXIS_reduction;
    Affine n = axis_of(kernel, pixel, c.batch), o = axis_of(kernel, AXIS_parallel, c.out);
    Affine y = axis_of(kernel, pixel, side), x = axis_of(kernel, pixel, side);
    Affine i = {0};
    if (!c.is_tapped) i = axis_of(kernel, tap, c.channels);
    Affine u = axis_of(kernel, tap, c.taps), v = axis_of(kernel, tap, c.taps);
    if (c.is_tapped) i = axis_of(kernel, tap, c.channels);
    Affine row = affine_add(affine_add(affine_scale(y, c.stride), u), affine_constant(-c.padding));
    Affine column =
        affine_add(affine_add(affine_scale(x, c.stride), v), affine_constant(-c.padding));
    const int64_t in[] = {c.batch, c.channels, c.side, c.side},
                  out[] = {c.batch, c.out, side, side},
                  taps[] = {c.out, c.channels, c.taps, c.taps};
    const Affine of_out[] = {n, o, y, x}, of_taps[] = {o, i, u, v};
    const int64_t tapped[] = {c.taps, c.taps, c.channels, c.out};
    Scalar factors[2];
    if (of_weights)
        factors[0] = load_image(kernel, c.type.b, of_out, out, false, c.is_last);
    else if (c.is_tapped)
        factors[0] = load_image(kernel, c.type.b, (Affine[]){u, v, i, o}, tapped, false, false);
    else
        factors[0] = load_image(kernel, c.type.b, of_taps, taps, false, false);
    Affine of_in[] = {n, i, row, column};
    factors[1] = load_image(kernel, c.type.a, of_in, in, c.padding > 0, c.is_last);
    uint32_t reduced = 0;
    for (uint32_t a = 0; a < kernel->axis.count; a++)
        if (kernel->axis.at[a].kind == AXIS_reduction) reduced |= 1u << a;
    Scalar sum = sum_of_products(kernel, reduced, factors);
    const int64_t *extent = of_weights ? taps : out;
    int64_t elements = extent[0] * extent[1] * extent[2] * extent[3];
    Access to = image(kernel_buffer(kernel, sum_type(c.type.a), elements, true),
                      of_weights ? of_taps : of_out, extent, false, c.is_last && !of_weights);
    kernel_store(kernel, &to, sum, false);
    return kernel;
}

/* (y + padding - u) / stride: a pixel of the output, where it is one. */
static Coordinate source(Affine y, Affine tap, Convolution c, int64_t side)
{
    Affine at = affine_add(affine_add(y, affine_scale(tap, -1)), affine_constant(c.padding));
    return (Coordinate){.affine = at, .divisor = c.stride, .extent = side, .guarded = true};
}

/* The gradient of the input: sums over output channels and taps. */
static Kernel *input_gradient(Arena *arena, Convolution c)
{
    Kernel *kernel = kernel_new(arena);
    int64_t side = (c.side + 2 * c.padding - c.taps) / c.stride + 1;
    Affine n = axis_of(kernel, AXIS_parallel, c.batch),
           i = axis_of(kernel, AXIS_parallel, c.channels);
    Affine y = axis_of(kernel, AXIS_parallel, c.side), x = axis_of(kernel, AXIS_parallel, c.side);
    Affine o = axis_of(kernel, AXIS_reduction, c.out);
    Affine u = axis_of(kernel, AXIS_reduction, c.taps), v = axis_of(kernel, AXIS_reduction, c.taps);
    const int64_t in[] = {c.batch, c.channels, c.side, c.side},
                  out[] = {c.batch, c.out, side, side},
                  taps[] = {c.out, c.channels, c.taps, c.taps};
    Scalar factors[2] = {load_image(kernel, c.type.b, (Affine[]){o, i, u, v}, taps, false, false)};
    uint32_t buffer = kernel_buffer(kernel, c.type.a, c.batch * c.out * side * side, false);
    Access from = image(buffer, (Affine[]){n, o, y, x}, out, false, c.is_last);
    from.at[2] = source(y, u, c, side);
    from.at[3] = source(x, v, c, side);
    factors[1] = widened(kernel, kernel_load(kernel, &from));
    Scalar sum = sum_of_products(kernel, 7u << 4, factors);
    buffer =
        kernel_buffer(kernel, sum_type(c.type.a), c.batch * c.channels * c.side * c.side, true);
    Access to = image(buffer, (Affine[]){n, i, y, x}, in, false, c.is_last);
    kernel_store(kernel, &to, sum, false);
    return kernel;
}

static void each_convolution(const CaseSink *sink, const Types *types, size_t count)
{
    static const Convolution all[] = {{2, 1, 5, 10, 3, 0, 1},        {3, 3, 17, 9, 3, 1, 1},
                                      {2, 16, 16, 8, 3, 1, 1},       {2, 5, 33, 7, 3, 1, 2},
                                      {1, 4, 2, 33, 5, 2, 1},        {4, 20, 8, 5, 1, 0, 2},
                                      {2, 12, 35, 7, 3, 1, 1, true}, {5, 24, 16, 10, 3, 1, 1, true},
                                      {3, 33, 9, 11, 3, 1, 2, true}, {2, 3, 16, 16, 3, 1, 1, true}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i += (size_t)step()) {
        Convolution c = all[i];
        c.type = types[i % count];
        sink->take(sink->user, convolution(sink->arena, c, false), i);
        sink->take(sink->user, convolution(sink->arena, c, true), i);
        if (type_is_float(c.type.a)) sink->take(sink->user, input_gradient(sink->arena, c), i);
    }
}

static void convolutions(const CaseSink *sink)
{
    each_convolution(sink, &reals, 1);
}

static void convolutions_of_bf16(const CaseSink *sink)
{
    each_convolution(sink, &halves, 1);
}

/* As inference has them, beside those of all types. */
static void convolutions_of_bytes(const CaseSink *sink)
{
    static const Convolution all[] = {
        {2, 1, 32, 14, 3, 0, 1, true, true}, {2, 16, 16, 8, 3, 1, 1, true, true},
        {3, 16, 32, 9, 3, 1, 2, true, true}, {2, 32, 16, 7, 3, 1, 1, true, true},
        {2, 64, 24, 8, 3, 1, 1, true, true}, {2, 16, 24, 8, 1, 0, 2, true, true},
        {1, 3, 20, 17, 3, 1, 1, true, true}, {1, 5, 9, 12, 5, 2, 1, true, true},
        {2, 24, 8, 16, 3, 1, 1, true, true}, {9, 8, 17, 6, 3, 1, 1, true, true},
        {2, 18, 16, 8, 3, 2, 1, true, true}, {1, 7, 40, 11, 2, 1, 2, true, true}};
    each_convolution(sink, bytes, BYTES);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        Convolution c = all[i];
        c.type = bytes[i % BYTES];
        sink->take(sink->user, convolution(sink->arena, c, false), i);
    }
}

static const struct RowKernel {
    const char *name, *text;
} row_kernels[] = {
#define KERNEL(name, text) {#name, text},
#include "tests/unit/row_kernels.def"
#undef KERNEL
};

static void rows(const CaseSink *sink)
{
    Context context = {.arena = sink->arena, .sources = sources_new(sink->arena)};
    context.report = report_new(sink->arena, context.sources);
    for (size_t i = 0; i < sizeof row_kernels / sizeof *row_kernels; i++) {
        const char *name = row_kernels[i].name, *text = row_kernels[i].text;
        uint32_t source = sources_add(context.sources, name, text, strlen(text), false);
        const Kernel *kernel = kernel_parse(&context, sink->arena, source);
        if (!kernel) {
            fprintf(stderr, "%s is no kernel\n", name);
            abort();
        }
        sink->take(sink->user, kernel, i);
    }
}

const CaseGroup case_groups[] = {
    {"elementwise", elementwise, false},
    {"reductions", reductions, false},
    {"scatters", scatters, false},
    {"extremes", extremes, false},
    {"contractions", contractions, false},
    {"filterings", filterings, false},
    {"products", products, false},
    {"masked_products", masked_products, false},
    {"products_of_bf16", products_of_bf16, false},
    {"small_caches", small_caches, true},
    {"filterings_in_small_caches", filterings, true},
    {"filterings_of_bytes", filterings_of_bytes, false},
    {"filterings_of_bytes_in_small_caches", filterings_of_bytes, true},
    {"convolutions", convolutions, false},
    {"convolutions_of_bf16", convolutions_of_bf16, false},
    {"contractions_of_bf16", contractions_of_bf16, false},
    {"contractions_of_bytes", contractions_of_bytes, false},
    {"products_of_bytes", products_of_bytes, false},
    {"convolutions_of_bytes", convolutions_of_bytes, false},
    {"rows", rows, false},
};
const uint32_t case_group_count = sizeof case_groups / sizeof *case_groups;

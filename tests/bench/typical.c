/* Kernels of typical shapes. */
#include "tests/bench/typical.h"

static Access access_at(uint32_t buffer, uint32_t rank, const Affine *at, const int64_t *extent)
{
    Access access = {.buffer = buffer, .rank = (uint8_t)rank};
    int64_t stride = 1;
    for (uint32_t d = rank; d-- > 0;) {
        access.stride[d] = stride;
        access.at[d] = (Coordinate){.affine = at[d], .divisor = 1, .extent = extent[d]};
        stride *= extent[d];
    }
    return access;
}

static int64_t elements_of(uint32_t rank, const int64_t *extent)
{
    int64_t elements = 1;
    for (uint32_t d = 0; d < rank; d++)
        elements *= extent[d];
    return elements;
}

static Scalar load(Kernel *kernel, Type type, uint32_t rank, const Affine *at,
                   const int64_t *extent)
{
    uint32_t buffer = kernel_buffer(kernel, type, elements_of(rank, extent), false);
    Access access = access_at(buffer, rank, at, extent);
    return kernel_load(kernel, &access);
}

static void store(Kernel *kernel, Scalar value, uint32_t rank, const Affine *at,
                  const int64_t *extent)
{
    Type type = kernel->scalar.at[value.id].type;
    uint32_t buffer = kernel_buffer(kernel, type, elements_of(rank, extent), true);
    Access access = access_at(buffer, rank, at, extent);
    kernel_store(kernel, &access, value, false);
}

static Scalar apply(Kernel *kernel, ScalarOp op, Scalar a, Scalar b)
{
    return kernel_apply(kernel, op, TYPE_f32, (Scalar[]){a, b});
}

static Affine axis(Kernel *kernel, AxisKind kind, int64_t extent, uint32_t *bit)
{
    Axis made = kernel_axis(kernel, kind, extent);
    if (bit) *bit |= 1u << (made.id - 1);
    return affine_axis(made);
}

static Scalar widened(Kernel *kernel, Scalar x)
{
    if (kernel->scalar.at[x.id].type == TYPE_f32) return x;
    return kernel_apply(kernel, SCALAR_cast, TYPE_f32, &x);
}

/* a_t, b_t: stored with k first, and with n first. */
Kernel *typical_product_of(Arena *arena, Type type, int64_t m, int64_t n, int64_t k, bool a_t,
                           bool b_t)
{
    Kernel *kernel = kernel_new(arena);
    uint32_t reduced = 0;
    Affine i = axis(kernel, AXIS_parallel, m, NULL), j = axis(kernel, AXIS_parallel, n, NULL);
    Affine l = axis(kernel, AXIS_reduction, k, &reduced);
    Scalar a = a_t ? load(kernel, type, 2, (Affine[]){l, i}, (int64_t[]){k, m})
                   : load(kernel, type, 2, (Affine[]){i, l}, (int64_t[]){m, k});
    Scalar b = b_t ? load(kernel, type, 2, (Affine[]){j, l}, (int64_t[]){n, k})
                   : load(kernel, type, 2, (Affine[]){l, j}, (int64_t[]){k, n});
    Scalar both = apply(kernel, SCALAR_mul, widened(kernel, a), widened(kernel, b));
    Scalar sum = kernel_reduce(kernel, REDUCE_add, reduced, both);
    store(kernel, sum, 2, (Affine[]){i, j}, (int64_t[]){m, n});
    return kernel;
}

Kernel *typical_product(Arena *arena, int64_t m, int64_t n, int64_t k, bool a_t, bool b_t)
{
    return typical_product_of(arena, TYPE_f32, m, n, k, a_t, b_t);
}

static Coordinate padded(Affine y, Affine tap, int64_t extent, int64_t padding)
{
    Affine at = affine_add(affine_add(y, tap), affine_constant(-padding));
    return (Coordinate){.affine = at, .divisor = 1, .extent = extent, .guarded = padding > 0};
}

/* The image, [n, i, y, x] at a tap. */
static Scalar load_image(Kernel *kernel, Convolution c, const Affine *point, Affine u, Affine v)
{
    int64_t extent[] = {c.batch, c.channels, c.side, c.side};
    uint32_t buffer = kernel_buffer(kernel, TYPE_f32, elements_of(4, extent), false);
    Access at = access_at(buffer, 4, point, extent);
    at.at[2] = padded(point[2], u, c.side, c.padding);
    at.at[3] = padded(point[3], v, c.side, c.padding);
    return kernel_load(kernel, &at);
}

/* Forward, NCHW: y[n, o, y, x] = relu(bias[o] + sum of w[o, c, u, v] * x[n, c, y + u - p, x + v - p]). */
Kernel *typical_convolution(Arena *arena, Convolution c)
{
    Kernel *kernel = kernel_new(arena);
    uint32_t reduced = 0;
    int64_t side = c.side + 2 * c.padding - c.taps + 1;
    Affine n = axis(kernel, AXIS_parallel, c.batch, NULL),
           o = axis(kernel, AXIS_parallel, c.out, NULL);
    Affine y = axis(kernel, AXIS_parallel, side, NULL), x = axis(kernel, AXIS_parallel, side, NULL);
    Affine i = axis(kernel, AXIS_reduction, c.channels, &reduced);
    Affine u = axis(kernel, AXIS_reduction, c.taps, &reduced);
    Affine v = axis(kernel, AXIS_reduction, c.taps, &reduced);
    Scalar w = load(kernel, TYPE_f32, 4, (Affine[]){o, i, u, v},
                    (int64_t[]){c.out, c.channels, c.taps, c.taps});
    Scalar sum = kernel_reduce(
        kernel, REDUCE_add, reduced,
        apply(kernel, SCALAR_mul, w, load_image(kernel, c, (Affine[]){n, i, y, x}, u, v)));
    Scalar bias = load(kernel, TYPE_f32, 1, &o, &c.out);
    Scalar value = apply(kernel, SCALAR_max, apply(kernel, SCALAR_add, sum, bias),
                         kernel_constant(kernel, TYPE_f32, 0));
    store(kernel, value, 4, (Affine[]){n, o, y, x}, (int64_t[]){c.batch, c.out, side, side});
    return kernel;
}

/* Weight gradient of a part of the batch a row: dw[s, o, c, u, v] = sum over n in part s, y, x of dy[n, o, y, x] * x[n, c, y + u - p, x + v - p]. */
Kernel *typical_weight_gradient(Arena *arena, Convolution c, int64_t parts)
{
    Kernel *kernel = kernel_new(arena);
    uint32_t reduced = 0;
    int64_t side = c.side + 2 * c.padding - c.taps + 1, share = c.batch / parts;
    Affine s = axis(kernel, AXIS_parallel, parts, NULL),
           o = axis(kernel, AXIS_parallel, c.out, NULL);
    Affine i = axis(kernel, AXIS_parallel, c.channels, NULL);
    Affine u = axis(kernel, AXIS_parallel, c.taps, NULL),
           v = axis(kernel, AXIS_parallel, c.taps, NULL);
    Affine r = axis(kernel, AXIS_reduction, share, &reduced);
    Affine y = axis(kernel, AXIS_reduction, side, &reduced),
           x = axis(kernel, AXIS_reduction, side, &reduced);
    Affine n = affine_add(affine_scale(s, share), r);
    Scalar dy =
        load(kernel, TYPE_f32, 4, (Affine[]){n, o, y, x}, (int64_t[]){c.batch, c.out, side, side});
    Scalar sum = kernel_reduce(
        kernel, REDUCE_add, reduced,
        apply(kernel, SCALAR_mul, dy, load_image(kernel, c, (Affine[]){n, i, y, x}, u, v)));
    store(kernel, sum, 5, (Affine[]){s, o, i, u, v},
          (int64_t[]){parts, c.out, c.channels, c.taps, c.taps});
    return kernel;
}

Kernel *typical_elementwise(Arena *arena, int64_t elements)
{
    Kernel *kernel = kernel_new(arena);
    Affine i = axis(kernel, AXIS_parallel, elements, NULL);
    Scalar a = load(kernel, TYPE_f32, 1, &i, &elements),
           b = load(kernel, TYPE_f32, 1, &i, &elements);
    store(kernel, apply(kernel, SCALAR_max, apply(kernel, SCALAR_add, a, b), b), 1, &i, &elements);
    return kernel;
}

/* Adam: four arrays read, three written. */
Kernel *typical_adam(Arena *arena, int64_t elements)
{
    Kernel *k = kernel_new(arena);
    Affine i = axis(k, AXIS_parallel, elements, NULL);
    Scalar w = load(k, TYPE_f32, 1, &i, &elements), g = load(k, TYPE_f32, 1, &i, &elements);
    Scalar m = load(k, TYPE_f32, 1, &i, &elements), v = load(k, TYPE_f32, 1, &i, &elements);
    Scalar beta = kernel_constant(k, TYPE_f32, 0.9), gamma = kernel_constant(k, TYPE_f32, 0.999);
    Scalar rest = kernel_constant(k, TYPE_f32, 0.1), rest2 = kernel_constant(k, TYPE_f32, 0.001);
    m = apply(k, SCALAR_add, apply(k, SCALAR_mul, beta, m), apply(k, SCALAR_mul, rest, g));
    v = apply(k, SCALAR_add, apply(k, SCALAR_mul, gamma, v),
              apply(k, SCALAR_mul, rest2, apply(k, SCALAR_mul, g, g)));
    Scalar root = kernel_apply(k, SCALAR_sqrt, TYPE_f32, &v);
    Scalar step =
        apply(k, SCALAR_div, m, apply(k, SCALAR_add, root, kernel_constant(k, TYPE_f32, 1e-8)));
    w = apply(k, SCALAR_sub, w, apply(k, SCALAR_mul, kernel_constant(k, TYPE_f32, 1e-3), step));
    store(k, m, 1, &i, &elements);
    store(k, v, 1, &i, &elements);
    store(k, w, 1, &i, &elements);
    return k;
}

/* y[n, y, x] = the largest of a 2x2 window. */
Kernel *typical_pool(Arena *arena, int64_t planes, int64_t side)
{
    Kernel *k = kernel_new(arena);
    uint32_t reduced = 0;
    int64_t out = side / 2;
    Affine n = axis(k, AXIS_parallel, planes, NULL), y = axis(k, AXIS_parallel, out, NULL);
    Affine x = axis(k, AXIS_parallel, out, NULL);
    Affine u = axis(k, AXIS_reduction, 2, &reduced), v = axis(k, AXIS_reduction, 2, &reduced);
    Affine row = affine_add(affine_scale(y, 2), u), column = affine_add(affine_scale(x, 2), v);
    Scalar at = load(k, TYPE_f32, 3, (Affine[]){n, row, column}, (int64_t[]){planes, side, side});
    store(k, kernel_reduce(k, REDUCE_max, reduced, at), 3, (Affine[]){n, y, x},
          (int64_t[]){planes, out, out});
    return k;
}

/* Row sums, or sums of columns: y[i] = sum over j of x[i, j] or x[j, i]. */
Kernel *typical_sums(Arena *arena, int64_t rows, int64_t columns, bool of_columns)
{
    Kernel *k = kernel_new(arena);
    uint32_t reduced = 0;
    Affine i = axis(k, AXIS_parallel, of_columns ? columns : rows, NULL);
    Affine j = axis(k, AXIS_reduction, of_columns ? rows : columns, &reduced);
    Scalar at = load(k, TYPE_f32, 2, of_columns ? (Affine[]){j, i} : (Affine[]){i, j},
                     (int64_t[]){rows, columns});
    store(k, kernel_reduce(k, REDUCE_add, reduced, at), 1, &i,
          (int64_t[]){of_columns ? columns : rows});
    return k;
}

Kernel *typical_transposition(Arena *arena, int64_t rows, int64_t columns)
{
    Kernel *k = kernel_new(arena);
    Affine i = axis(k, AXIS_parallel, rows, NULL), j = axis(k, AXIS_parallel, columns, NULL);
    Scalar at = load(k, TYPE_f32, 2, (Affine[]){j, i}, (int64_t[]){columns, rows});
    store(k, at, 2, (Affine[]){i, j}, (int64_t[]){rows, columns});
    return k;
}

/* Minimal filtering: what it is used for, and how far it is from sums of products. */
#include "ir/kernel/winograd.h"
#include "tests/unit/random_filtering.h"
#include "tests/unit/random_kernel.h"
#include <check.h>
#include <math.h>

/* Of a sum of n products of magnitude at most m, as a part of n * m: numbers grow up to a hundredfold on their way through the
 * tile's points and back, and each of some 30 roundings is off by 2^-24 of what it rounds: of those, few add up.  Over forty
 * kernels the most was 5.0e-7. */
#define MOST_OFF 2e-6

static int64_t terms_of(const Kernel *kernel)
{
    int64_t terms = 1;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (kernel->axis.at[i].kind == AXIS_reduction) terms *= kernel->axis.at[i].extent;
    return terms;
}

/* On small integers sums of products are exact. */
START_TEST(results_are_close)
{
    Arena *arena = arena_open(&host_default);
    for (uint64_t seed = 1; seed < 4; seed++) {
        Kernel *kernel = random_filtering(seed, arena);
        Contraction of;
        Winograd winograd;
        ck_assert(contraction_of(kernel, &of) && winograd_of(kernel, &of, &winograd));
        Buffers exact = random_buffers(kernel, seed, true, arena);
        Buffers got = random_buffers(kernel, seed, true, arena);
        kernel_interpret(kernel, exact.at);
        kernel_interpret_winograd(kernel, &of, &winograd, got.at);
        double most = 16.0 * (double)terms_of(kernel) + 16;
        for (uint32_t i = 0; i < kernel->buffer.count; i++)
            for (int64_t k = 0; k < kernel->buffer.at[i].elements; k++) {
                float x = ((float *)exact.at[i])[k], y = ((float *)got.at[i])[k];
                ck_assert_double_le(fabs((double)x - (double)y), MOST_OFF * most);
            }
        buffers_free(&exact);
        buffers_free(&got);
    }
    arena_close(arena);
}
END_TEST

/* One image of `side` squared windows in `stride`, taps of `taps` squared, of which the filters are the last axis or the first. */
static Kernel *convolution_of(Arena *arena, int64_t side, int64_t taps, int64_t stride,
                              int64_t channels, Type type, bool is_last)
{
    Kernel *kernel = kernel_new(arena);
    Axis y = kernel_axis(kernel, AXIS_parallel, side), x = kernel_axis(kernel, AXIS_parallel, side);
    Axis f = kernel_axis(kernel, AXIS_parallel, 16), c;
    Axis s = kernel_axis(kernel, AXIS_reduction, taps),
         t = kernel_axis(kernel, AXIS_reduction, taps);
    c = kernel_axis(kernel, AXIS_reduction, channels);
    int64_t wide = stride * (side - 1) + taps;
    Affine at = affine_add(affine_scale(affine_axis(y), stride * wide * channels),
                           affine_scale(affine_axis(s), wide * channels));
    at = affine_add(at, affine_add(affine_scale(affine_axis(x), stride * channels),
                                   affine_scale(affine_axis(t), channels)));
    Access image = {.buffer = kernel_buffer(kernel, type, wide * wide * channels, false),
                    .rank = 1,
                    .stride = {1}};
    image.at[0] = (Coordinate){
        .affine = affine_add(at, affine_axis(c)), .divisor = 1, .extent = wide * wide * channels};
    int64_t by_tap = is_last ? 16 : 1, by_channel = taps * taps * by_tap;
    at = affine_add(affine_scale(affine_axis(c), by_channel),
                    affine_scale(affine_axis(f), is_last ? 1 : channels * taps * taps));
    at = affine_add(at, affine_add(affine_scale(affine_axis(s), taps * by_tap),
                                   affine_scale(affine_axis(t), by_tap)));
    int64_t all = 16 * taps * taps * channels;
    Access weights = {.buffer = kernel_buffer(kernel, type, all, false), .rank = 1, .stride = {1}};
    weights.at[0] = (Coordinate){.affine = at, .divisor = 1, .extent = all};
    Scalar factor[] = {kernel_load(kernel, &image), kernel_load(kernel, &weights)};
    Type sums = type_is_float(type) ? TYPE_f32 : TYPE_i32;
    for (int i = 0; i < 2; i++)
        if (type != sums) factor[i] = kernel_apply(kernel, SCALAR_cast, sums, &factor[i]);
    Scalar product = kernel_apply(kernel, SCALAR_mul, sums, factor);
    uint32_t axes = 1u << (s.id - 1) | 1u << (t.id - 1) | 1u << (c.id - 1);
    Access out = {
        .buffer = kernel_buffer(kernel, sums, side * side * 16, true), .rank = 1, .stride = {1}};
    at = affine_add(affine_scale(affine_axis(y), side * 16), affine_scale(affine_axis(x), 16));
    out.at[0] = (Coordinate){
        .affine = affine_add(at, affine_axis(f)), .divisor = 1, .extent = side * side * 16};
    kernel_store(kernel, &out, kernel_reduce(kernel, REDUCE_add, axes, product), false);
    return kernel;
}

static Kernel *convolution(Arena *arena, int64_t side, int64_t taps, int64_t stride,
                           int64_t channels, Type type)
{
    return convolution_of(arena, side, taps, stride, channels, type, true);
}

static bool is_filtered(const Kernel *kernel)
{
    Contraction of;
    Winograd winograd;
    return contraction_of(kernel, &of) && winograd_of(kernel, &of, &winograd);
}

START_TEST(what_is_filtered)
{
    Arena *arena = arena_open(&host_default);
    ck_assert(is_filtered(convolution(arena, 24, 3, 1, 16, TYPE_f32)));
    ck_assert(!is_filtered(convolution(arena, 24, 3, 2, 16, TYPE_f32)));
    ck_assert(!is_filtered(convolution(arena, 24, 5, 1, 16, TYPE_f32)));
    ck_assert(!is_filtered(convolution(arena, 26, 3, 1, 16, TYPE_f32)));
    ck_assert(!is_filtered(convolution(arena, 24, 3, 1, 12, TYPE_f32)));
    ck_assert(is_filtered(convolution(arena, 8, 3, 1, 16, TYPE_f32)));
    ck_assert(!is_filtered(convolution(arena, 4, 3, 1, 16, TYPE_f32))); /* too few tiles */
    ck_assert(is_filtered(convolution_of(arena, 24, 3, 1, 16, TYPE_f32, false)));
    ck_assert(!is_filtered(convolution_of(arena, 16, 3, 1, 16, TYPE_f32, false)));
    ck_assert(!is_filtered(convolution(arena, 24, 3, 1, 16, TYPE_bf16)));
    ck_assert(is_filtered(convolution(arena, 24, 3, 1, 224, TYPE_i8)));
    ck_assert(!is_filtered(convolution(arena, 24, 3, 1, 240, TYPE_i8))); /* 9 * 240 * 2^14 > 2^25 */
    ck_assert(!is_filtered(convolution(arena, 24, 3, 1, 16, TYPE_u8))); /* 144 * 255 > 2^15 */
    ck_assert(is_filtered(convolution(arena, 24, 3, 1, 1024, TYPE_f32)));
    ck_assert(!is_filtered(convolution(arena, 24, 3, 1, 1040, TYPE_f32)));
    arena_close(arena);
}
END_TEST

Suite *suite_winograd(void);
Suite *suite_winograd(void)
{
    Suite *suite = suite_create("winograd");
    TCase *tests = tcase_create("winograd");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, results_are_close);
    tcase_add_test(tests, what_is_filtered);
    suite_add_tcase(suite, tests);
    return suite;
}

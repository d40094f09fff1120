#include "ir/base/bits.h"
#include "ir/kernel/contraction.h"
#include "ir/kernel/kernel.h"
#include <check.h>
#include <math.h>

static Arena *arena;
static Context context;

static void open_context(void)
{
    arena = arena_open(&host_default);
    context.arena = arena;
    context.names = names_new(arena);
    context.sources = sources_new(arena);
    context.report = report_new(arena, context.sources);
}

static void close_context(void)
{
    arena_close(arena);
}

static Kernel *read_kernel(const char *text, size_t size)
{
    return kernel_parse(&context, arena, sources_add(context.sources, "kernel", text, size, false));
}

static Kernel *kernel_of(const char *text)
{
    Kernel *kernel = read_kernel(text, strlen(text));
    Text report = {.arena = arena};
    report_render(context.report, &report, false);
    ck_assert_msg(kernel != NULL, "%s", text_done(&report));
    return kernel;
}

static const char *text_of(const Kernel *kernel)
{
    Text text = {.arena = arena};
    kernel_print(&text, kernel);
    return text_done(&text);
}

/* Every form that the text has. */
static const char everything[] = "kernel {\n"
                                 "  axis i 6\n"
                                 "  axis j 5 sequential\n"
                                 "  axis k 4 reduction\n"
                                 "  buffer b0 f32[64]\n"
                                 "  buffer b1 i32[30]\n"
                                 "  buffer b2 bf16[40] out\n"
                                 "  buffer b3 bool[6] out\n"
                                 "  %1 = load b1 [i : 6 * 5, j : 5] : i32\n"
                                 "  %2 = load b0 + 4 [2*i + k - 1 ? : 12 * 4, 0 + %1 ? : 4] : f32\n"
                                 "  %3 = constant -0.5 : f32\n"
                                 "  %4 = index -3*i + 2*j + 7 : i32\n"
                                 "  %5 = inside [i - 1 ? : 6, i + k + 1 /2 ? : 3] : bool\n"
                                 "  %6 = constant nan : f32\n"
                                 "  %7 = select %5, %2, %6 : f32\n"
                                 "  %8 = reduce max k %7 : f32\n"
                                 "  %9 = uniform %1, %4, %4 stream 4000000000 : f32\n"
                                 "  %10 = fma %8, %9, %3 : f32\n"
                                 "  %11 = cast %10 : bf16\n"
                                 "  %12 = less %8, %9 : bool\n"
                                 "  store b2 + 1 [i + %1 ? : 6 * 6, j : 5] += %11\n"
                                 "  store b3 [i : 6] = %12\n"
                                 "}\n";

START_TEST(text_reads_back)
{
    Kernel *kernel = kernel_of(everything);
    ck_assert_str_eq(text_of(kernel), everything);
    Kernel *again = kernel_of(text_of(kernel));
    ck_assert(kernel_same(kernel, again));
    ck_assert_uint_eq(kernel_hash(kernel), kernel_hash(again));
}
END_TEST

/* A byte more, less or other is refused or read, and what is read prints and reads back. */
START_TEST(damaged_text_is_harmless)
{
    char text[sizeof everything];
    uint32_t refused = 0, size = sizeof everything - 1;
    for (uint32_t i = 0; i < 3 * size; i++) {
        uint64_t random = bits_hash(&i, sizeof i, 7);
        memcpy(text, everything, sizeof text);
        uint32_t length = i < size ? i : size;
        if (i >= size) text[random % size] = "0%9[]k:-*\377\n}"[(random >> 32) % 13];
        report_clear(context.report);
        Kernel *kernel = read_kernel(text, length);
        ck_assert_uint_eq(report_errors(context.report), kernel ? 0 : 1);
        refused += !kernel;
        if (!kernel) continue;
        const char *printed = text_of(kernel);
        ck_assert_str_eq(text_of(kernel_of(printed)), printed);
    }
    ck_assert_uint_gt(refused, size);
}
END_TEST

START_TEST(wrong_text_is_refused)
{
    static const char *const wrong[] = {
        "",
        "kernel",
        "kernel {",
        "kernel {} x",
        "kernel { axis j 3 }",
        "kernel { axis i 0 }",
        "kernel { axis i 99999999999999999999 }",
        "kernel { buffer b1 f32[3] }",
        "kernel { buffer b0 f33[3] }",
        "kernel { %1 = constant : f32 }",
        "kernel { %2 = constant 1 : f32 }",
        "kernel { %1 = wobble 1 : f32 }",
        "kernel { %1 = add %1, %1 : f32 }",
        "kernel { %1 = load b0 [] : f32 }",
        "kernel { buffer b0 f32[1] %1 = load b0 [] : i32 }",
        "kernel { %1 = constant 1 : bool %2 = add %1, %1 : bool }",
        "kernel { %1 = constant 1 : f32 %2 = bit_and %1, %1 : f32 }",
        "kernel { %1 = constant 1 : i32 %2 = exp %1 : i32 }",
        "kernel { %1 = constant 1 : f32 %2 = less %1, %1 : f32 }",
        "kernel { buffer b0 f32[9] %1 = constant 1 : f32 store b0 [0 + %1 : 9] = %1 }",
        "kernel { buffer b0 f32[9] store b0 [k : 9] = %1 }",
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        report_clear(context.report);
        ck_assert_msg(!read_kernel(wrong[i], strlen(wrong[i])), "%s", wrong[i]);
        ck_assert_uint_eq(report_errors(context.report), 1);
    }
}
END_TEST

START_TEST(equal_scalars_are_one)
{
    Kernel *kernel = kernel_new(arena);
    Axis i = kernel_axis(kernel, AXIS_parallel, 8);
    uint32_t x = kernel_buffer(kernel, TYPE_f32, 8, false);
    Access at = {
        .buffer = x, .rank = 1, .stride = {1}, .at[0] = {.affine = affine_axis(i), .extent = 8}};
    Scalar a = kernel_load(kernel, &at), b = kernel_load(kernel, &at);
    ck_assert_uint_eq(a.id, b.id);
    at.offset = 1;
    ck_assert_uint_ne(kernel_load(kernel, &at).id, a.id);
    Scalar sum = kernel_apply(kernel, SCALAR_add, TYPE_f32, (Scalar[]){a, b});
    ck_assert_uint_eq(sum.id, kernel_apply(kernel, SCALAR_add, TYPE_f32, (Scalar[]){a, a}).id);
    ck_assert_uint_eq(kernel->scalar.at[sum.id].depends, 1);
    for (int n = 0; n < 1000; n++)
        kernel_constant(kernel, TYPE_f32, n);
    uint32_t count = kernel->scalar.count;
    for (int n = 0; n < 1000; n++)
        kernel_constant(kernel, TYPE_f32, n);
    ck_assert_uint_eq(kernel->scalar.count, count);
    ck_assert_uint_eq(kernel_constant(kernel, TYPE_f32, NAN).id,
                      kernel_constant(kernel, TYPE_f32, -NAN).id);
    ck_assert_uint_ne(kernel_constant(kernel, TYPE_f32, 0).id,
                      kernel_constant(kernel, TYPE_f32, -0.0).id);
}
END_TEST

START_TEST(guards_stay_where_needed)
{
    Kernel *kernel = kernel_new(arena);
    Axis i = kernel_axis(kernel, AXIS_parallel, 8);
    Affine affine = affine_axis(i), shifted = affine_add(affine, affine_constant(1)),
           away = affine_add(affine, affine_constant(9));
    Scalar yes = kernel_constant(kernel, TYPE_bool, 1), no = kernel_constant(kernel, TYPE_bool, 0);
    Coordinate never = {.affine = affine, .extent = 8, .guarded = true},
               sometimes = {.affine = shifted, .extent = 8, .guarded = true},
               always = {.affine = away, .extent = 8, .guarded = true},
               halves = {.affine = affine, .divisor = 2, .extent = 4};
    ck_assert_uint_eq(kernel_inside(kernel, 0, NULL).id, yes.id);
    ck_assert_uint_eq(kernel_inside(kernel, 1, &never).id, yes.id);
    ck_assert_uint_eq(kernel_inside(kernel, 2, (Coordinate[]){sometimes, always}).id, no.id);
    Scalar inside = kernel_inside(kernel, 3, (Coordinate[]){never, sometimes, halves});
    ck_assert_uint_eq(kernel->scalar.at[inside.id].access->rank, 2);
    Coordinate many[20];
    for (int n = 0; n < 20; n++) {
        many[n] = sometimes;
        many[n].extent = 2 + n % 6;
    }
    Scalar both = kernel_inside(kernel, 20, many);
    ck_assert_int_eq(kernel->scalar.at[both.id].op, SCALAR_and);
}
END_TEST

/* The constant that op gives, computed as it is built. */
static double folded(ScalarOp op, Type type, Type of, double x, double y, double z)
{
    Kernel *kernel = kernel_new(arena);
    Scalar first = kernel_constant(kernel, op == SCALAR_select ? TYPE_bool : of, x);
    Scalar second = kernel_constant(kernel, of, y), third = kernel_constant(kernel, of, z);
    Scalar result = kernel_apply(kernel, op, type, (Scalar[]){first, second, third});
    ck_assert_int_eq(kernel->scalar.at[result.id].op, SCALAR_constant);
    return kernel->scalar.at[result.id].number;
}

START_TEST(constants_fold_as_they_run)
{
    ck_assert(folded(SCALAR_div, TYPE_i32, TYPE_i32, -7, 2, 0) == -4);
    ck_assert(folded(SCALAR_div, TYPE_i32, TYPE_i32, 7, 0, 0) == 0);
    ck_assert(folded(SCALAR_div, TYPE_i32, TYPE_i32, INT32_MIN, -1, 0) == INT32_MIN);
    ck_assert(folded(SCALAR_rem, TYPE_i32, TYPE_i32, -7, 3, 0) == 2);
    ck_assert(folded(SCALAR_rem, TYPE_i32, TYPE_i32, 7, -3, 0) == -2);
    ck_assert(folded(SCALAR_rem, TYPE_i32, TYPE_i32, INT32_MIN, -1, 0) == 0);
    ck_assert(folded(SCALAR_rem, TYPE_f32, TYPE_f32, -7, 3, 0) == 2);
    ck_assert(folded(SCALAR_add, TYPE_i8, TYPE_i8, 127, 1, 0) == -128);
    ck_assert(folded(SCALAR_neg, TYPE_u8, TYPE_u8, 1, 0, 0) == 255);
    ck_assert(folded(SCALAR_mul_high, TYPE_u32, TYPE_u32, 4294967295.0, 4294967295.0, 0) ==
              4294967294.0);
    ck_assert(folded(SCALAR_shift_right, TYPE_i32, TYPE_i32, -8, 1, 0) == -4);
    ck_assert(folded(SCALAR_shift_right, TYPE_u32, TYPE_u32, 4294967288.0, 1, 0) == 2147483644.0);
    ck_assert(folded(SCALAR_shift_left, TYPE_i32, TYPE_i32, 1, 31, 0) == INT32_MIN);
    ck_assert(folded(SCALAR_add, TYPE_f32, TYPE_f32, 16777216, 1, 0) == 16777216);
    ck_assert(folded(SCALAR_add, TYPE_bf16, TYPE_bf16, 256, 1, 0) == 256);
    ck_assert(folded(SCALAR_add, TYPE_f16, TYPE_f16, 65504, 65504, 0) == INFINITY);
    ck_assert(isnan(folded(SCALAR_max, TYPE_f32, TYPE_f32, 1, NAN, 0)));
    ck_assert(isnan(folded(SCALAR_min, TYPE_f32, TYPE_f32, NAN, 1, 0)));
    ck_assert(folded(SCALAR_round, TYPE_f32, TYPE_f32, 2.5, 0, 0) == 2);
    ck_assert(folded(SCALAR_cast, TYPE_i8, TYPE_f32, 300, 0, 0) == 127);
    ck_assert(folded(SCALAR_cast, TYPE_i8, TYPE_f32, -2.9, 0, 0) == -2);
    ck_assert(folded(SCALAR_cast, TYPE_i32, TYPE_f32, NAN, 0, 0) == 0);
    ck_assert(folded(SCALAR_cast, TYPE_i64, TYPE_u32, 4294967295.0, 0, 0) == 4294967295.0);
    ck_assert(folded(SCALAR_cast, TYPE_i32, TYPE_u32, 4294967295.0, 0, 0) == INT32_MAX);
    ck_assert(folded(SCALAR_cast, TYPE_bool, TYPE_f32, 0.25, 0, 0) == 1);
    ck_assert(folded(SCALAR_less_equal, TYPE_bool, TYPE_f32, 2, 2, 0) == 1);
    ck_assert(folded(SCALAR_select, TYPE_f32, TYPE_f32, 0, 2, 3) == 3);
}
END_TEST

Suite *suite_kernel(void);
Suite *suite_kernel(void)
{
    Suite *suite = suite_create("kernel");
    TCase *tests = tcase_create("kernel");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_add_test(tests, text_reads_back);
    tcase_add_test(tests, damaged_text_is_harmless);
    tcase_add_test(tests, wrong_text_is_refused);
    tcase_add_test(tests, equal_scalars_are_one);
    tcase_add_test(tests, guards_stay_where_needed);
    tcase_add_test(tests, constants_fold_as_they_run);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "ir/base/bits.h"
#include "ir/kernel/expand.h"
#include "ir/kernel/scalar.h"
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
                                 "  buffer b4 u32[7]\n"
                                 "  %1 = load b1 [i : 6 * 5, j : 5] : i32\n"
                                 "  %2 = load b0 + 4 [2*i + k - 1 ? : 12 * 4, 0 + %1 ? : 4] : f32\n"
                                 "  %3 = constant -0.5 : f32\n"
                                 "  %4 = index -3*i + 2*j + 7 : i32\n"
                                 "  %5 = inside [i - 1 ? : 6, i + k + 1 /2 ? : 3] : bool\n"
                                 "  %6 = constant nan : f32\n"
                                 "  %7 = select %5, %2, %6 : f32\n"
                                 "  %8 = reduce max k %7 : f32\n"
                                 "  %9 = load b4 + 6 [] : u32\n"
                                 "  %10 = uniform %1, %4, %9, %4 : f32\n"
                                 "  %11 = fma %8, %10, %3 : f32\n"
                                 "  %12 = cast %11 : bf16\n"
                                 "  %13 = less %8, %10 : bool\n"
                                 "  store b2 + 1 [i : 6 * 6, j + %1 ? : 3] += %12\n"
                                 "  store b3 [i : 6] = %13\n"
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

/* What the verifier lets pass stays inside its buffers: the interpreter stops at an element
 * outside. */
static void run_if_valid(const Kernel *kernel)
{
    void **buffer = arena_array(arena, void *, kernel->buffer.count);
    int64_t points = 1;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        points *= kernel->axis.at[i].extent < 1000 ? kernel->axis.at[i].extent : 1000;
    for (uint32_t i = 0; i < kernel->buffer.count; i++) {
        int64_t elements = kernel->buffer.at[i].elements;
        if (elements > 1000 || points > 10000) return;
        buffer[i] = arena_array(arena, int64_t, elements);
    }
    if (!kernel_verify(kernel, arena)) kernel_interpret(kernel_expand(kernel, arena), buffer);
}

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
        run_if_valid(kernel);
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
    bool takes_bool = op == SCALAR_select || op == SCALAR_zero_unless;
    Scalar first = kernel_constant(kernel, takes_bool ? TYPE_bool : of, x);
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
    ck_assert(folded(SCALAR_zero_unless, TYPE_f32, TYPE_f32, 0, 2, 0) == 0);
    ck_assert(folded(SCALAR_zero_unless, TYPE_f32, TYPE_f32, 1, 2, 0) == 2);
}
END_TEST

START_TEST(good_kernels_verify)
{
    ck_assert_ptr_null(kernel_verify(kernel_of(everything), arena));
    /* Row-major, a hole between rows, backwards, an overhang that a guard cuts. */
    static const char *const good[] = {
        "kernel { axis i 3 axis j 4 buffer b0 f32[12] out %1 = constant 1 : f32 store b0 [i : 3 * "
        "4, j : 4] = %1 }",
        "kernel { axis i 3 axis j 4 buffer b0 f32[12] out %1 = constant 1 : f32 store b0 [4*i + j "
        ": 12] = %1 }",
        "kernel { axis i 3 axis j 4 buffer b0 f32[23] out %1 = constant 1 : f32 store b0 + 3 [-j + "
        "3 : 4, i : 3 * 8] = %1 }",
        "kernel { axis i 3 axis j 6 buffer b0 f32[12] out %1 = constant 1 : f32 store b0 [i : 3 * "
        "4, j - 1 ? : 4] = %1 }",
        "kernel { axis i 3 buffer b0 f32[3] out %1 = load b0 [i : 3] : f32 store b0 [i : 3] = %1 }",
        "kernel { axis i 3 sequential buffer b0 f32[1] out %1 = constant 1 : f32 store b0 [] += %1 "
        "}",
        /* loaded and stored by other coordinates, the same element */
        "kernel { axis i 3 axis j 4 buffer b0 f32[12] out %1 = load b0 [4*i + j : 12] : f32 "
        "store b0 [i : 3 * 4, j : 4] = %1 }",
        /* softmax's shape: the sum needs the row's maximum over the same axis */
        "kernel { axis i 3 axis j 4 axis k 4 reduction buffer b0 f32[12] buffer b1 f32[12] out "
        "%1 = load b0 [i : 3 * 4, k : 4] : f32 %2 = reduce max k %1 : f32 %3 = sub %1, %2 : f32 "
        "%4 = reduce add k %3 : f32 %5 = load b0 [i : 3 * 4, j : 4] : f32 %6 = mul %5, %4 : f32 "
        "store b1 [i : 3 * 4, j : 4] = %6 }",
    };
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        const char *wrong = kernel_verify(kernel_of(good[i]), arena);
        ck_assert_msg(!wrong, "%s", wrong);
    }
}
END_TEST

START_TEST(bad_kernels_do_not)
{
    static const char *const bad[][2] = {
        {"kernel { axis i 3 buffer b0 f32[3] out %1 = load b0 [i + 1 : 3] : f32 store b0 [i : 3] = "
         "%1 }",
         "coordinate 0 runs from 1 to 3"},
        {"kernel { axis i 3 buffer b0 f32[2] %1 = load b0 [i : 3] : f32 }",
         "elements 0 to 2 of b0, which has 2"},
        {"kernel { axis i 3 buffer b0 f32[9] %1 = load b0 - 1 [i : 3] : f32 }",
         "elements -1 to 1 of b0"},
        {"kernel { axis i 9 buffer b0 f32[9] %1 = load b0 [i - 1 ? : 10 * 2] : f32 }",
         "elements 0 to 14 of b0"},
        {"kernel { axis i 3 axis j 4 buffer b0 f32[12] out %1 = constant 1 : f32 store b0 [i : 3] "
         "= %1 }",
         "a parallel axis does not occur"},
        {"kernel { axis i 3 axis j 4 buffer b0 f32[12] out %1 = constant 1 : f32 store b0 [i + j : "
         "12] = %1 }",
         "stored more than once"},
        {"kernel { axis i 3 buffer b0 f32[3] %1 = constant 1 : f32 store b0 [i : 3] = %1 }",
         "b0 is not out"},
        {"kernel { axis i 3 buffer b0 f32[3] out %1 = constant 1 : i32 store b0 [i : 3] = %1 }",
         "i32 into a buffer of f32"},
        {"kernel { axis i 3 reduction buffer b0 f32[3] out %1 = constant 1 : f32 store b0 [i : 3] "
         "= %1 }",
         "outside of a reduce"},
        {"kernel { axis i 3 axis j 3 reduction buffer b0 f32[3] buffer b1 f32[3] out %1 = load b0 "
         "[j : 3] : f32 "
         "store b1 [i : 3] = %1 }",
         "outside of a reduce"},
        {"kernel { axis i 3 axis j 3 buffer b0 f32[3] %1 = load b0 [j : 3] : f32 %2 = reduce add j "
         "%1 : f32 }",
         "no reduction axes"},
        {"kernel { axis i 3 reduction axis j 3 reduction buffer b0 f32[9] %1 = load b0 [i : 3 * 3, "
         "j : 3] : f32 "
         "%2 = reduce add j %1 : f32 %3 = reduce max i %2 : f32 }",
         "the reduce %2 inside depends on the same axes"},
        {"kernel { axis i 3 buffer b0 f32[4] out %1 = load b0 [i + 1 : 4] : f32 store b0 [i : 4] = "
         "%1 }",
         "%1 loads b0 elsewhere"},
        {"kernel { axis i 3 buffer b0 f32[4] out %1 = load b0 [i : 4] : f32 store b0 [i : 4] += %1 "
         "}",
         "%1 loads b0 elsewhere"},
        {"kernel { axis i 1000000 %1 = index 100000*i : i32 }", "beyond i32"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *wrong = kernel_verify(kernel_of(bad[i][0]), arena);
        ck_assert_msg(wrong && strstr(wrong, bad[i][1]), "%s\n%s", bad[i][0], wrong);
    }
}
END_TEST

/* Under its line, and all at once. */
START_TEST(complaints_stand_under_their_lines)
{
    const char *wrong =
        kernel_verify(kernel_of("kernel { axis i 3 buffer b0 f32[3] %1 = load b0 [i + 1 : 3] : f32 "
                                "store b0 [i : 3] = %1 }"),
                      arena);
    ck_assert_str_eq(wrong, "kernel {\n"
                            "  axis i 3\n"
                            "  buffer b0 f32[3]\n"
                            "  %1 = load b0 [i + 1 : 3] : f32\n"
                            "  ! coordinate 0 runs from 1 to 3, outside of its extent 3\n"
                            "  store b0 [i : 3] = %1\n"
                            "  ! b0 is not out\n"
                            "  ! %1 loads b0 elsewhere than it is stored\n"
                            "}\n");
}
END_TEST

/* Made by hand, past the builders. */
START_TEST(malformed_scalars_are_found)
{
    for (int i = 0; i < 6; i++) {
        Kernel *kernel = kernel_of(everything);
        ScalarNode *node = &kernel->scalar.at[10];
        if (i == 0) node->argument[1].id = 10;
        if (i == 1) node->argument[1].id = 4000000000u;
        if (i == 2) node->op = (ScalarOp)99;
        if (i == 3) node->type = TYPE_none;
        if (i == 4) node->op = SCALAR_load;
        if (i == 5) node->depends = 4;
        ck_assert_ptr_nonnull(kernel_verify(kernel, arena));
    }
}
END_TEST

START_TEST(hashes_follow_structure)
{
    static const char *const change[][2] = {
        {"axis i 6", "axis i 7"}, {"k 4 reduction", "k 4"}, {"f32[64]", "f32[65]"},
        {"-0.5", "-0.25"},        {"b4 + 6", "b4 + 5"},     {"max k", "min k"},
        {"b0 + 4", "b0 + 5"},     {"+= %12", "= %12"},      {"7 : i32", "8 : i32"},
    };
    Kernel *kernel = kernel_of(everything), *same = kernel_of(everything);
    *list_add(arena, &same->span) = (Span){1, 2, 3};
    ck_assert(kernel_same(kernel, same) && kernel_hash(kernel) == kernel_hash(same));
    for (unsigned i = 0; i < sizeof change / sizeof *change; i++) {
        Text text = {.arena = arena};
        const char *at = strstr(everything, change[i][0]);
        text_put(&text, everything, (size_t)(at - everything));
        text_add(&text, "%s%s", change[i][1], at + strlen(change[i][0]));
        Kernel *other = kernel_of(text_done(&text));
        ck_assert(!kernel_same(kernel, other));
        ck_assert(kernel_hash(kernel) != kernel_hash(other));
    }
}
END_TEST

static void run(const char *text, void *const *buffer)
{
    Kernel *kernel = kernel_of(text);
    const char *wrong = kernel_verify(kernel, arena);
    ck_assert_msg(!wrong, "%s", wrong);
    kernel_interpret(kernel, buffer);
}

/* Numbers whose sums depend on their order. */
static float uneven(uint32_t i)
{
    return (float)((double)(bits_hash(&i, sizeof i, 3) >> 40) / 3000 - 2000) * (i % 7 ? 1 : 1e-3f);
}

START_TEST(zeros_are_known)
{
    static const struct {
        const char *text;
        int64_t clears;
    } all[] = {
        {"kernel { axis i 12 buffer b0 f32[12] out %1 = constant 0 : f32 store b0 [i : 12] = %1 }",
         48},
        {"kernel { axis i 3 axis j 4 buffer b0 bf16[12] out %1 = constant 0 : bf16 "
         "store b0 [4*i + j : 12] = %1 }",
         24},
        {"kernel { buffer b0 i32[1] out %1 = constant 0 : i32 store b0 [] = %1 }", 4},
        {"kernel { axis i 12 buffer b0 f32[12] out %1 = constant 1 : f32 store b0 [i : 12] = %1 }",
         0},
        {"kernel { axis i 12 buffer b0 f32[12] out %1 = constant -0 : f32 store b0 [i : 12] = %1 }",
         0},
        {"kernel { axis i 12 buffer b0 f32[24] out %1 = constant 0 : f32 store b0 [2*i : 24] = %1 "
         "}",
         0},
        {"kernel { axis i 12 buffer b0 f32[12] buffer b1 f32[12] out %1 = constant 0 : f32 "
         "store b0 [i : 12] = %1 store b1 [i : 12] = %1 }",
         0},
        {"kernel { axis i 12 buffer b0 f32[12] buffer b1 f32[12] out %1 = load b0 [i : 12] : f32 "
         "store b1 [i : 12] = %1 }",
         0},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const Kernel *kernel = kernel_of(all[i].text);
        ck_assert_int_eq(kernel_clears(kernel), all[i].clears);
    }
}
END_TEST

START_TEST(sums_add_in_lanes)
{
    float x[3 * 37], got[3];
    for (uint32_t i = 0; i < 3 * 37; i++)
        x[i] = uneven(i);
    run("kernel { axis i 3 reduction axis j 37 reduction buffer b0 f32[111] buffer b1 f32[1] out "
        "%1 = load b0 [37*i + j : 111] : f32 %2 = reduce add i j %1 : f32 store b1 [] = %2 }",
        (void *[]){x, got});
    float lane[16] = {0}, in_order = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 37; j++) {
            lane[j % 16] += x[37 * i + j];
            in_order += x[37 * i + j];
        }
    for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    ck_assert(got[0] == lane[0]);
    ck_assert(got[0] != in_order); /* else the test could not tell */
}
END_TEST

START_TEST(products_add_in_order)
{
    enum { M = 4, N = 5, K = 33 };
    float a[M * K], b[N * K], c[M * N];
    for (uint32_t i = 0; i < N * K; i++) {
        if (i < M * K) a[i] = uneven(i);
        b[i] = uneven(i + 1000);
    }
    run("kernel { axis i 4 axis j 5 axis k 33 reduction buffer b0 f32[132] buffer b1 f32[165] "
        "buffer b2 f32[20] out "
        "%1 = load b0 [i : 4 * 33, k : 33] : f32 %2 = load b1 [j : 5 * 33, k : 33] : f32 %3 = mul "
        "%1, %2 : f32 "
        "%4 = reduce add k %3 : f32 %5 = neg %4 : f32 store b2 [i : 4 * 5, j : 5] = %5 }",
        (void *[]){a, b, c});
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            float sum = 0;
            for (int k = 0; k < K; k++)
                sum = fmaf(a[i * K + k], b[j * K + k], sum);
            ck_assert(c[i * N + j] == -sum);
        }
}
END_TEST

START_TEST(half_sums_round_once)
{
    uint16_t x[300], got;
    for (int i = 0; i < 300; i++)
        x[i] = bits_bf16_of(1);
    run("kernel { axis i 300 reduction buffer b0 bf16[300] buffer b1 bf16[1] out "
        "%1 = load b0 [i : 300] : bf16 %2 = reduce add i %1 : bf16 store b1 [] = %2 }",
        (void *[]){x, &got});
    ck_assert(bits_of_bf16(got) == 300); /* sums of bf16 would stop at 256 */
    int8_t y[300], wrapped;
    memset(y, 1, sizeof y);
    run("kernel { axis i 300 reduction buffer b0 i8[300] buffer b1 i8[1] out "
        "%1 = load b0 [i : 300] : i8 %2 = reduce add i %1 : i8 store b1 [] = %2 }",
        (void *[]){y, &wrapped});
    ck_assert_int_eq(wrapped, 300 - 256);
}
END_TEST

/* Both reduces close over k, the second one's body uses the first, and the store the axis j of the
 * same extent. */
START_TEST(rows_reduce_before_they_store)
{
    float x[2 * 5] = {3, 1, 4, 1, 5, -9, -2, -6, -5, -3}, got[2 * 5];
    run("kernel { axis i 2 axis j 5 axis k 5 reduction buffer b0 f32[10] buffer b1 f32[10] out "
        "%1 = load b0 [i : 2 * 5, k : 5] : f32 %2 = reduce max k %1 : f32 %3 = sub %1, %2 : f32 "
        "%4 = reduce add k %3 : f32 %5 = load b0 [i : 2 * 5, j : 5] : f32 %6 = sub %5, %2 : f32 "
        "%7 = div %6, %4 : f32 store b1 [i : 2 * 5, j : 5] = %7 }",
        (void *[]){x, got});
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 5; j++) {
            float most = i ? -2 : 5, sum = i ? -15 : -11;
            ck_assert(got[5 * i + j] == (x[5 * i + j] - most) / sum);
        }
}
END_TEST

START_TEST(guards_give_zero_and_drop)
{
    float x[4] = {1, 2, 3, 4}, got[6] = {9, 9, 9, 9, 9, 9};
    run("kernel { axis i 6 buffer b0 f32[4] buffer b1 f32[6] out %1 = load b0 [i - 1 /2 ? : 4] : "
        "f32 "
        "store b1 [i - 2 ? : 6] = %1 }",
        (void *[]){x, got});
    const float wanted[6] = {0, 2, 0, 3, 9, 9};
    for (int i = 0; i < 6; i++)
        ck_assert(got[i] == wanted[i]);
}
END_TEST

START_TEST(scatter_adds_in_order)
{
    int32_t at[6] = {1, 0, 1, 7, -1, 1};
    float x[6] = {1e8f, 2, 1, 3, 4, -1e8f}, got[2] = {10, 0};
    run("kernel { axis i 6 sequential buffer b0 i32[6] buffer b1 f32[6] buffer b2 f32[2] out "
        "%1 = load b0 [i : 6] : i32 %2 = load b1 [i : 6] : f32 store b2 [0 + %1 ? : 2] += %2 }",
        (void *[]){at, x, got});
    ck_assert(got[0] == 12 && got[1] == (1e8f + 1) - 1e8f);
}
END_TEST

/* All values of a point are computed before any is stored. */
START_TEST(stores_do_not_see_each_other)
{
    float x[3] = {1, 2, 3}, y[3] = {10, 20, 30};
    run("kernel { axis i 3 buffer b0 f32[3] out buffer b1 f32[3] out %1 = load b0 [i : 3] : f32 "
        "%2 = load b1 [i : 3] : f32 store b0 [i : 3] = %2 store b1 [i : 3] = %1 }",
        (void *[]){x, y});
    for (int i = 0; i < 3; i++)
        ck_assert(x[i] == (float)(10 * i + 10) && y[i] == (float)(i + 1));
}
END_TEST

/* A running sum: the load follows the stores along the sequential axis. */
START_TEST(sequential_axes_run_in_order)
{
    float x[4] = {1, 2, 3, 4}, sum = 10;
    run("kernel { axis i 4 sequential buffer b0 f32[4] buffer b1 f32[1] out %1 = load b0 [i : 4] : "
        "f32 "
        "%2 = load b1 [] : f32 %3 = add %2, %2 : f32 %4 = add %3, %1 : f32 store b1 [] = %4 }",
        (void *[]){x, &sum});
    ck_assert(sum == 16 * 10 + 8 * 1 + 4 * 2 + 2 * 3 + 4);
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
    tcase_add_test(tests, good_kernels_verify);
    tcase_add_test(tests, bad_kernels_do_not);
    tcase_add_test(tests, complaints_stand_under_their_lines);
    tcase_add_test(tests, malformed_scalars_are_found);
    tcase_add_test(tests, hashes_follow_structure);
    tcase_add_test(tests, zeros_are_known);
    tcase_add_test(tests, sums_add_in_lanes);
    tcase_add_test(tests, products_add_in_order);
    tcase_add_test(tests, half_sums_round_once);
    tcase_add_test(tests, rows_reduce_before_they_store);
    tcase_add_test(tests, guards_give_zero_and_drop);
    tcase_add_test(tests, scatter_adds_in_order);
    tcase_add_test(tests, stores_do_not_see_each_other);
    tcase_add_test(tests, sequential_axes_run_in_order);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Generated code against kernel_interpret: random kernels at every level that the host runs, tasks split in two. */
#include <check.h>

#if MLC_HAS_LLVM
#include "backends/cpu/jit.h"
#include "backends/cpu/object.h"
#include "ir/kernel/expand.h"
#include "tests/unit/random_kernel.h"
#include <immintrin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const levels[] = {"sse4.2", "avx2", "avx512", "avx512bf16", "amx"};
enum { LEVELS = sizeof levels / sizeof *levels };

typedef struct Bench {
    Arena *arena;
    CpuTarget target;
    Compiler *compiler;
    Jit *jit;
} Bench;

/* False if the host does not run the level. */
static bool bench_open(Bench *bench, const char *level)
{
    bench->arena = arena_open(&host_default);
    Report *report = report_new(bench->arena, sources_new(bench->arena));
    if (cpu_target(level, 2, report, &bench->target) != STATUS_ok) {
        arena_close(bench->arena);
        return false;
    }
    bench->compiler = compiler_open(&bench->target);
    ck_assert_ptr_nonnull(bench->compiler);
    ck_assert_int_eq(jit_open(report, &bench->jit), STATUS_ok);
    return true;
}

static void bench_close(Bench *bench)
{
    compiler_close(bench->compiler);
    jit_close(bench->jit);
    arena_close(bench->arena);
}

static void run_plan(Bench *bench, const Plan *plan, void *const *buffer)
{
    ObjectCode object = compile_plan(bench->compiler, plan);
    KernelFunction *function;
    ck_assert_int_eq(jit_add(bench->jit, object.bytes, object.size, plan->name, &function),
                     STATUS_ok);
    free(object.bytes);
    void *scratch = aligned_alloc(64, (size_t)plan->schedule.scratch + 64);
    int64_t tasks = plan->schedule.tasks, half = tasks / 2;
    function(buffer, half, tasks, scratch);
    if (half) function(buffer, 0, half, scratch);
    free(scratch);
}

/* Of MXCSR: flush to zero, denormals are zero; as the executor has it.  Instructions on pairs know nothing else. */
#define DENORMALS_ARE_0 0x8040

/* Where there is no fused product, sums of products agree only as long as they are exact: on small integers. */
static void check_plan(Bench *bench, const Kernel *kernel, Plan plan, uint64_t seed)
{
    const char *wrong = kernel_verify(kernel, bench->arena);
    ck_assert_msg(!wrong, "seed %lu: %s", (unsigned long)seed, wrong);
    bool is_whole = plan.schedule.contraction && !bench->target.has_fma;
    Buffers expected = random_buffers(kernel, seed, is_whole, bench->arena);
    Buffers buffers = random_buffers(kernel, seed, is_whole, bench->arena);
    uint32_t mode = _mm_getcsr();
    if (plan.schedule.products) _mm_setcsr(mode | DENORMALS_ARE_0);
    if (plan.schedule.products == PRODUCTS_tiles)
        kernel_interpret_tiles(kernel_expand(plan.kernel, bench->arena), &plan.schedule.of,
                               expected.at);
    else
        kernel_interpret(kernel_expand(kernel, bench->arena), expected.at);
    run_plan(bench, &plan, buffers.at);
    _mm_setcsr(mode);
    int64_t element;
    int differs = buffers_differ(kernel, &expected, &buffers, &element);
    Text text = {.arena = bench->arena};
    kernel_print(&text, kernel);
    if (differs >= 0) schedule_print(&text, &plan.schedule);
    ck_assert_msg(differs < 0, "%s, seed %lu: buffer %d, element %ld\n%s", bench->target.name,
                  (unsigned long)seed, differs, (long)element, text.at);
    buffers_free(&expected);
    buffers_free(&buffers);
}

static void check_kernel(Bench *bench, const Kernel *kernel, uint64_t seed)
{
    check_plan(bench, kernel, plan_kernel(kernel, &bench->target, NULL, NULL, bench->arena), seed);
}

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

static void check_kind(RandomKind kind)
{
    for (int level = 0; level < LEVELS; level++) {
        Bench bench;
        if (!bench_open(&bench, levels[level])) continue;
        for (uint64_t seed = first_seed(); seed < end_seed(); seed++)
            check_kernel(&bench, random_kernel(kind, seed, bench.arena), seed);
        bench_close(&bench);
    }
}

START_TEST(elementwise)
{
    check_kind(RANDOM_elementwise);
}
END_TEST

START_TEST(reductions)
{
    check_kind(RANDOM_reduction);
}
END_TEST

START_TEST(scatters)
{
    check_kind(RANDOM_scatter);
}
END_TEST

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
START_TEST(extremes)
{
    for (int level = 0; level < LEVELS; level++) {
        Bench bench;
        if (!bench_open(&bench, levels[level])) continue;
        check_kernel(&bench, extremes_of_magnitudes(bench.arena), 1);
        bench_close(&bench);
    }
}
END_TEST

START_TEST(contractions)
{
    check_kind(RANDOM_contraction);
}
END_TEST

START_TEST(contractions_of_bf16)
{
    check_kind(RANDOM_contraction_of_bf16);
}
END_TEST

static Scalar widened(Kernel *kernel, Scalar value)
{
    bool is_wide = kernel->scalar.at[value.id].type == TYPE_f32;
    return is_wide ? value : kernel_apply(kernel, SCALAR_cast, TYPE_f32, &value);
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
static Kernel *product(Arena *arena, Type type, int64_t m, int64_t n, int64_t k, int layout)
{
    Kernel *kernel = kernel_new(arena);
    Affine i = affine_axis(kernel_axis(kernel, AXIS_parallel, m));
    Affine j = affine_axis(kernel_axis(kernel, AXIS_parallel, n));
    Affine l = affine_axis(kernel_axis(kernel, AXIS_reduction, k));
    Scalar a =
        layout & 1 ? load_matrix(kernel, type, l, i, k, m) : load_matrix(kernel, type, i, l, m, k);
    Scalar b =
        layout & 2 ? load_matrix(kernel, type, j, l, n, k) : load_matrix(kernel, type, l, j, k, n);
    Scalar factors[] = {a, b};
    Scalar sum =
        kernel_reduce(kernel, REDUCE_add, 4, kernel_apply(kernel, SCALAR_mul, TYPE_f32, factors));
    Access access = {.rank = 2, .stride = {n, 1}};
    access.at[0] = (Coordinate){.affine = i, .divisor = 1, .extent = m};
    access.at[1] = (Coordinate){.affine = j, .divisor = 1, .extent = n};
    if (layout & 4) access.stride[0] = 1, access.stride[1] = m;
    access.buffer = kernel_buffer(kernel, TYPE_f32, m * n, true);
    kernel_store(kernel, &access, sum, false);
    return kernel;
}

static void check_products(Type type)
{
    static const int64_t extent[] = {1, 2, 3, 15, 16, 17, 33, 70};
    enum { EXTENTS = sizeof extent / sizeof *extent };
    for (int level = 0; level < LEVELS; level++) {
        Bench bench;
        if (!bench_open(&bench, levels[level])) continue;
        for (int i = 0; i < 2 * EXTENTS; i++) {
            int64_t m = extent[i % EXTENTS], n = extent[i * 5 / 3 % EXTENTS];
            int64_t k = extent[(i * 3 + 4) % EXTENTS];
            Kernel *kernel = product(bench.arena, type, m, n, k, i % 8);
            check_kernel(&bench, kernel, (uint64_t)i);
        }
        /* Many steps over k: factors that are packed block by block where they lie far apart. */
        for (int layout = 1; layout < 8; layout += 2) {
            Kernel *kernel = product(bench.arena, type, 15, 136, 1030 + 7 * layout, layout);
            check_kernel(&bench, kernel, (uint64_t)layout);
        }
        bench_close(&bench);
    }
}

START_TEST(products)
{
    check_products(TYPE_f32);
}
END_TEST

START_TEST(products_of_bf16)
{
    check_products(TYPE_bf16);
}
END_TEST

/* Schedules that cut everything there is to cut: several groups of panels, parts of k, factors packed once for all groups. */
START_TEST(small_caches)
{
    for (int level = 0; level < LEVELS; level++) {
        Bench bench;
        if (!bench_open(&bench, levels[level])) continue;
        bench.target.schedule.l1 = 8 << 10;
        bench.target.schedule.l2 = 64 << 10;
        for (uint64_t seed = first_seed(); seed < end_seed(); seed++) {
            RandomKind kind = seed % 2 ? RANDOM_contraction_of_bf16 : RANDOM_contraction;
            check_kernel(&bench, random_kernel(kind, seed, bench.arena), seed);
        }
        for (int layout = 0; layout < 8; layout++) {
            Type type = layout % 3 ? TYPE_bf16 : TYPE_f32;
            Kernel *kernel = product(bench.arena, type, 39, 136 + layout, 390 + layout, layout);
            check_kernel(&bench, kernel, (uint64_t)layout);
        }
        bench_close(&bench);
    }
}
END_TEST

/* is_last: images have their channels innermost. */
typedef struct Convolution {
    int64_t batch, channels, out, side, taps, padding, stride;
    bool is_last;
    Type type;
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
    Affine i = axis_of(kernel, tap, c.channels);
    Affine u = axis_of(kernel, tap, c.taps), v = axis_of(kernel, tap, c.taps);
    Affine row = affine_add(affine_add(affine_scale(y, c.stride), u), affine_constant(-c.padding));
    Affine column =
        affine_add(affine_add(affine_scale(x, c.stride), v), affine_constant(-c.padding));
    const int64_t in[] = {c.batch, c.channels, c.side, c.side},
                  out[] = {c.batch, c.out, side, side},
                  taps[] = {c.out, c.channels, c.taps, c.taps};
    const Affine of_out[] = {n, o, y, x}, of_taps[] = {o, i, u, v};
    Scalar factors[2] = {of_weights ? load_image(kernel, c.type, of_out, out, false, c.is_last)
                                    : load_image(kernel, c.type, of_taps, taps, false, false)};
    Affine of_in[] = {n, i, row, column};
    factors[1] = load_image(kernel, c.type, of_in, in, c.padding > 0, c.is_last);
    uint32_t reduced = 0;
    for (uint32_t a = 0; a < kernel->axis.count; a++)
        if (kernel->axis.at[a].kind == AXIS_reduction) reduced |= 1u << a;
    Scalar sum = kernel_reduce(kernel, REDUCE_add, reduced,
                               kernel_apply(kernel, SCALAR_mul, TYPE_f32, factors));
    const int64_t *extent = of_weights ? taps : out;
    int64_t elements = extent[0] * extent[1] * extent[2] * extent[3];
    Access to = image(kernel_buffer(kernel, TYPE_f32, elements, true),
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
    Scalar factors[2] = {load_image(kernel, c.type, (Affine[]){o, i, u, v}, taps, false, false)};
    uint32_t buffer = kernel_buffer(kernel, c.type, c.batch * c.out * side * side, false);
    Access from = image(buffer, (Affine[]){n, o, y, x}, out, false, c.is_last);
    from.at[2] = source(y, u, c, side);
    from.at[3] = source(x, v, c, side);
    factors[1] = widened(kernel, kernel_load(kernel, &from));
    Scalar sum = kernel_reduce(kernel, REDUCE_add, 7u << 4,
                               kernel_apply(kernel, SCALAR_mul, TYPE_f32, factors));
    buffer = kernel_buffer(kernel, TYPE_f32, c.batch * c.channels * c.side * c.side, true);
    Access to = image(buffer, (Affine[]){n, i, y, x}, in, false, c.is_last);
    kernel_store(kernel, &to, sum, false);
    return kernel;
}

static void check_convolutions(Type type)
{
    static const Convolution all[] = {{2, 1, 5, 10, 3, 0, 1},        {3, 3, 17, 9, 3, 1, 1},
                                      {2, 16, 16, 8, 3, 1, 1},       {2, 5, 33, 7, 3, 1, 2},
                                      {1, 4, 2, 33, 5, 2, 1},        {4, 20, 8, 5, 1, 0, 2},
                                      {2, 12, 35, 7, 3, 1, 1, true}, {5, 24, 16, 10, 3, 1, 1, true},
                                      {3, 33, 9, 11, 3, 1, 2, true}};
    for (int level = 0; level < LEVELS; level++) {
        Bench bench;
        if (!bench_open(&bench, levels[level])) continue;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            Convolution c = all[i];
            c.type = type;
            check_kernel(&bench, convolution(bench.arena, c, false), i);
            check_kernel(&bench, convolution(bench.arena, c, true), i);
            check_kernel(&bench, input_gradient(bench.arena, c), i);
        }
        bench_close(&bench);
    }
}

START_TEST(convolutions)
{
    check_convolutions(TYPE_f32);
}
END_TEST

START_TEST(convolutions_of_bf16)
{
    check_convolutions(TYPE_bf16);
}
END_TEST

static void check_choices(Bench *bench, const Kernel *kernel, uint64_t seed)
{
    ScheduleChoice choice[CHOICE_MOST], none = {0};
    Workload w = workload_of(kernel, &bench->target, NULL, bench->arena);
    if (!w.is_contraction) return;
    uint32_t count = schedule_choices(w.kernel, &w.contraction, &bench->target.schedule, NULL,
                                      &none, choice, bench->arena);
    for (uint32_t i = 0; i < count; i++)
        check_plan(bench, kernel, workload_plan(&w, &choice[i]), seed);
}

/* What no search would propose, as a record of another machine may. */
static void check_wild_choices(Bench *bench, const Kernel *kernel, uint64_t seed)
{
    uint32_t random = (uint32_t)seed * 2654435761u;
    Workload w = workload_of(kernel, &bench->target, NULL, bench->arena);
    for (int i = 0; i < 4; i++) {
        ScheduleChoice choice = {0};
#define CHOICE(name)                                                                               \
    random = random * 1664525u + 1013904223u;                                                      \
    if (random >> 30) choice.name = (random >> 20) % (random >> 29 & 1 ? 3 : 40);
#include "ir/kernel/choice.def"
#undef CHOICE
        check_plan(bench, kernel, workload_plan(&w, &choice), seed);
    }
}

static void check_all_choices(const char *level,
                              void (*check)(Bench *bench, const Kernel *kernel, uint64_t seed))
{
    static const Convolution some[] = {{2, 3, 17, 6, 3, 1, 1}, {2, 5, 9, 7, 3, 1, 2, true}};
    Bench bench;
    if (!bench_open(&bench, level)) return;
    for (uint64_t seed = first_seed(); seed < end_seed(); seed += 2) {
        RandomKind kind = seed % 3 ? RANDOM_contraction : RANDOM_contraction_of_bf16;
        check(&bench, random_kernel(kind, seed, bench.arena), seed);
    }
    for (int layout = 0; layout < 4; layout++) {
        Type type = layout == 2 ? TYPE_bf16 : TYPE_f32;
        check(&bench, product(bench.arena, type, 27, 72, 150, layout), (uint64_t)layout);
    }
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        Convolution c = some[i];
        c.type = TYPE_f32;
        check(&bench, convolution(bench.arena, c, false), i);
        check(&bench, convolution(bench.arena, c, true), i);
        check(&bench, input_gradient(bench.arena, c), i);
    }
    bench_close(&bench);
}

START_TEST(every_choice)
{
    check_all_choices(levels[_i], check_choices);
}
END_TEST

START_TEST(wild_choices)
{
    check_all_choices(levels[_i], check_wild_choices);
}
END_TEST

static const struct RowKernel {
    const char *name, *text;
} row_kernels[] = {
#define KERNEL(name, text) {#name, text},
#include "tests/unit/row_kernels.def"
#undef KERNEL
};

START_TEST(rows)
{
    for (int level = 0; level < LEVELS; level++) {
        Bench bench;
        if (!bench_open(&bench, levels[level])) continue;
        Context context = {.arena = bench.arena, .sources = sources_new(bench.arena)};
        context.report = report_new(bench.arena, context.sources);
        for (size_t i = 0; i < sizeof row_kernels / sizeof *row_kernels; i++) {
            const char *text = row_kernels[i].text;
            uint32_t source =
                sources_add(context.sources, row_kernels[i].name, text, strlen(text), false);
            const Kernel *kernel = kernel_parse(&context, bench.arena, source);
            ck_assert_msg(kernel, "%s is no kernel", row_kernels[i].name);
            check_kernel(&bench, kernel, i);
        }
        bench_close(&bench);
    }
}
END_TEST

START_TEST(unknown_target)
{
    Arena *arena = arena_open(&host_default);
    Report *report = report_new(arena, sources_new(arena));
    CpuTarget target;
    ck_assert_int_eq(cpu_target("avx1024", 1, report, &target), STATUS_usage);
    ck_assert_uint_eq(report_errors(report), 1);
    arena_close(arena);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, elementwise);
    tcase_add_test(tests, reductions);
    tcase_add_test(tests, scatters);
    tcase_add_test(tests, extremes);
    tcase_add_test(tests, contractions);
    tcase_add_test(tests, products);
    tcase_add_test(tests, products_of_bf16);
    tcase_add_test(tests, small_caches);
    tcase_add_test(tests, convolutions);
    tcase_add_test(tests, convolutions_of_bf16);
    tcase_add_test(tests, contractions_of_bf16);
    tcase_add_loop_test(tests, every_choice, 0, LEVELS);
    tcase_add_loop_test(tests, wild_choices, 0, LEVELS);
    tcase_add_test(tests, rows);
    tcase_add_test(tests, unknown_target);
}
#else
static void add_tests(TCase *tests)
{
    (void)tests; /* the backend is not in this build */
}
#endif

Suite *suite_cpu(void);
Suite *suite_cpu(void)
{
    Suite *suite = suite_create("cpu");
    TCase *tests = tcase_create("cpu");
    tcase_set_timeout(tests, 120);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    return suite;
}

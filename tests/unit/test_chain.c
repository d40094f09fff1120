#include <check.h>

#if MLC_HAS_LLVM
#include "backends/backend.h"
#include "backends/cpu/chain.h"
#include "ir/kernel/reach.h"
#include "tests/unit/steps.h"
#include <stdlib.h>
#include <string.h>

enum { N = 16, M = 64, BYTES = N * M * 4, CACHE = 2048 };

extern const Backend backend_cpu;

typedef struct Bench {
    Arena *arena;
    Context context;
    Module *module;
} Bench;

static Bench bench_open(void)
{
    Bench b = {.arena = arena_open(&host_default)};
    b.context = (Context){.arena = b.arena, .sources = sources_new(b.arena)};
    b.context.report = report_new(b.arena, b.context.sources);
    b.module = arena_new(b.arena, Module);
    b.module->arena_bytes = 4 * BYTES;
    *list_add(b.arena, &b.module->input) = (Port){.type = TYPE_f32};
    *list_add(b.arena, &b.module->output) = (Port){.type = TYPE_f32};
    return b;
}

static Region at_input(void)
{
    return (Region){.place = PLACE_input, .bytes = BYTES};
}

static Region at_output(int64_t bytes)
{
    return (Region){.place = PLACE_output, .bytes = bytes};
}

static Region at_arena(int64_t offset, int64_t bytes)
{
    return (Region){.place = PLACE_arena, .offset = offset, .bytes = bytes};
}

static Kernel *kernel_of(Bench *b, const char *text)
{
    uint32_t source = sources_add(b->context.sources, "kernel", text, strlen(text), false);
    Kernel *kernel = kernel_parse(&b->context, b->arena, source);
    ck_assert_ptr_nonnull(kernel);
    ck_assert_ptr_null(kernel_verify(kernel, b->arena));
    return kernel;
}

static void call(Bench *b, Kernel *kernel, Region in, Region out)
{
    Region *binding = arena_array(b->arena, Region, 2);
    binding[0] = in;
    binding[1] = out;
    *list_add(b->arena, &b->module->kernel) = kernel;
    *list_add(b->arena, &b->module->call) = (Call){
        .kernel = b->module->kernel.count - 1, .count = 2, .binding = binding, .flops = 1 << 20};
}

static const char doubled[] = "kernel {\n"
                              "  axis i 16\n"
                              "  axis j 64\n"
                              "  buffer b0 f32[1024]\n"
                              "  buffer b1 f32[1024] out\n"
                              "  %1 = load b0 [64*i + j : 1024] : f32\n"
                              "  %2 = add %1, %1 : f32\n"
                              "  store b1 [64*i + j : 1024] = %2\n"
                              "}\n";
/* The same rows from the last to the first. */
static const char reversed[] = "kernel {\n"
                               "  axis i 16\n"
                               "  axis j 64\n"
                               "  buffer b0 f32[1024]\n"
                               "  buffer b1 f32[1024] out\n"
                               "  %1 = load b0 [-64*i + j + 960 : 1024] : f32\n"
                               "  store b1 [64*i + j : 1024] = %1\n"
                               "}\n";
static const char summed[] = "kernel {\n"
                             "  axis i 16\n"
                             "  axis j 64 reduction\n"
                             "  buffer b0 f32[1024]\n"
                             "  buffer b1 f32[16] out\n"
                             "  %1 = load b0 [64*i + j : 1024] : f32\n"
                             "  %2 = reduce add j %1 : f32\n"
                             "  store b1 [i : 16] = %2\n"
                             "}\n";

/* Too few rows to be cut. */
static const char in_halves[] = "kernel {\n"
                                "  axis i 2\n"
                                "  axis j 512\n"
                                "  buffer b0 f32[1024]\n"
                                "  buffer b1 f32[1024] out\n"
                                "  %1 = load b0 [-512*i + j + 512 : 1024] : f32\n"
                                "  store b1 [512*i + j : 1024] = %1\n"
                                "}\n";

static ChainPlans chains_of(Bench *b)
{
    CpuTarget target;
    ck_assert_int_eq(cpu_target(NULL, 2, b->context.report, &target), STATUS_ok);
    target.schedule.l2 = CACHE;
    return chain_plans(b->module, &target, NULL, b->arena);
}

static float element(int64_t i)
{
    return (float)(i * 37 % 101) - 50;
}

/* Runs the module, chained or not. */
static void run(Bench *b, int64_t cache_bytes, uint32_t chains, float *output)
{
    BackendOptions options = {.threads = 2, .cache_bytes = cache_bytes};
    Device *device;
    Executable *executable;
    ck_assert_int_eq(backend_cpu.open(&options, b->context.report, &device), STATUS_ok);
    BackendEntry entry = {.module = b->module};
    ck_assert_int_eq(backend_cpu.compile(device, &b->context, &entry, &executable), STATUS_ok);
    ck_assert_uint_eq(backend_cpu.statistics(executable).chains, chains);
    float input[N * M];
    for (int64_t i = 0; i < N * M; i++)
        input[i] = element(i);
    ck_assert_int_eq(backend_cpu.run(executable, (const void *[]){input}, (void *[]){output}, NULL),
                     STATUS_ok);
    backend_cpu.dispose(executable);
    backend_cpu.close(device);
}

static void expect_sums(Bench *b, int64_t cache_bytes, uint32_t chains, float factor)
{
    float output[N] = {0};
    run(b, cache_bytes, chains, output);
    for (int64_t i = 0; i < N; i++) {
        float sum = 0;
        for (int64_t j = 0; j < M; j++)
            sum += factor * element(i * M + j);
        ck_assert_float_eq(output[i], sum);
    }
}

START_TEST(what_is_needed_inside_alone_is_a_tile)
{
    Bench b = bench_open();
    call(&b, kernel_of(&b, doubled), at_input(), at_arena(0, BYTES));
    call(&b, kernel_of(&b, doubled), at_arena(0, BYTES), at_arena(BYTES, BYTES));
    call(&b, kernel_of(&b, summed), at_arena(BYTES, BYTES), at_output(64));
    ChainPlans chains = chains_of(&b);
    ck_assert_uint_eq(chains.count, 1);
    ck_assert_uint_eq(chains.at[0].first, 0);
    ck_assert_uint_eq(chains.at[0].count, 3);
    ck_assert_int_eq(chains.at[0].slices, 16); /* two buffers, one row of each: half a cache */
    ck_assert_uint_eq(chains.at[0].tile.count, 4);
    ck_assert_int_eq(chains.at[0].tile_bytes, 2 * M * 4);
    expect_sums(&b, CACHE, 1, 4);
    expect_sums(&b, 0, 0, 4);
    arena_close(b.arena);
}
END_TEST

START_TEST(in_place_is_a_tile_too)
{
    Bench b = bench_open();
    call(&b, kernel_of(&b, doubled), at_input(), at_arena(0, BYTES));
    call(&b, kernel_of(&b, doubled), at_arena(0, BYTES), at_arena(0, BYTES));
    call(&b, kernel_of(&b, summed), at_arena(0, BYTES), at_output(64));
    ChainPlans chains = chains_of(&b);
    ck_assert_uint_eq(chains.count, 1);
    ck_assert_uint_eq(chains.at[0].tile.count, 4);
    expect_sums(&b, CACHE, 1, 4);
    arena_close(b.arena);
}
END_TEST

START_TEST(what_is_read_later_stays_in_the_arena)
{
    Bench b = bench_open();
    call(&b, kernel_of(&b, doubled), at_input(), at_arena(0, BYTES));
    call(&b, kernel_of(&b, summed), at_arena(0, BYTES), at_arena(2 * BYTES, 64));
    call(&b, kernel_of(&b, reversed), at_arena(0, BYTES), at_arena(BYTES, BYTES));
    call(&b, kernel_of(&b, summed), at_arena(BYTES, BYTES), at_output(64));
    ChainPlans chains = chains_of(&b);
    ck_assert_uint_eq(chains.count, 2);
    ck_assert_uint_eq(chains.at[0].count, 2);
    ck_assert_uint_eq(chains.at[0].tile.count, 0);
    ck_assert_uint_eq(chains.at[1].first, 2);
    ck_assert_uint_eq(chains.at[1].tile.count, 2);
    float output[N];
    run(&b, CACHE, 2, output);
    for (int64_t i = 0; i < N; i++) {
        float sum = 0;
        for (int64_t j = 0; j < M; j++)
            sum += 2 * element((N - 1 - i) * M + j);
        ck_assert_float_eq(output[i], sum);
    }
    arena_close(b.arena);
}
END_TEST

START_TEST(bytes_that_are_written_anew_first_are_not_read_later)
{
    Bench b = bench_open();
    call(&b, kernel_of(&b, doubled), at_input(), at_arena(0, BYTES));
    call(&b, kernel_of(&b, summed), at_arena(0, BYTES), at_arena(2 * BYTES, 64));
    call(&b, kernel_of(&b, in_halves), at_input(), at_arena(0, BYTES));
    call(&b, kernel_of(&b, in_halves), at_arena(0, BYTES), at_output(BYTES));
    ChainPlans chains = chains_of(&b);
    ck_assert_uint_eq(chains.count, 1);
    ck_assert_uint_eq(chains.at[0].count, 2);
    ck_assert_uint_eq(chains.at[0].tile.count, 2);
    arena_close(b.arena);
}
END_TEST

START_TEST(no_chain_where_slices_meet)
{
    Bench b = bench_open(); /* the second reads rows that slices to come will write */
    call(&b, kernel_of(&b, doubled), at_input(), at_arena(0, BYTES));
    call(&b, kernel_of(&b, reversed), at_arena(0, BYTES), at_output(BYTES));
    ck_assert_uint_eq(chains_of(&b).count, 0);
    arena_close(b.arena);

    b = bench_open(); /* the second writes half a row ahead, where the first has yet to read */
    call(&b, kernel_of(&b, doubled), at_arena(0, BYTES), at_arena(2 * BYTES, BYTES));
    call(&b, kernel_of(&b, doubled), at_arena(2 * BYTES, BYTES), at_arena(M * 2, BYTES));
    ck_assert_uint_eq(chains_of(&b).count, 0);
    arena_close(b.arena);
}
END_TEST

START_TEST(no_chain_where_the_cache_holds_all)
{
    Bench b = bench_open();
    call(&b, kernel_of(&b, doubled), at_input(), at_arena(0, BYTES));
    call(&b, kernel_of(&b, summed), at_arena(0, BYTES), at_output(64));
    CpuTarget target;
    ck_assert_int_eq(cpu_target(NULL, 2, b.context.report, &target), STATUS_ok);
    target.schedule.l2 = 4 * BYTES;
    ck_assert_uint_eq(chain_plans(b.module, &target, NULL, b.arena).count, 0);
    arena_close(b.arena);
}
END_TEST

static Stretch touched(Bench *b, const char *text, int64_t slices, uint32_t buffer, int64_t slice)
{
    Kernel *kernel = kernel_of(b, text);
    Axis axis = reach_axis(kernel, slices);
    ck_assert_uint_eq(axis.id, 1);
    Reach reach = reach_of(kernel, (Slices){axis, slices}, b->arena);
    return reach.touched[buffer * slices + slice];
}

START_TEST(reaches)
{
    Bench b = bench_open();
    Stretch s = touched(&b, doubled, 4, 0, 1);
    ck_assert(s.begin == 256 && s.end == 512);
    s = touched(&b, reversed, 4, 0, 0);
    ck_assert(s.begin == 768 && s.end == 1024);
    s = touched(&b, summed, 16, 1, 15);
    ck_assert(s.begin == 15 && s.end == 16);
    ck_assert_uint_eq(reach_axis(kernel_of(&b, doubled), 5).id, 0);

    static const char guarded[] = "kernel {\n"
                                  "  axis i 8\n"
                                  "  axis j 4\n"
                                  "  axis k 3 reduction\n"
                                  "  buffer b0 f32[32]\n"
                                  "  buffer b1 f32[32] out\n"
                                  "  %1 = load b0 [i + k - 1 ? : 8 * 4, j : 4] : f32\n"
                                  "  %2 = reduce add k %1 : f32\n"
                                  "  store b1 [i : 8 * 4, j : 4] = %2\n"
                                  "}\n";
    s = touched(&b, guarded, 4, 0, 0); /* the row before the first is none */
    ck_assert(s.begin == 0 && s.end == 12);
    s = touched(&b, guarded, 4, 0, 1); /* rows 2 and 3 with their neighbours */
    ck_assert(s.begin == 4 && s.end == 20);
    s = touched(&b, guarded, 4, 0, 3);
    ck_assert(s.begin == 20 && s.end == 32);
    arena_close(b.arena);
}
END_TEST

/* --- whole steps ---------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    int64_t
        cache_bytes; /* few enough for buffers to count as large, enough for those of a sample */
    uint32_t chains; /* at least */
} steps[] = {
    {"model m {\n input x: f32[N, 3, 20, 20]\n input y: i32[N]\n"
     " c1 = conv2d(x, 8, kernel: 3)\n b1 = batch_norm(c1)\n x = max_pool2d(relu(b1), 2)\n"
     " c2 = conv2d(x, 6, kernel: 3, padding: 1)\n x = dropout(relu(c2), 0.5)\n"
     " fc = dense(flatten(x), 3)\n output logits = fc\n}\n"
     "train {\n minimize cross_entropy(logits, y)\n optimizer adam(rate: 1e-2)\n batch 2\n}\n",
     65536, 1},
    {"model m {\n input x: f32[N, 5, 7]\n input y: f32[N, 12]\n"
     " cell = lstm(x, 12)\n output h = cell[:, -1]\n}\n"
     "train {\n minimize mse(h, y)\n optimizer sgd(rate: 0.1, momentum: 0.9)\n batch 2\n}\n",
     1024, 1},
    {"model m {\n input t: i32[N, 8]\n input y: i32[N, 8]\n"
     " e = embedding(t, 11, 12)\n n1 = layer_norm(e)\n"
     " a = causal_self_attention(n1, 3)\n n2 = layer_norm(e + a)\n"
     " f = feed_forward(n2, 24, gelu)\n d = dense(a + f, 11)\n output logits = d\n}\n"
     "train {\n minimize cross_entropy(logits, y)\n optimizer adamw(rate: 1e-2)\n batch 2\n}\n",
     8192, 1},
};

START_TEST(no_bit_changes)
{
    Model *m = model_open(steps[_i].text, 1u << ENTRY_step);
    ck_assert_msg(m->result != NULL, "%s", m->report);
    const Module *module = step_module(m, 16, 0);
    uint32_t chains, none;
    StepMemory plain = step_run(m, module, 1 << 30, &none);
    StepMemory chained = step_run(m, module, steps[_i].cache_bytes, &chains);
    ck_assert_uint_eq(none, 0);
    ck_assert_uint_ge(chains, steps[_i].chains);
    step_expect_same(m, module, &plain, &chained);
    model_close(m);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, reaches);
    tcase_add_test(tests, what_is_needed_inside_alone_is_a_tile);
    tcase_add_test(tests, in_place_is_a_tile_too);
    tcase_add_test(tests, what_is_read_later_stays_in_the_arena);
    tcase_add_test(tests, bytes_that_are_written_anew_first_are_not_read_later);
    tcase_add_test(tests, no_chain_where_slices_meet);
    tcase_add_test(tests, no_chain_where_the_cache_holds_all);
    tcase_add_loop_test(tests, no_bit_changes, 0, sizeof steps / sizeof *steps);
}
#else
static void add_tests(TCase *tests)
{
    (void)tests; /* the backend is not in this build */
}
#endif

Suite *suite_chain(void);
Suite *suite_chain(void)
{
    Suite *suite = suite_create("chain");
    TCase *tests = tcase_create("chain");
    tcase_set_timeout(tests, 60);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    return suite;
}

#include <check.h>

#if MLC_HAS_LLVM
#include "backends/backend.h"
#include "backends/cpu/device.h"
#include <stdlib.h>
#include <string.h>

/* Weights of N x N, by which so many rows are multiplied: many rows are shared among threads, for one the columns are. */
enum { N = 256, TALL = 256, LOW = 1, SOURCE = 256 };

extern const Backend backend_cpu;

typedef struct Bench {
    Arena *arena;
    Context context;
    Module *module;
    int rows;
} Bench;

static const char product[] = "kernel {\n"
                              "  axis i %d\n"
                              "  axis j 256\n"
                              "  axis k 256 reduction\n"
                              "  buffer b0 f32[%d]\n"
                              "  buffer b1 f32[65536]\n"
                              "  buffer b2 f32[%d] out\n"
                              "  %%1 = load b0 [256*i + k : %d] : f32\n"
                              "  %%2 = load b1 [256*j + k : 65536] : f32\n"
                              "  %%3 = mul %%1, %%2 : f32\n"
                              "  %%4 = reduce add k %%3 : f32\n"
                              "  store b2 [256*i + j : %d] = %%4\n"
                              "}\n";
/* The first elements, again and again. */
static const char doubled[] = "kernel {\n"
                              "  axis i 256\n"
                              "  axis j 256\n"
                              "  buffer b0 f32[%d]\n"
                              "  buffer b1 f32[65536] out\n"
                              "  %%1 = load b0 [j : %d] : f32\n"
                              "  %%2 = add %%1, %%1 : f32\n"
                              "  store b1 [256*i + j : 65536] = %%2\n"
                              "}\n";

static int64_t bytes_of(const Bench *b)
{
    return (int64_t)b->rows * N * 4;
}

static Region at(const Bench *b, RegionPlace place, int64_t offset)
{
    return (Region){.place = place, .offset = offset, .bytes = bytes_of(b)};
}

static void add_kernel(Bench *b, const char *form)
{
    int elements = b->rows * N;
    Text text = {.arena = b->arena};
    if (form == product)
        text_add(&text, product, b->rows, elements, elements, elements, elements);
    else
        text_add(&text, doubled, elements, elements);
    const char *written = text_done(&text);
    uint32_t source = sources_add(b->context.sources, "kernel", written, strlen(written), false);
    Kernel *kernel = kernel_parse(&b->context, b->arena, source);
    ck_assert_ptr_nonnull(kernel);
    ck_assert_ptr_null(kernel_verify(kernel, b->arena));
    *list_add(b->arena, &b->module->kernel) = kernel;
}

static void call(Bench *b, uint32_t kernel, Region x, Region y, Region z)
{
    Region *binding = arena_array(b->arena, Region, 3);
    binding[0] = x;
    binding[1] = y;
    binding[2] = z;
    uint32_t count = b->module->kernel.at[kernel]->buffer.count;
    *list_add(b->arena, &b->module->call) =
        (Call){.kernel = kernel, .count = count, .binding = binding, .flops = 4 << 20};
}

/* x: an input; w: weights in the arena, written three times, of the first elements of what they are made of.
 *
 *     w = 2 x;  a = x w';  c = a w', four times;  w = 2 c;  result = a w', four times;  w = 2 x;  a = x w' */
static Bench bench_open(int rows)
{
    Bench b = {.arena = arena_open(&host_default), .rows = rows};
    b.context = (Context){.arena = b.arena, .sources = sources_new(b.arena)};
    b.context.report = report_new(b.arena, b.context.sources);
    b.module = arena_new(b.arena, Module);
    int64_t weights = (int64_t)N * N * 4, bytes = bytes_of(&b);
    b.module->arena_bytes = weights + 2 * bytes;
    *list_add(b.arena, &b.module->input) = (Port){.type = TYPE_f32};
    *list_add(b.arena, &b.module->output) = (Port){.type = TYPE_f32};
    add_kernel(&b, product);
    add_kernel(&b, doubled);
    Region x = at(&b, PLACE_input, 0), result = at(&b, PLACE_output, 0);
    Region w = {.place = PLACE_arena, .bytes = weights};
    Region a = at(&b, PLACE_arena, weights), c = at(&b, PLACE_arena, weights + bytes);
    call(&b, 1, x, w, w);
    call(&b, 0, x, w, a);
    for (int i = 0; i < 4; i++)
        call(&b, 0, a, w, c);
    call(&b, 1, c, w, w);
    for (int i = 0; i < 4; i++)
        call(&b, 0, a, w, result);
    call(&b, 1, x, w, w);
    call(&b, 0, x, w, a);
    return b;
}

static KeptCalls kept_of(Bench *b, int64_t cache_bytes)
{
    CpuTarget target;
    ck_assert_int_eq(cpu_target("avx512", 2, b->context.report, &target), STATUS_ok);
    target.schedule.l2 = cache_bytes;
    return plans_of(b->module, &target, NULL, b->arena).kept;
}

START_TEST(calls_share_a_room_until_b_is_written)
{
    Bench b = bench_open(_i ? TALL : LOW);
    KeptCalls kept = kept_of(&b, 4 << 20);
    ck_assert_uint_eq(kept.call.count, 9);
    static const uint32_t call[] = {1, 2, 3, 4, 5, 7, 8, 9, 10};
    for (uint32_t i = 0; i < 9; i++) {
        ck_assert_uint_eq(kept.call.at[i].call, call[i]);
        ck_assert_int_eq(kept.call.at[i].room, kept.call.at[i < 5 ? 0 : 5].room);
        ck_assert_int_eq(kept.call.at[i].by_task, !_i);
    }
    ck_assert_int_ne(kept.call.at[0].room, kept.call.at[5].room);
    ck_assert_int_ge(kept.bytes, 2 * N * N * 4 / (_i ? 1 : 2));
    arena_close(b.arena);
}
END_TEST

START_TEST(rooms_take_no_more_than_the_cache)
{
    Bench b = bench_open(TALL);
    int64_t all = kept_of(&b, 4 << 20).bytes;
    KeptCalls kept = kept_of(&b, all - 1);
    ck_assert_uint_eq(kept.call.count, 5);
    ck_assert_int_eq(kept.bytes, all / 2);
    arena_close(b.arena);
}
END_TEST

/* z = x y' */
static void multiply(const Bench *b, const float *x, const float *y, float *z)
{
    for (int i = 0; i < b->rows; i++)
        for (int j = 0; j < N; j++) {
            float sum = 0;
            for (int k = 0; k < N; k++)
                sum += x[N * i + k] * y[N * j + k];
            z[N * i + j] = sum;
        }
}

static float *matrix(const Bench *b)
{
    return arena_array(b->arena, float, TALL *N);
}

/* Few ones among zeros: all numbers are whole and below 2^24, so that any order of sums is exact. */
static float *input_of(const Bench *b, int turn)
{
    float *x = matrix(b);
    for (int i = 0; i < b->rows; i++)
        for (int k = 0; k < 2; k++)
            x[N * i + (7 * i + 13 * k + turn) % N] = 1;
    return x;
}

static float *expected(const Bench *b, const float *x)
{
    float *w = matrix(b), *a = matrix(b), *c = matrix(b), *result = matrix(b);
    for (int i = 0; i < N * N; i++)
        w[i] = 2 * x[i % SOURCE];
    multiply(b, x, w, a);
    multiply(b, a, w, c);
    for (int i = 0; i < N * N; i++)
        w[i] = 2 * c[i % SOURCE];
    multiply(b, a, w, result);
    return result;
}

START_TEST(runs_pack_what_is_there_now)
{
    Bench b = bench_open(_i % 2 ? TALL : LOW);
    Device *device;
    Executable *executable;
    BackendOptions options = {.threads = 1 + _i / 2, .cache_bytes = 4 << 20};
    ck_assert_int_eq(backend_cpu.open(&options, b.context.report, &device), STATUS_ok);
    BackendEntry entry = {.module = b.module};
    ck_assert_int_eq(backend_cpu.compile(device, &b.context, &entry, &executable), STATUS_ok);
    ck_assert_int_eq(backend_cpu.statistics(executable).scratch,
                     backend_cpu.scratch(device, &b.context, b.module));
    float *output = matrix(&b);
    for (int turn = 0; turn < 20; turn++) {
        const float *x = input_of(&b, turn);
        backend_cpu.run(executable, (const void *[]){x}, (void *[]){output}, NULL);
        ck_assert_mem_eq(output, expected(&b, x), (size_t)bytes_of(&b));
    }
    backend_cpu.dispose(executable);
    backend_cpu.close(device);
    arena_close(b.arena);
}
END_TEST
#endif

Suite *suite_kept(void);
Suite *suite_kept(void)
{
    Suite *suite = suite_create("kept");
#if MLC_HAS_LLVM
    TCase *tests = tcase_create("kept");
    tcase_add_loop_test(tests, calls_share_a_room_until_b_is_written, 0, 2);
    tcase_add_test(tests, rooms_take_no_more_than_the_cache);
    tcase_add_loop_test(tests, runs_pack_what_is_there_now, 0, 6);
    suite_add_tcase(suite, tests);
#endif
    return suite;
}

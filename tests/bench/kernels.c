/* Speed of the cpu backend's kernels alone, against the FMA and copy peaks measured in the same run.
 *
 *     bench_kernels [threads [target [file of kernels]]]      medians; ms to plan and compile beside each
 *     bench_kernels 2 avx2 k rows=4,k_block=128 pack_b=1      the schedules of these choices beside the model's, in turns
 *
 * Neighbours on the machine make medians longer: the least is what a kernel can do.  One thread is timed by the CPU time it takes, so
 * that other programs on the machine disturb less. */
#include "backends/cpu/jit.h"
#include "backends/cpu/object.h"
#include "ir/base/bits.h"
#include "tests/bench/typical.h"
#include <immintrin.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define STEPS 10000

static clockid_t used_clock = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec time;
    clock_gettime(used_clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#define MOST_WAYS 8

typedef struct Bench {
    Arena *arena;
    CpuTarget target;
    Threads *threads;
    Compiler *compiler;
    Jit *jit;
    double peak; /* GFLOP/s */
    ScheduleChoice choice[MOST_WAYS];
    char **choice_text;
    int choices; /* 0: only the model's schedules, and no turns */
} Bench;

typedef struct Share {
    KernelFunction *function;
    void *const *buffer;
    char *scratch;
    int64_t bytes;
} Share;

static void run_share(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    const Share *share = user;
    share->function(share->buffer, begin, end, share->scratch + thread * share->bytes);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

#define RUNS  15
#define TURNS 61

static double seconds_of(Bench *bench, const Plan *plan, Share *share)
{
    int repeat = 1;
    double begin = now(), taken;
    do {
        threads_run(bench->threads, plan->schedule.tasks, run_share, share);
    } while ((taken = now() - begin) < 0.004 && ++repeat);
    return taken / repeat;
}

static double median_seconds(Bench *bench, const Plan *plan, Share *share, double *least)
{
    double seconds[RUNS];
    for (int i = -1; i < RUNS; i++) {
        double taken = seconds_of(bench, plan, share);
        if (i >= 0) seconds[i] = taken;
    }
    qsort(seconds, RUNS, sizeof *seconds, by_size);
    *least = seconds[0];
    return seconds[RUNS / 2];
}

/* On large pages, as the executor's arenas are. */
static void *large_pages(size_t bytes)
{
    const size_t page = (size_t)2 << 20;
    bytes = (bytes + page - 1) / page * page;
    void *at = aligned_alloc(page, bytes);
    madvise(at, bytes, MADV_HUGEPAGE);
    return at;
}

static void **buffers_of(const Kernel *kernel)
{
    void **buffer = calloc(kernel->buffer.count, sizeof *buffer);
    for (uint32_t i = 0; i < kernel->buffer.count; i++) {
        size_t bytes =
            (size_t)kernel->buffer.at[i].elements * type_info[kernel->buffer.at[i].type].bytes;
        buffer[i] = large_pages(bytes);
        bool is_bf16 = kernel->buffer.at[i].type == TYPE_bf16;
        for (size_t k = 0; k < bytes / 4 && !is_bf16; k++)
            ((float *)buffer[i])[k] = (float)(4 * k % 997) * 0.001f;
        for (size_t k = 0; k < bytes / 2 && is_bf16; k++) /* no denormal numbers among them */
            ((uint16_t *)buffer[i])[k] = bits_bf16_of((float)(k % 997) * 0.001f);
    }
    return buffer;
}

/* flops or bytes: of one run; the other 0. */
static void measure(Bench *bench, const char *name, const Kernel *kernel, double flops,
                    double bytes)
{
    double begin = now();
    Plan plan = plan_kernel(kernel, &bench->target, NULL, NULL, bench->arena);
    double planned = now();
    ObjectCode object = compile_plan(bench->compiler, &plan);
    double compiled = now();
    Share share = {.buffer = buffers_of(kernel), .bytes = plan.schedule.scratch};
    if (jit_add(bench->jit, object.bytes, object.size, plan.name, &share.function) != STATUS_ok) {
        printf("%-28s does not link\n", name);
        return;
    }
    share.scratch = large_pages((size_t)share.bytes * threads_count(bench->threads) + 64);
    double least, seconds = median_seconds(bench, &plan, &share, &least);
    printf("%-28s %9.1f us (least %.1f) ", name, seconds * 1e6, least * 1e6);
    if (flops > 0)
        printf("%7.1f GFLOP/s %3.0f%%", flops / seconds * 1e-9,
               100 * flops / seconds * 1e-9 / bench->peak);
    else
        printf("%7.1f GB/s        ", bytes / seconds * 1e-9);
    printf("  plan %.1f ms, compile %.1f ms, %zu bytes, %lld tasks", (planned - begin) * 1e3,
           (compiled - planned) * 1e3, object.size, (long long)plan.schedule.tasks);
    const Schedule *s = &plan.schedule;
    if (s->contraction)
        printf(", tile %ux%u%s%s g%u", s->rows, s->vectors, s->pack ? " packed" : "",
               s->pack_transposed ? " transposed" : "", s->panels);
    printf("\n");
    if (getenv("BENCH_SCHEDULE")) {
        Text text = {.arena = bench->arena};
        kernel_print(&text, plan.kernel);
        schedule_print(&text, s);
        if (atoi(getenv("BENCH_SCHEDULE")) > 1) compile_to_assembly(bench->compiler, &plan, &text);
        printf("%s", text.at);
    }
    for (uint32_t i = 0; i < kernel->buffer.count; i++)
        free(share.buffer[i]);
    free((void *)share.buffer);
    free(share.scratch);
    free(object.bytes);
}

/* The model's schedule and those of the choices, each once a turn: medians, and the median of the turns' ratios to the model's. */
static void race(Bench *bench, const char *name, const Kernel *kernel)
{
    int ways = bench->choices + 1;
    Plan plan[MOST_WAYS + 1];
    Share share[MOST_WAYS + 1];
    static double seconds[MOST_WAYS + 1][TURNS], ratio[MOST_WAYS + 1][TURNS];
    void **buffer = buffers_of(kernel);
    Workload workload = workload_of(kernel, &bench->target, NULL, bench->arena);
    for (int i = 0; i < ways; i++) {
        plan[i] = workload_plan(&workload, i ? &bench->choice[i - 1] : NULL);
        ObjectCode object = compile_plan(bench->compiler, &plan[i]);
        share[i] = (Share){.buffer = buffer, .bytes = plan[i].schedule.scratch};
        if (jit_add(bench->jit, object.bytes, object.size, plan[i].name, &share[i].function) !=
            STATUS_ok)
            bug("a kernel does not link");
        free(object.bytes);
        share[i].scratch = large_pages((size_t)share[i].bytes * threads_count(bench->threads) + 64);
        seconds_of(bench, &plan[i], &share[i]);
    }
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < ways; i++)
            seconds[i][turn] = seconds_of(bench, &plan[i], &share[i]);
    for (int i = 0; i < ways; i++) {
        for (int turn = 0; turn < TURNS; turn++)
            ratio[i][turn] = seconds[0][turn] / seconds[i][turn];
        free(share[i].scratch);
    }
    for (int i = 0; i < ways; i++) {
        qsort(seconds[i], TURNS, sizeof **seconds, by_size);
        qsort(ratio[i], TURNS, sizeof **ratio, by_size);
        printf("%-8s %-24s %9.1f us (least %.1f), %.3f times the model's speed\n", name,
               i ? bench->choice_text[i - 1] : "", seconds[i][TURNS / 2] * 1e6, seconds[i][0] * 1e6,
               ratio[i][TURNS / 2]);
    }
    for (uint32_t i = 0; i < kernel->buffer.count; i++)
        free(buffer[i]);
    free((void *)buffer);
}

/* Twelve chains of fused products, enough for two units of latency four. */
#define CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

__attribute__((target("avx512f"))) static void fma_512(void *user, uint32_t thread, int64_t begin,
                                                       int64_t end)
{
    __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f), total = b;
#define START(i) __m512 sum##i = _mm512_set1_ps((float)i);
    CHAINS(START)
    for (int64_t step = begin * STEPS; step < end * STEPS; step++) {
#define STEP(i) sum##i = _mm512_fmadd_ps(sum##i, a, b);
        CHAINS(STEP)
        __asm__ volatile("" : "+v"(a));
    }
#define TOTAL(i) total = _mm512_add_ps(total, sum##i);
    CHAINS(TOTAL)
    ((volatile float *)user)[thread] = _mm512_reduce_add_ps(total);
}

__attribute__((target("avx2,fma"))) static void fma_256(void *user, uint32_t thread, int64_t begin,
                                                        int64_t end)
{
    __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f), total = b;
#define START2(i) __m256 sum##i = _mm256_set1_ps((float)i);
    CHAINS(START2)
    for (int64_t step = begin * STEPS; step < end * STEPS; step++) {
#define STEP2(i) sum##i = _mm256_fmadd_ps(sum##i, a, b);
        CHAINS(STEP2)
        __asm__ volatile("" : "+x"(a));
    }
#define TOTAL2(i) total = _mm256_add_ps(total, sum##i);
    CHAINS(TOTAL2)
    ((volatile float *)user)[thread] = total[0];
}

static double fma_peak(Bench *bench)
{
    float sink[256];
    double best = 0;
    int64_t tasks = 64, lanes = bench->target.level >= CPU_avx512 ? 16 : 8;
    for (int i = 0; i < 10 && bench->target.level >= CPU_avx2; i++) {
        double begin = now();
        threads_run(bench->threads, tasks, lanes == 16 ? fma_512 : fma_256, sink);
        double speed = (double)(tasks * STEPS * 12 * lanes * 2) / (now() - begin) * 1e-9;
        if (speed > best) best = speed;
    }
    return best;
}

/* The shapes of a GPT of width 384 on 2048 tokens, and of products alone, with factors of both types. */
static void run_products(Bench *b)
{
    static const struct {
        const char *name;
        int64_t m, n, k;
        bool a_t, b_t;
    } all[] = {
        {"512^3", 512, 512, 512, false, false},
        {"1024^3", 1024, 1024, 1024, false, false},
        {"forward 2048x1152x384", 2048, 1152, 384, false, true},
        {"forward 2048x1536x384", 2048, 1536, 384, false, true},
        {"forward 2048x384x1536", 2048, 384, 1536, false, true},
        {"input gradient 2048x384x1536", 2048, 384, 1536, false, false},
        {"input gradient 2048x1536x384", 2048, 1536, 384, false, false},
        {"weight gradient 384x1536x2048", 384, 1536, 2048, true, false},
        {"weight gradient 1536x384x2048", 1536, 384, 2048, true, false},
    };
    for (int is_narrow = 0; is_narrow < 2; is_narrow++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            char name[48];
            Type type = is_narrow ? TYPE_bf16 : TYPE_f32;
            snprintf(name, sizeof name, "%s %s", is_narrow ? "bf16" : "f32", all[i].name);
            const Kernel *kernel = typical_product_of(b->arena, type, all[i].m, all[i].n, all[i].k,
                                                      all[i].a_t, all[i].b_t);
            measure(b, name, kernel, 2.0 * (double)all[i].m * (double)all[i].n * (double)all[i].k,
                    0);
        }
}

static void run_all(Bench *b)
{
    Arena *a = b->arena;
    run_products(b);
    double dense = 2.0 * 128 * 128 * 5408;
    measure(b, "dense forward [out, in]", typical_product(a, 128, 128, 5408, false, true), dense,
            0);
    measure(b, "dense input gradient", typical_product(a, 128, 5408, 128, false, false), dense, 0);
    measure(b, "dense weight gradient", typical_product(a, 128, 5408, 128, true, false), dense, 0);
    measure(b, "dense 128x10", typical_product(a, 128, 10, 128, false, true), 2.0 * 128 * 10 * 128,
            0);
    measure(b, "batch 1, [out, in]", typical_product(a, 1, 512, 512, false, true), 2.0 * 512 * 512,
            0);
    Convolution first = {128, 1, 32, 28, 3, 0}, second = {32, 16, 16, 32, 3, 1},
                third = {32, 64, 64, 8, 3, 1};
    measure(b, "conv1 3x3x1x32 forward", typical_convolution(a, first), 2.0 * 128 * 676 * 32 * 9,
            0);
    measure(b, "conv1 weight gradient", typical_weight_gradient(a, first, 8),
            2.0 * 128 * 676 * 32 * 9, 0);
    measure(b, "conv 16x16 32x32 p1", typical_convolution(a, second), 2.0 * 32 * 1024 * 16 * 16 * 9,
            0);
    measure(b, "conv 16x16 gradient", typical_weight_gradient(a, second, 8),
            2.0 * 32 * 1024 * 16 * 16 * 9, 0);
    measure(b, "conv 64x64 8x8 p1", typical_convolution(a, third), 2.0 * 32 * 64 * 64 * 64 * 9, 0);
    measure(b, "conv 64x64 gradient", typical_weight_gradient(a, third, 4),
            2.0 * 32 * 64 * 64 * 64 * 9, 0);
    measure(b, "elementwise 4M", typical_elementwise(a, 1 << 22), 0, 12.0 * (1 << 22));
    measure(b, "elementwise 64K", typical_elementwise(a, 1 << 16), 0, 12.0 * (1 << 16));
    measure(b, "adam 692224", typical_adam(a, 692224), 0, 28.0 * 692224);
    measure(b, "max pool 4096x26x26", typical_pool(a, 4096, 26), 0, 5.0 * 4096 * 676);
    measure(b, "row sums 4096x1024", typical_sums(a, 4096, 1024, false), 0, 4.0 * 4096 * 1024);
    measure(b, "column sums 4096x1024", typical_sums(a, 4096, 1024, true), 0, 4.0 * 4096 * 1024);
    measure(b, "transposition 2048^2", typical_transposition(a, 2048, 2048), 0, 8.0 * 2048 * 2048);
}

/* Operations of a sum of products; 0 if the kernel is none. */
static double products_of(const Kernel *kernel)
{
    Contraction contraction;
    double points = 2;
    if (!contraction_of(kernel, &contraction)) return 0;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        points *= (double)kernel->axis.at[i].extent;
    return points;
}

/* Every kernel of a file of texts (`mlc dump --stage kernel`), by the bytes of its buffers. */
static void run_file(Bench *bench, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 22);
    Context context = {.arena = bench->arena, .sources = sources_new(bench->arena)};
    context.report = report_new(bench->arena, context.sources);
    size_t size = file ? fread(text, 1, (1 << 22) - 1, file) : 0;
    int number = 0;
    for (char *at = strstr(text, "kernel {"); at && size; number++) {
        char *next = strstr(at + 1, "kernel {"), name[32];
        size_t length = next ? (size_t)(next - at) : strlen(at);
        uint32_t source = sources_add(context.sources, path, at, length, false);
        const Kernel *kernel = kernel_parse(&context, bench->arena, source);
        double bytes = 0;
        for (uint32_t i = 0; kernel && i < kernel->buffer.count; i++)
            bytes +=
                (double)kernel->buffer.at[i].elements * type_info[kernel->buffer.at[i].type].bytes;
        snprintf(name, sizeof name, "%d", number);
        if (kernel && bench->choices)
            race(bench, name, kernel);
        else if (kernel)
            measure(bench, name, kernel, products_of(kernel), bytes);
        at = next;
    }
    if (file) fclose(file);
    free(text);
}

/* "rows=4,k_block=128"; false if there is no such choice. */
static bool read_choice(const char *text, ScheduleChoice *choice)
{
    static const struct {
        const char *name;
        size_t at;
    } all[] = {
#define CHOICE(name) {#name "=", offsetof(ScheduleChoice, name)},
#include "ir/kernel/choice.def"
#undef CHOICE
    };
    for (; *text; text += strcspn(text, ","), text += *text == ',') {
        size_t i = 0;
        while (i < sizeof all / sizeof *all && strncmp(text, all[i].name, strlen(all[i].name)))
            i++;
        if (i == sizeof all / sizeof *all) return false;
        *(uint32_t *)((char *)choice + all[i].at) = (uint32_t)atoi(text + strlen(all[i].name));
    }
    return true;
}

int main(int argc, char **argv)
{
    Bench bench = {.arena = arena_open(&host_default)};
    uint32_t threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 2;
    if (threads == 1) used_clock = CLOCK_THREAD_CPUTIME_ID;
    Report *report = report_new(bench.arena, sources_new(bench.arena));
    if (cpu_target(argc > 2 ? argv[2] : NULL, threads, report, &bench.target) != STATUS_ok ||
        cpu_can_run(&bench.target, report) != STATUS_ok ||
        threads_open(threads, &bench.threads) != STATUS_ok ||
        jit_open(report, &bench.jit) != STATUS_ok)
        return 1;
    bench.choices = argc > 4 ? argc - 4 : 0;
    bench.choice_text = argv + 4;
    for (int i = 0; i < bench.choices; i++)
        if (i == MOST_WAYS || !read_choice(argv[4 + i], &bench.choice[i])) {
            fprintf(stderr, "%s: not a choice of ir/kernel/choice.def, or too many\n", argv[4 + i]);
            return 1;
        }
    bench.compiler = compiler_open(&bench.target);
    bench.peak = fma_peak(&bench);
    printf("%s, %u threads, FMA peak %.0f GFLOP/s\n", bench.target.name, threads, bench.peak);
    if (argc > 3)
        run_file(&bench, argv[3]);
    else
        run_all(&bench);
    compiler_close(bench.compiler);
    jit_close(bench.jit);
    threads_close(bench.threads);
    arena_close(bench.arena);
    return 0;
}

/* Images and choices of schedules on disk: read again, refused when damaged or when others could have written them. */
#include <check.h>

#if MLC_HAS_LLVM
#include "backends/backend.h"
#include "backends/cpu/tuned.h"
#include "tests/unit/folder.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern const Backend backend_cpu;

/* c = a b */
static Kernel *square_kernel(Context *context, int64_t n)
{
    int size = (int)n, all = size * size;
    Text text = {.arena = context->arena};
    text_add(&text, "kernel {\n  axis i %d\n  axis j %d\n  axis k %d reduction\n", size, size,
             size);
    text_add(&text, "  buffer b0 f32[%d]\n  buffer b1 f32[%d]\n  buffer b2 f32[%d] out\n", all, all,
             all);
    text_add(&text, "  %%1 = load b0 [%d*i + k : %d] : f32\n", size, all);
    text_add(&text, "  %%2 = load b1 [j + %d*k : %d] : f32\n", size, all);
    text_add(&text, "  %%3 = mul %%1, %%2 : f32\n  %%4 = reduce add k %%3 : f32\n");
    text_add(&text, "  store b2 [%d*i + j : %d] = %%4\n}\n", size, all);
    uint32_t source = sources_add(context->sources, "square", text_done(&text), text.count, false);
    Kernel *kernel = kernel_parse(context, context->arena, source);
    ck_assert_ptr_nonnull(kernel);
    return kernel;
}

static Module *module_of(Context *context, int64_t n)
{
    Module *module = arena_new(context->arena, Module);
    *list_add(context->arena, &module->kernel) = square_kernel(context, n);
    Region *region = arena_array(context->arena, Region, 3);
    region[0] = (Region){.place = PLACE_input, .index = 0, .bytes = n * n * 4};
    region[1] = (Region){.place = PLACE_input, .index = 0, .bytes = n * n * 4};
    region[2] = (Region){.place = PLACE_output, .index = 0, .bytes = n * n * 4};
    *list_add(context->arena, &module->call) =
        (Call){.count = 3, .binding = region, .flops = 1 << 20};
    *list_add(context->arena, &module->input) = (Port){.type = TYPE_f32};
    *list_add(context->arena, &module->output) = (Port){.type = TYPE_f32};
    return module;
}

/* Opens a device, compiles and runs the square of a matrix, and gives what was compiled and read. */
static BackendStatistics square(const char *folder, float *result, int64_t n)
{
    Arena *arena = arena_open(&host_default);
    Context context = {.arena = arena, .sources = sources_new(arena)};
    context.report = report_new(arena, context.sources);
    BackendOptions options = {.threads = 2, .cache_folder = folder};
    Device *device;
    Executable *executable;
    ck_assert_int_eq(backend_cpu.open(&options, context.report, &device), STATUS_ok);
    BackendEntry entry = {.module = module_of(&context, n)};
    ck_assert_int_eq(backend_cpu.compile(device, &context, &entry, &executable), STATUS_ok);
    float *input = arena_array(arena, float, n *n);
    for (int64_t i = 0; i < n * n; i++)
        input[i] = (float)(i % 7) - 2;
    ck_assert_int_eq(backend_cpu.run(executable, (const void *[]){input}, (void *[]){result}, NULL),
                     STATUS_ok);
    for (int64_t i = 0; i < n * n; i++) {
        float sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += input[i / n * n + k] * input[k * n + i % n];
        ck_assert_float_eq(result[i], sum);
    }
    BackendStatistics statistics = backend_cpu.statistics(executable);
    backend_cpu.dispose(executable);
    backend_cpu.close(device);
    arena_close(arena);
    return statistics;
}

/* Changes one byte of every file of the cache. */
static void damage(const char *folder, long where)
{
    DIR *open = opendir(folder);
    ck_assert_ptr_nonnull(open);
    for (const struct dirent *entry; (entry = readdir(open));) {
        char path[512];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        FILE *file = fopen(path, "r+b");
        ck_assert_ptr_nonnull(file);
        fseek(file, where, where < 0 ? SEEK_END : SEEK_SET);
        int byte = fgetc(file);
        fseek(file, -1, SEEK_CUR);
        fputc(byte ^ 0x55, file);
        fclose(file);
    }
    closedir(open);
}

static void set_modes(const char *folder, mode_t mode)
{
    DIR *open = opendir(folder);
    ck_assert_ptr_nonnull(open);
    for (const struct dirent *entry; (entry = readdir(open));)
        if (entry->d_name[0] != '.')
            ck_assert_int_eq(fchmodat(dirfd(open), entry->d_name, mode, 0), 0);
    closedir(open);
}

START_TEST(cache)
{
    char folder[] = "/tmp/mlc-cache-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    float result[19 * 19];
    BackendStatistics cold = square(folder, result, 19), warm = square(folder, result, 19);
    ck_assert_uint_eq(cold.compiled, 1);
    ck_assert_uint_eq(cold.cached, 0);
    ck_assert_uint_eq(warm.compiled, 0);
    ck_assert_uint_eq(warm.cached, 1);
    static const long where[] = {0, 9, 20, 33, 41, 60, 300, -1, -100};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        damage(folder, where[i]);
        ck_assert_uint_eq(square(folder, result, 19).compiled, 1);
    }
    /* What others could have written is not run, and is replaced. */
    set_modes(folder, 0622);
    ck_assert_uint_eq(square(folder, result, 19).compiled, 1);
    ck_assert_uint_eq(square(folder, result, 19).cached, 1);
    Cache opened = cache_open(folder);
    cache_trim(&opened, 0);
    cache_close(&opened);
    ck_assert_uint_eq(square(folder, result, 19).compiled, 1);
    remove_folder(folder);
}
END_TEST

static uint32_t rows_of(const Cache *kept, uint64_t key, Arena *arena)
{
    Tuned tuned = tuned_read(kept, arena);
    const ScheduleChoice *found = tuned_find(&tuned, (uint64_t[]){key, ~key});
    return found ? found->rows : 0;
}

static void keep_rows(const Cache *kept, uint64_t key, uint32_t rows)
{
    tuned_keep(kept, (uint64_t[]){key, ~key}, &(ScheduleChoice){.rows = rows});
}

START_TEST(choices_are_kept)
{
    char folder[] = "/tmp/mlc-cache-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    Arena *arena = arena_open(&host_default);
    Cache opened = cache_open(folder), of_other = opened, none = cache_open(NULL);
    of_other.build ^= 1;
    ck_assert_uint_eq(tuned_read(&opened, arena).count, 0);
    for (uint32_t i = 1; i <= 5; i++)
        keep_rows(&opened, i, i);
    keep_rows(&opened, 3, 9);
    keep_rows(&opened, 4, 0);
    keep_rows(&opened, 77, 0);
    static const uint32_t expected[] = {0, 1, 2, 9, 0, 5};
    for (uint32_t i = 0; i < 6; i++)
        ck_assert_uint_eq(rows_of(&opened, i, arena), expected[i]);
    ck_assert_uint_eq(tuned_read(&opened, arena).count, 4);

    ck_assert_uint_eq(tuned_read(&of_other, arena).count, 0);
    keep_rows(&of_other, 1, 7);
    ck_assert_uint_eq(rows_of(&opened, 1, arena), 1);
    ck_assert_uint_eq(rows_of(&of_other, 1, arena), 7);
    keep_rows(&none, 1, 7);
    ck_assert_uint_eq(tuned_read(&none, arena).count, 0);

    static const long where[] = {0, 9, 20, 33, 41, 60, 100, -1};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        damage(folder, where[i]);
        ck_assert_uint_eq(tuned_read(&opened, arena).count, 0);
        keep_rows(&opened, 1, 6);
        ck_assert_uint_eq(rows_of(&opened, 1, arena), 6);
    }
    set_modes(folder, 0622);
    ck_assert_uint_eq(tuned_read(&opened, arena).count, 0);

    for (uint32_t i = 1; i <= TUNED_MOST + 3; i++)
        keep_rows(&opened, i, i);
    ck_assert_uint_eq(tuned_read(&opened, arena).count, TUNED_MOST);
    ck_assert_uint_eq(rows_of(&opened, 3, arena), 0);
    ck_assert_uint_eq(rows_of(&opened, 4, arena), 4);
    ck_assert_uint_eq(rows_of(&opened, TUNED_MOST + 3, arena), TUNED_MOST + 3);
    cache_close(&opened);
    arena_close(arena);
    remove_folder(folder);
}
END_TEST

/* A choice for c = a a on two threads, as tuning keeps it. */
static void keep_choice(const char *folder, int64_t n, const ScheduleChoice *choice)
{
    Arena *arena = arena_open(&host_default);
    Context context = {.arena = arena, .sources = sources_new(arena)};
    context.report = report_new(arena, context.sources);
    CpuTarget target;
    uint64_t key[2];
    ck_assert_int_eq(cpu_target(NULL, 2, context.report, &target), STATUS_ok);
    Workload w = workload_of(square_kernel(&context, n), &target, NULL, arena);
    workload_key(&w, key);
    Cache opened = cache_open(folder);
    tuned_keep(&opened, key, choice);
    cache_close(&opened);

    Plan own = workload_plan(&w, NULL), chosen = workload_plan(&w, choice);
    ck_assert(!own.is_tuned);
    ck_assert(chosen.is_tuned == !choice_is_none(choice));
    ck_assert(chosen.is_tuned == (own.key[0] != chosen.key[0]));
    arena_close(arena);
}

START_TEST(choices_are_taken)
{
    char folder[] = "/tmp/mlc-cache-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    float result[40 * 40];
    ck_assert_uint_eq(square(folder, result, 40).tuned, 0);
    keep_choice(folder, 40, &(ScheduleChoice){.rows = 1, .vectors = 1});
    BackendStatistics first = square(folder, result, 40), again = square(folder, result, 40);
    ck_assert_uint_eq(first.tuned, 1);
    ck_assert_uint_eq(first.compiled, 1);
    ck_assert_uint_eq(again.tuned, 1);
    ck_assert_uint_eq(again.cached, 1);
    ck_assert_uint_eq(square(NULL, result, 40).tuned, 0);
    ck_assert_uint_eq(square(folder, result, 19).tuned, 0);
    keep_choice(folder, 40, &(ScheduleChoice){0});
    ck_assert_uint_eq(square(folder, result, 40).tuned, 0);
    remove_folder(folder);
}
END_TEST

/* No folder can be made where a file is. */
START_TEST(what_cannot_be_kept_is_said)
{
    Cache none = cache_open("/dev/null/cache");
    const uint64_t key[2] = {1, 2};
    ck_assert(!tuned_keep(&none, key, &(ScheduleChoice){.rows = 2}));
    ck_assert(tuned_keep(&none, key, &(ScheduleChoice){0}));
    cache_close(&none);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, cache);
    tcase_add_test(tests, choices_are_kept);
    tcase_add_test(tests, choices_are_taken);
    tcase_add_test(tests, what_cannot_be_kept_is_said);
}
#else
static void add_tests(TCase *tests)
{
    (void)tests; /* the backend is not in this build */
}
#endif

Suite *suite_cache(void);
Suite *suite_cache(void)
{
    Suite *suite = suite_create("cache");
    TCase *tests = tcase_create("cache");
    tcase_set_timeout(tests, 120);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    return suite;
}

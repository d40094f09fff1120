/* Tuning: who wins a race, that all who run compute the same, and that what is kept is what the step runs, bit for bit. */
#include <check.h>

#if MLC_HAS_LLVM
#include "backends/cpu/tune.h"
#include "ir/kernel/reach.h"
#include "tests/unit/folder.h"
#include "tests/unit/steps.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const Backend backend_cpu;

#define CACHE_BYTES 65536 /* so few that there are chains */

static const char network[] =
    "model m {\n input x: f32[N, 3, 20, 20]\n input y: i32[N]\n"
    " c1 = conv2d(x, 8, kernel: 3)\n x = max_pool2d(relu(c1), 2)\n"
    " fc1 = dense(flatten(x), 24)\n fc2 = dense(relu(fc1), 3)\n output logits = fc2\n}\n"
    "train {\n minimize cross_entropy(logits, y)\n optimizer adam(rate: 1e-2)\n batch 2\n}\n";

/* --- a race ---------------------------------------------------------------------------------------------------------------- */

static Entrant entrant_of(double least, double median, double most)
{
    return (Entrant){.seconds = {least, median, most}, .rounds = 3};
}

START_TEST(a_winner_is_faster_by_more_than_noise)
{
    Entrant all[] = {entrant_of(1.00, 1.10, 9), entrant_of(0.98, 1.08, 2),
                     entrant_of(0.90, 1.09, 2), entrant_of(0.99, 0.90, 2)};
    ck_assert_uint_eq(race_winner(all, 1), 0);
    ck_assert_uint_eq(race_winner(all, 4), 0); /* not in both, or not enough */
    all[1] = entrant_of(0.95, 1.05, 9);
    ck_assert_uint_eq(race_winner(all, 4), 1);
    all[3] = entrant_of(0.96, 1.01, 9);
    ck_assert_uint_eq(race_winner(all, 4), 3);
    all[3].is_out = true;
    ck_assert_uint_eq(race_winner(all, 4), 1);
    all[0] = entrant_of(0.90, 0.91, 9);
    ck_assert_uint_eq(race_winner(all, 4), 0);
}
END_TEST

typedef struct
    Field { /* where entrants run: a product of matrices and one that is subtly another */
    Device *device;
    Context context;
    Module module;
    Plan right, other, wrong;
} Field;

static const Kernel *product(Context *context, const char *of)
{
    Text text = {.arena = context->arena};
    text_add(&text,
             "kernel {\n  axis i 24\n  axis j 40\n  axis k 30 reduction\n"
             "  buffer b0 f32[720]\n  buffer b1 f32[1200]\n  buffer b2 f32[960] out\n"
             "  %%1 = load b0 [30*i + k : 720] : f32\n  %%2 = load b1 [%s : 1200] : f32\n"
             "  %%3 = mul %%1, %%2 : f32\n  %%4 = reduce add k %%3 : f32\n"
             "  store b2 [40*i + j : 960] = %%4\n}\n",
             of);
    uint32_t source = sources_add(context->sources, "product", text_done(&text), text.count, false);
    const Kernel *kernel = kernel_parse(context, context->arena, source);
    ck_assert_ptr_nonnull(kernel);
    return kernel;
}

static Plan planned(Field *f, const Kernel *kernel, const ScheduleChoice *choice)
{
    Workload w = workload_of(kernel, &f->device->target, NULL, f->context.arena);
    return workload_plan(&w, choice);
}

static void field_open(Field *f)
{
    Arena *arena = arena_open(&host_default);
    f->context = (Context){.arena = arena, .sources = sources_new(arena)};
    f->context.report = report_new(arena, f->context.sources);
    BackendOptions options = {.threads = 2};
    ck_assert_int_eq(backend_cpu.open(&options, f->context.report, &f->device), STATUS_ok);
    const Kernel *kernel = product(&f->context, "j + 40*k");
    f->right = planned(f, kernel, NULL);
    f->other = planned(f, kernel, &(ScheduleChoice){.rows = 1, .vectors = 1});
    f->wrong = planned(f, product(&f->context, "30*j + k"), NULL);
    const Plan *plan[] = {&f->right, &f->other, &f->wrong};
    BackendStatistics statistics = {0};
    ck_assert_int_eq(device_link(f->device, &f->context, plan, 3, false, &statistics), STATUS_ok);
    ck_assert_uint_eq(statistics.compiled, 3);

    static const int64_t bytes[] = {720 * 4, 1200 * 4, 960 * 4};
    Region *region = arena_array(arena, Region, 3);
    for (uint32_t i = 0; i < 3; i++)
        region[i] = (Region){.place = PLACE_state, .index = i, .bytes = bytes[i]};
    f->module = (Module){0};
    *list_add(arena, &f->module.kernel) = (Kernel *)kernel;
    *list_add(arena, &f->module.call) = (Call){.count = 3, .binding = region, .flops = 1 << 20};
}

static void field_close(Field *f)
{
    backend_cpu.close(f->device);
    arena_close(f->context.arena);
}

START_TEST(all_who_run_compute_the_same)
{
    Field f = {0};
    field_open(&f);
    Arena *arena = f.context.arena;
    Stand stand = {.device = f.device, .module = &f.module, .calls = 1};
    ck_assert_int_eq(stand_open(&stand, arena), STATUS_ok);
    Entrant *entrant = arena_array(arena, Entrant, 2);
    entrant[0].plan = &f.right;
    entrant[1].plan = &f.other;
    ck_assert_int_eq(race_check(&stand, entrant, 2, arena), STATUS_ok);
    ck_assert_int_eq(race(&stand, entrant, 2, 9, arena), STATUS_ok);
    ck_assert_uint_gt(entrant[0].rounds, 0);
    ck_assert_uint_le(entrant[0].rounds, 9);
    ck_assert(entrant[1].is_out || entrant[1].rounds == entrant[0].rounds);
    ck_assert_double_gt(race_median(&entrant[0]), 0);
    entrant[1] = (Entrant){.plan = &f.wrong};
    Boundary boundary;
    boundary_enter(&boundary);
    if (setjmp(boundary.jump) == 0) race_check(&stand, entrant, 2, arena);
    boundary_leave(&boundary);
    ck_assert_int_eq(boundary.status, STATUS_bug);
    stand_close(&stand);
    field_close(&f);
}
END_TEST

/* --- an entry --------------------------------------------------------------------------------------------------------------- */

/* For every contraction of the step a choice that the model would not make. */
static uint32_t keep_everywhere(Model *m, const Module *module, const char *folder)
{
    CpuTarget target;
    uint32_t kept = 0;
    ck_assert_int_eq(cpu_target(NULL, 2, m->context.report, &target), STATUS_ok);
    target.schedule.l2 = CACHE_BYTES;
    Cache cache = cache_open(folder);
    Plans plans = plans_of(module, &target, NULL, m->arena);
    for (uint32_t i = 0; i < module->call.count; i++) {
        const Kernel *kernel = module->kernel.at[module->call.at[i].kernel];
        Slices slices = {0};
        for (uint32_t k = 0; k < plans.chains.count; k++) {
            const ChainPlan *chain = &plans.chains.at[k];
            if (i < chain->first || i >= chain->first + chain->count) continue;
            slices = (Slices){reach_axis(kernel, chain->slices), chain->slices};
        }
        Workload w = workload_of(kernel, &target, slices.count ? &slices : NULL, m->arena);
        uint64_t key[2];
        if (!w.has_choices) continue;
        workload_key(&w, key);
        tuned_keep(&cache, key, &(ScheduleChoice){.rows = 2, .vectors = 1});
        kept += slices.count > 0;
    }
    cache_close(&cache);
    return kept;
}

START_TEST(choices_change_no_bit_of_a_step)
{
    char folder[] = "/tmp/mlc-tune-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    Model *m = model_open(network, 1u << ENTRY_step);
    const Module *module = step_module(m, 16, 0);
    BackendOptions options = {.threads = 2, .cache_bytes = CACHE_BYTES};
    BackendStatistics plain, tuned;
    StepMemory expected = step_run_with(m, module, &options, &plain);
    ck_assert_uint_ge(keep_everywhere(m, module, folder), 1);
    options.cache_folder = folder;
    StepMemory memory = step_run_with(m, module, &options, &tuned);
    ck_assert_uint_eq(plain.tuned, 0);
    ck_assert_uint_ge(tuned.tuned, 4);
    ck_assert_uint_eq(tuned.chains, plain.chains);
    step_expect_same(m, module, &expected, &memory);
    model_close(m);
    remove_folder(folder);
}
END_TEST

typedef struct Watch {
    uint32_t done, stop_at;
} Watch;

static bool goes_on(void *user, uint32_t done, uint32_t all)
{
    Watch *watch = user;
    ck_assert(done == watch->done || done == watch->done + 1);
    ck_assert_uint_le(done, all);
    watch->done = done;
    return done != watch->stop_at;
}

START_TEST(an_entry_is_tuned)
{
    char folder[] = "/tmp/mlc-tune-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    Model *m = model_open(network, 1u << ENTRY_step);
    const Module *module = step_module(m, 16, 0);
    BackendOptions options = {.threads = 2, .cache_bytes = CACHE_BYTES, .cache_folder = folder};
    BackendEntry entry = {m->result->program, NULL, module};
    BackendStatistics before, after;
    StepMemory expected = step_run_with(m, module, &options, &before);
    Device *device;
    ck_assert_int_eq(backend_cpu.open(&options, m->context.report, &device), STATUS_ok);

    Watch watch = {.stop_at = 1};
    Tuning stopped = {.repeat = 1, .goes_on = goes_on, .user = &watch};
    ck_assert_int_eq(backend_cpu.tune(device, &m->context, &entry, &stopped), STATUS_interrupted);
    ck_assert_uint_eq(stopped.kernel.count, 1);

    watch = (Watch){.stop_at = UINT32_MAX};
    Tuning tuning = {.repeat = 1, .goes_on = goes_on, .user = &watch};
    ck_assert_int_eq(backend_cpu.tune(device, &m->context, &entry, &tuning), STATUS_ok);
    ck_assert_uint_eq(tuning.kernel.count, watch.done);
    uint32_t better = 0, sliced = 0;
    for (uint32_t i = 0; i < tuning.kernel.count; i++) {
        const TunedKernel *kernel = &tuning.kernel.at[i];
        ck_assert_uint_lt(kernel->call, module->call.count);
        ck_assert_uint_ge(kernel->schedules, 1);
        ck_assert(*kernel->choice ? kernel->after < kernel->before
                                  : kernel->after == kernel->before);
        better += *kernel->choice != 0;
        sliced += kernel->slices > 0;
    }
    ck_assert_uint_ge(sliced, 1);
    ck_assert_uint_lt(sliced, tuning.kernel.count);
    backend_cpu.close(device);

    StepMemory memory = step_run_with(m, module, &options, &after);
    ck_assert(better ? after.tuned >= better : !after.tuned);
    ck_assert_uint_eq(after.compiled, 0); /* the best are in the cache */
    step_expect_same(m, module, &expected, &memory);
    model_close(m);
    remove_folder(folder);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_winner_is_faster_by_more_than_noise);
    tcase_add_test(tests, all_who_run_compute_the_same);
    tcase_add_test(tests, choices_change_no_bit_of_a_step);
    tcase_add_test(tests, an_entry_is_tuned);
}
#else
static void add_tests(TCase *tests)
{
    (void)tests; /* the backend is not in this build */
}
#endif

Suite *suite_tune(void);
Suite *suite_tune(void)
{
    Suite *suite = suite_create("tune");
    TCase *tests = tcase_create("tune");
    tcase_set_timeout(tests, 120);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    return suite;
}

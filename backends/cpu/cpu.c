/* The cpu backend: kernels become functions, once a structure, and an executor runs them in the module's order. */
#include "backends/cpu/device.h"
#include "ir/base/boundary.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CACHE_LIMIT ((int64_t)512 << 20)

struct Executable {
    Executor *executor;
    BackendStatistics statistics;
};

static void describe(Device *device, Text *out)
{
    uint32_t threads = threads_count(device->threads);
    text_add(out, "cpu: %s, %u thread%s", device->target.name, threads, threads == 1 ? "" : "s");
}

static void close_device(Device *device)
{
    if (!device) return;
    for (uint32_t i = 0; device->threads && i < threads_count(device->threads); i++)
        if (device->compiler[i]) device->module->close(device->compiler[i]);
    jit_close(device->jit);
    threads_close(device->threads);
    cache_close(&device->cache);
    arena_close(device->arena);
    free(device->compiler);
    free(device);
}

static Status open_parts(Device *device, const BackendOptions *options, Report *report)
{
    uint32_t threads = options->threads < 1 ? 1 : (uint32_t)options->threads;
    TRY(cpu_target(options->target, threads, report, &device->target));
    if (options->cache_bytes) device->target.schedule.l2 = options->cache_bytes;
    device->arena = arena_open(&host_default);
    device->compiler = calloc(threads, sizeof *device->compiler);
    if (!device->arena || !device->compiler) return STATUS_no_memory;
    TRY(threads_open(threads, &device->threads));
    device->cache = cache_open(options->cache_folder);
    device->tuned = tuned_read(&device->cache, device->arena);
    return jit_open(report, &device->jit);
}

static Status open_device(const BackendOptions *options, Report *report, Device **device)
{
    *device = calloc(1, sizeof **device);
    if (!*device) return STATUS_no_memory;
    (*device)->report = report;
    Status status = open_parts(*device, options, report);
    if (status == STATUS_ok) return status;
    close_device(*device);
    *device = NULL;
    return status;
}

static const Linked *find_linked(const Device *device, const Plan *plan)
{
    for (uint32_t i = 0; i < device->linked.count; i++)
        if (!memcmp(device->linked.at[i].key, plan->key, sizeof plan->key))
            return &device->linked.at[i];
    return NULL;
}

/* False if the object is no good. */
static bool link_object(Device *device, const Plan *plan, const ObjectCode *object)
{
    KernelCode code = {.tasks = plan->schedule.tasks, .scratch = plan->schedule.scratch};
    if (jit_add(device->jit, object->bytes, object->size, plan->name, &code.function) != STATUS_ok)
        return false;
    *list_add(device->arena, &device->linked) =
        (Linked){.key = {plan->key[0], plan->key[1]}, .code = code};
    return true;
}

static bool link_cached(Device *device, const Plan *plan)
{
    ObjectCode object;
    if (!cache_read(&device->cache, plan->key, &object)) return false;
    bool is_linked = link_object(device, plan, &object);
    free(object.bytes);
    return is_linked;
}

/* Kernels on their way to objects. */
typedef struct Work {
    Device *device;
    const Plan **plan;
    ObjectCode *object;
    Boundary *boundary; /* one a thread: what went wrong there first */
} Work;

static void compile_some(const Work *work, uint32_t thread, int64_t begin, int64_t end)
{
    Compiler **compiler = &work->device->compiler[thread];
    const CompilerModule *module = work->device->module;
    Boundary *boundary = &work->boundary[thread];
    if (!*compiler) *compiler = module->open(&work->device->target);
    if (!*compiler) bug("LLVM was built without this CPU");
    for (int64_t i = begin; i < end && boundary->status == STATUS_ok; i++)
        module->compile(*compiler, work->plan[i], &work->object[i], boundary);
}

static void compile_on_thread(void *user, uint32_t thread, int64_t begin, int64_t end)
{
    const Work *work = user;
    if (work->boundary[thread].status != STATUS_ok) return;
    Boundary own;
    boundary_enter(&own);
    if (setjmp(own.jump) == 0) compile_some(work, thread, begin, end);
    boundary_leave(&own);
    if (own.status != STATUS_ok) work->boundary[thread] = own;
}

static void raise(const Boundary *boundary)
{
    if (boundary->status == STATUS_no_memory) out_of_memory();
    if (boundary->status != STATUS_ok) bug("%s", boundary->message);
}

/* Objects of plans, on all threads. */
static Status compile_all(Device *device, Context *context, const Plan **plan, uint32_t count,
                          ObjectCode *object)
{
    if (!count) return STATUS_ok;
    if (!device->module) TRY(module_open(device->report, &device->module));
    uint32_t threads = threads_count(device->threads);
    Work work = {.device = device, .plan = plan, .object = object};
    work.boundary = arena_array(context->arena, Boundary, threads);
    threads_run(device->threads, count, compile_on_thread, &work);
    for (uint32_t i = 0; i < threads; i++)
        raise(&work.boundary[i]);
    return STATUS_ok;
}

static Status compile_missing(Device *device, Context *context, const Plan **plan, uint32_t count,
                              bool keeps)
{
    ObjectCode *object = arena_array(context->arena, ObjectCode, count);
    TRY(compile_all(device, context, plan, count, object));
    for (uint32_t i = 0; i < count; i++) {
        if (!link_object(device, plan[i], &object[i]))
            bug("the object of %s cannot be linked", plan[i]->name);
        if (keeps) cache_write(&device->cache, plan[i]->key, &object[i]);
        free(object[i].bytes);
    }
    if (count && keeps) cache_trim(&device->cache, CACHE_LIMIT);
    return STATUS_ok;
}

Status device_keep(Device *device, Context *context, const Plan *plan)
{
    ObjectCode object;
    TRY(compile_all(device, context, &plan, 1, &object));
    cache_write(&device->cache, plan->key, &object);
    free(object.bytes);
    return STATUS_ok;
}

static bool is_listed(const Plan *plan, const Plan **list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!memcmp(list[i]->key, plan->key, sizeof plan->key)) return true;
    return false;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

Plans plans_of(const Module *module, const CpuTarget *target, const Tuned *tuned, Arena *arena)
{
    Plans plans = {.chains = chain_plans(module, target, tuned, arena)};
    plans.kernel = arena_array(arena, const Plan *, module->kernel.count + 1);
    uint32_t next = 0; /* chain */
    for (uint32_t i = 0; i < module->call.count; i++) {
        const ChainPlan *chain = next < plans.chains.count ? &plans.chains.at[next] : NULL;
        if (chain && i >= chain->first) {
            *list_add(arena, &plans.all) = &chain->plan[i - chain->first];
            next += i + 1 == chain->first + chain->count;
            continue;
        }
        uint32_t kernel = module->call.at[i].kernel;
        if (plans.kernel[kernel] || kernel_clears(module->kernel.at[kernel])) continue;
        Plan *plan = arena_new(arena, Plan);
        *plan = plan_kernel(module->kernel.at[kernel], target, NULL, tuned, arena);
        plans.kernel[kernel] = plan;
        *list_add(arena, &plans.all) = plan;
    }
    plans.kept = kept_calls(module, plans.kernel, &plans.chains, target, arena);
    for (uint32_t i = 0; i < plans.kept.call.count; i++)
        *list_add(arena, &plans.all) = plans.kept.call.at[i].packed;
    return plans;
}

Status device_link(Device *device, Context *context, const Plan *const *plan, uint32_t count,
                   bool keeps, BackendStatistics *statistics)
{
    uint32_t missing = 0;
    const Plan **list = arena_array(context->arena, const Plan *, count);
    for (uint32_t i = 0; i < count; i++) {
        if (find_linked(device, plan[i]) || is_listed(plan[i], list, missing)) continue;
        if (link_cached(device, plan[i]))
            statistics->cached++;
        else
            list[missing++] = plan[i];
    }
    TRY(compile_missing(device, context, list, missing, keeps));
    statistics->compiled = missing;
    return STATUS_ok;
}

KernelCode device_code(const Device *device, const Plan *plan)
{
    return find_linked(device, plan)->code;
}

static ExecutorCode code_of(const Device *device, const Plans *plans, const Module *module,
                            Arena *arena)
{
    KernelCode *kernel = arena_array(arena, KernelCode, module->kernel.count);
    Chain *chain = arena_array(arena, Chain, plans->chains.count);
    for (uint32_t i = 0; i < module->kernel.count; i++)
        kernel[i] = plans->kernel[i]
                        ? device_code(device, plans->kernel[i])
                        : (KernelCode){.tasks = 1, .clears = kernel_clears(module->kernel.at[i])};
    for (uint32_t i = 0; i < plans->chains.count; i++) {
        const ChainPlan *of = &plans->chains.at[i];
        KernelCode *code = arena_array(arena, KernelCode, of->count);
        for (uint32_t k = 0; k < of->count; k++)
            code[k] = device_code(device, &of->plan[k]);
        chain[i] = (Chain){.first = of->first,
                           .count = of->count,
                           .slices = of->slices,
                           .code = code,
                           .tile = of->tile.at,
                           .tiles = of->tile.count,
                           .tile_bytes = of->tile_bytes};
    }
    const KeptCalls *calls = &plans->kept;
    Kept *kept = arena_array(arena, Kept, calls->call.count);
    for (uint32_t i = 0; i < calls->call.count; i++) {
        const KeptCall *of = &calls->call.at[i];
        kept[i] = (Kept){of->call, device_code(device, of->packed).function, of->room, of->by_task};
    }
    return (ExecutorCode){.kernel = kernel,
                          .chain = chain,
                          .chains = plans->chains.count,
                          .kept = kept,
                          .kept_count = calls->call.count,
                          .kept_bytes = calls->bytes};
}

static uint32_t tuned_of(const Plans *plans)
{
    uint32_t tuned = 0;
    for (uint32_t i = 0; i < plans->all.count; i++)
        tuned += plans->all.at[i]->is_tuned;
    return tuned;
}

static Status compile_entry(Device *device, Context *context, const BackendEntry *entry,
                            Executable **executable)
{
    double begin = now();
    *executable = NULL;
    TRY(cpu_can_run(&device->target, device->report));
    const Module *module = entry->module;
    BackendStatistics statistics = {.kernels = module->kernel.count};
    Plans plans = plans_of(module, &device->target, &device->tuned, context->arena);
    TRY(device_link(device, context, plans.all.at, plans.all.count, true, &statistics));
    statistics.chains = plans.chains.count;
    statistics.tuned = tuned_of(&plans);
    ExecutorCode code = code_of(device, &plans, module, context->arena);
    Executable *made = calloc(1, sizeof *made);
    if (!made) return STATUS_no_memory;
    Status status = executor_open(module, &code, device->threads, &made->executor);
    if (status != STATUS_ok) {
        free(made);
        return status;
    }
    statistics.scratch = executor_scratch(made->executor);
    statistics.compile_seconds = now() - begin;
    made->statistics = statistics;
    *executable = made;
    return STATUS_ok;
}

static int64_t larger(int64_t a, int64_t bytes)
{
    int64_t b = (bytes + 63) / 64 * 64;
    return a > b ? a : b;
}

/* Of what the executor keeps for each thread, the most that any kernel or chain asks for. */
static int64_t scratch_of(Device *device, Context *context, const Module *module)
{
    Plans plans = plans_of(module, &device->target, &device->tuned, context->arena);
    int64_t kernel = 0, tiles = 0, pointers = 0;
    for (uint32_t i = 0; i < plans.all.count; i++)
        kernel = larger(kernel, plans.all.at[i]->schedule.scratch);
    for (uint32_t i = 0; i < plans.chains.count; i++) {
        const ChainPlan *chain = &plans.chains.at[i];
        size_t bound = 0;
        for (uint32_t k = 0; k < chain->count; k++)
            bound += module->call.at[chain->first + k].count;
        tiles = larger(tiles, chain->tile_bytes);
        pointers = larger(pointers, (int64_t)(bound * sizeof(void *)));
    }
    return (kernel + tiles + pointers + plans.kept.bytes) * threads_count(device->threads);
}

static Status run(Executable *executable, const void *const *input, void *const *output,
                  void *const *state)
{
    executor_run(executable->executor, input, output, state);
    return STATUS_ok;
}

static void dispose(Executable *executable)
{
    if (!executable) return;
    executor_close(executable->executor);
    free(executable);
}

static BackendStatistics statistics_of(const Executable *executable)
{
    return executable->statistics;
}

static void profile(Executable *executable, bool on, Profile *profile)
{
    executor_profile(executable->executor, on, profile);
}

static Status dump(Device *device, Context *context, const BackendEntry *entry, const char *stage,
                   Text *out)
{
    bool is_llvm = strcmp(stage, "llvm") == 0;
    if (!is_llvm && strcmp(stage, "asm")) return STATUS_usage;
    if (!device->module) TRY(module_open(device->report, &device->module));
    if (!device->compiler[0]) device->compiler[0] = device->module->open(&device->target);
    if (!device->compiler[0]) bug("LLVM was built without this CPU");
    Plans plans = plans_of(entry->module, &device->target, &device->tuned, context->arena);
    for (uint32_t i = 0; i < plans.all.count; i++) {
        if (is_listed(plans.all.at[i], plans.all.at, i)) continue;
        text_add(out, "%s kernel %u\n", is_llvm ? ";" : "#", i);
        Boundary inside = {0};
        device->module->print(device->compiler[0], plans.all.at[i], !is_llvm, out, &inside);
        raise(&inside);
    }
    return STATUS_ok;
}

static bool is_fast_in_bf16(Device *device)
{
    return device->target.schedule.products == PRODUCTS_tiles;
}

const Backend backend_cpu = {
    .name = "cpu",
    .takes_graph = false,
    .describe = describe,
    .open = open_device,
    .close = close_device,
    .compile = compile_entry,
    .scratch = scratch_of,
    .is_fast_in_bf16 = is_fast_in_bf16,
    .run = run,
    .dispose = dispose,
    .statistics = statistics_of,
    .profile = profile,
    .dump = dump,
    .tune = tune_entry,
};

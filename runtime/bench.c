/* `mlc bench`: times one entry on inputs of the right shape, against what the machine can do at that moment. */
#include "runtime/bench.h"
#include "runtime/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define TIMED_SECONDS    2.0
#define WARM_SECONDS     0.05
#define PROFILED_SECONDS 1.0
#define LEAST_RUNS       5
#define MOST_PROFILED    101
#define TYPICAL_TRIES    20

/* Inputs within what the model declares: small integers below a bound, floats in [0, 1). */
static void fill(void *bytes, const Port *port, const ModelInput *declared, uint32_t seed)
{
    int64_t count = shape_elements(&port->shape);
    int64_t bound = declared && declared->bound > 0 ? declared->bound
                    : port->type == TYPE_bool       ? 2
                                                    : 100;
    uint32_t random = seed * 2654435761u + 1;
    for (int64_t i = 0; i < count; i++) {
        random = random * 1664525u + 1013904223u;
        int64_t integer = (int64_t)(random >> 8) % bound;
        float real = (float)(random >> 8) * 0x1p-24f;
        if (port->type == TYPE_f32)
            ((float *)bytes)[i] = real;
        else if (type_is_integer(port->type) || port->type == TYPE_bool)
            memcpy((char *)bytes + i * type_info[port->type].bytes, &integer,
                   type_info[port->type].bytes);
    }
}

static void *buffer(Benching *b, const Port *port)
{
    char *bytes = arena_alloc(b->model->arena, (size_t)port_bytes(port) + 64);
    return (char *)(((uintptr_t)bytes + 63) & ~(uintptr_t)63);
}

static void make_buffers(Benching *b)
{
    const Compiled *e = b->entry;
    b->input = arena_array(b->model->arena, const void *, e->input_count + 1);
    b->output = arena_array(b->model->arena, void *, e->output_count + 1);
    for (uint32_t i = 0; i < e->input_count; i++) {
        void *bytes = buffer(b, &e->input[i]);
        uint32_t source = e->input_source[i];
        fill(bytes, &e->input[i], source == UINT32_MAX ? NULL : &e->elaborated->input[source],
             i + 1);
        b->input[i] = bytes;
    }
    for (uint32_t i = 0; i < e->output_count; i++)
        b->output[i] = buffer(b, &e->output[i]);
}

static Status run(Benching *b)
{
    return compiled_run(b->model, b->entry, b->input, b->output);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static Status time_runs(Benching *b)
{
    int64_t repeat = b->options ? b->options->repeat : 0;
    double begin = session_clock(); /* caches, threads and page faults first */
    for (int i = 0; i < 3 || session_clock() - begin < WARM_SECONDS; i++)
        TRY(run(b));
    begin = session_clock();
    bool enough = false;
    while (!enough) {
        double start = session_clock();
        TRY(run(b));
        double end = session_clock();
        *list_add(b->model->arena, &b->seconds) = end - start;
        enough = repeat > 0 ? b->seconds.count >= repeat
                            : b->seconds.count >= LEAST_RUNS && end - begin > TIMED_SECONDS;
    }
    qsort(b->seconds.at, b->seconds.count, sizeof *b->seconds.at, ascending);
    return STATUS_ok;
}

/* --- call by call --------------------------------------------------------------------------------------------------------- */

static double total(const Benching *b)
{
    double sum = 0;
    for (uint32_t i = 0; i < b->entry->module->call.count; i++)
        sum += b->profile.seconds[i];
    return sum;
}

/* A single run is at the mercy of what else the machine did meanwhile, a call more so than the whole. */
static Status median_calls(Benching *b)
{
    uint32_t calls = b->entry->module->call.count, runs = 0;
    double *taken = arena_alloc(b->model->arena, sizeof *taken * MOST_PROFILED * (calls + 1));
    double begin = session_clock();
    do {
        TRY(run(b));
        for (uint32_t i = 0; i < calls; i++)
            taken[i * MOST_PROFILED + runs] = b->profile.seconds[i];
        runs++;
    } while (runs < MOST_PROFILED &&
             (runs < LEAST_RUNS || session_clock() - begin < PROFILED_SECONDS));
    b->call_seconds = arena_array(b->model->arena, double, calls + 1);
    for (uint32_t i = 0; i < calls; i++) {
        qsort(&taken[i * MOST_PROFILED], runs, sizeof *taken, ascending);
        b->call_seconds[i] = taken[i * MOST_PROFILED + runs / 2];
    }
    return STATUS_ok;
}

/* Leaves the profile of a run that took what runs take. */
static Status typical_run(Benching *b)
{
    double expected = 0;
    for (uint32_t i = 0; i < b->entry->module->call.count; i++)
        expected += b->call_seconds[i];
    for (int i = 0; i < TYPICAL_TRIES; i++) {
        TRY(run(b));
        if (total(b) < 1.05 * expected) break;
    }
    return STATUS_ok;
}

static Status profile_runs(Benching *b)
{
    const Backend *backend = b->model->backend;
    if (!b->options || (!b->options->kernels && !b->options->trace)) return STATUS_ok;
    if (!backend->profile || !b->entry->module) {
        report_error(b->model->context.report, (Span){0},
                     "%s runs no kernels that could be timed one by one", backend->name);
        return STATUS_usage;
    }
    backend->profile(b->entry->executable, true, &b->profile);
    TRY(median_calls(b));
    if (b->options->trace) TRY(typical_run(b));
    return STATUS_ok;
}

static Status bench(void *argument)
{
    Benching *b = argument;
    mlc_model *model = b->model;
    EntryKind kind;
    Compiled *entry;
    b->name = b->options && b->options->entry ? b->options->entry : "step";
    TRY(entry_named(model, b->name, &kind));
    const char *weights = b->options ? b->options->weights : NULL;
    if (weights) TRY(state_take_precision(model, weights));
    TRY(compile_entry(model, kind, b->options ? b->options->batch : 0, COMPILE_full, &entry));
    TRY(weights ? state_load_weights(model, weights) : state_initialize(model));
    b->entry = entry;
    make_buffers(b);
    TRY(time_runs(b));
    TRY(profile_runs(b));
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    b->peak_rss = (int64_t)usage.ru_maxrss * 1024;
    TRY(compiled_memory(model, entry, &b->planned));
    TRY(peak_measure(model->threads, &b->peak));
    b->text.arena = model->arena;
    bench_write(b);
    if (b->options && b->options->seconds) *b->options->seconds = bench_median(b);
    if (!b->options || !b->options->trace) return STATUS_ok;
    Text trace = {.arena = model->arena};
    bench_trace(b, &trace);
    return file_write(b->options->trace, trace.at, trace.count, model->context.report);
}

mlc_status mlc_bench(mlc_model *model, const mlc_bench_options *options, const char **text)
{
    if (!model || !text || (options && options->size != sizeof *options))
        return model_misused(model);
    Benching benching = {.model = model, .options = options};
    mlc_status status = model_guard(model, bench, &benching);
    *text = status == MLC_OK ? text_done(&benching.text) : "";
    return status;
}

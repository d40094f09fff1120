/* `mlc bench`: times one entry on inputs of the right shape, against what the machine can do at that moment. */
#include "runtime/compile.h"
#include "runtime/peak.h"
#include "runtime/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_RUNS 1000

typedef struct Benching {
    mlc_model *model;
    const mlc_bench_options *options;
    const Compiled *entry;
    const void **input;
    void **output;
    double seconds[MAX_RUNS];
    uint32_t runs;
    Peak peak;
    const double *call_seconds; /* of the last run, or NULL */
    Text text;
} Benching;

/* Inputs within what the model declares: small integers below a bound, floats in [0, 1). */
static void fill(void *bytes, const Port *port, const ModelInput *declared, uint32_t seed)
{
    int64_t count = shape_elements(&port->shape);
    int64_t bound = declared && declared->bound > 0 ? declared->bound : port->type == TYPE_bool ? 2 : 100;
    uint32_t random = seed * 2654435761u + 1;
    for (int64_t i = 0; i < count; i++) {
        random = random * 1664525u + 1013904223u;
        int64_t integer = (int64_t)(random >> 8) % bound;
        float real = (float)(random >> 8) * 0x1p-24f;
        if (port->type == TYPE_f32)
            ((float *)bytes)[i] = real;
        else if (type_is_integer(port->type) || port->type == TYPE_bool)
            memcpy((char *)bytes + i * type_info[port->type].bytes, &integer, type_info[port->type].bytes);
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
        fill(bytes, &e->input[i], source == UINT32_MAX ? NULL : &e->elaborated->input[source], i + 1);
        b->input[i] = bytes;
    }
    for (uint32_t i = 0; i < e->output_count; i++)
        b->output[i] = buffer(b, &e->output[i]);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static Status time_runs(Benching *b)
{
    const Backend *backend = b->model->backend;
    int64_t repeat = b->options ? b->options->repeat : 0;
    double begin = session_clock();
    for (int i = 0; i < 3; i++) /* caches, threads and page faults */
        TRY(compiled_run(b->model, b->entry, b->input, b->output));
    while (b->runs < MAX_RUNS) {
        double start = session_clock();
        TRY(compiled_run(b->model, b->entry, b->input, b->output));
        b->seconds[b->runs++] = session_clock() - start;
        if (repeat > 0 ? b->runs >= repeat : b->runs >= 5 && session_clock() - begin > 2) break;
    }
    qsort(b->seconds, b->runs, sizeof *b->seconds, ascending);
    if (!b->options || !b->options->kernels || !backend->profile) return STATUS_ok;
    backend->profile(b->entry->executable, true, &b->call_seconds);
    TRY(compiled_run(b->model, b->entry, b->input, b->output));
    backend->profile(b->entry->executable, true, &b->call_seconds);
    return STATUS_ok;
}

/* --- results -------------------------------------------------------------------------------------------------------------- */

static double median(const Benching *b)
{
    return b->seconds[b->runs / 2];
}

/* The roofline: whichever of arithmetic and memory binds first. */
static double fraction(const Benching *b)
{
    const Module *m = b->entry->module;
    double arithmetic = (double)m->flops / b->peak.flops, memory = (double)m->bytes / b->peak.bytes_per_second;
    return (arithmetic > memory ? arithmetic : memory) / median(b);
}

static void json_kernels(Benching *b)
{
    const Module *m = b->entry->module;
    text_add(&b->text, ",\"kernels\":[");
    for (uint32_t i = 0; b->call_seconds && i < m->call.count; i++) {
        const Call *call = &m->call.at[i];
        text_add(&b->text, "%s{\"label\":\"%s\",\"kernel\":%u,\"seconds\":%.6g,\"flops\":%lld,\"bytes\":%lld}", i ? "," : "",
                 call->label, call->kernel, b->call_seconds[i], (long long)call->flops, (long long)call->bytes);
    }
    text_add(&b->text, "]");
}

static void write_json(Benching *b, const char *entry)
{
    const Module *m = b->entry->module;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    text_add(&b->text, "{\"entry\":\"%s\",\"device\":\"%s\",\"threads\":%d", entry, b->model->backend->name, b->model->threads);
    text_add(&b->text, ",\"seconds\":{\"min\":%.6g,\"median\":%.6g,\"max\":%.6g}", b->seconds[0], median(b),
             b->seconds[b->runs - 1]);
    text_add(&b->text, ",\"samples_per_second\":%.6g", (double)b->entry->batch / median(b));
    if (m)
        text_add(&b->text, ",\"flops\":%lld,\"bytes\":%lld,\"fraction_of_peak\":%.4g,\"planned_bytes\":%lld",
                 (long long)m->flops, (long long)m->bytes, fraction(b), (long long)m->peak_bytes);
    text_add(&b->text, ",\"peak_flops\":%.6g,\"peak_bytes_per_second\":%.6g", b->peak.flops, b->peak.bytes_per_second);
    text_add(&b->text, ",\"peak_rss_bytes\":%lld,\"compile_seconds\":%.6g", (long long)usage.ru_maxrss * 1024,
             b->entry->seconds);
    if (m) json_kernels(b);
    text_add(&b->text, "}\n");
}

static void write_kernels(Benching *b)
{
    const Module *m = b->entry->module;
    text_add(&b->text, "\n%10s %7s %9s %9s  %s\n", "time/us", "share", "GFLOP/s", "GB/s", "kernel");
    double total = 0;
    for (uint32_t i = 0; i < m->call.count; i++)
        total += b->call_seconds[i];
    for (uint32_t i = 0; i < m->call.count; i++) {
        const Call *call = &m->call.at[i];
        double s = b->call_seconds[i];
        const Source *source = sources_get(b->model->context.sources, call->at.source);
        text_add(&b->text, "%10.1f %6.1f%% %9.1f %9.1f  k%u %s", s * 1e6, 100 * s / total, (double)call->flops / s * 1e-9,
                 (double)call->bytes / s * 1e-9, call->kernel, call->label);
        if (source) text_add(&b->text, "  %s:%u", source->path, source_place(source, call->at.begin).line);
        text_add(&b->text, "\n");
    }
}

static void write_table(Benching *b, const char *entry)
{
    const Module *m = b->entry->module;
    text_add(&b->text, "%s of %s, batch %lld, %s, %d threads, %u runs\n", entry, experiment_model(b->model->experiment),
             (long long)b->entry->batch, b->model->backend->name, b->model->threads, b->runs);
    text_add(&b->text, "  time          %.3f ms (least %.3f, most %.3f)\n", median(b) * 1e3, b->seconds[0] * 1e3,
             b->seconds[b->runs - 1] * 1e3);
    text_add(&b->text, "  throughput    %.0f samples/s\n", (double)b->entry->batch / median(b));
    text_add(&b->text, "  compiled in   %.3f s\n", b->entry->seconds);
    text_add(&b->text, "  this machine  %.0f GFLOP/s, %.1f GB/s (measured now)\n", b->peak.flops * 1e-9,
             b->peak.bytes_per_second * 1e-9);
    if (!m) return;
    text_add(&b->text, "  reached       %.1f GFLOP/s, %.1f GB/s: %.0f%% of the roofline\n",
             (double)m->flops / median(b) * 1e-9, (double)m->bytes / median(b) * 1e-9, 100 * fraction(b));
    if (b->call_seconds) write_kernels(b);
}

static Status bench(void *argument)
{
    Benching *b = argument;
    mlc_model *model = b->model;
    EntryKind kind;
    Compiled *entry;
    const char *name = b->options && b->options->entry ? b->options->entry : "step";
    TRY(entry_named(model, name, &kind));
    TRY(compile_entry(model, kind, 0, COMPILE_full, &entry));
    TRY(state_initialize(model));
    b->entry = entry;
    make_buffers(b);
    TRY(time_runs(b));
    TRY(peak_measure(model->threads, &b->peak));
    b->text.arena = model->arena;
    if (b->options && b->options->json)
        write_json(b, name);
    else
        write_table(b, name);
    return STATUS_ok;
}

mlc_status mlc_bench(mlc_model *model, const mlc_bench_options *options, const char **text)
{
    if (!model || !text || (options && options->size != sizeof *options)) return MLC_USAGE;
    Benching benching = {.model = model, .options = options};
    mlc_status status = model_guard(model, bench, &benching);
    *text = status == MLC_OK ? text_done(&benching.text) : "";
    return status;
}

/* The results of `mlc bench`: a table, JSON, a Chrome trace. */
#include "runtime/bench.h"
#include "runtime/label.h"

#include "ir/kernel/contraction.h"

/* bf16, widened so that the products are added in f32. */
static bool is_widened_bf16(const Kernel *kernel, Scalar scalar)
{
    const ScalarNode *node = &kernel->scalar.at[scalar.id];
    return node->op == SCALAR_cast && kernel->scalar.at[node->argument[0].id].type == TYPE_bf16;
}

static bool in_bf16(const Kernel *kernel)
{
    Contraction c;
    return contraction_of(kernel, &c) && is_widened_bf16(kernel, c.a) &&
           is_widened_bf16(kernel, c.b);
}

/* The least time that this machine could need for a call. */
static double least_seconds(const Benching *b, const Call *call)
{
    return peak_seconds(&b->peak, call->flops, call->bytes,
                        in_bf16(b->entry->module->kernel.at[call->kernel]));
}

/* How near the entry comes to a run in which every call takes its least time. */
static double fraction(const Benching *b)
{
    const Module *m = b->entry->module;
    double least = 0;
    for (uint32_t i = 0; i < m->call.count; i++)
        least += least_seconds(b, &m->call.at[i]);
    return least / bench_median(b);
}

/* --- JSON ----------------------------------------------------------------------------------------------------------------- */

static void json_kernels(Benching *b)
{
    const Module *m = b->entry->module;
    text_add(&b->text, ",\"kernels\":[");
    for (uint32_t i = 0; b->call_seconds && i < m->call.count; i++) {
        const Call *call = &m->call.at[i];
        text_add(&b->text, "%s{\"label\":\"", i ? "," : "");
        text_json(&b->text, call->label);
        text_add(&b->text, "\",\"line\":\"");
        text_json(&b->text, call_line(b->model, call));
        text_add(&b->text,
                 "\",\"kernel\":%u,\"seconds\":%.6g,\"flops\":%lld,\"bytes\":%lld,\"fraction_of_"
                 "peak\":%.4g}",
                 call->kernel, b->call_seconds[i], (long long)call->flops, (long long)call->bytes,
                 b->call_seconds[i] > 0 ? least_seconds(b, call) / b->call_seconds[i] : 0);
    }
    text_add(&b->text, "]");
}

static void json_peak(Benching *b)
{
    const Peak *peak = &b->peak;
    text_add(&b->text, ",\"peak_flops\":%.6g,\"peak_bf16_flops\":%.6g", peak->flops,
             peak->bf16_flops);
    text_add(
        &b->text, ",\"peak_bytes_per_second\":%.6g,\"peak_shared_cache_bytes_per_second\":%.6g",
        peak->copy[PEAK_memory].bytes_per_second, peak->copy[PEAK_shared_cache].bytes_per_second);
    text_add(&b->text, ",\"peak_own_cache_bytes_per_second\":%.6g",
             peak->copy[PEAK_own_cache].bytes_per_second);
}

static void write_json(Benching *b)
{
    const Module *m = b->entry->module;
    text_add(&b->text, "{\"entry\":\"%s\",\"device\":\"%s\",\"threads\":%d", b->name,
             b->model->backend->name, b->model->threads);
    text_add(&b->text, ",\"seconds\":{\"min\":%.6g,\"median\":%.6g,\"max\":%.6g}", b->seconds.at[0],
             bench_median(b), *list_last(&b->seconds));
    text_add(&b->text, ",\"samples_per_second\":%.6g", (double)b->entry->batch / bench_median(b));
    if (m)
        text_add(&b->text,
                 ",\"flops\":%lld,\"bytes\":%lld,\"fraction_of_peak\":%.4g,\"planned_bytes\":%lld",
                 (long long)m->flops, (long long)m->bytes, fraction(b), (long long)b->planned);
    json_peak(b);
    text_add(&b->text, ",\"peak_rss_bytes\":%lld,\"compile_seconds\":%.6g", (long long)b->peak_rss,
             b->entry->seconds);
    if (m) json_kernels(b);
    text_add(&b->text, "}\n");
}

/* --- table ---------------------------------------------------------------------------------------------------------------- */

static void write_kernels(Benching *b)
{
    const Module *m = b->entry->module;
    text_add(&b->text, "\n%10s %7s %9s %9s %9s  %s\n", "time/us", "share", "GFLOP/s", "GB/s",
             "roofline", "kernel");
    double total = 0;
    bool beyond = false;
    for (uint32_t i = 0; i < m->call.count; i++)
        total += b->call_seconds[i];
    for (uint32_t i = 0; i < m->call.count; i++) {
        const Call *call = &m->call.at[i];
        double s = b->call_seconds[i] > 0 ? b->call_seconds[i] : 1e-9; /* the clock's grain */
        beyond |= least_seconds(b, call) > s;
        text_add(&b->text, "%10.1f %6.1f%% %9.1f %9.1f %8.0f%%  k%u %s  %s\n", s * 1e6,
                 100 * s / total, (double)call->flops / s * 1e-9, (double)call->bytes / s * 1e-9,
                 100 * least_seconds(b, call) / s, call->kernel, call->label,
                 call_line(b->model, call));
    }
    if (beyond)
        text_add(
            &b->text,
            "above 100%%: what counts as moved from farther away was still in a nearer cache\n");
}

static void write_machine(Benching *b)
{
    const Peak *peak = &b->peak;
    text_add(&b->text, "  this machine  %.0f GFLOP/s", peak->flops * 1e-9);
    if (peak->bf16_flops > 0) text_add(&b->text, ", %.0f in bf16 tiles", peak->bf16_flops * 1e-9);
    text_add(&b->text,
             "; %.1f GB/s from memory, %.1f from the shared cache, %.1f from each core's own "
             "(measured now)\n",
             peak->copy[PEAK_memory].bytes_per_second * 1e-9,
             peak->copy[PEAK_shared_cache].bytes_per_second * 1e-9,
             peak->copy[PEAK_own_cache].bytes_per_second * 1e-9);
}

static void write_table(Benching *b)
{
    const Module *m = b->entry->module;
    double median = bench_median(b);
    text_add(&b->text, "%s of %s, batch %lld, %s, %d threads, %u runs\n", b->name,
             experiment_model(b->model->experiment), (long long)b->entry->batch,
             b->model->backend->name, b->model->threads, b->seconds.count);
    text_add(&b->text, "  time          %.3f ms (least %.3f, most %.3f)\n", median * 1e3,
             b->seconds.at[0] * 1e3, *list_last(&b->seconds) * 1e3);
    text_add(&b->text, "  throughput    %.0f samples/s\n", (double)b->entry->batch / median);
    text_add(&b->text, "  compiled in   %.3f s\n", b->entry->seconds);
    write_machine(b);
    if (!m) return;
    text_add(&b->text, "  reached       %.1f GFLOP/s, %.1f GB/s: %.0f%% of the roofline\n",
             (double)m->flops / median * 1e-9, (double)m->bytes / median * 1e-9, 100 * fraction(b));
    if (b->options && b->options->kernels) write_kernels(b);
}

void bench_write(Benching *b)
{
    if (b->options && b->options->json)
        write_json(b);
    else
        write_table(b);
}

/* --- trace ---------------------------------------------------------------------------------------------------------------- */

static void trace_share(const Benching *b, const Call *call, Interval share, uint32_t thread,
                        Text *out)
{
    text_add(out, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"ts\":%.3f,\"dur\":%.3f,\"name\":\"",
             thread, share.begin * 1e6, (share.end - share.begin) * 1e6);
    const char *line = call_line(b->model, call);
    text_json(out, call->label);
    if (*line) text_add(out, " ");
    text_json(out, line);
    text_add(out, "\",\"args\":{\"kernel\":%u,\"flops\":%lld,\"bytes\":%lld}}", call->kernel,
             (long long)call->flops, (long long)call->bytes);
}

/* Times are in microseconds, as the format wants them. */
void bench_trace(const Benching *b, Text *out)
{
    const Module *m = b->entry->module;
    text_add(out, "{\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{"
                  "\"name\":\"");
    text_json(out, b->name);
    text_add(out, "\"}}");
    for (uint32_t thread = 0; thread < b->profile.threads; thread++)
        text_add(out,
                 ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\",\"args\":{"
                 "\"name\":\"thread %u\"}}",
                 thread, thread);
    for (uint32_t i = 0; i < m->call.count; i++)
        for (uint32_t thread = 0; thread < b->profile.threads; thread++) {
            Interval share = b->profile.share[i * b->profile.threads + thread];
            if (share.end > 0) trace_share(b, &m->call.at[i], share, thread, out);
        }
    text_add(out, "\n]}\n");
}

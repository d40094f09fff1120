/* `mlc tune FILE kernels`: the backend measures other schedules of an entry's kernels and keeps what is better. */
#include "runtime/compile.h"
#include "runtime/label.h"

#include <string.h>

typedef struct Tuner {
    mlc_model *model;
    const char *what, *entry;
    const mlc_tune_options *options;
    const Compiled *compiled;
    Tuning tuning;
    double begin;
    Text text;
} Tuner;

static const Call *call_of(const Tuner *t, const TunedKernel *kernel)
{
    return &t->compiled->module->call.at[kernel->call];
}

/* --- progress ------------------------------------------------------------------------------------------------------------- */

/* A kernel that is done, for those who see no bar. */
static void tell(const Tuner *t, const TunedKernel *kernel, uint32_t done, uint32_t all)
{
    const Call *call = call_of(t, kernel);
    Text text = {.arena = t->model->arena};
    text_add(&text, "kernel %u/%u  %.1f us, %.1f us before, %u schedules  %s  %s", done, all,
             kernel->after * 1e6, kernel->before * 1e6, kernel->schedules, call->label,
             call_line(t->model, call));
    mlc_event event = {.kind = MLC_EVENT_TUNED, .text = text_done(&text)};
    session_event(t->model->session, &event);
}

static bool goes_on(void *user, uint32_t done, uint32_t all)
{
    Tuner *t = user;
    mlc_event event = {.kind = MLC_EVENT_PROGRESS, .text = "tuning", .step = done, .steps = all};
    if (done) tell(t, list_last(&t->tuning.kernel), done, all);
    session_event(t->model->session, &event);
    return !session_interrupted(t->model->session);
}

/* --- results -------------------------------------------------------------------------------------------------------------- */

static void write_json(Tuner *t)
{
    text_add(&t->text, "{\"entry\":\"%s\",\"device\":\"%s\",\"threads\":%d,\"seconds\":%.6g",
             t->entry, t->model->backend->name, t->model->threads, session_clock() - t->begin);
    text_add(&t->text, ",\"kernels\":[");
    for (uint32_t i = 0; i < t->tuning.kernel.count; i++) {
        const TunedKernel *kernel = &t->tuning.kernel.at[i];
        const Call *call = call_of(t, kernel);
        text_add(&t->text, "%s{\"label\":\"", i ? "," : "");
        text_json(&t->text, call->label);
        text_add(&t->text, "\",\"line\":\"");
        text_json(&t->text, call_line(t->model, call));
        text_add(&t->text,
                 "\",\"kernel\":%u,\"calls\":%u,\"slices\":%lld,\"schedules\":%u,\"before\":%.6g,"
                 "\"after\":%.6g,\"choice\":\"%s\"}",
                 call->kernel, kernel->calls, (long long)kernel->slices, kernel->schedules,
                 kernel->before, kernel->after, kernel->choice);
    }
    text_add(&t->text, "]}\n");
}

static void write_row(Tuner *t, const TunedKernel *kernel)
{
    const Call *call = call_of(t, kernel);
    text_add(&t->text, "%10.1f %10.1f %6.2f %6u  k%u %s  %s", kernel->before * 1e6,
             kernel->after * 1e6, kernel->before / kernel->after, kernel->calls, call->kernel,
             call->label, call_line(t->model, call));
    if (kernel->slices) text_add(&t->text, ", in %lld slices", (long long)kernel->slices);
    if (*kernel->choice) text_add(&t->text, ": %s", kernel->choice);
    text_add(&t->text, "\n");
}

static void write_table(Tuner *t)
{
    double before = 0, after = 0;
    uint32_t better = 0, count = t->tuning.kernel.count;
    for (uint32_t i = 0; i < count; i++) {
        const TunedKernel *kernel = &t->tuning.kernel.at[i];
        before += kernel->before * kernel->calls;
        after += kernel->after * kernel->calls;
        better += *kernel->choice != 0;
    }
    text_add(&t->text, "%s of %s, batch %lld, %s, %d threads: %u of %u kernels better, in %.0f s\n",
             t->entry, experiment_model(t->model->experiment), (long long)t->compiled->batch,
             t->model->backend->name, t->model->threads, better, count, session_clock() - t->begin);
    if (!count) return;
    text_add(&t->text, "%10s %10s %6s %6s  %s\n", "before/us", "after/us", "ratio", "calls",
             "kernel");
    for (uint32_t i = 0; i < count; i++)
        write_row(t, &t->tuning.kernel.at[i]);
    text_add(&t->text, "%10.1f %10.1f %6.2f         together\n", before * 1e6, after * 1e6,
             before / after);
}

static Status tune_kernels(Tuner *t)
{
    EntryKind kind;
    Compiled *compiled;
    mlc_model *model = t->model;
    TRY(entry_named(model, t->entry, &kind));
    if (!model->backend->tune) {
        report_error(model->context.report, (Span){0}, "%s runs no kernels that could be tuned",
                     model->backend->name);
        return STATUS_usage;
    }
    TRY(compile_entry(model, kind, 0, COMPILE_module, &compiled));
    t->compiled = compiled;
    t->begin = session_clock();
    t->tuning =
        (Tuning){.repeat = t->options ? t->options->repeat : 0, .goes_on = goes_on, .user = t};
    TRY(compiled_tune(model, compiled, &t->tuning));
    t->text.arena = model->arena;
    if (t->options && t->options->json)
        write_json(t);
    else
        write_table(t);
    return STATUS_ok;
}

static Status tune(void *argument)
{
    Tuner *t = argument;
    Report *report = t->model->context.report;
    if (!strcmp(t->what, "kernels")) return tune_kernels(t);
    report_error(report, (Span){0}, "there is no tuning of `%s`", t->what);
    report_hint(report, "what can be tuned: kernels");
    return STATUS_usage;
}

mlc_status mlc_tune(mlc_model *model, const char *what, const mlc_tune_options *options,
                    const char **text)
{
    if (!model || !what || !text || (options && options->size != sizeof *options))
        return model_misused(model);
    Tuner tuner = {.model = model, .what = what, .options = options};
    tuner.entry = options && options->entry ? options->entry : "step";
    mlc_status status = model_guard(model, tune, &tuner);
    *text = status == MLC_OK ? text_done(&tuner.text) : "";
    return status;
}

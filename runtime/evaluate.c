#include "runtime/evaluate.h"
#include "ir/base/boundary.h"
#include "runtime/state.h"

#include <string.h>

Status evaluate_metrics(mlc_model *model, const Metric **metric, uint32_t *count)
{
    Compiled *eval;
    TRY(compile_entry(model, ENTRY_eval, 0, COMPILE_graph, &eval));
    *metric = eval->elaborated->metric;
    *count = eval->elaborated->metric_count;
    return STATUS_ok;
}

/* One batch: the entry's inputs picked from the stream's, its scalar outputs added in. */
static Status add_batch(mlc_model *model, const Compiled *eval, const void *const *field,
                        int64_t count, double *sums)
{
    const void *input[16];
    void *output[64];
    float scalar[64];
    for (uint32_t i = 0; i < eval->input_count; i++)
        input[i] = field[eval->input_source[i]];
    for (uint32_t i = 0; i < eval->output_count; i++)
        output[i] = &scalar[i];
    TRY(compiled_run(model, eval, input, output));
    for (uint32_t i = 0; i < eval->output_count; i++)
        sums[i] += (double)scalar[i] * (double)count;
    return STATUS_ok;
}

static Status check_ports(mlc_model *model, const Compiled *c)
{
    const Span nowhere = {0};
    for (uint32_t i = 0; i < c->input_count; i++) {
        if (c->input_source[i] != UINT32_MAX) continue;
        report_error(model->context.report, nowhere, "nothing feeds the input `%s`",
                     name_text(model->context.names, c->input[i].name));
        return STATUS_invalid;
    }
    if (c->input_count <= 16 && c->output_count <= 64) return STATUS_ok;
    report_error(model->context.report, nowhere,
                 "at most 16 inputs and 64 reported values are supported");
    return STATUS_invalid;
}

/* Going through a split once. */
typedef struct Round {
    mlc_model *model;
    const Split *split;
    const StreamOptions *options;
    Stream *stream;
    double *sums;
    bool stops; /* when interrupted; training goes on to its checkpoint */
} Round;

static void close_round(void *argument)
{
    Round *round = argument;
    if (round->stream) stream_close(round->stream);
}

static Status evaluate_stream(void *argument)
{
    Round *round = argument;
    mlc_model *model = round->model;
    int64_t batch = round->options->batch;
    const void *const *field;
    int64_t count, done = 0;
    double start = session_clock(), shown = start;
    TRY(stream_open(round->split, round->options, &round->stream));
    for (;;) {
        TRY(stream_next(round->stream, &field, &count));
        if (!count) return STATUS_ok;
        Compiled *eval;
        TRY(compile_entry(model, ENTRY_eval, count < batch ? count : batch, COMPILE_full, &eval));
        TRY(check_ports(model, eval));
        TRY(add_batch(model, eval, field, count, round->sums));
        done += count;
        if (round->stops && session_interrupted(model->session)) return STATUS_interrupted;
        double now = session_clock();
        if (now - shown < 0.1) continue;
        shown = now;
        mlc_event event = {.kind = MLC_EVENT_PROGRESS,
                           .text = "validating",
                           .step = done,
                           .steps = round->split->count,
                           .samples_per_second = (double)done / (now - start)};
        session_event(model->session, &event);
    }
}

static Status evaluate_once(mlc_model *model, const Split *split, int64_t batch, bool stops,
                            double *values)
{
    Compiled *eval;
    if (batch > split->count) batch = split->count;
    TRY(compile_entry(model, ENTRY_eval, batch, COMPILE_full, &eval));
    uint32_t count = eval->elaborated->metric_count;
    memset(values, 0, count * sizeof *values);
    StreamOptions options = {.host = &model->session->host,
                             .batch = batch,
                             .input_count = eval->elaborated->input_count,
                             .input = eval->elaborated->input};
    Round round = {
        .model = model, .split = split, .options = &options, .sums = values, .stops = stops};
    Status status = boundary_clean(evaluate_stream, close_round, &round);
    for (uint32_t i = 0; i < count; i++)
        values[i] /= (double)split->count;
    return status;
}

Status evaluate_split(mlc_model *model, const Split *split, int64_t batch, double *values)
{
    return evaluate_once(model, split, batch, false, values);
}

typedef struct Evaluating {
    mlc_model *model;
    const char *weights, *split;
} Evaluating;

static Status find_split(mlc_model *model, const char *name, const Split **split)
{
    TRY(model_data(model));
    *split = data_split(model->data, name ? name : "test");
    if (!*split && !name) *split = data_split(model->data, "validate");
    if (*split) return STATUS_ok;
    report_error(model->context.report, experiment_data(model->experiment)->at,
                 "the data has no split `%s`", name ? name : "test");
    Text known = {.arena = model->arena};
    for (uint32_t i = 0; i < data_split_count(model->data); i++)
        text_add(&known, "%s%s", i ? ", " : "", data_split_at(model->data, i)->name);
    report_hint(model->context.report, "it has: %s", text_done(&known));
    return STATUS_invalid;
}

static Status evaluate(void *argument)
{
    const Evaluating *e = argument;
    mlc_model *model = e->model;
    const Metric *metric;
    const Split *split;
    Compiled *eval;
    uint32_t count;
    int64_t batch;
    TRY(find_split(model, e->split, &split));
    TRY(state_take_precision(model, e->weights));
    TRY(compile_entry(model, ENTRY_eval, 0, COMPILE_passes,
                      &eval)); /* before init: states lie as is good for it */
    TRY(state_load_weights(model, e->weights));
    TRY(evaluate_metrics(model, &metric, &count));
    TRY(model_batch(model, &batch));
    double *values = arena_array(model->arena, double, count);
    TRY(data_check(&model->context, model->data, split, eval->elaborated->input_count,
                   eval->elaborated->input));
    TRY(evaluate_once(model, split, batch, true, values));
    for (uint32_t i = 0; i < count; i++)
        *list_add(model->arena, &model->metric) =
            (mlc_metric){name_text(model->context.names, metric[i].name), values[i]};
    return STATUS_ok;
}

mlc_status mlc_eval(mlc_model *model, const char *weights, const char *split,
                    const mlc_metric **metrics, uint32_t *count)
{
    if (!model || !weights || !metrics || !count) return model_misused(model);
    Evaluating evaluating = {model, weights, split};
    model->metric.count = 0;
    mlc_status status = model_guard(model, evaluate, &evaluating);
    *metrics = model->metric.at;
    *count = model->metric.count;
    return status;
}

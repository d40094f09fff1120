/* The training loop: batches in, one compiled step each, validation and checkpoints between.  Everything that a run needs to go on
 * bit-identically is in the checkpoint: the states, and the Progress. */
#include "ir/base/boundary.h"
#include "runtime/evaluate.h"
#include "runtime/progress.h"
#include "runtime/report/run.h"
#include "runtime/state.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

typedef struct Trainer {
    mlc_model *model;
    const mlc_train_options *options;
    const TrainSettings *train;
    Compiled *step;
    const Split *split, *validate, *test;
    const Metric *metric;
    uint32_t metric_count;
    uint32_t best_metric;
    int64_t batch, steps, epochs; /* of the whole run; epochs are rounded up */
    Run run;
    Progress now;
    Stream *stream;
    float *value; /* outputs of the last step */
    void **output;
    double started, epoch_started, shown;
    int64_t started_step, epoch_started_step;
} Trainer;

static const char *metric_text(const Trainer *t, uint32_t i)
{
    return name_text(t->model->context.names, t->metric[i].name);
}

static Status save_checkpoint(Trainer *t)
{
    TRY(run_size(&t->run, &t->now.log_bytes));
    return progress_save(t->model, &t->now, t->run.checkpoint);
}

/* --- events ------------------------------------------------------------------------------------------------------------ */

/* Nothing else lives in the message arena while a call is at work. */
static Status emit(Trainer *t, mlc_event *event)
{
    arena_reset(t->model->session->message);
    if (event->kind != MLC_EVENT_PROGRESS) {
        Text line = {.arena = t->model->session->message};
        event_json(&line, event);
        event->json = text_done(&line);
        TRY(run_log(&t->run, event->json));
    }
    session_event(t->model->session, event);
    return STATUS_ok;
}

/* Warnings are worth reading before a long run, not after it. */
static Status emit_warnings(Trainer *t)
{
    Report *report = t->model->context.report;
    if (!t->model->session->event || !report_warnings(report)) return STATUS_ok;
    Text text = {.arena = t->model->arena};
    report_render(report, &text, false);
    char *rendered = arena_text(t->model->arena, text_done(&text), text.count);
    while (text.count && rendered[text.count - 1] == '\n')
        rendered[--text.count] = 0;
    mlc_event event = {.kind = MLC_EVENT_NOTE, .step = t->now.step, .text = rendered};
    report_clear(report);
    return emit(t, &event);
}

static double rate_of(const Trainer *t)
{
    return t->step->output_count > t->metric_count ? (double)t->value[t->metric_count] : 0;
}

static double speed(const Trainer *t, double since, int64_t since_step)
{
    double seconds = session_clock() - since;
    return seconds > 0 ? (double)((t->now.step - since_step) * t->batch) / seconds : 0;
}

static Status emit_start(Trainer *t)
{
    int64_t parameters = 0;
    for (uint32_t i = 0; i < t->model->state.count; i++)
        if (t->model->state.at[i].state.role == STATE_parameter)
            parameters += shape_elements(&t->model->state.at[i].state.shape);
    int64_t memory;
    TRY(compiled_memory(t->model, t->step, &memory));
    mlc_event event = {.kind = MLC_EVENT_START,
                       .model = experiment_model(t->model->experiment),
                       .device = t->model->backend->name,
                       .threads = t->model->threads,
                       .parameters = parameters,
                       .memory_bytes = memory,
                       .step = t->now.step,
                       .steps = t->steps,
                       .epochs = t->epochs,
                       .compile_seconds = t->step->seconds};
    return emit(t, &event);
}

static Status emit_step(Trainer *t)
{
    mlc_event event = {.kind = MLC_EVENT_STEP,
                       .step = t->now.step,
                       .steps = t->steps,
                       .loss = (double)t->value[0],
                       .rate = rate_of(t),
                       .samples_per_second = speed(t, t->started, t->started_step)};
    return emit(t, &event);
}

static Status emit_progress(Trainer *t)
{
    double now = session_clock();
    if (now - t->shown < 0.1) return STATUS_ok;
    t->shown = now;
    int64_t epoch = t->now.step * t->batch / t->split->count + 1;
    mlc_event event = {.kind = MLC_EVENT_PROGRESS,
                       .text = "training",
                       .step = t->now.step,
                       .steps = t->steps,
                       .epoch = epoch > t->epochs ? t->epochs : epoch,
                       .epochs = t->epochs,
                       .loss = (double)t->value[0],
                       .rate = rate_of(t),
                       .samples_per_second = speed(t, t->started, t->started_step)};
    return emit(t, &event);
}

/* --- validation -------------------------------------------------------------------------------------------------------- */

static bool better(const Trainer *t, uint32_t metric, double value, double than)
{
    if (isnan(than)) return !isnan(value);
    return t->metric[metric].higher_is_better ? value > than : value < than;
}

/* Reduce on plateau: the loss has not fallen for `patience` validations, so the state that scales the rate is lowered. */
static void lower_rate(Trainer *t, double loss)
{
    Progress *p = &t->now;
    if (isnan(p->plateau_best) || loss < p->plateau_best) {
        p->plateau_best = loss;
        p->plateau_waiting = 0;
        return;
    }
    if (++p->plateau_waiting <= t->train->plateau_patience) return;
    StateMemory *scale = state_find(t->model, "train.plateau");
    p->plateau_waiting = 0;
    if (scale) *(float *)scale->bytes *= (float)t->train->plateau_factor;
}

static Status validate(Trainer *t, double *values)
{
    TRY(evaluate_split(t->model, t->validate, t->batch, values));
    double value = values[t->best_metric];
    if (t->train->plateau) lower_rate(t, values[0]);
    if (better(t, t->best_metric, value, t->now.best)) {
        t->now.best = value;
        t->now.waiting = 0;
        return state_save_weights(t->model, t->run.best);
    }
    t->now.waiting++;
    return STATUS_ok;
}

static void list_metrics(const Trainer *t, const double *values, mlc_metric *metrics)
{
    for (uint32_t i = 0; i < t->metric_count; i++)
        metrics[i] = (mlc_metric){metric_text(t, i), values[i]};
}

static bool epoch_ends(const Trainer *t)
{
    int64_t before = (t->now.step - 1) * t->batch / t->split->count,
            after = t->now.step * t->batch / t->split->count;
    return after > before || t->now.step == t->steps;
}

/* Of the epoch that ends or is under way: a batch may hold the tail of one epoch and the head of the next, and the run may end with
 * less than a batch to go. */
static int64_t epoch_number(const Trainer *t)
{
    if (t->now.step == t->steps) return t->epochs;
    return t->now.step * t->batch / t->split->count + !epoch_ends(t);
}

/* The end of an epoch, or of the run, or of the steps between two validations. */
static Status end_period(Trainer *t, bool with_validation)
{
    double mean[MAX_METRICS], values[MAX_METRICS];
    mlc_metric train[MAX_METRICS], validated[MAX_METRICS];
    double seconds = session_clock() - t->epoch_started;
    double throughput = speed(t, t->epoch_started, t->epoch_started_step);
    for (uint32_t i = 0; i < t->metric_count; i++)
        mean[i] = t->now.sum[i] / (double)(t->now.epoch_steps ? t->now.epoch_steps : 1);
    list_metrics(t, mean, train);
    with_validation = with_validation && t->validate;
    if (with_validation) TRY(validate(t, values));
    if (with_validation) list_metrics(t, values, validated);
    mlc_event event = {.kind = MLC_EVENT_EPOCH,
                       .step = t->now.step,
                       .steps = t->steps,
                       .epoch = epoch_number(t),
                       .epochs = t->epochs,
                       .train = train,
                       .train_count = t->metric_count,
                       .validate = validated,
                       .validate_count = with_validation ? t->metric_count : 0,
                       .samples_per_second = throughput,
                       .seconds = seconds};
    memset(t->now.sum, 0, sizeof t->now.sum);
    t->now.epoch_steps = 0;
    return emit(t, &event);
}

/* --- the loop ------------------------------------------------------------------------------------------------------------ */

static Status diverged(Trainer *t)
{
    const Span at = t->train->at;
    Report *report = t->model->context.report;
    report_error(report, at, "the loss became %s at step %lld",
                 isnan(t->value[0]) ? "nan" : "infinite", (long long)t->now.step);
    if (run_has_checkpoint(&t->run))
        report_note(report, (Span){0}, "%s holds the last good state", t->run.checkpoint);
    report_hint(
        report,
        t->now.step == 1
            ? "nothing was updated yet: look for missing and extreme values in the data, and for "
              "what the loss divides by"
            : "lower the rate, add `clip norm(1.0)`, or look at the data for extreme values");
    return STATUS_failed;
}

static Status one_step(Trainer *t)
{
    const void *const *field;
    const void *input[16];
    int64_t count;
    TRY(stream_next(t->stream, &field, &count));
    for (uint32_t i = 0; i < t->step->input_count; i++)
        input[i] = field[t->step->input_source[i]];
    TRY(compiled_run(t->model, t->step, input, t->output));
    t->now.step++;
    t->now.epoch_steps++;
    for (uint32_t i = 0; i < t->metric_count; i++)
        t->now.sum[i] += (double)t->value[i];
    return isfinite(t->value[0]) ? STATUS_ok : diverged(t);
}

static bool patience_ended(const Trainer *t)
{
    return t->train->stop_patience > 0 && t->now.waiting >= t->train->stop_patience;
}

static void start_period(Trainer *t)
{
    t->epoch_started = session_clock();
    t->epoch_started_step = t->now.step;
}

/* What is due after a step. *stop: early stopping. */
static Status after_step(Trainer *t, bool *stop)
{
    const TrainSettings *s = t->train;
    bool epoch = epoch_ends(t), last = t->now.step == t->steps;
    bool period = s->validate > 0 && (t->now.step % s->validate == 0 || last);
    if (t->now.step % s->log == 0 || last) TRY(emit_step(t));
    if (epoch || period) TRY(end_period(t, s->validate < 0 ? epoch : period));
    *stop = (epoch || period) && patience_ended(t);
    bool due = epoch || last || *stop || (s->checkpoint > 0 && t->now.step % s->checkpoint == 0);
    if (due) TRY(save_checkpoint(t));
    if (epoch || period) start_period(t);
    return emit_progress(t);
}

static Status loop(Trainer *t)
{
    bool stop = patience_ended(t);
    start_period(t);
    t->started = t->epoch_started;
    t->started_step = t->now.step;
    while (t->now.step < t->steps && !stop) {
        TRY(one_step(t));
        TRY(after_step(t, &stop));
        if (!stop && session_interrupted(t->model->session)) {
            TRY(save_checkpoint(t));
            return STATUS_interrupted;
        }
    }
    return STATUS_ok;
}

static Status finish(Trainer *t)
{
    double values[MAX_METRICS];
    mlc_metric test[MAX_METRICS];
    struct rusage usage;
    double seconds = session_clock() - t->started;
    if (isnan(t->now.best)) TRY(state_save_weights(t->model, t->run.best));
    if (t->test) {
        TRY(state_load_weights(t->model, t->run.best));
        TRY(evaluate_split(t->model, t->test, t->batch, values));
        list_metrics(t, values, test);
    }
    getrusage(RUSAGE_SELF, &usage);
    mlc_event event = {.kind = MLC_EVENT_END,
                       .step = t->now.step,
                       .steps = t->steps,
                       .seconds = seconds,
                       .test = test,
                       .test_count = t->test ? t->metric_count : 0,
                       .peak_rss_bytes = usage.ru_maxrss * 1024};
    return emit(t, &event);
}

/* --- setting up ------------------------------------------------------------------------------------------------------------ */

static Status check_data(Trainer *t)
{
    const Elaborated *e = t->step->elaborated;
    const Split *used[3] = {t->split, t->validate, t->test};
    for (int i = 0; i < 3; i++)
        if (used[i])
            TRY(data_check(&t->model->context, t->model->data, used[i], e->input_count, e->input));
    return STATUS_ok;
}

static Status require_train(const Trainer *t)
{
    const Span nowhere = {0};
    const CompressBlock *compress = experiment_compress(t->model->experiment);
    if (compress)
        report_warning(
            t->model->context.report, compress->at,
            "training does not compress: `mlc quantize` does afterwards what this says of "
            "quantization, and pruning is not there yet");
    if (t->train && t->train->present) return STATUS_ok;
    report_error(t->model->context.report, nowhere, "%s has no `train` block", t->model->path);
    report_hint(t->model->context.report,
                "add: train { minimize cross_entropy(logits, label); optimizer adam(); epochs 5 }");
    return STATUS_invalid;
}

static void choose_best_metric(Trainer *t)
{
    t->best_metric = t->metric_count > 1 ? 1 : 0;
    for (uint32_t i = 0; i < t->metric_count; i++)
        if (t->train->best_metric && !strcmp(metric_text(t, i), t->train->best_metric))
            t->best_metric = i;
}

static Status set_up_data(Trainer *t)
{
    mlc_model *model = t->model;
    TRY(model_data(model));
    t->split = data_split(model->data, "train");
    if (!t->split) {
        report_error(model->context.report, experiment_data(model->experiment)->at,
                     "the data has no `train` split");
        return STATUS_invalid;
    }
    t->validate = t->train->validate == 0 ? NULL : data_split(model->data, "validate");
    t->test = data_split(model->data, "test");
    return model_batch(model, &t->batch);
}

static Status set_up_step(Trainer *t)
{
    mlc_model *model = t->model;
    mlc_event event = {.kind = MLC_EVENT_PROGRESS, .text = "compiling"};
    session_event(model->session, &event);
    TRY(compile_entry(model, ENTRY_step, 0, COMPILE_graph, &t->step));
    TRY(check_data(t));
    TRY(compile_entry(model, ENTRY_step, 0, COMPILE_full, &t->step));
    TRY(state_initialize(model));
    t->metric = t->step->elaborated->metric;
    t->metric_count = t->step->elaborated->metric_count;
    if (t->metric_count > MAX_METRICS || t->step->input_count > 16) {
        report_error(model->context.report, t->train->at,
                     "at most %d metrics and 16 inputs are supported", MAX_METRICS - 1);
        return STATUS_invalid;
    }
    t->value = arena_array(model->arena, float, t->step->output_count);
    t->output = arena_array(model->arena, void *, t->step->output_count);
    for (uint32_t i = 0; i < t->step->output_count; i++)
        t->output[i] = &t->value[i];
    choose_best_metric(t);
    return STATUS_ok;
}

static Status set_up_stream(Trainer *t)
{
    int64_t count = t->split->count;
    t->steps = t->train->steps > 0 ? t->train->steps : t->train->epochs * count / t->batch;
    t->epochs = (t->steps * t->batch + count - 1) / count;
    if (t->train->accumulate > t->steps) {
        report_error(t->model->context.report, t->train->at,
                     "the run has %lld steps, and `accumulate %lld` updates after so many only",
                     (long long)t->steps, (long long)t->train->accumulate);
        return STATUS_invalid;
    }
    bool waits = t->train->stop_patience > 0 || t->train->plateau;
    if (waits && !t->validate) {
        report_warning(t->model->context.report, t->train->at,
                       "nothing is validated, so `%s` has nothing to go by",
                       t->train->plateau ? "schedule plateau" : "stop");
        report_hint(t->model->context.report,
                    "add `validate: split(train, 0.1)` to the data block");
    }
    StreamOptions options = {.host = &t->model->session->host,
                             .batch = t->batch,
                             .shuffle = true,
                             .seed = t->model->seed,
                             .start = t->now.step * t->batch,
                             .input_count = t->step->elaborated->input_count,
                             .input = t->step->elaborated->input};
    return stream_open(t->split, &options, &t->stream);
}

static Status start_state(Trainer *t)
{
    bool resume = t->options && t->options->resume && run_has_checkpoint(&t->run);
    t->now = (Progress){.metric_count = t->metric_count,
                        .best = NAN,
                        .plateau_best = NAN,
                        .batch = t->batch,
                        .seed = t->model->seed,
                        .samples = t->split->count};
    if (resume) {
        TRY(progress_load(t->model, &t->now, t->run.checkpoint));
        return run_truncate(&t->run, t->now.log_bytes);
    }
    TRY(t->options && t->options->init ? state_load_weights(t->model, t->options->init)
                                       : state_load_declared(t->model));
    return run_clear(&t->run);
}

static Status train_in_run(Trainer *t)
{
    TRY(start_state(t));
    TRY(set_up_stream(t));
    TRY(run_keep(&t->run, "model.mlc", experiment_resolved(t->model->experiment)));
    TRY(emit_start(t));
    TRY(emit_warnings(t));
    TRY(loop(t));
    return finish(t);
}

static void close_training(void *argument)
{
    Trainer *t = argument;
    if (t->stream) stream_close(t->stream);
    run_close(&t->run);
}

static Status set_up_and_train(void *argument)
{
    Trainer *t = argument;
    t->train = experiment_train(t->model->experiment);
    TRY(require_train(t));
    TRY(set_up_data(t));
    TRY(set_up_step(t));
    TRY(run_open(&t->run, t->model, t->options ? t->options->out : NULL));
    return train_in_run(t);
}

static Status train(void *argument)
{
    return boundary_clean(set_up_and_train, close_training, argument);
}

mlc_status mlc_train(mlc_model *model, const mlc_train_options *options)
{
    if (!model || (options && options->size != sizeof *options)) return model_misused(model);
    Trainer trainer = {.model = model, .options = options, .run.file = -1};
    return model_guard(model, train, &trainer);
}

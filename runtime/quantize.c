/* `mlc quantize`: shows examples to the f32 model, and writes its weights and what it saw of the activations as those of an int8 model. */
#include "passes/quantize.h"
#include "ir/base/boundary.h"
#include "runtime/report/run.h"
#include "runtime/state.h"

#include <math.h>
#include <string.h>

#define EXAMPLES 1024 /* unless the model file says how many */

typedef struct Quantizer {
    mlc_model *model;
    const mlc_quantize_options *options;
    const Split *split;
    int64_t examples, batch;
    const Compiled *predict;
    Quantization quantization;
    Stream *stream;
    const void **input;
    void **output;
    TensorSet
        seen; /* what predict gave: scales and integers of the weights, ranges of the activations */
    TensorSet made; /* the file */
    Run run;
} Quantizer;

/* --- what is asked ----------------------------------------------------------------------------------------------------------- */

static Status read_examples(Quantizer *q)
{
    const CompressBlock *compress = experiment_compress(q->model->experiment);
    q->examples = EXAMPLES;
    for (uint32_t i = 0; compress && i < compress->count; i++) {
        const Static *value = &compress->setting[i].value;
        if (strcmp(compress->setting[i].name, "quantize") != 0 || value->kind != STATIC_call)
            continue;
        for (uint32_t k = 0; k < value->count; k++) {
            const Static *number = &value->element[k];
            if (strcmp(value->label[k], "calibrate") != 0) continue;
            if (number->kind != STATIC_number || !number->is_integer || number->number < 1) {
                report_error(q->model->context.report, number->at,
                             "`calibrate` is a number of examples, 1 or more");
                return STATUS_invalid;
            }
            q->examples = (int64_t)number->number;
        }
    }
    return STATUS_ok;
}

static Status set_up(Quantizer *q)
{
    mlc_model *model = q->model;
    if (model->precision) {
        report_error(model->context.report, (Span){0},
                     "quantizing starts from f32, without --precision");
        return STATUS_usage;
    }
    TRY(read_examples(q));
    TRY(model_data(model));
    q->split = data_split(model->data, "train");
    if (!q->split) q->split = data_split_at(model->data, 0);
    if (q->examples > q->split->count) q->examples = q->split->count;
    TRY(model_batch(model, &q->batch));
    if (q->batch > q->examples) q->batch = q->examples;
    Compiled *predict;
    model->observes = true;
    TRY(compile_entry(model, ENTRY_predict, q->batch, COMPILE_full, &predict));
    model->observes = false;
    q->predict = predict;
    q->quantization = quantization_of(predict->elaborated->program, predict->arena);
    TRY(state_load_weights(model, q->options->weights));
    const Elaborated *e = predict->elaborated;
    return data_check(&model->context, model->data, q->split, e->input_count, e->input);
}

/* --- calibration ------------------------------------------------------------------------------------------------------------- */

static const Tensor *seen(const Quantizer *q, Name name)
{
    return tensor_set_find(&q->seen, name_text(q->model->context.names, name));
}

static Status make_room(Quantizer *q)
{
    const Compiled *c = q->predict;
    q->input = arena_array(q->model->arena, const void *, c->input_count);
    q->output = arena_array(q->model->arena, void *, c->output_count);
    for (uint32_t i = 0; i < c->output_count; i++) {
        const Port *port = &c->output[i];
        const Tensor *tensor = tensor_set_add(
            &q->seen, name_text(q->model->context.names, port->name), port->type, &port->shape);
        if (!tensor) return STATUS_no_memory;
        q->output[i] = tensor->bytes;
    }
    return STATUS_ok;
}

/* The widest range of all batches so far is left in `widest`; NaN, once seen, stays. */
static void widen(const Quantizer *q, float *widest)
{
    for (uint32_t i = 0; i < q->quantization.weight.count; i++) {
        const QuantizedWeight *weight = &q->quantization.weight.at[i];
        if (!weight->owns_range) continue;
        float *range = seen(q, weight->input_range)->bytes;
        if (!isnan(widest[i]) && !(widest[i] >= *range)) widest[i] = *range;
        *range = widest[i];
    }
}

static Status observe(Quantizer *q)
{
    const Compiled *c = q->predict;
    const void *const *field;
    int64_t count;
    float *widest = arena_array(q->model->arena, float, q->quantization.weight.count);
    StreamOptions options = {.host = &q->model->session->host,
                             .batch = q->batch,
                             .shuffle = true,
                             .seed = q->model->seed,
                             .input_count = c->elaborated->input_count,
                             .input = c->elaborated->input};
    TRY(stream_open(q->split, &options, &q->stream));
    for (int64_t done = 0; done < q->examples; done += count) {
        TRY(stream_next(q->stream, &field, &count));
        for (uint32_t i = 0; i < c->input_count; i++)
            q->input[i] = field[c->input_source[i]];
        TRY(compiled_run(q->model, c, q->input, q->output));
        widen(q, widest);
        mlc_event event = {.kind = MLC_EVENT_PROGRESS,
                           .text = "calibrating",
                           .step = done + count,
                           .steps = q->examples};
        session_event(q->model->session, &event);
        if (session_interrupted(q->model->session)) return STATUS_interrupted;
    }
    return STATUS_ok;
}

static bool all_finite(const Tensor *tensor)
{
    const float *value = tensor->bytes;
    for (int64_t i = 0; i < shape_elements(&tensor->shape); i++)
        if (!isfinite(value[i])) return false;
    return true;
}

static Status check_finite(const Quantizer *q)
{
    const mlc_model *model = q->model;
    for (uint32_t i = 0; i < q->quantization.weight.count; i++) {
        const QuantizedWeight *weight = &q->quantization.weight.at[i];
        const char *name = name_text(model->context.names, weight->weight);
        const State *state = program_state(q->predict->elaborated->program, weight->weight);
        if (!all_finite(seen(q, weight->scale)))
            report_error(model->context.report, state->at,
                         "`%s` holds values that are no finite numbers", name);
        else if (!all_finite(seen(q, weight->input_range)))
            report_error(model->context.report, state->at,
                         "what `%s` multiplies is not finite for some of the %lld examples", name,
                         (long long)q->examples);
    }
    return report_errors(model->context.report) ? STATUS_failed : STATUS_ok;
}

/* --- the file ---------------------------------------------------------------------------------------------------------------- */

static Status add_copy(Quantizer *q, const Tensor *from)
{
    const Tensor *tensor = tensor_set_add(&q->made, from->name, from->type, &from->shape);
    if (!tensor) return STATUS_no_memory;
    memcpy(tensor->bytes, from->bytes, from->size);
    return STATUS_ok;
}

static Status add_state(Quantizer *q, const StateMemory *memory)
{
    const State *state = &memory->state;
    const QuantizedWeight *weight = quantize_weight(&q->quantization, state->name);
    if (weight) {
        TRY(add_copy(q, seen(q, weight->weight)));
        TRY(add_copy(q, seen(q, weight->scale)));
        return weight->owns_range ? add_copy(q, seen(q, weight->input_range)) : STATUS_ok;
    }
    const char *name = name_text(q->model->context.names, state->name);
    const Tensor *tensor = tensor_set_add(&q->made, name, state->type, &state->shape);
    if (!tensor) return STATUS_no_memory;
    state_copy_out(memory, tensor->bytes);
    return STATUS_ok;
}

static Status write_file(Quantizer *q)
{
    mlc_model *model = q->model;
    for (uint32_t i = 0; i < model->state.count; i++)
        if (state_is_weight(&model->state.at[i])) TRY(add_state(q, &model->state.at[i]));
    TRY(tensor_set_note(&q->made, "format", "pt"));
    TRY(tensor_set_note(&q->made, "mlc.weights", "1"));
    TRY(tensor_set_note(&q->made, NOTE_PRECISION, "int8"));
    TRY(safetensors_write(&q->made, q->run.best, model->context.report));
    return run_keep(&q->run, "model.mlc", experiment_resolved(model->experiment));
}

/* What is there in int8 may be made anew; other weights may be all that is left of a training. */
static bool holds_other_weights(const Quantizer *q)
{
    TensorSet set;
    Report *unheard = report_new(q->model->arena, q->model->context.sources);
    tensor_set_open(&set, &q->model->session->host);
    bool is_there = safetensors_read_notes(&set, q->run.best, unheard) == STATUS_ok;
    bool is_other = is_there && !tensor_set_noted(&set, NOTE_PRECISION);
    tensor_set_close(&set);
    return is_other;
}

static Status open_folder(Quantizer *q)
{
    TRY(run_open(&q->run, q->model, q->options->out));
    if (!run_has_checkpoint(&q->run) && !holds_other_weights(q)) return STATUS_ok;
    report_error(q->model->context.report, (Span){0}, "%s holds a training run", q->options->out);
    report_hint(q->model->context.report, "choose another folder with --out");
    return STATUS_usage;
}

static Status quantize(void *argument)
{
    Quantizer *q = argument;
    TRY(set_up(q));
    TRY(make_room(q));
    TRY(open_folder(q));
    TRY(observe(q));
    TRY(check_finite(q));
    return write_file(q);
}

static void close_all(void *argument)
{
    Quantizer *q = argument;
    q->model->observes = false;
    if (q->stream) stream_close(q->stream);
    run_close(&q->run);
    tensor_set_close(&q->seen);
    tensor_set_close(&q->made);
}

static Status work_quantize(void *argument)
{
    Quantizer *q = argument;
    tensor_set_open(&q->seen, &q->model->session->host);
    tensor_set_open(&q->made, &q->model->session->host);
    return boundary_clean(quantize, close_all, q);
}

mlc_status mlc_quantize(mlc_model *model, const mlc_quantize_options *options)
{
    if (!model || !options || options->size != sizeof *options || !options->weights ||
        !options->out)
        return model_misused(model);
    Quantizer quantizer = {.model = model, .options = options, .run.file = -1};
    return model_guard(model, work_quantize, &quantizer);
}

/* The model's outputs for a file or a split, batch after batch, written at the end as one file. */
#include "ir/base/boundary.h"
#include "runtime/compile.h"
#include "runtime/state.h"

#include <string.h>
#include <unistd.h>

typedef struct Predicting {
    mlc_model *model;
    const char *weights, *in, *out;
    Data *file; /* opened for this prediction alone */
    const Split *split;
    uint32_t input_count;
    ModelInput *input; /* only those that predict uses */
    uint32_t *place;   /* of each among the model's inputs: which field of a split feeds it */
    Split picked;      /* a split's fields by those places */
    int64_t batch;
    TensorSet result;
    int64_t *rows; /* of each result, those of one sample; 0: it has no batch axis */
    Stream *stream;
} Predicting;

static Status list_inputs(Predicting *p)
{
    Compiled *probe;
    TRY(compile_entry(p->model, ENTRY_predict, 1, COMPILE_passes, &probe));
    const Elaborated *e = probe->elaborated;
    p->input = arena_array(p->model->arena, ModelInput, e->input_count);
    p->place = arena_array(p->model->arena, uint32_t, e->input_count);
    for (uint32_t i = 0; i < e->input_count; i++)
        for (uint32_t j = 0; j < probe->input_count; j++) {
            if (probe->input_source[j] != i) continue;
            p->place[p->input_count] = i;
            p->input[p->input_count++] = e->input[i];
        }
    return STATUS_ok;
}

/* The stream feeds field 0 to the first input, and so on: inputs that predict does not use leave no gap there. */
static Status pick_fields(Predicting *p, const Split *split)
{
    p->picked = *split;
    p->picked.field_count = 0;
    for (uint32_t i = 0; i < p->input_count && p->place[i] < split->field_count; i++)
        p->picked.field[p->picked.field_count++] = split->field[p->place[i]];
    p->split = &p->picked;
    return data_check(&p->model->context, p->model->data, p->split, p->input_count, p->input);
}

/* A word without a dot or a slash was meant as a split, unless there is such a file. */
static Status refuse_split(const Predicting *p, const DataBlock *block)
{
    if (strpbrk(p->in, "./") || access(p->in, F_OK) == 0) return STATUS_ok;
    Report *report = p->model->context.report;
    report_error(report, (Span){0}, "`%s` is neither a split of the data nor a file", p->in);
    Text names = {.arena = p->model->arena};
    for (uint32_t i = 0; block && i < block->count; i++)
        if (block->entry[i].value.kind == STATIC_call)
            text_add(&names, "%s%s", names.count ? ", " : "", block->entry[i].name);
    if (names.count) report_hint(report, "the splits are: %s", text_done(&names));
    return STATUS_invalid;
}

static Status open_input(Predicting *p)
{
    mlc_model *model = p->model;
    const DataBlock *block = experiment_data(model->experiment);
    for (uint32_t i = 0; block && i < block->count; i++) {
        if (strcmp(block->entry[i].name, p->in) != 0) continue;
        TRY(model_data(model));
        const Split *split = data_split(model->data, p->in);
        if (split) return pick_fields(p, split);
    }
    TRY(refuse_split(p, block));
    DataOptions options = {.host = &model->session->host, .folder = ".", .seed = model->seed};
    TRY(data_open_file(&model->context, p->in, &options, p->input_count, p->input, &p->file));
    p->split = data_split_at(p->file, 0);
    return data_check(&model->context, p->file, p->split, p->input_count, p->input);
}

static Status refuse_output(const Predicting *p, const Port *port, const char *what,
                            const char *hint)
{
    Report *report = p->model->context.report;
    Text shape = {.arena = p->model->arena};
    shape_print(&shape, port->type, &port->shape);
    report_error(report, (Span){0}, "output `%s`, %s for %lld samples, %s",
                 name_text(p->model->context.names, port->name), text_done(&shape),
                 (long long)p->batch, what);
    report_hint(report, "%s", hint);
    return STATUS_invalid;
}

/* How many rows of an output a sample is: told by what one sample more makes of its shape. An extent that only happens to equal
 * the batch does not grow. */
static Status count_rows(const Predicting *p, const Port *port, const Port *larger, int64_t *rows)
{
    *rows = 0;
    for (int axis = 0; axis < port->shape.rank; axis++) {
        int64_t grown = larger->shape.extent[axis] - port->shape.extent[axis];
        if (grown && (axis > 0 || grown * p->batch != port->shape.extent[axis]))
            return refuse_output(p, port, "has no first axis that counts the samples",
                                 "transpose or reshape it");
        *rows += grown;
    }
    return STATUS_ok;
}

static Status make_results(Predicting *p)
{
    Compiled *c, *larger;
    TRY(compile_entry(p->model, ENTRY_predict, p->batch, COMPILE_passes, &c));
    TRY(compile_entry(p->model, ENTRY_predict, p->batch + 1, COMPILE_passes, &larger));
    p->rows = arena_array(p->model->arena, int64_t, c->output_count);
    for (uint32_t i = 0; i < c->output_count; i++) {
        Shape shape = c->output[i].shape;
        TRY(count_rows(p, &c->output[i], &larger->output[i], &p->rows[i]));
        if (p->rows[i]) shape.extent[0] = p->rows[i] * p->split->count;
        const char *name = name_text(p->model->context.names, c->output[i].name);
        if (!tensor_set_add(&p->result, name, c->output[i].type, &shape)) return STATUS_no_memory;
    }
    return STATUS_ok;
}

/* Rows go behind those of the batches before; what has none must be the same every time. */
static Status keep_output(Predicting *p, uint32_t i, const Port *port, const void *bytes,
                          int64_t done)
{
    size_t size = (size_t)port_bytes(port);
    size_t sample = p->rows[i] ? p->result.at[i].size / (size_t)p->split->count : 0;
    char *to = (char *)p->result.at[i].bytes + sample * (size_t)done;
    if (!sample && done && memcmp(to, bytes, size) != 0)
        return refuse_output(p, port, "has no batch axis and changes from batch to batch",
                             "reduce over other axes than the first, or predict fewer samples");
    memcpy(to, bytes, size);
    return STATUS_ok;
}

static Status predict_batch(Predicting *p, const void *const *field, int64_t done, int64_t count)
{
    Compiled *c;
    TRY(compile_entry(p->model, ENTRY_predict, count, COMPILE_full, &c));
    Arena *scratch = p->model->session->message;
    const void **input = arena_array(scratch, const void *, c->input_count);
    void **output = arena_array(scratch, void *, c->output_count);
    for (uint32_t i = 0; i < c->input_count; i++)
        for (uint32_t j = 0; j < p->input_count; j++)
            if (name_same(p->input[j].name, c->input[i].name)) input[i] = field[j];
    for (uint32_t i = 0; i < c->output_count; i++) {
        /* Backends want aligned buffers: a batch goes through one of its own. */
        char *bytes = arena_alloc(scratch, (size_t)port_bytes(&c->output[i]) + 64);
        output[i] = (char *)(((uintptr_t)bytes + 63) & ~(uintptr_t)63);
    }
    TRY(compiled_run(p->model, c, input, output));
    for (uint32_t i = 0; i < c->output_count; i++)
        TRY(keep_output(p, i, &c->output[i], output[i], done));
    arena_reset(scratch);
    return STATUS_ok;
}

static Status predict_all(Predicting *p)
{
    StreamOptions options = {.host = &p->model->session->host,
                             .batch = p->batch,
                             .input_count = p->input_count,
                             .input = p->input};
    const void *const *field;
    int64_t count, done = 0;
    TRY(stream_open(p->split, &options, &p->stream));
    for (;;) {
        TRY(stream_next(p->stream, &field, &count));
        if (!count) return STATUS_ok;
        TRY(predict_batch(p, field, done, count));
        done += count;
        if (session_interrupted(p->model->session)) return STATUS_interrupted;
    }
}

/* One row a sample, one column an element of each output. */
static Status write_csv(Predicting *p)
{
    Text text = {.arena = p->model->session->message}; /* not the model's: it may be long */
    for (uint32_t i = 0; i < p->result.count; i++) {
        const Tensor *tensor = &p->result.at[i];
        int64_t columns = shape_elements(&tensor->shape) / p->split->count;
        for (int64_t j = 0; j < columns; j++) {
            text_add(&text, "%s%s", text.count ? "," : "", tensor->name);
            if (columns > 1) text_add(&text, ".%lld", (long long)j);
        }
    }
    text_add(&text, "\n");
    for (int64_t row = 0; row < p->split->count; row++) {
        for (uint32_t i = 0, column = 0; i < p->result.count; i++) {
            const Tensor *tensor = &p->result.at[i];
            int64_t columns = shape_elements(&tensor->shape) / p->split->count;
            for (int64_t j = 0; j < columns; j++) {
                if (column++) text_add(&text, ",");
                text_number(&text, tensor_element(tensor, row * columns + j));
            }
        }
        text_add(&text, "\n");
    }
    return file_write(p->out, text_done(&text), text.count, p->model->context.report);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* Before the work, which may be long: whether --out can take the results. */
static Status check_target(const Predicting *p)
{
    Report *report = p->model->context.report;
    bool is_table = ends_with(p->out, ".csv");
    if (!is_table && !ends_with(p->out, ".safetensors") &&
        !(ends_with(p->out, ".npy") && p->result.count == 1)) {
        report_error(report, (Span){0}, "cannot write %u outputs to %s", p->result.count, p->out);
        report_hint(report, "name a .safetensors or .csv file, or .npy when there is one output");
        return STATUS_usage;
    }
    for (uint32_t i = 0; is_table && i < p->result.count; i++) {
        if (p->rows[i]) continue;
        report_error(report, (Span){0},
                     "%s: output `%s` has no batch axis, so it has no place in a row of a sample",
                     p->out, p->result.at[i].name);
        report_hint(report, "name a .safetensors file");
        return STATUS_usage;
    }
    return STATUS_ok;
}

static Status write_results(Predicting *p)
{
    Report *report = p->model->context.report;
    if (ends_with(p->out, ".safetensors")) return safetensors_write(&p->result, p->out, report);
    if (ends_with(p->out, ".csv")) return write_csv(p);
    return npy_write(&p->result.at[0], p->out, report);
}

static Status predict_from(void *argument)
{
    Predicting *p = argument;
    TRY(state_take_precision(p->model, p->weights));
    TRY(list_inputs(p));
    TRY(open_input(p));
    TRY(state_load_weights(p->model, p->weights));
    TRY(model_batch(p->model, &p->batch));
    if (p->batch > p->split->count) p->batch = p->split->count;
    TRY(make_results(p));
    TRY(check_target(p));
    TRY(predict_all(p));
    return write_results(p);
}

static void close_prediction(void *argument)
{
    Predicting *p = argument;
    if (p->stream) stream_close(p->stream);
    tensor_set_close(&p->result);
    data_close(p->file);
}

static Status predict(void *argument)
{
    Predicting *p = argument;
    tensor_set_open(&p->result, &p->model->session->host);
    return boundary_clean(predict_from, close_prediction, p);
}

mlc_status mlc_predict(mlc_model *model, const char *weights, const char *in, const char *out)
{
    if (!model || !weights || !in || !out) return model_misused(model);
    Predicting predicting = {.model = model, .weights = weights, .in = in, .out = out};
    return model_guard(model, predict, &predicting);
}

/* The model's outputs for a file or a split, batch after batch, written at the end as one file. */
#include "ir/base/boundary.h"
#include "runtime/compile.h"
#include "runtime/state.h"

#include <string.h>

typedef struct Predicting {
    mlc_model *model;
    const char *weights, *in, *out;
    Data *file; /* opened for this prediction alone */
    const Split *split;
    uint32_t input_count;
    ModelInput *input; /* only those that predict uses */
    TensorSet result;
    Stream *stream;
} Predicting;

static Status list_inputs(Predicting *p)
{
    Compiled *probe;
    TRY(compile_entry(p->model, ENTRY_predict, 1, COMPILE_passes, &probe));
    p->input = arena_array(p->model->arena, ModelInput, probe->elaborated->input_count);
    for (uint32_t i = 0; i < probe->elaborated->input_count; i++)
        for (uint32_t j = 0; j < probe->input_count; j++)
            if (probe->input_source[j] == i) p->input[p->input_count++] = probe->elaborated->input[i];
    return STATUS_ok;
}

static Status open_input(Predicting *p)
{
    mlc_model *model = p->model;
    const DataBlock *block = experiment_data(model->experiment);
    for (uint32_t i = 0; block && i < block->count; i++) {
        if (strcmp(block->entry[i].name, p->in) != 0) continue;
        TRY(model_data(model));
        p->split = data_split(model->data, p->in);
        if (p->split) return STATUS_ok;
    }
    DataOptions options = {.host = &model->session->host, .folder = ".", .seed = model->seed};
    TRY(data_open_file(&model->context, p->in, &options, p->input_count, p->input, &p->file));
    p->split = data_split_at(p->file, 0);
    return data_check(&model->context, p->file, p->split, p->input_count, p->input);
}

static Status make_results(Predicting *p, const Compiled *c)
{
    for (uint32_t i = 0; i < c->output_count; i++) {
        Shape shape = c->output[i].shape;
        bool batched = shape.rank > 0 && shape.extent[0] == c->batch;
        if (batched) shape.extent[0] = p->split->count;
        const char *name = name_text(p->model->context.names, c->output[i].name);
        if (!tensor_set_add(&p->result, name, c->output[i].type, &shape)) return STATUS_no_memory;
    }
    return STATUS_ok;
}

static Status predict_batch(Predicting *p, const void *const *field, int64_t done, int64_t count)
{
    Compiled *c;
    TRY(compile_entry(p->model, ENTRY_predict, count, COMPILE_full, &c));
    if (done == 0) TRY(make_results(p, c));
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
    for (uint32_t i = 0; i < c->output_count; i++) {
        const Tensor *whole = &p->result.at[i];
        bool batched = whole->shape.rank > 0 && whole->shape.extent[0] == p->split->count;
        size_t row = batched ? whole->size / (size_t)p->split->count : 0;
        memcpy((char *)whole->bytes + row * (size_t)done, output[i], (size_t)port_bytes(&c->output[i]));
    }
    arena_reset(scratch);
    return STATUS_ok;
}

static Status predict_all(Predicting *p, int64_t batch)
{
    StreamOptions options = {.host = &p->model->session->host,
                             .batch = batch,
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
    Text text = {.arena = p->model->arena};
    for (uint32_t i = 0; i < p->result.count; i++) {
        const Tensor *tensor = &p->result.at[i];
        int64_t columns = p->split->count ? shape_elements(&tensor->shape) / p->split->count : 0;
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

static Status write_results(Predicting *p)
{
    Report *report = p->model->context.report;
    if (ends_with(p->out, ".safetensors")) return safetensors_write(&p->result, p->out, report);
    if (ends_with(p->out, ".csv")) return write_csv(p);
    if (ends_with(p->out, ".npy") && p->result.count == 1) return npy_write(&p->result.at[0], p->out, report);
    report_error(report, (Span){0}, "cannot write %u outputs to %s", p->result.count, p->out);
    report_hint(report, "name a .safetensors or .csv file, or .npy when there is one output");
    return STATUS_usage;
}

static Status predict_from(void *argument)
{
    Predicting *p = argument;
    int64_t batch;
    TRY(list_inputs(p));
    TRY(open_input(p));
    TRY(state_load_weights(p->model, p->weights));
    TRY(model_batch(p->model, &batch));
    if (batch > p->split->count) batch = p->split->count;
    TRY(predict_all(p, batch));
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
    if (!model || !weights || !in || !out) return MLC_USAGE;
    Predicting predicting = {.model = model, .weights = weights, .in = in, .out = out};
    return model_guard(model, predict, &predicting);
}

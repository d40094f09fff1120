#include "frontend/cli/cli.h"

#include <stdio.h>
#include <string.h>

enum { METRICS = 64, BATCHES = 2 };

/* A batch that would take longer is not predicted for the table. */
#define MOST_SECONDS 1

static const int batches[BATCHES] = {1, 128};

/* The model with some weights. */
typedef struct Side {
    const char *weights;
    uint32_t count;
    char name[METRICS][64]; /* of the metrics */
    double metric[METRICS];
    int64_t bytes;
    double seconds[BATCHES]; /* of predicting a batch; 0: not measured */
} Side;

/* Metrics, where the file has a split and something to report. */
static mlc_status evaluate(mlc_session *session, mlc_model *model, const Options *options,
                           Side *side)
{
    const mlc_metric *metric;
    uint32_t count = 0;
    mlc_status status = mlc_eval(model, side->weights, options->split, &metric, &count);
    if (status == MLC_INVALID && !options->split) {
        fprintf(stderr, "the table is without metrics:\n%s",
                mlc_diagnostics(session, colour_wanted()));
        return MLC_OK;
    }
    for (uint32_t i = 0; i < count && i < METRICS; i++) {
        snprintf(side->name[i], sizeof side->name[i], "%s", metric[i].name);
        side->metric[side->count++] = metric[i].value;
    }
    return status;
}

static mlc_status weigh(mlc_model *model, Side *side)
{
    const mlc_tensor *tensor;
    uint32_t count = 0;
    mlc_status status = mlc_load(model, side->weights);
    if (status == MLC_OK) status = mlc_weights(model, &tensor, &count);
    for (uint32_t i = 0; i < count; i++)
        side->bytes += (int64_t)tensor[i].bytes;
    return status;
}

static mlc_status time_batch(mlc_model *model, const Options *options, Side *side, int i)
{
    const char *text;
    mlc_bench_options bench = {.size = sizeof bench,
                               .entry = "predict",
                               .batch = batches[i],
                               .repeat = options->repeat,
                               .weights = side->weights,
                               .seconds = &side->seconds[i]};
    return mlc_bench(model, &bench, &text);
}

/* As the other side was, if there is one. */
static int measure(mlc_session *session, const Options *options, const Side *other, Side *side)
{
    int code = 0;
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    mlc_status status = MLC_OK;
    for (int i = 0; i < BATCHES && status == MLC_OK; i++) {
        bool is_long = i && side->seconds[0] * batches[i] > MOST_SECONDS;
        if (other ? other->seconds[i] > 0 : !is_long) status = time_batch(model, options, side, i);
    }
    if (status == MLC_OK) status = evaluate(session, model, options, side);
    if (status == MLC_OK) status = weigh(model, side);
    if (status != MLC_OK) return finish(session, status);
    mlc_model_close(model);
    return 0;
}

static void print_json(const char *name, const Side *side)
{
    printf("\"%s\":{", name);
    for (uint32_t i = 0; i < side->count; i++)
        printf("\"%s\":%.9g,", side->name[i], side->metric[i]);
    printf("\"bytes\":%lld", (long long)side->bytes);
    for (int i = 0; i < BATCHES; i++)
        if (side->seconds[i] > 0)
            printf(",\"seconds_batch_%d\":%.6g", batches[i], side->seconds[i]);
    printf("}");
}

static void print_table(const Side *before, const Side *after)
{
    printf("%-24s %14s %14s\n", "", "before", "int8");
    for (uint32_t i = 0; i < before->count && i < after->count; i++)
        printf("%-24s %14.6g %14.6g\n", before->name[i], before->metric[i], after->metric[i]);
    printf("%-24s %14lld %14lld\n", "bytes of weights", (long long)before->bytes,
           (long long)after->bytes);
    for (int i = 0; i < BATCHES; i++)
        if (before->seconds[i] > 0)
            printf("ms to predict %-10d %14.4g %14.4g\n", batches[i], before->seconds[i] * 1e3,
                   after->seconds[i] * 1e3);
}

int command_quantize(mlc_session *session, const Options *options)
{
    int code = 0;
    Side before = {.weights = options->weights}, after = {.weights = options->out};
    if (!options->weights) return missing("quantize", "--weights");
    if (!options->out) return missing("quantize", "--out");
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    progress_listen(session, options);
    mlc_quantize_options quantize = {
        .size = sizeof quantize, .weights = options->weights, .out = options->out};
    mlc_status status = mlc_quantize(model, &quantize);
    progress_end();
    if (status != MLC_OK) return finish(session, status);
    mlc_model_close(model);
    code = measure(session, options, NULL, &before);
    if (!code) code = measure(session, options, &before, &after);
    progress_end();
    if (code) return code;
    if (options->json) {
        printf("{");
        print_json("before", &before);
        printf(",");
        print_json("int8", &after);
        printf("}\n");
    } else {
        print_table(&before, &after);
    }
    return finish(session, MLC_OK);
}

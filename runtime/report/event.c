/* Events as JSON lines: the one place that knows their spelling. */
#include "runtime/label.h"
#include "runtime/report/run.h"

#include <math.h>

/* JSON has no nan or infinity. */
static void number(Text *out, const char *key, double value)
{
    text_add(out, ",\"%s\":", key);
    if (isfinite(value))
        text_number(out, value);
    else
        text_add(out, "null");
}

/* Measured times and speeds: six digits are more than they are worth. */
static void measured(Text *out, const char *key, double value)
{
    text_add(out, ",\"%s\":%.6g", key, value);
}

static void string(Text *out, const char *key, const char *text)
{
    text_add(out, ",\"%s\":\"", key);
    text_json(out, text ? text : "");
    text_add(out, "\"");
}

static void metrics(Text *out, const char *key, const mlc_metric *metric, uint32_t count)
{
    if (!count) return;
    text_add(out, ",\"%s\":{", key);
    for (uint32_t i = 0; i < count; i++) {
        text_add(out, "%s\"%s\":", i ? "," : "", metric[i].name);
        if (isfinite(metric[i].value))
            text_number(out, metric[i].value);
        else
            text_add(out, "null");
    }
    text_add(out, "}");
}

static void add_start(Text *out, const mlc_event *event)
{
    string(out, "model", event->model);
    string(out, "device", event->device);
    number(out, "threads", event->threads);
    number(out, "parameters", (double)event->parameters);
    number(out, "memory_bytes", (double)event->memory_bytes);
    number(out, "step", (double)event->step);
    number(out, "steps", (double)event->steps);
    measured(out, "compile_seconds", event->compile_seconds);
}

static void add_step(Text *out, const mlc_event *event)
{
    number(out, "step", (double)event->step);
    number(out, "loss", event->loss);
    number(out, "rate", event->rate);
    measured(out, "samples_per_second", event->samples_per_second);
}

static void add_epoch(Text *out, const mlc_event *event)
{
    number(out, "epoch", (double)event->epoch);
    number(out, "step", (double)event->step);
    metrics(out, "train", event->train, event->train_count);
    metrics(out, "validate", event->validate, event->validate_count);
    measured(out, "samples_per_second", event->samples_per_second);
    measured(out, "seconds", event->seconds);
}

static void add_end(Text *out, const mlc_event *event)
{
    metrics(out, "test", event->test, event->test_count);
    number(out, "step", (double)event->step);
    measured(out, "seconds", event->seconds);
    number(out, "peak_rss_bytes", (double)event->peak_rss_bytes);
}

void event_json(Text *out, const mlc_event *event)
{
    static const char *const name[] = {
        [MLC_EVENT_START] = "start",       [MLC_EVENT_STEP] = "step",
        [MLC_EVENT_EPOCH] = "epoch",       [MLC_EVENT_END] = "end",
        [MLC_EVENT_PROGRESS] = "progress", [MLC_EVENT_NOTE] = "note",
        [MLC_EVENT_COMPILED] = "compiled", [MLC_EVENT_TUNED] = "tuned"};
    text_add(out, "{\"event\":\"%s\"", name[event->kind]);
    switch (event->kind) {
    case MLC_EVENT_START: add_start(out, event); break;
    case MLC_EVENT_STEP: add_step(out, event); break;
    case MLC_EVENT_EPOCH: add_epoch(out, event); break;
    case MLC_EVENT_END: add_end(out, event); break;
    case MLC_EVENT_PROGRESS:
    case MLC_EVENT_COMPILED:
    case MLC_EVENT_TUNED:
    case MLC_EVENT_NOTE: string(out, "text", event->text); break;
    }
    text_add(out, "}");
}

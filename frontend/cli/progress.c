/* Progress on stderr: one line rewritten at most ten times a second on a terminal, whole lines otherwise. */
#include "frontend/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The bar is a fact about this process's terminal. */
static struct {
    bool json, quiet, verbose, terminal, open;
} state;

static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void progress_end(void)
{
    if (state.open) fputs("\r\033[K", stderr);
    state.open = false;
}

static void bar(const mlc_event *event)
{
    char text[256];
    int width = columns() - 1, cells = 24;
    double done = event->steps > 0 ? (double)event->step / (double)event->steps : 0;
    int full = (int)(done * cells);
    int length = snprintf(text, sizeof text, "%s ", event->text);
    for (int i = 0; i < cells && event->steps > 0; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s", i < full ? "━" : "┄");
    if (event->epochs > 0)
        length +=
            snprintf(text + length, sizeof text - (size_t)length, " epoch %lld/%lld  loss %.4f",
                     (long long)event->epoch, (long long)event->epochs, event->loss);
    if (event->samples_per_second > 0)
        length += snprintf(text + length, sizeof text - (size_t)length, "  %.0f/s",
                           event->samples_per_second);
    bool fits = length - 2 * cells < width;
    fprintf(stderr, "\r%s\033[K", fits ? text : event->text);
    fflush(stderr);
    state.open = true;
}

static void metrics(FILE *out, const char *what, const mlc_metric *metric, uint32_t count)
{
    if (!count) return;
    fprintf(out, "  %s", what);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, " %s %.4f", metric[i].name, metric[i].value);
}

static void epoch_line(const mlc_event *event)
{
    fprintf(stderr, "epoch %lld/%lld", (long long)event->epoch, (long long)event->epochs);
    metrics(stderr, "train", event->train, event->train_count);
    metrics(stderr, "validate", event->validate, event->validate_count);
    fprintf(stderr, "  %.0f samples/s  %.1f s\n", event->samples_per_second, event->seconds);
}

static void plain(const mlc_event *event)
{
    switch (event->kind) {
    case MLC_EVENT_START:
        fprintf(stderr,
                "%s: %lld parameters, %s, %d threads, %.1f MB planned, compiled in %.2f s\n",
                event->model, (long long)event->parameters, event->device, event->threads,
                (double)event->memory_bytes * 1e-6, event->compile_seconds);
        break;
    case MLC_EVENT_STEP:
        if (!state.terminal)
            fprintf(stderr, "step %lld/%lld  loss %.4f  rate %.3g  %.0f samples/s\n",
                    (long long)event->step, (long long)event->steps, event->loss, event->rate,
                    event->samples_per_second);
        break;
    case MLC_EVENT_EPOCH: epoch_line(event); break;
    case MLC_EVENT_NOTE: fprintf(stderr, "%s\n", event->text); break;
    case MLC_EVENT_TUNED:
        if (!state.terminal) fprintf(stderr, "%s\n", event->text);
        break;
    case MLC_EVENT_COMPILED:
    case MLC_EVENT_END:
    case MLC_EVENT_PROGRESS: break;
    }
}

static void result(const mlc_event *event)
{
    printf("trained %lld steps in %.1f s", (long long)event->step, event->seconds);
    metrics(stdout, "test", event->test, event->test_count);
    printf("\n");
    fflush(stdout);
}

static void on_event(void *user, const mlc_event *event)
{
    (void)user;
    if (event->kind == MLC_EVENT_PROGRESS) {
        if (state.terminal && !state.quiet) bar(event);
        return;
    }
    if (event->kind == MLC_EVENT_COMPILED && !state.verbose) return;
    progress_end();
    if (event->kind == MLC_EVENT_COMPILED) {
        fprintf(stderr, "compiled %s\n", event->text);
        return;
    }
    if (state.json && event->json) {
        printf("%s\n", event->json);
        fflush(stdout);
    } else if (event->kind == MLC_EVENT_END) {
        result(event);
    }
    if (!state.json && (!state.quiet || event->kind == MLC_EVENT_NOTE)) plain(event);
}

void progress_listen(mlc_session *session, const Options *options)
{
    const char *term = getenv("TERM");
    state.json = options->json;
    state.quiet = options->quiet;
    state.verbose = options->verbose;
    state.terminal = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
    mlc_on_event(session, on_event, NULL);
}

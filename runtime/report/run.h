#ifndef MLC_RUNTIME_REPORT_RUN_H
#define MLC_RUNTIME_REPORT_RUN_H
/* A run folder: checkpoint.safetensors, best.safetensors, metrics.jsonl and the resolved model.mlc. */
#include "runtime/session.h"

typedef struct Run {
    mlc_model *model;
    const char *folder, *checkpoint, *best, *log;
    int file; /* metrics.jsonl, appended to; -1: closed */
} Run;

/* Makes the folder (and its parents), refuses it while another run is at work there, and tidies up after runs that were killed.
 * folder NULL: FILE-stem.run in the working directory. */
Status run_open(Run *run, mlc_model *model, const char *folder);
void run_close(Run *run);
bool run_has_checkpoint(const Run *run);
/* Appends a line; it has no line end. */
Status run_log(Run *run, const char *line);
/* Bytes in the log; and cutting it back to what a checkpoint knew, so a resumed run repeats no line. */
Status run_size(const Run *run, int64_t *bytes);
Status run_truncate(Run *run, int64_t bytes);
/* Removes what an earlier run left, so that nobody takes it for this one's. */
Status run_clear(Run *run);
/* A small text file in the folder, written atomically. */
Status run_keep(const Run *run, const char *name, const char *text);

/* The event as the one line of JSON that cli.md promises, without the line end. */
void event_json(Text *out, const mlc_event *event);

#endif

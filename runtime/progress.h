#ifndef MLC_RUNTIME_PROGRESS_H
#define MLC_RUNTIME_PROGRESS_H
/* How far a training run is: with the states, all that it needs to go on bit-identically. */
#include "runtime/session.h"

#define MAX_METRICS 64

typedef struct Progress {
    int64_t step;            /* optimizer steps done */
    int64_t epoch_steps;     /* of them in the epoch under way */
    double sum[MAX_METRICS]; /* of the metrics over those */
    uint32_t metric_count;
    double best;     /* NAN: none yet */
    int64_t waiting; /* validations since the best */
    int64_t plateau_waiting;
    double plateau_best;
    int64_t log_bytes; /* of metrics.jsonl when this was saved */
    /* With another order of the samples, or other samples, a resumed run would be neither the old nor a new one. */
    int64_t batch, seed, samples;
} Progress;

/* The checkpoint: this and every state, atomically. */
Status progress_save(mlc_model *model, const Progress *progress, const char *path);
/* Back again; refused if the checkpoint is of another model, or of a run with another batch, seed or data than *progress names. */
Status progress_load(mlc_model *model, Progress *progress, const char *path);

#endif

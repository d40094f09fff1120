#ifndef MLC_RUNTIME_EVALUATE_H
#define MLC_RUNTIME_EVALUATE_H
/* Metrics over a whole split: summed with the samples as weights, so a short last batch counts for what it is. */
#include "runtime/compile.h"

/* values[i] of metric i of compiled->elaborated->metric; the eval entry at `batch`, and once at what remains. */
Status evaluate_split(mlc_model *model, const Split *split, int64_t batch, double *values);
/* Metric names and count, in the order of the entries' outputs: "loss" first. */
Status evaluate_metrics(mlc_model *model, const Metric **metric, uint32_t *count);

#endif

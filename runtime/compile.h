#ifndef MLC_RUNTIME_COMPILE_H
#define MLC_RUNTIME_COMPILE_H
/* From the experiment, or a file of IR text, to something that runs: elaborated for a batch, passed, lowered, compiled by the backend.  Kept per model
 * for each (batch, entry), so that asking again is free. */
#include "runtime/session.h"

struct Compiled {
    Compiled *next;
    Arena *arena;
    int64_t batch;
    EntryKind kind;
    bool observes; /* predict, with what quantizing needs to know */
    bool assumed; /* before the data was read: schedules assume how long the run is */
    const Elaborated *elaborated;
    Graph *raw;             /* as the frontend made it, or as the IR text says it */
    Graph *graph;           /* after the passes */
    Module *module;         /* NULL on a backend that takes graphs */
    Executable *executable; /* NULL until compile_entry was asked for it */
    uint32_t input_count, output_count;
    const Port *input, *output; /* in the order of Backend.run */
    const uint32_t *
        input_source; /* index into elaborated->input of each input; UINT32_MAX: not a model input */
    const uint32_t *state_memory; /* index into model->state of each state of the program */
    void **state;                 /* room for their addresses, for compiled_run */
    double seconds;               /* frontend, passes and backend together */
};

typedef enum CompileDepth {
    COMPILE_graph,  /* elaborated only */
    COMPILE_passes, /* and through the graph passes */
    COMPILE_module, /* and lowered and planned */
    COMPILE_full,   /* and compiled by the backend */
} CompileDepth;

/* batch 0: the one of the train block (all: the training split's count), else 1. The report is filled on failure. */
Status compile_entry(mlc_model *model, EntryKind kind, int64_t batch, CompileDepth depth,
                     Compiled **compiled);
/* Whether the model's precision lets it be compiled at all: nothing trains in int8. */
bool compile_offers(const mlc_model *model, EntryKind kind);
/* The passes once more, with every one's result handed to dump; *graph is the last. Nothing of it is kept. */
Status compile_dump(mlc_model *model, EntryKind kind,
                    void (*dump)(void *user, const char *pass, const Graph *graph), void *user,
                    const Graph **graph);

/* Bytes that running it takes: all that the plan says, and scratch for the device's threads.  0 on a backend that takes graphs. */
Status compiled_memory(mlc_model *model, const Compiled *compiled, int64_t *bytes);

/* Measures schedules of its kernels. */
Status compiled_tune(mlc_model *model, const Compiled *compiled, Tuning *tuning);

/* Runs it on buffers in the order of compiled->input and ->output. States are the model's. */
Status compiled_run(mlc_model *model, const Compiled *compiled, const void *const *input,
                    void *const *output);

/* Of the train block; NULL if the file has none. */
const TrainSettings *model_settings(const mlc_model *model);
/* The batch size that training uses: train.batch, the whole split for `all`, never more than there is. */
Status model_batch(mlc_model *model, int64_t *batch);
/* The name of an entry, or a report with a suggestion. */
Status entry_named(mlc_model *model, const char *name, EntryKind *kind);
int64_t port_bytes(const Port *port);

#endif

#ifndef MLC_TESTS_UNIT_MODEL_H
#define MLC_TESTS_UNIT_MODEL_H
/* Model files as text: elaborated, and computed by the reference in double. */
#include "frontend/frontend.h"

typedef struct Feed {
    const char *input;
    const double *element;
} Feed;

typedef struct Model {
    Arena *arena;
    Context context;
    Experiment *experiment;   /* NULL after errors, */
    const Elaborated *result; /* so is this */
    const char *report;       /* as the user sees it, "" if there is nothing to say */
    double **state;           /* as in the program's list */
} Model;

/* The text as m.mlc, for a batch of 2 and a run of 100 steps of 10 an epoch; sizes that the data gives are 3. */
Model *model_open(const char *text, unsigned entries);
Model *model_open_with(const char *text, unsigned entries, const FrontendOptions *options);
void model_close(Model *model);

/* The text of an entry, without the program around it. */
const char *model_entry(Model *model, EntryKind entry);
/* name: type, name: type, ... of the states of a role. */
const char *model_states(Model *model, StateRole role);

/* Runs an entry in double; states are kept, init sets them (its seed is 7).  The outputs, in order. */
double **model_run(Model *model, EntryKind entry, const Feed *feed);
double *model_state(Model *model, const char *name);

/* Whether the text of an expression calls (or names) this function. */
bool model_calls(const char *text, const char *name);
bool optimizers_call(const char *name); /* whether a test of test_optimizers.c does */

#define ALL_ENTRIES ((1u << ENTRY_COUNT) - 1)

#endif

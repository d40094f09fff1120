#ifndef MLC_RUNTIME_SESSION_H
#define MLC_RUNTIME_SESSION_H
/* Inside of the two public handles, and the guard that every public function runs under. */
#include "backends/backend.h"
#include "frontend/frontend.h"
#include "runtime/core/tensor.h"
#include "runtime/data/data.h"
#include "runtime/mlc.h"
#include <stdatomic.h>

typedef struct Compiled Compiled;

/* A state's memory: shared by every entry, whatever the batch it was compiled for. */
typedef struct StateMemory {
    State state;
    void *bytes; /* as state.storage says */
    void *plain; /* what mlc_weights gives of a state that lies otherwise; NULL: nobody asked */
    size_t size;
    bool is_lent;   /* the user may have written to `plain` */
    bool is_placed; /* an entry uses it: its storage is what it is */
} StateMemory;

struct mlc_model {
    mlc_session *session;
    mlc_model *next;
    Arena *arena;
    Context context;
    const char *path;   /* as the user named it */
    const char *folder; /* of the model file */
    const char *data_folder, *cache_folder, *target, *device_name;
    int threads;
    int64_t memory;
    bool verify;
    const char *precision; /* NULL: the file's */
    uint32_t seed;
    bool seed_given;          /* instead of the file's */
    uint32_t source;          /* the file's text */
    FrontendOptions frontend; /* how to open it */
    Experiment *experiment;   /* NULL before model_experiment */
    Program *program; /* of a file of IR text, which has no experiment; NULL before model_program */
    const Backend *backend;
    Device *device;
    Data *data;
    Compiled *compiled; /* list, newest first */
    LIST(StateMemory) state;
    bool initialized;
    bool observes; /* what is compiled of predict says what quantizing needs to know */
    LIST(mlc_metric) metric; /* answer of the last mlc_eval */
    LIST(mlc_tensor) tensor; /* answer of the last mlc_weights */
};

struct mlc_session {
    Host host;
    Arena *arena;   /* lives as long as the session */
    Arena *message; /* the diagnostics of the last call */
    const char *plain, *coloured;
    mlc_model *model;
    bool busy; /* a call is at work */
    mlc_event_function *event;
    void *event_user;
    atomic_int interrupted;
};

/* Runs work(argument) behind a boundary with a clean report, renders what it reported into the session's diagnostics, and
 * answers its status.  `context` may be NULL when nothing can be reported. */
mlc_status session_guard(mlc_session *session, Context *context, Status (*work)(void *argument),
                         void *argument);

/* The answer to arguments that no work can begin with. NULL is fine. */
mlc_status session_misused(mlc_session *session);
mlc_status model_misused(const mlc_model *model);

/* The same for work that needs the model's experiment: opens it first. */
mlc_status model_guard(mlc_model *model, Status (*work)(void *argument), void *argument);

/* Parses and checks the model file, once. */
Status model_experiment(mlc_model *model);

/* Whether the file holds IR text (ir/graph/print.h): its first word, comments aside, is `state` or `entry`. */
bool model_is_program(const mlc_model *model);
/* Reads that text, once, simplified as it is built. */
Status model_program(mlc_model *model);

/* Context with names, sources and report of its own in `arena`. */
void context_open(Context *context, Arena *arena);

void session_event(mlc_session *session, const mlc_event *event);
bool session_interrupted(const mlc_session *session);

/* Whether it computes in int8, as asked or as its weights are. */
bool model_is_int8(const mlc_model *model);

/* Loads the model's data block once; STATUS_invalid with a report when it has none or it is wrong. */
Status model_data(mlc_model *model);

/* Where compiled kernels are kept: as asked, else by XDG; NULL ("" asked, or no home): nothing is kept. */
const char *session_cache_folder(Arena *arena, const char *asked);

/* Seconds of a monotonic clock. */
double session_clock(void);

#endif

#ifndef MLC_H
#define MLC_H
/* mlc: compiles and trains neural networks described by model files.
 *
 *     mlc_session *session;
 *     mlc_session_open(NULL, &session);
 *     mlc_model *model;
 *     if (mlc_model_open(session, "digits.mlc", NULL, &model)) puts(mlc_diagnostics(session));
 *     mlc_train(model, NULL);
 *     mlc_session_close(session);
 *
 * Handles are opaque. Every function that can fail returns an mlc_status; what went wrong is then in mlc_diagnostics.  The
 * library never exits, aborts, prints, or changes signal handlers or the locale, and keeps no global state.  Different sessions
 * may be used from different threads; one session from one thread at a time (mlc_interrupt excepted).
 *
 * Strings are UTF-8 and NUL-terminated.  Those returned belong to the session and live until it closes, unless stated. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MLC_VERSION_MAJOR 0
#define MLC_VERSION_MINOR 1
#define MLC_VERSION_PATCH 0
#define MLC_API __attribute__((visibility("default")))

typedef enum mlc_status {
    MLC_OK = 0,
    MLC_FAILED = 1,      /* the work failed: diverged, disk full, device lost */
    MLC_USAGE = 2,       /* an argument is wrong */
    MLC_INVALID = 3,     /* the input (model, data, weights) is wrong */
    MLC_NO_MEMORY = 4,
    MLC_BUG = 5,         /* a defect of mlc; the diagnostics say what to report */
    MLC_INTERRUPTED = 6, /* mlc_interrupt was called; state was saved where that applies */
} mlc_status;

typedef struct mlc_session mlc_session;
typedef struct mlc_model mlc_model;

MLC_API const char *mlc_version(void);      /* "0.1.0" */
MLC_API const char *mlc_version_long(void); /* with compiler and LLVM */

/* --- sessions --------------------------------------------------------------------------------------------------------- */

typedef struct mlc_session_options {
    size_t size; /* sizeof(mlc_session_options) */
    /* resize(user, block, size): block NULL allocates, size 0 frees. NULL: the C library's. Called from any thread. */
    void *(*resize)(void *user, void *block, size_t size);
    void *resize_user;
} mlc_session_options;

MLC_API mlc_status mlc_session_open(const mlc_session_options *options, mlc_session **session);
MLC_API void mlc_session_close(mlc_session *session); /* models too; NULL is fine */
/* What the last failing call had to say, rendered with source lines and carets; "" if nothing. Also holds warnings. Valid until the
 * next call on the session. */
MLC_API const char *mlc_diagnostics(mlc_session *session, bool colour);
/* Asks the work in progress, or the next that is long (mlc_train, mlc_eval, mlc_predict, mlc_quantize, mlc_tune), to stop after the current step: training saves
 * first, tuning keeps what it found; all return MLC_INTERRUPTED.  Async-signal-safe. */
MLC_API void mlc_interrupt(mlc_session *session);

/* --- models ----------------------------------------------------------------------------------------------------------- */

typedef struct mlc_model_options {
    size_t size;
    const char *text;           /* the model file's text; NULL: read from path */
    const char *device;         /* "cpu" (default), "reference" */
    int threads;                /* 0: all cores */
    int64_t seed;               /* -1: the file's; at most 2^32 - 1 */
    const char *precision;      /* NULL: the file's; "f32", "bf16", "f32_fast", "int8" (eval and predict) */
    int64_t memory;             /* bytes that an entry may need at its peak: values are computed again rather than stored, what needs more even so is refused; 0: unlimited */
    const char *const *set;     /* "train.batch=64", NULL-terminated */
    const char *variant;
    const char *data_folder;    /* NULL: the model file's */
    const char *cache_folder;   /* NULL: $XDG_CACHE_HOME/mlc or ~/.cache/mlc; "": no cache on disk */
    const char *target;         /* cpu level: NULL host, "sse4.2", "avx2", "avx512", "avx512bf16", "amx", "neon" */
    bool verify;                /* check the IR between all passes */
    bool unchecked;             /* only read the file: mlc_dump shows the syntax of one that does not check, and takes IR text */
} mlc_model_options;

/* Parses and checks the model file. The data is loaded and the entries are compiled when first needed. */
MLC_API mlc_status mlc_model_open(mlc_session *session, const char *path, const mlc_model_options *options,
                                  mlc_model **model);
MLC_API void mlc_model_close(mlc_model *model);

/* --- events: progress of long work ------------------------------------------------------------------------------------- */

typedef enum mlc_event_kind {
    MLC_EVENT_START, /* compiled, about to train */
    MLC_EVENT_STEP,  /* every train.log steps, and the last */
    MLC_EVENT_EPOCH, /* end of an epoch (or of the run), validated */
    MLC_EVENT_END,
    MLC_EVENT_PROGRESS, /* often: for a progress bar; done of total in `step` and `steps` */
    MLC_EVENT_NOTE,     /* text: something worth knowing */
    MLC_EVENT_COMPILED, /* text: an entry is ready, for which batch, in how many kernels, how long it took; no JSON */
    MLC_EVENT_TUNED,    /* text: a kernel was tuned, and what that gained; no JSON */
} mlc_event_kind;

typedef struct mlc_metric {
    const char *name;
    double value;
} mlc_metric;

typedef struct mlc_event {
    mlc_event_kind kind;
    const char *json;   /* the event as one line of JSON; NULL for MLC_EVENT_PROGRESS, MLC_EVENT_COMPILED and MLC_EVENT_TUNED */
    const char *text;   /* note; what is in progress: "training", "validating", "compiling", "tuning" */
    const char *model, *device;
    int threads;
    int64_t parameters, memory_bytes, step, steps, epoch, epochs;
    double loss, rate, samples_per_second, seconds, compile_seconds;
    int64_t peak_rss_bytes;
    const mlc_metric *train, *validate, *test; /* loss first */
    uint32_t train_count, validate_count, test_count;
} mlc_event;

typedef void mlc_event_function(void *user, const mlc_event *event);
/* Valid while a call runs; pass NULL to stop listening.  The function may call mlc_interrupt, mlc_diagnostics and mlc_on_event; the
 * session's other functions answer MLC_USAGE while a call is at work, and nothing is closed. */
MLC_API void mlc_on_event(mlc_session *session, mlc_event_function *function, void *user);

/* --- work -------------------------------------------------------------------------------------------------------------- */

typedef struct mlc_train_options {
    size_t size;
    const char *out;  /* run folder; NULL: FILE-stem.run beside the model file's name in the working directory */
    bool resume;      /* go on from out/checkpoint.safetensors, bit-identically; starts anew if there is none */
    const char *init; /* weights to start from */
} mlc_train_options;

MLC_API mlc_status mlc_train(mlc_model *model, const mlc_train_options *options);

/* Metrics over a split ("test" by default). The array belongs to the model, valid until the next call. */
MLC_API mlc_status mlc_eval(mlc_model *model, const char *weights, const char *split, const mlc_metric **metrics,
                            uint32_t *count);

/* Model outputs for a file (safetensors, npy, csv, png, jpeg) or for a split's name, written to out (safetensors, npy, csv by
 * its extension). */
MLC_API mlc_status mlc_predict(mlc_model *model, const char *weights, const char *in, const char *out);

/* One entry on tensors given by name in a safetensors file; results to another. step writes the new weights too. weights
 * NULL: freshly initialized. */
MLC_API mlc_status mlc_run(mlc_model *model, const char *entry, const char *weights, const char *in, const char *out);

/* Weights of one byte from those of 32 bits: what weights and activations are multiplied in becomes int8, with the ranges of activations that
 * examples of the training split show (1024, or as many as `compress { quantize int8(calibrate: N) }` says).  out, a folder, gets
 * best.safetensors and model.mlc, and is refused if training is at work or resumes there.  Whoever loads the result computes in int8. */
typedef struct mlc_quantize_options {
    size_t size;
    const char *weights, *out;
} mlc_quantize_options;
MLC_API mlc_status mlc_quantize(mlc_model *model, const mlc_quantize_options *options);

/* --- knowledge: texts that belong to the model, valid until it closes ----------------------------------------------------- */

/* Shapes, parameters, FLOPs, bytes and exact peak memory of each entry. */
MLC_API mlc_status mlc_check(mlc_model *model, bool json, const char **text);
/* stage: a row of runtime/stages.def. entry NULL: step if the file has it, else predict; of IR text the first. format "text", or
 * "dot" for a graph's picture. */
MLC_API mlc_status mlc_dump(mlc_model *model, const char *stage, const char *entry, const char *format,
                            const char **text);
/* Times one entry on data of the right shape and compares with the machine's measured peak. */
typedef struct mlc_bench_options {
    size_t size;
    const char *entry; /* NULL: step */
    int64_t batch;     /* 0: the file's */
    int64_t repeat;    /* runs timed, 0: as many as fit two seconds, at least 5 */
    bool kernels;      /* per-kernel times */
    bool json;
    const char *trace; /* one run as a Chrome trace into this file; NULL: none */
    const char *weights; /* NULL: freshly initialized */
    double *seconds;     /* where the median goes; NULL: nowhere */
} mlc_bench_options;
MLC_API mlc_status mlc_bench(mlc_model *model, const mlc_bench_options *options, const char **text);
/* Measures other ways of doing the same, and keeps in the cache folder what is faster: later runs do it so, to the same bits.  what:
 * "kernels", the schedules of one entry's. The text is a table, or JSON. */
typedef struct mlc_tune_options {
    size_t size;
    const char *entry; /* NULL: step */
    int64_t repeat;    /* rounds that the best are measured in, at most 63; 0: until it is clear */
    bool json;
} mlc_tune_options;
MLC_API mlc_status mlc_tune(mlc_model *model, const char *what, const mlc_tune_options *options, const char **text);

MLC_API mlc_status mlc_format(mlc_session *session, const char *path, const char *text, const char **formatted);
MLC_API mlc_status mlc_help(mlc_session *session, const char *topic, const char **text); /* MLC_USAGE: unknown topic */
/* Writes text to a file as checkpoints are written: whole or not at all. */
MLC_API mlc_status mlc_write_text(mlc_session *session, const char *path, const char *text);
/* How much compiled code the cache folder (NULL: the default one) holds; or removes it. */
MLC_API mlc_status mlc_cache(mlc_session *session, const char *folder, bool clear, bool json, const char **text);
MLC_API mlc_status mlc_devices(mlc_session *session, bool json, const char **text);

/* --- entries on memory: for programs that feed the data themselves ------------------------------------------------------- */

typedef struct mlc_tensor {
    const char *name; /* input, output or parameter */
    const char *type; /* "f32", "u8", ... */
    int rank;
    const int64_t *extent;
    void *data; /* row-major */
    size_t bytes;
} mlc_tensor;

/* Inputs and outputs of an entry, with data NULL. The arrays belong to the model. */
MLC_API mlc_status mlc_entry_ports(mlc_model *model, const char *entry, const mlc_tensor **inputs, uint32_t *input_count,
                                   const mlc_tensor **outputs, uint32_t *output_count);
/* Runs an entry: inputs in the order of mlc_entry_ports; outputs are copied to the caller's data (of exactly the size named).  MLC_USAGE
 * if one of them is NULL, MLC_INVALID if an input that indexes (a label, a token) is out of range.  The state (weights, moments,
 * counters) belongs to the model; the first call initializes it from the seed. */
MLC_API mlc_status mlc_call(mlc_model *model, const char *entry, const void *const *inputs, void *const *outputs);
/* The model's weights: all parameters and buffers, data pointing into the live state until the next call. */
MLC_API mlc_status mlc_weights(mlc_model *model, const mlc_tensor **tensors, uint32_t *count);
MLC_API mlc_status mlc_save(mlc_model *model, const char *path);
MLC_API mlc_status mlc_load(mlc_model *model, const char *path);

#ifdef __cplusplus
}
#endif
#endif

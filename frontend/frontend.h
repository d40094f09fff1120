#ifndef MLC_FRONTEND_FRONTEND_H
#define MLC_FRONTEND_FRONTEND_H
/* A model file becomes an Experiment: what data, which training settings, and a Program for any batch size.
 * Everything a user can get wrong in the file is found here and reported with place, cause and hint. */
#include "frontend/ast.h"
#include "ir/graph/program.h"

typedef struct Override {
    const char *key, *value; /* "train.batch", "64"; a top-level constant by its name */
} Override;

typedef struct FrontendOptions {
    const Override *overrides;
    uint32_t override_count;
    const char *variant;       /* NULL: none */
    GraphSimplify *simplify;   /* handed to every graph */
    /* Reads a file that `use` names, relative to the file that uses it; NULL text: not found. */
    const char *(*read_file)(void *user, const char *path, size_t *size);
    void *user;
} FrontendOptions;

/* A value of the static language, as the data block and settings need it by the runtime. */
typedef struct Static {
    /* an operator on what is not known here is a call too: >=(accuracy, -(best, 0.005)) */
    enum { STATIC_none, STATIC_number, STATIC_text, STATIC_name, STATIC_list, STATIC_call } kind;
    Span at;
    double number;
    bool is_integer;
    const char *text;      /* text, name, or the callee's name */
    uint32_t count;        /* elements of a list, arguments of a call */
    const struct Static *element;
    const char *const *label; /* call: the name of each argument, "" when positional */
} Static;

typedef struct DataEntry {
    const char *name; /* train, test, validate, or a step such as `normalize` */
    Static value;     /* idx("a.gz", "b.gz"), split(train, 0.1), ... */
    Span at;
} DataEntry;

typedef struct DataBlock {
    const char *name;
    Span at;
    uint32_t count;
    const DataEntry *entry;
} DataBlock;

typedef struct ModelInput {
    Name name;
    Type type;
    Shape shape;          /* with the batch bound */
    bool batched;         /* axis 0 is the batch symbol */
    uint8_t free_count;   /* axes bound by the data (T of i32[N, T]): extent from data_extents */
    int64_t bound;        /* > 0: integer values must lie in [0, bound) (a label or a token); 0: unknown */
    Span at;
    Span bound_at;        /* the expression that needs the bound */
} ModelInput;

typedef struct Metric {
    Name name; /* "loss" first, then each `report` */
    bool higher_is_better; /* accuracy-like, guessed from bool means; loss-like otherwise */
} Metric;

typedef struct TrainSettings {
    bool present;        /* the file has a train block */
    int64_t batch;       /* 0: all */
    int64_t accumulate;  /* steps of the data per update, >= 1 (the graph handles it) */
    int64_t epochs, steps; /* one of them > 0 */
    uint32_t seed;
    int64_t log;         /* steps between step events, default 100 */
    int64_t checkpoint;  /* steps between checkpoints, 0: each epoch */
    int64_t validate;    /* -1: each epoch, 0: none, else steps */
    int64_t stop_patience; /* validations without improvement, 0: never */
    const char *stop_metric;
    const char *best_metric; /* what best.safetensors goes by: first reported metric, else loss */
    const char *precision; /* "f32" or "bf16" */
    bool plateau;        /* a state `train.plateau` scales the rate; the runtime lowers it */
    double plateau_factor;
    int64_t plateau_patience;
    Span at;
} TrainSettings;

typedef struct WeightRule {
    const char *pattern, *target; /* "transformer.*" -> "*" */
    bool transpose;
    Span at;
} WeightRule;

typedef struct WeightMap {
    const char *file; /* NULL: none */
    Span at;
    uint32_t count;
    const WeightRule *rule;
} WeightMap;

typedef struct CompressSetting {
    const char *name; /* prune, quantize, require */
    Static value;     /* magnitude(sparsity: 0.8, epochs: 2) */
    Span at;
} CompressSetting;

typedef struct CompressBlock {
    Span at;
    uint32_t count;
    const CompressSetting *setting; /* in the file's order */
} CompressBlock;

typedef struct Experiment Experiment;

/* Parses and checks the file (and what it uses) as far as possible without a batch size.  NULL after errors. */
Experiment *experiment_open(Context *context, uint32_t source, const FrontendOptions *options);
const char *experiment_model(const Experiment *experiment);
const DataBlock *experiment_data(const Experiment *experiment); /* NULL: no data block */
const TrainSettings *experiment_train(const Experiment *experiment);
const WeightMap *experiment_weights(const Experiment *experiment);
const CompressBlock *experiment_compress(const Experiment *experiment); /* NULL: no compress block */
/* The file with `use`, variant and overrides resolved, in the one style: written to the run folder. */
const char *experiment_resolved(const Experiment *experiment);

typedef struct Binding {
    int64_t batch;       /* value of the batch symbol N */
    int64_t steps;       /* how often the run will execute `step`, for schedules; 0: unknown */
    int64_t steps_per_epoch;
    /* Extents that the data gives to other symbols, by position of the input and axis; the frontend reads data_extent(input, axis)
     * for symbols that nothing else binds; 0 or less: unknown, which is an error at the input's line. */
    int64_t (*data_extent)(void *user, uint32_t input, int axis);
    void *user;
} Binding;

typedef struct Elaborated {
    Program *program;
    uint32_t input_count;
    const ModelInput *input; /* in the file's order */
    uint32_t output_count;
    const Name *output;      /* of predict */
    uint32_t metric_count;
    const Metric *metric;    /* names of the outputs of step, loss and eval entries: "loss", then the reports */
    const char *dimension_history; /* "N = 128, from train.batch at digits.mlc:34" a line, for `mlc check` */
} Elaborated;

/* Every entry's graph for one binding.  `step` has outputs: the metrics, then "rate" (learning rate of this step); `grad` has output
 * "loss" and one named after each parameter; `predict` the model's outputs.  Gradients are `gradient` nodes until the
 * autodiff pass.  entries: bit set of 1 << EntryKind to elaborate; init always describes every state.  NULL after errors. */
const Elaborated *experiment_elaborate(Experiment *experiment, Arena *arena, const Binding *binding, unsigned entries);

/* Help texts for `mlc help NAME`: builtins, library functions, topics.  NULL if unknown. */
const char *frontend_help(Context *context, const char *topic);
/* Every name that frontend_help knows, for suggestions and completion. */
uint32_t frontend_topics(Context *context, const char *const **names);

#endif

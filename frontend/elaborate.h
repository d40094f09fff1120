#ifndef MLC_FRONTEND_ELABORATE_H
#define MLC_FRONTEND_ELABORATE_H
/* From syntax tree to graph, for one binding of the dimensions and one entry at a time.  Functions are inlined, static
 * control flow is followed, and every mistake becomes one report at a line that the user wrote.
 *
 * Nothing here trusts a shape: tensor_* (elaborate_tensor.c) ask the shape rule first and answer {0} after reporting,
 * and an operand {0} gives {0} silently. */
#include "frontend/frontend.h"
#include "frontend/static.h"

#define ELABORATE_MAX_DEPTH 100 /* of calls within calls */

typedef struct Function {
    Name name;
    const Ast *ast;
    bool library;
} Function;

typedef struct Variable {
    Name name;
    Datum datum;
} Variable;

typedef struct Tally {
    Name name;
    uint32_t count;
} Tally;

/* A function being elaborated; the outermost is the model. */
typedef struct Frame {
    struct Frame *caller;
    const Function *function; /* NULL: the file's top level or the model */
    Span call;                /* where it was called */
    const char *path;         /* of its parameters: "h.0.attn"; "" at the model */
    bool library;             /* sees the standard library only */
    bool returned;
    Datum result;
    LIST(Variable) variable;
    LIST(Tally) unbound; /* calls that no name was given to, counted by path */
    LIST(int64_t) index; /* of the `for` loops around */
    LIST(Datum) yield;   /* of the scan being unrolled */
    LIST(Name) output;   /* of the model */
} Frame;

typedef struct ElaboratedState {
    Name name;
    StateRole role;
    const Ast *declared;
    Span at;
    Value read, now, initial; /* now: after the updates so far */
    bool updated, trained;
} ElaboratedState;

typedef struct Symbol {
    Name name;
    int64_t extent;
    const char *history; /* "from train.batch" */
    Span at;
} Symbol;

typedef struct Global {
    Name name;
    const Ast *value;
    Span at, written; /* the item; its value in the file, whatever replaces it */
} Global;

/* What makes the resolved file of the written one: `text` in place of `at`. */
typedef struct Edit {
    Span at;
    const char *text;
} Edit;

struct Experiment {
    Context *context;
    FrontendOptions options;
    uint32_t source;
    const Ast *file;
    LIST(Function) function; /* the user's, then the library's */
    LIST(Global) constant;
    LIST(const Ast *)
    setting; /* of the train block, with the variant's and --set's in place of the file's */
    LIST(const Ast *) variant;
    const Ast *model, *data, *train, *compress, *weights;
    DataBlock data_block;
    TrainSettings settings;
    WeightMap weight_map;
    CompressBlock compress_block;
    LIST(Edit) edit;
    LIST(uint32_t) used; /* sources of the user's files, used ones before their users */
};

typedef struct Elaborator {
    Experiment *experiment;
    Arena *arena;
    Names *names;
    Report *report;
    const Binding *binding;
    Program *program;
    Graph *graph;
    EntryKind entry;
    bool training;
    bool sharing; /* in a later turn of a scan: parameters are those of the first */
    Frame *globals, *frame;
    uint32_t depth, nesting; /* of calls; of expressions, through calls */
    uint64_t work;           /* calls and iterations so far */
    bool exhausted;
    LIST(ElaboratedState) state;
    LIST(Symbol) symbol;
    Name batch; /* the symbol that is the batch */
    LIST(ModelInput) input;
    LIST(Name *) input_symbols; /* parallel to input: the name of each axis, or none */
    LIST(Tally) drawn;          /* random tensors by path */
    LIST(Symbol) mentioned;     /* symbols printed since the last report */
    StateRole role;             /* of the states being declared */
    const Shape *implied;       /* of the parameter being initialized, */
    Type implied_type;
    const char *implied_path; /* and its name */
    const char *prefix;       /* of states that the optimizer declares; NULL in the model */
    bool parameters_known;
    bool broken; /* the model has errors, so that parameters may be missing */
    LIST(Metric) metric;
    Span at;            /* of the expression being elaborated */
    uint32_t storage, regions; /* what is said of its values (graph.h); how many were to be recomputed so far */
    const char *doing;  /* "matmul", "+": what a failing shape rule is reported as */
    const Value *shown; /* its operands as the user wrote them, for the message; NULL: the node's */
    int shown_count;
} Elaborator;

/* ---- elaborate.c ---- */
/* For what is static: constants, settings, the data block. */
Elaborator *evaluator_new(Experiment *experiment, Arena *arena);

/* ---- blocks/ ---- */
void block_train(Elaborator *e);
void block_data(Elaborator *e);
void block_compress(Elaborator *e);
void block_weights(Elaborator *e);
/* Applies the variant and --set to constants and settings, before anything is read from them. */
void block_overrides(Experiment *experiment);
/* The user's files in one text, with `edit` applied. */
const char *block_resolved(const Experiment *experiment);
Static static_tree(
    Elaborator *e,
    const Ast *ast); /* for the runtime: names that are constants become their values */

/* ---- elaborate_report.c: messages at the user's line ---- */
void elaborate_error(Elaborator *e, Span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void elaborate_hint(Elaborator *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The innermost place in a file that is not the library's. */
Span elaborate_span(const Elaborator *e, Span at);
/* f32[N, 5408], symbols by name; valid as long as the arena. */
const char *elaborate_type(Elaborator *e, Value value);
const char *elaborate_shape(Elaborator *e, Type type, const Shape *shape); /* numbers only */
const char *elaborate_describe(Elaborator *e, const Datum *datum); /* a type, or what a static is */
/* The nearest of the candidates, NULL if none is near. */
typedef struct Suggestion {
    const char *wanted, *best;
    unsigned distance;
} Suggestion;
void suggest(Suggestion *s, const char *candidate);
/* Counts one unit of static work; false, once reported, when the file takes too much. */
bool elaborate_work(Elaborator *e, Span at);
/* Sets the place of what is built next. */
void elaborate_at(Elaborator *e, Span at);

/* ---- elaborate_expression.c ---- */
Datum elaborate_expression(Elaborator *e, const Ast *ast);
/* The value of an expression that a name is given to: calls in it take their parameters' path from `name`; without a
 * name (a returned call) from the frame. */
Datum elaborate_bound(Elaborator *e, const Ast *ast, Name name, bool tail);
Datum *frame_find(Frame *frame, Name name);
void frame_bind(Elaborator *e, Frame *frame, Name name, Datum datum);
Datum elaborate_force(Elaborator *e, Datum datum); /* a thunk's value */
/* Integers of a list, range or number. */
bool elaborate_integers(Elaborator *e, const Datum *datum, Span at, const char *what, int limit,
                        int64_t *out, int *count);

bool elaborate_condition(Elaborator *e, const Ast *ast, bool *out);

/* ---- elaborate_index.c ---- */
Datum elaborate_index(Elaborator *e, const Ast *ast);

/* ---- elaborate_statement.c ---- */
void elaborate_block(Elaborator *e, const Ast *block);
Datum elaborate_scan(Elaborator *e, const Ast *scan);

/* ---- elaborate_call.c ---- */
typedef struct Argument {
    Name name; /* none: positional */
    Datum datum;
    const Ast *ast; /* NULL: supplied by the compiler */
    Span at, name_at;
} Argument;
typedef struct Placement {
    enum { PLACE_anywhere, PLACE_bound, PLACE_tail } kind;
    Name name;
} Placement;
Datum elaborate_call(Elaborator *e, const Ast *call, Placement placement);
Datum elaborate_apply(Elaborator *e, const Datum *callee, uint32_t count, const Argument *argument,
                      Span at, Placement placement);
const Function *elaborate_function(const Elaborator *e, Name name, bool library);
/* `path` and its continuation by name and loop indices. */
const char *elaborate_path(Elaborator *e, const Frame *frame, const char *name);

/* ---- elaborate_state.c ---- */
void elaborate_declare(Elaborator *e, const Ast *ast); /* param and state */
void elaborate_update(Elaborator *e, const Ast *ast);
Value elaborate_counter(Elaborator *e, const char *name, Type type,
                        double initial); /* a state of the training loop */
uint32_t elaborate_state_new(Elaborator *e, const char *name, StateRole role, Type type,
                             const Shape *shape, Span at);
Value elaborate_seed(Elaborator *e);
Value elaborate_uniform(Elaborator *e, const Shape *shape); /* a fresh random tensor in [0, 1) */

/* ---- elaborate_train.c ---- */
/* With the model elaborated: what the entry gives back.  Fills e->metric. */
void elaborate_train(Elaborator *e);
bool pattern_matches(const char *pattern, const char *name); /* "*.bias"; also from any dot on */

/* ---- elaborate_optimizer.c ---- */
/* The results of `step` behind its metrics, and those of `init`. */
void elaborate_optimizer(Elaborator *e, Value loss);
/* The setting of that name, NULL if there is none; `from` continues behind a found one. */
const Ast *train_setting(const Experiment *x, const char *name, const Ast *from);

/* ---- elaborate_operator.c: NumPy's rules on any operands ---- */
Datum elaborate_binary(Elaborator *e, const char *operation, Datum a, Datum b, Span at);
Datum elaborate_unary(Elaborator *e, const char *operation, Datum a, Span at);
Datum elaborate_elementwise(Elaborator *e, Op op, const char *what, Datum a, Datum b, Span at);
Datum elaborate_math(Elaborator *e, Op op, const char *what, Datum a, Span at);
/* Brings all operands to one type and shape; static numbers become constants.  False after a report. */
bool elaborate_unify(Elaborator *e, const char *what, int count, const Datum *datum, Span at,
                     Value *out);

/* ---- elaborate_tensor.c: one node each, checked ---- */
Datum tensor_datum(Value value);
Value tensor_add(Elaborator *e, Op op, int count, const Value *argument, const Attribute *attribute,
                 const TypedShape *given);
const Shape *tensor_shape(const Elaborator *e, Value x);
Type tensor_type(const Elaborator *e, Value x);
Value tensor_unary(Elaborator *e, Op op, Value x);
Value tensor_binary(Elaborator *e, Op op, Value x, Value y); /* of one type and shape */
Value tensor_constant(Elaborator *e, Type type, Shape shape, double number);
Value tensor_like(Elaborator *e, Value x, double number);
Value tensor_with(Elaborator *e, Op op, Value x, double number); /* x op number */
Value tensor_cast(Elaborator *e, Value x, Type type);
Value tensor_select(Elaborator *e, Value condition, Value then, Value otherwise);
Value tensor_iota(Elaborator *e, Type type, Shape shape, int axis);
Value tensor_reshape(Elaborator *e, Value x, Shape shape);
Value tensor_transpose(Elaborator *e, Value x, Axes axes);
Value tensor_broadcast(Elaborator *e, Value x, Shape shape); /* NumPy: axes align at the end */
Value tensor_slice(Elaborator *e, Value x, const Slice *slice);
Value tensor_pad(Elaborator *e, Value x, const Pad *pad);
Value tensor_concat(Elaborator *e, uint32_t count, const Value *x, int axis);
Value tensor_window(Elaborator *e, Value x, const Windows *windows);
Value tensor_reduce(Elaborator *e, Op op, Value x, Axes axes);
Value tensor_dot(Elaborator *e, Value a, Value b, const Indices *indices);
Value tensor_conv(Elaborator *e, Value a, Value b, const Indices *indices, Shape shape);
Value tensor_gather(Elaborator *e, Value x, Value index, int axis);
Value tensor_state(Elaborator *e, Name name, Type type, Shape shape);
Value tensor_gradient(Elaborator *e, Value y, Value x);
Shape shape_insert(Shape shape, int axis, int64_t extent);
Shape shape_remove(Shape shape, int axis);

#endif

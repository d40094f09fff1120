#ifndef MLC_IR_GRAPH_PROGRAM_H
#define MLC_IR_GRAPH_PROGRAM_H
/* A program: entries over shared state.  `init` writes every state from the seed; `step` is one whole training step;
 * `loss` and `grad` compute without updating; `eval` gives the loss and the metrics outside training; `predict` the model's
 * outputs.  An entry that the model file does not allow (no train block: no step) is NULL. */
#include "ir/graph/graph.h"

typedef enum EntryKind {
    ENTRY_init,
    ENTRY_step,
    ENTRY_loss,
    ENTRY_grad,
    ENTRY_eval,
    ENTRY_predict,
    ENTRY_COUNT
} EntryKind;

extern const char *const entry_name[ENTRY_COUNT];

typedef enum StateRole {
    STATE_parameter, /* trained; saved with the weights */
    STATE_buffer,    /* updated, not trained (running statistics); saved with the weights */
    STATE_optimizer, /* moments, averages: saved in checkpoints only */
    STATE_counter,   /* train.seed, train.step, ...: saved in checkpoints only */
} StateRole;

extern const char *const role_name[STATE_counter + 1];

/* How the elements of a state lie in memory, where that is not the row-major order of its shape: the shape's axes cut into those of
 * `split` (a reshape), these in the order `order` (a transpose).  The passes decide it (passes/states.h); files and users never
 * see it.  split.rank 0: as the shape says. */
typedef struct Storage {
    Shape split;
    Axes order;
} Storage;

typedef struct State {
    Name name; /* fc1.weight: as in a PyTorch state dict */
    StateRole role;
    Type type;
    Shape shape;
    Span at;
    Storage storage;
} State;

typedef struct Program {
    Arena *arena;
    Names *names;
    LIST(State) state;
    Graph *entry[ENTRY_COUNT];
} Program;

Program *program_new(Arena *arena, Names *names);
const State *program_state(const Program *program, Name name); /* NULL if there is none */

/* The axes of a state in the order in which they lie in memory. */
Shape state_stored(const State *state);
bool storage_same(const Storage *a, const Storage *b);

#endif

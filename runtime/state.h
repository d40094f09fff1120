#ifndef MLC_RUNTIME_STATE_H
#define MLC_RUNTIME_STATE_H
/* The model's state in memory (weights, moments, counters) and on disk. One set of buffers serves every compiled entry. */
#include "runtime/compile.h"

/* For each state of the program, its index into model->state; new names are added there, without memory yet.  A state that has
 * another shape there is reported. */
Status state_map(mlc_model *model, const Program *program, Arena *arena, const uint32_t **indices);

/* A state's elements in the row-major order of its shape, state->size bytes. */
void state_copy_out(const StateMemory *state, void *elements);
void state_copy_in(const StateMemory *state, const void *elements);
/* The same for the user, who may write there until the next call: `bytes` itself where they lie like that. */
Status state_lend(const mlc_model *model, StateMemory *state, void **elements);
/* What the user wrote there becomes the state. */
void state_take_back(mlc_model *model);

/* Allocates every state and fills it by running `init` with the model's seed. Once; later calls do nothing. */
Status state_initialize(mlc_model *model);
void state_release(mlc_model *model);
/* NULL if there is none or it has no memory yet. */
StateMemory *state_find(mlc_model *model, const char *name);

/* Weights from a safetensors file or a run folder (its best, else its checkpoint), through the model file's weight map if it is not ours.
 * All or nothing: missing, unexpected and mismatched tensors are all reported with their nearest match, and then nothing is loaded. */
Status state_load_weights(mlc_model *model, const char *path);
/* Asks the file, or the run folder, which precision its weights are for: before anything is compiled for another. */
Status state_take_precision(mlc_model *model, const char *path);
/* From the file that the model file's `weights` block names; nothing to do without such a block. */
Status state_load_declared(mlc_model *model);
Status state_save_weights(mlc_model *model, const char *path);

/* Of files whose weights are not f32: "int8". */
#define NOTE_PRECISION "mlc.precision"

typedef struct Note {
    const char *key, *value;
} Note;

/* Every state and the notes; atomically. */
Status state_save_checkpoint(mlc_model *model, const char *path, uint32_t count, const Note *notes);
/* Reads it back exactly; *set stays open for its notes (close it). */
Status state_load_checkpoint(mlc_model *model, const char *path, TensorSet *set);

/* Tensors that are weights (parameters and buffers), for mlc_weights and files. */
bool state_is_weight(const StateMemory *state);

#endif

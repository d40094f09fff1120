#include "ir/graph/program.h"
#include <string.h>

const char *const entry_name[ENTRY_COUNT] = {
    [ENTRY_init] = "init", [ENTRY_step] = "step", [ENTRY_loss] = "loss",
    [ENTRY_grad] = "grad", [ENTRY_eval] = "eval", [ENTRY_predict] = "predict",
};

const char *const role_name[STATE_counter + 1] = {
    [STATE_parameter] = "parameter",
    [STATE_buffer] = "buffer",
    [STATE_optimizer] = "optimizer",
    [STATE_counter] = "counter",
};

Program *program_new(Arena *arena, Names *names)
{
    Program *program = arena_new(arena, Program);
    *program = (Program){.arena = arena, .names = names};
    return program;
}

const State *program_state(const Program *program, Name name)
{
    for (uint32_t i = 0; i < program->state.count; i++)
        if (name_same(program->state.at[i].name, name)) return &program->state.at[i];
    return NULL;
}

Shape state_stored(const State *state)
{
    const Storage *storage = &state->storage;
    if (!storage->split.rank) return state->shape;
    Shape stored = {.rank = storage->split.rank};
    for (int i = 0; i < stored.rank; i++)
        stored.extent[i] = storage->split.extent[storage->order.at[i]];
    return stored;
}

bool storage_same(const Storage *a, const Storage *b)
{
    return shape_same(&a->split, &b->split) &&
           !memcmp(a->order.at, b->order.at, a->split.rank * sizeof *a->order.at);
}

/* Writes an entry for states as they lie in memory. */
#include "passes/states.h"

#include "ir/graph/build.h"
#include "passes/pass.h"
#include <string.h>

typedef struct Writing {
    const Pass *pass;
    Graph *out;
    const Graph *in;
    Value *map;    /* by node: with the axes of its shape */
    Value *stored; /* ... and as the state `lies` has it; {0}: not */
    const State **lies;
    const uint32_t *class; /* by node */
    const State **state;   /* by class: any of its states; NULL: all of them are plain */
} Writing;

static const State *state_of(const Writing *w, Name name)
{
    return w->pass->program ? program_state(w->pass->program, name) : NULL;
}

static Value to_stored(Graph *out, const State *state, Value x)
{
    Value split = ir_reshape(out, x, state->storage.split);
    return ir_transpose(out, split, state->storage.order);
}

static Value to_shape(Graph *out, const State *state, Value x)
{
    const Storage *storage = &state->storage;
    Axes back = {.count = storage->order.count};
    for (uint8_t i = 0; i < back.count; i++)
        back.at[storage->order.at[i]] = i;
    Value split = ir_transpose(out, x, back);
    return ir_reshape(out, split, state->shape);
}

static bool lies_like(const Writing *w, Value x, const State *state)
{
    return w->stored[x.id].id && storage_same(&w->lies[x.id]->storage, &state->storage);
}

/* An operand of what is computed element by element with states. */
static Value stored_operand(Writing *w, Value x, const State *state)
{
    const Node *node = graph_node(w->in, x);
    Shape shape = state_stored(state);
    if (lies_like(w, x, state)) return w->stored[x.id];
    if (node->op == OP_constant)
        return ir_constant(w->out, node->type, shape, node->attribute->number);
    if (node->op == OP_broadcast && !node->attribute->axes.count)
        return ir_broadcast(w->out, w->map[node->argument[0].id], (Axes){0}, shape);
    return to_stored(w->out, state, w->map[x.id]);
}

static Value elementwise(Writing *w, Value y, const State *state)
{
    const Node *node = graph_node(w->in, y);
    Value operand[3];
    for (uint32_t i = 0; i < node->argument_count; i++)
        operand[i] = stored_operand(w, node->argument[i], state);
    TypedShape given = {.type = node->type};
    return graph_add(w->out, node->op, node->argument_count, operand, node->attribute, &given);
}

/* The axes of the split that axis d of the shape is cut into: from *first on, so many. */
static int pieces(const State *state, int d, int *first)
{
    const Shape *split = &state->storage.split;
    int at = 0, from = 0;
    for (int i = 0; i <= d; i++) {
        int64_t all = 1;
        from = at;
        while (at < split->rank && (all < state->shape.extent[i] || at == from))
            all *= split->extent[at++];
    }
    *first = from;
    return at - from;
}

/* A letter for each axis of the split: the first piece of an axis keeps its letter. */
static void name_pieces(const State *state, const Indices *indices, const char *own,
                        char piece[MAX_RANK + 1])
{
    memset(piece, 0, MAX_RANK + 1);
    for (int d = 0; d < state->shape.rank; d++) {
        int first, count = pieces(state, d, &first);
        piece[first] = own[d];
        for (int i = 1; i < count; i++) {
            char letter = 'a';
            while (strchr(indices->a, letter) || strchr(indices->b, letter) ||
                   strchr(indices->y, letter) || strchr(piece, letter))
                letter++;
            piece[first + i] = letter;
        }
    }
}

/* Cuts the axis that `letter` names, if there is one, into the pieces that begin at `first` of the split. False: the rank would be too high. */
static bool cut_axis(const State *state, int first, int count, const char piece[MAX_RANK + 1],
                     char letter, char letters[MAX_RANK + 1], Shape *shape)
{
    char *found = strchr(letters, letter);
    if (!found) return true;
    if (shape->rank + count - 1 > MAX_RANK) return false;
    int at = (int)(found - letters);
    for (int i = 1; i < count; i++) {
        indices_insert(letters, at + i, piece[first + i]);
        memmove(shape->extent + at + i + 1, shape->extent + at + i,
                (size_t)(MAX_RANK - 1 - at - i) * sizeof *shape->extent);
    }
    memcpy(shape->extent + at, state->storage.split.extent + first,
           (size_t)count * sizeof *shape->extent);
    shape->rank = (uint8_t)(shape->rank + count - 1);
    return true;
}

/* The contraction of weights with x, whose axis of inputs is cut alike, as that of outputs is in the result.  {0}: there are more letters
 * than a list holds, or what is cut is that of a convolution. */
static Value contraction(Writing *w, Value y, int side, const State *state)
{
    const Node *node = graph_node(w->in, y);
    Indices indices = node->attribute->indices;
    char *own = side ? indices.b : indices.a, *other = side ? indices.a : indices.b;
    char piece[MAX_RANK + 1];
    name_pieces(state, &indices, own, piece);
    Shape shape = *graph_shape(w->in, node->argument[1 - side]), result = *graph_shape(w->in, y);
    for (int d = 0; d < state->shape.rank; d++) {
        int first, count = pieces(state, d, &first);
        if ((count > 1 && node->op == OP_conv) ||
            !cut_axis(state, first, count, piece, own[d], other, &shape) ||
            !cut_axis(state, first, count, piece, own[d], indices.y, &result))
            return (Value){0};
    }
    for (int i = 0; i < state->storage.split.rank; i++)
        own[i] = piece[state->storage.order.at[i]];
    Value x = ir_reshape(w->out, w->map[node->argument[1 - side].id], shape);
    Value weights = w->stored[node->argument[side].id];
    Value a = side ? x : weights, b = side ? weights : x;
    Value made = node->op == OP_dot ? ir_dot(w->out, a, b, indices)
                                    : ir_conv(w->out, a, b, indices, *graph_shape(w->in, y));
    return ir_reshape(w->out, made, *graph_shape(w->in, y));
}

/* How a value lies that is a state, the gradient by one, or computed with those of its class element by element. */
static const State *lies_as(const Writing *w, Value y)
{
    const Node *node = graph_node(w->in, y);
    const State *state = NULL;
    if (node->op == OP_read) state = state_of(w, node->attribute->name);
    if (node->op == OP_gradient) state = w->lies[node->argument[1].id];
    if (op_info[node->op].class == ELEMENTWISE) state = w->state[w->class[y.id]];
    return state && state->storage.split.rank ? state : NULL;
}

static Value write_stored(Writing *w, Value y, const State *state)
{
    const Node *node = graph_node(w->in, y);
    if (node->op == OP_read)
        return ir_read(w->out, node->attribute->name, node->type, state_stored(state));
    if (node->op == OP_gradient)
        return ir_gradient(w->out, w->map[node->argument[0].id], w->stored[node->argument[1].id]);
    return elementwise(w, y, state);
}

static Value write_plain(Writing *w, Value y)
{
    const Node *node = graph_node(w->in, y);
    bool contracts = op_info[node->op].class == CONTRACTION;
    for (int side = 0; contracts && side < 2; side++) {
        Value x = node->argument[side];
        if (!w->stored[x.id].id) continue;
        Value made = contraction(w, y, side, w->lies[x.id]);
        if (made.id) return made;
    }
    bool is_of_all = node->op == OP_sum && graph_shape(w->in, y)->rank == 0;
    if (is_of_all && w->stored[node->argument[0].id].id) {
        Value x = w->stored[node->argument[0].id];
        return ir_sum(w->out, x, axes_range(0, graph_shape(w->out, x)->rank));
    }
    return graph_copy(w->out, w->in, y, w->map);
}

/* A state of each class whose states all lie alike, and not as their shape says. */
static const State **states_of(const Writing *w, Arena *scratch)
{
    const Graph *in = w->in;
    const State **found = arena_array(scratch, const State *, in->node.count);
    bool *is_mixed = arena_array(scratch, bool, in->node.count);
    for (uint32_t id = 1; id < in->node.count; id++) {
        const Node *node = graph_node(in, (Value){id});
        const State *state = node->op == OP_read ? state_of(w, node->attribute->name) : NULL;
        if (!state) continue;
        uint32_t class = w->class[id];
        is_mixed[class] |= !state->storage.split.rank;
        is_mixed[class] |= found[class] && !storage_same(&found[class]->storage, &state->storage);
        found[class] = state;
    }
    for (uint32_t id = 1; id < in->node.count; id++)
        if (is_mixed[id]) found[id] = NULL;
    return found;
}

static Value result_of(Writing *w, const Result *result)
{
    const State *state = result->kind == RESULT_write ? state_of(w, result->name) : NULL;
    if (!state || !state->storage.split.rank) return w->map[result->value.id];
    if (lies_like(w, result->value, state)) return w->stored[result->value.id];
    return to_stored(w->out, state, w->map[result->value.id]);
}

static bool all_plain(const Program *program)
{
    for (uint32_t i = 0; program && i < program->state.count; i++)
        if (program->state.at[i].storage.split.rank) return false;
    return true;
}

Graph *pass_states(Pass *pass, const Graph *in)
{
    if (all_plain(pass->program)) return (Graph *)(uintptr_t)in;
    uint32_t count = in->node.count;
    Writing w = {.pass = pass,
                 .out = graph_new(pass->arena, in->names, in->name, pass_simplify_node),
                 .in = in,
                 .map = arena_array(pass->scratch, Value, count),
                 .stored = arena_array(pass->scratch, Value, count),
                 .lies = arena_array(pass->scratch, const State *, count),
                 .class = states_classes(in, pass->scratch)};
    w.state = states_of(&w, pass->scratch);
    for (uint32_t id = 1; id < count; id++) {
        w.out->at = graph_node(in, (Value){id})->at;
        w.lies[id] = lies_as(&w, (Value){id});
        if (w.lies[id]) {
            w.stored[id] = write_stored(&w, (Value){id}, w.lies[id]);
            w.map[id] = to_shape(w.out, w.lies[id], w.stored[id]);
        } else {
            w.map[id] = write_plain(&w, (Value){id});
        }
    }
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(w.out, (int)result->kind, result->name, result_of(&w, result), result->at);
    }
    return w.out;
}

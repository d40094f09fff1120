/* Which states lie in panels. */
#include "passes/layout.h"
#include "passes/pass.h"
#include "passes/states.h"
#include <string.h>

/* Elements of a matrix that is worth it: smaller ones stay in the caches between one use and the next. */
#define LEAST_ELEMENTS ((int64_t)1 << 17)
/* Inputs of a panel, or outputs: two lines of memory, two vectors of AVX-512. */
#define PANEL          32
/* Below, vectors of filters would be mostly empty. */
#define FEW_FILTERS    8

static uint32_t root_of(const uint32_t *class, uint32_t id)
{
    while (class[id] != id)
        id = class[id];
    return id;
}

static void join(uint32_t *class, uint32_t a, uint32_t b)
{
    a = root_of(class, a);
    b = root_of(class, b);
    class[a > b ? a : b] = a > b ? b : a;
}

/* What has no order of its own, and is shared by what has nothing else in common. */
static bool is_anyones(Op op)
{
    return op_info[op].class == LEAF || op == OP_broadcast;
}

/* Nodes that read a state. */
typedef LIST(Value) Reads;

static Reads reads_of(const Graph *graph, Arena *arena)
{
    Reads reads = {0};
    for (uint32_t id = 1; id < graph->node.count; id++)
        if (graph->node.at[id].op == OP_read) *list_add(arena, &reads) = (Value){id};
    return reads;
}

static Value read_of(const Graph *graph, const Reads *reads, Name state)
{
    for (uint32_t i = 0; i < reads->count; i++)
        if (name_same(graph_node(graph, reads->at[i])->attribute->name, state)) return reads->at[i];
    return (Value){0};
}

uint32_t *states_classes(const Graph *graph, Arena *arena)
{
    Reads reads = reads_of(graph, arena);
    uint32_t *class = arena_array(arena, uint32_t, graph->node.count);
    for (uint32_t id = 0; id < graph->node.count; id++)
        class[id] = id;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = graph_node(graph, (Value){id});
        if (node->op == OP_gradient) join(class, id, node->argument[1].id);
        if (op_info[node->op].class != ELEMENTWISE) continue;
        for (uint32_t i = 0; i < node->argument_count; i++)
            if (!is_anyones(graph_node(graph, node->argument[i])->op))
                join(class, id, node->argument[i].id);
    }
    for (uint32_t i = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        if (result->kind != RESULT_write || is_anyones(graph_node(graph, result->value)->op))
            continue;
        Value read = read_of(graph, &reads, result->name);
        if (read.id) join(class, read.id, result->value.id);
    }
    for (uint32_t id = 0; id < graph->node.count; id++)
        class[id] = root_of(class, id);
    return class;
}

/* By node: channels of the image whose values its last axis holds, channel by channel, or what is computed from it element by element.
 * 0: it is none. */
static int64_t *flattened_channels(const Graph *graph, Arena *scratch)
{
    int64_t *found = arena_array(scratch, int64_t, graph->node.count);
    const int8_t *channels = layout_channels(graph, scratch);
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = graph_node(graph, (Value){id});
        if (op_info[node->op].class == ELEMENTWISE)
            for (uint32_t i = 0; i < node->argument_count && !found[id]; i++)
                found[id] = found[node->argument[i].id];
        if (node->op != OP_reshape) continue;
        const Shape *from = graph_shape(graph, node->argument[0]);
        const Shape *to = graph_shape(graph, (Value){id});
        int axis = channels[node->argument[0].id];
        bool is_last = axis >= 0 && axis == to->rank - 1 && from->rank > to->rank;
        for (int d = 0; is_last && d < axis; d++)
            is_last = from->extent[d] == to->extent[d];
        if (is_last) found[id] = from->extent[axis];
    }
    return found;
}

/* Adds an axis to the split; the number of it. */
static uint8_t cut(Storage *storage, int64_t extent)
{
    storage->split.extent[storage->split.rank] = extent;
    return storage->split.rank++;
}

/* A matrix of which axis `inputs` is so many channels of pixels each; 0: of no image. */
static Storage panels(const Shape *shape, int inputs, int64_t channels)
{
    Storage storage = {0};
    int64_t all = shape->extent[inputs], pixels = channels ? all / channels : 1;
    int64_t outer = (channels ? channels : all) / PANEL;
    uint8_t outputs = 0, panel = 0, lane = 0, pixel = 0;
    for (int d = 0; d < 2; d++)
        if (d == inputs) {
            if (outer > 1) panel = cut(&storage, outer);
            lane = cut(&storage, PANEL);
            if (pixels > 1) pixel = cut(&storage, pixels);
        } else {
            outputs = cut(&storage, shape->extent[d]);
        }
    Axes *order = &storage.order;
    if (pixels > 1) order->at[order->count++] = pixel;
    if (outer > 1) order->at[order->count++] = panel;
    order->at[order->count++] = outputs;
    order->at[order->count++] = lane;
    return storage;
}

/* The same matrix in an entry that multiplies by it in one direction only: for each input its outputs, so many at once. */
static Storage columns(const Shape *shape, int inputs, int64_t channels)
{
    Storage storage = {0};
    int64_t all = shape->extent[inputs], out = shape->extent[1 - inputs];
    int64_t pixels = channels ? all / channels : 1, groups = out % PANEL ? 1 : out / PANEL;
    uint8_t panel = 0, lane = 0, channel = 0, pixel = 0;
    for (int d = 0; d < 2; d++)
        if (d == inputs) {
            channel = cut(&storage, all / pixels);
            if (pixels > 1) pixel = cut(&storage, pixels);
        } else {
            if (groups > 1) panel = cut(&storage, groups);
            lane = cut(&storage, out / groups);
        }
    Axes *order = &storage.order;
    if (groups > 1) order->at[order->count++] = panel;
    if (pixels > 1) order->at[order->count++] = pixel;
    order->at[order->count++] = channel;
    order->at[order->count++] = lane;
    return storage;
}

/* A matrix of bytes, whose inputs stay neighbours: in the order of the pixels. */
static Storage by_pixels(const Shape *shape, int inputs, int64_t channels)
{
    Storage storage = {0};
    uint8_t outputs = 0, channel = 0, pixel = 0;
    int64_t pixels = channels ? shape->extent[inputs] / channels : 1;
    if (pixels == 1) return storage;
    for (int d = 0; d < 2; d++)
        if (d == inputs) {
            channel = cut(&storage, channels);
            pixel = cut(&storage, pixels);
        } else {
            outputs = cut(&storage, shape->extent[d]);
        }
    storage.order = (Axes){3, {outputs, pixel, channel}};
    return storage;
}

typedef struct Choosing {
    const Graph *graph;
    bool trains;             /* reads weights in more than one direction: has_updates */
    const int64_t *channels; /* flattened_channels */
    Storage *storage;        /* by node that reads a state */
    bool *is_refused;        /* ... that has a use which wants the plain order */
} Choosing;

/* In training not of weights in several products, as of a recurrence, where they stay packed from one to the next. */
static Storage wanted(const Choosing *c, Value weights, int inputs, int64_t channels)
{
    const Shape *shape = graph_shape(c->graph, weights);
    if (graph_type(c->graph, weights) == TYPE_i8) return by_pixels(shape, inputs, channels);
    bool is_large = shape_elements(shape) >= LEAST_ELEMENTS && !c->storage[weights.id].split.rank;
    bool is_whole = (channels ? channels : shape->extent[inputs]) % PANEL == 0;
    if (c->trains) return is_large && is_whole ? panels(shape, inputs, channels) : (Storage){0};
    return shape->extent[1 - inputs] >= PANEL ? columns(shape, inputs, channels) : (Storage){0};
}

/* Weights in a product with x over one of their axes. */
static void choose_in_product(Choosing *c, Value product, int side)
{
    const Node *node = graph_node(c->graph, product);
    Value weights = node->argument[side], x = node->argument[1 - side];
    const Shape *shape = graph_shape(c->graph, weights);
    const Indices *indices = &node->attribute->indices;
    const char *own = side ? indices->b : indices->a, *other = side ? indices->a : indices->b;
    int inputs = -1;
    for (int d = 0; d < shape->rank; d++)
        if (strchr(other, own[d]) && !strchr(indices->y, own[d])) inputs = d;
    bool is_matrix = shape->rank == 2 && inputs >= 0 && !strchr(other, own[1 - inputs]);
    Storage storage = {0}, *chosen = &c->storage[weights.id];
    if (is_matrix) {
        bool is_last = other[strlen(other) - 1] == own[inputs];
        storage = wanted(c, weights, inputs, is_last ? c->channels[x.id] : 0);
    }
    bool is_other = chosen->split.rank && !storage_same(chosen, &storage);
    if (!storage.split.rank || is_other) c->is_refused[weights.id] = true;
    *chosen = storage;
}

/* Taps by channels by filters, so that vectors of filters are read as they lie; in training, whose other products want other orders, they are few
 * enough to stay in the caches as they are. */
static void choose_in_convolution(Choosing *c, Value y, int side)
{
    const Node *node = graph_node(c->graph, y);
    Value weights = node->argument[side];
    const Shape *shape = graph_shape(c->graph, weights);
    const Indices *indices = &node->attribute->indices;
    const char *own = side ? indices->b : indices->a, *other = side ? indices->a : indices->b;
    Storage storage = {.split = *shape}, *chosen = &c->storage[weights.id];
    int64_t filters = 1;
    /* In this order: of both factors and the result, taps, channels, filters. */
    for (int role = 0; role < 4; role++)
        for (uint8_t d = 0; d < shape->rank; d++) {
            bool is_shared = strchr(other, own[d]), is_kept = strchr(indices->y, own[d]);
            if ((is_shared ? (is_kept ? 0 : 2) : (is_kept ? 3 : 1)) != role) continue;
            storage.order.at[storage.order.count++] = d;
            if (role == 3) filters = shape->extent[d];
        }
    bool is_other = chosen->split.rank && !storage_same(chosen, &storage);
    if (c->trains || filters < FEW_FILTERS || is_other) c->is_refused[weights.id] = true;
    *chosen = storage;
}

/* What the entry asks of every state that it reads. */
static void look_at_uses(Choosing *c)
{
    const Graph *graph = c->graph;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = graph_node(graph, (Value){id});
        for (uint32_t i = 0; i < node->argument_count; i++) {
            Value x = node->argument[i];
            Type type = graph_type(graph, x);
            if (graph_node(graph, x)->op != OP_read || (type != TYPE_f32 && type != TYPE_i8))
                continue;
            bool is_free = op_info[node->op].class == ELEMENTWISE || node->op == OP_gradient ||
                           node->op == OP_sum;
            if (node->op == OP_dot)
                choose_in_product(c, (Value){id}, (int)i);
            else if (node->op == OP_conv)
                choose_in_convolution(c, (Value){id}, (int)i);
            else if (!is_free)
                c->is_refused[x.id] = true;
        }
    }
}

static State *state_read(const Program *program, const Node *read, uint32_t *index)
{
    for (*index = 0; *index < program->state.count; ++*index)
        if (name_same(program->state.at[*index].name, read->attribute->name))
            return &program->state.at[*index];
    return NULL;
}

/* Whether all states of the class that `weights` reads may lie as these do. */
static bool agrees(const Program *program, const Choosing *c, const Reads *reads,
                   const uint32_t *class, uint32_t weights, const bool *fixed)
{
    for (uint32_t i = 0; i < reads->count; i++) {
        uint32_t id = reads->at[i].id, index;
        if (class[id] != class[weights]) continue;
        const State *state = state_read(program, graph_node(c->graph, reads->at[i]), &index);
        if (!state || c->is_refused[id]) return false;
        if (fixed[index] && !storage_same(&state->storage, &c->storage[weights])) return false;
    }
    return true;
}

/* Whether it writes states or asks for gradients. */
static bool has_updates(const Graph *entry)
{
    for (uint32_t i = 0; i < entry->result.count; i++)
        if (entry->result.at[i].kind == RESULT_write) return true;
    for (uint32_t id = 1; id < entry->node.count; id++)
        if (entry->node.at[id].op == OP_gradient) return true;
    return false;
}

void passes_place(Program *program, const Graph *entry, const bool *fixed, Arena *scratch)
{
    uint32_t count = entry->node.count;
    Choosing c = {.graph = entry,
                  .channels = flattened_channels(entry, scratch),
                  .storage = arena_array(scratch, Storage, count),
                  .trains = has_updates(entry),
                  .is_refused = arena_array(scratch, bool, count)};
    look_at_uses(&c);
    const uint32_t *class = states_classes(entry, scratch);
    Reads reads = reads_of(entry, scratch);
    for (uint32_t id = 1; id < count; id++) {
        if (!c.storage[id].split.rank || !agrees(program, &c, &reads, class, id, fixed)) continue;
        for (uint32_t i = 0; i < reads.count; i++) {
            uint32_t index;
            if (class[reads.at[i].id] != class[id]) continue;
            state_read(program, graph_node(entry, reads.at[i]), &index)->storage = c.storage[id];
        }
    }
}

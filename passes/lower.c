/* From groups to kernels.  The heart is value_at: the value of a node at an index is loaded if it has a buffer and computed on
 * the spot otherwise.  Fusion is nothing more than this choice, and no rule has to know about it. */
#include "passes/lower.h"
#include "ir/base/boundary.h"
#include "passes/layout.h"
#include "passes/lower_rules.h"
#include <math.h>

void lower_want_store(Lower *l, Value x)
{
    if (l->outcome) return;
    l->outcome = LOWER_store;
    l->wanted = fusion_storage(l->graph, x);
}

/* All reduces of a kernel are evaluated once a row: none inside another's sum, and all with the same rows. */
bool lower_can_reduce(Lower *l, Value y, uint32_t used, uint32_t more)
{
    uint32_t reduced = 0;
    for (uint32_t a = 0; a < l->kernel->axis.count; a++)
        if (l->kernel->axis.at[a].kind == AXIS_reduction) reduced |= 1u << a;
    bool fits = l->kernel->axis.count + more <= MAX_AXES;
    if (fits && !(used & reduced) && (!l->reduces || l->rows == used)) {
        l->reduces = true;
        l->rows = used;
        return true;
    }
    if (l->outcome) return false;
    if (l->fusion->group[y.id])
        l->outcome = LOWER_separate;
    else
        lower_want_store(l, y);
    return false;
}

/* -- values at indices ---------------------------------------------------------------------------------- */

static uint32_t *memo_slot(Lower *l, uint32_t value, uint32_t index)
{
    uint32_t mask = l->memo_room - 1, slot = (value * 0x9e3779b1u ^ index * 0x85ebca6bu) & mask;
    while (l->memo_table[slot]) {
        const Memo *memo = &l->memo.at[l->memo_table[slot]];
        if (memo->value == value && memo->index == index) break;
        slot = (slot + 1) & mask;
    }
    return &l->memo_table[slot];
}

static void memo_add(Lower *l, uint32_t value, uint32_t index, Scalar scalar)
{
    if (!l->memo.count) *list_add(l->arena, &l->memo) = (Memo){0};
    if (l->memo.count * 2 >= l->memo_room) {
        l->memo_room = l->memo_room ? l->memo_room * 2 : 64;
        l->memo_table = arena_array(l->arena, uint32_t, l->memo_room);
        for (uint32_t i = 1; i < l->memo.count; i++)
            *memo_slot(l, l->memo.at[i].value, l->memo.at[i].index) = i;
    }
    *memo_slot(l, value, index) = l->memo.count;
    *list_add(l->arena, &l->memo) = (Memo){value, index, scalar};
}

static uint32_t buffer_of(Lower *l, Value stored, bool written)
{
    for (uint32_t i = 0; i < l->buffer.count; i++)
        if (value_same(l->buffer.at[i], stored) && l->kernel->buffer.at[i].written == written)
            return i;
    *list_add(l->arena, &l->buffer) = stored;
    int64_t elements = shape_elements(graph_shape(l->graph, stored));
    return kernel_buffer(l->kernel, graph_type(l->graph, stored), elements, written);
}

/* The place of view[at] in the buffer of `stored`, of which `view` is the shape it is seen under. */
static Access access_of(Lower *l, Value stored, bool written, const Shape *view, uint32_t at)
{
    Access access = {.buffer = buffer_of(l, stored, written)};
    int64_t stride[MAX_RANK];
    layout_strides(l->fusion, stored, view, stride);
    const Index *index = &l->index.at[at];
    for (uint32_t d = 0; d < index->rank; d++) {
        const Coordinate *c = &index->at[d];
        if (view->extent[d] == 1 && coordinate_is_plain(c) && !affine_axes(&c->affine) &&
            c->affine.constant == 0)
            continue;
        Coordinate *to = &access.at[access.rank];
        *to = *c;
        to->extent = view->extent[d];
        to->guarded = !written; /* the builder drops guards that always hold */
        access.stride[access.rank++] = stride[d];
    }
    return access;
}

static bool is_loaded(const Lower *l, Value x)
{
    uint32_t group = l->fusion->group[x.id];
    return fusion_is_source(l->graph, x) || (group && group != l->group);
}

/* A view of a stored value is a load under another shape; of any other, another index. */
static Scalar reshape_at(Lower *l, Value y, uint32_t at)
{
    Value x = graph_argument(l->graph, y, 0), storage = fusion_storage(l->graph, y);
    if (is_loaded(l, storage)) {
        Access access = access_of(l, storage, false, graph_shape(l->graph, y), at);
        return kernel_load(l->kernel, &access);
    }
    uint32_t inner;
    if (index_reshape(l, y, at, &inner)) return value_at(l, x, inner);
    lower_want_store(l, x);
    return lower_number(l, graph_type(l->graph, y), 0);
}

static Scalar compute(Lower *l, Value x, uint32_t at)
{
    Op op = graph_node(l->graph, x)->op;
    if (op == OP_reshape) return reshape_at(l, x, at);
    return lower_rule(l, x, at);
}

Scalar value_at(Lower *l, Value x, uint32_t at)
{
    Type type = graph_type(l->graph, x);
    if (l->outcome || shape_elements(graph_shape(l->graph, x)) == 0)
        return lower_number(l, type, 0);
    if (is_loaded(l, x)) {
        Access access = access_of(l, x, false, graph_shape(l->graph, x), at);
        return kernel_load(l->kernel, &access);
    }
    if (l->fusion->group[x.id] && at != l->root) {
        l->outcome = LOWER_separate;
        return lower_number(l, type, 0);
    }
    if (l->memo_room) {
        uint32_t known = *memo_slot(l, x.id, at);
        if (known) return l->memo.at[known].scalar;
    }
    Scalar scalar = compute(l, x, at);
    if (!l->outcome) memo_add(l, x.id, at, scalar);
    return scalar;
}

static bool keeps_zero(const Lower *l, Value x, int depth);

static bool all_keep_zero(const Lower *l, const Node *node, uint32_t first, int depth)
{
    for (uint32_t i = first; i < node->argument_count; i++)
        if (!keeps_zero(l, node->argument[i], depth)) return false;
    return true;
}

/* Whether x computed from guarded loads is 0 wherever a coordinate is outside, so that no select is needed.  A product does so
 * only if one factor is a number: the other factor might be infinite where this one is 0. */
static bool keeps_zero(const Lower *l, Value x, int depth)
{
    const Node *node = graph_node(l->graph, x);
    double number;
    if (is_loaded(l, fusion_storage(l->graph, x))) return true;
    if (graph_is_number(l->graph, x, &number)) return number == 0;
    if (depth == 0) return false;

    Op op = node->op;
    if (op == OP_neg || op == OP_abs || op == OP_cast || op == OP_stop || op == OP_transpose ||
        op == OP_max || op == OP_min || op == OP_add || op == OP_sub)
        return all_keep_zero(l, node, 0, depth - 1);
    if (op == OP_select) return all_keep_zero(l, node, 1, depth - 1);
    if (op != OP_mul) return false;
    for (int i = 0; i < 2; i++)
        if (graph_is_number(l->graph, node->argument[i], &number) && isfinite(number) &&
            keeps_zero(l, node->argument[1 - i], depth - 1))
            return true;
    return false;
}

Scalar value_or_zero(Lower *l, Value x, uint32_t at)
{
    Index index = l->index.at[at];
    const Shape *shape = graph_shape(l->graph, x);
    Type type = graph_type(l->graph, x);
    if (shape_elements(shape) == 0) return lower_number(l, type, 0);
    for (uint32_t d = 0; d < index.rank; d++) {
        index.at[d].extent = shape->extent[d];
        index.at[d].guarded = true;
    }
    Scalar inside = kernel_inside(l->kernel, index.rank, index.at);
    Scalar value = value_at(l, x, at);
    if (keeps_zero(l, x, 4)) return value;
    return kernel_apply(l->kernel, SCALAR_select, type,
                        (Scalar[]){inside, value, lower_number(l, type, 0)});
}

/* -- kernels -------------------------------------------------------------------------------------------- */

static Part finish(Lower *l, Arena *arena)
{
    int64_t *first = arena_array(arena, int64_t, l->buffer.count);
    Part part = {.kernel = lower_tidy(arena, l->kernel, first), .first = first};
    Value *buffer = arena_array(arena, Value, l->buffer.count);
    for (uint32_t i = 0; i < l->buffer.count; i++)
        buffer[i] = l->buffer.at[i];
    part.buffer = buffer;
    return part;
}

static void begin(Lower *l, Arena *arena)
{
    Lower fresh = {.graph = l->graph,
                   .fusion = l->fusion,
                   .arena = arena,
                   .kept = l->kept,
                   .group = l->group,
                   .kernel = kernel_new(arena),
                   .refinement.at = l->refinement.at,
                   .refinement.count = l->refinement.count,
                   .refinement.room = l->refinement.room};
    *l = fresh;
}

static void build_stores(Lower *l)
{
    const Group *group = &l->fusion->groups.at[l->group];
    const Shape *shape = graph_shape(l->graph, group->store.at[0]);
    l->root = index_of_shape(l, shape);
    for (uint32_t i = 0; i < group->store.count; i++) {
        Value y = group->store.at[i];
        *list_add(l->arena, &l->kernel->span) = graph_node(l->graph, y)->at;
        Scalar value = value_at(l, y, l->root);
        if (l->outcome) return;
        Access access = access_of(l, y, true, shape, l->root);
        kernel_store(l->kernel, &access, value, false);
    }
}

/* Grants the wish of the last attempt; false if the group is no more. */
static bool grant(Lower *l)
{
    bool grouped = l->fusion->groups.at[l->group].store.count > 1;
    switch (l->outcome) {
    case LOWER_done:
    case LOWER_refine: return true;
    case LOWER_store:
        /* A value between two stores of one group would make a cycle if it had a buffer. */
        if (grouped) break;
        if (l->fusion->group[l->wanted.id]) bug("%%%u is stored already", l->wanted.id);
        fusion_store(l->fusion, l->wanted);
        return true;
    case LOWER_separate:
        if (!grouped) bug("%%%u reads itself", l->fusion->groups.at[l->group].store.at[0].id);
        break;
    }
    fusion_separate(l->fusion, l->group);
    return false;
}

/* y[.., index[i..], ..] += updates[.., i.., ..] : sequential over i, parallel over the rest.  Updates are computed where
 * they are added; a position outside is dropped by its guard. */
static void build_scatter(Lower *l, Value y)
{
    const Node *node = graph_node(l->graph, y);
    const Shape *shape = graph_shape(l->graph, y), *from = graph_shape(l->graph, node->argument[0]);
    uint32_t axis = (uint32_t)node->attribute->axis;
    uint32_t rank = graph_shape(l->graph, node->argument[1])->rank;

    Index update = {.rank = from->rank}, position = {.rank = rank};
    for (uint32_t d = 0; d < rank; d++)
        position.at[d] =
            index_dimension(l, (Dimension){AXIS_sequential, from->extent[axis + d], d});
    for (uint32_t d = 0; d < from->rank; d++)
        update.at[d] = d >= axis && d < axis + rank
                           ? position.at[d - axis]
                           : index_dimension(l, (Dimension){AXIS_parallel, from->extent[d], d});
    Scalar where = value_at(l, node->argument[1], index_intern(l, &position));
    where = kernel_apply(l->kernel, SCALAR_cast, TYPE_i32, &where);

    Index result = {.rank = shape->rank};
    for (uint32_t d = 0; d < shape->rank; d++)
        if (d != axis) result.at[d] = d < axis ? update.at[d] : update.at[d + rank - 1];
    result.at[axis] = (Coordinate){.dynamic = where, .divisor = 1};

    Scalar value = value_at(l, node->argument[0], index_intern(l, &update));
    if (l->outcome) return;
    Access access = access_of(l, y, true, shape, index_intern(l, &result));
    kernel_store(l->kernel, &access, value, true);
}

static void build_fill(Lower *l, Value y, double number)
{
    const Shape *shape = graph_shape(l->graph, y);
    l->root = index_of_shape(l, shape);
    Access access = access_of(l, y, true, shape, l->root);
    kernel_store(l->kernel, &access, lower_number(l, graph_type(l->graph, y), number), false);
}

/* One part of a concat, into its slice. */
static void build_piece(Lower *l, Value y, uint32_t part, int64_t begin)
{
    const Node *node = graph_node(l->graph, y);
    Value x = node->argument[part];
    *list_add(l->arena, &l->kernel->span) = node->at;
    uint32_t from = index_of_shape(l, graph_shape(l->graph, x));
    Scalar value = value_at(l, x, from);
    if (l->outcome) return;
    Index to = l->index.at[from];
    Coordinate *along = &to.at[node->attribute->axis];
    *along = coordinate_move(l, along, 1, begin);
    Access access = access_of(l, y, true, graph_shape(l->graph, y), index_intern(l, &to));
    kernel_store(l->kernel, &access, value, false);
}

static void build(Lower *l, Unit *unit, Arena *arena)
{
    Value y = l->fusion->groups.at[l->group].store.at[0];
    const Node *node = graph_node(l->graph, y);
    unit->part.count = 0;
    if (node->op != OP_scatter) {
        build_stores(l);
    } else {
        build_fill(l, y, 0);
        *list_add(l->arena, &l->kernel->span) = node->at;
        *list_add(arena, &unit->part) = finish(l, arena);
        if (shape_elements(graph_shape(l->graph, node->argument[0])) == 0) return;
        Arena *scratch = l->arena;
        begin(l, scratch);
        build_scatter(l, y);
        *list_add(l->arena, &l->kernel->span) = node->at;
        l->main = y;
    }
    if (!l->outcome) *list_add(arena, &unit->part) = finish(l, arena);
}

/* Attempts until one is made without a wish; false if the group is no more. */
static bool lower_whole(Lower *l, Arena *scratch, Unit *unit, Arena *arena)
{
    bool done = true;
    do {
        arena_reset(scratch);
        begin(l, scratch);
        build(l, unit, arena);
        done = grant(l);
    } while (done && l->outcome);
    unit->flops = l->flops;
    return done;
}

/* The parts of a long concat, each with its own attempts. */
static void lower_pieces(Lower *l, Arena *scratch, Unit *unit, Arena *arena, Value y)
{
    const Node *node = graph_node(l->graph, y);
    int64_t place = 0;
    for (uint32_t i = 0; i < node->argument_count; i++) {
        const Shape *shape = graph_shape(l->graph, node->argument[i]);
        if (shape_elements(shape) == 0) continue;
        do {
            arena_reset(scratch);
            begin(l, scratch);
            build_piece(l, y, i, place);
            grant(l);
        } while (l->outcome);
        *list_add(arena, &unit->part) = finish(l, arena);
        unit->flops += l->flops;
        place += shape->extent[node->attribute->axis];
    }
}

bool lower_group(Arena *arena, Fusion *fusion, uint32_t group, Unit *unit)
{
    Arena *scratch = arena_open(&host_default);
    if (!scratch) out_of_memory();
    Lower l = {.graph = fusion->graph, .fusion = fusion, .kept = arena, .group = group};
    Value root = fusion->groups.at[group].store.at[0];
    bool done = true;
    if (fusion_in_pieces(l.graph, root))
        lower_pieces(&l, scratch, unit, arena, root);
    else
        done = lower_whole(&l, scratch, unit, arena);
    if (done) unit->main = l.main.id ? l.main : root;
    arena_close(scratch);
    return done;
}

Kernel *lower_copy(Arena *arena, Type type, int64_t elements, Span at)
{
    Kernel *kernel = kernel_new(arena);
    Access from = {.buffer = kernel_buffer(kernel, type, elements, false)};
    Access to = {.buffer = kernel_buffer(kernel, type, elements, true)};
    if (elements > 1) {
        from.rank = to.rank = 1;
        from.stride[0] = to.stride[0] = 1;
        from.at[0].affine = affine_axis(kernel_axis(kernel, AXIS_parallel, elements));
        from.at[0].divisor = 1;
        from.at[0].extent = elements;
        to.at[0] = from.at[0];
    }
    Scalar value = kernel_load(kernel, &from);
    kernel_store(kernel, &to, value, false);
    *list_add(arena, &kernel->span) = at;
    return kernel;
}

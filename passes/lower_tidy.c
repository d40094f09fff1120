/* Brings a kernel into its simplest form.  All coordinates of an access that need no guard become one; then neighbouring
 * axes that every affine moves through as one long axis are merged, so that [8, 256, 384] and [2048, 384] give the same
 * elementwise kernel; last, only what the stores need is built again. */
#include "passes/lower.h"

/* -- one coordinate ------------------------------------------------------------------------------------- */

/* Unguarded coordinates summed into one over the whole buffer; guarded ones as they are. */
static Access flatten(const Kernel *kernel, const Access *from)
{
    Access flat = {.buffer = from->buffer, .offset = from->offset};
    Affine sum = affine_constant(0);
    int together = -1;
    for (int d = 0; d < from->rank; d++) {
        if (from->at[d].guarded) {
            flat.stride[flat.rank] = from->stride[d];
            flat.at[flat.rank++] = from->at[d];
            continue;
        }
        if (together < 0) together = flat.rank++;
        sum = affine_add(sum, affine_scale(from->at[d].affine, from->stride[d]));
    }
    if (together < 0) return flat;

    flat.offset += sum.constant;
    sum.constant = 0;
    int64_t least, greatest;
    affine_range(kernel, &sum, &least, &greatest);
    flat.offset += least;
    sum.constant = -least;
    flat.stride[together] = 1;
    flat.at[together] = (Coordinate){.affine = sum, .divisor = 1, .extent = greatest - least + 1};
    if (least != greatest) return flat;

    flat.rank--;
    memmove(&flat.at[together], &flat.at[together + 1], sizeof flat.at[0] * (flat.rank - together));
    memmove(&flat.stride[together], &flat.stride[together + 1],
            sizeof flat.stride[0] * (flat.rank - together));
    return flat;
}

/* -- the walk ------------------------------------------------------------------------------------------- */

typedef struct Tidy {
    const Kernel *from;
    bool *live;
    Access *access;        /* by scalar: the flattened access */
    Access *store;         /* by store */
    int64_t *first, *end;  /* by buffer: the elements that are touched */
    bool joined[MAX_AXES]; /* axis a is the outer part of axis a + 1 */
    Axis axis[MAX_AXES];
    int64_t
        factor[MAX_AXES]; /* old axis value = its part of axis[a], which counts `factor` of it */
} Tidy;

static bool has_access(const ScalarNode *node)
{
    return node->op == SCALAR_load || node->op == SCALAR_index || node->op == SCALAR_inside;
}

static void mark(Tidy *t, Scalar scalar)
{
    if (scalar.id) t->live[scalar.id] = true;
}

static void mark_access(Tidy *t, const Access *access)
{
    for (int d = 0; d < access->rank; d++)
        mark(t, access->at[d].dynamic);
}

static void mark_live(Tidy *t)
{
    const Kernel *from = t->from;
    for (uint32_t i = 0; i < from->store.count; i++) {
        mark(t, from->store.at[i].value);
        mark_access(t, &from->store.at[i].at);
    }
    for (uint32_t i = from->scalar.count; i-- > 1;) {
        const ScalarNode *node = &from->scalar.at[i];
        if (!t->live[i]) continue;
        for (int k = 0; k < SCALAR_ARGUMENTS; k++)
            mark(t, node->argument[k]);
        if (has_access(node)) mark_access(t, node->access);
    }
}

static void flatten_all(Tidy *t, Arena *arena)
{
    const Kernel *from = t->from;
    t->access = arena_array(arena, Access, from->scalar.count);
    t->store = arena_array(arena, Access, from->store.count);
    for (uint32_t i = 1; i < from->scalar.count; i++) {
        const ScalarNode *node = &from->scalar.at[i];
        if (!t->live[i] || !has_access(node)) continue;
        t->access[i] = node->op == SCALAR_load ? flatten(from, node->access) : *node->access;
    }
    for (uint32_t i = 0; i < from->store.count; i++)
        t->store[i] = flatten(from, &from->store.at[i].at);
}

/* -- the touched part of a buffer ----------------------------------------------------------------------- */

static void touch(Tidy *t, const Access *access)
{
    int64_t first = access->offset, end = first + 1;
    if (access->rank > 1 || (access->rank && access->at[0].guarded)) {
        first = 0;
        end = t->from->buffer.at[access->buffer].elements;
    } else if (access->rank) {
        end = first + access->at[0].extent;
    }
    int64_t *known_first = &t->first[access->buffer], *known_end = &t->end[access->buffer];
    *known_first = *known_end && *known_first < first ? *known_first : first;
    *known_end = *known_end > end ? *known_end : end;
}

/* Where a buffer begins is the caller's business: kernels that differ in nothing else are one. */
static void cut_buffers(Tidy *t, Arena *arena)
{
    const Kernel *from = t->from;
    t->end = arena_array(arena, int64_t, from->buffer.count);
    for (uint32_t i = 1; i < from->scalar.count; i++)
        if (t->live[i] && from->scalar.at[i].op == SCALAR_load) touch(t, &t->access[i]);
    for (uint32_t i = 0; i < from->store.count; i++)
        touch(t, &t->store[i]);
    for (uint32_t i = 1; i < from->scalar.count; i++)
        if (t->live[i] && from->scalar.at[i].op == SCALAR_load)
            t->access[i].offset -= t->first[t->access[i].buffer];
    for (uint32_t i = 0; i < from->store.count; i++)
        t->store[i].offset -= t->first[t->store[i].buffer];
}

/* -- merging axes --------------------------------------------------------------------------------------- */

static void refuse(Tidy *t, const Access *access)
{
    for (int d = 0; d < access->rank; d++)
        for (uint32_t a = 0; a + 1 < t->from->axis.count; a++) {
            const int64_t *by = access->at[d].affine.by;
            if (by[a] != by[a + 1] * t->from->axis.at[a + 1].extent) t->joined[a] = false;
        }
}

/* Axes a and a + 1 move as one if every affine gives a the step of a whole run of a + 1, and every reduce closes over both or
 * neither.  That they are neighbours in the list keeps the order of the points. */
static void find_joined(Tidy *t)
{
    const Kernel *from = t->from;
    for (uint32_t a = 0; a + 1 < from->axis.count; a++)
        t->joined[a] = from->axis.at[a].kind == from->axis.at[a + 1].kind;
    for (uint32_t i = 1; i < from->scalar.count; i++) {
        const ScalarNode *node = &from->scalar.at[i];
        if (!t->live[i]) continue;
        if (has_access(node)) refuse(t, &t->access[i]);
        for (uint32_t a = 0; node->op == SCALAR_reduce && a + 1 < from->axis.count; a++)
            if ((node->axes >> a & 1) != (node->axes >> (a + 1) & 1)) t->joined[a] = false;
    }
    for (uint32_t i = 0; i < from->store.count; i++)
        refuse(t, &t->store[i]);
}

/* Axes that nothing uses any more (a reduce that folded away) are dropped. */
static uint32_t used_axes(const Tidy *t)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < t->from->store.count; i++)
        for (int d = 0; d < t->store[i].rank; d++)
            used |= affine_axes(&t->store[i].at[d].affine);
    for (uint32_t i = 1; i < t->from->scalar.count; i++) {
        if (!t->live[i]) continue;
        if (t->from->scalar.at[i].op == SCALAR_reduce) used |= t->from->scalar.at[i].axes;
        for (int d = 0; has_access(&t->from->scalar.at[i]) && d < t->access[i].rank; d++)
            used |= affine_axes(&t->access[i].at[d].affine);
    }
    return used;
}

static void make_axes(Tidy *t, Kernel *to)
{
    uint32_t used = used_axes(t);
    for (uint32_t a = 0; a < t->from->axis.count; a++) {
        uint32_t last = a;
        int64_t extent = t->from->axis.at[a].extent;
        if (!(used >> a & 1)) continue;
        while (t->joined[last])
            extent *= t->from->axis.at[++last].extent;
        Axis axis = kernel_axis(to, t->from->axis.at[a].kind, extent);
        for (; a < last; a++)
            t->axis[a] = axis;
        t->axis[last] = axis;
    }
}

/* The innermost of a merged run has the step of the merged axis. */
static Affine move_affine(const Tidy *t, const Affine *affine)
{
    Affine moved = affine_constant(affine->constant);
    for (uint32_t a = 0; a < t->from->axis.count; a++)
        if (t->axis[a].id && !t->joined[a]) moved.by[t->axis[a].id - 1] = affine->by[a];
    return moved;
}

static Access move_access(const Tidy *t, const Access *access, const Scalar *now)
{
    Access moved = *access;
    for (int d = 0; d < access->rank; d++) {
        moved.at[d].affine = move_affine(t, &access->at[d].affine);
        moved.at[d].dynamic = now[access->at[d].dynamic.id];
    }
    return moved;
}

/* -- building ------------------------------------------------------------------------------------------- */

static uint32_t move_axes(const Tidy *t, uint32_t axes)
{
    uint32_t moved = 0;
    for (uint32_t a = 0; a < t->from->axis.count; a++)
        if (axes >> a & 1) moved |= 1u << (t->axis[a].id - 1);
    return moved;
}

static Scalar rebuild(const Tidy *t, Kernel *to, uint32_t i, const Scalar *now)
{
    const ScalarNode *node = &t->from->scalar.at[i];
    Scalar argument[SCALAR_ARGUMENTS];
    for (int k = 0; k < SCALAR_ARGUMENTS; k++)
        argument[k] = now[node->argument[k].id];
    Access access;
    if (has_access(node)) access = move_access(t, &t->access[i], now);

    if (node->op == SCALAR_constant) return kernel_constant(to, node->type, node->number);
    if (node->op == SCALAR_index) return kernel_index(to, access.at[0].affine);
    if (node->op == SCALAR_inside) return kernel_inside(to, access.rank, access.at);
    if (node->op == SCALAR_load) return kernel_load(to, &access);
    if (node->op == SCALAR_reduce)
        return kernel_reduce(to, node->reduce, move_axes(t, node->axes), argument[0]);
    return kernel_apply(to, node->op, node->type, argument);
}

Kernel *lower_tidy(Arena *arena, const Kernel *from, int64_t *first)
{
    Arena *scratch = from->arena;
    Tidy t = {.from = from, .live = arena_array(scratch, bool, from->scalar.count), .first = first};
    mark_live(&t);
    flatten_all(&t, scratch);
    cut_buffers(&t, scratch);
    find_joined(&t);

    Kernel *to = kernel_new(arena);
    make_axes(&t, to);
    for (uint32_t i = 0; i < from->buffer.count; i++) {
        int64_t touched = t.end[i] - t.first[i];
        int64_t elements = touched ? touched : from->buffer.at[i].elements;
        kernel_buffer(to, from->buffer.at[i].type, elements, from->buffer.at[i].written);
    }
    Scalar *now = arena_array(scratch, Scalar, from->scalar.count);
    for (uint32_t i = 1; i < from->scalar.count; i++)
        if (t.live[i]) now[i] = rebuild(&t, to, i, now);
    for (uint32_t i = 0; i < from->store.count; i++) {
        Access access = move_access(&t, &t.store[i], now);
        kernel_store(to, &access, now[from->store.at[i].value.id], from->store.at[i].accumulate);
    }
    for (uint32_t i = 0; i < from->span.count; i++)
        *list_add(arena, &to->span) = from->span.at[i];
    return to;
}

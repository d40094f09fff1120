/* Indices while lowering: interned, so that "the same element" is one number to compare; dimensions of the iteration, split where
 * a reshape asks for it; and reshapes themselves, which are exact symbolic division. */
#include "ir/base/bits.h"
#include "ir/base/boundary.h"
#include "passes/lower_rules.h"

/* -- interning ------------------------------------------------------------------------------------------ */

static bool coordinate_same(const Coordinate *a, const Coordinate *b)
{
    return a->dynamic.id == b->dynamic.id && a->divisor == b->divisor &&
           affine_same(&a->affine, &b->affine);
}

static bool index_same(const Index *a, const Index *b)
{
    if (a->rank != b->rank) return false;
    for (uint32_t d = 0; d < a->rank; d++)
        if (!coordinate_same(&a->at[d], &b->at[d])) return false;
    return true;
}

static uint64_t index_hash(const Index *index)
{
    uint64_t hash = index->rank;
    for (uint32_t d = 0; d < index->rank; d++) {
        const Coordinate *at = &index->at[d];
        int64_t rest[2] = {at->dynamic.id, at->divisor};
        hash = bits_hash(&at->affine, sizeof at->affine, hash);
        hash = bits_hash(rest, sizeof rest, hash);
    }
    return hash;
}

static uint32_t *index_slot(Lower *l, const Index *index)
{
    uint32_t mask = l->index_room - 1, slot = (uint32_t)index_hash(index) & mask;
    while (l->index_table[slot] && !index_same(&l->index.at[l->index_table[slot]], index))
        slot = (slot + 1) & mask;
    return &l->index_table[slot];
}

uint32_t index_intern(Lower *l, const Index *index)
{
    if (!l->index.count) *list_add(l->arena, &l->index) = (Index){0};
    if (l->index.count * 2 >= l->index_room) {
        l->index_room = l->index_room ? l->index_room * 2 : 32;
        l->index_table = arena_array(l->arena, uint32_t, l->index_room);
        for (uint32_t i = 1; i < l->index.count; i++)
            *index_slot(l, &l->index.at[i]) = i;
    }
    uint32_t *slot = index_slot(l, index);
    if (!*slot) {
        *slot = l->index.count;
        *list_add(l->arena, &l->index) = *index;
    }
    return *slot;
}

/* -- dimensions ----------------------------------------------------------------------------------------- */

static bool dimension_same(Dimension a, Dimension b)
{
    return a.kind == b.kind && a.extent == b.extent && a.number == b.number;
}

static Refinement *refinement_of(Lower *l, Dimension dimension)
{
    for (uint32_t i = 0; i < l->refinement.count; i++)
        if (dimension_same(l->refinement.at[i].dimension, dimension)) return &l->refinement.at[i];
    return NULL;
}

static OpenDimension *find_dimension(Lower *l, Dimension dimension)
{
    for (uint32_t i = 0; i < l->dimension.count; i++)
        if (dimension_same(l->dimension.at[i].dimension, dimension)) return &l->dimension.at[i];
    return NULL;
}

static OpenDimension *open_dimension(Lower *l, Dimension dimension)
{
    OpenDimension *known = find_dimension(l, dimension);
    if (known) return known;

    OpenDimension open = {.dimension = dimension};
    const Refinement *refined = refinement_of(l, dimension);
    uint32_t count = refined ? refined->count : 1;
    for (uint32_t i = 0; i < count; i++) {
        int64_t extent = refined ? refined->factor[i] : dimension.extent;
        Axis axis = kernel_axis(l->kernel, dimension.kind, extent);
        open.affine = affine_add(affine_scale(open.affine, extent), affine_axis(axis));
        open.axes |= 1u << (axis.id - 1);
    }
    *list_add(l->arena, &l->dimension) = open;
    return list_last(&l->dimension);
}

Coordinate coordinate_constant(int64_t constant)
{
    return (Coordinate){.affine = affine_constant(constant), .divisor = 1};
}

Coordinate index_dimension(Lower *l, Dimension dimension)
{
    if (dimension.extent == 1) return coordinate_constant(0);
    return (Coordinate){.affine = open_dimension(l, dimension)->affine, .divisor = 1};
}

/* A reduce that finds no axis left becomes a kernel of its own; `axes` then stays as it was. */
Coordinate index_reduction(Lower *l, int64_t extent, uint32_t used, uint32_t *axes)
{
    if (extent == 1) return coordinate_constant(0);

    Dimension dimension = {.kind = AXIS_reduction, .extent = extent};
    const OpenDimension *open = find_dimension(l, dimension);
    while (open && (open->axes & (used | *axes))) {
        dimension.number++;
        open = find_dimension(l, dimension);
    }
    open = open_dimension(l, dimension);
    *axes |= open->axes;
    return (Coordinate){.affine = open->affine, .divisor = 1};
}

uint32_t index_of_shape(Lower *l, const Shape *shape)
{
    Index index = {.rank = shape->rank};
    for (uint32_t d = 0; d < shape->rank; d++)
        index.at[d] = index_dimension(
            l, (Dimension){.kind = AXIS_parallel, .extent = shape->extent[d], .number = d});
    return index_intern(l, &index);
}

uint32_t index_axes(const Lower *l, const Index *index)
{
    uint32_t axes = 0;
    for (uint32_t d = 0; d < index->rank; d++) {
        axes |= affine_axes(&index->at[d].affine);
        if (index->at[d].dynamic.id) axes |= l->kernel->scalar.at[index->at[d].dynamic.id].depends;
    }
    return axes;
}

/* -- coordinates ---------------------------------------------------------------------------------------- */

bool coordinate_is_plain(const Coordinate *at)
{
    return !at->dynamic.id && at->divisor == 1;
}

static Scalar apply_i32(Lower *l, ScalarOp op, Scalar x, int64_t number)
{
    Scalar y = lower_number(l, TYPE_i32, (double)number);
    return kernel_apply(l->kernel, op, TYPE_i32, (Scalar[]){x, y});
}

Coordinate coordinate_move(Lower *l, const Coordinate *at, int64_t scale, int64_t offset)
{
    Coordinate moved = *at;
    moved.affine =
        affine_add(affine_scale(at->affine, scale), affine_constant(offset * at->divisor));
    if (at->dynamic.id && scale != 1) moved.dynamic = apply_i32(l, SCALAR_mul, at->dynamic, scale);
    return moved;
}

Coordinate coordinate_divide(const Coordinate *at, int64_t divisor)
{
    Coordinate divided = *at;
    divided.divisor *= divisor;
    return divided;
}

Scalar coordinate_scalar(Lower *l, const Coordinate *at)
{
    Scalar value = kernel_index(l->kernel, at->affine);
    if (at->dynamic.id)
        value = kernel_apply(l->kernel, SCALAR_add, TYPE_i32, (Scalar[]){value, at->dynamic});
    return at->divisor == 1 ? value : apply_i32(l, SCALAR_div, value, at->divisor);
}

/* -- reshape -------------------------------------------------------------------------------------------- */

/* Asks for the axis to be split at `inner` if that can be. */
static bool want_split(Lower *l, uint32_t axis, int64_t inner)
{
    int64_t extent = l->kernel->axis.at[axis].extent;
    if (inner <= 1 || extent % inner || extent == inner) return false;
    if (l->kernel->axis.count >= MAX_AXES - 2) return false; /* other dimensions may still open */

    const OpenDimension *open = l->dimension.at;
    while (!(open->axes >> axis & 1))
        open++;
    Refinement *refined = refinement_of(l, open->dimension);
    if (!refined) {
        refined = list_add(l->kept, &l->refinement);
        *refined = (Refinement){open->dimension, 1, {open->dimension.extent}};
    }
    /* Axes of a dimension have consecutive numbers: the place of this one among them. */
    uint32_t place = (uint32_t)__builtin_popcount(open->axes & ((1u << axis) - 1));
    memmove(&refined->factor[place + 1], &refined->factor[place],
            sizeof refined->factor[0] * (refined->count - place));
    refined->factor[place] = extent / inner;
    refined->factor[place + 1] = inner;
    refined->count++;
    l->outcome = LOWER_refine;
    return true;
}

/* linear = quotient * divisor + rest with 0 <= rest < divisor at every point.  Terms that the divisor divides go to the
 * quotient; the others must provably stay below it, else an axis that straddles it is to be split. */
static bool divide(Lower *l, const Affine *linear, int64_t divisor, Affine *quotient, Affine *rest)
{
    *quotient = affine_constant(0);
    *rest = affine_constant(0);
    for (int a = 0; a < MAX_AXES; a++) {
        bool divisible = linear->by[a] % divisor == 0;
        if (divisible)
            quotient->by[a] = linear->by[a] / divisor;
        else
            rest->by[a] = linear->by[a];
    }
    quotient->constant = linear->constant / divisor - (linear->constant % divisor < 0);
    rest->constant = linear->constant - quotient->constant * divisor;

    int64_t least, greatest;
    affine_range(l->kernel, rest, &least, &greatest);
    if (least >= 0 && greatest < divisor) return true;

    for (uint32_t a = 0; a < l->kernel->axis.count; a++)
        if (rest->by[a] > 0 && divisor % rest->by[a] == 0 &&
            want_split(l, a, divisor / rest->by[a]))
            return false;
    return false;
}

typedef struct Run {
    uint32_t from, to;         /* first axes of the run in both shapes */
    uint32_t from_end, to_end; /* one past the last */
} Run;

/* The next run of axes that hold equally many elements in both shapes. Neither shape is empty. */
static bool next_run(const Shape *from, const Shape *to, Run *run)
{
    run->from = run->from_end;
    run->to = run->to_end;
    if (run->from == from->rank && run->to == to->rank) return false;

    int64_t a = 1, b = 1;
    do {
        if (run->from_end < from->rank && (a <= b || run->to_end == to->rank))
            a *= from->extent[run->from_end++];
        else
            b *= to->extent[run->to_end++];
    } while (a != b);
    return true;
}

/* Extent-1 axes can share a run with others; what counts is how many axes really move. */
static int only_axis(const Shape *shape, uint32_t begin, uint32_t end)
{
    int only = -1;
    for (uint32_t d = begin; d < end; d++) {
        if (shape->extent[d] == 1) continue;
        if (only >= 0) return -1;
        only = (int)d;
    }
    return only;
}

static bool split_run(Lower *l, const Shape *from, const Shape *to, Run run, const Index *index,
                      Index *result)
{
    Affine linear = affine_constant(0);
    for (uint32_t d = run.from; d < run.from_end; d++) {
        if (!coordinate_is_plain(&index->at[d])) return false;
        linear = affine_add(affine_scale(linear, from->extent[d]), index->at[d].affine);
    }
    int64_t stride = 1;
    for (uint32_t d = run.to; d < run.to_end; d++)
        stride *= to->extent[d];
    for (uint32_t d = run.to; d < run.to_end; d++) {
        Affine quotient, rest;
        stride /= to->extent[d];
        if (!divide(l, &linear, stride, &quotient, &rest)) return false;
        result->at[d] = (Coordinate){.affine = quotient, .divisor = 1};
        linear = rest;
    }
    return true;
}

/* A coordinate of an extent-1 axis that can leave 0 (under a guard) would be lost by passing the others through. */
static bool is_still(const Lower *l, const Shape *from, uint32_t begin, uint32_t end,
                     const Index *index)
{
    for (uint32_t d = begin; d < end; d++) {
        int64_t least, greatest;
        if (from->extent[d] != 1) continue;
        if (!coordinate_is_plain(&index->at[d])) return false;
        affine_range(l->kernel, &index->at[d].affine, &least, &greatest);
        if (least != 0 || greatest != 0) return false;
    }
    return true;
}

bool index_reshape(Lower *l, Value reshape, uint32_t at, uint32_t *result)
{
    Value x = graph_argument(l->graph, reshape, 0);
    const Shape *from = graph_shape(l->graph, reshape), *to = graph_shape(l->graph, x);
    Index index = l->index.at[at], next = {.rank = to->rank};
    Run run = {0};
    while (next_run(from, to, &run)) {
        int a = only_axis(from, run.from, run.from_end), b = only_axis(to, run.to, run.to_end);
        if (!is_still(l, from, run.from, run.from_end, &index)) return false;
        for (uint32_t d = run.to; d < run.to_end; d++)
            next.at[d] = coordinate_constant(0);
        if (a >= 0 && b >= 0)
            next.at[b] = index.at[a];
        else if (!split_run(l, from, to, run, &index, &next))
            return false;
    }
    *result = index_intern(l, &next);
    return true;
}

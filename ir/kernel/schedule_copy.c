/* Copies that take the guards out of a contraction's inner loops: a padded convolution reads each element once for every
 * tap, and would ask every time whether it is inside. */
#include "ir/kernel/schedule.h"

#define NARROW      ((int64_t)1 << 30) /* coordinates of a box are computed in 32 bits */
#define REUSE       4                  /* reads of an element from which a copy pays */
#define REUSE_LANES 1.5 /* ... that moves whole vectors without a test for each lane */
#define ROOM        64  /* elements behind a copy */

static int64_t extent_of(const Kernel *kernel, uint32_t axis)
{
    return kernel->axis.at[axis].extent;
}

static uint32_t guarded_axes(const Access *access)
{
    uint32_t axes = 0;
    for (int d = 0; d < access->rank; d++)
        if (access->at[d].guarded) axes |= affine_axes(&access->at[d].affine);
    return axes;
}

/* A free axis outside of the guards that steps from neighbour to neighbour; {0}: none. */
static Axis contiguous_axis(const Kernel *kernel, const Access *access, uint32_t free)
{
    Affine linear = {0};
    for (int d = 0; d < access->rank; d++)
        if (!access->at[d].guarded)
            linear = affine_add(linear, affine_scale(access->at[d].affine, access->stride[d]));
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (free >> i & 1 && linear.by[i] == 1 && extent_of(kernel, i) > 1) return (Axis){i + 1};
    return (Axis){0};
}

/* Guards without a dynamic part, the last on what lies close by in memory unless another axis runs over neighbours.  Where there is a divisor, the
 * box holds what lies between the elements too, as zeros. */
static bool can_copy(const Access *access, Axis inner)
{
    int last = -1;
    for (int d = 0; d < access->rank; d++) {
        if (access->at[d].dynamic.id) return false;
        if (access->at[d].guarded && access->at[d].extent > NARROW / access->at[d].divisor)
            return false;
        if (access->at[d].guarded) last = d;
    }
    if (last < 0 || inner.id) return last >= 0;
    return access->stride[last] >= 1 && access->stride[last] <= MOST_APART;
}

static Affine restricted(Affine affine, uint32_t axes)
{
    affine.constant = 0;
    for (uint32_t i = 0; i < MAX_AXES; i++)
        if (!(axes >> i & 1)) affine.by[i] = 0;
    return affine;
}

/* Fills in the box; false if it is none. */
static bool plan_box(const Kernel *kernel, const Access *access, BoxCopy *copy)
{
    uint32_t guarded = guarded_axes(access) & copy->free, own = 0;
    for (int d = 0; d < access->rank; d++)
        if (!access->at[d].guarded) own |= affine_axes(&access->at[d].affine) & copy->free;
    if (own & guarded) return false;
    if (copy->inner.id) own &= ~(1u << (copy->inner.id - 1));
    copy->own = own;
    copy->access = (Access){.rank = 1, .stride = {1}};
    Affine at = {0};
    int64_t pitch = 1;
    if (copy->inner.id) {
        at.by[copy->inner.id - 1] = 1;
        pitch = extent_of(kernel, copy->inner.id - 1);
    }
    for (int d = access->rank; d-- > 0;) {
        if (!access->at[d].guarded) continue;
        int64_t greatest;
        Affine moving = restricted(access->at[d].affine, copy->free);
        affine_range(kernel, &moving, &copy->least[d], &greatest);
        copy->size[d] = greatest - copy->least[d] + 1;
        moving.constant = -copy->least[d];
        at = affine_add(at, affine_scale(moving, pitch));
        pitch *= copy->size[d];
        if (pitch > INT32_MAX) return false;
    }
    for (uint32_t i = kernel->axis.count; i-- > 0;) {
        if (!(own >> i & 1)) continue;
        at.by[i] = pitch;
        pitch *= extent_of(kernel, i);
        if (pitch > INT32_MAX) return false;
    }
    copy->elements = pitch;
    copy->access.at[0] = (Coordinate){.affine = at, .divisor = 1, .extent = pitch};
    return true;
}

static double points_of(const Kernel *kernel, uint32_t axes)
{
    double points = 1;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (axes >> i & 1) points *= (double)extent_of(kernel, i);
    return points;
}

/* Loops around the copy: the first of those that no guard sees. */
static uint32_t outer_loops(const Schedule *s, const Access *access, bool is_packed,
                            uint32_t *outer)
{
    uint32_t guarded = guarded_axes(access), loops = 0;
    uint32_t most = is_packed ? s->packed_loops : s->order_count;
    *outer = 0;
    while (loops < most && !(guarded >> (s->order[loops].id - 1) & 1))
        *outer |= 1u << (s->order[loops++].id - 1);
    return loops;
}

static uint32_t outer_reductions(const Kernel *kernel, const Schedule *s)
{
    uint32_t axes = 0, count = s->k_outer;
    for (uint32_t i = 0; i < kernel->axis.count && count; i++)
        if (s->of.k >> i & 1 && extent_of(kernel, i) > 1) axes |= 1u << i, count--;
    return axes;
}

static void place_copy(const Kernel *kernel, Schedule *s, BoxCopy copy, int64_t bytes)
{
    copy.access.buffer = kernel->buffer.count + s->copy_count;
    copy.offset = s->scratch;
    s->scratch += (bytes + 63) / 64 * 64;
    s->copy[s->copy_count++] = copy;
}

static void add_copy(const Kernel *kernel, Schedule *s, Scalar load, bool is_b, int64_t room)
{
    const ScalarNode *node = &kernel->scalar.at[load.id];
    uint32_t outer;
    if (s->copy_count == 2) return;
    BoxCopy copy = {.load = load, .from = node->access};
    copy.loops = outer_loops(s, node->access, is_b, &outer);
    if (s->waits && copy.loops < s->packed_loops) return;
    copy.free = node->depends & ~outer & ~outer_reductions(kernel, s);
    copy.inner = contiguous_axis(kernel, node->access, copy.free);
    if (!can_copy(node->access, copy.inner)) return;
    if (!plan_box(kernel, node->access, &copy)) return;
    int64_t bytes = (copy.elements + ROOM) * type_info[node->type].bytes;
    double reuse = copy.inner.id ? REUSE_LANES : REUSE;
    if (bytes > room || points_of(kernel, copy.free) < reuse * (double)copy.elements) return;
    place_copy(kernel, s, copy, bytes);
}

void schedule_copies(const Kernel *kernel, Schedule *s, const ScheduleTarget *target, Arena *arena)
{
    const Scalar factor[] = {s->of.a, s->of.b};
    if (s->width == 1) return;
    for (int f = 0; f < 2; f++) {
        const bool *needed = kernel_needed(kernel, factor[f], arena);
        for (uint32_t i = 1; i <= factor[f].id; i++)
            if (needed[i] && kernel->scalar.at[i].op == SCALAR_load)
                add_copy(kernel, s, (Scalar){i}, f == 1, target->l2 / 2);
    }
}

/* --- factors of bytes ------------------------------------------------------------------------------------------------------------ */

/* How far the affine moves over the axes. */
static int64_t span_of(const Kernel *kernel, Affine affine, uint32_t axes)
{
    int64_t least, greatest;
    affine = restricted(affine, axes);
    affine_range(kernel, &affine, &least, &greatest);
    return greatest - least;
}

/* An access without guards as two coordinates: the first loops, as long as what is read at each of their points is apart from that at the
 * others, and all the rest. */
static const Access *split_access(const Kernel *kernel, const Schedule *s, const Access *access,
                                  Arena *arena)
{
    Affine linear = {.constant = access->offset};
    for (int d = 0; d < access->rank; d++)
        linear = affine_add(linear, affine_scale(access->at[d].affine, access->stride[d]));
    uint32_t outer = 0, all = affine_axes(&linear);
    for (uint32_t i = 0; i < s->order_count; i++) {
        uint32_t axis = s->order[i].id - 1;
        if (linear.by[axis] &&
            span_of(kernel, linear, all & ~outer & ~(1u << axis)) >= linear.by[axis])
            break;
        outer |= 1u << axis;
    }
    Access *split = arena_new(arena, Access);
    *split = (Access){.buffer = access->buffer, .rank = 2, .stride = {1, 1}};
    split->at[0] = (Coordinate){.affine = restricted(linear, outer), .divisor = 1};
    split->at[1] = (Coordinate){.affine = restricted(linear, ~outer),
                                .divisor = 1,
                                .extent = kernel->buffer.at[access->buffer].elements,
                                .guarded = true};
    split->at[0].extent = split->at[1].extent;
    split->at[1].affine.constant = linear.constant;
    return split;
}

/* Whether the innermost dimensions of the box lie in memory as in it, and nothing is divided. */
static bool has_whole_rows(const Kernel *kernel, const BoxCopy *copy)
{
    int64_t inner = copy->inner.id ? extent_of(kernel, copy->inner.id - 1) : 1, stride = 0;
    for (int d = 0; d < copy->from->rank; d++) {
        if (copy->from->at[d].divisor != 1) return false;
        if (copy->from->at[d].guarded) stride = copy->from->stride[d];
    }
    return stride == inner;
}

bool schedule_widened_copy(const Kernel *kernel, Schedule *s, const ScheduleTarget *target,
                           Arena *arena)
{
    Scalar load = kernel->scalar.at[s->of.a.id].argument[0];
    const ScalarNode *node = &kernel->scalar.at[load.id];
    uint32_t outer;
    if (node->op != SCALAR_load) return false;
    BoxCopy copy = {.load = load, .from = node->access};
    for (int d = 0; d < node->access->rank; d++)
        if (node->access->at[d].dynamic.id) return false;
    if (!guarded_axes(node->access)) copy.from = split_access(kernel, s, node->access, arena);
    copy.loops = outer_loops(s, copy.from, false, &outer);
    copy.free = node->depends & ~outer;
    copy.inner = contiguous_axis(kernel, copy.from, copy.free);
    if (!can_copy(copy.from, copy.inner) || !plan_box(kernel, copy.from, &copy)) return false;
    int64_t bytes = (copy.elements + ROOM) * 2;
    bool is_read_often = points_of(kernel, copy.free) >= REUSE_LANES * (double)copy.elements;
    if (bytes > target->l2 / 2 || !is_read_often || !has_whole_rows(kernel, &copy)) return false;
    if (copy.access.at[0].affine.by[s->pair.id - 1] != 1) return false;
    place_copy(kernel, s, copy, bytes);
    return true;
}

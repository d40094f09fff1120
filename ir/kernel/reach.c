#include "ir/kernel/reach.h"

Axis reach_axis(const Kernel *kernel, int64_t slices)
{
    Axis outermost = {0};
    int64_t most = 0;
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        const AxisInfo *axis = &kernel->axis.at[i];
        int64_t step;
        if (axis->kind != AXIS_parallel || axis->extent == 1) continue;
        if (!access_step(kernel, &kernel->store.at[0].at, (Axis){i + 1}, &step)) continue;
        if (step <= most) continue;
        most = step;
        outermost = (Axis){i + 1};
    }
    if (outermost.id && kernel->axis.at[outermost.id - 1].extent % slices) return (Axis){0};
    return outermost;
}

static int64_t bounded(int64_t value, int64_t extent)
{
    return value < 0 ? 0 : value >= extent ? extent - 1 : value;
}

/* Least and greatest value of a coordinate where the access happens. */
static Stretch range_of(const Kernel *part, const Coordinate *at)
{
    int64_t least, greatest;
    if (at->dynamic.id) return (Stretch){0, at->extent - 1};
    affine_range(part, &at->affine, &least, &greatest);
    least /= at->divisor;
    greatest /= at->divisor;
    if (!at->guarded) return (Stretch){least, greatest};
    return (Stretch){bounded(least, at->extent), bounded(greatest, at->extent)};
}

/* The elements of an access, with what its axis adds from `first` on moved into the constants. */
static Stretch stretch_of(const Kernel *part, const Access *access, Axis axis, int64_t first)
{
    Stretch sum = {access->offset, access->offset + 1};
    for (int d = 0; d < access->rank; d++) {
        Coordinate at = access->at[d];
        at.affine.constant += at.affine.by[axis.id - 1] * first;
        Stretch range = range_of(part, &at);
        int64_t stride = access->stride[d];
        sum.begin += stride * (stride < 0 ? range.end : range.begin);
        sum.end += stride * (stride < 0 ? range.begin : range.end);
    }
    return sum;
}

static void extend(Stretch *to, Stretch by)
{
    if (to->begin == to->end) *to = by;
    if (by.begin < to->begin) to->begin = by.begin;
    if (by.end > to->end) to->end = by.end;
}

Reach reach_of(const Kernel *kernel, Slices slices, Arena *arena)
{
    Kernel part = *kernel;
    part.axis.at = arena_array(arena, AxisInfo, kernel->axis.count);
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        part.axis.at[i] = kernel->axis.at[i];
    AxisInfo *axis = &part.axis.at[slices.axis.id - 1];
    axis->extent /= slices.count;

    size_t count = (size_t)slices.count;
    Stretch *touched = arena_array(arena, Stretch, kernel->buffer.count * count);
    for (int64_t t = 0; t < slices.count; t++) {
        int64_t first = t * axis->extent;
        for (uint32_t i = 1; i < kernel->scalar.count; i++) {
            const ScalarNode *node = &kernel->scalar.at[i];
            if (node->op != SCALAR_load) continue;
            extend(&touched[node->access->buffer * count + (size_t)t],
                   stretch_of(&part, node->access, slices.axis, first));
        }
        for (uint32_t i = 0; i < kernel->store.count; i++) {
            const Access *at = &kernel->store.at[i].at;
            extend(&touched[at->buffer * count + (size_t)t],
                   stretch_of(&part, at, slices.axis, first));
        }
    }
    return (Reach){slices, touched};
}

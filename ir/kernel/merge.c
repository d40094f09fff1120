/* Merging axes: (p, q) becomes p * extent(q) + q wherever every access sees nothing else of the two. */
#include "ir/kernel/schedule.h"

/* Coordinates that always hold are one sum of strides times axes. */
static Access flat_access(const Access *access)
{
    Access flat = {.buffer = access->buffer, .offset = access->offset};
    Affine sum = {0};
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        if (!at->guarded) {
            sum = affine_add(sum, affine_scale(at->affine, access->stride[d]));
            continue;
        }
        flat.stride[flat.rank] = access->stride[d];
        flat.at[flat.rank++] = *at;
    }
    if (affine_axes(&sum) || sum.constant) {
        flat.stride[flat.rank] = 1;
        flat.at[flat.rank++] = (Coordinate){.affine = sum, .divisor = 1, .extent = INT64_MAX};
    }
    return flat;
}

static Kernel *copy_kernel(const Kernel *kernel, Arena *arena)
{
    Kernel *copy = arena_new(arena, Kernel);
    *copy = *kernel;
    copy->arena = arena;
    copy->axis.at = arena_array(arena, AxisInfo, kernel->axis.count);
    copy->scalar.at = arena_array(arena, ScalarNode, kernel->scalar.count);
    copy->store.at = arena_array(arena, Store, kernel->store.count);
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        copy->axis.at[i] = kernel->axis.at[i];
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        copy->store.at[i] = kernel->store.at[i];
        copy->store.at[i].at = flat_access(&kernel->store.at[i].at);
    }
    for (uint32_t i = 0; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        copy->scalar.at[i] = *node;
        if (!node->access) continue;
        Access *access = arena_new(arena, Access);
        *access = node->op == SCALAR_load ? flat_access(node->access) : *node->access;
        copy->scalar.at[i].access = access;
    }
    return copy;
}

static bool merges_access(const Kernel *kernel, const Access *access, uint32_t p, uint32_t q)
{
    for (int d = 0; access && d < access->rank; d++) {
        const Affine *affine = &access->at[d].affine;
        if (affine->by[p] != affine->by[q] * kernel->axis.at[q].extent) return false;
    }
    return true;
}

/* No axis of `axes` stands between p and q in the axis list. */
static bool are_neighbours(uint32_t axes, uint32_t p, uint32_t q)
{
    if (p > q) return false;
    uint32_t between = ((1u << q) - 1) & ~((2u << p) - 1);
    return !(axes & between);
}

static bool merges_reduce(const ScalarNode *node, const Contraction *contraction, uint32_t id,
                          uint32_t p, uint32_t q)
{
    bool has_p = node->axes >> p & 1, has_q = node->axes >> q & 1;
    if (!has_p && !has_q) return true;
    if (!has_p || !has_q) return false;
    if (node->reduce != REDUCE_add) return true;
    if (!are_neighbours(node->axes, p, q)) return false;
    bool is_innermost = !(node->axes >> q >> 1);
    return !is_innermost || (contraction && contraction->sum.id == id);
}

static bool can_merge(const Kernel *kernel, const Contraction *contraction, uint32_t p, uint32_t q)
{
    const AxisInfo *axis = kernel->axis.at;
    if (axis[p].kind != axis[q].kind || axis[p].extent == 1 || axis[q].extent == 1) return false;
    uint32_t sequential = 0;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (axis[i].kind == AXIS_sequential) sequential |= 1u << i;
    if (axis[p].kind == AXIS_sequential && !are_neighbours(sequential, p, q)) return false;

    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (!merges_access(kernel, node->access, p, q)) return false;
        if (node->op == SCALAR_reduce && !merges_reduce(node, contraction, i, p, q)) return false;
    }
    for (uint32_t i = 0; i < kernel->store.count; i++)
        if (!merges_access(kernel, &kernel->store.at[i].at, p, q)) return false;
    return true;
}

static void merge(Kernel *kernel, uint32_t p, uint32_t q)
{
    kernel->axis.at[q].extent *= kernel->axis.at[p].extent;
    kernel->axis.at[p].extent = 1;
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        ScalarNode *node = &kernel->scalar.at[i];
        node->axes &= ~(1u << p);
        node->depends &= ~(1u << p);
        Access *access = (Access *)node->access; /* copied by copy_kernel */
        for (int d = 0; access && d < access->rank; d++)
            access->at[d].affine.by[p] = 0;
    }
    for (uint32_t i = 0; i < kernel->store.count; i++)
        for (int d = 0; d < kernel->store.at[i].at.rank; d++)
            kernel->store.at[i].at.at[d].affine.by[p] = 0;
}

Kernel *kernel_merge_axes(const Kernel *kernel, const Contraction *contraction, Axis apart,
                          Arena *arena)
{
    Kernel *merged = copy_kernel(kernel, arena);
    uint32_t count = kernel->axis.count;
    for (uint32_t p = 0; p < count; p++)
        for (uint32_t q = 0; q < count; q++) {
            if (p == q || p + 1 == apart.id || q + 1 == apart.id) continue;
            if (!can_merge(merged, contraction, p, q)) continue;
            merge(merged, p, q);
            break;
        }
    return merged;
}

bool *kernel_needed(const Kernel *kernel, Scalar root, Arena *arena)
{
    bool *needed = arena_array(arena, bool, kernel->scalar.count);
    needed[root.id] = true;
    for (uint32_t i = root.id + 1; i-- > 1;) {
        const ScalarNode *node = &kernel->scalar.at[i];
        for (int k = 0; needed[i] && k < 3; k++)
            needed[node->argument[k].id] = true;
        for (int d = 0; needed[i] && node->access && d < node->access->rank; d++)
            needed[node->access->at[d].dynamic.id] = true;
    }
    needed[0] = false;
    return needed;
}

bool *kernel_live(const Kernel *kernel, Arena *arena)
{
    bool *live = arena_array(arena, bool, kernel->scalar.count);
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        live[kernel->store.at[i].value.id] = true;
        for (int d = 0; d < kernel->store.at[i].at.rank; d++)
            live[kernel->store.at[i].at.at[d].dynamic.id] = true;
    }
    for (uint32_t i = kernel->scalar.count; i-- > 1;) {
        const ScalarNode *node = &kernel->scalar.at[i];
        for (int k = 0; live[i] && k < SCALAR_ARGUMENTS; k++)
            live[node->argument[k].id] = true;
        for (int d = 0; live[i] && node->access && d < node->access->rank; d++)
            live[node->access->at[d].dynamic.id] = true;
    }
    live[0] = false;
    return live;
}

bool access_step(const Kernel *kernel, const Access *access, Axis axis, int64_t *step)
{
    *step = 0;
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        int64_t by = at->affine.by[axis.id - 1];
        if (by && at->divisor != 1) return false;
        if (at->dynamic.id && kernel->scalar.at[at->dynamic.id].depends >> (axis.id - 1) & 1)
            return false;
        *step += access->stride[d] * by;
    }
    return true;
}

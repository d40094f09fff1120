#include "backends/cpu/kept.h"

#define LEAST_CALLS                                                                                \
    4 /* that are worth a room: what is computed again to save memory is called twice */

typedef struct Keeping {
    const Module *module;
    const Plan *const *kernel;
    const bool *is_chained; /* of each call */
    Arena *arena;
} Keeping;

/* Calls of one kernel that pack the same bytes. */
typedef struct Group {
    LIST(uint32_t) call;
} Group;

static bool is_by_columns(const Plan *plan)
{
    const Schedule *s = &plan->schedule;
    for (uint32_t i = 0; i < s->task_count; i++)
        if (s->task[i].axis.id == s->vector.id) return true;
    return false;
}

/* Whether a task packs all that it needs of b at once, and a thread, as a rule, the same in every call. */
static bool packs_once(const Plan *plan, const CpuTarget *target)
{
    const Schedule *s = &plan->schedule;
    if (!s->contraction || s->is_winograd || s->products || !s->pack) return false;
    if (s->waits || s->copy_count || s->packed_loops) return false;
    if (is_by_columns(plan) && s->tasks > target->schedule.threads) return false;
    int64_t columns = schedule_task_points(s, plan->kernel, s->vector);
    return (int64_t)s->panels * s->vectors * s->width >= columns;
}

static const Plan *plan_of(const Keeping *k, uint32_t call)
{
    return k->is_chained[call] ? NULL : k->kernel[k->module->call.at[call].kernel];
}

/* Whether b reads the buffer. */
static bool *buffers_of_b(const Keeping *k, const Plan *plan)
{
    const Kernel *kernel = plan->kernel;
    bool *reads = arena_array(k->arena, bool, kernel->buffer.count + 1);
    const bool *needed = kernel_needed(kernel, plan->schedule.of.b, k->arena);
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        if (needed[i] && kernel->scalar.at[i].op == SCALAR_load)
            reads[kernel->scalar.at[i].access->buffer] = true;
    return reads;
}

static bool is_written(const Keeping *k, uint32_t call, const Region *region)
{
    const Call *at = &k->module->call.at[call];
    for (uint32_t i = 0; i < at->count; i++)
        if (k->module->kernel.at[at->kernel]->buffer.at[i].written &&
            region_overlaps(&at->binding[i], region))
            return true;
    return false;
}

/* Whether `call` would pack what `before`, an earlier one, has packed. */
static bool packs_the_same(const Keeping *k, uint32_t before, uint32_t call)
{
    const Call *a = &k->module->call.at[before], *b = &k->module->call.at[call];
    if (a->kernel != b->kernel) return false;
    const bool *reads = buffers_of_b(k, plan_of(k, call));
    for (uint32_t i = 0; i < a->count; i++) {
        const Region *x = &a->binding[i], *y = &b->binding[i];
        if (!reads[i]) continue;
        if (x->place != y->place || x->index != y->index || x->offset != y->offset) return false;
        for (uint32_t between = before; between < call; between++)
            if (is_written(k, between, x)) return false;
    }
    return true;
}

static uint32_t last_of(const Group *group)
{
    return group->call.at[group->call.count - 1];
}

static void keep(const Keeping *k, KeptCalls *kept, const Group *group, int64_t most)
{
    const Plan *plan = plan_of(k, group->call.at[0]);
    int64_t bytes = KEPT_HEADER + (plan->schedule.scratch + 63) / 64 * 64;
    if (group->call.count < LEAST_CALLS || kept->bytes + bytes > most) return;
    Plan *packed = arena_new(k->arena, Plan);
    *packed = plan_packed(plan, k->arena);
    for (uint32_t i = 0; i < group->call.count; i++)
        *list_add(k->arena, &kept->call) =
            (KeptCall){group->call.at[i], packed, kept->bytes, is_by_columns(plan)};
    kept->bytes += bytes;
}

KeptCalls kept_calls(const Module *module, const Plan *const *kernel, const ChainPlans *chains,
                     const CpuTarget *target, Arena *arena)
{
    bool *is_chained = arena_array(arena, bool, module->call.count + 1);
    for (uint32_t i = 0; i < chains->count; i++)
        for (uint32_t n = 0; n < chains->at[i].count; n++)
            is_chained[chains->at[i].first + n] = true;
    Keeping k = {module, kernel, is_chained, arena};
    LIST(Group) group = {0};
    for (uint32_t i = 0; i < module->call.count; i++) {
        const Plan *plan = plan_of(&k, i);
        if (!plan || !packs_once(plan, target)) continue;
        uint32_t g = 0;
        while (g < group.count && !packs_the_same(&k, last_of(&group.at[g]), i))
            g++;
        if (g == group.count) *list_add(arena, &group) = (Group){0};
        *list_add(arena, &group.at[g].call) = i;
    }
    KeptCalls kept = {0};
    for (uint32_t g = 0; g < group.count; g++)
        keep(&k, &kept, &group.at[g], target->schedule.l2);
    return kept;
}

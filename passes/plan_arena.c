/* When every buffer of the arena is live, which may share bytes with one that dies, and where it lies. */
#include "passes/plan_steps.h"
#include <stdlib.h>

static bool is_same_element(const Access *a, const Access *b)
{
    if (a->rank != b->rank || a->offset != b->offset) return false;
    for (int d = 0; d < a->rank; d++) {
        const Coordinate *x = &a->at[d], *y = &b->at[d];
        if (x->guarded || y->guarded || x->dynamic.id || y->dynamic.id) return false;
        if (a->stride[d] != b->stride[d] || !affine_same(&x->affine, &y->affine)) return false;
    }
    return true;
}

bool plan_in_place(const Kernel *kernel, uint32_t in, uint32_t out)
{
    const Store *store = NULL;
    for (uint32_t i = 0; i < kernel->store.count; i++)
        if (kernel->store.at[i].at.buffer == out) store = &kernel->store.at[i];
    if (!store || store->accumulate) return false;
    if (type_info[kernel->buffer.at[in].type].bytes != type_info[kernel->buffer.at[out].type].bytes)
        return false;
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (node->op == SCALAR_load && node->access->buffer == in &&
            !is_same_element(node->access, &store->at))
            return false;
    }
    return true;
}

static void find_lives(Plan *plan)
{
    uint32_t *position = arena_array(plan->scratch, uint32_t, plan->step.count);
    for (uint32_t i = 0; i + 1 < plan->step.count; i++)
        position[plan->order[i]] = i;
    for (uint32_t i = 1; i < plan->slot.count; i++) {
        Slot *slot = &plan->slot.at[i];
        slot->first = slot->last = slot->writer ? position[slot->writer] : 0;
        for (uint32_t r = 0; r < slot->reader.count; r++)
            if (position[slot->reader.at[r]] > slot->last)
                slot->last = position[slot->reader.at[r]];
    }
    for (uint32_t i = 1; i < plan->slot.count; i++) {
        Slot *whole = &plan->slot.at[plan->slot.at[i].whole];
        if (plan->slot.at[i].whole && plan->slot.at[i].last > whole->last)
            whole->last = plan->slot.at[i].last;
    }
}

static uint32_t new_block(Plan *plan, const Slot *slot)
{
    *list_add(plan->scratch, &plan->block) =
        (Block){.bytes = slot->bytes, .first = slot->first, .last = slot->last};
    return plan->block.count;
}

/* A buffer that dies in the step and is read at exactly the element that is stored gives its bytes to the result. */
static uint32_t dying_input(const Plan *plan, const StepPart *part, uint32_t out, uint32_t at)
{
    const Slot *to = &plan->slot.at[part->slot[out]];
    for (uint32_t in = 0; in < part->kernel->buffer.count; in++) {
        const Slot *from = &plan->slot.at[part->slot[in]];
        if (part->kernel->buffer.at[in].written || from->place != PLACE_arena) continue;
        if (from->last != at || from->bytes != to->bytes || from->whole) continue;
        if (plan->block.at[from->block - 1].last != at) continue; /* given away already */
        if (plan_in_place(part->kernel, in, out)) return from->block;
    }
    return 0;
}

/* With its first part, the whole comes to life. */
static void place_in_whole(Plan *plan, Slot *slot, uint32_t at)
{
    Slot *whole = &plan->slot.at[slot->whole];
    if (!whole->block) {
        whole->block = new_block(plan, whole);
        plan->block.at[whole->block - 1].first = at;
    }
    slot->block = whole->block;
}

static void make_blocks(Plan *plan)
{
    for (uint32_t at = 0; at + 1 < plan->step.count; at++) {
        const Step *step = &plan->step.at[plan->order[at]];
        for (uint32_t i = 0; i < step->writes.count; i++) {
            Slot *slot = &plan->slot.at[step->writes.at[i]];
            if (slot->place != PLACE_arena || slot->block) continue;
            if (slot->whole) {
                place_in_whole(plan, slot, at);
                continue;
            }
            const StepPart *part = &step->part[0];
            uint32_t out = 0, block = 0;
            while (part->slot[out] != step->writes.at[i])
                out++;
            if (step->parts == 1) block = dying_input(plan, part, out, at);
            if (!block || slot->last == at) {
                slot->block = new_block(plan, slot);
            } else {
                slot->block = block;
                plan->block.at[block - 1].last = slot->last;
            }
        }
    }
}

typedef struct Ranked {
    const Block *block;
    uint32_t number;
} Ranked;

static int larger_first(const void *x, const void *y)
{
    const Ranked *a = x, *b = y;
    if (a->block->bytes != b->block->bytes) return a->block->bytes < b->block->bytes ? 1 : -1;
    return a->number < b->number ? -1 : 1;
}

/* The smallest hole among the placed blocks that live at the same time; `placed` is sorted by offset. */
static int64_t find_hole(const Plan *plan, const uint32_t *placed, uint32_t count,
                         const Block *block)
{
    int64_t end = 0, best = -1, best_size = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const Block *other = &plan->block.at[placed[i]];
        if (other->last < block->first || block->last < other->first) continue;
        int64_t hole = other->offset - end;
        if (hole >= block->bytes && hole < best_size) {
            best = end;
            best_size = hole;
        }
        if (other->offset + other->bytes > end) end = other->offset + other->bytes;
    }
    return best >= 0 ? best : end;
}

/* Largest first, each into the best hole that it finds. */
static void place_blocks(Plan *plan)
{
    uint32_t count = plan->block.count;
    int64_t alignment = plan->input->alignment;
    Ranked *ranked = arena_array(plan->scratch, Ranked, count);
    uint32_t *placed = arena_array(plan->scratch, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        Block *block = &plan->block.at[i];
        block->bytes = (block->bytes + alignment - 1) / alignment * alignment;
        ranked[i] = (Ranked){block, i};
    }
    qsort(ranked, count, sizeof *ranked, larger_first);

    for (uint32_t i = 0; i < count; i++) {
        Block *block = &plan->block.at[ranked[i].number];
        block->offset = find_hole(plan, placed, i, block);
        uint32_t at = i;
        while (at > 0 && plan->block.at[placed[at - 1]].offset > block->offset) {
            placed[at] = placed[at - 1];
            at--;
        }
        placed[at] = ranked[i].number;
        if (block->offset + block->bytes > plan->arena_bytes)
            plan->arena_bytes = block->offset + block->bytes;
    }
}

static void find_peak(Plan *plan)
{
    int64_t *change = arena_array(plan->scratch, int64_t, plan->step.count + 1);
    for (uint32_t i = 0; i < plan->block.count; i++) {
        change[plan->block.at[i].first] += plan->block.at[i].bytes;
        change[plan->block.at[i].last + 1] -= plan->block.at[i].bytes;
    }
    int64_t live = 0, most = -1;
    for (uint32_t at = 0; at + 1 < plan->step.count; at++) {
        live += change[at];
        if (live <= most) continue;
        most = live;
        plan->peak = plan->order[at];
    }
}

void plan_arena(Plan *plan)
{
    plan_inside(plan);
    find_lives(plan);
    make_blocks(plan);
    place_blocks(plan);
    find_peak(plan);
}

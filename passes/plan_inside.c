/* What is joined along the outermost axis lies where its parts do: a part that a step computes is written straight to its place in
 * the whole, and no step copies it.  The whole is then live from its first part on; the parts were live as long in any case. */
#include "passes/plan_steps.h"

static bool is_linear(const Access *access, int64_t elements)
{
    const Coordinate *at = &access->at[0];
    if (access->offset) return false;
    if (elements == 1) return access->rank == 0;
    return access->rank == 1 && access->stride[0] == 1 && !at->guarded && !at->dynamic.id &&
           at->divisor == 1 && at->affine.constant == 0 && at->affine.by[0] == 1;
}

/* All of one buffer to all of another, in order. */
static bool is_plain_copy(const Kernel *kernel)
{
    if (kernel->scalar.count != 2 || kernel->store.count != 1 || kernel->buffer.count != 2)
        return false;
    const ScalarNode *load = &kernel->scalar.at[1];
    const Store *store = &kernel->store.at[0];
    if (load->op != SCALAR_load || store->value.id != 1 || store->accumulate) return false;
    const BufferInfo *from = &kernel->buffer.at[load->access->buffer],
                     *to = &kernel->buffer.at[store->at.buffer];
    int64_t elements = kernel->axis.count ? kernel->axis.at[0].extent : 1;
    return kernel->axis.count <= 1 && from->type == to->type && from->elements == elements &&
           to->elements == elements && is_linear(load->access, elements) &&
           is_linear(&store->at, elements);
}

/* Where in its buffer the part writes, in bytes. */
static int64_t place_of(const StepPart *part, uint32_t out)
{
    if (!part->first) return 0;
    return part->first[out] * type_info[part->kernel->buffer.at[out].type].bytes;
}

bool plan_is_in_place(const Plan *plan, const StepPart *part)
{
    if (!is_plain_copy(part->kernel)) return false;
    uint32_t out = part->kernel->store.at[0].at.buffer;
    const Slot *from = &plan->slot.at[part->slot[1 - out]];
    return from->whole == part->slot[out] && from->place_in_whole == place_of(part, out);
}

static void place_part(Plan *plan, const StepPart *part)
{
    if (!is_plain_copy(part->kernel)) return;
    uint32_t out = part->kernel->store.at[0].at.buffer;
    Slot *from = &plan->slot.at[part->slot[1 - out]], *to = &plan->slot.at[part->slot[out]];
    int64_t place = place_of(part, out), size = type_info[part->kernel->buffer.at[0].type].bytes;
    if (from->place != PLACE_arena || !from->writer || from->whole || from->is_whole) return;
    if (to->place != PLACE_arena || to->whole || to == from) return;
    if (from->bytes != part->kernel->buffer.at[out].elements * size) return;
    if (place % plan->input->alignment) return;
    from->whole = part->slot[out];
    from->place_in_whole = place;
    to->is_whole = true;
}

void plan_inside(Plan *plan)
{
    for (uint32_t i = 1; i < plan->slot.count; i++) {
        Slot *slot = &plan->slot.at[i];
        slot->whole = slot->block = 0;
        slot->place_in_whole = 0;
        slot->is_whole = false;
    }
    for (uint32_t i = 1; i < plan->step.count; i++)
        for (uint32_t p = 0; p < plan->step.at[i].parts; p++)
            if (plan->step.at[i].parts > 1) place_part(plan, &plan->step.at[i].part[p]);
}

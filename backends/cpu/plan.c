#include "backends/cpu/object.h"
#include "ir/base/bits.h"
#include "ir/kernel/expand.h"
#include <inttypes.h>
#include <stdio.h>

Plan plan_kernel(const Kernel *kernel, const CpuTarget *target, const Slices *slices, Arena *arena)
{
    Axis apart = slices ? slices->axis : (Axis){0};
    Contraction contraction;
    kernel = kernel_expand_but_uniform(kernel, arena);
    bool is_contraction = contraction_of(kernel, &contraction);
    const Contraction *of = is_contraction ? &contraction : NULL;
    Winograd winograd;
    Plan plan = {.kernel = kernel};
    if (of && target->schedule.has_fma && winograd_of(kernel, of, &winograd)) {
        plan.schedule = schedule_winograd(kernel, of, &winograd, &target->schedule, slices);
    } else {
        plan.kernel = kernel_merge_axes(kernel, of, apart, arena);
        plan.schedule = schedule_default(plan.kernel, of, &target->schedule, slices, arena);
    }

    Text text = {.arena = arena};
    text_add(&text, "%s %s %s %s\n", emission_identity, MLC_LLVM_VERSION, target->cpu,
             target->features);
    kernel_print(&text, plan.kernel);
    schedule_print(&text, &plan.schedule);
    for (int i = 0; i < 2; i++)
        plan.key[i] = bits_hash(text.at, text.count, (uint64_t)i);
    snprintf(plan.name, sizeof plan.name, "kernel_%016" PRIx64, plan.key[0]);
    return plan;
}

#include "backends/cpu/object.h"
#include "backends/cpu/tuned.h"
#include "ir/base/bits.h"
#include "ir/kernel/expand.h"
#include <inttypes.h>
#include <stdio.h>

static void hash(const Text *text, uint64_t key[2])
{
    for (int i = 0; i < 2; i++)
        key[i] = bits_hash(text->at, text->count, (uint64_t)i);
}

static void print_target(Text *out, const ScheduleTarget *target)
{
    text_add(out, "%u %u %u %" PRId64 " %" PRId64 " %d %u\n", target->lanes, target->registers,
             target->threads, target->l1, target->l2, target->products, target->integer_steps);
}

Workload workload_of(const Kernel *kernel, const CpuTarget *target, const Slices *slices,
                     Arena *arena)
{
    Workload w = {.target = target, .slices = slices, .text = {.arena = arena}};
    kernel = kernel_expand_but_uniform(kernel, arena);
    w.is_contraction = contraction_of(kernel, &w.contraction);
    w.is_winograd =
        w.is_contraction && winograd_of(kernel, &w.contraction, &w.winograd) &&
        (w.winograd.of_integers ? target->schedule.integer_steps > 0 : target->schedule.has_fma);
    w.has_choices = w.is_contraction && !w.is_winograd;
    Axis apart = slices ? slices->axis : (Axis){0};
    const Contraction *of = w.is_contraction ? &w.contraction : NULL;
    w.kernel = w.is_winograd ? kernel : kernel_merge_axes(kernel, of, apart, arena);
    text_add(&w.text, "%s %s %s %s\n", emission_identity, MLC_LLVM_VERSION, target->cpu,
             target->features);
    kernel_print(&w.text, w.kernel);
    return w;
}

void workload_key(const Workload *w, uint64_t key[2])
{
    Text text = {.arena = w->text.arena};
    text_put(&text, w->text.at, w->text.count);
    print_target(&text, &w->target->schedule);
    if (w->slices) text_add(&text, "%u %" PRId64 "\n", w->slices->axis.id, w->slices->count);
    hash(&text, key);
}

Plan workload_plan(const Workload *w, const ScheduleChoice *choice)
{
    const Contraction *of = w->is_contraction ? &w->contraction : NULL;
    Arena *arena = w->text.arena;
    Plan plan = {.kernel = w->kernel};
    plan.schedule =
        w->is_winograd
            ? schedule_winograd(w->kernel, of, &w->winograd, &w->target->schedule, w->slices)
            : schedule_default(w->kernel, of, &w->target->schedule, w->slices, choice, arena);
    plan.is_tuned = choice && !choice_is_none(choice);
    Text text = {.arena = arena};
    text_put(&text, w->text.at, w->text.count);
    schedule_print(&text, &plan.schedule);
    if (plan.is_tuned) choice_print(&text, choice);
    hash(&text, plan.key);
    snprintf(plan.name, sizeof plan.name, "kernel_%016" PRIx64, plan.key[0]);
    return plan;
}

Plan plan_kernel(const Kernel *kernel, const CpuTarget *target, const Slices *slices,
                 const Tuned *tuned, Arena *arena)
{
    Workload w = workload_of(kernel, target, slices, arena);
    uint64_t key[2];
    if (!tuned || !tuned->count || !w.has_choices) return workload_plan(&w, NULL);
    workload_key(&w, key);
    return workload_plan(&w, tuned_find(tuned, key));
}

Plan plan_packed(const Plan *plan, Arena *arena)
{
    Plan packed = *plan;
    Text text = {.arena = arena};
    packed.schedule.b_is_packed = true;
    packed.is_tuned = false; /* it is no choice of its own */
    text_add(&text, "%s %016" PRIx64 " packed\n", plan->name, plan->key[1]);
    hash(&text, packed.key);
    snprintf(packed.name, sizeof packed.name, "kernel_%016" PRIx64, packed.key[0]);
    return packed;
}

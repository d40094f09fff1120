/* Tuning an entry: the kernels that it runs, each as it runs it, the costliest first.  Around the model's schedule, then around the best of
 * those, what differs in one thing is measured. */
#include "backends/cpu/tune.h"
#include "ir/base/boundary.h"
#include "ir/kernel/reach.h"
#include <stdlib.h>
#include <string.h>

#define GENERATIONS 3
#define LEAST_SHARE 0.003 /* of the time of all contractions, from which tuning pays */

/* A kernel that is a contraction, by itself or in a place of a chain. */
typedef struct Unit {
    Stand stand;
    Slices slices; /* count 0: none */
    uint32_t calls;
    uint64_t key[2];
    double seconds; /* of a call, under the model's schedule */
} Unit;

typedef LIST(Unit) Units;

typedef struct Tuner {
    Device *device;
    const Module *module;
    Context context; /* with an arena of its own for one unit */
    Tuning *tuning;
    Unit *unit;
    TunedKernel found;
} Tuner;

static const Kernel *kernel_of(const Unit *unit)
{
    const Stand *stand = &unit->stand;
    return stand->module->kernel.at[stand->module->call.at[stand->call + stand->at].kernel];
}

static Workload workload(const Unit *unit, Arena *arena)
{
    return workload_of(kernel_of(unit), &unit->stand.device->target,
                       unit->slices.count ? &unit->slices : NULL, arena);
}

/* --- which there are ---------------------------------------------------------------------------------------------------------- */

static Unit unit_of(Device *device, const Module *module, const ChainPlan *chain, uint32_t call)
{
    Unit unit = {.calls = 1};
    unit.stand =
        (Stand){.device = device, .module = module, .chain = chain, .call = call, .calls = 1};
    if (!chain) return unit;
    unit.stand.call = chain->first;
    unit.stand.calls = chain->count;
    unit.stand.at = call - chain->first;
    const Kernel *kernel = module->kernel.at[module->call.at[call].kernel];
    unit.slices = (Slices){reach_axis(kernel, chain->slices), chain->slices};
    return unit;
}

static void add_unit(Units *units, Unit unit, Arena *arena)
{
    Workload w = workload(&unit, arena);
    if (!w.has_choices) return;
    workload_key(&w, unit.key);
    for (uint32_t i = 0; i < units->count; i++) {
        if (memcmp(units->at[i].key, unit.key, sizeof unit.key)) continue;
        units->at[i].calls++;
        return;
    }
    *list_add(arena, units) = unit;
}

static Units units_of(Device *device, const Module *module, const Plans *plans, Arena *arena)
{
    Units units = {0};
    uint32_t next = 0; /* chain */
    for (uint32_t i = 0; i < module->call.count; i++) {
        const ChainPlan *chain = next < plans->chains.count ? &plans->chains.at[next] : NULL;
        if (chain && i < chain->first) chain = NULL;
        add_unit(&units, unit_of(device, module, chain, i), arena);
        next += chain && i + 1 == chain->first + chain->count;
    }
    return units;
}

/* --- one of them -------------------------------------------------------------------------------------------------------------- */

static Status link_entrants(Tuner *t, const Entrant *entrant, uint32_t count)
{
    const Stand *stand = &t->unit->stand;
    BackendStatistics unused = {0};
    LIST(const Plan *) plans = {0};
    for (uint32_t i = 0; i < count; i++)
        *list_add(t->context.arena, &plans) = entrant[i].plan;
    for (uint32_t i = 0; stand->chain && i < stand->calls; i++)
        *list_add(t->context.arena, &plans) = &stand->chain->plan[i];
    return device_link(t->device, &t->context, plans.at, plans.count, false, &unused);
}

static const Plan *plan_of(const Workload *w, const ScheduleChoice *choice, Arena *arena)
{
    Plan *plan = arena_new(arena, Plan);
    *plan = workload_plan(w, choice);
    return plan;
}

static bool same_choice(const ScheduleChoice *a, const ScheduleChoice *b)
{
    return !memcmp(a, b, sizeof *a); /* numbers, and nothing between them */
}

/* The first, who is compared with; then what lies around a choice. */
static uint32_t enter(const Workload *w, const ScheduleChoice *around, Entrant *entrant,
                      Arena *arena)
{
    ScheduleChoice choice[CHOICE_MOST];
    uint32_t count = 1, found = schedule_choices(w->kernel, &w->contraction, &w->target->schedule,
                                                 w->slices, around, choice, arena);
    entrant[0] = (Entrant){.plan = plan_of(w, NULL, arena)};
    for (uint32_t i = choice_is_none(around); i < found; i++)
        entrant[count++] = (Entrant){.choice = choice[i], .plan = plan_of(w, &choice[i], arena)};
    return count;
}

/* Of many who are as good as the model's one is always ahead, so who won must win once more, against the model's schedule and the best so far
 * alone. */
static Status confirm(Tuner *t, const Workload *w, const ScheduleChoice *won, ScheduleChoice *best)
{
    Arena *arena = t->context.arena;
    Entrant *entrant = arena_array(arena, Entrant, 3);
    uint32_t count = 0;
    entrant[count++].plan = plan_of(w, NULL, arena);
    entrant[count++] = (Entrant){.choice = *won, .plan = plan_of(w, won, arena)};
    if (!choice_is_none(best))
        entrant[count++] = (Entrant){.choice = *best, .plan = plan_of(w, best, arena)};
    TRY(race(&t->unit->stand, entrant, count, t->tuning->repeat, arena));
    uint32_t winner = race_winner(entrant, count);
    *best = entrant[winner].choice;
    t->found.before = race_median(&entrant[0]);
    t->found.after = race_median(&entrant[winner]);
    return STATUS_ok;
}

/* The best of what lies around the best so far, as long as there is a better one. */
static Status search(Tuner *t, const Workload *w, ScheduleChoice *best)
{
    Arena *arena = t->context.arena;
    Stand *stand = &t->unit->stand;
    Entrant *entrant = arena_array(arena, Entrant, CHOICE_MOST + 1);
    for (int generation = 0; generation < GENERATIONS; generation++) {
        ScheduleChoice old = *best;
        uint32_t count = enter(w, best, entrant, arena);
        TRY(link_entrants(t, entrant, count));
        TRY(race_check(stand, entrant, count, arena));
        TRY(race(stand, entrant, count, t->tuning->repeat, arena));
        const Entrant *winner = &entrant[race_winner(entrant, count)];
        t->found.schedules += generation ? count - 2 : count; /* those of the last again */
        if (!generation) t->found.before = t->found.after = race_median(&entrant[0]);
        if (choice_is_none(&winner->choice) || same_choice(&winner->choice, best)) break;
        TRY(confirm(t, w, &winner->choice, best));
        if (same_choice(&old, best)) break;
    }
    return STATUS_ok;
}

static Status tune_unit(void *argument)
{
    Tuner *t = argument;
    Arena *arena = t->context.arena;
    Workload w = workload(t->unit, arena);
    ScheduleChoice best = {0};
    TRY(stand_open(&t->unit->stand, arena));
    TRY(search(t, &w, &best));
    const Cache *cache = &t->device->cache;
    if (!tuned_keep(cache, t->unit->key, &best) && cache->folder) {
        report_error(t->device->report, (Span){0}, "what was found cannot be kept in the folder %s",
                     cache->folder);
        report_hint(t->device->report, "it must be a folder of yours, on a disk with room");
        return STATUS_failed;
    }
    if (choice_is_none(&best)) return STATUS_ok;
    Text text = {.arena = t->device->arena};
    choice_print(&text, &best);
    t->found.choice = text_done(&text);
    return device_keep(t->device, &t->context, plan_of(&w, &best, arena));
}

/* Runs the model's schedule, for what it costs. */
static Status time_unit(void *argument)
{
    Tuner *t = argument;
    Arena *arena = t->context.arena;
    Workload w = workload(t->unit, arena);
    Entrant own = {.plan = plan_of(&w, NULL, arena)};
    TRY(stand_open(&t->unit->stand, arena));
    TRY(link_entrants(t, &own, 1));
    TRY(race_heat(&t->unit->stand, &own, 1, 4, 0, arena));
    t->unit->seconds = own.seconds[0];
    return STATUS_ok;
}

static void close_unit(void *argument)
{
    Tuner *t = argument;
    stand_close(&t->unit->stand);
    arena_close(t->context.arena);
}

static Status with_unit(Tuner *t, Unit *unit, Status (*work)(void *argument))
{
    t->unit = unit;
    t->context.arena = arena_open(&host_default);
    if (!t->context.arena) out_of_memory();
    return boundary_clean(work, close_unit, t);
}

/* --- all of them -------------------------------------------------------------------------------------------------------------- */

static double cost_of(const Unit *unit)
{
    return unit->seconds * unit->calls;
}

static int by_cost(const void *x, const void *y)
{
    const Unit *a = x, *b = y;
    double of_a = cost_of(a), of_b = cost_of(b);
    if (of_a != of_b) return of_a > of_b ? -1 : 1;
    return (a->stand.call > b->stand.call) - (a->stand.call < b->stand.call);
}

/* The costliest first; how many of them are worth it. */
static Status sort_units(Tuner *t, Units *units, uint32_t *count)
{
    double all = 0;
    for (uint32_t i = 0; i < units->count; i++) {
        if (!t->tuning->goes_on(t->tuning->user, 0, units->count)) return STATUS_interrupted;
        TRY(with_unit(t, &units->at[i], time_unit));
        all += cost_of(&units->at[i]);
    }
    qsort(units->at, units->count, sizeof *units->at, by_cost);
    for (*count = 0; *count < units->count; ++*count)
        if (cost_of(&units->at[*count]) < LEAST_SHARE * all) break;
    return STATUS_ok;
}

static Status tune_units(Tuner *t, Units *units, Arena *arena)
{
    uint32_t count;
    Tuning *tuning = t->tuning;
    TRY(sort_units(t, units, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (!tuning->goes_on(tuning->user, i, count)) return STATUS_interrupted;
        Unit *unit = &units->at[i];
        t->found = (TunedKernel){.call = unit->stand.call + unit->stand.at,
                                 .calls = unit->calls,
                                 .slices = unit->slices.count,
                                 .choice = ""};
        TRY(with_unit(t, unit, tune_unit));
        *list_add(arena, &tuning->kernel) = t->found;
    }
    tuning->goes_on(tuning->user, count, count);
    return STATUS_ok;
}

Status tune_entry(Device *device, Context *context, const BackendEntry *entry, Tuning *tuning)
{
    Plans plans = plans_of(entry->module, &device->target, NULL, context->arena);
    Units units = units_of(device, entry->module, &plans, context->arena);
    Tuner t = {.device = device, .module = entry->module, .context = *context, .tuning = tuning};
    Status status = tune_units(&t, &units, context->arena);
    device->tuned = tuned_read(&device->cache, device->arena);
    return status;
}

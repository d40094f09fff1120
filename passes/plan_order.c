/* The order of the steps.  Two orders are made and the one with the smaller peak is taken: the graph's own, and a greedy one that
 * always runs what frees the most memory next; in both, what only reads weights and inputs is put off until it is needed. */
#include "ir/base/boundary.h"
#include "passes/plan_steps.h"

typedef void Visit(void *user, uint32_t step);

static void each_successor(const Plan *plan, uint32_t step, Visit *visit, void *user)
{
    const Step *s = &plan->step.at[step];
    for (uint32_t w = 0; w < s->writes.count; w++) {
        const Slot *slot = &plan->slot.at[s->writes.at[w]];
        for (uint32_t r = 0; r < slot->reader.count; r++)
            visit(user, slot->reader.at[r]);
    }
    for (uint32_t i = 0; i < s->before.count; i++)
        visit(user, s->before.at[i]);
}

typedef struct Search {
    Arena *arena;
    bool *seen;
    LIST(uint32_t) todo;
} Search;

static void search_visit(void *user, uint32_t step)
{
    Search *search = user;
    if (search->seen[step]) return;
    search->seen[step] = true;
    *list_add(search->arena, &search->todo) = step;
}

bool plan_reaches(const Plan *plan, uint32_t from, uint32_t to)
{
    Search search = {.arena = plan->scratch};
    search.seen = arena_array(plan->scratch, bool, plan->step.count);
    search_visit(&search, from);
    while (search.todo.count && !search.seen[to])
        each_successor(plan, search.todo.at[--search.todo.count], search_visit, &search);
    return search.seen[to];
}

typedef struct Schedule {
    Plan *plan;
    bool greedy;
    uint32_t *waiting; /* by step: predecessors that have not run, once an edge */
    uint32_t *unread;  /* by slot: readers that have not run */
    uint32_t *ready, ready_count;
    uint32_t *order;
    int64_t live, peak;
} Schedule;

static void count_edge(void *user, uint32_t step)
{
    ((Schedule *)user)->waiting[step]++;
}

static void release(void *user, uint32_t step)
{
    Schedule *s = user;
    if (--s->waiting[step] == 0) s->ready[s->ready_count++] = step;
}

static int64_t allocated_by(const Schedule *s, uint32_t step)
{
    const Step *at = &s->plan->step.at[step];
    int64_t bytes = 0;
    for (uint32_t i = 0; i < at->writes.count; i++) {
        const Slot *slot = &s->plan->slot.at[at->writes.at[i]];
        if (slot->place == PLACE_arena) bytes += slot->bytes;
    }
    return bytes;
}

static int64_t freed_by(const Schedule *s, uint32_t step)
{
    const Step *at = &s->plan->step.at[step];
    int64_t bytes = 0;
    for (uint32_t i = 0; i < at->reads.count; i++) {
        const Slot *slot = &s->plan->slot.at[at->reads.at[i]];
        if (slot->place == PLACE_arena && s->unread[at->reads.at[i]] == 1) bytes += slot->bytes;
    }
    return bytes;
}

/* The graph is numbered depth first from its results: a fair order, and the tie-breaker of the greedy one. */
static uint32_t number_of(const Schedule *s, uint32_t step)
{
    return s->plan->step.at[step].main.id;
}

static bool is_better(const Schedule *s, uint32_t a, uint32_t b)
{
    if (s->greedy) {
        int64_t gain_a = freed_by(s, a) - allocated_by(s, a);
        int64_t gain_b = freed_by(s, b) - allocated_by(s, b);
        if (gain_a != gain_b) return gain_a > gain_b;
    }
    if (number_of(s, a) != number_of(s, b)) return number_of(s, a) < number_of(s, b);
    return a < b;
}

static void run(Schedule *s, uint32_t step)
{
    const Step *at = &s->plan->step.at[step];
    s->live += allocated_by(s, step);
    if (s->live > s->peak) s->peak = s->live;
    s->live -= freed_by(s, step);
    for (uint32_t i = 0; i < at->reads.count; i++)
        s->unread[at->reads.at[i]]--;
    for (uint32_t i = 0; i < at->writes.count; i++) {
        const Slot *slot = &s->plan->slot.at[at->writes.at[i]];
        if (slot->place == PLACE_arena && !slot->reader.count) s->live -= slot->bytes;
    }
    each_successor(s->plan, step, release, s);
}

static void schedule(Schedule *s)
{
    const Plan *plan = s->plan;
    Arena *scratch = plan->scratch;
    uint32_t count = plan->step.count;
    s->waiting = arena_array(scratch, uint32_t, count);
    s->ready = arena_array(scratch, uint32_t, count);
    s->order = arena_array(scratch, uint32_t, count);
    s->unread = arena_array(scratch, uint32_t, plan->slot.count);
    for (uint32_t i = 1; i < plan->slot.count; i++)
        s->unread[i] = plan->slot.at[i].reader.count;
    for (uint32_t i = 1; i < count; i++)
        each_successor(plan, i, count_edge, s);
    for (uint32_t i = 1; i < count; i++)
        if (!s->waiting[i]) s->ready[s->ready_count++] = i;

    for (uint32_t at = 0; at + 1 < count; at++) {
        if (!s->ready_count) bug("the steps of the plan wait for each other");
        uint32_t best = 0;
        for (uint32_t i = 1; i < s->ready_count; i++)
            if (is_better(s, s->ready[i], s->ready[best])) best = i;
        uint32_t step = s->ready[best];
        s->ready[best] = s->ready[--s->ready_count];
        s->order[at] = step;
        run(s, step);
    }
}

/* -- late steps ----------------------------------------------------------------------------------------- */

/* A step that reads nothing of the arena frees nothing by running early: its place is just before the first step that waits
 * for it. */
static bool is_late(const Plan *plan, uint32_t step)
{
    const Step *at = &plan->step.at[step];
    for (uint32_t i = 0; i < at->reads.count; i++)
        if (plan->slot.at[at->reads.at[i]].place == PLACE_arena) return false;
    return true;
}

typedef LIST(uint32_t) Numbers;

typedef struct Sinking {
    Plan *plan;
    Numbers *earlier; /* by step: those that must run before it */
    bool *done;
    uint32_t *order, count, now;
} Sinking;

static void note_earlier(void *user, uint32_t step)
{
    Sinking *s = user;
    *list_add(s->plan->scratch, &s->earlier[step]) = s->now;
}

/* Only late steps can be missing before a step whose turn has come, and late steps before those. */
static void emit(Sinking *s, uint32_t step)
{
    if (s->done[step]) return;
    s->done[step] = true;
    for (uint32_t i = 0; i < s->earlier[step].count; i++)
        emit(s, s->earlier[step].at[i]);
    s->order[s->count++] = step;
}

static uint32_t *sink(Plan *plan, const uint32_t *order)
{
    uint32_t count = plan->step.count;
    Sinking s = {.plan = plan};
    s.earlier = arena_array(plan->scratch, Numbers, count);
    s.done = arena_array(plan->scratch, bool, count);
    s.order = arena_array(plan->scratch, uint32_t, count);
    for (uint32_t i = 0; i + 1 < count; i++) {
        s.now = order[i];
        each_successor(plan, s.now, note_earlier, &s);
    }
    for (uint32_t i = 0; i + 1 < count; i++)
        if (!is_late(plan, order[i])) emit(&s, order[i]);
    for (uint32_t i = 0; i + 1 < count; i++)
        emit(&s, order[i]);
    return s.order;
}

/* -- the best of several -------------------------------------------------------------------------------- */

static int64_t peak_of(Plan *plan, const uint32_t *order)
{
    Schedule s = {.plan = plan};
    uint32_t count = plan->step.count;
    s.waiting = arena_array(plan->scratch, uint32_t, count);
    s.ready = arena_array(plan->scratch, uint32_t, count);
    s.unread = arena_array(plan->scratch, uint32_t, plan->slot.count);
    for (uint32_t i = 1; i < plan->slot.count; i++)
        s.unread[i] = plan->slot.at[i].reader.count;
    for (uint32_t i = 1; i < count; i++)
        each_successor(plan, i, count_edge, &s);
    for (uint32_t i = 0; i + 1 < count; i++)
        run(&s, order[i]);
    return s.peak;
}

void plan_order(Plan *plan)
{
    int64_t least = INT64_MAX;
    for (int greedy = 0; greedy < 2; greedy++) {
        Schedule s = {.plan = plan, .greedy = greedy};
        schedule(&s);
        uint32_t *order = sink(plan, s.order);
        int64_t peak = peak_of(plan, order);
        if (peak >= least) continue;
        least = peak;
        plan->order = order;
    }
}

/* Storing less: a value that forward steps computed and backward steps read again is computed again before the first of these.  This
 * is done with the steps of the plan and not with the nodes of the graph: what a step costs and what its buffers hold is known here,
 * kernels stay the ones that there are, and so do the bits.
 *
 * Where the model says `recompute`, all that the binding computes is computed again, but for what leaves it.  In a large plan so is
 * what takes little longer to compute again than to read.  Under a budget
 * (Chen et al. 2016, arXiv 1604.06174) the values that give the most bytes for their time go first; of values that are alike every
 * other one, then every fourth, so that what computes them again finds something stored near by. */
#include "ir/base/boundary.h"
#include "ir/kernel/contraction.h"
#include "ir/kernel/scalar.h"
#include "passes/plan_steps.h"
#include <math.h>
#include <stdlib.h>

#define FLOPS_A_BYTE 10                  /* that take as long as moving a byte */
#define SWEEPS       3                   /* over the candidates */
#define SMALL_PLAN   ((int64_t)32 << 20) /* bytes: nobody misses them */
#define LITTLE_TIME  0.06 /* of a step, that memory is worth without being asked for */
#define LONG_RANK                                                                                  \
    (-4) /* products that take 16 times as long as moving what they give: never without being asked */
#define MOST_WORK 5e8 /* steps squared of all trials: some seconds */

typedef struct Recompute {
    Plan *plan;
    uint32_t turn;      /* position of the first step that computes a gradient */
    uint32_t *position; /* by step */
    bool *is_dropped;   /* by slot: not stored from the forward steps to the backward ones */
} Recompute;

static const Slot *slot_at(const Plan *plan, uint32_t slot)
{
    return &plan->slot.at[slot];
}

static uint32_t step_storage(const Plan *plan, uint32_t step)
{
    return graph_node(plan->input->graph, plan->step.at[step].main)->at.storage;
}

static bool find_turn(Recompute *r)
{
    const Plan *plan = r->plan;
    r->position = arena_array(plan->scratch, uint32_t, plan->step.count);
    r->turn = plan->step.count;
    for (uint32_t i = plan->step.count; i-- > 1;) {
        uint32_t at = i - 1;
        r->position[plan->order[at]] = at;
        if (step_storage(plan, plan->order[at]) == STORAGE_gradient) r->turn = at;
    }
    return r->turn < plan->step.count;
}

/* Computed before the turn by a step that does nothing else but fill buffers of the arena. */
static bool can_be_dropped(const Recompute *r, uint32_t slot)
{
    const Slot *s = slot_at(r->plan, slot);
    if (!s->writer || s->place != PLACE_arena || r->position[s->writer] >= r->turn) return false;
    const Step *writer = &r->plan->step.at[s->writer];
    for (uint32_t i = 0; i < writer->writes.count; i++)
        if (slot_at(r->plan, writer->writes.at[i])->place != PLACE_arena) return false;
    return true;
}

static bool is_read_late(const Recompute *r, uint32_t slot)
{
    const Slot *s = slot_at(r->plan, slot);
    for (uint32_t i = 0; i < s->reader.count; i++)
        if (r->position[s->reader.at[i]] >= r->turn) return true;
    return false;
}

/* --- a plan with some values dropped ------------------------------------------------------------------------------------- */

typedef struct Rebuild {
    const Recompute *of;
    Plan *to;
    uint32_t *again;      /* by slot of the old plan: its second copy, once there is one */
    bool *is_overwritten; /* by state */
    uint32_t count;       /* of to->order */
    bool failed;
} Rebuild;

static void place_step(Rebuild *b, uint32_t step)
{
    b->to->order[b->count++] = step;
    for (uint32_t i = 0; i < b->to->step.at[step].writes.count; i++) {
        const Slot *slot = slot_at(b->to, b->to->step.at[step].writes.at[i]);
        if (slot->place == PLACE_state) b->is_overwritten[slot->index] = true;
    }
}

static uint32_t second_copy(Rebuild *b, uint32_t slot);

/* The parts of a step, reading second copies where there are any; writing new buffers, if it is a second step. */
static StepPart *redirected(Rebuild *b, const Step *step, bool is_second)
{
    StepPart *part = arena_array(b->to->scratch, StepPart, step->parts);
    for (uint32_t p = 0; p < step->parts; p++) {
        uint32_t count = step->part[p].kernel->buffer.count;
        part[p] = step->part[p];
        part[p].slot = arena_array(b->to->scratch, uint32_t, count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t slot = step->part[p].slot[i];
            bool is_written = step->part[p].kernel->buffer.at[i].written;
            bool is_dropped = b->of->is_dropped[slot];
            part[p].slot[i] = is_written   ? (is_second ? b->again[slot] : slot)
                              : is_dropped ? second_copy(b, slot)
                                           : slot;
        }
    }
    return part;
}

static uint32_t second_copy(Rebuild *b, uint32_t slot)
{
    if (b->again[slot]) return b->again[slot];
    const Plan *from = b->of->plan;
    const Step *step = &from->step.at[slot_at(from, slot)->writer];
    for (uint32_t i = 0; i < step->reads.count; i++) {
        const Slot *read = slot_at(from, step->reads.at[i]);
        b->failed |= read->place == PLACE_state && b->is_overwritten[read->index];
    }
    for (uint32_t i = 0; i < step->writes.count; i++) {
        Slot copy = *slot_at(from, step->writes.at[i]);
        *list_add(b->to->scratch, &b->to->slot) = copy;
        b->again[step->writes.at[i]] = b->to->slot.count - 1;
    }
    Step second = *step;
    memset(&second.before, 0, sizeof second.before);
    second.part = redirected(b, step, true);
    *list_add(b->to->scratch, &b->to->step) = second;
    place_step(b, b->to->step.count - 1);
    return b->again[slot];
}

static void copy_plan(const Plan *from, Plan *to)
{
    *to = *from;
    memset(&to->slot, 0, sizeof to->slot);
    memset(&to->step, 0, sizeof to->step);
    for (uint32_t i = 0; i < from->slot.count; i++)
        *list_add(to->scratch, &to->slot) = from->slot.at[i];
    for (uint32_t i = 0; i < from->step.count; i++)
        *list_add(to->scratch, &to->step) = from->step.at[i];
    to->order = arena_array(to->scratch, uint32_t, 2 * from->step.count);
}

/* Who writes and reads what, anew. */
static void connect_all(Plan *plan)
{
    for (uint32_t i = 1; i < plan->slot.count; i++) {
        plan->slot.at[i].writer = 0;
        memset(&plan->slot.at[i].reader, 0, sizeof plan->slot.at[i].reader);
    }
    for (uint32_t i = 1; i < plan->step.count; i++) {
        memset(&plan->step.at[i].reads, 0, sizeof plan->step.at[i].reads);
        memset(&plan->step.at[i].writes, 0, sizeof plan->step.at[i].writes);
        plan_connect(plan, i);
    }
}

/* False if a value would have to be computed from a state that is overwritten by then. */
static bool rebuild(const Recompute *r, Plan *to)
{
    const Plan *from = r->plan;
    Rebuild b = {.of = r, .to = to};
    b.again = arena_array(from->scratch, uint32_t, from->slot.count);
    b.is_overwritten = arena_array(from->scratch, bool, from->input->program->state.count + 1);
    copy_plan(from, to);
    for (uint32_t i = 0; i + 1 < from->step.count; i++) {
        uint32_t step = from->order[i];
        if (i >= r->turn) {
            StepPart *part = redirected(&b, &from->step.at[step], false);
            to->step.at[step].part = part;
        }
        place_step(&b, step);
    }
    if (!b.failed) connect_all(to);
    return !b.failed;
}

/* --- as the model says --------------------------------------------------------------------------------------------------- */

/* What leaves a region is stored: it is where the recomputing of others begins. */
static bool leaves_region(const Recompute *r, const Slot *slot)
{
    for (uint32_t i = 0; i < slot->reader.count; i++)
        if (r->position[slot->reader.at[i]] < r->turn &&
            step_storage(r->plan, slot->reader.at[i]) != slot->storage)
            return true;
    return false;
}

static bool drop_marked(Recompute *r)
{
    bool any = false;
    for (uint32_t i = 1; i < r->plan->slot.count; i++) {
        const Slot *slot = slot_at(r->plan, i);
        if (slot->storage < STORAGE_regions || !can_be_dropped(r, i) || leaves_region(r, slot))
            continue;
        r->is_dropped[i] = true;
        any |= is_read_late(r, i);
    }
    return any;
}

/* --- under a budget ------------------------------------------------------------------------------------------------------ */

typedef struct Worth {
    uint32_t slot;
    int rank;          /* the logarithm of bytes for the time: the largest first */
    uint32_t reversed; /* among equals */
} Worth;

/* Operations beside sums and products: random numbers are long sequences of them, functions polynomials. */
static double operations_of(const ScalarNode *node)
{
    if (node->op == SCALAR_uniform) return 120;
    if (node->op == SCALAR_div) return 4;
    return node->op > SCALAR_reduce && scalar_info[node->op].is_math ? 20 : 1;
}

/* Of a sum of products, what is beside them. */
static double work_of(const Kernel *kernel)
{
    Contraction of;
    double work = 0;
    uint32_t inside = contraction_of(kernel, &of) ? of.k : 0;
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        double points = operations_of(node);
        for (uint32_t a = 0; a < kernel->axis.count; a++)
            if (node->depends >> a & 1) points *= (double)kernel->axis.at[a].extent;
        if (!(node->depends & inside)) work += points;
    }
    return work;
}

static bool has_products(const Step *step)
{
    Contraction of;
    for (uint32_t p = 0; p < step->parts; p++)
        if (contraction_of(step->part[p].kernel, &of)) return true;
    return false;
}

static double bytes_of(const Plan *plan, const Step *step)
{
    double bytes = 0;
    for (uint32_t i = 0; i < step->reads.count; i++)
        bytes += (double)slot_at(plan, step->reads.at[i])->bytes;
    for (uint32_t i = 0; i < step->writes.count; i++)
        bytes += (double)slot_at(plan, step->writes.at[i])->bytes;
    return bytes;
}

static void estimate_times(Plan *plan)
{
    for (uint32_t i = 1; i < plan->step.count; i++) {
        Step *step = &plan->step.at[i];
        double flops = has_products(step) ? (double)step->flops : 0;
        for (uint32_t p = 0; p < step->parts; p++)
            flops += 2 * work_of(step->part[p].kernel);
        step->time = fmax(bytes_of(plan, step), flops / FLOPS_A_BYTE);
    }
}

/* Bit by bit from the other end: 0, 1/2, 1/4, 3/4, ... */
static uint32_t reversed(uint32_t n)
{
    uint32_t r = 0;
    for (int bit = 0; bit < 32; bit++)
        r |= (n >> bit & 1) << (31 - bit);
    return r;
}

static int by_worth(const void *x, const void *y)
{
    const Worth *a = x, *b = y;
    if (a->rank != b->rank) return a->rank < b->rank ? 1 : -1;
    if (a->reversed != b->reversed) return a->reversed < b->reversed ? -1 : 1;
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

static uint32_t list_worth(const Recompute *r, Worth *worth)
{
    const Plan *plan = r->plan;
    uint32_t count = 0;
    for (uint32_t i = 1; i < plan->slot.count; i++) {
        const Slot *slot = slot_at(plan, i);
        if (slot->storage == STORAGE_kept || r->is_dropped[i] || !can_be_dropped(r, i)) continue;
        if (!is_read_late(r, i)) continue;
        double time = plan->step.at[slot->writer].time;
        int rank = 0;
        for (double of = (double)slot->bytes / (time > 0 ? time : 1); of < 1 && rank > -64; of *= 2)
            rank--;
        bool is_long = rank < LONG_RANK && has_products(&plan->step.at[slot->writer]);
        if (is_long && !plan->budget) continue;
        worth[count] = (Worth){i, rank, reversed(count)};
        count++;
    }
    qsort(worth, count, sizeof *worth, by_worth);
    return count;
}

/* A value that no backward step reads is not kept alive only to compute another one from it. */
static void drop(Recompute *r, uint32_t slot)
{
    if (r->is_dropped[slot]) return;
    r->is_dropped[slot] = true;
    const Step *writer = &r->plan->step.at[slot_at(r->plan, slot)->writer];
    for (uint32_t i = 0; i < writer->reads.count; i++) {
        uint32_t read = writer->reads.at[i];
        if (can_be_dropped(r, read) && !is_read_late(r, read)) drop(r, read);
    }
}

/* What the plan is to be brought to: so many bytes, if that takes no longer than so much time. */
typedef struct Goal {
    int64_t bytes;
    double time;
} Goal;

static double time_of(const Plan *plan, uint32_t from)
{
    double time = 0;
    for (uint32_t i = from; i < plan->step.count; i++)
        time += plan->step.at[i].time;
    return time;
}

/* The arena's bytes if these are dropped too; -1 if that cannot be.  What is only tried lives in `arena`. */
static int64_t try_more(const Recompute *r, const Worth *worth, uint32_t count, double most_time,
                        bool *is_dropped, Arena *arena)
{
    arena_reset(arena);
    Plan from = *r->plan, to;
    from.scratch = arena;
    Recompute with = *r;
    with.plan = &from;
    with.is_dropped = is_dropped;
    memcpy(is_dropped, r->is_dropped, from.slot.count * sizeof *is_dropped);
    for (uint32_t i = 0; i < count; i++)
        drop(&with, worth[i].slot);
    if (!rebuild(&with, &to) || time_of(&to, from.step.count) > most_time) return -1;
    plan_arena(&to);
    return to.arena_bytes;
}

/* One value after the other, or in a large plan some at a time, unless the arena grows: what is computed again needs room itself, which
 * later ones may make. */
static void come_to(Recompute *r, Goal goal)
{
    const Plan *plan = r->plan;
    Worth *worth = arena_array(plan->scratch, Worth, plan->slot.count);
    bool *tried = arena_array(plan->scratch, bool, plan->slot.count);
    Arena *arena = arena_open(&host_default);
    if (!arena) out_of_memory();
    int64_t bytes = try_more(r, worth, 0, INFINITY, tried, arena);
    uint32_t count = list_worth(r, worth);
    double work = (double)plan->step.count * plan->step.count * count * SWEEPS;
    uint32_t group = 1 + (uint32_t)(work / MOST_WORK);
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (uint32_t i = 0; i < count && bytes > goal.bytes; i += group) {
            uint32_t some = count - i < group ? count - i : group;
            if (group == 1 && r->is_dropped[worth[i].slot]) continue;
            int64_t needed = try_more(r, worth + i, some, goal.time, tried, arena);
            if (needed < 0 || needed > bytes) continue;
            bytes = needed;
            memcpy(r->is_dropped, tried, plan->slot.count * sizeof *tried);
        }
    arena_close(arena);
}

void plan_recompute(Plan *plan)
{
    Recompute r = {.plan = plan};
    Plan best;
    r.is_dropped = arena_array(plan->scratch, bool, plan->slot.count);
    if (!find_turn(&r)) return;
    estimate_times(plan);
    bool is_marked = drop_marked(&r);
    Goal goal = {plan->budget, INFINITY};
    if (!plan->budget) goal = (Goal){SMALL_PLAN, LITTLE_TIME * time_of(plan, 1)};
    if (!is_marked || !rebuild(&r, &best))
        memset(r.is_dropped, 0, plan->slot.count * sizeof *r.is_dropped);
    come_to(&r, goal);
    if (rebuild(&r, &best)) *plan = best;
}

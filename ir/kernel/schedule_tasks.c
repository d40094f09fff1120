/* How the work of a contraction is cut into tasks. */
#include "ir/kernel/planning.h"

#define READ_AGAIN 0.06  /* cycles an element, from another core or memory */
#define MOVED      0.7   /* cycles an element of the result, to another core */
#define TASK_WORK  20000 /* products that a task has at least */
#define LEAST_ROWS                                                                                 \
    256 /* of a slice: packing b for them takes a thirtieth of the time of their products */

static void add_task(Schedule *s, const Planning *p, Axis axis, int64_t block)
{
    s->task[s->task_count++] = (TaskAxis){axis, block};
    s->tasks *= plan_ceiling(plan_extent(p, axis), block);
}

int64_t schedule_task_points(const Schedule *s, const Kernel *kernel, Axis axis)
{
    for (uint32_t i = 0; i < s->task_count; i++)
        if (s->task[i].axis.id == axis.id) return s->task[i].block;
    return kernel->axis.at[axis.id - 1].extent;
}

/* Units of `count` a part takes, so that all threads are done at the same time, with as few parts as that allows. */
static int64_t part_of(int64_t count, int64_t threads)
{
    int64_t best = count;
    double most = 0;
    for (int64_t parts = threads; parts <= 4 * threads && parts <= count; parts += threads) {
        int64_t part = plan_ceiling(count, parts),
                rounds = plan_ceiling(plan_ceiling(count, part), threads);
        double use = (double)count / (double)(threads * rounds * part);
        if (use < most + 0.03) continue;
        most = use;
        best = part;
    }
    return best;
}

/* Axes that only a depends on; each part packs b again. */
static void split_rows(const Planning *p, Schedule *s, int64_t threads)
{
    for (uint32_t i = s->packed_loops; i < s->order_count; i++) {
        int64_t extent = plan_extent(p, s->order[i]);
        if (extent < threads) continue;
        add_task(s, p, s->order[i], part_of(extent, threads));
        return;
    }
    if (!s->tile_count) return;
    int64_t rows = s->tile[0].block, tiles = plan_ceiling(plan_extent(p, s->tile[0].axis), rows);
    if (tiles >= threads) add_task(s, p, s->tile[0].axis, part_of(tiles, threads) * rows);
}

/* Groups of panels; each part reads, or packs, a again, and what reads the result by rows finds half of it in another core's cache. */
static void split_columns(const Planning *p, Schedule *s, int64_t threads)
{
    int64_t column = s->vectors * s->width;
    int64_t columns = plan_ceiling(plan_extent(p, s->vector), column);
    if (columns >= threads) add_task(s, p, s->vector, part_of(columns, threads) * column);
}

/* Slices of an outer loop, unless each of them would pack b again for few rows. */
static bool split_slices(const Planning *p, Schedule *s)
{
    if (!p->slices) return false;
    Axis axis = p->slices->axis;
    int64_t block = plan_extent(p, axis) / p->slices->count, outer = plan_extent(p, axis) / block;
    uint32_t at = 0;
    while (at < s->order_count && s->order[at].id != axis.id)
        at++;
    bool packs_again = s->pack && at >= s->packed_loops;
    if (at == s->order_count) return false;
    if (packs_again && plan_points(p, s->of.m) / outer < LEAST_ROWS) return false;
    add_task(s, p, axis, block);
    s->sliced = true;
    return true;
}

/* Tasks: blocks of the outer axes that b depends on, as long as there are, then whatever packs less again. */
void plan_tasks(const Planning *p, const Candidate *c, Schedule *s)
{
    s->tasks = 1;
    if (split_slices(p, s)) return;
    double work = (double)plan_points(p, (1u << p->kernel->axis.count) - 1);
    int64_t threads = p->target->threads, wanted = 8 * threads;
    int64_t worth = (int64_t)(work / TASK_WORK);
    if (wanted > worth) wanted = worth > 1 ? worth : 1;
    for (uint32_t i = 0; i < s->packed_loops && s->tasks < wanted; i++) {
        int64_t extent = plan_extent(p, s->order[i]), need = plan_ceiling(wanted, s->tasks);
        add_task(s, p, s->order[i], extent <= need ? 1 : plan_ceiling(extent, need));
    }
    if (s->tasks >= threads || s->tasks >= wanted) return;
    int64_t parts = plan_ceiling(threads < wanted ? threads : wanted, s->tasks);
    double n = (double)plan_points(p, s->of.n), m = (double)plan_points(p, s->of.m);
    double again_b = s->pack ? n * plan_pack_cost(c->reading) : n * READ_AGAIN;
    double again_a = m * (plan_reads_along(p, s->of.a, p->inner_k) ? plan_pack_cost(READ_contiguous)
                                                                   : READ_AGAIN);
    double moved = MOVED * n * m / (double)p->k;
    bool by_columns = s->vector.id && again_a + moved < again_b;
    if (p->choice.split && s->vector.id) by_columns = p->choice.split == 2;
    if (by_columns) split_columns(p, s, parts);
    if (s->task_count == 0 || s->tasks < parts) split_rows(p, s, parts);
    if (!by_columns && s->vector.id && s->tasks < parts) split_columns(p, s, parts);
}

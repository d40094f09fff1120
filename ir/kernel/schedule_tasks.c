/* How the work of a contraction is cut into tasks. */
#include "ir/kernel/planning.h"

#define READ_AGAIN 0.06  /* cycles an element, from a cache */
#define READ_FAR   0.8   /* ... of a factor that the second-level cache does not hold */
#define MOVED      0.7   /* cycles an element of the result, to another core */
#define TASK_WORK  20000 /* products that a task has at least */
#define MOST_WAITING                                                                               \
    2048 /* rows of sums that wait in a task: packing b again for the next takes a hundredth of their products */
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

/* Part of the threads' time that there is work, if a part takes so many of `count` units. */
static double use_of(int64_t count, int64_t part, int64_t threads)
{
    int64_t rounds = plan_ceiling(plan_ceiling(count, part), threads);
    return (double)count / (double)(threads * rounds * part);
}

/* Units of `count` a part takes, so that all threads are done at the same time, with as few parts as that allows. */
static int64_t part_of(int64_t count, int64_t threads)
{
    int64_t best = count;
    double most = 0;
    for (int64_t parts = threads; parts <= 4 * threads && parts <= count; parts += threads) {
        int64_t part = plan_ceiling(count, parts);
        double use = use_of(count, part, threads);
        if (use < most + 0.03) continue;
        most = use;
        best = part;
    }
    return best;
}

static int64_t tiles_of(const Planning *p, const Schedule *s)
{
    if (!s->tile_count) return 1;
    return plan_ceiling(plan_extent(p, s->tile[0].axis), s->tile[0].block);
}

/* The first axis of loops that only a depends on with points for all threads; {0}: there is none. */
static Axis outer_rows(const Planning *p, const Schedule *s, int64_t threads)
{
    for (uint32_t i = s->packed_loops; i < s->order_count; i++)
        if (plan_extent(p, s->order[i]) >= threads) return s->order[i];
    return (Axis){0};
}

static int64_t columns_of(const Planning *p, const Schedule *s)
{
    return plan_ceiling(plan_extent(p, s->vector), s->vectors * s->width);
}

/* Cycles of a step over k of all tiles of so many points of the first tile axis. */
static double rows_cost(const Planning *p, const Schedule *s, int64_t points)
{
    int64_t block = s->tile[0].block;
    uint32_t inner = s->rows / (uint32_t)block, rest = (uint32_t)(points % block);
    double cost = (double)(points / block) * plan_step_cost(p, s->rows, s->vectors);
    return rest ? cost + plan_step_cost(p, rest * inner, s->vectors) : cost;
}

/* ... until all threads are done, if a task takes so many. */
static double shared_cost(const Planning *p, const Schedule *s, int64_t points, int64_t threads)
{
    int64_t tasks = plan_ceiling(plan_extent(p, s->tile[0].axis), points);
    return (double)plan_ceiling(tasks, threads) * rows_cost(p, s, points);
}

/* Points of the first tile axis that a task takes: whole tiles, or for each thread as many. */
static int64_t rows_of_task(const Planning *p, const Schedule *s, int64_t threads)
{
    int64_t extent = plan_extent(p, s->tile[0].axis), equal = extent / threads;
    int64_t whole = part_of(tiles_of(p, s), threads) * s->tile[0].block;
    bool may_be_equal = !p->products && extent % threads == 0;
    bool is_equal =
        may_be_equal && shared_cost(p, s, equal, threads) < shared_cost(p, s, whole, threads);
    return is_equal ? equal : whole;
}

/* Axes that only a depends on; each part packs b again. */
static void split_rows(const Planning *p, Schedule *s, int64_t threads)
{
    Axis outer = outer_rows(p, s, threads);
    if (outer.id)
        add_task(s, p, outer, part_of(plan_extent(p, outer), threads));
    else if (tiles_of(p, s) >= threads)
        add_task(s, p, s->tile[0].axis, rows_of_task(p, s, threads));
}

/* Groups of panels; each part reads, or packs, a again, and what reads the result by rows finds half of it in another core's cache. */
static void split_columns(const Planning *p, Schedule *s, int64_t threads)
{
    int64_t columns = columns_of(p, s);
    if (columns < threads) return;
    add_task(s, p, s->vector, part_of(columns, threads) * s->vectors * s->width);
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

/* Of reading a factor of so many rows from farther away than its own cache. */
static double far_cost(const Planning *p, double rows)
{
    return rows * (double)p->k * 4 > (double)p->target->l2 ? rows * READ_FAR : 0;
}

/* Cycles that threads wait for the last, by how many units there are to share. */
static double waiting_cost(const Planning *p, int64_t units, int64_t threads, double products)
{
    double use = use_of(units, part_of(units, threads), threads);
    return products / (double)(p->target->lanes * threads) * (1 / use - 1);
}

/* ... if rows are shared. */
static double waiting_for_rows(const Planning *p, const Schedule *s, int64_t threads,
                               double products)
{
    Axis outer = outer_rows(p, s, threads);
    if (outer.id) return waiting_cost(p, plan_extent(p, outer), threads, products);
    if (tiles_of(p, s) < threads) return waiting_cost(p, tiles_of(p, s), threads, products);
    double even = rows_cost(p, s, plan_extent(p, s->tile[0].axis)) / (double)threads;
    double longest = shared_cost(p, s, rows_of_task(p, s, threads), threads);
    double waiting = longest > even ? longest / even - 1 : 0;
    return products / (double)(p->target->lanes * threads) * waiting;
}

/* Whether it costs less that each part has its columns, and reads all of a, than that each has its rows; for one point of k. */
static bool is_better_by_columns(const Planning *p, const Candidate *c, const Schedule *s,
                                 int64_t parts)
{
    double n = (double)plan_points(p, s->of.n), m = (double)plan_points(p, s->of.m);
    double again_b = s->pack ? n * plan_pack_cost(c->reading) : n * READ_AGAIN;
    double again_a = m * (plan_reads_along(p, s->of.a, p->inner_k) ? plan_pack_cost(READ_contiguous)
                                                                   : READ_AGAIN);
    double moved = MOVED * n * m / (double)p->k;
    double rows = again_b + far_cost(p, n) + waiting_for_rows(p, s, parts, n * m);
    double columns =
        again_a + far_cost(p, m) + moved + waiting_cost(p, columns_of(p, s), parts, n * m);
    return columns < rows;
}

/* Sums of all rows of a task wait at the same time: where there are many, tasks are smaller. */
static void limit_waiting_rows(const Planning *p, Schedule *s)
{
    if (!s->waits || !s->tile_count) return;
    Axis rows = s->tile[0].axis;
    int64_t extent = plan_extent(p, rows), points = schedule_task_points(s, p->kernel, rows);
    if (points <= MOST_WAITING) return;
    int64_t part = plan_ceiling(points, plan_ceiling(points, MOST_WAITING));
    int64_t block = plan_ceiling(part, s->tile[0].block) * s->tile[0].block;
    for (uint32_t i = 0; i < s->task_count; i++) {
        if (s->task[i].axis.id != rows.id) continue;
        s->tasks = s->tasks / plan_ceiling(extent, points) * plan_ceiling(extent, block);
        s->task[i].block = block;
        return;
    }
    add_task(s, p, rows, block);
}

/* Blocks of the outer axes that b depends on, as long as there are, then whatever packs less again. */
static void split_work(const Planning *p, const Candidate *c, Schedule *s)
{
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
    bool by_columns = s->vector.id && is_better_by_columns(p, c, s, parts);
    if (p->choice.split && s->vector.id) by_columns = p->choice.split == 2;
    if (by_columns) split_columns(p, s, parts);
    if (s->task_count == 0 || s->tasks < parts) split_rows(p, s, parts);
    if (!by_columns && s->vector.id && s->tasks < parts) split_columns(p, s, parts);
}

void plan_tasks(const Planning *p, const Candidate *c, Schedule *s)
{
    s->tasks = 1;
    if (split_slices(p, s)) return;
    split_work(p, c, s);
    limit_waiting_rows(p, s);
}

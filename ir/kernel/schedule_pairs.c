/* Schedules of contractions whose factors are bf16 or bytes and are multiplied two or 32 at a time.  The instructions want both factors in
 * layouts of their own, so both are packed, but for bytes that are read very often, or only once; the tile that is in registers is
 * larger than that of single products, and packing and what follows the sums decide. */
#include "ir/kernel/planning.h"

/* Cycles of packing an element: b read along its lanes, along k, or one by one. */
#define PAIR_CONTIGUOUS 0.1
#define PAIR_TRANSPOSED 0.15
#define PAIR_SINGLE     1.6
/* The same for a: along k it is a copy, along the rows a transposition. */
#define ROW_CONTIGUOUS  0.06
#define ROW_TRANSPOSED  0.25
#define SCATTERED       4 /* times what single products lose by it: there is less time beside */
#define FEW_LANES       8
#define MOST_BLOCK      512 /* points of k that all tiles see before the next */
#define LEAST_BLOCK     128
#define FIRST_MOST      (16 << 20) /* bytes of a that are packed at once */
#define ROOM                                                                                       \
    64 /* elements behind a row of a: zeros up to a whole step, and what vectors run over */

/* Cycles of 32 points of k: a product of two tiles takes 16 cycles and its successor in the same sums waits for 52; the load of
 * a tile takes 8. */
double tiles_step_cost(uint32_t rows, uint32_t vectors)
{
    uint32_t tall = rows > 16 ? 2 : 1;
    double products = 16.0 * tall * vectors, loads = 8.0 * (tall + vectors);
    double cost = products > loads ? products : loads;
    return cost > 52 ? cost : 52;
}

/* Points of k as they are packed. */
static int64_t packed_points(const Planning *p)
{
    int64_t inner = plan_extent(p, p->inner_k);
    return p->k / inner * (inner + (inner & 1));
}

static double steps_of(const Planning *p)
{
    int64_t points = packed_points(p);
    return p->products == PRODUCTS_tiles ? (double)plan_ceiling(points, TILE_DEPTH)
                                         : (double)points / 2;
}

static int64_t padded_points(const Planning *p)
{
    int64_t points = packed_points(p);
    return p->products == PRODUCTS_tiles ? plan_ceiling(points, TILE_DEPTH) * TILE_DEPTH : points;
}

static Reading reading_of_b(const Planning *p, const Candidate *c)
{
    if (plan_reads_along(p, c->of.b, c->vector)) return READ_contiguous;
    if (!plan_reads_along(p, c->of.b, p->inner_k)) return READ_single;
    return plan_extent(p, p->inner_k) < FEW_LANES ? READ_single : READ_transposed;
}

/* The axis of the tile that a is read along. */
static Axis lanes_of_a(const Planning *p, const Candidate *c, const Schedule *s)
{
    if (plan_reads_along(p, c->of.a, p->inner_k) || !s->tile_count) return (Axis){0};
    uint32_t axis = plan_contiguous_rows(p, c);
    for (uint32_t i = 0; i < s->tile_count; i++)
        if (s->tile[i].axis.id == axis + 1 && s->tile[i].block >= FEW_LANES &&
            plan_reads_along(p, c->of.a, s->tile[i].axis))
            return s->tile[i].axis;
    return (Axis){0};
}

/* Panels of b that stay in the second-level cache beside what passes by, which is more if there are several groups of them. */
static int64_t fitting_panels(const Planning *p, const Candidate *c)
{
    int64_t column = (int64_t)c->vectors * p->target->lanes, bytes = padded_points(p) * column * 2;
    int64_t all = plan_ceiling(plan_extent(p, c->vector), column);
    int64_t panels = p->target->l2 * 5 / 8 / bytes;
    if (panels < all) panels = p->target->l2 * 3 / 8 / bytes;
    return panels < 1 ? 1 : panels;
}

/* Rows of a that a task has, if they are to be packed before its groups of panels and not again for each; else 0. */
static int64_t first_rows(const Planning *p, const Schedule *s)
{
    int64_t column = (int64_t)s->vectors * s->width;
    bool is_one_group =
        plan_ceiling(schedule_task_points(s, p->kernel, s->vector), column) <= s->panels;
    if (is_one_group || !s->tile_count || s->order_count != s->packed_loops) return 0;
    int64_t rows = schedule_task_points(s, p->kernel, s->tile[0].axis), block = s->tile[0].block;
    rows = plan_ceiling(rows, block) * block;
    return rows * (s->rows / block) * s->k * 2 <= FIRST_MOST ? rows : 0;
}

double pairs_cost(const Planning *p, Candidate *c)
{
    Schedule s;
    static const double pack_b[] = {PAIR_CONTIGUOUS, PAIR_TRANSPOSED, PAIR_SINGLE};
    int64_t column = (int64_t)p->target->lanes * c->vectors, extent = plan_extent(p, c->vector);
    int64_t panels = plan_ceiling(extent, column);
    double others = (double)(plan_points(p, c->of.n | c->of.batch) / extent);
    double m = (double)plan_points(p, c->of.m), k = (double)packed_points(p);
    double products = plan_tile(p, c, &s) * (double)panels * steps_of(p);
    c->reading = reading_of_b(p, c);
    double packing = (double)(panels * column) * k * pack_b[c->reading];
    bool is_along_k = plan_reads_along(p, c->of.a, p->inner_k);
    packing += m * k *
               (is_along_k                ? ROW_CONTIGUOUS
                : lanes_of_a(p, c, &s).id ? ROW_TRANSPOSED
                                          : PAIR_SINGLE);
    return others * (products + packing + SCATTERED * plan_finish_cost(p, c) * (double)extent * m);
}

/* The rows of a tile are to stay in the first-level cache while b streams past them: two thirds of it at most, and half of it where k is
 * cut and sums pass by too. */
static int64_t depth_of(const Planning *p, const Schedule *s)
{
    int64_t steps = s->k / TILE_DEPTH, fitting = p->target->l1 / (TILE_ROWS * TILE_DEPTH * 2);
    int64_t most = fitting / 2;
    if (p->products != PRODUCTS_tiles || steps <= fitting * 2 / 3 || s->panels == 1 || most < 1)
        return 0;
    return plan_ceiling(steps, plan_ceiling(steps, most)) * TILE_DEPTH;
}

/* Where panels of all points of k would not stay in the second-level cache beside what passes by, tiles see k in equal blocks, of whole
 * vectors.  0: not cut. */
static int64_t block_of(const Planning *p, const Schedule *s)
{
    int64_t column = (int64_t)s->vectors * s->width, step = 2 * s->width;
    int64_t most = p->choice.k_block ? p->choice.k_block : MOST_BLOCK;
    bool is_long = p->choice.k_block || p->k * column * 2 > p->target->l2 / 4;
    if (p->products != PRODUCTS_integers || !s->pack || !s->tile_count || !is_long) return 0;
    if (plan_extent(p, p->inner_k) != p->k || p->k <= most) return 0;
    for (int64_t block = most / step * step; block >= LEAST_BLOCK; block -= step)
        if (p->k % block == 0) return block;
    return 0;
}

static void cut_k(const Planning *p, Schedule *s)
{
    int64_t block = block_of(p, s);
    if (!block) return;
    s->waits = true;
    s->k_block = s->k = s->k_points = block;
    s->panels = (uint32_t)plan_ceiling(plan_extent(p, s->vector), (int64_t)s->vectors * s->width);
}

static void place_b(Schedule *s)
{
    int64_t column = (int64_t)s->vectors * s->width;
    plan_reserve(s, (s->panels * s->k + 2 * s->width) * column * 2);
    if (s->depth) s->sums_offset = plan_reserve(s, s->panels * TILE_ROWS * column * 4);
}

static void place_a(Schedule *s)
{
    /* Tiles are read whole; lanes along the rows may be written past the last. */
    int64_t rows = s->a_rows;
    for (uint32_t i = 1; i < s->tile_count; i++)
        rows *= s->tile[i].block;
    s->a_pitch = s->k + ROOM / 2;
    s->a_offset = plan_reserve(s, ((rows + TILE_ROWS + s->width) * s->a_pitch + ROOM) * 2);
}

/* How a gets to the tiles: bytes that are read often, as those of images under windows, are widened once and read in place. */
static void choose_a(const Planning *p, const Candidate *c, Schedule *s)
{
    if (p->products == PRODUCTS_integers && s->tile_count && !s->waits &&
        schedule_widened_copy(p->kernel, s, p->target, p->arena)) {
        s->pack_a = PACK_A_none;
        s->a_rows = plan_extent(p, s->tile[0].axis);
        return;
    }
    s->a_lanes = lanes_of_a(p, c, s);
    s->pack_a = s->a_lanes.id ? PACK_A_transposed : PACK_A_along_k;
    s->a_rows = s->waits ? 0 : first_rows(p, s);
    s->a_first = s->a_rows > 0;
    if (!s->a_first) s->a_rows = s->tile_count ? s->tile[0].block : 1;
    place_a(s);
}

/* One row reads b once: packing it would take longer than the products. */
static void read_in_place(const Planning *p, const Candidate *c, Schedule *s)
{
    s->pack = false;
    if (c->reading == READ_transposed) s->vectors = 1;
    s->panels = (uint32_t)plan_ceiling(plan_extent(p, s->vector), (int64_t)s->vectors * s->width);
}

static bool is_one_row(const Planning *p, const Candidate *c)
{
    return p->products == PRODUCTS_integers && plan_points(p, c->of.m) == 1 &&
           c->reading != READ_single;
}

Schedule settle_pairs(const Planning *p, const Candidate *best)
{
    Schedule s = {.contraction = true,
                  .of = best->of,
                  .vector = best->vector,
                  .vectors = best->vectors,
                  .width = p->target->lanes,
                  .products = p->products,
                  .pair = p->inner_k,
                  .k = padded_points(p),
                  .k_points = packed_points(p),
                  .pack = true,
                  .cost = best->cost};
    plan_tile(p, best, &s);
    s.pack_transposed = best->reading == READ_transposed;
    s.panels = p->choice.panels ? p->choice.panels : (uint32_t)fitting_panels(p, best);
    if (is_one_row(p, best)) read_in_place(p, best, &s);
    cut_k(p, &s);
    plan_loops(p, &s);
    plan_tasks(p, best, &s);
    plan_fit_panels(p, &s);
    s.depth = depth_of(p, &s);
    if (s.pack) place_b(&s);
    if (s.waits) plan_place_sums(p, &s);
    choose_a(p, best, &s);
    s.finish_paired = p->products == PRODUCTS_integers && plan_finishes_in_pairs(p, &s);
    s.finish_looped = p->products == PRODUCTS_tiles || plan_finishes_in_loop(p, &s);
    return s;
}

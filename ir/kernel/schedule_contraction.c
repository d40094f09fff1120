/* Schedules of contractions: which axis is vectorized, how large a tile of the result stays in registers, what is packed. */
#include "ir/kernel/planning.h"
#include <stdlib.h>

#define MAX_ROWS 28
#define FEW_ROWS 4

/* Cycles: of packing an element that is read along its lanes, along k with a transposition in registers, or one by
 * one; of storing an element that is not a neighbour of the last. */
#define PACK_CONTIGUOUS 0.12
#define PACK_TRANSPOSED 0.5
#define PACK_SINGLE     1.6
#define STORE_SCATTERED 5.0
#define PACK_ROWS                                                                                  \
    0.4 /* ... of packing an element of a that lies along the rows: each step over k is another line */
#define PACK_A_PANELS 4 /* panels that read an element of a, from which packing it pays */
#define MOST_OF_LINE                                                                               \
    12            /* rows of a tile of the 16 elements of a line: they are read where they are */
#define NEAR 32   /* elements between steps over k that are read in place */
#define WAY  4096 /* bytes of the first-level cache that fall on different sets */
#define WAYS 6    /* lines that a set holds of one factor, beside those of the other */
#define PITCH_APART                                                                                \
    16 /* elements that keep rows of packed a from falling on the same sets of the cache */
#define FEW_PANELS  4 /* side by side: what follows their sums gains nothing from being together */
#define FINISH_MANY 160   /* operations on the sums of a tile that are code of their own, at most */
#define TILE_STEP   0.4   /* cycles of a step over k beside its loads and products */
#define ISSUE       3.3   /* instructions a cycle, as fitted to tiles of AVX2 on a shared Zen 3 */
#define STREAM      1.9   /* bytes of b a cycle and lane, from the second-level cache */
#define EXACT       0.998 /* what is cheaper by less is not known to be */

double plan_pack_cost(Reading reading)
{
    static const double cost[] = {PACK_CONTIGUOUS, PACK_TRANSPOSED, PACK_SINGLE};
    return cost[reading];
}

int64_t plan_extent(const Planning *p, Axis axis)
{
    return p->kernel->axis.at[axis.id - 1].extent;
}

int64_t plan_points(const Planning *p, uint32_t axes)
{
    int64_t points = 1;
    for (uint32_t i = 0; i < p->kernel->axis.count; i++)
        if (axes >> i & 1) points *= p->kernel->axis.at[i].extent;
    return points;
}

int64_t plan_ceiling(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Whether all loads of the factor step by 0 or 1 along the axis. */
bool plan_reads_along(const Planning *p, Scalar factor, Axis axis)
{
    const bool *needed = kernel_needed(p->kernel, factor, p->arena);
    for (uint32_t i = 1; i <= factor.id; i++) {
        const ScalarNode *node = &p->kernel->scalar.at[i];
        int64_t step;
        if (!needed[i] || node->op != SCALAR_load) continue;
        if (!access_step(p->kernel, node->access, axis, &step) || (step != 0 && step != 1))
            return false;
    }
    return true;
}

bool plan_has_guards(const Planning *p, Scalar factor)
{
    const bool *needed = kernel_needed(p->kernel, factor, p->arena);
    for (uint32_t i = 1; i <= factor.id; i++) {
        const ScalarNode *node = &p->kernel->scalar.at[i];
        for (int d = 0; needed[i] && node->access && d < node->access->rank; d++)
            if (node->access->at[d].guarded) return true;
    }
    return false;
}

bool plan_is_guarded_by(const Planning *p, uint32_t axis)
{
    for (uint32_t i = 1; i < p->kernel->scalar.count; i++) {
        const Access *access = p->kernel->scalar.at[i].access;
        for (int d = 0; access && d < access->rank; d++)
            if (access->at[d].guarded && access->at[d].affine.by[axis]) return true;
    }
    return false;
}

/* A factor that is more than a load, perhaps widened, is worth computing once. */
static bool is_computed(const Planning *p, Scalar factor)
{
    const bool *needed = kernel_needed(p->kernel, factor, p->arena);
    uint32_t operations = 0;
    for (uint32_t i = 1; i <= factor.id; i++) {
        const ScalarNode *node = &p->kernel->scalar.at[i];
        if (needed[i] && node->op != SCALAR_load && node->op != SCALAR_constant) operations++;
    }
    return operations > 0;
}

/* Steps over k go at the speed of products, of loads or of instructions, and no product sooner than four cycles after its predecessor. */
double plan_step_cost(const Planning *p, uint32_t rows, uint32_t vectors)
{
    if (p->products == PRODUCTS_tiles) return tiles_step_cost(rows, vectors);
    double products = rows * vectors * 0.5, loads = (rows + vectors) * 0.5;
    double cost = products > loads ? products : loads;
    uint32_t steps = p->products == PRODUCTS_integers ? p->target->integer_steps : 1;
    double issuing = (rows * vectors * steps + rows + vectors) / ISSUE;
    if (cost < issuing) cost = issuing;
    double bytes = 4.0 * vectors * p->target->lanes;
    double streaming = bytes / (STREAM * p->target->lanes);
    if (cost < streaming) cost = streaming;
    return (cost > 4 ? cost : 4) + TILE_STEP;
}

static uint32_t most_rows(const Planning *p, uint32_t vectors)
{
    bool has_product = p->products == PRODUCTS_integers && p->target->integer_steps > 1;
    uint32_t others = 1 + vectors + has_product;
    uint32_t rows = (p->target->registers - others) / vectors;
    rows = rows < 1 ? 1 : rows > MAX_ROWS ? MAX_ROWS : rows;
    if (p->products == PRODUCTS_tiles) rows = TILE_ROWS;
    return p->choice.rows && p->choice.rows < rows ? p->choice.rows : rows;
}

/* Rows of the tile that cover `extent` in the least time; *cost: of covering it, for one step over k. */
static uint32_t best_rows(const Planning *p, int64_t extent, uint32_t most, uint32_t vectors,
                          uint32_t whole, double *cost)
{
    uint32_t best = 1;
    *cost = -1;
    uint32_t least = !p->choice.rows ? 1 : most < extent ? most : (uint32_t)extent;
    for (uint32_t rows = least; rows <= most && rows <= extent; rows++) {
        int64_t full = extent / rows, rest = extent % rows;
        double now = (double)full * plan_step_cost(p, rows * whole, vectors);
        if (rest) now += plan_step_cost(p, (uint32_t)rest * whole, vectors);
        if (*cost >= 0 && now >= *cost) continue;
        *cost = now;
        best = rows;
    }
    return best;
}

/* The m axis along which a is contiguous, if there is one: the rows of a tile are then neighbours. */
uint32_t plan_contiguous_rows(const Planning *p, const Candidate *c)
{
    const bool *needed = kernel_needed(p->kernel, c->of.a, p->arena);
    for (uint32_t i = 0; i < p->kernel->axis.count; i++) {
        int64_t step = 0;
        if (!(c->of.m >> i & 1) || p->kernel->axis.at[i].extent < FEW_ROWS) continue;
        for (uint32_t k = 1; k <= c->of.a.id; k++) {
            const ScalarNode *node = &p->kernel->scalar.at[k];
            if (needed[k] && node->op == SCALAR_load &&
                access_step(p->kernel, node->access, (Axis){i + 1}, &step) && step == 1)
                return i;
        }
    }
    return p->kernel->axis.count;
}

/* Whether part of an axis without guards would go around axes with guards: as a loop it lets them be copied without, point by point. */
static bool breaks_copies(const Planning *p, uint32_t axis, const TaskAxis *tile, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++)
        any |= plan_is_guarded_by(p, tile[i].axis.id - 1);
    return any && !plan_is_guarded_by(p, axis);
}

/* The tile over the m axes, the contiguous or else the last in the axis list innermost: small axes whole, then a block of the next.  Returns the cost
 * of a step over k for all points of the m axes. */
double plan_tile(const Planning *p, const Candidate *c, Schedule *s)
{
    uint32_t most = most_rows(p, c->vectors), whole = 1;
    double cost = plan_step_cost(p, 1, c->vectors), outside = 1;
    TaskAxis tile[MAX_AXES];
    uint32_t count = 0;
    bool is_full = false;
    uint32_t first = plan_contiguous_rows(p, c);
    for (uint32_t n = p->kernel->axis.count + 1; n-- > 0;) {
        uint32_t i = n == p->kernel->axis.count ? first : n;
        if (n == first || i == p->kernel->axis.count) continue;
        int64_t extent = p->kernel->axis.at[i].extent;
        if (!(c->of.m >> i & 1) || extent == 1) continue;
        if (is_full) {
            outside *= (double)extent;
            continue;
        }
        double with = cost;
        uint32_t rows = best_rows(p, extent, most / whole, c->vectors, whole, &with);
        if (rows < extent && breaks_copies(p, i, tile, count)) {
            is_full = true;
            outside *= (double)extent;
            continue;
        }
        cost = with;
        is_full = rows < extent || rows * whole * 2 > most;
        tile[count++] = (TaskAxis){{i + 1}, rows};
        whole *= rows;
    }
    s->tile_count = count;
    s->rows = whole;
    for (uint32_t i = 0; i < count; i++)
        s->tile[i] = tile[count - 1 - i];
    return cost * outside;
}

static double moving_cost(const Planning *p, const Access *access, Axis vector, uint32_t width)
{
    int64_t step;
    bool is_same = access_step(p->kernel, access, vector, &step);
    if (is_same && step == 0) return 0;
    return is_same && step == 1 ? 1.0 / width : STORE_SCATTERED;
}

/* Of loading and storing what follows the sum, an element. */
double plan_finish_cost(const Planning *p, const Candidate *c)
{
    uint32_t width = c->vector.id ? p->target->lanes : 1;
    double cost = 0;
    for (uint32_t i = 0; i < p->kernel->store.count; i++)
        cost += moving_cost(p, &p->kernel->store.at[i].at, c->vector, width);
    for (uint32_t i = 1; i < p->kernel->scalar.count; i++)
        if (p->finishes[i] && p->kernel->scalar.at[i].op == SCALAR_load)
            cost += moving_cost(p, p->kernel->scalar.at[i].access, c->vector, width);
    return cost;
}

bool plan_rows_collide(const Planning *p, Scalar a, const Schedule *s)
{
    const bool *needed = kernel_needed(p->kernel, a, p->arena);
    for (uint32_t i = 1; i <= a.id; i++) {
        const ScalarNode *node = &p->kernel->scalar.at[i];
        int64_t step;
        if (!needed[i] || node->op != SCALAR_load || s->tile_count != 1) continue;
        if (!access_step(p->kernel, node->access, s->tile[0].axis, &step)) continue;
        int64_t apart = step * type_info[node->type].bytes % WAY;
        if (apart == 0 && s->rows > WAYS) return true;
    }
    return false;
}

/* Of bringing together rows that lie along k but collide, once for each group of panels that the second-level cache holds. */
static double collision_cost(const Planning *p, const Candidate *c, const Schedule *s,
                             double panels)
{
    if (!plan_reads_along(p, c->of.a, p->inner_k) || !plan_rows_collide(p, c->of.a, s)) return 0;
    int64_t fitting = p->target->l2 / 2 / (4 * p->k * c->vectors * p->target->lanes);
    int64_t groups = plan_ceiling((int64_t)panels, fitting < 1 ? 1 : fitting);
    return (double)(plan_points(p, c->of.m) * p->k * groups) * PACK_ROWS;
}

static double candidate_cost(const Planning *p, Candidate *c)
{
    if (p->products) return pairs_cost(p, c);
    Schedule s;
    uint32_t width = c->vector.id ? p->target->lanes : 1;
    int64_t extent = c->vector.id ? plan_extent(p, c->vector) : 1;
    double panels = (double)plan_ceiling(extent, width * c->vectors);
    double others = (double)(plan_points(p, c->of.n | c->of.batch) / extent);
    double k = (double)p->k, m = (double)plan_points(p, c->of.m);
    double products = plan_tile(p, c, &s) * panels * k;
    if (s.tile_count == 1 && plan_range(p, &c->of, s.tile[0].axis)) products *= 0.5;

    c->reading = plan_reads_along(p, c->of.b, c->vector)    ? READ_contiguous
                 : plan_reads_along(p, c->of.b, p->inner_k) ? READ_transposed
                                                            : READ_single;
    if (plan_extent(p, p->inner_k) < width / 2 && c->reading == READ_transposed)
        c->reading = READ_single;
    double packing = panels * width * c->vectors * k * plan_pack_cost(c->reading);

    bool is_by_rows = s.tile_count == 1 && !plan_reads_along(p, c->of.a, p->inner_k) &&
                      plan_reads_along(p, c->of.a, s.tile[0].axis);
    double packing_a = is_by_rows ? m * k * PACK_ROWS : 0;
    packing_a += collision_cost(p, c, &s, panels);
    double storing = plan_finish_cost(p, c) * (double)extent * m;
    return others * (products + packing + packing_a + storing);
}

static void swap_sides(Contraction *of)
{
    Contraction old = *of;
    of->a = old.b;
    of->b = old.a;
    of->a_where = old.b_where;
    of->b_where = old.a_where;
    of->m = old.n;
    of->n = old.m;
}

static uint32_t most_vectors(const Planning *p)
{
    return p->products == PRODUCTS_tiles ? 2 : 4;
}

static bool is_chosen(const ScheduleChoice *choice, int side, const Candidate *c)
{
    return (!choice->side || choice->side == (uint32_t)side + 1) &&
           (!choice->vector || choice->vector == c->vector.id) &&
           (!choice->vectors || choice->vectors == c->vectors);
}

static Candidate choose_vector(const Planning *p, const Contraction *contraction,
                               const ScheduleChoice *choice)
{
    Candidate best = {.of = *contraction, .vectors = 1, .cost = -1};
    for (int side = 0; side < 2; side++) {
        Candidate c = {.of = *contraction};
        if (side) swap_sides(&c.of);
        for (uint32_t i = 0; i < p->kernel->axis.count; i++) {
            if (!(c.of.n >> i & 1) || p->kernel->axis.at[i].extent == 1) continue;
            c.vector = (Axis){i + 1};
            int64_t most = plan_ceiling(plan_extent(p, c.vector), p->target->lanes);
            for (c.vectors = 1; c.vectors <= most_vectors(p) && c.vectors <= most; c.vectors++) {
                if (!is_chosen(choice, side, &c)) continue;
                c.cost = candidate_cost(p, &c);
                if (best.cost < 0 || c.cost < best.cost * EXACT) best = c;
            }
        }
    }
    return best;
}

bool schedule_is_far(const Kernel *kernel, Scalar factor, Axis k, Arena *arena)
{
    const bool *needed = kernel_needed(kernel, factor, arena);
    for (uint32_t i = 1; i <= factor.id; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        int64_t step;
        if (!needed[i] || node->op != SCALAR_load) continue;
        if (!access_step(kernel, node->access, k, &step) || step > NEAR || step < -NEAR)
            return true;
    }
    return false;
}

/* Whether all that tiles read of b for a point of the loops around them is one stretch of memory that stays in the first-level cache. */
static bool lies_close(const Planning *p, const Candidate *c, const Schedule *s)
{
    return c->reading == READ_contiguous &&
           !schedule_is_far(p->kernel, c->of.b, p->inner_k, p->arena) &&
           s->k * plan_extent(p, s->vector) * 4 <= p->target->l1 / 2;
}

/* Packing pays where the panel is used by several tiles or reading in place is slow; b is evaluated once an element then. */
static void choose_packing(const Planning *p, const Candidate *c, Schedule *s)
{
    int64_t m = plan_points(p, c->of.m), tiles = plan_ceiling(m, s->rows);
    int64_t column = s->k * s->vectors * s->width * 4;
    int64_t columns =
        s->width == 1 ? 1 : plan_ceiling(plan_extent(p, s->vector), s->vectors * s->width);
    s->panels = 1;
    s->pack = s->width > 1 && (c->reading != READ_contiguous ||
                               (tiles >= 4 && columns > 1 && !lies_close(p, c, s)) ||
                               (tiles > 1 && is_computed(p, c->of.b)) || s->pack_a);
    if (!s->pack_a && p->choice.pack_b && s->width > 1 && c->reading == READ_contiguous)
        s->pack = p->choice.pack_b == 2;
    s->pack_transposed = s->pack && c->reading == READ_transposed;
    if (!s->pack) return;
    int64_t fitting = p->target->l2 / 2 / (column ? column : 1);
    if (s->pack_a) fitting = plan_tiles_panels(s);
    if (p->choice.panels) fitting = p->choice.panels;
    s->panels = (uint32_t)(fitting < 1 ? 1 : fitting > columns ? columns : fitting);
}

/* Whether rows that lie along memory are worth bringing together: several panels read them (where half of k is enough, half of what is packed),
 * each step over k is another line, and a tile takes little of it or computes what it takes. */
static bool are_scattered(const Planning *p, const Schedule *s)
{
    uint32_t readers = s->range ? s->panels / 2 : s->panels;
    return schedule_is_far(p->kernel, s->of.a, p->inner_k, p->arena) &&
           (s->waits || readers >= PACK_A_PANELS) &&
           (s->tile[0].block < MOST_OF_LINE || is_computed(p, s->of.a));
}

/* How a gets to the tiles: as it lies where it is contiguous along k, packed where it is computed or where steps over k are far
 * apart, so few rows at a time that they stay in the caches while all panels read them. */
static void choose_rows(const Planning *p, Schedule *s)
{
    if (!s->tile_count) return;
    int64_t whole = s->rows / s->tile[0].block;
    bool is_wanted = p->choice.pack_a == 2;
    /* Of one point of k there is nothing to bring together. */
    if (!s->pack_a && (s->panels > 1 || s->waits) && s->width > 1 && p->k > 1 &&
        !plan_has_guards(p, s->of.a) && p->choice.pack_a != 1) {
        if (plan_reads_along(p, s->of.a, p->inner_k)) {
            if (is_wanted || is_computed(p, s->of.a) || plan_rows_collide(p, s->of.a, s))
                s->pack_a = PACK_A_along_k;
        } else if (s->tile_count == 1 && plan_reads_along(p, s->of.a, s->tile[0].axis) &&
                   (is_wanted || are_scattered(p, s))) {
            s->pack_a = PACK_A_along_rows;
        }
    }
    int64_t extent = schedule_task_points(s, p->kernel, s->tile[0].axis), block = s->tile[0].block;
    int64_t fitting = p->target->l2 / 16 / (4 * s->k * whole);
    s->a_rows = fitting / block * block;
    if (s->pack_a == PACK_A_along_rows) s->a_rows = block;
    if (s->pack_a == PACK_A_tiles) s->a_rows = plan_tiles_rows(p, s);
    if (s->a_rows < block) s->a_rows = block;
    if (s->a_rows > extent) s->a_rows = plan_ceiling(extent, block) * block;
}

/* The other axes are loops around the tiles, those that b depends on outermost, so that a packed panel serves all others. */
void plan_loops(const Planning *p, Schedule *s)
{
    uint32_t tiled = s->vector.id ? 1u << (s->vector.id - 1) : 0;
    for (uint32_t i = 0; i < s->tile_count; i++)
        tiled |= 1u << (s->tile[i].axis.id - 1);
    for (int of_b = 1; of_b >= 0; of_b--)
        for (uint32_t n = 0; n < p->kernel->axis.count; n++) {
            uint32_t i = p->choice.order == 2 ? p->kernel->axis.count - 1 - n : n;
            bool is_of_b = !(s->of.m >> i & 1);
            if (p->kernel->axis.at[i].kind == AXIS_reduction || tiled >> i & 1) continue;
            if (p->kernel->axis.at[i].extent == 1 || is_of_b != (of_b == 1)) continue;
            s->order[s->order_count++] = (Axis){i + 1};
            s->packed_loops += of_b == 1;
        }
}

/* Whether what is stored lies closer along `near` than along `far`. */
static bool stores_lie_along(const Planning *p, Axis near, Axis far)
{
    for (uint32_t i = 0; i < p->kernel->store.count; i++) {
        const Access *at = &p->kernel->store.at[i].at;
        int64_t step, other;
        if (!access_step(p->kernel, at, near, &step) || !access_step(p->kernel, at, far, &other) ||
            llabs(step) >= llabs(other))
            return false;
    }
    return true;
}

/* Where the panels that tiles read in place lie along other axes than the vectors, as those of weights in panels, and all of a task's stay
 * in the second-level cache: so a block of rows stays in the first while all of them read it. */
static bool choose_rows_first(const Planning *p, const Schedule *s)
{
    if (s->pack || s->waits || s->copy_count || !s->packed_loops || !s->tile_count) return false;
    int64_t columns = schedule_task_points(s, p->kernel, s->vector);
    for (uint32_t i = 0; i < s->packed_loops; i++) {
        if (!(s->of.n >> (s->order[i].id - 1) & 1)) return false;
        columns *= schedule_task_points(s, p->kernel, s->order[i]);
    }
    return columns * s->k * 4 <= p->target->l2 / 2 && s->rows * s->k * 4 <= p->target->l1 / 2 &&
           stores_lie_along(p, s->order[s->packed_loops - 1], s->tile[0].axis);
}

/* Groups of panels shrink to what a task has, and to be alike: each of them packs a again. */
void plan_fit_panels(const Planning *p, Schedule *s)
{
    if (!s->vector.id) return;
    int64_t column = s->vectors * s->width;
    int64_t columns = plan_ceiling(schedule_task_points(s, p->kernel, s->vector), column);
    int64_t groups = plan_ceiling(columns, s->panels);
    s->panels = (uint32_t)plan_ceiling(columns, groups);
}

int64_t plan_reserve(Schedule *s, int64_t bytes)
{
    int64_t at = s->scratch;
    s->scratch += (bytes + 63) / 64 * 64;
    return at;
}

void plan_place_sums(const Planning *p, Schedule *s)
{
    int64_t rows = 1;
    for (uint32_t i = 0; i < p->kernel->axis.count; i++)
        if (s->of.m >> i & 1) rows *= schedule_task_points(s, p->kernel, (Axis){i + 1});
    s->sums_pitch = (int64_t)s->panels * s->vectors * s->width + PITCH_APART;
    s->sums_offset = plan_reserve(s, rows * s->sums_pitch * 4);
}

/* Where in scratch everything lies; vectors may be written past the end of what is packed. */
static void place_scratch(const Planning *p, Schedule *s)
{
    Type type = p->kernel->scalar.at[s->of.b.id].type;
    int64_t bytes = type_is_float(type) ? 4 : type_info[type].bytes, column = s->vectors * s->width;
    if (s->pack) plan_reserve(s, (s->panels * s->k + s->width) * column * bytes);
    if (s->waits) plan_place_sums(p, s);
    if (s->pack_a == PACK_A_none) return;
    if (s->pack_a == PACK_A_tiles) {
        s->a_pitch = s->rows;
        s->a_offset = plan_reserve(s, (s->a_rows * s->k + (s->rows + 1) * s->width) * 4);
        return;
    }
    bool along_k = s->pack_a == PACK_A_along_k;
    int64_t rows = s->a_rows * (s->rows / s->tile[0].block);
    s->a_pitch = along_k ? s->k + PITCH_APART : plan_ceiling(rows, s->width) * s->width;
    s->a_offset = plan_reserve(s, ((along_k ? rows : s->k) * s->a_pitch + s->width) * 4);
}

/* Whether the code after the sums would be large if it stood there for each vector of a tile. */
bool plan_finishes_in_loop(const Planning *p, const Schedule *s)
{
    uint32_t operations = 2 * p->kernel->store.count;
    for (uint32_t i = 1; i < p->kernel->scalar.count; i++)
        if (p->finishes[i]) operations += scalar_weight(&p->kernel->scalar.at[i]);
    return operations > 4 && operations * s->rows * s->vectors > FINISH_MANY;
}

bool schedule_stores_bytes(const Kernel *kernel)
{
    for (uint32_t i = 0; i < kernel->store.count; i++)
        if (type_info[kernel->buffer.at[kernel->store.at[i].at.buffer].type].bytes > 1)
            return false;
    return true;
}

/* Vectors side by side, none of them short: where much follows, or bytes, of which two vectors are packed as fast as one. */
bool plan_finishes_in_pairs(const Planning *p, const Schedule *s)
{
    uint32_t operations = 0;
    if (p->target->registers > FEW_REGISTERS || s->width == 1 || s->vectors % 2) return false;
    if (plan_extent(p, s->vector) % (s->vectors * s->width)) return false;
    for (uint32_t i = 1; i < p->kernel->scalar.count; i++)
        if (p->finishes[i] && p->kernel->scalar.at[i].op != SCALAR_load)
            operations += scalar_weight(&p->kernel->scalar.at[i]);
    return operations >= MANY_OPERATIONS || schedule_stores_bytes(p->kernel);
}

/* Where much follows sums that wait side by side, and each row of it lies along memory. */
static bool finishes_by_rows(const Planning *p, const Schedule *s)
{
    if (!s->waits || !s->finish_looped || !s->tile_count || s->panels < FEW_PANELS) return false;
    for (uint32_t i = 0; i < p->kernel->store.count; i++) {
        int64_t step;
        if (!access_step(p->kernel, &p->kernel->store.at[i].at, s->vector, &step) || step != 1)
            return false;
    }
    return true;
}

/* Everything but the axes and the register tile.  Where copies without guards would hold more than the cache, as a weight gradient's
 * of a whole batch, the outermost reduction axis may go around them. */
static Schedule settle(const Planning *p, const Candidate *best, bool is_outer)
{
    Schedule s = {.contraction = true, .of = best->of, .vector = best->vector, .k = p->k};
    s.cost = best->cost;
    s.width = best->vector.id ? p->target->lanes : 1;
    s.vectors = best->vectors;
    plan_tile(p, best, &s);
    if (s.tile_count == 1) s.range = plan_range(p, &s.of, s.tile[0].axis);
    s.wanted = plan_wanted(p, &s);
    bool is_cut = !s.range && !s.wanted;
    if (!is_outer && plan_tiles(p, best, &s)) {
        s.pack_a = PACK_A_tiles;
        s.a_transposed = plan_reads_along(p, s.of.a, p->inner_k);
    }
    if (is_outer && is_cut) plan_outer(p, &s);
    if (!is_outer && is_cut) plan_cut(p, best, &s);
    choose_packing(p, best, &s);
    if (is_cut) plan_rounds(p, &s);
    plan_loops(p, &s);
    plan_tasks(p, best, &s);
    plan_fit_panels(p, &s);
    choose_rows(p, &s);
    s.finish_looped = plan_finishes_in_loop(p, &s);
    s.finish_paired = plan_finishes_in_pairs(p, &s);
    s.finish_by_rows = finishes_by_rows(p, &s);
    place_scratch(p, &s);
    schedule_copies(p->kernel, &s, p->target, p->arena);
    plan_copied_blocks(p, &s);
    s.rows_first = choose_rows_first(p, &s);
    return s;
}

Schedule schedule_contraction(const Kernel *kernel, const Contraction *contraction,
                              const ScheduleTarget *target, const Slices *slices,
                              const ScheduleChoice *choice, Arena *arena)
{
    Planning p = {.kernel = kernel, .target = target, .slices = slices, .arena = arena};
    if (choice) p.choice = *choice;
    p.k = plan_points(&p, contraction->k);
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (contraction->k >> i & 1 && (kernel->axis.at[i].extent > 1 || !p.inner_k.id))
            p.inner_k = (Axis){i + 1};
    p.products = contraction_products(kernel, contraction, target->products,
                                      target->integer_steps ? PRODUCTS_integers : PRODUCTS_single);
    if (p.products) p.inner_k = contraction_pairs(kernel, contraction, p.products);
    p.finishes = kernel_live(kernel, arena);
    const bool *product = kernel_needed(kernel, contraction->sum, arena);
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        p.finishes[i] &= !product[i];
    Candidate best = choose_vector(&p, contraction, &p.choice);
    if (best.cost < 0) best = choose_vector(&p, contraction, &(ScheduleChoice){0});
    if (p.products) return settle_pairs(&p, &best);
    Schedule s = settle(&p, &best, false), outer;
    if (!plan_has_guards(&p, s.of.a) && !plan_has_guards(&p, s.of.b)) return s;
    if (p.choice.around == 1) return s;
    if (p.choice.around != 2 && s.copy_count && plan_box_bytes(&s) <= target->l1) return s;
    outer = settle(&p, &best, true);
    return outer.copy_count && (outer.k_outer || outer.k_block) ? outer : s;
}

/* How k is cut: sums that wait in scratch while all tiles see a part of it. */
#include "ir/kernel/planning.h"

#define LEAST_INSIDE   32 /* steps over k between loading and storing sums that wait */
#define LEAST_IN_ROUND 16 /* ... where they wait for the vectors beside them */
#define CUT_PER_LANE                                                                               \
    16 /* points of k in a block, for each lane of a vector: 128 with AVX2, 256 with AVX-512 */
#define CUT_FROM 3 /* blocks from which they pay */

/* Sums wait: while the outermost reduction axis goes around everything, if no guard asks for it and enough is left inside, else
 * between blocks of it. */
void plan_outer(const Planning *p, Schedule *s)
{
    uint32_t outermost = 0;
    if (!s->vector.id) return;
    while (!(s->of.k >> outermost & 1) || p->kernel->axis.at[outermost].extent == 1)
        if (++outermost == p->kernel->axis.count) return;
    int64_t others = plan_points(p, s->of.k & ~(1u << outermost));
    s->waits = true;
    if (others < LEAST_INSIDE || plan_is_guarded_by(p, outermost)) return;
    s->k_outer = 1;
    s->k = others;
}

/* Blocks of the innermost axis are whole vectors: what is packed along it has no mask but at the axis' end. */
static int64_t in_vectors(const Planning *p, int64_t points)
{
    return plan_ceiling(points, p->target->lanes) * p->target->lanes;
}

/* The same of blocks of an axis with so many points inside of each of its own, which may lie in one stretch with them. */
static int64_t in_whole_vectors(const Planning *p, int64_t block, int64_t inside)
{
    int64_t step = p->target->lanes;
    while (step > 1 && inside % 2 == 0) {
        step /= 2;
        inside /= 2;
    }
    return block >= step ? block / step * step : 1;
}

/* About so many points of k at a time: of the innermost axes that are no more, and a block of the next. */
static void cut_into(const Planning *p, Schedule *s, int64_t points)
{
    uint32_t axis[MAX_AXES], count = 0;
    for (uint32_t i = 0; i < p->kernel->axis.count; i++)
        if (s->of.k >> i & 1 && p->kernel->axis.at[i].extent > 1) axis[count++] = i;
    int64_t inside = 1;
    while (inside * p->kernel->axis.at[axis[count - 1]].extent <= points)
        inside *= p->kernel->axis.at[axis[--count]].extent;
    int64_t block =
        inside > 1 ? in_whole_vectors(p, points / inside, inside) : in_vectors(p, points);
    s->waits = true;
    bool is_whole = block == 1 && inside > 1;
    s->k_outer = is_whole ? count : count - 1;
    s->k_block = is_whole ? 0 : block;
    s->k = block * inside;
}

/* Where steps over k are many and lie far apart in both factors, or panels of all of them would not stay in the second-level cache,
 * tiles see them block by block, packed. */
static void cut_far(const Planning *p, Schedule *s)
{
    bool is_long = p->k * s->vectors * s->width * 4 > p->target->l2 / 2;
    int64_t block = p->choice.k_block ? p->choice.k_block : CUT_PER_LANE * p->target->lanes;
    if (s->pack_a == PACK_A_tiles) {
        if (plan_tiles_block(p, s) < p->k) cut_into(p, s, plan_tiles_block(p, s));
        return;
    }
    if (!s->vector.id || s->tile_count != 1) return;
    if (p->k < (p->choice.k_block ? block + 1 : CUT_FROM * block)) return;
    if (plan_has_guards(p, s->of.a) || plan_has_guards(p, s->of.b)) return;
    bool is_along_rows =
        !plan_reads_along(p, s->of.a, p->inner_k) && plan_reads_along(p, s->of.a, s->tile[0].axis);
    if (!p->choice.k_block && !is_long && !is_along_rows) return;
    cut_into(p, s, block);
}

/* What one row alone reads, transposed, is packed so much at a time that it is still in the first-level cache when it is read; what lies
 * farther apart is better read along. */
static void cut_for_one_row(const Planning *p, const Candidate *c, Schedule *s)
{
    uint32_t outermost = 0;
    if (s->waits || !s->vector.id || c->reading != READ_transposed) return;
    if (plan_points(p, s->of.m) > 1 || p->choice.k_block) return;
    if (schedule_is_far(p->kernel, s->of.b, s->vector, p->arena)) return;
    if (plan_has_guards(p, s->of.a) || plan_has_guards(p, s->of.b)) return;
    while (!(s->of.k >> outermost & 1) || p->kernel->axis.at[outermost].extent == 1)
        if (++outermost == p->kernel->axis.count) return;
    int64_t extent = p->kernel->axis.at[outermost].extent, inside = p->k / extent;
    int64_t block = p->target->l1 / 2 / (4 * s->vectors * s->width) / inside;
    if (inside == 1) block = in_vectors(p, block);
    if (block < 1 || block >= extent || block * inside < LEAST_INSIDE) return;
    s->waits = true;
    s->k_block = block;
    s->k = block * inside;
}

void plan_cut(const Planning *p, const Candidate *c, Schedule *s)
{
    cut_far(p, s);
    cut_for_one_row(p, c, s);
}

/* Vectors of b that lie side by side and are read in place: all of them for some points of k before the next, so that memory is
 * read once and in its order, and not a part of each line on every way. */
void plan_rounds(const Planning *p, Schedule *s)
{
    if (s->pack || s->waits || s->width == 1) return;
    int64_t extent = plan_extent(p, s->vector), column = s->vectors * s->width;
    if (extent <= column || s->k * extent * 4 <= p->target->l1) return;
    if (plan_points(p, s->of.m) * extent * 4 > p->target->l2 / 2) return; /* sums wait there */
    int64_t inside = s->k;
    uint32_t around = 0;
    for (uint32_t i = 0; i < p->kernel->axis.count; i++) {
        int64_t points = p->kernel->axis.at[i].extent;
        if (!(s->of.k >> i & 1) || points == 1) continue;
        if (inside * extent * 4 <= p->target->l1 / 2 || inside / points < LEAST_IN_ROUND) break;
        inside /= points;
        around++;
    }
    if (!around) return;
    s->waits = true;
    s->k_outer = around;
    s->k = inside;
    s->panels = (uint32_t)plan_ceiling(extent, column);
}

int64_t plan_box_bytes(const Schedule *s)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < s->copy_count; i++)
        bytes += s->copy[i].elements * 4;
    return bytes;
}

/* All tiles see a block of the next reduction axis before the next one, so that what they share stays in the first-level cache. */
void plan_copied_blocks(const Planning *p, Schedule *s)
{
    if (!s->waits || !s->copy_count || s->pack || s->pack_a != PACK_A_none) return;
    for (uint32_t i = 0; i < s->copy_count; i++)
        if (s->copy[i].loops > s->packed_loops) return;
    uint32_t seen = 0, axis = 0;
    while (seen <= s->k_outer)
        if (axis == p->kernel->axis.count)
            return;
        else
            seen += s->of.k >> axis & 1 && p->kernel->axis.at[axis].extent > 1, axis++;
    int64_t extent = plan_extent(p, (Axis){axis}), inside = s->k / extent;
    int64_t bytes = plan_box_bytes(s) + s->k * plan_extent(p, s->vector) * 4;
    int64_t block = plan_ceiling(extent, plan_ceiling(bytes, p->target->l1 / 2));
    if (block * inside < 2 * LEAST_INSIDE) block = plan_ceiling(2 * LEAST_INSIDE, inside);
    if (block < extent) s->k_block = block;
}

/* Products of two large factors: both are packed in the order in which tiles read them, a block of k after the other, so that nothing but
 * stretches of memory is read, whatever the factors' layout.  A panel of b stays in the first-level cache while all tiles of a block of rows
 * read it, and that block of a in the second (Goto, van de Geijn: Anatomy of High-Performance Matrix Multiplication, 2008). */
#include "ir/kernel/planning.h"

#define LEAST_PANELS 4   /* that read an element of a, from which packing it pays */
#define LEAST_TILES  8   /* ... of b */
#define LONG_FAR     384 /* k, if each step over it is another line of a; else */
#define LONG         512 /* ... and if rows of a tile fall on the same sets of the first-level cache */
#define LEAST_BLOCK  32  /* steps over k between loading and storing sums that wait */
#define MOST_B       (1536 << 10) /* bytes of packed panels, which come from the shared cache */

/* Along k, or along the rows of tiles. */
static bool lies_in_order(const Planning *p, const Schedule *s, bool *is_far)
{
    *is_far = !plan_reads_along(p, s->of.a, p->inner_k);
    return !*is_far || plan_reads_along(p, s->of.a, s->tile[0].axis);
}

/* Few panels or tiles read what is packed of the other factor; where it lies well, packing pays for long products alone. */
static bool are_worth(const Planning *p, const Schedule *s, bool is_far)
{
    int64_t panels = plan_ceiling(plan_extent(p, s->vector), s->vectors * s->width);
    int64_t tiles = plan_extent(p, s->tile[0].axis) / s->tile[0].block;
    if (tiles < LEAST_TILES || panels < LEAST_PANELS) return false;
    return p->k >= (is_far ? LONG_FAR : LONG) && (is_far || plan_rows_collide(p, s->of.a, s));
}

bool plan_tiles(const Planning *p, const Candidate *c, const Schedule *s)
{
    bool is_far, is_wanted = p->choice.pack_a == 3;
    if (p->products || s->width == 1 || s->tile_count != 1 || s->range || s->wanted) return false;
    if (c->reading == READ_single || !lies_in_order(p, s, &is_far)) return false;
    if (plan_has_guards(p, s->of.a) || plan_has_guards(p, s->of.b)) return false;
    return is_wanted || (!p->choice.pack_a && are_worth(p, s, is_far));
}

/* Points of k: a panel of them takes three quarters of the first-level cache. */
int64_t plan_tiles_block(const Planning *p, const Schedule *s)
{
    int64_t most = p->target->l1 * 3 / 4 / (4 * s->vectors * s->width);
    if (most < LEAST_BLOCK) most = LEAST_BLOCK;
    if (p->choice.k_block) most = p->choice.k_block;
    return plan_ceiling(p->k, plan_ceiling(p->k, most));
}

int64_t plan_tiles_panels(const Schedule *s)
{
    int64_t fitting = MOST_B / (4 * s->k * s->vectors * s->width);
    return fitting > 1 ? fitting : 1;
}

/* An eighth of the second-level cache, where panels pass, too, and what others run on this core. */
int64_t plan_tiles_rows(const Planning *p, const Schedule *s)
{
    int64_t tiles = p->target->l2 / 8 / (4 * s->k * s->tile[0].block);
    return (tiles > 1 ? tiles : 1) * s->tile[0].block;
}

/* The loops of a contraction around its tiles:
 *
 *     tasks                                    blocks of any parallel axes
 *       axes that b depends on                 (around the tiles of a block of rows, where a stays closer: rows_first)
 *         (a, if several groups read it)
 *         groups of panels                     what of b fits into the second-level cache; b is packed
 *           axes that only a depends on
 *             blocks of rows                   what of a stays close; a is packed
 *               tiles                          tile.c
 *
 * Where a is packed tile by tile, a block's tiles go past one panel after the other.  Where sums wait (schedule.h), the outer reduction axes
 * and the blocks of k go around everything inside the groups. */
#include "backends/cpu/tile.h"

static int64_t extent_of(const Emit *e, Axis axis)
{
    return e->kernel->axis.at[axis.id - 1].extent;
}

/* Where packed a begins, less where its first row does. */
static void place_a(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    bool along_k = s->pack_a != PACK_A_along_rows && s->pack_a != PACK_A_tiles;
    int64_t row = along_k ? s->a_pitch : 1, k = along_k ? 1 : s->a_pitch;
    Type type = e->kernel->scalar.at[s->of.a.id].type;
    t->a =
        (Area){.element = s->products ? LLVMInt16TypeInContext(e->context) : type_of(e, type, 1)};
    for (uint32_t i = s->tile_count; i-- > 0;) {
        t->a.at.by[s->tile[i].axis.id - 1] = row;
        row *= s->tile[i].block;
    }
    for (uint32_t i = t->k_outer; i < t->k_count; i++)
        t->a.at.by[t->k[i].id - 1] = t->k_stride[i] * k;
    LLVMTypeRef byte = LLVMInt8TypeInContext(e->context);
    emit_at(e, e->depth);
    LLVMValueRef at = step_pointer(e, byte, e->scratch, emit_i64(e, s->a_offset));
    t->a.base = before_block(e, t, t->a.element, at, k);
    if (!s->tile_count) return;
    LLVMValueRef rows = emit_i64(e, -t->a.at.by[s->tile[0].axis.id - 1]);
    rows = LLVMBuildMul(e->builder, t->rows, rows, "");
    t->a.base = step_pointer(e, t->a.element, t->a.base, rows);
}

static void emit_rows_block(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    if (s->pack_a != PACK_A_none) place_a(e, t);
    if (s->products && s->pack_a == PACK_A_none) t->a = widened_area(e);
    if (s->pack_a == PACK_A_tiles)
        emit_pack_a_tiles(e, t);
    else if (s->pack_a != PACK_A_none && !s->a_first)
        (s->products ? emit_pack_pairs_a : emit_pack_a)(e, t);
    emit_tiles(e, t);
    if (s->finish_by_rows) finish_rows_of_sums(e, t);
}

static void emit_row_blocks(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    if (!s->tile_count) {
        emit_rows_block(e, t);
        return;
    }
    uint32_t axis = s->tile[0].axis.id - 1;
    t->rows = t->from[axis];
    t->rows_to = t->to[axis];
    int64_t from, to;
    if (is_known(t->rows, &from) && is_known(t->rows_to, &to) && to - from <= s->a_rows) {
        emit_rows_block(e, t);
        return;
    }
    Loop loop;
    LLVMValueRef last = t->rows_to;
    loop_open(e, &loop, t->rows, last, s->a_rows, 0, NULL);
    t->rows = loop.index;
    t->rows_to =
        emit_smaller(e, LLVMBuildAdd(e->builder, loop.index, emit_i64(e, s->a_rows), ""), last);
    emit_rows_block(e, t);
    loop_close(e, &loop, NULL);
}

/* Axes that only a depends on, from order[at] on, with the copies that stand inside them. */
static void emit_rest(Emit *e, Tile *t, uint32_t at)
{
    const Schedule *s = e->schedule;
    if (at > s->packed_loops) emit_copies(e, at);
    if (at == s->order_count) {
        emit_row_blocks(e, t);
        return;
    }
    Axis axis = s->order[at];
    if (e->axis[axis.id - 1].bound) {
        emit_rest(e, t, at + 1);
        return;
    }
    Loop loop;
    loop_open(e, &loop, t->from[axis.id - 1], t->to[axis.id - 1], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    emit_rest(e, t, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

/* Inside of a loop over k: whether it is the first, and the last, of all points. */
static void mark_ends(Emit *e, Tile *t, LLVMValueRef from, LLVMValueRef to, LLVMValueRef extent)
{
    emit_at(e, e->depth);
    LLVMValueRef is_first = LLVMBuildICmp(e->builder, LLVMIntEQ, from, emit_i64(e, 0), "");
    LLVMValueRef is_last = LLVMBuildICmp(e->builder, LLVMIntSGE, to, extent, "");
    t->is_first = t->is_first ? LLVMBuildAnd(e->builder, t->is_first, is_first, "") : is_first;
    t->is_last = t->is_last ? LLVMBuildAnd(e->builder, t->is_last, is_last, "") : is_last;
}

/* All tiles, for each block of the first inner reduction axis. */
static void emit_blocks(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    if (!s->k_block) {
        if (s->pack && !s->b_is_packed) (s->products ? emit_pack_pairs_b : emit_pack_b)(e, t);
        emit_rest(e, t, s->packed_loops);
        return;
    }
    Loop loop;
    uint32_t axis = t->k[t->k_outer].id - 1;
    LLVMValueRef extent = emit_i64(e, e->kernel->axis.at[axis].extent);
    loop_open(e, &loop, emit_i64(e, 0), extent, s->k_block, 0, NULL);
    t->from[axis] = loop.index;
    LLVMValueRef to = LLVMBuildAdd(e->builder, loop.index, emit_i64(e, s->k_block), "");
    t->to[axis] = emit_smaller(e, to, extent);
    mark_ends(e, t, loop.index, to, extent);
    if (s->pack) (s->products ? emit_pack_pairs_b : emit_pack_b)(e, t);
    emit_rest(e, t, s->packed_loops);
    loop_close(e, &loop, NULL);
}

/* Outer reduction axes, then all tiles. */
static void emit_group(Emit *e, Tile *t, uint32_t at)
{
    const Schedule *s = e->schedule;
    if (at == s->k_outer) {
        if (s->waits) emit_copies(e, s->packed_loops);
        emit_blocks(e, t);
        return;
    }
    Loop loop;
    Axis axis = t->k[at];
    LLVMValueRef extent = emit_i64(e, extent_of(e, axis));
    loop_open(e, &loop, emit_i64(e, 0), extent, 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    mark_ends(e, t, loop.index, LLVMBuildAdd(e->builder, loop.index, emit_i64(e, 1), ""), extent);
    emit_group(e, t, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

static void emit_waiting_group(Emit *e, Tile *t)
{
    place_sums(e, t);
    t->is_first = t->is_last = NULL;
    emit_group(e, t, 0);
}

/* All rows of the task, for all groups. */
static void pack_a_first(Emit *e, Tile *t)
{
    uint32_t axis = e->schedule->tile[0].axis.id - 1;
    t->rows = t->from[axis];
    t->rows_to = t->to[axis];
    place_a(e, t);
    emit_pack_pairs_a(e, t);
}

static void emit_groups(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    if (s->a_first) pack_a_first(e, t);
    if (!s->vector.id) {
        emit_group(e, t, 0);
        return;
    }
    Loop loop;
    int64_t group = s->panels * t->column;
    LLVMValueRef to = t->to[s->vector.id - 1];
    loop_open(e, &loop, t->from[s->vector.id - 1], to, group, 0, NULL);
    t->group = loop.index;
    t->group_to = emit_smaller(e, LLVMBuildAdd(e->builder, loop.index, emit_i64(e, group), ""), to);
    if (s->waits)
        emit_waiting_group(e, t);
    else
        emit_group(e, t, 0);
    loop_close(e, &loop, NULL);
}

/* Axes that b depends on. */
static void emit_loops(Emit *e, Tile *t, uint32_t at)
{
    const Schedule *s = e->schedule;
    if (!s->waits) emit_copies(e, at);
    if (at == s->packed_loops || s->rows_first) {
        emit_groups(e, t);
        return;
    }
    Axis axis = s->order[at];
    if (e->axis[axis.id - 1].bound) {
        emit_loops(e, t, at + 1);
        return;
    }
    Loop loop;
    loop_open(e, &loop, t->from[axis.id - 1], t->to[axis.id - 1], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    emit_loops(e, t, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

/* The reduction axes in the order of their sum. */
static void order_k(const Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    int64_t stride = 1;
    for (uint32_t i = 0; i < e->kernel->axis.count; i++)
        if (s->of.k >> i & 1 && e->kernel->axis.at[i].extent > 1 && i + 1 != s->pair.id)
            t->k[t->k_count++] = (Axis){i + 1};
    if (s->pair.id) t->k[t->k_count++] = s->pair;
    for (uint32_t i = t->k_count; i-- > t->k_outer;) {
        int64_t extent = extent_of(e, t->k[i]);
        t->k_stride[i] = stride;
        stride *= t->k[i].id == s->pair.id ? extent + (extent & 1) : extent;
    }
}

void emit_contraction(Emit *e)
{
    const Schedule *s = e->schedule;
    Tile t = {.column = (int64_t)s->vectors * s->width, .k_outer = s->k_outer};
    t.extent = s->vector.id ? extent_of(e, s->vector) : 1;
    order_k(e, &t);
    t.run_a = plan_runs(e, &t, FACTOR_a);
    t.run_b = plan_runs(e, &t, FACTOR_b);
    t.run = plan_runs(e, &t, (Factors)((s->pack_a ? 0 : FACTOR_a) | (s->pack ? 0 : FACTOR_b)));
    if (s->products == PRODUCTS_tiles) tiles_open(e);
    Loop tasks;
    tasks_open(e, &tasks, t.from, t.to);
    emit_loops(e, &t, 0);
    loop_close(e, &tasks, NULL);
    if (s->products == PRODUCTS_tiles) tiles_close(e);
}

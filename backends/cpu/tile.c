/* Contractions.  The result is cut into tiles of `rows` points of the m axes by `vectors` vectors along one n axis,
 * whose sums stay in registers while k runs; k is never split or reordered, as its order is part of the meaning. */
#include "backends/cpu/tile.h"
#include <stdlib.h>

/* One tile: the rows are the points of the tile axes, the first of which has `block` of them. */
typedef struct Rows {
    Tile *tile;
    int64_t block;
    uint32_t count;
    Part part; /* of k: what the instructions on tiles sum at a time */
} Rows;

static int64_t extent_of(const Emit *e, Axis axis)
{
    return e->kernel->axis.at[axis.id - 1].extent;
}

static void select_row(Emit *e, uint32_t row)
{
    const Schedule *s = e->schedule;
    for (uint32_t i = s->tile_count; i-- > 1;) {
        axis_plus(e, s->tile[i].axis, row % s->tile[i].block);
        row /= (uint32_t)s->tile[i].block;
    }
    if (s->tile_count) axis_plus(e, s->tile[0].axis, row);
}

static void select_vector(Emit *e, uint32_t vector, LLVMValueRef *mask, uint32_t level)
{
    const Schedule *s = e->schedule;
    if (!s->vector.id) return;
    axis_plus(e, s->vector, vector * (int64_t)s->width);
    vector_set(e, s->vector, s->width, mask[vector], level);
}

typedef struct Columns {
    LLVMValueRef index; /* of the vector axis: the first */
    LLVMValueRef mask[8];
    uint32_t level;
    Area panel;
} Columns;

LLVMValueRef load_lanes(Emit *e, const Area *area, int64_t plus, uint32_t width)
{
    LLVMTypeRef of = area->element;
    if (width > 1) of = LLVMVectorType(of, width);
    LLVMValueRef value = LLVMBuildLoad2(e->builder, of, area_element(e, area, plus), "");
    LLVMSetAlignment(value, 4);
    return value;
}

static LLVMValueRef value_of_a(Emit *e, const Tile *t)
{
    const Schedule *s = e->schedule;
    if (s->pack_a == PACK_A_none) return evaluate_vector(e, s->of.a);
    LLVMValueRef value = LLVMBuildLoad2(e->builder, t->a.element, area_element(e, &t->a, 0), "");
    return spread(e, value, s->width);
}

/* Instructions: of a pass of the loop over k, at least; of a step, that leave time for those of the loop, as sums wait four cycles for their
 * next product. */
#define PASS   64
#define HIDDEN 9

/* One step over k: every sum gets its product. */
static void add_products(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    Type type = e->kernel->scalar.at[s->of.sum.id].type;
    LLVMValueRef b[8];
    prefetch_step(e, rows->tile);
    for (uint32_t v = 0; v < s->vectors; v++) {
        if (s->pack) {
            b[v] = load_lanes(e, &columns->panel, v * (int64_t)s->width, s->width);
            continue;
        }
        select_vector(e, v, columns->mask, columns->level);
        b[v] = evaluate_vector(e, s->of.b);
    }
    select_vector(e, 0, columns->mask, columns->level);
    for (uint32_t r = 0; r < rows->count; r++) {
        select_row(e, r);
        LLVMValueRef a = value_of_a(e, rows->tile);
        emit_at(e, e->depth);
        for (uint32_t v = 0; v < s->vectors; v++) {
            LLVMValueRef *to = &sum[r * s->vectors + v];
            *to = apply_fma(e, type_is_float(type) ? TYPE_f32 : type, a, b[v], *to, s->width);
        }
    }
    select_row(e, 0);
}

/* Whether a row reads at one step over `k` what another reads at a step near by, as filters do: code for both would keep it in a register
 * meanwhile, and there is none. */
static bool steps_share(const Emit *e, Axis k)
{
    const Schedule *s = e->schedule;
    const bool *needed = kernel_needed(e->kernel, s->of.a, e->arena);
    for (uint32_t i = 1; i <= s->of.a.id && s->pack_a == PACK_A_none; i++) {
        if (!needed[i] || e->kernel->scalar.at[i].op != SCALAR_load) continue;
        const Access *access = access_of(e, i);
        int64_t along_k, along_row;
        if (!access_step(e->kernel, access, k, &along_k)) return true;
        for (uint32_t n = 0; n < s->tile_count && along_k; n++)
            if (!access_step(e->kernel, access, s->tile[n].axis, &along_row) ||
                (along_row && along_k % along_row == 0 &&
                 llabs(along_k / along_row) < s->tile[n].block))
                return true;
    }
    return false;
}

uint32_t steps_of_pass(uint32_t rows, uint32_t vectors, int64_t divisor, bool may_rest)
{
    uint32_t work = rows * (vectors + 1) + vectors, steps = 1;
    if (work <= HIDDEN) return 1;
    while (steps * work < PASS)
        steps *= 2;
    for (uint32_t exact = steps; exact < 2 * steps; exact++)
        if (divisor % exact == 0) return exact;
    while (!may_rest && divisor % steps)
        steps--;
    return divisor < 2 * steps && may_rest ? (uint32_t)divisor : steps;
}

static void sum_over(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum, uint32_t at);

static void sum_range(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum, uint32_t at,
                      LLVMValueRef from, LLVMValueRef to, uint32_t steps)
{
    Loop loop;
    Axis axis = rows->tile->run.axis[at];
    loop_open(e, &loop, from, to, steps, rows->count * e->schedule->vectors, sum);
    axis_bind(e, axis, loop.index, e->depth);
    for (uint32_t step = 0; step < steps; step++) {
        axis_plus(e, axis, step);
        sum_over(e, rows, columns, sum, at + 1);
    }
    axis_bind(e, axis, emit_i64(e, 0), 0);
    loop_close(e, &loop, sum);
}

static void sum_over(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum, uint32_t at)
{
    const Runs *runs = &rows->tile->run;
    if (at == runs->count) {
        add_products(e, rows, columns, sum);
        return;
    }
    int64_t first, last;
    LLVMValueRef from = runs->from[at], to = runs->to[at];
    if (at + 1 < runs->count) {
        sum_range(e, rows, columns, sum, at, from, to, 1);
        return;
    }
    bool is_range_known = is_known(from, &first) && is_known(to, &last);
    uint32_t steps = 1;
    if (!steps_share(e, runs->axis[at]))
        steps = steps_of_pass(rows->count, e->schedule->vectors, runs->divisor[at], is_range_known);
    int64_t rest = is_range_known ? (last - first) % steps : 0;
    LLVMValueRef whole = rest ? emit_i64(e, last - rest) : to;
    sum_range(e, rows, columns, sum, at, from, whole, steps);
    if (rest) sum_range(e, rows, columns, sum, at, whole, to, 1);
}

void finish_vector(Emit *e, LLVMValueRef sum)
{
    const Schedule *s = e->schedule;
    emit_at(e, e->depth);
    Type type = e->kernel->scalar.at[s->of.sum.id].type;
    keep(e, s->of.sum, (Lanes){round_real(e, type, sum, e->width), e->width > 1});
    store_all(e);
}

LLVMValueRef side_by_side(Emit *e, const LLVMValueRef *sum, uint32_t count)
{
    uint32_t from[128];
    if (count == 1) return sum[0];
    for (uint32_t i = 0; i < 2 * e->schedule->width; i++)
        from[i] = i;
    emit_at(e, e->depth);
    return shuffle(e, sum[0], sum[1], from, 2 * e->schedule->width);
}

static void finish_unrolled(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    uint32_t once = s->finish_paired ? 2 : 1;
    for (uint32_t v = 0; v < s->vectors; v += once) {
        select_vector(e, v, columns->mask, columns->level);
        if (once > 1) vector_set(e, s->vector, once * s->width, NULL, columns->level);
        for (uint32_t r = 0; r < rows->count; r++) {
            select_row(e, r);
            finish_vector(e, side_by_side(e, &sum[r * s->vectors + v], once));
        }
    }
    select_row(e, 0);
}

/* Sums on their way through memory, so that what follows them is code once a vector and not once a sum. */
typedef struct Finish {
    const Rows *rows;
    Columns *columns;
    LLVMTypeRef type;
    LLVMValueRef sums; /* on the stack */
    LLVMValueRef row;  /* number of the row so far */
} Finish;

static void finish_rows(Emit *e, Finish f, uint32_t at)
{
    const Schedule *s = e->schedule;
    if (at == s->tile_count) {
        uint32_t once = s->finish_paired ? 2 : 1;
        Type element = e->kernel->scalar.at[s->of.sum.id].type;
        LLVMTypeRef type = once > 1 ? type_of(e, element, once * s->width) : f.type;
        for (uint32_t v = 0; v < s->vectors; v += once) {
            select_vector(e, v, f.columns->mask, f.columns->level);
            if (once > 1) vector_set(e, s->vector, once * s->width, NULL, f.columns->level);
            emit_at(e, e->depth);
            LLVMValueRef place = LLVMBuildMul(e->builder, f.row, emit_i64(e, s->vectors), "");
            place = LLVMBuildAdd(e->builder, place, emit_i64(e, v), "");
            LLVMValueRef sum =
                LLVMBuildLoad2(e->builder, type, step_pointer(e, f.type, f.sums, place), "");
            if (once > 1)
                LLVMSetAlignment(sum, 1); /* places are aligned to one vector, if at all */
            finish_vector(e, sum);
        }
        return;
    }
    Loop loop;
    Axis axis = s->tile[at].axis;
    Binding before = e->axis[axis.id - 1];
    int64_t block = at ? s->tile[at].block : f.rows->block;
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, block), 1, 0, NULL);
    LLVMValueRef first = before.value ? before.value : emit_i64(e, before.base);
    axis_bind(e, axis, LLVMBuildAdd(e->builder, first, loop.index, ""), e->depth);
    f.row = LLVMBuildMul(e->builder, f.row, emit_i64(e, block), "");
    f.row = LLVMBuildAdd(e->builder, f.row, loop.index, "");
    finish_rows(e, f, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
    e->axis[axis.id - 1] = before;
}

static void finish_looped(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum)
{
    LLVMTypeRef type = LLVMTypeOf(sum[0]);
    uint32_t count = rows->count * e->schedule->vectors;
    LLVMValueRef sums = emit_slots(e, type, count);
    for (uint32_t i = 0; i < count; i++)
        LLVMBuildStore(e->builder, sum[i], step_pointer(e, type, sums, emit_i64(e, i)));
    Finish f = {rows, columns, type, sums, emit_i64(e, 0)};
    finish_rows(e, f, 0);
}

/* Sums of tiles: they wait in scratch, panel by panel, until the last part of k has been added. */
static void sum_and_finish_tiles(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef index)
{
    const Schedule *s = e->schedule;
    const Tile *t = rows->tile;
    Part part = rows->part;
    part.rows = rows->count;
    LLVMTypeRef type = type_of(e, TYPE_f32, s->width), byte = LLVMInt8TypeInContext(e->context);
    emit_at(e, e->depth);
    if (part.is_cut) {
        LLVMValueRef at = LLVMBuildSub(e->builder, index, t->group, "");
        at = LLVMBuildMul(e->builder, at, emit_i64(e, TILE_ROWS * 4), "");
        LLVMValueRef waiting = step_pointer(e, byte, e->scratch, emit_i64(e, s->sums_offset));
        part.sums = step_pointer(e, byte, waiting, at);
    }
    if (part.is_last) prefetch_finish(e, t, rows->block);
    emit_at(e, e->depth);
    uint32_t room = (rows->count + 15) / 16 * 16 * s->vectors;
    LLVMValueRef sums = part.is_last ? emit_slots(e, type, room) : part.sums;
    sum_tiles(e, t, &columns->panel, &part, sums);
    if (!part.is_last) return;
    Finish f = {rows, columns, type, sums, emit_i64(e, 0)};
    finish_rows(e, f, 0);
    e->kept[s->of.sum.id] = (Kept){0};
}

static void finish_tile(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum)
{
    emit_at(e, e->depth);
    if (e->schedule->finish_looped)
        finish_looped(e, rows, columns, sum);
    else
        finish_unrolled(e, rows, columns, sum);
    e->kept[e->schedule->of.sum.id] = (Kept){0};
}

/* Of the first part of k there are none yet: masked, as a choice a sum would become a branch a sum.  Those of the next tile are called
 * up. */
static void load_sums(Emit *e, const Rows *rows, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    const Tile *t = rows->tile;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->context), of = LLVMTypeOf(sum[0]);
    LLVMTypeRef bits = s->width > 1 ? LLVMVectorType(i32, s->width) : i32;
    int64_t next = s->pack_a == PACK_A_tiles ? rows->count * s->sums_pitch : t->column;
    LLVMValueRef any = LLVMBuildNot(e->builder, t->is_first, "");
    any = spread(e, LLVMBuildSExt(e->builder, any, i32, ""), s->width);
    for (uint32_t r = 0; r < rows->count; r++) {
        select_row(e, r);
        for (uint32_t v = 0; v < s->vectors; v++) {
            LLVMValueRef *to = &sum[r * s->vectors + v];
            LLVMValueRef before = load_lanes(e, &t->sums, v * (int64_t)s->width, s->width);
            before = LLVMBuildBitCast(e->builder, before, bits, "");
            before = LLVMBuildAnd(e->builder, before, any, "");
            *to = LLVMBuildBitCast(e->builder, before, of, "");
        }
        prefetch_elements(e, &t->sums, next, t->column);
    }
    select_row(e, 0);
}

static void store_sums(Emit *e, const Rows *rows, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    emit_at(e, e->depth);
    for (uint32_t r = 0; r < rows->count; r++) {
        select_row(e, r);
        for (uint32_t v = 0; v < s->vectors; v++) {
            LLVMValueRef to = area_element(e, &rows->tile->sums, v * (int64_t)s->width);
            LLVMSetAlignment(LLVMBuildStore(e->builder, sum[r * s->vectors + v], to), 4);
        }
    }
    select_row(e, 0);
}

static LLVMValueRef in_steps(Emit *e, LLVMValueRef points)
{
    return LLVMBuildAnd(e->builder, points, emit_i64(e, -(int64_t)RANGE_STEP), "");
}

/* Of a tile that needs not all of k, what it needs; of one whose sums nothing wants, a step. */
static void bound_runs(Emit *e, const Rows *rows, const Columns *columns)
{
    const Schedule *s = e->schedule;
    Runs *runs = &rows->tile->run;
    int64_t constant, extent = runs->extent[0];
    Affine of_row = affine_axis(s->tile[0].axis);
    LLVMValueRef row = affine_value(e, &of_row, &constant), all = emit_i64(e, extent);
    emit_at(e, e->depth);
    row = row ? LLVMBuildAdd(e->builder, row, emit_i64(e, constant), "") : emit_i64(e, constant);
    LLVMValueRef end = LLVMBuildAdd(e->builder, row, emit_i64(e, rows->count), "");
    runs->divisor[0] = RANGE_STEP;
    if (s->range > 0) {
        end = LLVMBuildAdd(e->builder, end, emit_i64(e, RANGE_STEP - 1), "");
        runs->to[0] = emit_smaller(e, in_steps(e, end), all);
    } else if (s->range < 0) {
        runs->from[0] = in_steps(e, row);
    } else {
        LLVMValueRef last =
            LLVMBuildAdd(e->builder, columns->index, emit_i64(e, rows->tile->column - 1), "");
        LLVMValueRef is_wanted =
            s->wanted > 0 ? LLVMBuildICmp(e->builder, LLVMIntSLT, columns->index, end, "")
                          : LLVMBuildICmp(e->builder, LLVMIntSGE, last, row, "");
        runs->to[0] = LLVMBuildSelect(e->builder, is_wanted, all, emit_i64(e, RANGE_STEP), "");
    }
}

static void sum_runs(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum)
{
    bind_k(e, rows->tile, &rows->tile->run);
    if (e->schedule->range || e->schedule->wanted) bound_runs(e, rows, columns);
    sum_over(e, rows, columns, sum, 0);
    release_k(e, rows->tile);
}

/* What follows the sums, or they wait: for the next part of k, or for the rest of their rows. */
static void finish_or_wait(Emit *e, const Rows *rows, Columns *columns, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    Loop last, others;
    if (s->finish_by_rows) {
        store_sums(e, rows, sum);
        return;
    }
    if (!s->waits) {
        finish_tile(e, rows, columns, sum);
        return;
    }
    emit_at(e, e->depth);
    loop_open_if(e, &others, LLVMBuildNot(e->builder, rows->tile->is_last, ""));
    store_sums(e, rows, sum);
    loop_close(e, &others, NULL);
    loop_open_if(e, &last, rows->tile->is_last);
    finish_tile(e, rows, columns, sum);
    loop_close(e, &last, NULL);
}

static void prefetch_what_follows(Emit *e, const Rows *rows)
{
    Loop last;
    if (!finish_is_far(e)) return;
    if (e->schedule->waits) loop_open_if(e, &last, rows->tile->is_last);
    prefetch_finish(e, rows->tile, rows->block);
    if (e->schedule->waits) loop_close(e, &last, NULL);
    emit_at(e, e->depth);
}

static void sum_in_registers(Emit *e, const Rows *rows, Columns *columns)
{
    const Schedule *s = e->schedule;
    Type type = e->kernel->scalar.at[s->of.sum.id].type;
    LLVMValueRef sum[MAX_CARRIED];
    prefetch_what_follows(e, rows);
    for (uint32_t i = 0; i < rows->count * s->vectors; i++)
        sum[i] = LLVMConstNull(type_of(e, type, s->width));
    if (s->waits) load_sums(e, rows, sum);
    if (s->products && !s->pack)
        sum_one_row(e, rows->tile, columns->index, columns->mask, sum);
    else if (s->products)
        sum_pairs(e, rows->tile, &columns->panel, rows->count, sum);
    else
        sum_runs(e, rows, columns, sum);
    finish_or_wait(e, rows, columns, sum);
}

/* The tile at the point that all parallel axes are bound to. */
static void emit_tile(Emit *e, const Rows *rows, LLVMValueRef index)
{
    const Schedule *s = e->schedule;
    Tile *t = rows->tile;
    Columns columns = {.index = index, .level = e->depth};
    emit_at(e, e->depth);
    for (uint32_t v = 0; v < s->vectors; v++)
        columns.mask[v] = s->vector.id ? column_mask(e, t, index, v) : NULL;
    if (s->pack) columns.panel = panel_at(e, t, index);
    if (s->vector.id) {
        axis_bind(e, s->vector, index, e->depth);
        vector_set(e, s->vector, s->width, columns.mask[0], e->depth);
    }
    if (s->products == PRODUCTS_tiles)
        sum_and_finish_tiles(e, rows, &columns, index);
    else
        sum_in_registers(e, rows, &columns);
    if (s->vector.id) axis_release(e, s->vector);
    vector_set(e, (Axis){0}, 1, NULL, 0);
}

static Rows rows_of(const Emit *e, Tile *t, int64_t block)
{
    Rows rows = {.tile = t, .block = block, .count = 1};
    for (uint32_t i = 0; i < e->schedule->tile_count; i++)
        rows.count *= (uint32_t)(i ? e->schedule->tile[i].block : block);
    return rows;
}

static void tile_of_panel(Emit *e, Tile *t, LLVMValueRef index, void *user)
{
    (void)t;
    emit_tile(e, user, index);
}

static void emit_panels(Emit *e, Rows *rows)
{
    Tile *t = rows->tile;
    if (!e->schedule->vector.id) {
        emit_tile(e, rows, emit_i64(e, 0));
        return;
    }
    if (e->schedule->panels == 1 && e->target->has_masks) {
        emit_tile(e, rows, t->group);
        return;
    }
    each_panel(e, t, tile_of_panel, rows);
}

/* The panels of all axes that b depends on, from order[at] on, where these loops are inside of the rows. */
static void emit_columns(Emit *e, Rows *rows, uint32_t at)
{
    const Schedule *s = e->schedule;
    if (!s->rows_first || at == s->packed_loops) {
        emit_panels(e, rows);
        return;
    }
    Loop loop;
    Axis axis = s->order[at];
    loop_open(e, &loop, rows->tile->from[axis.id - 1], rows->tile->to[axis.id - 1], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    emit_columns(e, rows, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

/* So much of k at a time that the rows of a stay in the first-level cache while all panels read them. */
static void emit_parts(Emit *e, Rows *rows)
{
    const Schedule *s = e->schedule;
    int64_t last = s->depth ? (s->k - 1) / s->depth * s->depth : 0;
    Loop loop;
    LLVMValueRef zero = emit_i64(e, 0), all = emit_i64(e, s->k);
    prefetch_next_rows(e, rows->tile);
    if (!last) {
        rows->part = (Part){.from = zero, .to = all, .is_first = true, .is_last = true};
        emit_columns(e, rows, 0);
        return;
    }
    rows->part = (Part){.from = zero, .is_first = true, .is_cut = true};
    rows->part.to = emit_i64(e, s->depth);
    emit_panels(e, rows);
    if (last > s->depth) {
        loop_open(e, &loop, emit_i64(e, s->depth), emit_i64(e, last), s->depth, 0, NULL);
        rows->part = (Part){.from = loop.index, .is_cut = true};
        rows->part.to = LLVMBuildAdd(e->builder, loop.index, emit_i64(e, s->depth), "");
        emit_panels(e, rows);
        loop_close(e, &loop, NULL);
    }
    rows->part = (Part){.from = emit_i64(e, last), .to = all, .is_last = true, .is_cut = true};
    emit_panels(e, rows);
}

/* index: of the panel at hand, where its loop is around those of the tiles; NULL: it is inside. */
static void run_rows(Emit *e, Tile *t, LLVMValueRef from, LLVMValueRef to, int64_t block,
                     LLVMValueRef index)
{
    Loop loop;
    Axis axis = e->schedule->tile[0].axis;
    Area a = t->a;
    int64_t first, last;
    if (is_known(from, &first) && is_known(to, &last) && first >= last) return;
    Rows rows = rows_of(e, t, block);
    loop_open_checked(e, &loop, from, to, e->schedule->tile[0].block);
    axis_bind(e, axis, loop.index, e->depth);
    if (e->schedule->pack_a == PACK_A_tiles) t->a = packed_tile(e, t, loop.index);
    if (index)
        emit_tile(e, &rows, index);
    else
        emit_parts(e, &rows);
    t->a = a;
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

/* Whole tiles, then what is left of the axis, or of the task's equal share of it, in one smaller tile. */
static void emit_all_rows(Emit *e, Tile *t, LLVMValueRef index, void *user)
{
    (void)user;
    const Schedule *s = e->schedule;
    for (uint32_t i = 1; i < s->tile_count; i++)
        axis_bind(e, s->tile[i].axis, emit_i64(e, 0), 0);
    Axis axis = s->tile[0].axis;
    int64_t extent = extent_of(e, axis), block = s->tile[0].block;
    int64_t each = schedule_task_points(s, e->kernel, axis) % block; /* task's, all alike */
    int64_t rest = each ? each : extent % block;
    if (!rest) {
        run_rows(e, t, t->rows, t->rows_to, block, index);
    } else {
        emit_at(e, e->depth);
        LLVMValueRef full = emit_i64(e, extent - rest);
        if (each) full = LLVMBuildSub(e->builder, t->to[axis.id - 1], emit_i64(e, rest), "");
        LLVMValueRef full_to = emit_smaller(e, t->rows_to, full);
        run_rows(e, t, t->rows, full_to, block, index);
        emit_at(e, e->depth);
        run_rows(e, t, emit_larger(e, t->rows, full), t->rows_to, rest, index);
    }
    for (uint32_t i = 1; i < s->tile_count; i++)
        axis_release(e, s->tile[i].axis);
}

/* Packed tile by tile, rows stream past a panel of b that stays in the first-level cache; else panels past the rows of a tile. */
void emit_tiles(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    Rows single = rows_of(e, t, 1);
    if (s->pack_a == PACK_A_tiles)
        each_panel(e, t, emit_all_rows, NULL);
    else if (s->tile_count)
        emit_all_rows(e, t, NULL, NULL);
    else
        emit_parts(e, &single);
}

/* Copies the factors of a contraction into scratch, evaluating whatever computes them once an element. */
#include "backends/cpu/tile.h"

/* Where a scalar is read: in place, or in the copy that stands for it. */
static const Access *source_of(const Emit *e, uint32_t scalar)
{
    for (uint32_t i = 0; i < e->schedule->copy_count; i++)
        if (e->schedule->copy[i].load.id == scalar) return &e->schedule->copy[i].access;
    return e->kernel->scalar.at[scalar].access;
}

/* Whether two axes run into each other in all that the factor reads. */
static bool runs_in(const Emit *e, Scalar factor, Axis outer, Axis inner, int64_t extent)
{
    const bool *needed = kernel_needed(e->kernel, factor, e->arena);
    for (uint32_t i = 1; i <= factor.id; i++) {
        const Access *access = needed[i] ? source_of(e, i) : NULL;
        for (int d = 0; access && d < access->rank; d++) {
            const Affine *at = &access->at[d].affine;
            if (at->by[outer.id - 1] != at->by[inner.id - 1] * extent) return false;
        }
    }
    return true;
}

static bool runs_on(const Emit *e, Factors factors, Axis outer, Axis inner, int64_t extent)
{
    const Contraction *of = &e->schedule->of;
    if (factors & FACTOR_a && !runs_in(e, of->a, outer, inner, extent)) return false;
    return !(factors & FACTOR_b) || runs_in(e, of->b, outer, inner, extent);
}

Runs plan_runs(const Emit *e, const Tile *t, Factors factors)
{
    Runs back = {0}, runs;
    for (uint32_t i = t->k_count; i-- > t->k_outer;) {
        int64_t extent = e->kernel->axis.at[t->k[i].id - 1].extent;
        uint32_t last = back.count ? back.count - 1 : 0;
        bool is_whole = !e->schedule->products || back.extent[last] % 2 == 0;
        if (back.count && is_whole &&
            runs_on(e, factors, t->k[i], back.axis[last], back.extent[last])) {
            back.extent[last] *= extent;
            continue;
        }
        back.axis[back.count] = t->k[i];
        back.extent[back.count++] = extent;
    }
    runs.count = back.count;
    for (uint32_t i = 0; i < back.count; i++) {
        runs.axis[i] = back.axis[back.count - 1 - i];
        runs.extent[i] = back.extent[back.count - 1 - i];
    }
    return runs;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

/* The runs' ranges in the block of k: the outermost run contains the axis that is cut. */
void bind_k(Emit *e, const Tile *t, Runs *runs)
{
    for (uint32_t i = t->k_outer; i < t->k_count; i++)
        axis_bind(e, t->k[i], emit_i64(e, 0), 0);
    for (uint32_t i = 0; i < runs->count; i++) {
        runs->from[i] = emit_i64(e, 0);
        runs->to[i] = emit_i64(e, runs->extent[i]);
        runs->divisor[i] = runs->extent[i];
    }
    if (!runs->count || !e->schedule->k_block) return;
    uint32_t cut = t->k[t->k_outer].id - 1;
    int64_t inside = runs->extent[0] / e->kernel->axis.at[cut].extent;
    emit_at(e, e->depth);
    runs->from[0] = LLVMBuildMul(e->builder, t->from[cut], emit_i64(e, inside), "");
    runs->to[0] = LLVMBuildMul(e->builder, t->to[cut], emit_i64(e, inside), "");
    runs->divisor[0] = common_divisor(runs->extent[0], e->schedule->k_block * inside);
}

LLVMValueRef before_block(Emit *e, const Tile *t, LLVMTypeRef element, LLVMValueRef base,
                          int64_t stride)
{
    if (!e->schedule->k_block) return base;
    LLVMValueRef back = emit_i64(e, -stride * t->k_stride[t->k_outer]);
    LLVMValueRef from = t->from[t->k[t->k_outer].id - 1];
    return step_pointer(e, element, base, LLVMBuildMul(e->builder, from, back, ""));
}

void release_k(Emit *e, const Tile *t)
{
    for (uint32_t i = t->k_outer; i < t->k_count; i++)
        axis_release(e, t->k[i]);
}

LLVMValueRef area_element(Emit *e, const Area *area, int64_t plus)
{
    int64_t constant;
    LLVMValueRef offset = affine_value(e, &area->at, &constant), at = area->base;
    emit_at(e, e->depth);
    if (offset) at = step_pointer(e, area->element, at, offset);
    constant += plus;
    return constant ? step_pointer(e, area->element, at, emit_i64(e, constant)) : at;
}

Area panel_at(Emit *e, const Tile *t, LLVMValueRef index)
{
    Type type = e->kernel->scalar.at[e->schedule->of.b.id].type;
    Area area = {.element = e->schedule->products ? LLVMInt16TypeInContext(e->context)
                                                  : type_of(e, type, 1)};
    for (uint32_t i = t->k_outer; i < t->k_count; i++)
        area.at.by[t->k[i].id - 1] = t->k_stride[i] * t->column;
    LLVMValueRef inside = LLVMBuildSub(e->builder, index, t->group, "");
    LLVMValueRef offset = LLVMBuildMul(e->builder, inside, emit_i64(e, e->schedule->k), "");
    area.base = step_pointer(e, area.element, e->scratch, offset);
    area.base = before_block(e, t, area.element, area.base, t->column);
    return area;
}

LLVMValueRef column_mask(Emit *e, const Tile *t, LLVMValueRef index, uint32_t vector)
{
    int64_t first, width = e->schedule->width;
    if (width == 1 || t->extent % t->column == 0 || t->is_inside) return NULL;
    if (is_known(index, &first) && first + (vector + 1) * width <= t->extent) return NULL;
    LLVMValueRef at = LLVMBuildAdd(e->builder, index, emit_i64(e, vector * width), "");
    return lanes_below(e, at, emit_i64(e, t->extent), (uint32_t)width);
}

static void panels_between(Emit *e, Tile *t, LLVMValueRef from, LLVMValueRef to, PanelBody *body,
                           void *user)
{
    Loop loop;
    int64_t first, last;
    if (is_known(from, &first) && is_known(to, &last) && first >= last) return;
    loop_open_checked(e, &loop, from, to, t->column);
    body(e, t, t->is_inside ? loop.index : from, user);
    loop_close(e, &loop, NULL);
}

/* Where loads and stores under a mask cost more, the panel that the axis ends in is by itself, at a place that is known: its masks are
 * constants. */
void each_panel(Emit *e, Tile *t, PanelBody *body, void *user)
{
    LLVMValueRef whole = emit_i64(e, t->extent / t->column * t->column);
    if (e->target->has_masks || e->schedule->width == 1 || t->extent % t->column == 0) {
        Loop loop;
        loop_open(e, &loop, t->group, t->group_to, t->column, 0, NULL);
        body(e, t, loop.index, user);
        loop_close(e, &loop, NULL);
        return;
    }
    t->is_inside = true;
    panels_between(e, t, t->group, emit_smaller(e, t->group_to, whole), body, user);
    t->is_inside = false;
    panels_between(e, t, whole, t->group_to, body, user);
}

static void pack_points(Emit *e, const Area *panel, LLVMValueRef *mask, uint32_t level)
{
    const Schedule *s = e->schedule;
    for (uint32_t v = 0; v < s->vectors; v++) {
        axis_plus(e, s->vector, v * (int64_t)s->width);
        vector_set(e, s->vector, s->width, mask[v], level);
        LLVMValueRef value = evaluate_vector(e, s->of.b);
        LLVMValueRef to = area_element(e, panel, v * (int64_t)s->width);
        LLVMBuildStore(e->builder, value, to);
    }
    axis_plus(e, s->vector, 0);
}

static void pack_rows(Emit *e, const Tile *t, const Area *panel, LLVMValueRef *mask, uint32_t level,
                      uint32_t at)
{
    const Runs *runs = &t->run_b;
    if (at == runs->count) {
        pack_points(e, panel, mask, level);
        return;
    }
    Loop loop;
    Axis axis = runs->axis[at];
    loop_open(e, &loop, runs->from[at], runs->to[at], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    pack_rows(e, t, panel, mask, level, at + 1);
    axis_bind(e, axis, emit_i64(e, 0), 0);
    loop_close(e, &loop, NULL);
}

static void pack_panel(Emit *e, const Tile *t, LLVMValueRef index)
{
    const Schedule *s = e->schedule;
    LLVMValueRef mask[8];
    Area panel = panel_at(e, t, index);
    for (uint32_t v = 0; v < s->vectors; v++)
        mask[v] = column_mask(e, t, index, v);
    axis_bind(e, s->vector, index, e->depth);
    pack_rows(e, t, &panel, mask, e->depth, 0);
    axis_release(e, s->vector);
    vector_set(e, (Axis){0}, 1, NULL, 0);
}

/* A block of width x width, rows along k, on its way to rows along the vector axis. */
typedef struct Block {
    const Tile *tile;
    Area panel; /* at the block's first lane */
    LLVMValueRef
        *lane;      /* index of each lane on the vector axis, the last repeated beyond the end */
    uint32_t level; /* of lane */
} Block;

/* Exchanges bit `bit` of the row's number with that of the lane's number. */
static void exchange(Emit *e, LLVMValueRef *row, uint32_t width, uint32_t bit)
{
    LLVMValueRef low[64], high[64];
    for (uint32_t j = 0; j < width; j++) {
        low[j] = emit_i32(e, j & bit ? width + j - bit : j);
        high[j] = emit_i32(e, j & bit ? width + j : j + bit);
    }
    for (uint32_t i = 0; i < width; i++) {
        if (i & bit) continue;
        LLVMValueRef a = row[i], b = row[i | bit];
        row[i] = LLVMBuildShuffleVector(e->builder, a, b, LLVMConstVector(low, width), "");
        row[i | bit] = LLVMBuildShuffleVector(e->builder, a, b, LLVMConstVector(high, width), "");
    }
}

void transpose_lanes(Emit *e, LLVMValueRef *row, uint32_t width)
{
    for (uint32_t bit = 1; bit < width; bit *= 2)
        exchange(e, row, width, bit);
}

/* What runs over the end of k is overwritten by what follows in the panel, or by the next panel; behind the last there is room. */
static void pack_block(Emit *e, VectorLoop *loop)
{
    const Block *block = loop->user;
    const Schedule *s = e->schedule;
    Axis k = e->vector;
    uint32_t width = e->width;
    LLVMValueRef row[64];
    for (uint32_t l = 0; l < width; l++) {
        axis_bind(e, s->vector, block->lane[l], block->level);
        row[l] = evaluate_vector(e, s->of.b);
    }
    emit_at(e, e->depth);
    transpose_lanes(e, row, width);
    for (uint32_t i = 0; i < width; i++) {
        axis_plus(e, k, i);
        LLVMBuildStore(e->builder, row[i], area_element(e, &block->panel, 0));
    }
    axis_plus(e, k, 0);
    axis_release(e, s->vector);
}

static void pack_columns(Emit *e, const Block *block, uint32_t at)
{
    const Runs *runs = &block->tile->run_b;
    Axis axis = runs->axis[at];
    if (at + 1 == runs->count) {
        vector_loop(e, &(VectorLoop){.axis = axis,
                                     .from = runs->from[at],
                                     .to = runs->to[at],
                                     .extent = runs->extent[at],
                                     .width = e->schedule->width,
                                     .body = pack_block,
                                     .user = (void *)block});
        return;
    }
    Loop loop;
    loop_open(e, &loop, runs->from[at], runs->to[at], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    pack_columns(e, block, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

/* Blocks that lie side by side, and the panels, are written in ascending order, see pack_block: so k is the outer loop. */
static void pack_panel_transposed(Emit *e, const Tile *t, LLVMValueRef index)
{
    const Schedule *s = e->schedule;
    LLVMValueRef lane[64];
    Loop loop;
    Area panel = panel_at(e, t, index);
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, t->column), s->width, 0, NULL);
    Block block = {.tile = t, .lane = lane, .level = e->depth, .panel = panel};
    block.panel.base = step_pointer(e, panel.element, panel.base, loop.index);
    LLVMValueRef first = LLVMBuildAdd(e->builder, index, loop.index, "");
    for (uint32_t l = 0; l < s->width; l++) {
        lane[l] = LLVMBuildAdd(e->builder, first, emit_i64(e, l), "");
        if (t->extent % t->column) lane[l] = emit_smaller(e, lane[l], emit_i64(e, t->extent - 1));
    }
    pack_columns(e, &block, 0);
    loop_close(e, &loop, NULL);
}

static void pack_b_panel(Emit *e, Tile *t, LLVMValueRef index, void *user)
{
    (void)user;
    if (e->schedule->pack_transposed)
        pack_panel_transposed(e, t, index);
    else
        pack_panel(e, t, index);
}

void emit_pack_b(Emit *e, Tile *t)
{
    bind_k(e, t, &t->run_b);
    each_panel(e, t, pack_b_panel, NULL);
    release_k(e, t);
}

/* An extent that no number of vectors fills: every vector is masked. */
#define UNEVEN 1

/* --- factor a --------------------------------------------------------------------------------------------------------------- */

/* Vectors along k or along the rows; lanes past the end fall on what is written later, or into room behind. */
static void pack_a_lanes(Emit *e, const Tile *t)
{
    LLVMValueRef value = evaluate_vector(e, e->schedule->of.a);
    LLVMValueRef to = area_element(e, &t->a, 0);
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, to), 4);
}

static void pack_a_vector(Emit *e, VectorLoop *loop)
{
    pack_a_lanes(e, loop->user);
}

static void pack_a_along(Emit *e, Tile *t, Axis axis, LLVMValueRef from, LLVMValueRef to,
                         int64_t extent)
{
    vector_loop(e, &(VectorLoop){.axis = axis,
                                 .from = from,
                                 .to = to,
                                 .extent = extent,
                                 .width = e->schedule->width,
                                 .body = pack_a_vector,
                                 .user = t});
}

/* Loops over the runs from `at` on, vectors along the last or, inside all, along the rows. */
static void pack_a_runs(Emit *e, Tile *t, uint32_t at)
{
    const Schedule *s = e->schedule;
    const Runs *runs = &t->run_a;
    if (s->pack_a == PACK_A_along_k && at + 1 == runs->count) {
        pack_a_along(e, t, runs->axis[at], runs->from[at], runs->to[at], runs->extent[at]);
        return;
    }
    if (at == runs->count) {
        if (e->vector.id)
            pack_a_lanes(e, t);
        else
            pack_a_along(e, t, s->tile[0].axis, t->rows, t->rows_to, UNEVEN);
        return;
    }
    Loop loop;
    loop_open(e, &loop, runs->from[at], runs->to[at], 1, 0, NULL);
    axis_bind(e, runs->axis[at], loop.index, e->depth);
    pack_a_runs(e, t, at + 1);
    axis_release(e, runs->axis[at]);
    loop_close(e, &loop, NULL);
}

/* Rows that one vector takes: the same lanes at every point of k. */
static void pack_a_row_vector(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    Axis axis = s->tile[0].axis;
    uint32_t level = e->depth;
    emit_at(e, level);
    vector_set(e, axis, s->width, lanes_below(e, t->rows, t->rows_to, s->width), level);
    axis_bind(e, axis, t->rows, level);
    pack_a_runs(e, t, 0);
    axis_release(e, axis);
    vector_set(e, (Axis){0}, 1, NULL, 0);
}

static void pack_a_rows(Emit *e, Tile *t, uint32_t at)
{
    const Schedule *s = e->schedule;
    if (s->pack_a == PACK_A_along_rows && s->a_rows <= (int64_t)s->width) {
        pack_a_row_vector(e, t);
        return;
    }
    if (s->pack_a == PACK_A_along_rows || at == s->tile_count) {
        pack_a_runs(e, t, 0);
        return;
    }
    Loop loop;
    Axis axis = s->tile[at].axis;
    LLVMValueRef from = at ? emit_i64(e, 0) : t->rows;
    LLVMValueRef to = at ? emit_i64(e, s->tile[at].block) : t->rows_to;
    loop_open(e, &loop, from, to, 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    pack_a_rows(e, t, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

void emit_pack_a(Emit *e, Tile *t)
{
    bind_k(e, t, &t->run_a);
    pack_a_rows(e, t, 0);
    release_k(e, t);
}

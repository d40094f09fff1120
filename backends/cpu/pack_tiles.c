/* Factor a in scratch as tiles read it, [tile][k][row]: rows are what lanes are in panels of b. */
#include "backends/cpu/tile.h"

Area packed_tile(Emit *e, const Tile *t, LLVMValueRef first)
{
    Area area = t->a;
    emit_at(e, e->depth);
    LLVMValueRef before = LLVMBuildSub(e->builder, first, t->rows, "");
    before = LLVMBuildMul(e->builder, before, emit_i64(e, e->schedule->k - 1), "");
    area.base = step_pointer(e, area.element, area.base, before);
    return area;
}

static void store_rows(Emit *e, const Area *tile, LLVMValueRef value, int64_t first)
{
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, area_element(e, tile, first)), 4);
}

/* One tile, on its way to scratch. */
typedef struct Strip {
    const Tile *tile;
    Area area;
    LLVMValueRef mask[8]; /* of its vectors of rows that are neighbours in memory */
    LLVMValueRef lane
        [64]; /* or: the row that each lane of the vector at hand is, the last repeated behind the end */
    LLVMValueRef index;
    uint32_t level; /* of them */
    int64_t group;  /* the vector at hand: its first row */
} Strip;

/* What is written past the last row is overwritten by the next step over k, or by the next tile; behind the last there is room. */
static void pack_neighbours(Emit *e, Strip *strip)
{
    const Schedule *s = e->schedule;
    Axis rows = s->tile[0].axis;
    for (uint32_t v = 0; v * s->width < s->rows; v++) {
        axis_plus(e, rows, v * (int64_t)s->width);
        vector_set(e, rows, s->width, strip->mask[v], strip->level);
        LLVMValueRef value = evaluate_vector(e, s->of.a);
        emit_at(e, e->depth);
        store_rows(e, &strip->area, value, 0);
    }
    axis_plus(e, rows, 0);
}

static void pack_block(Emit *e, VectorLoop *loop)
{
    const Strip *strip = loop->user;
    const Schedule *s = e->schedule;
    Axis k = e->vector, rows = s->tile[0].axis;
    uint32_t width = e->width;
    LLVMValueRef row[64];
    for (uint32_t l = 0; l < width; l++) {
        axis_bind(e, rows, strip->lane[l], strip->level);
        bool is_row = strip->group + l < s->rows;
        row[l] = is_row ? evaluate_vector(e, s->of.a) : LLVMGetPoison(LLVMTypeOf(row[0]));
    }
    axis_bind(e, rows, strip->index, strip->level);
    emit_at(e, e->depth);
    transpose_lanes(e, row, width);
    for (uint32_t i = 0; i < width; i++) {
        axis_plus(e, k, i);
        store_rows(e, &strip->area, row[i], strip->group);
    }
    axis_plus(e, k, 0);
}

static void pack_runs(Emit *e, Strip *strip, uint32_t at, bool is_transposed)
{
    const Runs *runs = &strip->tile->run_a;
    if (at == runs->count) {
        pack_neighbours(e, strip);
        return;
    }
    Axis axis = runs->axis[at];
    if (is_transposed && at + 1 == runs->count) {
        vector_loop(e, &(VectorLoop){.axis = axis,
                                     .from = runs->from[at],
                                     .to = runs->to[at],
                                     .extent = runs->extent[at],
                                     .width = e->schedule->width,
                                     .body = pack_block,
                                     .user = strip});
        return;
    }
    Loop loop;
    loop_open(e, &loop, runs->from[at], runs->to[at], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    pack_runs(e, strip, at + 1, is_transposed);
    axis_bind(e, axis, emit_i64(e, 0), 0);
    loop_close(e, &loop, NULL);
}

/* Vectors of rows from the last to the first: see pack_neighbours. */
static void pack_across(Emit *e, Strip *strip)
{
    const Schedule *s = e->schedule;
    int64_t extent = e->kernel->axis.at[s->tile[0].axis.id - 1].extent, width = s->width;
    for (strip->group = (s->rows - 1) / width * width; strip->group >= 0; strip->group -= width) {
        emit_at(e, strip->level);
        for (uint32_t l = 0; l < s->width; l++) {
            LLVMValueRef plus = emit_i64(e, strip->group + l);
            LLVMValueRef row = LLVMBuildAdd(e->builder, strip->index, plus, "");
            strip->lane[l] = emit_smaller(e, row, emit_i64(e, extent - 1));
        }
        pack_runs(e, strip, 0, true);
    }
}

static void pack_along(Emit *e, Strip *strip, LLVMValueRef end)
{
    const Schedule *s = e->schedule;
    emit_at(e, strip->level);
    for (uint32_t v = 0; v * s->width < s->rows; v++) {
        LLVMValueRef first =
            LLVMBuildAdd(e->builder, strip->index, emit_i64(e, v * (int64_t)s->width), "");
        strip->mask[v] = end ? lanes_below(e, first, end, s->width) : NULL;
    }
    pack_runs(e, strip, 0, false);
    vector_set(e, (Axis){0}, 1, NULL, 0);
}

/* end: of the rows that there are, if the last tile may go beyond it. */
static void pack_between(Emit *e, Tile *t, LLVMValueRef from, LLVMValueRef to, LLVMValueRef end,
                         bool is_across)
{
    Axis axis = e->schedule->tile[0].axis;
    Loop loop;
    int64_t first, last;
    if (is_known(from, &first) && is_known(to, &last) && first >= last) return;
    loop_open_checked(e, &loop, from, to, e->schedule->tile[0].block);
    axis_bind(e, axis, loop.index, e->depth);
    Strip strip = {.tile = t, .index = loop.index, .level = e->depth};
    strip.area = packed_tile(e, t, loop.index);
    if (is_across)
        pack_across(e, &strip);
    else
        pack_along(e, &strip, end);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

void emit_pack_a_tiles(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    Axis axis = s->tile[0].axis;
    int64_t extent = e->kernel->axis.at[axis.id - 1].extent, block = s->tile[0].block;
    bool is_across = s->a_transposed;
    bind_k(e, t, &t->run_a);
    int64_t lanes = (s->rows + s->width - 1) / s->width * s->width;
    if (is_across || extent < lanes) {
        pack_between(e, t, t->rows, t->rows_to, emit_i64(e, extent), is_across);
    } else {
        emit_at(e, e->depth);
        LLVMValueRef inside = emit_smaller(e, t->rows_to, emit_i64(e, extent - lanes + 1));
        LLVMValueRef tiles = LLVMBuildSub(e->builder, inside, t->rows, "");
        tiles = LLVMBuildAdd(e->builder, tiles, emit_i64(e, block - 1), "");
        tiles = LLVMBuildSDiv(e->builder, tiles, emit_i64(e, block), "");
        LLVMValueRef rest = LLVMBuildMul(e->builder, tiles, emit_i64(e, block), "");
        rest = LLVMBuildAdd(e->builder, emit_larger(e, rest, emit_i64(e, 0)), t->rows, "");
        pack_between(e, t, t->rows, inside, NULL, false);
        pack_between(e, t, rest, t->rows_to, emit_i64(e, extent), false);
    }
    release_k(e, t);
}

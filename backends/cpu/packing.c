/* Copies factor b into panels, evaluating whatever computes it once an element. */
#include "backends/cpu/tile.h"

void plan_pack(const Emit *e, Tile *t)
{
    Scalar b = e->schedule->of.b;
    t->run_count = 0;
    for (uint32_t i = t->k_count; i-- > 0;) {
        int64_t extent = e->kernel->axis.at[t->k[i].id - 1].extent;
        uint32_t last = t->run_count - 1;
        if (t->run_count &&
            axes_merge_in(e->kernel, b, t->k[i], t->run[last], t->run_extent[last], e->arena)) {
            t->run_extent[last] *= extent;
            continue;
        }
        t->run[t->run_count] = t->k[i];
        t->run_extent[t->run_count++] = extent;
    }
    for (uint32_t i = 0; i < t->run_count / 2; i++) { /* outermost first */
        uint32_t k = t->run_count - 1 - i;
        Axis axis = t->run[i];
        int64_t extent = t->run_extent[i];
        t->run[i] = t->run[k], t->run_extent[i] = t->run_extent[k];
        t->run[k] = axis, t->run_extent[k] = extent;
    }
}

LLVMValueRef panel_at(Emit *e, const Tile *t, LLVMValueRef index)
{
    LLVMValueRef inside = LLVMBuildSub(e->builder, index, t->group, "");
    LLVMValueRef offset = LLVMBuildMul(e->builder, inside, emit_i64(e, e->schedule->k), "");
    Type type = e->kernel->scalar.at[e->schedule->of.b.id].type;
    return step_pointer(e, type_of(e, type, 1), e->scratch, offset);
}

LLVMValueRef panel_element(Emit *e, const Tile *t, LLVMValueRef panel, uint32_t vector)
{
    Affine point = {.constant = vector * (int64_t)e->schedule->width};
    for (uint32_t i = 0; i < t->k_count; i++)
        point.by[t->k[i].id - 1] = t->k_stride[i] * t->column;
    int64_t constant;
    LLVMValueRef offset = affine_value(e, &point, &constant);
    emit_at(e, e->depth);
    Type type = e->kernel->scalar.at[e->schedule->of.b.id].type;
    LLVMTypeRef element = type_of(e, type, 1);
    if (offset) panel = step_pointer(e, element, panel, offset);
    return constant ? step_pointer(e, element, panel, emit_i64(e, constant)) : panel;
}

LLVMValueRef column_mask(Emit *e, const Tile *t, LLVMValueRef index, uint32_t vector)
{
    int64_t first, width = e->schedule->width;
    if (width == 1 || t->extent % t->column == 0) return NULL;
    if (is_known(index, &first) && first + (vector + 1) * width <= t->extent) return NULL;
    LLVMValueRef at = LLVMBuildAdd(e->builder, index, emit_i64(e, vector * width), "");
    return lanes_below(e, at, emit_i64(e, t->extent), (uint32_t)width);
}

static void pack_points(Emit *e, const Tile *t, LLVMValueRef panel, LLVMValueRef *mask,
                        uint32_t level)
{
    const Schedule *s = e->schedule;
    for (uint32_t v = 0; v < s->vectors; v++) {
        axis_plus(e, s->vector, v * (int64_t)s->width);
        vector_set(e, s->vector, s->width, mask[v], level);
        LLVMValueRef value = evaluate_vector(e, s->of.b);
        LLVMValueRef to = panel_element(e, t, panel, v);
        LLVMBuildStore(e->builder, value, to);
    }
    axis_plus(e, s->vector, 0);
}

static void pack_rows(Emit *e, const Tile *t, LLVMValueRef panel, LLVMValueRef *mask,
                      uint32_t level, uint32_t at)
{
    if (at == t->run_count) {
        pack_points(e, t, panel, mask, level);
        return;
    }
    Loop loop;
    Axis axis = t->run[at];
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, t->run_extent[at]), 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    pack_rows(e, t, panel, mask, level, at + 1);
    axis_bind(e, axis, emit_i64(e, 0), 0);
    loop_close(e, &loop, NULL);
}

static void pack_panel(Emit *e, const Tile *t, LLVMValueRef index)
{
    const Schedule *s = e->schedule;
    LLVMValueRef mask[8], panel = panel_at(e, t, index);
    for (uint32_t v = 0; v < s->vectors; v++)
        mask[v] = column_mask(e, t, index, v);
    axis_bind(e, s->vector, index, e->depth);
    pack_rows(e, t, panel, mask, e->depth, 0);
    axis_release(e, s->vector);
    vector_set(e, (Axis){0}, 1, NULL, 0);
}

/* A block of width x width, rows along k, on its way to rows along the vector axis. */
typedef struct Block {
    const Tile *tile;
    LLVMValueRef panel; /* at the block's first lane */
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

static void pack_block(Emit *e, VectorLoop *loop)
{
    const Block *block = loop->user;
    const Schedule *s = e->schedule;
    Axis k = e->vector;
    uint32_t width = e->width;
    int64_t extent = block->tile->run_extent[block->tile->run_count - 1];
    uint32_t used = e->mask ? (uint32_t)(extent % width) : width;
    LLVMValueRef row[64];
    for (uint32_t l = 0; l < width; l++) {
        axis_bind(e, s->vector, block->lane[l], block->level);
        row[l] = evaluate_vector(e, s->of.b);
    }
    emit_at(e, e->depth);
    for (uint32_t bit = 1; bit < width; bit *= 2)
        exchange(e, row, width, bit);
    for (uint32_t i = 0; i < used; i++) {
        axis_plus(e, k, i);
        LLVMBuildStore(e->builder, row[i], panel_element(e, block->tile, block->panel, 0));
    }
    axis_release(e, s->vector);
}

static void pack_columns(Emit *e, const Block *block, uint32_t at)
{
    const Tile *t = block->tile;
    Axis axis = t->run[at];
    LLVMValueRef to = emit_i64(e, t->run_extent[at]);
    if (at + 1 == t->run_count) {
        vector_loop(e, &(VectorLoop){.axis = axis,
                                     .from = emit_i64(e, 0),
                                     .to = to,
                                     .extent = t->run_extent[at],
                                     .width = e->schedule->width,
                                     .body = pack_block,
                                     .user = (void *)block});
        return;
    }
    Loop loop;
    loop_open(e, &loop, emit_i64(e, 0), to, 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    pack_columns(e, block, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

static void pack_panel_transposed(Emit *e, const Tile *t, LLVMValueRef index)
{
    const Schedule *s = e->schedule;
    LLVMValueRef lane[64], panel = panel_at(e, t, index);
    Loop loop;
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, t->column), s->width, 0, NULL);
    Block block = {.tile = t, .lane = lane, .level = e->depth};
    Type type = e->kernel->scalar.at[s->of.b.id].type;
    block.panel = step_pointer(e, type_of(e, type, 1), panel, loop.index);
    LLVMValueRef first = LLVMBuildAdd(e->builder, index, loop.index, "");
    for (uint32_t l = 0; l < s->width; l++) {
        lane[l] = LLVMBuildAdd(e->builder, first, emit_i64(e, l), "");
        if (t->extent % t->column) lane[l] = emit_smaller(e, lane[l], emit_i64(e, t->extent - 1));
    }
    pack_columns(e, &block, 0);
    loop_close(e, &loop, NULL);
}

void emit_pack(Emit *e, const Tile *t)
{
    Loop loop;
    for (uint32_t i = 0; i < t->k_count; i++)
        axis_bind(e, t->k[i], emit_i64(e, 0), 0);
    loop_open(e, &loop, t->group, t->group_to, t->column, 0, NULL);
    if (e->schedule->pack_transposed)
        pack_panel_transposed(e, t, loop.index);
    else
        pack_panel(e, t, loop.index);
    loop_close(e, &loop, NULL);
    for (uint32_t i = 0; i < t->k_count; i++)
        axis_release(e, t->k[i]);
}

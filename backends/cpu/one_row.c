/* Sums of one row of bytes, as a dense layer's at batch 1: b is read once, so it is multiplied as it comes instead of being packed.  Integer
 * sums are the same in any order: where b lies along k, vectors do so as well, a sum of its own for each lane, added up at the end. */
#include "backends/cpu/tile.h"

typedef struct Row {
    Tile *tile;
    const Runs *runs;
    LLVMValueRef *mask; /* of the vectors */
    uint32_t level;     /* of mask and lane */
    LLVMValueRef lane[64];
    uint32_t sums;
    void (*inside)(Emit *e, const struct Row *row, LLVMValueRef *sum);
} Row;

static void sum_runs(Emit *e, const Row *row, uint32_t at, LLVMValueRef *sum)
{
    if (at + 1 >= row->runs->count) {
        row->inside(e, row, sum);
        return;
    }
    Loop loop;
    Axis axis = row->runs->axis[at];
    loop_open(e, &loop, row->runs->from[at], row->runs->to[at], 1, row->sums, sum);
    axis_bind(e, axis, loop.index, e->depth);
    sum_runs(e, row, at + 1, sum);
    axis_bind(e, axis, emit_i64(e, 0), 0);
    loop_close(e, &loop, sum);
}

/* --- b along k -------------------------------------------------------------------------------------------------------------- */

static void add_vectors(Emit *e, VectorLoop *loop)
{
    const Row *row = loop->user;
    const Schedule *s = e->schedule;
    LLVMTypeRef pairs = LLVMVectorType(LLVMInt32TypeInContext(e->context), s->width);
    LLVMValueRef a = LLVMBuildLoad2(e->builder, pairs, area_element(e, &row->tile->a, 0), "");
    LLVMSetAlignment(a, 4);
    for (uint32_t l = 0; l < s->width; l++) {
        axis_bind(e, s->vector, row->lane[l], row->level);
        loop->values[l] = multiply_integers(e, loop->values[l], pairs_of_b_along_k(e), a);
    }
    axis_release(e, s->vector);
}

static void sum_along_k(Emit *e, const Row *row, LLVMValueRef *sum)
{
    uint32_t last = row->runs->count - 1;
    vector_loop(e, &(VectorLoop){.axis = row->runs->axis[last],
                                 .from = row->runs->from[last],
                                 .to = row->runs->to[last],
                                 .extent = row->runs->extent[last],
                                 .width = 2 * e->schedule->width,
                                 .carried = row->sums,
                                 .values = sum,
                                 .body = add_vectors,
                                 .user = (void *)row});
    axis_bind(e, row->runs->axis[last], emit_i64(e, 0), 0);
}

static LLVMValueRef add_lanes(Emit *e, LLVMValueRef *sum)
{
    uint32_t width = e->schedule->width;
    transpose_lanes(e, sum, width);
    for (uint32_t half = width / 2; half; half /= 2)
        for (uint32_t l = 0; l < half; l++)
            sum[l] = LLVMBuildAdd(e->builder, sum[l], sum[l + half], "");
    return sum[0];
}

/* --- b along its lanes ------------------------------------------------------------------------------------------------------ */

#define PAIRS_OF_PASS 4

static void add_pairs(Emit *e, const Row *row, int64_t from, int64_t to, int64_t points,
                      LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    Loop loop;
    if (from == to) return;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->context);
    Axis k = row->runs->axis[row->runs->count - 1];
    loop_open(e, &loop, emit_i64(e, from), emit_i64(e, to), points, row->sums, sum);
    axis_bind(e, k, loop.index, e->depth);
    for (int64_t plus = 0; plus < points; plus += 2) {
        emit_at(e, e->depth);
        LLVMValueRef at = area_element(e, &row->tile->a, plus);
        LLVMValueRef a = spread(e, LLVMBuildLoad2(e->builder, i32, at, ""), s->width);
        for (uint32_t v = 0; v < s->vectors; v++) {
            axis_plus(e, s->vector, v * (int64_t)s->width);
            vector_set(e, s->vector, s->width, row->mask[v], row->level);
            LLVMValueRef b = pairs_of_b_across(e, k, plus, points);
            sum[v] = multiply_integers(e, sum[v], b, a);
        }
    }
    axis_plus(e, s->vector, 0);
    axis_bind(e, k, emit_i64(e, 0), 0);
    loop_close(e, &loop, sum);
}

static void sum_across(Emit *e, const Row *row, LLVMValueRef *sum)
{
    int64_t extent = row->runs->extent[row->runs->count - 1], pass = 2 * PAIRS_OF_PASS;
    int64_t whole = extent / pass * pass;
    add_pairs(e, row, 0, whole, pass, sum);
    add_pairs(e, row, whole, extent, extent - whole, sum);
}

void sum_one_row(Emit *e, Tile *t, LLVMValueRef index, LLVMValueRef *mask, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    LLVMValueRef each[64];
    Row row = {.tile = t, .runs = &t->run_b, .mask = mask, .level = e->depth, .sums = s->vectors};
    row.inside = sum_across;
    bind_k(e, t, &t->run_b);
    if (!s->pack_transposed) {
        sum_runs(e, &row, 0, sum);
        release_k(e, t);
        return;
    }
    Binding before = e->axis[s->vector.id - 1];
    row.inside = sum_along_k;
    row.sums = s->width;
    lanes_at(e, t, index, row.lane);
    for (uint32_t l = 0; l < s->width; l++)
        each[l] = LLVMConstNull(LLVMTypeOf(sum[0]));
    sum_runs(e, &row, 0, each);
    emit_at(e, e->depth);
    sum[0] = add_lanes(e, each);
    release_k(e, t);
    e->axis[s->vector.id - 1] = before;
}

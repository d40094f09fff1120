/* Factors of bf16, or of bytes widened to i16, in pairs of neighbours along k, and their sums by the instructions that multiply pairs.  A
 * pair is 32 bits, the first factor in the lower half; but in the upper one for vdpbf16ps, which adds that first, so that sums are those
 * of single products. */
#include "backends/cpu/tile.h"

static LLVMTypeRef i32_vector(const Emit *e, uint32_t width)
{
    return LLVMVectorType(LLVMInt32TypeInContext(e->context), width);
}

static bool is_of_integers(const Emit *e)
{
    return e->schedule->products == PRODUCTS_integers;
}

/* What the factor widens: of bf16 or bytes. */
static Scalar narrow_of(const Emit *e, Scalar factor)
{
    return e->kernel->scalar.at[factor.id].argument[0];
}

static bool is_first_high(const Emit *e)
{
    return e->schedule->products == PRODUCTS_pairs;
}

/* As i16, two of which are a pair. */
static LLVMValueRef widen_bytes(Emit *e, Scalar narrow, LLVMValueRef value, uint32_t width)
{
    LLVMTypeRef i16 = LLVMVectorType(LLVMInt16TypeInContext(e->context), width);
    bool is_signed = type_info[e->kernel->scalar.at[narrow.id].type].class == CLASS_SIGNED;
    return is_signed ? LLVMBuildSExt(e->builder, value, i16, "")
                     : LLVMBuildZExt(e->builder, value, i16, "");
}

/* Bytes take turns before they are widened, as pairs are then one instruction more. */
static LLVMValueRef pair_up_bytes(Emit *e, Scalar narrow, LLVMValueRef first, LLVMValueRef second)
{
    uint32_t width = e->schedule->width, from[128];
    for (uint32_t i = 0; i < 2 * width; i++)
        from[i] = i / 2 + i % 2 * width;
    if (!second) second = LLVMConstNull(LLVMTypeOf(first));
    LLVMValueRef bytes = shuffle(e, first, second, from, 2 * width);
    bytes = widen_bytes(e, narrow, bytes, 2 * width);
    return LLVMBuildBitCast(e->builder, bytes, i32_vector(e, width), "");
}

/* A pair a lane of two values of bf16, which registers hold as f32; second: NULL for 0. */
static LLVMValueRef pair_up(Emit *e, LLVMValueRef first, LLVMValueRef second)
{
    uint32_t width = e->schedule->width;
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef type = i32_vector(e, width);
    first = LLVMBuildBitCast(b, first, type, "");
    second = second ? LLVMBuildBitCast(b, second, type, "") : LLVMConstNull(type);
    LLVMValueRef high = is_first_high(e) ? first : second, low = is_first_high(e) ? second : first;
    return LLVMBuildOr(b, LLVMBuildLShr(b, low, whole_of(e, 32, 16, width), ""), high, "");
}

/* Pairs of all lanes, which lie along k; those outside of the mask are 0. */
static LLVMValueRef pair_along(Emit *e, Scalar factor)
{
    uint32_t pairs = e->width / 2;
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef type = i32_vector(e, pairs);
    LLVMValueRef value = evaluate_vector(e, factor);
    emit_at(e, e->depth);
    value = is_of_integers(e) ? widen_bytes(e, factor, value, e->width)
                              : to_memory(e, TYPE_bf16, value, e->width);
    if (e->mask) value = LLVMBuildSelect(b, e->mask, value, LLVMConstNull(LLVMTypeOf(value)), "");
    value = LLVMBuildBitCast(b, value, type, "");
    if (!is_first_high(e)) return value;
    LLVMValueRef half = whole_of(e, 32, 16, pairs);
    return emit_intrinsic(e, "llvm.fshl", 1, &type, 3, (LLVMValueRef[]){value, value, half});
}

static void store_pairs(Emit *e, LLVMValueRef value, LLVMValueRef to)
{
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, to), 4);
}

/* What is done for the points of the innermost reduction axis inside the loops over the others. */
typedef struct Packing {
    Tile *tile;
    const Runs *runs;
    void (*inside)(Emit *e, const struct Packing *p);
    Area panel;
    LLVMValueRef *mask; /* of a panel's vectors */
    uint32_t level;     /* of mask or lane */
    LLVMValueRef *lane; /* index of each lane on the vector axis */
    int64_t count;      /* points of a block */
} Packing;

static void pack_runs(Emit *e, const Packing *p, uint32_t at)
{
    if (at + 1 >= p->runs->count) {
        p->inside(e, p);
        return;
    }
    Loop loop;
    Axis axis = p->runs->axis[at];
    loop_open(e, &loop, p->runs->from[at], p->runs->to[at], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    pack_runs(e, p, at + 1);
    axis_bind(e, axis, emit_i64(e, 0), 0);
    loop_close(e, &loop, NULL);
}

static Axis inner_axis(const Packing *p)
{
    return p->runs->axis[p->runs->count - 1];
}

static int64_t inner_extent(const Packing *p)
{
    return p->runs->extent[p->runs->count - 1];
}

static void inner_range(Emit *e, const Packing *p, LLVMValueRef from, LLVMValueRef to,
                        int64_t block, void (*body)(Emit *e, const Packing *p))
{
    Packing part = *p;
    part.count = block;
    Loop loop;
    loop_open(e, &loop, from, to, block, 0, NULL);
    axis_bind(e, inner_axis(p), loop.index, e->depth);
    body(e, &part);
    axis_bind(e, inner_axis(p), emit_i64(e, 0), 0);
    loop_close(e, &loop, NULL);
}

/* Blocks of so many points, then what is left. */
static void inner_blocks(Emit *e, const Packing *p, int64_t block,
                         void (*body)(Emit *e, const Packing *p))
{
    int64_t extent = inner_extent(p), full = extent / block * block;
    uint32_t last = p->runs->count - 1;
    if (e->schedule->k_block) {
        inner_range(e, p, p->runs->from[last], p->runs->to[last], block, body);
        return;
    }
    if (full) inner_range(e, p, emit_i64(e, 0), emit_i64(e, full), block, body);
    if (full < extent)
        inner_range(e, p, emit_i64(e, full), emit_i64(e, extent), extent - full, body);
}

/* The pair that begins at point `plus` of a block of so many points, which may end with its first. */
static LLVMValueRef pair_across(Emit *e, Scalar factor, Axis k, int64_t plus, int64_t count)
{
    if (plus >= count) return LLVMConstNull(i32_vector(e, e->schedule->width));
    axis_plus(e, k, plus);
    LLVMValueRef first = evaluate_vector(e, factor), second = NULL;
    if (plus + 1 < count) {
        axis_plus(e, k, plus + 1);
        second = evaluate_vector(e, factor);
    }
    axis_plus(e, k, 0);
    emit_at(e, e->depth);
    return is_of_integers(e) ? pair_up_bytes(e, factor, first, second) : pair_up(e, first, second);
}

/* --- factor b --------------------------------------------------------------------------------------------------------------- */

static void pack_lanes(Emit *e, const Packing *p)
{
    const Schedule *s = e->schedule;
    for (uint32_t v = 0; v < s->vectors; v++) {
        axis_plus(e, s->vector, v * (int64_t)s->width);
        vector_set(e, s->vector, s->width, p->mask[v], p->level);
        LLVMValueRef pairs = pair_across(e, narrow_of(e, s->of.b), inner_axis(p), 0, p->count);
        store_pairs(e, pairs, area_element(e, &p->panel, 2 * v * (int64_t)s->width));
    }
    axis_plus(e, s->vector, 0);
}

/* All panels of the group, before the next points of k: so b is read in the order in which it lies. */
static void pack_lanes_of_panels(Emit *e, const Packing *p)
{
    const Schedule *s = e->schedule;
    Tile *t = p->tile;
    LLVMValueRef mask[8];
    Loop loop;
    loop_open(e, &loop, t->group, t->group_to, t->column, 0, NULL);
    Packing panel = *p;
    panel.panel = panel_at(e, t, loop.index);
    panel.mask = mask;
    panel.level = e->depth;
    for (uint32_t v = 0; v < s->vectors; v++)
        mask[v] = column_mask(e, t, loop.index, v);
    axis_bind(e, s->vector, loop.index, e->depth);
    pack_lanes(e, &panel);
    axis_release(e, s->vector);
    vector_set(e, (Axis){0}, 1, NULL, 0);
    loop_close(e, &loop, NULL);
}

static void pack_lanes_inside(Emit *e, const Packing *p)
{
    inner_blocks(e, p, 2, pack_lanes_of_panels);
}

/* Zeros behind the last point, up to a whole step. */
static void pack_zeros(Emit *e, const Tile *t, const Area *panel)
{
    const Schedule *s = e->schedule;
    Loop loop;
    if (s->k_points == s->k) return;
    LLVMValueRef zeros = LLVMConstNull(i32_vector(e, s->width));
    loop_open(e, &loop, emit_i64(e, s->k_points * t->column), emit_i64(e, s->k * t->column),
              2 * s->width, 0, NULL);
    store_pairs(e, zeros, step_pointer(e, panel->element, panel->base, loop.index));
    loop_close(e, &loop, NULL);
}

/* As many pairs along k as there are lanes, for each lane.  What runs over the end of k is overwritten by what follows. */
static void pack_block(Emit *e, VectorLoop *loop)
{
    const Packing *p = loop->user;
    const Schedule *s = e->schedule;
    Axis k = e->vector;
    LLVMValueRef row[64];
    for (uint32_t l = 0; l < s->width; l++) {
        axis_bind(e, s->vector, p->lane[l], p->level);
        row[l] = pair_along(e, narrow_of(e, s->of.b));
    }
    transpose_lanes(e, row, s->width);
    for (uint32_t i = 0; i < s->width; i++) {
        axis_plus(e, k, 2 * i);
        store_pairs(e, row[i], area_element(e, &p->panel, 0));
    }
    axis_plus(e, k, 0);
    axis_release(e, s->vector);
}

static void along_k(Emit *e, const Packing *p, uint32_t width, VectorBody *body)
{
    uint32_t last = p->runs->count - 1;
    vector_loop(e, &(VectorLoop){.axis = p->runs->axis[last],
                                 .from = p->runs->from[last],
                                 .to = p->runs->to[last],
                                 .extent = p->runs->extent[last],
                                 .width = width,
                                 .body = body,
                                 .user = (void *)p});
    axis_bind(e, p->runs->axis[last], emit_i64(e, 0), 0);
}

static void pack_blocks(Emit *e, const Packing *p)
{
    along_k(e, p, 2 * e->schedule->width, pack_block);
}

void lanes_at(Emit *e, const Tile *t, LLVMValueRef first, LLVMValueRef *lane)
{
    for (uint32_t l = 0; l < e->schedule->width; l++) {
        lane[l] = LLVMBuildAdd(e->builder, first, emit_i64(e, l), "");
        if (t->extent % t->column) lane[l] = emit_smaller(e, lane[l], emit_i64(e, t->extent - 1));
    }
}

static void pack_panel_of_blocks(Emit *e, Tile *t, const Area *panel, LLVMValueRef index)
{
    const Schedule *s = e->schedule;
    LLVMValueRef lane[64];
    Loop loop;
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, t->column), s->width, 0, NULL);
    Packing p = {.tile = t, .runs = &t->run_b, .inside = pack_blocks, .lane = lane};
    p.panel = *panel;
    p.level = e->depth;
    LLVMValueRef plus = LLVMBuildMul(e->builder, loop.index, emit_i64(e, 2), "");
    p.panel.base = step_pointer(e, panel->element, panel->base, plus);
    lanes_at(e, t, LLVMBuildAdd(e->builder, index, loop.index, ""), lane);
    pack_runs(e, &p, 0);
    loop_close(e, &loop, NULL);
}

void emit_pack_pairs_b(Emit *e, Tile *t)
{
    Loop loop;
    bool is_transposed = e->schedule->pack_transposed;
    bind_k(e, t, &t->run_b);
    if (!is_transposed) {
        Packing p = {.tile = t, .runs = &t->run_b, .inside = pack_lanes_inside};
        pack_runs(e, &p, 0);
    }
    loop_open(e, &loop, t->group, t->group_to, t->column, 0, NULL);
    Area panel = panel_at(e, t, loop.index);
    if (is_transposed) pack_panel_of_blocks(e, t, &panel, loop.index);
    pack_zeros(e, t, &panel);
    loop_close(e, &loop, NULL);
    release_k(e, t);
}

LLVMValueRef pairs_of_b_along_k(Emit *e)
{
    return pair_along(e, narrow_of(e, e->schedule->of.b));
}

LLVMValueRef pairs_of_b_across(Emit *e, Axis k, int64_t plus, int64_t count)
{
    return pair_across(e, narrow_of(e, e->schedule->of.b), k, plus, count);
}

/* --- factor a --------------------------------------------------------------------------------------------------------------- */

static void pack_row_part(Emit *e, VectorLoop *loop)
{
    const Packing *p = loop->user;
    LLVMValueRef pairs = pair_along(e, narrow_of(e, e->schedule->of.a));
    store_pairs(e, pairs, area_element(e, &p->tile->a, 0));
}

static void pack_row(Emit *e, const Packing *p)
{
    uint32_t width = e->schedule->width;
    along_k(e, p, inner_extent(p) <= width ? width : 2 * width, pack_row_part);
}

/* As many rows as there are lanes, and as many pairs of each.  Rows past the last lie behind all others of their axis, which are written
 * later or are read by nobody. */
static void pack_rows_block(Emit *e, VectorLoop *loop)
{
    const Packing *p = loop->user;
    const Schedule *s = e->schedule;
    LLVMValueRef row[64];
    for (uint32_t i = 0; i < s->width; i++)
        row[i] = pair_across(e, narrow_of(e, s->of.a), inner_axis(p), 2 * i, p->count);
    transpose_lanes(e, row, s->width);
    for (uint32_t l = 0; l < s->width; l++) {
        axis_plus(e, s->a_lanes, l);
        store_pairs(e, row[l], area_element(e, &p->tile->a, 0));
    }
    axis_plus(e, s->a_lanes, 0);
}

static LLVMValueRef tile_from(const Emit *e, const Tile *t, uint32_t at)
{
    return at ? emit_i64(e, 0) : t->rows;
}

static LLVMValueRef tile_to(const Emit *e, const Tile *t, uint32_t at)
{
    return at ? emit_i64(e, e->schedule->tile[at].block) : t->rows_to;
}

/* Every vector masked but where the rows are known to be whole vectors. */
static void pack_points_of_rows(Emit *e, const Packing *p)
{
    const Schedule *s = e->schedule;
    uint32_t at = 0;
    while (s->tile[at].axis.id != s->a_lanes.id)
        at++;
    int64_t extent = e->kernel->axis.at[s->a_lanes.id - 1].extent, block = s->tile[at].block;
    bool is_whole = extent % block == 0 && block % s->width == 0;
    vector_loop(e, &(VectorLoop){.axis = s->a_lanes,
                                 .from = tile_from(e, p->tile, at),
                                 .to = tile_to(e, p->tile, at),
                                 .extent = is_whole ? (int64_t)s->width : 1,
                                 .width = s->width,
                                 .body = pack_rows_block,
                                 .user = (void *)p});
    axis_bind(e, s->a_lanes, emit_i64(e, 0), 0);
}

static void pack_rows(Emit *e, const Packing *p)
{
    inner_blocks(e, p, 2 * (int64_t)e->schedule->width, pack_points_of_rows);
}

/* Loops over the axes of the tile from `at` on, but for the one that is in lanes. */
static void pack_tile_axes(Emit *e, const Packing *p, uint32_t at, Axis lanes)
{
    const Schedule *s = e->schedule;
    if (at == s->tile_count) {
        pack_runs(e, p, 0);
        return;
    }
    Axis axis = s->tile[at].axis;
    if (axis.id == lanes.id) {
        pack_tile_axes(e, p, at + 1, lanes);
        return;
    }
    Loop loop;
    loop_open(e, &loop, tile_from(e, p->tile, at), tile_to(e, p->tile, at), 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    pack_tile_axes(e, p, at + 1, lanes);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

static void end_row(Emit *e, const Packing *p)
{
    const Schedule *s = e->schedule;
    emit_at(e, e->depth);
    LLVMValueRef to = area_element(e, &p->tile->a, s->k_points);
    store_pairs(e, LLVMConstNull(i32_vector(e, s->width)), to);
}

void emit_pack_pairs_a(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    bool is_transposed = s->pack_a == PACK_A_transposed;
    static const Runs none;
    bind_k(e, t, &t->run_a);
    Packing p = {.tile = t, .runs = &t->run_a, .inside = is_transposed ? pack_rows : pack_row};
    pack_tile_axes(e, &p, 0, s->a_lanes);
    if (s->k_points != s->k) {
        Packing ends = {.tile = t, .runs = &none, .inside = end_row};
        pack_tile_axes(e, &ends, 0, (Axis){0});
    }
    if (s->a_lanes.id) axis_release(e, s->a_lanes);
    release_k(e, t);
}

/* --- sums ------------------------------------------------------------------------------------------------------------------- */

LLVMValueRef multiply_integers(Emit *e, LLVMValueRef sum, LLVMValueRef b, LLVMValueRef a)
{
    uint32_t width = e->schedule->width;
    if (e->target->schedule.integer_steps == 1)
        return emit_intrinsic(e, "llvm.x86.avx512.vpdpwssd.512", 0, NULL, 3,
                              (LLVMValueRef[]){sum, b, a});
    LLVMTypeRef pairs = LLVMVectorType(LLVMInt16TypeInContext(e->context), 2 * width);
    LLVMValueRef argument[] = {LLVMBuildBitCast(e->builder, b, pairs, ""),
                               LLVMBuildBitCast(e->builder, a, pairs, "")};
    const char *name = width == 4   ? "llvm.x86.sse2.pmadd.wd"
                       : width == 8 ? "llvm.x86.avx2.pmadd.wd"
                                    : "llvm.x86.avx512.pmaddw.d.512";
    LLVMValueRef products = emit_intrinsic(e, name, 0, NULL, 2, argument);
    return LLVMBuildAdd(e->builder, sum, products, "");
}

static LLVMValueRef multiply_pairs(Emit *e, LLVMValueRef sum, LLVMValueRef b, LLVMValueRef a)
{
    if (is_of_integers(e)) return multiply_integers(e, sum, b, a);
    LLVMTypeRef pairs = LLVMVectorType(LLVMBFloatTypeInContext(e->context), 2 * e->schedule->width);
    LLVMValueRef argument[] = {sum, LLVMBuildBitCast(e->builder, b, pairs, ""),
                               LLVMBuildBitCast(e->builder, a, pairs, "")};
    return emit_intrinsic(e, "llvm.x86.avx512bf16.dpbf16ps.512", 0, NULL, 3, argument);
}

/* Elements from the first row of the tile to this one. */
static int64_t row_offset(const Emit *e, const Tile *t, uint32_t row)
{
    const Schedule *s = e->schedule;
    int64_t offset = 0;
    for (uint32_t i = s->tile_count; i-- > 1;) {
        offset += row % s->tile[i].block * t->a.at.by[s->tile[i].axis.id - 1];
        row /= (uint32_t)s->tile[i].block;
    }
    return s->tile_count ? offset + row * t->a.at.by[s->tile[0].axis.id - 1] : 0;
}

/* Where pairs of the tile begin. */
typedef struct Pairs {
    LLVMValueRef a, b;
    uint32_t rows;
} Pairs;

/* The pair that is `plus` points of k on. */
static void add_pair(Emit *e, const Tile *t, const Pairs *from, int64_t plus, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->context), vector = i32_vector(e, s->width);
    LLVMValueRef b[8];
    for (uint32_t v = 0; v < s->vectors; v++) {
        LLVMValueRef at = step_pointer(e, vector, from->b, emit_i64(e, plus / 2 * s->vectors + v));
        b[v] = LLVMBuildLoad2(e->builder, vector, at, "");
        LLVMSetAlignment(b[v], 4 * s->width);
    }
    for (uint32_t r = 0; r < from->rows; r++) {
        LLVMValueRef at = emit_i64(e, row_offset(e, t, r) + plus);
        LLVMValueRef a =
            LLVMBuildLoad2(e->builder, i32, step_pointer(e, t->a.element, from->a, at), "");
        LLVMSetAlignment(a, s->pack_a == PACK_A_none ? 2 : 4);
        a = spread(e, a, s->width);
        for (uint32_t v = 0; v < s->vectors; v++)
            sum[r * s->vectors + v] = multiply_pairs(e, sum[r * s->vectors + v], b[v], a);
    }
}

/* Points [from, to) of k, both even, `count` pairs a pass. */
static void sum_range(Emit *e, const Tile *t, const Pairs *first, const int64_t range[2],
                      uint32_t count, LLVMValueRef *sum)
{
    Loop loop;
    if (range[0] == range[1]) return;
    loop_open(e, &loop, emit_i64(e, range[0]), emit_i64(e, range[1]), 2 * (int64_t)count,
              first->rows * e->schedule->vectors, sum);
    LLVMValueRef at = LLVMBuildMul(e->builder, loop.index, emit_i64(e, t->column), "");
    Pairs pass = *first;
    pass.a = step_pointer(e, t->a.element, first->a, loop.index);
    pass.b = step_pointer(e, t->a.element, first->b, at);
    for (uint32_t i = 0; i < count; i++)
        add_pair(e, t, &pass, 2 * i, sum);
    loop_close(e, &loop, sum);
}

#define FEW_PAIRS 4 /* a loop over them takes longer than they do */

/* Pairs of a pass.  One, where there are no registers for what the next pair would load ahead: sums would leave theirs. */
static uint32_t pairs_of_pass(const Emit *e, uint32_t rows, int64_t pairs)
{
    uint32_t vectors = e->schedule->vectors, products = vectors;
    if (is_of_integers(e)) products *= e->target->schedule.integer_steps;
    bool is_full = rows * vectors + 2 * vectors + 2 > e->target->schedule.registers;
    if (is_full && pairs > FEW_PAIRS) return 1;
    return is_full ? (uint32_t)pairs : steps_of_pass(rows, products, pairs, true);
}

/* So many neighbours along k, from where the reduction axes are bound to. */
static void sum_neighbours(Emit *e, const Tile *t, const Area *panel, int64_t points, uint32_t rows,
                           LLVMValueRef *sum)
{
    int64_t pairs = (points + 1) / 2;
    uint32_t count = pairs_of_pass(e, rows, pairs);
    int64_t whole = pairs / count * count;
    Pairs first = {.a = area_element(e, &t->a, 0), .b = area_element(e, panel, 0), .rows = rows};
    sum_range(e, t, &first, (int64_t[]){0, 2 * whole}, count, sum);
    sum_range(e, t, &first, (int64_t[]){2 * whole, 2 * pairs}, 1, sum);
}

static void sum_runs(Emit *e, const Tile *t, const Area *panel, uint32_t at, uint32_t rows,
                     LLVMValueRef *sum)
{
    const Runs *runs = &t->run;
    if (at + 1 >= runs->count) {
        sum_neighbours(e, t, panel, runs->count ? runs->extent[at] : 1, rows, sum);
        return;
    }
    Loop loop;
    loop_open(e, &loop, runs->from[at], runs->to[at], 1, rows * e->schedule->vectors, sum);
    axis_bind(e, runs->axis[at], loop.index, e->depth);
    sum_runs(e, t, panel, at + 1, rows, sum);
    axis_bind(e, runs->axis[at], emit_i64(e, 0), 0);
    loop_close(e, &loop, sum);
}

/* What is packed has all points of k in one stretch. */
void sum_pairs(Emit *e, Tile *t, const Area *panel, uint32_t rows, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    bind_k(e, t, &t->run);
    if (s->k_block) axis_bind(e, s->pair, t->from[s->pair.id - 1], e->depth);
    if (s->pack_a == PACK_A_none)
        sum_runs(e, t, panel, 0, rows, sum);
    else
        sum_neighbours(e, t, panel, s->k, rows, sum);
    release_k(e, t);
}

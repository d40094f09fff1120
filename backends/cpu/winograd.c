/* Convolutions by minimal filtering (ir/kernel/winograd.h):
 *
 *     (taps turned)                           once a call, or, where tasks are filters, those of each; of outputs only
 *     tasks
 *       axes that both factors have           gradient: sums cleared before, turned back and finished after
 *         images, rows of tiles               as many tiles as stay in the second-level cache
 *           tiles of the image turned; outputs turned
 *           36 products
 *           (sums turned back, finished)
 *
 * Turned numbers lie in 36 planes, see Schedule.  Channels and filters are whole vectors, so that nothing is masked. */
#include "backends/cpu/winograd.h"
#include "backends/cpu/tile.h"

#define PLANES (WINOGRAD_POINTS * WINOGRAD_POINTS)

static int64_t extent_of(const Emit *e, Axis axis)
{
    return e->kernel->axis.at[axis.id - 1].extent;
}

LLVMTypeRef real(const Emit *e)
{
    return type_of(e, e->schedule->winograd.of_integers ? TYPE_i32 : TYPE_f32, 1);
}

LLVMValueRef place(Emit *e, int64_t at, LLVMValueRef row, int64_t pitch, LLVMValueRef column)
{
    LLVMValueRef offset = LLVMBuildMul(e->builder, row, emit_i64(e, pitch), "");
    offset = LLVMBuildAdd(e->builder, offset, column, "");
    offset = LLVMBuildAdd(e->builder, offset, emit_i64(e, at), "");
    return step_pointer(e, real(e), e->scratch, offset);
}

LLVMValueRef plus(Emit *e, LLVMValueRef pointer, int64_t elements)
{
    return elements ? step_pointer(e, real(e), pointer, emit_i64(e, elements)) : pointer;
}

LLVMValueRef load_floats(Emit *e, LLVMValueRef pointer)
{
    LLVMTypeRef type = LLVMVectorType(real(e), e->schedule->width);
    LLVMValueRef value = LLVMBuildLoad2(e->builder, type, pointer, "");
    LLVMSetAlignment(value, 4);
    return value;
}

void store_floats(Emit *e, LLVMValueRef value, LLVMValueRef pointer)
{
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, pointer), 4);
}

void open_vectors(Emit *e, Loop *loop, Axis axis, LLVMValueRef from, LLVMValueRef to,
                  uint32_t width)
{
    loop_open(e, loop, from, to, width, 0, NULL);
    vector_set(e, axis, width, NULL, 0);
    axis_bind(e, axis, loop->index, e->depth);
}

void close_vectors(Emit *e, Loop *loop, Axis axis)
{
    axis_release(e, axis);
    vector_set(e, (Axis){0}, 1, NULL, 0);
    loop_close(e, loop, NULL);
}

/* --- arithmetic of vectors ------------------------------------------------------------------------------------------------------- */

static WinogradNumber add(void *user, WinogradNumber x, WinogradNumber y)
{
    return (WinogradNumber){.value = LLVMBuildFAdd(((Emit *)user)->builder, x.value, y.value, "")};
}

static WinogradNumber subtract(void *user, WinogradNumber x, WinogradNumber y)
{
    return (WinogradNumber){.value = LLVMBuildFSub(((Emit *)user)->builder, x.value, y.value, "")};
}

static LLVMValueRef number(Emit *e, float factor)
{
    return spread(e, constant_of(e, TYPE_f32, factor), e->schedule->width);
}

static WinogradNumber scale(void *user, float factor, WinogradNumber x)
{
    Emit *e = user;
    return (WinogradNumber){.value = LLVMBuildFMul(e->builder, number(e, factor), x.value, "")};
}

static WinogradNumber fma_vector(void *user, float factor, WinogradNumber x, WinogradNumber plus)
{
    Emit *e = user;
    return (WinogradNumber){.value = apply_fma(e, TYPE_f32, number(e, factor), x.value, plus.value,
                                               e->schedule->width)};
}

static void turn(Emit *e, WinogradStep step, WinogradNumber *square)
{
    if (e->schedule->winograd.of_integers) {
        bool is_image = step == WINOGRAD_image; /* whose numbers are two in an element */
        bool is_back = step == WINOGRAD_integer_back;
        if (is_image) split_pairs(e, square, PLANES);
        turn_integers(e, is_image ? WINOGRAD_integer_image : step, is_back ? 32 : 16, square);
        if (is_image) join_pairs(e, square, PLANES);
        return;
    }
    WinogradArithmetic with = {e, add, subtract, scale, fma_vector};
    emit_at(e, e->depth);
    winograd_square(&with, step, square, square);
}

/* --- squares of vectors in scratch ------------------------------------------------------------------------------------------------ */

static void store_square(Emit *e, const WinogradNumber *square, LLVMValueRef first, int64_t plane)
{
    for (int i = 0; i < PLANES; i++)
        store_floats(e, square[i].value, plus(e, first, i * plane));
}

static void load_square(Emit *e, WinogradNumber *square, LLVMValueRef first, int64_t plane)
{
    emit_at(e, e->depth);
    for (int i = 0; i < PLANES; i++)
        square[i].value = load_floats(e, plus(e, first, i * plane));
}

/* --- turning what the kernel reads ----------------------------------------------------------------------------------------------- */

/* A factor at the points of two axes, from `first` on in steps of `sign`; vectors along an axis that is bound. */
static void read_square(Emit *e, Scalar factor, const Axis axis[2], const int64_t first[2],
                        const int sign[2], WinogradStep step, WinogradNumber *square)
{
    int n = winograd_from(step);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            axis_plus(e, axis[0], first[0] + sign[0] * i);
            axis_plus(e, axis[1], first[1] + sign[1] * k);
            square[i * n + k].value = as_numbers(e, evaluate_vector(e, factor));
        }
    axis_plus(e, axis[0], 0);
    axis_plus(e, axis[1], 0);
    turn(e, step, square);
}

static void read_by_taps(Emit *e, const Winograd *w, WinogradStep step, WinogradNumber *square)
{
    int64_t first[2];
    Scalar factor = byte_source(e, w->other);
    for (int i = 0; i < 2; i++) {
        first[i] = w->sign[i] > 0 ? 0 : WINOGRAD_TAPS - 1;
        axis_bind(e, w->tap[i], emit_i64(e, 0), 0);
    }
    read_square(e, factor, w->tap, first, w->sign, step, square);
    for (int i = 0; i < 2; i++)
        axis_release(e, w->tap[i]);
}

/* --- loops over the tiles at hand ------------------------------------------------------------------------------------------------ */

/* row, column: the tile's first window, counted from the first at hand. */
typedef void TileBody(Emit *e, Filtering *f, LLVMValueRef tile, LLVMValueRef row,
                      LLVMValueRef column);

static void each_tile_of_image(Emit *e, Filtering *f, LLVMValueRef before, TileBody *body)
{
    const Winograd *w = f->w;
    Loop rows, columns;
    int64_t across = extent_of(e, w->window[1]) / WINOGRAD_SIDE;
    LLVMValueRef side = emit_i64(e, WINOGRAD_SIDE);
    loop_open(e, &rows, f->row, f->row_to, WINOGRAD_SIDE, 0, NULL);
    axis_bind(e, w->window[0], rows.index, e->depth);
    LLVMValueRef row = LLVMBuildSub(e->builder, rows.index, f->row, "");
    LLVMValueRef tile =
        LLVMBuildMul(e->builder, LLVMBuildUDiv(e->builder, row, side, ""), emit_i64(e, across), "");
    before = LLVMBuildAdd(e->builder, before, tile, "");
    loop_open(e, &columns, emit_i64(e, 0), emit_i64(e, extent_of(e, w->window[1])), WINOGRAD_SIDE,
              0, NULL);
    axis_bind(e, w->window[1], columns.index, e->depth);
    tile = LLVMBuildUDiv(e->builder, columns.index, side, "");
    body(e, f, LLVMBuildAdd(e->builder, before, tile, ""), row, columns.index);
    axis_release(e, w->window[1]);
    loop_close(e, &columns, NULL);
    axis_release(e, w->window[0]);
    loop_close(e, &rows, NULL);
}

static void each_tile(Emit *e, Filtering *f, TileBody *body,
                      void (*before_image)(Emit *e, const Filtering *f))
{
    const Schedule *s = e->schedule;
    int64_t of_image = s->tiles / s->at_once;
    if (!s->image.id || e->axis[s->image.id - 1].bound) {
        if (before_image) before_image(e, f);
        each_tile_of_image(e, f, emit_i64(e, 0), body);
        return;
    }
    Loop loop;
    loop_open(e, &loop, f->image, f->image_to, 1, 0, NULL);
    axis_bind(e, s->image, loop.index, e->depth);
    LLVMValueRef before = LLVMBuildSub(e->builder, loop.index, f->image, "");
    before = LLVMBuildMul(e->builder, before, emit_i64(e, of_image), "");
    if (before_image) before_image(e, f);
    each_tile_of_image(e, f, before, body);
    axis_release(e, s->image);
    loop_close(e, &loop, NULL);
}

static LLVMValueRef from_task(Emit *e, const Filtering *f, Axis axis, LLVMValueRef index)
{
    return LLVMBuildSub(e->builder, index, f->from[axis.id - 1], "");
}

/* --- taps, the image and the outputs -------------------------------------------------------------------------------------------- */

/* The taps of two channels: those of the one in the lower half of each element, of the other in the upper. */
static void turn_pair_of_taps(Emit *e, const Winograd *w, LLVMValueRef to)
{
    const Schedule *s = e->schedule;
    WinogradNumber first[PLANES], second[PLANES], pairs[PLANES];
    read_by_taps(e, w, WINOGRAD_integer_taps, first);
    axis_plus(e, w->channel, 1);
    read_by_taps(e, w, WINOGRAD_integer_taps, second);
    axis_plus(e, w->channel, 0);
    emit_at(e, e->depth);
    for (uint32_t v = 0; v < s->vectors; v++) {
        for (int i = 0; i < PLANES; i++)
            pairs[i].value = pairs_of(e, first[i].value, second[i].value, v);
        store_square(e, pairs, plus(e, to, v * (int64_t)s->width), s->other_plane);
    }
}

static void turn_taps(Emit *e, const Filtering *f)
{
    const Schedule *s = e->schedule;
    const Winograd *w = f->w;
    uint32_t filter = w->filter.id - 1;
    Loop rows, columns;
    WinogradNumber square[PLANES];
    uint32_t lanes = w->of_integers ? s->vectors * s->width : s->width;
    loop_open(e, &rows, emit_i64(e, 0), emit_i64(e, s->image_pitch), 1, 0, NULL);
    LLVMValueRef channel = rows.index;
    if (w->of_integers) channel = LLVMBuildMul(e->builder, channel, emit_i64(e, 2), "");
    axis_bind(e, w->channel, channel, e->depth);
    open_vectors(e, &columns, w->filter, f->from[filter], f->to[filter], lanes);
    LLVMValueRef column = from_task(e, f, w->filter, columns.index);
    LLVMValueRef to = place(e, s->other_at, rows.index, s->other_pitch, column);
    if (w->of_integers) {
        turn_pair_of_taps(e, w, to);
    } else {
        read_by_taps(e, w, WINOGRAD_taps, square);
        store_square(e, square, to, s->other_plane);
    }
    close_vectors(e, &columns, w->filter);
    axis_release(e, w->channel);
    loop_close(e, &rows, NULL);
}

/* The tile whose first window is at row and column of the points. */
static void turn_image(Emit *e, Filtering *f, LLVMValueRef tile, LLVMValueRef row,
                       LLVMValueRef column)
{
    (void)f;
    const Schedule *s = e->schedule;
    int64_t channels = s->image_pitch, pitch = columns_of(e) * channels;
    WinogradNumber square[PLANES];
    Loop loop;
    emit_at(e, e->depth);
    LLVMValueRef from = LLVMBuildMul(e->builder, column, emit_i64(e, channels), "");
    from = place(e, s->points_at, row, pitch, from);
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, channels), s->width, 0, NULL);
    LLVMValueRef first = step_pointer(e, real(e), from, loop.index);
    for (int i = 0; i < PLANES; i++)
        square[i].value = load_floats(
            e, plus(e, first, i / WINOGRAD_POINTS * pitch + i % WINOGRAD_POINTS * channels));
    turn(e, WINOGRAD_image, square);
    store_square(e, square, place(e, s->image_at, tile, s->image_pitch, loop.index),
                 s->image_plane);
    loop_close(e, &loop, NULL);
}

static void turn_outputs(Emit *e, Filtering *f, LLVMValueRef tile, LLVMValueRef row,
                         LLVMValueRef column)
{
    (void)row, (void)column;
    const Schedule *s = e->schedule;
    Axis axis = f->w->filter;
    Loop loop;
    WinogradNumber square[PLANES];
    open_vectors(e, &loop, axis, f->from[axis.id - 1], f->to[axis.id - 1], s->width);
    read_square(e, f->w->other, f->w->window, (int64_t[]){0, 0}, (int[]){1, 1}, WINOGRAD_outputs,
                square);
    LLVMValueRef at = from_task(e, f, axis, loop.index);
    store_square(e, square, place(e, s->other_at, tile, s->other_pitch, at), s->other_plane);
    close_vectors(e, &loop, axis);
}

/* --- products -------------------------------------------------------------------------------------------------------------------- */

/* sums[row][column] (+)= sum over k of a[row, k] * b[k][column] in one of the planes. */
typedef struct Product {
    LLVMValueRef a, b, sums; /* first element of the register tile */
    int64_t a_row, a_k, b_k, row;
    LLVMValueRef k;  /* points of it */
    int64_t divisor; /* of those */
    bool adds;
} Product;

static void add_step(Emit *e, LLVMValueRef a, int64_t a_row, LLVMValueRef from, LLVMValueRef *sum)
{
    const Schedule *s = e->schedule;
    LLVMValueRef b[8];
    for (uint32_t v = 0; v < s->vectors; v++)
        b[v] = load_floats(e, plus(e, from, v * (int64_t)s->width));
    for (uint32_t r = 0; r < s->rows; r++) {
        LLVMValueRef x = LLVMBuildLoad2(e->builder, real(e), plus(e, a, r * a_row), "");
        x = spread(e, x, s->width);
        for (uint32_t v = 0; v < s->vectors; v++) {
            LLVMValueRef *to = &sum[r * s->vectors + v];
            *to = s->winograd.of_integers ? multiply_integers(e, *to, b[v], x)
                                          : apply_fma(e, TYPE_f32, x, b[v], *to, s->width);
        }
    }
}

static void multiply(Emit *e, const Product *p)
{
    const Schedule *s = e->schedule;
    uint32_t count = s->rows * s->vectors, width = s->width;
    LLVMValueRef sum[MAX_CARRIED];
    Loop loop;
    emit_at(e, e->depth);
    for (uint32_t i = 0; i < count; i++) {
        int64_t at = i / s->vectors * p->row + i % s->vectors * width;
        sum[i] = p->adds ? load_floats(e, plus(e, p->sums, at))
                         : LLVMConstNull(LLVMVectorType(real(e), width));
    }
    uint32_t steps = steps_of_pass(s->rows, s->vectors, p->divisor, false);
    loop_open(e, &loop, emit_i64(e, 0), p->k, steps, count, sum);
    LLVMValueRef along = LLVMBuildMul(e->builder, loop.index, emit_i64(e, p->a_k), "");
    LLVMValueRef a = step_pointer(e, real(e), p->a, along);
    along = LLVMBuildMul(e->builder, loop.index, emit_i64(e, p->b_k), "");
    LLVMValueRef from = step_pointer(e, real(e), p->b, along);
    for (uint32_t step = 0; step < steps; step++)
        add_step(e, plus(e, a, step * p->a_k), p->a_row, plus(e, from, step * p->b_k), sum);
    loop_close(e, &loop, sum);
    for (uint32_t i = 0; i < count; i++)
        store_floats(e, sum[i], plus(e, p->sums, i / s->vectors * p->row + i % s->vectors * width));
}

/* Of the tiles at hand: whole rows of them, mostly whole images. */
static int64_t tiles_divisor(const Emit *e, const Filtering *f)
{
    int64_t rows = extent_of(e, f->w->window[0]) / WINOGRAD_SIDE;
    int64_t across = extent_of(e, f->w->window[1]) / WINOGRAD_SIDE;
    return e->schedule->tile_rows == rows ? rows * across : across;
}

/* All rows and columns of all planes. */
static void multiply_planes(Emit *e, const Filtering *f)
{
    const Schedule *s = e->schedule;
    bool is_gradient = f->w->is_gradient;
    int64_t columns = s->sums_row, channels = s->image_pitch;
    LLVMValueRef rows = is_gradient ? emit_i64(e, channels) : f->tiles, zero = emit_i64(e, 0);
    Loop plane, row, column;
    loop_open(e, &plane, zero, emit_i64(e, PLANES), 1, 0, NULL);
    LLVMValueRef image = place(e, s->image_at, plane.index, s->image_plane, zero);
    LLVMValueRef other = place(e, s->other_at, plane.index, s->other_plane, zero);
    LLVMValueRef sums = place(e, s->sums_at, plane.index, s->sums_plane, zero);
    loop_open(e, &row, zero, rows, s->rows, 0, NULL);
    Product p = {.a_row = is_gradient ? 1 : s->image_pitch,
                 .a_k = is_gradient ? s->image_pitch : 1,
                 .b_k = s->other_pitch,
                 .row = s->sums_row,
                 .k = is_gradient ? f->tiles : emit_i64(e, channels),
                 .divisor = is_gradient ? tiles_divisor(e, f) : channels,
                 .adds = is_gradient};
    LLVMValueRef down = LLVMBuildMul(e->builder, row.index, emit_i64(e, p.a_row), "");
    p.a = step_pointer(e, real(e), image, down);
    down = LLVMBuildMul(e->builder, row.index, emit_i64(e, p.row), "");
    sums = step_pointer(e, real(e), sums, down);
    loop_open(e, &column, zero, emit_i64(e, columns), s->vectors * s->width, 0, NULL);
    p.b = step_pointer(e, real(e), other, column.index);
    p.sums = step_pointer(e, real(e), sums, column.index);
    multiply(e, &p);
    loop_close(e, &column, NULL);
    loop_close(e, &row, NULL);
    loop_close(e, &plane, NULL);
}

/* --- turning back ---------------------------------------------------------------------------------------------------------------- */

/* What follows the sums at n x n points of two axes. */
static void finish_square(Emit *e, const Filtering *f, const Axis axis[2],
                          const WinogradNumber *sum, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            bool is_turned[2] = {f->w->is_gradient && f->w->sign[0] < 0,
                                 f->w->is_gradient && f->w->sign[1] < 0};
            axis_plus(e, axis[0], is_turned[0] ? n - 1 - i : i);
            axis_plus(e, axis[1], is_turned[1] ? n - 1 - k : k);
            finish_vector(e, sum[i * n + k].value);
        }
    axis_plus(e, axis[0], 0);
    axis_plus(e, axis[1], 0);
    e->kept[e->schedule->of.sum.id] = (Kept){0};
}

/* The sums of a tile, from where they are of one vector of filters. */
static void sums_of_tile(Emit *e, const Filtering *f, LLVMValueRef from, WinogradNumber *square)
{
    load_square(e, square, from, e->schedule->sums_plane);
    turn(e, f->w->of_integers ? WINOGRAD_integer_back : WINOGRAD_back, square);
    if (f->w->of_integers) sums_of_integers(e, square, WINOGRAD_SIDE * WINOGRAD_SIDE);
}

static void turn_back(Emit *e, Filtering *f, LLVMValueRef tile, LLVMValueRef row,
                      LLVMValueRef column)
{
    (void)row, (void)column;
    const Schedule *s = e->schedule;
    Loop loop;
    WinogradNumber square[PLANES], next[PLANES];
    Axis filter = f->w->filter;
    uint32_t once = s->finish_paired ? 2 : 1;
    open_vectors(e, &loop, filter, f->from[filter.id - 1], f->to[filter.id - 1], once * s->width);
    LLVMValueRef from =
        place(e, s->sums_at, tile, s->sums_row, from_task(e, f, filter, loop.index));
    sums_of_tile(e, f, from, square);
    if (once > 1) sums_of_tile(e, f, plus(e, from, s->width), next);
    for (int i = 0; once > 1 && i < WINOGRAD_SIDE * WINOGRAD_SIDE; i++)
        square[i].value = side_by_side(e, (LLVMValueRef[]){square[i].value, next[i].value}, once);
    finish_square(e, f, f->w->window, square, WINOGRAD_SIDE);
    close_vectors(e, &loop, filter);
}

static void turn_taps_back(Emit *e, const Filtering *f)
{
    const Schedule *s = e->schedule;
    const Winograd *w = f->w;
    uint32_t channel = w->channel.id - 1, filter = w->filter.id - 1;
    Loop rows, columns;
    WinogradNumber square[PLANES];
    loop_open(e, &rows, f->from[channel], f->to[channel], 1, 0, NULL);
    axis_bind(e, w->channel, rows.index, e->depth);
    open_vectors(e, &columns, w->filter, f->from[filter], f->to[filter], s->width);
    LLVMValueRef row = from_task(e, f, w->channel, rows.index);
    LLVMValueRef column = from_task(e, f, w->filter, columns.index);
    load_square(e, square, place(e, s->sums_at, row, s->sums_row, column), s->sums_plane);
    turn(e, WINOGRAD_taps_back, square);
    for (int i = 0; i < 2; i++)
        axis_bind(e, w->tap[i], emit_i64(e, 0), 0);
    finish_square(e, f, w->tap, square, WINOGRAD_TAPS);
    for (int i = 0; i < 2; i++)
        axis_release(e, w->tap[i]);
    close_vectors(e, &columns, w->filter);
    axis_release(e, w->channel);
    loop_close(e, &rows, NULL);
}

static void clear_sums_of_taps(Emit *e)
{
    const Schedule *s = e->schedule;
    Loop loop;
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, PLANES * s->sums_plane), s->width, 0, NULL);
    LLVMValueRef at = place(e, s->sums_at, loop.index, 1, emit_i64(e, 0));
    store_floats(e, LLVMConstNull(type_of(e, TYPE_f32, s->width)), at);
    loop_close(e, &loop, NULL);
}

/* --- around it ------------------------------------------------------------------------------------------------------------------- */

static void emit_tiles_at_hand(Emit *e, Filtering *f)
{
    int64_t across = extent_of(e, f->w->window[1]) / WINOGRAD_SIDE;
    emit_at(e, e->depth);
    LLVMValueRef rows = LLVMBuildSub(e->builder, f->row_to, f->row, "");
    rows = LLVMBuildUDiv(e->builder, rows, emit_i64(e, WINOGRAD_SIDE), "");
    LLVMValueRef images = LLVMBuildSub(e->builder, f->image_to, f->image, "");
    LLVMValueRef of_image = LLVMBuildMul(e->builder, rows, emit_i64(e, across), "");
    f->tiles = LLVMBuildMul(e->builder, images, of_image, "");
    each_tile(e, f, turn_image, fill_points);
    if (f->w->is_gradient) each_tile(e, f, turn_outputs, NULL);
    multiply_planes(e, f);
    if (!f->w->is_gradient) each_tile(e, f, turn_back, NULL);
}

static void block_of(Emit *e, Loop *loop, LLVMValueRef from, LLVMValueRef to, int64_t step,
                     LLVMValueRef *first, LLVMValueRef *last)
{
    loop_open(e, loop, from, to, step, 0, NULL);
    *first = loop->index;
    *last = emit_smaller(e, LLVMBuildAdd(e->builder, loop->index, emit_i64(e, step), ""), to);
}

static void emit_row_blocks(Emit *e, Filtering *f)
{
    Loop loop;
    uint32_t window = f->w->window[0].id - 1;
    block_of(e, &loop, f->from[window], f->to[window], e->schedule->tile_rows * WINOGRAD_SIDE,
             &f->row, &f->row_to);
    emit_tiles_at_hand(e, f);
    loop_close(e, &loop, NULL);
}

static void emit_image_blocks(Emit *e, Filtering *f)
{
    const Schedule *s = e->schedule;
    if (!s->image.id || e->axis[s->image.id - 1].bound) {
        f->image = emit_i64(e, 0);
        f->image_to = emit_i64(e, 1);
        emit_row_blocks(e, f);
        return;
    }
    Loop loop;
    uint32_t image = s->image.id - 1;
    block_of(e, &loop, f->from[image], f->to[image], s->at_once, &f->image, &f->image_to);
    emit_row_blocks(e, f);
    loop_close(e, &loop, NULL);
}

/* The loops of `order` from `at` on, as long as they are `around` or not. */
static void emit_order(Emit *e, Filtering *f, uint32_t at);

static void emit_inside(Emit *e, Filtering *f, uint32_t at)
{
    const Schedule *s = e->schedule;
    Axis axis = s->order[at];
    if (e->axis[axis.id - 1].bound) {
        emit_order(e, f, at + 1);
        return;
    }
    Loop loop;
    loop_open(e, &loop, f->from[axis.id - 1], f->to[axis.id - 1], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    emit_order(e, f, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

static void emit_order(Emit *e, Filtering *f, uint32_t at)
{
    const Schedule *s = e->schedule;
    uint32_t around = (uint32_t)__builtin_popcount(f->w->around);
    bool is_whole = f->w->is_gradient && at == around;
    if (is_whole) clear_sums_of_taps(e);
    if (at == s->order_count)
        emit_image_blocks(e, f);
    else
        emit_inside(e, f, at);
    if (is_whole) turn_taps_back(e, f);
}

void emit_winograd(Emit *e)
{
    const Schedule *s = e->schedule;
    Filtering f = {.w = &s->winograd};
    uint32_t filter = f.w->filter.id - 1;
    bool by_filters = s->task_count && s->task[0].axis.id == f.w->filter.id;
    Loop tasks;
    f.from[filter] = emit_i64(e, 0);
    f.to[filter] = emit_i64(e, extent_of(e, f.w->filter));
    if (!f.w->is_gradient && !by_filters) turn_taps(e, &f);
    tasks_open(e, &tasks, f.from, f.to);
    if (!f.w->is_gradient && by_filters) turn_taps(e, &f);
    emit_order(e, &f, 0);
    loop_close(e, &tasks, NULL);
}

/* The points of an image that windows see, in scratch: what is computed is computed once a point, and no guard is left. */
#include "backends/cpu/winograd.h"

static int64_t extent_of(const Emit *e, Axis axis)
{
    return e->kernel->axis.at[axis.id - 1].extent;
}

/* Of a point in scratch. */
static int64_t channels_of(const Emit *e)
{
    const Schedule *s = e->schedule;
    return s->winograd.of_integers ? 2 * s->image_pitch : s->image_pitch;
}

int64_t columns_of(const Emit *e)
{
    return extent_of(e, e->schedule->winograd.window[1]) + WINOGRAD_TAPS - 1;
}

/* Binds window and tap to the point at `index` of those that all windows from `first` on see. */
static void bind_point(Emit *e, const Winograd *w, int i, LLVMValueRef first, LLVMValueRef index)
{
    if (w->sign[i] < 0) index = LLVMBuildSub(e->builder, emit_i64(e, WINOGRAD_TAPS - 1), index, "");
    axis_bind(e, w->window[i], first, e->depth);
    axis_bind(e, w->tap[i], index, e->depth);
}

static void release_point(Emit *e, const Winograd *w, int i)
{
    axis_release(e, w->window[i]);
    axis_release(e, w->tap[i]);
}

/* The columns that lie inside of the image, if the factor is a load whose rows are in memory as they are in scratch. */
typedef struct Row {
    const Access *access;
    int64_t from, to;
} Row;

static bool is_row(const Emit *e, const Filtering *f, Row *row)
{
    const Winograd *w = f->w;
    const ScalarNode *node = &e->kernel->scalar.at[byte_source(e, w->image).id];
    const Access *access = node->access;
    int64_t along, across, all = columns_of(e), channels = channels_of(e);
    if (node->op != SCALAR_load || e->kernel->buffer.at[access->buffer].type != point_type(e) ||
        !access_step(e->kernel, access, w->channel, &along) || along != 1 ||
        !access_step(e->kernel, access, w->window[1], &across) || across != channels ||
        channels != extent_of(e, w->channel))
        return false;
    *row = (Row){access, 0, all};
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        if (at->dynamic.id || at->divisor != 1) return false;
        if (!at->guarded || !at->affine.by[w->window[1].id - 1]) continue;
        Affine rest = at->affine;
        rest.by[w->window[1].id - 1] = rest.by[w->tap[1].id - 1] = 0;
        if (at->affine.by[w->window[1].id - 1] != 1 || affine_axes(&rest)) return false;
        int64_t first = at->affine.constant - (w->sign[1] < 0 ? WINOGRAD_TAPS - 1 : 0);
        if (row->from < -first) row->from = -first;
        if (row->to > at->extent - first) row->to = at->extent - first;
    }
    return row->from <= row->to;
}

/* Whether the guards that are not about columns hold, as the first and last column that do. */
static void bounds_of(Emit *e, const Winograd *w, const Row *row, LLVMValueRef *from,
                      LLVMValueRef *to)
{
    Access rest = *row->access;
    for (int d = 0; d < rest.rank; d++)
        if (rest.at[d].affine.by[w->window[1].id - 1]) rest.at[d].guarded = false;
    LLVMValueRef inside = inside_access(e, &rest, e->depth).value, none = emit_i64(e, 0);
    emit_at(e, e->depth);
    *from = LLVMBuildSelect(e->builder, inside, emit_i64(e, row->from), none, "");
    *to = LLVMBuildSelect(e->builder, inside, emit_i64(e, row->to), none, "");
}

static void store_points(Emit *e, LLVMValueRef value, LLVMValueRef points, LLVMValueRef index)
{
    LLVMValueRef to = step_pointer(e, point_element(e), points, index);
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, to), 2);
}

static void fill_part(Emit *e, LLVMValueRef from, LLVMValueRef to, LLVMValueRef points,
                      LLVMValueRef source)
{
    Loop loop;
    uint32_t lanes = point_lanes(e);
    LLVMTypeRef element = memory_type(e, point_type(e), 1);
    loop_open_checked(e, &loop, from, to, lanes);
    LLVMValueRef value = LLVMConstNull(LLVMVectorType(point_element(e), lanes));
    if (source) value = load_points(e, step_pointer(e, element, source, loop.index));
    store_points(e, value, points, loop.index);
    loop_close(e, &loop, NULL);
}

static void copy_row(Emit *e, const Filtering *f, const Row *row, LLVMValueRef points)
{
    const Winograd *w = f->w;
    int64_t constant, channels = channels_of(e);
    LLVMTypeRef element = memory_type(e, point_type(e), 1);
    LLVMValueRef from, to, zero = emit_i64(e, 0);
    bind_point(e, w, 1, zero, zero);
    axis_bind(e, w->channel, zero, 0);
    Affine linear = {.constant = row->access->offset};
    for (int d = 0; d < row->access->rank; d++)
        linear =
            affine_add(linear, affine_scale(row->access->at[d].affine, row->access->stride[d]));
    LLVMValueRef offset = affine_value(e, &linear, &constant);
    emit_at(e, e->depth);
    LLVMValueRef source =
        step_pointer(e, element, e->buffer[row->access->buffer], emit_i64(e, constant));
    if (offset) source = step_pointer(e, element, source, offset);
    bounds_of(e, w, row, &from, &to);
    from = LLVMBuildMul(e->builder, from, emit_i64(e, channels), "");
    to = LLVMBuildMul(e->builder, to, emit_i64(e, channels), "");
    fill_part(e, zero, from, points, NULL);
    fill_part(e, from, to, points, source);
    fill_part(e, to, emit_i64(e, columns_of(e) * channels), points, NULL);
    axis_release(e, w->channel);
    release_point(e, w, 1);
}

static void evaluate_row(Emit *e, const Filtering *f, LLVMValueRef points)
{
    const Winograd *w = f->w;
    uint32_t channel = w->channel.id - 1;
    int64_t channels = channels_of(e);
    Loop columns, loop;
    loop_open(e, &columns, emit_i64(e, 0), emit_i64(e, columns_of(e)), 1, 0, NULL);
    bind_point(e, w, 1, emit_i64(e, 0), columns.index);
    LLVMValueRef to = LLVMBuildMul(e->builder, columns.index, emit_i64(e, channels), "");
    to = LLVMBuildSub(e->builder, to, f->from[channel], "");
    open_vectors(e, &loop, w->channel, f->from[channel], f->to[channel], e->schedule->width);
    LLVMValueRef value = evaluate_vector(e, w->image);
    emit_at(e, e->depth);
    to = LLVMBuildAdd(e->builder, to, loop.index, "");
    store_points(e, as_points(e, value), points, to);
    close_vectors(e, &loop, w->channel);
    release_point(e, w, 1);
    loop_close(e, &columns, NULL);
}

void fill_points(Emit *e, const Filtering *f)
{
    const Schedule *s = e->schedule;
    Row row;
    Loop rows;
    emit_at(e, e->depth);
    LLVMValueRef count = LLVMBuildSub(e->builder, f->row_to, f->row, "");
    count = LLVMBuildAdd(e->builder, count, emit_i64(e, WINOGRAD_TAPS - 1), "");
    loop_open(e, &rows, emit_i64(e, 0), count, 1, 0, NULL);
    bind_point(e, f->w, 0, f->row, rows.index);
    LLVMValueRef points =
        place(e, s->points_at, rows.index, columns_of(e) * s->image_pitch, emit_i64(e, 0));
    if (is_row(e, f, &row))
        copy_row(e, f, &row, points);
    else
        evaluate_row(e, f, points);
    release_point(e, f->w, 0);
    loop_close(e, &rows, NULL);
}

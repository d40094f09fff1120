/* A factor of bytes copied as i16, so that tiles read pairs of it where they lie: an image under windows would be packed once for every tap
 * (schedule.h: schedule_widened_copy).  Rows are written in the order of memory with whole vectors: what runs over a row's end is
 * overwritten by the next, and behind the last there is room.  What is read must not: the last vector ends with the row. */
#include "backends/cpu/tile.h"

typedef struct Widening {
    const BoxCopy *copy;
    const Access *from;
    Type type;
    LLVMValueRef to; /* the box */
    LLVMValueRef
        source; /* element of the buffer, and of the box: where what is still to come begins */
    LLVMValueRef offset;
} Widening;

static int64_t inner_extent(const Emit *e, const BoxCopy *copy)
{
    return copy->inner.id ? e->kernel->axis.at[copy->inner.id - 1].extent : 1;
}

/* Elements of the box between points of the guarded coordinate. */
static int64_t pitch_of(const Emit *e, const Widening *w, int d)
{
    int64_t pitch = inner_extent(e, w->copy);
    while ((d = next_guarded(w->from, d + 1)) < w->from->rank)
        pitch *= w->copy->size[d];
    return pitch;
}

static LLVMValueRef plus(Emit *e, LLVMValueRef value, int64_t constant)
{
    return constant ? LLVMBuildAdd(e->builder, value, emit_i64(e, constant), "") : value;
}

static void store_widened(Emit *e, const Widening *w, LLVMValueRef value, LLVMValueRef offset)
{
    LLVMTypeRef i16 = LLVMInt16TypeInContext(e->context);
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, step_pointer(e, i16, w->to, offset)), 2);
}

static void clear_elements(Emit *e, const Widening *w, LLVMValueRef offset, int64_t count)
{
    Loop loop;
    uint32_t width = 2 * e->schedule->width;
    if (!count) return;
    LLVMTypeRef vector = LLVMVectorType(LLVMInt16TypeInContext(e->context), width);
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, count), width, 0, NULL);
    LLVMValueRef at = LLVMBuildAdd(e->builder, offset, loop.index, "");
    store_widened(e, w, LLVMConstNull(vector), at);
    loop_close(e, &loop, NULL);
}

/* So many neighbours. */
static void copy_elements(Emit *e, const Widening *w, LLVMValueRef source, LLVMValueRef offset,
                          int64_t count)
{
    Loop loop;
    uint32_t width = 2 * e->schedule->width;
    while (width > count)
        width /= 2;
    LLVMTypeRef byte = LLVMInt8TypeInContext(e->context);
    LLVMTypeRef bytes = width > 1 ? LLVMVectorType(byte, width) : byte;
    LLVMTypeRef wide = LLVMInt16TypeInContext(e->context);
    if (width > 1) wide = LLVMVectorType(wide, width);
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, count), width, 0, NULL);
    LLVMValueRef at = emit_smaller(e, loop.index, emit_i64(e, count - width));
    LLVMValueRef from = LLVMBuildAdd(e->builder, source, at, "");
    from = step_pointer(e, byte, e->buffer[w->from->buffer], from);
    LLVMValueRef value = LLVMBuildLoad2(e->builder, bytes, from, "");
    LLVMSetAlignment(value, 1);
    value = type_info[w->type].class == CLASS_SIGNED ? LLVMBuildSExt(e->builder, value, wide, "")
                                                     : LLVMBuildZExt(e->builder, value, wide, "");
    store_widened(e, w, value, LLVMBuildAdd(e->builder, offset, at, ""));
    loop_close(e, &loop, NULL);
}

static void widen_guarded(Emit *e, const Widening *w, int d);

/* Points [from, to) of the coordinate, all inside, which begin at `first` in the buffer. */
static void widen_inside(Emit *e, const Widening *w, int d, int64_t first, const int64_t range[2])
{
    int64_t pitch = pitch_of(e, w, d), stride = w->from->stride[d];
    if (next_guarded(w->from, d + 1) == w->from->rank) {
        LLVMValueRef source = plus(e, w->source, (first + range[0]) * stride);
        copy_elements(e, w, source, plus(e, w->offset, range[0] * pitch),
                      (range[1] - range[0]) * pitch);
        return;
    }
    Loop loop;
    Widening point = *w;
    loop_open(e, &loop, emit_i64(e, range[0]), emit_i64(e, range[1]), 1, 0, NULL);
    LLVMValueRef index = plus(e, loop.index, first);
    index = LLVMBuildMul(e->builder, index, emit_i64(e, stride), "");
    point.source = LLVMBuildAdd(e->builder, w->source, index, "");
    index = LLVMBuildMul(e->builder, loop.index, emit_i64(e, pitch), "");
    point.offset = LLVMBuildAdd(e->builder, w->offset, index, "");
    widen_guarded(e, &point, next_guarded(w->from, d + 1));
    loop_close(e, &loop, NULL);
}

/* No loop around the copy moves a guarded coordinate, so what is outside is known. */
static void widen_guarded(Emit *e, const Widening *w, int d)
{
    int64_t pitch = pitch_of(e, w, d), size = w->copy->size[d];
    int64_t first = w->from->at[d].affine.constant + w->copy->least[d];
    int64_t range[] = {first < 0 ? -first : 0, w->from->at[d].extent - first};
    if (range[1] > size) range[1] = size;
    if (range[0] > size || range[1] <= range[0]) range[0] = range[1] = size;
    clear_elements(e, w, w->offset, range[0] * pitch);
    if (range[0] < range[1]) widen_inside(e, w, d, first, range);
    clear_elements(e, w, plus(e, w->offset, range[1] * pitch), (size - range[1]) * pitch);
}

static void widen_own(Emit *e, Widening w, uint32_t axis)
{
    while (axis < e->kernel->axis.count && !(w.copy->own >> axis & 1))
        axis++;
    if (axis == e->kernel->axis.count) {
        if (w.copy->inner.id) axis_bind(e, w.copy->inner, emit_i64(e, 0), 0);
        w.source = unguarded_source(e, w.from);
        if (w.copy->inner.id) axis_release(e, w.copy->inner);
        widen_guarded(e, &w, next_guarded(w.from, 0));
        return;
    }
    Loop loop;
    Binding before = e->axis[axis];
    int64_t pitch = w.copy->access.at[0].affine.by[axis];
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, e->kernel->axis.at[axis].extent), 1, 0, NULL);
    axis_bind(e, (Axis){axis + 1}, loop.index, e->depth);
    LLVMValueRef row = LLVMBuildMul(e->builder, loop.index, emit_i64(e, pitch), "");
    w.offset = LLVMBuildAdd(e->builder, w.offset, row, "");
    widen_own(e, w, axis + 1);
    axis_release(e, (Axis){axis + 1});
    loop_close(e, &loop, NULL);
    e->axis[axis] = before;
}

void emit_widened_copy(Emit *e, const BoxCopy *copy)
{
    LLVMTypeRef byte = LLVMInt8TypeInContext(e->context);
    emit_at(e, e->depth);
    LLVMValueRef to = step_pointer(e, byte, e->scratch, emit_i64(e, copy->offset));
    widen_own(e,
              (Widening){.copy = copy,
                         .from = copy->from,
                         .type = e->kernel->scalar.at[copy->load.id].type,
                         .to = to,
                         .offset = emit_i64(e, 0)},
              0);
}

Area widened_area(Emit *e)
{
    const BoxCopy *copy = &e->schedule->copy[0];
    LLVMTypeRef byte = LLVMInt8TypeInContext(e->context);
    emit_at(e, e->depth);
    return (Area){.base = step_pointer(e, byte, e->scratch, emit_i64(e, copy->offset)),
                  .at = copy->access.at[0].affine,
                  .element = LLVMInt16TypeInContext(e->context)};
}

/* Boxes that guarded loads of a contraction are read from (schedule.h: BoxCopy).  Rows of a box are written in the order of memory
 * with whole vectors: what runs over a row's end is overwritten by the next, and behind the last there is room. */
#include "backends/cpu/tile.h"

typedef struct Copying {
    const BoxCopy *copy;
    const Access *from;
    Type type;
    LLVMValueRef to; /* the box */
    LLVMValueRef
        source; /* element of the buffer, without the guarded coordinates that are still to come */
    LLVMValueRef inside; /* i1: guards so far; NULL: all */
    LLVMValueRef offset; /* element of the box */
} Copying;

/* The coordinate at the bound axes, plus its least over the others, plus index. */
static LLVMValueRef coordinate_at(Emit *e, const Copying *c, int d, LLVMValueRef index)
{
    Affine fixed = c->from->at[d].affine;
    for (uint32_t i = 0; i < MAX_AXES; i++)
        if (c->copy->free >> i & 1) fixed.by[i] = 0;
    fixed.constant += c->copy->least[d];
    int64_t constant;
    LLVMValueRef value = affine_value(e, &fixed, &constant);
    emit_at(e, e->depth);
    if (value) index = LLVMBuildAdd(e->builder, index, value, "");
    return LLVMBuildAdd(e->builder, index, emit_i64(e, constant), "");
}

/* Quotient of `lanes` numbers of 32 or 64 bits by the coordinate's divisor, and whether it is whole and inside. */
static LLVMValueRef quotient_of(Emit *e, const Coordinate *at, LLVMValueRef number, uint32_t bits,
                                uint32_t lanes, LLVMValueRef *inside)
{
    LLVMBuilderRef b = e->builder;
    LLVMValueRef divisor = whole_of(e, bits, at->divisor, lanes), quotient = number;
    if (at->divisor != 1) quotient = LLVMBuildUDiv(b, number, divisor, "");
    *inside = LLVMBuildICmp(b, LLVMIntULT, quotient, whole_of(e, bits, at->extent, lanes), "");
    if (at->divisor == 1) return quotient;
    LLVMValueRef back = LLVMBuildMul(b, quotient, divisor, "");
    LLVMValueRef whole = LLVMBuildICmp(b, LLVMIntEQ, back, number, "");
    *inside = LLVMBuildAnd(b, *inside, whole, "");
    return quotient;
}

/* apart: elements between those of the numbers in `lanes`; 0: they follow `first`. */
static LLVMValueRef load_masked(Emit *e, const Copying *c, LLVMValueRef first, LLVMValueRef lanes,
                                LLVMValueRef mask, int64_t apart)
{
    uint32_t width = e->schedule->width;
    LLVMTypeRef element = memory_type(e, c->type, 1), vector = memory_type(e, c->type, width);
    LLVMValueRef align = emit_i32(e, type_info[c->type].bytes), base = e->buffer[c->from->buffer];
    if (apart) {
        LLVMTypeRef i64 = LLVMInt64TypeInContext(e->context);
        LLVMValueRef wide = LLVMBuildZExt(e->builder, lanes, LLVMVectorType(i64, width), "");
        wide = LLVMBuildMul(e->builder, wide, whole_of(e, 64, apart, width), "");
        LLVMValueRef at = step_pointer(e, element, step_pointer(e, element, base, c->source), wide);
        return emit_intrinsic(e, "llvm.masked.gather", 2, (LLVMTypeRef[]){vector, LLVMTypeOf(at)},
                              4, (LLVMValueRef[]){at, align, mask, LLVMConstNull(vector)});
    }
    LLVMValueRef offset = LLVMBuildAdd(e->builder, c->source, first, "");
    LLVMValueRef at = step_pointer(e, element, base, offset);
    return emit_intrinsic(e, "llvm.masked.load", 2, (LLVMTypeRef[]){vector, LLVMTypeOf(at)}, 4,
                          (LLVMValueRef[]){at, align, mask, LLVMConstNull(vector)});
}

static void copy_vector(Emit *e, const Copying *c, int d, LLVMValueRef index)
{
    uint32_t width = e->schedule->width;
    LLVMValueRef first = coordinate_at(e, c, d, index), mask;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->context);
    LLVMValueRef lanes = spread(e, LLVMBuildTrunc(e->builder, first, i32, ""), width);
    lanes = LLVMBuildAdd(e->builder, lanes, lane_numbers(e, width, 32, 1), "");
    lanes = quotient_of(e, &c->from->at[d], lanes, 32, width, &mask);
    if (c->inside) mask = LLVMBuildAnd(e->builder, mask, spread(e, c->inside, width), "");
    int64_t stride = c->from->stride[d];
    bool is_dense = stride == 1 && c->from->at[d].divisor == 1;
    LLVMValueRef value = load_masked(e, c, first, lanes, mask, is_dense ? 0 : stride);
    LLVMValueRef to = LLVMBuildAdd(e->builder, c->offset, index, "");
    to = step_pointer(e, memory_type(e, c->type, 1), c->to, to);
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, to), type_info[c->type].bytes);
}

/* All of `inner`, or zeros where a guard fails. */
static void copy_inner(Emit *e, const Copying *c)
{
    Loop loop;
    uint32_t width = e->schedule->width;
    int64_t extent = e->kernel->axis.at[c->copy->inner.id - 1].extent;
    LLVMTypeRef element = memory_type(e, c->type, 1);
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, extent), width, 0, NULL);
    LLVMValueRef mask = spread(e, c->inside, width);
    if (extent % width) {
        LLVMValueRef lanes = lanes_below(e, loop.index, emit_i64(e, extent), width);
        mask = LLVMBuildAnd(e->builder, mask, lanes, "");
    }
    LLVMValueRef value = load_masked(e, c, loop.index, NULL, mask, 0);
    LLVMValueRef to = LLVMBuildAdd(e->builder, c->offset, loop.index, "");
    to = step_pointer(e, element, c->to, to);
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, to), type_info[c->type].bytes);
    loop_close(e, &loop, NULL);
}

int next_guarded(const Access *access, int d)
{
    while (d < access->rank && !access->at[d].guarded)
        d++;
    return d;
}

static void copy_guarded(Emit *e, Copying c, int d)
{
    Loop loop;
    int next = next_guarded(c.from, d + 1);
    bool is_last = next == c.from->rank, in_lanes = is_last && !c.copy->inner.id;
    int64_t size = c.copy->size[d];
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, size), in_lanes ? e->schedule->width : 1, 0,
              NULL);
    if (in_lanes) {
        copy_vector(e, &c, d, loop.index);
    } else {
        LLVMBuilderRef b = e->builder;
        LLVMValueRef inside, at = coordinate_at(e, &c, d, loop.index);
        at = quotient_of(e, &c.from->at[d], at, 64, 1, &inside);
        c.inside = c.inside ? LLVMBuildAnd(b, c.inside, inside, "") : inside;
        LLVMValueRef step = LLVMBuildMul(b, at, emit_i64(e, c.from->stride[d]), "");
        c.source = LLVMBuildAdd(b, c.source, step, "");
        int64_t pitch = c.copy->inner.id ? e->kernel->axis.at[c.copy->inner.id - 1].extent : 1;
        for (int i = next; i < c.from->rank; i = next_guarded(c.from, i + 1))
            pitch *= c.copy->size[i];
        LLVMValueRef row = LLVMBuildMul(b, loop.index, emit_i64(e, pitch), "");
        c.offset = LLVMBuildAdd(b, c.offset, row, "");
        if (is_last)
            copy_inner(e, &c);
        else
            copy_guarded(e, c, next);
    }
    loop_close(e, &loop, NULL);
}

LLVMValueRef unguarded_source(Emit *e, const Access *access)
{
    Affine linear = {.constant = access->offset};
    for (int d = 0; d < access->rank; d++)
        if (!access->at[d].guarded)
            linear = affine_add(linear, affine_scale(access->at[d].affine, access->stride[d]));
    int64_t constant;
    LLVMValueRef value = affine_value(e, &linear, &constant);
    emit_at(e, e->depth);
    return value ? LLVMBuildAdd(e->builder, value, emit_i64(e, constant), "")
                 : emit_i64(e, constant);
}

static void copy_own(Emit *e, Copying c, uint32_t axis)
{
    while (axis < e->kernel->axis.count && !(c.copy->own >> axis & 1))
        axis++;
    if (axis == e->kernel->axis.count) {
        if (c.copy->inner.id) axis_bind(e, c.copy->inner, emit_i64(e, 0), 0);
        c.source = unguarded_source(e, c.from);
        if (c.copy->inner.id) axis_release(e, c.copy->inner);
        copy_guarded(e, c, next_guarded(c.from, 0));
        return;
    }
    Loop loop;
    Binding before = e->axis[axis];
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, e->kernel->axis.at[axis].extent), 1, 0, NULL);
    axis_bind(e, (Axis){axis + 1}, loop.index, e->depth);
    LLVMValueRef row =
        LLVMBuildMul(e->builder, loop.index, emit_i64(e, c.copy->access.at[0].affine.by[axis]), "");
    c.offset = LLVMBuildAdd(e->builder, c.offset, row, "");
    copy_own(e, c, axis + 1);
    axis_release(e, (Axis){axis + 1});
    loop_close(e, &loop, NULL);
    e->axis[axis] = before;
}

void emit_copies(Emit *e, uint32_t loops)
{
    for (uint32_t i = 0; i < e->schedule->copy_count; i++) {
        const BoxCopy *copy = &e->schedule->copy[i];
        if (copy->loops != loops) continue;
        if (e->schedule->products) {
            emit_widened_copy(e, copy);
            continue;
        }
        const ScalarNode *node = &e->kernel->scalar.at[copy->load.id];
        LLVMTypeRef byte = LLVMInt8TypeInContext(e->context);
        emit_at(e, e->depth);
        LLVMValueRef to = step_pointer(e, byte, e->scratch, emit_i64(e, copy->offset));
        copy_own(e,
                 (Copying){.copy = copy,
                           .from = copy->from,
                           .type = node->type,
                           .to = to,
                           .offset = emit_i64(e, 0)},
                 0);
        e->moved[copy->load.id] = (Moved){&copy->access, e->depth};
        e->buffer[copy->access.buffer] = to;
    }
}

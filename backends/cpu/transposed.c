/* Loads and stores that lie along another axis than the vectors do.  What is loaded of a block of both axes is read along theirs,
 * transposed in registers and put into scratch, from where it is read as if it lay along the vectors; what is stored goes to scratch
 * first, and from there the same way back. */
#include "backends/cpu/emit.h"

/* Vectors along `across` for every vector along the other: whole lines are read, near each other. */
#define ACROSS 4

#define MOST 64 /* accesses that are transposed */

typedef struct Block {
    const Transposed *t;
    LLVMValueRef along, across; /* where it begins, i64 */
    LLVMValueRef base[MOST];    /* in scratch, of each of `load`, then of `store` */
    Scalar load[MOST];
    uint32_t store[MOST]; /* by number in the kernel */
    uint32_t loads, stores;
} Block;

/* Points beyond the end are those at the end. */
static LLVMValueRef point(Emit *e, LLVMValueRef first, uint32_t plus, int64_t extent)
{
    LLVMValueRef at = LLVMBuildAdd(e->builder, first, emit_i64(e, plus), "");
    return extent % e->width ? emit_smaller(e, at, emit_i64(e, extent - 1)) : at;
}

static int64_t extent_of(const Emit *e, Axis axis)
{
    return e->kernel->axis.at[axis.id - 1].extent;
}

static LLVMValueRef mask_of(Emit *e, Axis axis, LLVMValueRef at, LLVMValueRef to, uint32_t width)
{
    if (extent_of(e, axis) % width == 0) return NULL;
    emit_at(e, e->depth);
    return lanes_below(e, at, to, width);
}

static void fill(Emit *e, const Block *block)
{
    const Transposed *t = block->t;
    uint32_t width = e->schedule->width, level = e->depth;
    int64_t extent = extent_of(e, t->vector);
    LLVMValueRef end = emit_i64(e, extent_of(e, t->across));
    vector_set(e, t->across, width, mask_of(e, t->across, block->across, end, width), level);
    axis_bind(e, t->across, block->across, level);
    for (uint32_t i = 0; i < block->loads; i++) {
        Type type = e->kernel->scalar.at[block->load[i].id].type;
        LLVMValueRef row[64];
        for (uint32_t l = 0; l < width; l++) {
            emit_at(e, level);
            axis_bind(e, t->vector, point(e, block->along, l, extent), level);
            LLVMValueRef value = evaluate_vector(e, block->load[i]);
            axis_plus(e, t->vector, width);
            prefetch_access(e, e->kernel->scalar.at[block->load[i].id].access, type, 0, 1);
            axis_plus(e, t->vector, 0);
            emit_at(e, level);
            row[l] = to_memory(e, type, value, width);
        }
        transpose_lanes(e, row, width);
        for (uint32_t p = 0; p < width; p++) {
            LLVMValueRef at = emit_i64(e, (int64_t)p * width);
            at = step_pointer(e, memory_type(e, type, 1), block->base[i], at);
            LLVMSetAlignment(LLVMBuildStore(e->builder, row[p], at), type_info[type].bytes);
        }
    }
    axis_release(e, t->across);
    axis_release(e, t->vector);
    vector_set(e, (Axis){0}, 1, NULL, 0);
}

/* The block in scratch as if all of the buffer lay there. */
static const Access *in_scratch(Emit *e, const Block *block, uint32_t i, Type type)
{
    const Transposed *t = block->t;
    int64_t width = e->schedule->width;
    uint32_t buffer = e->kernel->buffer.count + 2 + i;
    Access *access = arena_new(e->arena, Access);
    *access = (Access){.buffer = buffer, .rank = 1, .stride = {1}};
    access->at[0] = (Coordinate){.divisor = 1, .extent = INT64_MAX};
    access->at[0].affine.by[t->across.id - 1] = width;
    access->at[0].affine.by[t->vector.id - 1] = 1;
    LLVMValueRef before = LLVMBuildMul(e->builder, block->across, emit_i64(e, width), "");
    before = LLVMBuildNeg(e->builder, LLVMBuildAdd(e->builder, before, block->along, ""), "");
    e->buffer[buffer] = step_pointer(e, memory_type(e, type, 1), block->base[i], before);
    return access;
}

static Type type_of_store(const Emit *e, uint32_t store)
{
    return e->kernel->buffer.at[e->kernel->store.at[store].at.buffer].type;
}

static void move(Emit *e, const Block *block)
{
    for (uint32_t i = 0; i < block->loads; i++) {
        uint32_t id = block->load[i].id;
        e->moved[id] = (Moved){in_scratch(e, block, i, e->kernel->scalar.at[id].type), e->depth};
    }
    for (uint32_t i = 0; i < block->stores; i++)
        e->moved_store[block->store[i]] =
            in_scratch(e, block, block->loads + i, type_of_store(e, block->store[i]));
}

static void use(Emit *e, const Block *block)
{
    const Transposed *t = block->t;
    uint32_t width = e->schedule->width, level = e->depth;
    emit_at(e, level);
    move(e, block);
    LLVMValueRef all = LLVMBuildAdd(e->builder, block->across, emit_i64(e, width), "");
    LLVMValueRef to = emit_smaller(e, all, t->across_to);
    vector_set(e, t->vector, width, mask_of(e, t->vector, block->along, t->to, width), level);
    if (e->mask) {
        LLVMTypeRef i32 = LLVMInt32TypeInContext(e->context);
        LLVMValueRef left = LLVMBuildSub(e->builder, t->to, block->along, "");
        e->left = LLVMBuildTrunc(e->builder, left, i32, "");
    }
    axis_bind(e, t->vector, block->along, level);
    Loop loop;
    loop_open(e, &loop, block->across, to, 1, 0, NULL);
    axis_bind(e, t->across, loop.index, e->depth);
    t->inside(e, t->user);
    axis_release(e, t->across);
    loop_close(e, &loop, NULL);
    axis_release(e, t->vector);
    vector_set(e, (Axis){0}, 1, NULL, 0);
    for (uint32_t i = 0; i < block->loads; i++)
        e->moved[block->load[i].id] = (Moved){0};
    for (uint32_t i = 0; i < block->stores; i++)
        e->moved_store[block->store[i]] = NULL;
}

/* Lanes beyond the end are stored where the last is, and before it. */
static void drain(Emit *e, const Block *block)
{
    const Transposed *t = block->t;
    uint32_t width = e->schedule->width, level = e->depth;
    int64_t extent = extent_of(e, t->vector);
    vector_set(e, t->across, width, mask_of(e, t->across, block->across, t->across_to, width),
               level);
    axis_bind(e, t->across, block->across, level);
    for (uint32_t i = 0; i < block->stores; i++) {
        const Store *store = &e->kernel->store.at[block->store[i]];
        Type type = type_of_store(e, block->store[i]);
        LLVMValueRef row[64];
        emit_at(e, level);
        for (uint32_t p = 0; p < width; p++) {
            LLVMValueRef at = emit_i64(e, (int64_t)p * width);
            at = step_pointer(e, memory_type(e, type, 1), block->base[block->loads + i], at);
            row[p] = LLVMBuildLoad2(e->builder, memory_type(e, type, width), at, "");
            LLVMSetAlignment(row[p], type_info[type].bytes);
        }
        transpose_lanes(e, row, width);
        for (uint32_t l = width; l-- > 0;) {
            emit_at(e, level);
            axis_bind(e, t->vector, point(e, block->along, l, extent), level);
            store_access(e, &store->at, type, from_memory(e, type, row[l], width), false);
        }
    }
    axis_release(e, t->across);
    axis_release(e, t->vector);
    vector_set(e, (Axis){0}, 1, NULL, 0);
}

/* A part of scratch for the next. */
static LLVMValueRef take(Emit *e, LLVMValueRef *next, Type type)
{
    int64_t points = (int64_t)e->schedule->width * e->schedule->width;
    LLVMValueRef at = *next;
    *next = step_pointer(e, memory_type(e, type, 1), at, emit_i64(e, points));
    return at;
}

static void find_transposed(Emit *e, Block *block)
{
    const Kernel *kernel = e->kernel;
    const bool *live = kernel_live(kernel, e->arena);
    LLVMValueRef next = e->scratch;
    emit_at(e, e->depth);
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (!live[i] || node->op != SCALAR_load || block->loads == MOST) continue;
        if (!schedule_lies_across(e->schedule, kernel, node->access)) continue;
        block->base[block->loads] = take(e, &next, node->type);
        block->load[block->loads++] = (Scalar){i};
    }
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        uint32_t known = block->loads + block->stores;
        const Store *store = &kernel->store.at[i];
        if (store->accumulate || known == MOST) continue;
        if (!schedule_lies_across(e->schedule, kernel, &store->at)) continue;
        block->base[known] = take(e, &next, type_of_store(e, i));
        block->store[block->stores++] = i;
    }
}

void emit_transposed(Emit *e, const Transposed *t)
{
    Block block = {.t = t};
    uint32_t width = e->schedule->width;
    find_transposed(e, &block);
    Loop strip, along, across;
    loop_open(e, &strip, t->across_from, t->across_to, (int64_t)ACROSS * width, 0, NULL);
    LLVMValueRef end = emit_i64(e, (int64_t)ACROSS * width);
    emit_at(e, e->depth);
    end = emit_smaller(e, LLVMBuildAdd(e->builder, strip.index, end, ""), t->across_to);
    loop_open(e, &along, t->from, t->to, width, 0, NULL);
    loop_open(e, &across, strip.index, end, width, 0, NULL);
    block.along = along.index;
    block.across = across.index;
    fill(e, &block);
    use(e, &block);
    drain(e, &block);
    loop_close(e, &across, NULL);
    loop_close(e, &along, NULL);
    loop_close(e, &strip, NULL);
}

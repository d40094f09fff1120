/* Loads that lie along another axis than the vectors do: a block of both axes is read along theirs, transposed in registers and
 * put into scratch, from where it is read as if it lay along the vectors. */
#include "backends/cpu/emit.h"

/* Vectors along `across` for every vector along the other: whole lines are read, near each other. */
#define ACROSS 4

typedef struct Block {
    const Transposed *t;
    LLVMValueRef along, across; /* where it begins, i64 */
    LLVMValueRef base[64];      /* in scratch, of each of `load` */
    Scalar load[64];
    uint32_t loads;
} Block;

/* Exchanges bit `bit` of the row's number with that of the lane's number. */
static void exchange(Emit *e, LLVMValueRef *row, uint32_t width, uint32_t bit)
{
    uint32_t low[64], high[64];
    for (uint32_t j = 0; j < width; j++) {
        low[j] = j & bit ? width + j - bit : j;
        high[j] = j & bit ? width + j : j + bit;
    }
    for (uint32_t i = 0; i < width; i++) {
        if (i & bit) continue;
        LLVMValueRef a = row[i], b = row[i | bit];
        row[i] = shuffle(e, a, b, low, width);
        row[i | bit] = shuffle(e, a, b, high, width);
    }
}

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
        for (uint32_t bit = 1; bit < width; bit *= 2)
            exchange(e, row, width, bit);
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

/* From now on a load is read from scratch, in which its block lies as if all of it did. */
static void move(Emit *e, const Block *block, uint32_t i)
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
    Type type = e->kernel->scalar.at[block->load[i].id].type;
    e->buffer[buffer] = step_pointer(e, memory_type(e, type, 1), block->base[i], before);
    e->moved[block->load[i].id] = (Moved){access, e->depth};
}

static void use(Emit *e, const Block *block)
{
    const Transposed *t = block->t;
    uint32_t width = e->schedule->width, level = e->depth;
    emit_at(e, level);
    for (uint32_t i = 0; i < block->loads; i++)
        move(e, block, i);
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
}

/* The loads to transpose, each with its part of scratch. */
static void find_loads(Emit *e, Block *block)
{
    const Kernel *kernel = e->kernel;
    const bool *live = kernel_live(kernel, e->arena);
    LLVMValueRef next = e->scratch;
    int64_t points = (int64_t)e->schedule->width * e->schedule->width;
    emit_at(e, e->depth);
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (!live[i] || node->op != SCALAR_load || block->loads == 64) continue;
        if (!access_is_transposed(kernel, node->access, block->t->vector, block->t->across))
            continue;
        block->base[block->loads] = next;
        block->load[block->loads++] = (Scalar){i};
        next = step_pointer(e, memory_type(e, node->type, 1), next, emit_i64(e, points));
    }
}

void emit_transposed(Emit *e, const Transposed *t)
{
    Block block = {.t = t};
    uint32_t width = e->schedule->width;
    find_loads(e, &block);
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
    loop_close(e, &across, NULL);
    loop_close(e, &along, NULL);
    loop_close(e, &strip, NULL);
}

/* Reduces of rows that lie beside each other in memory: one pass over memory adds to the sums of a whole block of rows, which
 * stay in scratch.  The trees are those of kernel.h: every row has a sum for each of its lanes. */
#include "backends/cpu/reduce.h"

/* Points of one lane of the tree that are added while its sum is in a register, each a row of memory: at most so many, and
 * fewer where that would be much code. */
#define APART 8
#define CODE  64

typedef struct Columns {
    const RowBlock *block;
    LLVMValueRef *
        sums; /* by scalar id of the reduce: its sums in scratch, lane by lane, each a block of rows */
    uint32_t done; /* groups whose results are there: where lane 0 was */
    const ReduceGroup *group;
    Axis inner;
    uint32_t apart;
    LLVMValueRef lane; /* i64 */
} Columns;

static const ScalarNode *node_of(const Emit *e, Scalar reduce)
{
    return &e->kernel->scalar.at[reduce.id];
}

static uint32_t lanes_of(const ScalarNode *node, int64_t extent)
{
    if (node->reduce != REDUCE_add) return 1;
    return extent < REDUCE_LANES ? (uint32_t)extent : REDUCE_LANES;
}

/* Of the vector of rows at hand, in one lane. */
static LLVMValueRef sum_at(Emit *e, const Columns *c, Scalar reduce, LLVMValueRef lane)
{
    const Binding *row = &e->axis[e->schedule->vector.id - 1];
    LLVMValueRef at = row->value ? row->value : emit_i64(e, row->base);
    at = LLVMBuildSub(e->builder, at, c->block->from, "");
    LLVMValueRef before = LLVMBuildMul(e->builder, lane, emit_i64(e, e->schedule->columns), "");
    at = LLVMBuildAdd(e->builder, at, before, "");
    return step_pointer(e, type_of(e, node_of(e, reduce)->type, 1), c->sums[reduce.id], at);
}

static LLVMValueRef load_sum(Emit *e, const Columns *c, Scalar reduce, LLVMValueRef lane)
{
    LLVMTypeRef type = type_of(e, node_of(e, reduce)->type, e->width);
    LLVMValueRef sum = LLVMBuildLoad2(e->builder, type, sum_at(e, c, reduce, lane), "");
    LLVMSetAlignment(sum, 1);
    return sum;
}

static void store_sum(Emit *e, const Columns *c, Scalar reduce, LLVMValueRef lane,
                      LLVMValueRef value)
{
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, sum_at(e, c, reduce, lane)), 1);
}

static void over_block(Emit *e, Columns *c, VectorBody *body)
{
    Axis axis = e->schedule->vector;
    vector_loop(e, &(VectorLoop){.axis = axis,
                                 .from = c->block->from,
                                 .to = c->block->to,
                                 .extent = e->kernel->axis.at[axis.id - 1].extent,
                                 .width = e->schedule->width,
                                 .body = body,
                                 .user = c});
}

static void clear(Emit *e, VectorLoop *loop)
{
    const Columns *c = loop->user;
    int64_t extent = e->kernel->axis.at[c->inner.id - 1].extent;
    for (uint32_t i = 0; i < c->group->reduce.count; i++) {
        Scalar reduce = c->group->reduce.at[i];
        const ScalarNode *node = node_of(e, reduce);
        for (uint32_t l = 0; l < lanes_of(node, extent); l++)
            store_sum(e, c, reduce, emit_i64(e, l), reduce_neutral(e, node, e->width));
    }
}

/* The results of earlier groups, for the rows at hand. */
static void bring_results(Emit *e, const Columns *c)
{
    emit_at(e, e->depth);
    for (uint32_t g = 0; g < c->done; g++) {
        const ReduceGroup *group = &c->block->reduces->group.at[g];
        for (uint32_t i = 0; i < group->reduce.count; i++) {
            LLVMValueRef value = load_sum(e, c, group->reduce.at[i], emit_i64(e, 0));
            keep(e, group->reduce.at[i], (Lanes){value, true});
        }
    }
}

static LLVMValueRef lane_of(Emit *e, const Columns *c, Scalar reduce)
{
    return node_of(e, reduce)->reduce == REDUCE_add ? c->lane : emit_i64(e, 0);
}

static void add_points(Emit *e, VectorLoop *loop)
{
    const Columns *c = loop->user;
    uint32_t count = c->group->reduce.count;
    LLVMValueRef *sum = arena_array(e->arena, LLVMValueRef, count);
    bring_results(e, c);
    for (uint32_t i = 0; i < count; i++)
        sum[i] = load_sum(e, c, c->group->reduce.at[i], lane_of(e, c, c->group->reduce.at[i]));
    for (uint32_t k = 0; k < c->apart; k++) {
        axis_plus(e, c->inner, (int64_t)k * REDUCE_LANES);
        for (uint32_t i = 0; i < count; i++) {
            const ScalarNode *node = node_of(e, c->group->reduce.at[i]);
            LLVMValueRef body = evaluate_vector(e, node->argument[0]);
            emit_at(e, e->depth);
            sum[i] = reduce_combine(e, node, sum[i], body, e->width);
        }
    }
    axis_plus(e, c->inner, 0);
    for (uint32_t i = 0; i < count; i++)
        store_sum(e, c, c->group->reduce.at[i], lane_of(e, c, c->group->reduce.at[i]), sum[i]);
}

static void finish(Emit *e, VectorLoop *loop)
{
    const Columns *c = loop->user;
    int64_t extent = e->kernel->axis.at[c->inner.id - 1].extent;
    for (uint32_t i = 0; i < c->group->reduce.count; i++) {
        Scalar reduce = c->group->reduce.at[i];
        const ScalarNode *node = node_of(e, reduce);
        LLVMValueRef lane[REDUCE_LANES];
        uint32_t lanes = lanes_of(node, extent);
        for (uint32_t l = 0; l < lanes; l++)
            lane[l] = load_sum(e, c, reduce, emit_i64(e, l));
        LLVMValueRef sum = reduce_tree(e, node, lane, lanes);
        store_sum(e, c, reduce, emit_i64(e, 0), round_real(e, node->type, sum, e->width));
    }
}

static void inner_rest(Emit *e, Columns *c, int64_t from, int64_t to)
{
    Loop loop;
    loop_open(e, &loop, emit_i64(e, from), emit_i64(e, to), 1, 0, NULL);
    axis_bind(e, c->inner, loop.index, e->depth);
    emit_at(e, e->depth);
    c->lane = LLVMBuildAnd(e->builder, loop.index, emit_i64(e, REDUCE_LANES - 1), "");
    c->apart = 1;
    over_block(e, c, add_points);
    axis_release(e, c->inner);
    loop_close(e, &loop, NULL);
}

static uint32_t apart_of(const Emit *e, Axis inner)
{
    uint32_t scalars = 0, apart = APART;
    for (uint32_t i = 1; i < e->kernel->scalar.count; i++)
        scalars += e->kernel->scalar.at[i].depends >> (inner.id - 1) & 1;
    while (apart > 1 && apart * scalars > CODE)
        apart /= 2;
    while (apart > 1 && apart * REDUCE_LANES > e->kernel->axis.at[inner.id - 1].extent)
        apart /= 2;
    return apart;
}

static void inner_loop(Emit *e, Columns *c)
{
    uint32_t apart = apart_of(e, c->inner);
    int64_t extent = e->kernel->axis.at[c->inner.id - 1].extent, step = apart * REDUCE_LANES;
    int64_t whole = extent / step * step;
    if (whole) {
        Loop outer, loop;
        loop_open(e, &outer, emit_i64(e, 0), emit_i64(e, whole), step, 0, NULL);
        loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, REDUCE_LANES), 1, 0, NULL);
        emit_at(e, e->depth);
        LLVMValueRef point = LLVMBuildAdd(e->builder, outer.index, loop.index, "");
        axis_bind(e, c->inner, point, e->depth);
        c->lane = loop.index;
        c->apart = apart;
        over_block(e, c, add_points);
        axis_release(e, c->inner);
        loop_close(e, &loop, NULL);
        loop_close(e, &outer, NULL);
    }
    if (whole < extent) inner_rest(e, c, whole, extent);
}

/* Loops over the reduction axes of the group as the axis list has them. */
static void reduction_loops(Emit *e, Columns *c, uint32_t axes)
{
    Axis axis = {(uint32_t)__builtin_ctz(axes) + 1};
    axes &= axes - 1;
    axis_release(e, axis); /* extent 1 may have bound it */
    if (!axes) {
        c->inner = axis;
        inner_loop(e, c);
        return;
    }
    Loop loop;
    int64_t extent = e->kernel->axis.at[axis.id - 1].extent;
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, extent), 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    reduction_loops(e, c, axes);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

static void emit_group(Emit *e, Columns *c, const ReduceGroup *group)
{
    c->group = group;
    c->inner = (Axis){32 - (uint32_t)__builtin_clz(group->axes)};
    over_block(e, c, clear);
    reduction_loops(e, c, group->axes);
    over_block(e, c, finish);
    c->done++;
}

static void finish_rows(Emit *e, VectorLoop *loop)
{
    const Columns *c = loop->user;
    bring_results(e, c);
    c->block->inside(e, c->block->user);
}

void emit_columns(Emit *e, const RowBlock *block)
{
    Columns c = {.block = block};
    c.sums = arena_array(e->arena, LLVMValueRef, e->kernel->scalar.count);
    LLVMValueRef next = e->scratch;
    emit_at(e, e->depth);
    for (uint32_t g = 0; g < block->reduces->group.count; g++) {
        const ReduceGroup *group = &block->reduces->group.at[g];
        for (uint32_t i = 0; i < group->reduce.count; i++) {
            Scalar reduce = group->reduce.at[i];
            const ScalarNode *node = node_of(e, reduce);
            int64_t lanes = node->reduce == REDUCE_add ? REDUCE_LANES : 1;
            c.sums[reduce.id] = next;
            next = step_pointer(e, type_of(e, node->type, 1), next,
                                emit_i64(e, lanes * e->schedule->columns));
        }
    }
    for (uint32_t g = 0; g < block->reduces->group.count; g++)
        emit_group(e, &c, &block->reduces->group.at[g]);
    over_block(e, &c, finish_rows);
}

#include "backends/cpu/reduce.h"
#include <math.h>

/* From here on the lanes of a row's tree are kept in memory instead of values of their own. */
#define UNROLLED     4
/* Points of a reduce beside whole vectors of rows that are no loop, so that what several reduces load is loaded once. */
#define ALL_UNROLLED 9

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* How many reduces deep each scalar is. */
static uint32_t *stages_of(const Kernel *kernel, Arena *arena)
{
    uint32_t *stage = arena_array(arena, uint32_t, kernel->scalar.count);
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        for (int k = 0; k < SCALAR_ARGUMENTS; k++)
            stage[i] = larger(stage[i], stage[node->argument[k].id]);
        for (int d = 0; node->access && d < node->access->rank; d++)
            stage[i] = larger(stage[i], stage[node->access->at[d].dynamic.id]);
        stage[i] += node->op == SCALAR_reduce;
    }
    return stage;
}

static ReduceGroup *group_of(RowReduces *plan, uint32_t first, uint32_t axes, Arena *arena)
{
    for (uint32_t i = first; i < plan->group.count; i++)
        if (plan->group.at[i].axes == axes) return &plan->group.at[i];
    ReduceGroup *group = list_add(arena, &plan->group);
    *group = (ReduceGroup){.axes = axes};
    return group;
}

RowReduces plan_reduces(const Kernel *kernel, Arena *arena)
{
    RowReduces plan = {0};
    const uint32_t *stage = stages_of(kernel, arena);
    const bool *live = kernel_live(kernel, arena);
    uint32_t last = 0;
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        last = larger(last, stage[i]);
    for (uint32_t now = 1; now <= last; now++) {
        uint32_t first = plan.group.count;
        for (uint32_t i = 1; i < kernel->scalar.count; i++) {
            const ScalarNode *node = &kernel->scalar.at[i];
            if (!live[i] || node->op != SCALAR_reduce || stage[i] != now) continue;
            *list_add(arena, &group_of(&plan, first, node->axes, arena)->reduce) = (Scalar){i};
        }
    }
    return plan;
}

/* One group while it is emitted. */
typedef struct Reducing {
    const ReduceGroup *group;
    Axis axis[MAX_AXES]; /* as the axis list has them, outermost first */
    uint32_t axes;
    Axis inner;
    int64_t extent; /* of inner */
    bool is_all_unrolled;
    bool is_unrolled;
    LLVMValueRef *slots; /* one a reduce: the lanes of its tree in memory; NULL: in values */
} Reducing;

static const ScalarNode *node_of(const Emit *e, const Reducing *r, uint32_t i)
{
    return &e->kernel->scalar.at[r->group->reduce.at[i].id];
}

LLVMValueRef reduce_combine(Emit *e, const ScalarNode *node, LLVMValueRef a, LLVMValueRef b,
                            uint32_t width)
{
    ScalarOp op = node->reduce == REDUCE_add   ? SCALAR_add
                  : node->reduce == REDUCE_max ? SCALAR_max
                                               : SCALAR_min;
    if (node->type == TYPE_bool) op = node->reduce == REDUCE_min ? SCALAR_and : SCALAR_or;
    return apply_binary(e, op, type_is_float(node->type) ? TYPE_f32 : node->type, a, b, width);
}

LLVMValueRef reduce_neutral(Emit *e, const ScalarNode *node, uint32_t width)
{
    double number = node->reduce == REDUCE_add   ? 0
                    : node->reduce == REDUCE_max ? -(double)INFINITY
                                                 : (double)INFINITY;
    if (node->type == TYPE_bool) number = node->reduce == REDUCE_min;
    return spread(e, constant_of(e, node->type, number), width);
}

static LLVMValueRef lower_lanes(Emit *e, LLVMValueRef vector, uint32_t from, uint32_t count)
{
    LLVMValueRef lane[REDUCE_LANES];
    for (uint32_t i = 0; i < count; i++)
        lane[i] = emit_i32(e, from + i);
    return LLVMBuildShuffleVector(e->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                  LLVMConstVector(lane, count), "");
}

/* The tree over the lanes of one vector: l and l + 8, l and l + 4, l and l + 2, l and l + 1. */
static LLVMValueRef tree_of_vector(Emit *e, const ScalarNode *node, LLVMValueRef vector)
{
    for (uint32_t half = REDUCE_LANES / 2; half >= 1; half /= 2) {
        LLVMValueRef low = lower_lanes(e, vector, 0, half);
        LLVMValueRef high = lower_lanes(e, vector, half, half);
        vector = reduce_combine(e, node, low, high, half);
    }
    return LLVMBuildExtractElement(e->builder, vector, emit_i32(e, 0), "");
}

/* The same tree over values. Lanes that no element fell on hold 0, and adding 0 to a sum that began with 0 changes nothing. */
LLVMValueRef reduce_tree(Emit *e, const ScalarNode *node, LLVMValueRef *lane, uint32_t count)
{
    for (uint32_t half = REDUCE_LANES / 2; half >= 1; half /= 2)
        for (uint32_t l = 0; l < half; l++)
            if (l + half < count)
                lane[l] = reduce_combine(e, node, lane[l], lane[l + half], e->width);
    return lane[0];
}

static void lanes_body(Emit *e, VectorLoop *loop)
{
    const Reducing *r = loop->user;
    LLVMValueRef *values = loop->values;
    for (uint32_t i = 0; i < loop->carried; i++) {
        const ScalarNode *node = node_of(e, r, i);
        LLVMValueRef body = evaluate_vector(e, node->argument[0]);
        emit_at(e, e->depth);
        LLVMValueRef sum = reduce_combine(e, node, values[i], body, e->width);
        values[i] = e->mask ? LLVMBuildSelect(e->builder, e->mask, sum, values[i], "") : sum;
    }
}

/* Number of values that reduce i carries through the loops. */
static uint32_t carried_by(const Emit *e, const Reducing *r, uint32_t i)
{
    if (!e->vector.id || node_of(e, r, i)->reduce != REDUCE_add) return 1;
    return r->is_unrolled ? (uint32_t)r->extent : 0;
}

/* One point of the inner axis; lane: its lane of the tree, if known now. */
static void add_point(Emit *e, const Reducing *r, LLVMValueRef index, uint32_t lane,
                      LLVMValueRef *values)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < r->group->reduce.count; i++) {
        const ScalarNode *node = node_of(e, r, i);
        LLVMValueRef body = evaluate_vector(e, node->argument[0]);
        emit_at(e, e->depth);
        uint32_t carried = carried_by(e, r, i);
        LLVMValueRef *sum = &values[at + (carried > 1 ? lane : 0)];
        at += carried;
        if (carried) {
            *sum = reduce_combine(e, node, *sum, body, e->width);
            continue;
        }
        LLVMTypeRef type = type_of(e, node->type, e->width);
        LLVMValueRef slot = LLVMBuildAnd(e->builder, index, emit_i64(e, REDUCE_LANES - 1), "");
        LLVMValueRef pointer = LLVMBuildGEP2(e->builder, type, r->slots[i], &slot, 1, "");
        LLVMValueRef old = LLVMBuildLoad2(e->builder, type, pointer, "");
        LLVMBuildStore(e->builder, reduce_combine(e, node, old, body, e->width), pointer);
    }
}

static void rows_inner(Emit *e, const Reducing *r, uint32_t carried, LLVMValueRef *values)
{
    if (r->is_unrolled) {
        for (uint32_t l = 0; l < r->extent; l++) {
            axis_bind(e, r->inner, emit_i64(e, l), 0);
            add_point(e, r, NULL, l, values);
        }
        axis_release(e, r->inner);
        return;
    }
    Loop loop;
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, r->extent), 1, carried, values);
    axis_bind(e, r->inner, loop.index, e->depth);
    add_point(e, r, loop.index, 0, values);
    axis_release(e, r->inner);
    loop_close(e, &loop, values);
}

static void reduce_nest(Emit *e, const Reducing *r, uint32_t at, uint32_t carried,
                        LLVMValueRef *values)
{
    if (at + 1 == r->axes) {
        if (e->vector.id)
            rows_inner(e, r, carried, values);
        else
            vector_loop(e, &(VectorLoop){.axis = r->inner,
                                         .from = emit_i64(e, 0),
                                         .to = emit_i64(e, r->extent),
                                         .extent = r->extent,
                                         .width = REDUCE_LANES,
                                         .carried = carried,
                                         .values = values,
                                         .body = lanes_body,
                                         .user = (void *)r});
        return;
    }
    Loop loop;
    Axis axis = r->axis[at];
    int64_t extent = e->kernel->axis.at[axis.id - 1].extent;
    if (e->axis[axis.id - 1].bound) axis_release(e, axis);
    if (r->is_all_unrolled) {
        for (int64_t i = 0; i < extent; i++) {
            axis_bind(e, axis, emit_i64(e, i), 0);
            reduce_nest(e, r, at + 1, carried, values);
        }
        axis_release(e, axis);
        return;
    }
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, extent), 1, carried, values);
    axis_bind(e, axis, loop.index, e->depth);
    reduce_nest(e, r, at + 1, carried, values);
    axis_release(e, axis);
    loop_close(e, &loop, values);
}

static LLVMValueRef slot_at(Emit *e, LLVMTypeRef type, LLVMValueRef slots, uint32_t lane)
{
    LLVMValueRef at = emit_i64(e, lane);
    return LLVMBuildGEP2(e->builder, type, slots, &at, 1, "");
}

static uint32_t used_lanes(const Reducing *r)
{
    return r->extent < REDUCE_LANES ? (uint32_t)r->extent : REDUCE_LANES;
}

/* First values of everything carried; slots in memory are cleared. */
static uint32_t begin_group(Emit *e, Reducing *r, LLVMValueRef *values)
{
    uint32_t carried = 0;
    uint32_t width = e->vector.id ? e->width : REDUCE_LANES;
    for (uint32_t i = 0; i < r->group->reduce.count; i++) {
        const ScalarNode *node = node_of(e, r, i);
        uint32_t count = carried_by(e, r, i);
        if (carried + count > MAX_CARRIED) bug("more than %d values reduced at once", MAX_CARRIED);
        for (uint32_t k = 0; k < count; k++)
            values[carried++] = reduce_neutral(e, node, width);
        if (count) continue;
        LLVMTypeRef type = type_of(e, node->type, e->width);
        r->slots[i] = emit_slots(e, type, REDUCE_LANES);
        for (uint32_t l = 0; l < used_lanes(r); l++)
            LLVMBuildStore(e->builder, LLVMConstNull(type), slot_at(e, type, r->slots[i], l));
    }
    return carried;
}

static LLVMValueRef result_of(Emit *e, const Reducing *r, uint32_t i, LLVMValueRef *values,
                              uint32_t count)
{
    const ScalarNode *node = node_of(e, r, i);
    if (!e->vector.id) return tree_of_vector(e, node, values[0]);
    if (count) return reduce_tree(e, node, values, count);
    LLVMValueRef lane[REDUCE_LANES];
    LLVMTypeRef type = type_of(e, node->type, e->width);
    for (uint32_t l = 0; l < used_lanes(r); l++)
        lane[l] = LLVMBuildLoad2(e->builder, type, slot_at(e, type, r->slots[i], l), "");
    return reduce_tree(e, node, lane, used_lanes(r));
}

static int64_t points_of(const Emit *e, uint32_t axes)
{
    int64_t points = 1;
    for (uint32_t i = 0; i < e->kernel->axis.count; i++)
        if (axes >> i & 1) points *= e->kernel->axis.at[i].extent;
    return points;
}

static void emit_group(Emit *e, const ReduceGroup *group)
{
    Reducing r = {.group = group};
    for (uint32_t i = 0; i < e->kernel->axis.count; i++)
        if (group->axes & 1u << i) r.axis[r.axes++] = (Axis){i + 1};
    r.inner = r.axis[r.axes - 1];
    r.extent = e->kernel->axis.at[r.inner.id - 1].extent;
    r.is_unrolled = r.extent <= UNROLLED;
    r.is_all_unrolled = e->vector.id && points_of(e, group->axes) <= ALL_UNROLLED;
    r.slots = arena_array(e->arena, LLVMValueRef, group->reduce.count);
    axis_release(e, r.inner); /* extent 1 may have bound it */

    LLVMValueRef values[MAX_CARRIED];
    emit_at(e, e->depth);
    uint32_t carried = begin_group(e, &r, values), at = 0;
    reduce_nest(e, &r, 0, carried, values);
    emit_at(e, e->depth);
    for (uint32_t i = 0; i < group->reduce.count; i++) {
        uint32_t count = carried_by(e, &r, i);
        LLVMValueRef result = result_of(e, &r, i, values + at, count);
        result = round_real(e, node_of(e, &r, i)->type, result, e->width);
        keep(e, group->reduce.at[i], (Lanes){result, e->vector.id != 0});
        at += count;
    }
}

void emit_reduces(Emit *e, const RowReduces *reduces)
{
    for (uint32_t i = 0; i < reduces->group.count; i++)
        emit_group(e, &reduces->group.at[i]);
}

/* eval_NAME: what each op means, one loop each.  Contractions stand in contraction.c. */
#include "backends/reference/interpret.h"

#include "ir/base/bits.h"
#include "ir/base/boundary.h"
#include <math.h>

static const Shape *shape_of_operand(const Evaluation *e, int i)
{
    return graph_shape(e->graph, e->node->argument[i]);
}

static const Shape *shape_of_result(const Evaluation *e)
{
    return &e->graph->shape.at[e->node->shape];
}

static int64_t count_of_result(const Evaluation *e)
{
    return shape_elements(shape_of_result(e));
}

/* Goes through a shape in row-major order while `at` follows base + sum of index * stride. */
typedef struct Walk {
    Shape shape;
    int64_t stride[MAX_RANK], index[MAX_RANK];
    int64_t at, left;
} Walk;

static Walk walk_over(const Shape *shape, int64_t base)
{
    return (Walk){.shape = *shape, .at = base, .left = shape_elements(shape)};
}

static void walk_on(Walk *walk)
{
    walk->left--;
    for (int i = walk->shape.rank - 1; i >= 0; i--) {
        walk->at += walk->stride[i];
        if (++walk->index[i] < walk->shape.extent[i]) return;
        walk->at -= walk->stride[i] * walk->shape.extent[i];
        walk->index[i] = 0;
    }
}

/* y[...] = x[base + index . stride] over the result's shape. */
static void read_along(const Evaluation *e, Walk walk)
{
    for (int64_t i = 0; walk.left > 0; i++, walk_on(&walk))
        e->y[i] = e->x[0][walk.at];
}

/* The low 32 bits, which a product in double would lose. */
static double multiply_words(double x, double y)
{
    return (double)(uint32_t)((uint64_t)(int64_t)x * (uint64_t)(int64_t)y);
}

static double apply(Op op, Type type, double x, double y)
{
    if (!type_is_integer(type)) return op_evaluate(op, x, y);
    if (op == OP_mul && type_info[type].bytes == 4) return multiply_words(x, y);
    if (op == OP_div) return y == 0 ? 0 : floor(x / y);
    if (op == OP_rem) return y == 0 ? 0 : x - y * floor(x / y);
    return op_evaluate(op, x, y);
}

void eval_elementwise(const Evaluation *e)
{
    const Node *node = e->node;
    Type type = graph_type(e->graph, node->argument[0]);
    const double *x = e->x[0], *y = e->x[node->argument_count - 1];
    for (int64_t i = 0, count = count_of_result(e); i < count; i++)
        e->y[i] = apply(node->op, type, x[i], y[i]);
}

void eval_select(const Evaluation *e)
{
    for (int64_t i = 0, count = count_of_result(e); i < count; i++)
        e->y[i] = e->x[0][i] != 0 ? e->x[1][i] : e->x[2][i];
}

static double clamp_to(Type type, double x)
{
    int bits = 8 * type_info[type].bytes;
    bool is_signed = type_info[type].class == CLASS_SIGNED;
    double low = is_signed ? -ldexp(1, bits - 1) : 0;
    double high = ldexp(1, is_signed ? bits - 1 : bits) - 1;
    if (isnan(x)) return 0;
    return x < low ? low : x > high ? high : trunc(x);
}

void eval_cast(const Evaluation *e)
{
    for (int64_t i = 0, count = count_of_result(e); i < count; i++)
        e->y[i] = type_is_integer(e->node->type) ? clamp_to(e->node->type, e->x[0][i]) : e->x[0][i];
}

static void copy(const Evaluation *e)
{
    size_t size = sizeof *e->y * (size_t)count_of_result(e);
    if (size) memcpy(e->y, e->x[0], size);
}

void eval_stop(const Evaluation *e)
{
    copy(e);
}

void eval_constant(const Evaluation *e)
{
    for (int64_t i = 0, count = count_of_result(e); i < count; i++)
        e->y[i] = e->node->attribute->number;
}

void eval_table(const Evaluation *e)
{
    for (int64_t i = 0, count = count_of_result(e); i < count; i++)
        e->y[i] = e->node->attribute->table.at[i];
}

void eval_iota(const Evaluation *e)
{
    Walk walk = walk_over(shape_of_result(e), 0);
    for (int64_t i = 0; walk.left > 0; i++, walk_on(&walk))
        e->y[i] = (double)walk.index[e->node->attribute->axis];
}

void eval_input(const Evaluation *e)
{
    bug("the caller feeds %s", op_info[e->node->op].name);
}

void eval_read(const Evaluation *e)
{
    bug("the caller feeds %s", op_info[e->node->op].name);
}

void eval_gradient(const Evaluation *e)
{
    bug("%s is expanded before anything runs", op_info[e->node->op].name);
}

void eval_uniform(const Evaluation *e)
{
    uint32_t seed = (uint32_t)(int32_t)e->x[0][0], step = (uint32_t)(int32_t)e->x[1][0];
    uint32_t stream = (uint32_t)e->x[2][0];
    for (int64_t i = 0, count = count_of_result(e); i < count; i++)
        e->y[i] = (double)bits_uniform(seed, stream, step, (uint64_t)i);
}

void eval_reshape(const Evaluation *e)
{
    copy(e);
}

void eval_transpose(const Evaluation *e)
{
    int64_t stride[MAX_RANK];
    shape_strides(shape_of_operand(e, 0), stride);
    Walk walk = walk_over(shape_of_result(e), 0);
    for (int i = 0; i < walk.shape.rank; i++)
        walk.stride[i] = stride[e->node->attribute->axes.at[i]];
    read_along(e, walk);
}

void eval_broadcast(const Evaluation *e)
{
    const Axes *axes = &e->node->attribute->axes;
    int64_t stride[MAX_RANK];
    shape_strides(shape_of_operand(e, 0), stride);
    Walk walk = walk_over(shape_of_result(e), 0);
    for (int i = 0; i < axes->count; i++)
        walk.stride[axes->at[i]] = stride[i];
    read_along(e, walk);
}

void eval_slice(const Evaluation *e)
{
    const Slice *slice = &e->node->attribute->slice;
    int64_t stride[MAX_RANK];
    shape_strides(shape_of_operand(e, 0), stride);
    Walk walk = walk_over(shape_of_result(e), 0);
    for (int i = 0; i < walk.shape.rank; i++) {
        walk.at += slice->start[i] * stride[i];
        walk.stride[i] = slice->stride[i] * stride[i];
    }
    read_along(e, walk);
}

void eval_pad(const Evaluation *e)
{
    const Pad *pad = &e->node->attribute->pad;
    for (int64_t i = 0, count = count_of_result(e); i < count; i++)
        e->y[i] = pad->value;

    int64_t stride[MAX_RANK];
    shape_strides(shape_of_result(e), stride);
    Walk walk = walk_over(shape_of_operand(e, 0), 0);
    for (int i = 0; i < walk.shape.rank; i++) {
        walk.at += pad->low[i] * stride[i];
        walk.stride[i] = (pad->interior[i] + 1) * stride[i];
    }
    for (int64_t i = 0; walk.left > 0; i++, walk_on(&walk))
        e->y[walk.at] = e->x[0][i];
}

void eval_concat(const Evaluation *e)
{
    int axis = e->node->attribute->axis;
    int64_t stride[MAX_RANK], base = 0;
    shape_strides(shape_of_result(e), stride);
    for (uint32_t k = 0; k < e->node->argument_count; k++) {
        const Shape *part = shape_of_operand(e, (int)k);
        Walk walk = walk_over(part, base);
        memcpy(walk.stride, stride, sizeof stride);
        for (int64_t i = 0; walk.left > 0; i++, walk_on(&walk))
            e->y[walk.at] = e->x[k][i];
        base += part->extent[axis] * stride[axis];
    }
}

/* Over all windows of a tensor of shape `whole`: `at` is the element under a tap. */
static Walk walk_windows(const Windows *windows, const Shape *taken, const Shape *whole)
{
    int64_t stride[MAX_RANK];
    shape_strides(whole, stride);
    Walk walk = walk_over(taken, 0);
    memcpy(walk.stride, stride, sizeof stride);
    for (int k = 0; k < windows->count; k++) {
        int axis = windows->at[k].axis;
        walk.stride[axis] = windows->at[k].stride * stride[axis];
        walk.stride[whole->rank + k] = windows->at[k].dilation * stride[axis];
    }
    return walk;
}

void eval_window(const Evaluation *e)
{
    read_along(
        e, walk_windows(&e->node->attribute->windows, shape_of_result(e), shape_of_operand(e, 0)));
}

void eval_fold(const Evaluation *e)
{
    Walk walk =
        walk_windows(&e->node->attribute->windows, shape_of_operand(e, 0), shape_of_result(e));
    for (int64_t i = 0; walk.left > 0; i++, walk_on(&walk))
        e->y[walk.at] += e->x[0][i];
}

/* Over the operand of a reduction: `at` is the element of the result it goes into. */
static Walk walk_reduced(const Evaluation *e)
{
    const Axes *axes = &e->node->attribute->axes;
    int64_t stride[MAX_RANK];
    shape_strides(shape_of_result(e), stride);
    Walk walk = walk_over(shape_of_operand(e, 0), 0);
    for (int i = 0, reduced = 0, kept = 0; i < walk.shape.rank; i++) {
        if (reduced < axes->count && axes->at[reduced] == i)
            reduced++;
        else
            walk.stride[i] = stride[kept++];
    }
    return walk;
}

void eval_sum(const Evaluation *e)
{
    Walk walk = walk_reduced(e);
    for (int64_t i = 0; walk.left > 0; i++, walk_on(&walk))
        e->y[walk.at] += e->x[0][i];
}

static double lowest_of(Type type)
{
    if (type_is_float(type)) return -INFINITY;
    return type_info[type].class == CLASS_SIGNED ? -ldexp(1, 8 * type_info[type].bytes - 1) : 0;
}

void eval_reduce_max(const Evaluation *e)
{
    for (int64_t i = 0, count = count_of_result(e); i < count; i++)
        e->y[i] = lowest_of(e->node->type);
    Walk walk = walk_reduced(e);
    for (int64_t i = 0; walk.left > 0; i++, walk_on(&walk))
        e->y[walk.at] = op_evaluate(OP_max, e->y[walk.at], e->x[0][i]);
}

/* gather and scatter see three axes: those before `axis`, the indexed one, those behind it. */
typedef struct Indexed {
    int64_t before, extent, behind, count;
} Indexed;

static Indexed indexed_of(const Shape *whole, const Shape *index, int axis)
{
    Indexed it = {1, whole->extent[axis], 1, shape_elements(index)};
    for (int i = 0; i < whole->rank; i++) {
        if (i < axis) it.before *= whole->extent[i];
        if (i > axis) it.behind *= whole->extent[i];
    }
    return it;
}

void eval_gather(const Evaluation *e)
{
    Indexed it =
        indexed_of(shape_of_operand(e, 0), shape_of_operand(e, 1), e->node->attribute->axis);
    for (int64_t o = 0; o < it.before; o++)
        for (int64_t k = 0; k < it.count; k++) {
            double index = e->x[1][k];
            if (index < 0 || index >= (double)it.extent) continue;
            const double *from = e->x[0] + (o * it.extent + (int64_t)index) * it.behind;
            for (int64_t i = 0; i < it.behind; i++)
                e->y[(o * it.count + k) * it.behind + i] = from[i];
        }
}

void eval_scatter(const Evaluation *e)
{
    Indexed it = indexed_of(shape_of_result(e), shape_of_operand(e, 1), e->node->attribute->axis);
    for (int64_t o = 0; o < it.before; o++)
        for (int64_t k = 0; k < it.count; k++) {
            double index = e->x[1][k];
            if (index < 0 || index >= (double)it.extent) continue;
            double *to = e->y + (o * it.extent + (int64_t)index) * it.behind;
            for (int64_t i = 0; i < it.behind; i++)
                to[i] += e->x[0][(o * it.count + k) * it.behind + i];
        }
}

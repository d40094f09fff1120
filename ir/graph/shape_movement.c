/* Rules of the ops that move elements without computing. */
#include "ir/graph/shape_rule.h"

static bool add_overflows(int64_t a, int64_t b, int64_t *sum)
{
    return __builtin_add_overflow(a, b, sum);
}

static bool multiply_overflows(int64_t a, int64_t b, int64_t *product)
{
    return __builtin_mul_overflow(a, b, product);
}

const char *shape_rule_reshape(const Question *question)
{
    const TypedShape *x = &question->argument[0];
    const char *wrong = shape_take_given(question, x->type);
    if (wrong) return wrong;
    int64_t have = shape_elements(&x->shape), want = shape_elements(&question->given->shape);
    if (have != want)
        return shape_wrong(question, "the %lld elements of %s do not fill %s, which has %lld",
                           (long long)have, shape_text(question, &x->shape),
                           shape_text(question, &question->given->shape), (long long)want);
    return NULL;
}

const char *shape_rule_transpose(const Question *question)
{
    const TypedShape *x = &question->argument[0];
    const Axes *axes = &question->attribute->axes;
    if (axes->count != x->shape.rank)
        return shape_wrong(question, "%d axes are named, the operand has %d", axes->count,
                           x->shape.rank);

    uint32_t seen = 0;
    question->result->type = x->type;
    question->result->shape.rank = x->shape.rank;
    for (int i = 0; i < axes->count; i++) {
        int axis = axes->at[i];
        if (axis >= x->shape.rank)
            return shape_wrong(question, "there is no axis %d among %d", axis, x->shape.rank);
        if (seen >> axis & 1) return shape_wrong(question, "axis %d is named twice", axis);
        seen |= 1u << axis;
        question->result->shape.extent[i] = x->shape.extent[axis];
    }
    return NULL;
}

const char *shape_rule_broadcast(const Question *question)
{
    const TypedShape *x = &question->argument[0];
    const Axes *axes = &question->attribute->axes;
    const char *wrong = shape_take_given(question, x->type);
    if (wrong) return wrong;
    if (axes->count != x->shape.rank)
        return shape_wrong(question, "%d axes are named, the operand has %d", axes->count,
                           x->shape.rank);
    wrong = shape_check_axes(question, axes, question->given->shape.rank);
    for (int i = 0; i < axes->count && !wrong; i++) {
        int64_t have = x->shape.extent[i], want = question->given->shape.extent[axes->at[i]];
        if (have != want)
            wrong = shape_wrong(question, "axis %d has size %lld and cannot become axis %d of %s",
                                i, (long long)have, axes->at[i],
                                shape_text(question, &question->given->shape));
    }
    return wrong;
}

/* Whether start, start + stride, ... (count of them) are elements of an axis. */
static bool slice_fits(int64_t extent, int64_t start, int64_t stride, int64_t count)
{
    if (count == 0) return start >= -1 && start <= extent;
    int64_t way, last;
    if (multiply_overflows(count - 1, stride, &way) || add_overflows(start, way, &last))
        return false;
    return start >= 0 && start < extent && last >= 0 && last < extent;
}

const char *shape_rule_slice(const Question *question)
{
    const TypedShape *x = &question->argument[0];
    const Slice *slice = &question->attribute->slice;
    question->result->type = x->type;
    question->result->shape.rank = x->shape.rank;
    for (int i = 0; i < x->shape.rank; i++) {
        int64_t start = slice->start[i], stride = slice->stride[i], count = slice->extent[i];
        if (!stride) return shape_wrong(question, "the step along axis %d is 0", i);
        if (stride < -MAX_ELEMENTS || stride > MAX_ELEMENTS)
            return shape_wrong(question, "the step along axis %d is beyond any size", i);
        if (count < 0 || !slice_fits(x->shape.extent[i], start, stride, count))
            return shape_wrong(
                question, "%lld elements from %lld in steps of %lld leave axis %d of size %lld",
                (long long)count, (long long)start, (long long)stride, i,
                (long long)x->shape.extent[i]);
        question->result->shape.extent[i] = count;
    }
    return NULL;
}

const char *shape_rule_pad(const Question *question)
{
    const TypedShape *x = &question->argument[0];
    const Pad *pad = &question->attribute->pad;
    question->result->type = x->type;
    question->result->shape.rank = x->shape.rank;
    for (int i = 0; i < x->shape.rank; i++) {
        int64_t low = pad->low[i], interior = pad->interior[i], high = pad->high[i];
        if (low < 0 || interior < 0 || high < 0)
            return shape_wrong(question, "axis %d is padded by less than nothing", i);
        int64_t extent = x->shape.extent[i], gaps = extent > 1 ? extent - 1 : 0;
        if (multiply_overflows(gaps, interior, &gaps) || add_overflows(extent, gaps, &extent) ||
            add_overflows(extent, low, &extent) || add_overflows(extent, high, &extent))
            return shape_wrong(question, "axis %d is padded beyond any size", i);
        question->result->shape.extent[i] = extent;
    }
    return shape_check_number(question, x->type, pad->value);
}

const char *shape_rule_concat(const Question *question)
{
    if (!question->argument_count) return "there is nothing to join";
    const TypedShape *first = &question->argument[0];
    int axis = question->attribute->axis;
    if (axis < 0 || axis >= first->shape.rank)
        return shape_wrong(question, "there is no axis %d among %d", axis, first->shape.rank);

    *question->result = *first;
    for (uint32_t k = 1; k < question->argument_count; k++) {
        const TypedShape *next = &question->argument[k];
        if (next->type != first->type)
            return shape_wrong(question, "types %s and %s differ", type_info[first->type].name,
                               type_info[next->type].name);
        bool fits = next->shape.rank == first->shape.rank;
        for (int i = 0; i < first->shape.rank && fits; i++)
            fits = i == axis || next->shape.extent[i] == first->shape.extent[i];
        if (!fits)
            return shape_wrong(question, "shapes %s and %s differ in more than axis %d",
                               shape_text(question, &first->shape),
                               shape_text(question, &next->shape), axis);
        int64_t *extent = &question->result->shape.extent[axis];
        if (add_overflows(*extent, next->shape.extent[axis], extent))
            return "the result is beyond any size";
    }
    return NULL;
}

/* The shape of all windows over `shape`. */
static const char *windowed(const Question *question, const Shape *shape, Shape *result)
{
    const Windows *windows = &question->attribute->windows;
    if (!windows->count || windows->count > MAX_WINDOWS)
        return shape_wrong(question, "%d windows are not between 1 and %d", windows->count,
                           MAX_WINDOWS);
    if (shape->rank + windows->count > MAX_RANK)
        return shape_wrong(question, "%d axes are more than %d", shape->rank + windows->count,
                           MAX_RANK);

    *result = *shape;
    for (int i = 0; i < windows->count; i++) {
        int axis = windows->at[i].axis;
        int64_t size = windows->at[i].size, stride = windows->at[i].stride,
                dilation = windows->at[i].dilation;
        if (axis >= shape->rank)
            return shape_wrong(question, "there is no axis %d among %d", axis, shape->rank);
        if (i && axis <= windows->at[i - 1].axis) return "the axes of the windows do not ascend";
        if (size < 1 || stride < 1 || dilation < 1)
            return shape_wrong(
                question, "size, step and dilation of the window on axis %d are not all positive",
                axis);
        int64_t reach;
        if (stride > MAX_ELEMENTS || dilation > MAX_ELEMENTS ||
            multiply_overflows(size - 1, dilation, &reach))
            return shape_wrong(question, "the window on axis %d is beyond any size", axis);
        int64_t extent = shape->extent[axis];
        result->extent[axis] = extent > reach ? (extent - reach - 1) / stride + 1 : 0;
        result->extent[result->rank++] = size;
    }
    return NULL;
}

const char *shape_rule_window(const Question *question)
{
    question->result->type = question->argument[0].type;
    return windowed(question, &question->argument[0].shape, &question->result->shape);
}

const char *shape_rule_fold(const Question *question)
{
    const TypedShape *x = &question->argument[0];
    const char *wrong = shape_check_numeric(question, x);
    if (!wrong) wrong = shape_take_given(question, x->type);
    Shape expected;
    if (!wrong) wrong = windowed(question, &question->result->shape, &expected);
    if (wrong || shape_same(&expected, &x->shape)) return wrong;
    return shape_wrong(question, "the windows of %s have shape %s, not %s",
                       shape_text(question, &question->result->shape),
                       shape_text(question, &expected), shape_text(question, &x->shape));
}

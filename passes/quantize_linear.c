#include "passes/quantize_linear.h"

#include "ir/graph/build.h"

Linear linear_of(Value base, Value factor, Axes axes)
{
    return (Linear){.terms = 1, .base = {base}, .factor = {factor}, .axes = axes};
}

static bool same_axes(Axes a, Axes b)
{
    return a.count == b.count && (!a.count || a.at[0] == b.at[0]);
}

static Shape shape_of_axes(const Graph *graph, const Linear *y, Axes axes)
{
    Shape shape = {.rank = axes.count, .extent = {0}};
    if (axes.count) shape.extent[0] = graph_shape(graph, y->base[0])->extent[axes.at[0]];
    return shape;
}

static Value spread(Graph *graph, const Linear *y, Value x, Axes from, Axes to)
{
    if (same_axes(from, to) || !x.id) return x;
    return ir_broadcast(graph, x, (Axes){0}, shape_of_axes(graph, y, to));
}

/* Gives y, and what is to be combined with it, the axes of both. */
static bool agree(Graph *graph, Linear *y, Value *x, Axes axes)
{
    if (!y->terms || axes.count > 1) return false;
    if (y->axes.count && axes.count && !same_axes(y->axes, axes)) return false;
    Axes both = y->axes.count ? y->axes : axes;
    *x = spread(graph, y, *x, axes, both);
    for (int i = 0; i < y->terms; i++)
        y->factor[i] = spread(graph, y, y->factor[i], y->axes, both);
    y->addend = spread(graph, y, y->addend, y->axes, both);
    y->axes = both;
    return true;
}

bool linear_multiply(Graph *graph, Linear *y, Value x, Axes axes)
{
    if (!agree(graph, y, &x, axes)) return false;
    for (int i = 0; i < y->terms; i++)
        y->factor[i] = ir_mul(graph, y->factor[i], x);
    if (y->addend.id) y->addend = ir_mul(graph, y->addend, x);
    return true;
}

bool linear_divide(Graph *graph, Linear *y, Value x, Axes axes)
{
    if (!agree(graph, y, &x, axes)) return false;
    for (int i = 0; i < y->terms; i++)
        y->factor[i] = ir_div(graph, y->factor[i], x);
    if (y->addend.id) y->addend = ir_div(graph, y->addend, x);
    return true;
}

bool linear_add(Graph *graph, Linear *y, Value x, Axes axes)
{
    if (!agree(graph, y, &x, axes)) return false;
    y->addend = y->addend.id ? ir_add(graph, y->addend, x) : x;
    return true;
}

bool linear_subtract(Graph *graph, Linear *y, Value x, Axes axes)
{
    if (!agree(graph, y, &x, axes)) return false;
    y->addend = y->addend.id ? ir_sub(graph, y->addend, x) : ir_neg(graph, x);
    return true;
}

bool linear_join(Graph *graph, Linear *y, const Linear *x)
{
    if (!y->terms || !x->terms || y->terms + x->terms > 2) return false;
    Linear other = *x;
    Value nothing = {0};
    if (!agree(graph, y, &nothing, other.axes) || !agree(graph, &other, &nothing, y->axes))
        return false;
    y->base[1] = other.base[0];
    y->factor[1] = other.factor[0];
    y->terms = 2;
    if (!other.addend.id) return true;
    y->addend = y->addend.id ? ir_add(graph, y->addend, other.addend) : other.addend;
    return true;
}

Value linear_value(Graph *graph, const Linear *y)
{
    const Shape shape = *graph_shape(graph, y->base[0]);
    Value sum = {0};
    for (int i = 0; i < y->terms; i++) {
        Value factor = ir_broadcast(graph, y->factor[i], y->axes, shape);
        Value term = ir_mul(graph, y->base[i], factor);
        sum = i ? ir_add(graph, sum, term) : term;
    }
    if (!y->addend.id) return sum;
    return ir_add(graph, sum, ir_broadcast(graph, y->addend, y->axes, shape));
}

/* Reductions.  Everything is made of sum and reduce_max. */
#include "frontend/builtins.h"

#include <math.h>

typedef struct Reduction {
    Value x;
    Axes axes;
    Shape kept;    /* of the result with the axes left at size 1 */
    int64_t count; /* elements behind each result */
    bool keep;
} Reduction;

static bool take(Elaborator *e, Call *call, Reduction *r)
{
    if (call->argument[1].kind == DATUM_tensor && (call->name[0] == 'm' && call->name[1] != 'e')) {
        elaborate_error(e, call->at, "`%s` of two tensors", call->name);
        elaborate_hint(e, "element by element that is %simum(x, y)", call->name);
        return false;
    }
    if (!want_tensor(e, call, 0, &r->x) || !want_axes(e, call, 1, r->x, &r->axes)) return false;
    if (!want_bool(e, call, 2, &r->keep)) return false;
    r->kept = *tensor_shape(e, r->x);
    r->count = 1;
    for (int i = 0; i < r->axes.count; i++) {
        r->count *= r->kept.extent[r->axes.at[i]];
        r->kept.extent[r->axes.at[i]] = 1;
    }
    return true;
}

static Value finish(Elaborator *e, const Reduction *r, Value y)
{
    return r->keep ? tensor_reshape(e, y, r->kept) : y;
}

static Value number_of_bool(Elaborator *e, Value x, Type type)
{
    return tensor_type(e, x) == TYPE_bool ? tensor_cast(e, x, type) : x;
}

Datum builtin_sum(Elaborator *e, Call *call)
{
    Reduction r;
    if (!take(e, call, &r)) return POISON;
    Value x = number_of_bool(e, r.x, TYPE_i32);
    return tensor_datum(finish(e, &r, tensor_reduce(e, OP_sum, x, r.axes)));
}

static bool want_float(Elaborator *e, const Call *call, Value x)
{
    if (type_is_float(tensor_type(e, x))) return true;
    const char *is = elaborate_type(e, x);
    elaborate_error(e, call->argument_at[0], "`%s` works on floats, and this is %s", call->name,
                    is);
    elaborate_hint(e, "convert it: cast(x, f32)");
    return false;
}

static Value mean_of(Elaborator *e, const Reduction *r, Value x, int64_t correction)
{
    Value sum = tensor_reduce(e, OP_sum, x, r->axes);
    return tensor_with(e, OP_div, sum, (double)(r->count - correction));
}

Datum builtin_mean(Elaborator *e, Call *call)
{
    Reduction r;
    if (!take(e, call, &r)) return POISON;
    bool share = tensor_type(e, r.x) == TYPE_bool;
    Value x = number_of_bool(e, r.x, TYPE_f32);
    if (!want_float(e, call, x)) return POISON;
    Datum mean = tensor_datum(finish(e, &r, mean_of(e, &r, x, 0)));
    mean.is_share = share;
    return mean;
}

Datum builtin_var(Elaborator *e, Call *call)
{
    Reduction r;
    int64_t correction;
    if (!take(e, call, &r) || !want_float(e, call, r.x)) return POISON;
    if (!want_integer(e, call, 3, 0, r.count - 1, &correction)) return POISON;
    Value mean = tensor_reshape(e, mean_of(e, &r, r.x, 0), r.kept);
    Value wide = mean.id ? tensor_broadcast(e, mean, *tensor_shape(e, r.x)) : mean;
    Value centered = tensor_binary(e, OP_sub, r.x, wide);
    Value square = tensor_binary(e, OP_mul, centered, centered);
    return tensor_datum(finish(e, &r, mean_of(e, &r, square, correction)));
}

static bool want_order(Elaborator *e, const Call *call, Value x)
{
    if (tensor_type(e, x) != TYPE_bool) return true;
    const char *is = elaborate_type(e, x);
    elaborate_error(e, call->argument_at[0], "`%s` works on numbers, and this is %s", call->name,
                    is);
    elaborate_hint(e, "convert it: cast(x, i32)");
    return false;
}

static Value smallest(Elaborator *e, Value x, Axes axes)
{
    Value negative = tensor_unary(e, OP_neg, x);
    Value largest = tensor_reduce(e, OP_reduce_max, negative, axes);
    return tensor_unary(e, OP_neg, largest);
}

Datum builtin_max(Elaborator *e, Call *call)
{
    Reduction r;
    if (!take(e, call, &r) || !want_order(e, call, r.x)) return POISON;
    return tensor_datum(finish(e, &r, tensor_reduce(e, OP_reduce_max, r.x, r.axes)));
}

Datum builtin_min(Elaborator *e, Call *call)
{
    Reduction r;
    if (!take(e, call, &r) || !want_order(e, call, r.x)) return POISON;
    return tensor_datum(finish(e, &r, smallest(e, r.x, r.axes)));
}

/* The smallest index whose element equals the extremum; where none does (NaN), the last. */
static Datum index_of(Elaborator *e, Call *call, bool largest)
{
    Value x;
    int axis;
    if (!want_tensor(e, call, 0, &x) || !want_axis(e, call, 1, x, 0, &axis) ||
        !want_order(e, call, x))
        return POISON;
    Shape shape = *tensor_shape(e, x), kept = shape;
    kept.extent[axis] = 1;
    Axes axes = {.count = 1, .at = {(uint8_t)axis}};
    Value extreme = largest ? tensor_reduce(e, OP_reduce_max, x, axes) : smallest(e, x, axes);
    extreme = tensor_broadcast(e, tensor_reshape(e, extreme, kept), shape);
    Value equal = tensor_binary(e, OP_equal, x, extreme);
    Value place = tensor_iota(e, TYPE_i32, shape, axis);
    Value nowhere = tensor_constant(e, TYPE_i32, shape, (double)(shape.extent[axis] - 1));
    Value candidate = tensor_select(e, equal, place, nowhere);
    return tensor_datum(smallest(e, candidate, axes));
}

Datum builtin_argmax(Elaborator *e, Call *call)
{
    return index_of(e, call, true);
}

Datum builtin_argmin(Elaborator *e, Call *call)
{
    return index_of(e, call, false);
}

/* A product with the triangle of ones. */
Datum builtin_cumsum(Elaborator *e, Call *call)
{
    Value x;
    int axis;
    if (!want_tensor(e, call, 0, &x) || !want_axis(e, call, 1, x, 0, &axis)) return POISON;
    Shape shape = *tensor_shape(e, x),
          square = shape_of(2, (int64_t[]){shape.extent[axis], shape.extent[axis]});
    Value to = tensor_iota(e, TYPE_i32, square, 0), from = tensor_iota(e, TYPE_i32, square, 1);
    Value triangle = tensor_cast(e, tensor_binary(e, OP_less_equal, from, to), tensor_type(e, x));
    Indices indices = {.b = "zy"};
    for (int i = 0; i < shape.rank; i++) {
        indices.a[i] = (char)(i == axis ? 'y' : 'a' + i);
        indices.y[i] = (char)(i == axis ? 'z' : 'a' + i);
    }
    return tensor_datum(tensor_dot(e, x, triangle, &indices));
}

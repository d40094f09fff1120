/* New tensors: constants, random numbers; and indexing by tensors. */
#include "frontend/builtins.h"
#include "ir/graph/build.h"

#include <math.h>

static Datum filled(Elaborator *e, const Call *call, int shape_at, double number)
{
    Shape shape;
    Type type;
    if (!want_shape(e, call, shape_at, &shape) || !want_type(e, call, shape_at + 1, &type))
        return POISON;
    if (call->argument[shape_at].kind == DATUM_none && e->implied) type = e->implied_type;
    return tensor_datum(tensor_constant(e, type, shape, number));
}

Datum builtin_zeros(Elaborator *e, Call *call)
{
    return filled(e, call, 0, 0);
}

Datum builtin_ones(Elaborator *e, Call *call)
{
    return filled(e, call, 0, 1);
}

Datum builtin_full(Elaborator *e, Call *call)
{
    double number;
    return want_number(e, call, 0, &number) ? filled(e, call, 1, number) : POISON;
}

Datum builtin_iota(Elaborator *e, Call *call)
{
    int64_t count;
    Type type;
    if (!want_integer(e, call, 0, 1, INT32_MAX, &count) || !want_type(e, call, 1, &type))
        return POISON;
    return tensor_datum(tensor_iota(e, type, shape_of(1, &count), 0));
}

/* The numbers of a list, or of a list of lists and so on. */
static bool collect(Elaborator *e, const Datum *d, int depth, Shape *shape, double **to, Span at)
{
    if (d->kind == DATUM_number && depth == shape->rank) {
        *(*to)++ = d->number;
        return true;
    }
    bool list = d->kind == DATUM_list || d->kind == DATUM_range;
    if (!list || depth >= shape->rank || static_count(d) != shape->extent[depth]) {
        elaborate_error(e, at, "`tensor` wants a list of numbers, or of lists of equal length");
        return false;
    }
    for (uint32_t i = 0; i < static_count(d); i++) {
        Datum element = static_element(d, i);
        if (!collect(e, &element, depth + 1, shape, to, at)) return false;
    }
    return true;
}

Datum builtin_tensor(Elaborator *e, Call *call)
{
    Type type;
    if (!want_type(e, call, 1, &type)) return POISON;
    Shape shape = {0};
    int64_t elements = 1;
    Datum d = call->argument[0];
    while ((d.kind == DATUM_list || d.kind == DATUM_range) && static_count(&d) &&
           shape.rank < MAX_RANK) {
        shape.extent[shape.rank++] = static_count(&d);
        elements *= static_count(&d);
        d = static_element(&d, 0);
        if (elements > STATIC_MAX_COUNT) break;
    }
    if (shape.rank == 0 || elements > STATIC_MAX_COUNT) {
        elaborate_error(e, call->argument_at[0], "`tensor` wants a list of numbers, and this is %s",
                        elaborate_describe(e, &call->argument[0]));
        return POISON;
    }
    double *number = arena_array(e->arena, double, elements), *to = number;
    if (!collect(e, &call->argument[0], 0, &shape, &to, call->argument_at[0])) return POISON;
    Table table = {(uint32_t)elements, number};
    TypedShape given = {type, shape};
    return tensor_datum(tensor_add(e, OP_table, 0, NULL, &(Attribute){.table = table}, &given));
}

/* ---- random ---- */

/* x * scale + offset with static numbers or scalar tensors. */
static Datum scaled(Elaborator *e, const Call *call, Value x, Datum scale, Datum offset)
{
    Datum y = elaborate_binary(e, "*", tensor_datum(x), scale, call->at);
    if (offset.kind == DATUM_number && offset.number == 0) return y;
    return elaborate_binary(e, "+", y, offset, call->at);
}

Datum builtin_uniform(Elaborator *e, Call *call)
{
    Shape shape;
    if (!want_shape(e, call, 2, &shape)) return POISON;
    Datum low = call->argument[0];
    Datum width = elaborate_binary(e, "-", call->argument[1], low, call->at);
    if (width.kind == DATUM_poison) return POISON;
    Value u = elaborate_uniform(e, &shape);
    if (width.kind == DATUM_number && width.number == 1 && low.kind == DATUM_number &&
        low.number == 0)
        return tensor_datum(u);
    return scaled(e, call, u, width, low);
}

/* Box and Muller 1958.  1 - u lies in (0, 1], so the logarithm is finite. */
Datum builtin_normal(Elaborator *e, Call *call)
{
    Shape shape;
    if (!want_shape(e, call, 2, &shape)) return POISON;
    Value u = elaborate_uniform(e, &shape);
    Value angle = elaborate_uniform(e, &shape);
    Value one = tensor_like(e, u, 1);
    Value radius = tensor_unary(e, OP_log, tensor_binary(e, OP_sub, one, u));
    radius = tensor_unary(e, OP_sqrt, tensor_with(e, OP_mul, radius, -2));
    Value direction = tensor_unary(e, OP_cos, tensor_with(e, OP_mul, angle, 2 * M_PI));
    Value z = tensor_binary(e, OP_mul, radius, direction);
    return scaled(e, call, z, call->argument[1], call->argument[0]);
}

/* ---- indexing by tensors ---- */

static bool want_index(Elaborator *e, const Call *call, int i, Value *out)
{
    int64_t whole;
    if (static_as_integer(&call->argument[i], &whole)) {
        *out = tensor_constant(e, TYPE_i32, (Shape){0}, (double)whole);
        return out->id != 0;
    }
    if (!want_tensor(e, call, i, out)) return false;
    if (type_is_integer(tensor_type(e, *out))) return true;
    const char *is = elaborate_type(e, *out);
    elaborate_error(e, call->argument_at[i], "`%s` wants integers here, and this is %s", call->name,
                    is);
    elaborate_hint(e, "convert them: cast(x, i32)");
    return false;
}

/* iota(T) as an index is known: it must stay inside. */
static bool index_inside(Elaborator *e, const Call *call, Value index, int64_t extent)
{
    const Node *n = graph_node(e->graph, index);
    if (n->op != OP_iota) return true;
    int64_t count = graph_shape(e->graph, index)->extent[n->attribute->axis];
    if (count <= extent) return true;
    elaborate_error(e, call->at, "`%s`: indices go up to %lld, and there are %lld elements",
                    call->name, (long long)count - 1, (long long)extent);
    return false;
}

Datum builtin_gather(Elaborator *e, Call *call)
{
    Value x, index;
    int axis;
    if (!want_tensor(e, call, 0, &x) || !want_index(e, call, 1, &index)) return POISON;
    if (!want_axis(e, call, 2, x, 0, &axis)) return POISON;
    int64_t extent = tensor_shape(e, x)->extent[axis];
    if (!index_inside(e, call, index, extent)) return POISON;
    builtin_bound(e, index, extent, call->at);
    return tensor_datum(tensor_gather(e, x, index, axis));
}

/* index == 0, 1, ... along a new last axis: bool. */
static Value hot(Elaborator *e, const Call *call, Value index, int64_t classes)
{
    Shape shape = *tensor_shape(e, index);
    if (shape.rank == MAX_RANK) {
        elaborate_error(e, call->at, "`%s` of %s: there is no room for another axis", call->name,
                        elaborate_type(e, index));
        return (Value){0};
    }
    Shape wide = shape_insert(shape, shape.rank, 1);
    Value column = tensor_reshape(e, index, wide);
    wide.extent[wide.rank - 1] = classes;
    Value across = tensor_iota(e, tensor_type(e, index), wide, wide.rank - 1);
    builtin_bound(e, index, classes, call->at);
    return tensor_binary(e, OP_equal, tensor_broadcast(e, column, wide), across);
}

Datum builtin_one_hot(Elaborator *e, Call *call)
{
    Value index;
    int64_t classes;
    Type type;
    if (!want_index(e, call, 0, &index) || !want_integer(e, call, 1, 1, INT32_MAX, &classes))
        return POISON;
    if (!want_type(e, call, 2, &type)) return POISON;
    Value equal = hot(e, call, index, classes);
    return tensor_datum(tensor_cast(e, equal, type));
}

Datum builtin_pick(Elaborator *e, Call *call)
{
    Value x, index;
    if (!want_tensor(e, call, 0, &x) || !want_index(e, call, 1, &index)) return POISON;
    Shape shape = *tensor_shape(e, x), rows = shape;
    if (shape.rank) rows = shape_remove(shape, shape.rank - 1);
    if (!shape.rank || !shape_same(&rows, tensor_shape(e, index))) {
        const char *first = elaborate_type(e, x), *second = elaborate_type(e, index);
        elaborate_error(
            e, call->at,
            "`pick` of %s by %s: an index for each row is needed, all axes but the last", first,
            second);
        return POISON;
    }
    Value equal = hot(e, call, index, shape.extent[shape.rank - 1]);
    Value zero = tensor_like(e, x, 0);
    Value chosen = tensor_select(e, equal, x, zero);
    return tensor_datum(tensor_reduce(e, OP_sum, chosen, axes_range(shape.rank - 1, 1)));
}

Datum builtin_check(Elaborator *e, Call *call)
{
    const Datum *condition = &call->argument[0], *message = &call->argument[1],
                *values = &call->argument[2];
    if (condition->kind != DATUM_bool) {
        elaborate_error(e, call->argument_at[0],
                        "`check` wants a condition known at compile time, and this is %s",
                        elaborate_describe(e, condition));
        return POISON;
    }
    if (condition->number != 0) return static_none();
    bool told = message->kind == DATUM_text;
    Text text = {.arena = e->arena};
    text_add(&text, "%s", told ? message->text : "this check does not hold");
    const char *leads = values->count == 1 ? ", and this is " : ", and these are ";
    for (uint32_t i = 0; values->kind == DATUM_list && i < values->count; i++)
        text_add(&text, "%s%s", i ? " and " : leads, elaborate_describe(e, &values->element[i]));
    elaborate_error(e, call->at, "%s", text_done(&text));
    if (e->frame->function) {
        e->frame->returned = true;
        e->frame->result = POISON;
    }
    return POISON;
}

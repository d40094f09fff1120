/* Shapes and movement. */
#include "frontend/builtins.h"

Datum builtin_shape(Elaborator *e, Call *call)
{
    const Datum *x = &call->argument[0];
    if (x->kind == DATUM_tensor) return static_shape(e->arena, tensor_shape(e, x->value));
    if (x->kind == DATUM_number) return static_shape(e->arena, &(Shape){0});
    Shape shape;
    if (x->kind == DATUM_none)
        return want_shape(e, call, 0, &shape) ? static_shape(e->arena, &shape) : POISON;
    Value value;
    want_tensor(e, call, 0, &value);
    return POISON;
}

Datum builtin_rank(Elaborator *e, Call *call)
{
    Value x;
    return want_tensor(e, call, 0, &x) ? static_integer(tensor_shape(e, x)->rank) : POISON;
}

Datum builtin_len(Elaborator *e, Call *call)
{
    const Datum *list = &call->argument[0];
    if (list->kind == DATUM_list || list->kind == DATUM_range)
        return static_integer(static_count(list));
    elaborate_error(e, call->argument_at[0], "`len` counts the elements of a list, and this is %s",
                    elaborate_describe(e, list));
    if (list->kind == DATUM_tensor) elaborate_hint(e, "the sizes of a tensor: shape(x)");
    return POISON;
}

Datum builtin_each(Elaborator *e, Call *call)
{
    int64_t count;
    if (!want_integer(e, call, 1, 0, 1000, &count)) return POISON;
    const Datum *value = &call->argument[0];
    if (value->kind != DATUM_list && value->kind != DATUM_range) {
        Datum *element = arena_array(e->arena, Datum, count);
        for (int64_t i = 0; i < count; i++)
            element[i] = *value;
        return (Datum){.kind = DATUM_list, .count = (uint32_t)count, .element = element};
    }
    if (static_count(value) == count) return *value;
    elaborate_error(e, call->argument_at[0], "%lld numbers are needed here, and %s has %u",
                    (long long)count, elaborate_describe(e, value), static_count(value));
    return POISON;
}

/* The size that -1 stands for. */
static bool complete(Elaborator *e, const Call *call, Value x, int count, int64_t *extent)
{
    int64_t elements = shape_elements(tensor_shape(e, x)), known = 1;
    int open = -1;
    for (int i = 0; i < count; i++) {
        if (extent[i] == -1 && open < 0) {
            open = i;
        } else if (extent[i] < 1) {
            elaborate_error(e, call->argument_at[1],
                            "a size is at least 1, or -1 once for what is left");
            return false;
        } else if (extent[i] > MAX_ELEMENTS || known > MAX_ELEMENTS / extent[i]) {
            known = MAX_ELEMENTS + 1;
            break;
        } else {
            known *= extent[i];
        }
    }
    if (open >= 0 && known <= elements && elements % known == 0)
        extent[open] = elements / known;
    else if (open >= 0 || known != elements) {
        Text text = {.arena = e->arena};
        static_print(&text, &call->argument[1]);
        elaborate_error(e, call->at, "`reshape` of %s to %s: %lld elements do not fill it",
                        elaborate_type(e, x), text_done(&text), (long long)elements);
        return false;
    }
    return true;
}

Datum builtin_reshape(Elaborator *e, Call *call)
{
    Value x;
    int64_t extent[MAX_RANK];
    int count;
    if (!want_tensor(e, call, 0, &x)) return POISON;
    if (!elaborate_integers(e, &call->argument[1], call->argument_at[1], "a shape", MAX_RANK,
                            extent, &count))
        return POISON;
    if (!complete(e, call, x, count, extent)) return POISON;
    return tensor_datum(tensor_reshape(e, x, shape_of(count, extent)));
}

static bool permutation(Elaborator *e, const Call *call, Value x, Axes *axes)
{
    int rank = tensor_shape(e, x)->rank, count;
    int64_t axis[MAX_RANK];
    if (!elaborate_integers(e, &call->argument[1], call->argument_at[1], "axes", MAX_RANK, axis,
                            &count))
        return false;
    bool seen[MAX_RANK] = {false}, right = count == rank;
    axes->count = (uint8_t)rank;
    for (int i = 0; right && i < rank; i++) {
        int64_t from = axis[i] < 0 ? axis[i] + rank : axis[i];
        right = from >= 0 && from < rank && !seen[from];
        if (!right) break;
        seen[from] = true;
        axes->at[i] = (uint8_t)from;
    }
    if (right) return true;
    elaborate_error(e, call->argument_at[1],
                    "`transpose` of %s wants each of its %d axes once, and this is %s",
                    elaborate_type(e, x), rank, elaborate_describe(e, &call->argument[1]));
    return false;
}

Datum builtin_transpose(Elaborator *e, Call *call)
{
    Value x;
    if (!want_tensor(e, call, 0, &x)) return POISON;
    int rank = tensor_shape(e, x)->rank;
    Axes axes = {.count = (uint8_t)rank};
    for (int i = 0; i < rank; i++)
        axes.at[i] = (uint8_t)i;
    if (call->argument[1].kind != DATUM_none) {
        if (!permutation(e, call, x, &axes)) return POISON;
    } else if (rank < 2) {
        elaborate_error(e, call->at, "`transpose` exchanges two axes, and this is %s",
                        elaborate_type(e, x));
        return POISON;
    } else {
        axes.at[rank - 2] = (uint8_t)(rank - 1);
        axes.at[rank - 1] = (uint8_t)(rank - 2);
    }
    return tensor_datum(tensor_transpose(e, x, axes));
}

Datum builtin_flatten(Elaborator *e, Call *call)
{
    Value x;
    int from;
    if (!want_tensor(e, call, 0, &x) || !want_axis(e, call, 1, x, 1, &from)) return POISON;
    Shape shape = *tensor_shape(e, x), flat = {0};
    int64_t joined = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (i < from)
            flat.extent[flat.rank++] = shape.extent[i];
        else
            joined *= shape.extent[i];
    }
    if (flat.rank == MAX_RANK) return call->argument[0];
    flat.extent[flat.rank++] = joined;
    return tensor_datum(tensor_reshape(e, x, flat));
}

Datum builtin_squeeze(Elaborator *e, Call *call)
{
    Value x;
    int axis;
    if (!want_tensor(e, call, 0, &x) || !want_axis(e, call, 1, x, 0, &axis)) return POISON;
    Shape shape = *tensor_shape(e, x);
    if (shape.extent[axis] != 1) {
        elaborate_error(e, call->at, "`squeeze` drops an axis of size 1, and axis %d of %s is not",
                        axis, elaborate_type(e, x));
        return POISON;
    }
    return tensor_datum(tensor_reshape(e, x, shape_remove(shape, axis)));
}

static bool has_room(Elaborator *e, const Call *call, Value x)
{
    if (tensor_shape(e, x)->rank < MAX_RANK) return true;
    elaborate_error(e, call->at, "`%s`: %s has %d axes already, the most there can be", call->name,
                    elaborate_type(e, x), MAX_RANK);
    return false;
}

Datum builtin_expand(Elaborator *e, Call *call)
{
    Value x;
    int axis;
    if (!want_tensor(e, call, 0, &x) || !want_axis(e, call, 1, x, 1, &axis) ||
        !has_room(e, call, x))
        return POISON;
    return tensor_datum(tensor_reshape(e, x, shape_insert(*tensor_shape(e, x), axis, 1)));
}

Datum builtin_broadcast(Elaborator *e, Call *call)
{
    Value x;
    Shape shape;
    if (!want_tensor(e, call, 0, &x) || !want_shape(e, call, 1, &shape)) return POISON;
    Shape from = *tensor_shape(e, x);
    bool right = from.rank <= shape.rank;
    for (int i = 0; right && i < from.rank; i++)
        right = from.extent[i] == 1 || from.extent[i] == shape.extent[i + shape.rank - from.rank];
    if (right) return tensor_datum(tensor_broadcast(e, x, shape));
    elaborate_error(e, call->at,
                    "`broadcast` of %s to %s: axes align at the end, and only sizes of 1 stretch",
                    elaborate_type(e, x), elaborate_describe(e, &call->argument[1]));
    return POISON;
}

/* The tensors of a list. */
static Value *want_tensors(Elaborator *e, const Call *call, int i, uint32_t *count)
{
    const Datum *list = &call->argument[i];
    *count = list->kind == DATUM_list ? list->count : 0;
    Value *x = arena_array(e->arena, Value, *count);
    bool right = *count > 0;
    for (uint32_t k = 0; k < *count && right; k++) {
        x[k] = list->element[k].value;
        right = list->element[k].kind == DATUM_tensor;
    }
    if (right) return x;
    elaborate_error(e, call->argument_at[i], "`%s` wants a list of tensors, [a, b], and this is %s",
                    call->name, elaborate_describe(e, list));
    return NULL;
}

Datum builtin_concat(Elaborator *e, Call *call)
{
    uint32_t count;
    int axis;
    Value *x = want_tensors(e, call, 0, &count);
    if (!x || !want_axis(e, call, 1, x[0], 0, &axis)) return POISON;
    return tensor_datum(tensor_concat(e, count, x, axis));
}

Datum builtin_stack(Elaborator *e, Call *call)
{
    uint32_t count;
    int axis;
    Value *x = want_tensors(e, call, 0, &count);
    if (!x || !want_axis(e, call, 1, x[0], 1, &axis) || !has_room(e, call, x[0])) return POISON;
    Shape shape = *tensor_shape(e, x[0]);
    for (uint32_t i = 0; i < count; i++) {
        if (shape_same(tensor_shape(e, x[i]), &shape)) continue;
        const char *first = elaborate_type(e, x[0]), *other = elaborate_type(e, x[i]);
        elaborate_error(e, call->at, "`stack` of %s and %s: the shapes differ", first, other);
        return POISON;
    }
    for (uint32_t i = 0; i < count; i++)
        x[i] = tensor_reshape(e, x[i], shape_insert(shape, axis, 1));
    return tensor_datum(tensor_concat(e, count, x, axis));
}

static Value part_of(Elaborator *e, Value x, int axis, int64_t start, int64_t stride,
                     int64_t extent)
{
    Shape shape = *tensor_shape(e, x);
    Slice slice = {0};
    for (int i = 0; i < shape.rank; i++) {
        slice.stride[i] = 1;
        slice.extent[i] = shape.extent[i];
    }
    slice.start[axis] = start;
    slice.stride[axis] = stride;
    slice.extent[axis] = extent;
    return tensor_slice(e, x, &slice);
}

Datum builtin_split(Elaborator *e, Call *call)
{
    Value x;
    int axis;
    if (!want_tensor(e, call, 0, &x) || !want_axis(e, call, 2, x, 0, &axis)) return POISON;
    int64_t whole = tensor_shape(e, x)->extent[axis], parts = 0, sum = 0;
    const Datum *given = &call->argument[1];
    bool equal = static_as_integer(given, &parts);
    if (!equal) parts = static_count(given);
    bool right = parts >= 1 && parts <= whole && (!equal || whole % parts == 0);

    Datum *element = arena_array(e->arena, Datum, right ? parts : 0);
    for (int64_t i = 0; right && i < parts; i++) {
        int64_t size = equal ? whole / parts : 0;
        if (!equal) {
            Datum d = static_element(given, (uint32_t)i);
            right = static_as_integer(&d, &size) && size >= 1 && size <= whole - sum;
        }
        if (!right) break;
        element[i] = tensor_datum(part_of(e, x, axis, sum, 1, size));
        sum += size;
    }
    if (right && sum == whole)
        return (Datum){.kind = DATUM_list, .count = (uint32_t)parts, .element = element};
    elaborate_error(e, call->at, "`split` of %s along axis %d into %s: %lld does not divide so",
                    elaborate_type(e, x), axis, elaborate_describe(e, given), (long long)whole);
    return POISON;
}

Datum builtin_flip(Elaborator *e, Call *call)
{
    Value x;
    int axis;
    if (!want_tensor(e, call, 0, &x) || !want_axis(e, call, 1, x, 0, &axis)) return POISON;
    int64_t extent = tensor_shape(e, x)->extent[axis];
    return extent == 1 ? tensor_datum(x)
                       : tensor_datum(part_of(e, x, axis, extent - 1, -1, extent));
}

Datum builtin_pad(Elaborator *e, Call *call)
{
    Value x;
    Pad pad = {0};
    if (!want_tensor(e, call, 0, &x)) return POISON;
    int rank = tensor_shape(e, x)->rank;
    if (!want_each(e, call, 1, rank, 0, pad.low) || !want_each(e, call, 2, rank, 0, pad.high))
        return POISON;
    if (!want_number(e, call, 3, &pad.value)) return POISON;
    return tensor_datum(tensor_pad(e, x, &pad));
}

Datum builtin_window(Elaborator *e, Call *call)
{
    Value x;
    int axis;
    Windows w = {.count = 1};
    if (!want_tensor(e, call, 0, &x) || !want_axis(e, call, 1, x, 0, &axis)) return POISON;
    w.at[0].axis = (uint8_t)axis;
    if (!want_integer(e, call, 2, 1, INT32_MAX, &w.at[0].size)) return POISON;
    if (!want_integer(e, call, 3, 1, INT32_MAX, &w.at[0].stride)) return POISON;
    if (!want_integer(e, call, 4, 1, INT32_MAX, &w.at[0].dilation)) return POISON;
    int64_t reach = (w.at[0].size - 1) * w.at[0].dilation + 1;
    if (reach > tensor_shape(e, x)->extent[axis]) {
        elaborate_error(e, call->at, "a window of %lld is larger than axis %d of %s",
                        (long long)reach, axis, elaborate_type(e, x));
        return POISON;
    }
    return tensor_datum(tensor_window(e, x, &w));
}

/* Subscripts: x[1], x[-1], x[:, 2:5], x[::-1] of tensors; one subscript of lists. */
#include "frontend/elaborate.h"

typedef struct Range {
    int64_t start, stride, count;
    bool single; /* the axis disappears */
} Range;

static bool whole(Elaborator *e, const Ast *ast, int64_t *out)
{
    Datum d = elaborate_expression(e, ast);
    if (d.kind == DATUM_poison) return false;
    if (static_as_integer(&d, out)) return true;

    elaborate_error(e, ast->at,
                    "a subscript is a whole number known at compile time, and this is %s",
                    elaborate_describe(e, &d));
    if (d.kind == DATUM_tensor)
        elaborate_hint(e, "rows chosen by a tensor: gather(x, index, axis: 0)");
    return false;
}

static int64_t clipped(int64_t i, int64_t low, int64_t high)
{
    return i < low ? low : i > high ? high : i;
}

static bool span_range(Elaborator *e, const Ast *ast, int64_t extent, Range *out)
{
    int64_t step = 1;
    if (ast->child[2] && !whole(e, ast->child[2], &step)) return false;
    if (step == 0) {
        elaborate_error(e, ast->child[2]->at, "the step of a subscript cannot be 0");
        return false;
    }
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
    int64_t from = step > 0 ? low : high, to = step > 0 ? high : low;
    for (int i = 0; i < 2; i++) {
        int64_t bound;
        if (!ast->child[i]) continue;
        if (!whole(e, ast->child[i], &bound)) return false;
        bound = clipped(bound < 0 ? bound + extent : bound, low, high);
        *(i == 0 ? &from : &to) = bound;
    }
    int64_t distance = step > 0 ? to - from : from - to, stride = step > 0 ? step : -step;
    *out = (Range){from, step, distance > 0 ? (distance - 1) / stride + 1 : 0, false};
    return true;
}

static bool subscript(Elaborator *e, const Ast *ast, int64_t extent, const char *of, Range *out)
{
    if (ast->kind == AST_span) return span_range(e, ast, extent, out);

    int64_t i;
    if (!whole(e, ast, &i)) return false;
    if (i < -extent || i >= extent) {
        elaborate_error(e, ast->at, "there is no element %lld in %s: valid are %lld to %lld",
                        (long long)i, of, (long long)-extent, (long long)extent - 1);
        return false;
    }
    *out = (Range){i < 0 ? i + extent : i, 1, 1, true};
    return true;
}

static Datum index_list(Elaborator *e, const Ast *ast, const Datum *list)
{
    if (ast->count != 2) {
        elaborate_error(e, ast->at, "a list has one axis, and this has %u subscripts",
                        ast->count - 1);
        return POISON;
    }
    Range range;
    if (!subscript(e, ast->child[1], static_count(list), elaborate_describe(e, list), &range))
        return POISON;
    if (range.single) return static_element(list, (uint32_t)range.start);

    Datum *element = arena_array(e->arena, Datum, range.count);
    for (int64_t i = 0; i < range.count; i++)
        element[i] = static_element(list, (uint32_t)(range.start + i * range.stride));
    return (Datum){.kind = DATUM_list, .count = (uint32_t)range.count, .element = element};
}

static Datum index_tensor(Elaborator *e, const Ast *ast, Value x)
{
    Shape shape = *tensor_shape(e, x), result = {0};
    if (ast->count - 1 > shape.rank) {
        elaborate_error(e, ast->at, "%u subscripts for %s", ast->count - 1, elaborate_type(e, x));
        return POISON;
    }
    Slice slice = {0};
    for (int axis = 0; axis < shape.rank; axis++) {
        Range range = {0, 1, shape.extent[axis], false};
        if (axis + 1 < (int)ast->count) {
            const char *of = elaborate_shape(e, tensor_type(e, x), &shape);
            if (!subscript(e, ast->child[axis + 1], shape.extent[axis], of, &range)) return POISON;
        }
        slice.start[axis] = range.count ? range.start : 0;
        slice.stride[axis] = range.count > 1 ? range.stride : 1;
        slice.extent[axis] = range.count;
        if (!range.single) result.extent[result.rank++] = range.count;
    }
    elaborate_at(e, ast->at);
    e->doing = "[]";
    Value y = tensor_slice(e, x, &slice);
    return tensor_datum(tensor_reshape(e, y, result));
}

Datum elaborate_index(Elaborator *e, const Ast *ast)
{
    Datum value = elaborate_expression(e, ast->child[0]);
    if (value.kind == DATUM_poison) return value;
    if (value.kind == DATUM_list || value.kind == DATUM_range) return index_list(e, ast, &value);
    if (value.kind == DATUM_tensor) return index_tensor(e, ast, value.value);

    elaborate_error(e, ast->at, "only tensors and lists have elements, and this is %s",
                    static_kind(&value));
    return POISON;
}

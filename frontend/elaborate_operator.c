/* Operators and elementwise functions on any operands: numbers take the tensor's type, shapes broadcast as in NumPy,
 * and what mixes types is told how to cast. */
#include "frontend/elaborate.h"

#include <math.h>

static bool fits(Type type, double number)
{
    switch (type_info[type].class) {
    case CLASS_FLOAT: return true;
    case CLASS_LOGIC: return number == 0 || number == 1;
    case CLASS_SIGNED:
        return number == floor(number) && fabs(number) <= ldexp(1, type_info[type].bytes * 8 - 1);
    case CLASS_UNSIGNED:
        return number == floor(number) && number >= 0 &&
               number < ldexp(1, type_info[type].bytes * 8);
    }
    return false;
}

/* A static number beside a tensor of `type`. */
static Value constant_of(Elaborator *e, const char *what, const Datum *datum, Value beside,
                         Type type, Span at)
{
    bool is_bool = datum->kind == DATUM_bool;
    if (datum->kind != DATUM_number && !is_bool) {
        const char *kind = static_kind(datum);
        elaborate_error(e, at, "`%s` of %s and %s", what,
                        beside.id ? elaborate_type(e, beside) : "a tensor", kind);
        if (datum->kind == DATUM_list)
            elaborate_hint(e, "tensor(list) makes a tensor of a list of numbers");
        return (Value){0};
    }
    if (is_bool == (type == TYPE_bool) && fits(type, datum->number))
        return tensor_constant(e, type, (Shape){0}, datum->number);

    const char *with = beside.id ? elaborate_type(e, beside) : type_info[type].name;
    elaborate_error(e, at, "`%s` of %s and the %s %s: it does not fit the type", what, with,
                    is_bool ? "bool" : "number", elaborate_describe(e, datum));
    if (is_bool)
        elaborate_hint(e, "numbers are compared and computed with 0 and 1");
    else if (type == TYPE_bool)
        elaborate_hint(e, "true and false go with bools; cast(x, f32) makes numbers of them");
    else
        elaborate_hint(e, "convert the tensor first: cast(x, f32)");
    return (Value){0};
}

static bool broadcast_shape(Elaborator *e, const char *what, int count, const Value *x, Span at,
                            Shape *out)
{
    Shape shape = {0};
    for (int i = 0; i < count; i++)
        if (tensor_shape(e, x[i])->rank > shape.rank) shape.rank = tensor_shape(e, x[i])->rank;

    for (int axis = 0; axis < shape.rank; axis++) {
        int64_t extent = 1;
        for (int i = 0; i < count; i++) {
            const Shape *s = tensor_shape(e, x[i]);
            int own = axis - (shape.rank - s->rank);
            if (own < 0 || s->extent[own] == 1 || s->extent[own] == extent) continue;
            if (extent == 1) {
                extent = s->extent[own];
                continue;
            }
            Text text = {.arena = e->arena};
            for (int k = 0; k < count; k++)
                text_add(&text, "%s%s",
                         k == 0           ? ""
                         : k == count - 1 ? " and "
                                          : ", ",
                         elaborate_type(e, x[k]));
            elaborate_error(e, at, "`%s` of %s: sizes %lld and %lld differ", what, text_done(&text),
                            (long long)extent, (long long)s->extent[own]);
            elaborate_hint(e, "axes are aligned at the end; a size of 1 stretches: reshape to put "
                              "it where it belongs");
            return false;
        }
        shape.extent[axis] = extent;
    }
    *out = shape;
    return true;
}

static bool mixes(Elaborator *e, const char *what, Value a, Value b, Span at)
{
    Type s = tensor_type(e, a), t = tensor_type(e, b);
    if (s == t) return false;

    const char *first = elaborate_type(e, a), *second = elaborate_type(e, b);
    elaborate_error(e, at, "`%s` of %s and %s: the types differ", what, first, second);
    Type to = type_is_float(s) ? s : type_is_float(t) ? t : s == TYPE_bool ? t : s;
    elaborate_hint(e, "convert the %s: cast(x, %s)", to == s ? "second" : "first",
                   type_info[to].name);
    return true;
}

bool elaborate_unify(Elaborator *e, const char *what, int count, const Datum *datum, Span at,
                     Value *out)
{
    Value beside = {0};
    for (int i = 0; i < count; i++) {
        if (datum[i].kind == DATUM_poison) return false;
        if (datum[i].kind != DATUM_tensor) continue;
        if (beside.id && mixes(e, what, beside, datum[i].value, at)) return false;
        if (!beside.id) beside = datum[i].value;
    }
    Type type = beside.id ? tensor_type(e, beside) : TYPE_f32;
    if (!beside.id && datum[0].kind == DATUM_bool) type = TYPE_bool;
    for (int i = 0; i < count; i++) {
        out[i] = datum[i].kind == DATUM_tensor ? datum[i].value
                                               : constant_of(e, what, &datum[i], beside, type, at);
        if (!out[i].id) return false;
    }
    Shape shape;
    if (!broadcast_shape(e, what, count, out, at, &shape)) return false;
    for (int i = 0; i < count; i++) {
        out[i] = tensor_broadcast(e, out[i], shape);
        if (!out[i].id) return false;
    }
    return true;
}

static bool suits(Elaborator *e, Op op, const char *what, Value x, Span at)
{
    Type type = tensor_type(e, x);
    const char *needs = NULL;
    switch (op_info[op].types) {
    case TYPES_number: needs = type == TYPE_bool ? "numbers" : NULL; break;
    case TYPES_real: needs = type_is_float(type) ? NULL : "floats"; break;
    case TYPES_logic: needs = type == TYPE_bool ? NULL : "bools"; break;
    case TYPES_compare: break;
    }
    if (!needs) return true;

    const char *is = elaborate_type(e, x);
    elaborate_error(e, at, "`%s` works on %s, and this is %s", what, needs, is);
    if (op_info[op].types == TYPES_logic)
        elaborate_hint(e, "compare to get a bool: x != 0");
    else
        elaborate_hint(e, "convert it: cast(x, f32)");
    return false;
}

Datum elaborate_elementwise(Elaborator *e, Op op, const char *what, Datum a, Datum b, Span at)
{
    if (a.kind == DATUM_poison || b.kind == DATUM_poison) return POISON;
    Value x[2];
    elaborate_at(e, at);
    if (!elaborate_unify(e, what, 2, (Datum[]){a, b}, at, x)) return POISON;
    if (!suits(e, op, what, x[0], at)) return POISON;
    return tensor_datum(tensor_binary(e, op, x[0], x[1]));
}

Datum elaborate_math(Elaborator *e, Op op, const char *what, Datum a, Span at)
{
    if (a.kind == DATUM_poison) return POISON;
    if (a.kind == DATUM_number && op_info[op].types != TYPES_logic) {
        double y = op_evaluate(op, a.number, 0);
        if (isnan(y) || isinf(y)) {
            Text text = {.arena = e->arena};
            text_number(&text, a.number);
            elaborate_error(e, at, "`%s` has no value at %s", what, text_done(&text));
            return POISON;
        }
        bool whole = op == OP_floor || op == OP_round || op == OP_sign ||
                     (a.is_integer && op_info[op].types == TYPES_number);
        return whole && fabs(y) < 1e15 ? static_integer((int64_t)y) : static_number(y);
    }
    if (a.kind != DATUM_tensor) {
        elaborate_error(e, at, "`%s` applies to tensors and numbers, and this is %s", what,
                        static_kind(&a));
        return POISON;
    }
    elaborate_at(e, at);
    if (!suits(e, op, what, a.value, at)) return POISON;
    return tensor_datum(tensor_unary(e, op, a.value));
}

/* Small powers as products: exact for negative bases, and without log in the gradient. */
static Datum power(Elaborator *e, Datum a, Datum b, Span at)
{
    if (a.kind != DATUM_tensor || b.kind != DATUM_number)
        return elaborate_elementwise(e, OP_pow, "**", a, b, at);

    double n = b.number;
    Value x = a.value;
    if (n == 1) return a;
    if (n == 0.5) return elaborate_math(e, OP_sqrt, "**", a, at);
    if (n == -1) return elaborate_elementwise(e, OP_div, "**", static_integer(1), a, at);
    if (n != 2 && n != 3 && n != 4) return elaborate_elementwise(e, OP_pow, "**", a, b, at);
    if (!suits(e, OP_mul, "**", x, at)) return POISON;
    Value square = tensor_binary(e, OP_mul, x, x);
    if (n == 2) return tensor_datum(square);
    return tensor_datum(tensor_binary(e, OP_mul, square, n == 3 ? x : square));
}

static Datum negated(Elaborator *e, Datum a)
{
    return a.kind == DATUM_poison ? a : tensor_datum(tensor_unary(e, OP_not, a.value));
}

static Datum tensor_operator(Elaborator *e, const char *o, Datum a, Datum b, Span at)
{
    switch (o[0]) {
    case '+': return elaborate_elementwise(e, OP_add, o, a, b, at);
    case '-': return elaborate_elementwise(e, OP_sub, o, a, b, at);
    case '*': return o[1] ? power(e, a, b, at) : elaborate_elementwise(e, OP_mul, o, a, b, at);
    case '/': return elaborate_elementwise(e, OP_div, o, a, b, at);
    case '%': return elaborate_elementwise(e, OP_rem, o, a, b, at);
    case '=': return elaborate_elementwise(e, OP_equal, o, a, b, at);
    case '!': return negated(e, elaborate_elementwise(e, OP_equal, o, a, b, at));
    case '<': return elaborate_elementwise(e, o[1] ? OP_less_equal : OP_less, o, a, b, at);
    case '>': return elaborate_elementwise(e, o[1] ? OP_less_equal : OP_less, o, b, a, at);
    case 'a': return elaborate_elementwise(e, OP_and, o, a, b, at);
    default: return elaborate_elementwise(e, OP_or, o, a, b, at);
    }
}

Datum elaborate_binary(Elaborator *e, const char *operation, Datum a, Datum b, Span at)
{
    if (a.kind == DATUM_poison || b.kind == DATUM_poison) return POISON;
    elaborate_at(e, at);
    e->doing = operation;
    if (a.kind == DATUM_tensor || b.kind == DATUM_tensor) {
        const Datum *other = a.kind == DATUM_tensor ? &b : &a;
        bool equality = strcmp(operation, "==") == 0 || strcmp(operation, "!=") == 0;
        if (equality && other->kind == DATUM_none) return static_bool(operation[0] == '!');
        return tensor_operator(e, operation, a, b, at);
    }

    Datum result = POISON;
    const char *why = static_binary(operation, &a, &b, e->arena, &result);
    if (!why) return result;
    elaborate_error(e, at, "%s", why);
    return POISON;
}

Datum elaborate_unary(Elaborator *e, const char *operation, Datum a, Span at)
{
    if (a.kind == DATUM_poison) return POISON;
    if (a.kind == DATUM_tensor)
        return elaborate_math(e, operation[0] == '-' ? OP_neg : OP_not, operation, a, at);

    Datum result = POISON;
    const char *why = static_unary(operation, &a, &result);
    if (!why) return result;
    elaborate_error(e, at, "%s, and this is %s", why, static_kind(&a));
    return POISON;
}

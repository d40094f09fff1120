/* Arithmetic on what is known while elaborating.  Numbers are doubles that remember whether they are whole by
 * construction; whole numbers stay exact up to 2^53, and a result beyond that is an error, not a rounding. */
#include "frontend/static.h"

#include <math.h>

#define EXACT 9007199254740992.0 /* 2^53 */

Datum static_none(void)
{
    return (Datum){.kind = DATUM_none};
}

Datum static_integer(int64_t number)
{
    return (Datum){.kind = DATUM_number, .number = (double)number, .is_integer = true};
}

Datum static_number(double number)
{
    return (Datum){.kind = DATUM_number, .number = number};
}

Datum static_bool(bool value)
{
    return (Datum){.kind = DATUM_bool, .number = value};
}

Datum static_shape(Arena *arena, const Shape *shape)
{
    Datum *element = arena_array(arena, Datum, shape->rank);
    for (int i = 0; i < shape->rank; i++)
        element[i] = static_integer(shape->extent[i]);
    return (Datum){.kind = DATUM_list, .count = shape->rank, .element = element};
}

uint32_t static_count(const Datum *datum)
{
    if (datum->kind == DATUM_list) return datum->count;
    if (datum->kind != DATUM_range || datum->to <= datum->from) return 0;
    return (uint32_t)(datum->to - datum->from);
}

Datum static_element(const Datum *datum, uint32_t i)
{
    return datum->kind == DATUM_list ? datum->element[i] : static_integer(datum->from + i);
}

static bool is_sequence(const Datum *d)
{
    return d->kind == DATUM_list || d->kind == DATUM_range;
}

bool static_same(const Datum *a, const Datum *b)
{
    if (is_sequence(a) && is_sequence(b)) {
        if (static_count(a) != static_count(b)) return false;
        for (uint32_t i = 0; i < static_count(a); i++) {
            Datum x = static_element(a, i), y = static_element(b, i);
            if (!static_same(&x, &y)) return false;
        }
        return true;
    }
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case DATUM_poison:
    case DATUM_none: return true;
    case DATUM_number:
    case DATUM_bool: return a->number == b->number;
    case DATUM_text: return strcmp(a->text, b->text) == 0;
    case DATUM_type: return a->type == b->type;
    case DATUM_function: return a->function == b->function;
    case DATUM_builtin: return a->builtin == b->builtin;
    case DATUM_thunk: return a->ast == b->ast && a->frame == b->frame;
    case DATUM_tensor: return value_same(a->value, b->value);
    case DATUM_list:
    case DATUM_range: return false;
    }
    return false;
}

bool static_as_integer(const Datum *datum, int64_t *out)
{
    if (datum->kind != DATUM_number || datum->number != floor(datum->number)) return false;
    if (fabs(datum->number) > EXACT) return false;
    *out = (int64_t)datum->number;
    return true;
}

const char *static_kind(const Datum *datum)
{
    switch (datum->kind) {
    case DATUM_poison: return "an erroneous value";
    case DATUM_none: return "none";
    case DATUM_number: return "a number";
    case DATUM_bool: return "a bool";
    case DATUM_text: return "a text";
    case DATUM_type: return "a type";
    case DATUM_list: return "a list";
    case DATUM_range: return "a range";
    case DATUM_function:
    case DATUM_builtin: return "a function";
    case DATUM_thunk: return "an initializer";
    case DATUM_tensor: return "a tensor";
    }
    return "";
}

void static_print(Text *out, const Datum *datum)
{
    switch (datum->kind) {
    case DATUM_none: text_add(out, "none"); return;
    case DATUM_number: text_number(out, datum->number); return;
    case DATUM_bool: text_add(out, datum->number != 0 ? "true" : "false"); return;
    case DATUM_text: text_add(out, "\"%s\"", datum->text); return;
    case DATUM_type: text_add(out, "%s", type_info[datum->type].name); return;
    case DATUM_range:
        text_add(out, "%lld..%lld", (long long)datum->from, (long long)datum->to);
        return;
    case DATUM_list:
        text_add(out, "[");
        for (uint32_t i = 0; i < datum->count && i < 12; i++) {
            if (i) text_add(out, ", ");
            static_print(out, &datum->element[i]);
        }
        text_add(out, datum->count > 12 ? ", ...]" : "]");
        return;
    case DATUM_poison:
    case DATUM_function:
    case DATUM_builtin:
    case DATUM_thunk:
    case DATUM_tensor: text_add(out, "%s", static_kind(datum)); return;
    }
}

static const char *message(Arena *arena, const char *operation, const Datum *a, const Datum *b)
{
    Text text = {.arena = arena};
    text_add(&text, "`%s` does not apply to %s and %s", operation, static_kind(a), static_kind(b));
    return text_done(&text);
}

static const char *number_result(double number, bool is_integer, Datum *result)
{
    if (isnan(number)) return "the result is not a number";
    if (is_integer && fabs(number) > EXACT) return "the result is too large to be exact";
    *result = (Datum){.kind = DATUM_number, .number = number, .is_integer = is_integer};
    return NULL;
}

static const char *arithmetic(const char *operation, const Datum *a, const Datum *b, Datum *result)
{
    double x = a->number, y = b->number;
    bool whole = a->is_integer && b->is_integer;
    switch (operation[0]) {
    case '+': return number_result(x + y, whole, result);
    case '-': return number_result(x - y, whole, result);
    case '%':
        if (y == 0) return "division by zero";
        return number_result(x - y * floor(x / y), whole, result);
    case '/':
        if (y == 0) return "division by zero";
        return number_result(x / y, whole && floor(x / y) == x / y, result);
    default:
        if (operation[1] == '*') return number_result(pow(x, y), whole && y >= 0, result);
        return number_result(x * y, whole, result);
    }
}

static bool compare(const char *operation, double x, double y)
{
    if (operation[0] == '<') return operation[1] ? x <= y : x < y;
    return operation[1] ? x >= y : x > y;
}

static const char *concatenate(const Datum *a, const Datum *b, Arena *arena, Datum *result)
{
    uint32_t n = static_count(a), m = static_count(b);
    if ((uint64_t)n + m > STATIC_MAX_COUNT) return "the list grows beyond a million elements";

    Datum *element = arena_array(arena, Datum, n + m);
    for (uint32_t i = 0; i < n; i++)
        element[i] = static_element(a, i);
    for (uint32_t i = 0; i < m; i++)
        element[n + i] = static_element(b, i);
    *result = (Datum){.kind = DATUM_list, .count = n + m, .element = element};
    return NULL;
}

const char *static_binary(const char *operation, const Datum *a, const Datum *b, Arena *arena,
                          Datum *result)
{
    if (strcmp(operation, "==") == 0 || strcmp(operation, "!=") == 0) {
        *result = static_bool(static_same(a, b) == (operation[0] == '='));
        return NULL;
    }
    if (a->kind == DATUM_bool && b->kind == DATUM_bool &&
        (operation[0] == 'a' || operation[0] == 'o')) {
        bool both = a->number != 0 && b->number != 0, either = a->number != 0 || b->number != 0;
        *result = static_bool(operation[0] == 'a' ? both : either);
        return NULL;
    }
    if (is_sequence(a) && is_sequence(b) && operation[0] == '+')
        return concatenate(a, b, arena, result);
    if (a->kind != DATUM_number || b->kind != DATUM_number || operation[0] == 'a' ||
        operation[0] == 'o')
        return message(arena, operation, a, b);

    if (operation[0] == '<' || operation[0] == '>') {
        *result = static_bool(compare(operation, a->number, b->number));
        return NULL;
    }
    return arithmetic(operation, a, b, result);
}

const char *static_unary(const char *operation, const Datum *a, Datum *result)
{
    if (operation[0] == '-') {
        if (a->kind != DATUM_number) return "only numbers and tensors have a negative";
        *result = *a;
        result->number = a->number == 0 ? 0 : -a->number;
        return NULL;
    }
    if (a->kind != DATUM_bool) return "`not` applies to bools";
    *result = static_bool(a->number == 0);
    return NULL;
}

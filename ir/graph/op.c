#include "ir/graph/op.h"
#include "ir/base/boundary.h"
#include <math.h>
#include <string.h>

const TypeInfo type_info[TYPE_COUNT] = {
#define TYPE(name, bytes, class) [TYPE_##name] = {#name, bytes, CLASS_##class},
#include "ir/graph/types.def"
#undef TYPE
};

#define GRADIENT_yes true
#define GRADIENT_no  false

const OpInfo op_info[OP_COUNT] = {
#define UNARY(name, gradient, domain, types, meaning)                                              \
    [OP_##name] = {#name,           GRADIENT_##gradient, 1, ATTRIBUTE_none, ELEMENTWISE, true,     \
                   DOMAIN_##domain, TYPES_##types},
#define BINARY(name, gradient, domain, types, meaning)                                             \
    [OP_##name] = {#name,           GRADIENT_##gradient, 2, ATTRIBUTE_none, ELEMENTWISE, true,     \
                   DOMAIN_##domain, TYPES_##types},
#define OP(name, gradient, arguments, attribute, class, rule)                                      \
    [OP_##name] = {#name, GRADIENT_##gradient, arguments,   ATTRIBUTE_##attribute, class,          \
                   false, DOMAIN_any,          TYPES_number},
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
};

#define UNARY(name, gradient, domain, types, meaning)                                              \
    static double evaluate_##name(double x, double y)                                              \
    {                                                                                              \
        (void)y;                                                                                   \
        return meaning;                                                                            \
    }
#define BINARY(name, gradient, domain, types, meaning)                                             \
    static double evaluate_##name(double x, double y)                                              \
    {                                                                                              \
        return meaning;                                                                            \
    }
#define OP(...)
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP

typedef double Meaning(double x, double y);

static Meaning *const meaning_of[OP_COUNT] = {
#define UNARY(name, ...)  [OP_##name] = evaluate_##name,
#define BINARY(name, ...) [OP_##name] = evaluate_##name,
#define OP(...)
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
};

double op_evaluate(Op op, double x, double y)
{
    if (!meaning_of[op]) bug("%s is not elementwise", op_info[op].name);
    return meaning_of[op](x, y);
}

static bool spells(const char *word, const char *name, uint32_t length)
{
    return strlen(word) == length && memcmp(word, name, length) == 0;
}

Op op_named(const char *name, uint32_t length)
{
    for (Op op = OP_none + 1; op < OP_COUNT; op++)
        if (spells(op_info[op].name, name, length)) return op;
    return OP_none;
}

Type type_named(const char *name, uint32_t length)
{
    for (Type type = TYPE_none + 1; type < TYPE_COUNT; type++)
        if (spells(type_info[type].name, name, length)) return type;
    return TYPE_none;
}

bool type_is_float(Type type)
{
    return type_info[type].class == CLASS_FLOAT;
}

bool type_is_integer(Type type)
{
    return type_info[type].class == CLASS_SIGNED || type_info[type].class == CLASS_UNSIGNED;
}

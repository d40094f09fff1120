#include "ir/graph/shape.h"
#include "ir/base/boundary.h"
#include "ir/graph/shape_rule.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

int64_t shape_elements(const Shape *shape)
{
    int64_t elements = 1;
    for (int i = 0; i < shape->rank; i++)
        elements *= shape->extent[i];
    return elements;
}

bool shape_same(const Shape *a, const Shape *b)
{
    return a->rank == b->rank && memcmp(a->extent, b->extent, sizeof *a->extent * a->rank) == 0;
}

Shape shape_of(int rank, const int64_t *extent)
{
    if (rank < 0 || rank > MAX_RANK) bug("a shape of rank %d", rank);
    Shape shape = {.rank = (uint8_t)rank};
    for (int i = 0; i < rank; i++)
        shape.extent[i] = extent[i];
    return shape;
}

void shape_strides(const Shape *shape, int64_t stride[MAX_RANK])
{
    int64_t elements = 1;
    memset(stride, 0, sizeof *stride * MAX_RANK);
    for (int i = shape->rank - 1; i >= 0; i--) {
        stride[i] = elements;
        elements *= shape->extent[i];
    }
}

static void print_extents(Text *out, const Shape *shape)
{
    text_put(out, "[", 1);
    for (int i = 0; i < shape->rank; i++)
        text_add(out, "%s%lld", i ? ", " : "", (long long)shape->extent[i]);
    text_put(out, "]", 1);
}

void shape_print(Text *out, Type type, const Shape *shape)
{
    text_add(out, "%s", type_info[type].name);
    print_extents(out, shape);
}

const char *shape_text(const Question *question, const Shape *shape)
{
    Text text = {.arena = question->arena};
    print_extents(&text, shape);
    return text_done(&text);
}

const char *shape_wrong(const Question *question, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    char *message = arena_alloc(question->arena, (size_t)(length < 0 ? 0 : length) + 1);
    vsnprintf(message, (size_t)(length < 0 ? 0 : length) + 1, format, again);
    va_end(again);
    return message;
}

/* Extents of 0 count as 1: strides and byte counts of empty tensors stay small as well. */
static const char *check_shape(const Question *question, const Shape *shape)
{
    if (shape->rank > MAX_RANK)
        return shape_wrong(question, "%d axes are more than %d", shape->rank, MAX_RANK);
    int64_t elements = 1;
    for (int i = 0; i < shape->rank; i++) {
        int64_t extent = shape->extent[i];
        if (extent < 0)
            return shape_wrong(question, "axis %d has the negative size %lld", i,
                               (long long)extent);
        if (extent && (extent > MAX_ELEMENTS || elements > MAX_ELEMENTS / extent))
            return shape_wrong(question, "a tensor of shape %s has more than %lld elements",
                               shape_text(question, shape), (long long)MAX_ELEMENTS);
        elements *= extent ? extent : 1;
    }
    return NULL;
}

static const char *check_typed(const Question *question, const TypedShape *typed)
{
    if (typed->type <= TYPE_none || typed->type >= TYPE_COUNT) return "the element type is missing";
    return check_shape(question, &typed->shape);
}

const char *shape_take_given(const Question *question, Type type)
{
    if (!question->given) return "the shape of the result is missing";
    const char *wrong = check_shape(question, &question->given->shape);
    if (wrong) return wrong;
    Type given = question->given->type;
    if (given != TYPE_none && given != type)
        return given < TYPE_COUNT ? shape_wrong(question, "the result is %s, not %s",
                                                type_info[type].name, type_info[given].name)
                                  : "the element type is missing";
    question->result->type = type;
    question->result->shape = question->given->shape;
    return NULL;
}

const char *shape_check_axes(const Question *question, const Axes *axes, int rank)
{
    if (axes->count > MAX_RANK) return "too many axes";
    for (int i = 0; i < axes->count; i++) {
        if (axes->at[i] >= rank)
            return shape_wrong(question, "there is no axis %d among %d", axes->at[i], rank);
        if (i && axes->at[i] == axes->at[i - 1])
            return shape_wrong(question, "axis %d is named twice", axes->at[i]);
        if (i && axes->at[i] < axes->at[i - 1]) return "the axes do not ascend";
    }
    return NULL;
}

const char *shape_check_number(const Question *question, Type type, double number)
{
    int bits = 8 * type_info[type].bytes;
    bool holds = true;
    switch (type_info[type].class) {
    case CLASS_FLOAT: break;
    case CLASS_SIGNED: holds = number >= -ldexp(1, bits - 1) && number < ldexp(1, bits - 1); break;
    case CLASS_UNSIGNED: holds = number >= 0 && number < ldexp(1, bits); break;
    case CLASS_LOGIC: holds = number == 0 || number == 1; break;
    }
    if (holds && (type_is_float(type) || number == trunc(number))) return NULL;
    Text text = {.arena = question->arena};
    text_number(&text, number);
    return shape_wrong(question, "%s is not a value of %s", text_done(&text), type_info[type].name);
}

static const char *check_class(const Question *question, OpTypes types, const TypedShape *operand)
{
    TypeClass class = type_info[operand->type].class;
    const char *wanted = NULL;
    switch (types) {
    case TYPES_number: wanted = class == CLASS_LOGIC ? "numbers" : NULL; break;
    case TYPES_real: wanted = class == CLASS_FLOAT ? NULL : "floating-point numbers"; break;
    case TYPES_logic: wanted = class == CLASS_LOGIC ? NULL : "bool"; break;
    case TYPES_compare: break;
    }
    return wanted
               ? shape_wrong(question, "needs %s, not %s%s", wanted, type_info[operand->type].name,
                             shape_text(question, &operand->shape))
               : NULL;
}

static const char *check_same(const Question *question, const TypedShape *a, const TypedShape *b)
{
    if (a->type != b->type)
        return shape_wrong(question, "types %s and %s differ", type_info[a->type].name,
                           type_info[b->type].name);
    if (!shape_same(&a->shape, &b->shape))
        return shape_wrong(question, "shapes %s and %s differ", shape_text(question, &a->shape),
                           shape_text(question, &b->shape));
    return NULL;
}

const char *shape_check_numeric(const Question *question, const TypedShape *operand)
{
    return check_class(question, TYPES_number, operand);
}

const char *shape_rule_elementwise(const Question *question)
{
    const OpInfo *info = &op_info[question->op];
    const char *wrong = check_class(question, info->types, &question->argument[0]);
    if (!wrong && info->arguments == 2)
        wrong = check_same(question, &question->argument[0], &question->argument[1]);
    if (wrong) return wrong;
    *question->result = question->argument[0];
    if (info->types == TYPES_compare) question->result->type = TYPE_bool;
    return NULL;
}

const char *shape_rule_select(const Question *question)
{
    const TypedShape *condition = &question->argument[0], *then = &question->argument[1];
    if (condition->type != TYPE_bool)
        return shape_wrong(question, "the condition is %s, not bool",
                           type_info[condition->type].name);
    if (!shape_same(&condition->shape, &then->shape))
        return shape_wrong(question, "the condition has shape %s, the choices have %s",
                           shape_text(question, &condition->shape),
                           shape_text(question, &then->shape));
    *question->result = *then;
    return check_same(question, then, &question->argument[2]);
}

const char *shape_rule_cast(const Question *question)
{
    if (!question->given || question->given->type <= TYPE_none ||
        question->given->type >= TYPE_COUNT)
        return "the type to cast to is missing";
    *question->result = question->argument[0];
    question->result->type = question->given->type;
    return NULL;
}

const char *shape_rule_same(const Question *question)
{
    *question->result = question->argument[0];
    return NULL;
}

const char *shape_rule_given(const Question *question)
{
    if (!question->given) return "the type and shape are missing";
    const char *wrong = check_typed(question, question->given);
    if (wrong) return wrong;
    *question->result = *question->given;
    if (op_info[question->op].attribute == ATTRIBUTE_number)
        return shape_check_number(question, question->given->type, question->attribute->number);
    return question->attribute->name.id ? NULL : "the name is missing";
}

const char *shape_rule_table(const Question *question)
{
    if (!question->given) return "the type and shape are missing";
    const char *wrong = check_typed(question, question->given);
    if (wrong) return wrong;
    const Table *table = &question->attribute->table;
    int64_t elements = shape_elements(&question->given->shape);
    if (table->count != elements)
        return shape_wrong(question, "%u elements do not fill shape %s", table->count,
                           shape_text(question, &question->given->shape));
    for (uint32_t i = 0; i < table->count && !wrong; i++)
        wrong = shape_check_number(question, question->given->type, table->at[i]);
    *question->result = *question->given;
    return wrong;
}

const char *shape_rule_iota(const Question *question)
{
    if (!question->given) return "the type and shape are missing";
    const char *wrong = check_typed(question, question->given);
    if (!wrong) wrong = shape_check_numeric(question, question->given);
    if (wrong) return wrong;
    int axis = question->attribute->axis;
    if (axis < 0 || axis >= question->given->shape.rank)
        return shape_wrong(question, "there is no axis %d among %d", axis,
                           question->given->shape.rank);
    *question->result = *question->given;
    return NULL;
}

const char *shape_rule_uniform(const Question *question)
{
    static const struct {
        const char *name;
        Type type;
    } expected[] = {{"seed", TYPE_i32}, {"step", TYPE_i32}, {"stream", TYPE_u32}};
    for (int i = 0; i < 3; i++) {
        const TypedShape *argument = &question->argument[i];
        if (argument->type != expected[i].type || argument->shape.rank)
            return shape_wrong(question, "the %s is %s%s, not %s[]", expected[i].name,
                               type_info[argument->type].name,
                               shape_text(question, &argument->shape),
                               type_info[expected[i].type].name);
    }
    const char *wrong = shape_take_given(question, TYPE_f32);
    if (!wrong && shape_elements(&question->result->shape) > INT32_MAX)
        return shape_wrong(question, "more than 2^31 - 1 elements cannot be drawn");
    return wrong;
}

const char *shape_rule_reduce(const Question *question)
{
    const TypedShape *x = &question->argument[0];
    const Axes *axes = &question->attribute->axes;
    const char *wrong = shape_check_numeric(question, x);
    if (!wrong) wrong = shape_check_axes(question, axes, x->shape.rank);
    if (wrong) return wrong;

    Shape shape = {0};
    for (int i = 0, next = 0; i < x->shape.rank; i++) {
        if (next < axes->count && axes->at[next] == i)
            next++;
        else
            shape.extent[shape.rank++] = x->shape.extent[i];
    }
    *question->result = (TypedShape){x->type, shape};
    return NULL;
}

const char *shape_rule_gradient(const Question *question)
{
    const TypedShape *y = &question->argument[0], *x = &question->argument[1];
    if (y->shape.rank || !type_is_float(y->type))
        return shape_wrong(
            question, "the gradient of %s%s is asked for, which is not a floating-point scalar",
            type_info[y->type].name, shape_text(question, &y->shape));
    if (!type_is_float(x->type))
        return shape_wrong(question, "there is no gradient by %s", type_info[x->type].name);
    *question->result = *x;
    return NULL;
}

static ShapeRule *const rule_of[OP_COUNT] = {
#define UNARY(name, ...)                                      [OP_##name] = shape_rule_elementwise,
#define BINARY(name, ...)                                     [OP_##name] = shape_rule_elementwise,
#define OP(name, gradient, arguments, attribute, class, rule) [OP_##name] = shape_rule_##rule,
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
};

const char *shape_infer(Op op, uint32_t argument_count, const TypedShape *arguments,
                        const Attribute *attribute, const TypedShape *given, Arena *arena,
                        TypedShape *result)
{
    *result = (TypedShape){0};
    Question question = {op, argument_count, arguments, attribute, given, arena, result};
    if (op <= OP_none || op >= OP_COUNT) return "there is no such operation";
    int wanted = op_info[op].arguments;
    if (wanted != MANY && argument_count != (uint32_t)wanted)
        return shape_wrong(&question, "takes %d operand%s, not %u", wanted, wanted == 1 ? "" : "s",
                           argument_count);
    if (op_info[op].attribute != ATTRIBUTE_none && !attribute) return "the attribute is missing";

    const char *wrong = NULL;
    for (uint32_t i = 0; i < argument_count && !wrong; i++)
        wrong = check_typed(&question, &arguments[i]);
    if (!wrong) wrong = rule_of[op](&question);
    return wrong ? wrong : check_shape(&question, &result->shape);
}

/* The types that scalars take and give. */
#include "ir/base/boundary.h"
#include "ir/kernel/scalar.h"

static const ScalarNode *argument_of(const Kernel *kernel, const ScalarNode *node, int i)
{
    return &kernel->scalar.at[node->argument[i].id];
}

static bool has_types(const Kernel *kernel, const ScalarNode *node, Type first, Type second,
                      Type third, Type fourth)
{
    const Type type[SCALAR_ARGUMENTS] = {first, second, third, fourth};
    for (int i = 0; i < scalar_info[node->op].arguments; i++)
        if (argument_of(kernel, node, i)->type != type[i]) return false;
    return true;
}

/* Any number of arguments, all of one type. */
static bool has_all(const Kernel *kernel, const ScalarNode *node, Type type)
{
    return has_types(kernel, node, type, type, type, type);
}

static bool is_word(Type type)
{
    return type == TYPE_u32 || type == TYPE_i32;
}

/* Which types a row of the rule `same` is for. */
static const char *check_same(ScalarOp op, Type type)
{
    switch ((int)op) {
    case SCALAR_add:
    case SCALAR_sub:
    case SCALAR_mul:
    case SCALAR_div:
    case SCALAR_rem:
    case SCALAR_max:
    case SCALAR_min:
    case SCALAR_neg:
    case SCALAR_abs:
    case SCALAR_sign: return type == TYPE_bool ? "takes numbers" : NULL;
    case SCALAR_bit_and:
    case SCALAR_bit_or:
    case SCALAR_bit_xor:
    case SCALAR_shift_left:
    case SCALAR_shift_right: return is_word(type) ? NULL : "takes i32 or u32";
    case SCALAR_mul_high: return type == TYPE_u32 ? NULL : "takes u32";
    default: return type_is_float(type) ? NULL : "takes floats";
    }
}

static const char *check_special(const Kernel *kernel, const ScalarNode *node)
{
    Type first = argument_of(kernel, node, 0)->type;
    switch ((int)node->op) {
    case SCALAR_select:
        if (has_types(kernel, node, TYPE_bool, node->type, node->type, TYPE_none)) return NULL;
        return "takes a bool and two of its own type";
    case SCALAR_zero_unless:
        if (has_types(kernel, node, TYPE_bool, node->type, TYPE_none, TYPE_none)) return NULL;
        return "takes a bool and one of its own type";
    case SCALAR_bits:
        if ((first == TYPE_f32 || is_word(first)) &&
            (node->type == TYPE_f32 || is_word(node->type)))
            return NULL;
        return "is between f32, u32 and i32";
    case SCALAR_uniform:
        if (node->type == TYPE_f32 &&
            has_types(kernel, node, TYPE_i32, TYPE_i32, TYPE_u32, TYPE_i32))
            return NULL;
        return "takes seed, step i32, stream u32, element i32 and gives f32";
    case SCALAR_reduce:
        if (first != node->type) return "has the type of its body";
        return first == TYPE_bool && node->reduce == REDUCE_add ? "cannot add bools" : NULL;
    case SCALAR_load:
        return kernel->buffer.at[node->access->buffer].type == node->type ? NULL
                                                                          : "has its buffer's type";
    case SCALAR_index: return node->type == TYPE_i32 ? NULL : "is i32";
    case SCALAR_inside: return node->type == TYPE_bool ? NULL : "is bool";
    default: return NULL; /* cast, constant: any */
    }
}

const char *scalar_check(const Kernel *kernel, const ScalarNode *node)
{
    Type first = argument_of(kernel, node, 0)->type;
    switch (scalar_info[node->op].types) {
    case SCALAR_TYPES_same:
        if (!has_all(kernel, node, node->type)) return "takes what it gives";
        return check_same(node->op, node->type);
    case SCALAR_TYPES_compare:
        if (node->type == TYPE_bool && has_all(kernel, node, first)) return NULL;
        return "takes two of one type and gives bool";
    case SCALAR_TYPES_logic:
        if (node->type == TYPE_bool && has_all(kernel, node, TYPE_bool)) return NULL;
        return "takes and gives bool";
    case SCALAR_TYPES_special: return check_special(kernel, node);
    }
    unreachable("every row has a rule");
}

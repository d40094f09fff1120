#include "ir/kernel/fold.h"
#include "ir/base/boundary.h"
#include "ir/kernel/scalar.h"
#include <math.h>

static const ScalarNode *argument_of(const Kernel *kernel, const ScalarNode *node, int i)
{
    return &kernel->scalar.at[node->argument[i].id];
}

static bool is_number(const Kernel *kernel, Scalar scalar, double number)
{
    const ScalarNode *node = &kernel->scalar.at[scalar.id];
    return node->op == SCALAR_constant && node->number == number &&
           signbit(node->number) == signbit(number);
}

/* A constant that a double cannot hold (i64 beyond 2^53), or whose NaN's bits matter, is left to
 * run time. */
static Scalar fold_constants(Kernel *kernel, const ScalarNode *node)
{
    Number value[3] = {{0}};
    int count = scalar_info[node->op].arguments;
    for (int i = 0; i < count; i++) {
        const ScalarNode *of = argument_of(kernel, node, i);
        if (of->op != SCALAR_constant || (node->op == SCALAR_bits && isnan(of->number)))
            return (Scalar){0};
        if (fabs(of->number) >= 0x1p53 && of->type == TYPE_i64) return (Scalar){0};
        value[i] = number_of(of->type, of->number);
    }
    Type of = argument_of(kernel, node, count - 1)->type;
    Number result = scalar_evaluate(node->op, node->type, of, value);
    double number = number_value(node->type, result);
    if (node->op == SCALAR_bits && isnan(number)) return (Scalar){0};
    if (fabs(number) >= 0x1p53 && node->type == TYPE_i64) return (Scalar){0};
    return kernel_constant(kernel, node->type, number);
}

/* x + 0 is x for integers; for floats only x + -0, since -0 + 0 is 0. */
static Scalar fold_arithmetic(Kernel *kernel, const ScalarNode *node)
{
    Scalar x = node->argument[0], y = node->argument[1];
    bool is_integer = type_is_integer(node->type);
    double nothing = is_integer || node->op == SCALAR_sub ? 0.0 : -0.0;
    switch ((int)node->op) {
    case SCALAR_add:
        if (is_number(kernel, x, nothing)) return y;
        return is_number(kernel, y, nothing) ? x : (Scalar){0};
    case SCALAR_sub: return is_number(kernel, y, nothing) ? x : (Scalar){0};
    case SCALAR_mul:
        if (is_number(kernel, x, 1) || (is_integer && is_number(kernel, y, 0))) return y;
        if (is_number(kernel, y, 1) || (is_integer && is_number(kernel, x, 0))) return x;
        return (Scalar){0};
    case SCALAR_div: return is_number(kernel, y, 1) ? x : (Scalar){0};
    case SCALAR_max:
    case SCALAR_min: return x.id == y.id ? x : (Scalar){0};
    default: return (Scalar){0};
    }
}

static Scalar fold_logic(Kernel *kernel, const ScalarNode *node)
{
    Scalar x = node->argument[0], y = node->argument[1], z = node->argument[2];
    switch ((int)node->op) {
    case SCALAR_and:
        if (x.id == y.id || is_number(kernel, x, 1) || is_number(kernel, y, 0)) return y;
        return is_number(kernel, y, 1) || is_number(kernel, x, 0) ? x : (Scalar){0};
    case SCALAR_or:
        if (x.id == y.id || is_number(kernel, x, 0) || is_number(kernel, y, 1)) return y;
        return is_number(kernel, y, 0) || is_number(kernel, x, 1) ? x : (Scalar){0};
    case SCALAR_select:
        if (y.id == z.id || is_number(kernel, x, 1)) return y;
        return is_number(kernel, x, 0) ? z : (Scalar){0};
    case SCALAR_zero_unless: return is_number(kernel, x, 1) ? y : (Scalar){0};
    default: return (Scalar){0};
    }
}

/* neg(neg(x)), not(not(x)), there and back by bits or by a wider float. */
static Scalar fold_inverse(Kernel *kernel, const ScalarNode *node)
{
    const ScalarNode *of = argument_of(kernel, node, 0);
    if (node->op == SCALAR_cast || node->op == SCALAR_bits) {
        if (of->type == node->type) return node->argument[0];
        if (of->op != node->op || argument_of(kernel, of, 0)->type != node->type)
            return (Scalar){0};
        bool is_kept =
            node->op == SCALAR_bits || (of->type == TYPE_f32 && type_is_float(node->type));
        return is_kept ? of->argument[0] : (Scalar){0};
    }
    if ((node->op == SCALAR_neg || node->op == SCALAR_not) && of->op == node->op)
        return of->argument[0];
    return (Scalar){0};
}

Scalar scalar_fold(Kernel *kernel, const ScalarNode *node)
{
    if (scalar_info[node->op].is_math) return (Scalar){0};
    Scalar folded = fold_constants(kernel, node);
    if (!folded.id) folded = fold_arithmetic(kernel, node);
    if (!folded.id) folded = fold_logic(kernel, node);
    return folded.id ? folded : fold_inverse(kernel, node);
}

/* Constant folding.  A constant is one number everywhere, so that computing with constants is computing with numbers, and
 * moving one changes its shape at most. */
#include "passes/simplify.h"

#include "ir/base/bits.h"
#include "ir/base/boundary.h"
#include "ir/graph/build.h"
#include <math.h>

/* x modulo 2^bits, in the type's range. */
static double wrapped(Type type, double x)
{
    double size = ldexp(1, 8 * type_info[type].bytes);
    double low = type_info[type].class == CLASS_SIGNED ? -size / 2 : 0;
    if (!isfinite(x)) return 0;
    return x >= low && x < low + size ? x : x - size * floor((x - low) / size);
}

double simplify_round(Type type, double x)
{
    switch (type_info[type].class) {
    case CLASS_FLOAT:
        if (type == TYPE_bf16) return (double)bits_of_bf16(bits_bf16_of((float)x));
        if (type == TYPE_f16) return (double)bits_of_f16(bits_f16_of((float)x));
        return (double)(float)x;
    case CLASS_SIGNED:
    case CLASS_UNSIGNED: return wrapped(type, x);
    case CLASS_LOGIC: return x != 0;
    }
    unreachable("type class");
}

static double clamped(Type type, double x)
{
    int bits = 8 * type_info[type].bytes;
    bool is_signed = type_info[type].class == CLASS_SIGNED;
    double low = is_signed ? -ldexp(1, bits - 1) : 0;
    double high = ldexp(1, is_signed ? bits - 1 : bits) - 1;
    return isnan(x) ? 0 : fmin(fmax(trunc(x), low), high);
}

/* op(x, y, z) on elements of one type, before rounding to the result's. False where a double cannot hold it. */
static bool evaluate(const Node *node, Type operand, const double *number, double *result)
{
    switch ((int)node->op) {
    case OP_select: *result = number[0] != 0 ? number[1] : number[2]; return true;
    case OP_stop: *result = number[0]; return true;
    case OP_cast:
        *result = type_is_integer(node->type) ? clamped(node->type, number[0]) : number[0];
        return true;
    case OP_div:
        if (!type_is_integer(operand)) break;
        *result = number[1] == 0 ? 0 : floor(number[0] / number[1]);
        return true;
    case OP_rem:
        if (!type_is_integer(operand)) break;
        *result = number[1] == 0 ? 0 : number[0] - number[1] * floor(number[0] / number[1]);
        return true;
    }
    *result = op_evaluate(node->op, number[0], number[1]);
    return !type_is_integer(operand) || fabs(*result) <= 0x1p53;
}

static Value constant_like(Graph *graph, const Node *node, double number)
{
    return ir_constant(graph, node->type, graph->shape.at[node->shape],
                       simplify_round(node->type, number));
}

/* The numbers of all operands; false if one is no constant. */
static bool take_numbers(const Graph *graph, const Node *node, double *number)
{
    for (uint32_t i = 0; i < node->argument_count; i++)
        if (!graph_is_number(graph, node->argument[i], &number[i])) return false;
    return true;
}

static Value fold_elementwise(Graph *graph, const Node *node)
{
    double number[3] = {0}, result;
    if (take_numbers(graph, node, number) &&
        evaluate(node, graph_type(graph, node->argument[0]), number, &result))
        return constant_like(graph, node, result);

    bool turn = op_is_commutative(node->op) && graph_is_number(graph, node->argument[0], number) &&
                !graph_is_number(graph, node->argument[1], number);
    if (!turn) return (Value){0};
    return graph_add(graph, node->op, 2, (Value[]){node->argument[1], node->argument[0]}, NULL,
                     NULL);
}

/* A constant stays one wherever its elements go, unless something else is put between them. */
static Value fold_movement(Graph *graph, const Node *node)
{
    double first, number;
    if (!node->argument_count || !graph_is_number(graph, node->argument[0], &first))
        return (Value){0};
    for (uint32_t i = 1; i < node->argument_count; i++)
        if (!graph_is_number(graph, node->argument[i], &number) || number != first)
            return (Value){0};
    if (node->op == OP_pad && node->attribute->pad.value != first) return (Value){0};
    return constant_like(graph, node, first);
}

static Value fold_reduction(Graph *graph, const Node *node)
{
    double number;
    int64_t outputs = shape_elements(&graph->shape.at[node->shape]);
    if (node->op == OP_fold || !graph_is_number(graph, node->argument[0], &number))
        return (Value){0};
    int64_t count = shape_elements(graph_shape(graph, node->argument[0])) / outputs;
    if (!count) return (Value){0};
    double result = node->op == OP_sum ? number * (double)count : number;
    return constant_like(graph, node, result);
}

static Value fold_leaf(Graph *graph, const Node *node)
{
    if (node->op == OP_constant) {
        double number = node->attribute->number, round = simplify_round(node->type, number);
        bool is_held = round == number || isnan(number);
        return is_held ? (Value){0} : constant_like(graph, node, number);
    }
    if (node->op == OP_iota && graph->shape.at[node->shape].extent[node->attribute->axis] == 1)
        return constant_like(graph, node, 0);
    /* A table of rank 0 is a number that kernels are to load: see ir_uniform. */
    if (node->op != OP_table || graph->shape.at[node->shape].rank == 0) return (Value){0};
    const Table *table = &node->attribute->table;
    for (uint32_t i = 1; i < table->count; i++)
        if (memcmp(&table->at[i], &table->at[0], sizeof *table->at) != 0) return (Value){0};
    return table->count ? constant_like(graph, node, table->at[0]) : (Value){0};
}

/* Of a tensor without elements nothing is computed. */
static bool is_empty(const Graph *graph, const Node *node)
{
    return shape_elements(&graph->shape.at[node->shape]) == 0 && node->op != OP_constant &&
           node->op != OP_input && node->op != OP_read;
}

Value simplify_fold(Graph *graph, const Node *node)
{
    if (is_empty(graph, node)) return constant_like(graph, node, 0);
    switch (op_info[node->op].class) {
    case ELEMENTWISE: return fold_elementwise(graph, node);
    case LEAF: return fold_leaf(graph, node);
    case MOVEMENT: return fold_movement(graph, node);
    case REDUCTION: return fold_reduction(graph, node);
    case STATE:
    case RANDOM:
    case CONTRACTION:
    case INDEXING:
    case GRADIENT: return (Value){0};
    }
    unreachable("class");
}

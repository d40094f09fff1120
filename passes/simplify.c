/* The rows of simplify.def as data, and the builders and conditions of its elementwise rows. */
#include "passes/simplify.h"

#include "ir/graph/build.h"
#include "passes/pass.h"
#include <math.h>
#include <stdlib.h>

#define LETTER(name, at) (&(const Pattern){.kind = PATTERN_##name, .slot = (at)})
#define X                LETTER(value, 0)
#define Y                LETTER(value, 1)
#define Z                LETTER(value, 2)
#define W                LETTER(value, 3)
#define C                LETTER(constant, 4)
#define D                LETTER(constant, 5)
#define NUM(v)           (&(const Pattern){.kind = PATTERN_number, .number = (v)})
#define IS(...)          IS_(__VA_ARGS__, NULL)
#define IS_(name, ...)                                                                             \
    (&(const Pattern){.kind = PATTERN_op, .op = OP_##name, .argument = {__VA_ARGS__}})
#define ANY (&(const Pattern){.kind = PATTERN_op, .op = OP_none})

const Rule rewrite_rule[] = {
#define RULE(name, pattern, result)           {name, false, NULL, pattern, result, NULL},
#define LOOSE(name, pattern, result)          {name, true, NULL, pattern, result, NULL},
#define RULE_IF(name, when, pattern, result)  {name, false, when, pattern, result, NULL},
#define LOOSE_IF(name, when, pattern, result) {name, true, when, pattern, result, NULL},
#define RULE_FN(name, pattern, function)      {name, false, NULL, pattern, NULL, function},
#define LOOSE_FN(name, pattern, function)     {name, true, NULL, pattern, NULL, function},
#include "passes/simplify.def"
};
const uint32_t rewrite_rule_count = sizeof rewrite_rule / sizeof *rewrite_rule;

#undef X
#undef Y
#undef Z
#undef W
#undef C
#undef D

/* A scan: comparing eighty root ops costs less than hashing the node did. */
static Value simplify(Graph *graph, const Node *node, bool loose)
{
    Value folded = simplify_fold(graph, node);
    for (uint32_t i = 0; i < rewrite_rule_count && !folded.id; i++)
        if (loose || !rewrite_rule[i].loose) folded = rewrite_apply(graph, &rewrite_rule[i], node);
    return folded;
}

Value pass_simplify_node(Graph *graph, const Node *node)
{
    return simplify(graph, node, true);
}

Value simplify_exactly(Graph *graph, const Node *node)
{
    return simplify(graph, node, false);
}

bool is_real(const Match *match)
{
    return type_is_float(match->root->type);
}

bool is_integer(const Match *match)
{
    return type_is_integer(match->root->type);
}

bool is_signed(const Match *match)
{
    return type_info[match->root->type].class != CLASS_UNSIGNED;
}

bool is_logic(const Match *match)
{
    return match->root->type == TYPE_bool;
}

/* Joined constants must not overflow or vanish where one after the other did not. */
bool is_product_normal(const Match *match)
{
    double c = 0, d = 0;
    graph_is_number(match->graph, match->slot[4], &c);
    graph_is_number(match->graph, match->slot[5], &d);
    return !type_is_float(match->root->type) ||
           isnormal((float)simplify_round(match->root->type, c * d));
}

/* Exact: the reciprocal is a power of two as well. */
Value div_by_power_of_two(const Match *match)
{
    double divisor = 0;
    int exponent;
    graph_is_number(match->graph, match->slot[4], &divisor);
    bool is_power = fabs(frexp(divisor, &exponent)) == 0.5 && abs(exponent) < 14;
    if (!is_power || !type_is_float(match->root->type)) return (Value){0};

    Value reciprocal = ir_like(match->graph, match->slot[0], 1 / divisor);
    return ir_mul(match->graph, match->slot[0], reciprocal);
}

Value cast_to_same(const Match *match)
{
    Value x = match->slot[0];
    return graph_type(match->graph, x) == match->root->type ? x : (Value){0};
}

/* Significant bits of a type: a float holds all integers of fewer. */
static int precision_of(Type type)
{
    switch (type) {
    case TYPE_f32: return 24;
    case TYPE_bf16: return 8;
    case TYPE_f16: return 11;
    case TYPE_i64: return 63;
    case TYPE_i32: return 31;
    case TYPE_i8: return 7;
    case TYPE_u32: return 32;
    case TYPE_u8: return 8;
    case TYPE_bool: return 1;
    case TYPE_none:
    case TYPE_COUNT: break;
    }
    return 0;
}

/* Whether `to` has every value of `from`. */
static bool holds(Type to, Type from)
{
    if (to == from || from == TYPE_bool) return true;
    if (type_is_float(from)) return to == TYPE_f32;
    if (to == TYPE_bool) return false;
    bool may_be_negative = type_info[from].class == CLASS_SIGNED;
    if (may_be_negative && type_info[to].class == CLASS_UNSIGNED) return false;
    return precision_of(to) >= precision_of(from);
}

Value cast_of_lossless_cast(const Match *match)
{
    Graph *graph = match->graph;
    Value x = match->slot[0];
    if (!holds(graph_type(graph, match->root->argument[0]), graph_type(graph, x)))
        return (Value){0};
    return ir_cast(graph, x, match->root->type);
}

/* A movement that all operands of an elementwise op share. */
typedef struct Shared {
    const Node *movement;
    const Shape *shape; /* before it */
} Shared;

static bool moves_each_alone(Op op)
{
    return op == OP_broadcast || op == OP_reshape || op == OP_transpose;
}

static bool is_shared(const Shared *shared, const Node *node, const Shape *shape)
{
    if (node->op != shared->movement->op || !shape_same(shape, shared->shape)) return false;
    if (node->op == OP_reshape) return true;
    const Axes *a = &node->attribute->axes, *b = &shared->movement->attribute->axes;
    return memcmp(a->at, b->at, a->count) == 0;
}

/* Whether every operand is a constant or moved in one way, and which. */
static bool find_shared(const Match *match, Shared *shared)
{
    const Graph *graph = match->graph;
    *shared = (Shared){0};
    for (uint32_t i = 0; i < match->root->argument_count; i++) {
        const Node *node = graph_node(graph, match->root->argument[i]);
        if (node->op == OP_constant) continue;
        if (!moves_each_alone(node->op)) return false;
        const Shape *shape = graph_shape(graph, node->argument[0]);
        if (!shared->movement) *shared = (Shared){node, shape};
        if (!is_shared(shared, node, shape)) return false;
    }
    return shared->movement != NULL;
}

/* Computes first and moves the result: fewer elements are computed before a broadcast than behind it, and transposes and
 * reshapes come nearer to the contractions and reductions that take them in. */
Value movement_after(const Match *match)
{
    Graph *graph = match->graph;
    const Node *root = match->root;
    Shared shared;
    if (!find_shared(match, &shared)) return (Value){0};

    Value operand[3];
    for (uint32_t i = 0; i < root->argument_count; i++) {
        double number = 0;
        Value x = root->argument[i];
        operand[i] = graph_is_number(graph, x, &number)
                         ? ir_constant(graph, graph_type(graph, x), *shared.shape, number)
                         : graph_argument(graph, x, 0);
    }
    TypedShape given = {.type = root->type};
    Value y = graph_add(graph, root->op, root->argument_count, operand, root->attribute, &given);
    TypedShape moved = {.shape = graph->shape.at[root->shape]};
    return graph_add(graph, shared.movement->op, 1, &y, shared.movement->attribute, &moved);
}

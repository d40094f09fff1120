/* Each row of simplify.def: the left side is built without simplification and computed as it stands; the rule is asked for
 * the right side; both must be equal. Data are small integers, on which every exact row is exact in any order of
 * addition, and most loose ones too. */
#include "tests/properties/generate.h"

#include "ir/graph/build.h"
#include "passes/simplify.h"
#include <check.h>

#define TRIES           400
/* Loose rows round at most twice more or less than the original. */
#define LOOSE_TOLERANCE 4e-7

/* A left side being made from a pattern. */
typedef struct Instance {
    Generator generator;
    Value slot[MATCH_SLOTS];
    Type type; /* of elementwise operands */
} Instance;

static Value instantiate(Instance *instance, const Pattern *pattern, const Shape *shape);

/* What the operands of an elementwise op have for type, if the result is to be used as instance->type. */
static Type operand_type(const Instance *instance, Op op)
{
    switch (op_info[op].types) {
    case TYPES_logic: return TYPE_bool;
    case TYPES_real: return TYPE_f32;
    case TYPES_number:
    case TYPES_compare: break;
    }
    return instance->type;
}

static Value some_constant(Instance *instance, Shape shape)
{
    static const double numbers[] = {-2, -1, 0.5, 1, 2, 3, 4};
    Random *random = &instance->generator.kit->random;
    double number = numbers[random_from(random, 0, 6)];
    if (!type_is_float(instance->type)) number = (double)random_from(random, 0, 1);
    return ir_constant(instance->generator.graph, instance->type, shape, number);
}

static Value elementwise(Instance *instance, const Pattern *pattern, const Shape *shape)
{
    Generator *g = &instance->generator;
    Shape drawn = shape ? *shape : generate_shape(g);
    Type outside = instance->type;
    Value operand[3];
    uint32_t count = 0;
    for (; pattern->argument[count]; count++) {
        instance->type = pattern->op == OP_select && count == 0
                             ? TYPE_bool
                             : operand_type(instance, pattern->op);
        operand[count] = instantiate(instance, pattern->argument[count], &drawn);
        instance->type = outside;
    }
    Type to = (Type)random_from(&g->kit->random, TYPE_none + 1, TYPE_COUNT - 1);
    TypedShape given = {.type = to};
    return generate_node(g, pattern->op, count, operand, NULL,
                         pattern->op == OP_cast ? &given : NULL);
}

/* Any elementwise op over operands that one movement has moved, and constants. */
static Value over_movements(Instance *instance)
{
    static const Op movements[] = {OP_broadcast, OP_reshape, OP_transpose};
    Generator *g = &instance->generator;
    Op op = (Op)random_from(&g->kit->random, OP_none + 1, OP_stop);
    Value x = generate_surely(g, movements[random_from(&g->kit->random, 0, 2)], (Value){0}, 20);
    if (!x.id) return x;
    Node movement = *graph_node(g->graph, x);
    TypedShape moved = {.shape = *graph_shape(g->graph, x)};
    Shape before = *graph_shape(g->graph, movement.argument[0]);
    Value operand[3];
    uint32_t count = (uint32_t)op_info[op].arguments;
    for (uint32_t i = 0; i < count; i++) {
        Type type =
            op_info[op].types == TYPES_logic || (op == OP_select && i == 0) ? TYPE_bool : TYPE_f32;
        Value small = generate_operand(g, type, &before);
        operand[i] = i && type == instance->type && random_once_in(&g->kit->random, 2)
                         ? some_constant(instance, moved.shape)
                         : generate_node(g, movement.op, 1, &small, movement.attribute, &moved);
    }
    return generate_node(g, op, count, operand, NULL, &(TypedShape){.type = TYPE_i32});
}

/* transpose, of which the result is asked to have a certain shape. */
static Value transpose_to(Instance *instance, const Pattern *pattern, const Shape *shape)
{
    Generator *g = &instance->generator;
    Axes order = axes_range(0, shape->rank);
    for (int i = order.count - 1; i > 0; i--) {
        int k = (int)random_from(&g->kit->random, 0, i);
        uint8_t held = order.at[i];
        order.at[i] = order.at[k];
        order.at[k] = held;
    }
    Shape before = *shape;
    for (int i = 0; i < order.count; i++)
        before.extent[order.at[i]] = shape->extent[i];
    Value x = instantiate(instance, pattern->argument[0], &before);
    return ir_transpose(g->graph, x, order);
}

/* broadcast from some of the axes of the shape asked for. */
static Value broadcast_to(Instance *instance, const Pattern *pattern, const Shape *shape)
{
    Generator *g = &instance->generator;
    Shape before = {0};
    Axes kept = {0};
    for (int i = 0; i < shape->rank; i++) {
        if (random_once_in(&g->kit->random, 2)) continue;
        kept.at[kept.count++] = (uint8_t)i;
        before.extent[before.rank++] = shape->extent[i];
    }
    Value x = instantiate(instance, pattern->argument[0], &before);
    return ir_broadcast(g->graph, x, kept, *shape);
}

/* A sum of differences from a mean along the same axes, alone or beside other terms: of so many elements that the mean of
 * integers is exact. */
static Value sum_of_centered_terms(Instance *instance, bool is_beside)
{
    Generator *g = &instance->generator;
    Graph *graph = g->graph;
    Shape shape = {.rank = (uint8_t)random_from(&g->kit->random, 1, 3)};
    Axes axes = {0};
    double count = 1;
    for (int i = 0; i < shape.rank; i++) {
        shape.extent[i] = (int64_t)1 << random_from(&g->kit->random, 0, 2);
        if (random_once_in(&g->kit->random, 2)) continue;
        axes.at[axes.count++] = (uint8_t)i;
        count *= (double)shape.extent[i];
    }
    if (!axes.count) return (Value){0};
    Value x = generate_operand(g, TYPE_f32, &shape), sum = ir_sum(graph, x, axes);
    Value mean = ir_div(graph, sum, ir_like(graph, sum, count));
    Axes kept = axes_other(axes, shape.rank);
    Value term = ir_sub(graph, x, ir_broadcast(graph, mean, kept, shape));
    if (is_beside) {
        Value factor = generate_operand(g, TYPE_f32, graph_shape(graph, mean));
        term = ir_mul(graph, term, ir_broadcast(graph, factor, kept, shape));
        term = ir_add(graph, generate_operand(g, TYPE_f32, &shape), term);
    }
    return ir_sum(graph, term, axes);
}

/* Some block of zeros around x, of the shape asked for. */
static Value pad_to(Instance *instance, const Pattern *pattern, const Shape *shape)
{
    Generator *g = &instance->generator;
    Random *random = &g->kit->random;
    Shape before = *shape;
    Attribute attribute = {0};
    for (int i = 0; i < shape->rank; i++) {
        int64_t extent = shape->extent[i];
        attribute.pad.low[i] = extent > 1 ? random_from(random, 0, extent - 1) : 0;
        before.extent[i] = extent ? random_from(random, 1, extent - attribute.pad.low[i]) : 0;
        attribute.pad.high[i] = extent - attribute.pad.low[i] - before.extent[i];
    }
    Value x = instantiate(instance, pattern->argument[0], &before);
    return generate_node(g, OP_pad, 1, &x, &attribute, NULL);
}

/* The second operand of a contraction is whatever fits the first; a pattern for it is put around it. */
static Value contraction(Instance *instance, const Pattern *pattern)
{
    Generator *g = &instance->generator;
    Value first = instantiate(instance, pattern->argument[0], NULL);
    Value made = generate_surely(g, pattern->op, first, 20);
    if (!made.id) return made;

    const Node *node = graph_node(g->graph, made);
    Shape y = g->graph->shape.at[node->shape];
    Shape b = *graph_shape(g->graph, node->argument[1]);
    Value second = instantiate(instance, pattern->argument[1], &b);
    return generate_node(g, pattern->op, 2, (Value[]){first, second}, node->attribute,
                         &(TypedShape){.shape = y});
}

static Value structured(Instance *instance, const Pattern *pattern, const Shape *shape)
{
    Generator *g = &instance->generator;
    if (pattern->op == OP_transpose && shape) return transpose_to(instance, pattern, shape);
    if (pattern->op == OP_pad && shape) return pad_to(instance, pattern, shape);
    if (pattern->op == OP_broadcast && shape) return broadcast_to(instance, pattern, shape);
    const Pattern *body = pattern->op == OP_sum ? pattern->argument[0] : NULL;
    if (body && body->kind == PATTERN_op && (body->op == OP_sub || body->op == OP_add))
        return sum_of_centered_terms(instance, body->op == OP_add);
    if (op_info[pattern->op].class == CONTRACTION) return contraction(instance, pattern);
    Value first = {0};
    bool is_alone = pattern->argument[0] && pattern->argument[0]->kind == PATTERN_value;
    if (pattern->argument[0] && !(is_alone && pattern->op == OP_fold))
        first = instantiate(instance, pattern->argument[0], NULL);
    if (pattern->op == OP_concat && random_once_in(&g->kit->random, 2))
        first = generate_surely(g, OP_concat, (Value){0}, 20);
    return generate_surely(g, pattern->op, first, 20);
}

static Value instantiate(Instance *instance, const Pattern *pattern, const Shape *shape)
{
    Generator *g = &instance->generator;
    Shape drawn = shape ? *shape : generate_shape(g);
    Value *slot = &instance->slot[pattern->slot];
    switch (pattern->kind) {
    case PATTERN_value:
        if (!slot->id) *slot = generate_operand(g, instance->type, &drawn);
        return *slot;
    case PATTERN_constant:
        if (!slot->id) *slot = some_constant(instance, drawn);
        return *slot;
    case PATTERN_number:
        if (simplify_round(instance->type, pattern->number) != pattern->number) return (Value){0};
        return ir_constant(g->graph, instance->type, drawn, pattern->number);
    case PATTERN_op: break;
    }
    if (pattern->op == OP_none) return over_movements(instance);
    return op_info[pattern->op].class == ELEMENTWISE ? elementwise(instance, pattern, shape)
                                                     : structured(instance, pattern, shape);
}

/* Results without elements are folded before any row is asked. */
static bool is_asked(const Graph *graph, Value left)
{
    return left.id && shape_elements(graph_shape(graph, left)) > 0;
}

static void output(Graph *graph, Value value)
{
    graph_result(graph, RESULT_output, (Name){1}, value, (Span){0});
}

static void compare(Kit *kit, const Rule *rule, Graph *graph, Value left, Value right)
{
    const Node *a = graph_node(graph, left), *b = graph_node(graph, right);
    ck_assert_msg(a->type == b->type && a->shape == b->shape, "%s changes type or shape",
                  rule->name);

    output(graph, left);
    output(graph, right);
    Domain domain = rule->loose ? DOMAIN_positive : DOMAIN_any;
    Feed feed = kit_feed(kit, graph, DATA_integers, domain);
    double **result = kit_evaluate(kit, graph, &feed, false);
    int64_t count = shape_elements(graph_shape(graph, left));
    double tolerance = rule->loose ? LOOSE_TOLERANCE : 0;
    const char *wrong = kit_difference(kit, result[1], result[0], count, tolerance, tolerance);
    ck_assert_msg(!wrong, "%s: %s\n%s", rule->name, wrong, kit_text(kit, graph));
}

/* Makes one left side and applies the rule to it. False if it does not apply. */
static bool try_rule(const Rule *rule, uint64_t seed)
{
    static const Type types[] = {TYPE_f32, TYPE_f32, TYPE_i32, TYPE_u8, TYPE_i8, TYPE_bool};
    Kit kit = kit_open(seed);
    Instance instance = {.generator = generator_open(&kit, NULL)};
    instance.generator.only_f32 = random_once_in(&kit.random, 2);
    instance.generator.may_be_empty = random_once_in(&kit.random, 4);
    instance.type = types[random_from(&kit.random, 0, 5)];
    Value left = instantiate(&instance, rule->pattern, NULL);
    Graph *graph = instance.generator.graph;
    bool applies = false;
    if (is_asked(graph, left)) {
        Value right = rewrite_apply(graph, rule, graph_node(graph, left));
        applies = right.id != 0;
        if (applies) compare(&kit, rule, graph, left, right);
    }
    kit_close(&kit);
    return applies;
}

START_TEST(both_sides_are_equal)
{
    const Rule *rule = &rewrite_rule[_i];
    int applied = 0;
    for (int i = 0; i < TRIES; i++)
        applied += try_rule(rule, (uint64_t)_i * TRIES + (uint64_t)i);
    ck_assert_msg(applied > 0, "%s never applied", rule->name);
}
END_TEST

/* A row that an earlier one always catches is dead: some left side must get past all rows before it. */
START_TEST(no_row_is_shadowed)
{
    const Rule *rule = &rewrite_rule[_i];
    for (int i = 0; i < TRIES; i++) {
        Kit kit = kit_open((uint64_t)_i * TRIES + (uint64_t)i);
        Instance instance = {.generator = generator_open(&kit, NULL), .type = TYPE_f32};
        if (i % 3 == 1) instance.type = TYPE_i32;
        if (i % 3 == 2) instance.type = TYPE_bool;
        instance.generator.only_f32 = i % 2;
        instance.generator.may_be_empty = i % 4 == 3;
        Value left = instantiate(&instance, rule->pattern, NULL);
        Graph *graph = instance.generator.graph;
        bool reached = is_asked(graph, left);
        Node node = *graph_node(graph, left);
        for (int k = 0; k < _i && reached; k++)
            reached = !rewrite_apply(graph, &rewrite_rule[k], &node).id;
        reached = reached && rewrite_apply(graph, rule, &node).id;
        kit_close(&kit);
        if (reached) return;
    }
    ck_abort_msg("%s is shadowed", rule->name);
}
END_TEST

TCase *case_rules(void);
TCase *case_rules(void)
{
    TCase *tests = tcase_create("rules");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, both_sides_are_equal, 0, (int)rewrite_rule_count);
    tcase_add_loop_test(tests, no_row_is_shadowed, 0, (int)rewrite_rule_count);
    return tests;
}

/* Shape rules: every sample verifies, and operands that cannot be are answered with a message. */
#include "tests/properties/generate.h"

#include "ir/graph/verify.h"
#include <check.h>

#define VARIANTS 30

static TypedShape typed(const Graph *graph, Value value)
{
    return (TypedShape){graph_type(graph, value), *graph_shape(graph, value)};
}

/* What the rule says of the node's own operands, changed by the caller. */
static const char *ask(Kit *kit, const Graph *graph, const Node *node, uint32_t count,
                       const TypedShape *operand)
{
    TypedShape given = {node->type, graph->shape.at[node->shape]}, result;
    return shape_infer(node->op, count, operand, node->attribute, &given, kit->arena, &result);
}

static void check_refusals(Kit *kit, const Graph *graph, const Node *node)
{
    TypedShape operand[8] = {0};
    uint32_t count = node->argument_count;
    const char *name = op_info[node->op].name;
    for (uint32_t i = 0; i < count; i++)
        operand[i] = typed(graph, node->argument[i]);
    ck_assert_msg(!ask(kit, graph, node, count, operand), "%s refuses its own node", name);
    if (!count) return;

    if (op_info[node->op].arguments != MANY)
        ck_assert_msg(ask(kit, graph, node, count - 1, operand), "%s takes too few operands", name);
    Type held = operand[0].type;
    operand[0].type = TYPE_none;
    ck_assert_msg(ask(kit, graph, node, count, operand), "%s takes an operand of no type", name);
    operand[0].type = held;
    if (op_info[node->op].meaning && count == 2) {
        operand[1].shape.extent[operand[1].shape.rank++] = 2;
        ck_assert_msg(ask(kit, graph, node, count, operand), "%s broadcasts silently", name);
    }
}

START_TEST(are_total)
{
    Op op = (Op)_i;
    int made = 0;
    for (int variant = 0; variant < VARIANTS; variant++) {
        Kit kit = kit_open((uint64_t)op * VARIANTS + (uint64_t)variant);
        Generator g = generator_open(&kit, NULL);
        g.may_be_empty = variant % 3 == 0;
        Value y = generate(&g, op, (Value){0});
        if (y.id) {
            made++;
            graph_result(g.graph, RESULT_output, name_of(kit.names, "y"), y, (Span){0});
            const char *wrong = graph_verify(g.graph, kit_program(&kit, g.graph), false, kit.arena);
            ck_assert_msg(!wrong, "%s", wrong);
            check_refusals(&kit, g.graph, graph_node(g.graph, y));
        }
        kit_close(&kit);
    }
    ck_assert_msg(made > 0, "no sample of %s", op_info[op].name);
}
END_TEST

TCase *case_shapes(void);
TCase *case_shapes(void)
{
    TCase *tests = tcase_create("shapes");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, are_total, OP_none + 1, OP_COUNT);
    return tests;
}

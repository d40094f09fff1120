/* The whole simplifier against the reference, an op at a time: a node made with simplification, on constants (so that it is
 * folded) and on inputs (so that rows of the op itself apply), computes what the same node computes without. */
#include "tests/properties/generate.h"

#include "passes/pass.h"
#include <check.h>

#define VARIANTS 60

static Graph *make(Kit *kit, Op op, int variant, GraphSimplify *simplify)
{
    Generator g = generator_open(kit, simplify);
    g.operands = variant % 2 ? OPERANDS_constants : OPERANDS_inputs;
    g.may_be_empty = variant % 5 == 0;
    Value y = generate(&g, op, (Value){0});
    if (y.id) graph_result(g.graph, RESULT_output, name_of(kit->names, "y"), y, (Span){0});
    return g.graph;
}

START_TEST(agrees_with_the_reference)
{
    Op op = (Op)_i;
    if (op == OP_gradient) return;
    for (int variant = 0; variant < VARIANTS; variant++) {
        uint64_t seed = (uint64_t)op * VARIANTS + (uint64_t)variant;
        Kit kit = kit_open(seed), again = kit_open(seed);
        Graph *plain = make(&kit, op, variant, NULL);
        Graph *simple = make(&again, op, variant, pass_simplify_node);
        ck_assert_uint_eq(plain->result.count, simple->result.count);
        if (plain->result.count) {
            Feed feed = kit_feed(&kit, plain, DATA_integers, op_info[op].domain);
            double **left = kit_evaluate(&kit, plain, &feed, false);
            double **right = kit_evaluate(&kit, simple, &feed, false);
            int64_t count = shape_elements(graph_shape(plain, plain->result.at[0].value));
            ck_assert_int_eq(count,
                             shape_elements(graph_shape(simple, simple->result.at[0].value)));
            const char *wrong = kit_difference(&kit, right[0], left[0], count, 0, 0);
            ck_assert_msg(!wrong, "%s, variant %d: %s\n%s\n%s", op_info[op].name, variant, wrong,
                          kit_text(&kit, plain), kit_text(&kit, simple));
        }
        kit_close(&again);
        kit_close(&kit);
    }
}
END_TEST

TCase *case_folding(void);
TCase *case_folding(void)
{
    TCase *tests = tcase_create("folding");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, agrees_with_the_reference, OP_none + 1, OP_COUNT);
    return tests;
}

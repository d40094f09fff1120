/* What quantization takes for never negative is not: every such node of random graphs, on numbers of both signs. */
#include "tests/properties/generate.h"

#include "passes/quantize_products.h"
#include <check.h>

#define GRAPHS 300

/* How many nodes were claimed. */
static int run(uint64_t seed)
{
    Kit kit = kit_open(seed);
    RandomGraph what = {.count = 5 + (int)(seed % 36), .integers = seed % 3 == 0};
    Graph *graph = random_graph(&kit, &what, NULL);
    const bool *positive = quantize_positive(graph, kit.arena);
    uint32_t first = graph->result.count;
    for (uint32_t id = 1; id < graph->node.count; id++)
        if (positive[id])
            graph_result(graph, RESULT_output, name_format(kit.names, "claim%u", id), (Value){id},
                         (Span){0});
    Feed feed = kit_feed(&kit, graph, what.integers ? DATA_integers : DATA_reals, DOMAIN_any);
    double **values = kit_evaluate(&kit, graph, &feed, true);
    for (uint32_t i = first; i < graph->result.count; i++) {
        Value value = graph->result.at[i].value;
        for (int64_t k = 0; k < shape_elements(graph_shape(graph, value)); k++)
            ck_assert_msg(!(values[i][k] < 0), "seed %llu: %%%u is %g\n%s",
                          (unsigned long long)seed, value.id, values[i][k], kit_text(&kit, graph));
    }
    int claims = (int)(graph->result.count - first);
    kit_close(&kit);
    return claims;
}

START_TEST(are_as_claimed)
{
    int claims = 0;
    for (uint64_t i = 0; i < GRAPHS; i++)
        claims += run(i);
    ck_assert_int_gt(claims, GRAPHS);
}
END_TEST

TCase *case_signs(void);
TCase *case_signs(void)
{
    TCase *tests = tcase_create("signs");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, are_as_claimed);
    return tests;
}

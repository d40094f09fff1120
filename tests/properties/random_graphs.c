/* Random graphs, with gradients, through all passes with verification and round trips after each: they compute what the
 * graph without any simplification computes. */
#include "tests/properties/generate.h"

#include "passes/pass.h"
#include <check.h>
#include <stdlib.h>

#define GRAPHS    200
/* In double: rewrites change the order of a few additions of numbers below 1e4, and round constants to f32. */
#define TOLERANCE 1e-5

static void run(uint64_t seed)
{
    Kit kit = kit_open(seed);
    /* Where max meets an equal operand, its gradient depends on whether that is known to be a constant, which the
     * simplifier may find out: with gradients only real data, among which none are equal by chance. */
    bool integers = seed % 3 == 0;
    RandomGraph what = {
        .count = 5 + (int)(seed % 36), .integers = integers, .gradients = !integers};
    Graph *graph = random_graph(&kit, &what, NULL);
    Feed feed = kit_feed(&kit, graph, what.integers ? DATA_integers : DATA_reals, DOMAIN_any);
    Graph *plain = kit_differentiate(&kit, graph);

    Context context = {.arena = kit.arena, .names = kit.names};
    PassOptions options = {.verify = true, .round_trip = true, .precision = "f32"};
    const Graph *passed =
        passes_run(&context, kit.arena, kit_program(&kit, graph), graph, &options);

    double **left = kit_evaluate(&kit, plain, &feed, true);
    double **right = kit_evaluate(&kit, passed, &feed, true);
    for (uint32_t i = 0; i < plain->result.count; i++) {
        int64_t count = shape_elements(graph_shape(plain, plain->result.at[i].value));
        const char *wrong = kit_difference(&kit, right[i], left[i], count, TOLERANCE, TOLERANCE);
        ck_assert_msg(!wrong, "seed %llu, result %u: %s\n%s\nafter the passes\n%s",
                      (unsigned long long)seed, i, wrong, kit_text(&kit, graph),
                      kit_text(&kit, passed));
    }
    kit_close(&kit);
}

START_TEST(survive_the_passes)
{
    const char *seed = getenv("MLC_SEED");
    if (seed) {
        run(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t i = 0; i < GRAPHS; i++)
        run(i);
}
END_TEST

TCase *case_random_graphs(void);
TCase *case_random_graphs(void)
{
    TCase *tests = tcase_create("random_graphs");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, survive_the_passes);
    return tests;
}

/* Strided convolutions' gradients by their input, cut into phases, against what they were: every stride, direction of the taps and
 * offset, on integers, where both are exact. */
#include "tests/properties/kit.h"

#include "ir/graph/build.h"
#include "passes/pass.h"
#include <check.h>

enum { STRIDES = 4, OFFSETS = 4, TAPS = 5 };

/* h[i, y] = sum of g[o, out] w[o, i, u], where y = stride * out + sign * u + offset. */
static Graph *make(Kit *kit, int64_t stride, int64_t sign, int64_t offset, int64_t taps)
{
    Names *names = kit->names;
    Graph *graph = graph_new(kit->arena, names, name_of(names, "predict"), pass_simplify_node);
    Shape of_g = shape_of(2, (int64_t[]){3, 4}), of_w = shape_of(3, (int64_t[]){3, 2, taps});
    Shape of_y = shape_of(2, (int64_t[]){2, 4 * stride});
    Value g = ir_input(graph, name_of(names, "g"), TYPE_f32, of_g);
    Value w = ir_input(graph, name_of(names, "w"), TYPE_f32, of_w);
    Indices indices = {.a = "oy", .b = "oiu", .y = "ih", .windows = 1};
    indices.window[0].input = 'h';
    indices.window[0].output = 'y';
    indices.window[0].tap = 'u';
    indices.window[0].input_scale = 1;
    indices.window[0].output_scale = stride;
    indices.window[0].tap_scale = sign;
    indices.window[0].offset = offset;
    Value y = ir_conv(graph, g, w, indices, of_y);
    graph_result(graph, RESULT_output, name_of(names, "y"), y, (Span){0});
    return graph;
}

static void check(int64_t stride, int64_t sign, int64_t offset, int64_t taps)
{
    Kit kit = kit_open((uint64_t)(offset + OFFSETS));
    Graph *graph = make(&kit, stride, sign, offset, taps);
    Feed feed = kit_feed(&kit, graph, DATA_integers, DOMAIN_any);
    Context context = {.arena = kit.arena, .names = kit.names};
    PassOptions options = {.verify = true, .precision = "f32"};
    const Graph *passed =
        passes_run(&context, kit.arena, kit_program(&kit, graph), graph, &options);
    int64_t count = shape_elements(graph_shape(graph, graph->result.at[0].value));
    const char *wrong = kit_difference(&kit, kit_evaluate(&kit, passed, &feed, true)[0],
                                       kit_evaluate(&kit, graph, &feed, true)[0], count, 0, 0);
    ck_assert_msg(!wrong, "%s\n%s\nafter the passes\n%s", wrong, kit_text(&kit, graph),
                  kit_text(&kit, passed));
    kit_close(&kit);
}

START_TEST(compute_what_they_did)
{
    for (int64_t sign = -1; sign <= 1; sign += 2)
        for (int64_t offset = -OFFSETS; offset <= OFFSETS; offset++)
            for (int64_t taps = 1; taps <= TAPS; taps++)
                check(_i, sign, offset, taps);
}
END_TEST

TCase *case_phases(void);
TCase *case_phases(void)
{
    TCase *tests = tcase_create("phases");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, compute_what_they_did, 1, STRIDES + 1);
    return tests;
}

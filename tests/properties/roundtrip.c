/* print(parse(print(g))) == print(g), for samples of every op. */
#include "tests/properties/generate.h"

#include "ir/graph/print.h"
#include <check.h>

#define VARIANTS 30

static const char *print(Kit *kit, const Program *program)
{
    Text text = {.arena = kit->arena};
    program_print(&text, program, &(PrintOptions){0});
    return text_done(&text);
}

static void check_reads_back(Kit *kit, Graph *graph)
{
    const char *text = print(kit, kit_program(kit, graph_sweep(graph, kit->arena)));
    Sources *sources = sources_new(kit->arena);
    Context context = {kit->arena, kit->names, sources, report_new(kit->arena, sources)};
    uint32_t source = sources_add(sources, "sample", text, strlen(text), false);
    const Program *again = program_parse(&context, kit->arena, source, NULL);
    Text message = {.arena = kit->arena};
    report_render(context.report, &message, false);
    ck_assert_msg(again != NULL, "%s\n%s", text_done(&message), text);
    ck_assert_str_eq(print(kit, again), text);
}

START_TEST(reads_back)
{
    Op op = (Op)_i;
    for (int variant = 0; variant < VARIANTS; variant++) {
        Kit kit = kit_open((uint64_t)op * VARIANTS + (uint64_t)variant);
        Generator g = generator_open(&kit, NULL);
        g.may_be_empty = variant % 3 == 0;
        Value y = generate(&g, op, (Value){0});
        if (y.id) {
            graph_result(g.graph, RESULT_output, name_of(kit.names, "y"), y, (Span){0});
            check_reads_back(&kit, g.graph);
        }
        kit_close(&kit);
    }
}
END_TEST

TCase *case_roundtrip(void);
TCase *case_roundtrip(void)
{
    TCase *tests = tcase_create("roundtrip");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, reads_back, OP_none + 1, OP_COUNT);
    return tests;
}

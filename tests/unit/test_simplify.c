/* What the rewrites make of small graphs, as text.  That they compute the same is tested row by row in tests/properties. */
#include "tests/unit/graph_text.h"

static const char *simplified(Kit *kit, const char *text)
{
    Program *program = text_program(kit, text);
    Context context = {.arena = kit->arena, .names = kit->names};
    PassOptions options = {.verify = true, .round_trip = true};
    return kit_text(
        kit, passes_run(&context, kit->arena, program, program->entry[ENTRY_predict], &options));
}

static const struct Case {
    const char *what, *before, *after;
} cases[] = {
#define CASE(what, head, before, after)                                                            \
    {what, "entry predict (" head ") {\n" before "}\n", "entry predict (" head ") {\n" after "}\n"},
#include "tests/unit/simplify_cases.def"
#undef CASE
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(graphs_become_simple)
{
    const struct Case *at = &cases[_i];
    Kit kit = kit_open(1);
    const char *got = simplified(&kit, at->before);
    ck_assert_msg(strcmp(got, at->after) == 0, "%s: got\n%snot\n%s", at->what, got, at->after);
    ck_assert_str_eq(simplified(&kit, got), got);
    kit_close(&kit);
}
END_TEST

Suite *suite_simplify(void);
Suite *suite_simplify(void)
{
    Suite *suite = suite_create("simplify");
    TCase *tests = tcase_create("simplify");
    tcase_add_loop_test(tests, graphs_become_simple, 0, CASES);
    suite_add_tcase(suite, tests);
    return suite;
}

/* No row of simplify.def without a golden case: the inputs of tests/golden/simplify are read again, with a simplifier that
 * notes which row it was that applied. */
#include "ir/graph/print.h"
#include "passes/simplify.h"
#include <check.h>
#include <glob.h>
#include <stdio.h>

static bool fired[256]; /* by row */

/* As pass_simplify_node goes about it. */
static Value noting_simplifier(Graph *graph, const Node *node)
{
    Value folded = simplify_fold(graph, node);
    for (uint32_t i = 0; i < rewrite_rule_count && !folded.id; i++) {
        folded = rewrite_apply(graph, &rewrite_rule[i], node);
        fired[i] |= folded.id != 0;
    }
    return folded;
}

/* What stands between the line of the command and the line of dashes. */
static const char *input_of(Arena *arena, const char *path)
{
    Text text = {.arena = arena};
    char line[4096];
    bool inside = false;
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot read %s", path);
    while (fgets(line, sizeof line, file) && strcmp(line, "---\n") != 0) {
        if (inside) text_add(&text, "%s", line);
        inside |= line[0] == '$';
    }
    fclose(file);
    return text_done(&text);
}

static void simplify_case(const char *path)
{
    Arena *arena = arena_open(&host_default);
    Sources *sources = sources_new(arena);
    Context context = {arena, names_new(arena), sources, report_new(arena, sources)};
    const char *input = input_of(arena, path);
    uint32_t source = sources_add(sources, path, input, strlen(input), false);
    ck_assert_msg(program_parse(&context, arena, source, noting_simplifier) != NULL,
                  "%s does not parse", path);
    arena_close(arena);
}

START_TEST(every_row_fires_in_a_golden_case)
{
    glob_t found;
    ck_assert_uint_le(rewrite_rule_count, sizeof fired / sizeof *fired);
    ck_assert_int_eq(glob(MLC_SOURCE_DIR "/tests/golden/simplify/*.test", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        simplify_case(found.gl_pathv[i]);
    globfree(&found);
    for (uint32_t i = 0; i < rewrite_rule_count; i++)
        ck_assert_msg(fired[i], "no case of tests/golden/simplify makes the row %s fire",
                      rewrite_rule[i].name);
}
END_TEST

Suite *suite_golden_rules(void);
Suite *suite_golden_rules(void)
{
    Suite *suite = suite_create("golden_rules");
    TCase *tests = tcase_create("golden_rules");
    tcase_add_test(tests, every_row_fires_in_a_golden_case);
    suite_add_tcase(suite, tests);
    return suite;
}

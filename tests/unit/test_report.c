#include "ir/base/report.h"
#include <check.h>

static Arena *arena;
static Sources *sources;
static Report *report;

static void open_report(void)
{
    arena = arena_open(&host_default);
    sources = sources_new(arena);
    report = report_new(arena, sources);
}

static void close_report(void)
{
    arena_close(arena);
}

static uint32_t add_source(const char *text)
{
    return sources_add(sources, "digits.mlc", text, strlen(text), false);
}

static const char *rendered(bool colour)
{
    Text out = {.arena = arena};
    report_render(report, &out, colour);
    return text_done(&out);
}

START_TEST(shows_the_line_with_caret_notes_and_hint)
{
    uint32_t source = add_source("x = 1\n  fc1 = dense(flatten(x), 128)\n");
    report_error(report, (Span){source, 14, 22}, "inner sizes %d and %d differ", 5408, 5400);
    report_note(report, (Span){0}, "`fc1.weight` was read");
    report_note(report, (Span){source, 0, 1}, "x stands here");
    report_hint(report, "try it");
    ck_assert_str_eq(rendered(false), "digits.mlc:2:9: error: inner sizes 5408 and 5400 differ\n"
                                      "    2 |   fc1 = dense(flatten(x), 128)\n"
                                      "      |         ^~~~~~~~~~~~~~~~~~~~~~\n"
                                      "note: `fc1.weight` was read\n"
                                      "digits.mlc:1:1: note: x stands here\n"
                                      "    1 | x = 1\n"
                                      "      | ^\n"
                                      "hint: try it\n");
    ck_assert_ptr_nonnull(strstr(rendered(true), "\033["));
    ck_assert_ptr_null(strstr(rendered(false), "\033["));
}
END_TEST

START_TEST(sorts_and_keeps_repetitions_once)
{
    uint32_t source = add_source("a b c");
    report_error(report, (Span){source, 4, 1}, "third");
    report_warning(report, (Span){source, 2, 1}, "second");
    report_error(report, (Span){source, 0, 1}, "first");
    report_error(report, (Span){source, 4, 1}, "third");
    report_note(report, (Span){0}, "goes with the repetition");
    ck_assert_uint_eq(report_errors(report), 2);
    ck_assert_uint_eq(report_warnings(report), 1);
    const char *text = rendered(false);
    ck_assert_str_eq(text, "digits.mlc:1:1: error: first\n    1 | a b c\n      | ^\n"
                           "digits.mlc:1:3: warning: second\n    1 | a b c\n      |   ^\n"
                           "digits.mlc:1:5: error: third\n    1 | a b c\n      |     ^\n");
    report_clear(report);
    ck_assert_uint_eq(report_errors(report), 0);
    ck_assert_str_eq(rendered(false), "");
}
END_TEST

START_TEST(aligns_by_code_points_and_keeps_tabs)
{
    uint32_t source = add_source("\tgrö\xc3\x9f"
                                 "e = x\r\nnext");
    report_error(report, (Span){source, 11, 1}, "here");
    ck_assert_str_eq(rendered(false), "digits.mlc:1:12: error: here\n"
                                      "    1 | \tgröße = x\n"
                                      "      | \t        ^\n");
    report_clear(report);
    report_error(report, (Span){source, 3, 5}, "wide");
    ck_assert_str_eq(rendered(false), "digits.mlc:1:4: error: wide\n"
                                      "    1 | \tgröße = x\n"
                                      "      | \t  ^~~\n");
}
END_TEST

START_TEST(clips_spans_to_the_line)
{
    uint32_t source = add_source("one\ntwo\n");
    report_error(report, (Span){source, 1, 6}, "two lines");
    ck_assert_str_eq(rendered(false),
                     "digits.mlc:1:2: error: two lines\n    1 | one\n      |  ^~\n");
    report_clear(report);
    report_error(report, (Span){source, 3, 1}, "at the end of the line");
    report_error(report, (Span){source, 900, 900}, "behind the end");
    ck_assert_str_eq(rendered(false),
                     "digits.mlc:1:4: error: at the end of the line\n    1 | one\n      |    ^\n"
                     "digits.mlc:3:1: error: behind the end\n    3 | \n      | ^\n");
}
END_TEST

START_TEST(clips_long_lines_around_the_caret)
{
    char line[5001];
    memset(line, 'x', 5000);
    line[5000] = 0;
    line[3000] = 'Y';
    uint32_t source = add_source(line);
    report_error(report, (Span){source, 3000, 1}, "here");
    const char *text = rendered(false);
    ck_assert_uint_lt(strlen(text), 400);
    const char *shown = strchr(text, '\n') + 1, *caret = strchr(shown, '\n') + 1;
    ck_assert_int_eq(strchr(shown, 'Y') - shown, strchr(caret, '^') - caret);
    ck_assert_ptr_nonnull(strstr(shown, "| ...x"));
}
END_TEST

START_TEST(shows_nothing_that_moves_the_terminal)
{
    uint32_t source = add_source("a\033[2J\xff\x80 b");
    report_error(report, (Span){source, 8, 1}, "was '%s'", "\033[2J");
    ck_assert_str_eq(rendered(false), "digits.mlc:1:9: error: was '?[2J'\n"
                                      "    1 | a?[2J?? b\n"
                                      "      |         ^\n");
}
END_TEST

START_TEST(takes_many_reports)
{
    uint32_t source = add_source("x");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3000; i++)
            report_error(report, (Span){source, 0, 1}, "mistake %d", i);
    ck_assert_uint_eq(report_errors(report), 3000);
    report_error(report, (Span){0}, "no place");
    ck_assert_int_eq(
        strncmp(rendered(false), "error: no place\ndigits.mlc:1:1: error: mistake 0\n", 48), 0);
}
END_TEST

Suite *suite_report(void);
Suite *suite_report(void)
{
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");
    tcase_add_checked_fixture(tests, open_report, close_report);
    tcase_add_test(tests, shows_the_line_with_caret_notes_and_hint);
    tcase_add_test(tests, sorts_and_keeps_repetitions_once);
    tcase_add_test(tests, aligns_by_code_points_and_keeps_tabs);
    tcase_add_test(tests, clips_spans_to_the_line);
    tcase_add_test(tests, clips_long_lines_around_the_caret);
    tcase_add_test(tests, shows_nothing_that_moves_the_terminal);
    tcase_add_test(tests, takes_many_reports);
    suite_add_tcase(suite, tests);
    return suite;
}

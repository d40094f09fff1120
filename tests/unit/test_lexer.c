#include "frontend/lexer.h"
#include <check.h>
#include <stdlib.h>

static Context context;

static void open_context(void)
{
    Arena *arena = arena_open(&host_default);
    context = (Context){.arena = arena, .names = names_new(arena), .sources = sources_new(arena)};
    context.report = report_new(arena, context.sources);
}

static void close_context(void)
{
    arena_close(context.arena);
}

static const Tokens *tokens_of_bytes(const char *text, size_t size)
{
    return lex(&context, sources_add(context.sources, "test.mlc", text, size, false));
}

static const Tokens *tokens_of(const char *text)
{
    return tokens_of_bytes(text, strlen(text));
}

static const char *report_text(void)
{
    Text text = {.arena = context.arena};
    report_render(context.report, &text, false);
    return text_done(&text);
}

#define ck_reported(part)                                                                          \
    ck_assert_msg(strstr(report_text(), (part)), "no `%s` in:\n%s", (part), report_text())

START_TEST(words_and_marks_are_told_apart)
{
    const Tokens *t = tokens_of("fn output x1 a..b <= -> ** *");
    static const TokenKind kind[] = {TOKEN_keyword, TOKEN_name,  TOKEN_name,       TOKEN_name,
                                     TOKEN_range,   TOKEN_name,  TOKEN_less_equal, TOKEN_arrow,
                                     TOKEN_power,   TOKEN_times, TOKEN_end};
    ck_assert_uint_eq(t->count, sizeof kind / sizeof *kind);
    for (uint32_t i = 0; i < t->count; i++)
        ck_assert_int_eq(t->at[i].kind, kind[i]);
    ck_assert_int_eq(t->at[0].word, WORD_fn);
    ck_assert_int_eq(t->at[1].word, WORD_output);
    ck_assert_int_eq(t->at[2].word, WORD_none);
    ck_assert_uint_eq(t->errors, 0);
}
END_TEST

static const struct {
    const char *text;
    double value;
    bool is_integer;
} numbers[] = {
    {"42", 42, true},
    {"1_000", 1000, true},
    {"0.1", 0.1, false},
    {"1e-3", 1e-3, false},
    {"1E+3", 1000, false},
    {"0.491", 0.491, false},
    {"6.02214076e23", 6.02214076e23, false},
    {"10k", 10000, true},
    {"2M", 2e6, true},
    {"1.5k", 1500, false},
    {"200KB", 200000, true},
    {"1KiB", 1024, true},
    {"2GB", 2e9, true},
    {"30s", 30, true},
    {"5min", 300, true},
    {"2h", 7200, true},
    {"1d", 86400, true},
    {"250ms", 0.25, false},
    {"9007199254740991", 9007199254740991, true},
    {"0.00000000000000000000000000000000000000000000000001", 1e-50, false},
    {"5e-324", 5e-324, false},
};

START_TEST(numbers_have_units)
{
    const Tokens *t = tokens_of(numbers[_i].text);
    ck_assert_uint_eq(t->count, 2);
    ck_assert_int_eq(t->at[0].kind, TOKEN_number);
    ck_assert(t->at[0].number == numbers[_i].value);
    ck_assert_int_eq(t->at[0].is_integer, numbers[_i].is_integer);
    ck_assert_str_eq(t->at[0].text, numbers[_i].text);
}
END_TEST

START_TEST(a_range_is_no_number)
{
    const Tokens *t = tokens_of("0..3");
    ck_assert_uint_eq(t->count, 4);
    ck_assert_int_eq(t->at[1].kind, TOKEN_range);
    ck_assert(t->at[2].number == 3);
}
END_TEST

START_TEST(texts_are_unescaped)
{
    const Tokens *t = tokens_of("\"a\\n\\t\\\\\\\"\\u00e9\\u20ac\"");
    ck_assert_int_eq(t->at[0].kind, TOKEN_string);
    ck_assert_str_eq(t->at[0].text, "a\n\t\\\"\xc3\xa9\xe2\x82\xac");
    ck_assert_uint_eq(t->errors, 0);
}
END_TEST

START_TEST(lines_and_comments_are_known)
{
    const Tokens *t = tokens_of("// top  \r\na b // behind\n\n  c");
    ck_assert_uint_eq(t->count, 4);
    ck_assert(t->at[0].first && !t->at[1].first && t->at[2].first);
    ck_assert_uint_eq(t->comment_count, 2);
    ck_assert(t->comment[0].own_line && !t->comment[1].own_line);
    ck_assert_uint_eq(t->comment[0].length, 6);
    ck_assert_uint_eq(t->comment[0].before, 0);
    ck_assert_uint_eq(t->comment[1].before, 2);
}
END_TEST

START_TEST(brackets_know_their_partners)
{
    const Tokens *t = tokens_of("f ( a [ 1 ] , ( b ) )");
    ck_assert_uint_eq(t->at[1].match, 10);
    ck_assert_uint_eq(t->at[10].match, 1);
    ck_assert_uint_eq(t->at[3].match, 5);
    ck_assert_uint_eq(t->at[7].match, 9);
    ck_assert(t->at[1].closed);
}
END_TEST

START_TEST(an_open_bracket_ends_with_its_line)
{
    const Tokens *t = tokens_of("x = f(a,\n  b\ny = [1\nz = 2");
    ck_assert(!t->at[3].closed);
    ck_assert_uint_eq(t->at[3].match, 7);
    ck_assert(!t->at[9].closed);
    ck_assert_uint_eq(t->at[9].match, 11);
}
END_TEST

START_TEST(indentation_tells_which_brace_is_missing)
{
    const Tokens *t = tokens_of("model m {\n  for i in a {\n    b\n  c\n}\ntrain { }");
    ck_assert_uint_eq(t->at[2].match, 10);
    ck_assert(t->at[2].closed);
    ck_assert(!t->at[7].closed);
    ck_assert_uint_eq(t->at[7].match, 10);
}
END_TEST

static const struct {
    const char *text, *message;
} refusals[] = {
    {"12kb", "a number has no unit `kb`"},
    {"1_", "a number has no unit `_`"},
    {"1__0", "a number has no unit `__0`"},
    {"0x10", "numbers are decimal"},
    {"1e999", "the number is larger than"},
    {"1e99999999999999999999", "the number is larger than"},
    {"9007199254740993", "a whole number is less than 2^53"},
    {"\"abc\nd", "the text is not closed on its line"},
    {"\"abc", "the text is not closed on its line"},
    {"\"\\q\"", "a backslash in a text begins"},
    {"\"\\", "a backslash in a text begins"},
    {"\"\\u12\"", "needs four hexadecimal digits"},
    {"\"\\u0000\"", "`\\u0000` is not a character"},
    {"\"\\udc00\"", "`\\udc00` is not a character"},
    {"'a'", "texts stand in double quotes"},
    {"a && b", "write `and`"},
    {"a || b", "write `or`"},
    {"!a", "write `not`"},
    {"a ^ 2", "a power is written `**`"},
    {"a += 1", "`x = x + ...`"},
    {"# a", "comments start with //"},
    {"/* a\n */", "comments start with //"},
    {"/*", "comments start with //"},
    {"a ? b", "a if condition else b"},
    {"\xc3\xa9 = 1", "unexpected character `\xc3\xa9`"},
    {"\xe2\x80\x9c", "straight double quotes"},
    {"\x01", "unexpected control character 0x01"},
    {"a\xff", "the file is not UTF-8: byte 0xff"},
    {"\xc0\x80", "the file is not UTF-8: byte 0xc0"},
    {"\xed\xa0\x80", "the file is not UTF-8: byte 0xed"},
    {"\xf4\x90\x80\x80", "the file is not UTF-8: byte 0xf4"},
    {"\xe2\x82", "the file is not UTF-8: byte 0xe2"},
};

START_TEST(what_cannot_be_read_is_reported)
{
    ck_assert_uint_ge(tokens_of(refusals[_i].text)->errors, 1);
    ck_reported(refusals[_i].message);
}
END_TEST

START_TEST(a_zero_byte_is_one_error)
{
    const Tokens *t = tokens_of_bytes("a\0b\0c", 5);
    ck_assert_uint_eq(t->count, 1);
    ck_assert_uint_eq(t->errors, 1);
    ck_reported("it contains a zero byte");
}
END_TEST

START_TEST(a_byte_order_mark_is_passed_over)
{
    const Tokens *t = tokens_of("\xef\xbb\xbfx");
    ck_assert_uint_eq(t->count, 2);
    ck_assert_uint_eq(t->errors, 0);
}
END_TEST

START_TEST(a_large_file_is_refused)
{
    char *text = malloc(SOURCE_MOST + 1);
    memset(text, ' ', SOURCE_MOST + 1);
    ck_assert_uint_eq(tokens_of_bytes(text, SOURCE_MOST)->errors, 0);
    ck_assert_uint_eq(tokens_of_bytes(text, SOURCE_MOST + 1)->errors, 1);
    free(text);
}
END_TEST

START_TEST(errors_are_bounded)
{
    Text text = {.arena = context.arena};
    for (int i = 0; i < 10000; i++)
        text_put(&text, "$ ", 2);
    tokens_of(text_done(&text));
    ck_assert_uint_eq(report_errors(context.report), ERRORS_MOST);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

Suite *suite_lexer(void);
Suite *suite_lexer(void)
{
    Suite *suite = suite_create("lexer");
    TCase *tests = tcase_create("lexer");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_add_test(tests, words_and_marks_are_told_apart);
    tcase_add_loop_test(tests, numbers_have_units, 0, COUNT(numbers));
    tcase_add_test(tests, a_range_is_no_number);
    tcase_add_test(tests, texts_are_unescaped);
    tcase_add_test(tests, lines_and_comments_are_known);
    tcase_add_test(tests, brackets_know_their_partners);
    tcase_add_test(tests, an_open_bracket_ends_with_its_line);
    tcase_add_test(tests, indentation_tells_which_brace_is_missing);
    tcase_add_loop_test(tests, what_cannot_be_read_is_reported, 0, COUNT(refusals));
    tcase_add_test(tests, a_zero_byte_is_one_error);
    tcase_add_test(tests, a_byte_order_mark_is_passed_over);
    tcase_add_test(tests, a_large_file_is_refused);
    tcase_add_test(tests, errors_are_bounded);
    suite_add_tcase(suite, tests);
    return suite;
}

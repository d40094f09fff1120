#include "frontend/parser.h"
#include "tests/unit/snippets.h"
#include <check.h>

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

static uint32_t source_of(const char *text)
{
    return sources_add(context.sources, "test.mlc", text, strlen(text), false);
}

/* NULL: it does not parse. */
static const char *formatted(const char *text)
{
    Text out = {.arena = context.arena};
    return format_source(&context, source_of(text), &out) ? text_done(&out) : NULL;
}

static const char *tree(const char *text)
{
    Text out = {.arena = context.arena};
    ast_print(&out, parse_file(&context, source_of(text)), context.names);
    return text_done(&out);
}

static const struct {
    const char *text, *expected;
} cases[] = {
    {"", ""},
    {"\n\n// a  \n\n\n\n//b\n\n", "// a\n\n//b\n"},
    {"const  a=1;const b=[ 1,2 ,3, ]", "const a = 1\nconst b = [1, 2, 3,]\n"},
    {"const a = - 1-- 2 ** - x", "const a = -1 - -2 ** -x\n"},
    {"const a = x [ 1 : 2,: ,:: 2 , i+1 : ] . y (z , n :1 )",
     "const a = x[1:2, :, ::2, i + 1:].y(z, n: 1)\n"},
    {"const a = 0 .. 3*n", "const a = 0..3 * n\n"},
    {"const a = not(b)and(c)or[d]==e if(f)else(g)",
     "const a = not (b) and (c) or [d] == e if (f) else (g)\n"},
    {"fn f ( x,y :3,z:f32[ N,2 ]=1 ){return(x)}",
     "fn f(x, y: 3, z: f32[N, 2] = 1) { return (x) }\n"},
    {"fn f(x) {\n\n\n  a\n\n\n\n  b\n\n}", "fn f(x) {\n  a\n\n  b\n}\n"},
    {"fn f(x) { a; b;; c; }", "fn f(x) { a; b; c }\n"},
    {"fn f(x) { a; b\n c; d }", "fn f(x) {\n  a\n  b\n  c\n  d\n}\n"},
    {"fn f(x) {\n}\nfn g(x) { }", "fn f(x) {}\nfn g(x) {}\n"},
    {"fn f(x) {\n      // only\n}", "fn f(x) {\n  // only\n}\n"},
    {"fn f(x) { // behind\n  a // more\n}", "fn f(x) {  // behind\n  a  // more\n}\n"},
    {"fn f(x) {\n\n ;\n\n\nb\n;\n}\nfn g() { ; }\n;fn h() { ;a; }",
     "fn f(x) {\n  b\n}\nfn g() {}\nfn h() { a }\n"},
    {"const a =   1      // in its column", "const a = 1        // in its column\n"},
    {"fn f(x) {\n  if a { b }\n  else if c { d }\n  else { e } }",
     "fn f(x) {\n  if a { b } else if c { d } else { e }\n}\n"},
    {"fn f(x) {\n  if a { b } // why\n  else { e }\n}",
     "fn f(x) {\n  if a { b }  // why\n  else { e }\n}\n"},
    {"const a = f(1,\n2,\n[3,\n4]\n)", "const a = f(1,\n  2,\n  [3,\n    4]\n)\n"},
    {"fn f(x) {\na = 1 +\n2\n}", "fn f(x) {\n  a = 1 +\n      2\n}\n"},
    {"train { freeze [ 1 ]; ema -1; optimizer o( ){\"a\",\"b\":rate -1,x (2)} }",
     "train { freeze [1]; ema -1; optimizer o() { \"a\", \"b\": rate -1, x (2) } }\n"},
    {"fn f(x) { y = scan t in(x)axis -1 carry h=0{yield t} }",
     "fn f(x) { y = scan t in (x) axis -1 carry h = 0 { yield t } }\n"},
    {"weights \"a\" {\"b\"->\"c\";\"d\"->transpose}",
     "weights \"a\" { \"b\" -> \"c\"; \"d\" -> transpose }\n"},
    {"\xef\xbb\xbf"
     "const a = 1\r\nconst b = 2\r\n",
     "const a = 1\nconst b = 2\n"},
    {"fn f(x) { a = 10000000000000 + 10000000000000 + 10000000000000 + 10000000000000; bb = "
     "10000000000000 }",
     "fn f(x) {\n  a = 10000000000000 + 10000000000000 + 10000000000000 + 10000000000000\n  bb = "
     "10000000000000\n}\n"},
};

START_TEST(there_is_one_style)
{
    const char *text = formatted(cases[_i].text);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, cases[_i].expected);
    ck_assert_str_eq(formatted(text), text);
    ck_assert_str_eq(tree(text), tree(cases[_i].text));
}
END_TEST

/* A block of exactly the width stays, one of a byte more is broken. */
START_TEST(the_width_is_a_hundred)
{
    for (int more = 0; more < 2; more++) {
        Text text = {.arena = context.arena};
        text_add(&text, "fn f(x) { return %0*d }", 81 + more, 1);
        const char *out = formatted(text_done(&text));
        ck_assert_uint_eq(strchr(out, '\n') - out, more ? 9 : 100);
        ck_assert_str_eq(formatted(out), out);
    }
}
END_TEST

START_TEST(what_was_written_before_stays)
{
    Text out = {.arena = context.arena};
    for (int i = 0; i < 2; i++)
        ck_assert(format_source(&context, source_of("const  a = 1"), &out));
    ck_assert_str_eq(text_done(&out), "const a = 1\nconst a = 1\n");
}
END_TEST

START_TEST(formatting_keeps_the_tree)
{
    Snippets snippets = snippets_open(context.arena);
    for (uint32_t i = 0; i < snippets.count; i++) {
        const Snippet *s = &snippets.at[i];
        if (strcmp(s->mark, "ebnf") == 0) continue;
        const char *text = formatted(s->text);
        if (strcmp(s->mark, "mlc-wrong") == 0) {
            ck_assert_ptr_null(text);
            continue;
        }
        ck_assert_msg(text != NULL, "%s", s->text);
        ck_assert_str_eq(formatted(text), text);
        ck_assert_str_eq(tree(text), tree(s->text));
    }
}
END_TEST

Suite *suite_format(void);
Suite *suite_format(void)
{
    Suite *suite = suite_create("format");
    TCase *tests = tcase_create("format");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_add_loop_test(tests, there_is_one_style, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tests, the_width_is_a_hundred);
    tcase_add_test(tests, what_was_written_before_stays);
    tcase_add_test(tests, formatting_keeps_the_tree);
    suite_add_tcase(suite, tests);
    return suite;
}

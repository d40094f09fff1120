#include "frontend/lexer.h"
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

static const Ast *parse(const char *text)
{
    report_clear(context.report);
    return parse_file(&context,
                      sources_add(context.sources, "test.mlc", text, strlen(text), false));
}

static const char *report_text(void)
{
    Text text = {.arena = context.arena};
    report_render(context.report, &text, false);
    return text_done(&text);
}

/* (binary + 1 2): a tree on one line, as kinds, names and texts. */
static void put_tree(Text *out, const Ast *ast)
{
    if (!ast) {
        text_add(out, "-");
        return;
    }
    const char *name = name_text(context.names, ast->name);
    bool is_short = ast->kind == AST_name || ast->kind == AST_number;
    if (is_short) {
        text_add(out, "%s", ast->kind == AST_name ? name : ast->text);
        return;
    }
    text_add(out, "(%s", ast_name[ast->kind]);
    if (*name) text_add(out, " %s", name);
    if (ast->text) text_add(out, " '%s'", ast->text);
    for (uint32_t i = 0; i < ast->count; i++) {
        text_add(out, " ");
        put_tree(out, ast->child[i]);
    }
    text_add(out, ")");
}

static const char *tree(const Ast *ast)
{
    Text text = {.arena = context.arena};
    put_tree(&text, ast);
    return text_done(&text);
}

static const struct {
    const char *text, *tree;
} values[] = {
    {"1 + 2 * 3", "(binary + 1 (binary * 2 3))"},
    {"1 - 2 - 3", "(binary - (binary - 1 2) 3)"},
    {"(1 - 2) * 3", "(binary * (binary - 1 2) 3)"},
    {"2 ** 3 ** 4", "(binary ** 2 (binary ** 3 4))"},
    {"-2 ** 2", "(unary - (binary ** 2 2))"},
    {"2 ** -1", "(binary ** 2 (unary - 1))"},
    {"-a * b", "(binary * (unary - a) b)"},
    {"a % b / c", "(binary / (binary % a b) c)"},
    {"a or b and not c == d", "(binary or a (binary and b (unary not (binary == c d))))"},
    {"not not a", "(unary not (unary not a))"},
    {"0..n - 1", "(range 0 (binary - n 1))"},
    {"a if b else c if d else e", "(choose a b (choose c d e))"},
    {"f(x, n: 1)(2).y[0]",
     "(index (member y (call (call f (argument x) (argument n 1)) (argument 2))) 0)"},
    {"x[i, 1:3, :, ::2, -1:]",
     "(index x i (span 1 3 -) (span - - -) (span - - 2) (span (unary - 1) - -))"},
    {"x[1:n:2]", "(index x (span 1 n 2))"},
    {"[1, [2], \"a\",]", "(list 1 (list 2) (string 'a'))"},
    {"f(if: 1, axis: axis, x.for)",
     "(call f (argument if 1) (argument axis axis) (argument (member for x)))"},
    {"train.batch", "(member batch train)"},
    {"10k", "10k"},
    {"(\n1\n+\n2\n)", "(binary + 1 2)"},
    {"[]", "(list)"},
    {"f()", "(call f)"},
};

START_TEST(values_have_their_precedence)
{
    const char *text = values[_i].text;
    uint32_t source = sources_add(context.sources, "--set", text, strlen(text), false);
    const Ast *ast = parse_expression(&context, source);
    ck_assert_msg(report_errors(context.report) == 0, "%s", report_text());
    ck_assert_str_eq(tree(ast), values[_i].tree);
}
END_TEST

static const struct {
    const char *text, *tree;
} files[] = {
    {"use \"a.mlc\"; const a = 1", "(file (use 'a.mlc') (const a 1))"},
    {"fn f(x, n: 1, y: f32[N, 2], z: bool = true, t: i32) { return x }",
     "(file (function f (parameters (parameter x - -) (parameter n - 1) (parameter y (type f32 N "
     "2) -) "
     "(parameter z (type bool) true) (parameter t (type i32) -)) (block (return x))))"},
    {"model m { input x: u8[N]; output y = x; output x }",
     "(file (model m (block (input x (type u8 N)) (output y x) (output x x))))"},
    {"model m { keep a = 1; recompute b = a; update c = b; axis = a }",
     "(file (model m (block (bind a 'keep' 1) (bind b 'recompute' a) (update c b) (bind axis "
     "a))))"},
    {"fn f() { param w: f32[2] = ones(); state s: i32 = 0 }",
     "(file (function f (parameters) (block (param w (type f32 2) (call ones)) (state s (type i32) "
     "0))))"},
    {"fn f(x) { if x { 1 } else if y { 2 } else { 3 } }",
     "(file (function f (parameters (parameter x - -)) (block (if x (block (evaluate 1)) "
     "(if y (block (evaluate 2)) (block (evaluate 3)))))))"},
    {"fn f(x) { for i in 0..3 { a = i; } }", "(file (function f (parameters (parameter x - -)) "
                                             "(block (for i (range 0 3) (block (bind a i))))))"},
    {"fn f(x) { y = scan t in x { yield t } }",
     "(file (function f (parameters (parameter x - -)) (block (bind y (scan t x - (block (yield "
     "t)))))))"},
    {"fn f(x) { return scan t in x axis -1 carry h = 0, c = 1 { yield t } }",
     "(file (function f (parameters (parameter x - -)) (block (return (scan t x (unary - 1) "
     "(bind h 0) (bind c 1) (block (yield t)))))))"},
    {"data d { train: idx(\"a\"); test: 1 }",
     "(file (data d (entry train (call idx (argument (string 'a')))) (entry test 1)))"},
    {"train { batch all; report a = b, c = d; quiet; optimizer o() { \"x\", \"y\": r 0, s -1; "
     "\"z\": r 1 } }",
     "(file (train (setting batch all) (setting report (bind a b) (bind c d)) (setting quiet) "
     "(setting optimizer (call o) (block (group (string 'x') (string 'y') (override r 0) "
     "(override s (unary - 1))) (group (string 'z') (override r 1))))))"},
    {"variant v { const a = 1; compress { require a >= b - 1 } }",
     "(file (variant v (const a 1) (compress (setting require (binary >= a (binary - b 1))))))"},
    {"weights \"w\" { \"a\" -> \"b\"; \"c\" -> transpose }\nweights \"v\"",
     "(file (weights 'w' (mapping 'a' (string 'b')) (mapping 'c' transpose)) (weights 'v'))"},
    {"// far\n\n// First\n//second\nfn f() { } // behind\n\nfn g() { }",
     "(file (function f 'First\nsecond' (parameters) (block)) (function g (parameters) (block)))"},
    {"", "(file)"},
    {"// nothing else", "(file)"},
};

START_TEST(files_become_trees)
{
    const Ast *ast = parse(files[_i].text);
    ck_assert_msg(report_errors(context.report) == 0, "%s", report_text());
    ck_assert_str_eq(tree(ast), files[_i].tree);
}
END_TEST

/* Each mistake gives exactly the messages named, so that none is lost and none drags others along. */
static const struct {
    uint32_t errors;
    const char *text, *message, *more;
} mistakes[] = {
    {1, "model m { ouput y = x }", "`ouput` is not a word", "did you mean `output`?"},
    {1, "model m { inptu x: f32[N] }", "`inptu` is not a word", "did you mean `input`?"},
    {1, "modle m { }", "`modle` does not begin", "did you mean `model`?"},
    {1, "trian { epochs 1 }", "`trian` does not begin", "did you mean `train`?"},
    {1, "fn f(x) { fro i in 0..3 { a = i } }", "`fro` is not a word", "did you mean `for`?"},
    {1, "def f(x) { return x }", "there is no `def`", "fn NAME(x)"},
    {1, "fn f(x) { let y = x }", "there is no `let`", "a binding needs no word"},
    {1, "x = 3", "a binding stands in a function", "const x = value"},
    {1, "const if = 3", "found the keyword `if`", "`if_` would be one"},
    {1, "fn f(x) { y = for }", "found the keyword `for`", "`for_` would be one"},
    {1, "fn f(x) { output = x }", "begins a statement and cannot be bound", "write `output NAME"},
    {1, "model m {\n  x = 1\n", "`{` is never closed", NULL},
    {1, "model m {\n  for i in a {\n    b\n}\ntrain { }",
     "test.mlc:2:14: error: `{` is never closed", "test.mlc:4:1: note"},
    {1, "model m {\n  b\ntrain { }", "test.mlc:1:9: error: `{` is never closed",
     "test.mlc:3:1: note"},
    {1, "const a = f(1,\n  2\nconst b = 3", "`(` is never closed", "expected `)` here"},
    {1, "const a = [1, 2)", "`[` is closed by `)`", "opened here"},
    {1, "const a = [1, (2, 3]", "`(` is never closed", NULL},
    {1, "const a = f(a[1) + (b)", "`[` is never closed", NULL},
    {1, "const a = (1]", "`(` is closed by `]`", NULL},
    {1, "model m { } }", "`}` closes nothing", NULL},
    {1, "const a = 1)", "`)` closes nothing", NULL},
    {1, "const a = \"b", "the text is not closed", NULL},
    {1, "const a = f(\"b)\nconst c = 1", "the text is not closed", NULL},
    {1, "const a =\nconst b = 1",
     "test.mlc:1:10: error: expected a value, found the end of the line", NULL},
    {1, "fn f(x) {\n  y = x +\n  z = 1\n}", "test.mlc:2:10: error: expected a value", NULL},
    {1, "fn f(x) {\n  y = x\n  + 1\n}", "a statement cannot begin with `+`",
     "the line before has ended"},
    {1, "fn f(x) {\n  y = x\n  - 1\n}", "a statement cannot begin with `-`",
     "the line before has ended"},
    {1, "fn f(x) {\n  y = x\n  and x\n}", "a statement cannot begin with `and`", NULL},
    {1, "fn f(x) { if x = 3 { y = 1 } }", "`=` does not compare", "compared by `==`"},
    {1, "const a = f(x, n = 3)", "a named argument is written with `:`", "write `n: value`"},
    {1, "fn f(x = 3) { }", "a default is written with `:`", "write `x: value`"},
    {1, "data d { train = 1 }", "an entry is written with `:`", "write `train: value`"},
    {1, "data d { train: 1, test: 2 }", "unexpected `,`", "an entry ends with its line"},
    {1, "train { batch = 1 }", "a setting is written without `=`", "write `batch value`"},
    {1, "const a = 1 < 2 < 3", "comparisons do not chain", "a < b and b < c"},
    {1, "const a = 1..2..3", "a range has two ends", NULL},
    {1, "const a = (1, 2)", "parentheses hold one value", "[a, b]"},
    {1, "const a = ()", "expected a value, found `)`", NULL},
    {1, "const a = x[]", "expected an index", NULL},
    {1, "const a = x.1", "expected a name behind the `.`", NULL},
    {1, "const a = h.0.attn", "expected a name behind the `.`", "\"h.0.*\""},
    {1, "const a = .5", "expected a value, found `.`", "0.5"},
    {1, "const a = x if y", "expected `else`", NULL},
    {1, "fn f(x) { a = if x { 1 } }", "found the keyword `if`", "a if condition else b"},
    {1, "fn f(x) { a = g(scan t in x { yield t }) }", "found the keyword `scan`",
     "whole right side"},
    {1, "fn f(x) { scan t in x { yield t } }", "the scan's values go nowhere", NULL},
    {1, "fn f(x) { x[0] = 1 }", "unexpected `=`", "tensors are not changed in place"},
    {1, "fn f(x) { a, b = x }", "found `,`", "a line binds one name"},
    {1, "fn f(x) { y: f32 }", "unexpected `:`", "param or state"},
    {1, "fn f(x) { param w: float32[n] = 0 }", "`float32` is not a type", "write f32"},
    {1, "fn f(x) { param w: tensor = 0 }", "`tensor` is not a type", "types are f32"},
    {1, "fn f(x) { param w = 0 }", "expected `:`", NULL},
    {1, "fn f(x) { input y: f32 }", "an input stands in a model", NULL},
    {1, "model m { return 1 }", "`return` stands in a function", "output NAME"},
    {1, "fn f(x) { yield x }", "`yield` stands in a scan", NULL},
    {1, "fn f(x) { y = scan t in x { return t } }", "`return` cannot leave a scan", NULL},
    {1, "fn f(x) { return\n}", "expected a value, found the end of the line", NULL},
    {1, "fn f(x) { const a = 1 }", "`const` stands at the top of a file", "NAME = value"},
    {1, "fn f(x) { fn g(y) { return y } }", "`fn` stands at the top of a file", NULL},
    {1, "fn f(x) { train { epochs 1 } }", "`train` stands at the top of a file", NULL},
    {1, "fn f(x) { use \"a.mlc\" }", "`use` stands at the top of a file", NULL},
    {1, "fn f(x) { weights \"a\" { \"b\" -> \"c\" } }", "a map of weights stands in a model", NULL},
    {1, "variant v { fn f(x) { return x } }", "a variant holds const, train and compress", NULL},
    {1, "fn f(x)\n{\n  return x\n}", "expected `{`", "stands on the line"},
    {1, "fn f(x) { else { x = 1 } }", "`else` without `if`", NULL},
    {1, "fn f(x) { for i = 0..3 { a = i } }", "expected `in`", NULL},
    {1, "fn (x) { return x }", "expected the function's name before `(`", NULL},
    {1, "data { train: 1 }", "expected a name for the data before `{`", NULL},
    {1, "weights \"a\" { \"b\" -> c }", "expected a text or `transpose`", NULL},
    {1, "train { optimizer o() { \"b\" rate 0 } }", "expected `:`", NULL},
    {1, "const a = b c", "expected the end of the line, found `c`", NULL},
    {1, "fn f(x) { a b }", "expected `=`, an operator or the end of the line", NULL},
    {1, "fn f(x) { g(a b, c) }", "expected `,` or `)`, found `b`", NULL},
    {1, "fn f(x) { a = 1 b = 2 }", "expected the end of the line", NULL},
    {1, "fn f(x) { a = $ }", "unexpected character `$`", NULL},
    {2, "fn f(x) { g(a b, c d) }", "found `b`", "found `d`"},
    {3, "const a = 1 +\nconst b = )\nconst c = (1", "expected a value", "`(` is never closed"},
    {2, "fn f(x) {\n  if x { a = ) }\n  b = 1 2\n}", "found `)`", "the number `2`"},
};

START_TEST(a_mistake_gives_one_message)
{
    parse(mistakes[_i].text);
    const char *text = report_text();
    ck_assert_msg(report_errors(context.report) == mistakes[_i].errors, "of\n%s\n%u errors:\n%s",
                  mistakes[_i].text, report_errors(context.report), text);
    ck_assert_msg(strstr(text, mistakes[_i].message) != NULL, "not `%s`:\n%s", mistakes[_i].message,
                  text);
    if (mistakes[_i].more)
        ck_assert_msg(strstr(text, mistakes[_i].more) != NULL, "not `%s`:\n%s", mistakes[_i].more,
                      text);
}
END_TEST

START_TEST(spans_cover_their_constructs)
{
    const char *text = "const a = (1 + f(2)) * 3 // end";
    const Ast *item = parse(text)->child[0], *product = item->child[0], *sum = product->child[0];
    ck_assert_uint_eq(item->at.begin, 0);
    ck_assert_uint_eq(item->at.length, 24);
    ck_assert_uint_eq(item->name_at.begin, 6);
    ck_assert_uint_eq(product->at.begin, 10);
    ck_assert_uint_eq(product->at.length, 14);
    ck_assert_uint_eq(sum->at.begin, 10);
    ck_assert_uint_eq(sum->at.length, 10);
    ck_assert_uint_eq(sum->child[1]->at.begin, 15);
    ck_assert_uint_eq(sum->child[1]->at.length, 4);
}
END_TEST

/* Texts that nest or chain as deeply as they are long. */
static const struct {
    const char *begin, *opened, *middle, *closed, *message;
} deep[] = {
    {"const a = ", "(", "1", ")", "nested more than"},
    {"const a = ", "[", "1", "]", "nested more than"},
    {"const a = ", "-", "1", "", "nested more than"},
    {"const a = ", "not ", "1", "", "nested more than"},
    {"const a = ", "1 ** ", "1", "", "nested more than"},
    {"const a = ", "1 if 1 else ", "1", "", "nested more than"},
    {"const a = ", "f(", "1", ")", "nested more than"},
    {"const a = ", "x[", "1", "]", "nested more than"},
    {"const a = 1", " + 1", "", "", "more than about"},
    {"const a = x", ".y", "", "", "more than about"},
    {"const a = x", "(1)", "", "", "more than about"},
    {"const a = x", "[1]", "", "", "more than about"},
    {"fn f(x) { ", "if x { ", "", "}", "nested more than"},
    {"fn f(x) { if x { } ", "else if x { } ", "}", "", "nested more than"},
    {"fn f(x) { ", "for i in x { ", "", "}", "nested more than"},
    {"", "variant v { ", "", "}", "a variant holds const, train and compress"},
    {"fn f(x) { y = ", "scan t in x { y = ", "", "}", "nested more than"},
    {"const a = ", "(", "1", "", "`(` is never closed"},
    {"fn f(x) ", "{ if x ", "", "", "`{` is never closed"},
    {"fn f(x) ", "{\nif x ", "", "\n}", NULL},
    {"const a = ", "((", "1", ")", NULL},
    {"const a = 1", ")", "", "", "`)` closes nothing"},
    {"", "}", "", "", "`}` closes nothing"},
    {"", "{", "", "", NULL},
    {"", "{\n", "", "", NULL},
    {"const a = f(\n", "f(a +\n", "", "", NULL},
};

START_TEST(no_depth_overflows_the_stack)
{
    Text text = {.arena = context.arena};
    text_add(&text, "%s", deep[_i].begin);
    for (int i = 0; i < 5000; i++)
        text_put(&text, deep[_i].opened, strlen(deep[_i].opened));
    text_add(&text, "%s", deep[_i].middle);
    for (int i = 0; i < 5000; i++)
        text_put(&text, deep[_i].closed, strlen(deep[_i].closed));
    const Ast *ast = parse(text_done(&text));
    ck_assert_uint_le(ast->height, AST_HEIGHT_MOST);
    ck_assert_uint_ge(report_errors(context.report), 1);
    ck_assert_uint_le(report_errors(context.report), ERRORS_MOST);
    if (deep[_i].message) ck_assert_ptr_nonnull(strstr(report_text(), deep[_i].message));
}
END_TEST

START_TEST(the_grammar_names_every_token)
{
    const char *grammar = snippets_grammar(context.arena);
    for (Word word = WORD_none + 1; word < WORD_COUNT; word++) {
        Text quoted = {.arena = context.arena};
        text_add(&quoted, "\"%s\"", word_info[word].text);
        ck_assert_msg(strstr(grammar, text_done(&quoted)) != NULL, "no %s", text_done(&quoted));
    }
    for (TokenKind kind = TOKEN_bad + 1; kind < TOKEN_COUNT; kind++) {
        Text quoted = {.arena = context.arena};
        text_add(&quoted, "\"%s\"", mark_text[kind]);
        bool told = kind == TOKEN_semicolon; /* in prose: it is a line's end */
        ck_assert_msg(told || strstr(grammar, text_done(&quoted)), "no %s", text_done(&quoted));
    }
#define UNIT(name, times, over)                                                                    \
    ck_assert_msg(strstr(grammar, "\"" #name "\"") != NULL, "no unit " #name);
#include "frontend/tokens.def"
#define TYPE(name, bytes, class)                                                                   \
    ck_assert_msg(strstr(grammar, "\"" #name "\"") != NULL, "no type " #name);
#include "ir/graph/types.def"
}
END_TEST

static void collect_kinds(const Ast *ast, bool seen[AST_COUNT])
{
    if (!ast) return;
    seen[ast->kind] = true;
    for (uint32_t i = 0; i < ast->count; i++)
        collect_kinds(ast->child[i], seen);
}

START_TEST(the_grammar_and_the_parser_agree)
{
    Snippets snippets = snippets_open(context.arena);
    bool seen[AST_COUNT] = {0};
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < snippets.count; i++) {
        const Snippet *s = &snippets.at[i];
        if (strcmp(s->mark, "ebnf") == 0) continue;
        const Ast *ast = parse(s->text);
        bool must_fail = strcmp(s->mark, "mlc-wrong") == 0,
             failed = report_errors(context.report) > 0;
        ck_assert_msg(failed == must_fail, "line %d of the grammar:\n%s\n%s", s->line, s->text,
                      report_text());
        if (!must_fail) collect_kinds(ast, seen);
        wrong += must_fail;
    }
    ck_assert_uint_ge(wrong, 40);
    for (AstKind kind = 0; kind < AST_COUNT; kind++)
        ck_assert_msg(seen[kind] != (kind == AST_error), "%s in the examples", ast_name[kind]);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

Suite *suite_parser(void);
Suite *suite_parser(void)
{
    Suite *suite = suite_create("parser");
    TCase *tests = tcase_create("parser");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_add_loop_test(tests, values_have_their_precedence, 0, COUNT(values));
    tcase_add_loop_test(tests, files_become_trees, 0, COUNT(files));
    tcase_add_loop_test(tests, a_mistake_gives_one_message, 0, COUNT(mistakes));
    tcase_add_test(tests, spans_cover_their_constructs);
    tcase_add_loop_test(tests, no_depth_overflows_the_stack, 0, COUNT(deep));
    tcase_add_test(tests, the_grammar_names_every_token);
    tcase_add_test(tests, the_grammar_and_the_parser_agree);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "ir/base/bits.h"
#include "ir/graph/build.h"
#include "ir/graph/print.h"
#include "ir/graph/verify.h"
#include <check.h>
#include <math.h>

static Arena *arena;
static Context context;

static void open_context(void)
{
    arena = arena_open(&host_default);
    context.arena = arena;
    context.names = names_new(arena);
    context.sources = sources_new(arena);
    context.report = report_new(arena, context.sources);
}

static void close_context(void)
{
    arena_close(arena);
}

static Program *parse(const char *text, size_t size)
{
    uint32_t source = sources_add(context.sources, "test.ir", text, size, false);
    return program_parse(&context, arena, source, NULL);
}

static const char *printed(const Program *program)
{
    Text out = {.arena = arena};
    program_print(&out, program, NULL);
    return text_done(&out);
}

static const char *reported(void)
{
    Text out = {.arena = arena};
    report_render(context.report, &out, false);
    return text_done(&out);
}

static const char every_kind[] =
    "state fc.weight: f32[3, 4] parameter\n"
    "state 0.running_mean: f32[3] buffer\n"
    "state \"odd \\x22name\\x5c\": i8[] optimizer\n"
    "state train.step: i32[] counter\n"
    "\n"
    "entry step (x: f32[8, 4], image: f32[2, 3, 9, 9], kernel: f32[5, 3, 3, 3], label: i64[8], "
    "stream: u32[]) {\n"
    "  %1 = read fc.weight : f32[3, 4]\n"
    "  %2 = dot x, %1 mk,nk->mn : f32[8, 3]\n"
    "  %3 = constant 0.5 : f32[8, 3]\n"
    "  %4 = constant -0 : f32[8, 3]\n"
    "  %5 = constant -inf : f32[]\n"
    "  %6 = constant nan : f32[]\n"
    "  %7 = table {1, 2.5, 1e+300} : f32[3]\n"
    "  %8 = table {} : i32[0, 5]\n"
    "  %9 = iota 1 : i32[2, 3]\n"
    "  %10 = read train.step : i32[]\n"
    "  %11 = uniform %10, %10, stream : f32[8, 3]\n"
    "  %12 = add %2, %11 : f32[8, 3]\n"
    "  %13 = less %12, %3 : bool[8, 3]\n"
    "  %14 = select %13, %12, %4 : f32[8, 3]\n"
    "  %15 = cast %14 : bf16[8, 3]\n"
    "  %16 = reshape %14 : f32[2, 4, 3]\n"
    "  %17 = transpose %16 [2, 0, 1] : f32[3, 2, 4]\n"
    "  %18 = broadcast %17 [0, 1, 3] : f32[3, 2, 7, 4]\n"
    "  %19 = slice %18 [0:2, 1:-1, 6:-3, 0:1] : f32[2, 2, 3, 4]\n"
    "  %20 = pad %7 [1:2:3] -0.5 : f32[11]\n"
    "  %21 = concat %7, %7, %20 0 : f32[17]\n"
    "  %22 = concat %7 0 : f32[3]\n"
    "  %23 = window %18 [2:3:2:1, 3:2:1:3] : f32[3, 2, 3, 1, 3, 2]\n"
    "  %24 = fold %23 [2:3:2:1, 3:2:1:3] : f32[3, 2, 7, 4]\n"
    "  %25 = sum %24 [1, 2] : f32[3, 4]\n"
    "  %26 = sum %25 [] : f32[3, 4]\n"
    "  %27 = reduce_max %26 [0, 1] : f32[]\n"
    "  %28 = conv image, kernel nchw,ockl->noyx h=2y+k-1 w=2x+l-1 : f32[2, 5, 5, 5]\n"
    "  %29 = conv %28, kernel noyx,ockl->nchw 2y=h-k+1 2x=w-3l : f32[2, 3, 9, 9]\n"
    "  %30 = gather x, label 0 : f32[8, 4]\n"
    "  %31 = scatter %30, label 0 : f32[10, 4]\n"
    "  %32 = dot %27, %31 ,ab->ab : f32[10, 4]\n"
    "  %33 = dot %32, %32 ab,ab-> : f32[]\n"
    "  %34 = gradient %33, x : f32[8, 4]\n"
    "  %35 = stop %34 : f32[8, 4]\n"
    "  output y = %35\n"
    "  output \"a b\" = x\n"
    "  write fc.weight = %1\n"
    "}\n"
    "\n"
    "entry predict () {\n"
    "  %1 = constant 1 : i8[]\n"
    "  write \"odd \\x22name\\x5c\" = %1\n"
    "}\n";

START_TEST(every_kind_of_attribute_reads_back)
{
    Program *program = parse(every_kind, strlen(every_kind));
    ck_assert_str_eq(reported(), "");
    ck_assert_ptr_nonnull(program);
    ck_assert_str_eq(printed(program), every_kind);
    ck_assert_ptr_null(program_verify(program, false, arena));
    const Node *sum = &program->entry[ENTRY_step]->node.at[5 + 25];
    ck_assert_int_eq(sum->op, OP_sum);
    ck_assert_uint_eq(sum->at.begin, (uint32_t)(strstr(every_kind, "%25 = ") - every_kind));
    ck_assert_uint_eq(sum->at.length, strlen("%25 = sum %24 [1, 2] : f32[3, 4]"));
}
END_TEST

/* The kinds that the text above shows are all there are. */
START_TEST(every_kind_is_in_the_text)
{
    Program *program = parse(every_kind, strlen(every_kind));
    bool shown[ATTRIBUTE_COUNT] = {0};
    const Graph *graph = program->entry[ENTRY_step];
    for (uint32_t id = 1; id < graph->node.count; id++)
        shown[op_info[graph->node.at[id].op].attribute] = true;
    for (int kind = 0; kind < ATTRIBUTE_COUNT; kind++)
        ck_assert_msg(shown[kind], "attribute kind %d is not printed", kind);
}
END_TEST

START_TEST(a_sweep_prints_the_same_twice)
{
    Program *program = parse(every_kind, strlen(every_kind));
    for (int kind = 0; kind < ENTRY_COUNT; kind++)
        if (program->entry[kind]) program->entry[kind] = graph_sweep(program->entry[kind], arena);
    const char *first = printed(program);
    ck_assert_ptr_null(program_verify(program, true, arena));
    Program *again = parse(first, strlen(first));
    ck_assert_str_eq(printed(again), first);
    for (int kind = 0; kind < ENTRY_COUNT; kind++)
        if (again->entry[kind]) again->entry[kind] = graph_sweep(again->entry[kind], arena);
    ck_assert_str_eq(printed(again), first);
}
END_TEST

START_TEST(comments_spans_and_blank_lines_are_read_over)
{
    static const char text[] = "# first\r\n\n  // second\nentry  loss( x :f32[ 2 ] ){ # head\n"
                               "   %7=exp x:f32[2] @3:4 // line\n\n\toutput y=%7 @12:9\r\n}";
    Program *program = parse(text, strlen(text));
    ck_assert_str_eq(reported(), "");
    ck_assert_str_eq(printed(program),
                     "entry loss (x: f32[2]) {\n  %1 = exp x : f32[2]\n  output y = %1\n}\n");

    Text out = {.arena = arena};
    program_print(&out, program, &(PrintOptions){.spans = true, .sources = context.sources});
    ck_assert_str_eq(
        text_done(&out),
        "entry loss (x: f32[2]) {\n  %1 = exp x : f32[2] @5:4\n  output y = %1 @7:2\n}\n");
}
END_TEST

/* A line of the entry below, and what is said of it. */
static const struct Mistake {
    const char *line, *message;
} mistakes[] = {
    {"%1 = exq x : f32[2]", "there is no operation `exq`"},
    {"%1 = exp : f32[2]", "a name is expected here"},
    {"%1 = exp z : f32[2]", "`z` is not defined above"},
    {"%1 = exp %9 : f32[2]", "`%9` is not defined above"},
    {"%1 = exp x : f32[3]", "exp gives f32[2]"},
    {"%1 = exp x : f99[2]", "a type such as f32[8, 3] is expected here"},
    {"%1 = exp x f32[2]", "`:` is expected here"},
    {"%1 = exp x : f32[2", "`]` is expected here"},
    {"%1 = exp x : f32[1, 1, 1, 1, 1, 1, 1, 1, 1]", "more than 8 axes"},
    {"%1 = exp x : f32[99999999999999999999]", "the number is too large"},
    {"%1 = exp x : f32[2] more", "the line should end here"},
    {"%1 = add x : f32[2]", "`,` is expected here"},
    {"%1 = add x, s : f32[2]", "add: shapes [2] and [] differ"},
    {"%4000000000 = exp x : f32[2]", "the number is larger than the text is long"},
    {"%-1 = exp x : f32[2]", "the number is larger than the text is long"},
    {"%1 = input q : f32[2]", "inputs stand in the head of the entry"},
    {"%1 = read w : f32[3]", "state `w` is f32[2]"},
    {"%1 = read v : f32[3]", "state `v` is not declared above"},
    {"%1 = constant zero : f32[]", "a number is expected here"},
    {"%1 = constant 0.5 : i32[]", "constant: 0.5 is not a value of i32"},
    {"%1 = table {1, 2 : f32[2]", "`}` is expected here"},
    {"%1 = sum x [0:1] : f32[]", "`]` is expected here"},
    {"%1 = sum x [900] : f32[]", "900 is not an axis"},
    {"%1 = sum x [0, 0, 0, 0, 0, 0, 0, 0, 0] : f32[]", "more than 8 entries"},
    {"%1 = slice x [0:1, 0:1] : f32[2]", "2 entries for the 1 axes of the operand"},
    {"%1 = dot x, x a,a-> : f32[2]", "dot gives f32[]"},
    {"%1 = dot x, x a,a-> a=b+c a=b+c a=b+c a=b+c : f32[]", "more than 3 windows"},
    {"%1 = dot x, x a,a-> a=b : f32[]", "`+` or `-` is expected here"},
    {"%1 = dot x, x abcdefghij,a-> : f32[]", "more than 8 letters"},
    {"write w = s", "state `w` is f32[2]"},
    {"write u = s", "state `u` is not declared above"},
    {"output y = ", "a name is expected here"},
    {"output \"y = x", "the quotes are not closed"},
    {"output \"\\x0\" = x", "`\\` is not followed by xNN"},
    {"output \"\\x00\" = x", "a name cannot hold a zero byte"},
    {"output \"\" = x", "the name is empty"},
    {"nonsense", "`%N = ...`, `output`, `write` or `}` is expected here"},
};

START_TEST(mistakes_are_reported_once)
{
    const struct Mistake *mistake = &mistakes[_i];
    Text text = {.arena = arena};
    text_add(
        &text,
        "state w: f32[2] parameter\nentry loss (x: f32[2], s: f32[]) {\n  %s\n  output y = x\n}\n",
        mistake->line);
    ck_assert_ptr_null(parse(text.at, text.count));
    ck_assert_uint_eq(report_errors(context.report), 1);
    const char *message = reported();
    ck_assert_msg(strncmp(message, "test.ir:3:", 10) == 0 && strstr(message, mistake->message),
                  "%s", message);
}
END_TEST

static const struct Mistake declarations[] = {
    {"state w: f32[2]", "a state is a parameter, buffer, optimizer or counter"},
    {"state w: f32[2] parameter\nstate w: f32[2] buffer", "the state is declared twice"},
    {"state w: f32[2000000, 2000000] parameter", "has more than"},
    {"entry foo () {\n}", "an entry is called init, step, loss, grad, eval or predict"},
    {"entry loss () {\n}", "the entry has no result"},
    {"entry loss (x: f32[]) {\n  output y = x", "the entry is not closed"},
    {"entry loss (x: f32[]) {\n  output y = x\nstate w: f32[] buffer", "the entry is not closed"},
    {"entry loss (x: f32[], x: f32[]) {\n  output y = x\n}", "two inputs have this name"},
    {"entry loss (x: f32[]) {\n  output y = x\n}\nentry loss (x: f32[]) {\n  output y = x\n}",
     "two such entries"},
    {"entry loss (x: f32[]) {\n  %1 = exp x : f32[]\n  %1 = log x : f32[]\n  output y = %1\n}",
     "`%1` is defined twice"},
    {"entry loss (x: f32[]) {\n  %1 = exq x : f32[]\n  %2 = log %1 : f32[]\n  output y = %2\n}",
     "`exq`"},
    {"state w: f32[] buffer\nentry loss (x: f32[]) {\n  write w = x\n  write w = x\n}",
     "written twice"},
    {"hello", "`state` or `entry` is expected here"},
};

START_TEST(wrong_declarations_are_reported_once)
{
    const struct Mistake *mistake = &declarations[_i];
    ck_assert_ptr_null(parse(mistake->line, strlen(mistake->line)));
    ck_assert_msg(report_errors(context.report) == 1 && strstr(reported(), mistake->message), "%s",
                  reported());
}
END_TEST

/* Mutations of a good text: whatever they say, reading ends, and what is accepted is right and reads back. */
START_TEST(reading_stands_any_text)
{
    uint64_t state = 1;
    uint32_t accepted = 0;
    for (int round = 0; round < 3000; round++) {
        if (round % 50 == 0) {
            close_context();
            open_context();
        }
        size_t size = sizeof every_kind - 1;
        char text[sizeof every_kind];
        memcpy(text, every_kind, sizeof text);
        for (int edits = round % 3; edits >= 0; edits--) {
            state = bits_hash(&state, sizeof state, 3);
            size_t at = state % size, from = (state >> 20) % size, length = (state >> 40) % 9;
            if (length > size - at) length = size - at;
            if (length > size - from) length = size - from;
            if (state >> 63)
                text[at] = (char)(state >> 50);
            else
                memmove(text + at, text + from, length);
        }
        if (round % 7 == 0) size = (state >> 9) % size;
        Program *program = parse(text, size);
        if (!program) {
            ck_assert_uint_gt(report_errors(context.report), 0);
            report_clear(context.report);
            continue;
        }
        accepted++;
        const char *wrong = program_verify(program, false, arena), *first = printed(program);
        ck_assert_msg(!wrong, "%s", wrong);
        Program *again = parse(first, strlen(first));
        ck_assert_msg(again != NULL, "%s", reported());
        ck_assert_str_eq(printed(again), first);
    }
    ck_assert_uint_gt(accepted, 30);
}
END_TEST

static Value half(Graph *graph, const Node *node)
{
    if (node->op != OP_exp) return (Value){0};
    return ir_like(graph, node->argument[0], 0.5);
}

START_TEST(rules_are_asked_while_reading)
{
    static const char text[] =
        "entry loss (x: f32[2]) {\n  %1 = exp x : f32[2]\n  output y = %1\n}\n";
    uint32_t source = sources_add(context.sources, "test.ir", text, strlen(text), false);
    Program *program = program_parse(&context, arena, source, half);
    ck_assert_str_eq(
        printed(program),
        "entry loss (x: f32[2]) {\n  %1 = constant 0.5 : f32[2]\n  output y = %1\n}\n");
}
END_TEST

START_TEST(pictures_hold_every_node)
{
    Program *program = parse(every_kind, strlen(every_kind));
    const Graph *graph = program->entry[ENTRY_step];
    Text out = {.arena = arena};
    graph_print_dot(&out, graph);
    for (uint32_t id = 1; id < graph->node.count; id++) {
        Text node = {.arena = arena};
        text_add(&node, "\n  n%u [label=", id);
        ck_assert_ptr_nonnull(strstr(out.at, node.at));
    }
    ck_assert_ptr_nonnull(strstr(out.at, "label=\"%2 dot mk,nk->mn\\nf32[8, 3]\""));
    ck_assert_ptr_nonnull(strstr(out.at, "label=\"output a b\""));
}
END_TEST

Suite *suite_print(void);
Suite *suite_print(void)
{
    Suite *suite = suite_create("print");
    TCase *tests = tcase_create("print");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_add_test(tests, every_kind_of_attribute_reads_back);
    tcase_add_test(tests, every_kind_is_in_the_text);
    tcase_add_test(tests, a_sweep_prints_the_same_twice);
    tcase_add_test(tests, comments_spans_and_blank_lines_are_read_over);
    tcase_add_loop_test(tests, mistakes_are_reported_once, 0, sizeof mistakes / sizeof *mistakes);
    tcase_add_loop_test(tests, wrong_declarations_are_reported_once, 0,
                        sizeof declarations / sizeof *declarations);
    tcase_add_test(tests, reading_stands_any_text);
    tcase_add_test(tests, rules_are_asked_while_reading);
    tcase_add_test(tests, pictures_hold_every_node);
    suite_add_tcase(suite, tests);
    return suite;
}

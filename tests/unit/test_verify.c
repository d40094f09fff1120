#include "ir/graph/build.h"
#include "ir/graph/verify.h"
#include <check.h>

/* One graph in good order, in which each test breaks one thing. */
static Arena *arena;
static Names *names;
static Program *program;
static Graph *graph;
static Value x, weight, product, y;

static void open_program(void)
{
    arena = arena_open(&host_default);
    names = names_new(arena);
    program = program_new(arena, names);
    Shape shape = shape_of(2, (int64_t[]){3, 3});
    *list_add(arena, &program->state) = (State){
        .name = name_of(names, "w"), .role = STATE_parameter, .type = TYPE_f32, .shape = shape};
    graph = graph_new(arena, names, name_of(names, "loss"), NULL);
    x = ir_input(graph, name_of(names, "x"), TYPE_f32, shape);
    weight = ir_read(graph, name_of(names, "w"), TYPE_f32, shape);
    product = ir_dot(graph, x, weight, (Indices){.a = "mk", .b = "kn", .y = "mn"});
    y = ir_exp(graph, product);
    graph_result(graph, RESULT_output, name_of(names, "y"), y, (Span){0});
    graph_result(graph, RESULT_write, name_of(names, "w"), product, (Span){0});
    program->entry[ENTRY_loss] = graph;
}

static void close_program(void)
{
    arena_close(arena);
}

static Node *node(Value value)
{
    return &graph->node.at[value.id];
}

/* The text around the violation must hold `expected`, in the entry that was broken. */
static void expect(const char *expected)
{
    const char *wrong = program_verify(program, false, arena);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_msg(strstr(wrong, expected) != NULL, "%s", wrong);
    ck_assert_ptr_nonnull(strstr(wrong, "entry loss ("));
}

START_TEST(what_is_right_passes)
{
    ck_assert_ptr_null(program_verify(program, true, arena));
    ck_assert_ptr_null(graph_verify(graph, NULL, true, arena));
}
END_TEST

START_TEST(operands_precede_users)
{
    ((Value *)(uintptr_t)node(product)->argument)[1] = y;
    expect("%2 = dot x, %3 mk,kn->mn : f32[3, 3]\n  // ^ operand 1 does not precede its user\n");
    ((Value *)(uintptr_t)node(product)->argument)[1] = (Value){99};
    expect("%2 = dot x, ? mk,kn->mn : f32[3, 3]\n  // ^ operand 1 does not precede its user\n");
}
END_TEST

START_TEST(tables_are_not_left)
{
    node(product)->shape = 77;
    node(weight)->type = TYPE_COUNT;
    expect("%1 = read w : ?\n  // ^ the element type is missing\n");
    expect("%2 = dot x, %1 mk,kn->mn : ?\n  // ^ there is no shape 77\n");
    node(y)->op = OP_COUNT;
    expect("%3 = ? %2 : f32[3, 3]\n  // ^ there is no operation");
}
END_TEST

START_TEST(arity_and_attribute)
{
    node(y)->argument_count = 0;
    expect("// ^ takes 1 operand, not 0\n");
    node(product)->attribute = NULL;
    expect("%2 = dot x, %1 ? : f32[3, 3]\n  // ^ the attribute is missing\n");
}
END_TEST

START_TEST(types_and_shapes_are_recomputed)
{
    node(y)->type = TYPE_f16;
    expect("%3 = exp %2 : f16[3, 3]\n  // ^ should be f32[3, 3]\n");
    node(y)->type = TYPE_f32;
    node(y)->shape = 0;
    expect("%3 = exp %2 : f32[]\n  // ^ should be f32[3, 3]\n");
}
END_TEST

START_TEST(states_are_declared)
{
    program->state.at[0].shape = shape_of(1, (int64_t[]){9});
    expect("%1 = read w : f32[3, 3]\n  // ^ state w is f32[9]\n");
    program->state.at[0].name = name_of(names, "v");
    expect("// ^ state w is not declared\n}\n");
    State again = program->state.at[0];
    *list_add(arena, &program->state) = again;
    expect("// state v is declared twice\n");
}
END_TEST

START_TEST(states_are_written_once)
{
    graph_result(graph, RESULT_write, name_of(names, "w"), x, (Span){0});
    expect("// ^ state w is written twice\n}\n");
}
END_TEST

START_TEST(results_are_there)
{
    graph->result.at[0].value = (Value){0};
    expect("output y = ?\n");
    graph->result.count = 0;
    expect("// ^ there is no result\n}\n");
}
END_TEST

START_TEST(input_names_are_distinct)
{
    Value other = ir_input(graph, name_of(names, "z"), TYPE_f32, *graph_shape(graph, x));
    ck_assert_ptr_null(program_verify(program, false, arena));
    node(other)->attribute = node(x)->attribute;
    expect("// ^ two inputs are called x\n");
}
END_TEST

START_TEST(numbering_is_canonical)
{
    Value dead = ir_log(graph, product);
    ck_assert_ptr_null(program_verify(program, false, arena));
    const char *wrong = program_verify(program, true, arena);
    ck_assert_ptr_nonnull(strstr(wrong, "= log %2 : f32[3, 3]\n  // ^ no result needs it\n"));
    graph->result.at[0].value = dead;
    wrong = program_verify(program, true, arena);
    ck_assert_ptr_nonnull(strstr(wrong, "// ^ node 5 should be node 4\n"));
    program->entry[ENTRY_loss] = graph_sweep(graph, arena);
    ck_assert_ptr_null(program_verify(program, true, arena));
}
END_TEST

Suite *suite_verify(void);
Suite *suite_verify(void)
{
    Suite *suite = suite_create("verify");
    TCase *tests = tcase_create("verify");
    tcase_add_checked_fixture(tests, open_program, close_program);
    tcase_add_test(tests, what_is_right_passes);
    tcase_add_test(tests, operands_precede_users);
    tcase_add_test(tests, tables_are_not_left);
    tcase_add_test(tests, arity_and_attribute);
    tcase_add_test(tests, types_and_shapes_are_recomputed);
    tcase_add_test(tests, states_are_declared);
    tcase_add_test(tests, states_are_written_once);
    tcase_add_test(tests, results_are_there);
    tcase_add_test(tests, input_names_are_distinct);
    tcase_add_test(tests, numbering_is_canonical);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "ir/base/boundary.h"
#include "ir/graph/build.h"
#include "ir/graph/program.h"
#include <check.h>
#include <math.h>

static Arena *arena;
static Names *names;
static Graph *g;

static void open_graph(void)
{
    arena = arena_open(&host_default);
    names = names_new(arena);
    g = graph_new(arena, names, name_of(names, "test"), NULL);
}

static void close_graph(void)
{
    arena_close(arena);
}

static Shape matrix(int64_t rows, int64_t columns)
{
    return shape_of(2, (int64_t[]){rows, columns});
}

static Value input(const char *name, Shape shape)
{
    return ir_input(g, name_of(names, name), TYPE_f32, shape);
}

START_TEST(equal_nodes_are_shared)
{
    Value x = input("x", matrix(8, 4)), y = input("y", matrix(8, 4));
    ck_assert_uint_ne(x.id, y.id);
    ck_assert_uint_eq(input("x", matrix(8, 4)).id, x.id);
    ck_assert_uint_ne(input("x", matrix(8, 5)).id, x.id);
    Value sum = ir_add(g, x, y);
    ck_assert_uint_eq(ir_add(g, x, y).id, sum.id);
    ck_assert_uint_ne(ir_add(g, y, x).id, sum.id);
    ck_assert_uint_ne(ir_sub(g, x, y).id, sum.id);
    ck_assert_uint_eq(graph_node(g, x)->shape, graph_node(g, sum)->shape);
    Value first = ir_sum(g, x, axes_range(0, 1)), second = ir_sum(g, x, axes_range(1, 1));
    ck_assert_uint_ne(first.id, second.id);
    ck_assert_uint_eq(ir_sum(g, x, axes_range(1, 1)).id, second.id);
}
END_TEST

START_TEST(constants_are_compared_by_bits)
{
    Shape scalar = {0};
    Value zero = ir_constant(g, TYPE_f32, scalar, 0.0),
          minus_zero = ir_constant(g, TYPE_f32, scalar, -0.0);
    ck_assert_uint_ne(zero.id, minus_zero.id);
    Value nan = ir_constant(g, TYPE_f32, scalar, (double)NAN);
    ck_assert_uint_eq(ir_constant(g, TYPE_f32, scalar, (double)NAN).id, nan.id);
    double number = 1;
    ck_assert(graph_is_number(g, minus_zero, &number));
    ck_assert(number == 0 && signbit(number));
    ck_assert(!graph_is_number(g, input("x", scalar), &number));

    double elements[] = {1, 2, 3};
    Shape three = shape_of(1, (int64_t[]){3});
    Value table = ir_table(g, TYPE_i32, three, (Table){3, elements});
    elements[2] = 4;
    Value other = ir_table(g, TYPE_i32, three, (Table){3, elements});
    ck_assert_uint_ne(table.id, other.id);
    ck_assert_double_eq(graph_node(g, table)->attribute->table.at[2], 3);
}
END_TEST

START_TEST(builders_agree_with_their_ops)
{
    Value x = input("x", matrix(8, 4));
#define UNARY(name, gradient, domain, types, ...)                                                  \
    {                                                                                              \
        Value operand = TYPES_##types == TYPES_logic ? ir_cast(g, x, TYPE_bool) : x;               \
        ck_assert_int_eq(graph_node(g, ir_##name(g, operand))->op, OP_##name);                     \
    }
#define BINARY(name, gradient, domain, types, ...)                                                 \
    {                                                                                              \
        Value operand = TYPES_##types == TYPES_logic ? ir_cast(g, x, TYPE_bool) : x;               \
        Value result = ir_##name(g, operand, operand);                                             \
        ck_assert_int_eq(graph_node(g, result)->op, OP_##name);                                    \
        ck_assert_int_eq(graph_type(g, result),                                                    \
                         TYPES_##types >= TYPES_logic ? TYPE_bool : TYPE_f32);                     \
    }
#define OP(...)
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
    ck_assert_uint_eq(ir_cast(g, x, TYPE_f32).id, x.id);
}
END_TEST

/* x + 0 is x; x * 2 is x + x. */
static Value simplify(Graph *graph, const Node *node)
{
    double number;
    if (node->op == OP_add && graph_is_number(graph, node->argument[1], &number) && number == 0)
        return node->argument[0];
    if (node->op == OP_mul && graph_is_number(graph, node->argument[1], &number) && number == 2)
        return ir_add(graph, node->argument[0], node->argument[0]);
    return (Value){0};
}

START_TEST(rules_are_asked_before_storing)
{
    g->simplify = simplify;
    Value x = input("x", matrix(2, 2)), zero = ir_like(g, x, 0), two = ir_like(g, x, 2);
    ck_assert_uint_eq(ir_add(g, x, zero).id, x.id);
    Value doubled = ir_mul(g, x, two);
    ck_assert_int_eq(graph_node(g, doubled)->op, OP_add);
    ck_assert_uint_eq(ir_mul(g, x, two).id, doubled.id);
    ck_assert_uint_eq(g->node.count, 5);
}
END_TEST

START_TEST(nodes_carry_the_cursor)
{
    Value x = input("x", matrix(2, 2));
    g->at = (Span){1, 5, 2};
    Value y = ir_exp(g, x);
    g->at = (Span){1, 9, 2};
    ck_assert_uint_eq(ir_exp(g, x).id, y.id);
    ck_assert_uint_eq(graph_node(g, y)->at.begin, 5);

    Graph *copy = graph_new(arena, names, g->name, NULL);
    Value map[3] = {0};
    map[x.id] = graph_copy(copy, g, x, map);
    map[y.id] = graph_copy(copy, g, y, map);
    ck_assert_uint_eq(graph_node(copy, map[y.id])->at.begin, 5);
    ck_assert_uint_eq(copy->at.begin, 0);
}
END_TEST

START_TEST(sweeping_drops_and_renumbers)
{
    Value unused = input("unused", matrix(2, 2)), b = input("b", matrix(2, 2)),
          a = input("a", matrix(2, 2));
    ir_exp(g, unused);
    Value right = ir_exp(g, b), left = ir_log(g, a);
    Value y = ir_sub(g, left, right);
    graph_result(g, RESULT_output, name_of(names, "y"), y, (Span){1, 2, 3});
    graph_result(g, RESULT_write, name_of(names, "w"), right, (Span){0});

    Arena *other = arena_open(&host_default);
    Graph *swept = graph_sweep(g, other);
    static const Op order[] = {OP_none, OP_input, OP_log, OP_input, OP_exp, OP_sub};
    ck_assert_uint_eq(swept->node.count, 6);
    for (uint32_t i = 1; i < 6; i++)
        ck_assert_int_eq(swept->node.at[i].op, order[i]);
    ck_assert_uint_eq(swept->result.count, 2);
    ck_assert_uint_eq(swept->result.at[0].value.id, 5);
    ck_assert_uint_eq(swept->result.at[0].at.begin, 2);
    ck_assert_int_eq(swept->result.at[1].kind, RESULT_write);
    ck_assert_uint_eq(swept->result.at[1].value.id, 4);
    ck_assert_uint_eq(swept->shape.count, 2);
    arena_close(other);
}
END_TEST

START_TEST(sweeping_takes_deep_graphs)
{
    enum { DEPTH = 200000 };
    Value x = input("x", matrix(8, 4)), y = x;
    for (int i = 0; i < DEPTH; i++)
        y = i & 1 ? ir_add(g, y, x) : ir_tanh(g, y);
    graph_result(g, RESULT_output, name_of(names, "y"), y, (Span){0});
    Graph *swept = graph_sweep(g, arena);
    ck_assert_uint_eq(swept->node.count, DEPTH + 2);
    ck_assert_uint_eq(swept->result.at[0].value.id, DEPTH + 1);
}
END_TEST

START_TEST(a_wrong_node_is_a_bug)
{
    Value x = input("x", matrix(2, 3)), y = input("y", matrix(3, 2));
    Boundary boundary;
    boundary_enter(&boundary);
    if (setjmp(boundary.jump) == 0) ir_add(g, x, y);
    boundary_leave(&boundary);
    ck_assert_int_eq(boundary.status, STATUS_bug);
    ck_assert_ptr_nonnull(strstr(boundary.message, "add: shapes [2, 3] and [3, 2] differ"));
}
END_TEST

START_TEST(axes_are_listed)
{
    Axes middle = axes_range(1, 2), other = axes_other(middle, 4);
    ck_assert_int_eq(other.count, 2);
    ck_assert_int_eq(other.at[0], 0);
    ck_assert_int_eq(other.at[1], 3);
    ck_assert_int_eq(axes_range(0, 0).count, 0);
}
END_TEST

START_TEST(tables_name_their_rows)
{
    for (Op op = OP_none + 1; op < OP_COUNT; op++)
        ck_assert_int_eq(op_named(op_info[op].name, (uint32_t)strlen(op_info[op].name)), op);
    for (Type type = TYPE_none + 1; type < TYPE_COUNT; type++)
        ck_assert_int_eq(type_named(type_info[type].name, (uint32_t)strlen(type_info[type].name)),
                         type);
    ck_assert_int_eq(type_named("bool", 4), TYPE_bool);
    ck_assert_int_eq(op_named("no such", 7), OP_none);
    ck_assert_int_eq(op_named("less_equal", 4), OP_less);
    ck_assert_int_eq(type_named("f3", 2), TYPE_none);
    ck_assert_double_eq(op_evaluate(OP_rem, -7, 3), 2);
    ck_assert_double_eq(op_evaluate(OP_not, 0, 0), 1);
    ck_assert_double_eq(op_evaluate(OP_sign, -3, 0), -1);
    ck_assert_int_eq(op_info[OP_exp].types, TYPES_real);
    ck_assert(!op_info[OP_dot].meaning && op_info[OP_dot].gradient);
}
END_TEST

START_TEST(programs_find_their_states)
{
    Program *program = program_new(arena, names);
    Name weight = name_of(names, "fc.weight");
    *list_add(arena, &program->state) =
        (State){.name = weight, .type = TYPE_f32, .shape = matrix(3, 4)};
    ck_assert_ptr_eq(program_state(program, weight), program->state.at);
    ck_assert_ptr_null(program_state(program, name_of(names, "fc.bias")));
    for (int kind = 0; kind < ENTRY_COUNT; kind++)
        ck_assert_ptr_nonnull(entry_name[kind]);
}
END_TEST

Suite *suite_graph(void);
Suite *suite_graph(void)
{
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("graph");
    tcase_add_checked_fixture(tests, open_graph, close_graph);
    tcase_add_test(tests, equal_nodes_are_shared);
    tcase_add_test(tests, constants_are_compared_by_bits);
    tcase_add_test(tests, builders_agree_with_their_ops);
    tcase_add_test(tests, rules_are_asked_before_storing);
    tcase_add_test(tests, nodes_carry_the_cursor);
    tcase_add_test(tests, sweeping_drops_and_renumbers);
    tcase_add_test(tests, sweeping_takes_deep_graphs);
    tcase_add_test(tests, a_wrong_node_is_a_bug);
    tcase_add_test(tests, axes_are_listed);
    tcase_add_test(tests, tables_name_their_rows);
    tcase_add_test(tests, programs_find_their_states);
    suite_add_tcase(suite, tests);
    return suite;
}

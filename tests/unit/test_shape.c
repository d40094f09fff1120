#include "ir/base/bits.h"
#include "ir/graph/shape.h"
#include <check.h>
#include <math.h>

static Arena *arena;

static void open_arena(void)
{
    arena = arena_open(&host_default);
}

static void close_arena(void)
{
    arena_close(arena);
}

/* f32 of up to three axes, -1 ending them early. */
static TypedShape f32(int64_t a, int64_t b, int64_t c)
{
    int64_t extent[] = {a, b, c};
    int rank = a < 0 ? 0 : b < 0 ? 1 : c < 0 ? 2 : 3;
    return (TypedShape){TYPE_f32, shape_of(rank, extent)};
}

static TypedShape typed(Type type, TypedShape shape)
{
    shape.type = type;
    return shape;
}

/* The result as text, or the message. */
static const char *infer(Op op, uint32_t count, const TypedShape *arguments, Attribute attribute,
                         const TypedShape *given)
{
    TypedShape result;
    const char *wrong = shape_infer(op, count, arguments, &attribute, given, arena, &result);
    if (wrong) return wrong;
    Text text = {.arena = arena};
    shape_print(&text, result.type, &result.shape);
    return text_done(&text);
}

#define ONE(op, x, ...)    infer(op, 1, (TypedShape[]){x}, (Attribute){__VA_ARGS__}, NULL)
#define TWO(op, x, y, ...) infer(op, 2, (TypedShape[]){x, y}, (Attribute){__VA_ARGS__}, NULL)

START_TEST(elementwise)
{
    TypedShape x = f32(2, 3, -1), i = typed(TYPE_i32, x), b = typed(TYPE_bool, x);
    ck_assert_str_eq(ONE(OP_exp, x, 0), "f32[2, 3]");
    ck_assert_str_eq(ONE(OP_exp, i, 0), "needs floating-point numbers, not i32[2, 3]");
    ck_assert_str_eq(ONE(OP_neg, i, 0), "i32[2, 3]");
    ck_assert_str_eq(ONE(OP_neg, b, 0), "needs numbers, not bool[2, 3]");
    ck_assert_str_eq(ONE(OP_not, b, 0), "bool[2, 3]");
    ck_assert_str_eq(ONE(OP_not, x, 0), "needs bool, not f32[2, 3]");
    ck_assert_str_eq(TWO(OP_less, x, x, 0), "bool[2, 3]");
    ck_assert_str_eq(TWO(OP_equal, b, b, 0), "bool[2, 3]");
    ck_assert_str_eq(TWO(OP_add, x, i, 0), "types f32 and i32 differ");
    ck_assert_str_eq(TWO(OP_add, x, f32(3, -1, -1), 0), "shapes [2, 3] and [3] differ");
    ck_assert_str_eq(ONE(OP_add, x, 0), "takes 2 operands, not 1");
    ck_assert_str_eq(infer(OP_select, 3, (TypedShape[]){b, x, x}, (Attribute){0}, NULL),
                     "f32[2, 3]");
    ck_assert_str_eq(infer(OP_select, 3, (TypedShape[]){x, x, x}, (Attribute){0}, NULL),
                     "the condition is f32, not bool");
    ck_assert_str_eq(infer(OP_cast, 1, &x, (Attribute){0}, &(TypedShape){.type = TYPE_u8}),
                     "u8[2, 3]");
    ck_assert_str_eq(infer(OP_cast, 1, &x, (Attribute){0}, &(TypedShape){.type = 77}),
                     "the type to cast to is missing");
}
END_TEST

START_TEST(leaves)
{
    TypedShape scalar = {.type = TYPE_i32}, three = f32(3, -1, -1), u8 = typed(TYPE_u8, three);
    double elements[] = {1, 2, 256};
    ck_assert_str_eq(infer(OP_constant, 0, NULL, (Attribute){.number = 0.5}, &three), "f32[3]");
    ck_assert_str_eq(infer(OP_constant, 0, NULL, (Attribute){.number = 0.5}, &scalar),
                     "0.5 is not a value of i32");
    ck_assert_str_eq(infer(OP_constant, 0, NULL, (Attribute){.number = -0x1p31}, &scalar), "i32[]");
    ck_assert_str_eq(infer(OP_constant, 0, NULL, (Attribute){.number = 0x1p31}, &scalar),
                     "2147483648 is not a value of i32");
    ck_assert_str_eq(infer(OP_constant, 0, NULL, (Attribute){.number = (double)NAN}, &scalar),
                     "nan is not a value of i32");
    ck_assert_str_eq(infer(OP_constant, 0, NULL, (Attribute){.number = 1}, NULL),
                     "the type and shape are missing");
    ck_assert_str_eq(infer(OP_table, 0, NULL, (Attribute){.table = {3, elements}}, &three),
                     "f32[3]");
    ck_assert_str_eq(infer(OP_table, 0, NULL, (Attribute){.table = {3, elements}}, &u8),
                     "256 is not a value of u8");
    ck_assert_str_eq(infer(OP_table, 0, NULL, (Attribute){.table = {2, elements}}, &three),
                     "2 elements do not fill shape [3]");
    ck_assert_str_eq(infer(OP_iota, 0, NULL, (Attribute){.axis = 0}, &three), "f32[3]");
    ck_assert_str_eq(infer(OP_iota, 0, NULL, (Attribute){.axis = 1}, &three),
                     "there is no axis 1 among 1");
    ck_assert_str_eq(infer(OP_iota, 0, NULL, (Attribute){.axis = -1}, &three),
                     "there is no axis -1 among 1");
    ck_assert_str_eq(infer(OP_input, 0, NULL, (Attribute){.name = {0}}, &three),
                     "the name is missing");
    ck_assert_str_eq(infer(OP_uniform, 3, (TypedShape[]){scalar, scalar, {TYPE_u32, {0}}},
                           (Attribute){0}, &three),
                     "f32[3]");
    ck_assert_str_eq(
        infer(OP_uniform, 3, (TypedShape[]){scalar, three, scalar}, (Attribute){0}, &three),
        "the step is f32[3], not i32[]");
    ck_assert_str_eq(
        infer(OP_uniform, 3, (TypedShape[]){scalar, scalar, scalar}, (Attribute){0}, &three),
        "the stream is i32[], not u32[]");
    TypedShape huge = f32((int64_t)1 << 30, (int64_t)1 << 30, (int64_t)1 << 30), negative = three;
    ck_assert_ptr_nonnull(
        strstr(infer(OP_read, 0, NULL, (Attribute){.name = {1}}, &huge), "more than"));
    negative.shape.extent[0] = -3;
    ck_assert_str_eq(infer(OP_read, 0, NULL, (Attribute){.name = {1}}, &negative),
                     "axis 0 has the negative size -3");
    negative.shape.rank = 200;
    ck_assert_str_eq(infer(OP_read, 0, NULL, (Attribute){.name = {1}}, &negative),
                     "200 axes are more than 8");
}
END_TEST

START_TEST(movements)
{
    TypedShape x = f32(2, 3, 4), six = f32(6, 4, -1), seven = f32(7, -1, -1), wide = f32(5, 3, 4);
    wide.shape = shape_of(4, (int64_t[]){2, 5, 3, 4});
    ck_assert_str_eq(infer(OP_reshape, 1, &x, (Attribute){0}, &six), "f32[6, 4]");
    ck_assert_str_eq(infer(OP_reshape, 1, &x, (Attribute){0}, &seven),
                     "the 24 elements of [2, 3, 4] do not fill [7], which has 7");
    ck_assert_str_eq(ONE(OP_transpose, x, .axes = {3, {2, 0, 1}}), "f32[4, 2, 3]");
    ck_assert_str_eq(ONE(OP_transpose, x, .axes = {3, {2, 0, 2}}), "axis 2 is named twice");
    ck_assert_str_eq(ONE(OP_transpose, x, .axes = {3, {2, 0, 9}}), "there is no axis 9 among 3");
    ck_assert_str_eq(ONE(OP_transpose, x, .axes = {2, {1, 0}}),
                     "2 axes are named, the operand has 3");
    ck_assert_str_eq(infer(OP_broadcast, 1, &x, (Attribute){.axes = {3, {0, 2, 3}}}, &wide),
                     "f32[2, 5, 3, 4]");
    ck_assert_str_eq(infer(OP_broadcast, 1, &x, (Attribute){.axes = {3, {0, 1, 3}}}, &wide),
                     "axis 1 has size 3 and cannot become axis 1 of [2, 5, 3, 4]");
    ck_assert_str_eq(infer(OP_broadcast, 1, &x, (Attribute){.axes = {3, {0, 3, 2}}}, &wide),
                     "the axes do not ascend");
    ck_assert_str_eq(ONE(OP_slice, x, .slice = {{1, 2, 0}, {1, -1, 2}, {1, 3, 2}}), "f32[1, 3, 2]");
    ck_assert_str_eq(ONE(OP_slice, x, .slice = {{0, 0, 1}, {1, 1, 2}, {2, 3, 3}}),
                     "3 elements from 1 in steps of 2 leave axis 2 of size 4");
    ck_assert_str_eq(ONE(OP_slice, x, .slice = {{0, 0, 0}, {1, 0, 1}, {2, 3, 4}}),
                     "the step along axis 1 is 0");
    ck_assert_str_eq(ONE(OP_slice, x, .slice = {{2, 0, 0}, {1, 1, 1}, {0, 3, 4}}), "f32[0, 3, 4]");
    ck_assert_str_eq(ONE(OP_pad, x, .pad = {{1}, {2, 1}, {0, 3}}), "f32[5, 8, 4]");
    ck_assert_str_eq(ONE(OP_pad, f32(0, -1, -1), .pad = {{1}, {9}, {2}}), "f32[3]");
    ck_assert_str_eq(ONE(OP_pad, x, .pad = {{-1}}), "axis 0 is padded by less than nothing");
    ck_assert_str_eq(ONE(OP_pad, x, .pad = {{0}, {INT64_MAX}}), "axis 0 is padded beyond any size");
    ck_assert_str_eq(TWO(OP_concat, x, f32(2, 5, 4), .axis = 1), "f32[2, 8, 4]");
    ck_assert_str_eq(TWO(OP_concat, x, f32(2, 5, 4), .axis = 0),
                     "shapes [2, 3, 4] and [2, 5, 4] differ in more than axis 0");
    ck_assert_str_eq(infer(OP_concat, 0, NULL, (Attribute){.axis = 0}, NULL),
                     "there is nothing to join");
}
END_TEST

START_TEST(windows)
{
    Attribute three = {.windows = {1, {{1, 3, 2, 1}}}};
    TypedShape x = f32(2, 8, -1), given = f32(2, 8, -1), taken = f32(2, 3, 3);
    ck_assert_str_eq(infer(OP_window, 1, &x, three, NULL), "f32[2, 3, 3]");
    ck_assert_str_eq(infer(OP_fold, 1, &taken, three, &given), "f32[2, 8]");
    ck_assert_str_eq(infer(OP_fold, 1, &x, three, &given),
                     "the windows of [2, 8] have shape [2, 3, 3], not [2, 8]");
    ck_assert_str_eq(ONE(OP_window, x, .windows = {1, {{1, 4, 1, 3}}}), "f32[2, 0, 4]");
    ck_assert_str_eq(ONE(OP_window, x, .windows = {2, {{0, 2, 1, 1}, {1, 2, 2, 2}}}),
                     "f32[1, 3, 2, 2]");
    ck_assert_str_eq(ONE(OP_window, x, .windows = {2, {{1, 2, 1, 1}, {0, 2, 1, 1}}}),
                     "the axes of the windows do not ascend");
    ck_assert_str_eq(ONE(OP_window, x, .windows = {1, {{2, 2, 1, 1}}}),
                     "there is no axis 2 among 2");
    ck_assert_str_eq(ONE(OP_window, x, .windows = {1, {{1, 0, 1, 1}}}),
                     "size, step and dilation of the window on axis 1 are not all positive");
    ck_assert_str_eq(ONE(OP_window, x, .windows = {0}), "0 windows are not between 1 and 3");
}
END_TEST

START_TEST(reductions)
{
    TypedShape x = f32(2, 3, 4);
    ck_assert_str_eq(ONE(OP_sum, x, .axes = {2, {0, 2}}), "f32[3]");
    ck_assert_str_eq(ONE(OP_sum, x, .axes = {3, {0, 1, 2}}), "f32[]");
    ck_assert_str_eq(ONE(OP_sum, x, .axes = {2, {2, 0}}), "the axes do not ascend");
    ck_assert_str_eq(ONE(OP_reduce_max, x, .axes = {2, {1, 1}}), "axis 1 is named twice");
    ck_assert_str_eq(ONE(OP_reduce_max, typed(TYPE_bool, x), .axes = {1, {1}}),
                     "needs numbers, not bool[2, 3, 4]");
}
END_TEST

START_TEST(products)
{
    TypedShape a = f32(8, 4, -1), b = f32(3, 4, -1);
    ck_assert_str_eq(TWO(OP_dot, a, b, .indices = {"mk", "nk", "mn"}), "f32[8, 3]");
    ck_assert_str_eq(TWO(OP_dot, a, b, .indices = {"mk", "nk", "nm"}), "f32[3, 8]");
    ck_assert_str_eq(TWO(OP_dot, a, f32(3, 5, -1), .indices = {"mk", "nk", "mn"}),
                     "inner sizes 4 and 5 differ");
    ck_assert_str_eq(TWO(OP_dot, a, b, .indices = {"mk", "mk", "m"}), "batch sizes 8 and 3 differ");
    ck_assert_str_eq(TWO(OP_dot, a, b, .indices = {"mk", "nk", "n"}),
                     "`m` is in the first operand only");
    ck_assert_str_eq(TWO(OP_dot, a, b, .indices = {"mk", "nk", "m"}),
                     "`n` is in the second operand only");
    ck_assert_str_eq(TWO(OP_dot, a, b, .indices = {"mk", "nk", "mnz"}),
                     "`z` is in the result only");
    ck_assert_str_eq(TWO(OP_dot, a, b, .indices = {"mk", "k", "m"}),
                     "the second operand has 2 axes, not the 1 of `k`");
    ck_assert_str_eq(TWO(OP_dot, a, a, .indices = {"mm", "mk", "k"}),
                     "`m` names two axes of the first operand");
    ck_assert_str_eq(TWO(OP_dot, a, a, .indices = {"mK", "mK", "m"}),
                     "the axes of the first operand are not named by letters a to z");
    ck_assert_str_eq(
        TWO(OP_dot, typed(TYPE_i8, a), typed(TYPE_i8, b), .indices = {"mk", "nk", "mn"}),
        "i32[8, 3]");
    ck_assert_str_eq(
        TWO(OP_dot, typed(TYPE_u8, a), typed(TYPE_i8, b), .indices = {"mk", "nk", "mn"}),
        "i32[8, 3]");
    ck_assert_str_eq(
        TWO(OP_dot, typed(TYPE_i8, a), typed(TYPE_u8, b), .indices = {"mk", "nk", "mn"}),
        "i32[8, 3]");
    ck_assert_str_eq(
        TWO(OP_dot, typed(TYPE_u8, a), typed(TYPE_bool, b), .indices = {"mk", "nk", "mn"}),
        "types u8 and bool differ");
    ck_assert_str_eq(TWO(OP_dot, typed(TYPE_u8, a), b, .indices = {"mk", "nk", "mn"}),
                     "types u8 and f32 differ");
    ck_assert_str_eq(
        TWO(OP_dot, typed(TYPE_bf16, a), typed(TYPE_bf16, b), .indices = {"mk", "nk", "mn"}),
        "f32[8, 3]");
    ck_assert_str_eq(
        TWO(OP_dot, typed(TYPE_i64, a), typed(TYPE_i64, b), .indices = {"mk", "nk", "mn"}),
        "i64[8, 3]");
    ck_assert_str_eq(TWO(OP_dot, f32(-1, -1, -1), b, .indices = {"", "nk", "kn"}), "f32[4, 3]");
    Indices endless;
    memset(&endless, 'a', sizeof endless);
    ck_assert_str_eq(TWO(OP_dot, a, b, .indices = endless),
                     "the letters of the first operand do not end");
}
END_TEST

START_TEST(convolutions)
{
    TypedShape x = f32(2, 3, 9), w = f32(5, 3, 3), y = f32(2, 5, 5);
    Indices plain = {"ncx", "ock", "noy", 1, {{'x', 'y', 'k', 1, 2, 1, -1}}};
    TypedShape operands[] = {x, w};
    ck_assert_str_eq(infer(OP_conv, 2, operands, (Attribute){.indices = plain}, &y),
                     "f32[2, 5, 5]");
    TypedShape half = typed(TYPE_bf16, y);
    ck_assert_str_eq(infer(OP_conv, 2, operands, (Attribute){.indices = plain}, &half),
                     "the result is f32, not bf16");
    TypedShape narrow = f32(2, 4, 5);
    ck_assert_str_eq(infer(OP_conv, 2, operands, (Attribute){.indices = plain}, &narrow),
                     "`o` has size 5 in the operands and 4 in the result");
    Indices wrong = plain;
    wrong.window[0].tap = 'c';
    ck_assert_str_eq(infer(OP_conv, 2, operands, (Attribute){.indices = wrong}, &y),
                     "a letter of window 0 is not in exactly one list");
    wrong = plain;
    wrong.window[0].tap_scale = 0;
    ck_assert_str_eq(infer(OP_conv, 2, operands, (Attribute){.indices = wrong}, &y),
                     "the scales of window 0 are not positive");
    wrong.window[0].tap_scale = INT64_MIN;
    ck_assert_str_eq(infer(OP_conv, 2, operands, (Attribute){.indices = wrong}, &y),
                     "the scale of `k` is beyond any size");
    wrong = plain;
    wrong.windows = 200;
    ck_assert_str_eq(infer(OP_conv, 2, operands, (Attribute){.indices = wrong}, &y),
                     "200 windows are more than 3");

    /* The gradient by w: the lists change roles, the window stays. */
    Indices by_w = {"noy", "ncx", "ock", 1, {{'x', 'y', 'k', 1, 2, 1, -1}}};
    ck_assert_str_eq(infer(OP_conv, 2, (TypedShape[]){y, x}, (Attribute){.indices = by_w}, &w),
                     "f32[5, 3, 3]");
    ck_assert_int_eq(indices_extent(&by_w, 'k', &y.shape, &x.shape, &w.shape), 3);
    ck_assert_int_eq(indices_extent(&by_w, 'z', &y.shape, &x.shape, &w.shape), -1);
}
END_TEST

START_TEST(indexing)
{
    TypedShape x = f32(100, 16, -1), index = typed(TYPE_i32, f32(2, 3, -1)),
               updates = f32(2, 3, 16);
    ck_assert_str_eq(TWO(OP_gather, x, index, .axis = 0), "f32[2, 3, 16]");
    ck_assert_str_eq(TWO(OP_gather, x, index, .axis = 1), "f32[100, 2, 3]");
    ck_assert_str_eq(TWO(OP_gather, x, index, .axis = 2), "there is no axis 2 among 2");
    ck_assert_str_eq(TWO(OP_gather, x, x, .axis = 0), "the index is f32, not an integer");
    ck_assert_str_eq(
        infer(OP_scatter, 2, (TypedShape[]){updates, index}, (Attribute){.axis = 0}, &x),
        "f32[100, 16]");
    ck_assert_str_eq(infer(OP_scatter, 2, (TypedShape[]){x, index}, (Attribute){.axis = 0}, &x),
                     "updates for [100, 16] have shape [2, 3, 16], not [100, 16]");
    ck_assert_str_eq(TWO(OP_gradient, f32(-1, -1, -1), x, 0), "f32[100, 16]");
    ck_assert_ptr_nonnull(strstr(TWO(OP_gradient, x, x, 0), "not a floating-point scalar"));
}
END_TEST

START_TEST(strides)
{
    int64_t stride[MAX_RANK];
    Shape shape = shape_of(3, (int64_t[]){2, 3, 4});
    shape_strides(&shape, stride);
    ck_assert_int_eq(stride[0], 12);
    ck_assert_int_eq(stride[1], 4);
    ck_assert_int_eq(stride[2], 1);
    ck_assert_int_eq(shape_elements(&shape), 24);
    ck_assert_int_eq(shape_elements(&(Shape){0}), 1);
}
END_TEST

/* Numbers as hostile files hold them: small ones, and the ends of every range. */
static int64_t hostile(uint64_t *state)
{
    static const int64_t ends[] = {INT64_MIN,        INT64_MAX,        -1,        0,
                                   (int64_t)1 << 40, (int64_t)1 << 62, INT32_MAX, INT32_MIN};
    *state = bits_hash(state, sizeof *state, 7);
    if (*state % 16 < 4) return ends[*state / 16 % 8];
    return (int64_t)(*state / 16 % 6);
}

static TypedShape hostile_shape(uint64_t *state)
{
    *state = bits_hash(state, sizeof *state, 7);
    TypedShape result = {.type = (Type)(*state % (TYPE_COUNT + 2))};
    result.shape.rank = (uint8_t)(hostile(state) & 7);
    for (int i = 0; i < result.shape.rank; i++)
        result.shape.extent[i] = hostile(state);
    return result;
}

/* Every kind of attribute is one filling of its bytes; letters are made likely. */
static Attribute hostile_attribute(uint64_t *state, AttributeKind kind)
{
    Attribute attribute = {0};
    if (kind == ATTRIBUTE_table || kind == ATTRIBUTE_none) return attribute;
    int64_t words[sizeof attribute / 8];
    for (unsigned i = 0; i < sizeof attribute / 8; i++)
        words[i] = hostile(state);
    memcpy(&attribute, words, sizeof words);
    if (kind != ATTRIBUTE_indices) return attribute;
    char *lists[] = {attribute.indices.a, attribute.indices.b, attribute.indices.y};
    for (int i = 0; i < 3; i++) {
        memset(lists[i], 0, MAX_RANK + 1);
        for (int64_t k = hostile(state) & 3; k > 0; k--)
            lists[i][k - 1] = (char)('a' + (hostile(state) & 7));
    }
    return attribute;
}

START_TEST(rules_stand_whatever_they_are_asked)
{
    uint64_t state = (uint64_t)_i;
    uint32_t accepted = 0;
    for (int round = 0; round < 20000; round++) {
        if (round % 100 == 0) arena_reset(arena);
        Op op = (Op)_i;
        TypedShape arguments[3] = {hostile_shape(&state), hostile_shape(&state),
                                   hostile_shape(&state)},
                   result;
        if (round & 1) arguments[1] = arguments[0];
        if (round & 2) arguments[2] = arguments[1];
        TypedShape given = round & 4 ? arguments[0] : hostile_shape(&state);
        Attribute attribute = hostile_attribute(&state, op_info[op].attribute);
        uint32_t count =
            op_info[op].arguments == MANY ? (uint32_t)round % 4 : (uint32_t)op_info[op].arguments;
        if (shape_infer(op, count, arguments, &attribute, &given, arena, &result)) continue;
        accepted++;
        ck_assert_int_gt(result.type, TYPE_none);
        ck_assert_int_lt(result.type, TYPE_COUNT);
        ck_assert_int_le(result.shape.rank, MAX_RANK);
        ck_assert_int_le(shape_elements(&result.shape), MAX_ELEMENTS);
        ck_assert_int_ge(shape_elements(&result.shape), 0);
    }
    if (op_info[_i].meaning) ck_assert_uint_gt(accepted, 0);
}
END_TEST

Suite *suite_shape(void);
Suite *suite_shape(void)
{
    Suite *suite = suite_create("shape");
    TCase *tests = tcase_create("shape");
    tcase_add_checked_fixture(tests, open_arena, close_arena);
    tcase_add_test(tests, elementwise);
    tcase_add_test(tests, leaves);
    tcase_add_test(tests, movements);
    tcase_add_test(tests, windows);
    tcase_add_test(tests, reductions);
    tcase_add_test(tests, products);
    tcase_add_test(tests, convolutions);
    tcase_add_test(tests, indexing);
    tcase_add_test(tests, strides);
    tcase_add_loop_test(tests, rules_stand_whatever_they_are_asked, OP_none + 1, OP_COUNT);
    suite_add_tcase(suite, tests);
    return suite;
}

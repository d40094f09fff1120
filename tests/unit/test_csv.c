#include "tests/unit/tables.h"
#include <check.h>
#include <math.h>

static Tables tables;

static void before(void)
{
    tables_open(&tables);
}

static void after(void)
{
    tables_close(&tables);
}

static const Split *load(const char *text)
{
    tables_forget(&tables);
    tables_text(&tables, "a.csv", text);
    TABLES_ENTRY(&tables, "train", "csv", {"", a_text("a.csv")});
    return tables_train(&tables);
}

static const Split *load_with(const char *text, const char *label, Static value)
{
    tables_forget(&tables);
    tables_text(&tables, "a.csv", text);
    TABLES_ENTRY(&tables, "train", "csv", {"", a_text("a.csv")}, {label, value});
    return tables_train(&tables);
}

static void refuse_with(const char *text, const char *label, Static value, const char *message)
{
    tables_forget(&tables);
    tables_text(&tables, "a.csv", text);
    TABLES_ENTRY(&tables, "train", "csv", {"", a_text("a.csv")}, {label, value});
    ck_assert_int_eq(tables_load(&tables), STATUS_invalid);
    ck_assert_msg(strstr(tables_report(&tables), message) != NULL, "%s", tables_report(&tables));
}

static double value_at(const Split *split, uint32_t field, int64_t row, int64_t i)
{
    const Field *f = &split->field[field];
    Tensor tensor = {.type = f->type, .bytes = (void *)(uintptr_t)(f->bytes + row * f->stride)};
    return tensor_element(&tensor, i);
}

START_TEST(numbers_are_features_and_the_last_column_the_label)
{
    const Split *split = load("a,b,y\n1,-2.5,0\n1e3,.5,7\n\n+4.,0.1,2");
    ck_assert_int_eq(split->count, 3);
    ck_assert(shape_same(&split->field[0].sample, &(Shape){1, {2}}));
    ck_assert_int_eq(split->field[0].type, TYPE_f32);
    ck_assert_double_eq(value_at(split, 0, 0, 1), -2.5);
    ck_assert_double_eq(value_at(split, 0, 1, 0), 1000);
    ck_assert_double_eq(value_at(split, 0, 2, 0), 4);
    ck_assert_double_eq(value_at(split, 0, 2, 1), (double)0.1f);
    ck_assert_int_eq(split->field[1].type, TYPE_i32);
    ck_assert_str_eq(split->field[1].name, "y");
    ck_assert_double_eq(value_at(split, 1, 1, 0), 7);
    ck_assert_int_eq(load("1,2\n3,4.5\n")->field[1].type, TYPE_f32);
    ck_assert_int_eq(load("1,2\n3,4\n")->count, 2);
}
END_TEST

START_TEST(text_labels_are_classes_in_order)
{
    const Split *split =
        load_with("k,x\npear,1\n\"app\"\"le\",2\n pear ,3\nfig,4\n", "label", a_text("k"));
    ck_assert_uint_eq(split->class_count, 3);
    ck_assert_str_eq(split->class_name[0], "app\"le");
    ck_assert_str_eq(split->class_name[1], "fig");
    ck_assert_str_eq(split->class_name[2], "pear");
    static const int wanted[] = {2, 0, 2, 1};
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq(value_at(split, 1, i, 0), wanted[i]);
}
END_TEST

START_TEST(lines_and_separators_are_found)
{
    static const char *const texts[] = {"a,b\r\n1,2\r\n3,4\r\n",
                                        "a;b\n1;2\n3;4",
                                        "a\tb\r1\t2\r3\t4\r",
                                        "  a  b\n 1   2 \n3 4\n",
                                        ("\xef\xbb\xbf"
                                         "a,b\n1,2\n3,4\n"),
                                        "\"a\",\"b\"\n\"1\",\"2\"\n\"3\" , 4\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const Split *split = load(texts[i]);
        ck_assert_int_eq(split->count, 2);
        ck_assert_double_eq(value_at(split, 0, 1, 0), 3);
        ck_assert_double_eq(value_at(split, 1, 1, 0), 4);
        ck_assert_str_eq(split->field[1].name, "b");
    }
    ck_assert_double_eq(value_at(load_with("1|2\n3|4\n", "separator", a_text("|")), 1, 0, 0), 2);
    ck_assert_int_eq(load_with("1,2\n3,4\n", "header", a_word("true"))->count, 1);
    ck_assert_int_eq(load_with("9,x\n1,2\n3,4\n", "skip", a_number(1))->count, 2);
}
END_TEST

START_TEST(columns_are_chosen)
{
    static const char text[] = "1,2,3,4\n5,6,7,8\n";
    const Split *split = load_with(text, "label", a_number(0));
    ck_assert_double_eq(value_at(split, 1, 1, 0), 5);
    ck_assert_double_eq(value_at(split, 0, 1, 0), 6);
    ck_assert_uint_eq(load_with(text, "label", (Static){.kind = STATIC_none})->field_count, 1);
    split = load_with(text, "columns", a_list(&tables, 2, (double[]){2, -4}));
    ck_assert(shape_same(&split->field[0].sample, &(Shape){1, {2}}));
    ck_assert_double_eq(value_at(split, 0, 0, 0), 1);
    ck_assert_double_eq(value_at(split, 0, 0, 1), 3);
    split = load("x,name,y\n1,a,2\n3,b,4\n");
    ck_assert(shape_same(&split->field[0].sample, &(Shape){1, {1}}));
    ck_assert_ptr_nonnull(
        strstr(tables_report(&tables), "left out, since it holds text: column `name`"));
}
END_TEST

START_TEST(missing_cells_are_dropped_filled_or_nan)
{
    static const char text[] = "x,z,y\n1,2,0\n,?,1\n3,NA,2\n5,6,3\n";
    const Split *split = load(text);
    ck_assert(isnan(value_at(split, 0, 1, 0)));
    ck_assert(isnan(value_at(split, 0, 2, 1)));
    ck_assert_ptr_nonnull(
        strstr(tables_report(&tables), "3 cells are missing, the first in line 3"));
    split = load_with(text, "missing", a_word("drop"));
    ck_assert_int_eq(split->count, 2);
    ck_assert_double_eq(value_at(split, 0, 1, 1), 6);
    ck_assert_double_eq(value_at(split, 1, 1, 0), 3);
    ck_assert_double_eq(value_at(load_with(text, "missing", a_number(-1)), 0, 2, 1), -1);
    refuse_with(text, "missing", a_word("error"), "line 3, column `x`");
    refuse_with("1,2\n3,?\n", "missing", a_number(0), "is no label");
    ck_assert_int_eq(load_with("1,2\n3,?\n5,6\n7,\n", "missing", a_word("drop"))->count, 2);
}
END_TEST

START_TEST(mistakes_are_named_by_line_and_column)
{
    Static none = a_word("auto");
    refuse_with("x,y\n1,2\nabc,3\n", "header", none, "line 3, column `x`: `abc` is no number");
    refuse_with("1,2\n\"3\n\n\",4\n1,x\n", "header", none, "line 2, column 0 (from 0)");
    refuse_with("1,2\n3,4,5\n", "header", none, "line 2 has 3 cells, but the first row has 2");
    refuse_with("1,2\n3,\"4\n", "header", none, "line 2: a quote that does not close");
    refuse_with("1,2\n3,\"4\"5\n", "header", none, "line 2: text after a closing quote");
    refuse_with("a,a\n3,4\n", "header", none, "two columns are called `a`");
    refuse_with("x,y\n1,2\n1e999,3\n", "header", none, "`1e999` is no number that f32 holds");
    refuse_with("x,y\n", "header", none, "no rows");
    refuse_with("", "header", none, "no rows");
    refuse_with("alpha,y\n1,2\n", "label", a_text("alpah"), "did you mean `alpha`?");
    refuse_with("1,2\n", "label", a_number(2), "there is no column 2");
    refuse_with("1,2\n", "missing", a_word("dorp"), "has to be drop, error, nan");
    refuse_with("150,4,setosa,virginica\n1,2,3,0\n2,3,4,1\n", "header", none, "skip: 1");
}
END_TEST

/* Correctly rounded on both the fast path and the other. */
START_TEST(numbers_are_the_nearest)
{
    const Split *split = load_with("16777217,0.3333333333333333333333\n123456789012345.6,-7e-3\n",
                                   "label", (Static){.kind = STATIC_none});
    ck_assert_double_eq(value_at(split, 0, 0, 0), 16777216);
    ck_assert_double_eq(value_at(split, 0, 0, 1), (double)(1 / 3.0f));
    ck_assert_double_eq(value_at(split, 0, 1, 0), (double)123456789012345.6f);
    ck_assert_double_eq(value_at(split, 0, 1, 1), (double)-7e-3f);
}
END_TEST

Suite *suite_csv(void);
Suite *suite_csv(void)
{
    Suite *suite = suite_create("csv");
    TCase *tests = tcase_create("csv");
    tcase_add_checked_fixture(tests, before, after);
    tcase_add_test(tests, numbers_are_features_and_the_last_column_the_label);
    tcase_add_test(tests, text_labels_are_classes_in_order);
    tcase_add_test(tests, lines_and_separators_are_found);
    tcase_add_test(tests, columns_are_chosen);
    tcase_add_test(tests, missing_cells_are_dropped_filled_or_nan);
    tcase_add_test(tests, mistakes_are_named_by_line_and_column);
    tcase_add_test(tests, numbers_are_the_nearest);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Names of dimensions survive what keeps their indices, and nothing else. */

#include <check.h>
#include <stdio.h>

#include "tests/unit/model.h"

/* An expression of a: f32[N, A, 4], and its type as a message shows it. */
static const struct Row {
    const char *expression, *type;
} rows[] = {
    {"a", "f32[N, A, 4]"},
    {"exp(a) + 1", "f32[N, A, 4]"},
    {"transpose(a)", "f32[N, 4, A]"},
    {"reshape(a, [N, A, 2, 2])", "f32[N, A, 2, 2]"},
    {"reshape(a, [N, -1])", "f32[N, 12]"},
    {"sum(a, axis: 1)", "f32[N, 4]"},
    {"a[0]", "f32[A, 4]"},
    {"a[:, 0:2]", "f32[N, 2, 4]"},
    {"matmul(a, transpose(a))", "f32[N, A, A]"},
    {"concat([a, a], axis: 1)", "f32[N, 6, 4]"},
    {"broadcast(a[:, :, 0:1], [N, A, 7])", "f32[N, A, 7]"},
    {"gather(a, cast(a[0, :, 0], i32), axis: 2)", "f32[N, A, A]"},
    {"dense(a, 5)", "f32[N, A, 5]"},
    {"where(a > 0, a, 0)", "f32[N, A, 4]"},
    {"zeros([2, 3])", "f32[2, 3]"},
    {"pad(a, [0, 1, 0], 0)", "f32[N, 4, 4]"},
};

START_TEST(an_axis_keeps_its_name)
{
    char text[400];
    snprintf(text, sizeof text,
             "model m {\n input a: f32[N, A, 4]\n y = %s\n output z = y + \"\"\n}\n",
             rows[_i].expression);
    Model *m = model_open(text, 0);
    char wanted[100];
    snprintf(wanted, sizeof wanted, "`+` of %s and a text", rows[_i].type);
    ck_assert_msg(strstr(m->report, wanted) != NULL, "%s", m->report);
    model_close(m);
}
END_TEST

START_TEST(a_size_has_a_history)
{
    Model *m = model_open("model m {\n"
                          "  input a: f32[N, A]\n"
                          "  output y = a + zeros([5])\n"
                          "}\n"
                          "train {\n"
                          "  minimize mean(y)\n"
                          "  batch 64\n"
                          "}\n",
                          0);
    ck_assert_str_eq(m->report,
                     "m.mlc:3:14: error: `+` of f32[N, A] and f32[5]: sizes 3 and 5 differ\n"
                     "    3 |   output y = a + zeros([5])\n"
                     "      |              ^~~~~~~~~~~~~~\n"

                     "note: A = 3, from the data of input `a`, axis 1, at m.mlc:2\n"
                     "hint: axes are aligned at the end; a size of 1 stretches: reshape to put it "
                     "where it belongs\n");
    model_close(m);
}
END_TEST

Suite *suite_provenance(void);
Suite *suite_provenance(void)
{
    Suite *suite = suite_create("provenance");
    TCase *t = tcase_create("provenance");
    tcase_add_loop_test(t, an_axis_keeps_its_name, 0, (int)(sizeof rows / sizeof *rows));
    tcase_add_test(t, a_size_has_a_history);
    suite_add_tcase(suite, t);
    return suite;
}

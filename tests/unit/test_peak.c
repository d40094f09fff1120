#include "runtime/peak.h"
#include <check.h>

/* 1000 operations a second; copies of up to 10 bytes move 400 bytes a second, of up to 100 200, larger ones 100. */
static const Peak peak = {
    .flops = 1000,
    .bf16_flops = 8000,
    .copy = {{10, 400}, {100, 200}, {1000, 100}},
};

START_TEST(whichever_binds)
{
    ck_assert_double_eq(peak_seconds(&peak, 500, 0, false), 0.5);
    ck_assert_double_eq(peak_seconds(&peak, 500, 8, false), 0.5);
    ck_assert_double_eq(peak_seconds(&peak, 5, 8, false), 0.02);
    ck_assert_double_eq(peak_seconds(&peak, 5, 10, false), 0.025);
    ck_assert_double_eq(peak_seconds(&peak, 5, 100, false), 0.5);
    ck_assert_double_eq(peak_seconds(&peak, 5, 200, false), 2);
    ck_assert_double_eq(peak_seconds(&peak, 5, 5000, false), 50);
}
END_TEST

START_TEST(tiles_only_where_they_are)
{
    ck_assert_double_eq(peak_seconds(&peak, 800, 0, true), 0.1);
    Peak none = peak;
    none.bf16_flops = 0;
    ck_assert_double_eq(peak_seconds(&none, 800, 0, true), 0.8);
}
END_TEST

START_TEST(measures_something)
{
    Peak measured;
    ck_assert_int_eq(peak_measure(2, &measured), STATUS_ok);
    ck_assert_double_gt(measured.flops, 0);
    ck_assert(measured.bf16_flops == 0 || measured.bf16_flops > measured.flops);
    for (PeakPlace place = 0; place < PEAK_PLACES; place++) {
        ck_assert_int_gt(measured.copy[place].bytes, place ? measured.copy[place - 1].bytes : 0);
        ck_assert_double_gt(measured.copy[place].bytes_per_second, 0);
    }
}
END_TEST

Suite *suite_peak(void);
Suite *suite_peak(void)
{
    Suite *suite = suite_create("peak");
    TCase *tests = tcase_create("peak");
    tcase_add_test(tests, whichever_binds);
    tcase_add_test(tests, tiles_only_where_they_are);
    tcase_add_test(tests, measures_something);
    suite_add_tcase(suite, tests);
    return suite;
}

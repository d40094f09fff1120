#include "tests/unit/tables.h"
#include <check.h>

static Tables tables;

static void before(void)
{
    tables_open(&tables);
    unsigned char images[16 + 12] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2},
                              labels[8 + 3] = {0, 0, 8, 1, 0, 0, 0, 3};
    for (int i = 0; i < 12; i++)
        images[16 + i] = (unsigned char)(200 + i);
    for (int i = 0; i < 3; i++)
        labels[8 + i] = (unsigned char)(5 + i);
    tables_file(&tables, "images", images, sizeof images);
    tables_gzip(&tables, "labels.gz", labels, sizeof labels);
    labels[7] = 2;
    tables_file(&tables, "two", labels, 8 + 2);
    labels[2] = 7;
    tables_file(&tables, "type", labels, 8 + 2);
}

static void after(void)
{
    tables_close(&tables);
}

START_TEST(images_and_labels_are_read)
{
    TABLES_ENTRY(&tables, "train", "idx", {"", a_text("images")}, {"", a_text("labels.gz")});
    const Split *split = tables_train(&tables);
    ck_assert_int_eq(split->count, 3);
    ck_assert_uint_eq(split->field_count, 2);
    ck_assert(shape_same(&split->field[0].sample, &(Shape){2, {2, 2}}));
    ck_assert_int_eq(split->field[0].type, TYPE_u8);
    ck_assert_uint_eq(split->field[0].bytes[split->field[0].stride * 2 + 3], 211);
    ck_assert_int_eq(split->field[1].sample.rank, 0);
    ck_assert_uint_eq(split->field[1].bytes[2], 7);
}
END_TEST

START_TEST(big_endian_floats_are_turned_round)
{
    tables_file(&tables, "f32", "\0\0\x0d\1\0\0\0\2\x3f\xc0\0\0\xc0\0\0\0", 16);
    TABLES_ENTRY(&tables, "train", "idx", {"", a_text("f32")});
    const float *value = (const float *)(const void *)tables_train(&tables)->field[0].bytes;
    ck_assert_float_eq(value[0], 1.5f);
    ck_assert_float_eq(value[1], -2);
}
END_TEST

START_TEST(counts_have_to_agree)
{
    TABLES_ENTRY(&tables, "train", "idx", {"", a_text("images")}, {"", a_text("two")});
    ck_assert_int_eq(tables_load(&tables), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "has 2 samples, but"));
}
END_TEST

START_TEST(all_entries_are_reported)
{
    TABLES_ENTRY(&tables, "train", "idx", {"", a_text("type")});
    TABLES_ENTRY(&tables, "test", "idx", {"", a_text("nowhere")});
    TABLES_ENTRY(&tables, "more", "idx", {"", a_text("images")}, {"lable", a_number(1)});
    TABLES_ENTRY(&tables, "rest", "indx", {"", a_text("images")});
    ck_assert(tables_load(&tables) != STATUS_ok);
    ck_assert_ptr_null(tables.data);
    const char *report = tables_report(&tables);
    ck_assert_ptr_nonnull(strstr(report, "type 0x07"));
    ck_assert_ptr_nonnull(strstr(report, "cannot open"));
    ck_assert_ptr_nonnull(strstr(report, "no option `lable`"));
    ck_assert_ptr_nonnull(strstr(report, "did you mean `idx`?"));
}
END_TEST

Suite *suite_idx(void);
Suite *suite_idx(void)
{
    Suite *suite = suite_create("idx");
    TCase *tests = tcase_create("idx");
    tcase_add_checked_fixture(tests, before, after);
    tcase_add_test(tests, images_and_labels_are_read);
    tcase_add_test(tests, big_endian_floats_are_turned_round);
    tcase_add_test(tests, counts_have_to_agree);
    tcase_add_test(tests, all_entries_are_reported);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "tests/unit/tables.h"
#include <check.h>
#include <png.h>

static Tables tables;

static void before(void)
{
    tables_open(&tables);
}

static void after(void)
{
    tables_close(&tables);
}

/* A PNG whose pixels count up from `first`. */
static void write_png(const char *name, unsigned width, unsigned height, unsigned channels,
                      unsigned first)
{
    unsigned char pixels[256];
    for (unsigned i = 0; i < width * height * channels; i++)
        pixels[i] = (unsigned char)(first + i);
    const char *path = tables_text(&tables, name, "");
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = width,
                       .height = height,
                       .format = channels == 1   ? PNG_FORMAT_GRAY
                                 : channels == 3 ? PNG_FORMAT_RGB
                                                 : PNG_FORMAT_RGBA};
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

static Status load(void)
{
    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "images", {"", a_text("set")});
    return tables_load(&tables);
}

START_TEST(folders_are_classes_in_order)
{
    write_png("set/dog/b.png", 3, 2, 3, 100);
    write_png("set/dog/a.PNG", 3, 2, 3, 0);
    write_png("set/cat/z.png", 3, 2, 3, 50);
    tables_text(&tables, "set/cat/notes.txt", "not a picture");
    ck_assert_msg(load() == STATUS_ok, "%s", tables_report(&tables));
    const Split *split = data_split(tables.data, "train");
    ck_assert_int_eq(split->count, 3);
    ck_assert_uint_eq(split->class_count, 2);
    ck_assert_str_eq(split->class_name[0], "cat");
    ck_assert(shape_same(&split->field[0].sample, &(Shape){3, {3, 2, 3}}));
    static const int label[] = {0, 1, 1}, first[] = {50, 0, 100};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(((const int32_t *)(const void *)split->field[1].bytes)[i], label[i]);
        const uint8_t *image = split->field[0].bytes + i * split->field[0].stride;
        ck_assert_uint_eq(image[0], first[i]);
        ck_assert_uint_eq(image[5], first[i] + 15); /* the last red */
        ck_assert_uint_eq(image[6], first[i] + 1);  /* the first green */
    }
}
END_TEST

START_TEST(pictures_of_another_size_or_kind_are_named)
{
    write_png("set/a/1.png", 3, 2, 3, 0);
    write_png("set/a/2.png", 2, 3, 3, 0);
    ck_assert_int_eq(load(), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "set/a/2.png: 2 x 3 pixels"));
    write_png("set/a/2.png", 3, 2, 1, 0);
    ck_assert_int_eq(load(), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "channels: 3"));
    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "images", {"", a_text("set")}, {"channels", a_number(3)});
    const Split *split = tables_train(&tables);
    const uint8_t *gray = split->field[0].bytes + split->field[0].stride;
    ck_assert_uint_eq(gray[1], 1);
    ck_assert_uint_eq(gray[6 + 1], 1);
    ck_assert_uint_eq(gray[12 + 1], 1);
}
END_TEST

START_TEST(color_becomes_gray_by_luma)
{
    write_png("set/a/1.png", 1, 1, 3, 100);
    write_png("set/a/2.png", 1, 1, 4, 200);
    TABLES_ENTRY(&tables, "train", "images", {"", a_text("set")}, {"channels", a_number(1)});
    const Split *split = tables_train(&tables);
    ck_assert_uint_eq(split->field[0].bytes[0],
                      101); /* 0.299 * 100 + 0.587 * 101 + 0.114 * 102 = 100.8 */
    ck_assert_uint_eq(split->field[0].bytes[1], 201);
}
END_TEST

START_TEST(damaged_pictures_are_named)
{
    write_png("set/a/1.png", 4, 4, 3, 0);
    char *bytes;
    size_t size;
    const char *path = tables_path(&tables, "set/a/1.png");
    ck_assert_int_eq(file_read(&host_default, path, 1 << 20, &bytes, &size, tables.context.report),
                     STATUS_ok);
    for (size_t cut = 0; cut < size; cut++) {
        tables_file(&tables, "set/a/1.png", bytes, cut);
        ck_assert_int_eq(load(), STATUS_invalid);
        ck_assert_ptr_nonnull(strstr(tables_report(&tables), "set/a/1.png: "));
    }
    host_default.resize(NULL, bytes, 0);
}
END_TEST

START_TEST(cifar_batches_are_found)
{
    static unsigned char records[2][3073];
    for (int i = 0; i < 2; i++)
        records[i][0] = (unsigned char)(3 + i), records[i][1] = 77,
        records[i][3072] = (unsigned char)(10 + i);
    tables_file(&tables, "set/x.bin", records, sizeof records);
    tables_gzip(&tables, "train-1.bin.gz", records, 3073);
    tables_gzip(&tables, "train-0.bin.gz", records[1], 3073);
    ck_assert_msg(load() == STATUS_ok, "%s", tables_report(&tables));
    const Split *split = data_split(tables.data, "train");
    ck_assert_int_eq(split->count, 2);
    ck_assert_uint_eq(split->field[1].bytes[split->field[1].stride], 4);
    ck_assert_uint_eq(split->field[0].bytes[split->field[0].stride + 3071], 11);
    ck_assert_str_eq(split->class_name[3], "cat");

    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "images", {"", a_text("train")});
    TABLES_ENTRY(&tables, "test", "cifar", {"", a_text("train-*.bin.gz")});
    split = tables_train(&tables);
    ck_assert_int_eq(split->count, 2);
    ck_assert_uint_eq(split->field[1].bytes[0], 4); /* train-0 comes first */
    ck_assert_int_eq(data_split(tables.data, "test")->count, 2);

    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "images", {"", a_text("trai")});
    ck_assert_int_eq(tables_load(&tables), STATUS_invalid);

    records[1][0] = 10;
    tables_file(&tables, "set/x.bin", records, sizeof records);
    ck_assert_int_eq(load(), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "label 10 of image 1"));
    tables_file(&tables, "set/x.bin", records, sizeof records - 1);
    ck_assert_int_eq(load(), STATUS_invalid);
}
END_TEST

START_TEST(empty_folders_are_refused)
{
    ck_assert_int_eq(load(), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "no such folder"));
    tables_text(&tables, "set/a/readme", "");
    ck_assert_int_eq(load(), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "no PNG or JPEG"));
}
END_TEST

Suite *suite_images(void);
Suite *suite_images(void)
{
    Suite *suite = suite_create("images");
    TCase *tests = tcase_create("images");
    tcase_add_checked_fixture(tests, before, after);
    tcase_add_test(tests, folders_are_classes_in_order);
    tcase_add_test(tests, pictures_of_another_size_or_kind_are_named);
    tcase_add_test(tests, color_becomes_gray_by_luma);
    tcase_add_test(tests, damaged_pictures_are_named);
    tcase_add_test(tests, cifar_batches_are_found);
    tcase_add_test(tests, empty_folders_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

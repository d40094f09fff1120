#include "ir/base/bits.h"
#include "ir/base/text.h"
#include <check.h>
#include <float.h>
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

static const char *number(double value)
{
    Text text = {.arena = arena};
    text_number(&text, value);
    return text_done(&text);
}

static const char *bytes(uint64_t value)
{
    Text text = {.arena = arena};
    text_bytes(&text, value);
    return text_done(&text);
}

START_TEST(texts_grow)
{
    Text text = {.arena = arena};
    ck_assert_str_eq(text_done(&text), "");
    for (int i = 0; i < 10000; i++)
        text_add(&text, "%04d", i);
    ck_assert_uint_eq(text.count, 40000);
    ck_assert_uint_eq(strlen(text_done(&text)), 40000);
    ck_assert_int_eq(strncmp(text.at + 4 * 1234, "12341235", 8), 0);
    text_add(&text, "%*d", 100000, 1);
    ck_assert_uint_eq(strlen(text.at), 140000);
    text_put(&text, "", 0);
    text_put(&text, "xyz", 2);
    ck_assert_str_eq(text.at + 139999, "1xy");
}
END_TEST

START_TEST(numbers_are_short)
{
    ck_assert_str_eq(number(0.1), "0.1");
    ck_assert_str_eq(number(0.5), "0.5");
    ck_assert_str_eq(number(1.0 / 3), "0.3333333333333333");
    ck_assert_str_eq(number((double)0.1f), "0.10000000149011612");
    ck_assert_str_eq(number(1e300), "1e+300");
    ck_assert_str_eq(number(DBL_TRUE_MIN), "5e-324");
    ck_assert_str_eq(number(100000000), "100000000");
    ck_assert_str_eq(number(9007199254740992), "9007199254740992");
    ck_assert_str_eq(number(0), "0");
    ck_assert_str_eq(number(-0.0), "-0");
    ck_assert_str_eq(number(-17), "-17");
    ck_assert_str_eq(number(INFINITY), "inf");
    ck_assert_str_eq(number(-INFINITY), "-inf");
    ck_assert_str_eq(number(NAN), "nan");
}
END_TEST

START_TEST(numbers_read_back)
{
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t pattern = bits_hash(&i, sizeof i, 42);
        double value, back;
        memcpy(&value, &pattern, sizeof value);
        if (i % 3 == 0) value = (double)(float)i / 7;
        if (!isfinite(value)) continue;
        const char *text = number(value);
        ck_assert(text_read_number(text, strlen(text), &back));
        ck_assert_msg(memcmp(&value, &back, sizeof value) == 0, "%a was read back as %a", value,
                      back);
    }
}
END_TEST

START_TEST(only_numbers_are_read)
{
    static const char *const wrong[] = {"",   "-",        "0x10",   "1e",    "1,5", "1 ",
                                        " 1", "infinity", "nan(1)", "1.2.3", "--1"};
    double value;
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!text_read_number(wrong[i], strlen(wrong[i]), &value), "'%s' was read",
                      wrong[i]);
    ck_assert(text_read_number("-inf and", 4, &value));
    ck_assert(value == -INFINITY);
    ck_assert(text_read_number("nan", 3, &value));
    ck_assert(isnan(value));
    ck_assert(text_read_number("2.5e-3x", 6, &value));
    ck_assert_double_eq(value, 2.5e-3);
}
END_TEST

START_TEST(byte_counts_read_well)
{
    ck_assert_str_eq(bytes(0), "0 B");
    ck_assert_str_eq(bytes(1023), "1023 B");
    ck_assert_str_eq(bytes(1024), "1 KiB");
    ck_assert_str_eq(bytes(1536), "1.5 KiB");
    ck_assert_str_eq(bytes(20 << 20), "20 MiB");
    ck_assert_str_eq(bytes((1 << 20) - 1), "1 MiB");
    ck_assert_str_eq(bytes((uint64_t)123 << 30 | 1 << 29), "124 GiB");
    ck_assert_str_eq(bytes(UINT64_MAX), "16 EiB");
}
END_TEST

START_TEST(distances_count_edits)
{
    ck_assert_uint_eq(text_distance("conv2d", "conv2d", 2), 0);
    ck_assert_uint_eq(text_distance("conv2d", "conv3d", 2), 1);
    ck_assert_uint_eq(text_distance("dense", "desne", 2), 1);
    ck_assert_uint_eq(text_distance("batch", "bat", 2), 2);
    ck_assert_uint_eq(text_distance("kitten", "sitting", 3), 3);
    ck_assert_uint_eq(text_distance("kitten", "sitting", 2), 3);
    ck_assert_uint_eq(text_distance("", "abc", 5), 3);
    ck_assert_uint_eq(text_distance("abc", "completely other", 2), 3);
    char longer[400];
    memset(longer, 'x', sizeof longer);
    longer[399] = 0;
    ck_assert_uint_eq(text_distance(longer, longer, 2), 0);
    ck_assert_uint_eq(text_distance(longer, longer + 1, 2), 3);
}
END_TEST

Suite *suite_text(void);
Suite *suite_text(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_checked_fixture(tests, open_arena, close_arena);
    tcase_add_test(tests, texts_grow);
    tcase_add_test(tests, numbers_are_short);
    tcase_add_test(tests, numbers_read_back);
    tcase_add_test(tests, only_numbers_are_read);
    tcase_add_test(tests, byte_counts_read_well);
    tcase_add_test(tests, distances_count_edits);
    suite_add_tcase(suite, tests);
    return suite;
}

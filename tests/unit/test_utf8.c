#include "ir/base/utf8.h"
#include <check.h>
#include <stdbool.h>

START_TEST(every_code_point_goes_out_and_in)
{
    uint32_t wrong = 0;
    for (uint32_t code = 0; code < 0x110000; code++) {
        char bytes[4] = {0};
        uint32_t length = utf8_put(bytes, code);
        bool is_surrogate = code >= 0xd800 && code < 0xe000;
        wrong += utf8_length(bytes, length) != (is_surrogate ? 0 : length);
        wrong += length > 1 && utf8_length(bytes, length - 1) != 0;
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* The first three of four bytes take every value: of each length as many are good as there are code points. */
START_TEST(nothing_else_comes_in)
{
    uint32_t good[5] = {0};
    for (uint32_t all = 0; all < 1u << 24; all++) {
        unsigned char bytes[4] = {(unsigned char)(all >> 16), (unsigned char)(all >> 8),
                                  (unsigned char)all, 0x80};
        good[utf8_length(bytes, 4)]++;
    }
    ck_assert_uint_eq(good[1], 0x80u << 16);
    ck_assert_uint_eq(good[2], (0x800u - 0x80) << 8);
    ck_assert_uint_eq(good[3], 0x10000 - 0x800 - 0x800);
    ck_assert_uint_eq(good[4], 0x100000 / 64);
}
END_TEST

Suite *suite_utf8(void);
Suite *suite_utf8(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tests = tcase_create("utf8");
    tcase_add_test(tests, every_code_point_goes_out_and_in);
    tcase_add_test(tests, nothing_else_comes_in);
    suite_add_tcase(suite, tests);
    return suite;
}

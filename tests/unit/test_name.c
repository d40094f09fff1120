#include "ir/base/name.h"
#include <check.h>
#include <stdio.h>

START_TEST(equal_texts_are_equal_names)
{
    Arena *arena = arena_open(&host_default);
    Names *names = names_new(arena);
    Name weight = name_of(names, "h.0.attn.weight");
    ck_assert(name_same(weight, name_of_range(names, "h.0.attn.weight and more", 15)));
    ck_assert(name_same(weight, name_format(names, "h.%d.attn.%s", 0, "weight")));
    ck_assert(!name_same(weight, name_of(names, "h.1.attn.weight")));
    ck_assert_str_eq(name_text(names, weight), "h.0.attn.weight");
    ck_assert_uint_eq(name_of(names, "").id, 0);
    ck_assert_str_eq(name_text(names, (Name){0}), "");
    arena_close(arena);
}
END_TEST

START_TEST(many_names_stay_apart)
{
    Arena *arena = arena_open(&host_default);
    Names *names = names_new(arena);
    const char *first = name_text(names, name_format(names, "n%d", 0));
    for (int i = 0; i < 20000; i++)
        ck_assert_uint_eq(name_format(names, "n%d", i).id, (uint32_t)i + 1);
    for (int i = 0; i < 20000; i++) {
        char text[16];
        snprintf(text, sizeof text, "n%d", i);
        ck_assert_str_eq(name_text(names, (Name){(uint32_t)i + 1}), text);
    }
    ck_assert_ptr_eq(first, name_text(names, (Name){1}));
    arena_close(arena);
}
END_TEST

START_TEST(long_names_are_whole)
{
    Arena *arena = arena_open(&host_default);
    Names *names = names_new(arena);
    Name name = name_format(names, "%0*d", 1000, 7);
    ck_assert_uint_eq(strlen(name_text(names, name)), 1000);
    arena_close(arena);
}
END_TEST

Suite *suite_name(void);
Suite *suite_name(void)
{
    Suite *suite = suite_create("name");
    TCase *tests = tcase_create("name");
    tcase_add_test(tests, equal_texts_are_equal_names);
    tcase_add_test(tests, many_names_stay_apart);
    tcase_add_test(tests, long_names_are_whole);
    suite_add_tcase(suite, tests);
    return suite;
}

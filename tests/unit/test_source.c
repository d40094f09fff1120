#include "ir/base/source.h"
#include <check.h>

START_TEST(offsets_become_lines_and_columns)
{
    Arena *arena = arena_open(&host_default);
    Sources *sources = sources_new(arena);
    uint32_t index = sources_add(sources, "a.mlc", "ab\n\ncd", 6, false);
    const Source *source = sources_get(sources, index);
    static const Place expected[] = {{1, 1}, {1, 2}, {1, 3}, {2, 1},
                                     {3, 1}, {3, 2}, {3, 3}, {3, 3}};
    for (uint32_t offset = 0; offset < 8; offset++) {
        Place place = source_place(source, offset);
        ck_assert_uint_eq(place.line, expected[offset].line);
        ck_assert_uint_eq(place.column, expected[offset].column);
    }
    ck_assert_uint_eq(source->line_count, 3);
    arena_close(arena);
}
END_TEST

START_TEST(texts_are_copied_with_their_nuls)
{
    Arena *arena = arena_open(&host_default);
    Sources *sources = sources_new(arena);
    char text[] = {'a', 0, 'b'};
    uint32_t index = sources_add(sources, "std/x.mlc", text, sizeof text, true);
    text[0] = 'z';
    const Source *source = sources_get(sources, index);
    ck_assert_mem_eq(source->text, "a\0b\0", 4);
    ck_assert_uint_eq(source->size, 3);
    ck_assert(source->library);
    ck_assert_ptr_null(sources_get(sources, 0));
    ck_assert_ptr_null(sources_get(sources, 2));

    uint32_t empty = sources_add(sources, "empty", "", 0, false);
    ck_assert_uint_eq(source_place(sources_get(sources, empty), 0).line, 1);
    arena_close(arena);
}
END_TEST

START_TEST(spans_join)
{
    Span a = {1, 10, 5}, b = {1, 3, 4}, elsewhere = {2, 0, 1};
    Span both = span_join(a, b);
    ck_assert_uint_eq(both.begin, 3);
    ck_assert_uint_eq(both.length, 12);
    ck_assert_uint_eq(span_join(a, elsewhere).length, 5);
    Span inside = span_join((Span){1, 0, 100}, a);
    ck_assert_uint_eq(inside.length, 100);
}
END_TEST

Suite *suite_source(void);
Suite *suite_source(void)
{
    Suite *suite = suite_create("source");
    TCase *tests = tcase_create("source");
    tcase_add_test(tests, offsets_become_lines_and_columns);
    tcase_add_test(tests, texts_are_copied_with_their_nuls);
    tcase_add_test(tests, spans_join);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "ir/base/arena.h"
#include "ir/base/boundary.h"
#include "ir/base/list.h"
#include <check.h>
#include <stdlib.h>

/* A host that counts, and refuses when it has given `limit` bytes. */
typedef struct Meter {
    size_t blocks, given, limit;
} Meter;

static void *metered(void *user, void *block, size_t size)
{
    Meter *meter = user;
    if (!size) {
        meter->blocks--;
        free(block);
        return NULL;
    }
    if (meter->given + size > meter->limit) return NULL;
    meter->given += size;
    meter->blocks++;
    return realloc(block, size);
}

START_TEST(gives_zeroed_aligned_memory_of_its_own)
{
    Arena *arena = arena_open(&host_default);
    for (size_t size = 0; size < 300000; size = size * 3 + 1) {
        unsigned char *bytes = arena_alloc(arena, size);
        ck_assert_uint_eq((uintptr_t)bytes % 16, 0);
        for (size_t i = 0; i < size; i++)
            ck_assert_uint_eq(bytes[i], 0);
        memset(bytes, 0xCD, size);
    }
    arena_reset(arena);
    unsigned char *again = arena_alloc(arena, 100000);
    for (size_t i = 0; i < 100000; i++)
        ck_assert_uint_eq(again[i], 0);
    arena_close(arena);
}
END_TEST

START_TEST(keeps_what_was_written)
{
    Arena *arena = arena_open(&host_default);
    uint32_t *kept[200];
    for (uint32_t i = 0; i < 200; i++) {
        kept[i] = arena_array(arena, uint32_t, 1000 + i);
        for (uint32_t k = 0; k < 1000 + i; k++)
            kept[i][k] = i;
    }
    for (uint32_t i = 0; i < 200; i++)
        for (uint32_t k = 0; k < 1000 + i; k++)
            ck_assert_uint_eq(kept[i][k], i);
    arena_close(arena);
}
END_TEST

START_TEST(asks_the_host_for_nothing_when_work_repeats)
{
    Meter meter = {.limit = SIZE_MAX};
    Arena *arena = arena_open(&(Host){metered, &meter});
    size_t given = 0;
    for (int round = 0; round < 3; round++) {
        arena_reset(arena);
        for (size_t i = 0; i < 500; i++)
            arena_alloc(arena, (i * 7919) % 90000);
        if (round == 0) given = meter.given;
        ck_assert_uint_eq(meter.given, given);
        ck_assert_uint_le(arena_bytes(arena), given);
    }
    arena_close(arena);
    ck_assert_uint_eq(meter.blocks, 0);
}
END_TEST

START_TEST(leaves_through_the_boundary_when_memory_is_out)
{
    Meter meter = {.limit = 1 << 20};
    Arena *arena = arena_open(&(Host){metered, &meter});
    Boundary boundary;
    boundary_enter(&boundary);
    if (setjmp(boundary.jump) == 0)
        for (;;)
            arena_alloc(arena, 1000);
    boundary_leave(&boundary);
    ck_assert_int_eq(boundary.status, STATUS_no_memory);
    arena_close(arena);
    ck_assert_uint_eq(meter.blocks, 0);

    Meter nothing = {0};
    ck_assert_ptr_null(arena_open(&(Host){metered, &nothing}));
}
END_TEST

START_TEST(boundaries_nest)
{
    Boundary outer, inner;
    boundary_enter(&outer);
    if (setjmp(outer.jump) == 0) {
        boundary_enter(&inner);
        if (setjmp(inner.jump) == 0) bug("first %d", 1);
        boundary_leave(&inner);
        ck_assert_int_eq(inner.status, STATUS_bug);
        ck_assert_ptr_nonnull(strstr(inner.message, "first 1"));
        bug("second");
    }
    boundary_leave(&outer);
    ck_assert_int_eq(outer.status, STATUS_bug);
    ck_assert_ptr_nonnull(strstr(outer.message, "second"));
}
END_TEST

START_TEST(lists_grow)
{
    Arena *arena = arena_open(&host_default);
    LIST(uint32_t) list = {0};
    for (uint32_t i = 0; i < 5000; i++)
        *list_add(arena, &list) = i;
    ck_assert_uint_eq(list.count, 5000);
    ck_assert_uint_eq(*list_last(&list), 4999);
    for (uint32_t i = 0; i < 5000; i++)
        ck_assert_uint_eq(list.at[i], i);
    arena_close(arena);
}
END_TEST

Suite *suite_arena(void);
Suite *suite_arena(void)
{
    Suite *suite = suite_create("arena");
    TCase *tests = tcase_create("arena");
    tcase_add_test(tests, gives_zeroed_aligned_memory_of_its_own);
    tcase_add_test(tests, keeps_what_was_written);
    tcase_add_test(tests, asks_the_host_for_nothing_when_work_repeats);
    tcase_add_test(tests, leaves_through_the_boundary_when_memory_is_out);
    tcase_add_test(tests, boundaries_nest);
    tcase_add_test(tests, lists_grow);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "runtime/core/tensor.h"
#include <check.h>
#include <stdlib.h>

START_TEST(tensors_are_zeroed_aligned_and_found)
{
    TensorSet set;
    tensor_set_open(&set, &host_default);
    for (int64_t i = 0; i < 100; i++) {
        char name[8] = {(char)('a' + i / 26), (char)('a' + i % 26)};
        Tensor *tensor = tensor_set_add(&set, name, TYPE_f32, &(Shape){1, {i}});
        ck_assert_uint_eq((uintptr_t)tensor->bytes % 64, 0);
        ck_assert_uint_eq(tensor->size, (size_t)i * 4);
        for (size_t k = 0; k < tensor->size; k++)
            ck_assert_uint_eq(((unsigned char *)tensor->bytes)[k], 0);
    }
    ck_assert_int_eq(tensor_set_find(&set, "bb")->shape.extent[0], 27);
    ck_assert_ptr_null(tensor_set_find(&set, "zz"));
    tensor_set_drop(&set);
    ck_assert_uint_eq(set.count, 99);
    tensor_set_close(&set);
    ck_assert_uint_eq(set.count, 0);
}
END_TEST

START_TEST(notes_are_replaced_by_key)
{
    TensorSet set;
    tensor_set_open(&set, &host_default);
    char key[2] = "a";
    for (int i = 0; i < 20; i++) {
        key[0] = (char)('a' + i % 10);
        ck_assert_int_eq(tensor_set_note(&set, key, i < 10 ? "first" : "second"), STATUS_ok);
    }
    ck_assert_uint_eq(set.text_count, 10);
    ck_assert_str_eq(tensor_set_noted(&set, "j"), "second");
    ck_assert_ptr_null(tensor_set_noted(&set, "z"));
    tensor_set_close(&set);
}
END_TEST

START_TEST(elements_read_as_doubles)
{
    static const struct {
        Type type;
        unsigned char bytes[8];
        double value;
    } known[] = {
        {TYPE_f32, {0, 0, 0xc0, 0x3f}, 1.5},
        {TYPE_bf16, {0xc0, 0x3f}, 1.5},
        {TYPE_f16, {0x00, 0x3e}, 1.5},
        {TYPE_i64, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -1},
        {TYPE_i32, {0xfe, 0xff, 0xff, 0xff}, -2},
        {TYPE_u32, {0xfe, 0xff, 0xff, 0xff}, 4294967294.0},
        {TYPE_i8, {0x80}, -128},
        {TYPE_u8, {0x80}, 128},
        {TYPE_bool, {1}, 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        unsigned char bytes[16] = {0};
        unsigned size = type_info[known[i].type].bytes;
        memcpy(bytes + size, known[i].bytes, size);
        Tensor tensor = {.type = known[i].type, .bytes = bytes};
        ck_assert_double_eq(tensor_element(&tensor, 1), known[i].value);
    }
}
END_TEST

START_TEST(stated_shapes_are_bounded)
{
    ck_assert_uint_eq(tensor_bytes(&(Shape){2, {3, 5}}, 4), 60);
    ck_assert_uint_eq(tensor_bytes(&(Shape){0}, 4), 4);
    ck_assert_uint_eq(tensor_bytes(&(Shape){2, {0, 5}}, 4), 0);
    ck_assert_uint_eq(tensor_bytes(&(Shape){2, {-1, 5}}, 4), UINT64_MAX);
    ck_assert_uint_eq(tensor_bytes(&(Shape){2, {1 << 30, 1 << 30}}, 4), UINT64_MAX);
    ck_assert_uint_eq(tensor_bytes(&(Shape){3, {(int64_t)1 << 62, 4, 0}}, 4), UINT64_MAX);
}
END_TEST

/* Gives `left` blocks, then none. */
static void *resize_few(void *user, void *block, size_t size)
{
    int *left = user;
    if (size && --*left < 0) return NULL;
    return host_default.resize(NULL, block, size);
}

START_TEST(running_out_of_memory_leaks_nothing)
{
    for (int few = 0; few < 8; few++) {
        int left = few;
        TensorSet set;
        tensor_set_open(&set, &(Host){resize_few, &left});
        bool noted = tensor_set_note(&set, "key", "value") == STATUS_ok;
        bool added = tensor_set_add(&set, "name", TYPE_u8, &(Shape){1, {100}}) != NULL;
        ck_assert_int_eq(noted, few >= 3);
        ck_assert_int_eq(added, few >= 6);
        ck_assert_uint_eq(set.text_count + set.count, (unsigned)noted + added);
        tensor_set_close(&set);
    }
}
END_TEST

Suite *suite_tensor(void);
Suite *suite_tensor(void)
{
    Suite *suite = suite_create("tensor");
    TCase *tests = tcase_create("tensor");
    tcase_add_test(tests, tensors_are_zeroed_aligned_and_found);
    tcase_add_test(tests, notes_are_replaced_by_key);
    tcase_add_test(tests, elements_read_as_doubles);
    tcase_add_test(tests, stated_shapes_are_bounded);
    tcase_add_test(tests, running_out_of_memory_leaks_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "tests/unit/tables.h"
#include <check.h>

static Tables tables;

static void before(void)
{
    tables_open(&tables);
}

static void after(void)
{
    tables_close(&tables);
}

/* Version 1 file of a header and data; the report holds why it was refused. */
static Status read_made(const char *header, const void *data, size_t size, TensorSet *set)
{
    char bytes[512] = "\x93NUMPY\x01";
    size_t length = strlen(header);
    bytes[8] = (char)length;
    bytes[9] = (char)(length >> 8);
    memcpy(bytes + 10, header, length);
    memcpy(bytes + 10 + length, data, size);
    const char *path = tables_file(&tables, "made.npy", bytes, 10 + length + size);
    tensor_set_open(set, &host_default);
    report_clear(tables.context.report);
    return npy_read(set, "made", path, tables.context.report);
}

START_TEST(writes_what_it_reads)
{
    const char *path = tables_path(&tables, "a.npy");
    for (Type type = TYPE_none + 1; type < TYPE_COUNT; type++) {
        TensorSet set;
        tensor_set_open(&set, &host_default);
        Tensor *out = tensor_set_add(&set, "out", type, &(Shape){3, {2, 3, 4}});
        for (size_t i = 0; i < out->size; i++)
            ((unsigned char *)out->bytes)[i] = (unsigned char)(type == TYPE_bool ? i & 1 : i);
        ck_assert_int_eq(npy_write(out, path, tables.context.report), STATUS_ok);
        ck_assert_int_eq(npy_read(&set, "in", path, tables.context.report), STATUS_ok);
        const Tensor *in = &set.at[1];
        ck_assert(shape_same(&in->shape, &set.at[0].shape));
        ck_assert_int_eq(in->type, type == TYPE_bf16 ? TYPE_f32 : type);
        for (int64_t i = 0; i < 24; i++)
            ck_assert_double_eq(tensor_element(in, i), tensor_element(&set.at[0], i));
        tensor_set_close(&set);
    }
}
END_TEST

START_TEST(fortran_order_is_turned_round)
{
    TensorSet set;
    ck_assert_int_eq(read_made("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}",
                               "\0\1\2\3\4\5", 6, &set),
                     STATUS_ok);
    ck_assert_mem_eq(set.at[0].bytes, "\0\2\4\1\3\5", 6);
    tensor_set_close(&set);
}
END_TEST

START_TEST(big_endian_is_swapped)
{
    TensorSet set;
    ck_assert_int_eq(read_made("{'shape': (2,), 'fortran_order': False, 'descr': '>i2', }",
                               "\1\2\xff\xfe", 4, &set),
                     STATUS_ok);
    ck_assert_int_eq(((int32_t *)set.at[0].bytes)[0], 0x102);
    ck_assert_int_eq(((int32_t *)set.at[0].bytes)[1], -2);
    tensor_set_close(&set);
}
END_TEST

START_TEST(wide_integers_have_to_fit)
{
    TensorSet set;
    static const char header[] = "{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}";
    ck_assert_int_eq(read_made(header, "\1\0\0\0\0\0\0\x7f", 8, &set), STATUS_ok);
    ck_assert_int_eq(*(int64_t *)set.at[0].bytes, 0x7f00000000000001);
    tensor_set_close(&set);
    ck_assert_int_eq(read_made(header, "\1\0\0\0\0\0\0\x80", 8, &set), STATUS_invalid);
    ck_assert_uint_eq(set.count, 0);
    tensor_set_close(&set);
}
END_TEST

/* Headers over 4 bytes of data. */
static const struct {
    const char *header, *message;
} refused[] = {
    {"{'descr': '<f4', 'fortran_order': False}", "missing"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "more bytes"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", "fewer bytes"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", "tuple"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "whole number"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "too many"},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "truth"},
    {"{'descr': '<c8', 'fortran_order': False, 'shape': ()}", "<c8"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", "|O"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "records"},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "twice"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}", "a key other"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} 1", "after the closing"},
    {"__import__('os')", "no dictionary"},
};

START_TEST(wrong_headers_are_refused)
{
    TensorSet set;
    ck_assert_int_eq(read_made(refused[_i].header, "\0\0\0\0", 4, &set), STATUS_invalid);
    ck_assert_msg(strstr(tables_report(&tables), refused[_i].message) != NULL, "%s",
                  tables_report(&tables));
    tensor_set_close(&set);
}
END_TEST

Suite *suite_npy(void);
Suite *suite_npy(void)
{
    Suite *suite = suite_create("npy");
    TCase *tests = tcase_create("npy");
    tcase_add_checked_fixture(tests, before, after);
    tcase_add_test(tests, writes_what_it_reads);
    tcase_add_test(tests, fortran_order_is_turned_round);
    tcase_add_test(tests, big_endian_is_swapped);
    tcase_add_test(tests, wide_integers_have_to_fit);
    tcase_add_loop_test(tests, wrong_headers_are_refused, 0, sizeof refused / sizeof *refused);
    suite_add_tcase(suite, tests);
    return suite;
}

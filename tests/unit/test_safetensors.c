#include "runtime/core/file.h"
#include "tests/unit/tables.h"
#include <check.h>
#include <dirent.h>
#include <sys/stat.h>

static Tables tables;

static void before(void)
{
    tables_open(&tables);
}

static void after(void)
{
    tables_close(&tables);
}

/* A file of a header as given and `data` bytes 0, 1, 2, ... */
static Status read_header(const char *header, size_t data, TensorSet *set)
{
    size_t length = strlen(header);
    char bytes[2048] = {0};
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data; i++)
        bytes[8 + length + i] = (char)i;
    const char *path = tables_file(&tables, "made.safetensors", bytes, 8 + length + data);
    tensor_set_open(set, &host_default);
    return safetensors_read(set, path, tables.context.report);
}

static void fill(TensorSet *set)
{
    tensor_set_open(set, &host_default);
    for (Type type = TYPE_none + 1; type < TYPE_COUNT; type++) {
        Tensor *tensor = tensor_set_add(set, type_info[type].name, type, &(Shape){2, {3, 5}});
        for (size_t i = 0; i < tensor->size; i++)
            ((unsigned char *)tensor->bytes)[i] =
                (unsigned char)(type == TYPE_bool ? i & 1 : i * 7);
    }
    tensor_set_add(set, "scalar", TYPE_f32, &(Shape){0});
    tensor_set_add(set, "empty \"quoted\" \\ \xc3\xa9", TYPE_f32, &(Shape){3, {4, 0, 2}});
    tensor_set_note(set, "step", "12");
    tensor_set_note(set, "odd", "a \"b\" \\ \xe2\x82\xac");
}

START_TEST(writes_what_it_reads)
{
    TensorSet out, in;
    fill(&out);
    const char *path = tables_path(&tables, "a.safetensors");
    ck_assert_int_eq(safetensors_write(&out, path, tables.context.report), STATUS_ok);
    tensor_set_open(&in, &host_default);
    ck_assert_msg(safetensors_read(&in, path, tables.context.report) == STATUS_ok, "%s",
                  tables_report(&tables));
    ck_assert_uint_eq(in.count, out.count);
    for (uint32_t i = 0; i < out.count; i++) {
        const Tensor *tensor = tensor_set_find(&in, out.at[i].name);
        ck_assert_ptr_nonnull(tensor);
        ck_assert_int_eq(tensor->type, out.at[i].type);
        ck_assert(shape_same(&tensor->shape, &out.at[i].shape));
        ck_assert_mem_eq(tensor->bytes, out.at[i].bytes, tensor->size);
    }
    ck_assert_str_eq(tensor_set_noted(&in, "step"), "12");
    ck_assert_str_eq(tensor_set_noted(&in, "odd"), "a \"b\" \\ \xe2\x82\xac");
    tensor_set_close(&in);
    tensor_set_close(&out);
}
END_TEST

START_TEST(data_begin_at_a_multiple_of_64)
{
    TensorSet set;
    char *bytes;
    size_t size;
    fill(&set);
    const char *path = tables_path(&tables, "a.safetensors");
    ck_assert_int_eq(safetensors_write(&set, path, tables.context.report), STATUS_ok);
    ck_assert_int_eq(file_read(&host_default, path, 1 << 20, &bytes, &size, tables.context.report),
                     STATUS_ok);
    ck_assert_uint_eq((8 + (unsigned char)bytes[0] + 256 * (unsigned char)bytes[1]) % 64, 0);
    host_default.resize(NULL, bytes, 0);
    tensor_set_close(&set);
}
END_TEST

START_TEST(every_cut_file_is_refused)
{
    TensorSet set;
    char *bytes;
    size_t size;
    fill(&set);
    const char *path = tables_path(&tables, "a.safetensors");
    ck_assert_int_eq(safetensors_write(&set, path, tables.context.report), STATUS_ok);
    tensor_set_close(&set);
    ck_assert_int_eq(file_read(&host_default, path, 1 << 20, &bytes, &size, tables.context.report),
                     STATUS_ok);
    for (size_t cut = 0; cut < size; cut++) {
        const char *part = tables_file(&tables, "cut.safetensors", bytes, cut);
        tensor_set_open(&set, &host_default);
        ck_assert_int_eq(safetensors_read(&set, part, tables.context.report), STATUS_invalid);
        ck_assert_uint_eq(set.count, 0);
        report_clear(tables.context.report);
    }
    host_default.resize(NULL, bytes, 0);
}
END_TEST

START_TEST(foreign_types_become_the_nearest)
{
    TensorSet set;
    static const char header[] =
        "{\"u16\":{\"dtype\":\"U16\",\"shape\":[1],\"data_offsets\":[0,2]},"
        "\"i16\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[2,4]},"
        "\"f64\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[4,12]}}";
    ck_assert_int_eq(read_header(header, 12, &set), STATUS_ok);
    ck_assert_int_eq(tensor_set_find(&set, "u16")->type, TYPE_i32);
    ck_assert_int_eq(*(int32_t *)tensor_set_find(&set, "u16")->bytes, 0x0100);
    ck_assert_int_eq(*(int32_t *)tensor_set_find(&set, "i16")->bytes, 0x0302);
    double value;
    memcpy(&value, (unsigned char[]){4, 5, 6, 7, 8, 9, 10, 11}, 8);
    ck_assert_float_eq(*(float *)tensor_set_find(&set, "f64")->bytes, (float)value);
    tensor_set_close(&set);
}
END_TEST

START_TEST(escapes_are_understood)
{
    TensorSet set;
    ck_assert_int_eq(
        read_header("{ \"a\\u00e9\\ud83d\\ude00\\/\" : {\"shape\":[], \"dtype\":\"U8\", "
                    "\"data_offsets\":[0,1]} }  ",
                    1, &set),
        STATUS_ok);
    ck_assert_str_eq(set.at[0].name, "a\xc3\xa9\xf0\x9f\x98\x80/");
    tensor_set_close(&set);
}
END_TEST

#define ONE(range) "{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" range "}"

/* Header of a file with 8 bytes of data, and a word of the message that refuses it. */
static const struct {
    const char *header, *message;
} refused[] = {
    {"{}", "bytes after"},
    {"[]", "begin with {"},
    {" {}", "begin with {"},
    {"{\"a\":" ONE("[0,4]") ",\"a\":" ONE("[4,8]") "}", "two tensors"},
    {"{\"a\":" ONE("[0,4]") ",\"b\":" ONE("[0,4]") "}", "overlaps"},
    {"{\"a\":" ONE("[4,8]") "}", "hole"},
    {"{\"a\":" ONE("[0,4]") "}", "bytes after"},
    {"{\"a\":" ONE("[0,8]") "}", "does not fit"},
    {"{\"a\":" ONE("[4,0]") "}", "ends before"},
    {"{\"a\":" ONE("[6,10]") "}", "beyond the end"},
    {"{\"a\":" ONE("[0,4.0]") "}", "damaged header"},
    {"{\"a\":" ONE("[-1,4]") "}", "whole number"},
    {"{\"a\":" ONE("[0,99999999999999999999]") "}", "2^64"},
    {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}", "F8_E4M3"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8]}}", "lacks"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"shape\":[8],\"data_offsets\":[0,8]}}", "twice"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,8],\"data_offsets\":[0,8]}}", "8 axes"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
     "does not fit"},
    {"{\"a\\u0000b\":" ONE("[0,4]") "}", "control"},
    {"{\"\\ud800\":" ONE("[0,4]") "}", "surrogate"},
    {"{\"__metadata__\":{\"a\":1},\"a\":" ONE("[0,4]") "}", "not a string"},
    {"{\"a\":" ONE("[0,4]") "} x", "after the closing"},
    {"{\"\xff\":" ONE("[0,4]") "}", "UTF-8"},
};

START_TEST(wrong_headers_are_refused)
{
    TensorSet set;
    report_clear(tables.context.report);
    ck_assert_int_eq(read_header(refused[_i].header, 8, &set), STATUS_invalid);
    ck_assert_msg(strstr(tables_report(&tables), refused[_i].message) != NULL, "%s",
                  tables_report(&tables));
    ck_assert_uint_eq(set.count + set.text_count, 0);
}
END_TEST

START_TEST(bools_are_zero_or_one)
{
    TensorSet set;
    ck_assert_int_eq(
        read_header("{\"a\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, &set),
        STATUS_ok);
    tensor_set_close(&set);
    ck_assert_int_eq(
        read_header("{\"a\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3, &set),
        STATUS_invalid);
}
END_TEST

static int files_in(const char *folder)
{
    int count = 0;
    DIR *stream = opendir(folder);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count - 2;
}

START_TEST(a_failed_write_leaves_nothing)
{
    TensorSet set;
    fill(&set);
    const char *path = tables_path(&tables, "folder");
    mkdir(path, 0777);
    tables_text(&tables, "folder/inside", "x");
    ck_assert_int_eq(safetensors_write(&set, path, tables.context.report), STATUS_failed);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "cannot replace"));
    ck_assert_int_eq(files_in(tables.folder), 1);
    ck_assert_int_eq(safetensors_write(&set, tables_path(&tables, "none/a"), tables.context.report),
                     STATUS_failed);
    tensor_set_close(&set);
}
END_TEST

START_TEST(a_write_replaces_the_old_file)
{
    const char *path = tables_text(&tables, "file", "the old one, which is longer");
    ck_assert_int_eq(file_write(path, "new", 3, tables.context.report), STATUS_ok);
    char *bytes;
    size_t size;
    ck_assert_int_eq(file_read(&host_default, path, 100, &bytes, &size, tables.context.report),
                     STATUS_ok);
    ck_assert_uint_eq(size, 3);
    ck_assert_mem_eq(bytes, "new", 3);
    ck_assert_int_eq(files_in(tables.folder), 1);
    host_default.resize(NULL, bytes, 0);
}
END_TEST

/* Two writers of one path: whoever closes last has it, and both files were whole. */
START_TEST(writers_do_not_meet)
{
    Origin origin = {&host_default, tables.context.report, {0}, tables_path(&tables, "file")};
    FileWriter first, second;
    ck_assert_int_eq(writer_open(&first, &origin), STATUS_ok);
    ck_assert_int_eq(writer_open(&second, &origin), STATUS_ok);
    ck_assert_int_eq(writer_put(&first, "one", 3), STATUS_ok);
    ck_assert_int_eq(writer_put(&second, "second", 6), STATUS_ok);
    ck_assert_int_eq(writer_close(&first, STATUS_ok), STATUS_ok);
    char *bytes;
    size_t size;
    ck_assert_int_eq(
        file_read(&host_default, origin.path, 100, &bytes, &size, tables.context.report),
        STATUS_ok);
    ck_assert_uint_eq(size, 3);
    host_default.resize(NULL, bytes, 0);
    ck_assert_int_eq(writer_close(&second, STATUS_failed), STATUS_failed);
    ck_assert_int_eq(files_in(tables.folder), 1);
}
END_TEST

START_TEST(gzip_files_are_unpacked_within_bounds)
{
    char *bytes, *zeros = host_default.resize(NULL, NULL, 32 << 20);
    size_t size;
    memset(zeros, 0, 32 << 20);
    const char *path = tables_gzip(&tables, "small.gz", "hello", 5);
    ck_assert_int_eq(file_read(&host_default, path, 100, &bytes, &size, tables.context.report),
                     STATUS_ok);
    ck_assert_uint_eq(size, 5);
    ck_assert_mem_eq(bytes, "hello", 5);
    host_default.resize(NULL, bytes, 0);
    ck_assert_int_eq(file_read(&host_default, path, 4, &bytes, &size, tables.context.report),
                     STATUS_invalid);

    path = tables_gzip(&tables, "bomb.gz", zeros, 32 << 20);
    ck_assert_int_eq(file_read(&host_default, path, SIZE_MAX, &bytes, &size, tables.context.report),
                     STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "gunzip"));
    host_default.resize(NULL, zeros, 0);
    ck_assert_int_eq(
        file_read(&host_default, tables.folder, 4, &bytes, &size, tables.context.report),
        STATUS_invalid);
    ck_assert_int_eq(file_read(&host_default, "/nowhere", 4, &bytes, &size, tables.context.report),
                     STATUS_invalid);
}
END_TEST

Suite *suite_safetensors(void);
Suite *suite_safetensors(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_add_checked_fixture(tests, before, after);
    tcase_add_test(tests, writes_what_it_reads);
    tcase_add_test(tests, data_begin_at_a_multiple_of_64);
    tcase_add_test(tests, every_cut_file_is_refused);
    tcase_add_test(tests, foreign_types_become_the_nearest);
    tcase_add_test(tests, escapes_are_understood);
    tcase_add_loop_test(tests, wrong_headers_are_refused, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tests, bools_are_zero_or_one);
    tcase_add_test(tests, a_failed_write_leaves_nothing);
    tcase_add_test(tests, a_write_replaces_the_old_file);
    tcase_add_test(tests, writers_do_not_meet);
    tcase_add_test(tests, gzip_files_are_unpacked_within_bounds);
    suite_add_tcase(suite, tests);
    return suite;
}

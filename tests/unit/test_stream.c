#include "tests/unit/tables.h"
#include <check.h>

static Tables tables;

/* `rows` samples: row i is [i, i + 1] as u8 and i as i32. */
static void before(void)
{
    tables_open(&tables);
    TensorSet set;
    tensor_set_open(&set, &host_default);
    uint8_t *x = tensor_set_add(&set, "x", TYPE_u8, &(Shape){2, {10, 2}})->bytes;
    int32_t *y = tensor_set_add(&set, "y", TYPE_i32, &(Shape){1, {10}})->bytes;
    for (int i = 0; i < 10; i++) {
        x[2 * i] = (uint8_t)i;
        x[2 * i + 1] = (uint8_t)(i + 1);
        y[i] = i;
    }
    ck_assert_int_eq(
        safetensors_write(&set, tables_path(&tables, "a.safetensors"), tables.context.report),
        STATUS_ok);
    tensor_set_close(&set);
    TABLES_ENTRY(&tables, "train", "safetensors", {"", a_text("a.safetensors")}, {"", a_text("x")},
                 {"", a_text("y")});
    tables_train(&tables);
}

static void after(void)
{
    tables_close(&tables);
}

static Stream *open_stream(int64_t batch, bool shuffle, int64_t start, uint32_t seed)
{
    ModelInput input[2] = {tables_input(&tables, "x", TYPE_f32, 2, (int64_t[]){batch, 2}),
                           tables_input(&tables, "y", TYPE_i64, 1, (int64_t[]){batch})};
    StreamOptions options = {&host_default, batch, shuffle, seed, start, 2, input};
    Stream *stream;
    ck_assert_int_eq(stream_open(data_split(tables.data, "train"), &options, &stream), STATUS_ok);
    return stream;
}

/* The samples' numbers of the next `count` samples, each checked to be whole. */
static void take(Stream *stream, int64_t count, int64_t *rows)
{
    for (int64_t done = 0; done < count;) {
        const void *const *inputs;
        int64_t got;
        ck_assert_int_eq(stream_next(stream, &inputs, &got), STATUS_ok);
        ck_assert_int_gt(got, 0);
        ck_assert_uint_eq(((uintptr_t)inputs[0] | (uintptr_t)inputs[1]) % 64, 0);
        const float *x = inputs[0];
        const int64_t *y = inputs[1];
        for (int64_t i = 0; i < got && done < count; i++) {
            ck_assert_float_eq(x[2 * i], (float)y[i]);
            ck_assert_float_eq(x[2 * i + 1], (float)(y[i] + 1));
            rows[done++] = y[i];
        }
    }
}

START_TEST(unshuffled_streams_end_with_a_short_batch)
{
    for (int64_t batch = 1; batch < 12; batch++) {
        Stream *stream = open_stream(batch, false, 0, 1);
        const void *const *inputs;
        int64_t count, row = 0;
        do {
            ck_assert_int_eq(stream_next(stream, &inputs, &count), STATUS_ok);
            ck_assert_int_eq(count, 10 - row < batch ? 10 - row : batch);
            for (int64_t i = 0; i < count; i++)
                ck_assert_int_eq(((const int64_t *)inputs[1])[i], row++);
        } while (count);
        ck_assert_int_eq(row, 10);
        ck_assert_int_eq(stream_next(stream, &inputs, &count), STATUS_ok);
        ck_assert_int_eq(count, 0);
        stream_close(stream);
    }
}
END_TEST

START_TEST(an_epoch_has_every_sample_once)
{
    for (int64_t batch = 1; batch < 24; batch += 3) {
        int64_t rows[60];
        Stream *stream = open_stream(batch, true, 0, 7);
        take(stream, 60, rows);
        stream_close(stream);
        for (int epoch = 0; epoch < 6; epoch++) {
            unsigned seen = 0;
            for (int i = 0; i < 10; i++)
                seen |= 1u << rows[10 * epoch + i];
            ck_assert_uint_eq(seen, 1023);
        }
        ck_assert(memcmp(rows, rows + 10, 10 * sizeof *rows) != 0);
    }
}
END_TEST

START_TEST(any_position_can_be_resumed)
{
    int64_t all[60], rest[30];
    Stream *stream = open_stream(4, true, 0, 7);
    take(stream, 60, all);
    stream_close(stream);
    for (int64_t start = 0; start <= 30; start++) {
        stream = open_stream(1 + start % 5, true, start, 7);
        take(stream, 30, rest);
        stream_close(stream);
        ck_assert_mem_eq(rest, all + start, sizeof rest);
    }
    stream = open_stream(4, true, 0, 8);
    take(stream, 30, rest);
    stream_close(stream);
    ck_assert(memcmp(rest, all, sizeof rest) != 0);
}
END_TEST

/* Over many seeds each sample comes first about equally often: 2000 draws of 10, expected 200, deviation 13.4. */
START_TEST(permutations_are_fair)
{
    int first[10] = {0};
    for (uint32_t seed = 0; seed < 2000; seed++) {
        int64_t row;
        Stream *stream = open_stream(1, true, 0, seed);
        take(stream, 1, &row);
        stream_close(stream);
        first[row]++;
    }
    for (int i = 0; i < 10; i++) {
        ck_assert_int_gt(first[i], 200 - 67);
        ck_assert_int_lt(first[i], 200 + 67);
    }
}
END_TEST

START_TEST(a_batch_stays_while_the_next_is_made)
{
    Stream *stream = open_stream(3, true, 0, 1);
    const void *const *inputs;
    int64_t count, copy[3];
    for (int i = 0; i < 200; i++) {
        stream_next(stream, &inputs, &count);
        memcpy(copy, inputs[1], sizeof copy);
        for (volatile int wait = 0; wait < 2000; wait++)
            continue;
        ck_assert_mem_eq(copy, inputs[1], sizeof copy);
    }
    ck_assert_double_ge(stream_waited(stream), 0);
    stream_close(stream);
}
END_TEST

/* Samples too large to be gathered, with a conversion and without. */
START_TEST(large_samples_arrive_whole)
{
    TensorSet set;
    tensor_set_open(&set, &host_default);
    Tensor *x = tensor_set_add(&set, "x", TYPE_u8, &(Shape){2, {7, 300}});
    for (int i = 0; i < 2100; i++)
        ((uint8_t *)x->bytes)[i] = (uint8_t)(i * 31);
    ck_assert_int_eq(npy_write(x, tables_path(&tables, "x.npy"), tables.context.report), STATUS_ok);
    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "npy", {"", a_text("x.npy")}, {"", a_text("x.npy")});
    const Split *split = tables_train(&tables);
    ModelInput input[2] = {tables_input(&tables, "a", TYPE_f32, 2, (int64_t[]){3, 300}),
                           tables_input(&tables, "b", TYPE_u8, 2, (int64_t[]){3, 300})};
    Stream *stream;
    ck_assert_int_eq(
        stream_open(split, &(StreamOptions){&host_default, 3, false, 0, 0, 2, input}, &stream),
        STATUS_ok);
    int64_t row = 0, count;
    const void *const *inputs;
    while (stream_next(stream, &inputs, &count) == STATUS_ok && count) {
        ck_assert_mem_eq(inputs[1], (uint8_t *)x->bytes + 300 * row, 300 * (size_t)count);
        for (int64_t i = 0; i < 300 * count; i++)
            ck_assert_float_eq(((const float *)inputs[0])[i], ((const uint8_t *)inputs[1])[i]);
        row += count;
    }
    ck_assert_int_eq(row, 7);
    stream_close(stream);
    tensor_set_close(&set);
}
END_TEST

static void expect_check(ModelInput x, ModelInput y, uint32_t count, const char *message)
{
    ModelInput input[3] = {x, y, y};
    report_clear(tables.context.report);
    Status status =
        data_check(&tables.context, tables.data, data_split(tables.data, "train"), count, input);
    ck_assert_msg((status == STATUS_ok) == (message == NULL), "%s", tables_report(&tables));
    if (message)
        ck_assert_msg(strstr(tables_report(&tables), message) != NULL, "%s",
                      tables_report(&tables));
}

START_TEST(inputs_are_checked_against_the_data)
{
    ModelInput x = tables_input(&tables, "x", TYPE_f32, 2, (int64_t[]){4, 2});
    ModelInput y = tables_input(&tables, "y", TYPE_i32, 1, (int64_t[]){4});
    expect_check(x, y, 2, NULL);
    expect_check(x, y, 1, NULL);
    expect_check(x, y, 3, "nothing feeds input `y`");
    expect_check(tables_input(&tables, "x", TYPE_bf16, 4, (int64_t[]){4, 1, 2, 1}), y, 2, NULL);
    expect_check(tables_input(&tables, "x", TYPE_f32, 2, (int64_t[]){4, 3}), y, 2,
                 "takes samples of f32[3]");
    expect_check(tables_input(&tables, "x", TYPE_f32, 3, (int64_t[]){4, 2, 2}), y, 2,
                 "takes samples of f32[2, 2]");
    expect_check(tables_input(&tables, "x", TYPE_bool, 2, (int64_t[]){4, 2}), y, 2,
                 "x 2 of sample 1 is no bool");
    ModelInput whole = x;
    whole.batched = false;
    expect_check(whole, y, 2, "no batch axis");
    y.bound = 10;
    expect_check(x, y, 2, NULL);
    y.bound = 9;
    expect_check(x, y, 2, "y 9 of sample 9 is outside [0, 9)");
    y.type = TYPE_i8;
    y.bound = 0;
    expect_check(x, y, 2, NULL);
}
END_TEST

START_TEST(files_feed_inputs_by_name)
{
    ModelInput input[2] = {tables_input(&tables, "y", TYPE_i32, 1, (int64_t[]){4}),
                           tables_input(&tables, "x", TYPE_u8, 2, (int64_t[]){4, 2})};
    DataOptions options = {&host_default, tables.folder, 1};
    Data *data;
    ck_assert_int_eq(data_open_file(&tables.context, "a.safetensors", &options, 2, input, &data),
                     STATUS_ok);
    const Split *split = data_split_at(data, 0);
    ck_assert_int_eq(data_check(&tables.context, data, split, 2, input), STATUS_ok);
    ck_assert_int_eq(split->field[0].type, TYPE_i32);
    data_close(data);

    tables_text(&tables, "p.csv", "1,2\n3,4\n");
    tables_text(&tables, "l.csv", "a,b,y\n1,2,0\n3,4,1\n");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            data_open_file(&tables.context, i ? "l.csv" : "p.csv", &options, 1, input + 1, &data),
            STATUS_ok);
        split = data_split_at(data, 0);
        ck_assert_int_eq(data_check(&tables.context, data, split, 1, input + 1), STATUS_ok);
        data_close(data);
    }
    ck_assert_int_eq(data_open_file(&tables.context, "p.doc", &options, 1, input + 1, &data),
                     STATUS_invalid);
}
END_TEST

Suite *suite_stream(void);
Suite *suite_stream(void)
{
    Suite *suite = suite_create("stream");
    TCase *tests = tcase_create("stream");
    tcase_add_checked_fixture(tests, before, after);
    tcase_add_test(tests, unshuffled_streams_end_with_a_short_batch);
    tcase_add_test(tests, an_epoch_has_every_sample_once);
    tcase_add_test(tests, any_position_can_be_resumed);
    tcase_add_test(tests, permutations_are_fair);
    tcase_add_test(tests, a_batch_stays_while_the_next_is_made);
    tcase_add_test(tests, large_samples_arrive_whole);
    tcase_add_test(tests, inputs_are_checked_against_the_data);
    tcase_add_test(tests, files_feed_inputs_by_name);
    suite_add_tcase(suite, tests);
    return suite;
}

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

static int32_t token(const Split *split, uint32_t field, int64_t window, int64_t i)
{
    const Field *f = &split->field[field];
    return ((const int32_t *)(const void *)(f->bytes + window * f->stride))[i];
}

static void add_synthetic(double samples)
{
    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "synthetic", {"samples", a_number(samples)},
                 {"classes", a_number(3)});
}

START_TEST(text_is_windows_and_the_byte_after)
{
    tables_text(&tables, "a.txt", "0123456789");
    TABLES_ENTRY(&tables, "train", "text", {"", a_text("a.txt")}, {"window", a_number(3)});
    const Split *split = tables_train(&tables);
    ck_assert_int_eq(split->count, 3);
    ck_assert_int_eq(token(split, 0, 2, 0), '6');
    ck_assert_int_eq(token(split, 1, 2, 2), '9');

    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "text", {"", a_text("a.txt")}, {"window", a_number(3)},
                 {"stride", a_number(1)});
    ck_assert_int_eq(tables_train(&tables)->count, 7);

    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "text", {"", a_text("a.txt")}, {"window", a_number(10)});
    ck_assert_int_eq(tables_load(&tables), STATUS_invalid);
    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "text", {"", a_text("a.txt")});
    ck_assert_int_eq(tables_load(&tables), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "needs `window`"));
}
END_TEST

/* Whatever the stride, no byte that validation predicts is predicted in training. */
START_TEST(text_splits_do_not_leak)
{
    char text[200];
    for (int i = 0; i < 200; i++)
        text[i] = (char)i;
    tables_file(&tables, "a.txt", text, sizeof text);
    for (int stride = 1; stride < 12; stride++) {
        tables_forget(&tables);
        TABLES_ENTRY(&tables, "train", "text", {"", a_text("a.txt")}, {"window", a_number(8)},
                     {"stride", a_number(stride)});
        TABLES_ENTRY(&tables, "validate", "split", {"", a_word("train")}, {"", a_number(0.3)});
        const Split *train = tables_train(&tables), *validate = data_split(tables.data, "validate");
        int64_t all = (200 - 9) / stride + 1;
        ck_assert_int_eq(validate->count, (int64_t)((double)all * 0.3 + 0.5));
        ck_assert_int_lt(token(train, 1, train->count - 1, 7), token(validate, 1, 0, 0));
        ck_assert_int_eq(token(validate, 0, validate->count - 1, 0), (all - 1) * stride);
        ck_assert_int_ge(train->count, all - validate->count - 8);
    }
}
END_TEST

START_TEST(random_splits_part_the_samples)
{
    add_synthetic(1000);
    TABLES_ENTRY(&tables, "validate", "split", {"", a_word("train")}, {"", a_number(0.1)});
    TABLES_ENTRY(&tables, "test", "split", {"", a_word("train")}, {"", a_number(150)});
    const Split *part[] = {tables_train(&tables), data_split(tables.data, "validate"),
                           data_split(tables.data, "test")};
    static const int64_t counts[] = {750, 100, 150};
    unsigned char seen[1000] = {0};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(part[i]->count, counts[i]);
        for (int64_t k = 0; k < counts[i]; k++) {
            ck_assert(k == 0 || part[i]->order[k] > part[i]->order[k - 1]);
            ck_assert_uint_eq(seen[part[i]->order[k]]++, 0);
        }
    }
    /* Drawn from everywhere: of the 100, the first half holds 50 give or take five deviations (4.7 each). */
    int64_t low = 0;
    while (part[1]->order[low] < 500)
        low++;
    ck_assert_int_gt(low, 26);
    ck_assert_int_lt(low, 74);
}
END_TEST

START_TEST(splits_follow_the_seed)
{
    int64_t first[3][50];
    for (int i = 0; i < 3; i++) {
        add_synthetic(500);
        TABLES_ENTRY(&tables, "test", "split", {"", a_word("train")}, {"", a_number(0.1)},
                     {"seed", a_number(i == 2)});
        tables_train(&tables);
        memcpy(first[i], data_split(tables.data, "test")->order, sizeof first[i]);
    }
    ck_assert_mem_eq(first[0], first[1], sizeof *first);
    ck_assert(memcmp(first[0], first[2], sizeof *first) != 0);
}
END_TEST

START_TEST(impossible_splits_are_refused)
{
    static const double shares[] = {0, 1, -0.5, 100, 1.5, 0.001};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        add_synthetic(100);
        TABLES_ENTRY(&tables, "test", "split", {"", a_word("train")}, {"", a_number(shares[i])});
        ck_assert_int_eq(tables_load(&tables), i == 1 ? STATUS_ok : STATUS_invalid);
    }
    add_synthetic(100);
    TABLES_ENTRY(&tables, "test", "split", {"", a_word("trian")}, {"", a_number(0.5)});
    ck_assert_int_eq(tables_load(&tables), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "did you mean `train`?"));
    add_synthetic(100);
    TABLES_ENTRY(&tables, "train", "synthetic", {"samples", a_number(5)});
    ck_assert_int_eq(tables_load(&tables), STATUS_invalid);
    ck_assert_ptr_nonnull(strstr(tables_report(&tables), "given twice"));
}
END_TEST

/* A sample is nearer to its class's mean than to the others' nearly always: the problem can be learned. */
START_TEST(synthetic_problems_can_be_learned)
{
    tables_forget(&tables);
    TABLES_ENTRY(&tables, "train", "synthetic", {"samples", a_number(300)},
                 {"classes", a_number(3)}, {"shape", a_list(&tables, 2, (double[]){4, 4})});
    const Split *split = tables_train(&tables);
    ck_assert(shape_same(&split->field[0].sample, &(Shape){2, {4, 4}}));
    const float *x = (const float *)(const void *)split->field[0].bytes;
    const int32_t *label = (const int32_t *)(const void *)split->field[1].bytes;
    float mean[3][16] = {{0}};
    for (int i = 0; i < 300; i++)
        for (int k = 0; k < 16; k++)
            mean[label[i]][k] += x[16 * i + k] / 100;
    int right = 0;
    for (int i = 0; i < 300; i++) {
        float distance[3] = {0};
        for (int c = 0; c < 3; c++)
            for (int k = 0; k < 16; k++)
                distance[c] += (x[16 * i + k] - mean[c][k]) * (x[16 * i + k] - mean[c][k]);
        int best = distance[1] < distance[0] ? 1 : 0;
        right += (distance[2] < distance[best] ? 2 : best) == label[i];
    }
    ck_assert_int_gt(right, 285);
}
END_TEST

Suite *suite_split(void);
Suite *suite_split(void)
{
    Suite *suite = suite_create("split");
    TCase *tests = tcase_create("split");
    tcase_add_checked_fixture(tests, before, after);
    tcase_add_test(tests, text_is_windows_and_the_byte_after);
    tcase_add_test(tests, text_splits_do_not_leak);
    tcase_add_test(tests, random_splits_part_the_samples);
    tcase_add_test(tests, splits_follow_the_seed);
    tcase_add_test(tests, impossible_splits_are_refused);
    tcase_add_test(tests, synthetic_problems_can_be_learned);
    suite_add_tcase(suite, tests);
    return suite;
}

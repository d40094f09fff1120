/* The pipeline, the bf16 policy and the splitting of long reductions. */
#include "passes/simplify.h"
#include "tests/unit/graph_text.h"

static Graph *run(Kit *kit, const char *text, const char *precision)
{
    Program *program = text_program(kit, text);
    Context context = {.arena = kit->arena, .names = kit->names};
    PassOptions options = {.verify = true, .round_trip = true, .precision = precision};
    return passes_run(&context, kit->arena, program, program->entry[ENTRY_predict], &options);
}

static void expect(const char *text, const char *precision, const char *wanted)
{
    Kit kit = kit_open(1);
    ck_assert_str_eq(kit_text(&kit, run(&kit, text, precision)), wanted);
    kit_close(&kit);
}

static int count_of(const char *text, const char *what)
{
    int count = 0;
    for (; (text = strstr(text, what)); text++)
        count++;
    return count;
}

/* The passes change the graph but not what it computes: small integers, so every order of addition is exact. */
static void expect_same_values(const char *text)
{
    Kit kit = kit_open(7);
    const Graph *before = text_graph(&kit, text), *after = run(&kit, text, "f32");
    ck_assert_msg(strcmp(kit_text(&kit, before), kit_text(&kit, after)) != 0,
                  "nothing has changed");
    Feed feed = kit_feed(&kit, before, DATA_integers, DOMAIN_any);
    double **left = kit_evaluate(&kit, before, &feed, true);
    double **right = kit_evaluate(&kit, after, &feed, true);
    int64_t count = shape_elements(graph_shape(before, before->result.at[0].value));
    const char *wrong = kit_difference(&kit, right[0], left[0], count, 0, 0);
    ck_assert_msg(!wrong, "%s\n%s", wrong, kit_text(&kit, after));
    kit_close(&kit);
}

static void note_pass(void *user, const char *pass, const Graph *graph)
{
    ck_assert_uint_gt(graph->result.count, 0);
    text_add(user, "%s ", pass);
}

START_TEST(dump_sees_every_pass_in_order)
{
    Kit kit = kit_open(1);
    Program *program = text_program(
        &kit, "entry predict (x: f32[2]) {\n  %1 = exp x : f32[2]\n  output y = %1\n}\n");
    Text seen = {.arena = kit.arena};
    Context context = {.arena = kit.arena, .names = kit.names};
    PassOptions options = {.dump = note_pass, .user = &seen};
    passes_run(&context, kit.arena, program, program->entry[ENTRY_predict], &options);
    const char *wanted = ""
#define PASS(name, help) #name " "
#include "passes/passes.def"
#undef PASS
        ;
    ck_assert_str_eq(text_done(&seen), wanted);
    kit_close(&kit);
}
END_TEST

START_TEST(bf16_narrows_contractions_alone)
{
    const char *text = "entry predict (x: f32[8, 4], w: f32[3, 4]) {\n"
                       "  %1 = dot x, w mk,nk->mn : f32[8, 3]\n"
                       "  %2 = exp %1 : f32[8, 3]\n"
                       "  output y = %2\n}\n";
    expect(text, "f32", text);
    expect(text, "bf16",
           "entry predict (x: f32[8, 4], w: f32[3, 4]) {\n"
           "  %1 = cast x : bf16[8, 4]\n"
           "  %2 = cast w : bf16[3, 4]\n"
           "  %3 = dot %1, %2 mk,nk->mn : f32[8, 3]\n"
           "  %4 = exp %3 : f32[8, 3]\n"
           "  output y = %4\n}\n");
}
END_TEST

/* DATA_reals are at most 2 in magnitude, so each product is off by at most 3 * 2^-17 * 4: two errors of operands, and low * low.
 * Sums in f32 add a hundredth of that. */
static void check_parts(const char *text, double terms)
{
    Kit kit = kit_open(3);
    const Graph *before = text_graph(&kit, text), *after = run(&kit, text, "f32_fast");
    ck_assert_ptr_nonnull(strstr(kit_text(&kit, after), "bf16[3, "));
    Feed feed = kit_feed(&kit, before, DATA_reals, DOMAIN_any);
    double **exact = kit_evaluate(&kit, before, &feed, true);
    double **got = kit_evaluate(&kit, after, &feed, false);
    double **narrow = kit_evaluate(&kit, run(&kit, text, "bf16"), &feed, false);
    int64_t count = shape_elements(graph_shape(before, before->result.at[0].value));
    const double off = 0x1p-17 * 3.03 * 4 * terms;
    const char *wrong = kit_difference(&kit, got[0], exact[0], count, off, 0);
    ck_assert_msg(!wrong, "%s\n%s", wrong, kit_text(&kit, after));
    /* What the tolerance is for is not met by operands of bf16. */
    ck_assert_ptr_nonnull(kit_difference(&kit, narrow[0], exact[0], count, off, 0));
    kit_close(&kit);
}

START_TEST(three_products_of_bf16_are_nearly_one_of_f32)
{
    check_parts("entry predict (x: f32[9, 64], w: f32[7, 64]) {\n"
                "  %1 = dot x, w mk,nk->mn : f32[9, 7]\n  output y = %1\n}\n",
                64);
    check_parts("entry predict (x: f32[2, 4, 9], w: f32[5, 4, 3]) {\n"
                "  %1 = conv x, w nch,ock->noy h=y+k-1 : f32[2, 5, 9]\n  output y = %1\n}\n",
                12);
}
END_TEST

/* `uses` products of x and y, each times another number, added up beside what is given; and the sum of all x. */
static const char *sum_of_products(Text *text, int uses, const char *other)
{
    int id = 0, sum = 0, all = 0;
    text_add(text, "entry predict (x: f32[3, 5], y: f32[3, 4], z: f32[5, 4]) {\n");
    for (int i = 0; i < uses; i++) {
        text_add(text, "  %%%d = constant %d : f32[3, 5]\n  %%%d = add x, %%%d : f32[3, 5]\n",
                 id + 1, i + 2, id + 2, id + 1);
        text_add(text, "  %%%d = constant %d : f32[3, 4]\n  %%%d = mul y, %%%d : f32[3, 4]\n",
                 id + 3, i + 2, id + 4, id + 3);
        text_add(text, "  %%%d = dot %%%d, %%%d km,kn->mn : f32[5, 4]\n", id + 5, id + 2, id + 4);
        int factor = id + 2, product = id + 5;
        id += 5;
        if (i)
            text_add(text,
                     "  %%%d = add %%%d, %%%d : f32[5, 4]\n  %%%d = add %%%d, %%%d : f32[3, 5]\n",
                     id + 1, sum, product, id + 2, all, factor);
        sum = i ? id + 1 : product;
        all = i ? id + 2 : factor;
        id += i ? 2 : 0;
    }
    text_add(text, "  %%%d = add %%%d, %s : f32[5, 4]\n  %%%d = sum %%%d [0] : f32[5]\n", id + 1,
             sum, other, id + 2, all);
    text_add(text, "  output s = %%%d\n  output t = %%%d\n}\n", id + 1, id + 2);
    return text->at;
}

START_TEST(sums_of_products_alike_are_one)
{
    for (int uses = 3; uses < 6; uses++) {
        Kit kit = kit_open(3);
        Text text = {.arena = kit.arena};
        const char *before = sum_of_products(&text, uses, "z");
        const char *after = kit_text(&kit, run(&kit, before, "f32"));
        ck_assert_int_eq(count_of(after, " = dot "), uses < 4 ? uses : 1);
        ck_assert_int_eq(count_of(after, " = concat "), uses < 4 ? 0 : 2);
        if (uses >= 4) ck_assert_ptr_nonnull(strstr(after, "[0, 1] : f32[5]"));
        if (uses >= 4) expect_same_values(before);
        kit_close(&kit);
    }
}
END_TEST

START_TEST(long_sums_are_cut_in_two)
{
    expect("entry predict (x: f32[128, 16, 8, 8]) {\n"
           "  %1 = sum x [0, 2, 3] : f32[16]\n  output y = %1\n}\n",
           "f32",
           "entry predict (x: f32[128, 16, 8, 8]) {\n"
           "  %1 = sum x [2, 3] : f32[128, 16]\n"
           "  %2 = sum %1 [0] : f32[16]\n  output y = %2\n}\n");
    expect("entry predict (x: f32[10000]) {\n"
           "  %1 = reduce_max x [0] : f32[]\n  output y = %1\n}\n",
           "f32",
           "entry predict (x: f32[10000]) {\n"
           "  %1 = reshape x : f32[100, 100]\n"
           "  %2 = reduce_max %1 [1] : f32[100]\n"
           "  %3 = reduce_max %2 [0] : f32[]\n  output y = %3\n}\n");
}
END_TEST

START_TEST(short_or_many_sums_are_not)
{
    const char *shorter = "entry predict (x: f32[4096]) {\n"
                          "  %1 = sum x [0] : f32[]\n  output y = %1\n}\n";
    const char *many = "entry predict (x: f32[8192, 64]) {\n"
                       "  %1 = sum x [0] : f32[64]\n  output y = %1\n}\n";
    const char *prime = "entry predict (x: f32[8191]) {\n"
                        "  %1 = sum x [0] : f32[]\n  output y = %1\n}\n";
    expect(shorter, "f32", shorter);
    expect(many, "f32", many);
    expect(prime, "f32", prime);
}
END_TEST

START_TEST(split_graphs_compute_the_same)
{
    expect_same_values("entry predict (x: f32[3, 2500, 5]) {\n"
                       "  %1 = sum x [0, 1] : f32[5]\n  output y = %1\n}\n");
    expect_same_values("entry predict (x: f32[7, 9000, 2, 3]) {\n"
                       "  %1 = sum x [1, 3] : f32[7, 2]\n  output y = %1\n}\n");
    expect_same_values("entry predict (x: f32[32, 600], w: f32[600, 2, 32]) {\n"
                       "  %1 = dot x, w nk,kmn->m : f32[2]\n  output y = %1\n}\n");
    expect_same_values("entry predict (x: f32[32, 2, 14, 14], dy: f32[32, 3, 12, 12]) {\n"
                       "  %1 = conv dy, x noyx,nchw->ockl h=y+k w=x+l : f32[3, 2, 3, 3]\n"
                       "  output y = %1\n}\n");
    expect_same_values("entry predict (x: f32[6144, 2], w: f32[6144, 3]) {\n"
                       "  %1 = dot x, w na,nb->ab : f32[2, 3]\n  output y = %1\n}\n");
}
END_TEST

/* What the split pass cuts, no rule joins again, and the other way round. */
START_TEST(splitting_is_final)
{
    Kit kit = kit_open(1);
    const char *text = "entry predict (x: f32[128, 8, 64]) {\n"
                       "  %1 = sum x [0, 2] : f32[8]\n  output y = %1\n}\n";
    const char *once = kit_text(&kit, run(&kit, text, "f32"));
    ck_assert_str_eq(kit_text(&kit, run(&kit, once, "f32")), once);
    ck_assert(split_is_long(8, 8192) && !split_is_long(8, 4096) && !split_is_long(64, 1 << 20));
    kit_close(&kit);
}
END_TEST

Suite *suite_passes(void);
Suite *suite_passes(void)
{
    Suite *suite = suite_create("passes");
    TCase *tests = tcase_create("passes");
    tcase_add_test(tests, dump_sees_every_pass_in_order);
    tcase_add_test(tests, bf16_narrows_contractions_alone);
    tcase_add_test(tests, sums_of_products_alike_are_one);
    tcase_add_test(tests, three_products_of_bf16_are_nearly_one_of_f32);
    tcase_add_test(tests, long_sums_are_cut_in_two);
    tcase_add_test(tests, short_or_many_sums_are_not);
    tcase_add_test(tests, split_graphs_compute_the_same);
    tcase_add_test(tests, splitting_is_final);
    suite_add_tcase(suite, tests);
    return suite;
}

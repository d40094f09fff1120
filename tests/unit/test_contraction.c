#include "ir/kernel/contraction.h"
#include "ir/kernel/expand.h"
#include <check.h>

static Arena *arena;
static Context context;

static void open_context(void)
{
    arena = arena_open(&host_default);
    context.arena = arena;
    context.names = names_new(arena);
    context.sources = sources_new(arena);
    context.report = report_new(arena, context.sources);
}

static void close_context(void)
{
    arena_close(arena);
}

/* Axes i 4, j 5 and k 6 (reduced), l 7 (reduced too); b0, b1: f32 to load; b2 the result. `rest`
 * goes on at %3, after loads %1 of b0 and %2 of b1. */
static Kernel *kernel_of(const char *a, const char *b, const char *rest)
{
    Text text = {.arena = arena};
    text_add(
        &text,
        "kernel { axis i 4 axis j 5 axis k 6 reduction axis l 7 reduction buffer b0 f32[10000] "
        "buffer b1 f32[10000] buffer b2 f32[20] out %%1 = load b0 [%s] : f32 %%2 = load b1 [%s] : "
        "f32 %s }",
        a, b, rest);
    const char *at = text_done(&text);
    Kernel *kernel = kernel_parse(&context, arena,
                                  sources_add(context.sources, "kernel", at, text.count, false));
    ck_assert_msg(kernel != NULL, "%s", at);
    const char *wrong = kernel_verify(kernel, arena);
    ck_assert_msg(!wrong, "%s", wrong);
    return kernel;
}

enum { I = 1, J = 2, K = 4, L = 8 };

static const char product[] =
    "%3 = mul %1, %2 : f32 %4 = reduce add k l %3 : f32 store b2 [i : 4 * 5, j : 5] = %4";

START_TEST(products_are_contractions)
{
    Contraction found;
    Kernel *kernel = kernel_of("i : 4, k : 6, l : 7", "j : 5, k : 6, l : 7", product);
    ck_assert(contraction_of(kernel, &found));
    ck_assert_uint_eq(found.sum.id, 4);
    ck_assert_uint_eq(found.a.id, 1);
    ck_assert_uint_eq(found.b.id, 2);
    ck_assert_uint_eq(found.m, I);
    ck_assert_uint_eq(found.n, J);
    ck_assert_uint_eq(found.batch, 0);
    ck_assert_uint_eq(found.k, K | L);
}
END_TEST

/* n is where the store is contiguous, whatever the order of the factors. */
START_TEST(sides_follow_the_store)
{
    Contraction found;
    ck_assert(contraction_of(kernel_of("j : 5, k : 6", "i : 4, l : 7", product), &found));
    ck_assert_uint_eq(found.a.id, 2);
    ck_assert_uint_eq(found.n, J);
    ck_assert(contraction_of(kernel_of("i : 4, k : 6", "j : 5, l : 7",
                                       "%3 = mul %1, %2 : f32 %4 = reduce add k l %3 : f32 "
                                       "store b2 [j : 5 * 4, i : 4] = %4"),
                             &found));
    ck_assert_uint_eq(found.a.id, 2);
    ck_assert_uint_eq(found.n, I);
}
END_TEST

/* Guards, windows, epilogues and prologues do not matter: only which axes the factors have. */
START_TEST(convolutions_with_prologues_are_contractions)
{
    static const char rest[] =
        "%3 = exp %1 : f32 %4 = cast %2 : bf16 %5 = cast %4 : f32 %6 = mul %3, %5 : f32 "
        "%7 = reduce add k l %6 : f32 %8 = load b0 [j : 5] : f32 %9 = add %7, %8 : f32 "
        "%10 = tanh %9 : f32 store b2 [i : 4 * 5, j : 5] = %10";
    Contraction found;
    Kernel *kernel = kernel_of("k : 6 * 10, 2*i + l - 1 ? : 9", "k : 6, l : 7, j : 5", rest);
    ck_assert(contraction_of(kernel, &found));
    ck_assert_uint_eq(found.m, I);
    ck_assert_uint_eq(found.n, J);
    ck_assert_uint_eq(found.sum.id, 7);
    ck_assert(contraction_of(kernel_expand(kernel, arena), &found));
    ck_assert_uint_eq(found.m, I);
    ck_assert_uint_eq(found.n, J);
}
END_TEST

START_TEST(batches_are_axes_of_both)
{
    Contraction found;
    ck_assert(
        contraction_of(kernel_of("i : 4, k : 6", "i : 4, j : 5, l : 7, k : 6", product), &found));
    ck_assert_uint_eq(found.m, 0); /* a matrix-vector product for each i */
    ck_assert_uint_eq(found.n, J);
    ck_assert_uint_eq(found.batch, I);
    ck_assert(contraction_of(kernel_of("i : 4, k : 6", "l : 7, k : 6", product), &found));
    ck_assert_uint_eq(found.n, I);
    ck_assert_uint_eq(found.batch, J);
}
END_TEST

START_TEST(plain_sums_are_none)
{
    static const char *const none[][3] = {
        {"i : 4, j : 5, k : 6", "i : 4, j : 5, l : 7", product},
        {"i : 4", "j : 5, k : 6", product},
        {"k : 6", "l : 7", product},
        {"i : 4, k : 6", "j : 5, k : 6",
         "%3 = mul %1, %2 : f32 %4 = reduce max k l %3 : f32 store b2 [i : 4 * 5, j : 5] = %4"},
        {"i : 4, k : 6", "j : 5, k : 6",
         "%3 = add %1, %2 : f32 %4 = reduce add k l %3 : f32 store b2 [i : 4 * 5, j : 5] = %4"},
        {"i : 4, k : 6", "j : 5, k : 6",
         "%3 = index k : i32 %4 = cast %3 : f32 %5 = mul %1, %4 : f32 %6 = reduce add k %5 : f32 "
         "store b2 [i : 4 * 5, j : 5] = %6"},
        {"i : 4, k : 6", "j : 5, k : 6",
         "%3 = mul %1, %2 : f32 %4 = reduce add k l %3 : f32 %5 = reduce max k %1 : f32 %6 = mul "
         "%4, %5 : f32 "
         "store b2 [i : 4 * 5, j : 5] = %6"},
        {"i : 4", "j : 5", "%3 = mul %1, %2 : f32 store b2 [i : 4 * 5, j : 5] = %3"},
    };
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
        Contraction found;
        ck_assert_msg(!contraction_of(kernel_of(none[i][0], none[i][1], none[i][2]), &found), "%s",
                      none[i][2]);
    }
}
END_TEST

/* A reduce that no store needs does not count. */
START_TEST(dead_reduces_do_not_count)
{
    Contraction found;
    ck_assert(contraction_of(
        kernel_of("i : 4, k : 6", "j : 5, k : 6",
                  "%3 = mul %1, %2 : f32 %4 = reduce max k %1 : f32 %5 = reduce add k %3 : f32 "
                  "store b2 [i : 4 * 5, j : 5] = %5"),
        &found));
    ck_assert_uint_eq(found.k, K);
}
END_TEST

Suite *suite_contraction(void);
Suite *suite_contraction(void)
{
    Suite *suite = suite_create("contraction");
    TCase *tests = tcase_create("contraction");
    tcase_add_checked_fixture(tests, open_context, close_context);
    tcase_add_test(tests, products_are_contractions);
    tcase_add_test(tests, sides_follow_the_store);
    tcase_add_test(tests, convolutions_with_prologues_are_contractions);
    tcase_add_test(tests, batches_are_axes_of_both);
    tcase_add_test(tests, plain_sums_are_none);
    tcase_add_test(tests, dead_reduces_do_not_count);
    suite_add_tcase(suite, tests);
    return suite;
}

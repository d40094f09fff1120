/* The oracle itself, against values worked out by hand. */
#include "backends/backend.h"
#include "backends/reference/interpret.h"
#include "ir/base/bits.h"
#include "tests/unit/graph_text.h"
#include <math.h>

/* Computes the first result of `text` with x0 (and x1, x2) as given. */
static const double *compute(Kit *kit, const char *text, const double *x0, const double *x1)
{
    Graph *graph = text_graph(kit, text);
    Feed feed = kit_feed(kit, graph, DATA_integers, DOMAIN_any);
    if (x0) feed_set(kit, &feed, "x0", x0);
    if (x1) feed_set(kit, &feed, "x1", x1);
    return kit_evaluate(kit, graph, &feed, false)[0];
}

static void expect(const char *text, const double *x0, const double *x1, int count,
                   const double *wanted)
{
    Kit kit = kit_open(1);
    const double *got = compute(&kit, text, x0, x1);
    for (int i = 0; i < count; i++)
        ck_assert_msg(got[i] == wanted[i] || (isnan(got[i]) && isnan(wanted[i])),
                      "element %d is %.17g, not %.17g\n%s", i, got[i], wanted[i], text);
    kit_close(&kit);
}

#define NUMBERS(...) ((const double[]){__VA_ARGS__})

START_TEST(integers_wrap_and_divide_downwards)
{
    expect("entry predict (x0: i8[2]) {\n %1 = add x0, x0 : i8[2]\n output y = %1\n}\n",
           NUMBERS(100, -100), NULL, 2, NUMBERS(-56, 56));
    expect("entry predict (x0: i32[2]) {\n %1 = mul x0, x0 : i32[2]\n output y = %1\n}\n",
           NUMBERS(65537, -2147483647), NULL, 2, NUMBERS(131073, 1));
    expect("entry predict (x0: u8[1], x1: u8[1]) {\n %1 = sub x0, x1 : u8[1]\n output y = %1\n}\n",
           NUMBERS(3), NUMBERS(5), 1, NUMBERS(254));
    const double x[] = {7, -7, 7, -7, 5}, y[] = {2, 2, -2, -2, 0};
    expect(
        "entry predict (x0: i32[5], x1: i32[5]) {\n %1 = div x0, x1 : i32[5]\n output y = %1\n}\n",
        x, y, 5, NUMBERS(3, -4, -4, 3, 0));
    expect(
        "entry predict (x0: i32[5], x1: i32[5]) {\n %1 = rem x0, x1 : i32[5]\n output y = %1\n}\n",
        x, y, 5, NUMBERS(1, 1, -1, -1, 0));
}
END_TEST

START_TEST(casts_truncate_and_clamp)
{
    const double x[] = {1.9, -1.9, 300, -300, NAN};
    expect("entry predict (x0: f32[5]) {\n %1 = cast x0 : i8[5]\n output y = %1\n}\n", x, NULL, 5,
           NUMBERS(1, -1, 127, -128, 0));
    expect("entry predict (x0: f32[5]) {\n %1 = cast x0 : u8[5]\n output y = %1\n}\n", x, NULL, 5,
           NUMBERS(1, 0, 255, 0, 0));
    expect("entry predict (x0: f32[5]) {\n %1 = cast x0 : bool[5]\n output y = %1\n}\n", x, NULL, 5,
           NUMBERS(1, 1, 1, 1, 1));
    expect("entry predict (x0: f32[1]) {\n %1 = cast x0 : bf16[1]\n output y = %1\n}\n",
           NUMBERS(1.00390625), NULL, 1, NUMBERS(1));
}
END_TEST

START_TEST(results_are_rounded_to_their_type)
{
    expect("entry predict (x0: f32[1]) {\n %1 = add x0, x0 : f32[1]\n %2 = constant 1 : f32[1]\n"
           " %3 = add x0, %2 : f32[1]\n output y = %3\n}\n",
           NUMBERS(0x1p-24), NULL, 1, NUMBERS(1));
    expect("entry predict (x0: f16[1]) {\n %1 = add x0, x0 : f16[1]\n output y = %1\n}\n",
           NUMBERS(65504), NULL, 1, NUMBERS(INFINITY));
}
END_TEST

START_TEST(nan_passes_through_maxima)
{
    expect(
        "entry predict (x0: f32[2], x1: f32[2]) {\n %1 = max x0, x1 : f32[2]\n output y = %1\n}\n",
        NUMBERS(NAN, 1), NUMBERS(1, NAN), 2, NUMBERS(NAN, NAN));
    expect("entry predict (x0: f32[3]) {\n %1 = reduce_max x0 [0] : f32[]\n output y = %1\n}\n",
           NUMBERS(1, NAN, 2), NULL, 1, NUMBERS(NAN));
    expect("entry predict (x0: i32[0]) {\n %1 = reduce_max x0 [0] : i32[]\n output y = %1\n}\n",
           NULL, NULL, 1, NUMBERS(-2147483648.0));
}
END_TEST

START_TEST(indices_outside_give_nothing)
{
    expect("entry predict (x0: f32[3], x1: i32[4]) {\n %1 = gather x0, x1 0 : f32[4]\n"
           " output y = %1\n}\n",
           NUMBERS(10, 20, 30), NUMBERS(2, -1, 3, 0), 4, NUMBERS(30, 0, 0, 10));
    expect("entry predict (x0: f32[4], x1: i32[4]) {\n %1 = scatter x0, x1 0 : f32[3]\n"
           " output y = %1\n}\n",
           NUMBERS(1, 2, 4, 8), NUMBERS(2, -1, 3, 2), 3, NUMBERS(0, 0, 9));
}
END_TEST

START_TEST(windows_and_folds_meet_the_right_elements)
{
    expect(
        "entry predict (x0: f32[6]) {\n %1 = window x0 [0:2:3:2] : f32[2, 2]\n output y = %1\n}\n",
        NUMBERS(0, 1, 2, 3, 4, 5), NULL, 4, NUMBERS(0, 2, 3, 5));
    expect("entry predict (x0: f32[2, 2]) {\n %1 = fold x0 [0:2:1:1] : f32[3]\n output y = %1\n}\n",
           NUMBERS(1, 2, 4, 8), NULL, 3, NUMBERS(1, 6, 8));
    expect("entry predict (x0: f32[2]) {\n %1 = pad x0 [1:1:2] 7 : f32[6]\n output y = %1\n}\n",
           NUMBERS(1, 2), NULL, 6, NUMBERS(7, 1, 7, 2, 7, 7));
    expect("entry predict (x0: f32[5]) {\n %1 = slice x0 [4:-2] : f32[3]\n output y = %1\n}\n",
           NUMBERS(0, 1, 2, 3, 4), NULL, 3, NUMBERS(4, 2, 0));
}
END_TEST

/* h = 2 y + k - 1 over h = 0..3 with taps 1, 10, 100: y = 0 sees taps 1 and 2, y = 1 all three. */
START_TEST(convolution_pads_and_steps)
{
    expect("entry predict (x0: f32[4], x1: f32[3]) {\n %1 = conv x0, x1 h,k->y h=2y+k-1 : f32[2]\n"
           " output y = %1\n}\n",
           NUMBERS(1, 2, 3, 4), NUMBERS(1, 10, 100), 2, NUMBERS(210, 432));
    /* The gradient by h: the same window, letters exchanged. */
    expect("entry predict (x0: f32[2], x1: f32[3]) {\n %1 = conv x0, x1 y,k->h h=2y+k-1 : f32[4]\n"
           " output y = %1\n}\n",
           NUMBERS(1, 2), NUMBERS(1, 10, 100), 4, NUMBERS(10, 102, 20, 200));
}
END_TEST

START_TEST(uniform_is_the_generator)
{
    Kit kit = kit_open(1);
    const double *got = compute(&kit,
                                "entry predict (x0: i32[], x1: i32[]) {\n"
                                " %1 = table {5} : u32[]\n"
                                " %2 = uniform x0, x1, %1 : f32[2, 3]\n output y = %2\n}\n",
                                NUMBERS(-3), NUMBERS(9));
    for (uint64_t i = 0; i < 6; i++)
        ck_assert(got[i] == (double)bits_uniform((uint32_t)-3, 5, 9, i));
    kit_close(&kit);
}
END_TEST

/* Both states are read before either is written. */
START_TEST(backend_writes_states_at_the_end)
{
    Kit kit = kit_open(1);
    Program *program = text_program(&kit, "state a: f32[2] buffer\nstate b: f32[2] buffer\n"
                                          "entry predict (x0: i8[2]) {\n"
                                          " %1 = read a : f32[2]\n %2 = read b : f32[2]\n"
                                          " %3 = cast x0 : f32[2]\n %4 = add %1, %3 : f32[2]\n"
                                          " output y = %4\n write a = %2\n write b = %1\n}\n");
    const Backend *backend = backend_named("reference");
    ck_assert_ptr_nonnull(backend);
    Device *device;
    Executable *executable;
    BackendOptions options = {.threads = 1};
    ck_assert_int_eq(backend->open(&options, NULL, &device), STATUS_ok);
    BackendEntry entry = {.program = program, .graph = program->entry[ENTRY_predict]};
    Context context = {.arena = kit.arena, .names = kit.names};
    ck_assert_int_eq(backend->compile(device, &context, &entry, &executable), STATUS_ok);

    int8_t x[2] = {-1, 5};
    float a[2] = {1, 2}, b[2] = {3, 4}, y[2];
    ck_assert_int_eq(backend->run(executable, (const void *[]){x}, (void *[]){y}, (void *[]){a, b}),
                     STATUS_ok);
    ck_assert(y[0] == 0 && y[1] == 7);
    ck_assert(a[0] == 3 && a[1] == 4 && b[0] == 1 && b[1] == 2);
    backend->dispose(executable);
    backend->close(device);
    kit_close(&kit);
}
END_TEST

Suite *suite_reference(void);
Suite *suite_reference(void)
{
    Suite *suite = suite_create("reference");
    TCase *tests = tcase_create("reference");
    tcase_add_test(tests, integers_wrap_and_divide_downwards);
    tcase_add_test(tests, casts_truncate_and_clamp);
    tcase_add_test(tests, results_are_rounded_to_their_type);
    tcase_add_test(tests, nan_passes_through_maxima);
    tcase_add_test(tests, indices_outside_give_nothing);
    tcase_add_test(tests, windows_and_folds_meet_the_right_elements);
    tcase_add_test(tests, convolution_pads_and_steps);
    tcase_add_test(tests, uniform_is_the_generator);
    tcase_add_test(tests, backend_writes_states_at_the_end);
    suite_add_tcase(suite, tests);
    return suite;
}

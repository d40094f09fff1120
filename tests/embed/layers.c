/* Every function of the standard library, through the public header: each model file of layers/ in each of its variants.
 *
 *   values     predict, loss, grad, eval and three steps: cpu against reference, one thread against two
 *   levels     the same entries as an older processor would run them
 *   bf16       the same in bf16
 *   int8       what is not training, in int8
 *   gradients  the entry grad against differences of the entry loss, on the reference
 *   coverage   a function of frontend/std, or a builtin, that no model file calls fails
 *
 * CK_RUN_CASE=values runs one of them; MLC_LAYERS=conv2d only the files whose name begins so. */
#include "tests/embed/kit.h"

#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both round to f32; reference sums in double and calls libm, cpu sums in f32 with polynomials good to a few units in the last
 * place (6e-8).  Sums here have up to 800 terms and go through up to ten layers of rounding: 1e-5 of the tensor's largest
 * element is a hundred roundings, and far below any wrong term. */
#define TOLERANCE 1e-5
/* What is zero but for rounding (the gradient of a bias in front of a normalization) is as large as rounding of what
 * cancelled: a hundredth of the entry's largest tensor counts as magnitude. */
#define FLOOR     1e-2
#define STEPS     3

typedef struct Case {
    char path[512], variant[64]; /* "": as the file stands */
} Case;

static Case cases[512];
static int case_count;

/* --- cases --------------------------------------------------------------------------------------------------------------- */

static void add_case(const char *path, const char *variant, size_t length)
{
    if (case_count == sizeof cases / sizeof *cases) abort();
    Case *c = &cases[case_count++];
    snprintf(c->path, sizeof c->path, "%s", path);
    snprintf(c->variant, sizeof c->variant, "%.*s", (int)length, variant);
}

static void add_file(const char *path)
{
    char *text = text_of_file(path);
    add_case(path, "", 0);
    for (const char *at = text; at && (at = strstr(at, "\nvariant ")); at++) {
        const char *name = at + 9;
        add_case(path, name, strcspn(name, " {"));
    }
    free(text);
}

static int by_path(const void *a, const void *b)
{
    const Case *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : strcmp(x->variant, y->variant);
}

static void find_cases(void)
{
    const char *only = getenv("MLC_LAYERS");
    DIR *folder = opendir(MLC_SOURCE_DIR "/tests/embed/layers");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[512];
        if (!strstr(entry->d_name, ".mlc") ||
            (only && strncmp(entry->d_name, only, strlen(only)) != 0))
            continue;
        snprintf(path, sizeof path, MLC_SOURCE_DIR "/tests/embed/layers/%s", entry->d_name);
        add_file(path);
    }
    if (folder) closedir(folder);
    qsort(cases, (size_t)case_count, sizeof *cases, by_path);
}

static void open_case(Side *side, const Case *c, SideOptions options)
{
    char *text = text_of_file(c->path);
    options.path = c->path;
    options.variant = *c->variant ? c->variant : NULL;
    options.text = text;
    side_open(side, &options);
    free(text);
}

/* Weights away from their initial values, which are often 0 or 1 and hide a forgotten factor.  A running variance stays
 * positive. */
static Tensors disturbed(Side *side)
{
    Tensors weights = side_weights(side);
    uint64_t state = 5;
    for (uint32_t i = 0; i < weights.count; i++) {
        if (strcmp(weights.at[i].type, "f32") != 0) continue;
        for (uint64_t k = 0; k < tensor_count(&weights.at[i]); k++)
            ((float *)weights.at[i].data)[k] += (float)(0.25 * random_unit(&state));
    }
    return weights;
}

/* --- values -------------------------------------------------------------------------------------------------------------- */

/* The three that are compared. */
typedef struct Trio {
    Side reference, one, two;
} Trio;

static void compare_entry(Trio *t, const char *entry, uint64_t seed)
{
    Tensors inputs = side_inputs(&t->reference, entry, seed);
    Tensors expected = side_call(&t->reference, entry, &inputs);
    Tensors one = side_call(&t->one, entry, &inputs);
    Tensors two = side_call(&t->two, entry, &inputs);
    expect_close(&t->one, entry, &one, &expected, TOLERANCE, FLOOR);
    expect_same_bits(&t->two, entry, &two, &one);
    tensors_free(&inputs);
    tensors_free(&expected);
    tensors_free(&one);
    tensors_free(&two);
}

/* Differences of one step are there in the next, and added to: so many times the tolerance. */
static void compare_weights(Trio *t, const char *what, int times)
{
    Tensors expected = side_weights(&t->reference), one = side_weights(&t->one),
            two = side_weights(&t->two);
    expect_close(&t->one, what, &one, &expected, times * TOLERANCE, FLOOR);
    expect_same_bits(&t->two, what, &two, &one);
    tensors_free(&expected);
    tensors_free(&one);
    tensors_free(&two);
}

START_TEST(cpu_agrees_with_reference)
{
    const Case *c = &cases[_i];
    char cache[] = "/tmp/mlc-layers-XXXXXX", command[64];
    ck_assert_ptr_nonnull(mkdtemp(cache));
    Trio t;
    open_case(&t.reference, c, (SideOptions){.device = "reference", .threads = 1});
    open_case(&t.one, c, (SideOptions){.device = "cpu", .threads = 1, .cache = cache});
    /* from the cache that `one` filled */
    open_case(&t.two, c, (SideOptions){.device = "cpu", .threads = 2, .cache = cache});

    compare_weights(&t, "initial weights", 1);
    Tensors weights = disturbed(&t.reference);
    side_set_weights(&t.reference, &weights);
    side_set_weights(&t.one, &weights);
    side_set_weights(&t.two, &weights);
    compare_entry(&t, "predict", 1);
    compare_entry(&t, "loss", 2);
    compare_entry(&t, "grad", 3);
    compare_entry(&t, "eval", 4);
    for (int step = 1; step <= STEPS; step++) {
        char what[32];
        snprintf(what, sizeof what, "weights after step %d", step);
        compare_entry(&t, "step", 10u + (uint64_t)step);
        compare_weights(&t, what, step);
    }
    tensors_free(&weights);
    side_close(&t.reference);
    side_close(&t.one);
    side_close(&t.two);
    snprintf(command, sizeof command, "rm -r %s", cache);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* Two sides with the same disturbed weights, entry by entry. */
static void compare_sides(const Case *c, SideOptions expected, SideOptions other, double tolerance)
{
    static const char *const entries[] = {"predict", "loss", "grad", "eval"};
    Side a, b;
    open_case(&a, c, expected);
    open_case(&b, c, other);
    Tensors weights = disturbed(&a);
    side_set_weights(&a, &weights);
    side_set_weights(&b, &weights);
    tensors_free(&weights);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        Tensors inputs = side_inputs(&a, entries[i], i);
        Tensors wanted = side_call(&a, entries[i], &inputs),
                got = side_call(&b, entries[i], &inputs);
        expect_close(&b, entries[i], &got, &wanted, tolerance, FLOOR);
        tensors_free(&inputs);
        tensors_free(&wanted);
        tensors_free(&got);
    }
    side_close(&a);
    side_close(&b);
}

/* What an older machine would run; one level a case, since each is compiled anew. */
START_TEST(older_levels_agree_with_reference)
{
    compare_sides(
        &cases[_i], (SideOptions){.device = "reference", .threads = 1},
        (SideOptions){.device = "cpu", .threads = 2, .target = _i % 2 ? "avx2" : "sse4.2"},
        TOLERANCE);
}
END_TEST

/* bf16 keeps 2^-9 of a value, and both devices round at the same places; but a value that lies between two bf16 numbers
 * may be rounded up by one and down by the other, and what follows differs by 2^-8.  A few of those in a row: 2^-5. */
START_TEST(bf16_agrees_with_reference)
{
    compare_sides(&cases[_i],
                  (SideOptions){.device = "reference", .threads = 1, .precision = "bf16"},
                  (SideOptions){.device = "cpu", .threads = 2, .precision = "bf16"}, 0x1p-5);
}
END_TEST

/* Both devices sum integers exactly; but what lies in the middle between two of them may be rounded up by one and down by the other, as what
 * comes before is f32, and that moves an activation by 1/127 of its range.  A few of those in a row: 2^-5. */
#define INTEGER_TOLERANCE 0x1p-5

/* Layers without weights have nothing to do in integers, and say so. */
static bool is_in_integers(Side *side)
{
    const mlc_tensor *ports;
    uint32_t inputs, outputs;
    mlc_status status = mlc_entry_ports(side->model, "predict", &ports, &inputs, &ports, &outputs);
    if (status == MLC_INVALID &&
        strstr(mlc_diagnostics(side->session, false), "nothing to compute"))
        return false;
    side_expect(side, status, "predict in int8");
    return true;
}

START_TEST(int8_agrees_with_reference)
{
    static const char *const entries[] = {"predict", "eval"};
    char cache[] = "/tmp/mlc-layers-XXXXXX", command[64];
    ck_assert_ptr_nonnull(mkdtemp(cache));
    Side reference, one, two;
    SideOptions options = {.device = "reference", .threads = 1, .precision = "int8"};
    open_case(&reference, &cases[_i], options);
    options.device = "cpu";
    options.cache = cache; /* which `one` fills */
    open_case(&one, &cases[_i], options);
    options.threads = 2;
    open_case(&two, &cases[_i], options);
    if (is_in_integers(&reference))
        for (size_t i = 0; i < 2; i++) {
            Tensors inputs = side_inputs(&reference, entries[i], 7 + i);
            Tensors wanted = side_call(&reference, entries[i], &inputs),
                    got = side_call(&one, entries[i], &inputs),
                    same = side_call(&two, entries[i], &inputs);
            expect_close(&one, entries[i], &got, &wanted, INTEGER_TOLERANCE, FLOOR);
            expect_same_bits(&two, entries[i], &same, &got);
            tensors_free(&inputs);
            tensors_free(&wanted);
            tensors_free(&got);
            tensors_free(&same);
        }
    side_close(&reference);
    side_close(&one);
    side_close(&two);
    snprintf(command, sizeof command, "rm -r %s", cache);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* --- gradients ----------------------------------------------------------------------------------------------------------- */

/* Losses are f32: rounding makes 6e-8 of the loss, and as much of each summand on the way, divided by the step.  Extrapolated
 * central differences over h and h/2 (Richardson: error h^4) allow the wide step 1/64, where that is about 1e-5.  The slope
 * along a random direction is compared, not every element: many slopes add up and noise does not.  A kink between the two
 * ends (relu, max) at distance d makes first differences over h and h/2 disagree in proportion to d, or second differences,
 * which fall by four where there is none, in proportion to h - 3d: such a direction says nothing, and another is drawn, which
 * leaves out three elements of four and so the kink's as a rule. */
#define H          0x1p-6
#define NOISE      4e-5 /* of 1 + |loss| */
#define SHARE      2e-3 /* of the sum of magnitudes of the gradient's elements along the direction */
#define TRIES      40
#define DIRECTIONS 3

static double loss_along(Side *side, const Tensors *inputs, const Tensors *weights, uint32_t which,
                         const float *direction, double distance)
{
    const mlc_tensor *live;
    uint32_t count;
    side_expect(side, mlc_weights(side->model, &live, &count), "weights");
    float *to = live[which].data;
    const float *from = weights->at[which].data;
    for (uint64_t k = 0; k < tensor_count(&live[which]); k++)
        to[k] = from[k] + (float)distance * direction[k];
    Tensors result = side_call(side, "loss", inputs);
    double loss = tensor_number(&result.at[0], 0);
    tensors_free(&result);
    side_expect(side, mlc_weights(side->model, &live, &count), "weights");
    memcpy(live[which].data, from, live[which].bytes);
    return loss;
}

/* -1, 0 or 1 for each element; some element is not 0. */
static void draw_direction(float *direction, uint64_t count, uint64_t *state)
{
    for (uint64_t k = 0; k < count; k++) {
        uint64_t bits = random_next(state);
        direction[k] = bits % 4 ? 0 : bits & 8 ? 1.0f : -1.0f;
    }
    direction[random_next(state) % count] = 1;
}

/* Whether the direction was usable. */
static bool slope_agrees(Side *side, const Tensors *inputs, const Tensors *weights, uint32_t which,
                         const mlc_tensor *gradient, const float *direction)
{
    double slope = 0, magnitude = 0;
    for (uint64_t k = 0; k < tensor_count(gradient); k++) {
        double term = direction[k] * tensor_number(gradient, k);
        slope += term;
        magnitude += fabs(term);
    }
    double here = loss_along(side, inputs, weights, which, direction, 0);
    double a = loss_along(side, inputs, weights, which, direction, H);
    double b = loss_along(side, inputs, weights, which, direction, -H);
    double c = loss_along(side, inputs, weights, which, direction, H / 2);
    double d = loss_along(side, inputs, weights, which, direction, -H / 2);
    double wide = (a - b) / (2 * H), narrow = (c - d) / H, measured = (4 * narrow - wide) / 3;
    double bend = a + b - 2 * here, narrow_bend = c + d - 2 * here;
    double allowed = NOISE * (1 + fabs(a)) + SHARE * magnitude;
    if (fmax(fabs(wide - narrow), fabs(bend - 4 * narrow_bend) / (2 * H)) > allowed) return false;
    ck_assert_msg(fabs(measured - slope) <= allowed,
                  "%s, gradient of `%s`: slope %.6g, measured %.6g, allowed %.2g", side->label,
                  gradient->name, slope, measured, allowed);
    return true;
}

static void check_gradient(Side *side, const Tensors *inputs, const Tensors *weights,
                           const mlc_tensor *gradient)
{
    uint32_t which = 0;
    while (which < weights->count && strcmp(weights->at[which].name, gradient->name) != 0)
        which++;
    ck_assert_msg(which < weights->count, "%s: gradient `%s` of no weight", side->label,
                  gradient->name);
    uint64_t count = tensor_count(gradient), state = 77;
    float *direction = malloc(sizeof *direction * count);
    ck_assert_ptr_nonnull(direction);
    int usable = 0;
    for (int i = 0; i < TRIES && usable < DIRECTIONS; i++) {
        draw_direction(direction, count, &state);
        usable += slope_agrees(side, inputs, weights, which, gradient, direction);
    }
    ck_assert_msg(usable == DIRECTIONS,
                  "%s, gradient of `%s`: only %d of %d directions without a kink", side->label,
                  gradient->name, usable, TRIES);
    free(direction);
}

START_TEST(gradients_agree_with_differences)
{
    Side side;
    /* Those are there for threads: each element moves the loss by less than its rounding. */
    if (!strcmp(cases[_i].variant, "large")) return;
    open_case(&side, &cases[_i], (SideOptions){.device = "reference", .threads = 1});
    Tensors weights = disturbed(&side);
    side_set_weights(&side, &weights);
    Tensors inputs = side_inputs(&side, "grad", 3), same = side_inputs(&side, "loss", 3);
    Tensors gradients = side_call(&side, "grad", &inputs), loss = side_call(&side, "loss", &same);
    ck_assert_str_eq(gradients.at[0].name, "loss");
    ck_assert_msg(tensor_number(&gradients.at[0], 0) == tensor_number(&loss.at[0], 0),
                  "%s: grad and loss give two losses", side.label);
    for (uint32_t i = 1; i < gradients.count; i++)
        check_gradient(&side, &same, &weights, &gradients.at[i]);
    tensors_free(&weights);
    tensors_free(&inputs);
    tensors_free(&same);
    tensors_free(&gradients);
    tensors_free(&loss);
    side_close(&side);
}
END_TEST

/* --- coverage ------------------------------------------------------------------------------------------------------------ */

/* `name(` as a word of its own, behind any blanks; `clip norm(` calls clip_norm. */
static bool calls(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += length)
        if (at[length] == '(' && (at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')))
            return true;
    if (strncmp(name, "clip_", 5) != 0) return false;
    char setting[64];
    snprintf(setting, sizeof setting, "clip %s(", name + 5);
    return strstr(text, setting) != NULL;
}

static bool some_case_calls(const char *name)
{
    for (int i = 0; i < case_count; i++) {
        if (*cases[i].variant) continue;
        char *text = text_of_file(cases[i].path);
        bool found = calls(text, name);
        free(text);
        if (found) return true;
    }
    char *probe = text_of_file(MLC_SOURCE_DIR "/tests/embed/layers/common/probe.mlc");
    bool found = calls(probe, name);
    free(probe);
    return found;
}

/* Each name that follows `begin` in the file up to one of `end`; how many there were. */
static int expect_covered(const char *path, const char *begin, const char *end)
{
    char *text = text_of_file(path), name[64];
    int functions = 0;
    ck_assert_msg(text, "%s cannot be read", path);
    for (const char *at = text; (at = strstr(at, begin)); functions++) {
        at += strlen(begin);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, end), at);
        ck_assert_msg(some_case_calls(name), "no model of tests/embed/layers calls `%s` of %s",
                      name, path);
    }
    free(text);
    return functions;
}

START_TEST(every_function_is_called)
{
    int functions = 0;
    DIR *folder = opendir(MLC_SOURCE_DIR "/frontend/std");
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[512];
        if (!strstr(entry->d_name, ".mlc")) continue;
        snprintf(path, sizeof path, MLC_SOURCE_DIR "/frontend/std/%s", entry->d_name);
        functions += expect_covered(path, "\nfn ", "(");
    }
    closedir(folder);
    ck_assert_int_gt(functions, 70); /* the library was found and read */
}
END_TEST

START_TEST(every_builtin_is_called)
{
    int builtins = expect_covered(MLC_SOURCE_DIR "/frontend/builtins.def", "\nBUILTIN(", ",");
    ck_assert_int_gt(builtins, 50);
}
END_TEST

static bool device_exists(const char *name)
{
    mlc_session *session;
    mlc_model *model;
    mlc_model_options open = {.size = sizeof open,
                              .device = name,
                              .seed = -1,
                              .text = "model m { input x: f32[N]\noutput x }"};
    bool exists = mlc_session_open(NULL, &session) == MLC_OK &&
                  mlc_model_open(session, "m.mlc", &open, &model) == MLC_OK;
    mlc_session_close(session);
    return exists;
}

static TCase *add_case_of(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_cpu_cases(Suite *suite)
{
    tcase_add_loop_test(add_case_of(suite, "values"), cpu_agrees_with_reference, 0, case_count);
    tcase_add_loop_test(add_case_of(suite, "bf16"), bf16_agrees_with_reference, 0, case_count);
    tcase_add_loop_test(add_case_of(suite, "int8"), int8_agrees_with_reference, 0, case_count);
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        tcase_add_loop_test(add_case_of(suite, "levels"), older_levels_agree_with_reference, 0,
                            case_count);
#endif
}

int main(void)
{
    find_cases();
    Suite *suite = suite_create("layers");
    tcase_add_loop_test(add_case_of(suite, "gradients"), gradients_agree_with_differences, 0,
                        case_count);
    if (device_exists("cpu"))
        add_cpu_cases(suite); /* a build without LLVM has only the reference */
    if (!getenv("MLC_LAYERS")) {
        TCase *coverage = add_case_of(suite, "coverage");
        tcase_add_test(coverage, every_function_is_called);
        tcase_add_test(coverage, every_builtin_is_called);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed || !case_count;
}

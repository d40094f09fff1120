/* Layers against plain loops over the same weights, in double: which axis meets which, padding, gate orders, statistics. */
#include "tests/unit/model.h"

#include <check.h>
#include <math.h>
#include <stdio.h>

static double noise[4000];

/* Any numbers do, as long as no two axes can be exchanged unseen. */
static void fill(void)
{
    for (int i = 0; i < 4000; i++)
        noise[i] = sin(i * 1.7 + 0.3) + 0.1 * cos(i * 0.37);
}

static const Feed feed[] = {{"x", noise}, {NULL, NULL}};

static Model *layer(const char *type, const char *call)
{
    char file[600];
    snprintf(file, sizeof file, "model m {\n input x: %s\n y = %s\n output z = y\n}\n", type, call);
    Model *m = model_open(file, 1u << ENTRY_predict);
    model_run(m, ENTRY_init, NULL);
    return m;
}

static void close_to(const char *what, int at, double is, double wanted)
{
    /* double throughout but for f32 constants such as 1e-5, which are off by up to 6e-8 of themselves */
    ck_assert_msg(fabs(is - wanted) <= 1e-9 * fmax(1, fabs(wanted)),
                  "%s: element %d is %.12g, not %.12g", what, at, is, wanted);
}

static double image(int c, int h, int w, int n, int channels, int height, int width)
{
    if (h < 0 || h >= height || w < 0 || w >= width) return 0;
    return noise[((n * channels + c) * height + h) * width + w];
}

START_TEST(conv2d_sums_over_its_window)
{
    /* [2, 4, 7, 5] to [2, 6, 4, 3]: stride 2, padding 2 and 1, dilation 2 and 1, two groups, kernel [3, 2] */
    Model *m = layer(
        "f32[N, 4, 7, 5]",
        "conv2d(x, 6, kernel: [3, 2], stride: 2, padding: [2, 1], dilation: [2, 1], groups: 2)");
    const double *w = model_state(m, "y.weight"), *b = model_state(m, "y.bias");
    double **y = model_run(m, ENTRY_predict, feed);
    for (int n = 0, i = 0; n < 2; n++)
        for (int o = 0; o < 6; o++)
            for (int h = 0; h < 4; h++)
                for (int v = 0; v < 3; v++, i++) {
                    double sum = b[o];
                    for (int c = 0; c < 2; c++)
                        for (int k = 0; k < 3; k++)
                            for (int l = 0; l < 2; l++)
                                sum += w[((o * 2 + c) * 3 + k) * 2 + l] *
                                       image(o / 3 * 2 + c, 2 * h + 2 * k - 2, 2 * v + l - 1, n, 4,
                                             7, 5);
                    close_to("conv2d", i, y[0][i], sum);
                }
    model_close(m);
}
END_TEST

START_TEST(same_padding_keeps_the_middle)
{
    /* 6 wide, stride 2, kernel 3: 3 outputs need one more element, which comes at the end */
    Model *m =
        layer("f32[N, 1, 6]", "conv1d(x, 1, kernel: 3, stride: 2, padding: \"same\", bias: false)");
    const double *w = model_state(m, "y.weight");
    double **y = model_run(m, ENTRY_predict, feed);
    for (int i = 0; i < 3; i++) {
        double sum = w[0] * noise[2 * i] + w[1] * noise[2 * i + 1];
        if (2 * i + 2 < 6) sum += w[2] * noise[2 * i + 2];
        close_to("same", i, y[0][i], sum);
    }
    model_close(m);
}
END_TEST

/* Every input spreads its product with the kernel: [2, 4, 3, 3] to [2, 6, 6, 6], stride 2, padding 1, one extra, two groups. */
START_TEST(conv_transpose2d_spreads_its_window)
{
    Model *m = layer(
        "f32[N, 4, 3, 3]",
        "conv_transpose2d(x, 6, kernel: 3, stride: 2, padding: 1, output_padding: 1, groups: 2)");
    const double *w = model_state(m, "y.weight"), *b = model_state(m, "y.bias");
    double **y = model_run(m, ENTRY_predict, feed);
    double wanted[2 * 6 * 6 * 6];
    for (int i = 0; i < 2 * 6 * 36; i++)
        wanted[i] = b[i / 36 % 6];
    for (int n = 0; n < 2; n++)
        for (int c = 0; c < 4; c++)
            for (int o = 0; o < 3; o++)
                for (int p = 0; p < 81; p++) {
                    int h = p / 27, v = p / 9 % 3, k = p / 3 % 3, l = p % 3;
                    int yh = 2 * h + k - 1, yv = 2 * v + l - 1;
                    if (yh < 0 || yh >= 6 || yv < 0 || yv >= 6) continue;
                    wanted[((n * 6 + c / 2 * 3 + o) * 6 + yh) * 6 + yv] +=
                        w[((c * 3 + o) * 3 + k) * 3 + l] * image(c, h, v, n, 4, 3, 3);
                }
    for (int i = 0; i < 2 * 6 * 36; i++)
        close_to("conv_transpose2d", i, y[0][i], wanted[i]);
    model_close(m);
}
END_TEST

static const struct Pooling {
    const char *call;
    int size, stride, padding, outputs;
    bool mean;
} poolings[] = {
    {"max_pool2d(x, 2)", 2, 2, 0, 3, false},
    {"max_pool2d(x, 3, stride: 2, padding: 1)", 3, 2, 1, 4, false},
    {"avg_pool2d(x, 3)", 3, 3, 0, 2, true},
    {"avg_pool2d(x, 3, stride: 1, padding: 1)", 3, 1, 1, 7, true},
};

START_TEST(pooling_looks_at_its_window)
{
    const struct Pooling *row = &poolings[_i];
    Model *m = layer("f32[N, 2, 7, 7]", row->call);
    double **y = model_run(m, ENTRY_predict, feed);
    int s = row->size;
    for (int i = 0; i < 2 * 2 * row->outputs * row->outputs; i++) {
        int v = i % row->outputs, h = i / row->outputs % row->outputs,
            c = i / row->outputs / row->outputs % 2;
        double best = -INFINITY, sum = 0;
        for (int k = 0; k < s * s; k++) {
            int at_h = h * row->stride + k / s - row->padding,
                at_v = v * row->stride + k % s - row->padding;
            if (at_h < 0 || at_h >= 7 || at_v < 0 || at_v >= 7) continue;
            double x = image(c, at_h, at_v, i / row->outputs / row->outputs / 2, 2, 7, 7);
            best = fmax(best, x);
            sum += x;
        }
        close_to(row->call, i, y[0][i], row->mean ? sum / (s * s) : best);
    }
    model_close(m);
}
END_TEST

/* ---- recurrent: [2, 3, 4] to [2, 3, 2], by PyTorch's documentation ---- */

enum { STEPS = 3, INPUTS = 4, UNITS = 2 };

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

typedef struct Recurrent {
    const double *wi, *wh, *bi, *bh;
} Recurrent;

static Recurrent weights_of(Model *m)
{
    return (Recurrent){model_state(m, "y.weight_ih_l0"), model_state(m, "y.weight_hh_l0"),
                       model_state(m, "y.bias_ih_l0"), model_state(m, "y.bias_hh_l0")};
}

static double from_input(const Recurrent *r, int row, const double *x)
{
    double sum = r->bi[row];
    for (int i = 0; i < INPUTS; i++)
        sum += r->wi[row * INPUTS + i] * x[i];
    return sum;
}

static double from_hidden(const Recurrent *r, int row, const double *h)
{
    double sum = r->bh[row];
    for (int i = 0; i < UNITS; i++)
        sum += r->wh[row * UNITS + i] * h[i];
    return sum;
}

static void step_rnn(const Recurrent *r, const double *x, double *h, double *c)
{
    (void)c;
    double next[UNITS];
    for (int u = 0; u < UNITS; u++)
        next[u] = tanh(from_input(r, u, x) + from_hidden(r, u, h));
    memcpy(h, next, sizeof next);
}

static void step_lstm(const Recurrent *r, const double *x, double *h, double *c)
{
    double next[UNITS];
    for (int u = 0; u < UNITS; u++) {
        double gate[4];
        for (int g = 0; g < 4; g++)
            gate[g] = from_input(r, g * UNITS + u, x) + from_hidden(r, g * UNITS + u, h);
        c[u] = sigmoid(gate[1]) * c[u] + sigmoid(gate[0]) * tanh(gate[2]);
        next[u] = sigmoid(gate[3]) * tanh(c[u]);
    }
    memcpy(h, next, sizeof next);
}

static void step_gru(const Recurrent *r, const double *x, double *h, double *c)
{
    (void)c;
    double next[UNITS];
    for (int u = 0; u < UNITS; u++) {
        double reset = sigmoid(from_input(r, u, x) + from_hidden(r, u, h));
        double update = sigmoid(from_input(r, UNITS + u, x) + from_hidden(r, UNITS + u, h));
        double new =
            tanh(from_input(r, 2 * UNITS + u, x) + reset * from_hidden(r, 2 * UNITS + u, h));
        next[u] = (1 - update) * new + update *h[u];
    }
    memcpy(h, next, sizeof next);
}

static const struct Cell {
    const char *call;
    void (*step)(const Recurrent *r, const double *x, double *h, double *c);
} cells[] = {{"rnn(x, 2)", step_rnn}, {"lstm(x, 2)", step_lstm}, {"gru(x, 2)", step_gru}};

START_TEST(recurrent_layers_step_through_time)
{
    Model *m = layer("f32[N, 3, 4]", cells[_i].call);
    Recurrent r = weights_of(m);
    double **y = model_run(m, ENTRY_predict, feed);
    for (int n = 0; n < 2; n++) {
        double h[UNITS] = {0}, c[UNITS] = {0};
        for (int t = 0; t < STEPS; t++) {
            cells[_i].step(&r, noise + (n * STEPS + t) * INPUTS, h, c);
            for (int u = 0; u < UNITS; u++) {
                int at = (n * STEPS + t) * UNITS + u;
                close_to(cells[_i].call, at, y[0][at], h[u]);
            }
        }
    }
    model_close(m);
}
END_TEST

/* ---- normalization ---- */

typedef struct Statistics {
    double mean, variance;
    int count;
} Statistics;

/* Over the elements of x that `take` names. */
static Statistics over(int elements, int (*group)(int i), int which)
{
    Statistics s = {0, 0, 0};
    for (int i = 0; i < elements; i++)
        if (group(i) == which) s.mean += noise[i], s.count++;
    s.mean /= s.count;
    for (int i = 0; i < elements; i++)
        if (group(i) == which) s.variance += (noise[i] - s.mean) * (noise[i] - s.mean) / s.count;
    return s;
}

/* x is [2, 4, 3, 3] */
static int by_channel(int i)
{
    return i / 9 % 4;
}
static int by_row(int i)
{
    return i / 3;
}
static int by_group(int i)
{
    return i / 18;
}

static const struct Norm {
    const char *call;
    int (*group)(int i);
} norms[] = {{"layer_norm(x)", by_row}, {"group_norm(x, 2)", by_group}};

START_TEST(norms_take_mean_and_variance_of_their_group)
{
    Model *m = layer("f32[N, 4, 3, 3]", norms[_i].call);
    double **y = model_run(m, ENTRY_predict, feed);
    for (int i = 0; i < 72; i++) {
        Statistics s = over(72, norms[_i].group, norms[_i].group(i));
        close_to(norms[_i].call, i, y[0][i], (noise[i] - s.mean) / sqrt(s.variance + 1e-5));
    }
    model_close(m);
}
END_TEST

START_TEST(batch_norm_learns_running_statistics)
{
    Model *m =
        model_open("model m {\n input x: f32[N, 4, 3, 3]\n bn = batch_norm(x)\n output y = bn\n}\n"
                   "train {\n minimize sum(y * x)\n optimizer sgd(rate: 0)\n}\n",
                   ALL_ENTRIES);
    model_run(m, ENTRY_init, NULL);
    double **step = model_run(m, ENTRY_step, feed);
    double loss = 0, evaluated = 0;
    for (int i = 0; i < 72; i++) {
        Statistics s = over(72, by_channel, by_channel(i));
        loss += (noise[i] - s.mean) / sqrt(s.variance + 1e-5) * noise[i];
        double mean = 0.1 * s.mean, variance = 0.9 + 0.1 * s.variance * s.count / (s.count - 1);
        evaluated += (noise[i] - mean) / sqrt(variance + 1e-5) * noise[i];
        ck_assert_double_eq_tol(model_state(m, "bn.running_mean")[by_channel(i)], mean, 1e-7);
        ck_assert_double_eq_tol(model_state(m, "bn.running_var")[by_channel(i)], variance, 1e-7);
    }
    ck_assert_double_eq_tol(step[0][0], loss, 1e-6);
    double **eval = model_run(m, ENTRY_eval, feed);
    ck_assert_double_eq_tol(eval[0][0], evaluated, 1e-5); /* 0.9 and 0.1 are f32 */
    model_close(m);
}
END_TEST

/* ---- attention ---- */

START_TEST(causal_attention_does_not_look_ahead)
{
    Model *m = layer("f32[N, 5, 4]", "causal_self_attention(x, 2)");
    double **before = model_run(m, ENTRY_predict, feed);
    double changed[40];
    memcpy(changed, noise, sizeof changed);
    changed[3 * 4 + 1] += 1; /* the first example's step 3 */
    double **after = model_run(m, ENTRY_predict, (Feed[]){{"x", changed}, {NULL, NULL}});
    for (int i = 0; i < 40; i++) {
        if (i < 12 || i >= 20)
            ck_assert_double_eq(before[0][i], after[0][i]);
        else
            ck_assert_double_ne(before[0][i], after[0][i]);
    }
    model_close(m);
}
END_TEST

/* ---- augmentation: what comes out is the image, moved ---- */

static Model *augmented(const char *call)
{
    char file[600];
    snprintf(file, sizeof file,
             "model m {\n input x: f32[N, 1, 6, 6]\n y = %s\n output z = y\n}\n"
             "train {\n minimize sum(y)\n report a = y[0, 0, 2, 2]\n report b = y[0, 0, 2, 3]\n"
             " report c = y[0, 0, 3, 2]\n optimizer sgd()\n}\n",
             call);
    Model *m = model_open(file, ALL_ENTRIES);
    model_run(m, ENTRY_init, NULL);
    return m;
}

START_TEST(a_shift_moves_the_whole_image)
{
    Model *m = augmented("random_shift(x, 2)");
    bool seen[25] = {false};
    for (int step = 0; step < 200; step++) {
        double **out = model_run(m, ENTRY_step, feed); /* loss, a, b, c */
        int dy = -9, dx = -9;
        for (int k = 0; k < 25; k++)
            if (out[1][0] == noise[(k / 5) * 6 + k % 5]) dy = k / 5 - 2, dx = k % 5 - 2;
        ck_assert_int_ne(dy, -9);
        ck_assert_double_eq(out[2][0], noise[(2 + dy) * 6 + 3 + dx]);
        ck_assert_double_eq(out[3][0], noise[(3 + dy) * 6 + 2 + dx]);
        seen[(dy + 2) * 5 + dx + 2] = true;
    }
    int shifts = 0;
    for (int k = 0; k < 25; k++)
        shifts += seen[k];
    ck_assert_int_ge(shifts, 23); /* each is missed with probability (24/25)^200 = 3e-4 */
    double **still = model_run(m, ENTRY_predict, feed);
    for (int i = 0; i < 72; i++)
        ck_assert_double_eq(still[0][i], noise[i]);
    model_close(m);
}
END_TEST

START_TEST(a_flip_mirrors_half_of_the_images)
{
    Model *m = augmented("random_flip(x)");
    int flips = 0;
    for (int step = 0; step < 100; step++) {
        double **out = model_run(m, ENTRY_step, feed);
        bool flipped = out[1][0] == noise[2 * 6 + 3];
        ck_assert_double_eq(out[1][0], flipped ? noise[2 * 6 + 3] : noise[2 * 6 + 2]);
        ck_assert_double_eq(out[2][0], flipped ? noise[2 * 6 + 2] : noise[2 * 6 + 3]);
        flips += flipped;
    }
    ck_assert_int_gt(flips, 25); /* 50 expected, standard deviation 5 */
    ck_assert_int_lt(flips, 75);
    model_close(m);
}
END_TEST

START_TEST(a_crop_outside_training_is_the_middle)
{
    Model *m = augmented("random_crop(x, 4)");
    double **y = model_run(m, ENTRY_predict, feed);
    for (int i = 0; i < 32; i++)
        ck_assert_double_eq(y[0][i], noise[i / 16 * 36 + (i / 4 % 4 + 1) * 6 + i % 4 + 1]);
    model_close(m);
}
END_TEST

START_TEST(dropout_keeps_the_mean)
{
    Model *m = model_open(
        "model m {\n input x: f32[N, 3]\n y = dropout(ones([100, 100]), 0.3)\n output z = x\n}\n"
        "train {\n minimize mean(y) + 0 * mean(x)\n report zeros = mean(y == 0)\n"
        " report most = max(y)\n optimizer sgd()\n}\n",
        ALL_ENTRIES);
    model_run(m, ENTRY_init, NULL);
    double **out = model_run(m, ENTRY_step, feed);
    ck_assert_double_eq_tol(out[0][0], 1, 5 * sqrt(0.3 / 0.7 / 10000)); /* five standard errors */
    ck_assert_double_eq_tol(out[1][0], 0.3, 5 * sqrt(0.3 * 0.7 / 10000));
    ck_assert_double_eq_tol(out[2][0], 1 / 0.7, 1e-6);
    double first = out[0][0];
    out = model_run(m, ENTRY_step, feed);
    ck_assert_double_ne(out[0][0], first); /* another step, another mask */
    out = model_run(m, ENTRY_eval, feed);
    ck_assert_double_eq(out[0][0], 1);
    model_close(m);
}
END_TEST

Suite *suite_layers(void);
Suite *suite_layers(void)
{
    Suite *suite = suite_create("layers");
    TCase *t = tcase_create("layers");
    tcase_add_checked_fixture(t, fill, NULL);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, conv2d_sums_over_its_window);
    tcase_add_test(t, same_padding_keeps_the_middle);
    tcase_add_test(t, conv_transpose2d_spreads_its_window);
    tcase_add_loop_test(t, pooling_looks_at_its_window, 0, 4);
    tcase_add_loop_test(t, recurrent_layers_step_through_time, 0, 3);
    tcase_add_loop_test(t, norms_take_mean_and_variance_of_their_group, 0, 2);
    tcase_add_test(t, batch_norm_learns_running_statistics);
    tcase_add_test(t, causal_attention_does_not_look_ahead);
    tcase_add_test(t, a_shift_moves_the_whole_image);
    tcase_add_test(t, a_flip_mirrors_half_of_the_images);
    tcase_add_test(t, a_crop_outside_training_is_the_middle);
    tcase_add_test(t, dropout_keeps_the_mean);
    suite_add_tcase(suite, t);
    return suite;
}

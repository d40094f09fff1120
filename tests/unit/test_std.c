/* The standard library against the formulas of the papers and of PyTorch's documentation, written down once more in C and
 * computed in double; and every function of it is called by some row. */
#include "tests/unit/model.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 6 };

/* x [2, 3], t [2, 3] in 0..1 with rows that add up to 1, label [2]. */
static const double x_data[COUNT] = {-2.5, -0.3, 0.0, 0.4, 1.7, 4.2};
static const double t_data[COUNT] = {0.2, 0.5, 0.3, 0.1, 0.6, 0.3};
static const double label_data[2] = {2, 1};
static const Feed feed[] = {{"x", x_data}, {"t", t_data}, {"label", label_data}, {NULL, NULL}};

static Model *expression(const char *text)
{
    char file[600];
    snprintf(file, sizeof file,
             "model m {\n input x: f32[N, 3]\n input t: f32[N, 3]\n input label: i32[N]\n output y "
             "= %s\n}\n",
             text);
    return model_open(file, 1u << ENTRY_predict);
}

static void close_to(const char *what, double is, double wanted)
{
    /* Everything is computed in double but for the numbers of the library, which are f32 constants of the graph: each is
     * off by up to 6e-8 of itself, and a few of them meet in a formula. */
    ck_assert_msg(fabs(is - wanted) <= 1e-6 * fmax(1, fabs(wanted)), "%s is %.17g, not %.17g", what,
                  is, wanted);
}

/* ---- elementwise ---- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double softplus(double x)
{
    return log(1 + exp(x));
}
static double relu6(double x)
{
    return fmin(fmax(x, 0), 6);
}

static double exact_relu(double x)
{
    return x > 0 ? x : 0;
}
static double exact_leaky_relu(double x)
{
    return x > 0 ? x : 0.01 * x;
}
static double exact_elu(double x)
{
    return x > 0 ? x : exp(x) - 1;
}
static double exact_selu(double x)
{
    return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * (exp(x) - 1));
}
static double exact_gelu(double x)
{
    return x * 0.5 * erfc(-x / sqrt(2));
}
static double exact_gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double exact_silu(double x)
{
    return x * sigmoid(x);
}
static double exact_mish(double x)
{
    return x * tanh(softplus(x));
}
static double exact_hard_sigmoid(double x)
{
    return relu6(x + 3) / 6;
}
static double exact_hard_swish(double x)
{
    return x * relu6(x + 3) / 6;
}

static const struct Elementwise {
    const char *name;
    double (*exact)(double x);
} elementwise[] = {
    {"relu", exact_relu},
    {"leaky_relu", exact_leaky_relu},
    {"relu6", relu6},
    {"elu", exact_elu},
    {"selu", exact_selu},
    {"gelu", exact_gelu},
    {"gelu_tanh", exact_gelu_tanh},
    {"sigmoid", sigmoid},
    {"silu", exact_silu},
    {"softplus", softplus},
    {"mish", exact_mish},
    {"hard_sigmoid", exact_hard_sigmoid},
    {"hard_swish", exact_hard_swish},
    {"ceil", ceil},
};

START_TEST(activations_follow_their_formulas)
{
    char text[100];
    snprintf(text, sizeof text, "%s(x)", elementwise[_i].name);
    Model *m = expression(text);
    double **y = model_run(m, ENTRY_predict, feed);
    for (int i = 0; i < COUNT; i++)
        close_to(text, y[0][i], elementwise[_i].exact(x_data[i]));
    model_close(m);
}
END_TEST

/* ---- losses ---- */

static double log_softmax(const double *row, int i)
{
    return row[i] - log(exp(row[0]) + exp(row[1]) + exp(row[2]));
}

/* The mean over two rows of f(row of x, row of t, label). */
typedef double RowLoss(const double *x, const double *t, int label);

static double row_cross_entropy(const double *x, const double *t, int label)
{
    (void)t;
    return -log_softmax(x, label);
}

static double row_smoothed(const double *x, const double *t, int label)
{
    (void)t;
    double y = 0;
    for (int i = 0; i < 3; i++)
        y -= (0.1 / 3 + (i == label ? 0.9 : 0)) * log_softmax(x, i);
    return y;
}

static double row_kl(const double *x, const double *t, int label)
{
    (void)label;
    double y = 0;
    for (int i = 0; i < 3; i++)
        y += t[i] * (log(t[i]) - log_softmax(x, i));
    return y;
}

#define MEAN_OF(name, formula)                                                                     \
    static double row_##name(const double *xs, const double *ts, int label)                        \
    {                                                                                              \
        (void)label;                                                                               \
        double y = 0;                                                                              \
        for (int i = 0; i < 3; i++) {                                                              \
            double x = xs[i], t = ts[i], d = fabs(x - t);                                          \
            (void)d;                                                                               \
            y += (formula) / 3;                                                                    \
        }                                                                                          \
        return y;                                                                                  \
    }
MEAN_OF(mse, d *d)
MEAN_OF(mae, d)
MEAN_OF(huber, d <= 1 ? 0.5 * d * d : d - 0.5)
MEAN_OF(hinge, fmax(0, 1 - x * t))
MEAN_OF(bce, -(t *log(sigmoid(x)) + (1 - t) * log(1 - sigmoid(x))))

static double row_accuracy(const double *x, const double *t, int label)
{
    (void)t;
    int best = 0;
    for (int i = 1; i < 3; i++)
        if (x[i] > x[best]) best = i;
    return best == label;
}

static const struct Loss {
    const char *text;
    RowLoss *exact;
} losses[] = {
    {"cross_entropy(x, label)", row_cross_entropy},
    {"cross_entropy(x, label, smoothing: 0.1)", row_smoothed},
    {"cross_entropy(reshape(x, [2, 1, 3]), reshape(label, [2, 1]))", row_cross_entropy},
    {"kl_divergence(x, t)", row_kl},
    {"mse(x, t)", row_mse},
    {"mae(x, like(t, x))", row_mae},
    {"huber(x, t)", row_huber},
    {"hinge(x, t)", row_hinge},
    {"binary_cross_entropy(x, t)", row_bce},
    {"accuracy(x, label)", row_accuracy},
};

START_TEST(losses_follow_their_formulas)
{
    Model *m = expression(losses[_i].text);
    double **y = model_run(m, ENTRY_predict, feed);
    double wanted = 0;
    for (int row = 0; row < 2; row++)
        wanted += losses[_i].exact(x_data + 3 * row, t_data + 3 * row, (int)label_data[row]) / 2;
    close_to(losses[_i].text, y[0][0], wanted);
    model_close(m);
}
END_TEST

START_TEST(weighted_classes_count_by_their_weights)
{
    Model *m = expression("cross_entropy(x, label, weights: [1, 2, 5])");
    double **y = model_run(m, ENTRY_predict, feed);
    double a = -5 * log_softmax(x_data, 2), b = -2 * log_softmax(x_data + 3, 1);
    close_to("weighted cross_entropy", y[0][0], (a + b) / 7);
    model_close(m);
}
END_TEST

/* ---- layers: shape of the result ---- */

static const struct Shaped {
    const char *text, *type;
} shaped[] = {
    /* images are [2, 4, 9, 9], sequences [2, 5, 4] */
    {"dense(sequence, 3)", "f32[2, 5, 3]"},
    {"conv(image, 6, 3)", "f32[2, 6, 7, 7]"},
    {"conv1d(sequence, 6, stride: 2, padding: 1)", "f32[2, 6, 2]"},
    {"conv2d(image, 6, kernel: [3, 1], padding: \"same\", stride: 2)", "f32[2, 6, 5, 5]"},
    {"conv3d(reshape(image, [2, 4, 1, 9, 9]), 2, kernel: [1, 3, 3])", "f32[2, 2, 1, 7, 7]"},
    {"depthwise_conv2d(image, multiplier: 2)", "f32[2, 8, 7, 7]"},
    {"conv_transpose2d(image, 3, stride: 2, padding: 1, output_padding: 1)", "f32[2, 3, 18, 18]"},
    {"max_pool1d(sequence, 2)", "f32[2, 5, 2]"},
    {"max_pool2d(image, 2)", "f32[2, 4, 4, 4]"},
    {"max_pool2d(image, 3, stride: 2, padding: 1)", "f32[2, 4, 5, 5]"},
    {"avg_pool1d(sequence, 2)", "f32[2, 5, 2]"},
    {"avg_pool2d(image, [3, 9])", "f32[2, 4, 3, 1]"},
    {"global_avg_pool(image)", "f32[2, 4]"},
    {"global_max_pool(image)", "f32[2, 4]"},
    {"batch_norm(image)", "f32[2, 4, 9, 9]"},
    {"layer_norm(sequence)", "f32[2, 5, 4]"},
    {"group_norm(image, 2)", "f32[2, 4, 9, 9]"},
    {"rms_norm(sequence)", "f32[2, 5, 4]"},
    {"dropout(sequence)", "f32[2, 5, 4]"},
    {"embedding(ids, 7, 3)", "f32[2, 5, 3]"},
    {"channelwise(tensor([1, 2, 3, 4]), image)", "f32[4, 1, 1]"},
    {"image * len(spatial(image))", "f32[2, 4, 9, 9]"},
    {"rnn(sequence, 3)", "f32[2, 5, 3]"},
    {"lstm(sequence, 3)", "f32[2, 5, 3]"},
    {"gru(sequence, 3)", "f32[2, 5, 3]"},
    {"causal_self_attention(sequence, 2)", "f32[2, 5, 4]"},
    {"multi_head_attention(sequence, sequence[:, 0:3], sequence[:, 0:3], 2, causal: true)",
     "f32[2, 5, 4]"},
    {"merge_heads(attend(split_heads(sequence, 2), split_heads(sequence, 2), split_heads(sequence, "
     "2)))",
     "f32[2, 5, 4]"},
    {"feed_forward(sequence, 8, silu)", "f32[2, 5, 4]"},
    {"softmax(log_softmax(clamp(sequence, 0, 1)))", "f32[2, 5, 4]"},
    {"standardize(image, [1, 2, 3, 4], std: [1, 1, 1, 2])", "f32[2, 4, 9, 9]"},
    {"random_shift(image, 2)", "f32[2, 4, 9, 9]"},
    {"random_flip(image)", "f32[2, 4, 9, 9]"},
    {"random_crop(image, 8, padding: 1)", "f32[2, 4, 8, 8]"},
    {"random_rotate(image, 15)", "f32[2, 4, 9, 9]"},
    {"random_noise(image)", "f32[2, 4, 9, 9]"},
    {"mixup(sequence, sequence[:, 0])[0]", "f32[2, 5, 4]"},
    {"sample_at(image, zeros([2, 3, 3], i32), draw(2, 3) + zeros([2, 3, 3], i32))",
     "f32[2, 4, 3, 3]"},
    {"l1([image, sequence]) + l2([image])", "f32[]"},
    {"erfinv(sequence / 9)", "f32[2, 5, 4]"},
    {"dense(sequence, 3, init: xavier_uniform())", "f32[2, 5, 3]"},
    {"dense(sequence, 3, init: xavier_normal(gain: 2))", "f32[2, 5, 3]"},
    {"dense(sequence, 3, init: kaiming_uniform())", "f32[2, 5, 3]"},
    {"dense(sequence, 3, init: kaiming_normal())", "f32[2, 5, 3]"},
    {"dense(sequence, 3, init: truncated_normal(std: 0.1))", "f32[2, 5, 3]"},
    {"dense(sequence, 3, init: fan_in_uniform())", "f32[2, 5, 3]"},
    {"sequence * product([fan_in([2, 3, 3]), fan_out([2, 3, 3])])", "f32[2, 5, 4]"},
    {"clip_norm([sequence], 1)[0] + clip_value([sequence], 1)[0]", "f32[2, 5, 4]"},
    /* f(step, steps, steps_per_epoch, rate) */
    {"cosine(1.0, 10, 5, 0.1) + constant(1.0, 10, 5, 0.1) + one_cycle(1.0, 10, 5, 0.1) + "
     "sequence[0, 0]",
     "f32[4]"},
    {"warmup(cast(3, f32), 10, 5, 0.1, 20) + steps(cast(3, f32), 10, 5, 0.1, [1, 2])", "f32[]"},
    {"exponential(cast(3, f32), 10, 5, 0.1)", "f32[]"},
};

START_TEST(layers_have_their_shapes)
{
    char file[800];
    snprintf(file, sizeof file,
             "model m {\n input image: f32[N, 4, 9, 9]\n input sequence: f32[N, 5, 4]\n input ids: "
             "i32[N, 5]\n"
             " y = %s\n output z = y\n}\n",
             shaped[_i].text);
    Model *m = model_open(file, 1u << ENTRY_predict);
    ck_assert_msg(m->result != NULL, "%s", m->report);
    const Graph *g = m->result->program->entry[ENTRY_predict];
    Text type = {.arena = m->arena};
    shape_print(&type, graph_type(g, g->result.at[0].value), graph_shape(g, g->result.at[0].value));
    ck_assert_str_eq(text_done(&type), shaped[_i].type);
    model_close(m);
}
END_TEST

/* ---- statistics of what is drawn ---- */

typedef struct Moments {
    double mean, variance, low, high;
} Moments;

static Moments moments(const double *x, int count)
{
    Moments m = {0, 0, INFINITY, -INFINITY};
    for (int i = 0; i < count; i++)
        m.mean += x[i] / count;
    for (int i = 0; i < count; i++) {
        m.variance += (x[i] - m.mean) * (x[i] - m.mean) / count;
        m.low = fmin(m.low, x[i]);
        m.high = fmax(m.high, x[i]);
    }
    return m;
}

/* 10,000 numbers: the mean is within 5 of its standard errors, variance / 100; the variance's relative error is at most
 * sqrt(2 / 10000) = 0.014 for a normal distribution, less for the others, and 5 of those are 0.07. */
static const struct Drawn {
    const char *text;
    double mean, variance, bound;
} drawn[] = {
    {"uniform(-3, 1)", -1, 16.0 / 12, 2},
    {"normal(mean: 2, std: 3)", 2, 9, 100},
    {"truncated_normal(std: 2)", 0, 4 * 0.7737413,
     4}, /* variance of N(0, 1) within +-2: 1 - 4 phi(2) / erf(sqrt 2) */
    {"kaiming_normal()", 0, 2.0 / 50, 100},
    {"kaiming_uniform()", 0, 2.0 / 50, 0.3464102},
    {"xavier_uniform()", 0, 2.0 / 250, 0.1549194},
    {"xavier_normal()", 0, 2.0 / 250, 100},
    {"fan_in_uniform()", 0, 1.0 / 150, 0.1414214},
};

START_TEST(initial_values_are_distributed_as_stated)
{
    char file[200];
    snprintf(file, sizeof file,
             "model m {\n input x: f32[N, 3]\n param w: f32[200, 50] = %s\n output y = w\n}\n",
             drawn[_i].text);
    Model *m = model_open(file, 0);
    model_run(m, ENTRY_init, NULL);
    Moments is = moments(model_state(m, "w"), 10000);
    double error = sqrt(drawn[_i].variance / 10000);
    ck_assert_msg(fabs(is.mean - drawn[_i].mean) < 5 * error, "the mean is %g", is.mean);
    ck_assert_msg(fabs(is.variance / drawn[_i].variance - 1) < 0.07, "the variance is %g",
                  is.variance);
    ck_assert_double_le(is.high, drawn[_i].mean + drawn[_i].bound * (1 + 1e-6));
    ck_assert_double_ge(is.low, drawn[_i].mean - drawn[_i].bound * (1 + 1e-6));
    model_close(m);
}
END_TEST

/* ---- nothing is left out ---- */

static bool covered(const char *name)
{
    bool yes = false;
    for (size_t i = 0; i < sizeof elementwise / sizeof *elementwise; i++)
        yes |= model_calls(elementwise[i].name, name);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        yes |= model_calls(losses[i].text, name);
    for (size_t i = 0; i < sizeof shaped / sizeof *shaped; i++)
        yes |= model_calls(shaped[i].text, name);
    yes |= optimizers_call(name);
    return yes;
}

START_TEST(every_library_function_is_tried_and_explained)
{
    Model *m = expression("x");
    const char *const *names;
    uint32_t count = frontend_topics(&m->context, &names), library = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *help = frontend_help(&m->context, names[i]);
        ck_assert_msg(help && strlen(help) > 20, "no help for %s", names[i]);
        if (!strstr(help, "\nFrom std/")) continue;
        library++;
        ck_assert_msg(strstr(help, "\n\n\n") == NULL, "%s has no comment above it", names[i]);
        ck_assert_msg(covered(names[i]), "no test calls %s", names[i]);
    }
    ck_assert_uint_gt(library, 80);
    ck_assert_ptr_null(frontend_help(&m->context, "no such thing"));
    model_close(m);
}
END_TEST

Suite *suite_std(void);
Suite *suite_std(void)
{
    Suite *suite = suite_create("std");
    TCase *t = tcase_create("std");
#define ROWS(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))
    ROWS(activations_follow_their_formulas, elementwise);
    ROWS(losses_follow_their_formulas, losses);
    tcase_add_test(t, weighted_classes_count_by_their_weights);
    ROWS(layers_have_their_shapes, shaped);
    ROWS(initial_values_are_distributed_as_stated, drawn);
    tcase_add_test(t, every_library_function_is_tried_and_explained);
    suite_add_tcase(suite, t);
    return suite;
}

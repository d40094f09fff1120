/* Optimizers, clipping, schedules and averages against PyTorch's documentation, written down once more in C. */
#include "tests/unit/model.h"

#include <check.h>
#include <math.h>
#include <stdio.h>

static const double x_data[6] = {-2.5, -0.3, 0.0, 0.4, 1.7, 4.2};
static const Feed feed[] = {{"x", x_data}, {NULL, NULL}};

static void close_to(const char *what, double is, double wanted)
{
    /* Everything is computed in double but for rates, betas and the like, which are f32 constants of the graph: each is
     * off by up to 6e-8 of itself, and a few of them meet in a formula. */
    ck_assert_msg(fabs(is - wanted) <= 1e-6 * fmax(1, fabs(wanted)), "%s is %.17g, not %.17g", what,
                  is, wanted);
}

/* ---- optimizers: three steps of a two-element parameter against PyTorch's documentation ---- */

typedef struct Momenta {
    double m, v;
} Momenta;

/* One step on one element: returns p after step t (from 1) with gradient g. */
typedef double Rule(double p, double g, int t, Momenta *s);

static double rule_sgd(double p, double g, int t, Momenta *s)
{
    (void)t, (void)s;
    return p - 0.1 * (g + 0.01 * p);
}

static double rule_momentum(double p, double g, int t, Momenta *s)
{
    s->m = t == 1 ? g : 0.9 * s->m + g;
    return p - 0.1 * s->m;
}

static double rule_nesterov(double p, double g, int t, Momenta *s)
{
    s->m = t == 1 ? g : 0.9 * s->m + g;
    return p - 0.1 * (g + 0.9 * s->m);
}

static double adam_rule(double p, double g, int t, Momenta *s)
{
    s->m = 0.9 * s->m + 0.1 * g;
    s->v = 0.999 * s->v + 0.001 * g * g;
    double m = s->m / (1 - pow(0.9, t)), v = s->v / (1 - pow(0.999, t));
    return p - 0.1 * m / (sqrt(v) + 1e-8);
}

static double rule_adam(double p, double g, int t, Momenta *s)
{
    return adam_rule(p, g + 0.01 * p, t, s);
}

static double rule_adamw(double p, double g, int t, Momenta *s)
{
    return adam_rule(p - 0.1 * 0.02 * p, g, t, s);
}

static double rule_adagrad(double p, double g, int t, Momenta *s)
{
    (void)t;
    s->v += g * g;
    return p - 0.1 * g / (sqrt(s->v) + 1e-10);
}

static double rule_rmsprop(double p, double g, int t, Momenta *s)
{
    (void)t;
    s->v = 0.99 * s->v + 0.01 * g * g;
    s->m = 0.5 * s->m + g / (sqrt(s->v) + 1e-8);
    return p - 0.1 * s->m;
}

static double rule_lion(double p, double g, int t, Momenta *s)
{
    (void)t;
    double u = 0.9 * s->m + 0.1 * g;
    s->m = 0.99 * s->m + 0.01 * g;
    return p - 0.1 * 0.02 * p - 0.1 * ((u > 0) - (u < 0));
}

static const struct Optimizer {
    const char *text;
    Rule *rule;
} optimizers[] = {
    {"sgd(rate: 0.1, weight_decay: 0.01)", rule_sgd},
    {"sgd(rate: 0.1, momentum: 0.9)", rule_momentum},
    {"momentum(rate: 0.1)", rule_momentum},
    {"sgd(rate: 0.1, momentum: 0.9, nesterov: true)", rule_nesterov},
    {"nesterov(rate: 0.1)", rule_nesterov},
    {"adam(rate: 0.1, weight_decay: 0.01)", rule_adam},
    {"adamw(rate: 0.1, weight_decay: 0.02)", rule_adamw},
    {"adagrad(rate: 0.1)", rule_adagrad},
    {"rmsprop(rate: 0.1, momentum: 0.5)", rule_rmsprop},
    {"lion(rate: 0.1, weight_decay: 0.02)", rule_lion},
    {"sgd(rate: 7, weight_decay: 3) { \"w\": rate 0.1, weight_decay 0.01 }", rule_sgd},
};

/* The loss is sum(w^3) / 3 over w = (1, -2), so the gradient is w^2. */
static Model *optimized(const char *settings)
{
    char file[800];
    snprintf(
        file, sizeof file,
        "model m {\n input x: f32[N, 3]\n param w: f32[2] = tensor([1, -2])\n output y = x\n}\n"
        "train {\n minimize sum(w ** 3) / 3 + 0 * mean(x)\n %s\n}\n",
        settings);
    Model *m = model_open(file, ALL_ENTRIES);
    model_run(m, ENTRY_init, NULL);
    return m;
}

START_TEST(optimizers_follow_their_formulas)
{
    char setting[200];
    snprintf(setting, sizeof setting, "optimizer %s", optimizers[_i].text);
    Model *m = optimized(setting);
    double w[2] = {1, -2};
    Momenta s[2] = {{0, 0}, {0, 0}};
    for (int t = 1; t <= 3; t++) {
        double **out = model_run(m, ENTRY_step, feed);
        close_to("the rate", out[1][0], _i == sizeof optimizers / sizeof *optimizers - 1 ? 7 : 0.1);
        for (int i = 0; i < 2; i++) {
            w[i] = optimizers[_i].rule(w[i], w[i] * w[i], t, &s[i]);
            close_to(optimizers[_i].text, model_state(m, "w")[i], w[i]);
        }
    }
    model_close(m);
}
END_TEST

START_TEST(clipping_bounds_the_gradient)
{
    Model *m = optimized("optimizer sgd(rate: 1)\n clip norm(0.5)");
    model_run(m, ENTRY_step, feed);
    double norm = sqrt(17), scale = 0.5 / (norm + 1e-6);
    close_to("clip norm", model_state(m, "w")[0], 1 - scale);
    close_to("clip norm", model_state(m, "w")[1], -2 - 4 * scale);
    model_close(m);

    m = optimized("optimizer sgd(rate: 1)\n clip value(2)");
    model_run(m, ENTRY_step, feed);
    close_to("clip value", model_state(m, "w")[0], 0);
    close_to("clip value", model_state(m, "w")[1], -4);
    model_close(m);
}
END_TEST

/* Two steps of the same gradient, averaged: the parameter moves every other step, once as far. */
START_TEST(accumulated_steps_update_once)
{
    Model *m = optimized("optimizer momentum(rate: 0.1)\n accumulate 2");
    double w = 1, momentum = 0;
    for (int update = 0; update < 3; update++) {
        model_run(m, ENTRY_step, feed);
        close_to("between updates", model_state(m, "w")[0], w);
        model_run(m, ENTRY_step, feed);
        momentum = 0.9 * momentum + w * w;
        w -= 0.1 * momentum;
        close_to("after an update", model_state(m, "w")[0], w);
    }
    model_close(m);
}
END_TEST

START_TEST(averages_and_freezing)
{
    Model *m = optimized("optimizer sgd(rate: 0.1)\n ema 0.75");
    close_to("the average starts at the parameter", model_state(m, "ema.w")[0], 1);
    model_run(m, ENTRY_step, feed);
    close_to("the average", model_state(m, "ema.w")[0], 0.75 * 1 + 0.25 * 0.9);
    double **loss = model_run(m, ENTRY_eval, feed);
    double a = 0.75 * 1 + 0.25 * 0.9, b = 0.75 * -2 + 0.25 * -2.4;
    close_to("evaluation uses it", loss[0][0], (a * a * a + b * b * b) / 3);
    model_close(m);

    m = model_open("model m { input x: f32[N, 3]\n a = dense(x, 2, bias: false)\n b = dense(a, 1, "
                   "bias: false)\n output b }\n"
                   "train { minimize mean(b) + l2(parameters); optimizer sgd(); freeze \"a.*\" }\n",
                   ALL_ENTRIES);
    ck_assert_ptr_null(strstr(model_entry(m, ENTRY_step), "write a.weight"));
    ck_assert_ptr_nonnull(strstr(model_entry(m, ENTRY_step), "write b.weight"));
    ck_assert_str_eq(model_states(m, STATE_parameter), "a.weight: f32[2, 3], b.weight: f32[1, 2]");
    model_close(m);
}
END_TEST

/* ---- schedules: the rate of step t in a run of 100 steps, 10 an epoch ---- */

static double rate_constant(double t)
{
    return 0 * t + 2;
}
static double rate_warmup(double t)
{
    return 2 * fmin((t + 1) / 4, 1);
}
static double rate_steps(double t)
{
    return 2 * (t < 10 ? 1 : t < 20 ? 0.5 : 0.25);
}
static double rate_exponential(double t)
{
    return 2 * pow(0.9, floor(t / 10));
}
static double rate_cosine(double t)
{
    if (t < 4) return 2 * (t + 1) / 4;
    return 0.5 + 1.5 * 0.5 * (1 + cos(M_PI * (t - 4) / 96));
}
static double rate_one_cycle(double t)
{
    /* as PyTorch's OneCycleLR: the peak is step 0.3 * 100 - 1, the end step 100 - 1 */
    if (t < 29) return 0.08 + (2 - 0.08) * 0.5 * (1 - cos(M_PI * t / 29));
    return 8e-6 + (2 - 8e-6) * 0.5 * (1 + cos(M_PI * (t - 29) / 70));
}

static const struct Schedule {
    const char *text;
    double (*rate)(double t);
} schedules[] = {
    {"constant", rate_constant},
    {"warmup(4)", rate_warmup},
    {"steps(at: [1, 2], factor: 0.5)", rate_steps},
    {"exponential(gamma: 0.9)", rate_exponential},
    {"cosine(warmup: 4, floor: 0.5)", rate_cosine},
    {"one_cycle()", rate_one_cycle},
};

START_TEST(schedules_follow_their_formulas)
{
    char setting[200];
    snprintf(setting, sizeof setting, "optimizer sgd(rate: 2)\n schedule %s", schedules[_i].text);
    Model *m = optimized(setting);
    static const int at[] = {0, 1, 3, 4, 9, 10, 19, 20, 29, 30, 50, 99};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        model_state(m, "train.step")[0] = at[i];
        double **out = model_run(m, ENTRY_step, feed);
        close_to(schedules[_i].text, out[1][0], schedules[_i].rate(at[i]));
    }
    model_close(m);
}
END_TEST

START_TEST(the_runtime_sets_the_plateau)
{
    Model *m = optimized("optimizer sgd(rate: 2)\n schedule plateau(factor: 0.1)");
    close_to("the start", model_state(m, "train.plateau")[0], 1);
    model_state(m, "train.plateau")[0] = 0.1;
    double **out = model_run(m, ENTRY_step, feed);
    close_to("the rate", out[1][0], 0.2);
    model_close(m);
}
END_TEST

bool optimizers_call(const char *name)
{
    bool yes = false;
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        yes |= model_calls(optimizers[i].text, name);
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
        yes |= model_calls(schedules[i].text, name);
    return yes;
}

Suite *suite_optimizers(void);
Suite *suite_optimizers(void)
{
    Suite *suite = suite_create("optimizers");
    TCase *t = tcase_create("optimizers");
#define ROWS(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))
    ROWS(optimizers_follow_their_formulas, optimizers);
    tcase_add_test(t, clipping_bounds_the_gradient);
    tcase_add_test(t, accumulated_steps_update_once);
    tcase_add_test(t, averages_and_freezing);
    ROWS(schedules_follow_their_formulas, schedules);
    tcase_add_test(t, the_runtime_sets_the_plateau);
    suite_add_tcase(suite, t);
    return suite;
}

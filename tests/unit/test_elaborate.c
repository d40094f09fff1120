/* What the language means: names of parameters, entries, static control flow, broadcasting; and every message. */
#include "tests/unit/model.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- graphs ---- */

START_TEST(a_layer_becomes_nodes)
{
    Model *m = model_open("model m {\n"
                          "  input x: f32[N, 3]\n"
                          "  fc = dense(x, 4, bias: false)\n"
                          "  output y = fc + 1\n"
                          "}\n",
                          ALL_ENTRIES);
    ck_assert_str_eq(model_entry(m, ENTRY_predict), "entry predict (x: f32[2, 3]) {\n"
                                                    "  %1 = read fc.weight : f32[4, 3]\n"
                                                    "  %2 = transpose %1 [1, 0] : f32[3, 4]\n"
                                                    "  %3 = dot x, %2 mk,kn->mn : f32[2, 4]\n"
                                                    "  %4 = constant 1 : f32[2, 4]\n"
                                                    "  %5 = add %3, %4 : f32[2, 4]\n"
                                                    "  output y = %5\n"
                                                    "}\n");
    ck_assert_ptr_null(m->result->program->entry[ENTRY_step]);
    model_close(m);
}
END_TEST

static const struct Named {
    const char *text, *parameters;
} named[] = {
    /* bound, nested, in a loop */
    {"fn block(x) { fc = dense(x, 3, bias: false)\n return fc }\n"
     "model m { input x: f32[N, 3]\n a = dense(x, 3)\n for i in 0..2 { h = block(a); a = h }\n "
     "output a }",
     "a.weight: f32[3, 3], a.bias: f32[3], h.0.fc.weight: f32[3, 3], h.1.fc.weight: f32[3, 3]"},
    /* without a name: the function's, numbered when it repeats */
    {"model m { input x: f32[N, 3]\n y = relu(dense(dense(x, 2, bias: false), 5, bias: false))\n "
     "output y }",
     "dense.weight: f32[2, 3], dense_2.weight: f32[5, 2]"},
    {"model m { input x: f32[N, 3]\n for i in 0..2 { x = relu(dense(x, 3, bias: false)) }\n output "
     "x }",
     "dense.0.weight: f32[3, 3], dense.1.weight: f32[3, 3]"},
    /* a returned call is the function itself */
    {"fn mine(x) { return dense(x, 2, bias: false) }\n"
     "model m { input x: f32[N, 3]\n y = mine(x)\n output y }",
     "y.weight: f32[2, 3]"},
    /* both branches of a choice carry the name */
    {"model m { input x: f32[N, 3]\n y = dense(x, 2, bias: false) if shape(x)[1] == 3 else x\n "
     "output y }",
     "y.weight: f32[2, 3]"},
    {"model m { input x: f32[N, 3]\n output y = dense(x, 2, bias: false) }", "y.weight: f32[2, 3]"},
    /* the steps of a scan share */
    {"model m { input x: f32[N, 3]\n ys = scan t in x axis 1 carry h = zeros([2, 1]) {\n"
     "  h = dense(concat([h, expand(t, 1)], axis: 1), 1, bias: false); yield h }\n output ys }",
     "h.weight: f32[1, 2]"},
    {"model m { input x: f32[N, T, 5]\n y = lstm(x, 2)\n output y }",
     "y.weight_ih_l0: f32[8, 5], y.weight_hh_l0: f32[8, 2], y.bias_ih_l0: f32[8], y.bias_hh_l0: "
     "f32[8]"},
    {"model m { input x: f32[N, 4, 8, 8]\n c = conv2d(x, 6, kernel: 3, groups: 2)\n"
     " t = conv_transpose2d(c, 8, groups: 2)\n output t }",
     "c.weight: f32[6, 2, 3, 3], c.bias: f32[6], t.weight: f32[6, 4, 3, 3], t.bias: f32[8]"},
    {"model m { input x: f32[N, 3, 4]\n attn = causal_self_attention(x, 2)\n output attn }",
     "attn.c_attn.weight: f32[12, 4], attn.c_attn.bias: f32[12], attn.c_proj.weight: f32[4, 4], "
     "attn.c_proj.bias: f32[4]"},
};

START_TEST(parameters_are_called_after_bindings)
{
    Model *m = model_open(named[_i].text, 1u << ENTRY_predict);
    ck_assert_str_eq(model_states(m, STATE_parameter), named[_i].parameters);
    model_close(m);
}
END_TEST

static const char small[] = "model m {\n"
                            "  input x: f32[N, 3]\n"
                            "  input label: i32[N]\n"
                            "  fc = dense(batch_norm(dropout(x, 0.5)), 4)\n"
                            "  output logits = fc\n"
                            "}\n"
                            "train {\n"
                            "  minimize cross_entropy(logits, label)\n"
                            "  report acc = accuracy(logits, label)\n"
                            "  optimizer sgd(rate: 0.5, momentum: 0.9)\n"
                            "}\n";

static const char *results(Model *m, EntryKind entry)
{
    Text text = {.arena = m->arena};
    const Graph *g = m->result->program->entry[entry];
    for (uint32_t i = 0; i < g->result.count; i++)
        text_add(&text, "%s%s%s", i ? " " : "", g->result.at[i].kind == RESULT_write ? "!" : "",
                 name_text(m->context.names, g->result.at[i].name));
    return text_done(&text);
}

START_TEST(entries_give_what_they_promise)
{
    Model *m = model_open(small, ALL_ENTRIES);
    ck_assert_msg(m->result != NULL, "%s", m->report);
    ck_assert_str_eq(results(m, ENTRY_step),
                     "loss acc rate !train.step !batch_norm.weight !batch_norm.bias "
                     "!batch_norm.running_mean !batch_norm.running_var !fc.weight !fc.bias "
                     "!optimizer.batch_norm.weight.momentum_buffer "
                     "!optimizer.batch_norm.bias.momentum_buffer "
                     "!optimizer.fc.weight.momentum_buffer !optimizer.fc.bias.momentum_buffer");
    ck_assert_str_eq(results(m, ENTRY_loss), "loss acc");
    ck_assert_str_eq(results(m, ENTRY_eval), "loss acc");
    ck_assert_str_eq(results(m, ENTRY_grad),
                     "loss batch_norm.weight batch_norm.bias fc.weight fc.bias");
    ck_assert_str_eq(results(m, ENTRY_predict), "logits");
    model_close(m);
}
END_TEST

START_TEST(metrics_inputs_and_outputs_are_listed)
{
    Model *m = model_open(small, ALL_ENTRIES);
    const Elaborated *r = m->result;
    ck_assert_uint_eq(r->metric_count, 2);
    ck_assert(!r->metric[0].higher_is_better);
    ck_assert(r->metric[1].higher_is_better);
    ck_assert_uint_eq(r->input_count, 2);
    ck_assert(r->input[0].batched);
    ck_assert_int_eq(r->input[0].bound, 0);
    ck_assert_int_eq(r->input[1].bound, 4);
    ck_assert_uint_eq(r->output_count, 1);
    ck_assert_str_eq(r->dimension_history, "N = 2, the batch\n");
    model_close(m);

    m = model_open(small, 1u << ENTRY_grad);
    ck_assert_uint_eq(m->result->metric_count, 2);
    model_close(m);
}
END_TEST

START_TEST(evaluation_draws_nothing_and_updates_nothing)
{
    Model *m = model_open(small, ALL_ENTRIES);
    ck_assert_ptr_nonnull(strstr(model_entry(m, ENTRY_step), "uniform"));
    ck_assert_ptr_null(strstr(model_entry(m, ENTRY_eval), "uniform"));
    ck_assert_ptr_null(strstr(model_entry(m, ENTRY_eval), "write"));
    ck_assert_ptr_nonnull(strstr(model_entry(m, ENTRY_eval), "read batch_norm.running_mean"));
    ck_assert_ptr_null(strstr(model_entry(m, ENTRY_loss), "write"));
    model_close(m);
}
END_TEST

/* What a layer draws depends on its place in the model only. */
START_TEST(a_new_layer_does_not_reshuffle)
{
    Model *a =
        model_open("model m { input x: f32[N, 3]\n fc = dense(x, 4, bias: false)\n output fc }", 0);
    Model *b = model_open(
        "model m { input x: f32[N, 3]\n pre = dense(x, 3)\n fc = dense(pre, 4, bias: false)\n"
        " output fc }",
        0);
    model_run(a, ENTRY_init, NULL);
    model_run(b, ENTRY_init, NULL);
    for (int i = 0; i < 12; i++)
        ck_assert_double_eq(model_state(a, "fc.weight")[i], model_state(b, "fc.weight")[i]);
    ck_assert_double_ne(model_state(b, "fc.weight")[0], model_state(b, "pre.weight")[0]);
    model_close(a);
    model_close(b);
}
END_TEST

/* ---- values: an expression of x = [[1, 2, 3], [4, 5, 6]], i = [2, 0] and statics, and what it is ---- */

static const struct Expression {
    const char *text, *type;
    double element[12];
} expressions[] = {
    {"x + x[0]", "f32[2, 3]", {2, 4, 6, 5, 7, 9}},
    {"x - mean(x, axis: 1, keep: true)", "f32[2, 3]", {-1, 0, 1, -1, 0, 1}},
    {"2 ** x[0]", "f32[3]", {2, 4, 8}},
    {"x ** 2 / 2", "f32[2, 3]", {0.5, 2, 4.5, 8, 12.5, 18}},
    {"-x % 4", "f32[2, 3]", {3, 2, 1, 0, 3, 2}},
    {"x[:, ::-1]", "f32[2, 3]", {3, 2, 1, 6, 5, 4}},
    {"x[-1, 1:]", "f32[2]", {5, 6}},
    {"x[1, -1]", "f32[]", {6}},
    {"transpose(x)", "f32[3, 2]", {1, 4, 2, 5, 3, 6}},
    {"reshape(x, [3, -1])", "f32[3, 2]", {1, 2, 3, 4, 5, 6}},
    {"flatten(x, from: 0)", "f32[6]", {1, 2, 3, 4, 5, 6}},
    {"expand(x[0], 1)", "f32[3, 1]", {1, 2, 3}},
    {"squeeze(x[:, 0:1], 1)", "f32[2]", {1, 4}},
    {"concat([x, x[:, 0:1]], axis: 1)", "f32[2, 4]", {1, 2, 3, 1, 4, 5, 6, 4}},
    {"stack([x[0], x[1]], axis: -1)", "f32[3, 2]", {1, 4, 2, 5, 3, 6}},
    {"split(x, 3, axis: 1)[1]", "f32[2, 1]", {2, 5}},
    {"split(x, [2, 1], axis: 1)[0]", "f32[2, 2]", {1, 2, 4, 5}},
    {"flip(x, 0)", "f32[2, 3]", {4, 5, 6, 1, 2, 3}},
    {"pad(x, [0, 1], [0, 0], value: 9)", "f32[2, 4]", {9, 1, 2, 3, 9, 4, 5, 6}},
    {"window(x[0], 0, 2)", "f32[2, 2]", {1, 2, 2, 3}},
    {"broadcast(x[0], [2, 3])", "f32[2, 3]", {1, 2, 3, 1, 2, 3}},
    {"sum(x)", "f32[]", {21}},
    {"sum(x, axis: [0])", "f32[3]", {5, 7, 9}},
    {"mean(x > 2)", "f32[]", {4.0 / 6}},
    {"sum(x > 2)", "i32[]", {4}},
    {"var(x, axis: 1)", "f32[2]", {2.0 / 3, 2.0 / 3}},
    {"var(x, axis: 1, correction: 1)", "f32[2]", {1, 1}},
    {"max(x, axis: 0)", "f32[3]", {4, 5, 6}},
    {"min(x, axis: 1, keep: true)", "f32[2, 1]", {1, 4}},
    {"argmax(x, axis: 1)", "i32[2]", {2, 2}},
    {"argmax(x * 0, axis: 1)", "i32[2]", {0, 0}},
    {"argmin(x, axis: 0)", "i32[3]", {0, 0, 0}},
    {"cumsum(x)", "f32[2, 3]", {1, 3, 6, 4, 9, 15}},
    {"cumsum(x, axis: 0)", "f32[2, 3]", {1, 2, 3, 5, 7, 9}},
    {"matmul(x, transpose(x))", "f32[2, 2]", {14, 32, 32, 77}},
    {"matmul(x[0], x[1])", "f32[]", {32}},
    {"matmul(x, x[0])", "f32[2]", {14, 32}},
    {"matmul(x[0], transpose(x))", "f32[2]", {14, 32}},
    {"matmul(reshape(x, [2, 1, 3]), reshape(x, [2, 3, 1]))", "f32[2, 1, 1]", {14, 77}},
    {"matmul(reshape(x, [2, 1, 3]), reshape(x[0], [1, 3, 1]))", "f32[2, 1, 1]", {14, 32}},
    {"matmul(reshape(x[0], [1, 1, 3]), reshape(x, [2, 3, 1]))", "f32[2, 1, 1]", {14, 32}},
    {"dot(x, x, \"ab,ac->bc\")[0]", "f32[3]", {17, 22, 27}},
    {"gather(x, i, axis: 1)", "f32[2, 2]", {3, 1, 6, 4}},
    {"pick(x, i)", "f32[2]", {3, 4}},
    {"one_hot(i, 3)", "f32[2, 3]", {0, 0, 1, 1, 0, 0}},
    {"where(x > 2, x, 0)", "f32[2, 3]", {0, 0, 3, 4, 5, 6}},
    {"where(x[0] > 2, x, -1)", "f32[2, 3]", {-1, -1, 3, -1, -1, 6}},
    {"maximum(x, 3)", "f32[2, 3]", {3, 3, 3, 4, 5, 6}},
    {"cast(x / 2, i32)", "i32[2, 3]", {0, 1, 1, 2, 2, 3}},
    {"cast(not (x > 2 and x < 5), i32)", "i32[2, 3]", {1, 1, 0, 0, 1, 1}},
    {"cast(x != 2, i32)", "i32[2, 3]", {1, 0, 1, 1, 1, 1}},
    {"i / 2", "i32[2]", {1, 0}},
    {"iota(3) * 2", "i32[3]", {0, 2, 4}},
    {"tensor([[1, 2], [3, 4]])", "f32[2, 2]", {1, 2, 3, 4}},
    {"full(2, [2]) + ones([2]) + zeros([2])", "f32[2]", {3, 3}},
    {"grad(sum(x * x * x), x)", "f32[2, 3]", {3, 12, 27, 48, 75, 108}},
    {"grad(sum(stop_gradient(x) * x), x)", "f32[2, 3]", {1, 2, 3, 4, 5, 6}},
    /* statics */
    {"x[0] * (7 / 2)", "f32[3]", {3.5, 7, 10.5}},
    {"i * (6 / 2)", "i32[2]", {6, 0}},
    {"x[0] * len([1, 2] + [3])", "f32[3]", {3, 6, 9}},
    {"x[0] * (shape(x)[-1] if N == 2 and not training else 0)", "f32[3]", {3, 6, 9}},
    {"x[0] * floor(7 / 2) + 2 ** 3 % 5", "f32[3]", {6, 9, 12}},
    {"x[0] * each(5, 2)[1]", "f32[3]", {5, 10, 15}},
    {"x[0] * [1, 2, 3][1:][0]", "f32[3]", {2, 4, 6}},
    {"x[0] * (1 if \"a\" == \"a\" and [1, 2] == 1..3 else 0)", "f32[3]", {1, 2, 3}},
    {"x[0] * ln(exp(2))", "f32[3]", {2, 4, 6}},
};

START_TEST(an_expression_has_its_value)
{
    static const double x[] = {1, 2, 3, 4, 5, 6}, index[] = {2, 0};
    const struct Expression *row = &expressions[_i];
    char text[400];
    snprintf(text, sizeof text,
             "model m {\n input x: f32[N, 3]\n input i: i32[N]\n output y = %s\n}\n", row->text);
    Model *m = model_open(text, 1u << ENTRY_predict);
    ck_assert_msg(m->result != NULL, "%s", m->report);
    const Graph *g = m->result->program->entry[ENTRY_predict];
    Value y = g->result.at[0].value;
    Text type = {.arena = m->arena};
    shape_print(&type, graph_type(g, y), graph_shape(g, y));
    ck_assert_str_eq(text_done(&type), row->type);
    double **out = model_run(m, ENTRY_predict, (Feed[]){{"x", x}, {"i", index}, {NULL, NULL}});
    for (int k = 0; k < shape_elements(graph_shape(g, y)); k++)
        ck_assert_msg(out[0][k] - row->element[k] < 1e-12 && row->element[k] - out[0][k] < 1e-12,
                      "%s: element %d is %g, not %g", row->text, k, out[0][k], row->element[k]);
    model_close(m);
}
END_TEST

/* ---- functions and control flow ---- */

START_TEST(functions_take_defaults_names_and_dimensions)
{
    static const double x[] = {1, 2, 3, 4, 5, 6};
    Model *m =
        model_open("fn scale(v: f32[A, B], by: 2, offset: by + B) { return v * by + offset }\n"
                   "fn twice(f, v) { return f(f(v)) }\n"
                   "fn early(n) { if n > 2 { return 1 } else if n > 1 { return 2 }\n return 3 }\n"
                   "fn add_one(v) { return v + 1 }\n"
                   "model m {\n"
                   "  input x: f32[N, 3]\n"
                   "  total = 0\n"
                   "  for k in [1, 10, 100] { total = total + k * early(k) }\n"
                   "  y = scale(offset: 1, v: x) + scale(x)\n"
                   "  output z = twice(add_one, y) + total\n"
                   "}\n",
                   1u << ENTRY_predict);
    double **out = model_run(m, ENTRY_predict, (Feed[]){{"x", x}, {NULL, NULL}});
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(out[0][i], 4 * x[i] + 1 + 5 + 2 + 113);
    model_close(m);
}
END_TEST

START_TEST(a_scan_carries_and_yields)
{
    static const double x[] = {1, 2, 3, 4, 5, 6};
    Model *m =
        model_open("model m {\n"
                   "  input x: f32[N, 3]\n"
                   "  sums = scan v in x axis 1 carry s = zeros([N]) { s = s + v; yield s }\n"
                   "  output sums\n"
                   "  output last = s\n"
                   "}\n",
                   1u << ENTRY_predict);
    double **out = model_run(m, ENTRY_predict, (Feed[]){{"x", x}, {NULL, NULL}});
    static const double sums[] = {1, 3, 6, 4, 9, 15}, last[] = {6, 15};
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(out[0][i], sums[i]);
    for (int i = 0; i < 2; i++)
        ck_assert_double_eq(out[1][i], last[i]);
    model_close(m);
}
END_TEST

START_TEST(optimizers_schedules_and_clipping_can_be_the_users)
{
    static const double x[] = {1, 2, 3, 4, 5, 6};
    Model *m = model_open(
        "fn mine(p, g, step, rate: 0.5) {\n"
        "  state count: f32[] = zeros()\n"
        "  update count = count + 1\n"
        "  return p - rate * g - count\n"
        "}\n"
        "fn half(step, steps, steps_per_epoch, rate) { return 0.5 if steps == 100 else 1 }\n"
        "fn clip_double(gradients) { return [gradients[0] * 2] }\n"
        "model m { input x: f32[N, 3]\n param w: f32[2] = ones()\n output y = x }\n"
        "train { minimize sum(w * w) + 0 * mean(x); optimizer mine; schedule half; clip double() "
        "}\n",
        ALL_ENTRIES);
    model_run(m, ENTRY_init, NULL);
    double **out = model_run(m, ENTRY_step, (Feed[]){{"x", x}, {NULL, NULL}});
    ck_assert_double_eq(out[1][0], 0.25);
    ck_assert_double_eq(model_state(m, "w")[1], 1 - 0.25 * 2 * 2 - 1);
    ck_assert_double_eq(model_state(m, "optimizer.w.count")[0], 1);
    model_close(m);
}
END_TEST

/* ---- overrides, variants, other files ---- */

static const char *read_other(void *user, const char *path, size_t *size)
{
    const char *text = strcmp(path, "other.mlc") == 0 ? user : NULL;
    if (text) *size = strlen(text);
    return text;
}

static const char varied[] =
    "use \"other.mlc\"\n"
    "const width = 4\n"
    "variant wide { const width = 8\n train { optimizer sgd(rate: 2) } }\n"
    "model m {\n"
    "  input x: f32[N, 3]\n"
    "  fc = layer(x, width)\n"
    "  output y = fc\n"
    "}\n"
    "train {\n  minimize mean(y)\n  optimizer sgd(rate: 1)\n  epochs 3\n}\n";
static char other[] = "fn layer(x, n) { return dense(x, n, bias: false) }\n";

START_TEST(the_resolved_file_means_the_same)
{
    Override set[] = {{"width", "5"}, {"train.steps", "7"}, {"train.batch", "16"}};
    FrontendOptions options = {.overrides = set,
                               .override_count = _i & 1 ? 3 : 0,
                               .variant = _i & 2 ? "wide" : NULL,
                               .read_file = read_other,
                               .user = other};
    Model *m = model_open_with(varied, ALL_ENTRIES, &options);
    ck_assert_msg(m->result != NULL, "%s", m->report);
    const char *want = _i & 1   ? "fc.weight: f32[5, 3]"
                       : _i & 2 ? "fc.weight: f32[8, 3]"
                                : "fc.weight: f32[4, 3]";
    ck_assert_str_eq(model_states(m, STATE_parameter), want);
    const TrainSettings *t = experiment_train(m->experiment);
    ck_assert_int_eq(t->steps, _i & 1 ? 7 : 0);
    ck_assert_int_eq(t->epochs, _i & 1 ? 0 : 3);
    ck_assert_int_eq(t->batch, _i & 1 ? 16 : 32);

    const char *resolved = experiment_resolved(m->experiment);
    ck_assert_ptr_null(strstr(resolved, "use \""));
    ck_assert_ptr_null(strstr(resolved, "variant"));
    Model *again = model_open(resolved, ALL_ENTRIES);
    ck_assert_msg(again->result != NULL, "%s\n%s", resolved, again->report);
    for (EntryKind e = 0; e < ENTRY_COUNT; e++)
        ck_assert_str_eq(model_entry(again, e), model_entry(m, e));
    const TrainSettings *u = experiment_train(again->experiment);
    ck_assert(u->steps == t->steps && u->epochs == t->epochs && u->batch == t->batch);
    model_close(m);
    model_close(again);
}
END_TEST

START_TEST(wrong_overrides_are_refused)
{
    static const struct {
        const char *key, *value, *variant, *message;
    } row[] = {
        {"widht", "5", NULL,
         "error: --set widht=5: there is no such constant or setting\nhint: did you mean "
         "`width`?\n"},
        {"train.bach", "5", NULL, "hint: did you mean `train.batch`?\n"},
        {"train.batch", "0", NULL,
         "--set train.batch:1:1: error: `batch` is a whole number from 1 on, and this is 0\n"},
        {"width", "5", "wid", "error: the file has no variant `wid`\nhint: did you mean `wide`?\n"},
        {"width", "(", NULL, "--set width:1:1: error: "},
    };
    Override set = {row[_i].key, row[_i].value};
    FrontendOptions options = {.overrides = &set,
                               .override_count = 1,
                               .variant = row[_i].variant,
                               .read_file = read_other,
                               .user = other};
    Model *m = model_open_with(varied, ALL_ENTRIES, &options);
    ck_assert_ptr_null(m->result);
    ck_assert_msg(strstr(m->report, row[_i].message) != NULL, "%s", m->report);
    model_close(m);
}
END_TEST

/* ---- blocks ---- */

START_TEST(the_data_block_becomes_a_tree)
{
    Model *m = model_open("const window = 4\n"
                          "data d {\n"
                          "  train: text(\"a.txt\", window: window * 2)\n"
                          "  validate: split(train, 0.1)\n"
                          "  drop: [\"name\", none]\n"
                          "}\n"
                          "model m { input x: f32[N, 3]\n output x }\n"
                          "train { minimize mean(x); optimizer sgd() }\n",
                          1u << ENTRY_predict);
    ck_assert_msg(m->experiment != NULL, "%s", m->report);
    const DataBlock *d = experiment_data(m->experiment);
    ck_assert_uint_eq(d->count, 3);
    const Static *text = &d->entry[0].value, *split = &d->entry[1].value,
                 *list = &d->entry[2].value;
    ck_assert(text->kind == STATIC_call && strcmp(text->text, "text") == 0 && text->count == 2);
    ck_assert_str_eq(text->element[0].text, "a.txt");
    ck_assert_str_eq(text->label[0], "");
    ck_assert_str_eq(text->label[1], "window");
    ck_assert(text->element[1].is_integer && text->element[1].number == 8);
    ck_assert(split->element[0].kind == STATIC_name &&
              strcmp(split->element[0].text, "train") == 0);
    ck_assert(!split->element[1].is_integer && split->element[1].number == 0.1);
    ck_assert(list->kind == STATIC_list && list->element[1].kind == STATIC_none);
    model_close(m);
}
END_TEST

START_TEST(the_compress_block_becomes_trees)
{
    Model *m = model_open("model m { input x: f32[N, 3]\n output x }\n"
                          "compress {\n  prune magnitude(sparsity: 2 / 4, epochs: 2)\n"
                          "  require accuracy >= best - 0.005\n}\n",
                          0);
    ck_assert_msg(m->experiment != NULL, "%s", m->report);
    const CompressBlock *c = experiment_compress(m->experiment);
    ck_assert_uint_eq(c->count, 2);
    const Static *prune = &c->setting[0].value, *require = &c->setting[1].value;
    ck_assert(strcmp(prune->text, "magnitude") == 0 && prune->element[0].number == 0.5);
    ck_assert_str_eq(prune->label[1], "epochs");
    ck_assert(strcmp(require->text, ">=") == 0 && require->element[0].kind == STATIC_name);
    ck_assert(strcmp(require->element[1].text, "-") == 0 &&
              require->element[1].element[1].number == 0.005);
    model_close(m);
}
END_TEST

START_TEST(settings_are_read)
{
    Model *m = model_open(
        "model m { input x: f32[N, 3]\n fc = dense(x, 1)\n output fc }\n"
        "train {\n  minimize mean(fc)\n  report err = mean(fc)\n  optimizer adam\n"
        "  schedule plateau(factor: 0.5, patience: 3)\n  batch all\n  accumulate 2\n  steps 2k\n  "
        "seed 9\n"
        "  precision bf16\n  stop err, 4\n  validate none\n  checkpoint 50\n  log 10\n}\n",
        ALL_ENTRIES);
    ck_assert_msg(m->result != NULL, "%s", m->report);
    const TrainSettings *t = experiment_train(m->experiment);
    ck_assert(t->present && t->batch == 0 && t->accumulate == 2 && t->steps == 2000 &&
              t->epochs == 0);
    ck_assert(t->seed == 9 && t->validate == 0 && t->checkpoint == 50 && t->log == 10);
    ck_assert(t->stop_patience == 4 && strcmp(t->stop_metric, "err") == 0 &&
              strcmp(t->best_metric, "err") == 0);
    ck_assert_str_eq(t->precision, "bf16");
    ck_assert(t->plateau && t->plateau_factor == 0.5 && t->plateau_patience == 3);
    ck_assert_str_eq(model_states(m, STATE_counter),
                     "train.seed: i32[], train.step: i32[], train.plateau: f32[]");
    model_close(m);
}
END_TEST

START_TEST(weights_are_mapped)
{
    Model *m =
        model_open("weights \"a.safetensors\" { \"t.*\" -> \"*\"\n \"*.c.weight\" -> transpose }\n"
                   "model m { input x: f32[N, 3]\n output x }\n",
                   0);
    const WeightMap *w = experiment_weights(m->experiment);
    ck_assert_str_eq(w->file, "a.safetensors");
    ck_assert_uint_eq(w->count, 2);
    ck_assert_str_eq(w->rule[0].target, "*");
    ck_assert(w->rule[1].transpose && !w->rule[1].target);
    model_close(m);
}
END_TEST

/* ---- limits: no file makes the compiler run away ---- */

START_TEST(elaboration_is_bounded)
{
    static const char *const text[] = {
        "fn f(x) { for i in 0..1000 { for j in 0..1000 { for k in 0..1000 { x = x } } }\n return x "
        "}\n"
        "model m { input x: f32[N, 3]\n y = f(x)\n output y }",
        "model m { input x: f32[N, 3]\n y = [1]\n for i in 0..40 { y = y + y }\n output x }",
        "model m { input x: f32[N, 3]\n y = zeros([1000000, 1000000, 1000])\n output x }",
        "model m { input x: f32[N, 3]\n y = 0..99999999\n output x }",
        ("fn f(x, init: init) { param w: f32[3] = init\n return w }\n"
         "model m { input x: f32[N, 3]\n y = f(x)\n output y }"),
        "model m { input x: f32[N, 3]\n y = uniform(shape: [1000000, 1000000, 1000])\n output x }",
        "fn f(x: f32[iota(3)]) { return x }\nmodel m { input x: f32[N]\n y = f(x)\n output y }",
        "fn f(g, x) { return g(g, x) }\nmodel m { input x: f32[N, 3]\n y = f(f, x)\n output y }",
    };
    static const char *const message[] = {
        "the file takes more than 1000000 calls and loop turns",
        "the list grows beyond a million elements",
        "elements",
        "the range has more than a million elements",
        "this default goes through itself",
        "elements",
        "a size is a whole number known at compile time",
        "`f` calls itself",
    };
    Model *m = model_open(text[_i], ALL_ENTRIES);
    ck_assert_ptr_null(m->result);
    ck_assert_msg(strstr(m->report, message[_i]) != NULL, "%s", m->report);
    model_close(m);
}
END_TEST

/* ---- examples ---- */

static const char *const example[] = {"gpt/gpt.mlc", "resnet/resnet20.mlc", "digits/mnist.mlc"};

START_TEST(examples_elaborate_and_resolve)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/examples/%s", MLC_SOURCE_DIR, example[_i]);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    char *text = calloc(1, 1 << 16);
    ck_assert_uint_gt(fread(text, 1, (1 << 16) - 1, file), 0);
    fclose(file);
    Model *m = model_open(text, ALL_ENTRIES);
    ck_assert_msg(m->result != NULL, "%s", m->report);
    ck_assert_str_eq(m->report, "");
    Model *again = model_open(experiment_resolved(m->experiment), 1u << ENTRY_predict);
    ck_assert_str_eq(model_entry(again, ENTRY_predict), model_entry(m, ENTRY_predict));
    model_close(m);
    model_close(again);
    free(text);
}
END_TEST

Suite *suite_elaborate(void);
Suite *suite_elaborate(void)
{
    Suite *suite = suite_create("elaborate");
    TCase *t = tcase_create("elaborate");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_layer_becomes_nodes);
    tcase_add_loop_test(t, parameters_are_called_after_bindings, 0,
                        (int)(sizeof named / sizeof *named));
    tcase_add_test(t, entries_give_what_they_promise);
    tcase_add_test(t, metrics_inputs_and_outputs_are_listed);
    tcase_add_test(t, evaluation_draws_nothing_and_updates_nothing);
    tcase_add_test(t, a_new_layer_does_not_reshuffle);
    tcase_add_loop_test(t, an_expression_has_its_value, 0,
                        (int)(sizeof expressions / sizeof *expressions));
    tcase_add_test(t, functions_take_defaults_names_and_dimensions);
    tcase_add_test(t, a_scan_carries_and_yields);
    tcase_add_test(t, optimizers_schedules_and_clipping_can_be_the_users);
    tcase_add_loop_test(t, the_resolved_file_means_the_same, 0, 4);
    tcase_add_loop_test(t, wrong_overrides_are_refused, 0, 5);
    tcase_add_test(t, the_data_block_becomes_a_tree);
    tcase_add_test(t, the_compress_block_becomes_trees);
    tcase_add_test(t, settings_are_read);
    tcase_add_test(t, weights_are_mapped);
    tcase_add_loop_test(t, elaboration_is_bounded, 0, 8);
    tcase_add_loop_test(t, examples_elaborate_and_resolve, 0,
                        (int)(sizeof example / sizeof *example));
    suite_add_tcase(suite, t);
    return suite;
}

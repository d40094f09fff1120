/* What runtime/mlc.h promises, on every device: handles, ports, weights, training, events, interruption, errors, threads. */
#include "tests/embed/kit.h"

#include <check.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINEAR                                                                                     \
    "model linear {\n"                                                                             \
    "  input x: f32[N, 3]\n"                                                                       \
    "  input t: f32[N, 2]\n"                                                                       \
    "  fc1 = dense(x, 2)\n"                                                                        \
    "  output y = fc1\n"                                                                           \
    "}\n"                                                                                          \
    "train { minimize mse(fc1, t); optimizer adam(rate: 0.1); batch 2; steps 4 }\n"

#define LARGE                                                                                      \
    "model large {\n  input x: f32[N, 512]\n  input y: f32[N, 10]\n"                               \
    "  fc1 = dense(x, 256)\n  fc2 = dense(relu(fc1), 10)\n  output z = fc2\n}\n"                   \
    "train {\n  minimize mse(z, y)\n  optimizer adam(rate: 1e-2)\n  batch 4\n}\n"

#define POINTS                                                                                     \
    "data points {\n"                                                                              \
    "  train: synthetic(samples: 60, classes: 3, shape: [4])\n"                                    \
    "  test: synthetic(samples: 12, classes: 3, shape: [4], seed: 9)\n"                            \
    "  validate: split(train, 0.2)\n"                                                              \
    "}\n"                                                                                          \
    "model points {\n"                                                                             \
    "  input x: f32[N, 4]\n"                                                                       \
    "  input label: i32[N]\n"                                                                      \
    "  fc1 = dense(dropout(x, 0.1), 3)\n"                                                          \
    "  output logits = fc1\n"                                                                      \
    "}\n"                                                                                          \
    "train {\n"                                                                                    \
    "  minimize cross_entropy(fc1, label)\n"                                                       \
    "  report accuracy = accuracy(fc1, label)\n"                                                   \
    "  optimizer adam(rate: 0.05)\n"                                                               \
    "  schedule cosine(warmup: 2)\n"                                                               \
    "  batch 8; epochs 3; log 1\n"                                                                 \
    "}\n"

static const char *const devices[] = {"reference", "cpu"};

static Side open_text(const char *text, const char *device)
{
    Side side;
    side_open(&side, &(SideOptions){.device = device, .threads = 2, .path = "m.mlc", .text = text});
    return side;
}

static Tensors trained(Side *side, const char *folder, bool resume)
{
    mlc_train_options options = {.size = sizeof options, .out = folder, .resume = resume};
    side_expect(side, mlc_train(side->model, &options), "train");
    return side_weights(side);
}

/* --- on memory ----------------------------------------------------------------------------------------------------------- */

START_TEST(ports_say_what_an_entry_takes)
{
    Side side = open_text(LINEAR, devices[_i]);
    const mlc_tensor *in, *out;
    uint32_t in_count, out_count;
    side_expect(&side, mlc_entry_ports(side.model, "predict", &in, &in_count, &out, &out_count),
                "ports");
    ck_assert_uint_eq(in_count, 1);
    ck_assert_uint_eq(out_count, 1);
    ck_assert_str_eq(in[0].name, "x");
    ck_assert_str_eq(in[0].type, "f32");
    ck_assert(in[0].rank == 2 && in[0].extent[0] == 2 && in[0].extent[1] == 3 &&
              in[0].bytes == 24 && !in[0].data);
    ck_assert_str_eq(out[0].name, "y");
    ck_assert(out[0].rank == 2 && out[0].extent[0] == 2 && out[0].extent[1] == 2 &&
              out[0].bytes == 16 && !out[0].data);
    side_expect(&side, mlc_entry_ports(side.model, "step", &in, &in_count, &out, &out_count),
                "ports");
    ck_assert_uint_eq(in_count, 2);
    ck_assert_str_eq(out[0].name, "loss");
    ck_assert_str_eq(out[out_count - 1].name, "rate");
    side_close(&side);
}
END_TEST

START_TEST(calls_compute_with_the_weights_given)
{
    static const float weight[6] = {1, 2, 3, -1, 0, 2}, bias[2] = {10, 20},
                       x[6] = {1, 0, -1, 2, 3, 4};
    static const float expected[4] = {8, 17, 30, 26};
    Side side = open_text(LINEAR, devices[_i]);
    const mlc_tensor *tensor;
    uint32_t count;
    side_expect(&side, mlc_weights(side.model, &tensor, &count), "weights");
    ck_assert_uint_eq(count, 2);
    for (uint32_t i = 0; i < count; i++) {
        bool is_weight = !strcmp(tensor[i].name, "fc1.weight");
        ck_assert(is_weight || !strcmp(tensor[i].name, "fc1.bias"));
        memcpy(tensor[i].data, is_weight ? weight : bias, tensor[i].bytes);
    }
    float y[4];
    side_expect(&side, mlc_call(side.model, "predict", (const void *[]){x}, (void *[]){y}), "call");
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(y[i], expected[i]);
    side_close(&side);
}
END_TEST

START_TEST(seeds_decide_the_weights)
{
    Side a = open_text(LINEAR, devices[_i]), b = open_text(LINEAR, devices[_i]);
    mlc_model *other;
    mlc_model_options open = {
        .size = sizeof open, .text = LINEAR, .device = devices[_i], .seed = 3, .cache_folder = ""};
    side_expect(&b, mlc_model_open(b.session, "m.mlc", &open, &other), "opening");
    Side c = {.session = b.session, .model = other, .label = "seed 3"};
    Tensors x = side_weights(&a), y = side_weights(&b), z = side_weights(&c);
    expect_same_bits(&b, "weights of one seed", &y, &x);
    ck_assert(memcmp(x.at[0].data, z.at[0].data, x.at[0].bytes) != 0);
    tensors_free(&x);
    tensors_free(&y);
    tensors_free(&z);
    side_close(&a);
    side_close(&b);
}
END_TEST

START_TEST(saved_weights_load_bit_for_bit)
{
    char path[] = "/tmp/mlc-embed-XXXXXX";
    close(mkstemp(path));
    Side a = open_text(LINEAR, devices[_i]), b = open_text(LINEAR, devices[_i]);
    Tensors inputs = side_inputs(&a, "step", 1), outputs = side_call(&a, "step", &inputs);
    Tensors ours = side_weights(&a);
    side_expect(&a, mlc_save(a.model, path), "save");
    side_expect(&b, mlc_load(b.model, path), "load");
    Tensors theirs = side_weights(&b);
    expect_same_bits(&b, "loaded weights", &theirs, &ours);
    tensors_free(&inputs);
    tensors_free(&outputs);
    tensors_free(&ours);
    tensors_free(&theirs);
    side_close(&a);
    side_close(&b);
    unlink(path);
}
END_TEST

/* Large enough for panels (passes/states.h), whose products sum in the order of rows: nobody can tell, whether the entry that chooses them
 * comes first or the weights are asked for, and so laid out in rows. */
START_TEST(weights_in_panels_look_like_rows)
{
    char path[] = "/tmp/mlc-embed-XXXXXX";
    close(mkstemp(path));
    Side rows = open_text(LARGE, devices[_i]), panels = open_text(LARGE, devices[_i]);
    Tensors first = side_weights(&rows);
    Tensors inputs = side_inputs(&rows, "step", 1), result[4];
    result[0] = side_call(&panels, "step", &inputs);
    side_set_weights(&panels, &first);
    side_set_weights(&rows, &first);
    result[1] = side_call(&rows, "grad", &inputs);
    result[2] = side_call(&panels, "grad", &inputs);
    expect_same_bits(&panels, "gradients", &result[2], &result[1]);
    side_expect(&panels, mlc_save(panels.model, path), "save");
    result[3] = side_call(&rows, "step", &inputs);
    side_expect(&rows, mlc_load(rows.model, path), "load");
    Tensors ours = side_weights(&rows), theirs = side_weights(&panels);
    expect_same_bits(&rows, "weights saved in rows", &ours, &first);
    expect_same_bits(&panels, "weights set in panels", &theirs, &first);
    for (int i = 0; i < 4; i++)
        tensors_free(&result[i]);
    tensors_free(&first);
    tensors_free(&inputs);
    tensors_free(&ours);
    tensors_free(&theirs);
    side_close(&rows);
    side_close(&panels);
    unlink(path);
}
END_TEST

/* Who predicts first has them as predicting reads them, and may train all the same. */
START_TEST(weights_of_a_predictor_train)
{
    Side rows = open_text(LARGE, devices[_i]), columns = open_text(LARGE, devices[_i]);
    Tensors first = side_weights(&rows), inputs[2], result[7];
    inputs[0] = side_inputs(&rows, "predict", 1);
    inputs[1] = side_inputs(&rows, "step", 1);
    result[6] = side_call(&columns, "predict", &inputs[0]);
    side_set_weights(&columns, &first);
    result[0] = side_call(&columns, "predict", &inputs[0]);
    result[1] = side_call(&rows, "predict", &inputs[0]);
    expect_same_bits(&columns, "predictions", &result[0], &result[1]);
    for (int i = 0; i < 2; i++) {
        result[2 + i] = side_call(&rows, "step", &inputs[1]);
        result[4 + i] = side_call(&columns, "step", &inputs[1]);
        expect_same_bits(&columns, "losses", &result[4 + i], &result[2 + i]);
    }
    Tensors ours = side_weights(&rows), theirs = side_weights(&columns);
    expect_same_bits(&columns, "weights", &theirs, &ours);
    for (int i = 0; i < 7; i++)
        tensors_free(&result[i]);
    for (int i = 0; i < 2; i++)
        tensors_free(&inputs[i]);
    tensors_free(&first);
    tensors_free(&ours);
    tensors_free(&theirs);
    side_close(&rows);
    side_close(&columns);
}
END_TEST

START_TEST(weights_of_another_model_are_refused_whole)
{
    char path[] = "/tmp/mlc-embed-XXXXXX";
    close(mkstemp(path));
    Side a = open_text(LINEAR, devices[_i]);
    Side b = open_text("model other {\n  input x: f32[N, 3]\n  fc1 = dense(x, 4)\n  fc2 = dense(x, "
                       "2)\n  output y = fc1\n}\n",
                       devices[_i]);
    side_expect(&a, mlc_save(a.model, path), "save");
    Tensors before = side_weights(&b);
    ck_assert_int_eq(mlc_load(b.model, path), MLC_INVALID);
    const char *said = mlc_diagnostics(b.session, false);
    ck_assert_msg(strstr(said, "fc1.weight") && strstr(said, "fc2.weight") &&
                      strstr(said, "f32[4, 3]") && strstr(said, "f32[2, 3]"),
                  "%s", said);
    Tensors after = side_weights(&b);
    expect_same_bits(&b, "weights after a refused load", &after, &before);
    tensors_free(&before);
    tensors_free(&after);
    side_close(&a);
    side_close(&b);
    unlink(path);
}
END_TEST

/* --- training ------------------------------------------------------------------------------------------------------------ */

typedef struct Log {
    int count[MLC_EVENT_TUNED + 1];
    int64_t stop_at; /* interrupts behind this step; 0: never */
    mlc_session *session;
    double first, last;
    bool in_order;
    mlc_event_kind before;
} Log;

static void on_event(void *user, const mlc_event *event)
{
    Log *log = user;
    log->count[event->kind]++;
    if (event->kind == MLC_EVENT_PROGRESS || event->kind >= MLC_EVENT_NOTE) return;
    if (!event->json || event->json[0] != '{' || strchr(event->json, '\n')) log->in_order = false;
    bool started = log->before != MLC_EVENT_PROGRESS;
    if (started == (event->kind == MLC_EVENT_START) || log->before == MLC_EVENT_END)
        log->in_order = false;
    log->before = event->kind;
    if (event->kind != MLC_EVENT_STEP) return;
    if (event->step == 1) log->first = event->loss;
    log->last = event->loss;
    if (event->step == log->stop_at) mlc_interrupt(log->session);
}

static void listen_to(Side *side, Log *log, int64_t stop_at)
{
    *log = (Log){.stop_at = stop_at,
                 .session = side->session,
                 .in_order = true,
                 .before = MLC_EVENT_PROGRESS};
    mlc_on_event(side->session, on_event, log);
}

static void remove_folder(const char *path)
{
    char command[600];
    snprintf(command, sizeof command, "rm -r %s", path);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(training_reports_and_leaves_a_run_folder)
{
    static const char *const files[] = {"checkpoint.safetensors", "best.safetensors",
                                        "metrics.jsonl", "model.mlc"};
    char folder[] = "/tmp/mlc-embed-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    Side side = open_text(POINTS, devices[_i]);
    Log log;
    listen_to(&side, &log, 0);
    Tensors weights = trained(&side, folder, false);
    ck_assert(log.in_order);
    ck_assert_int_eq(log.count[MLC_EVENT_START], 1);
    ck_assert_int_eq(log.count[MLC_EVENT_STEP], 18); /* 48 samples in batches of 8, three times */
    ck_assert_int_eq(log.count[MLC_EVENT_EPOCH], 3);
    ck_assert_int_eq(log.count[MLC_EVENT_END], 1);
    ck_assert(log.last < log.first);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        ck_assert_msg(access(path, R_OK) == 0, "%s is missing", path);
    }
    const mlc_metric *metric;
    uint32_t count;
    side_expect(&side, mlc_eval(side.model, folder, "test", &metric, &count), "eval");
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(metric[0].name, "loss");
    ck_assert_str_eq(metric[1].name, "accuracy");
    ck_assert(metric[1].value > 1.0 / 3 && metric[1].value <= 1);
    tensors_free(&weights);
    side_close(&side);
    remove_folder(folder);
}
END_TEST

START_TEST(an_interrupted_run_resumes_bit_for_bit)
{
    char whole[] = "/tmp/mlc-embed-XXXXXX", parts[] = "/tmp/mlc-embed-XXXXXX";
    ck_assert(mkdtemp(whole) && mkdtemp(parts));
    Side a = open_text(POINTS, devices[_i]), b = open_text(POINTS, devices[_i]),
         c = open_text(POINTS, devices[_i]);
    Tensors expected = trained(&a, whole, false);
    Log log;
    listen_to(&b, &log, 7);
    mlc_train_options options = {.size = sizeof options, .out = parts};
    ck_assert_int_eq(mlc_train(b.model, &options), MLC_INTERRUPTED);
    ck_assert_int_eq(log.count[MLC_EVENT_STEP], 7);
    Tensors resumed = trained(&c, parts, true);
    expect_same_bits(&c, "resumed weights", &resumed, &expected);
    tensors_free(&expected);
    tensors_free(&resumed);
    side_close(&a);
    side_close(&b);
    side_close(&c);
    remove_folder(whole);
    remove_folder(parts);
}
END_TEST

/* What was compiled before the data was read assumed how long the run is: it must not be trained with. */
START_TEST(asking_first_changes_nothing)
{
    char plain[] = "/tmp/mlc-embed-XXXXXX", asked[] = "/tmp/mlc-embed-XXXXXX";
    ck_assert(mkdtemp(plain) && mkdtemp(asked));
    Side a = open_text(POINTS, devices[_i]), b = open_text(POINTS, devices[_i]);
    const char *text;
    side_expect(&b, mlc_check(b.model, true, &text), "check");
    ck_assert(text[0] == '{' && strstr(text, "\"parameters\":15"));
    side_expect(&b, mlc_dump(b.model, "graph", "step", "text", &text), "dump");
    ck_assert(strstr(text, "fc1.weight"));
    Tensors expected = trained(&a, plain, false), got = trained(&b, asked, false);
    expect_same_bits(&b, "weights", &got, &expected);
    tensors_free(&expected);
    tensors_free(&got);
    side_close(&a);
    side_close(&b);
    remove_folder(plain);
    remove_folder(asked);
}
END_TEST

/* --- the library as a guest ---------------------------------------------------------------------------------------------- */

static void *train_alone(void *argument)
{
    const char *device = argument;
    char folder[] = "/tmp/mlc-embed-XXXXXX";
    if (!mkdtemp(folder)) return NULL;
    mlc_session *session = NULL;
    mlc_model *model;
    const mlc_tensor *tensor = NULL;
    uint32_t count = 0;
    mlc_model_options open = {.size = sizeof open,
                              .text = POINTS,
                              .device = device,
                              .threads = 2,
                              .seed = -1,
                              .cache_folder = ""};
    mlc_train_options train = {.size = sizeof train, .out = folder};
    bool done = mlc_session_open(NULL, &session) == MLC_OK &&
                mlc_model_open(session, "m.mlc", &open, &model) == MLC_OK &&
                mlc_train(model, &train) == MLC_OK && mlc_weights(model, &tensor, &count) == MLC_OK;
    void *copy = done && count ? malloc(tensor[0].bytes) : NULL;
    if (copy) memcpy(copy, tensor[0].data, tensor[0].bytes);
    mlc_session_close(session);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) return NULL;
    return copy;
}

START_TEST(sessions_of_two_threads_do_not_meet)
{
    pthread_t thread[2];
    void *weights[3];
    weights[2] = train_alone((void *)(uintptr_t)devices[_i]);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(
            pthread_create(&thread[i], NULL, train_alone, (void *)(uintptr_t)devices[_i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], &weights[i]);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(weights[i]);
        ck_assert(!memcmp(weights[i], weights[2],
                          12 * sizeof(float))); /* fc1.weight [3, 4], or its bias and more */
    }
    for (int i = 0; i < 3; i++)
        free(weights[i]);
}
END_TEST

START_TEST(the_process_is_left_alone)
{
    char log[] = "/tmp/mlc-embed-XXXXXX", folder[] = "/tmp/mlc-embed-XXXXXX";
    int file = mkstemp(log), out = dup(1), err = dup(2);
    ck_assert(file >= 0 && mkdtemp(folder));
    struct sigaction interrupt, after;
    sigaction(SIGINT, NULL, &interrupt);
    char *locale = strdup(setlocale(LC_ALL, NULL));
    fflush(NULL);
    dup2(file, 1);
    dup2(file, 2);
    Side side = open_text(POINTS, devices[_i]);
    Tensors weights = trained(&side, folder, false);
    mlc_status refused = mlc_load(side.model, "no such file");
    side_close(&side);
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    ck_assert(refused != MLC_OK);
    ck_assert_msg(lseek(file, 0, SEEK_END) == 0, "the library printed something; it is in %s", log);
    sigaction(SIGINT, NULL, &after);
    ck_assert(interrupt.sa_handler == after.sa_handler);
    ck_assert_str_eq(locale, setlocale(LC_ALL, NULL));
    free(locale);
    tensors_free(&weights);
    close(file);
    close(out);
    close(err);
    unlink(log);
    remove_folder(folder);
}
END_TEST

static Suite *suite_embed(void)
{
    Suite *suite = suite_create("embed");
    TCase *memory = tcase_create("memory"), *training = tcase_create("training"),
          *guest = tcase_create("guest");
    int count = sizeof devices / sizeof *devices;
    tcase_set_timeout(memory, 60);
    tcase_set_timeout(training, 60);
    tcase_set_timeout(guest, 60);
    tcase_add_loop_test(memory, ports_say_what_an_entry_takes, 0, count);
    tcase_add_loop_test(memory, calls_compute_with_the_weights_given, 0, count);
    tcase_add_loop_test(memory, seeds_decide_the_weights, 0, count);
    tcase_add_loop_test(memory, saved_weights_load_bit_for_bit, 0, count);
    tcase_add_loop_test(memory, weights_in_panels_look_like_rows, 0, count);
    tcase_add_loop_test(memory, weights_of_a_predictor_train, 0, count);
    tcase_add_loop_test(memory, weights_of_another_model_are_refused_whole, 0, count);
    tcase_add_loop_test(training, training_reports_and_leaves_a_run_folder, 0, count);
    tcase_add_loop_test(training, an_interrupted_run_resumes_bit_for_bit, 0, count);
    tcase_add_loop_test(training, asking_first_changes_nothing, 0, count);
    tcase_add_loop_test(guest, sessions_of_two_threads_do_not_meet, 0, count);
    tcase_add_loop_test(guest, the_process_is_left_alone, 0, count);
    suite_add_tcase(suite, memory);
    suite_add_tcase(suite, training);
    suite_add_tcase(suite, guest);
    return suite;
}

TCase *case_refusals(void);
TCase *case_memory_runs_out(void);

int main(void)
{
    Suite *suite = suite_embed();
    suite_add_tcase(suite, case_refusals());
    suite_add_tcase(suite, case_memory_runs_out());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

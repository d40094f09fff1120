/* What is wrong is refused with the right status and says why; what runs out of memory says so and leaks nothing. */
#include "tests/embed/kit.h"

#include <check.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char good[] =
    "data points { train: synthetic(samples: 14, classes: 3, shape: [4]); test: split(train, 0.4) "
    "}\n"
    "model m {\n"
    "  input x: f32[N, 4]\n"
    "  input label: i32[N]\n"
    "  fc1 = dense(x, 3)\n"
    "  output y = fc1\n"
    "}\n"
    "train { minimize cross_entropy(fc1, label); optimizer adam(); batch 4; epochs 1 }\n";

typedef struct Refusal {
    const char *text, *device, *precision;
    mlc_status status;
    const char *says[4];
} Refusal;

static const Refusal refusals[] = {
    {.text = "model m { input x: f32[N, 4]\n  fc1 = dens(x, 3)\n  output y = fc1\n}",
     .status = MLC_INVALID,
     .says = {"m.mlc:2:9: error:", "fc1 = dens(x, 3)", "^~~", "dense"}},
    {.text = "model m { input x: f32[N, 4]\n  output y = matmul(x, x)\n}",
     .status = MLC_INVALID,
     .says = {"m.mlc:2:14: error:", "f32[N, 4]", "^"}},
    {.text = "model m { input x: f32[N, 4]",
     .status = MLC_INVALID,
     .says = {"m.mlc:1:", "error:", "^"}},
    {.text = "", .status = MLC_INVALID, .says = {"m.mlc", "no model block"}},
    {.text = good, .device = "gpu", .status = MLC_USAGE, .says = {"gpu", "reference"}},
    {.text = good, .precision = "f64", .status = MLC_USAGE, .says = {"f64", "bf16"}},
};

/* Elaboration waits for a batch size, so a mistake in the model may be found by the first question only. */
static mlc_status open_and_ask(mlc_session *session, const mlc_model_options *options)
{
    mlc_model *model;
    const char *text;
    mlc_status status = mlc_model_open(session, "m.mlc", options, &model);
    return status == MLC_OK ? mlc_check(model, false, &text) : status;
}

START_TEST(mistakes_are_refused_with_a_reason)
{
    const Refusal *r = &refusals[_i];
    mlc_session *session;
    ck_assert_int_eq(mlc_session_open(NULL, &session), MLC_OK);
    mlc_model_options options = {.size = sizeof options,
                                 .text = r->text,
                                 .device = r->device ? r->device : "reference",
                                 .precision = r->precision,
                                 .seed = -1};
    mlc_status status = open_and_ask(session, &options);
    const char *said = mlc_diagnostics(session, false);
    ck_assert_msg(status == r->status, "status %d\n%s", (int)status, said);
    for (int i = 0; i < 4 && r->says[i]; i++)
        ck_assert_msg(strstr(said, r->says[i]), "does not say `%s`:\n%s", r->says[i], said);
    ck_assert(!strchr(said, '\x1b'));
    ck_assert(strchr(mlc_diagnostics(session, true), '\x1b') != NULL);
    mlc_session_close(session);
}
END_TEST

START_TEST(wrong_arguments_are_usage)
{
    Side side;
    const mlc_tensor *tensor;
    const char *text;
    uint32_t count;
    ck_assert_int_eq(mlc_session_open(NULL, NULL), MLC_USAGE);
    side_open(&side,
              &(SideOptions){.device = "reference", .threads = 1, .path = "m.mlc", .text = good});
    mlc_model *model = NULL;
    mlc_model_options short_options = {.size = 3};
    mlc_train_options short_train = {.size = 3};
    mlc_tune_options short_tune = {.size = 3};
    mlc_quantize_options short_quantize = {.size = 3, .weights = "w", .out = "q"};
    ck_assert_int_eq(mlc_model_open(side.session, NULL, NULL, &model), MLC_USAGE);
    ck_assert_int_eq(mlc_model_open(side.session, "m.mlc", NULL, NULL), MLC_USAGE);
    ck_assert_int_eq(mlc_model_open(side.session, "m.mlc", &short_options, &model), MLC_USAGE);
    ck_assert_int_eq(mlc_model_open(NULL, "m.mlc", NULL, &model), MLC_USAGE);
    ck_assert_int_eq(mlc_entry_ports(side.model, "predikt", &tensor, &count, &tensor, &count),
                     MLC_USAGE);
    ck_assert_ptr_nonnull(strstr(mlc_diagnostics(side.session, false), "predikt"));
    ck_assert_int_eq(mlc_entry_ports(side.model, NULL, &tensor, &count, &tensor, &count),
                     MLC_USAGE);
    ck_assert_int_eq(mlc_call(side.model, "predikt", NULL, NULL), MLC_USAGE);
    ck_assert_int_eq(mlc_train(side.model, &short_train), MLC_USAGE);
    ck_assert_int_eq(mlc_train(NULL, NULL), MLC_USAGE);
    ck_assert_int_eq(mlc_weights(NULL, &tensor, &count), MLC_USAGE);
    ck_assert_int_eq(mlc_dump(side.model, "grph", NULL, "text", &text), MLC_USAGE);
    ck_assert_int_eq(mlc_tune(side.model, NULL, NULL, &text), MLC_USAGE);
    ck_assert_int_eq(mlc_tune(side.model, "kernels", &short_tune, &text), MLC_USAGE);
    ck_assert_int_eq(mlc_tune(side.model, "kernels", NULL, &text), MLC_USAGE); /* on reference */
    ck_assert_int_eq(mlc_quantize(side.model, NULL), MLC_USAGE);
    ck_assert_int_eq(mlc_quantize(side.model, &short_quantize), MLC_USAGE);
    ck_assert_int_eq(mlc_help(side.session, "no such topic", &text), MLC_USAGE);
    ck_assert_ptr_nonnull(strstr(mlc_diagnostics(side.session, false), "no such topic"));
    side_expect(&side, mlc_help(side.session, "dense", &text), "help");
    ck_assert_str_eq(mlc_diagnostics(side.session, false), ""); /* of the last call only */
    ck_assert_ptr_nonnull(strstr(text, "units"));
    mlc_model_close(NULL);
    mlc_session_close(NULL);
    side_close(&side);
}
END_TEST

START_TEST(null_is_no_session_and_no_buffer)
{
    Side side;
    const mlc_metric *metric;
    uint32_t count;
    float x[16] = {0}, y[12];
    int32_t label[4] = {0, 1, 3, 2};
    mlc_session *session;
    ck_assert_int_eq(mlc_session_open(&(mlc_session_options){.size = 3}, &session), MLC_USAGE);
    ck_assert_ptr_null(session);
    ck_assert_str_eq(mlc_diagnostics(NULL, false), "");
    mlc_interrupt(NULL);
    mlc_on_event(NULL, NULL, NULL);
    side_open(&side,
              &(SideOptions){.device = "reference", .threads = 1, .path = "m.mlc", .text = good});
    ck_assert_int_eq(mlc_eval(side.model, NULL, "test", &metric, &count), MLC_USAGE);
    ck_assert_ptr_nonnull(strstr(mlc_diagnostics(side.session, true), "NULL"));
    const void *const full[] = {x}, *const empty[] = {NULL};
    void *const results[] = {y}, *const nothing[] = {NULL};
    const void *const *const in[] = {NULL, empty, full, full};
    void *const *const out[] = {results, results, NULL, nothing};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(mlc_call(side.model, "predict", in[i], out[i]), MLC_USAGE);
        const char *port = i < 2 ? "`x`" : "`y`";
        ck_assert_ptr_nonnull(strstr(mlc_diagnostics(side.session, false), port));
    }
    side_expect(&side, mlc_call(side.model, "predict", full, results), "call");
    const mlc_tensor *port, *ignored;
    uint32_t ports, outputs;
    side_expect(&side, mlc_entry_ports(side.model, "loss", &port, &ports, &ignored, &outputs),
                "ports");
    ck_assert_uint_eq(ports, 2);
    const void *pair[2];
    for (uint32_t i = 0; i < ports; i++)
        pair[i] = strcmp(port[i].name, "x") ? (const void *)label : x;
    ck_assert_int_eq(mlc_call(side.model, "loss", pair, results), MLC_INVALID);
    ck_assert_ptr_nonnull(strstr(mlc_diagnostics(side.session, false), "value 3 of `label`"));
    side_close(&side);
}
END_TEST

/* What an event function may not do is refused, and the work goes on. */
typedef struct Meddler {
    Side side;
    int refused;
} Meddler;

static void meddle(void *user, const mlc_event *event)
{
    Meddler *meddler = user;
    const char *text;
    mlc_model *model;
    if (event->kind != MLC_EVENT_EPOCH) return;
    meddler->refused += mlc_check(meddler->side.model, false, &text) == MLC_USAGE;
    meddler->refused += mlc_train(meddler->side.model, NULL) == MLC_USAGE;
    meddler->refused += mlc_help(meddler->side.session, "dense", &text) == MLC_USAGE;
    meddler->refused +=
        mlc_model_open(meddler->side.session, "m.mlc", NULL, &model) == MLC_USAGE && !model;
    mlc_model_close(meddler->side.model);
    mlc_session_close(meddler->side.session);
    ck_assert_str_eq(mlc_diagnostics(meddler->side.session, false), "");
    ck_assert(strstr(event->json, "\"epoch\"") != NULL);
}

START_TEST(calls_do_not_nest)
{
    char folder[] = "/tmp/mlc-embed-XXXXXX", command[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    Meddler meddler = {.refused = 0};
    side_open(&meddler.side,
              &(SideOptions){.device = "reference", .threads = 1, .path = "m.mlc", .text = good});
    mlc_on_event(meddler.side.session, meddle, &meddler);
    mlc_train_options train = {.size = sizeof train, .out = folder};
    side_expect(&meddler.side, mlc_train(meddler.side.model, &train), "train");
    ck_assert_int_eq(meddler.refused, 4);
    mlc_on_event(meddler.side.session, NULL, NULL);
    side_expect(&meddler.side, mlc_train(meddler.side.model, &train), "train again");
    side_close(&meddler.side);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(files_that_are_not_there_are_named)
{
    Side side;
    mlc_model *model;
    mlc_model_options options = {.size = sizeof options, .device = "reference", .seed = -1};
    side_open(&side,
              &(SideOptions){.device = "reference", .threads = 1, .path = "m.mlc", .text = good});
    ck_assert_int_eq(mlc_model_open(side.session, "/nowhere/a.mlc", &options, &model), MLC_INVALID);
    ck_assert_ptr_nonnull(strstr(mlc_diagnostics(side.session, false), "/nowhere/a.mlc"));
    ck_assert_int_eq(mlc_load(side.model, "/nowhere/b.safetensors"), MLC_INVALID);
    ck_assert_ptr_nonnull(strstr(mlc_diagnostics(side.session, false), "/nowhere/b.safetensors"));
    ck_assert_int_eq(mlc_save(side.model, "/nowhere/c.safetensors"), MLC_FAILED);
    ck_assert_ptr_nonnull(strstr(mlc_diagnostics(side.session, false), "/nowhere/c.safetensors"));
    side_close(&side);
}
END_TEST

TCase *case_refusals(void);
TCase *case_refusals(void)
{
    TCase *tests = tcase_create("refusals");
    tcase_add_loop_test(tests, mistakes_are_refused_with_a_reason, 0,
                        sizeof refusals / sizeof *refusals);
    tcase_add_test(tests, wrong_arguments_are_usage);
    tcase_add_test(tests, null_is_no_session_and_no_buffer);
    tcase_add_test(tests, calls_do_not_nest);
    tcase_add_test(tests, files_that_are_not_there_are_named);
    return tests;
}

/* --- memory -------------------------------------------------------------------------------------------------------------- */

/* Refuses one allocation, the one numbered `refuse`, and counts the blocks that live, and their bytes. */
typedef struct Heap {
    long refuse;
    atomic_long asked, live, bytes;
} Heap;

/* The thread that prepares batches asks as well. */
static void *resize(void *user, void *block, size_t size)
{
    Heap *heap = user;
    long before = block ? (long)malloc_usable_size(block) : 0;
    if (!size) {
        heap->live -= block != NULL;
        heap->bytes -= before;
        free(block);
        return NULL;
    }
    if (atomic_fetch_add(&heap->asked, 1) + 1 == heap->refuse) return NULL;
    void *moved = realloc(block, size);
    heap->live += moved && !block;
    if (moved) heap->bytes += (long)malloc_usable_size(moved) - before;
    return moved;
}

/* A life with everything in it; the first status that is not MLC_OK. */
static mlc_status live_once(mlc_session *session, const char *folder, const char *weights)
{
    mlc_model *model;
    const mlc_tensor *in, *out;
    const char *text;
    uint32_t ins, outs;
    float x[16] = {1}, y[12];
    mlc_model_options open = {.size = sizeof open,
                              .text = good,
                              .device = "reference",
                              .threads = 1,
                              .seed = -1,
                              .cache_folder = ""};
    mlc_train_options train = {.size = sizeof train, .out = folder};
    mlc_status status = mlc_model_open(session, "m.mlc", &open, &model);
    if (status == MLC_OK) status = mlc_entry_ports(model, "predict", &in, &ins, &out, &outs);
    if (status == MLC_OK) status = mlc_call(model, "predict", (const void *[]){x}, (void *[]){y});
    if (status == MLC_OK) status = mlc_check(model, true, &text);
    if (status == MLC_OK) status = mlc_train(model, &train);
    if (status == MLC_OK) status = mlc_save(model, weights);
    if (status == MLC_OK) status = mlc_load(model, weights);
    return status;
}

/* After a refusal the same session, with memory again, does it all. */
static mlc_status live_with(Heap *heap, const char *folder, const char *weights)
{
    mlc_session *session = NULL;
    mlc_session_options options = {.size = sizeof options, .resize = resize, .resize_user = heap};
    mlc_status status = mlc_session_open(&options, &session);
    if (status == MLC_OK) status = live_once(session, folder, weights);
    if (session && status == MLC_NO_MEMORY) {
        mlc_status again = live_once(session, folder, weights);
        ck_assert_msg(again == MLC_OK, "status %d after memory ran out at %ld: %s", (int)again,
                      heap->refuse, mlc_diagnostics(session, false));
    }
    mlc_session_close(session);
    return status;
}

/* The same with the model that was open: what a call left behind must not spoil the next. */
static mlc_status ask_twice(Heap *heap, const char *folder)
{
    mlc_session *session = NULL;
    mlc_model *model;
    mlc_session_options options = {.size = sizeof options, .resize = resize, .resize_user = heap};
    mlc_model_options open = {.size = sizeof open,
                              .text = good,
                              .device = "reference",
                              .threads = 1,
                              .seed = -1,
                              .cache_folder = ""};
    mlc_train_options train = {.size = sizeof train, .out = folder};
    long refuse = heap->refuse;
    heap->refuse = 0;
    ck_assert_int_eq(mlc_session_open(&options, &session), MLC_OK);
    ck_assert_int_eq(mlc_model_open(session, "m.mlc", &open, &model), MLC_OK);
    heap->refuse = heap->asked + refuse;
    mlc_status status = mlc_train(model, &train);
    heap->refuse = 0;
    mlc_status again = mlc_train(model, &train);
    ck_assert_msg(again == MLC_OK, "status %d after memory ran out at %ld: %s", (int)again, refuse,
                  mlc_diagnostics(session, false));
    mlc_session_close(session);
    return status;
}

static const char *const wide =
    "data points { train: synthetic(samples: 8, classes: 2, shape: [32]) }\n"
    "model wide {\n"
    "  input x: f32[N, 32]\n"
    "  input label: i32[N]\n"
    "  fc = dense(x, 2)\n"
    "  output logits = fc\n"
    "}\n"
    "train {\n"
    "  minimize cross_entropy(logits, label)\n"
    "  optimizer sgd(rate: 0.1)\n"
    "  batch 4\n"
    "  steps 1\n"
    "}\n";

/* Quantizes with so many allocations left, once more with all, and predicts in f32 with the model that was open all the while. */
static mlc_status quantize_twice(long left, const char *folder, const char *weights)
{
    Heap heap = {0};
    mlc_session *session = NULL;
    mlc_model *model;
    float x[128] = {0}, y[8];
    mlc_session_options options = {.size = sizeof options, .resize = resize, .resize_user = &heap};
    mlc_model_options open = {.size = sizeof open,
                              .text = wide,
                              .device = "reference",
                              .threads = 1,
                              .seed = -1,
                              .cache_folder = ""};
    mlc_quantize_options quantize = {.size = sizeof quantize, .weights = weights, .out = folder};
    ck_assert_int_eq(mlc_session_open(&options, &session), MLC_OK);
    ck_assert_int_eq(mlc_model_open(session, "m.mlc", &open, &model), MLC_OK);
    ck_assert_int_eq(mlc_save(model, weights), MLC_OK);
    heap.refuse = heap.asked + left;
    mlc_status status = mlc_quantize(model, &quantize);
    heap.refuse = 0;
    mlc_status again = mlc_quantize(model, &quantize);
    ck_assert_msg(again == MLC_OK, "status %d after memory ran out at %ld: %s", (int)again, left,
                  mlc_diagnostics(session, false));
    ck_assert_int_eq(mlc_call(model, "predict", (const void *[]){x}, (void *[]){y}), MLC_OK);
    mlc_session_close(session);
    ck_assert_int_eq(heap.live, 0);
    return status;
}

START_TEST(quantizing_may_run_out_of_memory)
{
    char folder[] = "/tmp/mlc-embed-XXXXXX", weights[64], command[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(weights, sizeof weights, "%s/w.safetensors", folder);
    long n = 0;
    for (mlc_status status = MLC_NO_MEMORY; status == MLC_NO_MEMORY;) {
        status = quantize_twice(++n, folder, weights);
        ck_assert_msg(status == MLC_NO_MEMORY || status == MLC_OK,
                      "allocation %ld refused: status %d", n, (int)status);
    }
    ck_assert_int_gt(n, 10);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* Programs that serve for months ask the same thing again and again. */
START_TEST(asking_again_takes_no_memory)
{
    Heap heap = {0};
    mlc_session *session;
    mlc_model *model;
    const char *text;
    float x[16] = {0}, y[12];
    mlc_session_options options = {.size = sizeof options, .resize = resize, .resize_user = &heap};
    mlc_model_options open = {.size = sizeof open,
                              .text = good,
                              .device = "reference",
                              .threads = 1,
                              .seed = -1,
                              .cache_folder = ""};
    ck_assert_int_eq(mlc_session_open(&options, &session), MLC_OK);
    ck_assert_int_eq(mlc_model_open(session, "m.mlc", &open, &model), MLC_OK);
    long bytes = 0;
    for (int i = 0; i < 4000; i++) {
        ck_assert_int_eq(mlc_call(model, "predict", (const void *[]){x}, (void *[]){y}), MLC_OK);
        if (i % 100 == 0) ck_assert_int_eq(mlc_help(session, "dense", &text), MLC_OK);
        if (i == 100) bytes = heap.bytes;
    }
    /* The answers of mlc_help stay, a kilobyte each. */
    ck_assert_msg(heap.bytes - bytes < 300000, "%ld bytes more", heap.bytes - bytes);
    mlc_session_close(session);
    ck_assert_int_eq(heap.live, 0);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    char folder[] = "/tmp/mlc-embed-XXXXXX", weights[64], command[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(weights, sizeof weights, "%s/w.safetensors", folder);
    Heap whole = {0};
    ck_assert_int_eq(live_with(&whole, folder, weights), MLC_OK);
    ck_assert_int_eq(whole.live, 0);
    ck_assert_int_gt(whole.asked, 20);
    for (long n = 1; n <= whole.asked; n++) {
        Heap heap = {.refuse = n};
        mlc_status status = live_with(&heap, folder, weights);
        ck_assert_msg(status == MLC_NO_MEMORY || status == MLC_OK,
                      "allocation %ld of %ld refused: status %d", n, whole.asked, (int)status);
        ck_assert_msg(heap.live == 0, "allocation %ld of %ld refused: %ld blocks are left", n,
                      whole.asked, heap.live);
    }
    long n = 0;
    for (mlc_status status = MLC_NO_MEMORY; status == MLC_NO_MEMORY;) {
        Heap heap = {.refuse = ++n};
        status = ask_twice(&heap, folder);
        ck_assert(status == MLC_NO_MEMORY || status == MLC_OK);
        ck_assert_int_eq(heap.live, 0);
    }
    ck_assert_int_gt(n, 20); /* the training's own, before one that it can do without */
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

TCase *case_memory_runs_out(void);
TCase *case_memory_runs_out(void)
{
    TCase *tests = tcase_create("memory_runs_out");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, asking_again_takes_no_memory);
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, quantizing_may_run_out_of_memory);
    return tests;
}

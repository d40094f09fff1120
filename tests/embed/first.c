/* The smallest embedder, in the C that many still write (C99, pedantic): trains, asks the model for one prediction, exits 0. */
#include "runtime/mlc.h"

#include <stdio.h>

static const char text[] = "data points { train: synthetic(samples: 64, classes: 2, shape: [3]) }\n"
                           "model tiny {\n"
                           "  input x: f32[N, 3]\n"
                           "  input label: i32[N]\n"
                           "  fc1 = dense(x, 2)\n"
                           "  output class = argmax(fc1, axis: 1)\n"
                           "}\n"
                           "train { minimize cross_entropy(fc1, label); optimizer adam(rate: 0.1); "
                           "batch 16; epochs 20 }\n";

static void on_event(void *user, const mlc_event *event)
{
    double *loss = user;
    if (event->kind == MLC_EVENT_EPOCH) *loss = event->train[0].value;
}

static int failed(mlc_session *session, const char *what)
{
    fprintf(stderr, "%s: %s", what, mlc_diagnostics(session, false));
    mlc_session_close(session);
    return 1;
}

int main(int count, char **argument)
{
    mlc_session *session;
    mlc_model *model;
    mlc_model_options options = {0};
    mlc_train_options train = {0};
    float x[16][3] = {{0}};
    int32_t class[16] = {0};
    const void *inputs[1];
    void *outputs[1];
    double loss = 1e9;

    if (count != 3 || mlc_session_open(NULL, &session)) return 2;
    options.size = sizeof options;
    options.text = text;
    options.device = argument[1];
    options.seed = -1;
    train.size = sizeof train;
    train.out = argument[2];
    mlc_on_event(session, on_event, &loss);
    if (mlc_model_open(session, "tiny.mlc", &options, &model)) return failed(session, "open");
    if (mlc_train(model, &train)) return failed(session, "train");
    inputs[0] = x;
    outputs[0] = class;
    if (mlc_call(model, "predict", inputs, outputs)) return failed(session, "call");
    printf("loss %g, class %d\n", loss, (int)class[0]);
    mlc_session_close(session);
    return loss < 0.5 && class[0] >= 0 && class[0] < 2 ? 0 : 1;
}

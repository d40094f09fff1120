#include "frontend/cli/cli.h"

int command_train(mlc_session *session, const Options *options)
{
    int code = 0;
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    mlc_train_options train = {
        .size = sizeof train, .out = options->out, .resume = options->resume, .init = options->init};
    progress_listen(session, options);
    return finish(session, mlc_train(model, &train));
}

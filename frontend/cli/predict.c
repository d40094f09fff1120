#include "frontend/cli/cli.h"

int command_predict(mlc_session *session, const Options *options)
{
    int code = 0;
    if (!options->weights) return missing("predict", "--weights");
    if (!options->in) return missing("predict", "--in");
    if (!options->out) return missing("predict", "--out");
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    return finish(session, mlc_predict(model, options->weights, options->in, options->out));
}

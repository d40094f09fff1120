#include "frontend/cli/cli.h"

int command_run(mlc_session *session, const Options *options)
{
    int code = 0;
    if (!options->entry) return missing("run", "--entry");
    if (!options->out) return missing("run", "--out");
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    return finish(session, mlc_run(model, options->entry, options->weights, options->in, options->out));
}

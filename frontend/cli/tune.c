#include "frontend/cli/cli.h"

#include <stdio.h>
#include <string.h>

int command_tune(mlc_session *session, const Options *options)
{
    int code = 0;
    const char *text = "";
    bool has_file = options->file && strcmp(options->file, "kernels") != 0;
    if (has_file && !options->what) return missing("tune", "what to tune, `kernels`,");
    if (!options->what) return missing("tune", "FILE");
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    progress_listen(session, options);
    mlc_tune_options tune = {.size = sizeof tune,
                             .entry = options->entry,
                             .repeat = options->repeat,
                             .json = options->json};
    mlc_status status = mlc_tune(model, options->what, &tune, &text);
    progress_end();
    fputs(text, stdout);
    return finish(session, status);
}

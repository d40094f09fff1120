#include "frontend/cli/cli.h"

#include <stdio.h>

int command_dump(mlc_session *session, const Options *options)
{
    int code = 0;
    const char *text = "";
    if (!options->stage) return missing("dump", "--stage");
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    mlc_status status = mlc_dump(model, options->stage, options->entry, options->format, &text);
    fputs(text, stdout);
    return finish(session, status);
}

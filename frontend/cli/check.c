#include "frontend/cli/cli.h"

#include <stdio.h>

int command_check(mlc_session *session, const Options *options)
{
    int code = 0;
    const char *text = "";
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    mlc_status status = mlc_check(model, options->json, &text);
    fputs(text, stdout);
    return finish(session, status);
}

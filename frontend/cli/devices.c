#include "frontend/cli/cli.h"

#include <stdio.h>

int command_devices(mlc_session *session, const Options *options)
{
    const char *text = "";
    mlc_status status = mlc_devices(session, options->json, &text);
    fputs(text, stdout);
    return finish(session, status);
}

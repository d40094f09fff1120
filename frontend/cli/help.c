#include "frontend/cli/cli.h"

#include <stdio.h>

int command_help(mlc_session *session, const Options *options)
{
    const char *text = "";
    if (!options->file) {
        options_help(NULL);
        return 0;
    }
    mlc_status status = mlc_help(session, options->file, &text);
    if (status == MLC_USAGE && options_explain(options->file)) return 0;
    fputs(text, stdout);
    return finish(session, status);
}

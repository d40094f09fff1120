#include "frontend/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int command_fmt(mlc_session *session, const Options *options)
{
    const char *text = "";
    if (!options->file) return missing("fmt", "FILE");
    bool standard = !strcmp(options->file, "-");
    char *input = standard ? read_all("-") : NULL;
    mlc_status status = mlc_format(session, standard ? "stdin.mlc" : options->file, input, &text);
    free(input);
    if (status == MLC_OK && options->write && !standard) {
        status = mlc_write_text(session, options->file, text);
    } else {
        fputs(text, stdout);
    }
    return finish(session, status);
}

#include "frontend/cli/cli.h"

#include <stdio.h>
#include <string.h>

int command_cache(mlc_session *session, const Options *options)
{
    const char *text = "";
    const char *what = options->file ? options->file : "info";
    if (strcmp(what, "info") != 0 && strcmp(what, "clear") != 0)
        return missing("cache", "`info` or `clear`");
    mlc_status status = mlc_cache(session, NULL, !strcmp(what, "clear"), options->json, &text);
    fputs(text, stdout);
    return finish(session, status);
}

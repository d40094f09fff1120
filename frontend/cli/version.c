#include "frontend/cli/cli.h"

#include <stdio.h>

int command_version(mlc_session *session, const Options *options)
{
    (void)session;
    if (options->json)
        printf("{\"version\":\"%s\",\"description\":\"%s\"}\n", mlc_version(), mlc_version_long());
    else
        printf("%s\n", mlc_version_long());
    return 0;
}

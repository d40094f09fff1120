#include "frontend/cli/cli.h"

#include <stdio.h>

int command_version(mlc_session *session, const Options *options)
{
    (void)session;
    (void)options;
    printf("%s\n", mlc_version_long());
    return 0;
}

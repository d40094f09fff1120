#include "frontend/cli/cli.h"

#include <stdio.h>

int command_bench(mlc_session *session, const Options *options)
{
    int code = 0;
    const char *text = "";
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    mlc_bench_options bench = {.size = sizeof bench,
                               .entry = options->entry,
                               .repeat = options->repeat,
                               .kernels = options->kernels,
                               .json = options->json,
                               .trace = options->trace,
                               .weights = options->weights};
    mlc_status status = mlc_bench(model, &bench, &text);
    fputs(text, stdout);
    return finish(session, status);
}

#include "frontend/cli/cli.h"

#include <math.h>
#include <stdio.h>

int command_eval(mlc_session *session, const Options *options)
{
    int code = 0;
    const mlc_metric *metric;
    uint32_t count = 0;
    if (!options->weights) return missing("eval", "--weights");
    mlc_model *model = open_model(session, options, &code);
    if (!model) return code;
    progress_listen(session, options);
    mlc_status status = mlc_eval(model, options->weights, options->split, &metric, &count);
    progress_end();
    if (options->json && status == MLC_OK) {
        for (uint32_t i = 0; i < count; i++) {
            printf("%s\"%s\":", i ? "," : "{", metric[i].name);
            printf(isfinite(metric[i].value) ? "%.9g" : "null", metric[i].value);
        }
        printf("}\n");
    }
    for (uint32_t i = 0; i < count && !options->json; i++)
        printf("%-12s %.6g\n", metric[i].name, metric[i].value);
    return finish(session, status);
}

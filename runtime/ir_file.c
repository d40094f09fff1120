/* A file of IR text in a model's place: passes can be watched at work on a graph that no model file says. */
#include "ir/graph/print.h"
#include "ir/graph/verify.h"
#include "passes/pass.h"
#include "runtime/session.h"

#include <string.h>

/* Behind blanks and comments, which both languages begin with // or #. */
static const char *first_word(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n");
        if (*at != '#' && strncmp(at, "//", 2) != 0) return at;
        at += strcspn(at, "\n");
    }
}

bool model_is_program(const mlc_model *model)
{
    const char *word = first_word(sources_get(model->context.sources, model->source)->text);
    size_t length = strcspn(word, " \t\r\n(");
    return length == 5 && (!strncmp(word, "state", 5) || !strncmp(word, "entry", 5));
}

Status model_program(mlc_model *model)
{
    if (model->program) return STATUS_ok;
    Program *program =
        program_parse(&model->context, model->arena, model->source, pass_simplify_node);
    if (!program) return STATUS_invalid;
    const char *wrong = program_verify(program, false, model->arena);
    if (wrong) {
        report_error(model->context.report, (Span){0}, "%s holds no program:\n%s", model->path,
                     wrong);
        return STATUS_invalid;
    }
    model->program = program;
    return STATUS_ok;
}

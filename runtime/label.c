#include "runtime/label.h"

const char *call_line(const mlc_model *model, const Call *call)
{
    Text text = {.arena = model->arena};
    const Source *source = sources_get(model->context.sources, call->at.source);
    if (source) text_add(&text, "%s:%u", source->path, source_place(source, call->at.begin).line);
    return text_done(&text);
}

void text_json(Text *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            text_add(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            text_add(out, "\\u%04x", (unsigned)*text);
        else
            text_put(out, text, 1);
    }
}

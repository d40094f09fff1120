#ifndef MLC_RUNTIME_LABEL_H
#define MLC_RUNTIME_LABEL_H
/* How tables and JSON name the calls of an entry. */
#include "runtime/session.h"

/* "model.mlc:12", or nothing. */
const char *call_line(const mlc_model *model, const Call *call);
/* As it stands between the quotes of a JSON string. */
void text_json(Text *out, const char *text);

#endif

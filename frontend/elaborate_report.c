/* Messages: always at a place the user wrote, types with the names of their dimensions, and for every name that was
 * printed a note saying where its value came from. */
#include "frontend/elaborate.h"
#include "frontend/provenance.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

static bool in_library(const Elaborator *e, Span at)
{
    const Source *source = sources_get(e->experiment->context->sources, at.source);
    return source && source->library;
}

Span elaborate_span(const Elaborator *e, Span at)
{
    for (const Frame *f = e->frame; f && in_library(e, at); f = f->caller)
        if (f->function) at = f->call;
    return at;
}

void elaborate_at(Elaborator *e, Span at)
{
    e->at = at;
    e->graph->at = elaborate_span(e, at);
    e->graph->at.storage = e->storage;
}

/* The outermost library function that is running: the one the user called. */
static const Frame *library_frame(const Elaborator *e)
{
    const Frame *found = NULL;
    for (const Frame *f = e->frame; f; f = f->caller) {
        if (!f->library) break;
        if (f->function) found = f;
    }
    return found;
}

/* Whether a text holds this number, not as a part of another. */
static bool speaks_of(const char *text, int64_t number)
{
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)number);
    for (const char *at = text; (at = strstr(at, digits)); at++) {
        bool begins = at == text || !isalnum((unsigned char)at[-1]);
        if (begins && !isalnum((unsigned char)at[length])) return true;
    }
    return false;
}

/* A size that the message speaks of in digits, and names elsewhere, has its history told. */
static void tell_history(Elaborator *e, const char *message)
{
    for (uint32_t i = 0; i < e->mentioned.count; i++) {
        const Symbol *s = &e->mentioned.at[i];
        if (speaks_of(message, s->extent))
            report_note(e->report, (Span){0}, "%s = %lld, %s", name_text(e->names, s->name),
                        (long long)s->extent, s->history);
    }
    e->mentioned.count = 0;
}

void elaborate_error(Elaborator *e, Span at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char buffer[2048];
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);

    Span user = elaborate_span(e, at);
    report_error(e->report, user, "%s", buffer);
    /* What else goes wrong in a library function follows from this. */
    for (Frame *f = e->frame; f && f->library; f = f->caller) {
        f->returned = true;
        f->result = POISON;
    }
    const Frame *library = in_library(e, at) ? library_frame(e) : NULL;
    if (library)
        report_note(e->report, at, "in `%s` of the standard library",
                    name_text(e->names, library->function->name));
    tell_history(e, buffer);
}

void elaborate_hint(Elaborator *e, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char buffer[1024];
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    report_hint(e->report, "%s", buffer);
}

static Name declared_symbol(void *user, Name input, int axis)
{
    const Elaborator *e = user;
    for (uint32_t i = 0; i < e->input.count; i++)
        if (name_same(e->input.at[i].name, input)) return e->input_symbols.at[i][axis];
    return (Name){0};
}

static void mention(Elaborator *e, Name name)
{
    for (uint32_t i = 0; i < e->mentioned.count; i++)
        if (name_same(e->mentioned.at[i].name, name)) return;
    for (uint32_t i = 0; i < e->symbol.count; i++)
        if (name_same(e->symbol.at[i].name, name))
            *list_add(e->arena, &e->mentioned) = e->symbol.at[i];
}

const char *elaborate_type(Elaborator *e, Value value)
{
    if (!value.id) return "?";
    const Shape *shape = tensor_shape(e, value);
    Text text = {.arena = e->arena};
    text_add(&text, "%s[", type_info[tensor_type(e, value)].name);
    for (int i = 0; i < shape->rank; i++) {
        Name symbol = provenance_axis(e->graph, value, i, declared_symbol, e);
        if (i) text_add(&text, ", ");
        if (symbol.id) {
            text_add(&text, "%s", name_text(e->names, symbol));
            mention(e, symbol);
        } else {
            text_add(&text, "%lld", (long long)shape->extent[i]);
        }
    }
    text_add(&text, "]");
    return text_done(&text);
}

const char *elaborate_shape(Elaborator *e, Type type, const Shape *shape)
{
    Text text = {.arena = e->arena};
    shape_print(&text, type, shape);
    return text_done(&text);
}

const char *elaborate_describe(Elaborator *e, const Datum *datum)
{
    if (datum->kind == DATUM_tensor) return elaborate_type(e, datum->value);
    if (datum->kind == DATUM_function || datum->kind == DATUM_builtin) return "a function";
    Text text = {.arena = e->arena};
    static_print(&text, datum);
    return text_done(&text);
}

void suggest(Suggestion *s, const char *candidate)
{
    size_t length = strlen(s->wanted);
    unsigned limit = length < 2 ? 0 : length < 4 ? 1 : length < 8 ? 2 : 3;
    if (s->best && s->distance <= limit) limit = s->distance;
    unsigned distance = text_distance(s->wanted, candidate, limit + 1);
    if (distance > limit || (s->best && distance >= s->distance)) return;
    s->best = candidate;
    s->distance = distance;
}

#define MAX_WORK 1000000

bool elaborate_work(Elaborator *e, Span at)
{
    if (e->exhausted) return false;
    if (++e->work <= MAX_WORK) return true;

    e->exhausted = true;
    elaborate_error(e, at, "the file takes more than %d calls and loop turns to elaborate",
                    MAX_WORK);
    elaborate_hint(e, "loops and functions are unrolled: let tensors carry the large dimensions");
    return false;
}

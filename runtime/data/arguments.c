/* The arguments that a source is called with. */
#include "runtime/data/load.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *nearest_word(Arena *arena, const char *wrong, const char *words)
{
    const char *best = NULL;
    unsigned nearest = 3;
    while (*words) {
        size_t length = strcspn(words, " ");
        const char *word = arena_text(arena, words, length);
        unsigned distance = text_distance(wrong, word, nearest);
        if (length && distance < nearest) {
            nearest = distance;
            best = word;
        }
        words += length + (words[length] == ' ');
    }
    return best;
}

Status argument_refuse(const Load *load, const Static *argument, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report_error(load->context->report, argument->at, "%s", text);
    return STATUS_invalid;
}

static const char *label_of(const Static *call, uint32_t i)
{
    return call->label && call->label[i] ? call->label[i] : "";
}

const Static *argument_at(const Load *load, uint32_t i)
{
    for (uint32_t k = 0; k < load->call->count; k++)
        if (!*label_of(load->call, k) && i-- == 0) return &load->call->element[k];
    return NULL;
}

uint32_t argument_count(const Load *load)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < load->call->count; k++)
        count += !*label_of(load->call, k);
    return count;
}

const Static *argument_option(const Load *load, const char *label)
{
    for (uint32_t k = 0; k < load->call->count; k++)
        if (strcmp(label_of(load->call, k), label) == 0) return &load->call->element[k];
    return NULL;
}

Status argument_text(const Load *load, uint32_t i, const char **text)
{
    const Static *argument = argument_at(load, i);
    if (!argument || argument->kind != STATIC_text)
        return argument_refuse(load, argument ? argument : load->call, "`%s` wants a string here",
                               load->call->text);
    *text = argument->text;
    return STATUS_ok;
}

Status argument_integer(const Load *load, const char *label, int64_t low, int64_t high,
                        int64_t *value)
{
    const Static *argument = argument_option(load, label);
    if (!argument) return STATUS_ok;
    bool fits = argument->kind == STATIC_number && argument->is_integer &&
                argument->number >= (double)low && argument->number <= (double)high;
    if (!fits)
        return argument_refuse(load, argument,
                               "`%s` has to be a whole number from %" PRId64 " to %" PRId64, label,
                               low, high);
    *value = (int64_t)argument->number;
    return STATUS_ok;
}

static bool is_word_of(const char *word, const char *words)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return true;
    return false;
}

static Status refuse_option(const Load *load, uint32_t i, const char *options)
{
    Report *report = load->context->report;
    const char *label = label_of(load->call, i);
    report_error(report, load->call->element[i].at, "`%s` has no option `%s`", load->call->text,
                 label);
    const char *near = nearest_word(load->context->arena, label, options);
    if (near)
        report_hint(report, "did you mean `%s`?", near);
    else if (*options)
        report_hint(report, "its options are: %s", options);
    return STATUS_invalid;
}

Status argument_check(const Load *load, uint32_t fewest, uint32_t most, const char *options,
                      const char *usage)
{
    const Static *call = load->call;
    for (uint32_t i = 0; i < call->count; i++) {
        const char *label = label_of(call, i);
        if (!*label) continue;
        if (!is_word_of(label, options)) return refuse_option(load, i, options);
        if (argument_option(load, label) != &call->element[i])
            return argument_refuse(load, &call->element[i], "option `%s` is given twice", label);
    }
    uint32_t count = argument_count(load);
    if (count >= fewest && count <= most) return STATUS_ok;

    argument_refuse(load, call, "`%s` has %u argument%s here, which it cannot take", call->text,
                    count, count == 1 ? "" : "s");
    report_hint(load->context->report, "it is written like %s", usage);
    return STATUS_invalid;
}

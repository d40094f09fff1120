#include "ir/base/report.h"
#include "ir/base/bits.h"
#include "ir/base/list.h"
#include "ir/base/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum Severity { SEVERITY_error, SEVERITY_warning, SEVERITY_note, SEVERITY_hint } Severity;

typedef struct Message {
    Severity severity;
    Span span;
    const char *text;
} Message;

typedef struct Entry {
    Message message;
    uint64_t hash;
    LIST(Message) attached; /* notes and hints, in the order they came */
} Entry;

struct Report {
    Arena *arena;
    const Sources *sources;
    LIST(Entry) entry;
    bool dropped; /* the last entry was a repetition: what is attached to it goes too */
    uint32_t count[2];
    uint32_t *table, room; /* open addressing over entry index + 1 */
};

Report *report_new(Arena *arena, const Sources *sources)
{
    Report *report = arena_new(arena, Report);
    *report = (Report){.arena = arena, .sources = sources, .room = 64};
    report->table = arena_array(arena, uint32_t, report->room);
    return report;
}

/* Takes no memory: a report is cleared before each of a million calls. */
void report_clear(Report *report)
{
    memset(report->table, 0, report->room * sizeof *report->table);
    memset(report->count, 0, sizeof report->count);
    report->entry.count = 0;
    report->dropped = false;
}

static bool same_message(const Message *a, const Message *b)
{
    return a->severity == b->severity && a->span.source == b->span.source &&
           a->span.begin == b->span.begin && a->span.length == b->span.length &&
           strcmp(a->text, b->text) == 0;
}

static uint32_t *slot_of(const Report *report, const Message *message, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash & (report->room - 1);; i = (i + 1) & (report->room - 1)) {
        uint32_t *slot = &report->table[i];
        if (!*slot) return slot;
        const Entry *entry = &report->entry.at[*slot - 1];
        if (entry->hash == hash && same_message(&entry->message, message)) return slot;
    }
}

static void grow(Report *report)
{
    report->table = arena_array(report->arena, uint32_t, report->room * 2);
    report->room *= 2;
    for (uint32_t i = 0; i < report->entry.count; i++)
        *slot_of(report, &report->entry.at[i].message, report->entry.at[i].hash) = i + 1;
}

static void add(Report *report, Message message)
{
    uint64_t hash = bits_hash(message.text, strlen(message.text), message.span.begin);
    uint32_t *slot = slot_of(report, &message, hash);
    report->dropped = *slot != 0;
    if (report->dropped) return;

    *list_add(report->arena, &report->entry) = (Entry){.message = message, .hash = hash};
    *slot = report->entry.count;
    report->count[message.severity]++;
    if (report->entry.count * 2 > report->room) grow(report);
}

static void attach(Report *report, Message message)
{
    if (report->dropped || !report->entry.count) return;
    *list_add(report->arena, &list_last(&report->entry)->attached) = message;
}

__attribute__((format(printf, 2, 0))) static const char *formatted(Arena *arena, const char *format,
                                                                   va_list list)
{
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
    if (length > 0) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void report_error(Report *report, Span span, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add(report, (Message){SEVERITY_error, span, formatted(report->arena, format, list)});
    va_end(list);
}

void report_warning(Report *report, Span span, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add(report, (Message){SEVERITY_warning, span, formatted(report->arena, format, list)});
    va_end(list);
}

void report_note(Report *report, Span span, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    attach(report, (Message){SEVERITY_note, span, formatted(report->arena, format, list)});
    va_end(list);
}

void report_hint(Report *report, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    attach(report, (Message){SEVERITY_hint, {0}, formatted(report->arena, format, list)});
    va_end(list);
}

uint32_t report_errors(const Report *report)
{
    return report->count[SEVERITY_error];
}

uint32_t report_warnings(const Report *report)
{
    return report->count[SEVERITY_warning];
}

/* How one severity looks: its word and its colour (ECMA-48 graphic rendition). */
static const struct Look {
    const char *word, *colour;
} look_of[] = {
    [SEVERITY_error] = {"error", "\033[1;31m"},
    [SEVERITY_warning] = {"warning", "\033[1;35m"},
    [SEVERITY_note] = {"note", "\033[1;36m"},
    [SEVERITY_hint] = {"hint", "\033[1;32m"},
};
#define BOLD  "\033[1m"
#define PLAIN "\033[0m"

typedef struct Render {
    const Sources *sources;
    Text *out;
    bool colour;
} Render;

static void paint(const Render *render, const char *colour)
{
    if (render->colour) text_put(render->out, colour, strlen(colour));
}

/* Bytes of the UTF-8 sequence at `at`, 0 if there is none that a terminal could show. */
static uint32_t sequence_length(const char *at, const char *end)
{
    unsigned char lead = (unsigned char)*at;
    if (lead < 0x80) return lead >= 0x20 && lead != 0x7f;
    uint32_t length = utf8_length(at, (size_t)(end - at));
    return lead == 0xc2 && (unsigned char)at[1] < 0xa0 ? 0 : length; /* C1 controls */
}

/* One character of the source: tabs stay, what would upset a terminal becomes '?'. Returns its bytes. */
static uint32_t put_character(Text *out, const char *at, const char *end)
{
    uint32_t length = sequence_length(at, end);
    if (length)
        text_put(out, at, length);
    else
        text_put(out, *at == '\t' ? "\t" : "?", 1);
    return length ? length : 1;
}

static uint32_t step(const char *at, const char *end)
{
    uint32_t length = sequence_length(at, end);
    return length ? length : 1;
}

/* Messages quote the source, so they are cleaned like it; they may have lines of their own. */
static void put_message(Text *out, const char *text)
{
    const char *end = text + strlen(text);
    for (const char *at = text; at < end;) {
        if (*at == '\n') {
            text_put(out, at++, 1);
            continue;
        }
        at += put_character(out, at, end);
    }
}

#define CLIP_BEFORE 60 /* characters shown before the caret of a long line */
#define CLIP_WIDTH  140

/* The part of a line that is shown. */
typedef struct Window {
    const char *begin, *end;
    bool cut_before, cut_after;
} Window;

static bool continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static Window window_of(const char *line, const char *line_end, const char *caret)
{
    Window window = {.begin = line, .end = line};
    if (line_end - line > CLIP_WIDTH) {
        const char *begin = caret;
        for (int i = 0; i < CLIP_BEFORE && begin > line; i++) {
            begin--;
            for (int k = 0; k < 3 && begin > line && continues(*begin); k++)
                begin--;
        }
        window.begin = begin;
    }
    window.cut_before = window.begin > line;
    window.end = window.begin;
    for (int i = 0; i < CLIP_WIDTH && window.end < line_end; i++)
        window.end += step(window.end, line_end);
    window.cut_after = window.end < line_end;
    return window;
}

static void render_line(const Render *render, uint32_t number, const Window *window)
{
    text_add(render->out, "%5u | %s", number, window->cut_before ? "..." : "");
    for (const char *at = window->begin; at < window->end;)
        at += put_character(render->out, at, window->end);
    text_add(render->out, "%s\n", window->cut_after ? "..." : "");
}

/* ^~~~ under [caret, end), which may lie just behind the line. */
static void render_caret(const Render *render, const Window *window, const char *caret,
                         const char *end, const char *colour)
{
    text_add(render->out, "      | %s", window->cut_before ? "   " : "");
    for (const char *at = window->begin; at < caret; at += step(at, window->end))
        text_put(render->out, *at == '\t' ? "\t" : " ", 1);
    paint(render, colour);
    text_put(render->out, "^", 1);
    if (end > window->end) end = window->end;
    for (const char *at = caret < end ? caret + step(caret, end) : end; at < end;
         at += step(at, end))
        text_put(render->out, "~", 1);
    paint(render, PLAIN);
    text_put(render->out, "\n", 1);
}

static void render_place(const Render *render, const Source *source, Span span, const char *colour)
{
    Place place = source_place(source, span.begin);
    const char *line = source->text + source->line_start[place.line - 1];
    bool is_last = place.line == source->line_count;
    const char *line_end =
        source->text + (is_last ? source->size : source->line_start[place.line] - 1);
    if (line_end > line && line_end[-1] == '\r') line_end--;

    const char *caret = line + place.column - 1;
    if (caret > line_end) caret = line_end;
    size_t room = (size_t)(line_end - caret);
    const char *caret_end = caret + (span.length < room ? span.length : room);
    Window window = window_of(line, line_end, caret);
    render_line(render, place.line, &window);
    render_caret(render, &window, caret, caret_end, colour);
}

static void render_message(const Render *render, const Message *message)
{
    const struct Look *look = &look_of[message->severity];
    const Source *source = sources_get(render->sources, message->span.source);
    if (source) {
        Place place = source_place(source, message->span.begin);
        paint(render, BOLD);
        text_add(render->out, "%s:%u:%u: ", source->path, place.line, place.column);
        paint(render, PLAIN);
    }
    paint(render, look->colour);
    text_add(render->out, "%s: ", look->word);
    paint(render, PLAIN);
    put_message(render->out, message->text);
    text_put(render->out, "\n", 1);
    if (source) render_place(render, source, message->span, look->colour);
}

static int by_place(const void *left, const void *right)
{
    const Entry *a = *(const Entry *const *)left, *b = *(const Entry *const *)right;
    Span p = a->message.span, q = b->message.span;
    if (p.source != q.source) return p.source < q.source ? -1 : 1;
    if (p.begin != q.begin) return p.begin < q.begin ? -1 : 1;
    if (p.length != q.length) return p.length < q.length ? -1 : 1;
    return a < b ? -1 : a > b; /* entries of one array: in the order they came */
}

void report_render(const Report *report, Text *out, bool colour)
{
    Render render = {report->sources, out, colour};
    const Entry **sorted = arena_array(out->arena, const Entry *, report->entry.count);
    for (uint32_t i = 0; i < report->entry.count; i++)
        sorted[i] = &report->entry.at[i];
    if (report->entry.count) qsort(sorted, report->entry.count, sizeof *sorted, by_place);

    for (uint32_t i = 0; i < report->entry.count; i++) {
        render_message(&render, &sorted[i]->message);
        for (uint32_t k = 0; k < sorted[i]->attached.count; k++)
            render_message(&render, &sorted[i]->attached.at[k]);
    }
}

#include "runtime/data/csv.h"
#include <inttypes.h>
#include <math.h>
#include <strings.h>

static bool is_blank(const Csv *csv, char c)
{
    return c == ' ' || (c == '\t' && csv->separator != '\t');
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static void skip_blanks(Csv *csv)
{
    while (csv->at < csv->end && is_blank(csv, *csv->at))
        csv->at++;
}

static void skip_line_end(Csv *csv)
{
    bool is_pair = csv->at[0] == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n';
    csv->at += is_pair ? 2 : 1;
    csv->line++;
}

Status csv_begin(Csv *csv, const Origin *origin, const char *text, size_t size)
{
    bool is_utf16 =
        size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
    if (is_utf16) return origin_refuse(origin, "UTF-16 text; save it as UTF-8");
    const char *nul = size ? memchr(text, 0, size) : NULL;
    if (nul)
        return origin_refuse(origin, "a NUL at byte %zu: this is no text", (size_t)(nul - text));

    size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *csv = (Csv){origin, text + mark, text + mark, text + size, ',', 1};
    return STATUS_ok;
}

char csv_guess_separator(const Csv *csv)
{
    static const char candidates[] = ",;\t";
    unsigned count[3] = {0};
    bool is_quoted = false;
    const char *at = csv->at;
    for (; at < csv->end && (is_quoted || !is_line_end(*at)); at++) {
        if (*at == '"') is_quoted = !is_quoted;
        for (int i = 0; i < 3 && !is_quoted; i++)
            count[i] += *at == candidates[i];
    }
    int best = 0;
    for (int i = 1; i < 3; i++)
        if (count[i] > count[best]) best = i;
    return count[best] ? candidates[best] : ' ';
}

void csv_skip_line(Csv *csv)
{
    while (csv->at < csv->end && !is_line_end(*csv->at))
        csv->at++;
    if (csv->at < csv->end) skip_line_end(csv);
}

bool csv_next_row(Csv *csv)
{
    while (csv->at < csv->end) {
        const char *start = csv->at;
        skip_blanks(csv);
        if (csv->at == csv->end) return false;
        if (!is_line_end(*csv->at)) {
            csv->at = start;
            return true;
        }
        skip_line_end(csv);
    }
    return false;
}

/* Behind a cell: the separator, or the end of the row. */
static Status end_cell(Csv *csv, Cell *cell)
{
    skip_blanks(csv);
    cell->is_last = csv->at == csv->end || is_line_end(*csv->at);
    if (csv->at < csv->end && is_line_end(*csv->at))
        skip_line_end(csv);
    else if (!cell->is_last && csv->separator != ' ')
        csv->at++;
    return STATUS_ok;
}

static Status quoted_cell(Csv *csv, Cell *cell)
{
    uint64_t first = csv->line;
    cell->at = ++csv->at;
    for (; csv->at < csv->end; csv->at++) {
        if (is_line_end(*csv->at)) {
            skip_line_end(csv);
            csv->at--;
        }
        if (*csv->at != '"') continue;
        if (csv->at + 1 == csv->end || csv->at[1] != '"') break;
        cell->has_quotes = true;
        csv->at++;
    }
    if (csv->at == csv->end)
        return origin_refuse(csv->origin, "line %" PRIu64 ": a quote that does not close", first);
    cell->length = (size_t)(csv->at++ - cell->at);

    skip_blanks(csv);
    bool ends = csv->at == csv->end || is_line_end(*csv->at) || *csv->at == csv->separator ||
                csv->separator == ' ';
    if (!ends)
        return origin_refuse(csv->origin, "line %" PRIu64 ": text after a closing quote",
                             csv->line);
    return end_cell(csv, cell);
}

Status csv_next_cell(Csv *csv, Cell *cell)
{
    *cell = (Cell){0};
    skip_blanks(csv);
    if (csv->at < csv->end && *csv->at == '"') return quoted_cell(csv, cell);

    cell->at = csv->at;
    while (csv->at < csv->end && !is_line_end(*csv->at) && *csv->at != csv->separator &&
           !(csv->separator == ' ' && is_blank(csv, *csv->at)))
        csv->at++;
    cell->length = (size_t)(csv->at - cell->at);
    while (cell->length && is_blank(csv, cell->at[cell->length - 1]))
        cell->length--;
    return end_cell(csv, cell);
}

bool csv_text(const Cell *cell, char *text, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < cell->length; i++) {
        if (count + 1 == room) return false;
        text[count++] = cell->at[i];
        if (cell->has_quotes && cell->at[i] == '"') i++;
    }
    text[count] = 0;
    return true;
}

bool csv_is_missing(const Cell *cell)
{
    static const char words[][5] = {"", "?", "NA", "N/A", "NaN", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == cell->length && strncasecmp(words[i], cell->at, cell->length) == 0)
            return true;
    return false;
}

/* Up to 15 digits and a point: an integer below 2^53 over a power of ten up to 10^15, both exact, so that one division
 * rounds correctly (Clinger, "How to read floating point numbers accurately", PLDI 1990). */
static bool plain_number(const char *at, size_t length, double *value)
{
    static const double power[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool is_negative = length && *at == '-', has_point = false;
    unsigned digits = 0, decimals = 0;
    uint64_t number = 0;
    for (size_t i = is_negative; i < length; i++) {
        bool is_point = at[i] == '.' && !has_point;
        has_point |= is_point;
        if (is_point) continue;
        if (at[i] < '0' || at[i] > '9' || ++digits > 15) return false;
        number = number * 10 + (uint64_t)(at[i] - '0');
        decimals += has_point;
    }
    if (digits == 0) return false;
    *value = (double)number / power[decimals];
    if (is_negative) *value = -*value;
    return true;
}

bool csv_number(const Cell *cell, double *value)
{
    if (plain_number(cell->at, cell->length, value)) return true;
    if (cell->length == 0 || cell->length > 400) return false;
    size_t plus = cell->at[0] == '+';
    return text_read_number(cell->at + plus, cell->length - plus, value) && isfinite((float)*value);
}

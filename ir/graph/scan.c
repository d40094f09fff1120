/* The small things of the text, and attributes: one function a kind. */
#include "ir/graph/scan.h"
#include "ir/graph/print.h"
#include <stdarg.h>
#include <stdio.h>

Span scan_span(const Scan *scan, const char *from, const char *to)
{
    return (Span){.source = scan->source,
                  .begin = (uint32_t)(from - scan->begin),
                  .length = (uint32_t)(to - from)};
}

static bool ends_token(char character)
{
    return strchr(" \t\r\n,:;()[]{}=\"", character) != NULL; /* NUL included */
}

bool scan_fail(Scan *scan, const char *at, const char *format, ...)
{
    if (!scan->failed) {
        const char *to = at;
        while (to < scan->end && !ends_token(*to))
            to++;
        if (to == at && at < scan->end) to++;
        char message[512];
        va_list list;
        va_start(list, format);
        vsnprintf(message, sizeof message, format, list);
        va_end(list);
        report_error(scan->report, scan_span(scan, at, to), "%s", message);
    }
    scan->failed = true;
    return false;
}

void scan_skip_blanks(Scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
    size_t left = (size_t)(scan->end - scan->at);
    if ((left && *scan->at == '#') || (left > 1 && scan->at[0] == '/' && scan->at[1] == '/')) {
        const char *line_end = memchr(scan->at, '\n', left);
        scan->at = line_end ? line_end : scan->end;
    }
}

bool scan_at_line_end(Scan *scan)
{
    scan_skip_blanks(scan);
    return scan->at == scan->end || *scan->at == '\n';
}

void scan_skip_line(Scan *scan)
{
    const char *line_end = memchr(scan->at, '\n', (size_t)(scan->end - scan->at));
    scan->at = line_end ? line_end + 1 : scan->end;
}

bool scan_accept(Scan *scan, const char *punctuation)
{
    scan_skip_blanks(scan);
    size_t length = strlen(punctuation);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, punctuation, length) != 0)
        return false;
    scan->at += length;
    return true;
}

bool scan_expect(Scan *scan, const char *punctuation)
{
    return scan_accept(scan, punctuation) ||
           scan_fail(scan, scan->at, "`%s` is expected here", punctuation);
}

uint32_t scan_word(Scan *scan, const char **word)
{
    scan_skip_blanks(scan);
    *word = scan->at;
    while (scan->at < scan->end && name_is_plain(*scan->at) && *scan->at != '.')
        scan->at++;
    return (uint32_t)(scan->at - *word);
}

static bool is_digit(const Scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

/* Digits at once, without blanks before them. */
static bool read_digits(Scan *scan, int64_t *integer)
{
    const char *begin = scan->at;
    *integer = 0;
    if (!is_digit(scan)) return scan_fail(scan, begin, "a whole number is expected here");
    for (; is_digit(scan); scan->at++)
        if (__builtin_mul_overflow(*integer, 10, integer) ||
            __builtin_add_overflow(*integer, *scan->at - '0', integer))
            return scan_fail(scan, begin, "the number is too large");
    return true;
}

bool scan_integer(Scan *scan, int64_t *integer)
{
    bool negative = scan_accept(scan, "-");
    if (!read_digits(scan, integer)) return false;
    if (negative) *integer = -*integer;
    return true;
}

bool scan_number(Scan *scan, double *number)
{
    scan_skip_blanks(scan);
    const char *begin = scan->at;
    while (scan->at < scan->end &&
           (name_is_plain(*scan->at) || *scan->at == '+' || *scan->at == '-'))
        scan->at++;
    return text_read_number(begin, (size_t)(scan->at - begin), number) ||
           scan_fail(scan, begin, "a number is expected here");
}

static int hexadecimal(char digit)
{
    const char *digits = "0123456789abcdef", *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool parse_quoted_name(Scan *scan, Name *name)
{
    const char *begin = scan->at++;
    Text text = {.arena = scan->arena};
    while (scan->at < scan->end && *scan->at != '"' && *scan->at != '\n') {
        char byte = *scan->at++;
        if (byte == '\\') {
            bool whole = scan->end - scan->at >= 3 && scan->at[0] == 'x';
            int high = whole ? hexadecimal(scan->at[1]) : -1,
                low = whole ? hexadecimal(scan->at[2]) : -1;
            if (high < 0 || low < 0)
                return scan_fail(scan, scan->at - 1, "`\\` is not followed by xNN");
            byte = (char)(high * 16 + low);
            scan->at += 3;
        }
        if (!byte) return scan_fail(scan, begin, "a name cannot hold a zero byte");
        text_put(&text, &byte, 1);
    }
    if (!scan_accept(scan, "\"")) return scan_fail(scan, begin, "the quotes are not closed");
    if (!text.count) return scan_fail(scan, begin, "the name is empty");
    *name = name_of_range(scan->names, text.at, text.count);
    return true;
}

bool scan_name(Scan *scan, Name *name)
{
    scan_skip_blanks(scan);
    if (scan->at < scan->end && *scan->at == '"') return parse_quoted_name(scan, name);
    const char *begin = scan->at;
    while (scan->at < scan->end && name_is_plain(*scan->at))
        scan->at++;
    if (scan->at == begin) return scan_fail(scan, begin, "a name is expected here");
    *name = name_of_range(scan->names, begin, (size_t)(scan->at - begin));
    return true;
}

bool scan_type(Scan *scan, TypedShape *typed)
{
    const char *word;
    uint32_t length = scan_word(scan, &word);
    *typed = (TypedShape){.type = type_named(word, length)};
    if (!typed->type) return scan_fail(scan, word, "a type such as f32[8, 3] is expected here");
    if (!scan_expect(scan, "[")) return false;
    if (scan_accept(scan, "]")) return true;
    do {
        scan_skip_blanks(scan);
        if (typed->shape.rank == MAX_RANK)
            return scan_fail(scan, scan->at, "more than %d axes", MAX_RANK);
        if (!read_digits(scan, &typed->shape.extent[typed->shape.rank])) return false;
        typed->shape.rank++;
    } while (scan_accept(scan, ","));
    return scan_expect(scan, "]");
}

/* [one, two, ...], each of `parts` integers between colons, into rows of at[]. */
static bool parse_list(Scan *scan, int most, int parts, int64_t (*at)[4], int *count)
{
    *count = 0;
    if (!scan_expect(scan, "[")) return false;
    if (scan_accept(scan, "]")) return true;
    do {
        if (*count == most) return scan_fail(scan, scan->at, "more than %d entries", most);
        for (int part = 0; part < parts; part++) {
            if (part && !scan_expect(scan, ":")) return false;
            if (!scan_integer(scan, &at[*count][part])) return false;
        }
        ++*count;
    } while (scan_accept(scan, ","));
    return scan_expect(scan, "]");
}

static bool parse_axis(Scan *scan, const char *begin, int64_t integer, uint8_t *axis)
{
    if (integer < 0 || integer >= MAX_RANK)
        return scan_fail(scan, begin, "%lld is not an axis", (long long)integer);
    *axis = (uint8_t)integer;
    return true;
}

static bool check_rank(Scan *scan, const char *begin, int count, int rank)
{
    return count == rank ||
           scan_fail(scan, begin, "%d entries for the %d axes of the operand", count, rank);
}

static bool attribute_parse_number(Scan *scan, int rank, double *number)
{
    (void)rank;
    return scan_number(scan, number);
}

static bool attribute_parse_table(Scan *scan, int rank, Table *table)
{
    (void)rank;
    LIST(double) elements = {0};
    if (!scan_expect(scan, "{")) return false;
    if (!scan_accept(scan, "}")) {
        do {
            double number;
            if (!scan_number(scan, &number)) return false;
            *list_add(scan->arena, &elements) = number;
        } while (scan_accept(scan, ","));
        if (!scan_expect(scan, "}")) return false;
    }
    *table = (Table){elements.count, elements.at};
    return true;
}

static bool attribute_parse_name(Scan *scan, int rank, Name *name)
{
    (void)rank;
    return scan_name(scan, name);
}

static bool attribute_parse_axes(Scan *scan, int rank, Axes *axes)
{
    (void)rank;
    scan_skip_blanks(scan);
    const char *begin = scan->at;
    int64_t at[MAX_RANK][4];
    int count;
    if (!parse_list(scan, MAX_RANK, 1, at, &count)) return false;
    axes->count = (uint8_t)count;
    for (int i = 0; i < count; i++)
        if (!parse_axis(scan, begin, at[i][0], &axes->at[i])) return false;
    return true;
}

static bool attribute_parse_axis(Scan *scan, int rank, int *axis)
{
    (void)rank;
    scan_skip_blanks(scan);
    const char *begin = scan->at;
    int64_t integer;
    uint8_t small = 0;
    if (!scan_integer(scan, &integer) || !parse_axis(scan, begin, integer, &small)) return false;
    *axis = small;
    return true;
}

static bool is_letter(const Scan *scan)
{
    return scan->at < scan->end && *scan->at >= 'a' && *scan->at <= 'z';
}

static bool read_letters(Scan *scan, char letters[MAX_RANK + 1])
{
    for (int i = 0; is_letter(scan); i++) {
        if (i == MAX_RANK) return scan_fail(scan, scan->at, "more than %d letters", MAX_RANK);
        letters[i] = *scan->at++;
    }
    return true;
}

/* 2h, -k, +3: the sign is read where `sign` allows one, the letter where there is a place for it. */
static bool read_term(Scan *scan, bool sign, int64_t *scale, char *letter)
{
    bool negative = sign && scan->at < scan->end && *scan->at == '-';
    if (sign) scan->at++;
    *scale = 1;
    if ((!letter || is_digit(scan)) && !read_digits(scan, scale)) return false;
    if (negative) *scale = -*scale;
    if (!letter) return true;
    if (!is_letter(scan)) return scan_fail(scan, scan->at, "a letter is expected here");
    *letter = *scan->at++;
    return true;
}

static bool at_sign(const Scan *scan)
{
    return scan->at < scan->end && (*scan->at == '+' || *scan->at == '-');
}

/* h=2y+k-1 */
static bool read_window(Scan *scan, Indices *indices)
{
    if (indices->windows == MAX_WINDOWS)
        return scan_fail(scan, scan->at, "more than %d windows", MAX_WINDOWS);
    int i = indices->windows++;
    if (!read_term(scan, false, &indices->window[i].input_scale, &indices->window[i].input))
        return false;
    if (!scan_expect(scan, "=")) return false;
    if (!read_term(scan, false, &indices->window[i].output_scale, &indices->window[i].output))
        return false;
    if (!at_sign(scan)) return scan_fail(scan, scan->at, "`+` or `-` is expected here");
    if (!read_term(scan, true, &indices->window[i].tap_scale, &indices->window[i].tap))
        return false;
    return !at_sign(scan) || read_term(scan, true, &indices->window[i].offset, NULL);
}

static bool attribute_parse_indices(Scan *scan, int rank, Indices *indices)
{
    (void)rank;
    scan_skip_blanks(scan);
    bool read = read_letters(scan, indices->a) && scan_expect(scan, ",") &&
                read_letters(scan, indices->b) && scan_expect(scan, "->") &&
                read_letters(scan, indices->y);
    for (scan_skip_blanks(scan); read && (is_letter(scan) || is_digit(scan));
         scan_skip_blanks(scan))
        read = read_window(scan, indices);
    return read;
}

static bool attribute_parse_slice(Scan *scan, int rank, Slice *slice)
{
    const char *begin = scan->at;
    int64_t at[MAX_RANK][4];
    int count;
    if (!parse_list(scan, MAX_RANK, 2, at, &count) || !check_rank(scan, begin, count, rank))
        return false;
    for (int i = 0; i < count; i++) {
        slice->start[i] = at[i][0];
        slice->stride[i] = at[i][1];
    }
    return true;
}

static bool attribute_parse_pad(Scan *scan, int rank, Pad *pad)
{
    const char *begin = scan->at;
    int64_t at[MAX_RANK][4];
    int count;
    if (!parse_list(scan, MAX_RANK, 3, at, &count) || !check_rank(scan, begin, count, rank))
        return false;
    for (int i = 0; i < count; i++) {
        pad->low[i] = at[i][0];
        pad->interior[i] = at[i][1];
        pad->high[i] = at[i][2];
    }
    return scan_number(scan, &pad->value);
}

static bool attribute_parse_windows(Scan *scan, int rank, Windows *windows)
{
    (void)rank;
    const char *begin = scan->at;
    int64_t at[MAX_WINDOWS][4];
    int count;
    if (!parse_list(scan, MAX_WINDOWS, 4, at, &count)) return false;
    windows->count = (uint8_t)count;
    for (int i = 0; i < count; i++) {
        if (!parse_axis(scan, begin, at[i][0], &windows->at[i].axis)) return false;
        windows->at[i].size = at[i][1];
        windows->at[i].stride = at[i][2];
        windows->at[i].dilation = at[i][3];
    }
    return true;
}

bool scan_attribute(Scan *scan, AttributeKind kind, int rank, Attribute *attribute)
{
    memset(attribute, 0, sizeof *attribute);
    scan_skip_blanks(scan);
    switch (kind) {
    case ATTRIBUTE_none:
    case ATTRIBUTE_COUNT: return true;
#define ATTRIBUTE(kind, type, member)                                                              \
    case ATTRIBUTE_##kind: return attribute_parse_##kind(scan, rank, &attribute->member);
#include "ir/graph/attributes.def"
#undef ATTRIBUTE
    }
    return true;
}

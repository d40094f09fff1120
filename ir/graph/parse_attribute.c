/* The small things of the text, and attributes: one function a kind. */
#include "ir/graph/parse.h"
#include "ir/graph/print.h"
#include <stdarg.h>
#include <stdio.h>

Span parse_span(const Parser *parser, const char *from, const char *to)
{
    return (Span){parser->source, (uint32_t)(from - parser->begin), (uint32_t)(to - from)};
}

static bool ends_token(char character)
{
    return strchr(" \t\r\n,:;()[]{}=\"", character) != NULL; /* NUL included */
}

bool parse_fail(Parser *parser, const char *at, const char *format, ...)
{
    if (!parser->failed) {
        const char *to = at;
        while (to < parser->end && !ends_token(*to))
            to++;
        if (to == at && at < parser->end) to++;
        char message[512];
        va_list list;
        va_start(list, format);
        vsnprintf(message, sizeof message, format, list);
        va_end(list);
        report_error(parser->report, parse_span(parser, at, to), "%s", message);
    }
    parser->failed = true;
    return false;
}

void parse_skip_blanks(Parser *parser)
{
    while (parser->at < parser->end &&
           (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\r'))
        parser->at++;
    size_t left = (size_t)(parser->end - parser->at);
    if ((left && *parser->at == '#') ||
        (left > 1 && parser->at[0] == '/' && parser->at[1] == '/')) {
        const char *line_end = memchr(parser->at, '\n', left);
        parser->at = line_end ? line_end : parser->end;
    }
}

bool parse_at_line_end(Parser *parser)
{
    parse_skip_blanks(parser);
    return parser->at == parser->end || *parser->at == '\n';
}

void parse_skip_line(Parser *parser)
{
    const char *line_end = memchr(parser->at, '\n', (size_t)(parser->end - parser->at));
    parser->at = line_end ? line_end + 1 : parser->end;
}

bool parse_accept(Parser *parser, const char *punctuation)
{
    parse_skip_blanks(parser);
    size_t length = strlen(punctuation);
    if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, punctuation, length) != 0)
        return false;
    parser->at += length;
    return true;
}

bool parse_expect(Parser *parser, const char *punctuation)
{
    return parse_accept(parser, punctuation) ||
           parse_fail(parser, parser->at, "`%s` is expected here", punctuation);
}

uint32_t parse_word(Parser *parser, const char **word)
{
    parse_skip_blanks(parser);
    *word = parser->at;
    while (parser->at < parser->end && name_is_plain(*parser->at) && *parser->at != '.')
        parser->at++;
    return (uint32_t)(parser->at - *word);
}

static bool is_digit(const Parser *parser)
{
    return parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9';
}

/* Digits at once, without blanks before them. */
static bool read_digits(Parser *parser, int64_t *integer)
{
    const char *begin = parser->at;
    *integer = 0;
    if (!is_digit(parser)) return parse_fail(parser, begin, "a whole number is expected here");
    for (; is_digit(parser); parser->at++)
        if (__builtin_mul_overflow(*integer, 10, integer) ||
            __builtin_add_overflow(*integer, *parser->at - '0', integer))
            return parse_fail(parser, begin, "the number is too large");
    return true;
}

bool parse_integer(Parser *parser, int64_t *integer)
{
    bool negative = parse_accept(parser, "-");
    if (!read_digits(parser, integer)) return false;
    if (negative) *integer = -*integer;
    return true;
}

bool parse_number(Parser *parser, double *number)
{
    parse_skip_blanks(parser);
    const char *begin = parser->at;
    while (parser->at < parser->end &&
           (name_is_plain(*parser->at) || *parser->at == '+' || *parser->at == '-'))
        parser->at++;
    return text_read_number(begin, (size_t)(parser->at - begin), number) ||
           parse_fail(parser, begin, "a number is expected here");
}

static int hexadecimal(char digit)
{
    const char *digits = "0123456789abcdef", *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool parse_quoted_name(Parser *parser, Name *name)
{
    const char *begin = parser->at++;
    Text text = {.arena = parser->arena};
    while (parser->at < parser->end && *parser->at != '"' && *parser->at != '\n') {
        char byte = *parser->at++;
        if (byte == '\\') {
            bool whole = parser->end - parser->at >= 3 && parser->at[0] == 'x';
            int high = whole ? hexadecimal(parser->at[1]) : -1,
                low = whole ? hexadecimal(parser->at[2]) : -1;
            if (high < 0 || low < 0)
                return parse_fail(parser, parser->at - 1, "`\\` is not followed by xNN");
            byte = (char)(high * 16 + low);
            parser->at += 3;
        }
        if (!byte) return parse_fail(parser, begin, "a name cannot hold a zero byte");
        text_put(&text, &byte, 1);
    }
    if (!parse_accept(parser, "\"")) return parse_fail(parser, begin, "the quotes are not closed");
    if (!text.count) return parse_fail(parser, begin, "the name is empty");
    *name = name_of_range(parser->names, text.at, text.count);
    return true;
}

bool parse_name(Parser *parser, Name *name)
{
    parse_skip_blanks(parser);
    if (parser->at < parser->end && *parser->at == '"') return parse_quoted_name(parser, name);
    const char *begin = parser->at;
    while (parser->at < parser->end && name_is_plain(*parser->at))
        parser->at++;
    if (parser->at == begin) return parse_fail(parser, begin, "a name is expected here");
    *name = name_of_range(parser->names, begin, (size_t)(parser->at - begin));
    return true;
}

bool parse_type(Parser *parser, TypedShape *typed)
{
    const char *word;
    uint32_t length = parse_word(parser, &word);
    *typed = (TypedShape){.type = type_named(word, length)};
    if (!typed->type) return parse_fail(parser, word, "a type such as f32[8, 3] is expected here");
    if (!parse_expect(parser, "[")) return false;
    if (parse_accept(parser, "]")) return true;
    do {
        parse_skip_blanks(parser);
        if (typed->shape.rank == MAX_RANK)
            return parse_fail(parser, parser->at, "more than %d axes", MAX_RANK);
        if (!read_digits(parser, &typed->shape.extent[typed->shape.rank])) return false;
        typed->shape.rank++;
    } while (parse_accept(parser, ","));
    return parse_expect(parser, "]");
}

/* [one, two, ...], each of `parts` integers between colons, into rows of at[]. */
static bool parse_list(Parser *parser, int most, int parts, int64_t (*at)[4], int *count)
{
    *count = 0;
    if (!parse_expect(parser, "[")) return false;
    if (parse_accept(parser, "]")) return true;
    do {
        if (*count == most) return parse_fail(parser, parser->at, "more than %d entries", most);
        for (int part = 0; part < parts; part++) {
            if (part && !parse_expect(parser, ":")) return false;
            if (!parse_integer(parser, &at[*count][part])) return false;
        }
        ++*count;
    } while (parse_accept(parser, ","));
    return parse_expect(parser, "]");
}

static bool parse_axis(Parser *parser, const char *begin, int64_t integer, uint8_t *axis)
{
    if (integer < 0 || integer >= MAX_RANK)
        return parse_fail(parser, begin, "%lld is not an axis", (long long)integer);
    *axis = (uint8_t)integer;
    return true;
}

static bool check_rank(Parser *parser, const char *begin, int count, int rank)
{
    return count == rank ||
           parse_fail(parser, begin, "%d entries for the %d axes of the operand", count, rank);
}

static bool attribute_parse_number(Parser *parser, int rank, double *number)
{
    (void)rank;
    return parse_number(parser, number);
}

static bool attribute_parse_table(Parser *parser, int rank, Table *table)
{
    (void)rank;
    LIST(double) elements = {0};
    if (!parse_expect(parser, "{")) return false;
    if (!parse_accept(parser, "}")) {
        do {
            double number;
            if (!parse_number(parser, &number)) return false;
            *list_add(parser->arena, &elements) = number;
        } while (parse_accept(parser, ","));
        if (!parse_expect(parser, "}")) return false;
    }
    *table = (Table){elements.count, elements.at};
    return true;
}

static bool attribute_parse_name(Parser *parser, int rank, Name *name)
{
    (void)rank;
    return parse_name(parser, name);
}

static bool attribute_parse_axes(Parser *parser, int rank, Axes *axes)
{
    (void)rank;
    parse_skip_blanks(parser);
    const char *begin = parser->at;
    int64_t at[MAX_RANK][4];
    int count;
    if (!parse_list(parser, MAX_RANK, 1, at, &count)) return false;
    axes->count = (uint8_t)count;
    for (int i = 0; i < count; i++)
        if (!parse_axis(parser, begin, at[i][0], &axes->at[i])) return false;
    return true;
}

static bool attribute_parse_axis(Parser *parser, int rank, int *axis)
{
    (void)rank;
    parse_skip_blanks(parser);
    const char *begin = parser->at;
    int64_t integer;
    uint8_t small = 0;
    if (!parse_integer(parser, &integer) || !parse_axis(parser, begin, integer, &small))
        return false;
    *axis = small;
    return true;
}

static bool is_letter(const Parser *parser)
{
    return parser->at < parser->end && *parser->at >= 'a' && *parser->at <= 'z';
}

static bool read_letters(Parser *parser, char letters[MAX_RANK + 1])
{
    for (int i = 0; is_letter(parser); i++) {
        if (i == MAX_RANK) return parse_fail(parser, parser->at, "more than %d letters", MAX_RANK);
        letters[i] = *parser->at++;
    }
    return true;
}

/* 2h, -k, +3: the sign is read where `sign` allows one, the letter where there is a place for it. */
static bool read_term(Parser *parser, bool sign, int64_t *scale, char *letter)
{
    bool negative = sign && parser->at < parser->end && *parser->at == '-';
    if (sign) parser->at++;
    *scale = 1;
    if ((!letter || is_digit(parser)) && !read_digits(parser, scale)) return false;
    if (negative) *scale = -*scale;
    if (!letter) return true;
    if (!is_letter(parser)) return parse_fail(parser, parser->at, "a letter is expected here");
    *letter = *parser->at++;
    return true;
}

static bool at_sign(const Parser *parser)
{
    return parser->at < parser->end && (*parser->at == '+' || *parser->at == '-');
}

/* h=2y+k-1 */
static bool read_window(Parser *parser, Indices *indices)
{
    if (indices->windows == MAX_WINDOWS)
        return parse_fail(parser, parser->at, "more than %d windows", MAX_WINDOWS);
    int i = indices->windows++;
    if (!read_term(parser, false, &indices->window[i].input_scale, &indices->window[i].input))
        return false;
    if (!parse_expect(parser, "=")) return false;
    if (!read_term(parser, false, &indices->window[i].output_scale, &indices->window[i].output))
        return false;
    if (!at_sign(parser)) return parse_fail(parser, parser->at, "`+` or `-` is expected here");
    if (!read_term(parser, true, &indices->window[i].tap_scale, &indices->window[i].tap))
        return false;
    return !at_sign(parser) || read_term(parser, true, &indices->window[i].offset, NULL);
}

static bool attribute_parse_indices(Parser *parser, int rank, Indices *indices)
{
    (void)rank;
    parse_skip_blanks(parser);
    bool read = read_letters(parser, indices->a) && parse_expect(parser, ",") &&
                read_letters(parser, indices->b) && parse_expect(parser, "->") &&
                read_letters(parser, indices->y);
    for (parse_skip_blanks(parser); read && (is_letter(parser) || is_digit(parser));
         parse_skip_blanks(parser))
        read = read_window(parser, indices);
    return read;
}

static bool attribute_parse_slice(Parser *parser, int rank, Slice *slice)
{
    const char *begin = parser->at;
    int64_t at[MAX_RANK][4];
    int count;
    if (!parse_list(parser, MAX_RANK, 2, at, &count) || !check_rank(parser, begin, count, rank))
        return false;
    for (int i = 0; i < count; i++) {
        slice->start[i] = at[i][0];
        slice->stride[i] = at[i][1];
    }
    return true;
}

static bool attribute_parse_pad(Parser *parser, int rank, Pad *pad)
{
    const char *begin = parser->at;
    int64_t at[MAX_RANK][4];
    int count;
    if (!parse_list(parser, MAX_RANK, 3, at, &count) || !check_rank(parser, begin, count, rank))
        return false;
    for (int i = 0; i < count; i++) {
        pad->low[i] = at[i][0];
        pad->interior[i] = at[i][1];
        pad->high[i] = at[i][2];
    }
    return parse_number(parser, &pad->value);
}

static bool attribute_parse_windows(Parser *parser, int rank, Windows *windows)
{
    (void)rank;
    const char *begin = parser->at;
    int64_t at[MAX_WINDOWS][4];
    int count;
    if (!parse_list(parser, MAX_WINDOWS, 4, at, &count)) return false;
    windows->count = (uint8_t)count;
    for (int i = 0; i < count; i++) {
        if (!parse_axis(parser, begin, at[i][0], &windows->at[i].axis)) return false;
        windows->at[i].size = at[i][1];
        windows->at[i].stride = at[i][2];
        windows->at[i].dilation = at[i][3];
    }
    return true;
}

static bool attribute_parse_stream(Parser *parser, int rank, uint32_t *stream)
{
    (void)rank;
    parse_skip_blanks(parser);
    const char *begin = parser->at;
    int64_t integer;
    if (!parse_integer(parser, &integer)) return false;
    if (integer < 0 || integer > UINT32_MAX)
        return parse_fail(parser, begin, "the stream is not below 2^32");
    *stream = (uint32_t)integer;
    return true;
}

bool parse_attribute(Parser *parser, AttributeKind kind, int rank, Attribute *attribute)
{
    memset(attribute, 0, sizeof *attribute);
    parse_skip_blanks(parser);
    switch (kind) {
    case ATTRIBUTE_none:
    case ATTRIBUTE_COUNT: return true;
#define ATTRIBUTE(kind, type, member)                                                              \
    case ATTRIBUTE_##kind: return attribute_parse_##kind(parser, rank, &attribute->member);
#include "ir/graph/attributes.def"
#undef ATTRIBUTE
    }
    return true;
}

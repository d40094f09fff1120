#include "frontend/lexer.h"
#include "frontend/brackets.h"
#include "ir/base/list.h"
#include "ir/base/utf8.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const WordInfo word_info[WORD_COUNT] = {
#define KEYWORD(word, level, meaning) [WORD_##word] = {#word, meaning, PLACE_KEYWORD, level},
#include "frontend/tokens.def"
#define WORD(word, place, meaning) [WORD_##word] = {#word, meaning, PLACE_##place, 0},
#include "frontend/tokens.def"
};

const char *const mark_text[TOKEN_COUNT] = {
#define MARK(name, text, level) [TOKEN_##name] = text,
#include "frontend/tokens.def"
};

typedef struct Lexer {
    Context *context;
    const Source *source;
    uint32_t index; /* of the source */
    uint32_t at;    /* bytes */
    bool first;     /* nothing yet on this line */
    uint32_t errors;
    Name word[WORD_COUNT];
    LIST(Token) token;
    LIST(Comment) comment;
} Lexer;

static Span span_of(const Lexer *l, uint32_t begin, uint32_t length)
{
    return (Span){.source = l->index, .begin = begin, .length = length};
}

/* True if it was reported, so that a hint may follow. */
#define lexer_error(l, begin, length, ...)                                                         \
    ((l)->errors++ < ERRORS_MOST                                                                   \
         ? (report_error((l)->context->report, span_of((l), (begin), (length)), __VA_ARGS__),      \
            true)                                                                                  \
         : false)
#define lexer_hint(l, ...) report_hint((l)->context->report, __VA_ARGS__)

static char peek(const Lexer *l, uint32_t ahead)
{
    return l->source->size - l->at > ahead ? l->source->text[l->at + ahead] : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool token_opens(TokenKind kind)
{
    return kind == TOKEN_left_paren || kind == TOKEN_left_bracket || kind == TOKEN_left_brace;
}

bool token_closes(TokenKind kind)
{
    return kind == TOKEN_right_paren || kind == TOKEN_right_bracket || kind == TOKEN_right_brace;
}

/* The token from `begin` to the lexer's place. */
static Token *push(Lexer *l, TokenKind kind, uint32_t begin)
{
    Token *token = list_add(l->context->arena, &l->token);
    *token = (Token){.kind = kind, .first = l->first, .begin = begin, .length = l->at - begin};
    token->match = l->token.count - 1;
    l->first = false;
    return token;
}

static void push_keyword(Lexer *l, Word word, uint32_t begin)
{
    Token *token = push(l, TOKEN_keyword, begin);
    token->word = word;
    token->name = l->word[word];
}

static void skip_line(Lexer *l)
{
    const char *begin = l->source->text + l->at;
    const char *end = memchr(begin, '\n', l->source->size - l->at);
    l->at = end ? (uint32_t)(end - l->source->text) : l->source->size;
}

static void lex_comment(Lexer *l)
{
    uint32_t begin = l->at;
    skip_line(l);
    uint32_t end = l->at;
    while (strchr(" \t\r", l->source->text[end - 1]))
        end--;
    *list_add(l->context->arena, &l->comment) =
        (Comment){begin, end - begin, l->token.count, .own_line = l->first};
}

static void lex_name(Lexer *l)
{
    uint32_t begin = l->at;
    while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
        l->at++;
    Token *token = push(l, TOKEN_name, begin);
    token->name = name_of_range(l->context->names, l->source->text + begin, token->length);
    for (Word word = WORD_none + 1; word < WORD_COUNT; word++)
        if (name_same(l->word[word], token->name)) token->word = word;
    if (token->word && word_info[token->word].place == PLACE_KEYWORD) token->kind = TOKEN_keyword;
}

/* Moves over digits, with single underscores between them, and appends them; returns how many. */
static uint32_t take_digits(Lexer *l, Text *digits)
{
    uint32_t count = 0;
    while (is_digit(peek(l, 0)) || (count && peek(l, 0) == '_' && is_digit(peek(l, 1)))) {
        if (peek(l, 0) != '_') {
            text_put(digits, l->source->text + l->at, 1);
            count++;
        }
        l->at++;
    }
    return count;
}

/* The exponent's value, held within what can matter beside at most SOURCE_MOST digits. */
static int64_t take_exponent(Lexer *l)
{
    bool negative = peek(l, 1) == '-';
    l->at += negative || peek(l, 1) == '+' ? 2 : 1;
    int64_t exponent = 0;
    for (; is_digit(peek(l, 0)); l->at++)
        if (exponent < 1000000000) exponent = exponent * 10 + (peek(l, 0) - '0');
    return negative ? -exponent : exponent;
}

static bool unit_of(const char *text, size_t length, double *times, double *over)
{
#define UNIT(name, times_, over_)                                                                  \
    if (length == strlen(#name) && memcmp(text, #name, length) == 0)                               \
        return *times = (times_), *over = (over_), true;
#include "frontend/tokens.def"
    return false;
}

static void take_unit(Lexer *l, Token *number)
{
    uint32_t begin = l->at;
    while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
        l->at++;
    double times = 1, over = 1;
    const char *unit = l->source->text + begin;
    int length = (int)(l->at - begin);
    if (length && !unit_of(unit, (size_t)length, &times, &over)) {
        if (!lexer_error(l, begin, (uint32_t)length, "a number has no unit `%.*s`",
                         length < 40 ? length : 40, unit))
            return;
        if (unit[0] == 'x' || unit[0] == 'X')
            lexer_hint(l, "numbers are decimal");
        else
            lexer_hint(l, "counts have k, M, G; sizes KB, MB, GB, TB, KiB, MiB, GiB, TiB; "
                          "times ms, s, min, h, d");
    }
    number->number = number->number * times / over;
    number->is_integer = number->is_integer && over == 1;
}

/* The digits go to strtod without their point, which some locales write otherwise; the exponent makes up for it. */
static void lex_number(Lexer *l)
{
    uint32_t begin = l->at;
    Text digits = {.arena = l->context->arena};
    take_digits(l, &digits);
    Token number = {.is_integer = true};
    int64_t exponent = 0;
    if (peek(l, 0) == '.' && is_digit(peek(l, 1))) {
        l->at++;
        exponent = -(int64_t)take_digits(l, &digits);
        number.is_integer = false;
    }
    bool sign = peek(l, 1) == '-' || peek(l, 1) == '+';
    if ((peek(l, 0) == 'e' || peek(l, 0) == 'E') && is_digit(peek(l, sign ? 2 : 1))) {
        exponent += take_exponent(l);
        number.is_integer = false;
    }
    text_add(&digits, "e%lld", (long long)exponent);
    number.number = strtod(text_done(&digits), NULL);
    take_unit(l, &number);
    if (!isfinite(number.number))
        lexer_error(l, begin, l->at - begin, "the number is larger than %g", DBL_MAX);
    else if (number.is_integer && number.number >= 0x1p53)
        lexer_error(l, begin, l->at - begin, "a whole number is less than 2^53");

    Token *token = push(l, TOKEN_number, begin);
    token->number = isfinite(number.number) ? number.number : 0;
    token->is_integer = number.is_integer;
    token->text = arena_text(l->context->arena, l->source->text + begin, token->length);
}

static void put_code(Text *text, uint32_t code)
{
    char bytes[4];
    text_put(text, bytes, utf8_put(bytes, code));
}

/* \uXXXX.  NUL would end the text early, and halves of surrogate pairs are no characters. */
static void take_code(Lexer *l, Text *text)
{
    uint32_t code = 0, digits = 0;
    for (; digits < 4; digits++) {
        char c = peek(l, 2 + digits);
        uint32_t letter = (uint32_t)((c | 0x20) - 'a');
        if (!is_digit(c) && letter > 5) break;
        code = code * 16 + (is_digit(c) ? (uint32_t)(c - '0') : letter + 10);
    }
    if (digits < 4)
        lexer_error(l, l->at, 2 + digits, "`\\u` needs four hexadecimal digits");
    else if (code == 0 || (code >= 0xd800 && code < 0xe000))
        lexer_error(l, l->at, 6, "`\\u%04x` is not a character", (unsigned)code);
    else
        put_code(text, code);
    l->at += 2 + digits;
}

static void take_escape(Lexer *l, Text *text)
{
    char c = peek(l, 1);
    static const char escape[] = "n\nt\t\\\\\"\"";
    if (c == 'u') {
        take_code(l, text);
        return;
    }
    for (const char *e = escape; *e; e += 2)
        if (c == e[0]) {
            text_put(text, e + 1, 1);
            l->at += 2;
            return;
        }
    if (lexer_error(l, l->at, 1, "a backslash in a text begins \\n, \\t, \\\\, \\\" or \\uXXXX"))
        lexer_hint(l, "a backslash itself is written \\\\");
    l->at++;
}

/* What is never closed ends with its line; the bad token behind it silences what follows from that. */
static void lex_string(Lexer *l)
{
    uint32_t begin = l->at;
    char quote = peek(l, 0);
    Text text = {.arena = l->context->arena};
    if (quote == '\'' && lexer_error(l, begin, 1, "texts stand in double quotes"))
        lexer_hint(l, "write \"...\"");
    for (l->at++; peek(l, 0) != quote;) {
        char c = peek(l, 0);
        if (l->at == l->source->size || c == '\n') break;
        if (c == '\\') {
            take_escape(l, &text);
        } else {
            text_put(&text, &c, 1);
            l->at++;
        }
    }
    bool closed = peek(l, 0) == quote;
    if (closed)
        l->at++;
    else if (lexer_error(l, begin, l->at - begin, "the text is not closed on its line"))
        lexer_hint(l, "close it with %c; a line break inside is written \\n", quote);
    push(l, TOKEN_string, begin)->text = text_done(&text);
    if (!closed) push(l, TOKEN_bad, l->at);
}

/* Operators of other languages: reported once here, and read as what was meant. */
static bool lex_foreign(Lexer *l)
{
    static const struct {
        const char *text, *hint;
        TokenKind kind;
        Word word;
    } foreign[] = {
        {"&&", "write `and`", TOKEN_keyword, WORD_and},
        {"||", "write `or`", TOKEN_keyword, WORD_or},
        {"^", "a power is written `**`", TOKEN_power, WORD_none},
        {"+=", "bindings are made anew: `x = x + ...`", TOKEN_assign, WORD_none},
        {"-=", "bindings are made anew: `x = x - ...`", TOKEN_assign, WORD_none},
        {"*=", "bindings are made anew: `x = x * ...`", TOKEN_assign, WORD_none},
        {"/=", "bindings are made anew: `x = x / ...`", TOKEN_assign, WORD_none},
        {":=", "a binding is written `NAME = value`", TOKEN_assign, WORD_none},
        {"=>", "a mapping is written `->`, a comparison `>=`", TOKEN_arrow, WORD_none},
        {"!", "write `not`", TOKEN_keyword, WORD_not},
        {"@", "a matrix product is written `matmul(a, b)`", TOKEN_times, WORD_none},
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        uint32_t length = (uint32_t)strlen(foreign[i].text);
        if (peek(l, 0) != foreign[i].text[0] || (length > 1 && peek(l, 1) != foreign[i].text[1]))
            continue;
        if (lexer_error(l, l->at, length, "there is no operator `%s`", foreign[i].text))
            lexer_hint(l, "%s", foreign[i].hint);
        uint32_t begin = l->at;
        l->at += length;
        if (foreign[i].word)
            push_keyword(l, foreign[i].word, begin);
        else
            push(l, foreign[i].kind, begin);
        return true;
    }
    return false;
}

static bool lex_mark(Lexer *l)
{
    for (TokenKind kind = TOKEN_bad + 1; kind < TOKEN_COUNT; kind++) {
        uint32_t length = (uint32_t)strlen(mark_text[kind]);
        if (peek(l, 0) != mark_text[kind][0] || (length > 1 && peek(l, 1) != mark_text[kind][1]))
            continue;
        uint32_t begin = l->at;
        l->at += length;
        push(l, kind, begin);
        return true;
    }
    return false;
}

/* Comments of other languages: reported, and skipped. */
static bool skip_foreign_comment(Lexer *l)
{
    uint32_t begin = l->at;
    if (peek(l, 0) == '#') {
        skip_line(l);
    } else if (peek(l, 0) == '/' && peek(l, 1) == '*') {
        const char *text = l->source->text + begin;
        const char *end = memmem(text + 2, l->source->size - begin - 2, "*/", 2);
        l->at = end ? (uint32_t)(end + 2 - l->source->text) : l->source->size;
        if (memchr(text, '\n', l->at - begin)) l->first = true;
    } else {
        return false;
    }
    if (lexer_error(l, begin, l->source->text[begin] == '#' ? 1 : 2, "this is no comment"))
        lexer_hint(l, "comments start with //");
    return true;
}

static void lex_unknown(Lexer *l)
{
    const char *at = l->source->text + l->at;
    uint32_t begin = l->at;
    uint32_t length = utf8_length(at, l->source->size - l->at);
    l->at += length;
    push(l, TOKEN_bad, begin);
    bool shown = (unsigned char)*at >= 0x20 && *at != 0x7f
                     ? lexer_error(l, begin, length, "unexpected character `%.*s`", (int)length, at)
                     : lexer_error(l, begin, length, "unexpected control character 0x%02x", *at);
    if (!shown) return;
    if (strncmp(at, "\u201c", 3) == 0 || strncmp(at, "\u201d", 3) == 0 || *at == '`')
        lexer_hint(l, "texts stand in straight double quotes: \"...\"");
    else if (*at == '?')
        lexer_hint(l, "a choice is written `a if condition else b`");
    else if (*at == '&' || *at == '|')
        lexer_hint(l, "write `%s`", *at == '&' ? "and" : "or");
    else if ((unsigned char)*at >= 0x80)
        lexer_hint(l, "names are made of the letters a to z and A to Z, digits and _");
}

static void lex_token(Lexer *l)
{
    char c = peek(l, 0);
    if (c == '\n') {
        l->first = true;
        l->at++;
    } else if (c == ' ' || c == '\t' || c == '\r') {
        l->at++;
    } else if (c == '/' && peek(l, 1) == '/') {
        lex_comment(l);
    } else if (is_letter(c)) {
        lex_name(l);
    } else if (is_digit(c)) {
        lex_number(l);
    } else if (c == '"' || c == '\'') {
        lex_string(l);
    } else if (!skip_foreign_comment(l)) {
        bool known = c == '!' && peek(l, 1) == '=' ? lex_mark(l) : lex_foreign(l) || lex_mark(l);
        if (!known) lex_unknown(l);
    }
}

/* One message for a file that is no text, instead of one for each of its bytes. */
static bool is_text(Lexer *l)
{
    const Source *source = l->source;
    if (source->size > SOURCE_MOST) {
        lexer_error(l, 0, 0, "the file has %u bytes; at most %u are read", source->size,
                    SOURCE_MOST);
        return false;
    }
    for (uint32_t at = 0, length; at < source->size; at += length) {
        const unsigned char *byte = (const unsigned char *)source->text + at;
        length = *byte ? utf8_length(byte, source->size - at) : 0;
        if (length) continue;
        if (*byte) {
            lexer_error(l, at, 1, "the file is not UTF-8: byte 0x%02x cannot stand here", *byte);
            lexer_hint(l, "save the file as UTF-8");
        } else {
            lexer_error(l, at, 1, "the file is not a text: it contains a zero byte");
        }
        return false;
    }
    return true;
}

Tokens *lex(Context *context, uint32_t source)
{
    Lexer l = {.context = context, .index = source, .first = true};
    l.source = sources_get(context->sources, source);
    for (Word word = WORD_none + 1; word < WORD_COUNT; word++)
        l.word[word] = name_of(context->names, word_info[word].text);

    if (is_text(&l)) {
        if (strncmp(l.source->text, "\xef\xbb\xbf", 3) == 0) l.at = 3; /* a byte order mark */
        while (l.at < l.source->size)
            lex_token(&l);
    }
    l.at = l.source->size;
    l.first = true;
    push(&l, TOKEN_end, l.source->size);

    Tokens *tokens = arena_new(context->arena, Tokens);
    *tokens = (Tokens){l.token.at, l.token.count, l.comment.at, l.comment.count, l.errors};
    brackets_match(context->arena, tokens, l.source);
    return tokens;
}

#ifndef MLC_FRONTEND_PARSER_PARTS_H
#define MLC_FRONTEND_PARSER_PARTS_H
/* What the parser's files share.  After an error the parser is `quiet` until the next statement, setting, entry or list
 * element: one mistake, one message.  Every loop over tokens moves on, and every recursion counts in `depth`. */
#include "frontend/lexer.h"
#include "frontend/parser.h"

typedef struct Parser {
    Context *context;
    Arena *arena;
    uint32_t source;
    Tokens *tokens;
    uint32_t at; /* the token looked at */
    uint32_t
        line; /* a token that begins a line without ending what came before: a statement's own first */
    uint32_t inside; /* closed ( and [ around: line ends count for nothing */
    uint32_t depth;
    uint32_t errors;
    bool quiet;
    bool in_model, in_function;
    uint32_t scans; /* around */
} Parser;

#define NO_LINE UINT32_MAX

typedef LIST(const Ast *) Nodes;

/* The cursor. */

static inline Token *peek(const Parser *p)
{
    return &p->tokens->at[p->at];
}

static inline Token *peek_next(const Parser *p)
{
    return peek(p)->kind == TOKEN_end ? peek(p) : peek(p) + 1;
}

static inline bool is(const Parser *p, TokenKind kind)
{
    return peek(p)->kind == kind;
}

/* A keyword, or a name spelled like the word. */
static inline bool is_word(const Parser *p, Word word)
{
    return peek(p)->word == word;
}

/* Line ends, where they end statements. */
static inline bool is_line_end(const Parser *p)
{
    return (peek(p)->first && !p->inside && p->at != p->line) || is(p, TOKEN_end);
}

static inline void next(Parser *p)
{
    if (!is(p, TOKEN_end)) p->at++;
}

static inline bool accept(Parser *p, TokenKind kind)
{
    bool there = is(p, kind);
    if (there) next(p);
    return there;
}

/* What comes now may begin on the next line. */
static inline void cross_line(Parser *p)
{
    p->line = p->at;
}

/* A comma with more behind it, on this line or the next. */
static inline bool accept_comma(Parser *p)
{
    bool there = !p->quiet && !is_line_end(p) && accept(p, TOKEN_comma);
    if (there) cross_line(p);
    return there;
}

/* Also marks it as a word, for the formatter. */
static inline bool accept_word(Parser *p, Word word)
{
    bool there = is_word(p, word);
    if (there) peek(p)->prefix = true;
    if (there) next(p);
    return there;
}

/* Errors.  True if it was reported, so that notes and hints may follow; `fail` is silent until recovery. */

#define complain(p, span, ...)                                                                     \
    (parser_may_report(p) ? (report_error((p)->context->report, (span), __VA_ARGS__), true) : false)
#define fail(p, span, ...) parser_failed((p), complain((p), (span), __VA_ARGS__))
#define hint(p, ...)       report_hint((p)->context->report, __VA_ARGS__)
#define note(p, span, ...) report_note((p)->context->report, (span), __VA_ARGS__)

bool parser_may_report(Parser *p);
bool parser_failed(Parser *p, bool reported);
Span parser_span_of(const Parser *p, uint32_t token);
Span parser_span_since(const Parser *p, uint32_t token);
/* Fails: "expected WHAT, found `foo`", or "the end of the line". */
bool parser_expected(Parser *p, const char *what);
bool parser_expect(Parser *p, TokenKind kind);
/* A name; keywords get an error that says so.  After an error a token without a name. */
const Token *parser_name(Parser *p, const char *what);
/* Fails, and false, when nested too deeply; else depth is one more. */
bool parser_deeper(Parser *p);
/* The word nearest to a name, among those of the places (bits); WORD_none: none is near. */
Word parser_suggest(const Parser *p, const Token *name, unsigned places);
/* What other languages' word at hand is here; NULL: it is none. */
const char *parser_foreign(const Parser *p, const Token *name);

/* Nodes.  A tree that grows too high is reported and becomes an error node. */

#define COUNT_OF(...) ((uint32_t)(sizeof((const Ast *[]){__VA_ARGS__}) / sizeof(const Ast *)))
#define MAKE(p, head, ...)                                                                         \
    parser_make((p), (head), COUNT_OF(__VA_ARGS__), (const Ast *[]){__VA_ARGS__})
const Ast *parser_make(Parser *p, Ast head, uint32_t count, const Ast *const *child);
const Ast *parser_leaf(Parser *p, Ast head);
const Ast *parser_error_node(Parser *p);

/* Brackets.  enter: at an opening one, moves in; reports one that is never closed.  leave: moves behind. */

typedef struct Bracket {
    uint32_t open, end; /* end: the token where the content ends */
    uint32_t inside;    /* of the parser, outside */
} Bracket;

Bracket parser_enter(Parser *p);
void parser_leave(Parser *p, const Bracket *bracket);
/* After an element in ( ) or [ ]: to the next one or the end; reports what is in the way. */
void parser_end_element(Parser *p, const Bracket *bracket);
/* After what began at token `begin` in { } or in a file: it must end here; reports and skips what is in the way.
 * `end` is where the content ends. */
void parser_end_line(Parser *p, uint32_t end, uint32_t begin);

/* The grammar. */

const Ast *parse_value(Parser *p); /* an expression that begins on this line */
const Ast *parse_value_here(
    Parser *p); /* after an operator, a comma, `=`: may begin on the next line */
const Ast *parse_type(Parser *p);
bool parse_type_begins(const Parser *p);
const char *parse_text(Parser *p, const char *what); /* a string's text; "" after an error */
const Ast *parse_block(Parser *p);
const Ast *parse_statement(Parser *p);
const Ast *parse_const(Parser *p);
const Ast *parse_weights(Parser *p);
const Ast *parse_tokens(Parser *p); /* the whole file */

#endif

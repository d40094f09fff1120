/* What every part of the parser uses: the cursor's errors, nodes, brackets and recovery. */
#include "frontend/parser_parts.h"
#include <stdio.h>

#define DEPTH_MOST 200u

/* The lexer has spoken about a bad token. */
bool parser_may_report(Parser *p)
{
    if (p->quiet || is(p, TOKEN_bad)) return false;
    return p->errors++ + p->tokens->errors < ERRORS_MOST;
}

bool parser_failed(Parser *p, bool reported)
{
    p->quiet = true;
    return reported;
}

Span parser_span_of(const Parser *p, uint32_t token)
{
    const Token *t = &p->tokens->at[token];
    return (Span){.source = p->source, .begin = t->begin, .length = t->length};
}

Span parser_span_since(const Parser *p, uint32_t token)
{
    if (p->at <= token) return parser_span_of(p, token);
    return span_join(parser_span_of(p, token), parser_span_of(p, p->at - 1));
}

/* What stands here, in words. */
static const char *found(const Parser *p)
{
    const Token *token = peek(p);
    if (token->kind == TOKEN_end) return "the end of the file";
    if (is_line_end(p)) return "the end of the line";
    if (token->kind == TOKEN_string) return "a text";

    Text text = {.arena = p->arena};
    const char *source = sources_get(p->context->sources, p->source)->text;
    int length = token->length < 60 ? (int)token->length : 60;
    const char *what = token->kind == TOKEN_number ? "the number " : "";
    text_add(&text, "%s`%.*s`", what, length, source + token->begin);
    return text_done(&text);
}

/* The token here; at a line's end the place behind what precedes it. */
static Span place(const Parser *p)
{
    if (!p->at || !is_line_end(p)) return parser_span_of(p, p->at);
    const Token *before = peek(p) - 1;
    return (Span){.source = p->source, .begin = before->begin + before->length};
}

bool parser_expected(Parser *p, const char *what)
{
    bool reported = fail(p, place(p), "expected %s, found %s", what, found(p));
    if (reported && is(p, TOKEN_keyword) && !is_line_end(p))
        hint(p, "`%s` is a keyword: %s", word_info[peek(p)->word].text,
             word_info[peek(p)->word].meaning);
    return reported;
}

bool parser_expect(Parser *p, TokenKind kind)
{
    if (is(p, kind) && !is_line_end(p)) {
        next(p);
        return true;
    }
    char what[8];
    snprintf(what, sizeof what, "`%s`", mark_text[kind]);
    parser_expected(p, what);
    return false;
}

const Token *parser_name(Parser *p, const char *what)
{
    static const Token none;
    if (is(p, TOKEN_name) && !is_line_end(p)) {
        const Token *name = peek(p);
        next(p);
        return name;
    }
    if (is(p, TOKEN_keyword) && !is_line_end(p)) {
        const char *word = word_info[peek(p)->word].text;
        if (fail(p, place(p), "expected %s, found the keyword `%s`", what, word))
            hint(p, "a keyword cannot be a name; `%s_` would be one", word);
        next(p);
        return &none;
    }
    parser_expected(p, what);
    return &none;
}

bool parser_deeper(Parser *p)
{
    if (p->depth == DEPTH_MOST) {
        fail(p, place(p), "this is nested more than %u levels deep", DEPTH_MOST);
        return false;
    }
    p->depth++;
    return true;
}

Word parser_suggest(const Parser *p, const Token *name, unsigned places)
{
    const char *text = name_text(p->context->names, name->name);
    unsigned best = strlen(text) < 4 ? 2 : 3;
    Word nearest = WORD_none;
    for (Word word = WORD_none + 1; word < WORD_COUNT; word++) {
        if (!(places & 1u << word_info[word].place)) continue;
        unsigned distance = text_distance(text, word_info[word].text, best);
        if (distance >= best) continue;
        best = distance;
        nearest = word;
    }
    return nearest;
}

const char *parser_foreign(const Parser *p, const Token *name)
{
    const char *text = name_text(p->context->names, name->name);
#define FOREIGN(word, instead)                                                                     \
    if (strcmp(text, #word) == 0) return instead;
#include "frontend/tokens.def"
    return NULL;
}

const Ast *parser_make(Parser *p, Ast head, uint32_t count, const Ast *const *child)
{
    const Ast **copy = arena_array(p->arena, const Ast *, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = child[i];
        if (child[i] && child[i]->height >= head.height) head.height = child[i]->height + 1;
    }
    if (head.height > AST_HEIGHT_MOST) {
        fail(p, head.at, "this chain has more than about %d links", AST_HEIGHT_MOST);
        return parser_error_node(p);
    }
    Ast *node = arena_new(p->arena, Ast);
    *node = head;
    node->count = count;
    node->child = copy;
    return node;
}

const Ast *parser_leaf(Parser *p, Ast head)
{
    return parser_make(p, head, 0, NULL);
}

const Ast *parser_error_node(Parser *p)
{
    return parser_leaf(p, (Ast){.kind = AST_error, .at = place(p)});
}

static void report_unclosed(Parser *p, const Bracket *bracket)
{
    const Token *open = &p->tokens->at[bracket->open], *end = &p->tokens->at[bracket->end];
    static const char *const closer[TOKEN_COUNT] = {
        [TOKEN_left_paren] = ")", [TOKEN_left_bracket] = "]", [TOKEN_left_brace] = "}"};
    if (end[-1].kind == TOKEN_bad) return; /* a text that was not closed may have swallowed it */
    if (!complain(p, parser_span_of(p, bracket->open), "`%s` is never closed",
                  mark_text[open->kind]))
        return;
    Span behind = {.source = p->source, .begin = end[-1].begin + end[-1].length};
    if (open->kind != TOKEN_left_brace)
        note(p, behind, "expected `%s` here", closer[open->kind]);
    else if (end->kind != TOKEN_end)
        note(p, parser_span_of(p, bracket->end), "expected `}` before this");
}

Bracket parser_enter(Parser *p)
{
    const Token *open = peek(p);
    Bracket bracket = {.open = p->at, .end = open->match, .inside = p->inside};
    if (!open->closed) report_unclosed(p, &bracket);
    if (open->kind == TOKEN_left_brace)
        p->inside = 0;
    else if (open->closed)
        p->inside++;
    next(p);
    return bracket;
}

void parser_leave(Parser *p, const Bracket *bracket)
{
    const Token *open = &p->tokens->at[bracket->open], *end = &p->tokens->at[bracket->end];
    bool same = (open->kind == TOKEN_left_paren && end->kind == TOKEN_right_paren) ||
                (open->kind == TOKEN_left_bracket && end->kind == TOKEN_right_bracket) ||
                (open->kind == TOKEN_left_brace && end->kind == TOKEN_right_brace);
    p->inside = bracket->inside;
    if (p->at < bracket->end || open->kind == TOKEN_left_brace) p->at = bracket->end;
    if (!open->closed) return;
    if (!same && complain(p, parser_span_of(p, p->at), "`%s` is closed by `%s`",
                          mark_text[open->kind], mark_text[end->kind]))
        note(p, parser_span_of(p, bracket->open), "opened here");
    next(p);
}

/* Behind the token here, or behind the whole bracket that it opens. */
static void hop(Parser *p, uint32_t end)
{
    const Token *token = peek(p);
    uint32_t behind = token_opens(token->kind) ? token->match + token->closed : p->at + 1;
    if (behind <= p->at) behind = p->at + 1;
    p->at = behind < end ? behind : end;
}

void parser_end_element(Parser *p, const Bracket *bracket)
{
    if (p->at < bracket->end && !is(p, TOKEN_comma)) {
        static const char *const what[TOKEN_COUNT] = {
            [TOKEN_left_paren] = "`,` or `)`", [TOKEN_left_bracket] = "`,` or `]`"};
        parser_expected(p, what[p->tokens->at[bracket->open].kind]);
    }
    while (p->at < bracket->end && !is(p, TOKEN_comma))
        hop(p, bracket->end);
    p->quiet = false;
    if (p->at < bracket->end) next(p);
}

static void unexpected(Parser *p, uint32_t begin)
{
    const Token *token = peek(p), *before = token - 1;
    const char *what = found(p);
    if (token->kind == TOKEN_assign) {
        if (!fail(p, place(p), "unexpected `=`")) return;
        if (p->at == begin + 1 || before->kind != TOKEN_right_bracket)
            hint(p, "a binding is `NAME = value`; values are compared by `==`");
        else
            hint(p, "tensors are not changed in place; make a new one, e.g. with where()");
    } else if (token_closes(token->kind)) {
        fail(p, place(p), "%s closes nothing", what);
    } else if (token->kind == TOKEN_left_brace) {
        if (fail(p, place(p), "unexpected `{`"))
            hint(p,
                 "braces follow if, else, for, scan, fn, and the words that begin a file's items");
    } else if (fail(p, place(p), "expected the end of the line, found %s", what)) {
        if (token->kind == TOKEN_colon)
            hint(p, "blocks stand in { }; `name: value` stands in calls and data blocks");
        else if (token->kind == TOKEN_comma)
            hint(p, "a list is written [a, b]; a line binds one name");
        else if (before->kind == TOKEN_right_brace || token->kind == TOKEN_keyword)
            hint(p, "two statements on one line are separated by `;`");
    }
}

void parser_end_line(Parser *p, uint32_t end, uint32_t begin)
{
    bool ends = p->at >= end || is(p, TOKEN_semicolon) || (peek(p)->first && p->at > begin);
    if (!ends) unexpected(p, begin);
    while (p->at < end && !is(p, TOKEN_semicolon) && (!peek(p)->first || p->at == begin))
        hop(p, end);
    p->quiet = false;
    while (p->at < end && is(p, TOKEN_semicolon))
        next(p);
}

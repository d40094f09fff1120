/* A closing bracket takes the innermost open one of its kind; round and square ones do not reach across a brace.  That is all
 * there is to a balanced file.  Where braces are missing, this would blame the outermost, so the pairs are made once
 * more with the author's indentation as the witness: a `}` at the start of a line belongs to the `{` whose line is indented
 * like it, and a word at the very margin that begins an item is not inside any other item. */
#include "frontend/brackets.h"
#include "ir/base/list.h"

#define DEPTH_LOOKED_AT 256 /* more than the parser nests; keeps the work linear in the file */

typedef struct Matcher {
    Arena *arena;
    Tokens *tokens;
    const Source *source;
    bool by_indentation;
    bool unclosed; /* a brace was left open */
    LIST(uint32_t) open;
} Matcher;

static Token *token(Matcher *m, uint32_t index)
{
    return &m->tokens->at[index];
}

static TokenKind closer_of(TokenKind open)
{
    return open == TOKEN_left_paren     ? TOKEN_right_paren
           : open == TOKEN_left_bracket ? TOKEN_right_bracket
                                        : TOKEN_right_brace;
}

static uint32_t indentation(const Matcher *m, uint32_t offset)
{
    uint32_t begin = m->source->line_start[source_place(m->source, offset).line - 1], end = begin;
    while (end - begin < 1000 && strchr(" \t", m->source->text[end]) && m->source->text[end])
        end++;
    return end - begin;
}

/* Where the content of a round or square bracket without partner is taken to end: with its line, unless that ends in a
 * comma, before any brace, and at `at`, up to which all brackets inside have their partners. */
static uint32_t end_of_line(Matcher *m, uint32_t index, uint32_t at)
{
    for (uint32_t i = index + 1;; i++) {
        const Token *t = token(m, i);
        bool continues = token(m, i - 1)->kind == TOKEN_comma;
        if (i == at || t->kind == TOKEN_semicolon || t->kind == TOKEN_left_brace ||
            t->kind == TOKEN_right_brace || (t->first && !continues))
            return i;
        if (token_opens(t->kind)) i = t->closed ? t->match : t->match - 1;
    }
}

static void leave_open(Matcher *m, uint32_t at)
{
    uint32_t index = *list_last(&m->open);
    Token *t = token(m, index);
    m->open.count--;
    t->closed = false;
    if (t->kind == TOKEN_left_brace) {
        m->unclosed = true;
        t->match = at;
    } else {
        t->match = end_of_line(m, index, at);
    }
}

static void pair(Matcher *m, uint32_t closer)
{
    uint32_t opener = *list_last(&m->open);
    m->open.count--;
    token(m, opener)->match = closer;
    token(m, opener)->closed = true;
    token(m, closer)->match = opener;
}

/* The place in the stack of the brace that this `}` closes, counted from 1; 0: none. */
static uint32_t brace_of(Matcher *m, uint32_t closer)
{
    uint32_t innermost = m->open.count;
    while (innermost && token(m, m->open.at[innermost - 1])->kind != TOKEN_left_brace)
        innermost--;
    if (!m->by_indentation || !token(m, closer)->first) return innermost;

    uint32_t wanted = indentation(m, token(m, closer)->begin);
    uint32_t tries = DEPTH_LOOKED_AT;
    for (uint32_t i = innermost; i && tries; i--, tries--) {
        const Token *t = token(m, m->open.at[i - 1]);
        if (t->kind == TOKEN_left_brace && indentation(m, t->begin) == wanted) return i;
    }
    return innermost;
}

static void close_brace(Matcher *m, uint32_t closer)
{
    uint32_t place = brace_of(m, closer);
    if (!place) return;
    while (m->open.count > place)
        leave_open(m, closer);
    pair(m, closer);
}

/* f(a[1) leaves the square one open; f(a] closes the round one, and the parser says so. */
static void close_other(Matcher *m, uint32_t closer)
{
    uint32_t place = m->open.count;
    while (place && token(m, m->open.at[place - 1])->kind != TOKEN_left_brace &&
           closer_of(token(m, m->open.at[place - 1])->kind) != token(m, closer)->kind)
        place--;
    bool found = place && token(m, m->open.at[place - 1])->kind != TOKEN_left_brace;
    if (!found) place = m->open.count;
    if (!place || token(m, m->open.at[place - 1])->kind == TOKEN_left_brace) return;
    while (m->open.count > place)
        leave_open(m, closer);
    pair(m, closer);
}

static bool begins_item(Matcher *m, uint32_t index)
{
    const Token *t = token(m, index), *next = t + 1;
    if (!t->first || indentation(m, t->begin) || !t->word) return false;
    bool is_item = word_info[t->word].place == PLACE_ITEM || t->word == WORD_fn;
    return is_item && (next->kind == TOKEN_name || next->kind == TOKEN_string ||
                       next->kind == TOKEN_left_brace);
}

/* Inside ( ) and [ ] no name stands before another or before `=`.  On a line that is indented no further than the one with
 * the bracket, this is the next statement, and the bracket was forgotten. */
static bool begins_statement(Matcher *m, uint32_t index)
{
    const Token *t = token(m, index), *next = t + 1;
    if (!m->open.count || !t->first || t->kind != TOKEN_name || next->first) return false;
    const Token *open = token(m, *list_last(&m->open));
    return open->kind != TOKEN_left_brace &&
           (next->kind == TOKEN_assign || next->kind == TOKEN_name) &&
           indentation(m, t->begin) <= indentation(m, open->begin);
}

static void match_all(Matcher *m)
{
    m->open.count = 0;
    m->unclosed = false;
    for (uint32_t i = 0; i < m->tokens->count; i++) {
        Token *t = token(m, i);
        if (t->kind == TOKEN_end || (m->by_indentation && begins_item(m, i)))
            while (m->open.count)
                leave_open(m, i);
        while (begins_statement(m, i))
            leave_open(m, i);
        t->match = i;
        if (token_opens(t->kind))
            *list_add(m->arena, &m->open) = i;
        else if (t->kind == TOKEN_right_brace)
            close_brace(m, i);
        else if (token_closes(t->kind))
            close_other(m, i);
    }
}

void brackets_match(Arena *arena, Tokens *tokens, const Source *source)
{
    Matcher m = {.arena = arena, .tokens = tokens, .source = source};
    match_all(&m);
    if (!m.unclosed) return;
    m.by_indentation = true;
    match_all(&m);
}

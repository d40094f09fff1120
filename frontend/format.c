/* The one style, from tokens: indentation and the blanks between tokens are ours, line breaks and comments the author's.  Only
 * blocks are broken: one that does not stand on one line in the source, or does not fit there.  What was broken is never
 * joined, so formatting twice changes nothing.  Splitting long expressions was left out: authors break them better. */
#include "frontend/parser_parts.h"

enum { WIDTH = 100, INDENT = 2, CONTINUED = 4 };

typedef struct Format {
    const Source *source;
    const Tokens *tokens;
    Text *out;
    size_t begin;      /* of `out`, which may hold something already */
    size_t line;       /* where the line being written begins in `out` */
    uint32_t comment;  /* the next one */
    uint32_t ended;    /* in the source: the end of what was written last */
    const Token *last; /* the token written last */
    uint32_t braces;   /* open, not flat */
    uint32_t rounds;   /* ( and [ open */
    bool *flat;        /* of an opening brace's index: the block is on one line */
    bool *tight;       /* of an opening bracket's index: an index, whose colons have no blanks */
    LIST(uint32_t) open;
    Arena *arena;
    bool split;      /* a `;` was dropped: the next token begins a line */
    bool chain_flat; /* of the block before an `else` */
} Format;

static const Token *token(const Format *f, uint32_t index)
{
    return &f->tokens->at[index];
}

static bool is_empty(const Format *f)
{
    return f->out->count == f->begin;
}

static size_t width(const Format *f)
{
    return f->out->count - f->line;
}

static bool is_operand(const Token *t)
{
    return (t->kind == TOKEN_name && !t->prefix) || t->kind == TOKEN_number ||
           t->kind == TOKEN_string || t->kind == TOKEN_right_paren ||
           t->kind == TOKEN_right_bracket;
}

static bool in_tight(const Format *f)
{
    return f->open.count && f->tight[*list_last(&f->open)];
}

/* A blank between the token and the one before it on its line. */
static bool is_apart(const Token *before, const Token *t, bool tight)
{
    TokenKind a = before->kind, b = t->kind;
    if (b == TOKEN_comma || b == TOKEN_semicolon) return false;
    if (b == TOKEN_colon) return a == TOKEN_comma;
    if (a == TOKEN_colon) return !tight;
    if (a == TOKEN_left_paren || a == TOKEN_left_bracket) return false;
    if (b == TOKEN_right_paren || b == TOKEN_right_bracket) return false;
    if (a == TOKEN_dot || b == TOKEN_dot || a == TOKEN_range || b == TOKEN_range) return false;
    if (a == TOKEN_minus && before->prefix) return false;
    if (a == TOKEN_left_brace && b == TOKEN_right_brace) return false;
    if (b == TOKEN_left_paren || b == TOKEN_left_bracket) return !is_operand(before);
    return true;
}

/* The bytes from an opening brace to the end of what follows it on its line. */
static size_t flat_width(const Format *f, uint32_t brace)
{
    size_t sum = 0;
    bool tight = false;
    uint32_t end = token(f, brace)->match;
    for (uint32_t i = brace; token(f, i)->kind != TOKEN_end; i++) {
        const Token *t = token(f, i);
        if (i > end && (t->first || t->kind == TOKEN_semicolon)) break;
        sum += t->length + (i > brace && is_apart(t - 1, t, tight));
        if (t->kind == TOKEN_left_bracket) tight = is_operand(t - 1);
        if (t->kind == TOKEN_right_bracket) tight = false;
        if (sum > WIDTH) break;
    }
    return sum;
}

static bool fits_flat(const Format *f, uint32_t brace)
{
    for (uint32_t i = brace + 1; i <= token(f, brace)->match; i++)
        if (token(f, i)->first) return false;
    if (f->open.count && f->flat[*list_last(&f->open)]) return true;
    return f->chain_flat && width(f) + flat_width(f, brace) <= WIDTH;
}

/* The statement on the line before goes on. */
static bool continues(const Token *before)
{
    static const int level[TOKEN_COUNT] = {
#define MARK(name, text, level_) [TOKEN_##name] = level_,
#include "frontend/tokens.def"
    };
    return level[before->kind] || before->kind == TOKEN_comma || before->kind == TOKEN_assign ||
           before->kind == TOKEN_colon || before->kind == TOKEN_arrow ||
           before->kind == TOKEN_keyword;
}

/* Of a line that begins with the token. */
static size_t indentation(const Format *f, uint32_t index)
{
    size_t rounds = f->rounds, braces = f->braces;
    for (uint32_t i = index;
         token_closes(token(f, i)->kind) && token(f, i)->kind != TOKEN_right_brace; i++)
        rounds -= rounds > 0;
    if (token(f, index)->kind == TOKEN_right_brace) braces -= braces > 0;
    size_t more = f->rounds ? INDENT * rounds : f->last && continues(f->last) ? CONTINUED : 0;
    return INDENT * braces + more;
}

/* Ends the line, keeps one blank line if the source has one here and it parts something. */
static void break_line(Format *f, uint32_t begin, bool may_part)
{
    uint32_t lines = 0;
    for (uint32_t i = f->ended; i < begin; i++)
        lines += f->source->text[i] == '\n';
    if (!is_empty(f))
        text_put(f->out, lines > 1 && may_part ? "\n\n" : "\n", lines > 1 && may_part ? 2 : 1);
    f->line = f->out->count;
}

static bool after_open_brace(const Format *f)
{
    return f->last && f->last->kind == TOKEN_left_brace && f->ended == f->last->begin + 1;
}

/* A comment behind code stays in its column if it can; two blanks part them at least. */
static void write_comment(Format *f, const Comment *comment, uint32_t index)
{
    size_t column;
    if (comment->own_line || is_empty(f)) {
        bool parts = !after_open_brace(f);
        break_line(f, comment->begin, parts);
        bool closes = token_closes(token(f, index)->kind);
        column = closes ? INDENT * (f->braces + f->rounds) : indentation(f, index);
    } else {
        column = source_place(f->source, comment->begin).column - 1;
        if (column < width(f) + 2) column = width(f) + 2;
    }
    text_add(f->out, "%*s", (int)(column - width(f)), "");
    text_put(f->out, f->source->text + comment->begin, comment->length);
    f->ended = comment->begin + comment->length;
}

static bool in_flat(const Format *f)
{
    return f->open.count && f->flat[*list_last(&f->open)];
}

/* True if the token must begin a line. */
static bool is_broken(const Format *f, uint32_t index, bool commented)
{
    const Token *t = token(f, index), *before = f->last;
    if (commented || f->split || !before) return true;
    if (before->kind == TOKEN_left_brace && t->kind == TOKEN_right_brace) return false;
    if (before->kind == TOKEN_left_brace && !f->flat[before - f->tokens->at]) return true;
    if (t->kind == TOKEN_right_brace && !f->flat[t->match]) return true;
    if (t->word == WORD_else && before->kind == TOKEN_right_brace) return false;
    return t->first;
}

/* What stands between the token and the one before it. */
static void write_gap(Format *f, uint32_t index)
{
    const Token *t = token(f, index);
    bool commented = false;
    for (; f->comment < f->tokens->comment_count; f->comment++) {
        const Comment *comment = &f->tokens->comment[f->comment];
        if (comment->before > index) break;
        write_comment(f, comment, index);
        commented = true;
    }
    if (t->kind == TOKEN_end || is_empty(f)) return;
    if (is_broken(f, index, commented)) {
        break_line(f, t->begin, !after_open_brace(f) && t->kind != TOKEN_right_brace);
        text_add(f->out, "%*s", (int)indentation(f, index), "");
    } else if (is_apart(f->last, t, in_tight(f))) {
        text_put(f->out, " ", 1);
    }
    f->split = false;
}

static void open_bracket(Format *f, uint32_t index)
{
    const Token *t = token(f, index);
    if (t->kind == TOKEN_left_brace) {
        f->flat[index] = fits_flat(f, index);
        f->chain_flat = true;
        f->braces += !f->flat[index];
    } else {
        f->tight[index] = t->kind == TOKEN_left_bracket && index && is_operand(t - 1);
        f->rounds++;
    }
    *list_add(f->arena, &f->open) = index;
}

static void close_bracket(Format *f, uint32_t index)
{
    const Token *t = token(f, index);
    f->open.count--;
    if (t->kind == TOKEN_right_brace)
        f->braces -= !f->flat[t->match];
    else
        f->rounds--;
}

/* Only between the statements of a block on one line. */
static bool is_semicolon_kept(const Format *f, uint32_t index)
{
    const Token *before = token(f, index) - 1, *next = token(f, index) + 1;
    while (next->kind == TOKEN_semicolon)
        next++;
    return in_flat(f) && next->kind != TOKEN_right_brace && before->kind != TOKEN_left_brace &&
           before->kind != TOKEN_semicolon;
}

static void write_token(Format *f, uint32_t index)
{
    const Token *t = token(f, index);
    if (t->kind == TOKEN_semicolon && !is_semicolon_kept(f, index)) {
        f->split = !in_flat(f) && f->last && f->last->kind != TOKEN_left_brace;
        return;
    }
    write_gap(f, index);
    if (t->word == WORD_else && t->kind == TOKEN_keyword && t[-1].kind == TOKEN_right_brace)
        f->chain_flat = f->flat[t[-1].match];
    if (token_opens(t->kind)) {
        open_bracket(f, index);
    } else if (token_closes(t->kind)) {
        close_bracket(f, index);
    }
    text_put(f->out, f->source->text + t->begin, t->length);
    f->ended = t->begin + t->length;
    f->last = t;
}

bool format_source(Context *context, uint32_t source, Text *out)
{
    Parser p = {.context = context, .arena = context->arena, .source = source};
    p.tokens = lex(context, source);
    parse_tokens(&p);
    if (p.errors + p.tokens->errors) return false;

    Format f = {.source = sources_get(context->sources, source),
                .tokens = p.tokens,
                .out = out,
                .begin = out->count,
                .line = out->count,
                .arena = context->arena,
                .chain_flat = true};
    f.flat = arena_array(context->arena, bool, p.tokens->count);
    f.tight = arena_array(context->arena, bool, p.tokens->count);
    for (uint32_t i = 0; i + 1 < p.tokens->count; i++)
        write_token(&f, i);
    write_gap(&f, p.tokens->count - 1);
    if (!is_empty(&f)) text_put(out, "\n", 1);
    return true;
}

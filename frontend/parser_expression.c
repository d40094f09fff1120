/* Expressions, by precedence climbing: tokens.def says how tightly each operator binds. */
#include "frontend/parser_parts.h"

enum { LEVEL_or = 1, LEVEL_not = 3, LEVEL_comparison = 4, LEVEL_range = 5, LEVEL_times = 7 };

static int level_of(const Token *token)
{
    static const int level[TOKEN_COUNT] = {
#define MARK(name, text, level_) [TOKEN_##name] = level_,
#include "frontend/tokens.def"
    };
    int found = token->kind == TOKEN_keyword ? word_info[token->word].level : level[token->kind];
    return found <= LEVEL_times ? found : 0;
}

static Name name_of_operator(const Parser *p, const Token *token)
{
    if (token->kind == TOKEN_keyword) return token->name;
    return name_of(p->context->names, mark_text[token->kind]);
}

static const Ast *make_leaf_of_token(Parser *p, AstKind kind)
{
    const Token *token = peek(p);
    Span at = parser_span_of(p, p->at);
    next(p);
    return parser_leaf(p, (Ast){.kind = kind,
                                .at = at,
                                .name_at = at,
                                .name = token->name,
                                .number = token->number,
                                .is_integer = token->is_integer,
                                .text = token->text});
}

const char *parse_text(Parser *p, const char *what)
{
    if (is(p, TOKEN_string) && !is_line_end(p)) {
        const char *text = peek(p)->text;
        next(p);
        return text;
    }
    parser_expected(p, what);
    return "";
}

/* Elements separated by commas, up to a round or square bracket's end. */
static void parse_elements(Parser *p, const Bracket *bracket, const Ast *(*element)(Parser *p),
                           Nodes *nodes)
{
    while (p->at < bracket->end) {
        *list_add(p->arena, nodes) = element(p);
        parser_end_element(p, bracket);
    }
}

static const Ast *parse_list(Parser *p)
{
    uint32_t begin = p->at;
    Bracket bracket = parser_enter(p);
    Nodes nodes = {0};
    parse_elements(p, &bracket, parse_value_here, &nodes);
    parser_leave(p, &bracket);
    Ast head = {.kind = AST_list, .at = parser_span_since(p, begin)};
    return parser_make(p, head, nodes.count, nodes.at);
}

/* The value inside, with the parentheses in its span. */
static const Ast *parse_parenthesized(Parser *p)
{
    uint32_t begin = p->at;
    Bracket bracket = parser_enter(p);
    const Ast *value = parse_value_here(p);
    bool closed = p->tokens->at[bracket.open].closed; /* if not, that was the mistake */
    if (closed && p->at < bracket.end && is(p, TOKEN_comma)) {
        if (fail(p, parser_span_of(p, p->at), "parentheses hold one value"))
            hint(p, "a list is written [a, b]");
    } else if (closed && p->at < bracket.end) {
        parser_expected(p, "`)`");
    }
    parser_leave(p, &bracket);
    Ast head = *value;
    head.at = parser_span_since(p, begin);
    return parser_make(p, head, value->count, value->child);
}

static const Ast *no_value(Parser *p)
{
    p->line = NO_LINE; /* the value was missing on the line before */
    const Ast *node = parser_error_node(p);
    if (is(p, TOKEN_keyword) && !is_line_end(p)) {
        const char *word = word_info[peek(p)->word].text;
        if (!fail(p, node->at, "expected a value, found the keyword `%s`", word)) return node;
        if (is_word(p, WORD_if))
            hint(p, "a choice between values is written `a if condition else b`");
        else if (is_word(p, WORD_scan))
            hint(p, "a scan is the whole right side of a binding: `ys = scan x in xs { ... }`");
        else if (is_word(p, WORD_fn))
            hint(p, "functions have names and stand at the top of the file");
        else if (is_word(p, WORD_not))
            hint(p, "put the `not ...` in parentheses");
        else
            hint(p, "`%s` cannot be a name; `%s_` would be one", word, word);
    } else if (parser_expected(p, "a value")) {
        if (is(p, TOKEN_assign))
            hint(p, "values are compared by `==`");
        else if (is(p, TOKEN_dot))
            hint(p, "numbers have a digit before the point: 0.5");
    }
    return node;
}

/* `x =` at the end of a line would take its value from the next, were that not a statement: nowhere in an expression
 * does a name stand before another or before `=`. */
static bool is_next_statement(const Parser *p)
{
    if (!peek(p)->first || p->inside || peek_next(p)->first) return false;
    TokenKind follows = peek_next(p)->kind;
    return is(p, TOKEN_name) && (follows == TOKEN_assign || follows == TOKEN_name);
}

static const Ast *parse_primary(Parser *p)
{
    if (is(p, TOKEN_name) && !is_next_statement(p)) return make_leaf_of_token(p, AST_name);
    if (is(p, TOKEN_number)) return make_leaf_of_token(p, AST_number);
    if (is(p, TOKEN_string)) return make_leaf_of_token(p, AST_string);
    if (is(p, TOKEN_left_bracket)) return parse_list(p);
    if (is(p, TOKEN_left_paren)) return parse_parenthesized(p);
    return no_value(p);
}

/* value | name: value */
static const Ast *parse_argument(Parser *p)
{
    uint32_t begin = p->at;
    Ast head = {.kind = AST_argument};
    const Token *label = peek(p), *mark = peek_next(p);
    bool is_name = label->kind == TOKEN_name || label->kind == TOKEN_keyword;
    if (is_name && (mark->kind == TOKEN_colon || mark->kind == TOKEN_assign)) {
        head.name = label->name;
        head.name_at = parser_span_of(p, p->at);
        const char *name = name_text(p->context->names, label->name);
        next(p);
        if (mark->kind == TOKEN_assign &&
            complain(p, parser_span_of(p, p->at), "a named argument is written with `:`"))
            hint(p, "write `%s: value`", name);
        next(p);
    }
    const Ast *value = parse_value_here(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, value);
}

static const Ast *parse_call(Parser *p, const Ast *callee)
{
    Nodes nodes = {0};
    *list_add(p->arena, &nodes) = callee;
    Bracket bracket = parser_enter(p);
    parse_elements(p, &bracket, parse_argument, &nodes);
    parser_leave(p, &bracket);
    Span at = span_join(callee->at, parser_span_since(p, bracket.open));
    return parser_make(p, (Ast){.kind = AST_call, .at = at}, nodes.count, nodes.at);
}

static bool bound_follows(const Parser *p)
{
    return !is(p, TOKEN_colon) && !is(p, TOKEN_comma) && !token_closes(peek(p)->kind);
}

/* value | from:to:step, each of them optional */
static const Ast *parse_subscript(Parser *p)
{
    uint32_t begin = p->at;
    const Ast *bound[3] = {NULL};
    if (bound_follows(p)) bound[0] = parse_value_here(p);
    if (!is(p, TOKEN_colon)) return bound[0] ? bound[0] : no_value(p);

    for (int i = 1; i < 3 && accept(p, TOKEN_colon); i++)
        if (bound_follows(p)) bound[i] = parse_value_here(p);
    Ast head = {.kind = AST_span, .at = parser_span_since(p, begin)};
    return parser_make(p, head, 3, bound);
}

static const Ast *parse_index(Parser *p, const Ast *value)
{
    Nodes nodes = {0};
    *list_add(p->arena, &nodes) = value;
    Bracket bracket = parser_enter(p);
    if (p->at == bracket.end) parser_expected(p, "an index");
    parse_elements(p, &bracket, parse_subscript, &nodes);
    parser_leave(p, &bracket);
    Span at = span_join(value->at, parser_span_since(p, bracket.open));
    return parser_make(p, (Ast){.kind = AST_index, .at = at}, nodes.count, nodes.at);
}

static const Ast *parse_member(Parser *p, const Ast *value)
{
    next(p);
    if ((is(p, TOKEN_name) || is(p, TOKEN_keyword)) && !is_line_end(p)) {
        Span name_at = parser_span_of(p, p->at);
        Name name = peek(p)->name;
        next(p);
        Span at = span_join(value->at, name_at);
        return MAKE(p, ((Ast){.kind = AST_member, .at = at, .name = name, .name_at = name_at}),
                    value);
    }
    bool is_number = is(p, TOKEN_number);
    if (parser_expected(p, "a name behind the `.`") && is_number)
        hint(p, "layers of a loop are named in patterns: \"h.0.*\"");
    return value;
}

static const Ast *parse_postfix(Parser *p)
{
    const Ast *value = parse_primary(p);
    while (!is_line_end(p)) {
        if (is(p, TOKEN_left_paren))
            value = parse_call(p, value);
        else if (is(p, TOKEN_left_bracket))
            value = parse_index(p, value);
        else if (is(p, TOKEN_dot))
            value = parse_member(p, value);
        else
            break;
    }
    return value;
}

static const Ast *make_binary(Parser *p, const Token *operator_, const Ast *left, const Ast *right)
{
    uint32_t index = (uint32_t)(operator_ - p->tokens->at);
    Ast head = {.kind = operator_->kind == TOKEN_range ? AST_range : AST_binary,
                .at = span_join(left->at, right->at),
                .name_at = parser_span_of(p, index)};
    if (head.kind == AST_binary) head.name = name_of_operator(p, operator_);
    return MAKE(p, head, left, right);
}

static const Ast *parse_binary(Parser *p, int least);

static const Ast *make_unary(Parser *p, uint32_t begin, const Ast *value)
{
    Ast head = {.kind = AST_unary,
                .at = span_join(parser_span_of(p, begin), value->at),
                .name = name_of_operator(p, &p->tokens->at[begin]),
                .name_at = parser_span_of(p, begin)};
    return MAKE(p, head, value);
}

/* -a, a ** b: -a ** b is -(a ** b), and a ** -b is fine. */
static const Ast *parse_power(Parser *p)
{
    if (!parser_deeper(p)) return parser_error_node(p);
    const Ast *value;
    uint32_t begin = p->at;
    if (is(p, TOKEN_minus)) {
        peek(p)->prefix = true;
        next(p);
        value = make_unary(p, begin, parse_power(p));
    } else {
        value = parse_postfix(p);
        const Token *operator_ = peek(p);
        if (is(p, TOKEN_power) && !is_line_end(p)) {
            next(p);
            cross_line(p);
            value = make_binary(p, operator_, value, parse_power(p));
        }
    }
    p->depth--;
    return value;
}

static const Ast *parse_not(Parser *p)
{
    if (!parser_deeper(p)) return parser_error_node(p);
    uint32_t begin = p->at;
    next(p);
    const Ast *value = make_unary(p, begin, parse_binary(p, LEVEL_not));
    p->depth--;
    return value;
}

/* Comparisons and ranges do not chain. */
static void check_chain(Parser *p, int level)
{
    if (is_line_end(p) || level_of(peek(p)) != level) return;
    Span at = parser_span_of(p, p->at);
    if (level == LEVEL_range)
        fail(p, at, "a range has two ends");
    else if (level == LEVEL_comparison && complain(p, at, "comparisons do not chain"))
        hint(p, "write `a < b and b < c`");
}

static const Ast *parse_binary(Parser *p, int least)
{
    const Ast *left = is_word(p, WORD_not) && least <= LEVEL_not ? parse_not(p) : parse_power(p);
    for (;;) {
        const Token *operator_ = peek(p);
        int level = level_of(operator_);
        if (!level || level < least || is_line_end(p)) return left;
        next(p);
        cross_line(p);
        left = make_binary(p, operator_, left, parse_binary(p, level + 1));
        if (level == LEVEL_comparison || level == LEVEL_range) check_chain(p, level);
    }
}

const Ast *parse_value_here(Parser *p)
{
    cross_line(p);
    if (!parser_deeper(p)) return parser_error_node(p);
    const Ast *value = parse_binary(p, LEVEL_or);
    if (is_word(p, WORD_if) && !is_line_end(p)) {
        next(p);
        cross_line(p);
        const Ast *condition = parse_binary(p, LEVEL_or);
        if (!accept_word(p, WORD_else)) {
            if (parser_expected(p, "`else`"))
                hint(p, "a choice between values is written `a if condition else b`");
        }
        const Ast *otherwise = p->quiet ? parser_error_node(p) : parse_value_here(p);
        Ast head = {.kind = AST_choose, .at = span_join(value->at, otherwise->at)};
        value = MAKE(p, head, value, condition, otherwise);
    }
    p->depth--;
    return value;
}

const Ast *parse_value(Parser *p)
{
    return is_line_end(p) ? no_value(p) : parse_value_here(p);
}

bool parse_type_begins(const Parser *p)
{
    if (!is(p, TOKEN_name)) return false;
    const char *text = name_text(p->context->names, peek(p)->name);
#define TYPE(name, bytes, class)                                                                   \
    if (strcmp(text, #name) == 0) return true;
#include "ir/graph/types.def"
#undef TYPE
    return false;
}

static void refuse_type(Parser *p)
{
    static const char *const alias[][2] = {
        {"float", "f32"},  {"float32", "f32"}, {"single", "f32"},   {"f64", "f32"},
        {"double", "f32"}, {"float64", "f32"}, {"int", "i32"},      {"int32", "i32"},
        {"long", "i64"},   {"int64", "i64"},   {"byte", "u8"},      {"uint8", "u8"},
        {"half", "f16"},   {"float16", "f16"}, {"boolean", "bool"}, {"bfloat16", "bf16"},
        {"int8", "i8"},    {"uint32", "u32"},
    };
    if (!is(p, TOKEN_name) || is_line_end(p)) {
        parser_expected(p, "a type such as f32[N, 10]");
        return;
    }
    const char *text = name_text(p->context->names, peek(p)->name);
    if (!fail(p, parser_span_of(p, p->at), "`%s` is not a type", text)) return;
    for (size_t i = 0; i < sizeof alias / sizeof *alias; i++)
        if (strcmp(text, alias[i][0]) == 0) {
            hint(p, "write %s", alias[i][1]);
            return;
        }
    hint(p, "types are f32, bf16, f16, i64, i32, i8, u32, u8 and bool");
}

const Ast *parse_type(Parser *p)
{
    uint32_t begin = p->at;
    if (!parse_type_begins(p) || is_line_end(p)) {
        refuse_type(p);
        return parser_error_node(p);
    }
    Ast head = {.kind = AST_type, .name = peek(p)->name, .name_at = parser_span_of(p, begin)};
    next(p);
    Nodes nodes = {0};
    if (is(p, TOKEN_left_bracket) && !is_line_end(p)) {
        Bracket bracket = parser_enter(p);
        parse_elements(p, &bracket, parse_value_here, &nodes);
        parser_leave(p, &bracket);
    }
    head.at = parser_span_since(p, begin);
    return parser_make(p, head, nodes.count, nodes.at);
}

const Ast *parse_expression(Context *context, uint32_t source)
{
    Parser p = {.context = context, .arena = context->arena, .source = source};
    p.tokens = lex(context, source);
    p.inside = 1; /* the whole source is one expression */
    const Ast *value = parse_value_here(&p);
    if (!is(&p, TOKEN_end)) parser_expected(&p, "the end of the value");
    return value;
}

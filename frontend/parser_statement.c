/* Statements.  The words that begin them are names elsewhere: `state x: f32 = 0` is a statement because a name follows. */
#include "frontend/parser_parts.h"

enum {
    STATEMENTS = 1u << PLACE_STATEMENT | 1u << PLACE_BOTH | 1u << PLACE_KEYWORD,
    ITEMS = 1u << PLACE_ITEM | 1u << PLACE_BOTH
};

const Ast *parse_block(Parser *p)
{
    uint32_t begin = p->at;
    if (!is(p, TOKEN_left_brace) || is_line_end(p)) {
        bool next_line = is(p, TOKEN_left_brace);
        if (parser_expected(p, "`{`"))
            hint(p, next_line ? "the brace stands on the line that it belongs to"
                              : "blocks stand in { }");
        if (!next_line) return parser_error_node(p);
    }
    if (!parser_deeper(p)) return parser_error_node(p);

    p->quiet = false;
    Nodes nodes = {0};
    Bracket bracket = parser_enter(p);
    while (p->at < bracket.end && is(p, TOKEN_semicolon))
        next(p);
    while (p->at < bracket.end) {
        uint32_t statement = p->at;
        cross_line(p);
        *list_add(p->arena, &nodes) = parse_statement(p);
        parser_end_line(p, bracket.end, statement);
    }
    parser_leave(p, &bracket);
    p->depth--;
    return parser_make(p, (Ast){.kind = AST_block, .at = parser_span_since(p, begin)}, nodes.count,
                       nodes.at);
}

/* Sets the node's name from the token here. */
static void take_name(Parser *p, Ast *head, const char *what)
{
    head->name_at = parser_span_of(p, p->at);
    head->name = parser_name(p, what)->name;
}

static const Ast *missing(Parser *p)
{
    return parser_error_node(p);
}

/* After `=`: an expression or a scan. */
static const Ast *parse_bound_value(Parser *p);

/* `= value`, or an error node. */
static const Ast *parse_assigned(Parser *p)
{
    return parser_expect(p, TOKEN_assign) ? parse_bound_value(p) : missing(p);
}

/* `: type`, or an error node. */
static const Ast *parse_colon_type(Parser *p)
{
    return parser_expect(p, TOKEN_colon) ? parse_type(p) : missing(p);
}

/* NAME = value, with a word for a mark before it if `mark`. */
static const Ast *parse_bind(Parser *p, const char *mark)
{
    uint32_t begin = mark ? p->at - 1 : p->at;
    Ast head = {.kind = AST_bind, .text = mark};
    take_name(p, &head, "a name");
    const Ast *value = parse_assigned(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, value);
}

static const Ast *parse_update(Parser *p)
{
    uint32_t begin = p->at - 1;
    Ast head = {.kind = AST_update};
    take_name(p, &head, "the name of a state");
    const Ast *value = parse_assigned(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, value);
}

/* NAME: type = value */
static const Ast *parse_owned(Parser *p, AstKind kind)
{
    uint32_t begin = p->at - 1;
    Ast head = {.kind = kind};
    take_name(p, &head, kind == AST_param ? "the parameter's name" : "the state's name");
    const Ast *type = parse_colon_type(p);
    const Ast *value = p->quiet ? missing(p) : parse_assigned(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, type, value);
}

static void check_in_model(Parser *p, uint32_t begin, const char *what)
{
    if (!p->in_model)
        complain(p, parser_span_of(p, begin), "%s stands in a model, not in a function", what);
}

static const Ast *parse_input(Parser *p)
{
    uint32_t begin = p->at - 1;
    check_in_model(p, begin, "an input");
    Ast head = {.kind = AST_input};
    take_name(p, &head, "the input's name");
    const Ast *type = parse_colon_type(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, type);
}

/* NAME = value | NAME, which stands for NAME = NAME */
static const Ast *parse_output(Parser *p)
{
    uint32_t begin = p->at - 1;
    check_in_model(p, begin, "an output");
    Ast head = {.kind = AST_output};
    take_name(p, &head, "the output's name");
    const Ast *value;
    if (is(p, TOKEN_assign) && !is_line_end(p))
        value = parse_assigned(p);
    else
        value = parser_leaf(p, (Ast){.kind = AST_name,
                                     .at = head.name_at,
                                     .name = head.name,
                                     .name_at = head.name_at});
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, value);
}

/* if c { } else if c { } else { } */
static const Ast *parse_if(Parser *p)
{
    if (!parser_deeper(p)) return missing(p);
    uint32_t begin = p->at;
    next(p);
    const Ast *condition = parse_value(p);
    if (is(p, TOKEN_assign) && complain(p, parser_span_of(p, p->at), "`=` does not compare")) {
        hint(p, "values are compared by `==`");
        next(p);
        parse_value_here(p);
    }
    const Ast *then = parse_block(p), *otherwise = NULL;
    if (accept_word(p, WORD_else)) otherwise = is_word(p, WORD_if) ? parse_if(p) : parse_block(p);
    p->depth--;
    Ast head = {.kind = AST_if, .at = parser_span_since(p, begin)};
    return MAKE(p, head, condition, then, otherwise);
}

static const Ast *parse_for(Parser *p)
{
    uint32_t begin = p->at;
    next(p);
    Ast head = {.kind = AST_for};
    take_name(p, &head, "the index's name");
    const Ast *range = missing(p);
    if (accept_word(p, WORD_in))
        range = parse_value(p);
    else if (parser_expected(p, "`in`"))
        hint(p, "a loop is written `for i in 0..n { ... }`");
    const Ast *block = parse_block(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, range, block);
}

/* carry h = h0, c = c0 */
static void parse_carries(Parser *p, Nodes *nodes)
{
    do
        *list_add(p->arena, nodes) = parse_bind(p, NULL);
    while (accept_comma(p));
}

/* scan NAME in value axis value carry NAME = value, ... { } */
static const Ast *parse_scan(Parser *p)
{
    uint32_t begin = p->at;
    next(p);
    Ast head = {.kind = AST_scan};
    Nodes nodes = {0};
    take_name(p, &head, "the slice's name");
    const Ast *over = missing(p), *axis = NULL;
    if (accept_word(p, WORD_in))
        over = parse_value(p);
    else if (parser_expected(p, "`in`"))
        hint(p, "a scan is written `ys = scan x in xs axis 1 carry h = h0 { ...; yield y }`");
    if (!is_line_end(p) && accept_word(p, WORD_axis)) axis = parse_value(p);
    *list_add(p->arena, &nodes) = over;
    *list_add(p->arena, &nodes) = axis;
    if (!is_line_end(p) && accept_word(p, WORD_carry)) parse_carries(p, &nodes);
    p->scans++;
    *list_add(p->arena, &nodes) = parse_block(p);
    p->scans--;
    head.at = parser_span_since(p, begin);
    return parser_make(p, head, nodes.count, nodes.at);
}

static const Ast *parse_bound_value(Parser *p)
{
    cross_line(p);
    return is_word(p, WORD_scan) ? parse_scan(p) : parse_value_here(p);
}

static const Ast *parse_return(Parser *p)
{
    uint32_t begin = p->at;
    bool yields = is_word(p, WORD_yield);
    if (yields && !p->scans) {
        if (complain(p, parser_span_of(p, begin), "`yield` stands in a scan"))
            hint(p, "a function gives its value by `return`");
    } else if (!yields && !p->in_function) {
        if (complain(p, parser_span_of(p, begin), "`return` stands in a function"))
            hint(p, "a model gives its values by `output NAME = value`");
    } else if (!yields && p->scans) {
        if (complain(p, parser_span_of(p, begin), "`return` cannot leave a scan"))
            hint(p, "a step of a scan gives its value by `yield`");
    }
    next(p);
    const Ast *value = is_line_end(p) ? parse_value(p) : parse_bound_value(p);
    Ast head = {.kind = yields ? AST_yield : AST_return, .at = parser_span_since(p, begin)};
    return MAKE(p, head, value);
}

static const Ast *parse_evaluated(Parser *p)
{
    const Ast *value = parse_value_here(p);
    return MAKE(p, ((Ast){.kind = AST_evaluate, .at = value->at}), value);
}

/* What an item's word begins inside a block is parsed, so that its content does not give more errors. */
static const Ast *parse_misplaced(Parser *p)
{
    Word word = peek(p)->word;
    if (complain(p, parser_span_of(p, p->at), "`%s` stands at the top of a file, not in a block",
                 word_info[word].text) &&
        word == WORD_const)
        hint(p, "inside a block, a binding is `NAME = value`");
    if (word == WORD_const) return parse_const(p);
    return parser_failed(p, false), missing(p);
}

static const Ast *parse_statement_of_word(Parser *p, Word word)
{
    switch ((unsigned)word) {
    case WORD_if: return parse_if(p);
    case WORD_for: return parse_for(p);
    case WORD_return:
    case WORD_yield: return parse_return(p);
    case WORD_fn:
    case WORD_const:
    case WORD_model:
    case WORD_data:
    case WORD_train:
    case WORD_compress:
    case WORD_use:
    case WORD_variant: return parse_misplaced(p);
    case WORD_weights: check_in_model(p, p->at, "a map of weights"); return parse_weights(p);
    }
    peek(p)->prefix = true;
    next(p);
    switch ((unsigned)word) {
    case WORD_input: return parse_input(p);
    case WORD_output: return parse_output(p);
    case WORD_param: return parse_owned(p, AST_param);
    case WORD_state: return parse_owned(p, AST_state);
    case WORD_update: return parse_update(p);
    case WORD_keep: return parse_bind(p, "keep");
    case WORD_recompute: return parse_bind(p, "recompute");
    }
    p->at--;
    return NULL;
}

/* NAME NAME ..., where the first is no word: a misspelled one is read as what it resembles. */
static const Ast *parse_unknown_word(Parser *p)
{
    const Token *name = peek(p);
    const char *text = name_text(p->context->names, name->name);
    const char *foreign = parser_foreign(p, name);
    Word word = foreign ? WORD_none : parser_suggest(p, name, STATEMENTS);
    if (foreign) {
        if (fail(p, parser_span_of(p, p->at), "there is no `%s` here", text))
            hint(p, "%s", foreign);
        return missing(p);
    }
    if (!word) {
        next(p);
        if (parser_expected(p, "`=`, an operator or the end of the line"))
            hint(p,
                 "a statement begins with a name and `=`, or with a word such as param, if, for");
        return missing(p);
    }
    if (complain(p, parser_span_of(p, p->at), "`%s` is not a word that begins a statement", text))
        hint(p, "did you mean `%s`?", word_info[word].text);
    const Ast *statement = parse_statement_of_word(p, word);
    return statement ? statement : (parser_failed(p, false), missing(p));
}

/* `output = x`: the word is a name here, which a reader would take for the statement. */
static const Ast *parse_name_statement(Parser *p)
{
    const Token *name = peek(p), *follows = peek_next(p);
    bool begins_statement = name->word && word_info[name->word].place == PLACE_STATEMENT;
    if (follows->kind == TOKEN_assign) {
        const char *word = name->word ? word_info[name->word].text : NULL;
        if (begins_statement && complain(p, parser_span_of(p, p->at),
                                         "`%s` begins a statement and cannot be bound", word))
            hint(p, "write `%s NAME ...`, or choose another name", word);
        return parse_bind(p, NULL);
    }
    bool same_line = !follows->first && follows->kind != TOKEN_end;
    bool name_follows =
        same_line && (follows->kind == TOKEN_name || follows->kind == TOKEN_keyword);
    bool is_item = name->word && (word_info[name->word].place == PLACE_ITEM ||
                                  word_info[name->word].place == PLACE_BOTH);
    bool item_follows =
        same_line && (follows->kind == TOKEN_string || follows->kind == TOKEN_left_brace);
    if ((name_follows && begins_statement) || ((name_follows || item_follows) && is_item)) {
        const Ast *statement = parse_statement_of_word(p, name->word);
        if (statement) return statement;
    }
    if (name_follows && follows->word != WORD_and && follows->word != WORD_or &&
        follows->word != WORD_if)
        return parse_unknown_word(p);
    if (same_line && follows->kind == TOKEN_colon) {
        p->at++;
        if (fail(p, parser_span_of(p, p->at), "unexpected `:`"))
            hint(p, p->in_model ? "a typed name begins with input, param or state"
                                : "a typed name begins with param or state");
        return missing(p);
    }
    return parse_evaluated(p);
}

static const Ast *parse_operator_first(Parser *p)
{
    const char *text =
        is(p, TOKEN_keyword) ? word_info[peek(p)->word].text : mark_text[peek(p)->kind];
    if (fail(p, parser_span_of(p, p->at), "a statement cannot begin with `%s`", text))
        hint(p, "the line before has ended: put the operator at its end, or use parentheses");
    return missing(p);
}

static const Ast *parse_keyword_statement(Parser *p)
{
    Word word = peek(p)->word;
    if (word == WORD_and || word == WORD_or) return parse_operator_first(p);
    if (word == WORD_not) return parse_evaluated(p);
    const Ast *statement = NULL;
    if (word == WORD_else) {
        if (fail(p, parser_span_of(p, p->at), "`else` without `if`"))
            hint(p, "it follows the closing brace: `if c { ... } else { ... }`");
        return missing(p);
    }
    if (word == WORD_scan) {
        if (complain(p, parser_span_of(p, p->at), "the scan's values go nowhere"))
            hint(p, "bind them: `ys = scan x in xs { ... }`");
        return parse_scan(p);
    }
    statement = parse_statement_of_word(p, word);
    if (statement) return statement;
    if (fail(p, parser_span_of(p, p->at), "`%s` cannot begin a statement", word_info[word].text))
        hint(p, "`%s` is a keyword: %s", word_info[word].text, word_info[word].meaning);
    return missing(p);
}

const Ast *parse_statement(Parser *p)
{
    if (is(p, TOKEN_name)) return parse_name_statement(p);
    if (is(p, TOKEN_keyword)) return parse_keyword_statement(p);
    if (is(p, TOKEN_number) || is(p, TOKEN_string) || is(p, TOKEN_left_paren) ||
        is(p, TOKEN_left_bracket))
        return parse_evaluated(p);
    bool is_operator = is(p, TOKEN_minus) || is(p, TOKEN_plus) || is(p, TOKEN_times) ||
                       is(p, TOKEN_over) || is(p, TOKEN_remainder) || is(p, TOKEN_power) ||
                       is(p, TOKEN_equal) || is(p, TOKEN_unequal) || is(p, TOKEN_less) ||
                       is(p, TOKEN_greater) || is(p, TOKEN_less_equal) ||
                       is(p, TOKEN_greater_equal);
    if (is_operator) return parse_operator_first(p);
    if (!is(p, TOKEN_bad) && !token_closes(peek(p)->kind) && !is(p, TOKEN_left_brace))
        fail(p, parser_span_of(p, p->at), "a statement cannot begin with `%s`",
             mark_text[peek(p)->kind]);
    return missing(p);
}

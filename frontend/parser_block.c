/* Items and the blocks that are no code: data, train, compress, weights. */
#include "frontend/parser_parts.h"

enum { ITEMS = 1u << PLACE_ITEM | 1u << PLACE_BOTH };

static void take_name(Parser *p, Ast *head, const char *what)
{
    head->name_at = parser_span_of(p, p->at);
    if (is(p, TOKEN_left_brace) || is(p, TOKEN_left_paren))
        complain(p, head->name_at, "expected %s before `%s`", what, mark_text[peek(p)->kind]);
    else
        head->name = parser_name(p, what)->name;
}

/* `{ ... }`, a line at a time; quiet again afterwards if it was missing. */
static void parse_lines(Parser *p, Nodes *nodes, const Ast *(*line)(Parser *p))
{
    if (!is(p, TOKEN_left_brace)) {
        parser_expected(p, "`{`");
        return;
    }
    if (is_line_end(p) && parser_expected(p, "`{`"))
        hint(p, "the brace stands on the line that it belongs to");
    p->quiet = false;
    Bracket bracket = parser_enter(p);
    while (p->at < bracket.end && is(p, TOKEN_semicolon))
        next(p);
    while (p->at < bracket.end) {
        uint32_t begin = p->at;
        cross_line(p);
        *list_add(p->arena, nodes) = line(p);
        parser_end_line(p, bracket.end, begin);
    }
    parser_leave(p, &bracket);
}

static const Ast *parse_entry(Parser *p)
{
    uint32_t begin = p->at;
    Ast head = {.kind = AST_entry, .name_at = parser_span_of(p, begin)};
    head.name = parser_name(p, "the name of a split or a step")->name;
    if (is(p, TOKEN_assign) && !p->quiet &&
        complain(p, parser_span_of(p, p->at), "an entry is written with `:`")) {
        hint(p, "write `%s: value`", name_text(p->context->names, head.name));
        peek(p)->kind = TOKEN_colon;
    }
    const Ast *value = parser_expect(p, TOKEN_colon) ? parse_value_here(p) : parser_error_node(p);
    if (is(p, TOKEN_comma) && !is_line_end(p) &&
        fail(p, parser_span_of(p, p->at), "unexpected `,`"))
        hint(p, "an entry ends with its line");
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, value);
}

static const Ast *parse_data(Parser *p)
{
    uint32_t begin = p->at;
    accept_word(p, WORD_data);
    Ast head = {.kind = AST_data};
    Nodes nodes = {0};
    take_name(p, &head, "a name for the data");
    parse_lines(p, &nodes, parse_entry);
    head.at = parser_span_since(p, begin);
    return parser_make(p, head, nodes.count, nodes.at);
}

/* weight_decay 0 */
static const Ast *parse_override(Parser *p)
{
    uint32_t begin = p->at;
    Ast head = {.kind = AST_override, .name_at = parser_span_of(p, begin)};
    peek(p)->prefix = true;
    head.name = parser_name(p, "what to override, such as `rate 1e-4`")->name;
    const Ast *value = p->quiet ? parser_error_node(p) : parse_value(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, value);
}

/* "*.bias", "ln_*": weight_decay 0, rate 1e-4 */
static const Ast *parse_group(Parser *p)
{
    uint32_t begin = p->at;
    Nodes nodes = {0};
    do {
        uint32_t pattern = p->at;
        const char *text = parse_text(p, "a pattern such as \"*.bias\"");
        *list_add(p->arena, &nodes) = parser_leaf(
            p, (Ast){.kind = AST_string, .at = parser_span_of(p, pattern), .text = text});
    } while (accept_comma(p));
    if (!p->quiet && parser_expect(p, TOKEN_colon)) {
        do
            *list_add(p->arena, &nodes) = parse_override(p);
        while (accept_comma(p));
    }
    Ast head = {.kind = AST_group, .at = parser_span_since(p, begin)};
    return parser_make(p, head, nodes.count, nodes.at);
}

static const Ast *parse_groups(Parser *p)
{
    uint32_t begin = p->at;
    Nodes nodes = {0};
    parse_lines(p, &nodes, parse_group);
    Ast head = {.kind = AST_block, .at = parser_span_since(p, begin)};
    return parser_make(p, head, nodes.count, nodes.at);
}

/* value | NAME = value */
static const Ast *parse_setting_value(Parser *p)
{
    if (!is(p, TOKEN_name) || peek_next(p)->kind != TOKEN_assign) return parse_value_here(p);
    uint32_t begin = p->at;
    Ast head = {.kind = AST_bind, .name = peek(p)->name, .name_at = parser_span_of(p, begin)};
    next(p);
    next(p);
    const Ast *value = parse_value_here(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, value);
}

/* keyword value, value, ... { groups } */
static const Ast *parse_setting(Parser *p)
{
    uint32_t begin = p->at;
    Ast head = {.kind = AST_setting, .name_at = parser_span_of(p, begin)};
    peek(p)->prefix = true;
    head.name = parser_name(p, "a setting such as `epochs 10`")->name;
    bool is_mark = is(p, TOKEN_assign) || is(p, TOKEN_colon);
    if (is_mark && !is_line_end(p) && !p->quiet) {
        const char *name = name_text(p->context->names, head.name);
        if (complain(p, parser_span_of(p, p->at), "a setting is written without `%s`",
                     mark_text[peek(p)->kind]))
            hint(p, "write `%s value`; a metric is `report NAME = value`", name);
        next(p);
    }
    Nodes nodes = {0};
    bool more = !p->quiet && !is_line_end(p) && !is(p, TOKEN_semicolon) &&
                !is(p, TOKEN_right_brace) && !is(p, TOKEN_left_brace);
    while (more) {
        *list_add(p->arena, &nodes) = parse_setting_value(p);
        more = accept_comma(p);
    }
    if (is(p, TOKEN_left_brace) && !is_line_end(p) && !p->quiet)
        *list_add(p->arena, &nodes) = parse_groups(p);
    head.at = parser_span_since(p, begin);
    return parser_make(p, head, nodes.count, nodes.at);
}

static const Ast *parse_settings(Parser *p, AstKind kind)
{
    uint32_t begin = p->at;
    accept_word(p, kind == AST_train ? WORD_train : WORD_compress);
    Nodes nodes = {0};
    parse_lines(p, &nodes, parse_setting);
    Ast head = {.kind = kind, .at = parser_span_since(p, begin)};
    return parser_make(p, head, nodes.count, nodes.at);
}

/* "pattern" -> "target" | "pattern" -> transpose */
static const Ast *parse_mapping(Parser *p)
{
    uint32_t begin = p->at;
    Ast head = {.kind = AST_mapping};
    head.text = parse_text(p, "a pattern such as \"transformer.*\"");
    const Ast *target = parser_error_node(p);
    if (!p->quiet && parser_expect(p, TOKEN_arrow)) {
        bool known = is(p, TOKEN_string) || is_word(p, WORD_transpose);
        if (known)
            target = parse_value_here(p);
        else
            parser_expected(p, "a text or `transpose`");
    }
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, target);
}

const Ast *parse_weights(Parser *p)
{
    uint32_t begin = p->at;
    accept_word(p, WORD_weights);
    Ast head = {.kind = AST_weights};
    Nodes nodes = {0};
    head.text = parse_text(p, "the file of weights as a text");
    if (is(p, TOKEN_left_brace) || p->quiet) parse_lines(p, &nodes, parse_mapping);
    head.at = parser_span_since(p, begin);
    return parser_make(p, head, nodes.count, nodes.at);
}

static const Ast *parse_use(Parser *p)
{
    uint32_t begin = p->at;
    accept_word(p, WORD_use);
    if (!is(p, TOKEN_string)) {
        parser_expected(p, "the file to use as a text");
        return parser_error_node(p);
    }
    Ast head = {.kind = AST_use};
    head.text = parse_text(p, "the file to use as a text");
    head.at = parser_span_since(p, begin);
    return parser_leaf(p, head);
}

const Ast *parse_const(Parser *p)
{
    uint32_t begin = p->at;
    accept_word(p, WORD_const);
    Ast head = {.kind = AST_const};
    take_name(p, &head, "the constant's name");
    const Ast *value = parser_expect(p, TOKEN_assign) ? parse_value_here(p) : parser_error_node(p);
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, value);
}

static const Ast *parse_model(Parser *p)
{
    uint32_t begin = p->at;
    accept_word(p, WORD_model);
    Ast head = {.kind = AST_model};
    take_name(p, &head, "the model's name");
    p->in_model = true;
    const Ast *block = parse_block(p);
    p->in_model = false;
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, block);
}

/* NAME | NAME: type | NAME: default | NAME: type = default */
static const Ast *parse_parameter(Parser *p)
{
    uint32_t begin = p->at;
    Ast head = {.kind = AST_parameter};
    take_name(p, &head, "a parameter's name");
    const Ast *type = NULL, *value = NULL;
    if (is(p, TOKEN_assign) && !p->quiet) {
        if (complain(p, parser_span_of(p, p->at), "a default is written with `:`"))
            hint(p, "write `%s: value`", name_text(p->context->names, head.name));
        next(p);
        value = parse_value_here(p);
    } else if (accept(p, TOKEN_colon)) {
        type = parse_type_begins(p) ? parse_type(p) : NULL;
        if (!type || accept(p, TOKEN_assign)) value = parse_value_here(p);
    }
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, type, value);
}

static const Ast *parse_parameters(Parser *p)
{
    uint32_t begin = p->at;
    Nodes nodes = {0};
    if (!is(p, TOKEN_left_paren) || is_line_end(p)) {
        parser_expected(p, "`(` and the parameters");
        return parser_error_node(p);
    }
    Bracket bracket = parser_enter(p);
    while (p->at < bracket.end) {
        *list_add(p->arena, &nodes) = parse_parameter(p);
        parser_end_element(p, &bracket);
    }
    parser_leave(p, &bracket);
    Ast head = {.kind = AST_parameters, .at = parser_span_since(p, begin)};
    return parser_make(p, head, nodes.count, nodes.at);
}

/* How many comments stand before the token. */
static uint32_t comments_before(const Tokens *tokens, uint32_t token)
{
    uint32_t low = 0, high = tokens->comment_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tokens->comment[middle].before <= token)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The lines of comment directly above the token, without their slashes; NULL: none. */
static const char *comment_above(Parser *p, uint32_t token)
{
    const Source *source = sources_get(p->context->sources, p->source);
    const Tokens *tokens = p->tokens;
    uint32_t line = source_place(source, tokens->at[token].begin).line;
    uint32_t end = comments_before(tokens, token), begin = end;
    while (begin && tokens->comment[begin - 1].own_line &&
           source_place(source, tokens->comment[begin - 1].begin).line == line - 1) {
        begin--;
        line--;
    }
    if (begin == end) return NULL;
    Text text = {.arena = p->arena};
    for (uint32_t i = begin; i < end; i++) {
        const char *at = source->text + tokens->comment[i].begin + 2;
        uint32_t length = tokens->comment[i].length - 2;
        if (length && *at == ' ') at++, length--;
        if (i > begin) text_put(&text, "\n", 1);
        text_put(&text, at, length);
    }
    return text_done(&text);
}

static const Ast *parse_function(Parser *p)
{
    uint32_t begin = p->at;
    Ast head = {.kind = AST_function, .text = comment_above(p, begin)};
    accept_word(p, WORD_fn);
    take_name(p, &head, "the function's name");
    const Ast *parameters = p->quiet ? parser_error_node(p) : parse_parameters(p);
    if (is(p, TOKEN_colon) && !is_line_end(p)) parser_expected(p, "`{`");
    p->in_function = true;
    const Ast *block = parse_block(p);
    p->in_function = false;
    head.at = parser_span_since(p, begin);
    return MAKE(p, head, parameters, block);
}

static const Ast *parse_item(Parser *p);

/* In a variant: const, train and compress. */
static const Ast *parse_variant_item(Parser *p)
{
    Word word = peek(p)->word;
    if (word != WORD_const && word != WORD_train && word != WORD_compress &&
        (word == WORD_fn || (word && word_info[word].place == PLACE_ITEM)))
        complain(p, parser_span_of(p, p->at), "a variant holds const, train and compress alone");
    return parse_item(p);
}

static const Ast *parse_variant(Parser *p)
{
    uint32_t begin = p->at;
    accept_word(p, WORD_variant);
    if (!parser_deeper(p)) return parser_error_node(p);
    Ast head = {.kind = AST_variant};
    Nodes nodes = {0};
    take_name(p, &head, "the variant's name");
    parse_lines(p, &nodes, parse_variant_item);
    p->depth--;
    head.at = parser_span_since(p, begin);
    return parser_make(p, head, nodes.count, nodes.at);
}

static const Ast *parse_item_of_word(Parser *p, Word word)
{
    switch ((unsigned)word) {
    case WORD_use: return parse_use(p);
    case WORD_const: return parse_const(p);
    case WORD_variant: return parse_variant(p);
    case WORD_data: return parse_data(p);
    case WORD_fn: return parse_function(p);
    case WORD_model: return parse_model(p);
    case WORD_train: return parse_settings(p, AST_train);
    case WORD_compress: return parse_settings(p, AST_compress);
    case WORD_weights: return parse_weights(p);
    }
    return NULL;
}

/* A misspelled word is read as the one that it resembles. */
static const Ast *parse_unknown_item(Parser *p)
{
    Span at = parser_span_of(p, p->at);
    const Token *name = peek(p), *follows = peek_next(p);
    const char *text = name_text(p->context->names, name->name);
    const char *foreign = parser_foreign(p, name);
    if (foreign) {
        if (fail(p, at, "there is no `%s` here", text)) hint(p, "%s", foreign);
        return parser_error_node(p);
    }
    if (follows->kind == TOKEN_assign && !follows->first) {
        if (fail(p, at, "a binding stands in a function or a model"))
            hint(p, "a constant is written `const %s = value`", text);
        return parser_error_node(p);
    }
    Word word = parser_suggest(p, name, ITEMS);
    if (!word) word = parser_suggest(p, name, 1u << PLACE_KEYWORD) == WORD_fn ? WORD_fn : WORD_none;
    if (!word) {
        if (fail(p, at, "`%s` does not begin an item of a file", text))
            hint(p, "items are use, const, variant, data, fn, model, train, compress, weights");
        return parser_error_node(p);
    }
    if (complain(p, at, "`%s` does not begin an item of a file", text))
        hint(p, "did you mean `%s`?", word_info[word].text);
    peek(p)->word = word; /* the parser of the item passes over it */
    return parse_item_of_word(p, word);
}

static const Ast *parse_item(Parser *p)
{
    const Ast *item = parse_item_of_word(p, peek(p)->word);
    if (item) return item;
    if (is(p, TOKEN_name)) return parse_unknown_item(p);
    if (token_closes(peek(p)->kind)) {
        fail(p, parser_span_of(p, p->at), "`%s` closes nothing", mark_text[peek(p)->kind]);
    } else if (fail(p, parser_span_of(p, p->at), "this does not begin an item of a file")) {
        hint(p, "items are use, const, variant, data, fn, model, train, compress, weights");
    }
    return parser_error_node(p);
}

const Ast *parse_file(Context *context, uint32_t source)
{
    Parser p = {.context = context, .arena = context->arena, .source = source};
    p.tokens = lex(context, source);
    return parse_tokens(&p);
}

const Ast *parse_tokens(Parser *p)
{
    Nodes nodes = {0};
    uint32_t end = p->tokens->count - 1;
    while (accept(p, TOKEN_semicolon)) {
    }
    while (p->at < end) {
        uint32_t begin = p->at;
        cross_line(p);
        *list_add(p->arena, &nodes) = parse_item(p);
        parser_end_line(p, end, begin);
    }
    Span at = {.source = p->source, .length = p->tokens->at[end].begin};
    return parser_make(p, (Ast){.kind = AST_file, .at = at}, nodes.count, nodes.at);
}

/* Reads what print.c writes, through the builders: what they would fold or share, they do. The
 * first mistake ends it. */
#include "ir/base/boundary.h"
#include "ir/kernel/kernel.h"
#include "ir/kernel/scalar.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct Parser {
    Context *context;
    Kernel *kernel;
    const Source *source;
    uint32_t index;      /* of the source */
    uint32_t at, before; /* next byte; where the last token began */
    bool failed;
    LIST(Scalar) value; /* %1 is [0] */
} Parser;

__attribute__((format(printf, 2, 3))) static void fail(Parser *parser, const char *format, ...)
{
    if (parser->failed) return;
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    uint32_t length = parser->at > parser->before ? parser->at - parser->before : 1;
    Span span = {.source = parser->index, .begin = parser->before, .length = length};
    report_error(parser->context->report, span, "%s", message);
    parser->failed = true;
}

static char peek(const Parser *parser)
{
    return parser->at < parser->source->size ? parser->source->text[parser->at] : 0;
}

static void skip_space(Parser *parser)
{
    while (peek(parser) && strchr(" \t\r\n", peek(parser)))
        parser->at++;
    parser->before = parser->at;
}

static bool accept(Parser *parser, char sign)
{
    if (parser->failed) return false;
    skip_space(parser);
    if (peek(parser) != sign || parser->at == parser->source->size) return false;
    parser->at++;
    return true;
}

static void expect(Parser *parser, char sign)
{
    if (!accept(parser, sign)) fail(parser, "`%c` is missing here", sign);
}

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The word that begins here, of letters, digits and underscores; empty if there is none. */
static uint32_t word_length(Parser *parser)
{
    skip_space(parser);
    uint32_t end = parser->at;
    while (end < parser->source->size && is_letter(parser->source->text[end]))
        end++;
    return end - parser->at;
}

static bool accept_word(Parser *parser, const char *word)
{
    if (parser->failed || word_length(parser) != strlen(word)) return false;
    if (memcmp(parser->source->text + parser->at, word, strlen(word)) != 0) return false;
    parser->at += (uint32_t)strlen(word);
    return true;
}

static const char *parse_word(Parser *parser, uint32_t *length)
{
    *length = word_length(parser);
    const char *word = parser->source->text + parser->at;
    parser->at += *length;
    return word;
}

static int64_t parse_integer(Parser *parser, int64_t least, int64_t greatest)
{
    bool is_negative = accept(parser, '-');
    int64_t value = 0;
    skip_space(parser);
    while (isdigit((unsigned char)peek(parser)) && !parser->failed) {
        int digit = parser->source->text[parser->at++] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            fail(parser, "this number is too large");
    }
    if (parser->at == parser->before) fail(parser, "a whole number is missing here");
    if (is_negative) value = -value;
    if (value < least || value > greatest) fail(parser, "this number is out of range");
    return parser->failed ? least : value;
}

static Type parse_type(Parser *parser)
{
    uint32_t length;
    const char *word = parse_word(parser, &length);
    Type type = type_named(word, length);
    if (type == TYPE_none) fail(parser, "a type is missing here");
    return type;
}

static bool is_axis(const Parser *parser)
{
    char next = peek(parser);
    bool is_alone =
        parser->at + 1 >= parser->source->size || !is_letter(parser->source->text[parser->at + 1]);
    return next >= 'i' && next < 'i' + (int)parser->kernel->axis.count && is_alone;
}

/* An axis that was declared. */
static Axis parse_axis(Parser *parser)
{
    skip_space(parser);
    if (!is_axis(parser)) {
        fail(parser, "an axis is missing here");
        return (Axis){0};
    }
    return (Axis){(uint32_t)(parser->source->text[parser->at++] - 'i') + 1};
}

static Scalar parse_value(Parser *parser)
{
    expect(parser, '%');
    int64_t number = parse_integer(parser, 1, UINT32_MAX);
    if (!parser->failed && number > parser->value.count) fail(parser, "this scalar is not defined");
    return parser->failed ? (Scalar){0} : parser->value.at[number - 1];
}

static Affine parse_term(Parser *parser)
{
    int64_t factor = 1;
    skip_space(parser);
    if (!is_axis(parser)) {
        factor = parse_integer(parser, 0, INT64_MAX);
        if (!accept(parser, '*')) return affine_constant(factor);
    }
    Axis axis = parse_axis(parser);
    return parser->failed ? affine_constant(0) : affine_scale(affine_axis(axis), factor);
}

/* Ends before a dynamic part if there may be one. */
static Affine parse_affine(Parser *parser, bool *has_dynamic)
{
    int64_t sign = accept(parser, '-') ? -1 : 1;
    Affine affine = affine_scale(parse_term(parser), sign);
    *has_dynamic = false;
    while (!parser->failed) {
        if (accept(parser, '-')) {
            sign = -1;
        } else if (accept(parser, '+')) {
            sign = 1;
            skip_space(parser);
            *has_dynamic = peek(parser) == '%';
        } else {
            break;
        }
        if (*has_dynamic) break;
        affine = affine_add(affine, affine_scale(parse_term(parser), sign));
    }
    return affine;
}

static Coordinate parse_coordinate(Parser *parser)
{
    bool has_dynamic;
    Coordinate at = {.affine = parse_affine(parser, &has_dynamic), .divisor = 1};
    if (has_dynamic) {
        at.dynamic = parse_value(parser);
        if (!parser->failed && parser->kernel->scalar.at[at.dynamic.id].type != TYPE_i32)
            fail(parser, "the dynamic part of a coordinate is i32");
    }
    if (accept(parser, '/')) at.divisor = parse_integer(parser, 1, MAX_ELEMENTS);
    at.guarded = accept(parser, '?');
    expect(parser, ':');
    at.extent = parse_integer(parser, 1, MAX_ELEMENTS);
    return at;
}

static Access parse_coordinates(Parser *parser, bool strides)
{
    Access access = {0};
    expect(parser, '[');
    if (accept(parser, ']')) return access;
    do {
        if (access.rank == MAX_RANK) fail(parser, "more than %d coordinates", MAX_RANK);
        if (parser->failed) break;
        access.at[access.rank] = parse_coordinate(parser);
        bool has_stride = strides && accept(parser, '*');
        access.stride[access.rank++] =
            has_stride ? parse_integer(parser, -MAX_ELEMENTS, MAX_ELEMENTS) : 1;
    } while (accept(parser, ','));
    expect(parser, ']');
    return access;
}

/* A buffer that was declared. */
static uint32_t parse_buffer(Parser *parser)
{
    skip_space(parser);
    if (peek(parser) != 'b') fail(parser, "a buffer is missing here");
    parser->at++;
    int64_t buffer = parse_integer(parser, 0, UINT32_MAX);
    if (!parser->failed && buffer >= parser->kernel->buffer.count)
        fail(parser, "this buffer is not declared");
    return (uint32_t)buffer;
}

static Access parse_access(Parser *parser)
{
    uint32_t buffer = parser->failed ? 0 : parse_buffer(parser);
    int64_t offset = 0;
    if (accept(parser, '+'))
        offset = parse_integer(parser, 0, MAX_ELEMENTS);
    else if (accept(parser, '-'))
        offset = -parse_integer(parser, 0, MAX_ELEMENTS);
    Access access = parse_coordinates(parser, true);
    access.buffer = buffer;
    access.offset = offset;
    return access;
}

static double parse_number(Parser *parser)
{
    skip_space(parser);
    while (is_letter(peek(parser)) || (peek(parser) && strchr("+-.", peek(parser))))
        parser->at++;
    double number = 0;
    if (!text_read_number(parser->source->text + parser->before, parser->at - parser->before,
                          &number))
        fail(parser, "a number is missing here");
    return number;
}

static ReduceOp parse_reduce_op(Parser *parser)
{
    if (accept_word(parser, "add")) return REDUCE_add;
    if (accept_word(parser, "max")) return REDUCE_max;
    if (!accept_word(parser, "min")) fail(parser, "a reduce adds (add) or takes the max or min");
    return REDUCE_min;
}

static uint32_t parse_axes(Parser *parser)
{
    uint32_t axes = 0;
    skip_space(parser);
    while (!parser->failed && peek(parser) != '%') {
        axes |= 1u << ((parse_axis(parser).id - 1) & 31);
        skip_space(parser);
    }
    return axes;
}

static void parse_arguments(Parser *parser, ScalarNode *node)
{
    for (int i = 0; i < scalar_info[node->op].arguments; i++) {
        if (i) expect(parser, ',');
        node->argument[i] = parse_value(parser);
    }
}

static Scalar build(Kernel *kernel, const ScalarNode *node)
{
    switch ((int)node->op) {
    case SCALAR_constant: return kernel_constant(kernel, node->type, node->number);
    case SCALAR_index: return kernel_index(kernel, node->access->at[0].affine);
    case SCALAR_inside: return kernel_inside(kernel, node->access->rank, node->access->at);
    case SCALAR_load: return kernel_load(kernel, node->access);
    case SCALAR_reduce: return kernel_reduce(kernel, node->reduce, node->axes, node->argument[0]);
    default: return kernel_apply(kernel, node->op, node->type, node->argument);
    }
}

static void parse_scalar(Parser *parser)
{
    int64_t number = parse_integer(parser, 1, UINT32_MAX);
    if (number != parser->value.count + 1)
        fail(parser, "scalars are numbered in order; this is %%%u", parser->value.count + 1);
    expect(parser, '=');
    uint32_t length;
    const char *word = parse_word(parser, &length);
    ScalarNode node = {.op = scalar_named(word, length)};
    if (node.op == SCALAR_none)
        fail(parser, "`%.*s` is no scalar operation", (int)(length < 64 ? length : 64), word);

    Access access = {0};
    bool has_dynamic = false;
    node.access = &access;
    switch ((int)node.op) {
    case SCALAR_constant: node.number = parse_number(parser); break;
    case SCALAR_index: access.at[0].affine = parse_affine(parser, &has_dynamic); break;
    case SCALAR_inside: access = parse_coordinates(parser, false); break;
    case SCALAR_load: access = parse_access(parser); break;
    case SCALAR_reduce:
        node.reduce = parse_reduce_op(parser);
        node.axes = parse_axes(parser);
        break;
    default: break;
    }
    parse_arguments(parser, &node);
    expect(parser, ':');
    node.type = parse_type(parser);
    if (parser->failed) return;

    const char *wrong = scalar_check(parser->kernel, &node);
    if (wrong) fail(parser, "%s %s", scalar_info[node.op].name, wrong);
    if (!wrong) *list_add(parser->context->arena, &parser->value) = build(parser->kernel, &node);
}

static void parse_store(Parser *parser)
{
    Access access = parse_access(parser);
    bool accumulate = accept(parser, '+');
    expect(parser, '=');
    Scalar value = parse_value(parser);
    if (!parser->failed) kernel_store(parser->kernel, &access, value, accumulate);
}

static void parse_axis_line(Parser *parser)
{
    Kernel *kernel = parser->kernel;
    if (kernel->axis.count == MAX_AXES) fail(parser, "more than %d axes", MAX_AXES);
    char letter = (char)('i' + (int)kernel->axis.count);
    if (!accept_word(parser, (char[]){letter, 0})) fail(parser, "axis `%c` comes next", letter);
    int64_t extent = parse_integer(parser, 1, MAX_ELEMENTS);
    AxisKind kind = accept_word(parser, "reduction")    ? AXIS_reduction
                    : accept_word(parser, "sequential") ? AXIS_sequential
                                                        : AXIS_parallel;
    if (!parser->failed) kernel_axis(kernel, kind, extent);
}

static void parse_buffer_line(Parser *parser)
{
    Kernel *kernel = parser->kernel;
    char name[16];
    snprintf(name, sizeof name, "b%u", kernel->buffer.count);
    if (!accept_word(parser, name)) fail(parser, "buffer `%s` comes next", name);
    Type type = parse_type(parser);
    expect(parser, '[');
    int64_t elements = parse_integer(parser, 0, MAX_ELEMENTS);
    expect(parser, ']');
    bool written = accept_word(parser, "out");
    if (!parser->failed) kernel_buffer(kernel, type, elements, written);
}

static void parse_line(Parser *parser)
{
    if (accept_word(parser, "axis"))
        parse_axis_line(parser);
    else if (accept_word(parser, "buffer"))
        parse_buffer_line(parser);
    else if (accept_word(parser, "store"))
        parse_store(parser);
    else if (accept(parser, '%'))
        parse_scalar(parser);
    else
        fail(parser, "an axis, buffer, scalar, store or `}` is missing here");
}

Kernel *kernel_parse(Context *context, Arena *arena, uint32_t source)
{
    Parser parser = {.context = context,
                     .kernel = kernel_new(arena),
                     .source = sources_get(context->sources, source),
                     .index = source};
    if (!parser.source) bug("there is no source %u", source);
    if (!accept_word(&parser, "kernel")) fail(&parser, "`kernel` is missing here");
    expect(&parser, '{');
    while (!parser.failed && !accept(&parser, '}'))
        parse_line(&parser);
    skip_space(&parser);
    if (parser.at < parser.source->size) fail(&parser, "one kernel is all that may stand here");
    return parser.failed ? NULL : parser.kernel;
}

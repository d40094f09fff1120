/* Reads a program line by line.  What a wrong line defines is poison: lines that use it fail in silence, so that one
 * mistake gives one message. */
#include "ir/base/boundary.h"
#include "ir/graph/print.h"
#include "ir/graph/scan.h"

/* A thing found by number or by name, valid in the entry it was met in; value 0 is poison. */
typedef struct Slot {
    uint32_t entry;
    Value value;
} Slot;

typedef LIST(Slot) Slots;
typedef LIST(Value) Values;

typedef struct Reader {
    Scan scan;
    Program *program;
    GraphSimplify *simplify;
    Graph *graph;    /* of the entry that is read */
    uint32_t entry;  /* counts them */
    bool lost;       /* the head was wrong: names that are not known are poison */
    uint32_t errors; /* that were reported before */
    Slots number;    /* %N */
    Slots input;     /* by name, as are these: */
    Slots written;
    Slots state; /* value: index into program->state + 1; entry: 1 */
} Reader;

/* The slot at index, the table grown up to it. */
static Slot *slot_at(Reader *reader, Slots *slots, uint32_t index)
{
    while (slots->count <= index)
        *list_add(reader->scan.arena, slots) = (Slot){0};
    return &slots->at[index];
}

static const State *state_of(Reader *reader, Name name)
{
    uint32_t index = slot_at(reader, &reader->state, name.id)->value.id;
    return index ? &reader->program->state.at[index - 1] : NULL;
}

static const char *type_text(const Reader *reader, Type type, const Shape *shape)
{
    Text text = {.arena = reader->scan.arena};
    shape_print(&text, type, shape);
    return text_done(&text);
}

/* %N's slot. Numbers are bounded by the text's size, and so is the table. */
static bool parse_numbered(Reader *reader, Slot **slot)
{
    Scan *scan = &reader->scan;
    const char *begin = scan->at;
    int64_t number;
    if (!scan_expect(scan, "%") || !scan_integer(scan, &number)) return false;
    if (number < 0 || number > scan->end - scan->begin)
        return scan_fail(scan, begin, "the number is larger than the text is long");
    *slot = slot_at(reader, &reader->number, (uint32_t)number);
    return true;
}

static bool parse_operand(Reader *reader, Value *value)
{
    Scan *scan = &reader->scan;
    scan_skip_blanks(scan);
    const char *begin = scan->at;
    Slot *slot;
    if (scan->at < scan->end && *scan->at == '%') {
        if (!parse_numbered(reader, &slot)) return false;
    } else {
        Name name;
        if (!scan_name(scan, &name)) return false;
        slot = slot_at(reader, &reader->input, name.id);
    }
    if (slot->entry != reader->entry && !reader->lost)
        return scan_fail(scan, begin, "`%.*s` is not defined above", (int)(scan->at - begin),
                         begin);
    *value = slot->entry == reader->entry ? slot->value : (Value){0};
    if (!value->id) scan->failed = true;
    return value->id != 0;
}

static bool parse_operands(Reader *reader, Op op, Values *arguments)
{
    int wanted = op_info[op].arguments;
    for (int i = 0; wanted == MANY || i < wanted; i++) {
        if (i && wanted == MANY && !scan_accept(&reader->scan, ",")) break;
        if (i && wanted != MANY && !scan_expect(&reader->scan, ",")) return false;
        Value value;
        if (!parse_operand(reader, &value)) return false;
        *list_add(reader->scan.arena, arguments) = value;
    }
    return true;
}

static bool parse_op(Reader *reader, Op *op)
{
    const char *word;
    uint32_t length = scan_word(&reader->scan, &word);
    *op = op_named(word, length);
    if (*op == OP_none)
        return scan_fail(&reader->scan, word, "there is no operation `%.*s`", (int)length, word);
    if (*op == OP_input)
        return scan_fail(&reader->scan, word, "inputs stand in the head of the entry");
    return true;
}

/* @line:column is read over: it names a place in another text. */
static bool parse_printed_span(Reader *reader)
{
    int64_t line, column;
    if (!scan_accept(&reader->scan, "@")) return true;
    return scan_integer(&reader->scan, &line) && scan_expect(&reader->scan, ":") &&
           scan_integer(&reader->scan, &column);
}

static bool check_read(Reader *reader, const char *begin, Name name, Type type, const Shape *shape)
{
    const State *state = state_of(reader, name);
    const char *text = name_text(reader->scan.names, name);
    if (!state) return scan_fail(&reader->scan, begin, "state `%s` is not declared above", text);
    if (state->type == type && shape_same(&state->shape, shape)) return true;
    return scan_fail(&reader->scan, begin, "state `%s` is %s", text,
                     type_text(reader, state->type, &state->shape));
}

/* Asks the op's rule before adding, and compares what it says with what is printed. */
static bool add_node(Reader *reader, const char *begin, Op op, const Values *arguments,
                     const Attribute *attribute, const TypedShape *printed, Value *value)
{
    Scan *scan = &reader->scan;
    Graph *graph = reader->graph;
    TypedShape *operand = arena_array(scan->arena, TypedShape, arguments->count), result;
    for (uint32_t i = 0; i < arguments->count; i++)
        operand[i] = (TypedShape){graph_type(graph, arguments->at[i]),
                                  *graph_shape(graph, arguments->at[i])};
    const char *wrong =
        shape_infer(op, arguments->count, operand, attribute, printed, scan->arena, &result);
    if (wrong) return scan_fail(scan, begin, "%s: %s", op_info[op].name, wrong);
    if (result.type != printed->type || !shape_same(&result.shape, &printed->shape))
        return scan_fail(scan, begin, "%s gives %s", op_info[op].name,
                         type_text(reader, result.type, &result.shape));
    if (op == OP_read && !check_read(reader, begin, attribute->name, result.type, &result.shape))
        return false;

    graph->at = scan_span(scan, begin, scan->at);
    *value = graph_add(graph, op, arguments->count, arguments->at, attribute, printed);
    return true;
}

/* %3 = dot x, %1 mk,nk->mn : f32[8, 3] */
static bool parse_node(Reader *reader)
{
    Scan *scan = &reader->scan;
    const char *begin = scan->at;
    Slot *slot;
    if (!parse_numbered(reader, &slot)) return false;
    if (slot->entry == reader->entry)
        return scan_fail(scan, begin, "`%.*s` is defined twice", (int)(scan->at - begin), begin);
    *slot = (Slot){.entry = reader->entry};
    uint32_t index = (uint32_t)(slot - reader->number.at); /* reading operands may move the table */

    Op op;
    Values arguments = {0};
    Attribute attribute;
    TypedShape printed;
    Value value;
    if (!scan_expect(scan, "=") || !parse_op(reader, &op) ||
        !parse_operands(reader, op, &arguments))
        return false;
    int rank = arguments.count ? graph_shape(reader->graph, arguments.at[0])->rank : 0;
    if (!scan_attribute(scan, op_info[op].attribute, rank, &attribute)) return false;
    if (!scan_expect(scan, ":") || !scan_type(scan, &printed)) return false;
    if (op == OP_slice)
        memcpy(attribute.slice.extent, printed.shape.extent, sizeof attribute.slice.extent);
    if (!add_node(reader, begin, op, &arguments, &attribute, &printed, &value)) return false;
    reader->number.at[index].value = value;
    return parse_printed_span(reader);
}

/* output y = %2, or write fc.weight = %1 */
static bool parse_result(Reader *reader, const char *begin, int kind)
{
    Scan *scan = &reader->scan;
    Name name;
    Value value;
    if (!scan_name(scan, &name) || !scan_expect(scan, "=") || !parse_operand(reader, &value))
        return false;
    if (kind == RESULT_write) {
        Slot *written = slot_at(reader, &reader->written, name.id);
        if (written->entry == reader->entry)
            return scan_fail(scan, begin, "state `%s` is written twice",
                             name_text(scan->names, name));
        written->entry = reader->entry;
        if (!check_read(reader, begin, name, graph_type(reader->graph, value),
                        graph_shape(reader->graph, value)))
            return false;
    }
    graph_result(reader->graph, kind, name, value, scan_span(scan, begin, scan->at));
    return parse_printed_span(reader);
}

static bool spells(const char *word, uint32_t length, const char *keyword)
{
    return strlen(keyword) == length && memcmp(word, keyword, length) == 0;
}

static bool parse_statement(Reader *reader)
{
    Scan *scan = &reader->scan;
    const char *begin = scan->at, *word;
    if (*begin == '%') return parse_node(reader);
    uint32_t length = scan_word(scan, &word);
    if (spells(word, length, "output")) return parse_result(reader, begin, RESULT_output);
    if (spells(word, length, "write")) return parse_result(reader, begin, RESULT_write);
    return scan_fail(scan, begin, "`%%N = ...`, `output`, `write` or `}` is expected here");
}

/* To the start of the next line; reports what is left of this one. */
static void finish_line(Reader *reader)
{
    if (!reader->scan.failed && !scan_at_line_end(&reader->scan))
        scan_fail(&reader->scan, reader->scan.at, "the line should end here");
    scan_skip_line(&reader->scan);
    reader->scan.failed = false;
}

/* Skips empty lines; false at the end of the text. */
static bool next_line(Reader *reader)
{
    while (scan_at_line_end(&reader->scan)) {
        if (reader->scan.at == reader->scan.end) return false;
        reader->scan.at++;
    }
    return true;
}

/* Whether a line begins a new declaration: then the entry before it was not closed. */
static bool begins_declaration(Reader *reader)
{
    const char *here = reader->scan.at, *word;
    uint32_t length = scan_word(&reader->scan, &word);
    reader->scan.at = here;
    return spells(word, length, "entry") || spells(word, length, "state");
}

/* Reads over the closing brace; without one, up to where the next declaration begins. */
static void parse_body(Reader *reader, const char *head)
{
    Scan *scan = &reader->scan;
    while (next_line(reader) && !begins_declaration(reader)) {
        bool closed = scan_accept(scan, "}");
        if (!closed) parse_statement(reader);
        finish_line(reader);
        if (!closed) continue;
        if (!reader->graph->result.count && report_errors(scan->report) == reader->errors)
            scan_fail(scan, head, "the entry has no result");
        scan->failed = false;
        return;
    }
    if (!reader->lost) scan_fail(scan, head, "the entry is not closed by `}`");
    scan->failed = false;
}

/* x: f32[8, 4] */
static bool parse_input(Reader *reader)
{
    Scan *scan = &reader->scan;
    scan_skip_blanks(scan);
    const char *begin = scan->at;
    Name name;
    TypedShape typed, result;
    if (!scan_name(scan, &name) || !scan_expect(scan, ":") || !scan_type(scan, &typed))
        return false;
    Slot *slot = slot_at(reader, &reader->input, name.id);
    if (slot->entry == reader->entry) return scan_fail(scan, begin, "two inputs have this name");

    Attribute attribute = {.name = name};
    const char *wrong = shape_infer(OP_input, 0, NULL, &attribute, &typed, scan->arena, &result);
    if (wrong) return scan_fail(scan, begin, "%s", wrong);
    reader->graph->at = scan_span(scan, begin, scan->at);
    *slot = (Slot){reader->entry, graph_add(reader->graph, OP_input, 0, NULL, &attribute, &typed)};
    return true;
}

static bool parse_head(Reader *reader, EntryKind *kind)
{
    Scan *scan = &reader->scan;
    const char *word;
    uint32_t length = scan_word(scan, &word);
    for (*kind = 0; *kind < ENTRY_COUNT && !spells(word, length, entry_name[*kind]);)
        ++*kind;
    if (*kind == ENTRY_COUNT)
        return scan_fail(scan, word, "an entry is called init, step, loss, grad, eval or predict");
    if (reader->program->entry[*kind]) return scan_fail(scan, word, "there are two such entries");
    reader->graph->name = name_of_range(scan->names, word, length);
    if (!scan_expect(scan, "(")) return false;
    if (!scan_accept(scan, ")")) {
        do {
            if (!parse_input(reader)) return false;
        } while (scan_accept(scan, ","));
        if (!scan_expect(scan, ")")) return false;
    }
    return scan_expect(scan, "{");
}

static void parse_entry(Reader *reader, const char *begin)
{
    EntryKind kind;
    reader->entry++;
    reader->graph =
        graph_new(reader->program->arena, reader->program->names, (Name){0}, reader->simplify);
    reader->lost = !parse_head(reader, &kind);
    finish_line(reader);
    parse_body(reader, begin);
    if (!reader->lost) reader->program->entry[kind] = reader->graph;
}

static bool parse_state(Reader *reader, const char *begin)
{
    Scan *scan = &reader->scan;
    State state = {0};
    TypedShape typed, result;
    if (!scan_name(scan, &state.name) || !scan_expect(scan, ":") || !scan_type(scan, &typed))
        return false;
    const char *wrong = shape_infer(OP_read, 0, NULL, &(Attribute){.name = state.name}, &typed,
                                    scan->arena, &result);
    if (wrong) return scan_fail(scan, begin, "%s", wrong);

    const char *word;
    uint32_t length = scan_word(scan, &word), role = 0;
    while (role <= STATE_counter && !spells(word, length, role_name[role]))
        role++;
    if (role > STATE_counter)
        return scan_fail(scan, word, "a state is a parameter, buffer, optimizer or counter");
    if (state_of(reader, state.name)) return scan_fail(scan, begin, "the state is declared twice");

    state.role = (StateRole)role;
    state.type = typed.type;
    state.shape = typed.shape;
    state.at = scan_span(scan, begin, scan->at);
    *list_add(reader->program->arena, &reader->program->state) = state;
    *slot_at(reader, &reader->state, state.name.id) = (Slot){1, {reader->program->state.count}};
    return true;
}

static void parse_declaration(Reader *reader)
{
    const char *begin = reader->scan.at, *word;
    uint32_t length = scan_word(&reader->scan, &word);
    if (spells(word, length, "entry")) {
        parse_entry(reader, begin);
        return;
    }
    if (spells(word, length, "state"))
        parse_state(reader, begin);
    else
        scan_fail(&reader->scan, begin, "`state` or `entry` is expected here");
    finish_line(reader);
}

Program *program_parse(Context *context, Arena *arena, uint32_t source, GraphSimplify *simplify)
{
    const Source *text = sources_get(context->sources, source);
    if (!text) bug("there is no source %u", source);
    Reader reader = {
        .scan = {.begin = text->text,
                 .at = text->text,
                 .end = text->text + text->size,
                 .source = source,
                 .report = context->report,
                 .names = context->names,
                 .arena = arena},
        .program = program_new(arena, context->names),
        .simplify = simplify,
        .errors = report_errors(context->report),
    };
    while (next_line(&reader))
        parse_declaration(&reader);
    if (report_errors(context->report) != reader.errors) return NULL;
    return reader.program;
}

/* Text of graphs: one function an attribute kind, none an op. */
#include "ir/graph/print.h"

void name_print(Text *out, const Names *names, Name name)
{
    const char *text = name_text(names, name);
    bool plain = *text != 0;
    for (const char *at = text; *at; at++)
        plain &= name_is_plain(*at);
    if (plain) {
        text_add(out, "%s", text);
        return;
    }
    text_put(out, "\"", 1);
    for (const char *at = text; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\')
            text_add(out, "\\x%02x", byte);
        else
            text_put(out, at, 1);
    }
    text_put(out, "\"", 1);
}

/* What an attribute's text depends on besides itself. */
typedef struct Owner {
    const Names *names;
    int rank; /* of the node */
} Owner;

static void attribute_print_number(Text *out, const Owner *owner, const double *number)
{
    (void)owner;
    text_number(out, *number);
}

static void attribute_print_table(Text *out, const Owner *owner, const Table *table)
{
    (void)owner;
    text_put(out, "{", 1);
    for (uint32_t i = 0; i < table->count; i++) {
        if (i) text_put(out, ", ", 2);
        text_number(out, table->at[i]);
    }
    text_put(out, "}", 1);
}

static void attribute_print_name(Text *out, const Owner *owner, const Name *name)
{
    name_print(out, owner->names, *name);
}

static void attribute_print_axes(Text *out, const Owner *owner, const Axes *axes)
{
    (void)owner;
    text_put(out, "[", 1);
    for (int i = 0; i < axes->count && i < MAX_RANK; i++)
        text_add(out, "%s%d", i ? ", " : "", axes->at[i]);
    text_put(out, "]", 1);
}

static void attribute_print_axis(Text *out, const Owner *owner, const int *axis)
{
    (void)owner;
    text_add(out, "%d", *axis);
}

static void print_term(Text *out, bool first, int64_t scale, char letter)
{
    text_add(out, "%s", scale < 0 ? "-" : first ? "" : "+");
    uint64_t magnitude = scale < 0 ? 0 - (uint64_t)scale : (uint64_t)scale;
    if (magnitude != 1) text_add(out, "%llu", (unsigned long long)magnitude);
    text_add(out, "%c", letter);
}

static void attribute_print_indices(Text *out, const Owner *owner, const Indices *indices)
{
    (void)owner;
    text_add(out, "%.*s,%.*s->%.*s", MAX_RANK, indices->a, MAX_RANK, indices->b, MAX_RANK,
             indices->y);
    for (int i = 0; i < indices->windows && i < MAX_WINDOWS; i++) {
        text_put(out, " ", 1);
        print_term(out, true, indices->window[i].input_scale, indices->window[i].input);
        text_put(out, "=", 1);
        print_term(out, true, indices->window[i].output_scale, indices->window[i].output);
        print_term(out, false, indices->window[i].tap_scale, indices->window[i].tap);
        if (indices->window[i].offset) text_add(out, "%+lld", (long long)indices->window[i].offset);
    }
}

static void attribute_print_slice(Text *out, const Owner *owner, const Slice *slice)
{
    text_put(out, "[", 1);
    for (int i = 0; i < owner->rank; i++)
        text_add(out, "%s%lld:%lld", i ? ", " : "", (long long)slice->start[i],
                 (long long)slice->stride[i]);
    text_put(out, "]", 1);
}

static void attribute_print_pad(Text *out, const Owner *owner, const Pad *pad)
{
    text_put(out, "[", 1);
    for (int i = 0; i < owner->rank; i++)
        text_add(out, "%s%lld:%lld:%lld", i ? ", " : "", (long long)pad->low[i],
                 (long long)pad->interior[i], (long long)pad->high[i]);
    text_put(out, "] ", 2);
    text_number(out, pad->value);
}

static void attribute_print_windows(Text *out, const Owner *owner, const Windows *windows)
{
    (void)owner;
    text_put(out, "[", 1);
    for (int i = 0; i < windows->count && i < MAX_WINDOWS; i++)
        text_add(out, "%s%d:%lld:%lld:%lld", i ? ", " : "", windows->at[i].axis,
                 (long long)windows->at[i].size, (long long)windows->at[i].stride,
                 (long long)windows->at[i].dilation);
    text_put(out, "]", 1);
}

static void print_attribute(Text *out, const Owner *owner, AttributeKind kind,
                            const Attribute *attribute)
{
    if (kind == ATTRIBUTE_none) return;
    text_put(out, " ", 1);
    if (!attribute) {
        text_put(out, "?", 1);
        return;
    }
    switch (kind) {
    case ATTRIBUTE_none:
    case ATTRIBUTE_COUNT: break;
#define ATTRIBUTE(kind, type, member)                                                              \
    case ATTRIBUTE_##kind: attribute_print_##kind(out, owner, &attribute->member); break;
#include "ir/graph/attributes.def"
#undef ATTRIBUTE
    }
}

typedef struct Printer {
    Text *out;
    const Graph *graph;
    const PrintOptions *options;
    const uint32_t *number; /* of every node in the text, 0 for inputs */
} Printer;

static bool is_input(const Node *node)
{
    return node->op == OP_input && node->attribute;
}

static void number_nodes(const Graph *graph, uint32_t *number)
{
    uint32_t next = 1;
    for (uint32_t id = 1; id < graph->node.count; id++)
        number[id] = is_input(&graph->node.at[id]) ? 0 : next++;
}

static void print_value(const Printer *printer, Value value)
{
    const Graph *graph = printer->graph;
    if (!value.id || value.id >= graph->node.count)
        text_put(printer->out, "?", 1);
    else if (printer->number[value.id])
        text_add(printer->out, "%%%u", printer->number[value.id]);
    else
        name_print(printer->out, graph->names, graph_node(graph, value)->attribute->name);
}

static void print_type(const Printer *printer, const Node *node)
{
    if (node->type <= TYPE_none || node->type >= TYPE_COUNT ||
        node->shape >= printer->graph->shape.count)
        text_put(printer->out, "?", 1);
    else
        shape_print(printer->out, node->type, &printer->graph->shape.at[node->shape]);
}

static void print_span(const Printer *printer, Span at)
{
    if (!printer->options || !printer->options->spans || !printer->options->sources) return;
    const Source *source = sources_get(printer->options->sources, at.source);
    if (!source) return;
    Place place = source_place(source, at.begin);
    text_add(printer->out, " @%u:%u", place.line, place.column);
}

/* The verifier's lines, as comments. */
static void print_note(const Printer *printer, uint32_t id)
{
    if (!printer->options || !printer->options->note || !printer->options->note[id]) return;
    for (const char *at = printer->options->note[id]; *at;) {
        size_t length = strcspn(at, "\n");
        text_add(printer->out, "  // ^ %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

static void print_node(const Printer *printer, uint32_t id)
{
    const Node *node = &printer->graph->node.at[id];
    bool known = node->op > OP_none && node->op < OP_COUNT;
    text_add(printer->out, "  %%%u = %s", printer->number[id],
             known ? op_info[node->op].name : "?");
    for (uint32_t i = 0; i < node->argument_count; i++) {
        text_put(printer->out, i ? ", " : " ", i ? 2 : 1);
        print_value(printer, node->argument[i]);
    }
    bool shaped = node->shape < printer->graph->shape.count;
    Owner owner = {printer->graph->names, shaped ? printer->graph->shape.at[node->shape].rank : 0};
    if (known) print_attribute(printer->out, &owner, op_info[node->op].attribute, node->attribute);
    text_put(printer->out, " : ", 3);
    print_type(printer, node);
    print_span(printer, node->at);
    text_put(printer->out, "\n", 1);
}

static void print_head(const Printer *printer)
{
    const Graph *graph = printer->graph;
    text_put(printer->out, "entry ", 6);
    name_print(printer->out, graph->names, graph->name);
    text_put(printer->out, " (", 2);
    const char *separator = "";
    for (uint32_t id = 1; id < graph->node.count; id++) {
        if (printer->number[id]) continue;
        text_add(printer->out, "%s", separator);
        name_print(printer->out, graph->names, graph->node.at[id].attribute->name);
        text_put(printer->out, ": ", 2);
        print_type(printer, &graph->node.at[id]);
        separator = ", ";
    }
    text_put(printer->out, ") {\n", 4);
}

void graph_print(Text *out, const Graph *graph, const PrintOptions *options)
{
    uint32_t *number = arena_array(out->arena, uint32_t, graph->node.count);
    number_nodes(graph, number);
    Printer printer = {out, graph, options, number};
    print_head(&printer);
    for (uint32_t id = 1; id < graph->node.count; id++) {
        if (number[id]) print_node(&printer, id);
        print_note(&printer, id);
    }
    for (uint32_t i = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        text_add(out, "  %s ", result->kind == RESULT_write ? "write" : "output");
        name_print(out, graph->names, result->name);
        text_put(out, " = ", 3);
        print_value(&printer, result->value);
        print_span(&printer, result->at);
        text_put(out, "\n", 1);
    }
    print_note(&printer, 0);
    text_put(out, "}\n", 2);
}

void program_print(Text *out, const Program *program, const PrintOptions *options)
{
    const char *separator = "";
    for (uint32_t i = 0; i < program->state.count; i++) {
        const State *state = &program->state.at[i];
        text_put(out, "state ", 6);
        name_print(out, program->names, state->name);
        text_put(out, ": ", 2);
        Shape stored = state_stored(state);
        shape_print(out, state->type, &stored);
        text_add(out, " %s\n", role_name[state->role]);
        separator = "\n";
    }
    for (int kind = 0; kind < ENTRY_COUNT; kind++) {
        if (!program->entry[kind]) continue;
        text_add(out, "%s", separator);
        graph_print(out, program->entry[kind], options);
        separator = "\n";
    }
}

static const char *const dot_colour[] = {
    [ELEMENTWISE] = "white",       [LEAF] = "gray90",        [STATE] = "lightyellow",
    [RANDOM] = "thistle",          [MOVEMENT] = "aliceblue", [REDUCTION] = "honeydew",
    [CONTRACTION] = "lightsalmon", [INDEXING] = "lightcyan", [GRADIENT] = "pink",
};

/* A label is a quoted string: quotes and backslashes of names are escaped once more. */
static void put_label(Text *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') text_put(out, "\\", 1);
        text_put(out, text, 1);
    }
}

static void print_dot_node(const Printer *printer, uint32_t id)
{
    const Node *node = &printer->graph->node.at[id];
    Text label = {.arena = printer->out->arena};
    Owner owner = {printer->graph->names, printer->graph->shape.at[node->shape].rank};
    if (printer->number[id]) text_add(&label, "%%%u ", printer->number[id]);
    text_add(&label, "%s", op_info[node->op].name);
    print_attribute(&label, &owner, op_info[node->op].attribute, node->attribute);

    text_add(printer->out, "  n%u [label=\"", id);
    put_label(printer->out, text_done(&label));
    text_put(printer->out, "\\n", 2);
    print_type(printer, node);
    text_add(printer->out, "\", fillcolor=%s];\n", dot_colour[op_info[node->op].class]);
    for (uint32_t i = 0; i < node->argument_count; i++)
        text_add(printer->out, "  n%u -> n%u;\n", node->argument[i].id, id);
}

void graph_print_dot(Text *out, const Graph *graph)
{
    uint32_t *number = arena_array(out->arena, uint32_t, graph->node.count);
    number_nodes(graph, number);
    Printer printer = {out, graph, NULL, number};
    text_add(out, "digraph \"");
    put_label(out, name_text(graph->names, graph->name));
    text_add(out, "\" {\n  node [shape=box, style=filled, fontname=monospace];\n");
    for (uint32_t id = 1; id < graph->node.count; id++)
        print_dot_node(&printer, id);
    for (uint32_t i = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        text_add(out, "  r%u [shape=oval, label=\"%s ", i,
                 result->kind == RESULT_write ? "write" : "output");
        put_label(out, name_text(graph->names, result->name));
        text_add(out, "\"];\n  n%u -> r%u;\n", result->value.id, i);
    }
    text_add(out, "}\n");
}

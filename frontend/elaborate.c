/* Entries: the model is followed once for each, with the statics that belong to it. */
#include "frontend/elaborate.h"
#include "ir/base/boundary.h"

static void bind_constants(Elaborator *e)
{
    const Experiment *x = e->experiment;
    e->globals = arena_new(e->arena, Frame);
    *e->globals = (Frame){.path = ""};
    e->frame = e->globals;
    for (uint32_t i = 0; i < x->constant.count; i++) {
        const Global *g = &x->constant.at[i];
        Datum value = elaborate_expression(e, g->value);
        if (value.kind == DATUM_tensor) {
            elaborate_error(e, g->value->at,
                            "a constant is a number, a text or a list, and this is a tensor");
            value = POISON;
        }
        frame_bind(e, e->globals, g->name, value);
    }
}

/* Everything that belongs to one entry and not to the file. */
static void restart(Elaborator *e, EntryKind entry)
{
    Name name = name_of(e->names, entry_name[entry]);
    e->graph = graph_new(e->arena, e->names, name, e->experiment->options.simplify);
    e->entry = entry;
    e->training = entry != ENTRY_eval && entry != ENTRY_predict;
    e->state.count = 0;
    e->drawn.count = 0;
    e->mentioned.count = 0;
    e->parameters_known = false;
    e->work = 0;
    bind_constants(e);
}

Elaborator *evaluator_new(Experiment *experiment, Arena *arena)
{
    static const Binding nothing;
    Elaborator *e = arena_new(arena, Elaborator);
    *e = (Elaborator){.experiment = experiment,
                      .arena = arena,
                      .names = experiment->context->names,
                      .report = experiment->context->report,
                      .binding = &nothing};
    e->program = program_new(arena, e->names);
    restart(e, ENTRY_init);
    return e;
}

/* ---- inputs ---- */

static const Symbol *symbol_named(const Elaborator *e, Name name)
{
    for (uint32_t i = 0; i < e->symbol.count; i++)
        if (name_same(e->symbol.at[i].name, name)) return &e->symbol.at[i];
    return NULL;
}

static const char *place_text(const Elaborator *e, const char *what, Span at)
{
    Text text = {.arena = e->arena};
    const Source *source = sources_get(e->experiment->context->sources, at.source);
    text_add(&text, "from %s", what);
    if (source) text_add(&text, " at %s:%u", source->path, source_place(source, at.begin).line);
    return text_done(&text);
}

static Span batch_span(const Elaborator *e)
{
    const Ast *setting = train_setting(e->experiment, "batch", NULL);
    return setting ? setting->at : (Span){0};
}

/* A size that nothing in the file says: the batch, or what the data has. */
static bool new_symbol(Elaborator *e, const Ast *input, const Ast *dimension, int axis,
                       bool *batch_taken)
{
    Symbol s = {.name = dimension->name, .at = dimension->at};
    const char *name = name_text(e->names, input->name);
    if (axis == 0 && !*batch_taken) {
        *batch_taken = true;
        e->batch = s.name;
        s.extent = e->binding->batch;
        Span at = batch_span(e);
        s.history = at.source ? place_text(e, "train.batch", at) : "the batch";
    } else {
        uint32_t position = e->input.count;
        s.extent =
            e->binding->data_extent ? e->binding->data_extent(e->binding->user, position, axis) : 0;
        Text what = {.arena = e->arena};
        text_add(&what, "the data of input `%s`, axis %d,", name, axis);
        s.history = place_text(e, text_done(&what), input->at);
    }
    if (s.extent < 1 || s.extent > MAX_ELEMENTS) {
        elaborate_error(e, dimension->at, "the size %s of the input `%s` is not known",
                        name_text(e->names, s.name), name);
        if (e->experiment->data)
            elaborate_hint(e, "write a number: the data has no such axis for this input");
        else
            elaborate_hint(e, "a `data` block would give it; without one, write a number");
        return false;
    }
    *list_add(e->arena, &e->symbol) = s;
    return true;
}

static bool input_axis(Elaborator *e, const Ast *input, int axis, ModelInput *out, Name *symbols,
                       bool *batch_taken)
{
    const Ast *dimension = input->child[0]->child[axis];
    bool constant = dimension->kind != AST_name || frame_find(e->globals, dimension->name);
    if (constant) {
        Datum d = elaborate_expression(e, dimension);
        int64_t extent = 0;
        if (d.kind == DATUM_poison) return false;
        if (!static_as_integer(&d, &extent) || extent < 1 || extent > MAX_ELEMENTS) {
            elaborate_error(e, dimension->at, "a size is a whole number from 1 %s, and this is %s",
                            extent > MAX_ELEMENTS ? "to 2^40" : "on", elaborate_describe(e, &d));
            return false;
        }
        out->shape.extent[axis] = extent;
        return true;
    }
    if (!symbol_named(e, dimension->name) && !new_symbol(e, input, dimension, axis, batch_taken))
        return false;
    bool is_batch = name_same(dimension->name, e->batch);
    if (is_batch && axis == 0)
        out->batched = true;
    else if (!is_batch)
        out->free_count++;
    symbols[axis] = dimension->name;
    out->shape.extent[axis] = symbol_named(e, dimension->name)->extent;
    return true;
}

static bool declare_input(Elaborator *e, const Ast *ast, bool *batch_taken)
{
    const Ast *type = ast->child[0];
    ModelInput input = {.name = ast->name, .at = ast->at};
    if (type->kind != AST_type) return false;
    const char *text = name_text(e->names, type->name);
    input.type = type_named(text, (uint32_t)strlen(text));
    if (type->count > MAX_RANK) {
        elaborate_error(e, type->at, "a tensor has %d axes at most", MAX_RANK);
        return false;
    }
    for (uint32_t i = 0; i < e->input.count; i++) {
        if (!name_same(e->input.at[i].name, ast->name)) continue;
        elaborate_error(e, ast->at, "the input `%s` is declared twice",
                        name_text(e->names, ast->name));
        return false;
    }
    Name *symbols = arena_array(e->arena, Name, MAX_RANK);
    input.shape.rank = (uint8_t)type->count;
    for (uint32_t i = 0; i < type->count; i++)
        if (!input_axis(e, ast, (int)i, &input, symbols, batch_taken)) return false;
    *list_add(e->arena, &e->input) = input;
    *list_add(e->arena, &e->input_symbols) = symbols;
    return true;
}

/* The first name in front of an input's sizes is the batch; declared once, for all entries. */
static bool declare_inputs(Elaborator *e)
{
    const Ast *block = e->experiment->model->child[0];
    bool batch_taken = false, right = true;
    for (uint32_t i = 0; i < block->count; i++)
        if (block->child[i]->kind == AST_input)
            right = declare_input(e, block->child[i], &batch_taken) && right;
    return right;
}

static void bind_inputs(Elaborator *e)
{
    for (uint32_t i = 0; i < e->symbol.count; i++)
        frame_bind(e, e->frame, e->symbol.at[i].name, static_integer(e->symbol.at[i].extent));
    for (uint32_t i = 0; i < e->input.count; i++) {
        const ModelInput *input = &e->input.at[i];
        TypedShape given = {input->type, input->shape};
        elaborate_at(e, input->at);
        e->doing = name_text(e->names, input->name);
        Value value = tensor_add(e, OP_input, 0, NULL, &(Attribute){.name = input->name}, &given);
        frame_bind(e, e->frame, input->name, tensor_datum(value));
    }
}

/* ---- entries ---- */

static void give_outputs(Elaborator *e, const Frame *frame)
{
    if (!frame->output.count) {
        elaborate_error(e, e->experiment->model->at, "the model has no output");
        elaborate_hint(e, "write `output NAME = value`");
    }
    for (uint32_t i = 0; i < frame->output.count; i++) {
        Datum *d = frame_find(e->frame, frame->output.at[i]);
        if (d->kind == DATUM_tensor)
            graph_result(e->graph, RESULT_output, frame->output.at[i], d->value,
                         graph_node(e->graph, d->value)->at);
    }
}

static void write_initial(Elaborator *e)
{
    if (!e->state.count) elaborate_seed(e); /* an entry has a result */
    for (uint32_t i = 0; i < e->state.count; i++)
        if (e->state.at[i].initial.id)
            graph_result(e->graph, RESULT_write, e->state.at[i].name, e->state.at[i].initial,
                         e->state.at[i].at);
}

/* Adds the entry to the program; false after errors. */
static bool elaborate_entry(Elaborator *e, EntryKind entry, const Frame **out)
{
    uint32_t errors = report_errors(e->report);
    restart(e, entry);
    Frame *model = arena_new(e->arena, Frame);
    *model = (Frame){.path = ""};
    e->frame = model;
    bind_inputs(e);
    elaborate_block(e, e->experiment->model->child[0]);
    e->frame = model;
    e->broken = report_errors(e->report) > errors;
    bool trains = e->experiment->train != NULL;
    if (entry == ENTRY_predict)
        give_outputs(e, model);
    else if (trains)
        elaborate_train(e);
    else
        write_initial(e);
    *out = model;
    if (report_errors(e->report) > errors) return false;
    if (!e->graph->result.count)
        bug("the entry %s came out empty and nothing was reported", entry_name[entry]);
    e->program->entry[entry] = graph_sweep(e->graph, e->arena);
    return true;
}

static const char *history_of(const Elaborator *e)
{
    Text text = {.arena = e->arena};
    for (uint32_t i = 0; i < e->symbol.count; i++) {
        const Symbol *s = &e->symbol.at[i];
        text_add(&text, "%s = %lld, %s\n", name_text(e->names, s->name), (long long)s->extent,
                 s->history);
    }
    return text_done(&text);
}

const Elaborated *experiment_elaborate(Experiment *experiment, Arena *arena, const Binding *binding,
                                       unsigned entries)
{
    Elaborator *e = evaluator_new(experiment, arena);
    e->binding = binding;
    if (!declare_inputs(e)) return NULL;

    const Frame *model = NULL;
    if (!experiment->train) entries &= 1u << ENTRY_init | 1u << ENTRY_predict;
    entries |= 1u << ENTRY_init;
    for (EntryKind kind = 0; kind < ENTRY_COUNT; kind++)
        if (entries & 1u << kind && !elaborate_entry(e, kind, &model)) return NULL;

    Elaborated *result = arena_new(arena, Elaborated);
    *result = (Elaborated){.program = e->program,
                           .input_count = e->input.count,
                           .input = e->input.at,
                           .output_count = model->output.count,
                           .output = model->output.at,
                           .metric_count = e->metric.count,
                           .metric = e->metric.at,
                           .dimension_history = history_of(e)};
    return result;
}

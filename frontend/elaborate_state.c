/* Tensors that outlive a step: parameters, running statistics, the optimizer's memory, the training loop's counters; and
 * random numbers, which come from two of those. */
#include "frontend/elaborate.h"
#include "ir/graph/build.h"

/* The extents of a type in brackets; a list in it stands for several. */
static bool read_type(Elaborator *e, const Ast *type, Type *out, Shape *shape)
{
    *shape = (Shape){0};
    const char *name = name_text(e->names, type->name);
    *out = type_named(name, (uint32_t)strlen(name));
    if (type->kind != AST_type || *out == TYPE_none) return false;

    for (uint32_t i = 0; i < type->count; i++) {
        Datum d = elaborate_expression(e, type->child[i]);
        int64_t extent[MAX_RANK];
        int count;
        if (!elaborate_integers(e, &d, type->child[i]->at, "a size", MAX_RANK, extent, &count))
            return false;
        for (int k = 0; k < count; k++) {
            if (shape->rank == MAX_RANK) {
                elaborate_error(e, type->at, "a tensor has %d axes at most", MAX_RANK);
                return false;
            }
            if (extent[k] < 1 || extent[k] > MAX_ELEMENTS) {
                elaborate_error(e, type->child[i]->at, "a size is at least 1, and this is %lld",
                                (long long)extent[k]);
                return false;
            }
            shape->extent[shape->rank++] = extent[k];
        }
    }
    return true;
}

static ElaboratedState *state_named(Elaborator *e, Name name)
{
    for (uint32_t i = 0; i < e->state.count; i++)
        if (name_same(e->state.at[i].name, name)) return &e->state.at[i];
    return NULL;
}

static void clash(Elaborator *e, const ElaboratedState *old, Span at)
{
    elaborate_error(e, at, "two layers own the name `%s`", name_text(e->names, old->name));
    report_note(e->report, old->at, "the first is here");
    elaborate_hint(e, "bind the two calls to different names: parameters are called after them");
}

/* Later entries find what init has described. */
static bool described(Elaborator *e, Name name, StateRole role, Type type, const Shape *shape,
                      Span at)
{
    const State *known = program_state(e->program, name);
    if (e->entry == ENTRY_init) {
        *list_add(e->program->arena, &e->program->state) = (State){
            .name = name, .role = role, .type = type, .shape = *shape, .at = elaborate_span(e, at)};
        return true;
    }
    if (known && known->type == type && shape_same(&known->shape, shape)) return true;
    elaborate_error(e, at,
                    "`%s` is declared in one of training and evaluation only, or differently",
                    name_text(e->names, name));
    elaborate_hint(e, "declare it outside `if training`");
    return false;
}

/* Evaluation reads the running average of a parameter where the train block keeps one. */
static Name averaged(const Elaborator *e, Name name)
{
    if (e->training) return name;
    Name average = name_format(e->names, "ema.%s", name_text(e->names, name));
    return program_state(e->program, average) ? average : name;
}

uint32_t elaborate_state_new(Elaborator *e, const char *text, StateRole role, Type type,
                             const Shape *shape, Span at)
{
    Name name = name_of(e->names, text);
    ElaboratedState *old = state_named(e, name);
    if (old) {
        clash(e, old, at);
        return 0;
    }
    if (!described(e, name, role, type, shape, at)) return 0;
    e->doing = text;
    Value read = tensor_state(e, averaged(e, name), type, *shape);
    if (!read.id) return 0;
    *list_add(e->arena, &e->state) = (ElaboratedState){
        .name = name, .role = role, .at = elaborate_span(e, at), .read = read, .now = read};
    return e->state.count;
}

static Value initial_value(Elaborator *e, const Ast *ast, const char *name, Type type,
                           const Shape *shape)
{
    const Shape *shape_before = e->implied;
    const char *path_before = e->implied_path;
    Type type_before = e->implied_type;
    e->implied = shape;
    e->implied_type = type;
    e->implied_path = name;
    Datum datum = elaborate_expression(e, ast);
    e->implied = shape_before;
    e->implied_type = type_before;
    e->implied_path = path_before;

    if (datum.kind == DATUM_poison) return (Value){0};
    elaborate_at(e, ast->at);
    e->doing = name;
    if (datum.kind == DATUM_number) return tensor_constant(e, type, *shape, datum.number);
    if (datum.kind != DATUM_tensor) {
        elaborate_error(e, ast->at, "the initial value of `%s` is %s, and a tensor is needed", name,
                        static_kind(&datum));
        return (Value){0};
    }
    const Shape *is = tensor_shape(e, datum.value);
    if (tensor_type(e, datum.value) == type && (shape_same(is, shape) || is->rank == 0))
        return tensor_broadcast(e, datum.value, *shape);
    elaborate_error(e, ast->at, "the initial value of `%s` is %s, and %s is needed", name,
                    elaborate_type(e, datum.value), elaborate_shape(e, type, shape));
    elaborate_hint(e, "without a shape, zeros(), normal() and the like take the parameter's");
    return (Value){0};
}

/* A scan's later turns use what its first turn declared. */
static uint32_t shared(Elaborator *e, const Ast *ast, const char *name, Type type,
                       const Shape *shape)
{
    ElaboratedState *old = e->sharing ? state_named(e, name_of(e->names, name)) : NULL;
    if (!old || old->declared != ast) return 0;
    const Node *read = graph_node(e->graph, old->read);
    if (read->type != type || !shape_same(graph_shape(e->graph, old->read), shape)) return 0;
    return (uint32_t)(old - e->state.at) + 1;
}

void elaborate_declare(Elaborator *e, const Ast *ast)
{
    Type type;
    Shape shape;
    frame_bind(e, e->frame, ast->name, POISON);
    if (!read_type(e, ast->child[0], &type, &shape)) return;
    bool is_param = ast->kind == AST_param;
    if (is_param && type != TYPE_f32) {
        elaborate_error(e, ast->child[0]->at, "a parameter is f32, and this is %s",
                        type_info[type].name);
        elaborate_hint(e, "`precision bf16` in the train block computes in bf16; `state` makes a "
                          "tensor of any type");
        return;
    }
    const char *name = elaborate_path(e, e->frame, name_text(e->names, ast->name));
    if (is_param && e->parameters_known && !e->prefix) {
        elaborate_error(e, ast->at, "the parameter `%s` is made outside the model, and not trained",
                        name);
        elaborate_hint(e, "call the layer in the model, and use what it gives in the train block");
        return;
    }
    if (strcmp(name, "loss") == 0) {
        elaborate_error(e, ast->at, "`loss` is what is minimized; choose another name");
        return;
    }
    uint32_t state = shared(e, ast, name, type, &shape);
    if (!state) {
        StateRole role = e->prefix ? STATE_optimizer : is_param ? STATE_parameter : STATE_buffer;
        state = elaborate_state_new(e, name, role, type, &shape, ast->at);
        if (!state) return;
        e->state.at[state - 1].declared = ast;
        if (e->entry == ENTRY_init) {
            Value initial = initial_value(e, ast->child[1], name, type, &shape);
            e->state.at[state - 1].initial = initial;
        }
    }
    Datum datum = tensor_datum(e->state.at[state - 1].now);
    datum.state = state;
    frame_bind(e, e->frame, ast->name, datum);
}

void elaborate_update(Elaborator *e, const Ast *ast)
{
    const char *name = name_text(e->names, ast->name);
    Datum *old = frame_find(e->frame, ast->name);
    Datum value = elaborate_expression(e, ast->child[0]);
    if (!old || (old->kind != DATUM_poison && !old->state)) {
        elaborate_error(e, ast->name_at.length ? ast->name_at : ast->at,
                        "`%s` is not a state of this function", name);
        elaborate_hint(e, "declare it before: state %s: f32[...] = zeros()", name);
        return;
    }
    if (old->kind == DATUM_poison || value.kind == DATUM_poison) return;
    ElaboratedState *state = &e->state.at[old->state - 1];
    if (state->role == STATE_parameter) {
        elaborate_error(e, ast->at, "`%s` is a parameter: the optimizer updates it", name);
        elaborate_hint(e, "declare it by `state` to update it yourself");
        return;
    }
    elaborate_at(e, ast->at);
    Type type = tensor_type(e, state->read);
    const Shape *shape = tensor_shape(e, state->read);
    Value now = value.value;
    if (value.kind == DATUM_number)
        now = tensor_constant(e, type, *shape, value.number);
    else if (value.kind != DATUM_tensor || tensor_type(e, now) != type ||
             !shape_same(tensor_shape(e, now), shape)) {
        const char *is = elaborate_describe(e, &value);
        elaborate_error(e, ast->at, "`%s` is %s, and its new value is %s", name,
                        elaborate_type(e, state->read), is);
        return;
    }
    if (!now.id) return;
    state->now = now;
    state->updated = true;
}

/* ---- counters and random numbers ---- */

Value elaborate_counter(Elaborator *e, const char *name, Type type, double initial)
{
    ElaboratedState *old = state_named(e, name_of(e->names, name));
    if (old) return old->read;
    uint32_t state = elaborate_state_new(e, name, STATE_counter, type, &(Shape){0}, (Span){0});
    if (!state) return (Value){0};
    e->state.at[state - 1].initial = tensor_constant(e, type, (Shape){0}, initial);
    return e->state.at[state - 1].read;
}

Value elaborate_seed(Elaborator *e)
{
    Value read = elaborate_counter(e, "train.seed", TYPE_i32, 0);
    if (e->entry != ENTRY_init) return read;

    TypedShape scalar = {TYPE_i32, {0}};
    Value seed =
        tensor_add(e, OP_input, 0, NULL, &(Attribute){.name = name_of(e->names, "seed")}, &scalar);
    state_named(e, name_of(e->names, "train.seed"))->initial = seed;
    return seed;
}

static Value step_number(Elaborator *e)
{
    Value read = elaborate_counter(e, "train.step", TYPE_i32, 0);
    return e->entry == ENTRY_init ? tensor_constant(e, TYPE_i32, (Shape){0}, 0) : read;
}

/* FNV-1a: a stream's number must never change between versions, or old runs could not be repeated. */
static uint32_t stream_of(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

/* The stream is named by the place in the model, so a new layer does not change what others draw. */
Value elaborate_uniform(Elaborator *e, const Shape *shape)
{
    Text text = {.arena = e->arena};
    text_add(&text, "%s%s", e->implied_path ? "init " : "",
             e->implied_path ? e->implied_path : e->frame->path);
    Name path = name_of(e->names, text_done(&text));
    Tally *tally = NULL;
    for (uint32_t i = 0; i < e->drawn.count; i++)
        if (name_same(e->drawn.at[i].name, path)) tally = &e->drawn.at[i];
    if (!tally) {
        tally = list_add(e->arena, &e->drawn);
        *tally = (Tally){path, 0};
    }
    text_add(&text, "#%u", ++tally->count);

    Value seed = elaborate_seed(e);
    Value step = step_number(e);
    if (shape_elements(shape) > INT32_MAX) {
        Text size = {.arena = e->arena};
        shape_print(&size, TYPE_f32, shape);
        elaborate_error(e, e->at,
                        "%s is too large to be drawn at random: 2^31 - 1 elements are possible",
                        text_done(&size));
        return (Value){0};
    }
    bool possible = tensor_constant(e, TYPE_f32, *shape, 0).id != 0; /* asks the rules of shapes */
    if (!possible || !seed.id || !step.id) return (Value){0};
    return ir_uniform(e->graph, seed, step, stream_of(text_done(&text)), *shape);
}

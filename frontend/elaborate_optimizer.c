/* One update of all parameters.  The optimizer, the schedule and clipping are functions of the language; here they are
 * called, and what they return is written. */
#include "frontend/elaborate.h"

typedef struct Update {
    const Function *optimizer;
    const Ast *call;   /* of the optimizer in the file; its arguments */
    const Ast *groups; /* NULL: none */
    Datum factor;      /* of the schedule */
    Datum step;        /* number of this update, from 1, f32 */
    Value apply;       /* bool: this step updates; {0}: every step does */
    Frame *frame;
} Update;

static Argument positional(Datum datum, Span at)
{
    return (Argument){.datum = datum, .at = at, .name_at = at};
}

/* The function that `optimizer adam(rate: 1e-3)` and the like call; its arguments are those of `call`. */
static const Function *function_of(Elaborator *e, const Ast *setting, const char *prefix,
                                   const Ast **call)
{
    const Ast *value = setting->count ? setting->child[0] : NULL;
    const Ast *name = value && value->kind == AST_call ? value->child[0] : value;
    const char *keyword = name_text(e->names, setting->name);
    if (!name || name->kind != AST_name) {
        elaborate_error(e, setting->at, "`%s` takes the name of a function and its arguments",
                        keyword);
        return NULL;
    }
    *call = value;
    const char *text = name_text(e->names, name->name);
    Name wanted = name_format(e->names, "%s%s", prefix, text);
    const Function *function = elaborate_function(e, wanted, false);
    if (function) return function;

    Suggestion s = {.wanted = text};
    size_t skip = strlen(prefix);
    for (uint32_t i = 0; i < e->experiment->function.count; i++) {
        const char *candidate = name_text(e->names, e->experiment->function.at[i].name);
        if (strncmp(candidate, prefix, skip) == 0) suggest(&s, candidate + skip);
    }
    elaborate_error(e, name->at, "there is no `%s` for `%s`", text, keyword);
    if (s.best) elaborate_hint(e, "did you mean `%s`?", s.best);
    return NULL;
}

/* The arguments of a call in the file, behind `first` that the compiler supplies. */
static uint32_t arguments_of(Elaborator *e, const Ast *call, Argument *out)
{
    if (call->kind != AST_call) return 0;
    for (uint32_t i = 1; i < call->count; i++) {
        const Ast *a = call->child[i];
        out[i - 1] =
            (Argument){.name = a->name, .ast = a->child[0], .at = a->at, .name_at = a->name_at};
        out[i - 1].datum = elaborate_expression(e, a->child[0]);
    }
    return call->count - 1;
}

static Argument *argument_named(Elaborator *e, Argument *argument, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(name_text(e->names, argument[i].name), name) == 0) return &argument[i];
    return NULL;
}

/* The rate that the file gives, or the optimizer's own default. */
static Datum base_rate(Elaborator *e, const Update *u, Argument *argument, uint32_t count)
{
    Argument *given = argument_named(e, argument, count, "rate");
    if (given) return given->datum;
    const Ast *parameters = u->optimizer->ast->child[0];
    for (uint32_t i = 0; i < parameters->count; i++) {
        const Ast *p = parameters->child[i];
        if (strcmp(name_text(e->names, p->name), "rate") == 0 && p->count > 1 && p->child[1])
            return elaborate_expression(e, p->child[1]);
    }
    return static_number(1);
}

#define SUPPLIED                                                                                   \
    3 /* arguments of an optimizer: the parameter, its gradient, the number of the update */

/* Those of the optimizer in the file.  One without a name, as in `sgd(0.1)`, is for the parameter that stands there behind
 * the supplied ones: it has to be known as the rate. */
static uint32_t optimizer_arguments(Elaborator *e, const Update *u, Argument *out)
{
    const Ast *parameters = u->optimizer->ast->child[0];
    uint32_t count = arguments_of(e, u->call, out);
    for (uint32_t i = 0; i < count && SUPPLIED + i < parameters->count; i++)
        if (!out[i].name.id) out[i].name = parameters->child[SUPPLIED + i]->name;
    return count;
}

static bool group_applies(const Ast *group, const char *name)
{
    for (uint32_t i = 0; i < group->count; i++)
        if (group->child[i]->kind == AST_string && pattern_matches(group->child[i]->text, name))
            return true;
    return false;
}

/* What the groups say about this parameter replaces what the call says. */
static uint32_t override(Elaborator *e, const Update *u, const char *name, Argument *argument,
                         uint32_t count)
{
    for (uint32_t g = 0; u->groups && g < u->groups->count; g++) {
        const Ast *group = u->groups->child[g];
        if (!group_applies(group, name)) continue;
        for (uint32_t i = 0; i < group->count; i++) {
            const Ast *o = group->child[i];
            if (o->kind != AST_override) continue;
            Argument *old = argument_named(e, argument, count, name_text(e->names, o->name));
            Argument now = {
                .name = o->name, .ast = o->child[0], .at = o->at, .name_at = o->name_at};
            now.datum = elaborate_expression(e, o->child[0]);
            if (old)
                *old = now;
            else
                argument[count++] = now;
        }
    }
    return count;
}

static void check_groups(Elaborator *e, const Update *u)
{
    for (uint32_t g = 0; u->groups && g < u->groups->count; g++) {
        const Ast *group = u->groups->child[g];
        bool any = e->broken || group->kind != AST_group;
        for (uint32_t i = 0; i < e->state.count && !any; i++)
            any = e->state.at[i].trained &&
                  group_applies(group, name_text(e->names, e->state.at[i].name));
        if (any) continue;
        elaborate_error(e, group->at, "this group of the optimizer matches no trained parameter");
        elaborate_hint(e, "`mlc check` lists the parameters; * stands for any part of a name");
    }
}

static uint32_t room_for(const Update *u)
{
    uint32_t room = 8 + u->call->count;
    for (uint32_t g = 0; u->groups && g < u->groups->count; g++)
        room += u->groups->child[g]->count;
    return room;
}

/* The parameter's next value by the optimizer. */
static Value updated(Elaborator *e, const Update *u, const ElaboratedState *parameter,
                     Datum gradient)
{
    const char *name = name_text(e->names, parameter->name);
    Argument *argument = arena_array(e->arena, Argument, room_for(u));
    Span at = u->call->at;
    argument[0] = positional(tensor_datum(parameter->read), at);
    argument[1] = positional(gradient, at);
    argument[2] = positional(u->step, at);
    Argument *own = argument + SUPPLIED;
    uint32_t count = optimizer_arguments(e, u, own);
    count = override(e, u, name, own, count);
    Datum rate = elaborate_binary(e, "*", u->factor, base_rate(e, u, own, count), at);
    Argument *given = argument_named(e, own, count, "rate");
    if (!given) {
        given = &own[count++];
        *given = (Argument){.name = name_of(e->names, "rate"), .at = at, .name_at = at};
    }
    given->datum = rate;

    Frame *here = e->frame;
    Text path = {.arena = e->arena};
    text_add(&path, "optimizer.%s", name);
    Frame *frame = arena_new(e->arena, Frame);
    *frame = (Frame){.caller = here, .path = text_done(&path)};
    e->frame = frame;
    e->prefix = "optimizer";
    Datum callee = {.kind = DATUM_function, .function = u->optimizer};
    Shape shape = *tensor_shape(e, parameter->read);
    Datum next = elaborate_apply(e, &callee, SUPPLIED + count, argument, at,
                                 (Placement){.kind = PLACE_tail});
    e->prefix = NULL;
    e->frame = here;
    elaborate_at(e, at);
    if (next.kind == DATUM_poison) return (Value){0};
    if (next.kind == DATUM_tensor && shape_same(tensor_shape(e, next.value), &shape))
        return next.value;
    elaborate_error(e, at, "the optimizer gives %s for `%s`, whose shape is %s",
                    elaborate_describe(e, &next), name, elaborate_shape(e, TYPE_f32, &shape));
    return (Value){0};
}

/* ---- schedule ---- */

/* Schedules count updates; the binding counts executions of `step`. */
static Datum updates_in(const Elaborator *e, int64_t steps)
{
    int64_t updates = steps / e->experiment->settings.accumulate;
    return static_integer(steps > 0 && updates == 0 ? 1 : updates);
}

static Datum schedule_factor(Elaborator *e, Value step, double rate)
{
    const Ast *setting = train_setting(e->experiment, "schedule", NULL), *call;
    if (!setting) return static_integer(1);
    if (e->experiment->settings.plateau)
        return tensor_datum(elaborate_counter(e, "train.plateau", TYPE_f32, 1));

    const Function *function = function_of(e, setting, "", &call);
    if (!function) return POISON;
    /* Initial values do not depend on it, and whoever only predicts need not know how long training was. */
    if (e->entry == ENTRY_init) return static_integer(1);
    Argument *argument = arena_array(e->arena, Argument, 4 + call->count);
    Value t = tensor_cast(e, step, TYPE_f32);
    argument[0] = positional(tensor_datum(t), call->at);
    argument[1] = positional(updates_in(e, e->binding->steps), call->at);
    argument[2] = positional(updates_in(e, e->binding->steps_per_epoch), call->at);
    argument[3] = positional(static_number(rate), call->at);
    uint32_t count = 4 + arguments_of(e, call, argument + 4);
    Datum callee = {.kind = DATUM_function, .function = function};
    Datum factor =
        elaborate_apply(e, &callee, count, argument, call->at, (Placement){.kind = PLACE_anywhere});
    bool scalar = factor.kind == DATUM_number ||
                  (factor.kind == DATUM_tensor && tensor_shape(e, factor.value)->rank == 0);
    if (scalar || factor.kind == DATUM_poison) return factor;
    elaborate_error(e, call->at, "a schedule gives one number, and this gives %s",
                    elaborate_describe(e, &factor));
    return POISON;
}

/* ---- gradients ---- */

static Datum clipped(Elaborator *e, Datum gradients)
{
    const Ast *setting = train_setting(e->experiment, "clip", NULL), *call;
    if (!setting) return gradients;
    const Function *function = function_of(e, setting, "clip_", &call);
    if (!function) return POISON;
    Argument *argument = arena_array(e->arena, Argument, 1 + call->count);
    argument[0] = positional(gradients, call->at);
    uint32_t count = 1 + arguments_of(e, call, argument + 1);
    Datum callee = {.kind = DATUM_function, .function = function};
    Datum result =
        elaborate_apply(e, &callee, count, argument, call->at, (Placement){.kind = PLACE_anywhere});
    if (result.kind == DATUM_poison) return result;
    if (result.kind == DATUM_list && result.count == gradients.count) return result;
    elaborate_error(e, call->at, "clipping gives a list of as many gradients, and this gives %s",
                    elaborate_describe(e, &result));
    return POISON;
}

/* A state of the optimizer that mirrors parameter i, starting at its value or at 0. */
static uint32_t mirror(Elaborator *e, uint32_t i, const char *prefix, StateRole role, bool zero)
{
    const ElaboratedState s = e->state.at[i];
    Text name = {.arena = e->arena};
    text_add(&name, "%s.%s", prefix, name_text(e->names, s.name));
    uint32_t state =
        elaborate_state_new(e, text_done(&name), role, TYPE_f32, tensor_shape(e, s.read), s.at);
    if (state && e->entry == ENTRY_init)
        e->state.at[state - 1].initial = zero ? tensor_like(e, s.read, 0) : s.initial;
    return state;
}

/* Sums gradients over the steps between updates; the mean is what an update sees. */
static Value accumulated(Elaborator *e, uint32_t i, Value gradient, Value apply)
{
    double share = 1.0 / (double)e->experiment->settings.accumulate;
    uint32_t state = mirror(e, i, "accumulate", STATE_optimizer, true);
    if (!state) return (Value){0};
    Value read = e->state.at[state - 1].read;
    Value part = tensor_with(e, OP_mul, gradient, share);
    Value sum = tensor_binary(e, OP_add, read, part);
    if (!sum.id) return sum;
    Value zero = tensor_like(e, sum, 0);
    Value wide = tensor_broadcast(e, apply, *tensor_shape(e, sum));
    e->state.at[state - 1].now = tensor_select(e, wide, zero, sum);
    e->state.at[state - 1].updated = true;
    return sum;
}

static Datum gradients_of(Elaborator *e, Value loss, Value apply)
{
    uint32_t states = e->state.count, count = 0;
    Datum *element = arena_array(e->arena, Datum, states);
    for (uint32_t i = 0; i < states; i++) {
        if (!e->state.at[i].trained) continue;
        e->graph->at = e->state.at[i].at;
        Value gradient = tensor_gradient(e, loss, e->state.at[i].read);
        if (apply.id) gradient = accumulated(e, i, gradient, apply);
        element[count++] = tensor_datum(gradient);
    }
    return clipped(e, (Datum){.kind = DATUM_list, .count = count, .element = element});
}

/* ---- writes ---- */

static Value if_applied(Elaborator *e, Value apply, Value now, Value before)
{
    if (!apply.id || !now.id) return now;
    Value wide = tensor_broadcast(e, apply, *tensor_shape(e, now));
    return tensor_select(e, wide, now, before);
}

static void average(Elaborator *e, uint32_t i, Value next, Value apply)
{
    const Ast *setting = train_setting(e->experiment, "ema", NULL);
    if (!setting || !next.id) return;
    Datum decay = setting->count ? elaborate_expression(e, setting->child[0]) : POISON;
    if (decay.kind != DATUM_number || decay.number < 0 || decay.number >= 1) {
        elaborate_error(e, setting->at,
                        "`ema` takes a decay from 0 up to but not including 1, such as 0.999");
        return;
    }
    uint32_t state = mirror(e, i, "ema", STATE_buffer, false);
    if (!state) return;
    Value read = e->state.at[state - 1].read;
    Value old = tensor_with(e, OP_mul, read, decay.number);
    Value new = tensor_with(e, OP_mul, next, 1 - decay.number);
    Value sum = tensor_binary(e, OP_add, old, new);
    e->state.at[state - 1].now = if_applied(e, apply, sum, read);
    e->state.at[state - 1].updated = true;
}

static void write_states(Elaborator *e)
{
    for (uint32_t i = 0; i < e->state.count; i++) {
        const ElaboratedState *s = &e->state.at[i];
        Value value = e->entry == ENTRY_init ? s->initial : s->now;
        if (value.id && (s->updated || e->entry == ENTRY_init))
            graph_result(e->graph, RESULT_write, s->name, value, s->at);
    }
}

static void update_all(Elaborator *e, Update *u, Value loss)
{
    uint32_t states = e->state.count, k = 0;
    Datum gradients = gradients_of(e, loss, u->apply);
    if (gradients.kind == DATUM_poison) return;
    for (uint32_t i = 0; i < states; i++) {
        if (!e->state.at[i].trained) continue;
        uint32_t first = e->state.count;
        ElaboratedState parameter = e->state.at[i];
        Value next = updated(e, u, &parameter, gradients.element[k++]);
        if (!next.id) return;
        for (uint32_t m = first; m < e->state.count; m++)
            e->state.at[m].now = if_applied(e, u->apply, e->state.at[m].now, e->state.at[m].read);
        average(e, i, next, u->apply);
        e->state.at[i].now = if_applied(e, u->apply, next, parameter.read);
        e->state.at[i].updated = true;
    }
}

void elaborate_optimizer(Elaborator *e, Value loss)
{
    const Experiment *x = e->experiment;
    const Ast *setting = train_setting(x, "optimizer", NULL);
    Update u = {.groups = NULL};
    if (!setting) {
        elaborate_error(e, x->train->at, "the train block names no optimizer");
        elaborate_hint(e, "for example `optimizer adam(rate: 1e-3)`");
        return;
    }
    u.optimizer = function_of(e, setting, "", &u.call);
    if (!u.optimizer) return;
    if (setting->count > 1 && setting->child[1]->kind == AST_block) u.groups = setting->child[1];
    check_groups(e, &u);
    elaborate_at(e, setting->at);

    Value counter = elaborate_counter(e, "train.step", TYPE_i32, 0), step = counter;
    elaborate_seed(e);
    if (x->settings.accumulate > 1) {
        Value place = tensor_with(e, OP_rem, counter, (double)x->settings.accumulate);
        Value last = tensor_like(e, counter, (double)x->settings.accumulate - 1);
        u.apply = tensor_binary(e, OP_equal, place, last);
        step = tensor_with(e, OP_div, counter, (double)x->settings.accumulate);
    }
    Argument *argument = arena_array(e->arena, Argument, u.call->count + 1);
    uint32_t count = optimizer_arguments(e, &u, argument);
    Datum rate = base_rate(e, &u, argument, count);
    if (rate.kind != DATUM_number) {
        if (rate.kind != DATUM_poison) elaborate_error(e, setting->at, "the rate must be a number");
        return;
    }
    if (rate.number < 0) {
        elaborate_error(e, setting->at, "the rate is not below 0, and this is %s",
                        elaborate_describe(e, &rate));
        elaborate_hint(e, "to climb, minimize the negative");
        return;
    }
    u.factor = schedule_factor(e, step, rate.number);
    Value number = tensor_with(e, OP_add, step, 1);
    u.step = tensor_datum(tensor_cast(e, number, TYPE_f32));
    Datum shown = elaborate_binary(e, "*", u.factor, rate, setting->at);
    if (shown.kind == DATUM_poison) return;
    if (shown.kind == DATUM_number)
        shown = tensor_datum(tensor_constant(e, TYPE_f32, (Shape){0}, shown.number));
    if (e->entry == ENTRY_step)
        graph_result(e->graph, RESULT_output, name_of(e->names, "rate"), shown.value, setting->at);

    update_all(e, &u, loss);
    for (uint32_t i = 0; i < e->state.count; i++) {
        if (strcmp(name_text(e->names, e->state.at[i].name), "train.step") != 0) continue;
        e->state.at[i].now = tensor_with(e, OP_add, counter, 1);
        e->state.at[i].updated = true;
    }
    write_states(e);
}

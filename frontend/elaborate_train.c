/* The train block as expressions over the finished model: the loss, the metrics, and what each entry gives back. */
#include "frontend/elaborate.h"

const Ast *train_setting(const Experiment *x, const char *name, const Ast *from)
{
    bool past = !from;
    for (uint32_t i = 0; x->train && i < x->train->count; i++) {
        const Ast *s = x->train->child[i];
        if (past && s->kind == AST_setting &&
            strcmp(name_text(x->context->names, s->name), name) == 0)
            return s;
        past = past || s == from;
    }
    return NULL;
}

static bool glob(const char *pattern, const char *name)
{
    const char *star = NULL, *again = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            again = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool pattern_matches(const char *pattern, const char *name)
{
    while (name) {
        if (glob(pattern, name)) return true;
        name = strchr(name, '.');
        if (name) name++;
    }
    return false;
}

static void unmatched(Elaborator *e, const Ast *pattern)
{
    Suggestion s = {.wanted = pattern->text};
    for (uint32_t i = 0; i < e->state.count; i++)
        if (e->state.at[i].role == STATE_parameter)
            suggest(&s, name_text(e->names, e->state.at[i].name));
    elaborate_error(e, pattern->at, "no parameter is called \"%s\"", pattern->text);
    if (s.best)
        elaborate_hint(e, "did you mean \"%s\"?", s.best);
    else
        elaborate_hint(e, "`mlc check` lists the parameters; * stands for any part of a name");
}

static void freeze(Elaborator *e, const Ast *pattern)
{
    if (pattern->kind != AST_string) {
        elaborate_error(e, pattern->at,
                        "`freeze` takes patterns of parameter names, such as \"wte.*\"");
        return;
    }
    bool any = false;
    for (uint32_t i = 0; i < e->state.count; i++) {
        ElaboratedState *s = &e->state.at[i];
        if (s->role != STATE_parameter ||
            !pattern_matches(pattern->text, name_text(e->names, s->name)))
            continue;
        s->trained = false;
        any = true;
    }
    if (!any && !e->broken) unmatched(e, pattern);
}

static void mark_trained(Elaborator *e)
{
    for (uint32_t i = 0; i < e->state.count; i++)
        e->state.at[i].trained = e->state.at[i].role == STATE_parameter;
    const Ast *s = NULL;
    while ((s = train_setting(e->experiment, "freeze", s)))
        for (uint32_t i = 0; i < s->count; i++)
            freeze(e, s->child[i]);
    e->parameters_known = true;
}

/* One f32 number, as a loss or a metric must be. */
static Value want_scalar(Elaborator *e, const Datum *d, const Ast *ast, const char *what)
{
    if (d->kind == DATUM_poison) return (Value){0};
    elaborate_at(e, ast->at);
    if (d->kind == DATUM_number) return tensor_constant(e, TYPE_f32, (Shape){0}, d->number);
    if (d->kind == DATUM_tensor && tensor_shape(e, d->value)->rank == 0 &&
        tensor_type(e, d->value) != TYPE_bool)
        return tensor_cast(e, d->value, TYPE_f32);
    elaborate_error(e, ast->at, "%s must be one number, and this is %s", what,
                    elaborate_describe(e, d));
    if (d->kind == DATUM_tensor) elaborate_hint(e, "mean(x) makes one number of it");
    return (Value){0};
}

static void add_metric(Elaborator *e, Name name, Value value, bool rises, Span at)
{
    if (strcmp(name_text(e->names, name), "rate") == 0) {
        elaborate_error(
            e, at, "`rate` is the learning rate, which is reported always; choose another name");
        return;
    }
    for (uint32_t i = 0; i < e->metric.count; i++) {
        if (!name_same(e->metric.at[i].name, name)) continue;
        elaborate_error(e, at, "the metric `%s` is reported twice", name_text(e->names, name));
        if (i == 0) elaborate_hint(e, "`loss` is reported always: what is minimized");
        return;
    }
    *list_add(e->arena, &e->metric) = (Metric){name, rises};
    if (value.id && e->entry != ENTRY_init)
        graph_result(e->graph, RESULT_output, name, value, elaborate_span(e, at));
}

static void report_metrics(Elaborator *e)
{
    const Ast *s = NULL;
    while ((s = train_setting(e->experiment, "report", s))) {
        for (uint32_t i = 0; i < s->count; i++) {
            const Ast *bind = s->child[i];
            bool named = bind->kind == AST_bind;
            if (!named && bind->kind != AST_name) {
                elaborate_error(e, bind->at, "a metric needs a name");
                elaborate_hint(e, "write `report NAME = value`");
                continue;
            }
            const Ast *expression = named ? bind->child[0] : bind;
            Datum d = elaborate_bound(e, expression, bind->name, false);
            Value value = want_scalar(e, &d, expression, "a metric");
            add_metric(e, bind->name, value, d.is_share, bind->at);
            if (named) frame_bind(e, e->frame, bind->name, d);
        }
    }
}

static void give_gradients(Elaborator *e, Value loss)
{
    graph_result(e->graph, RESULT_output, name_of(e->names, "loss"), loss, e->graph->at);
    for (uint32_t i = 0; i < e->state.count; i++) {
        const ElaboratedState *s = &e->state.at[i];
        if (!s->trained) continue;
        e->graph->at = s->at;
        graph_result(e->graph, RESULT_output, s->name, tensor_gradient(e, loss, s->read), s->at);
    }
}

/* Comparisons, whole numbers, floor and the like have a gradient of 0 wherever they have one. */
static bool carries_gradient(const Node *n)
{
    return type_is_float(n->type) && op_info[n->op].gradient;
}

/* A parameter that no gradient can reach is most likely a mistake; if none is reached, it surely is. */
static void report_unreached(Elaborator *e, Value loss, Span at)
{
    bool *reached = arena_array(e->arena, bool, e->graph->node.count);
    reached[loss.id] = true;
    for (uint32_t i = loss.id; i > 0; i--) {
        const Node *n = &e->graph->node.at[i];
        if (!reached[i] || !carries_gradient(n)) continue;
        for (uint32_t k = 0; k < n->argument_count; k++)
            reached[n->argument[k].id] = true;
    }
    bool trains = false, has_parameters = false;
    for (uint32_t i = 0; i < e->state.count; i++) {
        const ElaboratedState *s = &e->state.at[i];
        has_parameters = has_parameters || s->role == STATE_parameter;
        trains = trains || (s->trained && reached[s->read.id]);
    }
    if (has_parameters && !trains) {
        elaborate_error(e, at, "there is nothing to train: no parameter has influence on the loss");
        elaborate_hint(
            e, "frozen parameters do not count, nor what stop_gradient, comparisons, argmax "
               "and rounding keep away");
        return;
    }
    for (uint32_t i = 0; i < e->state.count; i++) {
        const ElaboratedState *s = &e->state.at[i];
        if (!s->trained || reached[s->read.id]) continue;
        report_warning(e->report, s->at, "the parameter `%s` has no influence on the loss",
                       name_text(e->names, s->name));
        report_note(e->report, at, "this is minimized");
    }
}

void elaborate_train(Elaborator *e)
{
    const Ast *minimize = train_setting(e->experiment, "minimize", NULL);
    mark_trained(e);
    if (e->entry != ENTRY_grad) e->metric.count = 0;
    if (!minimize || minimize->count != 1) {
        elaborate_error(e, minimize ? minimize->at : e->experiment->train->at,
                        minimize ? "`minimize` takes one expression"
                                 : "the train block does not say what to minimize");
        elaborate_hint(e, "for example `minimize cross_entropy(logits, label)`");
        return;
    }
    const Ast *expression = minimize->child[0];
    Datum d = elaborate_bound(e, expression, (Name){0}, false);
    Value loss = want_scalar(e, &d, expression, "what is minimized");
    if (e->entry != ENTRY_grad) {
        add_metric(e, name_of(e->names, "loss"), loss, false, expression->at);
        report_metrics(e);
    }
    if (!loss.id) return;

    if (e->entry == ENTRY_grad) give_gradients(e, loss);
    if (e->entry == ENTRY_init) report_unreached(e, loss, expression->at);
    if (e->entry == ENTRY_init || e->entry == ENTRY_step) elaborate_optimizer(e, loss);
}

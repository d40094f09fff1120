/* Calls: arguments find their parameters, functions of the language are inlined in a frame of their own, builtins run. */
#include "frontend/builtins.h"
#include "frontend/elaborate.h"

#include <stdlib.h>

typedef struct Parameter {
    Name name;
    const Ast *type;
    const Ast *fallback;       /* of a function, */
    const char *fallback_text; /* of a builtin */
    bool optional;
} Parameter;

typedef struct Signature {
    const char *name;
    uint32_t count;
    Parameter *at;
} Signature;

const Function *elaborate_function(const Elaborator *e, Name name, bool library)
{
    const Experiment *x = e->experiment;
    for (uint32_t i = 0; i < x->function.count; i++) {
        const Function *f = &x->function.at[i];
        if (name_same(f->name, name) && (!library || f->library)) return f;
    }
    return NULL;
}

const char *elaborate_path(Elaborator *e, const Frame *frame, const char *name)
{
    Text text = {.arena = e->arena};
    text_add(&text, "%s%s%s", frame->path, frame->path[0] && name[0] ? "." : "", name);
    for (uint32_t i = 0; i < frame->index.count; i++)
        text_add(&text, ".%lld", (long long)frame->index.at[i]);
    return text_done(&text);
}

static uint32_t count_up(Elaborator *e, Frame *frame, Name name)
{
    for (uint32_t i = 0; i < frame->unbound.count; i++)
        if (name_same(frame->unbound.at[i].name, name)) return ++frame->unbound.at[i].count;
    *list_add(e->arena, &frame->unbound) = (Tally){name, 1};
    return 1;
}

static const char *callee_path(Elaborator *e, Name function, Placement placement)
{
    Frame *f = e->frame;
    if (placement.kind == PLACE_bound)
        return elaborate_path(e, f, name_text(e->names, placement.name));
    if (placement.kind == PLACE_tail) return f->path;

    const char *name = name_text(e->names, function);
    uint32_t repeat = count_up(e, f, name_of(e->names, elaborate_path(e, f, name)));
    if (repeat == 1) return elaborate_path(e, f, name);
    Text text = {.arena = e->arena};
    text_add(&text, "%s_%u", name, repeat);
    return elaborate_path(e, f, text_done(&text));
}

static Signature function_signature(Elaborator *e, const Function *function)
{
    const Ast *list = function->ast->child[0];
    Signature s = {name_text(e->names, function->name), list->count,
                   arena_array(e->arena, Parameter, list->count)};
    for (uint32_t i = 0; i < list->count; i++) {
        const Ast *p = list->child[i];
        s.at[i] = (Parameter){.name = p->name,
                              .type = p->count > 0 ? p->child[0] : NULL,
                              .fallback = p->count > 1 ? p->child[1] : NULL,
                              .optional = p->count > 1 && p->child[1]};
    }
    return s;
}

static Signature builtin_signature(Elaborator *e, const Builtin *builtin)
{
    Signature s = {builtin->name, 0, arena_array(e->arena, Parameter, BUILTIN_ARGUMENTS)};
    for (const char *p = builtin->signature; *p;) {
        size_t length = strcspn(p, ","), name = strcspn(p, ":,");
        Parameter *parameter = &s.at[s.count++];
        parameter->name = name_of_range(e->names, p, name);
        if (p[name] == ':') {
            parameter->optional = true;
            parameter->fallback_text = arena_text(e->arena, p + name + 2, length - name - 2);
        }
        p += length;
        if (*p) p += 2;
    }
    return s;
}

static const char *signature_text(Elaborator *e, const Signature *s)
{
    Text text = {.arena = e->arena};
    text_add(&text, "%s(", s->name);
    for (uint32_t i = 0; i < s->count; i++) {
        const Parameter *p = &s->at[i];
        text_add(&text, "%s%s", i ? ", " : "", name_text(e->names, p->name));
        if (p->fallback_text) text_add(&text, ": %s", p->fallback_text);
        if (p->fallback) {
            const Span at = p->fallback->at;
            const Source *source = sources_get(e->experiment->context->sources, at.source);
            if (source) text_add(&text, ": %.*s", (int)at.length, source->text + at.begin);
        }
    }
    text_add(&text, ")");
    return text_done(&text);
}

static void mismatch(Elaborator *e, const Signature *s)
{
    report_note(e->report, (Span){0}, "the function is %s", signature_text(e, s));
}

static int parameter_named(Elaborator *e, const Signature *s, const Argument *argument)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (name_same(s->at[i].name, argument->name)) return (int)i;

    Suggestion nearest = {.wanted = name_text(e->names, argument->name)};
    for (uint32_t i = 0; i < s->count; i++)
        suggest(&nearest, name_text(e->names, s->at[i].name));
    elaborate_error(e, argument->name_at, "`%s` has no argument `%s`", s->name, nearest.wanted);
    mismatch(e, s);
    if (nearest.best) elaborate_hint(e, "did you mean `%s`?", nearest.best);
    return -1;
}

/* Which argument each parameter gets: taken[i] is its index + 1, or 0. */
static bool match(Elaborator *e, const Signature *s, uint32_t count, const Argument *argument,
                  Span at, uint32_t *taken)
{
    bool right = true;
    for (uint32_t i = 0; i < count; i++) {
        int to = (int)i;
        if (argument[i].name.id) to = parameter_named(e, s, &argument[i]);
        if (to >= 0 && to < (int)s->count && taken[to]) {
            elaborate_error(e, argument[i].at, "`%s` is given the argument `%s` twice", s->name,
                            name_text(e->names, s->at[to].name));
            mismatch(e, s);
            right = false;
        } else if (to >= (int)s->count) {
            elaborate_error(e, argument[i].at, "`%s` takes %u argument%s, and this is one more",
                            s->name, s->count, s->count == 1 ? "" : "s");
            mismatch(e, s);
            return false;
        } else if (to >= 0) {
            taken[to] = i + 1;
        } else {
            right = false;
        }
    }
    Text missing = {.arena = e->arena};
    unsigned missing_count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (!taken[i] && !s->at[i].optional)
            text_add(&missing, "%s`%s`", missing_count++ ? ", " : "",
                     name_text(e->names, s->at[i].name));
    if (missing.count && right) {
        const char *plural = missing_count > 1 ? "s" : "";
        elaborate_error(e, at, "`%s` lacks the argument%s %s", s->name, plural,
                        text_done(&missing));
        mismatch(e, s);
    }
    return right && !missing.count;
}

/* ---- builtins ---- */

static Datum fallback_of(const char *text)
{
    if (strcmp(text, "none") == 0) return static_none();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) return static_bool(text[0] == 't');
    Type type = type_named(text, (uint32_t)strlen(text));
    if (type != TYPE_none) return (Datum){.kind = DATUM_type, .type = type};
    return static_integer(strtol(text, NULL, 10));
}

static Datum call_builtin(Elaborator *e, const Builtin *builtin, uint32_t count,
                          const Argument *argument, Span at)
{
    Signature s = builtin_signature(e, builtin);
    uint32_t taken[BUILTIN_ARGUMENTS] = {0};
    if (!match(e, &s, count, argument, at, taken)) return POISON;

    Call call = {.name = builtin->name, .op = builtin->op, .at = at};
    for (uint32_t i = 0; i < s.count; i++) {
        const Argument *given = taken[i] ? &argument[taken[i] - 1] : NULL;
        call.argument[i] = given ? given->datum : fallback_of(s.at[i].fallback_text);
        call.argument_at[i] = given ? given->at : at;
        if (call.argument[i].kind == DATUM_thunk)
            call.argument[i] = elaborate_force(e, call.argument[i]);
        if (call.argument[i].kind == DATUM_poison) return POISON;
    }
    elaborate_at(e, at);
    e->doing = builtin->name;
    e->shown = NULL;
    return builtin->call(e, &call);
}

/* ---- functions ---- */

static bool recursive(Elaborator *e, const Function *function, Span at)
{
    const Frame *f = e->frame;
    while (f && f->function != function)
        f = f->caller;
    if (!f) return false;

    Text cycle = {.arena = e->arena};
    const char *name = name_text(e->names, function->name);
    const char *names[ELABORATE_MAX_DEPTH + 1];
    uint32_t count = 0;
    for (const Frame *g = e->frame; g != f; g = g->caller)
        if (g->function) names[count++] = name_text(e->names, g->function->name);
    text_add(&cycle, "%s", name);
    while (count--)
        text_add(&cycle, " -> %s", names[count]);
    elaborate_error(e, at, "`%s` calls itself: %s -> %s", name, text_done(&cycle), name);
    elaborate_hint(e, "functions are inlined, so there is no recursion; a `for` loop may do");
    return true;
}

static bool same_extent(Elaborator *e, Frame *frame, const Ast *dimension, int64_t extent,
                        int64_t *asked)
{
    if (dimension->kind == AST_name && !frame_find(frame, dimension->name) &&
        (frame->library || !frame_find(e->globals, dimension->name))) {
        frame_bind(e, frame, dimension->name, static_integer(extent));
        return true;
    }
    Frame *here = e->frame;
    e->frame = frame;
    Datum d = elaborate_expression(e, dimension);
    e->frame = here;
    if (d.kind == DATUM_poison) return false;
    if (static_as_integer(&d, asked)) return *asked == extent;
    elaborate_error(e, dimension->at,
                    "a size is a whole number known at compile time, and this is %s",
                    elaborate_describe(e, &d));
    return false;
}

static const char *written(const Elaborator *e, const Ast *ast)
{
    const Source *source = sources_get(e->experiment->context->sources, ast->at.source);
    return source ? arena_text(e->arena, source->text + ast->at.begin, ast->at.length) : "";
}

static void wrong_annotation(Elaborator *e, const Frame *frame, const Parameter *p,
                             const Datum *datum, Span at, const char *why)
{
    const char *is =
        datum->kind == DATUM_tensor ? elaborate_type(e, datum->value) : static_kind(datum);
    elaborate_error(e, at, "`%s` of `%s` is %s, and %s is asked for%s",
                    name_text(e->names, p->name), name_text(e->names, frame->function->name), is,
                    written(e, p->type), why);
}

/* An annotated parameter: names of dimensions are bound or must agree. */
static bool check_annotation(Elaborator *e, Frame *frame, const Parameter *p, const Datum *datum,
                             Span at)
{
    const Ast *type = p->type;
    const char *type_text = name_text(e->names, type->name);
    Text why = {.arena = e->arena};
    if (datum->kind == DATUM_number && type->count == 0) return true;
    if (datum->kind != DATUM_tensor) {
        wrong_annotation(e, frame, p, datum, at, "");
        return false;
    }
    const Shape *shape = tensor_shape(e, datum->value);
    if (tensor_type(e, datum->value) != type_named(type_text, (uint32_t)strlen(type_text))) {
        wrong_annotation(e, frame, p, datum, at, "");
        elaborate_hint(e, "convert it: cast(%s, %s)", name_text(e->names, p->name), type_text);
        return false;
    }
    if (shape->rank != type->count) {
        text_add(&why, ": %d ax%cs instead of %u", shape->rank, shape->rank == 1 ? 'i' : 'e',
                 type->count);
        wrong_annotation(e, frame, p, datum, at, text_done(&why));
        elaborate_hint(e, "reshape it first");
        return false;
    }
    for (int i = 0; i < shape->rank; i++) {
        int64_t asked = INT64_MIN; /* stays so where a report has been made */
        if (same_extent(e, frame, type->child[i], shape->extent[i], &asked)) continue;
        const char *dimension =
            type->child[i]->kind == AST_number ? "" : written(e, type->child[i]);
        text_add(&why, ": axis %d is %lld, not ", i, (long long)shape->extent[i]);
        if (*dimension) text_add(&why, "%s = ", dimension);
        text_add(&why, "%lld", (long long)asked);
        if (asked != INT64_MIN) wrong_annotation(e, frame, p, datum, at, text_done(&why));
        return false;
    }
    return true;
}

/* Binds what was given, then what was left out; a default may use the parameters before it. */
static bool bind_parameters(Elaborator *e, Frame *frame, const Signature *s,
                            const Argument *argument, const uint32_t *taken)
{
    bool right = true;
    for (uint32_t i = 0; i < s->count; i++) {
        const Parameter *p = &s->at[i];
        const Argument *given = taken[i] ? &argument[taken[i] - 1] : NULL;
        Datum datum = given ? given->datum : POISON;
        if (!given) {
            bool is_init = strcmp(name_text(e->names, p->name), "init") == 0;
            datum = (Datum){.kind = DATUM_thunk, .ast = p->fallback, .frame = frame};
            if (!is_init) datum = elaborate_force(e, datum);
        }
        if (datum.kind == DATUM_poison)
            right = false;
        else if (p->type)
            right = check_annotation(e, frame, p, &datum, given ? given->at : frame->call) && right;
        *list_add(e->arena, &frame->variable) = (Variable){p->name, datum};
    }
    return right;
}

static Datum call_function(Elaborator *e, const Function *function, uint32_t count,
                           const Argument *argument, Span at, Placement placement)
{
    Signature s = function_signature(e, function);
    uint32_t *taken = arena_array(e->arena, uint32_t, s.count + 1);
    if (!match(e, &s, count, argument, at, taken)) return POISON;
    if (recursive(e, function, at)) return POISON;
    if (e->depth >= ELABORATE_MAX_DEPTH) {
        elaborate_error(e, at, "calls are nested more than %d deep", ELABORATE_MAX_DEPTH);
        return POISON;
    }
    Frame *frame = arena_new(e->arena, Frame);
    *frame =
        (Frame){.caller = e->frame, .function = function, .call = at, .library = function->library};
    frame->path = callee_path(e, function->name, placement);
    if (!bind_parameters(e, frame, &s, argument, taken)) return POISON;

    Frame *here = e->frame;
    e->frame = frame;
    e->depth++;
    elaborate_block(e, function->ast->child[1]);
    e->depth--;
    e->frame = here;
    elaborate_at(e, at);
    if (!frame->returned) return static_none();
    Datum result = frame->result;
    if (result.kind == DATUM_tensor) {
        result.members = frame;
        result.state = 0;
    }
    return result;
}

Datum elaborate_apply(Elaborator *e, const Datum *callee, uint32_t count, const Argument *argument,
                      Span at, Placement placement)
{
    if (!elaborate_work(e, at)) return POISON;
    for (uint32_t i = 0; i < count; i++)
        if (argument[i].datum.kind == DATUM_poison) return POISON;
    if (callee->kind == DATUM_builtin) return call_builtin(e, callee->builtin, count, argument, at);
    return call_function(e, callee->function, count, argument, at, placement);
}

/* A name in front of parentheses means a function, even where a variable has the same name. */
static Datum callee_of(Elaborator *e, const Ast *ast)
{
    if (ast->kind == AST_name) {
        Datum *local = frame_find(e->frame, ast->name);
        if (local && (local->kind == DATUM_function || local->kind == DATUM_builtin)) return *local;
        const Function *function = elaborate_function(e, ast->name, e->frame->library);
        if (function) return (Datum){.kind = DATUM_function, .function = function};
        const Builtin *builtin = builtin_named(name_text(e->names, ast->name));
        if (builtin) return (Datum){.kind = DATUM_builtin, .builtin = builtin};
    }
    Datum callee = elaborate_expression(e, ast);
    if (callee.kind == DATUM_poison || callee.kind == DATUM_function ||
        callee.kind == DATUM_builtin)
        return callee;
    elaborate_error(e, ast->at, "only functions can be called, and this is %s",
                    static_kind(&callee));
    return POISON;
}

static bool takes_init(const Elaborator *e, const Datum *callee, const Ast *argument,
                       uint32_t position)
{
    if (callee->kind != DATUM_function) return false;
    const Ast *parameters = callee->function->ast->child[0];
    Name name = argument->name;
    if (!name.id && position < parameters->count) name = parameters->child[position]->name;
    return strcmp(name_text(e->names, name), "init") == 0;
}

Datum elaborate_call(Elaborator *e, const Ast *call, Placement placement)
{
    Datum callee = callee_of(e, call->child[0]);
    uint32_t count = call->count - 1;
    Argument *argument = arena_array(e->arena, Argument, count);
    for (uint32_t i = 0; i < count; i++) {
        const Ast *a = call->child[i + 1];
        argument[i] =
            (Argument){.name = a->name, .ast = a->child[0], .at = a->at, .name_at = a->name_at};
        if (takes_init(e, &callee, a, i))
            argument[i].datum = (Datum){.kind = DATUM_thunk, .ast = a->child[0], .frame = e->frame};
        else
            argument[i].datum = elaborate_expression(e, a->child[0]);
    }
    if (callee.kind == DATUM_poison) return POISON;
    elaborate_at(e, call->at);
    return elaborate_apply(e, &callee, count, argument, call->at, placement);
}

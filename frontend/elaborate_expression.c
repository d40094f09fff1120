/* Expressions: names, literals, members, choices.  Calls, operators and subscripts have files of their own. */
#include "frontend/builtins.h"
#include "frontend/elaborate.h"

#include <math.h>

static bool name_is(const Elaborator *e, Name name, const char *text)
{
    return strcmp(name_text(e->names, name), text) == 0;
}

Datum *frame_find(Frame *frame, Name name)
{
    for (uint32_t i = frame->variable.count; i-- > 0;)
        if (name_same(frame->variable.at[i].name, name)) return &frame->variable.at[i].datum;
    return NULL;
}

void frame_bind(Elaborator *e, Frame *frame, Name name, Datum datum)
{
    Datum *old = frame_find(frame, name);
    if (old)
        *old = datum;
    else
        *list_add(e->arena, &frame->variable) = (Variable){name, datum};
}

/* All trained parameters, once the model is complete. */
static Datum parameters(Elaborator *e, const Ast *ast)
{
    if (!e->parameters_known) {
        elaborate_error(
            e, ast->at,
            "`parameters` is known in the train block only, when the model is complete");
        return POISON;
    }
    Datum *element = arena_array(e->arena, Datum, e->state.count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < e->state.count; i++) {
        if (!e->state.at[i].trained) continue;
        element[count] = tensor_datum(e->state.at[i].read);
        element[count++].state = i + 1;
    }
    return (Datum){.kind = DATUM_list, .count = count, .element = element};
}

/* What the language itself names.  False if it does not. */
static bool intrinsic(Elaborator *e, const Ast *ast, Datum *out)
{
    const char *text = name_text(e->names, ast->name);
    Type type = type_named(text, (uint32_t)strlen(text));
    if (type != TYPE_none)
        *out = (Datum){.kind = DATUM_type, .type = type};
    else if (name_is(e, ast->name, "true"))
        *out = static_bool(true);
    else if (name_is(e, ast->name, "false"))
        *out = static_bool(false);
    else if (name_is(e, ast->name, "none"))
        *out = static_none();
    else if (name_is(e, ast->name, "training"))
        *out = static_bool(e->training);
    else if (name_is(e, ast->name, "pi"))
        *out = static_number(M_PI);
    else if (name_is(e, ast->name, "inf"))
        *out = static_number(INFINITY);
    else if (name_is(e, ast->name, "parameters"))
        *out = parameters(e, ast);
    else
        return false;
    return true;
}

static void suggest_variables(Elaborator *e, const Frame *frame, Suggestion *s)
{
    for (uint32_t i = 0; frame && i < frame->variable.count; i++)
        suggest(s, name_text(e->names, frame->variable.at[i].name));
}

static Datum unknown(Elaborator *e, const Ast *ast)
{
    Suggestion s = {.wanted = name_text(e->names, ast->name)};
    suggest_variables(e, e->frame, &s);
    if (!e->frame->library) suggest_variables(e, e->globals, &s);
    for (uint32_t i = 0; i < e->experiment->function.count; i++)
        suggest(&s, name_text(e->names, e->experiment->function.at[i].name));
    for (uint32_t i = 0; i < builtin_count; i++)
        suggest(&s, builtin_table[i].name);
    static const char *const intrinsics[] = {"true", "false", "none",      "training",
                                             "pi",   "inf",   "parameters"};
    for (size_t i = 0; i < sizeof intrinsics / sizeof *intrinsics; i++)
        suggest(&s, intrinsics[i]);

    elaborate_error(e, ast->at, "`%s` is not defined", s.wanted);
    if (s.best) elaborate_hint(e, "did you mean `%s`?", s.best);
    return POISON;
}

Datum elaborate_force(Elaborator *e, Datum datum)
{
    if (datum.kind != DATUM_thunk) return datum;
    if (e->depth >= ELABORATE_MAX_DEPTH) {
        elaborate_error(e, datum.ast->at, "this default goes through itself");
        return POISON;
    }
    Frame *here = e->frame;
    e->frame = datum.frame;
    e->depth++;
    Datum result = elaborate_expression(e, datum.ast);
    e->depth--;
    e->frame = here;
    return result;
}

static Datum elaborate_name(Elaborator *e, const Ast *ast)
{
    Datum *found = frame_find(e->frame, ast->name);
    if (!found && !e->frame->library) found = frame_find(e->globals, ast->name);
    if (found) {
        if (found->kind != DATUM_tensor || !found->state) return elaborate_force(e, *found);
        Datum state = *found;
        state.value = e->state.at[found->state - 1].now;
        return state;
    }
    Datum result;
    if (intrinsic(e, ast, &result)) return result;
    const Function *function = elaborate_function(e, ast->name, e->frame->library);
    if (function) return (Datum){.kind = DATUM_function, .function = function};
    const Builtin *builtin = builtin_named(name_text(e->names, ast->name));
    if (builtin) return (Datum){.kind = DATUM_builtin, .builtin = builtin};
    return unknown(e, ast);
}

static Datum elaborate_list(Elaborator *e, const Ast *ast)
{
    Datum *element = arena_array(e->arena, Datum, ast->count);
    bool poisoned = false;
    for (uint32_t i = 0; i < ast->count; i++) {
        element[i] = elaborate_expression(e, ast->child[i]);
        poisoned = poisoned || element[i].kind == DATUM_poison;
    }
    if (poisoned) return POISON;
    return (Datum){.kind = DATUM_list, .count = ast->count, .element = element};
}

static Datum elaborate_member(Elaborator *e, const Ast *ast)
{
    Datum owner = elaborate_expression(e, ast->child[0]);
    if (owner.kind == DATUM_poison) return owner;
    const char *name = name_text(e->names, ast->name);
    if (!owner.members) {
        elaborate_error(e, ast->name_at, "`.%s` of %s that no layer call gave", name,
                        static_kind(&owner));
        elaborate_hint(
            e,
            "only a name bound to a call has members, such as fc1.weight after fc1 = dense(x, 10)");
        return POISON;
    }
    Datum *found = frame_find(owner.members, ast->name);
    if (found && found->kind == DATUM_tensor && found->state) {
        Datum state = *found;
        state.value = e->state.at[found->state - 1].now;
        return state;
    }
    if (found) return *found;

    Suggestion s = {.wanted = name};
    suggest_variables(e, owner.members, &s);
    elaborate_error(e, ast->name_at, "`%s` has no member `%s`",
                    name_text(e->names, owner.members->function->name), name);
    if (s.best) elaborate_hint(e, "did you mean `%s`?", s.best);
    return POISON;
}

static Datum elaborate_range(Elaborator *e, const Ast *ast)
{
    Datum from = elaborate_expression(e, ast->child[0]),
          to = elaborate_expression(e, ast->child[1]);
    if (from.kind == DATUM_poison || to.kind == DATUM_poison) return POISON;
    int64_t a, b;
    if (!static_as_integer(&from, &a) || !static_as_integer(&to, &b)) {
        elaborate_error(
            e, ast->at,
            "a range goes from one whole number to another, and this goes from %s to %s",
            elaborate_describe(e, &from), elaborate_describe(e, &to));
        return POISON;
    }
    if (b > a && b - a > STATIC_MAX_COUNT) {
        elaborate_error(e, ast->at, "the range has more than a million elements");
        return POISON;
    }
    return (Datum){.kind = DATUM_range, .from = a, .to = b > a ? b : a};
}

/* A condition's value; false if it is not static, after reporting. */
bool elaborate_condition(Elaborator *e, const Ast *ast, bool *out)
{
    Datum condition = elaborate_expression(e, ast);
    if (condition.kind == DATUM_poison) return false;
    if (condition.kind == DATUM_bool) {
        *out = condition.number != 0;
        return true;
    }
    elaborate_error(e, ast->at, "a condition must be a bool known at compile time, and this is %s",
                    elaborate_describe(e, &condition));
    if (condition.kind == DATUM_tensor)
        elaborate_hint(e, "choose between tensors element by element: where(condition, a, b)");
    return false;
}

static Datum elaborate_choose(Elaborator *e, const Ast *ast, Placement placement)
{
    bool which;
    if (!elaborate_condition(e, ast->child[1], &which)) return POISON;
    const Ast *chosen = ast->child[which ? 0 : 2];
    return elaborate_bound(e, chosen, placement.name, placement.kind == PLACE_tail);
}

static bool is_and(const Elaborator *e, const Ast *ast)
{
    return name_is(e, ast->name, "and");
}

/* `and` and `or` do not look at the right side when a static left decides. */
static Datum elaborate_operator(Elaborator *e, const Ast *ast)
{
    Datum left = elaborate_expression(e, ast->child[0]);
    bool logic = is_and(e, ast) || name_is(e, ast->name, "or");
    if (logic && left.kind == DATUM_bool && (left.number != 0) != is_and(e, ast)) return left;
    Datum right = elaborate_expression(e, ast->child[1]);
    return elaborate_binary(e, name_text(e->names, ast->name), left, right, ast->at);
}

static Datum elaborate_kind(Elaborator *e, const Ast *ast, Placement placement)
{
    switch ((unsigned)ast->kind) {
    case AST_number:
        return (Datum){.kind = DATUM_number, .number = ast->number, .is_integer = ast->is_integer};
    case AST_string: return (Datum){.kind = DATUM_text, .text = ast->text};
    case AST_name: return elaborate_name(e, ast);
    case AST_list: return elaborate_list(e, ast);
    case AST_call: return elaborate_call(e, ast, placement);
    case AST_member: return elaborate_member(e, ast);
    case AST_index: return elaborate_index(e, ast);
    case AST_range: return elaborate_range(e, ast);
    case AST_unary: {
        Datum value = elaborate_expression(e, ast->child[0]);
        return elaborate_unary(e, name_text(e->names, ast->name), value, ast->at);
    }
    case AST_binary: return elaborate_operator(e, ast);
    case AST_choose: return elaborate_choose(e, ast, placement);
    case AST_scan: return elaborate_scan(e, ast);
    case AST_error: return POISON;
    default: break; /* the other kinds are no expressions; the parser puts none here */
    }
    elaborate_error(e, ast->at, "a value is expected here");
    return POISON;
}

/* Bounds the stack: calls within calls, each with deep expressions. */
#define MAX_NESTING 2500

static Datum elaborate_placed(Elaborator *e, const Ast *ast, Placement placement)
{
    if (e->nesting >= MAX_NESTING) {
        if (!e->exhausted)
            elaborate_error(e, ast->at, "expressions and calls are nested too deeply here");
        e->exhausted = true;
        return POISON;
    }
    e->nesting++;
    Datum result = elaborate_kind(e, ast, placement);
    e->nesting--;
    return result;
}

Datum elaborate_expression(Elaborator *e, const Ast *ast)
{
    elaborate_at(e, ast->at);
    return elaborate_placed(e, ast, (Placement){.kind = PLACE_anywhere});
}

Datum elaborate_bound(Elaborator *e, const Ast *ast, Name name, bool tail)
{
    elaborate_at(e, ast->at);
    Placement placement = {.kind = tail      ? PLACE_tail
                                   : name.id ? PLACE_bound
                                             : PLACE_anywhere,
                           .name = name};
    return elaborate_placed(e, ast, placement);
}

bool elaborate_integers(Elaborator *e, const Datum *datum, Span at, const char *what, int limit,
                        int64_t *out, int *count)
{
    if (datum->kind == DATUM_poison) return false;
    *count = 0;
    if (static_as_integer(datum, &out[0])) {
        *count = 1;
        return true;
    }
    uint32_t n = static_count(datum);
    bool right = (datum->kind == DATUM_list || datum->kind == DATUM_range) && n <= (uint32_t)limit;
    for (uint32_t i = 0; right && i < n; i++) {
        Datum element = static_element(datum, i);
        right = static_as_integer(&element, &out[i]);
    }
    *count = (int)n;
    if (right) return true;

    elaborate_error(e, at, "%s takes a whole number or a list of up to %d, and this is %s", what,
                    limit, elaborate_describe(e, datum));
    return false;
}

/* Elementwise builtins, and the ones that only mark a value. */
#include "frontend/builtins.h"

Datum builtin_math(Elaborator *e, Call *call)
{
    return elaborate_math(e, call->op, call->name, call->argument[0], call->at);
}

Datum builtin_pair(Elaborator *e, Call *call)
{
    Datum a = call->argument[0], b = call->argument[1];
    if (call->op == OP_pow) return elaborate_binary(e, "**", a, b, call->at);
    if (a.kind == DATUM_number && b.kind == DATUM_number) {
        bool first = (a.number > b.number) == (call->op == OP_max);
        return first ? a : b;
    }
    return elaborate_elementwise(e, call->op, call->name, a, b, call->at);
}

static bool want_condition(Elaborator *e, const Call *call)
{
    const Datum *c = &call->argument[0];
    if (c->kind == DATUM_tensor && tensor_type(e, c->value) == TYPE_bool) return true;
    elaborate_error(e, call->argument_at[0],
                    "`where` wants a bool tensor for its condition, and this is %s",
                    elaborate_describe(e, c));
    elaborate_hint(e, "compare to get one: x != 0");
    return false;
}

Datum builtin_where(Elaborator *e, Call *call)
{
    const Datum *c = &call->argument[0];
    if (c->kind == DATUM_bool) return call->argument[c->number != 0 ? 1 : 2];
    if (!want_condition(e, call)) return POISON;

    /* The branches agree in type, then all three in shape: the condition joins as a value of the branches' type. */
    Value branch[2];
    if (!elaborate_unify(e, call->name, 2, &call->argument[1], call->at, branch)) return POISON;
    Value as_branch = tensor_cast(e, c->value, tensor_type(e, branch[0]));
    Datum all[3] = {tensor_datum(as_branch), tensor_datum(branch[0]), tensor_datum(branch[1])};
    Value same[3];
    if (!elaborate_unify(e, call->name, 3, all, call->at, same)) return POISON;
    Value condition = tensor_broadcast(e, c->value, *tensor_shape(e, same[1]));
    return tensor_datum(tensor_select(e, condition, same[1], same[2]));
}

Datum builtin_cast(Elaborator *e, Call *call)
{
    Value x;
    Type type;
    if (!want_type(e, call, 1, &type)) return POISON;
    const Datum *d = &call->argument[0];
    if (d->kind == DATUM_number)
        return tensor_datum(tensor_constant(e, type, (Shape){0}, d->number));
    if (!want_tensor(e, call, 0, &x)) return POISON;
    return tensor_datum(tensor_cast(e, x, type));
}

Datum builtin_stop(Elaborator *e, Call *call)
{
    if (call->argument[0].kind == DATUM_number) return call->argument[0];
    Value x;
    if (!want_tensor(e, call, 0, &x)) return POISON;
    return tensor_datum(tensor_add(e, OP_stop, 1, &x, NULL, NULL));
}

Datum builtin_grad(Elaborator *e, Call *call)
{
    Value y, x;
    if (!want_tensor(e, call, 0, &y) || !want_tensor(e, call, 1, &x)) return POISON;
    if (tensor_shape(e, y)->rank != 0) {
        elaborate_error(e, call->argument_at[0], "`grad` differentiates one number, and this is %s",
                        elaborate_type(e, y));
        elaborate_hint(e, "sum(y) or mean(y) makes one number of it");
        return POISON;
    }
    return tensor_datum(tensor_gradient(e, y, x));
}

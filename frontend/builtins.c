/* The table of builtins, and what they ask of their arguments. */
#include "frontend/builtins.h"

const Builtin builtin_table[] = {
#define BUILTIN(name, op, function, signature, help)                                               \
    {#name, OP_##op, builtin_##function, signature, help},
#include "frontend/builtins.def"
#undef BUILTIN
};
const uint32_t builtin_count = sizeof builtin_table / sizeof *builtin_table;

const Builtin *builtin_named(const char *name)
{
    for (uint32_t i = 0; i < builtin_count; i++)
        if (strcmp(builtin_table[i].name, name) == 0) return &builtin_table[i];
    return NULL;
}

static bool refuse(Elaborator *e, const Call *call, int i, const char *wanted)
{
    elaborate_error(e, call->argument_at[i], "`%s` wants %s here, and this is %s", call->name,
                    wanted, elaborate_describe(e, &call->argument[i]));
    return false;
}

bool want_tensor(Elaborator *e, const Call *call, int i, Value *out)
{
    const Datum *d = &call->argument[i];
    *out = d->value;
    if (d->kind == DATUM_tensor) return true;
    if (d->kind == DATUM_number) {
        *out = tensor_constant(e, TYPE_f32, (Shape){0}, d->number);
        return out->id != 0;
    }
    refuse(e, call, i, "a tensor");
    if (d->kind == DATUM_list)
        elaborate_hint(e, "tensor(list) makes a tensor of a list of numbers");
    return false;
}

bool want_integer(Elaborator *e, const Call *call, int i, int64_t low, int64_t high, int64_t *out)
{
    if (!static_as_integer(&call->argument[i], out)) return refuse(e, call, i, "a whole number");
    if (*out >= low && *out <= high) return true;
    elaborate_error(e, call->argument_at[i],
                    "`%s` wants a number from %lld to %lld here, and this is %lld", call->name,
                    (long long)low, (long long)high, (long long)*out);
    return false;
}

bool want_number(Elaborator *e, const Call *call, int i, double *out)
{
    *out = call->argument[i].number;
    return call->argument[i].kind == DATUM_number || refuse(e, call, i, "a number");
}

bool want_bool(Elaborator *e, const Call *call, int i, bool *out)
{
    *out = call->argument[i].number != 0;
    return call->argument[i].kind == DATUM_bool || refuse(e, call, i, "true or false");
}

bool want_type(Elaborator *e, const Call *call, int i, Type *out)
{
    *out = call->argument[i].type;
    return call->argument[i].kind == DATUM_type || refuse(e, call, i, "a type such as f32");
}

bool want_text(Elaborator *e, const Call *call, int i, const char **out)
{
    *out = call->argument[i].text;
    return call->argument[i].kind == DATUM_text || refuse(e, call, i, "a text");
}

static bool axis_of(Elaborator *e, const Call *call, int i, int64_t axis, Value x, int more,
                    int *out)
{
    int rank = tensor_shape(e, x)->rank + more;
    *out = (int)(axis < 0 ? axis + rank : axis);
    if (axis >= -rank && axis < rank) return true;
    elaborate_error(e, call->argument_at[i], "`%s`: there is no axis %lld in %s", call->name,
                    (long long)axis, elaborate_type(e, x));
    return false;
}

bool want_axis(Elaborator *e, const Call *call, int i, Value x, int more, int *out)
{
    int64_t axis;
    if (!static_as_integer(&call->argument[i], &axis)) return refuse(e, call, i, "an axis");
    return axis_of(e, call, i, axis, x, more, out);
}

bool want_axes(Elaborator *e, const Call *call, int i, Value x, Axes *out)
{
    int rank = tensor_shape(e, x)->rank;
    int64_t axis[MAX_RANK];
    int count;
    *out = (Axes){0};
    bool chosen[MAX_RANK] = {false};
    if (call->argument[i].kind == DATUM_none) {
        for (int k = 0; k < rank; k++)
            chosen[k] = true;
    } else {
        if (!elaborate_integers(e, &call->argument[i], call->argument_at[i], "axis", MAX_RANK, axis,
                                &count))
            return false;
        for (int k = 0; k < count; k++) {
            int at;
            if (!axis_of(e, call, i, axis[k], x, 0, &at)) return false;
            if (chosen[at]) {
                elaborate_error(e, call->argument_at[i], "`%s`: axis %d of %s is named twice",
                                call->name, at, elaborate_type(e, x));
                return false;
            }
            chosen[at] = true;
        }
    }
    for (int k = 0; k < rank; k++)
        if (chosen[k]) out->at[out->count++] = (uint8_t)k;
    return true;
}

bool want_each(Elaborator *e, const Call *call, int i, int count, int64_t low, int64_t *out)
{
    int64_t value[MAX_RANK];
    int given;
    if (!elaborate_integers(e, &call->argument[i], call->argument_at[i], call->name, MAX_RANK,
                            value, &given))
        return false;
    bool list = call->argument[i].kind != DATUM_number;
    if (list && given != count) {
        elaborate_error(e, call->argument_at[i],
                        "`%s` wants a number or a list of %d here, and this has %d", call->name,
                        count, given);
        return false;
    }
    for (int k = 0; k < count; k++) {
        out[k] = value[list ? k : 0];
        if (out[k] >= low && out[k] <= INT32_MAX) continue;
        elaborate_error(e, call->argument_at[i], "`%s` wants at least %lld here, and this is %lld",
                        call->name, (long long)low, (long long)out[k]);
        return false;
    }
    return true;
}

bool want_shape(Elaborator *e, const Call *call, int i, Shape *out)
{
    int64_t extent[MAX_RANK];
    int count;
    if (call->argument[i].kind == DATUM_none) {
        if (e->implied) {
            *out = *e->implied;
            return true;
        }
        elaborate_error(e, call->at, "`%s` needs a shape here", call->name);
        elaborate_hint(e, "only the initial value of a param or state takes its shape from there");
        return false;
    }
    if (!elaborate_integers(e, &call->argument[i], call->argument_at[i], "a shape", MAX_RANK,
                            extent, &count))
        return false;
    for (int k = 0; k < count; k++) {
        if (extent[k] >= 1) continue;
        elaborate_error(e, call->argument_at[i], "a size is at least 1, and this is %lld",
                        (long long)extent[k]);
        return false;
    }
    *out = shape_of(count, extent);
    return true;
}

void builtin_bound(Elaborator *e, Value index, int64_t classes, Span at)
{
    const Node *n = graph_node(e->graph, index);
    while (n->op == OP_reshape || n->op == OP_cast || n->op == OP_broadcast ||
           n->op == OP_transpose || n->op == OP_stop || n->op == OP_slice)
        n = graph_node(e->graph, n->argument[0]);
    if (n->op != OP_input) return;
    for (uint32_t i = 0; i < e->input.count; i++) {
        ModelInput *input = &e->input.at[i];
        if (!name_same(input->name, n->attribute->name) || !type_is_integer(input->type)) continue;
        if (input->bound && input->bound <= classes) continue;
        input->bound = classes;
        input->bound_at = elaborate_span(e, at);
    }
}

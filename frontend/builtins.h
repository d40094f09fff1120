#ifndef MLC_FRONTEND_BUILTINS_H
#define MLC_FRONTEND_BUILTINS_H
/* The functions of builtins.def: C that builds nodes.  Arguments come matched and complete, never poison. */
#include "frontend/elaborate.h"

#define BUILTIN_ARGUMENTS 8

typedef struct Call {
    const char *name;
    Op op;
    Span at;
    Datum argument[BUILTIN_ARGUMENTS];
    Span argument_at[BUILTIN_ARGUMENTS];
} Call;

typedef Datum BuiltinFunction(Elaborator *e, Call *call);

typedef struct Builtin {
    const char *name;
    Op op;
    BuiltinFunction *call;
    const char *signature, *help;
} Builtin;

extern const Builtin builtin_table[];
extern const uint32_t builtin_count;

const Builtin *builtin_named(const char *name); /* NULL if there is none */

#define BUILTIN(name, op, function, signature, help) BuiltinFunction builtin_##function;
#include "frontend/builtins.def"
#undef BUILTIN

/* ---- what arguments must be; false after a report ---- */
bool want_tensor(Elaborator *e, const Call *call, int i, Value *out);
bool want_integer(Elaborator *e, const Call *call, int i, int64_t low, int64_t high, int64_t *out);
bool want_number(Elaborator *e, const Call *call, int i, double *out);
bool want_bool(Elaborator *e, const Call *call, int i, bool *out);
bool want_type(Elaborator *e, const Call *call, int i, Type *out);
bool want_text(Elaborator *e, const Call *call, int i, const char **out);
/* An axis of x, counted from the end if negative; `more` axes behind the last are allowed. */
bool want_axis(Elaborator *e, const Call *call, int i, Value x, int more, int *out);
/* none: all axes of x. */
bool want_axes(Elaborator *e, const Call *call, int i, Value x, Axes *out);
/* A number for all, or a list of one for each of `count`. */
bool want_each(Elaborator *e, const Call *call, int i, int count, int64_t low, int64_t *out);
/* A list of sizes; none: the shape of the parameter being initialized. */
bool want_shape(Elaborator *e, const Call *call, int i, Shape *out);

/* An integer tensor that will index `classes` things: remembers the bound of the input behind it. */
void builtin_bound(Elaborator *e, Value index, int64_t classes, Span at);

#endif

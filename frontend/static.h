#ifndef MLC_FRONTEND_STATIC_H
#define MLC_FRONTEND_STATIC_H
/* What an expression of the language can be while it is elaborated: something known now (static), or a tensor of the
 * graph being built.  Poison stands for an expression whose mistake has been reported; everything made from it is
 * poison too, so that one mistake gives one message. */
#include "frontend/ast.h"
#include "ir/graph/graph.h"

struct Frame;
struct Function;
struct Builtin;

typedef enum DatumKind {
    DATUM_poison,
    DATUM_none,
    DATUM_number,
    DATUM_bool,
    DATUM_text,
    DATUM_type,
    DATUM_list,
    DATUM_range,    /* from..to, to excluded */
    DATUM_function, /* of the language */
    DATUM_builtin,
    DATUM_thunk, /* an `init` argument: evaluated where a parameter is made */
    DATUM_tensor,
} DatumKind;

typedef struct Datum {
    DatumKind kind;
    bool is_integer; /* number */
    bool is_share;   /* tensor: the mean of a bool tensor, a metric that should rise */
    Type type;       /* type */
    double number;   /* number; bool: 0 or 1 */
    const char *text;
    uint32_t count; /* list */
    const struct Datum *element;
    int64_t from, to; /* range */
    const struct Function *function;
    const struct Builtin *builtin;
    const Ast *ast;        /* thunk, */
    struct Frame *frame;   /* to be evaluated here */
    Value value;           /* tensor */
    uint32_t state;        /* tensor that is a param or state: its index + 1 in Elaborator.state */
    struct Frame *members; /* of the call that gave this: wte.weight; else NULL */
} Datum;

/* Elements of a list or range, iterations of a loop. */
#define STATIC_MAX_COUNT 1000000

static const Datum POISON = {.kind = DATUM_poison};

Datum static_none(void);
Datum static_integer(int64_t number);
Datum static_number(double number); /* not an integer, even if whole */
Datum static_bool(bool value);
Datum static_shape(Arena *arena, const Shape *shape); /* a list of integers */

/* Elements of a list or range; element i. */
uint32_t static_count(const Datum *datum);
Datum static_element(const Datum *datum, uint32_t i);
bool static_same(const Datum *a, const Datum *b);
/* An integer that fits int64 exactly. */
bool static_as_integer(const Datum *datum, int64_t *out);

/* "a number", "a list": for messages; names tensors only as "a tensor". */
const char *static_kind(const Datum *datum);
void static_print(Text *out, const Datum *datum); /* as the language would write it */

/* a op b on static values; NULL and the result, or what is wrong, in `arena`. */
const char *static_binary(const char *operation, const Datum *a, const Datum *b, Arena *arena,
                          Datum *result);
const char *static_unary(const char *operation, const Datum *a, Datum *result);

#endif

#ifndef MLC_IR_GRAPH_OP_H
#define MLC_IR_GRAPH_OP_H
/* The op table as C: one enumerator and one OpInfo a row of ops.def, one TypeInfo a row of types.def.
 * To build a table of its own a room includes ops.def with OP, UNARY and BINARY defined; UNARY and BINARY
 * fall back to OP where they are not (each file #undefs what it defined). */
#include <stdbool.h>
#include <stdint.h>

typedef enum Type {
    TYPE_none,
#define TYPE(name, bytes, class) TYPE_##name,
#include "ir/graph/types.def"
#undef TYPE
    TYPE_COUNT
} Type;

typedef enum TypeClass { CLASS_FLOAT = 1, CLASS_SIGNED, CLASS_UNSIGNED, CLASS_LOGIC } TypeClass;

typedef struct TypeInfo {
    const char *name;
    uint8_t bytes;
    TypeClass class;
} TypeInfo;

extern const TypeInfo type_info[TYPE_COUNT];

typedef enum Op {
    OP_none,
#define UNARY(name, ...) OP_##name,
#define BINARY(name, ...) OP_##name,
#define OP(name, ...) OP_##name,
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
    OP_COUNT
} Op;

typedef enum OpClass {
    ELEMENTWISE,
    LEAF,
    STATE,
    RANDOM,
    MOVEMENT,
    REDUCTION,
    CONTRACTION,
    INDEXING,
    GRADIENT,
} OpClass;

typedef enum AttributeKind {
    ATTRIBUTE_none,
#define ATTRIBUTE(kind, type, member) ATTRIBUTE_##kind,
#include "ir/graph/attributes.def"
#undef ATTRIBUTE
    ATTRIBUTE_COUNT
} AttributeKind;

/* Where finite differences are meaningful, for every operand. */
typedef enum Domain { DOMAIN_any, DOMAIN_nonzero, DOMAIN_positive, DOMAIN_apart, DOMAIN_fraction } Domain;
/* Which element types an elementwise op takes, and what it gives. */
typedef enum OpTypes { TYPES_number, TYPES_real, TYPES_logic, TYPES_compare } OpTypes;

#define MANY (-1)

typedef struct OpInfo {
    const char *name;
    bool gradient;
    int arguments; /* or MANY */
    AttributeKind attribute;
    OpClass class;
    bool meaning;  /* declared by UNARY or BINARY: domain, types hold, op_evaluate works */
    Domain domain;
    OpTypes types;
} OpInfo;

extern const OpInfo op_info[OP_COUNT];

Op op_named(const char *name, uint32_t length);     /* OP_none if there is none */
Type type_named(const char *name, uint32_t length); /* TYPE_none if there is none */
/* The meaning of a UNARY or BINARY row in double (y unused for UNARY). */
double op_evaluate(Op op, double x, double y);
bool type_is_float(Type type);
bool type_is_integer(Type type); /* signed or unsigned, not bool */

#endif

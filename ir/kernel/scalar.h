#ifndef MLC_IR_KERNEL_SCALAR_H
#define MLC_IR_KERNEL_SCALAR_H
/* What the rows of scalars.def mean, on single values: for folding constants and for
 * kernel_interpret. */
#include "ir/kernel/kernel.h"

/* Types a row takes and gives, as scalars.def says. */
typedef enum ScalarTypes {
    SCALAR_TYPES_same,
    SCALAR_TYPES_compare,
    SCALAR_TYPES_logic,
    SCALAR_TYPES_special,
} ScalarTypes;

typedef struct ScalarInfo {
    const char *name;
    uint8_t arguments;
    bool is_math;
    ScalarTypes types;
} ScalarInfo;

extern const ScalarInfo scalar_info[SCALAR_COUNT];

ScalarOp scalar_named(const char *name, uint32_t length); /* SCALAR_none if there is none */

/* A value of any type: floats (bf16 and f16 widened) in `real`, integers (extended) and bools (0,
 * 1) in `whole`. */
typedef union Number {
    float real;
    int64_t whole;
} Number;

Number number_of(Type type, double value); /* as a cast from f64 to `type` */
double number_value(Type type, Number number);
Number number_cast(Type from, Type to, Number number);
Number number_load(Type type, const void *buffer, int64_t index);
void number_store(Type type, void *buffer, int64_t index, Number number);

/* The value of a BASIC row; type: of the result, of: of the last argument.  Floats of 16 bits
 * compute in f32 and round at the end. */
Number scalar_evaluate(ScalarOp op, Type type, Type of, const Number argument[3]);

/* NULL if op, type and arguments fit together as scalars.def says, else which rule they break. */
const char *scalar_check(const Kernel *kernel, const ScalarNode *node);

#endif

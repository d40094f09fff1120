#ifndef MLC_IR_GRAPH_SHAPE_RULE_H
#define MLC_IR_GRAPH_SHAPE_RULE_H
/* The shape rules that ops.def names in its last column, and what they share.  A rule reads the question and either
 * fills in the result (NULL) or says what is wrong.  It may assume: as many arguments as the row says, each of a real
 * type and of a possible shape; an attribute if the row has one; and nothing of what the attribute or `given` hold.
 * The result is checked for its size afterwards. */
#include "ir/graph/shape.h"

typedef struct Question {
    Op op;
    uint32_t argument_count;
    const TypedShape *argument;
    const Attribute *attribute;
    const TypedShape *given; /* or NULL */
    Arena *arena;            /* of messages */
    TypedShape *result;      /* zeroed */
} Question;

typedef const char *ShapeRule(const Question *question);

ShapeRule shape_rule_elementwise, shape_rule_select, shape_rule_cast, shape_rule_same,
    shape_rule_given, shape_rule_table, shape_rule_iota, shape_rule_uniform, shape_rule_reduce,
    shape_rule_gradient; /* shape.c */
ShapeRule shape_rule_reshape, shape_rule_transpose, shape_rule_broadcast, shape_rule_slice,
    shape_rule_pad, shape_rule_concat, shape_rule_window, shape_rule_fold; /* shape_movement.c */
ShapeRule shape_rule_dot, shape_rule_conv, shape_rule_gather,
    shape_rule_scatter; /* shape_contraction.c */

/* A message in the question's arena. */
const char *shape_wrong(const Question *question, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What `given` says of the result: its shape must be possible, its type none or `type`. */
const char *shape_take_given(const Question *question, Type type);
/* Whether the axes ascend strictly and lie below rank. */
const char *shape_check_axes(const Question *question, const Axes *axes, int rank);
/* Whether a tensor of that type can hold the number: integers in range, 0 or 1 in bool. */
const char *shape_check_number(const Question *question, Type type, double number);
const char *shape_check_numeric(const Question *question, const TypedShape *operand);
/* The shape as it is quoted in messages: [3, 4]. */
const char *shape_text(const Question *question, const Shape *shape);

#endif

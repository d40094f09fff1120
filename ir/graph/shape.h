#ifndef MLC_IR_GRAPH_SHAPE_H
#define MLC_IR_GRAPH_SHAPE_H
/* Shapes, attributes, and the rule that says which result an op has.  Rules are total: wrong operands are answered
 * with a message (for the frontend to report at the user's line), never with an assertion. */
#include "ir/base/name.h"
#include "ir/base/text.h"
#include "ir/graph/op.h"

#define MAX_RANK 8
#define MAX_WINDOWS 3
/* Elements of one tensor; keeps every byte count and index product inside int64. */
#define MAX_ELEMENTS ((int64_t)1 << 40)

typedef struct Shape {
    uint8_t rank;
    int64_t extent[MAX_RANK]; /* 0 beyond rank, so shapes compare with memcmp */
} Shape;

int64_t shape_elements(const Shape *shape); /* 1 for rank 0 */
bool shape_same(const Shape *a, const Shape *b);
Shape shape_of(int rank, const int64_t *extent);
/* Row-major strides in elements. */
void shape_strides(const Shape *shape, int64_t stride[MAX_RANK]);
void shape_print(Text *out, Type type, const Shape *shape); /* f32[8, 3] */

typedef struct Axes {
    uint8_t count;
    uint8_t at[MAX_RANK];
} Axes;

typedef struct Table {
    uint32_t count;
    const double *at;
} Table;

typedef struct Slice {
    int64_t start[MAX_RANK], stride[MAX_RANK], extent[MAX_RANK]; /* extent: of the result */
} Slice;

typedef struct Pad {
    int64_t low[MAX_RANK], interior[MAX_RANK], high[MAX_RANK];
    double value;
} Pad;

typedef struct Windows {
    uint8_t count;
    struct {
        uint8_t axis;
        int64_t size, stride, dilation; /* all >= 1 */
    } at[MAX_WINDOWS]; /* axes ascending; tap axes are appended in this order */
} Windows;

/* The letters of a contraction.  a, b, y name each axis of the two operands and the result by a letter 'a'..'z'.
 * A letter in a and b and y is a batch; in a and b only, contracted; in a and y or b and y, free.  A letter in only
 * one of the operands and not in y (and in no window) is not allowed; nor is a letter twice in one list.
 *
 * Windows (conv only) tie three letters, each in exactly one of a, b, y and one in each:
 *     input_scale * input = output_scale * output + tap_scale * tap + offset
 * Element triples that satisfy it are multiplied and added; letters that fall outside their extents contribute
 * nothing (padding is a negative offset).  For an ordinary convolution of stride s, dilation d, low padding p:
 * h = s*y + d*k - p.  Differentiating only exchanges the roles of the lists: the windows stay as they are. */
typedef struct Indices {
    char a[MAX_RANK + 1], b[MAX_RANK + 1], y[MAX_RANK + 1]; /* NUL-terminated, zero beyond */
    uint8_t windows;
    struct {
        char input, output, tap;
        int64_t input_scale, output_scale, tap_scale, offset; /* input_scale, output_scale >= 1, tap_scale != 0 */
    } window[MAX_WINDOWS];
} Indices;

typedef union Attribute {
    double number;
    Table table;
    Name name;
    Axes axes;
    int axis;
    Indices indices;
    Slice slice;
    Pad pad;
    Windows windows;
} Attribute;

typedef struct TypedShape {
    Type type;
    Shape shape;
} TypedShape;

/* The result of op on arguments with an attribute.  `given` holds the type and shape that the builder states, for ops
 * whose rule needs it (given, table, iota, cast (type), reshape, broadcast, uniform, fold, conv, scatter); slice,
 * pad, window and the rest are inferred.  dot and conv: operands of one type; f32 from floats of up to 32 bits, i32
 * from 8-bit integers, else the operands' type.  Where the operands decide the type, given->type is TYPE_none or equal.
 * Constants must be values of their type (whole and in range for integers, 0 or 1 for bool).  Returns NULL and the
 * result, or a message in `arena` such as "inner sizes 5408 and 5400 differ" (no op name, no span). */
const char *shape_infer(Op op, uint32_t argument_count, const TypedShape *arguments, const Attribute *attribute,
                        const TypedShape *given, Arena *arena, TypedShape *result);

/* Extent of `letter` in the operands of a contraction; -1 if it is in none. */
/* A letter that the indices do not use. */
char indices_free_letter(const Indices *indices);
/* Makes room at a place in one of the lists, which is not full, and puts the letter there. */
void indices_insert(char letters[MAX_RANK + 1], int at, char letter);
int64_t indices_extent(const Indices *indices, char letter, const Shape *a, const Shape *b, const Shape *y);

#endif

#ifndef MLC_PASSES_LOWER_RULES_H
#define MLC_PASSES_LOWER_RULES_H
/* What the files of the lowering share, and nobody else: the kernel under construction, indices, and the rules.
 *
 * An attempt at a kernel ends in one of the outcomes below.  A rule that cannot go on says what it wants (lower_want_*) and
 * returns any scalar; the attempt is thrown away and made again with the wish granted.  Wishes are few: most
 * kernels are made at the first attempt. */
#include "passes/lower.h"

/* One coordinate for each axis of a value; `extent` and `guarded` of the coordinates are unused and zero. */
typedef struct Index {
    uint32_t rank;
    Coordinate at[MAX_RANK];
} Index;

/* A dimension of the iteration: one axis, or several when a refinement splits it.  Parallel and sequential dimensions are
 * told apart by number; reduction dimensions of one extent are numbered so that reduces share them where they can. */
typedef struct Dimension {
    AxisKind kind;
    int64_t extent;
    uint32_t number;
} Dimension;

typedef struct OpenDimension {
    Dimension dimension;
    Affine affine;
    uint32_t axes; /* bit set */
} OpenDimension;

typedef struct Refinement {
    Dimension dimension;
    uint32_t count;
    int64_t factor[MAX_AXES]; /* outermost first */
} Refinement;

typedef enum Outcome { LOWER_done, LOWER_refine, LOWER_store, LOWER_separate } Outcome;

typedef struct Memo {
    uint32_t value, index;
    Scalar scalar;
} Memo;

typedef struct Lower {
    const Graph *graph;
    Fusion *fusion;
    Arena *arena; /* of this attempt */
    Arena *kept;  /* of the group: refinements */
    uint32_t group;
    Kernel *kernel;
    LIST(Value) buffer;
    LIST(Index) index; /* interned; [0] unused */
    uint32_t *index_table, index_room;
    LIST(Memo) memo;
    uint32_t *memo_table, memo_room;
    LIST(OpenDimension) dimension;
    LIST(Refinement) refinement;
    uint32_t root; /* the index at which the group stores */
    Outcome outcome;
    Value wanted; /* LOWER_store */
    bool reduces;
    uint32_t rows; /* axes that every reduce depends on, once there is one */
    int64_t flops;
    Value main;
} Lower;

/* lower.c */
Scalar value_at(Lower *l, Value x, uint32_t at);
/* value_at, but 0 where a coordinate is outside x. */
Scalar value_or_zero(Lower *l, Value x, uint32_t at);
void lower_want_store(Lower *l, Value x);
/* Whether y may be a reduce over `more` new axes at an index that depends on the axes `used`; false: wishes were made. */
bool lower_can_reduce(Lower *l, Value y, uint32_t used, uint32_t more);

/* lower_index.c */
uint32_t index_intern(Lower *l, const Index *index);
/* The coordinates along a new or already open dimension. */
Coordinate index_dimension(Lower *l, Dimension dimension);
/* A reduction dimension that `used` (bit set of axes) does not depend on; its axes are added to `axes`. */
Coordinate index_reduction(Lower *l, int64_t extent, uint32_t used, uint32_t *axes);
/* One parallel dimension an axis of the shape. */
uint32_t index_of_shape(Lower *l, const Shape *shape);
uint32_t index_axes(const Lower *l, const Index *index); /* bit set of axes it depends on */
Coordinate coordinate_constant(int64_t constant);
bool coordinate_is_plain(const Coordinate *at);
/* scale * at + offset */
Coordinate coordinate_move(Lower *l, const Coordinate *at, int64_t scale, int64_t offset);
Coordinate coordinate_divide(const Coordinate *at, int64_t divisor);
Scalar coordinate_scalar(Lower *l, const Coordinate *at); /* i32 */
/* The index into `to` of the element at `index` of `from`, as many elements; false: wishes were made. */
bool index_reshape(Lower *l, Value reshape, uint32_t at, uint32_t *result);

/* lower_rules.c */
Scalar lower_rule(Lower *l, Value y, uint32_t at);
/* lower_contraction.c */
Scalar lower_dot(Lower *l, Value y, uint32_t at);
Scalar lower_conv(Lower *l, Value y, uint32_t at);
Scalar lower_fold(Lower *l, Value y, uint32_t at);

static inline Scalar lower_number(Lower *l, Type type, double number)
{
    return kernel_constant(l->kernel, type, number);
}

#endif

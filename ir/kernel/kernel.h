#ifndef MLC_IR_KERNEL_KERNEL_H
#define MLC_IR_KERNEL_KERNEL_H
/* A kernel: what one launch computes, and nothing about how.  It has axes (the index space), a DAG of scalars, and stores.
 *
 *     kernel {
 *       axis i 64
 *       axis j 10
 *       axis k 10 reduction
 *       buffer b0 f32[640]
 *       buffer b1 f32[64] out
 *       %1 = load b0 [10*i + k : 640] : f32
 *       %2 = mul %1, %1 : f32
 *       %3 = reduce add k %2 : f32
 *       store b1 [i : 64] = %3
 *     }
 *
 * The letters of axes are i, j, k, ... in the order of their ids.  An access lists its coordinates, each `affine : extent`,
 * with ` * stride` unless that is 1; `+ %3` is a dynamic part, `/2` a divisor, `?` a guard; `b0 + 128 [...]` an offset.  A store
 * that accumulates is written `+=`.  print.c holds the whole of it.
 *
 * Meaning: for every point of the PARALLEL axes, the values of all stores are evaluated, then all are stored.  A scalar depends on the axes
 * that occur in its accesses and indices.  `reduce` closes over its reduction axes: its value is op over all their points
 * of its body, and it depends on the body's other axes.  The points of the parallel axes are independent of each other,
 * except along SEQUENTIAL axes, which run in ascending order (scatter: stores may collide along them, never along
 * parallel axes).
 *
 * Rules that backends rely on, checked by kernel_verify:
 *   - every extent >= 1; every parallel axis occurs in every store, so each element is stored once;
 *   - a store and its value depend on no reduction axis outside a reduce; a reduce's body contains no reduce that depends on the same
 *     reduction axes (an earlier reduce of the row, independent of them, is fine);
 *   - the parallel axes that any reduce depends on are the kernel's row axes: reduces are evaluated once a row, then the
 *     stores loop over the remaining parallel axes;
 *   - a buffer that is stored to is loaded only at exactly the stored element (in-place), or not at all; distinct buffers never
 *     overlap, except where the caller binds one range to an output and an input that is read at exactly the stored element;
 *   - unguarded coordinates stay inside their extents for all axis values.
 *
 * Reduction trees are part of the meaning, so that every schedule gives the same bits: see reduce below. */
#include "ir/base/context.h"
#include "ir/base/list.h"
#include "ir/graph/op.h"
#include "ir/graph/shape.h"

#define MAX_AXES 16

typedef struct Axis {
    uint32_t id; /* 1-based: kernel->axis.at[id - 1]; 0: none */
} Axis;
typedef struct Scalar {
    uint32_t id; /* kernel->scalar.at[id]; 0: none */
} Scalar;

typedef enum AxisKind { AXIS_parallel, AXIS_sequential, AXIS_reduction } AxisKind;

typedef struct AxisInfo {
    int64_t extent;
    AxisKind kind;
} AxisInfo;

/* constant + sum of by[a] * axis a (by[0] is axis 1). */
typedef struct Affine {
    int64_t constant;
    int64_t by[MAX_AXES];
} Affine;

/* One index of an access: (affine + dynamic) / divisor.  Guarded: where it is not divisible or falls outside [0, extent), the
 * access does not happen: a load gives 0 (false), a store is dropped.  Coordinates with a dynamic part or a divisor are
 * always guarded.  The builders see to that, drop the guards that always hold, and take divisor 0 as 1. */
typedef struct Coordinate {
    Affine affine;
    Scalar dynamic;  /* i32 or {0} */
    int64_t divisor; /* >= 1 */
    int64_t extent;
    bool guarded;
} Coordinate;

/* buffer[offset + sum of stride[d] * coordinate[d]], in elements. */
typedef struct Access {
    uint32_t buffer; /* index into kernel->buffer */
    uint8_t rank;
    int64_t offset;
    int64_t stride[MAX_RANK];
    Coordinate at[MAX_RANK];
} Access;

typedef enum ScalarOp {
    SCALAR_none,
    SCALAR_constant, /* number */
    SCALAR_index,    /* the value of an affine expression: access.at[0].affine, as i32 */
    SCALAR_inside,   /* bool: all guarded coordinates of access (no buffer) hold; argument none */
    SCALAR_load,     /* access */
    SCALAR_reduce,   /* argument[0] over `axes` with reduce_op, see below */
#define SCALAR(name, ...) SCALAR_##name,
#include "ir/kernel/scalars.def"
#undef SCALAR
    SCALAR_COUNT
} ScalarOp;

/* A reduce sums (add) or takes the largest (max) or smallest (min; for argument searches) of its body.
 *
 * Tree of a contraction (reduce_op add whose body is a product recognized by contraction.h): sequential over the
 * reduction axes in the order of the axis list (first outermost), one accumulator, acc = fma(a, b, acc) for floats of
 * f32, from 0.  (bf16 and f16 operands are widened to f32; i8/u8 to i32, whose sums wrap and are the same in any order.)
 * Tree of tiles: a machine that has instructions for it (AMX) sums a contraction whose factors are bf16, widened, and which has an
 * m or n axis of extent above 1, in another order, which depends on the kernel alone.  kernel_merge_axes first; the reduction axes in the
 * order of the axis list, but innermost the one that contraction_pairs names, to which a point with factors of 0 is added if
 * its extent is odd.  Of 32 neighbours in this order (the last block filled up with zeros) the products at even points
 * and those at odd points are summed as above, each from 0; the sum of these two sums, rounded, is added to the accumulator.
 * All of it in f32, rounded to nearest even, denormal numbers taken and given as 0.  A sum of n products is thus off by at most
 * (n / 32 + 18) * 2^-24 of the sum of their magnitudes, where one after the other is off by up to n * 2^-24 of it.
 * Tree of minimal filtering: a backend may sum a contraction that winograd_of recognizes as winograd.h says.
 * Tree of every other add: let n be the extent of the innermost reduction axis (the last in the axis list).  REDUCE_LANES partial sums,
 * lane l takes the elements of that axis with index = l mod REDUCE_LANES, going sequentially over all outer reduction axes
 * and then ascending, from 0; then lanes are added as a tree: l and l + 8, l and l + 4, l and l + 2, l and l + 1.
 * Long sums are split before they become kernels (pass `split`), so that a tree is never deep.
 * max and min are exact, any order (NaN wins).
 * A sum of bf16 or f16 is accumulated in f32 and rounded to its type once, at the end; integer sums wrap. */
#define REDUCE_LANES 16
typedef enum ReduceOp { REDUCE_add, REDUCE_max, REDUCE_min } ReduceOp;

#define SCALAR_ARGUMENTS 4 /* at most */

typedef struct ScalarNode {
    ScalarOp op;
    Type type;
    Scalar argument[SCALAR_ARGUMENTS];
    double number;   /* constant */
    ReduceOp reduce;
    uint32_t axes;   /* reduce: bit (id - 1) of each reduction axis it closes over */
    const Access *access; /* load, index, inside */
    uint32_t depends; /* bit set of axes (without those it closes over); kept by kernel_* builders */
} ScalarNode;

typedef struct BufferInfo {
    Type type;
    int64_t elements;
    bool written;
} BufferInfo;

typedef struct Store {
    Access at;
    Scalar value;
    bool accumulate; /* adds to what is there (scatter); the buffer was filled before */
} Store;

typedef struct Kernel {
    Arena *arena;
    LIST(AxisInfo) axis;
    LIST(BufferInfo) buffer;
    LIST(ScalarNode) scalar; /* [0] unused; arguments precede users; equal scalars are shared */
    LIST(Store) store;
    LIST(Span) span; /* of the region it came from, the root first; not part of equality */
    uint32_t *shared, shared_room; /* kernel.c's: open hash table of scalar ids */
} Kernel;

Kernel *kernel_new(Arena *arena);
Axis kernel_axis(Kernel *kernel, AxisKind kind, int64_t extent);
uint32_t kernel_buffer(Kernel *kernel, Type type, int64_t elements, bool written);
Scalar kernel_constant(Kernel *kernel, Type type, double number);
Scalar kernel_index(Kernel *kernel, Affine affine);
Scalar kernel_inside(Kernel *kernel, uint32_t count, const Coordinate *at); /* constant true if nothing is guarded */
Scalar kernel_load(Kernel *kernel, const Access *access);
Scalar kernel_apply(Kernel *kernel, ScalarOp op, Type type, const Scalar *arguments); /* folds constants and identities x+0i, select(true,..) */
Scalar kernel_reduce(Kernel *kernel, ReduceOp op, uint32_t axes, Scalar body); /* body itself if axes is 0 */
void kernel_store(Kernel *kernel, const Access *access, Scalar value, bool accumulate);

Affine affine_constant(int64_t constant);
Affine affine_axis(Axis axis);
Affine affine_add(Affine a, Affine b);
Affine affine_scale(Affine a, int64_t factor);
bool affine_same(const Affine *a, const Affine *b);
/* Least and greatest value over all points of the kernel's axes. */
void affine_range(const Kernel *kernel, const Affine *affine, int64_t *least, int64_t *greatest);
uint32_t affine_axes(const Affine *affine); /* bit set of axes it depends on */
uint32_t access_axes(const Kernel *kernel, const Access *access); /* the same, dynamic parts included */
/* What an access touches at most: as many elements as the axes it depends on have points. */
int64_t access_bytes(const Kernel *kernel, const Access *access);
bool access_same(const Access *a, const Access *b);
/* Whether both name the same element at every point, the buffers apart; sure where true. For in-place reuse. */
bool access_same_element(const Access *a, const Access *b);

void kernel_print(Text *out, const Kernel *kernel);
/* The kernel that kernel_print wrote; NULL and errors in the report otherwise. */
Kernel *kernel_parse(Context *context, Arena *arena, uint32_t source);
/* NULL if all rules above hold, else the text annotated with what does not. */
const char *kernel_verify(const Kernel *kernel, Arena *arena);
/* Equal kernels (spans aside) have equal hashes and compare equal: compiled once. */
uint64_t kernel_hash(const Kernel *kernel);
bool kernel_same(const Kernel *a, const Kernel *b);
/* Bytes of the only buffer, if all that the kernel does is to set them to 0; else 0. */
int64_t kernel_clears(const Kernel *kernel);
/* The oracle of schedules: evaluates the kernel one point at a time, with exactly the reduction trees above and f32
 * arithmetic; MATH scalars must have been expanded.  buffer[i] has the layout of BufferInfo i. Slow. */
void kernel_interpret(const Kernel *kernel, void *const *buffer);

#endif

#ifndef MLC_BACKENDS_CPU_EMIT_H
#define MLC_BACKENDS_CPU_EMIT_H
/* Emission of one kernel as LLVM IR.
 *
 * The kernel's function is a nest of loops; each open loop is a level, level 0 is the function itself.  A scalar is
 * emitted at the deepest level on whose axes it depends and remembered until that level closes, so everything
 * invariant stands outside its loops by construction.  One axis at a time may be the vector axis: values that
 * depend on it are vectors of `width` lanes, all others stay scalars and are spread over lanes where they meet. */
#include "backends/cpu/target.h"
#include "ir/base/boundary.h"
#include "ir/kernel/contraction.h"
#include "ir/kernel/kernel.h"
#include "ir/kernel/schedule.h"
#include <llvm-c/Core.h>

#define MAX_LEVELS  24
#define MAX_CARRIED 64

/* What an axis is worth at the moment: value + base + plus (+ the lane's number on the vector axis). */
typedef struct Binding {
    LLVMValueRef value; /* i64; NULL: 0 */
    int64_t base, plus; /* base: what it was bound to, if that is a constant */
    uint32_t level;     /* of value */
    bool bound;
} Binding;

typedef struct Level {
    LLVMBasicBlockRef block; /* where the level's code ends at the moment */
    LLVMValueRef
        end; /* the branch into the loop inside this level: what the level still gets stands before it */
} Level;

typedef struct Kept {
    LLVMValueRef scalar, vector;
    uint32_t level; /* where it was emitted */
    bool pinned;    /* result of a reduce: stays until its level closes, whatever moves */
} Kept;

/* Where the copy of a load is read, and the level at which it was made: nothing may read it further out. */
typedef struct Moved {
    const Access *access; /* NULL: there is none */
    uint32_t level;
} Moved;

typedef struct Emit {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMValueRef function, begin, end, scratch;
    const CpuTarget *target;
    const Kernel *kernel;
    const Schedule *schedule;
    Arena *arena;
    LLVMValueRef *buffer; /* pointer of each buffer, then of each copy */
    Moved *moved;         /* by scalar id */
    const Access **moved_store; /* by number of the store: where it goes first; NULL: to its place */
    Kept *kept;           /* by scalar id */
    Binding axis[MAX_AXES];
    Level level[MAX_LEVELS];
    uint32_t depth;
    Axis vector; /* {0}: none */
    Axis
        minor; /* lane l is at point l / minor_extent of `vector`, l % minor_extent of this; {0}: none */
    uint32_t minor_extent; /* 1 without a minor axis */
    uint32_t width;        /* lanes; 1 without a vector axis */
    LLVMValueRef mask;     /* of lanes inside the vector axis; NULL: all */
    LLVMValueRef
        left; /* i32: how many points of the vector axis the mask lets through; NULL: not known */
    uint32_t mask_level;
} Emit;

/* A value: one for all lanes, or one a lane. */
typedef struct Lanes {
    LLVMValueRef value;
    bool is_vector;
} Lanes;

typedef struct Loop {
    LLVMBasicBlockRef body, exit;
    LLVMValueRef index, to, step; /* index: i64 */
    uint32_t carried;
    LLVMValueRef phi[MAX_CARRIED];
    bool is_trivial; /* runs once: no blocks */
} Loop;

/* emit.c: levels, loops, axes */
LLVMValueRef emit_i64(const Emit *e, int64_t value);
LLVMValueRef emit_i32(const Emit *e, int64_t value);
void emit_at(Emit *e, uint32_t level); /* positions the builder at the end of the level */
void emit_here(Emit *e, LLVMBasicBlockRef block); /* the current level goes on in this block */
/* Opens `for (index = from; index < to; index += step)`, which runs at least once; values[carried] go in as first values and
 * come out as those inside. */
void loop_open(Emit *e, Loop *loop, LLVMValueRef from, LLVMValueRef to, int64_t step,
               uint32_t carried, LLVMValueRef *values);
/* The same, but it may run not at all; nothing is carried. */
void loop_open_checked(Emit *e, Loop *loop, LLVMValueRef from, LLVMValueRef to, int64_t step);
/* What runs once if the condition (i1) holds, as a loop. */
void loop_open_if(Emit *e, Loop *loop, LLVMValueRef condition);
void loop_close(Emit *e, Loop *loop, LLVMValueRef *values);
void axis_bind(Emit *e, Axis axis, LLVMValueRef value, uint32_t level);
void axis_plus(Emit *e, Axis axis, int64_t plus);
void axis_release(Emit *e, Axis axis);
bool is_known(LLVMValueRef value, int64_t *number); /* a constant */
LLVMValueRef emit_smaller(Emit *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef emit_larger(Emit *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef lanes_below(Emit *e, LLVMValueRef index, LLVMValueRef to,
                         uint32_t width); /* index + lane < to */
/* Lanes at points from + 0, 1, ... below `left` (i32). */
LLVMValueRef lanes_left(Emit *e, LLVMValueRef left, int64_t from);
LLVMValueRef step_pointer(Emit *e, LLVMTypeRef type, LLVMValueRef pointer, LLVMValueRef by);
/* Lanes of the axis from now on; forgets what depends on the old and the new one. */
void vector_set(Emit *e, Axis axis, uint32_t width, LLVMValueRef mask, uint32_t mask_level);
void forget(Emit *e, uint32_t axes);
LLVMValueRef spread(Emit *e, LLVMValueRef scalar, uint32_t width); /* at the builder's place */
LLVMValueRef lane_numbers(const Emit *e, uint32_t width, uint32_t bits, int64_t scale);
/* How far the affine is from lane 0 to each lane. */
LLVMValueRef lane_offsets(const Emit *e, const Affine *affine, uint32_t bits);
bool is_varying(const Emit *e,
                uint32_t axes); /* whether any of them is the vector or the minor axis */
LLVMValueRef emit_slots(Emit *e, LLVMTypeRef type, uint32_t count); /* on the stack */
LLVMValueRef emit_intrinsic(Emit *e, const char *name, uint32_t types, LLVMTypeRef *type,
                            uint32_t count, LLVMValueRef *argument);

/* The loop over one axis in vectors of `width` lanes: body is called once for all full vectors, and once more under a mask for
 * what is left. */
typedef struct VectorLoop VectorLoop;
typedef void VectorBody(Emit *e, VectorLoop *loop);
struct VectorLoop {
    Axis axis, minor; /* minor: {0}, or a small axis that lanes run over first */
    LLVMValueRef from, to;
    int64_t extent; /* of axis */
    uint32_t width;
    uint32_t carried;
    LLVMValueRef *values; /* carried ones */
    VectorBody *body;
    void *user;
    bool may_be_empty; /* vector_loop's own: a part of it may run not at all */
};
void vector_loop(Emit *e, VectorLoop *loop);
/* Lanes from[l] of the two vectors side by side; b: NULL if there is one. */
LLVMValueRef shuffle(Emit *e, LLVMValueRef a, LLVMValueRef b, const uint32_t *from, uint32_t width);

/* evaluate.c: scalars of the kernel */
/* Where a load reads, which may be a copy. */
const Access *access_of(const Emit *e, uint32_t id);
Lanes evaluate(Emit *e, Scalar scalar);
LLVMValueRef evaluate_vector(Emit *e,
                             Scalar scalar);     /* spread if it must be; scalar if width is 1 */
uint32_t level_of(const Emit *e, uint32_t axes); /* the deepest level of these axes */
uint32_t level_of_access(
    Emit *e, const Access *access); /* ... of its axes, dynamic parts and the mask of lanes */
void keep(Emit *e, Scalar scalar, Lanes value); /* what a reduce came to, at the current level */

/* access.c: memory.  level: where the result stands. */
Lanes load_access(Emit *e, const Access *access, Type type, uint32_t level);
/* A line into the cache of that level: the one at an address, or of what lane 0 loads, and `plus` elements on. */
void prefetch_line(Emit *e, LLVMValueRef at, uint32_t cache);
void prefetch_access(Emit *e, const Access *access, Type type, int64_t plus, uint32_t cache);
Lanes inside_access(Emit *e, const Access *access, uint32_t level);
Lanes index_affine(Emit *e, const Affine *affine, uint32_t level);
/* At the current level; `value` has e->width lanes. */
void store_access(Emit *e, const Access *access, Type type, LLVMValueRef value, bool accumulate);
/* Vectors of elements that take turns in memory: element l of part k is count * l + k from the access on. */
void store_woven(Emit *e, const Access *access, Type type, LLVMValueRef *value, uint32_t count);
/* Sum of the affine at its axes' values in lane 0, without the constant part (returned in *constant); NULL: zero. */
LLVMValueRef affine_value(Emit *e, const Affine *affine, int64_t *constant);

/* uniform.c: bits_uniform of the node's arguments */
Lanes emit_uniform(Emit *e, const ScalarNode *node, uint32_t level);

/* scalars.c: one function a class of rows */
LLVMTypeRef type_of(const Emit *e, Type type,
                    uint32_t width); /* in registers: floats as float, bool as i1 */
LLVMTypeRef memory_type(const Emit *e, Type type, uint32_t width);
LLVMValueRef from_memory(Emit *e, Type type, LLVMValueRef value, uint32_t width);
LLVMValueRef to_memory(Emit *e, Type type, LLVMValueRef value, uint32_t width);
/* An f32 as a value of a float type; other types as they are. */
LLVMValueRef round_real(Emit *e, Type type, LLVMValueRef value, uint32_t width);
LLVMValueRef whole_of(const Emit *e, uint32_t bits, int64_t number, uint32_t width);
LLVMValueRef constant_of(const Emit *e, Type type, double number);
LLVMValueRef apply_scalar(Emit *e, const ScalarNode *node, Type of, LLVMValueRef *argument,
                          uint32_t width);
LLVMValueRef apply_binary(Emit *e, ScalarOp op, Type type, LLVMValueRef x, LLVMValueRef y,
                          uint32_t width);
LLVMValueRef apply_fma(Emit *e, Type type, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z,
                       uint32_t width);

/* narrow.c: f32 to u8 or i8 as the op `cast`, on x86. */
LLVMValueRef real_to_byte(Emit *e, Type type, LLVMValueRef x, uint32_t width);

/* packing.c: rows of `width` lanes, as many as lanes: exchanges the numbers of row and lane.  width: a power of two. */
void transpose_lanes(Emit *e, LLVMValueRef *row, uint32_t width);

/* transposed.c: loops over a block of two axes, whose transposed loads and stores are in scratch while `inside` runs with `vector` as
 * the vector axis. */
typedef struct Transposed {
    Axis vector, across;
    LLVMValueRef from, to;               /* of vector */
    LLVMValueRef across_from, across_to; /* of across */
    void (*inside)(Emit *e, void *user);
    void *user;
} Transposed;
void emit_transposed(Emit *e, const Transposed *t);

/* loops.c: kernels that are no contraction.  nest.c: contractions; winograd.c: those by minimal filtering. */
void tasks_open(Emit *e, Loop *loop, LLVMValueRef *from, LLVMValueRef *to);
void emit_rows(Emit *e);
void emit_contraction(Emit *e);
void emit_winograd(Emit *e);
void store_all(Emit *e);

/* The kernel's function, named `name`, in a new module. */
LLVMModuleRef emit_kernel(LLVMContextRef context, const CpuTarget *target, const Kernel *kernel,
                          const Schedule *schedule, const char *name, Arena *arena);

#endif

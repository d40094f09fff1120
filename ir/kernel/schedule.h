#ifndef MLC_IR_KERNEL_SCHEDULE_H
#define MLC_IR_KERNEL_SCHEDULE_H
/* How a kernel is run, beside the kernel and never in it: every schedule of a kernel computes the same bits. */
#include "ir/kernel/contraction.h"
#include "ir/kernel/kernel.h"
#include "ir/kernel/winograd.h"

/* Elements between lanes that are worth loads of all between them. */
#define MOST_APART 4

/* Operations on an element from which two vectors at a time pay, where registers are so few that constants are loaded again and again:
 * the long chain of one leaves units idle, and both share those loads. */
#define MANY_OPERATIONS 24
#define FEW_REGISTERS   16

/* The machine, as far as schedules care. */
typedef struct ScheduleTarget {
    uint32_t lanes;     /* f32 lanes of a vector register */
    uint32_t registers; /* vector registers */
    uint32_t threads;
    int64_t l1, l2; /* bytes of the caches of one core */
    Products products; /* of bf16 */
    uint32_t integer_steps; /* instructions that multiply two pairs of i16 and add the products to a sum of i32; 0: there are none */
    bool has_fma;           /* which the tree of minimal filtering is made of */
} ScheduleTarget;

/* A kernel cut along one of its parallel axes: task t of `count` takes points [t, t + 1) * extent / count of it and all of every
 * other axis. */
typedef struct Slices {
    Axis axis;
    int64_t count; /* divides the axis' extent */
} Slices;

/* Numbers from choice.def, which says what they mean. */
typedef struct ScheduleChoice {
#define CHOICE(name) uint32_t name;
#include "ir/kernel/choice.def"
#undef CHOICE
} ScheduleChoice;

/* Points of k of which loops that end early, or begin late, take multiples. */
#define RANGE_STEP 8

#define CHOICE_MOST 24 /* schedules that are worth measuring, at most */

/* One factor of the task space: blocks of an axis. */
typedef struct TaskAxis {
    Axis axis;
    int64_t block; /* points of the axis a task takes */
} TaskAxis;

/* A guarded load of a contraction read from a copy without guards: what it can reach at fixed points of the outer loops is a box,
 * which is copied once, zeros and all.  Box: `own` axes, each a dimension, then the guarded coordinates, then `inner`. */
typedef struct BoxCopy {
    Scalar load;
    const Access *from; /* the load's; or the same elements, if it has no guards: loops around the copy, and a guarded coordinate that
                         * always holds */
    uint32_t loops; /* the copy is made inside the first so many of `order` */
    uint32_t free;  /* axes that move inside the box */
    uint32_t own;   /* of those, the ones outside of guarded coordinates, less inner */
    Axis inner;     /* along which memory is contiguous; {0}: along the last guarded coordinate */
    int64_t size[MAX_RANK];  /* of each guarded coordinate, by its place in the access */
    int64_t least[MAX_RANK]; /* what the free axes add to it at least */
    int64_t elements;
    int64_t offset; /* bytes into scratch */
    Access access;  /* of the copy */
} BoxCopy;

/* Factor a in scratch: not at all, with k innermost, or with the first tile axis innermost; or read along an axis of the tile, with k
 * innermost in scratch (pairs); or the rows of each tile innermost, then k: [tile][k][row]. */
typedef enum PackA {
    PACK_A_none,
    PACK_A_along_k,
    PACK_A_along_rows,
    PACK_A_transposed,
    PACK_A_tiles
} PackA;

typedef struct Schedule {
    bool contraction;
    Contraction of;
    int64_t tasks; /* product of the blocks of `task` */
    bool sliced;   /* as it was asked for */
    uint32_t task_count;
    TaskAxis task[MAX_AXES]; /* the last varies fastest */
    uint32_t order_count;
    Axis order
        [MAX_AXES]; /* loops outermost first: parallel and sequential axes (rows: the row axes); contraction: the outer axes */
    Axis
        vector; /* {0}: each reduce along its innermost reduction axis, stores along `store_vector` */
    Axis
        across; /* rows: an axis along which loads or stores lie that do not lie along `vector`: they are transposed, a block of
                 * both axes at a time; the last of `order` but for `vector`; {0}: none */
    Axis minor; /* rows: a small axis that lanes run over before `vector`; {0}: none */
    uint32_t store_count;
    Axis store_order[MAX_AXES]; /* rows: loops over the parallel axes that no reduce depends on */
    Axis store_vector;          /* {0}: `vector` goes on, if there is one */
    Axis
        woven; /* rows: the last of `store_order`, whose points lie next to each other and those of `vector` after them, so
                 * that a store takes the vectors of all of them; {0}: none */
    uint32_t width;
    int64_t
        columns; /* rows: points of `vector` whose reduces go on side by side, their sums in scratch; 0: those of a vector */

    /* Contraction: a tile is `rows` points of the m axes by `vectors` vectors along `vector`. */
    uint32_t tile_count;
    TaskAxis tile
        [MAX_AXES]; /* m axes with their share of the rows, outermost first; all but the first are whole */
    uint32_t rows, vectors;
    uint32_t
        packed_loops; /* how many of `order`, the first, b depends on: it is packed inside them */
    uint32_t
        panels; /* vector columns packed at a time: panels * vectors * width points of `vector` */
    bool rows_first; /* those loops go around the panels of each block of rows, which read b in place */
    bool pack,
        pack_transposed; /* b goes to scratch; read along the innermost k axis and transposed (so it is too if a single row of bytes
                          * reads it in place) */
    bool b_is_packed; /* ... where an earlier run of the kernel has left it */
    PackA pack_a;
    bool a_transposed; /* PACK_A_tiles: read along the innermost k axis and transposed */
    int64_t
        a_rows; /* points of the first tile axis that are packed, or stay in the cache, at a time */
    bool
        finish_looped; /* what follows the sum is much: a loop over the rows of a tile, not code for each */
    bool finish_by_rows; /* ... and runs row by row, when all tiles of a block of rows are done */
    bool finish_paired; /* two vectors side by side at a time */
    uint32_t copy_count;
    BoxCopy copy[2];
    /* The first k_outer reduction axes (of extent above 1) are loops around the tiles, and of the next a block of k_block points (0: all)
     * is seen by all tiles before the next: sums wait in scratch meanwhile. */
    bool waits;
    uint32_t k_outer;
    int64_t k_block;
    /* The only reduction axis need not be run over whole, but in multiples of RANGE_STEP: range 1: for a row only up to the point of the row's
     * own number, -1: only from there on.  wanted 1: for sums of which a column's number is at most a row's, -1: at least; 0: all. */
    int range, wanted;
    int64_t k;           /* points of the reduction axes in a block; pairs: with the zeros behind them */
    /* Factors of bf16 or bytes that are multiplied by more than one: both are packed, a [row][k] and b [panel][k / 2][lane][2], the
     * reduction axes in their order but for `pair`, which is the innermost and has an even number of points there. */
    Products products;
    Axis pair;
    int64_t k_points; /* without the zeros behind */
    int64_t depth;    /* tiles: points of k that all panels see before the next; 0: all */
    bool a_first;     /* all of a task's rows are packed before its groups of panels */
    Axis a_lanes;     /* PACK_A_transposed: the axis of the tile that it is read along */
    int64_t a_offset;    /* bytes into scratch */
    int64_t a_pitch;     /* elements from one row of packed a, or point of k, to the next */
    int64_t sums_offset; /* bytes into scratch */
    int64_t sums_pitch; /* elements from one row of sums to the next */
    int64_t scratch;                   /* bytes a thread */
    /* Minimal filtering: the tiles of `at_once` images, or of `tile_rows` rows of tiles of one, are turned, multiplied and turned back
     * before the next.  In scratch are the points under the tiles of one image [row][column][channel], and 36 planes each of turned images [tile][channel], of turned taps [channel][filter] or, for the
     * gradient of the taps, outputs [tile][filter], and of sums [tile][filter] or [channel][filter].  `order`: the axes of `around`,
     * then those of images but the last.  Of integers, points, turned images and turned taps are i16, two channels side by side in an
     * element.  Rows of the register tile are tiles; for the gradient, channels. */
    bool is_winograd;
    Winograd winograd;
    Axis image;                   /* the last of images; {0}: there is one image */
    int64_t at_once, tile_rows;
    int64_t tiles;                /* at a time, at most */
    int64_t points_at, image_at, other_at, sums_at; /* elements into scratch */
    int64_t image_plane, other_plane, sums_plane; /* elements of one of the 36 */
    int64_t image_pitch, other_pitch, sums_row;   /* elements of a row of it */
    double cost; /* contraction: cycles that the model expects, less what it does not compare */
} Schedule;

/* The same kernel with axes merged where every access allows it and the meaning stays; axis and scalar numbers stay, a merged-away
 * axis keeps extent 1 and occurs nowhere.  The axis `apart` ({0}: none) stays by itself. */
Kernel *kernel_merge_axes(const Kernel *kernel, const Contraction *contraction, Axis apart,
                          Arena *arena);

/* What a scalar costs beside a sum or a product, loads aside. */
uint32_t scalar_weight(const ScalarNode *node);

/* Which scalars the stores need, bodies of reduces included. */
bool *kernel_live(const Kernel *kernel, Arena *arena);

/* Elements that an access moves by from one point of the axis to the next; false if it is not the same everywhere. */
bool access_step(const Kernel *kernel, const Access *access, Axis axis, int64_t *step);

/* Whether what is loaded or stored so goes along `across` of the schedule, a block at a time. */
bool schedule_lies_across(const Schedule *schedule, const Kernel *kernel, const Access *access);

/* Chosen by arithmetic alone. `kernel` has been merged; `contraction`: as recognized before merging, or NULL.  slices: NULL, or how the
 * tasks must lie; `sliced` says whether they do, which is not so where it would cost much.  choice: NULL, or what tuning found; kernels that
 * are no contraction have none. */
Schedule schedule_default(const Kernel *kernel, const Contraction *contraction,
                          const ScheduleTarget *target, const Slices *slices,
                          const ScheduleChoice *choice, Arena *arena);
/* Plans the copies of a contraction whose loops and scratch are settled, and reserves their scratch. */
void schedule_copies(const Kernel *kernel, Schedule *schedule, const ScheduleTarget *target,
                     Arena *arena);
/* The same of factor a of bytes, as i16, from which pairs are read in place: rows of it, guarded at both ends, lie in memory as in the box.
 * False if it cannot be, or elements are read too rarely. */
bool schedule_widened_copy(const Kernel *kernel, Schedule *schedule, const ScheduleTarget *target,
                           Arena *arena);
/* Whether all that is stored is of one byte. */
bool schedule_stores_bytes(const Kernel *kernel);
/* The most points of a parallel axis that a task takes. */
int64_t schedule_task_points(const Schedule *schedule, const Kernel *kernel, Axis axis);
/* Whether a step over k passes more than a line or two of what is not wanted of a factor. */
bool schedule_is_far(const Kernel *kernel, Scalar factor, Axis k, Arena *arena);
/* Marks what a scalar needs, itself included. */
bool *kernel_needed(const Kernel *kernel, Scalar root, Arena *arena);
Schedule schedule_contraction(const Kernel *kernel, const Contraction *contraction,
                              const ScheduleTarget *target, const Slices *slices,
                              const ScheduleChoice *choice, Arena *arena);
/* schedule_winograd.c; the contraction as it was before axes were merged, which they must not be. */
Schedule schedule_winograd(const Kernel *kernel, const Contraction *contraction, const Winograd *winograd,
                           const ScheduleTarget *target, const Slices *slices);
void schedule_print(Text *out, const Schedule *schedule);

/* Choices of which each gives another schedule of a contraction: first `around`, then what differs from it, the cheapest by the model before
 * others.  Sliced, if `around` is; none takes much more scratch.  Returns how many there are. */
uint32_t schedule_choices(const Kernel *kernel, const Contraction *contraction,
                          const ScheduleTarget *target, const Slices *slices,
                          const ScheduleChoice *around, ScheduleChoice choice[CHOICE_MOST],
                          Arena *arena);
bool choice_is_none(const ScheduleChoice *choice); /* as the model says */
void choice_print(Text *out, const ScheduleChoice *choice); /* "rows 6, panels 4"; nothing of none */

#endif

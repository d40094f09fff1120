#ifndef MLC_BACKENDS_CPU_TILE_H
#define MLC_BACKENDS_CPU_TILE_H
/* Shared by the parts of contractions: nest.c loops over blocks, packing.c fills the scratch that they read from, tile.c
 * computes.
 *
 * Packed b: panels of `vectors * width` neighbours of the vector axis, [panel][k][lane], k counting all points of the
 * inner reduction axes in their order.  Packed a: [row][k] or [k][row], or as panels are, [tile][k][row].  Sums that wait: [row][column].
 *
 * Factors of bf16 or bytes that are multiplied by more than one (Schedule.products): b [panel][k / 2][lane][2], a [row][k] or, widened,
 * as it lies in memory. */
#include "backends/cpu/emit.h"
#include "ir/kernel/planning.h"

/* What stands in scratch, by the values of axes. */
typedef struct Area {
    LLVMValueRef base; /* where it would be if all axes were at 0 */
    Affine at;         /* elements */
    LLVMTypeRef element;
} Area;

/* Some of both. */
typedef enum Factors { FACTOR_a = 1, FACTOR_b = 2 } Factors;

/* The reduction axes as factors see them: those that run into each other are one, named by the innermost. */
typedef struct Runs {
    uint32_t count;
    Axis axis[MAX_AXES]; /* outermost first */
    int64_t extent[MAX_AXES];
    LLVMValueRef from[MAX_AXES], to[MAX_AXES]; /* of the block of k */
    int64_t divisor[MAX_AXES]; /* of the points of any block of k */
} Runs;

typedef struct Tile {
    LLVMValueRef from[MAX_AXES],
        to[MAX_AXES];           /* parallel axes: the task; reduction axes: the block of k */
    uint32_t k_count, k_outer;  /* of k, so many are loops around the tiles */
    Axis k[MAX_AXES];           /* reduction axes of extent above 1, outermost first */
    int64_t k_stride[MAX_AXES]; /* points of k that a step along k[i] passes */
    Runs run_a, run_b; /* of the factors where they come from */
    Runs run;          /* of both as tiles read them: what is packed has all axes in one */
    int64_t column;               /* points of the vector axis in a panel */
    int64_t extent;               /* of the vector axis */
    LLVMValueRef group, group_to; /* what is packed: a range of the vector axis */
    bool is_inside;               /* the panel at hand ends before the axis does */
    LLVMValueRef rows, rows_to;   /* a range of the first tile axis, if there is one */
    LLVMValueRef is_first, is_last; /* i1: where sums wait, of the parts of k */
    Area a, sums;
} Tile;

/* The element at the values of all axes, and `plus` elements on. */
LLVMValueRef area_element(Emit *e, const Area *area, int64_t plus);
/* The panel that begins at `index` of the vector axis. */
Area panel_at(Emit *e, const Tile *t, LLVMValueRef index);
/* The first guarded coordinate from d on, or the rank; the part of an address that no guard is about, at the axes that are bound. */
int next_guarded(const Access *access, int d);
LLVMValueRef unguarded_source(Emit *e, const Access *access);
/* Makes the copies that stand inside so many of the outer loops. */
void emit_copies(Emit *e, uint32_t loops);
/* Merges reduction axes for what reads these factors. */
Runs plan_runs(const Emit *e, const Tile *t, Factors factors);
void emit_pack_b(Emit *e, Tile *t);
/* `base`, so many elements before for what the block of k begins at; `stride`: of a point of k. */
LLVMValueRef before_block(Emit *e, const Tile *t, LLVMTypeRef element, LLVMValueRef base,
                          int64_t stride);
void emit_pack_a(Emit *e, Tile *t);
/* pack_tiles.c: a tile by tile; what the tile whose first row is `first` reads of it. */
void emit_pack_a_tiles(Emit *e, Tile *t);
Area packed_tile(Emit *e, const Tile *t, LLVMValueRef first);
/* Binds the inner reduction axes, all at 0, and gives the runs their ranges; releases them. */
void bind_k(Emit *e, const Tile *t, Runs *runs);
void release_k(Emit *e, const Tile *t);
/* prefetch.c: what lies beyond the core's caches and no hardware foresees.  In a step over k; before several panels read the rows at hand,
 * those of the next tile; before the sums of a tile with so many points of the first tile axis, what follows them. */
void prefetch_step(Emit *e, const Tile *t);
void prefetch_next_rows(Emit *e, Tile *t);
void prefetch_finish(Emit *e, const Tile *t, int64_t rows);
/* So many elements of scratch, `plus` elements on. */
void prefetch_elements(Emit *e, const Area *area, int64_t plus, int64_t count);
bool finish_is_far(const Emit *e); /* ... which pays if its sums take long enough */
/* widen.c: a factor of bytes as i16, in the order in which it lies, and where it is. */
void emit_widened_copy(Emit *e, const BoxCopy *copy);
Area widened_area(Emit *e);
/* pairs.c: the same for factors of bf16 or bytes in pairs, and the sums of one tile. */
void emit_pack_pairs_b(Emit *e, Tile *t);
void emit_pack_pairs_a(Emit *e, Tile *t);
/* Lanes of pairs of i16, whose products are added to sums of i32. */
LLVMValueRef multiply_integers(Emit *e, LLVMValueRef sum, LLVMValueRef b, LLVMValueRef a);
void sum_pairs(Emit *e, Tile *t, const Area *panel, uint32_t rows, LLVMValueRef *sum);
/* Index of each lane on the vector axis, the last repeated beyond the end. */
void lanes_at(Emit *e, const Tile *t, LLVMValueRef first, LLVMValueRef *lane);
/* Pairs of bytes of b: of all lanes, which lie along k; a pair a lane, from point `plus` of a block of so many points. */
LLVMValueRef pairs_of_b_along_k(Emit *e);
LLVMValueRef pairs_of_b_across(Emit *e, Axis k, int64_t plus, int64_t count);
LLVMValueRef multiply_integers(Emit *e, LLVMValueRef sum, LLVMValueRef b, LLVMValueRef a);
/* one_row.c: the sums of the row at hand and the columns from `index` on, b read in place. */
void sum_one_row(Emit *e, Tile *t, LLVMValueRef index, LLVMValueRef *mask, LLVMValueRef *sum);
/* Some of k for the sums of one tile, which wait in `sums` if k is cut. */
typedef struct Part {
    LLVMValueRef from, to; /* points of k */
    bool is_cut, is_first, is_last;
    LLVMValueRef sums;
    uint32_t rows;
} Part;

/* amx.c: the shapes of tiles, for the whole function; the sums of one tile, left in memory at `to`, [row][vector]. */
void tiles_open(Emit *e);
void tiles_close(Emit *e);
void sum_tiles(Emit *e, const Tile *t, const Area *panel, const Part *part, LLVMValueRef to);
/* Mask of vector `vector` of the column at `index`; NULL: full. */
LLVMValueRef column_mask(Emit *e, const Tile *t, LLVMValueRef index, uint32_t vector);
/* body for the panels of the group, each at its index of the vector axis. */
typedef void PanelBody(Emit *e, Tile *t, LLVMValueRef index, void *user);
void each_panel(Emit *e, Tile *t, PanelBody *body, void *user);
/* Steps over k in a pass of the loop of a tile, so that the instructions of the loop itself are few beside theirs: on a shared Zen 3 tiles
 * of 6 x 2 were 10% slower with one step.  divisor: of the points of k; may_rest: some may be left over. */
uint32_t steps_of_pass(uint32_t rows, uint32_t vectors, int64_t divisor, bool may_rest);
LLVMValueRef load_lanes(Emit *e, const Area *area, int64_t plus, uint32_t width);
/* sums.c: where those of a group of panels wait; after the last part of k, what follows those of the rows at hand, row by row. */
void place_sums(Emit *e, Tile *t);
void finish_rows_of_sums(Emit *e, Tile *t);
/* All tiles of the rows from `rows` to `rows_to` and of the group of panels. */
void emit_tiles(Emit *e, Tile *t);
/* One vector of sums, or two side by side. */
LLVMValueRef side_by_side(Emit *e, const LLVMValueRef *sum, uint32_t count);
/* What follows the sum, with this vector of sums at what the axes are bound to. */
void finish_vector(Emit *e, LLVMValueRef sum);

#endif

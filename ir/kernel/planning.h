#ifndef MLC_IR_KERNEL_PLANNING_H
#define MLC_IR_KERNEL_PLANNING_H
/* Shared by the schedules of contractions: schedule_contraction.c, and schedule_pairs.c for factors of bf16 and bytes. */
#include "ir/kernel/schedule.h"

#define TILE_ROWS  32 /* of the sums that PRODUCTS_tiles keeps in registers */
#define TILE_DEPTH 32 /* points of k in one of its instructions */

typedef enum Reading { READ_contiguous, READ_transposed, READ_single } Reading;

typedef struct Candidate {
    Contraction of;
    Axis vector;
    uint32_t vectors;
    Reading reading;
    double cost;
} Candidate;

typedef struct Planning {
    const Kernel *kernel;
    const ScheduleTarget *target;
    const Slices *slices; /* NULL: none are asked for */
    ScheduleChoice choice;
    Arena *arena;
    Products products;
    int64_t k; /* points of the reduction axes */
    Axis inner_k;
    bool *finishes; /* scalars that are needed after the sum and not for it */
} Planning;

int64_t plan_extent(const Planning *p, Axis axis);
int64_t plan_points(const Planning *p, uint32_t axes);
int64_t plan_ceiling(int64_t a, int64_t b);
/* Whether all loads of the factor step by 0 or 1 along the axis. */
bool plan_reads_along(const Planning *p, Scalar factor, Axis axis);
/* Number of the m axis along which a is contiguous; the count of axes if there is none. */
uint32_t plan_contiguous_rows(const Planning *p, const Candidate *c);
double plan_tile(const Planning *p, const Candidate *c, Schedule *s);
/* Cycles of a step over k of a tile. */
double plan_step_cost(const Planning *p, uint32_t rows, uint32_t vectors);
double plan_finish_cost(const Planning *p, const Candidate *c);
bool plan_finishes_in_loop(const Planning *p, const Schedule *s);
bool plan_finishes_in_pairs(const Planning *p, const Schedule *s);
void plan_loops(const Planning *p, Schedule *s);
/* Cycles of packing an element. */
double plan_pack_cost(Reading reading);
bool plan_has_guards(const Planning *p, Scalar factor);
bool plan_is_guarded_by(const Planning *p, uint32_t axis);

/* schedule_cuts.c: by the outermost reduction axis, by blocks, by the vectors beside them; by blocks of what is copied. */
void plan_outer(const Planning *p, Schedule *s);
void plan_cut(const Planning *p, const Candidate *c, Schedule *s);
void plan_rounds(const Planning *p, Schedule *s);
void plan_copied_blocks(const Planning *p, Schedule *s);
int64_t plan_box_bytes(const Schedule *s);

/* schedule_ranges.c: Schedule's `range`, if these are the rows of tiles, and `wanted`. */
int plan_range(const Planning *p, const Contraction *of, Axis row);
int plan_wanted(const Planning *p, const Schedule *s);

/* Whether the rows of a tile, where they lie, fall on fewer sets of the first-level cache than hold them. */
bool plan_rows_collide(const Planning *p, Scalar a, const Schedule *s);

/* schedule_tiles.c: whether a is worth packing tile by tile, and how much of both factors at a time. */
bool plan_tiles(const Planning *p, const Candidate *c, const Schedule *s);
int64_t plan_tiles_block(const Planning *p, const Schedule *s);
int64_t plan_tiles_panels(const Schedule *s);
int64_t plan_tiles_rows(const Planning *p, const Schedule *s);

/* schedule_tasks.c */
void plan_tasks(const Planning *p, const Candidate *c, Schedule *s);
void plan_fit_panels(const Planning *p, Schedule *s);
int64_t plan_reserve(Schedule *s, int64_t bytes);
void plan_place_sums(const Planning *p, Schedule *s); /* that wait */

/* schedule_pairs.c */
double tiles_step_cost(uint32_t rows, uint32_t vectors);
double pairs_cost(const Planning *p, Candidate *c);
Schedule settle_pairs(const Planning *p, const Candidate *best);

#endif

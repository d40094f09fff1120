#ifndef MLC_PASSES_FUSE_SITES_H
#define MLC_PASSES_FUSE_SITES_H
/* Where an inline value is evaluated: in which group, at what kind of place, how often, and by which of the root's
 * dimensions each of its own moves.  Equal tracks are equal elements, which the kernel computes once. */
#include "passes/fuse.h"

typedef enum Spot { SPOT_point, SPOT_body, SPOT_piece, SPOT_factor, SPOT_indexed } Spot;

/* How one dimension moves with the kernel: `code` tells tracks apart (0: always 0, d + 1: dimension d of the root, else a hash
 * of where it came from); `roots` are the dimensions of the root that it is made of one to one, if it is. */
typedef struct Track {
    uint32_t code, roots;
} Track;

#define MAX_SITES 6

typedef struct Site {
    uint32_t group;
    Spot spot;
    uint32_t piece,
        depth;     /* 1 + the part of the long concat that reads it, and how far away; 0: none */
    double copies; /* evaluations for each element of the value */
    Track track[MAX_RANK];
} Site;

typedef struct Sites {
    uint32_t count;
    bool overflow; /* more than MAX_SITES */
    double copies; /* over all sites, those that overflowed too */
    Site at[MAX_SITES];
} Sites;

/* The site of a value that the group stores. */
Site site_of_store(const Graph *graph, Value stored, uint32_t group);
/* Where operand `i` of y is evaluated when y is evaluated at `site`. */
Site site_of_argument(const Graph *graph, Value y, uint32_t i, const Site *site);
void sites_add(Sites *sites, const Site *site, int rank);
bool site_is_identity(const Site *site, const Shape *shape);
/* The root's dimensions that the value covers one to one, in `roots`; false if it moves otherwise.  `root`: of the group. */
bool site_covers(const Site *site, const Shape *shape, const Shape *root, uint32_t *roots);

/* fuse_cost.c */
typedef struct Weights {
    double *own; /* computing an element from what is stored anyway */
    double
        *seen; /* what a consumer pays for it: the same, or a load if it will be stored for sure */
    double *work; /* of `own` the operations, a load counted as one */
} Weights;

Weights cost_weights(Arena *arena, const Graph *graph, const uint32_t *uses);
/* Whether computing x inline at its sites, at `inlined` for each of its vectors in all, costs more than storing it once and
 * loading it there. */
bool cost_says_store(const Weights *weights, const Graph *graph, Value x, const Sites *sites,
                     double inlined);

#endif

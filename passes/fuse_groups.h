#ifndef MLC_PASSES_FUSE_GROUPS_H
#define MLC_PASSES_FUSE_GROUPS_H
/* What fuse.c and fuse_along.c share, and nobody else: the groups while they grow. */
#include "passes/fuse_sites.h"

/* Of one kernel; more gains nothing and costs compile time. */
#define NODES_LIMIT  300
#define STORES_LIMIT 6

/* What is known of a group while it grows. */
typedef struct Growing {
    uint32_t rows;                   /* root dimensions that its reduces move with */
    bool reduces, contracts, closed; /* closed: nothing may be stored along (scatter, pieces) */
    uint32_t nodes;
} Growing;

typedef struct Fuse {
    Arena *arena;
    const Graph *graph;
    Fusion *fusion;
    bool *wanted;                /* by node: a result */
    uint32_t *uses;              /* by node: how many operands it is */
    uint32_t *user_first, *user; /* users of node i: user[user_first[i] ...] */
    Sites **sites;               /* by node: where it is evaluated if inline; NULL: nowhere yet */
    Weights weights;
    LIST(Growing) growing; /* by group */
    uint32_t numbers;      /* group of single numbers: they share kernels, related or not */
} Fuse;

/* fuse.c */
const Shape *fuse_root(const Fuse *f, uint32_t group); /* the shape that the group stores */
bool fuse_is_full(const Fuse *f, const Site *site);
/* Whether x, if it is a reduce or a contraction, can be evaluated at the site. */
bool fuse_fits(const Fuse *f, Value x, const Site *site);
/* What will be loaded rather than computed. */
bool fuse_is_border(const Fuse *f, Value x);

/* fuse_along.c */
/* A single number that is computed from others can be stored in the last kernel that stores such numbers. */
bool fuse_is_number(const Fuse *f, Value x);
/* The group that stores x along with what it stores already, 0 if x needs its own. */
uint32_t fuse_along(const Fuse *f, Value x, const Sites *sites);

#endif

#ifndef MLC_PASSES_PASS_H
#define MLC_PASSES_PASS_H
/* Runs the passes of passes.def in order.  A pass reads a graph and builds another through graph_add; it cannot fail.
 * After each: sweep and canonical renumbering, verification, on request print-parse-compare, a dump, a time. */
#include "ir/graph/program.h"
#include "ir/kernel/module.h"

typedef struct PassOptions {
    bool verify;           /* after each pass (on in tests and debug builds) */
    bool round_trip;       /* print, parse, compare after each pass */
    const char *precision; /* "f32", "bf16" or "f32_fast" */
    uint32_t alignment;    /* of arena offsets: 64 for cpu */
    int64_t memory;        /* bytes that the plan is to do with, if recomputing helps; 0: as many as it takes */
    /* Called after each pass with its name and result, for `mlc dump`. */
    void (*dump)(void *user, const char *pass, const Graph *graph);
    void *user;
} PassOptions;

typedef struct Pass {
    Context *context;
    Arena *arena;   /* of the graph being built */
    Arena *scratch; /* reset after the pass */
    const Program *program; /* the states */
    const PassOptions *options;
} Pass;

typedef Graph *PassFn(Pass *pass, const Graph *in);

#define PASS(name, help) PassFn pass_##name;
#include "passes/passes.def"
#undef PASS

/* The simplifier that every graph is opened with (graph.h). */
Value pass_simplify_node(Graph *graph, const Node *node);

/* Chooses how the states of an entry lie in memory (State.storage); `entry` as the frontend made it.  Those that are fixed keep what they have: an
 * entry chooses by itself, and others that touch the same states are told by fixing them. */
void passes_place(Program *program, const Graph *entry, const bool *fixed, Arena *scratch);

/* All graph passes over one entry. The result lives in `arena`. */
Graph *passes_run(Context *context, Arena *arena, const Program *program, const Graph *entry, const PassOptions *options);

/* Fusion, lowering and planning: the entry as kernels. Lives in `arena`. */
Module *passes_lower(Context *context, Arena *arena, const Program *program, const Graph *entry,
                     const PassOptions *options);

#endif

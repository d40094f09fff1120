#ifndef MLC_IR_GRAPH_PRINT_H
#define MLC_IR_GRAPH_PRINT_H
/* Text of graphs and programs; print(parse(print(g))) == print(g), bit for bit.
 *
 *     state fc.weight: f32[3, 4] parameter
 *     entry predict (x: f32[8, 4]) {
 *       %1 = read fc.weight : f32[3, 4]
 *       %2 = dot x, %1 mk,nk->mn : f32[8, 3]
 *       output y = %2
 *       write fc.weight = %1
 *     }
 *
 * Inputs stand in the head and are referred to by name. One node a line, types always printed, checked on reading. */
#include "ir/graph/program.h"

typedef struct PrintOptions {
    bool spans; /* append @line:column */
    const Sources *sources;
    /* Notes to print under a node, from the verifier: note[id] or NULL. */
    const char *const *note;
} PrintOptions;

void graph_print(Text *out, const Graph *graph, const PrintOptions *options);
void program_print(Text *out, const Program *program, const PrintOptions *options);
void graph_print_dot(Text *out, const Graph *graph); /* Graphviz */

/* Reads a program back; errors go to the report with spans in `source`.  A file that holds a single entry without states is a
 * program too.  Returns NULL after errors. `simplify` as in graph_new. */
Program *program_parse(Context *context, Arena *arena, uint32_t source, GraphSimplify *simplify);

#endif

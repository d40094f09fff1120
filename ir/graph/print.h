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
 * Inputs stand in the head and are referred to by name; the other nodes are numbered as they come, so %3 is not
 * node 3 where there are inputs. One node a line, types always printed, checked on reading. Names of other characters
 * than letters, digits, '_' and '.' stand in quotes with \xNN escapes. Blank lines and comments (// or #) are skipped,
 * spans (@line:column) too: a node read back carries the place in the text. Graphs that the verifier refuses can be
 * printed; what is missing shows as '?'. */
#include "ir/graph/program.h"

typedef struct PrintOptions {
    bool spans; /* append @line:column */
    const Sources *sources;
    /* Notes to print under a node, from the verifier: note[id] or NULL; note[0] is about the whole entry. */
    const char *const *note;
} PrintOptions;

/* A name as it stands in the text, and the characters that need no quotes. */
void name_print(Text *out, const Names *names, Name name);
static inline bool name_is_plain(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '_' || character == '.';
}

void graph_print(Text *out, const Graph *graph, const PrintOptions *options);
void program_print(Text *out, const Program *program, const PrintOptions *options);
void graph_print_dot(Text *out, const Graph *graph); /* Graphviz */

/* Reads a program back; errors go to the report with spans in `source`.  A file that holds a single entry without states is a
 * program too.  Returns NULL after errors. `simplify` as in graph_new.  Inputs come first in the node array: sweep
 * where canonical numbering is wanted. */
Program *program_parse(Context *context, Arena *arena, uint32_t source, GraphSimplify *simplify);

#endif

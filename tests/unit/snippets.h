#ifndef MLC_TESTS_UNIT_SNIPPETS_H
#define MLC_TESTS_UNIT_SNIPPETS_H
/* The texts that tests of the syntax go through: the fenced blocks of frontend/grammar.md and the standard library. */
#include "ir/base/text.h"

typedef struct Snippet {
    const char *
        mark; /* what stands behind the fence: mlc, mlc-wrong, ebnf, ...; "std" for a library file */
    const char *text;
    int line; /* of grammar.md */
} Snippet;

typedef struct Snippets {
    uint32_t count;
    const Snippet *at;
} Snippets;

/* Every block of the grammar and every file of frontend/std.  Statements come wrapped in a model, and what is wrong a paragraph
 * each. Fails the test if a file cannot be read. */
Snippets snippets_open(Arena *arena);
const char *snippets_grammar(Arena *arena); /* the whole document */

#endif

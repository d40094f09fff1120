#ifndef MLC_IR_GRAPH_PARSE_H
#define MLC_IR_GRAPH_PARSE_H
/* What the two halves of the graph's reader share: the place in the text, and the small things read there.  Every
 * function skips blanks and comments first (never a line's end), says true if it found what it is called for, and
 * otherwise has reported why: once a line, since one mistake should give one message. */
#include "ir/graph/program.h"

typedef struct Parser {
    const char *begin, *at, *end; /* the whole text, and where reading stands */
    uint32_t source;
    Report *report;
    Names *names;
    Arena *arena;
    bool failed; /* something in this line was reported, or derives from what was */
} Parser;

bool parse_fail(Parser *parser, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
Span parse_span(const Parser *parser, const char *from, const char *to);
void parse_skip_blanks(Parser *parser);
bool parse_at_line_end(Parser *parser);
void parse_skip_line(Parser *parser); /* to the start of the next */

bool parse_accept(Parser *parser, const char *punctuation); /* reports nothing */
bool parse_expect(Parser *parser, const char *punctuation);
/* A run of letters, digits and '_'; empty if there is none. Reports nothing. */
uint32_t parse_word(Parser *parser, const char **word);
bool parse_integer(Parser *parser, int64_t *integer);
bool parse_number(Parser *parser, double *number);
bool parse_name(Parser *parser, Name *name);
bool parse_type(Parser *parser, TypedShape *typed); /* f32[8, 3] */

/* An attribute of an op whose first operand has `rank` axes.  A slice's extents are left 0. */
bool parse_attribute(Parser *parser, AttributeKind kind, int rank, Attribute *attribute);

#endif

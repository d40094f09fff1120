#ifndef MLC_IR_GRAPH_SCAN_H
#define MLC_IR_GRAPH_SCAN_H
/* What the two halves of the graph's reader share: the place in the text, and the small things read there.  Every
 * function skips blanks and comments first (never a line's end), says true if it found what it is called for, and
 * otherwise has reported why: once a line, since one mistake should give one message. */
#include "ir/graph/program.h"

typedef struct Scan {
    const char *begin, *at, *end; /* the whole text, and where reading stands */
    uint32_t source;
    Report *report;
    Names *names;
    Arena *arena;
    bool failed; /* something in this line was reported, or derives from what was */
} Scan;

bool scan_fail(Scan *scan, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
Span scan_span(const Scan *scan, const char *from, const char *to);
void scan_skip_blanks(Scan *scan);
bool scan_at_line_end(Scan *scan);
void scan_skip_line(Scan *scan); /* to the start of the next */

bool scan_accept(Scan *scan, const char *punctuation); /* reports nothing */
bool scan_expect(Scan *scan, const char *punctuation);
/* A run of letters, digits and '_'; empty if there is none. Reports nothing. */
uint32_t scan_word(Scan *scan, const char **word);
bool scan_integer(Scan *scan, int64_t *integer);
bool scan_number(Scan *scan, double *number);
bool scan_name(Scan *scan, Name *name);
bool scan_type(Scan *scan, TypedShape *typed); /* f32[8, 3] */

/* An attribute of an op whose first operand has `rank` axes.  A slice's extents are left 0. */
bool scan_attribute(Scan *scan, AttributeKind kind, int rank, Attribute *attribute);

#endif

#ifndef MLC_IR_BASE_REPORT_H
#define MLC_IR_BASE_REPORT_H
/* The user's mistakes: collected, then sorted by position and rendered once, with the source line, a caret,
 * notes and a hint.  Identical reports (same place, same text) are kept once.
 *
 *     digits.mlc:19:9: error: matrix product of f32[N, 5408] and f32[128, 5400]: inner sizes differ
 *        19 |   fc1 = dense(flatten(x), 128)
 *           |         ^~~~~~~~~~~~~~~~~~~~~~
 *     note: `fc1.weight` was read as f32[128, 5400] from run/best.safetensors
 *     hint: ...
 *
 * report_note and report_hint attach to the last error or warning reported.  A note with a span shows its line
 * too.  Span {0} is allowed where no file is concerned. */
#include "ir/base/source.h"
#include "ir/base/text.h"

typedef struct Report Report;

Report *report_new(Arena *arena, const Sources *sources);
void report_error(Report *report, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_warning(Report *report, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_note(Report *report, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_hint(Report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint32_t report_errors(const Report *report);   /* count so far */
uint32_t report_warnings(const Report *report);
void report_render(const Report *report, Text *out, bool colour);
void report_clear(Report *report);

#endif

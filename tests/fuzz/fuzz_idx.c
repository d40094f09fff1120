/* Any bytes as an IDX file, plain or gzip.  Nothing may crash, hang or leak, and what is refused has a report. */
#define SOURCE_CALL                                                                                \
    {.kind = STATIC_call, .text = "idx", .count = 1, .element = arguments, .label = labels}
#include "tests/fuzz/source.h"

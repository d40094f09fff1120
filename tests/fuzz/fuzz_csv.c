/* Any bytes as a csv file, with missing cells filled.  Nothing may crash, hang or leak, and what is refused has a report. */
#define SOURCE_CALL                                                                                \
    {.kind = STATIC_call, .text = "csv", .count = 2, .element = arguments, .label = labels}
#include "tests/fuzz/source.h"

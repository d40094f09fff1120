/* Any bytes as an IDX file, plain or gzip.  Nothing may crash, hang or leak, and what is refused has a report. */
#include "tests/fuzz/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    return fuzz_source("idx", 1, bytes, size);
}

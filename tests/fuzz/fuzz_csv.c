/* Any bytes as a csv file, with missing cells filled.  Nothing may crash, hang or leak, and what is refused has a report. */
#include "tests/fuzz/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    return fuzz_source("csv", 2, bytes, size);
}

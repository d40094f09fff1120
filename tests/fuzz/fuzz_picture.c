/* Any bytes as a PNG or JPEG file.  Nothing may crash, hang or leak, and what is refused has a report. */
#include "runtime/data/picture.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena *arena = arena_open(&host_default);
    Report *report = report_new(arena, sources_new(arena));
    Origin origin = {&host_default, report, {0}, "fuzz"};
    Picture picture = {0};
    Status status = png_is(bytes, size) ? png_decode(&origin, bytes, size, &picture)
                                        : jpeg_decode(&origin, bytes, size, &picture);
    if ((status == STATUS_ok) != (report_errors(report) == 0)) abort();
    if (status == STATUS_ok) {
        volatile unsigned sum = 0;
        for (int64_t i = 0; i < picture.width * picture.height * picture.channels; i++)
            sum = sum + picture.pixels[i];
    }
    aligned_free(&host_default, picture.pixels);
    arena_close(arena);
    return 0;
}

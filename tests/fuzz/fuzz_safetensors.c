/* Any bytes as a safetensors file.  Nothing may crash, hang or leak, and what is refused has a report. */
#include "runtime/core/tensor.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The readers take paths: the bytes go into a file in memory. */
static int open_file(const uint8_t *data, size_t size, char path[64])
{
    int file = memfd_create("fuzz", 0);
    if (file < 0 || write(file, data, size) != (ssize_t)size) abort();
    snprintf(path, 64, "/proc/self/fd/%d", file);
    return file;
}

static void check_sum(const TensorSet *set)
{
    volatile unsigned sum = 0;
    for (uint32_t i = 0; i < set->count; i++)
        for (size_t k = 0; k < set->at[i].size; k++)
            sum = sum + ((const unsigned char *)set->at[i].bytes)[k];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    Arena *arena = arena_open(&host_default);
    Report *report = report_new(arena, sources_new(arena));
    int file = open_file(data, size, path);
    TensorSet set;
    tensor_set_open(&set, &host_default);
    Status status = safetensors_read(&set, path, report);
    if ((status == STATUS_ok) != (report_errors(report) == 0)) abort();
    check_sum(&set);
    tensor_set_close(&set);
    close(file);
    arena_close(arena);
    return 0;
}

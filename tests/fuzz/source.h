#ifndef MLC_TESTS_FUZZ_SOURCE_H
#define MLC_TESTS_FUZZ_SOURCE_H
/* Fuzzing a data source: opens the bytes as its first argument, the second (if 2 arguments) being `missing: 0`. */
#include "runtime/data/data.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static inline void check_sum(const Split *split)
{
    volatile unsigned sum = 0;
    for (uint32_t k = 0; k < split->field_count; k++) {
        const Field *field = &split->field[k];
        size_t size = (size_t)shape_elements(&field->sample) * type_info[field->type].bytes;
        for (int64_t i = 0; i < split->count; i++)
            for (size_t at = 0; at < size; at++)
                sum = sum + field->bytes[i * field->stride + (int64_t)at];
    }
}

static inline int fuzz_source(const char *name, uint32_t arguments_given, const uint8_t *bytes,
                              size_t size)
{
    char path[64];
    int file = memfd_create("fuzz", 0);
    if (file < 0 || write(file, bytes, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);

    Arena *arena = arena_open(&host_default);
    Sources *sources = sources_new(arena);
    Context context = {arena, names_new(arena), sources, report_new(arena, sources)};
    static const char *const labels[] = {"", "missing"};
    const Static arguments[] = {{.kind = STATIC_text, .text = path},
                                {.kind = STATIC_number, .number = 0, .is_integer = true}};
    DataEntry entry = {.name = "train",
                       .value = {.kind = STATIC_call,
                                 .text = name,
                                 .count = arguments_given,
                                 .element = arguments,
                                 .label = labels}};
    Data *data;
    Status status = data_open(&context, &(DataBlock){.name = "fuzz", .count = 1, .entry = &entry},
                              &(DataOptions){&host_default, "", 1}, &data);
    if ((status == STATUS_ok) != (report_errors(context.report) == 0)) abort();
    if (status == STATUS_ok) check_sum(data_split_at(data, 0));
    data_close(data);
    close(file);
    arena_close(arena);
    return 0;
}

#endif

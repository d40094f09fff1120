#ifndef MLC_FRONTEND_STD_H
#define MLC_FRONTEND_STD_H
/* The standard library's files, embedded by the build (frontend/std/embed.cmake). */
#include <stddef.h>
#include <stdint.h>

typedef struct StdFile {
    const char *path; /* std/layers.mlc */
    const unsigned char *text;
    size_t size;
} StdFile;

extern const StdFile std_file[];
extern const uint32_t std_count;

#endif

#ifndef MLC_RUNTIME_DATA_PICTURE_H
#define MLC_RUNTIME_DATA_PICTURE_H
/* PNG and JPEG files as pixels: 8 bits, interleaved, 1 channel (gray), 2 (gray, alpha), 3 (red, green, blue) or 4 (with
 * alpha).  16-bit channels are scaled, palettes expanded, CMYK becomes RGB; gamma and profiles are not applied. */
#include "runtime/core/file.h"

typedef struct Picture {
    int64_t width, height;
    int channels;
    uint8_t *pixels; /* of aligned_new */
} Picture;

Status picture_read(const Origin *origin, Picture *picture); /* the pixels are the caller's */

/* Files are told by their content. */
bool png_is(const void *bytes, size_t size);
bool jpeg_is(const void *bytes, size_t size);
Status png_decode(const Origin *origin, const void *bytes, size_t size, Picture *picture);
Status jpeg_decode(const Origin *origin, const void *bytes, size_t size, Picture *picture);
/* Allocates the pixels once width, height and channels are known, if a file of `size` bytes may ask for so many. */
Status picture_allocate(const Origin *origin, size_t size, Picture *picture);

/* The picture with 1 or 3 channels (luma as ITU-R BT.601 weighs it; alpha dropped) as planes. */
void picture_planes(const Picture *picture, int channels, uint8_t *planes);

#endif

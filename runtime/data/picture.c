#include "runtime/data/picture.h"
#include <inttypes.h>

#define MAX_FILE ((size_t)1 << 30)

Status picture_allocate(const Origin *origin, size_t size, Picture *picture)
{
    uint64_t most = (uint64_t)12 * size + ((uint64_t)12 << 20);
    uint64_t row = (uint64_t)picture->width * (unsigned)picture->channels;
    if (picture->width < 1 || picture->height < 1)
        return origin_refuse(origin, "a picture without pixels");
    if (row > most || (uint64_t)picture->height > most / row)
        return origin_refuse(origin,
                             "a picture of %" PRId64 " x %" PRId64
                             " pixels in a file of %zu bytes is not read",
                             picture->width, picture->height, size);
    picture->pixels = aligned_new(origin->host, (size_t)(row * (uint64_t)picture->height));
    return picture->pixels ? STATUS_ok : origin_no_memory(origin, row * (uint64_t)picture->height);
}

Status picture_read(const Origin *origin, Picture *picture)
{
    char *bytes;
    size_t size;
    *picture = (Picture){0};
    File file;
    TRY(file_open(origin, &file));
    Status status =
        file.size <= MAX_FILE ? STATUS_ok : origin_refuse(origin, "too large for a picture");
    size = (size_t)file.size;
    bytes = status == STATUS_ok ? aligned_new(origin->host, size) : NULL;
    if (status == STATUS_ok && !bytes) status = origin_no_memory(origin, size);
    if (status == STATUS_ok) status = file_get(origin, &file, 0, bytes, size);
    file_close(&file);
    if (status == STATUS_ok)
        status = png_is(bytes, size)    ? png_decode(origin, bytes, size, picture)
                 : jpeg_is(bytes, size) ? jpeg_decode(origin, bytes, size, picture)
                                        : origin_refuse(origin, "neither a PNG nor a JPEG file");
    aligned_free(origin->host, bytes);
    if (status == STATUS_ok) return status;
    aligned_free(origin->host, picture->pixels);
    picture->pixels = NULL;
    return status;
}

void picture_planes(const Picture *picture, int channels, uint8_t *planes)
{
    size_t count = (size_t)(picture->width * picture->height), step = (size_t)picture->channels;
    const uint8_t *from = picture->pixels;
    for (size_t i = 0; i < count; i++, from += step) {
        bool is_gray = step < 3;
        if (channels == 1 && !is_gray)
            planes[i] = (uint8_t)((299u * from[0] + 587u * from[1] + 114u * from[2] + 500) / 1000);
        for (size_t c = 0; c < (size_t)channels && (channels > 1 || is_gray); c++)
            planes[c * count + i] = from[is_gray && channels == 3 ? 0 : c];
    }
}

#include "runtime/data/picture.h"
#include <png.h>

/* State of one decoding.  `status` is not touched between setjmp and longjmp but by the handler. */
typedef struct Decoder {
    const Origin *origin;
    const unsigned char *bytes;
    size_t size, at;
    png_structp png;
    png_infop info;
    Picture *picture;
    png_bytep *rows;
    char problem[128];
} Decoder;

bool png_is(const void *bytes, size_t size)
{
    return size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static void fail(png_structp png, png_const_charp message)
{
    Decoder *decoder = png_get_error_ptr(png);
    strncpy(decoder->problem, message, sizeof decoder->problem - 1);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void give(png_structp png, png_bytep to, size_t count)
{
    Decoder *decoder = png_get_io_ptr(png);
    if (count > decoder->size - decoder->at) png_error(png, "the file ends too early");
    memcpy(to, decoder->bytes + decoder->at, count);
    decoder->at += count;
}

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    const Decoder *decoder = png_get_mem_ptr(png);
    return decoder->origin->host->resize(decoder->origin->host->user, NULL, size);
}

static void release(png_structp png, png_voidp block)
{
    const Decoder *decoder = png_get_mem_ptr(png);
    if (block) decoder->origin->host->resize(decoder->origin->host->user, block, 0);
}

/* Texts, profiles and the like may be compressed bombs and say nothing about pixels. */
static void skip_chunks(png_structp png)
{
    static const unsigned char chunks[] = "iCCP\0iTXt\0tEXt\0zTXt\0sPLT\0eXIf\0hIST";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, chunks, (int)(sizeof chunks / 5));
    png_set_user_limits(png, 1000000, 1000000);
}

static Status decode(Decoder *decoder)
{
    png_structp png = decoder->png;
    Picture *picture = decoder->picture;
    if (setjmp(png_jmpbuf(png)))
        return origin_refuse(decoder->origin, "damaged PNG file: %s", decoder->problem);

    png_set_read_fn(png, decoder, give);
    skip_chunks(png);
    png_read_info(png, decoder->info);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, decoder->info);
    picture->width = png_get_image_width(png, decoder->info);
    picture->height = png_get_image_height(png, decoder->info);
    picture->channels = png_get_channels(png, decoder->info);
    size_t row = png_get_rowbytes(png, decoder->info);
    if (row != (size_t)picture->width * (size_t)picture->channels)
        png_error(png, "not 8 bits a channel");
    TRY(picture_allocate(decoder->origin, decoder->size, picture));
    decoder->rows = png_malloc(png, (size_t)picture->height * sizeof *decoder->rows);
    for (int64_t y = 0; y < picture->height; y++)
        decoder->rows[y] = picture->pixels + (size_t)y * row;
    png_read_image(png, decoder->rows);
    png_read_end(png, NULL);
    return STATUS_ok;
}

Status png_decode(const Origin *origin, const void *bytes, size_t size, Picture *picture)
{
    Decoder decoder = {.origin = origin, .bytes = bytes, .size = size, .picture = picture};
    decoder.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &decoder, fail, ignore, &decoder,
                                           allocate, release);
    decoder.info = decoder.png ? png_create_info_struct(decoder.png) : NULL;
    Status status = decoder.info ? decode(&decoder) : origin_no_memory(origin, 4096);
    if (decoder.rows) png_free(decoder.png, decoder.rows);
    png_destroy_read_struct(&decoder.png, &decoder.info, NULL);
    return status;
}

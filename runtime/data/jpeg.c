#include "runtime/data/picture.h"
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>

#define MAX_SCANS 200 /* each scan of a progressive file runs over the whole picture */

typedef struct Decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const Origin *origin;
    size_t size;
    Picture *picture;
    uint8_t *row; /* CMYK alone */
    char problem[JMSG_LENGTH_MAX];
} Decoder;

bool jpeg_is(const void *bytes, size_t size)
{
    return size >= 2 && memcmp(bytes, "\xff\xd8", 2) == 0;
}

static void fail(j_common_ptr jpeg)
{
    Decoder *decoder = jpeg->client_data;
    jpeg->err->format_message(jpeg, decoder->problem);
    if (jpeg->err->msg_code == JERR_NO_BACKING_STORE)
        snprintf(decoder->problem, sizeof decoder->problem,
                 "too many pixels for a progressive file of its size");
    longjmp(decoder->jump, 1);
}

/* Warnings are tolerated but for data that break off: pixels that were made up would be trained on.  A scan of a
 * progressive file that ends early only leaves the picture coarser. */
static void warn(j_common_ptr jpeg, int level)
{
    const Decoder *decoder = jpeg->client_data;
    int code = jpeg->err->msg_code;
    bool breaks = code == JWRN_JPEG_EOF || code == JWRN_HUFF_BAD_CODE ||
                  (code == JWRN_HIT_MARKER && !decoder->jpeg.progressive_mode);
    if (level < 0 && breaks) fail(jpeg);
}

static void watch(j_common_ptr jpeg)
{
    Decoder *decoder = jpeg->client_data;
    if (decoder->jpeg.input_scan_number <= MAX_SCANS) return;
    snprintf(decoder->problem, sizeof decoder->problem, "more than %d scans", MAX_SCANS);
    longjmp(decoder->jump, 1);
}

/* Adobe's files store CMYK inverted, and they are the only ones that libjpeg gives as CMYK. */
static void from_cmyk(const uint8_t *from, uint8_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++, from += 4, to += 3)
        for (int c = 0; c < 3; c++)
            to[c] = (uint8_t)((from[c] * from[3] + 127) / 255);
}

/* Coefficients of a progressive file are held whole, two bytes each, beside the pixels; together they stay below 16 times
 * the file and 16 MiB. */
static void limit_memory(Decoder *decoder)
{
    const Picture *picture = decoder->picture;
    size_t all = 15 * decoder->size + ((size_t)15 << 20);
    size_t pixels = (size_t)(picture->width * picture->height * picture->channels);
    decoder->jpeg.mem->max_memory_to_use = (long)(all > pixels ? all - pixels : 1);
}

static Status decode(Decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    Picture *picture = decoder->picture;
    if (jpeg_read_header(jpeg, TRUE) != JPEG_HEADER_OK)
        return origin_refuse(decoder->origin, "no JPEG picture");
    bool is_cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = is_cmyk                                   ? JCS_CMYK
                            : jpeg->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE
                                                                      : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    picture->width = jpeg->image_width;
    picture->height = jpeg->image_height;
    picture->channels = jpeg->out_color_space == JCS_GRAYSCALE ? 1 : 3;
    TRY(picture_allocate(decoder->origin, decoder->size, picture));
    limit_memory(decoder);
    if (is_cmyk) decoder->row = aligned_new(decoder->origin->host, (size_t)picture->width * 4);
    if (is_cmyk && !decoder->row)
        return origin_no_memory(decoder->origin, (uint64_t)picture->width * 4);

    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *to = picture->pixels + (size_t)jpeg->output_scanline * (size_t)picture->width *
                                            (size_t)picture->channels;
        JSAMPROW row = is_cmyk ? decoder->row : to;
        jpeg_read_scanlines(jpeg, &row, 1);
        if (is_cmyk) from_cmyk(row, to, (size_t)picture->width);
    }
    jpeg_finish_decompress(jpeg);
    return STATUS_ok;
}

/* The decoder lives in the caller's frame, so that it is whole after a longjmp. */
static Status guarded(Decoder *decoder, const void *bytes)
{
    if (setjmp(decoder->jump))
        return origin_refuse(decoder->origin, "damaged JPEG file: %s", decoder->problem);

    jpeg_create_decompress(&decoder->jpeg);
    decoder->jpeg.progress = &decoder->progress;
    jpeg_mem_src(&decoder->jpeg, bytes, decoder->size);
    return decode(decoder);
}

Status jpeg_decode(const Origin *origin, const void *bytes, size_t size, Picture *picture)
{
    Decoder decoder = {.origin = origin, .size = size, .picture = picture};
    decoder.jpeg.err = jpeg_std_error(&decoder.errors);
    decoder.errors.error_exit = fail;
    decoder.errors.emit_message = warn;
    decoder.progress.progress_monitor = watch;
    decoder.jpeg.client_data = &decoder;
    Status status = guarded(&decoder, bytes);
    jpeg_destroy_decompress(&decoder.jpeg);
    aligned_free(origin->host, decoder.row);
    return status;
}

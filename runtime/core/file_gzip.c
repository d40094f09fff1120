/* Reading whole files, plain or gzip (RFC 1952, any number of members).  The unpacked size is bounded before anything
 * is allocated: deflate reaches 1:1032, so a small file could otherwise ask for any amount of memory. */
#include "runtime/core/file.h"
#include <zlib.h>

/* With the packed bytes, zlib's window and growing this stays below 16 times the file and 16 MiB. */
#define ROOM_PER_BYTE 14
#define ROOM_BASE     ((uint64_t)14 << 20)
#define STEP          (1u << 30) /* zlib counts in 32 bits */

typedef struct Unpack {
    const Origin *origin;
    const unsigned char *packed;
    size_t packed_size;
    char *bytes;
    size_t count, room, limit;
} Unpack;

static Status grow(Unpack *unpack)
{
    const Host *host = unpack->origin->host;
    if (unpack->count < unpack->room) return STATUS_ok;
    if (unpack->room == unpack->limit)
        return origin_refuse(unpack->origin,
                             "unpacks to more than %zu bytes, too much for a gzip file of %zu; "
                             "unpack it with gunzip "
                             "first if it is meant to",
                             unpack->limit, unpack->packed_size);

    size_t room = unpack->room + unpack->room / 2 + 4096;
    if (room > unpack->limit) room = unpack->limit;
    char *bytes = host->resize(host->user, unpack->bytes, room);
    if (!bytes) return origin_no_memory(unpack->origin, room);
    unpack->bytes = bytes;
    unpack->room = room;
    return STATUS_ok;
}

static const char *inflate_problem(const z_stream *stream, int code)
{
    if (code == Z_BUF_ERROR) return "it ends too early";
    return stream->msg ? stream->msg : "the data are damaged";
}

/* One member from *at on; moves *at behind it. */
static Status unpack_member(Unpack *unpack, z_stream *stream, size_t *at)
{
    int code = Z_OK;
    while (code != Z_STREAM_END) {
        TRY(grow(unpack));
        size_t left = unpack->packed_size - *at, space = unpack->room - unpack->count;
        stream->next_in = (Bytef *)(uintptr_t)(unpack->packed + *at);
        stream->avail_in = (uInt)(left < STEP ? left : STEP);
        stream->next_out = (Bytef *)unpack->bytes + unpack->count;
        stream->avail_out = (uInt)(space < STEP ? space : STEP);
        uInt in = stream->avail_in, out = stream->avail_out;
        code = inflate(stream, Z_NO_FLUSH);
        *at += in - stream->avail_in;
        unpack->count += out - stream->avail_out;
        if (code != Z_OK && code != Z_STREAM_END)
            return origin_refuse(unpack->origin, "damaged gzip file: %s",
                                 inflate_problem(stream, code));
    }
    return STATUS_ok;
}

static Status unpack_members(Unpack *unpack)
{
    z_stream stream = {0};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) return origin_no_memory(unpack->origin, 1 << 16);

    Status status = STATUS_ok;
    size_t at = 0;
    while (status == STATUS_ok && at < unpack->packed_size) {
        /* Tapes and some copying tools pad with zeros. */
        if (at > 0 && unpack->packed[at] == 0) {
            at++;
            continue;
        }
        inflateReset(&stream);
        status = unpack_member(unpack, &stream, &at);
    }
    inflateEnd(&stream);
    return status;
}

/* The most that deflate can make of a byte (zlib's technical notes). */
#define RATIO 1032

/* The last four bytes of a gzip file are its last member's size modulo 2^32: the right room for nearly every file, and
 * only a guess for a hostile one. */
static size_t first_room(const Unpack *unpack)
{
    if (unpack->packed_size < 18) return 1; /* shorter than an empty member: damaged */
    const unsigned char *end = unpack->packed + unpack->packed_size - 4;
    size_t room =
        (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
    room = room < 4096 ? 4096 : room + 1;
    if (room > unpack->packed_size * RATIO) room = unpack->packed_size * RATIO;
    return room < unpack->limit ? room : unpack->limit;
}

static Status unpack_gzip(const Origin *origin, size_t limit, unsigned growth, char **bytes,
                          size_t *size)
{
    uint64_t most = (*size * (uint64_t)ROOM_PER_BYTE + ROOM_BASE) / (1 + growth);
    Unpack unpack = {.origin = origin,
                     .packed = (const unsigned char *)*bytes,
                     .packed_size = *size,
                     .limit = limit < most ? limit : (size_t)most};
    unpack.room = first_room(&unpack);
    unpack.bytes = origin->host->resize(origin->host->user, NULL, unpack.room + 1);
    Status status = unpack.bytes ? unpack_members(&unpack) : origin_no_memory(origin, unpack.room);
    origin->host->resize(origin->host->user, *bytes, 0);
    *bytes = NULL;
    if (status != STATUS_ok) {
        if (unpack.bytes) origin->host->resize(origin->host->user, unpack.bytes, 0);
        return status;
    }
    char *fit = origin->host->resize(origin->host->user, unpack.bytes, unpack.count + 1);
    *bytes = fit ? fit : unpack.bytes;
    *size = unpack.count;
    return STATUS_ok;
}

Status file_load(const Origin *origin, size_t limit, unsigned growth, char **bytes, size_t *size)
{
    *bytes = NULL;
    *size = 0;
    File file;
    TRY(file_open(origin, &file));

    Status status = STATUS_ok;
    char *block = NULL;
    if (file.size > limit) status = origin_refuse(origin, "is larger than %zu bytes", limit);
    if (status == STATUS_ok) {
        block = origin->host->resize(origin->host->user, NULL, (size_t)file.size + 1);
        if (!block) status = origin_no_memory(origin, file.size);
    }
    if (status == STATUS_ok) status = file_get(origin, &file, 0, block, (size_t)file.size);
    file_close(&file);
    if (status != STATUS_ok) {
        if (block) origin->host->resize(origin->host->user, block, 0);
        return status;
    }
    *bytes = block;
    *size = (size_t)file.size;
    bool packed = file.size >= 3 && memcmp(block, "\x1f\x8b\x08", 3) == 0;
    return packed ? unpack_gzip(origin, limit, growth, bytes, size) : STATUS_ok;
}

Status file_read(const Host *host, const char *path, size_t limit, char **bytes, size_t *size,
                 Report *report)
{
    return file_load(&(Origin){host, report, {0}, path}, limit, 0, bytes, size);
}

/* Batches, made one ahead by a thread of its own: while the caller works on one slot, the thread fills the other. */
#include "runtime/data/convert.h"
#include "runtime/data/data.h"
#include "runtime/data/random.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>

enum { SLOTS = 2, FIELDS = sizeof(((Split *)0)->field) / sizeof(Field) };

typedef struct Slot {
    void *input[FIELDS];
    int64_t count;
} Slot;

struct Stream {
    const Host *host;
    Split split;
    uint32_t input_count;
    Type type[FIELDS];
    int64_t batch, position; /* samples since epoch 0; the thread's */
    bool shuffle;
    uint32_t seed;
    uint32_t *permutation; /* of epoch `epoch`; NULL unshuffled */
    int64_t epoch;
    int64_t *row; /* of each sample of the batch being made */
    Slot slot[SLOTS];
    const void *current[FIELDS];
    double waited;

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Under the mutex: batches filled and batches given back since the start. */
    uint64_t filled, released, taken;
    bool stop;
};

/* Row of the sample at a position. */
static int64_t row_at(Stream *stream, int64_t position)
{
    int64_t at = position;
    if (stream->shuffle) {
        int64_t epoch = position / stream->split.count;
        if (epoch != stream->epoch)
            random_permutation(stream->seed, RANDOM_SHUFFLE, (uint32_t)epoch, stream->permutation,
                               (uint32_t)stream->split.count);
        stream->epoch = epoch;
        at = stream->permutation[position - epoch * stream->split.count];
    }
    return stream->split.order ? stream->split.order[at] : at;
}

/* One field of the batch.  Small samples (labels) are gathered before they are converted; larger ones are converted from
 * where they lie, the next but one on its way into the cache meanwhile. */
static void fill_field(const Stream *stream, Slot *slot, uint32_t k)
{
    enum { GATHER = 2048, AHEAD = 2 };
    const Field *field = &stream->split.field[k];
    Type from = field->type, to = stream->type[k];
    size_t elements = (size_t)shape_elements(&field->sample);
    size_t in = elements * type_info[from].bytes, out = elements * type_info[to].bytes;
    char gathered[GATHER], *at = slot->input[k];
    if (in > GATHER / 16) {
        for (int64_t i = 0; i < slot->count; i++, at += out) {
            int64_t next = i + AHEAD < slot->count ? i + AHEAD : i;
            for (size_t line = 0; line < in; line += 64)
                __builtin_prefetch(field->bytes + stream->row[next] * field->stride + line);
            convert(to, at, from, field->bytes + stream->row[i] * field->stride, elements);
        }
        return;
    }
    int64_t most = (int64_t)(GATHER / in);
    for (int64_t i = 0, step; i < slot->count; i += step, at += (size_t)step * out) {
        step = slot->count - i < most ? slot->count - i : most;
        for (int64_t j = 0; j < step; j++)
            memcpy(gathered + (size_t)j * in, field->bytes + stream->row[i + j] * field->stride,
                   in);
        convert(to, at, from, gathered, (size_t)step * elements);
    }
}

static void fill(Stream *stream, Slot *slot)
{
    int64_t left = stream->split.count - stream->position;
    slot->count = stream->shuffle || left > stream->batch ? stream->batch : left < 0 ? 0 : left;
    for (int64_t i = 0; i < slot->count; i++)
        stream->row[i] = row_at(stream, stream->position + i);
    for (uint32_t k = 0; k < stream->input_count; k++)
        fill_field(stream, slot, k);
    stream->position += slot->count;
}

static void *run(void *argument)
{
    Stream *stream = argument;
    pthread_mutex_lock(&stream->mutex);
    while (!stream->stop) {
        if (stream->filled - stream->released == SLOTS) {
            pthread_cond_wait(&stream->changed, &stream->mutex);
            continue;
        }
        Slot *slot = &stream->slot[stream->filled % SLOTS];
        pthread_mutex_unlock(&stream->mutex);
        fill(stream, slot);
        pthread_mutex_lock(&stream->mutex);
        stream->filled++;
        pthread_cond_broadcast(&stream->changed);
    }
    pthread_mutex_unlock(&stream->mutex);
    return NULL;
}

/* Signals belong to the program's threads, not to this one. */
static bool start_thread(Stream *stream)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    stream->has_thread = pthread_create(&stream->thread, NULL, run, stream) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return stream->has_thread;
}

static Status allocate(Stream *stream)
{
    for (int s = 0; s < SLOTS; s++)
        for (uint32_t k = 0; k < stream->input_count; k++) {
            const Shape *sample = &stream->split.field[k].sample;
            int64_t bytes = shape_elements(sample) * type_info[stream->type[k]].bytes;
            if (__builtin_mul_overflow(bytes, stream->batch, &bytes)) return STATUS_no_memory;
            stream->slot[s].input[k] = aligned_new(stream->host, (size_t)bytes);
            if (!stream->slot[s].input[k]) return STATUS_no_memory;
        }
    if (stream->batch > INT64_MAX / 8) return STATUS_no_memory;
    stream->row = aligned_new(stream->host, (size_t)stream->batch * sizeof *stream->row);
    if (!stream->row) return STATUS_no_memory;
    if (!stream->shuffle) return STATUS_ok;
    stream->permutation =
        aligned_new(stream->host, (size_t)stream->split.count * sizeof *stream->permutation);
    return stream->permutation ? STATUS_ok : STATUS_no_memory;
}

Status stream_open(const Split *split, const StreamOptions *options, Stream **out)
{
    *out = NULL;
    if (options->batch < 1 || options->start < 0 || split->count < 1 ||
        options->input_count > split->field_count)
        return STATUS_usage;

    Stream *stream = options->host->resize(options->host->user, NULL, sizeof *stream);
    if (!stream) return STATUS_no_memory;
    *stream = (Stream){.host = options->host,
                       .split = *split,
                       .input_count = options->input_count,
                       .batch = options->batch,
                       .position = options->start,
                       .shuffle = options->shuffle,
                       .seed = options->seed,
                       .epoch = -1};
    for (uint32_t k = 0; k < options->input_count; k++)
        stream->type[k] = options->input[k].type;
    pthread_mutex_init(&stream->mutex, NULL);
    pthread_cond_init(&stream->changed, NULL);
    Status status = allocate(stream);
    if (status == STATUS_ok && !start_thread(stream)) status = STATUS_failed;
    if (status != STATUS_ok)
        stream_close(stream);
    else
        *out = stream;
    return status;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

Status stream_next(Stream *stream, const void *const **inputs, int64_t *count)
{
    pthread_mutex_lock(&stream->mutex);
    if (stream->released < stream->taken) {
        stream->released++;
        pthread_cond_broadcast(&stream->changed);
    }
    if (stream->filled == stream->taken) {
        double from = seconds();
        while (stream->filled == stream->taken)
            pthread_cond_wait(&stream->changed, &stream->mutex);
        stream->waited += seconds() - from;
    }
    const Slot *slot = &stream->slot[stream->taken++ % SLOTS];
    pthread_mutex_unlock(&stream->mutex);

    for (uint32_t k = 0; k < stream->input_count; k++)
        stream->current[k] = slot->input[k];
    *inputs = stream->current;
    *count = slot->count;
    return STATUS_ok;
}

double stream_waited(const Stream *stream)
{
    return stream->waited;
}

void stream_close(Stream *stream)
{
    if (!stream) return;
    if (stream->has_thread) {
        pthread_mutex_lock(&stream->mutex);
        stream->stop = true;
        pthread_cond_broadcast(&stream->changed);
        pthread_mutex_unlock(&stream->mutex);
        pthread_join(stream->thread, NULL);
    }
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->mutex);
    for (int s = 0; s < SLOTS; s++)
        for (uint32_t k = 0; k < stream->input_count; k++)
            aligned_free(stream->host, stream->slot[s].input[k]);
    aligned_free(stream->host, stream->permutation);
    aligned_free(stream->host, stream->row);
    stream->host->resize(stream->host->user, stream, 0);
}

#ifndef MLC_RUNTIME_DATA_DATA_H
#define MLC_RUNTIME_DATA_DATA_H
/* Data sets in memory: what a `data` block describes, loaded, checked, split and served in batches.
 *
 * A Table holds columns ("fields"): field 0 feeds the model's first input, field 1 the second, ...: (images, labels) of idx, (image,
 * label) of an image folder, (tokens, next) of text, (features, label) of csv.  Rows are the samples. */
#include "frontend/frontend.h"
#include "runtime/core/tensor.h"

typedef struct Field {
    const char *name;
    Type type;
    Shape sample; /* shape of one sample */
    int64_t
        stride; /* bytes from one sample to the next; less than a sample's size where windows overlap (text) */
    const uint8_t *bytes;
    const char *path; /* where it came from, for messages */
} Field;

typedef struct Split {
    const char *name; /* train, validate, test, or another the file names */
    int64_t count;    /* samples */
    uint32_t field_count;
    Field field[8];
    const int64_t *order; /* NULL, or the row of each sample (a split of another split) */
    uint32_t class_count; /* class folders or csv labels: names, or 0 */
    const char *const *class_name;
} Split;

typedef struct Data Data;

typedef struct DataOptions {
    const Host *host;
    const char *folder; /* where relative paths start */
    uint32_t seed;      /* of random splits */
} DataOptions;

/* Loads every split of the block.  Errors (file not found, damaged, unknown source with suggestion, sizes of fields that differ)
 * are reported at the entry's span in the model file. A block without `validate` has none. */
Status data_open(Context *context, const DataBlock *block, const DataOptions *options, Data **data);
void data_close(Data *data);
const Split *data_split(const Data *data, const char *name); /* NULL if there is none */
uint32_t data_split_count(const Data *data);
const Split *data_split_at(const Data *data, uint32_t i);
/* A split made of one tensor a field, for predict on files (npy, safetensors, csv, png, jpeg). */
Status data_open_file(Context *context, const char *path, const DataOptions *options,
                      uint32_t input_count, const ModelInput *input, Data **data);

/* Checks that the split feeds these inputs: count, element type (converted when lossless: u8 to f32, f64 to f32; integers to narrower
 * ones that hold the values), shape after the batch axis; every value of an input with a bound: "label 12 of sample 4711 is outside
 * [0, 10)".  Field shapes may differ by unit axes ([28, 28] for [1, 28, 28]).  Errors name the data file and the input's line. */
Status data_check(Context *context, const Data *data, const Split *split, uint32_t input_count,
                  const ModelInput *input);

/* Batches, in order or shuffled, prefetched by one thread.  The stream of a shuffled training split goes on over epochs: epoch e is the
 * permutation drawn from (seed, e) alone, so any position can be resumed exactly; a batch may hold the tail of one epoch and the
 * head of the next, and every sample is seen exactly once an epoch. Unshuffled streams end; the last batch may be short. */
typedef struct Stream Stream;
typedef struct StreamOptions {
    const Host *host;
    int64_t batch;
    bool shuffle; /* and endless */
    uint32_t seed;
    int64_t start; /* samples already consumed since epoch 0 (resume) */
    uint32_t input_count;
    const ModelInput *input; /* types to convert to */
} StreamOptions;

Status stream_open(const Split *split, const StreamOptions *options, Stream **stream);
/* The next batch: one pointer an input, 64-byte aligned, valid until the next call.  *count is the samples in it; 0 at the end. */
Status stream_next(Stream *stream, const void *const **inputs, int64_t *count);
double stream_waited(const Stream *stream); /* seconds that stream_next had to wait for data */
void stream_close(Stream *stream);

#endif

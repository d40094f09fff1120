#ifndef MLC_TESTS_EMBED_KIT_H
#define MLC_TESTS_EMBED_KIT_H
/* Driving a model through the public header: an opened model with buffers for its ports, filled reproducibly, compared with
 * the place of the worst element.  Whatever fails here fails the running Check test. */
#include "runtime/mlc.h"

typedef struct Side {
    mlc_session *session;
    mlc_model *model;
    char label[96]; /* for messages: "conv2d.mlc strided on cpu" */
} Side;

typedef struct SideOptions {
    const char *device;
    int threads;
    const char *path, *variant;     /* variant NULL: none */
    const char *text;               /* NULL: the file at path */
    const char *cache;              /* folder; NULL: none */
    const char *target, *precision; /* NULL: the host's, the file's */
} SideOptions;

void side_open(Side *side, const SideOptions *options);
void side_close(Side *side);
/* Fails the test unless status is MLC_OK, with the diagnostics. */
void side_expect(const Side *side, mlc_status status, const char *what);

/* Tensors with memory of their own. */
typedef struct Tensors {
    mlc_tensor *at;
    uint32_t count;
} Tensors;

void tensors_free(Tensors *tensors);
/* The entry's inputs, with random elements: floats in (-1, 1), integers 0 to 2 (so labels of 3 classes and more), bytes of
 * all values.  The same names get the same elements. */
Tensors side_inputs(Side *side, const char *entry, uint64_t seed);
Tensors side_call(Side *side, const char *entry, const Tensors *inputs);
/* Copies of the weights, and writing them back by name. */
Tensors side_weights(Side *side);
void side_set_weights(Side *side, const Tensors *weights);

double tensor_number(const mlc_tensor *tensor, uint64_t i);
uint64_t tensor_count(const mlc_tensor *tensor);
/* The largest magnitude. */
double tensor_reach(const mlc_tensor *tensor);

/* |a - b| <= tolerance * (the largest magnitude in b's tensor + floor * the largest in all of b); integers exactly.  A scalar is
 * a mean whose terms, of order 1, may cancel: its magnitude counts as `floor` at least. */
void expect_close(const Side *side, const char *what, const Tensors *a, const Tensors *b,
                  double tolerance, double floor);
void expect_same_bits(const Side *side, const char *what, const Tensors *a, const Tensors *b);

/* splitmix64 */
uint64_t random_next(uint64_t *state);
double random_unit(uint64_t *state); /* in (-1, 1) */

/* A file's text, NUL-terminated, to free; NULL if it cannot be read or is longer than a megabyte. */
char *text_of_file(const char *path);

#endif

#ifndef MLC_PASSES_QUANTIZE_H
#define MLC_PASSES_QUANTIZE_H
/* Inference in integers of one byte: a program of f32 becomes one whose products of weights and activations are of i8 or u8, added up in
 * i32.  Four steps, all of them nodes that `mlc dump` shows:
 *
 *     scaling        x * (127 / m), of an activation that is never negative x * (255 / m): m is the largest magnitude, of weights that of
 *                    each output, of an activation what calibration saw
 *     rounding       to the nearest whole number, ties to even
 *     mapping        to i8, or to u8 where nothing is negative: what lies beyond the ends becomes the end
 *     normalization  (sum of products) * (scale of the activation * scales of the weights), a scale being m / 127, or m / 255
 *
 * Zero is always 0, so that padding adds nothing.  An activation is rounded once: whoever reads it, other than a product, reads the rounded
 * one times its scale.  Shifting axes and taking the largest commute with all of it and are done on the integers.
 *
 * For each weight W the program has further states, which lie beside it in files: W.scale f32[outputs], and W.input_range f32[], the largest
 * magnitude of what it is multiplied with.  Weights that multiply the same activations share the range of the first. */
#include "ir/graph/program.h"

typedef struct QuantizedWeight {
    Name weight, scale;
    Name input_range;
    bool owns_range; /* it is not that of an earlier weight */
    int axis;        /* of the weight: that of the outputs */
} QuantizedWeight;

typedef struct Quantization {
    LIST(QuantizedWeight) weight;
} Quantization;

/* What of a program is quantized: weights that `predict` multiplies with activations, in the order of their states.  Those that it
 * reaches through other nodes, and products of so few points that it gains nothing, or so many that sums could wrap, stay as they are. */
Quantization quantization_of(const Program *program, Arena *arena);
/* NULL: it is not among them. */
const QuantizedWeight *quantize_weight(const Quantization *quantization, Name weight);

/* `predict` of f32 with further outputs under the names of the states: each weight in i8 and its scale, and the ranges of the activations of
 * this batch. */
Graph *quantize_observed(const Program *program, const Quantization *quantization);

/* Gives the program its states in integers, and rewrites the entries that it has: `init`, `eval` and `predict`. */
void quantize_program(Program *program, const Quantization *quantization);

#endif

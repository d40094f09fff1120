/* synthetic(samples: n, classes: k, shape: [..], seed: s): a problem that can be learned, the same bits everywhere.  Each
 * class has a pattern in [0, 1) that no seed changes, so that training and test sets of two seeds pose one problem; a sample
 * is its class's pattern blended half and half with noise. */
#include "runtime/data/load.h"
#include "runtime/data/random.h"

static Status read_shape(Load *load, Shape *sample)
{
    const Static *argument = argument_option(load, "shape");
    *sample = shape_of(1, (int64_t[]){2});
    if (!argument) return STATUS_ok;
    bool fits = argument->kind == STATIC_list && argument->count < MAX_RANK;
    for (uint32_t i = 0; fits && i < argument->count; i++) {
        const Static *extent = &argument->element[i];
        fits = extent->kind == STATIC_number && extent->is_integer && extent->number >= 1 &&
               extent->number <= 65536;
        sample->extent[i] = fits ? (int64_t)extent->number : 0;
    }
    if (!fits || argument->count == 0)
        return argument_refuse(load, argument, "`shape` has to be a list of extents like [28, 28]");
    sample->rank = (uint8_t)argument->count;
    return STATUS_ok;
}

static float uniform(uint32_t seed, uint32_t stream, uint64_t element)
{
    uint32_t bits[4];
    random_bits(seed, RANDOM_SYNTHETIC, stream, element >> 2, bits);
    return (float)(bits[element & 3] >> 8) * 0x1p-24f;
}

Status source_synthetic(Load *load)
{
    int64_t samples = 1000, classes = 2, seed = load->options->seed;
    Shape sample;
    TRY(argument_integer(load, "samples", 1, 1 << 28, &samples));
    TRY(argument_integer(load, "classes", 2, MAX_CLASSES, &classes));
    TRY(argument_integer(load, "seed", 0, UINT32_MAX, &seed));
    TRY(read_shape(load, &sample));

    Shape whole = {.rank = (uint8_t)(sample.rank + 1), .extent = {samples}};
    memcpy(whole.extent + 1, sample.extent, sizeof(int64_t) * sample.rank);
    uint64_t bytes = tensor_bytes(&whole, sizeof(float));
    if (bytes == UINT64_MAX)
        return argument_refuse(load, load->call, "this would be too many elements");
    float *value = load_block(load, bytes);
    int32_t *label = load_block(load, (size_t)samples * sizeof *label);
    if (!value || !label) return STATUS_no_memory;

    uint64_t elements = (uint64_t)shape_elements(&sample);
    for (int64_t i = 0; i < samples; i++) {
        label[i] = (int32_t)(i % classes);
        for (uint64_t k = 0; k < elements; k++) {
            float pattern = uniform(0, 0, (uint64_t)label[i] * elements + k);
            float noise = uniform((uint32_t)seed, 1, (uint64_t)i * elements + k);
            value[(uint64_t)i * elements + k] = 0.5f * pattern + 0.5f * noise;
        }
    }
    Origin origin = load_origin(load, load->call, "synthetic");
    TRY(load_tensor(load, &origin, "x", TYPE_f32, &whole, value));
    return load_tensor(load, &origin, "label", TYPE_i32, &(Shape){1, {samples}}, label);
}

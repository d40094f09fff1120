#include "tests/embed/kit.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double random_unit(uint64_t *state)
{
    return ((double)(random_next(state) >> 11) + 0.5) * 0x1p-52 - 1;
}

char *text_of_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t room = 1 << 20, size = 0;
    char *text = file ? malloc(room) : NULL;
    if (text) size = fread(text, 1, room, file);
    if (file) fclose(file);
    if (!text || size == room) {
        free(text);
        return NULL;
    }
    text[size] = 0;
    return text;
}

/* --- sides --------------------------------------------------------------------------------------------------------------- */

void side_expect(const Side *side, mlc_status status, const char *what)
{
    ck_assert_msg(status == MLC_OK, "%s, %s: status %d\n%s", side->label, what, (int)status,
                  mlc_diagnostics(side->session, false));
}

void side_open(Side *side, const SideOptions *options)
{
    const char *slash = strrchr(options->path, '/');
    snprintf(side->label, sizeof side->label, "%s %s on %s, %d threads",
             slash ? slash + 1 : options->path, options->variant ? options->variant : "",
             options->device, options->threads);
    ck_assert_int_eq(mlc_session_open(NULL, &side->session), MLC_OK);
    mlc_model_options open = {.size = sizeof open,
                              .text = options->text,
                              .device = options->device,
                              .threads = options->threads,
                              .seed = -1,
                              .variant = options->variant,
                              .target = options->target,
                              .precision = options->precision,
                              .cache_folder = options->cache ? options->cache : "",
                              .verify = true};
    side_expect(side, mlc_model_open(side->session, options->path, &open, &side->model), "opening");
}

void side_close(Side *side)
{
    mlc_session_close(side->session);
    *side = (Side){0};
}

/* --- tensors ------------------------------------------------------------------------------------------------------------- */

static Tensors copy_of(const mlc_tensor *tensor, uint32_t count)
{
    Tensors copy = {calloc(count ? count : 1, sizeof *copy.at), count};
    ck_assert_ptr_nonnull(copy.at);
    for (uint32_t i = 0; i < count; i++) {
        copy.at[i] = tensor[i];
        copy.at[i].data = aligned_alloc(64, (tensor[i].bytes + 64) & ~(size_t)63);
        ck_assert_ptr_nonnull(copy.at[i].data);
        if (tensor[i].data)
            memcpy(copy.at[i].data, tensor[i].data, tensor[i].bytes);
        else
            memset(copy.at[i].data, 0, tensor[i].bytes);
    }
    return copy;
}

void tensors_free(Tensors *tensors)
{
    for (uint32_t i = 0; i < tensors->count; i++)
        free(tensors->at[i].data);
    free(tensors->at);
    *tensors = (Tensors){0};
}

uint64_t tensor_count(const mlc_tensor *tensor)
{
    uint64_t count = 1;
    for (int i = 0; i < tensor->rank; i++)
        count *= (uint64_t)tensor->extent[i];
    return count;
}

double tensor_number(const mlc_tensor *tensor, uint64_t i)
{
    if (!strcmp(tensor->type, "f32")) return ((const float *)tensor->data)[i];
    if (!strcmp(tensor->type, "i32")) return ((const int32_t *)tensor->data)[i];
    if (!strcmp(tensor->type, "i64")) return (double)((const int64_t *)tensor->data)[i];
    ck_assert_msg(tensor->bytes == tensor_count(tensor), "a tensor of type %s", tensor->type);
    return ((const uint8_t *)tensor->data)[i];
}

double tensor_reach(const mlc_tensor *tensor)
{
    double reach = 0;
    for (uint64_t i = 0; i < tensor_count(tensor); i++)
        reach = fmax(reach, fabs(tensor_number(tensor, i)));
    return reach;
}

static void fill(mlc_tensor *tensor, uint64_t seed)
{
    for (const char *c = tensor->name; *c; c++)
        seed = seed * 31 + (unsigned char)*c;
    uint64_t count = tensor_count(tensor);
    bool is_float = !strcmp(tensor->type, "f32"), is_word = !strcmp(tensor->type, "i32");
    ck_assert_msg(is_float || is_word || tensor->bytes == count, "an input of type %s",
                  tensor->type);
    for (uint64_t i = 0; i < count; i++) {
        if (is_float)
            ((float *)tensor->data)[i] = (float)random_unit(&seed);
        else if (is_word)
            ((int32_t *)tensor->data)[i] = (int32_t)(random_next(&seed) % 3);
        else
            ((uint8_t *)tensor->data)[i] = (uint8_t)random_next(&seed);
    }
}

Tensors side_inputs(Side *side, const char *entry, uint64_t seed)
{
    const mlc_tensor *input, *output;
    uint32_t inputs, outputs;
    side_expect(side, mlc_entry_ports(side->model, entry, &input, &inputs, &output, &outputs),
                entry);
    Tensors tensors = copy_of(input, inputs);
    for (uint32_t i = 0; i < inputs; i++)
        fill(&tensors.at[i], seed);
    return tensors;
}

Tensors side_call(Side *side, const char *entry, const Tensors *inputs)
{
    const mlc_tensor *input, *output;
    const void *in[64];
    void *out[64];
    uint32_t in_count, out_count;
    side_expect(side, mlc_entry_ports(side->model, entry, &input, &in_count, &output, &out_count),
                entry);
    ck_assert(in_count == inputs->count && in_count <= 64 && out_count <= 64);
    Tensors result = copy_of(output, out_count);
    for (uint32_t i = 0; i < in_count; i++) {
        ck_assert_str_eq(input[i].name, inputs->at[i].name);
        ck_assert_uint_eq(input[i].bytes, inputs->at[i].bytes);
        in[i] = inputs->at[i].data;
    }
    for (uint32_t i = 0; i < out_count; i++)
        out[i] = result.at[i].data;
    side_expect(side, mlc_call(side->model, entry, in, out), entry);
    return result;
}

Tensors side_weights(Side *side)
{
    const mlc_tensor *tensor;
    uint32_t count;
    side_expect(side, mlc_weights(side->model, &tensor, &count), "weights");
    return copy_of(tensor, count);
}

void side_set_weights(Side *side, const Tensors *weights)
{
    const mlc_tensor *tensor;
    uint32_t count;
    side_expect(side, mlc_weights(side->model, &tensor, &count), "weights");
    ck_assert_uint_eq(count, weights->count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_str_eq(tensor[i].name, weights->at[i].name);
        memcpy(tensor[i].data, weights->at[i].data, tensor[i].bytes);
    }
}

/* --- comparing ----------------------------------------------------------------------------------------------------------- */

static void expect_alike(const Side *side, const char *what, const Tensors *a, const Tensors *b)
{
    ck_assert_msg(a->count == b->count, "%s, %s: %u tensors and %u", side->label, what, a->count,
                  b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        const mlc_tensor *x = &a->at[i], *y = &b->at[i];
        bool same = !strcmp(x->name, y->name) && !strcmp(x->type, y->type) && x->rank == y->rank;
        for (int k = 0; same && k < x->rank; k++)
            same = x->extent[k] == y->extent[k];
        ck_assert_msg(same, "%s, %s: `%s` and `%s` are not of one kind", side->label, what, x->name,
                      y->name);
    }
}

void expect_close(const Side *side, const char *what, const Tensors *a, const Tensors *b,
                  double tolerance, double floor)
{
    expect_alike(side, what, a, b);
    double all = 0;
    for (uint32_t i = 0; i < b->count; i++)
        all = fmax(all, tensor_reach(&b->at[i]));
    for (uint32_t i = 0; i < b->count; i++) {
        const mlc_tensor *x = &a->at[i], *y = &b->at[i];
        bool whole = strcmp(x->type, "f32") != 0;
        double reach = y->rank ? tensor_reach(y) + floor * all : fmax(tensor_reach(y), floor);
        double allowed = whole ? 0 : tolerance * reach;
        for (uint64_t k = 0; k < tensor_count(x); k++) {
            double got = tensor_number(x, k), wanted = tensor_number(y, k);
            ck_assert_msg(isfinite(wanted) && fabs(got - wanted) <= allowed,
                          "%s, %s: `%s`[%llu] is %.9g, expected %.9g within %.3g", side->label,
                          what, x->name, (unsigned long long)k, got, wanted, allowed);
        }
    }
}

void expect_same_bits(const Side *side, const char *what, const Tensors *a, const Tensors *b)
{
    expect_alike(side, what, a, b);
    for (uint32_t i = 0; i < a->count; i++)
        ck_assert_msg(!memcmp(a->at[i].data, b->at[i].data, a->at[i].bytes),
                      "%s, %s: the bits of `%s` differ", side->label, what, a->at[i].name);
}

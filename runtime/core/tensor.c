#include "runtime/core/tensor.h"
#include "ir/base/bits.h"
#include "ir/base/boundary.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors, safetensors and npy files are read and written as little-endian memory"
#endif

#define ALIGNMENT ((size_t)64)

/* The host promises no alignment: the block is moved up to one, and what the host gave stands right before it. */
void *aligned_new(const Host *host, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT - sizeof(void *)) return NULL;

    char *given = host->resize(host->user, NULL, size + ALIGNMENT + sizeof given);
    if (!given) return NULL;
    uintptr_t at = ((uintptr_t)given + sizeof given + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    memcpy((char *)at - sizeof given, &given, sizeof given);
    return (void *)at;
}

void aligned_free(const Host *host, void *block)
{
    char *given;
    if (!block) return;
    memcpy(&given, (char *)block - sizeof given, sizeof given);
    host->resize(host->user, given, 0);
}

/* Empty axes count as one in the limit, so that strides stay within it as well. */
uint64_t tensor_bytes(const Shape *shape, unsigned element_bytes)
{
    int64_t elements = 1;
    bool is_empty = false;
    for (int i = 0; i < shape->rank; i++) {
        int64_t extent = shape->extent[i];
        is_empty |= extent == 0;
        if (extent < 0 || __builtin_mul_overflow(elements, extent ? extent : 1, &elements))
            return UINT64_MAX;
    }
    if (elements > MAX_ELEMENTS) return UINT64_MAX;
    return is_empty ? 0 : (uint64_t)elements * element_bytes;
}

static char *copy_text(const Host *host, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = host->resize(host->user, NULL, size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

static void free_text(const Host *host, const char *text)
{
    if (text) host->resize(host->user, (void *)(uintptr_t)text, 0);
}

void tensor_set_open(TensorSet *set, const Host *host)
{
    *set = (TensorSet){.host = host};
}

void tensor_set_close(TensorSet *set)
{
    const Host *host = set->host;
    while (set->count)
        tensor_set_drop(set);
    for (uint32_t i = 0; i < set->text_count; i++) {
        free_text(host, set->text[i].key);
        free_text(host, set->text[i].value);
    }
    if (set->at) host->resize(host->user, set->at, 0);
    if (set->text) host->resize(host->user, set->text, 0);
    *set = (TensorSet){.host = host};
}

static bool has_room(TensorSet *set)
{
    if (set->count < set->room) return true;

    uint32_t room = set->room + set->room / 2 + 8;
    Tensor *at = set->host->resize(set->host->user, set->at, room * sizeof *at);
    if (!at) return false;
    set->at = at;
    set->room = room;
    return true;
}

Tensor *tensor_set_add(TensorSet *set, const char *name, Type type, const Shape *shape)
{
    if (!has_room(set)) return NULL;

    Tensor tensor = {.type = type, .shape = *shape};
    tensor.size = (size_t)shape_elements(shape) * type_info[type].bytes;
    tensor.bytes = aligned_new(set->host, tensor.size);
    tensor.name = copy_text(set->host, name);
    if (!tensor.bytes || !tensor.name) {
        aligned_free(set->host, tensor.bytes);
        free_text(set->host, tensor.name);
        return NULL;
    }
    memset(tensor.bytes, 0, tensor.size);
    set->at[set->count] = tensor;
    return &set->at[set->count++];
}

void tensor_set_drop(TensorSet *set)
{
    const Tensor *last = &set->at[--set->count];
    free_text(set->host, last->name);
    aligned_free(set->host, last->bytes);
}

Tensor *tensor_set_find(const TensorSet *set, const char *name)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (strcmp(set->at[i].name, name) == 0) return &set->at[i];
    return NULL;
}

const char *tensor_set_noted(const TensorSet *set, const char *key)
{
    for (uint32_t i = 0; i < set->text_count; i++)
        if (strcmp(set->text[i].key, key) == 0) return set->text[i].value;
    return NULL;
}

Status tensor_set_note(TensorSet *set, const char *key, const char *value)
{
    const Host *host = set->host;
    char *copy = copy_text(host, value);
    if (!copy) return STATUS_no_memory;

    for (uint32_t i = 0; i < set->text_count; i++)
        if (strcmp(set->text[i].key, key) == 0) {
            free_text(host, set->text[i].value);
            set->text[i].value = copy;
            return STATUS_ok;
        }
    /* Grows when the count reaches a power of two. */
    void *block = set->text;
    if ((set->text_count & (set->text_count - 1)) == 0)
        block =
            host->resize(host->user, block,
                         (size_t)(set->text_count ? set->text_count * 2 : 1) * sizeof *set->text);
    if (block) set->text = block;
    char *name = block ? copy_text(host, key) : NULL;
    if (!name) {
        free_text(host, copy);
        return STATUS_no_memory;
    }
    set->text[set->text_count].key = name;
    set->text[set->text_count++].value = copy;
    return STATUS_ok;
}

double tensor_element(const Tensor *tensor, int64_t i)
{
    const void *bytes = tensor->bytes;
    switch (tensor->type) {
    case TYPE_f32: return (double)((const float *)bytes)[i];
    case TYPE_bf16: return (double)bits_of_bf16(((const uint16_t *)bytes)[i]);
    case TYPE_f16: return (double)bits_of_f16(((const uint16_t *)bytes)[i]);
    case TYPE_i64: return (double)((const int64_t *)bytes)[i];
    case TYPE_i32: return ((const int32_t *)bytes)[i];
    case TYPE_i8: return ((const int8_t *)bytes)[i];
    case TYPE_u32: return ((const uint32_t *)bytes)[i];
    case TYPE_u8:
    case TYPE_bool: return ((const uint8_t *)bytes)[i];
    case TYPE_none:
    case TYPE_COUNT: break;
    }
    unreachable("a tensor of no type");
}

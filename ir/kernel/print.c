/* Text of a kernel.  Lines: axes, buffers, scalars (all, so that numbers are ids), stores.
 *
 *     access      b0 + 128 [coordinate, coordinate]      the offset unless it is 0
 *     coordinate  2*i + k - 1 + %3 /2 ? : 28 * 784       dynamic, divisor, guard; extent; stride
 *
 * Dynamic part, divisor and guard stand where there are any, the stride unless it is 1. */
#include "ir/base/boundary.h"
#include "ir/kernel/kernel.h"
#include "ir/kernel/scalar.h"
#include <inttypes.h>

static void print_term(Text *out, bool is_first, int64_t factor, char axis)
{
    uint64_t magnitude = factor < 0 ? -(uint64_t)factor : (uint64_t)factor;
    if (is_first)
        text_add(out, "%s", factor < 0 ? "-" : "");
    else
        text_add(out, factor < 0 ? " - " : " + ");
    if (!axis)
        text_add(out, "%" PRIu64, magnitude);
    else if (magnitude == 1)
        text_add(out, "%c", axis);
    else
        text_add(out, "%" PRIu64 "*%c", magnitude, axis);
}

static void print_affine(Text *out, const Affine *affine)
{
    bool is_first = true;
    for (int i = 0; i < MAX_AXES; i++) {
        if (!affine->by[i]) continue;
        print_term(out, is_first, affine->by[i], (char)('i' + i));
        is_first = false;
    }
    if (affine->constant || is_first) print_term(out, is_first, affine->constant, 0);
}

static void print_coordinate(Text *out, const Coordinate *at)
{
    print_affine(out, &at->affine);
    if (at->dynamic.id) text_add(out, " + %%%u", at->dynamic.id);
    if (at->divisor != 1) text_add(out, " /%" PRId64, at->divisor);
    text_add(out, "%s : %" PRId64, at->guarded ? " ?" : "", at->extent);
}

static void print_coordinates(Text *out, const Access *access, bool strides)
{
    text_add(out, "[");
    for (int d = 0; d < access->rank; d++) {
        text_add(out, d ? ", " : "");
        print_coordinate(out, &access->at[d]);
        if (strides && access->stride[d] != 1) text_add(out, " * %" PRId64, access->stride[d]);
    }
    text_add(out, "]");
}

static void print_access(Text *out, const Access *access)
{
    text_add(out, "b%u", access->buffer);
    if (access->offset) print_term(out, false, access->offset, 0);
    text_add(out, " ");
    print_coordinates(out, access, true);
}

static void print_axes(Text *out, uint32_t axes)
{
    for (int i = 0; i < MAX_AXES; i++)
        if (axes & 1u << i) text_add(out, " %c", 'i' + i);
}

static const char *const reduce_name[] = {
    [REDUCE_add] = "add", [REDUCE_max] = "max", [REDUCE_min] = "min"};

static void print_scalar(Text *out, uint32_t id, const ScalarNode *node)
{
    text_add(out, "  %%%u = %s", id, scalar_info[node->op].name);
    if (node->op == SCALAR_constant) {
        text_add(out, " ");
        text_number(out, node->number);
    } else if (node->op == SCALAR_index) {
        text_add(out, " ");
        print_affine(out, &node->access->at[0].affine);
    } else if (node->op == SCALAR_inside) {
        text_add(out, " ");
        print_coordinates(out, node->access, false);
    } else if (node->op == SCALAR_load) {
        text_add(out, " ");
        print_access(out, node->access);
    } else if (node->op == SCALAR_reduce) {
        text_add(out, " %s", reduce_name[node->reduce]);
        print_axes(out, node->axes);
    }
    for (int i = 0; i < scalar_info[node->op].arguments; i++)
        text_add(out, "%s%%%u", i ? ", " : " ", node->argument[i].id);
    text_add(out, " : %s\n", type_info[node->type].name);
}

static void print_frame(Text *out, const Kernel *kernel)
{
    static const char *const kind[] = {
        [AXIS_parallel] = "", [AXIS_sequential] = " sequential", [AXIS_reduction] = " reduction"};
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        text_add(out, "  axis %c %" PRId64 "%s\n", 'i' + (int)i, kernel->axis.at[i].extent,
                 kind[kernel->axis.at[i].kind]);
    for (uint32_t i = 0; i < kernel->buffer.count; i++) {
        const BufferInfo *buffer = &kernel->buffer.at[i];
        text_add(out, "  buffer b%u %s[%" PRId64 "]%s\n", i, type_info[buffer->type].name,
                 buffer->elements, buffer->written ? " out" : "");
    }
}

void kernel_print(Text *out, const Kernel *kernel)
{
    text_add(out, "kernel {\n");
    print_frame(out, kernel);
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        print_scalar(out, i, &kernel->scalar.at[i]);
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        const Store *store = &kernel->store.at[i];
        text_add(out, "  store ");
        print_access(out, &store->at);
        text_add(out, " %s %%%u\n", store->accumulate ? "+=" : "=", store->value.id);
    }
    text_add(out, "}\n");
}

/* All violations of kernel.h's rules, each printed under the line that it is about. */
#include "ir/base/boundary.h"
#include "ir/kernel/kernel.h"
#include "ir/kernel/scalar.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct Complaint {
    uint32_t line; /* of kernel_print's text */
    const char *message;
} Complaint;

typedef struct Verifier {
    Arena *arena;
    const Kernel *kernel;
    uint32_t line; /* being checked */
    bool is_printable;
    uint32_t reduction, parallel; /* axes */
    LIST(Complaint) complaint;
} Verifier;

__attribute__((format(printf, 2, 3))) static void complain(Verifier *verifier, const char *format,
                                                           ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof message) length = sizeof message - 1;
    *list_add(verifier->arena, &verifier->complaint) =
        (Complaint){verifier->line, arena_text(verifier->arena, message, (size_t)length)};
}

static void check_axes(Verifier *verifier)
{
    const Kernel *kernel = verifier->kernel;
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        const AxisInfo *axis = &kernel->axis.at[i];
        verifier->line++;
        if (axis->extent < 1 || axis->extent > MAX_ELEMENTS)
            complain(verifier, "an extent of %" PRId64, axis->extent);
        if (axis->kind == AXIS_reduction) verifier->reduction |= 1u << i;
        if (axis->kind == AXIS_parallel) verifier->parallel |= 1u << i;
    }
}

static void check_buffers(Verifier *verifier)
{
    const Kernel *kernel = verifier->kernel;
    for (uint32_t i = 0; i < kernel->buffer.count; i++) {
        int64_t elements = kernel->buffer.at[i].elements;
        verifier->line++;
        if (elements < 0 || elements > MAX_ELEMENTS)
            complain(verifier, "%" PRId64 " elements", elements);
    }
}

/* Where the value of a coordinate lies when its access happens. */
static void coordinate_range(const Verifier *verifier, const Coordinate *at, int64_t *least,
                             int64_t *greatest)
{
    if (at->dynamic.id) {
        *least = 0;
        *greatest = at->extent - 1;
        return;
    }
    affine_range(verifier->kernel, &at->affine, least, greatest);
    *least /= at->divisor;
    *greatest /= at->divisor;
    if (!at->guarded) return;
    if (*least < 0) *least = 0;
    if (*greatest >= at->extent) *greatest = at->extent - 1;
}

static void check_coordinate(Verifier *verifier, uint32_t user, const Coordinate *at, int d)
{
    const Kernel *kernel = verifier->kernel;
    if (at->dynamic.id >= user) {
        complain(verifier, "coordinate %d uses %%%u, which does not precede it", d, at->dynamic.id);
        verifier->is_printable = false;
        return;
    }
    if (at->dynamic.id && kernel->scalar.at[at->dynamic.id].type != TYPE_i32)
        complain(verifier, "the dynamic part of coordinate %d is not i32", d);
    if (at->divisor < 1 || at->extent < 1) {
        complain(verifier, "coordinate %d has divisor %" PRId64 ", extent %" PRId64, d, at->divisor,
                 at->extent);
        return;
    }
    if (at->guarded) return;
    if (at->dynamic.id || at->divisor != 1) {
        complain(verifier, "coordinate %d needs a guard", d);
        return;
    }
    int64_t least, greatest;
    affine_range(kernel, &at->affine, &least, &greatest);
    if (least < 0 || greatest >= at->extent)
        complain(verifier,
                 "coordinate %d runs from %" PRId64 " to %" PRId64
                 ", outside of its extent %" PRId64,
                 d, least, greatest, at->extent);
}

static __int128 lesser(__int128 a, __int128 b)
{
    return a < b ? a : b;
}

/* Unguarded coordinates as one affine, whose range is exact; guarded ones each by their own. */
static void check_offset(Verifier *verifier, const Access *access)
{
    Affine plain = affine_constant(access->offset);
    __int128 low = 0, high = 0;
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        if (!at->guarded) {
            plain = affine_add(plain, affine_scale(at->affine, access->stride[d]));
            continue;
        }
        int64_t least, greatest;
        coordinate_range(verifier, at, &least, &greatest);
        if (least > greatest) return; /* it never happens */
        __int128 first = (__int128)access->stride[d] * least,
                 last = (__int128)access->stride[d] * greatest;
        low += lesser(first, last);
        high += first + last - lesser(first, last);
    }
    int64_t least, greatest, elements = verifier->kernel->buffer.at[access->buffer].elements;
    affine_range(verifier->kernel, &plain, &least, &greatest);
    if (low + least < 0 || high + greatest >= elements)
        complain(verifier, "elements %" PRId64 " to %" PRId64 " of b%u, which has %" PRId64,
                 (int64_t)(low + least), (int64_t)(high + greatest), access->buffer, elements);
}

/* user: the id of the scalar whose access it is; the count of scalars for stores. */
static void check_access(Verifier *verifier, uint32_t user, const Access *access, bool has_buffer)
{
    if (access->rank > MAX_RANK ||
        (has_buffer && access->buffer >= verifier->kernel->buffer.count)) {
        complain(verifier, "an access of rank %d to b%u", access->rank, access->buffer);
        verifier->is_printable = false;
        return;
    }
    uint32_t before = verifier->complaint.count;
    for (int d = 0; d < access->rank; d++)
        check_coordinate(verifier, user, &access->at[d], d);
    if (has_buffer && verifier->complaint.count == before) check_offset(verifier, access);
}

/* Whether the node can be looked at and printed at all. */
static bool is_well_formed(Verifier *verifier, uint32_t id, const ScalarNode *node)
{
    if (node->op <= SCALAR_none || node->op >= SCALAR_COUNT || node->type <= TYPE_none ||
        node->type >= TYPE_COUNT) {
        complain(verifier, "%%%u is of op %d, type %d", id, (int)node->op, (int)node->type);
        return false;
    }
    for (int i = 0; i < SCALAR_ARGUMENTS; i++) {
        bool is_used = i < scalar_info[node->op].arguments;
        if (is_used ? node->argument[i].id - 1 < id - 1 : !node->argument[i].id) continue;
        complain(verifier, "argument %d of %%%u is %%%u", i, id, node->argument[i].id);
        return false;
    }
    bool has_access =
        node->op == SCALAR_load || node->op == SCALAR_index || node->op == SCALAR_inside;
    if (has_access == (node->access != NULL)) return true;
    complain(verifier, "%%%u and its access disagree", id);
    return false;
}

static uint32_t depends_of(const Kernel *kernel, const ScalarNode *node)
{
    uint32_t depends = node->access ? access_axes(kernel, node->access) : 0;
    for (int i = 0; i < SCALAR_ARGUMENTS; i++)
        depends |= kernel->scalar.at[node->argument[i].id].depends;
    return depends & ~node->axes;
}

static void check_index(Verifier *verifier, const ScalarNode *node)
{
    int64_t least, greatest;
    affine_range(verifier->kernel, &node->access->at[0].affine, &least, &greatest);
    if (least < INT32_MIN || greatest > INT32_MAX)
        complain(verifier, "runs from %" PRId64 " to %" PRId64 ", beyond i32", least, greatest);
}

/* No reduce in the body may depend on the axes that this one closes over. */
static void check_reduce(Verifier *verifier, uint32_t id, bool *inside)
{
    const Kernel *kernel = verifier->kernel;
    const ScalarNode *node = &kernel->scalar.at[id];
    if (!node->axes || node->axes & ~verifier->reduction)
        complain(verifier, "closes over axes that are no reduction axes");
    memset(inside, 0, kernel->scalar.count);
    inside[node->argument[0].id] = true;
    for (uint32_t i = id; i-- > 1;) {
        const ScalarNode *part = &kernel->scalar.at[i];
        if (!inside[i]) continue;
        if (part->op == SCALAR_reduce && part->depends & node->axes)
            complain(verifier, "the reduce %%%u inside depends on the same axes", i);
        for (int n = 0; n < SCALAR_ARGUMENTS; n++)
            inside[part->argument[n].id] = true;
        for (int d = 0; part->access && d < part->access->rank; d++)
            inside[part->access->at[d].dynamic.id] = true;
    }
}

static void check_scalars(Verifier *verifier)
{
    const Kernel *kernel = verifier->kernel;
    bool *inside = arena_array(verifier->arena, bool, kernel->scalar.count);
    for (uint32_t id = 1; id < kernel->scalar.count && verifier->is_printable; id++) {
        const ScalarNode *node = &kernel->scalar.at[id];
        verifier->line++;
        verifier->is_printable = is_well_formed(verifier, id, node);
        if (verifier->is_printable && node->access && node->op != SCALAR_index)
            check_access(verifier, id, node->access, node->op == SCALAR_load);
        if (!verifier->is_printable) return;

        const char *wrong = scalar_check(kernel, node);
        if (wrong) complain(verifier, "%s %s", scalar_info[node->op].name, wrong);
        if (node->depends != depends_of(kernel, node))
            complain(verifier, "depends on other axes than it says");
        if (node->op == SCALAR_index) check_index(verifier, node);
        if (node->op == SCALAR_reduce) check_reduce(verifier, id, inside);
    }
}

typedef struct Reach {
    int64_t step, extent; /* of one axis in an affine; step > 0 */
} Reach;

/* Whether different points of the axes give different values of the affine: each step is larger
 * than all smaller ones together can reach.  Sufficient, and necessary for row-major accesses. */
static bool tells_apart(const Kernel *kernel, const Affine *affine, uint32_t axes)
{
    Reach reach[MAX_AXES];
    int count = 0;
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        if (!(axes & 1u << i)) continue;
        int64_t step = affine->by[i] < 0 ? -affine->by[i] : affine->by[i];
        int at = count++;
        for (; at > 0 && reach[at - 1].step > step; at--)
            reach[at] = reach[at - 1];
        reach[at] = (Reach){step, kernel->axis.at[i].extent};
    }
    __int128 reached = 0;
    for (int i = 0; i < count; i++) {
        if (reach[i].step <= reached) return false;
        reached += (__int128)reach[i].step * (reach[i].extent - 1);
    }
    return true;
}

/* By the element's index; or, since guards may cut coordinates that overhang, by each coordinate
 * for its own axes. */
static bool stores_once(const Kernel *kernel, const Access *at, uint32_t axes)
{
    Affine whole = affine_constant(0);
    uint32_t seen = 0;
    bool is_separate = true;
    for (int d = 0; d < at->rank; d++) {
        if (at->at[d].dynamic.id) continue;
        uint32_t own = affine_axes(&at->at[d].affine) & axes;
        is_separate &= !(own & seen) && tells_apart(kernel, &at->at[d].affine, own);
        seen |= own;
        if (at->at[d].divisor == 1)
            whole = affine_add(whole, affine_scale(at->at[d].affine, at->stride[d]));
    }
    return (is_separate && seen == axes) || tells_apart(kernel, &whole, axes);
}

static void check_store(Verifier *verifier, const Store *store)
{
    const Kernel *kernel = verifier->kernel;
    check_access(verifier, kernel->scalar.count, &store->at, true);
    if (store->value.id - 1 >= kernel->scalar.count - 1) {
        complain(verifier, "there is no %%%u", store->value.id);
        return;
    }
    if (!verifier->is_printable) return;

    const BufferInfo *buffer = &kernel->buffer.at[store->at.buffer];
    const ScalarNode *value = &kernel->scalar.at[store->value.id];
    if (!buffer->written) complain(verifier, "b%u is not out", store->at.buffer);
    if (value->type != buffer->type)
        complain(verifier, "%s into a buffer of %s", type_info[value->type].name,
                 type_info[buffer->type].name);
    if (store->accumulate && buffer->type == TYPE_bool) complain(verifier, "bools cannot be added");

    uint32_t axes = access_axes(kernel, &store->at);
    if ((axes | value->depends) & verifier->reduction)
        complain(verifier, "depends on a reduction axis outside of a reduce");
    uint32_t wanted = verifier->parallel;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (kernel->axis.at[i].extent == 1) wanted &= ~(1u << i);
    if (wanted & ~axes)
        complain(verifier, "a parallel axis does not occur in the store");
    else if (!stores_once(kernel, &store->at, wanted))
        complain(verifier, "an element may be stored more than once");
}

/* A buffer that is stored to is loaded at the stored element alone, and not where stores
 * accumulate. */
static void check_in_place(Verifier *verifier, const Store *store)
{
    const Kernel *kernel = verifier->kernel;
    for (uint32_t id = 1; id < kernel->scalar.count; id++) {
        const ScalarNode *node = &kernel->scalar.at[id];
        if (node->op != SCALAR_load || node->access->buffer != store->at.buffer) continue;
        if (store->accumulate || !access_same_element(node->access, &store->at))
            complain(verifier, "%%%u loads b%u elsewhere than it is stored", id, store->at.buffer);
    }
}

static void check_stores(Verifier *verifier)
{
    const Kernel *kernel = verifier->kernel;
    for (uint32_t i = 0; i < kernel->store.count && verifier->is_printable; i++) {
        verifier->line++;
        check_store(verifier, &kernel->store.at[i]);
        if (verifier->is_printable) check_in_place(verifier, &kernel->store.at[i]);
    }
}

/* The kernel's text with every complaint under its line, as `  ! message`; the complaints alone if
 * it cannot be printed. */
static const char *annotated(const Verifier *verifier)
{
    Text plain = {.arena = verifier->arena}, out = {.arena = verifier->arena};
    if (verifier->is_printable) kernel_print(&plain, verifier->kernel);
    const char *at = text_done(&plain);
    for (uint32_t line = 0, next = 0; *at || next < verifier->complaint.count; line++) {
        size_t length = strcspn(at, "\n") + 1;
        if (*at) text_put(&out, at, length);
        at += *at ? length : 0;
        for (; next < verifier->complaint.count &&
               (verifier->complaint.at[next].line == line || !*at);
             next++)
            text_add(&out, "  ! %s\n", verifier->complaint.at[next].message);
    }
    return text_done(&out);
}

const char *kernel_verify(const Kernel *kernel, Arena *arena)
{
    Verifier verifier = {.arena = arena, .kernel = kernel, .is_printable = true};
    if (kernel->axis.count > MAX_AXES) bug("a kernel of %u axes", kernel->axis.count);
    check_axes(&verifier);
    check_buffers(&verifier);
    check_scalars(&verifier);
    check_stores(&verifier);
    return verifier.complaint.count ? annotated(&verifier) : NULL;
}

/* Builders.  Each new scalar is folded (fold.c), else found among the equal ones, else added. */
#include "ir/kernel/kernel.h"
#include "ir/base/boundary.h"
#include "ir/kernel/fold.h"
#include "ir/kernel/hash.h"
#include "ir/kernel/scalar.h"
#include <math.h>

Kernel *kernel_new(Arena *arena)
{
    Kernel *kernel = arena_new(arena, Kernel);
    kernel->arena = arena;
    *list_add(arena, &kernel->scalar) = (ScalarNode){.op = SCALAR_none};
    return kernel;
}

Axis kernel_axis(Kernel *kernel, AxisKind kind, int64_t extent)
{
    if (kernel->axis.count == MAX_AXES) bug("a kernel of more than %d axes", MAX_AXES);
    *list_add(kernel->arena, &kernel->axis) = (AxisInfo){.extent = extent, .kind = kind};
    return (Axis){kernel->axis.count};
}

uint32_t kernel_buffer(Kernel *kernel, Type type, int64_t elements, bool written)
{
    *list_add(kernel->arena, &kernel->buffer) =
        (BufferInfo){.type = type, .elements = elements, .written = written};
    return kernel->buffer.count - 1;
}

/* The slot of the scalar that equals the node, or the free one where it belongs. */
static uint32_t *find_slot(Kernel *kernel, const ScalarNode *node)
{
    uint32_t mask = kernel->shared_room - 1, slot = (uint32_t)scalar_hash(node, 0) & mask;
    while (kernel->shared[slot] && !scalar_same(&kernel->scalar.at[kernel->shared[slot]], node))
        slot = (slot + 1) & mask;
    return &kernel->shared[slot];
}

static void grow_shared(Kernel *kernel)
{
    kernel->shared_room = kernel->shared_room ? kernel->shared_room * 2 : 64;
    kernel->shared = arena_array(kernel->arena, uint32_t, kernel->shared_room);
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        *find_slot(kernel, &kernel->scalar.at[i]) = i;
}

static Scalar share(Kernel *kernel, const ScalarNode *node)
{
    if (kernel->scalar.count * 2 >= kernel->shared_room) grow_shared(kernel);
    uint32_t *slot = find_slot(kernel, node);
    if (!*slot) {
        *slot = kernel->scalar.count;
        *list_add(kernel->arena, &kernel->scalar) = *node;
    }
    return (Scalar){*slot};
}

/* NaN is kept as one pattern, so that equal constants are equal bits. */
Scalar kernel_constant(Kernel *kernel, Type type, double number)
{
    double kept = number_value(type, number_of(type, number));
    return share(kernel, &(ScalarNode){.op = SCALAR_constant,
                                       .type = type,
                                       .number = isnan(kept) ? (double)NAN : kept});
}

Scalar kernel_index(Kernel *kernel, Affine affine)
{
    uint32_t axes = affine_axes(&affine);
    if (!axes) return kernel_constant(kernel, TYPE_i32, (double)affine.constant);

    Access *access = arena_new(kernel->arena, Access);
    access->rank = 1;
    access->at[0].affine = affine;
    access->at[0].divisor = 1;
    return share(
        kernel,
        &(ScalarNode){.op = SCALAR_index, .type = TYPE_i32, .access = access, .depends = axes});
}

static bool is_divisible(const Affine *affine, int64_t divisor)
{
    bool divisible = affine->constant % divisor == 0;
    for (int i = 0; i < MAX_AXES; i++)
        divisible &= affine->by[i] % divisor == 0;
    return divisible;
}

static void divide(Affine *affine, int64_t divisor)
{
    affine->constant /= divisor;
    for (int i = 0; i < MAX_AXES; i++)
        affine->by[i] /= divisor;
}

/* The coordinate with a guard exactly where it is needed: never outside, no guard. */
static Coordinate normal_coordinate(const Kernel *kernel, const Coordinate *given)
{
    Coordinate at = *given;
    if (at.divisor == 0) at.divisor = 1;
    if (at.divisor > 1 && !at.dynamic.id && is_divisible(&at.affine, at.divisor)) {
        divide(&at.affine, at.divisor);
        at.divisor = 1;
    }
    if (at.dynamic.id || at.divisor != 1) {
        at.guarded = true;
    } else if (at.guarded) {
        int64_t least, greatest;
        affine_range(kernel, &at.affine, &least, &greatest);
        at.guarded = least < 0 || greatest >= at.extent;
    }
    return at;
}

static Access normal_access(const Kernel *kernel, const Access *given)
{
    if (given->rank > MAX_RANK) bug("an access of rank %d", given->rank);
    Access access = {.buffer = given->buffer, .rank = given->rank, .offset = given->offset};
    for (int d = 0; d < given->rank; d++) {
        access.stride[d] = given->stride[d];
        access.at[d] = normal_coordinate(kernel, &given->at[d]);
    }
    return access;
}

static Scalar share_access(Kernel *kernel, ScalarOp op, Type type, const Access *access)
{
    ScalarNode node = {
        .op = op, .type = type, .access = access, .depends = access_axes(kernel, access)};
    uint32_t before = kernel->scalar.count;
    Scalar scalar = share(kernel, &node);
    if (kernel->scalar.count > before) {
        Access *kept = arena_new(kernel->arena, Access);
        *kept = *access;
        kernel->scalar.at[scalar.id].access = kept;
    }
    return scalar;
}

Scalar kernel_load(Kernel *kernel, const Access *access)
{
    if (access->buffer >= kernel->buffer.count) bug("load from buffer %u", access->buffer);
    Access normal = normal_access(kernel, access);
    return share_access(kernel, SCALAR_load, kernel->buffer.at[access->buffer].type, &normal);
}

static bool is_never_inside(const Kernel *kernel, const Coordinate *at)
{
    if (at->dynamic.id || at->divisor != 1) return false;
    int64_t least, greatest;
    affine_range(kernel, &at->affine, &least, &greatest);
    return greatest < 0 || least >= at->extent;
}

/* More coordinates than an access holds are checked in several scalars, all of which must hold. */
Scalar kernel_inside(Kernel *kernel, uint32_t count, const Coordinate *at)
{
    Access access = {0};
    uint32_t i = 0;
    for (; i < count && access.rank < MAX_RANK; i++) {
        Coordinate normal = normal_coordinate(kernel, &at[i]);
        if (!normal.guarded) continue;
        if (is_never_inside(kernel, &normal)) return kernel_constant(kernel, TYPE_bool, 0);
        access.at[access.rank++] = normal;
    }
    if (!access.rank) return kernel_constant(kernel, TYPE_bool, 1);

    Scalar inside = share_access(kernel, SCALAR_inside, TYPE_bool, &access);
    if (i == count) return inside;
    Scalar rest = kernel_inside(kernel, count - i, at + i);
    return kernel_apply(kernel, SCALAR_and, TYPE_bool, (Scalar[]){inside, rest});
}

Scalar kernel_apply(Kernel *kernel, ScalarOp op, Type type, const Scalar *arguments)
{
    if (op < SCALAR_add || op >= SCALAR_COUNT) bug("scalar op %d cannot be applied", (int)op);
    ScalarNode node = {.op = op, .type = type};
    for (int i = 0; i < scalar_info[op].arguments; i++) {
        if (!arguments[i].id || arguments[i].id >= kernel->scalar.count)
            bug("argument %d of %s is none", i, scalar_info[op].name);
        node.argument[i] = arguments[i];
        node.depends |= kernel->scalar.at[arguments[i].id].depends;
    }
    Scalar folded = scalar_fold(kernel, &node);
    return folded.id ? folded : share(kernel, &node);
}

Scalar kernel_reduce(Kernel *kernel, ReduceOp op, uint32_t axes, Scalar body)
{
    const ScalarNode *of = &kernel->scalar.at[body.id];
    if (!axes) return body;
    return share(kernel, &(ScalarNode){.op = SCALAR_reduce,
                                       .type = of->type,
                                       .argument = {body},
                                       .reduce = op,
                                       .axes = axes,
                                       .depends = of->depends & ~axes});
}

void kernel_store(Kernel *kernel, const Access *access, Scalar value, bool accumulate)
{
    if (access->buffer >= kernel->buffer.count) bug("store to buffer %u", access->buffer);
    *list_add(kernel->arena, &kernel->store) =
        (Store){.at = normal_access(kernel, access), .value = value, .accumulate = accumulate};
}

int64_t kernel_clears(const Kernel *kernel)
{
    if (kernel->store.count != 1 || kernel->buffer.count != 1) return 0;
    const Store *store = &kernel->store.at[0];
    const ScalarNode *value = &kernel->scalar.at[store->value.id];
    const BufferInfo *buffer = &kernel->buffer.at[0];
    bool is_zero = value->op == SCALAR_constant && value->number == 0 && !signbit(value->number);
    if (!is_zero || store->accumulate) return 0;
    /* Along parallel axes no element is stored twice, so that as many points as elements are all of them. */
    int64_t points = 1;
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        if (kernel->axis.at[i].kind != AXIS_parallel) return 0;
        points *= kernel->axis.at[i].extent;
    }
    for (int d = 0; d < store->at.rank; d++)
        if (store->at.at[d].guarded) return 0;
    return points == buffer->elements ? points * type_info[buffer->type].bytes : 0;
}

#include "ir/kernel/contraction.h"
#include "ir/base/boundary.h"

/* Marks what the scalars marked in `live` need, bodies of reduces included. */
static void spread(const Kernel *kernel, bool *live)
{
    for (uint32_t id = kernel->scalar.count; id-- > 1;) {
        const ScalarNode *node = &kernel->scalar.at[id];
        if (!live[id]) continue;
        for (int i = 0; i < SCALAR_ARGUMENTS; i++)
            live[node->argument[i].id] = true;
        for (int d = 0; node->access && d < node->access->rank; d++)
            live[node->access->at[d].dynamic.id] = true;
    }
}

/* The only reduce that the stores need; none if there are several. */
static Scalar only_reduce(const Kernel *kernel, bool *live)
{
    Scalar only = {0};
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        const Store *store = &kernel->store.at[i];
        live[store->value.id] = true;
        for (int d = 0; d < store->at.rank; d++)
            live[store->at.at[d].dynamic.id] = true;
    }
    spread(kernel, live);
    for (uint32_t id = 1; id < kernel->scalar.count; id++) {
        if (!live[id] || kernel->scalar.at[id].op != SCALAR_reduce) continue;
        if (only.id) return (Scalar){0};
        only.id = id;
    }
    return only;
}

static bool has_load(const Kernel *kernel, bool *live, Scalar root)
{
    memset(live, 0, kernel->scalar.count);
    live[root.id] = true;
    spread(kernel, live);
    for (uint32_t id = 1; id <= root.id; id++)
        if (live[id] && kernel->scalar.at[id].op == SCALAR_load) return true;
    return false;
}

/* Axes along which the first store's elements are neighbours. */
static uint32_t contiguous_axes(const Kernel *kernel)
{
    uint32_t axes = 0;
    const Access *at = &kernel->store.at[0].at;
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        int64_t step = 0;
        for (int d = 0; d < at->rank; d++)
            step += at->stride[d] * (at->at[d].affine.by[i] / at->at[d].divisor);
        if (step == 1) axes |= 1u << i;
    }
    return axes;
}

/* The parallel axes; false if there is an axis that a contraction cannot have. */
static bool parallel_axes(const Kernel *kernel, uint32_t *parallel)
{
    *parallel = 0;
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        if (kernel->axis.at[i].kind == AXIS_sequential) return false;
        if (kernel->axis.at[i].kind == AXIS_parallel) *parallel |= 1u << i;
    }
    return kernel->store.count > 0;
}

static void swap_sides(Contraction *found)
{
    Scalar a = found->a, a_where = found->a_where;
    uint32_t m = found->m;
    *found = (Contraction){.sum = found->sum,
                           .a = found->b,
                           .b = a,
                           .a_where = found->b_where,
                           .b_where = a_where,
                           .m = found->n,
                           .n = m,
                           .batch = found->batch,
                           .k = found->k};
}

/* Takes the promise off a factor; returns where it is not 0. */
static Scalar take_promise(const Kernel *kernel, Scalar *factor)
{
    const ScalarNode *node = &kernel->scalar.at[factor->id];
    if (node->op != SCALAR_zero_unless) return (Scalar){0};
    *factor = node->argument[1];
    return node->argument[0];
}

static bool recognize(const Kernel *kernel, bool *live, Contraction *found)
{
    uint32_t parallel;
    if (!parallel_axes(kernel, &parallel)) return false;
    Scalar sum = only_reduce(kernel, live);
    const ScalarNode *reduce = &kernel->scalar.at[sum.id];
    if (!sum.id || reduce->reduce != REDUCE_add) return false;
    const ScalarNode *body = &kernel->scalar.at[reduce->argument[0].id];
    if (body->op != SCALAR_mul) return false;

    Scalar a = body->argument[0], b = body->argument[1];
    uint32_t of_a = kernel->scalar.at[a.id].depends, of_b = kernel->scalar.at[b.id].depends;
    *found = (Contraction){.sum = sum,
                           .a = a,
                           .b = b,
                           .m = of_a & ~of_b & parallel,
                           .n = of_b & ~of_a & parallel,
                           .k = reduce->axes};
    found->batch = parallel & ~found->m & ~found->n;
    if (!found->m && !found->n) return false;
    if (!(of_a & found->k) || !(of_b & found->k)) return false;
    if (!has_load(kernel, live, a) || !has_load(kernel, live, b)) return false;

    uint32_t contiguous = contiguous_axes(kernel);
    found->a_where = take_promise(kernel, &found->a);
    found->b_where = take_promise(kernel, &found->b);
    if (!(found->n & contiguous) && (found->m & contiguous || !found->n)) swap_sides(found);
    return true;
}

bool contraction_of(const Kernel *kernel, Contraction *contraction)
{
    Arena *scratch = arena_open(&host_default);
    if (!scratch) out_of_memory();
    bool is_found =
        recognize(kernel, arena_array(scratch, bool, kernel->scalar.count), contraction);
    arena_close(scratch);
    return is_found;
}

static Products products_of(const Kernel *kernel, Scalar factor, Products of_bf16,
                            Products of_bytes)
{
    const ScalarNode *node = &kernel->scalar.at[factor.id];
    if (node->op != SCALAR_cast) return PRODUCTS_single;
    Type from = kernel->scalar.at[node->argument[0].id].type;
    if (node->type == TYPE_f32 && from == TYPE_bf16) return of_bf16;
    bool is_byte = type_is_integer(from) && type_info[from].bytes == 1;
    return node->type == TYPE_i32 && is_byte ? of_bytes : PRODUCTS_single;
}

Products contraction_products(const Kernel *kernel, const Contraction *contraction,
                              Products of_bf16, Products of_bytes)
{
    Products a = products_of(kernel, contraction->a, of_bf16, of_bytes);
    Products b = products_of(kernel, contraction->b, of_bf16, of_bytes);
    uint32_t sides = contraction->m | contraction->n;
    for (uint32_t i = 0; a == b && i < kernel->axis.count; i++)
        if (sides >> i & 1 && kernel->axis.at[i].extent > 1) return a;
    return PRODUCTS_single;
}

/* Elements that all coordinates of the access together move by along the axis. */
static int64_t step_along(const Access *access, uint32_t axis)
{
    int64_t step = 0;
    for (int d = 0; d < access->rank; d++)
        step += access->stride[d] * (access->at[d].affine.by[axis] / access->at[d].divisor);
    return step;
}

/* Whether all loads of the factor that move along the axis do so by one element, and one does. */
static bool lies_along(const Kernel *kernel, bool *live, Scalar factor, uint32_t axis)
{
    bool moves = false;
    memset(live, 0, kernel->scalar.count);
    live[factor.id] = true;
    spread(kernel, live);
    for (uint32_t id = 1; id <= factor.id; id++) {
        const ScalarNode *node = &kernel->scalar.at[id];
        if (!live[id] || node->op != SCALAR_load || !(node->depends >> axis & 1)) continue;
        if (step_along(node->access, axis) != 1) return false;
        moves = true;
    }
    return moves;
}

static Axis best_of_pairs(const Kernel *kernel, bool *live, const Contraction *of)
{
    Axis best = {0};
    int most = -1;
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        if (!(of->k >> i & 1) || kernel->axis.at[i].extent == 1) continue;
        int worth = kernel->axis.at[i].extent % 2 == 0 ? 3 : 0;
        worth += lies_along(kernel, live, of->a, i) + lies_along(kernel, live, of->b, i);
        if (worth < most) continue;
        most = worth;
        best = (Axis){i + 1};
    }
    return best;
}

Axis contraction_pairs(const Kernel *kernel, const Contraction *contraction, Products products)
{
    uint32_t last = 31 - (uint32_t)__builtin_clz(contraction->k);
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (contraction->k >> i & 1 && (kernel->axis.at[i].extent > 1)) last = i;
    if (products != PRODUCTS_tiles) return (Axis){last + 1};
    Arena *scratch = arena_open(&host_default);
    if (!scratch) out_of_memory();
    Axis best =
        best_of_pairs(kernel, arena_array(scratch, bool, kernel->scalar.count), contraction);
    arena_close(scratch);
    return best.id ? best : (Axis){last + 1};
}

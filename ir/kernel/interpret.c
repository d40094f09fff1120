/* The meaning of a kernel, one point at a time.  Scalars are computed in id order and kept until
 * an axis they depend on moves: every axis has the time it last moved, every value the time it was
 * computed.  A region is what one evaluation needs: of the stores, or of a reduce's body; the
 * bodies of reduces in it are regions of their own. */
#include "ir/base/boundary.h"
#include "ir/kernel/scalar.h"
#include "ir/kernel/winograd.h"
#include <float.h>
#include <math.h>

typedef LIST(uint32_t) Region;

typedef struct Machine {
    Arena *arena;
    const Kernel *kernel;
    void *const *buffer;
    int64_t axis[MAX_AXES];
    uint64_t clock, moved[MAX_AXES];
    Number *value;
    uint64_t *computed; /* 0: never */
    /* As in the nodes, but loads change along sequential axes too, where stores may precede them. */
    uint32_t *depends;
    Region *region; /* of each reduce; [0] of the stores */
    Contraction contraction;
    Axis pairs;               /* of the tree of tiles; {0}: sums of products are sequential */
    const Winograd *winograd; /* NULL: not the tree of minimal filtering */
    Region image, other;      /* of its factors */
} Machine;

static void mark_access(const Access *access, bool *needed)
{
    for (int d = 0; access && d < access->rank; d++)
        needed[access->at[d].dynamic.id] = true;
}

/* Completes `needed` downwards from the scalars marked in it, and lists it ascending. */
static Region region_of(const Machine *machine, bool *needed)
{
    Region region = {0};
    const Kernel *kernel = machine->kernel;
    for (uint32_t id = kernel->scalar.count; id-- > 1;) {
        const ScalarNode *node = &kernel->scalar.at[id];
        if (!needed[id]) continue;
        mark_access(node->access, needed);
        for (int i = 0; i < SCALAR_ARGUMENTS && node->op != SCALAR_reduce; i++)
            needed[node->argument[i].id] = true;
    }
    for (uint32_t id = 1; id < kernel->scalar.count; id++)
        if (needed[id]) *list_add(machine->arena, &region) = id;
    return region;
}

static void find_regions(Machine *machine)
{
    const Kernel *kernel = machine->kernel;
    for (uint32_t id = 0; id < kernel->scalar.count; id++) {
        const ScalarNode *node = &kernel->scalar.at[id];
        if (id && node->op != SCALAR_reduce) continue;
        bool *needed = arena_array(machine->arena, bool, kernel->scalar.count);
        needed[node->argument[0].id] = true;
        for (uint32_t i = 0; i < kernel->store.count && !id; i++) {
            needed[kernel->store.at[i].value.id] = true;
            mark_access(&kernel->store.at[i].at, needed);
        }
        machine->region[id] = region_of(machine, needed);
    }
}

static void find_depends(Machine *machine)
{
    const Kernel *kernel = machine->kernel;
    uint32_t sequential = 0;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (kernel->axis.at[i].kind == AXIS_sequential) sequential |= 1u << i;
    for (uint32_t id = 1; id < kernel->scalar.count; id++) {
        const ScalarNode *node = &kernel->scalar.at[id];
        uint32_t depends = node->depends | (node->op == SCALAR_load ? sequential : 0);
        for (int i = 0; i < SCALAR_ARGUMENTS; i++)
            depends |= machine->depends[node->argument[i].id] & ~node->axes;
        for (int d = 0; node->access && d < node->access->rank; d++)
            depends |= machine->depends[node->access->at[d].dynamic.id];
        machine->depends[id] = depends;
    }
}

static bool is_fresh(const Machine *machine, uint32_t id)
{
    if (!machine->computed[id]) return false;
    for (uint32_t left = machine->depends[id]; left; left &= left - 1)
        if (machine->moved[__builtin_ctz(left)] > machine->computed[id]) return false;
    return true;
}

static void set_axis(Machine *machine, int axis, int64_t value)
{
    machine->axis[axis] = value;
    machine->moved[axis] = ++machine->clock;
}

static void first_point(Machine *machine, uint32_t axes)
{
    for (uint32_t left = axes; left; left &= left - 1)
        set_axis(machine, __builtin_ctz(left), 0);
}

/* Moves to the next point, the last axis fastest; false after the last point. */
static bool next_point(Machine *machine, uint32_t axes)
{
    for (int axis = MAX_AXES; axis-- > 0;) {
        if (!(axes & 1u << axis)) continue;
        int64_t next = machine->axis[axis] + 1;
        bool wraps = next == machine->kernel->axis.at[axis].extent;
        set_axis(machine, axis, wraps ? 0 : next);
        if (!wraps) return true;
    }
    return false;
}

static int64_t affine_value(const Machine *machine, const Affine *affine)
{
    int64_t value = affine->constant;
    for (uint32_t i = 0; i < machine->kernel->axis.count; i++)
        value += affine->by[i] * machine->axis[i];
    return value;
}

/* False if a guard does not hold. */
static bool access_index(const Machine *machine, const Access *access, int64_t *index)
{
    *index = access->offset;
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        int64_t value = affine_value(machine, &at->affine);
        if (at->dynamic.id) value += machine->value[at->dynamic.id].whole;
        if (value % at->divisor != 0) return false;
        value /= at->divisor;
        if (at->guarded && (value < 0 || value >= at->extent)) return false;
        *index += access->stride[d] * value;
    }
    return true;
}

static void check_index(const Machine *machine, const Access *access, int64_t index)
{
    int64_t elements = machine->kernel->buffer.at[access->buffer].elements;
    if (index < 0 || index >= elements)
        bug("element %lld of buffer %u, which has %lld", (long long)index, access->buffer,
            (long long)elements);
}

static Number load(const Machine *machine, const Access *access)
{
    int64_t index;
    if (!access_index(machine, access, &index)) return (Number){0};
    check_index(machine, access, index);
    Type type = machine->kernel->buffer.at[access->buffer].type;
    return number_load(type, machine->buffer[access->buffer], index);
}

static void evaluate_region(Machine *machine, const Region *region);

/* Floats of 16 bits are summed as the f32 that `real` is; integers wrap at the end. */
static Number plus(Type type, Number a, Number b)
{
    if (type_is_float(type)) return (Number){.real = a.real + b.real};
    return (Number){.whole = (int64_t)((uint64_t)a.whole + (uint64_t)b.whole)};
}

static Number finished(Type type, Number sum)
{
    if (type_is_float(type)) return number_cast(TYPE_f32, type, sum);
    return scalar_evaluate(SCALAR_add, type, type, (Number[3]){sum});
}

static Number sum_of_products(Machine *machine, const ScalarNode *node, const Region *region)
{
    Number sum = {0};
    bool is_float = type_is_float(node->type);
    do {
        evaluate_region(machine, region);
        Number a = machine->value[machine->contraction.a.id],
               b = machine->value[machine->contraction.b.id];
        if (is_float)
            sum.real = fmaf(a.real, b.real, sum.real);
        else
            sum.whole = (int64_t)((uint64_t)sum.whole + (uint64_t)a.whole * (uint64_t)b.whole);
    } while (next_point(machine, node->axes));
    return finished(node->type, sum);
}

/* Sums of the products of a block: at even and at odd points. */
typedef struct Block {
    float sum[2];
    uint32_t points;
} Block;

#define BLOCK 32

/* Denormal numbers are 0 to the instructions that the tree of tiles is of. */
static float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? 0 : x;
}

static void end_block(Block *block, float *sum)
{
    *sum = flushed(*sum + flushed(block->sum[0] + block->sum[1]));
    *block = (Block){0};
}

/* See "Tree of tiles" in kernel.h. */
static Number sum_in_tiles(Machine *machine, const ScalarNode *node, const Region *region)
{
    Block block = {0};
    float sum = 0;
    uint32_t inner = 1u << (machine->pairs.id - 1);
    do {
        do {
            evaluate_region(machine, region);
            float *to = &block.sum[block.points++ % 2];
            float a = flushed(machine->value[machine->contraction.a.id].real);
            float b = flushed(machine->value[machine->contraction.b.id].real);
            *to = flushed(fmaf(a, b, *to));
            if (block.points == BLOCK) end_block(&block, &sum);
        } while (next_point(machine, inner));
        block.points += block.points % 2;
        if (block.points == BLOCK) end_block(&block, &sum);
    } while (next_point(machine, node->axes & ~inner));
    if (block.points) end_block(&block, &sum);
    return finished(node->type, (Number){.real = sum});
}

/* --- the tree of minimal filtering, see winograd.h --------------------------------------------------------------------------- */

static WinogradNumber add_reals(void *user, WinogradNumber x, WinogradNumber y)
{
    (void)user;
    return (WinogradNumber){.real = x.real + y.real};
}

static WinogradNumber subtract_reals(void *user, WinogradNumber x, WinogradNumber y)
{
    (void)user;
    return (WinogradNumber){.real = x.real - y.real};
}

static WinogradNumber scale_real(void *user, float factor, WinogradNumber x)
{
    (void)user;
    return (WinogradNumber){.real = factor * x.real};
}

static WinogradNumber fma_real(void *user, float factor, WinogradNumber x, WinogradNumber plus)
{
    (void)user;
    return (WinogradNumber){.real = fmaf(factor, x.real, plus.real)};
}

static const WinogradArithmetic reals = {NULL, add_reals, subtract_reals, scale_real, fma_real};

#define SQUARE (WINOGRAD_POINTS * WINOGRAD_POINTS)

/* A factor at n x n points of two axes, turned. */
static void turn_factor(Machine *machine, Scalar factor, const Axis axis[2], const int64_t first[2],
                        const int64_t sign[2], WinogradStep step, WinogradNumber *to)
{
    int n = winograd_from(step);
    const Region *region =
        factor.id == machine->winograd->image.id ? &machine->image : &machine->other;
    for (int i = 0; i < n * n; i++) {
        set_axis(machine, (int)axis[0].id - 1, first[0] + sign[0] * (i / n));
        set_axis(machine, (int)axis[1].id - 1, first[1] + sign[1] * (i % n));
        evaluate_region(machine, region);
        to[i].real = machine->value[factor.id].real;
    }
    winograd_square(&reals, step, to, to);
}

/* ... at the points that the taps give it: of the image, those under the tile whose first window is bound. */
static void turn_by_taps(Machine *machine, Scalar factor, WinogradStep step, WinogradNumber *to)
{
    const Winograd *w = machine->winograd;
    int64_t first[2], sign[2];
    for (int i = 0; i < 2; i++) {
        first[i] = w->sign[i] > 0 ? 0 : WINOGRAD_TAPS - 1;
        sign[i] = w->sign[i];
    }
    turn_factor(machine, factor, w->tap, first, sign, step, to);
}

static void add_square(WinogradNumber *sum, const WinogradNumber *x, const WinogradNumber *y)
{
    for (int i = 0; i < SQUARE; i++)
        sum[i].real = fmaf(x[i].real, y[i].real, sum[i].real);
}

static float sum_of_tile(Machine *machine, const int64_t at[2])
{
    const Winograd *w = machine->winograd;
    WinogradNumber sum[SQUARE] = {{0}}, x[SQUARE], y[SQUARE];
    for (int64_t c = 0; c < machine->kernel->axis.at[w->channel.id - 1].extent; c++) {
        set_axis(machine, (int)w->channel.id - 1, c);
        for (int i = 0; i < 2; i++)
            set_axis(machine, (int)w->window[i].id - 1, at[i] / WINOGRAD_SIDE * WINOGRAD_SIDE);
        turn_by_taps(machine, w->image, WINOGRAD_image, x);
        turn_by_taps(machine, w->other, WINOGRAD_taps, y);
        add_square(sum, x, y);
    }
    winograd_square(&reals, WINOGRAD_back, sum, sum);
    return sum[at[0] % WINOGRAD_SIDE * WINOGRAD_SIDE + at[1] % WINOGRAD_SIDE].real;
}

static void add_tile(Machine *machine, int64_t row, int64_t column, WinogradNumber *sum)
{
    const Winograd *w = machine->winograd;
    WinogradNumber x[SQUARE], y[SQUARE];
    set_axis(machine, (int)w->window[0].id - 1, row);
    set_axis(machine, (int)w->window[1].id - 1, column);
    turn_by_taps(machine, w->image, WINOGRAD_image, x);
    turn_factor(machine, w->other, w->window, (int64_t[]){row, column}, (int64_t[]){1, 1},
                WINOGRAD_outputs, y);
    add_square(sum, x, y);
}

static float sum_of_tiles(Machine *machine, const int64_t at[2])
{
    const Winograd *w = machine->winograd;
    WinogradNumber sum[SQUARE] = {{0}};
    int64_t rows = machine->kernel->axis.at[w->window[0].id - 1].extent;
    int64_t columns = machine->kernel->axis.at[w->window[1].id - 1].extent;
    first_point(machine, w->images);
    do {
        for (int64_t row = 0; row < rows; row += WINOGRAD_SIDE)
            for (int64_t column = 0; column < columns; column += WINOGRAD_SIDE)
                add_tile(machine, row, column, sum);
    } while (next_point(machine, w->images));
    winograd_square(&reals, WINOGRAD_taps_back, sum, sum);
    int64_t tap[2];
    for (int i = 0; i < 2; i++)
        tap[i] = w->sign[i] > 0 ? at[i] : WINOGRAD_TAPS - 1 - at[i];
    return sum[tap[0] * WINOGRAD_TAPS + tap[1]].real;
}

static Number sum_by_filtering(Machine *machine)
{
    const Winograd *w = machine->winograd;
    const Axis *moved = w->is_gradient ? w->tap : w->window;
    int64_t at[2];
    for (int i = 0; i < 2; i++)
        at[i] = machine->axis[moved[i].id - 1];
    float sum = (w->is_gradient ? sum_of_tiles : sum_of_tile)(machine, at);
    for (int i = 0; i < 2; i++)
        set_axis(machine, (int)moved[i].id - 1, at[i]);
    return (Number){.real = sum};
}

static Number sum_of_lanes(Machine *machine, const ScalarNode *node, const Region *region)
{
    Number lane[REDUCE_LANES] = {{0}};
    int innermost = 31 - __builtin_clz(node->axes);
    do {
        evaluate_region(machine, region);
        Number *to = &lane[machine->axis[innermost] % REDUCE_LANES];
        *to = plus(node->type, *to, machine->value[node->argument[0].id]);
    } while (next_point(machine, node->axes));

    for (int half = REDUCE_LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] = plus(node->type, lane[i], lane[i + half]);
    return finished(node->type, lane[0]);
}

static Number extremum(Machine *machine, const ScalarNode *node, const Region *region)
{
    ScalarOp op = node->reduce == REDUCE_max ? SCALAR_max : SCALAR_min;
    Number most = {0};
    bool is_first = true;
    do {
        evaluate_region(machine, region);
        Number value = machine->value[node->argument[0].id];
        most = is_first ? value
                        : scalar_evaluate(op, node->type, node->type, (Number[3]){most, value});
        is_first = false;
    } while (next_point(machine, node->axes));
    return most;
}

/* The axes may be in use by the region that asks: its reduces are all evaluated before anything
 * else of it. */
static Number reduce(Machine *machine, uint32_t id)
{
    const ScalarNode *node = &machine->kernel->scalar.at[id];
    const Region *region = &machine->region[id];
    int64_t kept[MAX_AXES];
    memcpy(kept, machine->axis, sizeof kept);
    first_point(machine, node->axes);
    bool is_contraction = machine->contraction.sum.id == id;
    Number result = node->reduce != REDUCE_add ? extremum(machine, node, region)
                    : !is_contraction          ? sum_of_lanes(machine, node, region)
                    : machine->winograd        ? sum_by_filtering(machine)
                    : machine->pairs.id        ? sum_in_tiles(machine, node, region)
                                               : sum_of_products(machine, node, region);
    for (uint32_t left = node->axes; left; left &= left - 1)
        set_axis(machine, __builtin_ctz(left), kept[__builtin_ctz(left)]);
    return result;
}

static Number compute(Machine *machine, uint32_t id)
{
    const ScalarNode *node = &machine->kernel->scalar.at[id];
    switch ((int)node->op) {
    case SCALAR_constant: return number_of(node->type, node->number);
    case SCALAR_index:
        return (Number){.whole = (int32_t)affine_value(machine, &node->access->at[0].affine)};
    case SCALAR_inside: {
        int64_t index;
        return (Number){.whole = access_index(machine, node->access, &index)};
    }
    case SCALAR_load: return load(machine, node->access);
    case SCALAR_reduce: return reduce(machine, id);
    default: break;
    }
    if (scalar_info[node->op].is_math) bug("%s was not expanded", scalar_info[node->op].name);

    Number argument[SCALAR_ARGUMENTS];
    for (int i = 0; i < SCALAR_ARGUMENTS; i++)
        argument[i] = machine->value[node->argument[i].id];
    Scalar last = node->argument[scalar_info[node->op].arguments - 1];
    return scalar_evaluate(node->op, node->type, machine->kernel->scalar.at[last.id].type,
                           argument);
}

static void evaluate_region(Machine *machine, const Region *region)
{
    for (int reduces = 1; reduces >= 0; reduces--)
        for (uint32_t i = 0; i < region->count; i++) {
            uint32_t id = region->at[i];
            bool is_reduce = machine->kernel->scalar.at[id].op == SCALAR_reduce;
            if (is_reduce != reduces || is_fresh(machine, id)) continue;
            machine->value[id] = compute(machine, id);
            machine->computed[id] = machine->clock;
        }
}

static void store(Machine *machine, const Store *store)
{
    int64_t index;
    if (!access_index(machine, &store->at, &index)) return;
    check_index(machine, &store->at, index);
    Type type = machine->kernel->buffer.at[store->at.buffer].type;
    void *buffer = machine->buffer[store->at.buffer];
    Number value = machine->value[store->value.id];
    if (store->accumulate)
        value = scalar_evaluate(SCALAR_add, type, type,
                                (Number[3]){number_load(type, buffer, index), value});
    number_store(type, buffer, index, value);
}

static void run_points(Machine *machine)
{
    const Kernel *kernel = machine->kernel;
    uint32_t axes = 0;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (kernel->axis.at[i].kind != AXIS_reduction) axes |= 1u << i;
    first_point(machine, axes);
    do {
        evaluate_region(machine, &machine->region[0]);
        for (uint32_t i = 0; i < kernel->store.count; i++)
            store(machine, &kernel->store.at[i]);
    } while (next_point(machine, axes));
}

static Region factor_region(const Machine *machine, Scalar factor)
{
    bool *needed = arena_array(machine->arena, bool, machine->kernel->scalar.count);
    needed[factor.id] = true;
    return region_of(machine, needed);
}

static void interpret(const Kernel *kernel, const Contraction *contraction, Axis pairs,
                      const Winograd *winograd, void *const *buffer)
{
    Arena *arena = arena_open(&host_default);
    if (!arena) out_of_memory();
    uint32_t count = kernel->scalar.count;
    Machine machine = {.arena = arena,
                       .kernel = kernel,
                       .buffer = buffer,
                       .clock = 1,
                       .value = arena_array(arena, Number, count),
                       .computed = arena_array(arena, uint64_t, count),
                       .depends = arena_array(arena, uint32_t, count),
                       .region = arena_array(arena, Region, count)};
    if (contraction) machine.contraction = *contraction;
    machine.pairs = pairs;
    machine.winograd = winograd;
    find_depends(&machine);
    find_regions(&machine);
    if (winograd) {
        machine.image = factor_region(&machine, winograd->image);
        machine.other = factor_region(&machine, winograd->other);
    }
    run_points(&machine);
    arena_close(arena);
}

void kernel_interpret(const Kernel *kernel, void *const *buffer)
{
    Contraction of;
    interpret(kernel, contraction_of(kernel, &of) ? &of : NULL, (Axis){0}, NULL, buffer);
}

void kernel_interpret_tiles(const Kernel *kernel, const Contraction *contraction,
                            void *const *buffer)
{
    Axis pairs = contraction_pairs(kernel, contraction, PRODUCTS_tiles);
    interpret(kernel, contraction, pairs, NULL, buffer);
}

void kernel_interpret_winograd(const Kernel *kernel, const Contraction *contraction,
                               const Winograd *winograd, void *const *buffer)
{
    interpret(kernel, contraction, (Axis){0}, winograd, buffer);
}

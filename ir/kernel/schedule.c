/* Schedules of kernels that are no contraction. */
#include "ir/kernel/schedule.h"
#include <inttypes.h>

/* Cycles a vector, roughly: what matters is the order of the ways to run a kernel. */
#define COST_UNIFORM    0.1
#define COST_CONTIGUOUS 1.0
#define COST_APART                                                                                 \
    1.5 /* every second (third, fourth) element: of each of the loads, with a shuffle */
#define COST_REPEATED   1.5
#define COST_TRANSPOSED 6.0
#define COST_STRIDED    10.0
#define COST_GATHER     14.0
#define COST_SCATTER    20.0
#define COST_OPERATION  0.4
#define COST_WOVEN      2.0 /* a shuffle and a store, of each of the axis' points */
#define COST_TREE       12.0
#define WEIGHT_UNIFORM  40

/* Lanes from which a store under a mask takes less than its elements one by one: AVX2's takes longer, on Zen. */
#define MASKS_PAY 16

#define LONG_SUM                                                                                   \
    8 /* points of the innermost axis from which sums are kept in memory, for many rows side by side */

#define TASKS     64   /* at most, unless a task would be large */
#define TASK_WORK 8192 /* element operations a task does at least */

typedef struct Planning {
    const Kernel *kernel;
    const ScheduleTarget *target;
    const Slices *slices; /* NULL: none are asked for */
    Arena *arena;
    const bool *live;
    uint32_t parallel, sequential, rows; /* axes of extent above 1 */
    bool has_reduce;
} Planning;

static int64_t extent_of(const Kernel *kernel, Axis axis)
{
    return axis.id ? kernel->axis.at[axis.id - 1].extent : 1;
}

/* The axes that lanes run along: `minor` first, if there is one. */
typedef struct Along {
    Axis axis, minor;
    Axis across; /* what lies along this one is transposed */
} Along;

/* Axes beside those of `rows` for which a row touches several elements: a block would hold the last. */
static bool moves_inside(const Kernel *kernel, const Access *access, uint32_t rows)
{
    uint32_t axes = access_axes(kernel, access) & ~rows;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (axes >> i & 1 && kernel->axis.at[i].extent > 1) return true;
    return false;
}

static bool lies_across(const Kernel *kernel, const Access *access, Along along, uint32_t rows)
{
    int64_t step, other;
    uint32_t both = 1u << (along.axis.id - 1) | 1u << (along.across.id - 1);
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        if (at->dynamic.id || (at->guarded && affine_axes(&at->affine) & both)) return false;
    }
    return !moves_inside(kernel, access, rows) && access_step(kernel, access, along.axis, &step) &&
           access_step(kernel, access, along.across, &other) && other == 1 &&
           (step > MOST_APART || step < 0);
}

bool schedule_lies_across(const Schedule *s, const Kernel *kernel, const Access *access)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < s->order_count; i++)
        rows |= 1u << (s->order[i].id - 1);
    return s->across.id &&
           lies_across(kernel, access, (Along){.axis = s->vector, .across = s->across}, rows);
}

static double access_cost(const Planning *p, const Access *access, Along along)
{
    int64_t step, minor = 0, extent = extent_of(p->kernel, along.minor);
    if (!access_step(p->kernel, access, along.axis, &step) ||
        (along.minor.id && !access_step(p->kernel, access, along.minor, &minor)))
        return COST_GATHER;
    if (step == 0 && minor == 0) return COST_UNIFORM;
    if (along.minor.id ? minor == 1 && step == extent : step == 1) return COST_CONTIGUOUS;
    if (along.across.id && lies_across(p->kernel, access, along, p->rows)) return COST_TRANSPOSED;
    if (along.minor.id && minor == 0 && step == 1) return COST_REPEATED;
    bool is_near = !along.minor.id && step >= 2 && step <= MOST_APART;
    return is_near ? COST_APART * (double)step : COST_STRIDED;
}

static double store_cost(const Planning *p, const Store *store, Along along)
{
    int64_t step, minor = 0, extent = extent_of(p->kernel, along.minor);
    if (!along.axis.id) return COST_CONTIGUOUS;
    bool is_even = access_step(p->kernel, &store->at, along.axis, &step) &&
                   (!along.minor.id || access_step(p->kernel, &store->at, along.minor, &minor));
    if (is_even && step == 0 && minor == 0) return COST_UNIFORM;
    if (is_even && (along.minor.id ? minor == 1 && step == extent : step == 1))
        return COST_CONTIGUOUS;
    uint32_t lanes = p->target->lanes;
    bool is_cheap = lanes >= MASKS_PAY || extent_of(p->kernel, along.across) % lanes == 0;
    bool is_transposed = along.across.id && !store->accumulate && is_cheap &&
                         lies_across(p->kernel, &store->at, along, p->rows);
    return is_transposed ? COST_TRANSPOSED : COST_SCATTER;
}

static double points_of(const Kernel *kernel, uint32_t axes)
{
    double points = 1;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (axes >> i & 1) points *= (double)kernel->axis.at[i].extent;
    return points;
}

uint32_t scalar_weight(const ScalarNode *node)
{
    if (node->op == SCALAR_uniform) return WEIGHT_UNIFORM;
    return node->op != SCALAR_constant;
}

static double scalar_cost(const Planning *p, uint32_t id, Along along)
{
    const ScalarNode *node = &p->kernel->scalar.at[id];
    if (node->op == SCALAR_load)
        return along.axis.id ? access_cost(p, node->access, along) : COST_CONTIGUOUS;
    return scalar_weight(node) * COST_OPERATION;
}

/* Part of the lanes of all vectors along the axis that do work. */
static double use_of(int64_t extent, uint32_t width)
{
    int64_t vectors = (extent + width - 1) / width;
    return (double)extent / (double)(vectors * width);
}

/* The axes over which reduces run, by innermost axis; 0 for scalars outside of reduces. */
static uint32_t *bodies_of(const Planning *p)
{
    const Kernel *kernel = p->kernel;
    uint32_t *body = arena_array(p->arena, uint32_t, kernel->scalar.count);
    uint32_t reduction = 0;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (kernel->axis.at[i].kind == AXIS_reduction) reduction |= 1u << i;
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        body[i] = kernel->scalar.at[i].depends & reduction;
    return body;
}

/* Points that a vector gets done. */
static double lanes_at_work(const Planning *p, Along along)
{
    if (!along.axis.id) return 1;
    uint32_t minor = (uint32_t)extent_of(p->kernel, along.minor);
    uint32_t points = p->target->lanes / minor;
    return use_of(extent_of(p->kernel, along.axis), points) * points * minor;
}

#define WOVEN  4 /* points of a woven axis at most */
#define INSIDE 8 /* points for which one load of everything serves, at most */

static bool weaves(const Planning *p, const Store *store, Axis vector, Axis woven)
{
    int64_t step, inner;
    for (int d = 0; d < store->at.rank; d++)
        if (store->at.at[d].guarded) return false;
    return !store->accumulate && access_step(p->kernel, &store->at, vector, &step) &&
           access_step(p->kernel, &store->at, woven, &inner) && inner == 1 &&
           step == extent_of(p->kernel, woven);
}

/* The axis inside of such rows that every store can weave; {0}: there is none. */
static Axis woven_axis(const Planning *p, Axis vector, Axis minor)
{
    uint32_t inside = p->parallel & ~p->rows;
    for (uint32_t i = 0; vector.id && !minor.id && i < p->kernel->axis.count; i++) {
        int64_t extent = p->kernel->axis.at[i].extent;
        if (!(inside >> i & 1) || extent > WOVEN || (extent & (extent - 1))) continue;
        bool all = true;
        for (uint32_t k = 0; k < p->kernel->store.count; k++)
            all &= weaves(p, &p->kernel->store.at[k], vector, (Axis){i + 1});
        if (all) return (Axis){i + 1};
    }
    return (Axis){0};
}

/* Cost of the whole kernel with rows vectorized along `rows` ({0}: reduces along their own axes) and stores along
 * `stores`. */
static double cost_of(const Planning *p, Along rows, Axis stores)
{
    const Kernel *kernel = p->kernel;
    const uint32_t *body = bodies_of(p);
    uint32_t lanes = p->target->lanes;
    double cost = 0, row_points = points_of(kernel, p->rows | p->sequential);
    double row_use = lanes_at_work(p, rows);
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        if (!p->live[i]) continue;
        if (body[i]) {
            Along inner = {.axis = {32 - (uint32_t)__builtin_clz(body[i])}};
            double use = rows.axis.id ? row_use
                                      : use_of(extent_of(kernel, inner.axis), REDUCE_LANES) * lanes;
            double points = row_points * points_of(kernel, body[i]);
            cost += points * scalar_cost(p, i, rows.axis.id ? rows : inner) / use;
        } else if (kernel->scalar.at[i].op == SCALAR_reduce && !rows.axis.id) {
            cost += row_points * COST_TREE;
        }
    }
    Along along = stores.id ? (Along){.axis = stores} : rows;
    double points = points_of(kernel, p->parallel | p->sequential) / lanes_at_work(p, along);
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        if (p->live[i] && !body[i]) cost += points * scalar_cost(p, i, along);
    bool is_woven = !stores.id && woven_axis(p, rows.axis, rows.minor).id;
    for (uint32_t i = 0; i < kernel->store.count; i++)
        cost += points * (is_woven ? COST_WOVEN : store_cost(p, &kernel->store.at[i], along));
    return cost;
}

/* {0}, or an axis that is small enough to go along with `vector`. */
static bool can_be_minor(const Planning *p, uint32_t minor, uint32_t vector)
{
    if (!minor) return true;
    if (p->has_reduce || !vector || minor == vector || !(p->rows >> (minor - 1) & 1)) return false;
    int64_t extent = extent_of(p->kernel, (Axis){minor});
    return (extent & (extent - 1)) == 0 && extent * 2 <= (int64_t)p->target->lanes;
}

static void consider(const Planning *p, Along rows, Axis stores, double *least, Schedule *s)
{
    double cost = cost_of(p, rows, stores);
    if (*least >= 0 && cost >= *least) return;
    *least = cost;
    s->vector = rows.axis;
    s->minor = rows.minor;
    s->across = rows.across;
    s->store_vector = stores;
}

static int64_t bytes_of_sums(const Planning *p);

/* The axis along which most of the loads and stores lie that do not lie along the vectors; {0}: there is none. */
static Axis across_axis(const Planning *p, Axis vector)
{
    const Kernel *kernel = p->kernel;
    uint32_t most = 0, axes = p->rows;
    Axis across = {0};
    if (!vector.id || p->sequential || (p->has_reduce && bytes_of_sums(p))) return across;
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        if (!(axes >> i & 1) || i + 1 == vector.id || kernel->axis.at[i].extent < 4) continue;
        uint32_t found = 0;
        Along along = {.axis = vector, .across = {i + 1}};
        for (uint32_t k = 1; k < kernel->scalar.count; k++)
            found += p->live[k] && kernel->scalar.at[k].op == SCALAR_load &&
                     lies_across(kernel, kernel->scalar.at[k].access, along, p->rows);
        for (uint32_t k = 0; k < kernel->store.count; k++)
            found += !kernel->store.at[k].accumulate &&
                     lies_across(kernel, &kernel->store.at[k].at, along, p->rows);
        if (found <= most) continue;
        most = found;
        across = (Axis){i + 1};
    }
    return across;
}

static void choose_vectors(const Planning *p, Schedule *s)
{
    uint32_t inside = p->parallel & ~p->rows, count = p->kernel->axis.count;
    double least = -1;
    for (uint32_t rows = 0; rows <= count; rows++) {
        if (rows && !(p->rows >> (rows - 1) & 1)) continue;
        for (uint32_t minor = 0; minor <= count; minor++)
            if (can_be_minor(p, minor, rows))
                consider(p, (Along){{rows}, {minor}, {0}}, (Axis){0}, &least, s);
        Axis across = across_axis(p, (Axis){rows});
        if (across.id) consider(p, (Along){{rows}, {0}, across}, (Axis){0}, &least, s);
        for (uint32_t stores = 1; stores <= count && !rows && p->has_reduce; stores++)
            if (inside >> (stores - 1) & 1)
                consider(p, (Along){{0}, {0}, {0}}, (Axis){stores}, &least, s);
    }
    s->width = s->vector.id || s->store_vector.id ? p->target->lanes : 1;
}

static int64_t distance(const Kernel *kernel, uint32_t axis)
{
    int64_t step = 0;
    access_step(kernel, &kernel->store.at[0].at, (Axis){axis + 1}, &step);
    return step < 0 ? -step : step;
}

/* Adds the axes with the largest steps of the first store outermost, `last` innermost. */
static void add_axes(const Planning *p, uint32_t axes, Axis last, Axis *order, uint32_t *count)
{
    if (last.id) axes &= ~(1u << (last.id - 1));
    while (axes) {
        uint32_t next = (uint32_t)__builtin_ctz(axes);
        for (uint32_t i = next + 1; i < p->kernel->axis.count; i++)
            if (axes >> i & 1 && distance(p->kernel, i) > distance(p->kernel, next)) next = i;
        order[(*count)++] = (Axis){next + 1};
        axes &= ~(1u << next);
    }
}

static void choose_order(const Planning *p, Schedule *s)
{
    uint32_t minor = s->minor.id ? 1u << (s->minor.id - 1) : 0;
    uint32_t across = s->across.id ? 1u << (s->across.id - 1) : 0;
    add_axes(p, p->rows & ~minor & ~across, s->vector, s->order, &s->order_count);
    if (s->across.id) s->order[s->order_count++] = s->across;
    for (uint32_t i = 0; i < p->kernel->axis.count; i++)
        if (p->sequential >> i & 1) s->order[s->order_count++] = (Axis){i + 1};
    if (s->vector.id) s->order[s->order_count++] = s->vector;
    if (!s->store_vector.id) s->woven = woven_axis(p, s->vector, s->minor);
    Axis last = s->store_vector.id ? s->store_vector : s->woven;
    add_axes(p, p->parallel & ~p->rows, last, s->store_order, &s->store_count);
    if (last.id) s->store_order[s->store_count++] = last;
}

static int64_t ceiling(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Bytes of the sums of a row; 0: its reduces are not worth more than a vector at a time. */
static int64_t bytes_of_sums(const Planning *p)
{
    const Kernel *kernel = p->kernel;
    int64_t bytes = 0;
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (!p->live[i] || node->op != SCALAR_reduce) continue;
        uint32_t inner = 32 - (uint32_t)__builtin_clz(node->axes);
        if (node->type == TYPE_bool || extent_of(kernel, (Axis){inner}) < LONG_SUM) return 0;
        int64_t size = type_is_float(node->type) ? 4 : type_info[node->type].bytes;
        bytes += node->reduce == REDUCE_add ? size * REDUCE_LANES : size;
    }
    return bytes;
}

/* Rows that lie side by side in memory are summed together, as many as their sums stay in the caches. */
static void choose_columns(const Planning *p, Schedule *s)
{
    int64_t extent = extent_of(p->kernel, s->vector), width = s->width;
    if (p->target->registers > FEW_REGISTERS) return;
    if (!s->vector.id || s->minor.id || !p->has_reduce || extent <= width) return;
    int64_t bytes = bytes_of_sums(p);
    if (!bytes) return;
    int64_t most = p->target->l2 / 4 / bytes / width, need = ceiling(extent, width);
    if (most < 1) most = 1;
    s->columns = (most < need ? most : need) * width;
    s->scratch = s->columns * bytes;
}

static int64_t block_bytes(const Schedule *s, Type type)
{
    return (int64_t)s->width * s->width * type_info[type].bytes;
}

/* A block of each transposed load and store in scratch. */
static void plan_transpositions(const Planning *p, Schedule *s)
{
    const Kernel *kernel = p->kernel;
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (p->live[i] && node->op == SCALAR_load && schedule_lies_across(s, kernel, node->access))
            s->scratch += block_bytes(s, node->type);
    }
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        const Store *store = &kernel->store.at[i];
        if (!store->accumulate && schedule_lies_across(s, kernel, &store->at))
            s->scratch += block_bytes(s, kernel->buffer.at[store->at.buffer].type);
    }
}

/* Slices are of loops over single points, or of whole vectors of rows. */
static void choose_slices(const Planning *p, Schedule *s)
{
    Axis axis = p->slices->axis;
    int64_t block = extent_of(p->kernel, axis) / p->slices->count;
    bool is_loop = false;
    for (uint32_t i = 0; i < s->order_count; i++)
        is_loop |= s->order[i].id == axis.id;
    bool is_single = axis.id != s->vector.id && axis.id != s->across.id;
    if (!is_loop || (!is_single && (s->columns || s->across.id || block % s->width))) return;
    s->sliced = true;
    s->task[s->task_count++] = (TaskAxis){axis, block};
    s->tasks = p->slices->count;
}

/* Splits row axes, outermost first, until there are enough tasks. */
static void choose_tasks(const Planning *p, Schedule *s)
{
    const Kernel *kernel = p->kernel;
    uint32_t all = (1u << kernel->axis.count) - 1, operations = 0;
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        operations += p->live[i] ? scalar_weight(&kernel->scalar.at[i]) : 0;
    double work = points_of(kernel, all) * (1 + operations / 4);
    int64_t wanted = (int64_t)(work / TASK_WORK);
    if (wanted > TASKS) wanted = TASKS;
    s->tasks = 1;
    for (uint32_t i = 0; i < s->order_count && s->tasks < wanted; i++) {
        Axis axis = s->order[i];
        if (kernel->axis.at[axis.id - 1].kind != AXIS_parallel) continue;
        /* Rows side by side are alike, and the more of them the longer the stretches of memory. */
        bool is_columns = axis.id == s->vector.id && s->columns && wanted > p->target->threads;
        int64_t most = is_columns ? p->target->threads : wanted;
        int64_t extent = extent_of(kernel, axis), need = ceiling(most, s->tasks);
        int64_t block = extent <= need ? 1 : ceiling(extent, need);
        if (axis.id == s->across.id) block = ceiling(block, 4 * s->width) * 4 * s->width;
        if (axis.id == s->vector.id) {
            block = ceiling(ceiling(extent, need), s->width) * s->width;
            if (block < 4 * s->width) block = 4 * s->width;
        }
        if (block >= extent) continue;
        if (axis.id == s->vector.id && block < s->columns) s->columns = block;
        s->task[s->task_count++] = (TaskAxis){axis, block};
        s->tasks *= ceiling(extent, block);
    }
}

/* Vectors of two registers where that is all there is to a point: no sums, and nothing but loads and stores along the axis. */
static void widen(const Planning *p, Schedule *s)
{
    uint32_t operations = 0;
    int64_t extent = extent_of(p->kernel, s->vector), width = 2 * s->width;
    if (!s->vector.id || s->minor.id || s->across.id || s->woven.id || p->has_reduce) return;
    if (p->slices && p->slices->axis.id == s->vector.id) return;
    for (uint32_t i = 1; i < p->kernel->scalar.count; i++)
        if (p->live[i] && p->kernel->scalar.at[i].op != SCALAR_load)
            operations += scalar_weight(&p->kernel->scalar.at[i]);
    if (operations < MANY_OPERATIONS || (extent % width && extent < 8 * width)) return;
    s->width = (uint32_t)width;
}

/* Small axes that no load depends on: what is loaded and computed for one of their points is there for the others. */
static uint32_t inside_axes(const Planning *p)
{
    const Kernel *kernel = p->kernel;
    uint32_t inside = p->parallel;
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        if (p->live[i] && kernel->scalar.at[i].op == SCALAR_load)
            inside &= ~kernel->scalar.at[i].depends;
    return inside == p->parallel || points_of(kernel, inside) > INSIDE ? 0 : inside;
}

static Planning planning_of(const Kernel *kernel, const ScheduleTarget *target,
                            const Slices *slices, Arena *arena)
{
    Planning p = {.kernel = kernel, .target = target, .slices = slices, .arena = arena};
    p.live = kernel_live(kernel, arena);
    for (uint32_t i = 0; i < kernel->axis.count; i++) {
        if (kernel->axis.at[i].extent == 1) continue;
        if (kernel->axis.at[i].kind == AXIS_parallel) p.parallel |= 1u << i;
        if (kernel->axis.at[i].kind == AXIS_sequential) p.sequential |= 1u << i;
    }
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        if (!p.live[i] || kernel->scalar.at[i].op != SCALAR_reduce) continue;
        p.has_reduce = true;
        p.rows |= kernel->scalar.at[i].depends & p.parallel;
    }
    if (!p.has_reduce) p.rows = p.parallel & ~inside_axes(&p);
    return p;
}

/* Whether all that is computed is of one byte: a register holds four times as many. */
static bool is_of_bytes(const Planning *p)
{
    for (uint32_t i = 1; i < p->kernel->scalar.count; i++)
        if (p->live[i] && type_info[p->kernel->scalar.at[i].type].bytes > 1) return false;
    return true;
}

Schedule schedule_default(const Kernel *kernel, const Contraction *contraction,
                          const ScheduleTarget *target, const Slices *slices,
                          const ScheduleChoice *choice, Arena *arena)
{
    if (contraction)
        return schedule_contraction(kernel, contraction, target, slices, choice, arena);
    Schedule s = {0};
    Planning p = planning_of(kernel, target, slices, arena);
    ScheduleTarget of_bytes = *target;
    of_bytes.lanes *= 4;
    if (is_of_bytes(&p)) p.target = &of_bytes;
    choose_vectors(&p, &s);
    choose_order(&p, &s);
    choose_columns(&p, &s);
    widen(&p, &s);
    plan_transpositions(&p, &s);
    if (slices) choose_slices(&p, &s);
    if (!s.sliced) choose_tasks(&p, &s);
    s.scratch = ceiling(s.scratch, 64) * 64;
    return s;
}

static void print_axis(Text *out, Axis axis)
{
    text_add(out, "%c", axis.id ? 'i' + (int)axis.id - 1 : '-');
}

static void print_axes(Text *out, const char *title, const Axis *axis, uint32_t count)
{
    text_add(out, "  %s", title);
    for (uint32_t i = 0; i < count; i++) {
        text_add(out, " ");
        print_axis(out, axis[i]);
    }
    text_add(out, "\n");
}

static void print_blocks(Text *out, const char *title, const TaskAxis *axis, uint32_t count)
{
    text_add(out, "  %s", title);
    for (uint32_t i = 0; i < count; i++) {
        text_add(out, " ");
        print_axis(out, axis[i].axis);
        text_add(out, "/%" PRId64, axis[i].block);
    }
    text_add(out, "\n");
}

void schedule_print(Text *out, const Schedule *s)
{
    text_add(out, "schedule {\n  vector ");
    print_axis(out, s->vector);
    text_add(out, " ");
    print_axis(out, s->minor);
    text_add(out, " x%u, stores ", s->width);
    print_axis(out, s->store_vector);
    text_add(out, "\n  tasks %" PRId64 ", columns %" PRId64 "\n", s->tasks, s->columns);
    print_blocks(out, "split", s->task, s->task_count);
    print_axes(out, "loops", s->order, s->order_count);
    print_axes(out, "inside", s->store_order, s->store_count);
    if (s->across.id) print_axes(out, "across", &s->across, 1);
    if (s->woven.id) print_axes(out, "woven", &s->woven, 1);
    if (s->is_winograd) {
        print_axes(out, "image", &s->image, 1);
        text_add(out,
                 "  rows %u, vectors %u, at once %" PRId64 ", tile rows %" PRId64 ", tiles %" PRId64
                 "\n",
                 s->rows, s->vectors, s->at_once, s->tile_rows, s->tiles);
        text_add(
            out, "  planes %" PRId64 " %" PRId64 " %" PRId64 ", gradient %d, scratch %" PRId64 "\n",
            s->image_plane, s->other_plane, s->sums_plane, s->winograd.is_gradient, s->scratch);
    } else if (s->contraction) {
        print_blocks(out, "tile", s->tile, s->tile_count);
        text_add(out, "  rows %u, vectors %u, panels %u, pack %d, transposed %d, rows first %d\n",
                 s->rows, s->vectors, s->panels, s->pack, s->pack_transposed, s->rows_first);
        text_add(out, "  finish %d %d, copies %u, a %d by %" PRId64 "\n", s->finish_looped,
                 s->finish_by_rows, s->copy_count, s->pack_a, s->a_rows);
        text_add(out, "  k %" PRId64 ", around %u, block %" PRId64 "\n", s->k, s->k_outer,
                 s->k_block);
        if (s->range || s->wanted) text_add(out, "  range %d, wanted %d\n", s->range, s->wanted);
        if (s->products) {
            text_add(out, "  products %d, pairs ", s->products);
            print_axis(out, s->pair);
            text_add(out, " of %" PRId64 " by %" PRId64 ", first %d, lanes ", s->k_points, s->depth,
                     s->a_first);
            print_axis(out, s->a_lanes);
            text_add(out, "\n");
        }
        text_add(out, "  factors %%%u %%%u, scratch %" PRId64 "\n", s->of.a.id, s->of.b.id,
                 s->scratch);
    }
    text_add(out, "}\n");
}

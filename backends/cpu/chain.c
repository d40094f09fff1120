#include "backends/cpu/chain.h"
#include "ir/kernel/reach.h"

#define MOST_SLICES 128
#define MOST_CALLS  16

typedef struct Finder {
    const Module *module;
    const CpuTarget *target;
    const Tuned *tuned;
    Arena *arena;
} Finder;

/* Calls that may run together so far. */
typedef struct Candidate {
    uint32_t first, count;
    int64_t slices;
    Reach reach[MOST_CALLS];
    int64_t saved; /* bytes that need not come from farther away than the second-level cache */
} Candidate;

static const Call *call_at(const Finder *f, uint32_t i)
{
    return &f->module->call.at[i];
}

static const Kernel *kernel_at(const Finder *f, uint32_t call)
{
    return f->module->kernel.at[call_at(f, call)->kernel];
}

/* --- whether slices of two calls keep out of each other's way ----------------------------------------------------------- */

typedef struct Side {
    const Region *region;
    const Stretch *touched; /* of each slice */
    int64_t size;           /* bytes of an element */
} Side;

static Side side_of(const Finder *f, uint32_t call, const Reach *reach, uint32_t buffer)
{
    return (Side){&call_at(f, call)->binding[buffer],
                  &reach->touched[(int64_t)buffer * reach->slices.count],
                  type_info[kernel_at(f, call)->buffer.at[buffer].type].bytes};
}

static int64_t byte_of(const Side *side, int64_t element)
{
    return side->region->offset + element * side->size;
}

/* Whether all that slices up to t of `low` touch lies before what slices from t + 1 on of `high` do. */
static bool ascend(const Side *low, const Side *high, int64_t slices)
{
    int64_t end = INT64_MIN, begin[MOST_SLICES + 1];
    begin[slices] = INT64_MAX;
    for (int64_t t = slices; t-- > 0;) {
        const Stretch *s = &high->touched[t];
        int64_t first = s->begin == s->end ? INT64_MAX : byte_of(high, s->begin);
        begin[t] = first < begin[t + 1] ? first : begin[t + 1];
    }
    for (int64_t t = 0; t + 1 < slices; t++) {
        const Stretch *s = &low->touched[t];
        if (s->begin != s->end && byte_of(low, s->end) > end) end = byte_of(low, s->end);
        if (end > begin[t + 1]) return false;
    }
    return true;
}

static bool are_apart(const Finder *f, uint32_t a, const Reach *of_a, uint32_t b, const Reach *of_b)
{
    const Kernel *first = kernel_at(f, a), *second = kernel_at(f, b);
    for (uint32_t i = 0; i < first->buffer.count; i++)
        for (uint32_t k = 0; k < second->buffer.count; k++) {
            if (!first->buffer.at[i].written && !second->buffer.at[k].written) continue;
            Side x = side_of(f, a, of_a, i), y = side_of(f, b, of_b, k);
            if (!region_overlaps(x.region, y.region)) continue;
            if (!ascend(&x, &y, of_a->slices.count) || !ascend(&y, &x, of_a->slices.count))
                return false;
        }
    return true;
}

/* --- what it is worth --------------------------------------------------------------------------------------------------- */

/* What a call touches of one of its buffers. */
static int64_t bytes_of(const Kernel *kernel, uint32_t buffer)
{
    int64_t most = 0;
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (node->op != SCALAR_load || node->access->buffer != buffer) continue;
        int64_t bytes = access_bytes(kernel, node->access);
        if (bytes > most) most = bytes;
    }
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        if (kernel->store.at[i].at.buffer != buffer) continue;
        int64_t bytes = access_bytes(kernel, &kernel->store.at[i].at);
        if (bytes > most) most = bytes;
    }
    return most;
}

static bool is_touched(const Finder *f, uint32_t first, uint32_t end, const Region *region)
{
    for (uint32_t i = first; i < end; i++)
        for (uint32_t k = 0; k < call_at(f, i)->count; k++)
            if (region_overlaps(&call_at(f, i)->binding[k], region)) return true;
    return false;
}

/* Bytes of a call that one since `first` has brought close, of buffers that would not stay in a core's cache until then otherwise. */
static int64_t saved_by(const Finder *f, uint32_t first, uint32_t call)
{
    int64_t bytes = 0;
    for (uint32_t k = 0; k < call_at(f, call)->count; k++) {
        int64_t touched = bytes_of(kernel_at(f, call), k);
        bool is_large = touched >= f->target->schedule.l2 / 2;
        if (is_large && is_touched(f, first, call, &call_at(f, call)->binding[k])) bytes += touched;
    }
    return bytes;
}

/* Of the largest slice, buffers of several calls once. */
static int64_t bytes_of_slice(const Finder *f, const Candidate *c, uint32_t at)
{
    uint32_t call = c->first + at;
    int64_t bytes = 0;
    for (uint32_t k = 0; k < call_at(f, call)->count; k++) {
        Side side = side_of(f, call, &c->reach[at], k);
        int64_t most = 0;
        if (is_touched(f, c->first, call, side.region)) continue;
        for (int64_t t = 0; t < c->slices; t++) {
            int64_t size = (side.touched[t].end - side.touched[t].begin) * side.size;
            if (size > most) most = size;
        }
        bytes += most;
    }
    return bytes;
}

/* --- finding ------------------------------------------------------------------------------------------------------------- */

/* The longest chain of so many slices from a call on that fits into half of the cache; its last call is one that gains. */
static Candidate extend(const Finder *f, uint32_t first, int64_t slices)
{
    Candidate c = {.first = first, .slices = slices};
    int64_t bytes = 0, saved = 0;
    for (uint32_t n = 0; n < MOST_CALLS && first + n < f->module->call.count; n++) {
        const Kernel *kernel = kernel_at(f, first + n);
        Axis axis = reach_axis(kernel, slices);
        if (!axis.id) break;
        c.reach[n] = reach_of(kernel, (Slices){axis, slices}, f->arena);
        bytes += bytes_of_slice(f, &c, n);
        if (bytes > f->target->schedule.l2 / 2) break;
        bool is_apart = true;
        for (uint32_t i = 0; is_apart && i < n; i++)
            is_apart = are_apart(f, first + i, &c.reach[i], first + n, &c.reach[n]);
        if (!is_apart) break;
        saved += saved_by(f, first, first + n);
        if (saved <= c.saved) continue;
        c.saved = saved;
        c.count = n + 1;
    }
    return c;
}

/* The fewest slices that gain most, as many for each thread. */
static Candidate best_from(const Finder *f, uint32_t first)
{
    Candidate best = {0};
    int64_t threads = f->target->schedule.threads;
    for (int64_t slices = 2; slices <= MOST_SLICES; slices++) {
        if (slices % threads && slices < 8 * threads) continue;
        if (!reach_axis(kernel_at(f, first), slices).id) continue;
        Candidate c = extend(f, first, slices);
        if (c.saved > best.saved) best = c;
    }
    return best;
}

/* The calls of a candidate as far as their schedules follow; false if nothing is gained so. */
static bool plan_chain(const Finder *f, const Candidate *c, ChainPlan *chain)
{
    Plan *plan = arena_array(f->arena, Plan, c->count);
    int64_t saved = 0;
    *chain = (ChainPlan){.first = c->first, .slices = c->slices, .plan = plan};
    for (uint32_t i = 0; i < c->count; i++) {
        plan[i] = plan_kernel(kernel_at(f, c->first + i), f->target, &c->reach[i].slices, f->tuned,
                              f->arena);
        if (!plan[i].schedule.sliced) break;
        int64_t more = saved_by(f, c->first, c->first + i);
        if (more) chain->count = i + 1;
        saved += more;
    }
    return saved > 0;
}

/* --- buffers that nobody needs outside --------------------------------------------------------------------------------------- */

bool kernel_reads(const Kernel *kernel, uint32_t buffer)
{
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (node->op == SCALAR_load && node->access->buffer == buffer) return true;
    }
    for (uint32_t i = 0; i < kernel->store.count; i++)
        if (kernel->store.at[i].at.buffer == buffer && kernel->store.at[i].accumulate) return true;
    return false;
}

static bool contains(const Region *a, const Region *b)
{
    return region_overlaps(a, b) && a->offset <= b->offset &&
           b->offset + b->bytes <= a->offset + a->bytes;
}

/* Whether all bytes were written by one of the calls. */
static bool is_written(const Finder *f, uint32_t first, uint32_t end, const Region *region)
{
    for (uint32_t i = first; i < end; i++)
        for (uint32_t k = 0; k < call_at(f, i)->count; k++)
            if (kernel_at(f, i)->buffer.at[k].written &&
                contains(&call_at(f, i)->binding[k], region))
                return true;
    return false;
}

/* Whether a later call may read what the chain left there. */
static bool is_live(const Finder *f, uint32_t end, const Region *region)
{
    for (uint32_t i = end; i < f->module->call.count; i++)
        for (uint32_t k = 0; k < call_at(f, i)->count; k++) {
            const Region *other = &call_at(f, i)->binding[k];
            if (!region_overlaps(other, region) || !kernel_reads(kernel_at(f, i), k)) continue;
            if (!is_written(f, end, i, other)) return true;
        }
    return false;
}

/* Written, then read, by calls of the chain that all have it whole, and by nobody else. */
static bool is_inside(const Finder *f, const ChainPlan *chain, const Region *region)
{
    uint32_t uses = 0, end = chain->first + chain->count;
    for (uint32_t i = chain->first; i < end; i++)
        for (uint32_t k = 0; k < call_at(f, i)->count; k++) {
            const Region *other = &call_at(f, i)->binding[k];
            if (!region_overlaps(other, region)) continue;
            if (other->offset != region->offset || other->bytes != region->bytes) return false;
            if (!uses++ && kernel_reads(kernel_at(f, i), k)) return false;
        }
    return uses > 1 && !is_live(f, end, region);
}

/* Room for a slice of the region, and a tile for each use of it. */
static void add_tiles(const Finder *f, const Candidate *c, ChainPlan *chain, const Region *region)
{
    int64_t *begin = arena_array(f->arena, int64_t, c->slices), most = 0;
    for (int64_t t = 0; t < c->slices; t++) {
        int64_t least = INT64_MAX, end = 0;
        for (uint32_t i = 0; i < chain->count; i++)
            for (uint32_t k = 0; k < call_at(f, chain->first + i)->count; k++) {
                Side side = side_of(f, chain->first + i, &c->reach[i], k);
                if (!region_overlaps(side.region, region)) continue;
                const Stretch *s = &side.touched[t];
                if (s->begin * side.size < least) least = s->begin * side.size;
                if (s->end * side.size > end) end = s->end * side.size;
            }
        begin[t] = least;
        if (end - least > most) most = end - least;
    }
    for (uint32_t i = 0; i < chain->count; i++)
        for (uint32_t k = 0; k < call_at(f, chain->first + i)->count; k++)
            if (region_overlaps(&call_at(f, chain->first + i)->binding[k], region))
                *list_add(f->arena, &chain->tile) = (Tile){i, k, chain->tile_bytes, begin};
    chain->tile_bytes += (most + 63) / 64 * 64;
}

static void find_tiles(const Finder *f, const Candidate *c, ChainPlan *chain)
{
    for (uint32_t i = 0; i < chain->count; i++)
        for (uint32_t k = 0; k < call_at(f, chain->first + i)->count; k++) {
            const Region *region = &call_at(f, chain->first + i)->binding[k];
            bool is_new = kernel_at(f, chain->first + i)->buffer.at[k].written &&
                          !is_touched(f, chain->first, chain->first + i, region);
            if (is_new && region->place == PLACE_arena && is_inside(f, chain, region))
                add_tiles(f, c, chain, region);
        }
}

ChainPlans chain_plans(const Module *module, const CpuTarget *target, const Tuned *tuned,
                       Arena *arena)
{
    Finder f = {module, target, tuned, arena};
    ChainPlans found = {0};
    for (uint32_t first = 0; first + 1 < module->call.count;) {
        ChainPlan chain = {0};
        Candidate c = {0};
        if (saved_by(&f, first, first + 1)) c = best_from(&f, first);
        bool is_found = c.count > 1 && plan_chain(&f, &c, &chain);
        if (is_found) {
            find_tiles(&f, &c, &chain);
            *list_add(arena, &found) = chain;
        }
        first += is_found ? chain.count : 1;
    }
    return found;
}

/* What contractions will read and no hardware foresees, on its way from afar while tiles are computed. */
#include "backends/cpu/tile.h"

#define LINE        64   /* bytes of a cache line */
#define AHEAD       16   /* points of k that memory takes to answer */
#define SEVERAL     4    /* panels that share rows: a loop of its own calls up the next */
#define LONG_ENOUGH 64   /* points of k: the sums of a tile take as long as memory does to answer */
#define LONG        1024 /* ... so long that the answer does not matter */

static bool is_computed_address(const Access *access)
{
    for (int d = 0; d < access->rank; d++)
        if (access->at[d].dynamic.id) return true;
    return false;
}

/* Not what is read at a position that was read itself, as there is none beyond the end, nor what is read from a copy. */
static void prefetch_factor(Emit *e, Scalar factor, Axis along, int64_t lines)
{
    const bool *needed = kernel_needed(e->kernel, factor, e->arena);
    for (uint32_t i = 1; i <= factor.id; i++) {
        const ScalarNode *node = &e->kernel->scalar.at[i];
        if (!needed[i] || node->op != SCALAR_load || e->moved[i].access) continue;
        if (is_computed_address(node->access)) continue;
        if (!(access_axes(e->kernel, node->access) >> (along.id - 1) & 1)) continue;
        for (int64_t line = 0; line < lines; line++)
            prefetch_access(e, node->access, node->type, line * LINE / type_info[node->type].bytes,
                            2);
    }
}

static int64_t bytes_of(const Emit *e, Scalar factor)
{
    const bool *needed = kernel_needed(e->kernel, factor, e->arena);
    int64_t bytes = 0;
    for (uint32_t i = 1; i <= factor.id; i++)
        if (needed[i] && e->kernel->scalar.at[i].op == SCALAR_load)
            bytes += access_bytes(e->kernel, e->kernel->scalar.at[i].access);
    return bytes;
}

/* Whether each point of k lies a few lines from the last, where the rows of a tile are neighbours, and all beyond the core's caches. */
static bool rows_lie_far(const Emit *e, const Tile *t)
{
    const Schedule *s = e->schedule;
    return !s->products && s->pack_a != PACK_A_along_k && s->tile_count == 1 && s->vector.id &&
           t->k_count && schedule_is_far(e->kernel, s->of.a, t->k[t->k_count - 1], e->arena) &&
           bytes_of(e, s->of.a) > e->target->schedule.l2 / 2;
}

static void prefetch_next_tile(Emit *e)
{
    const TaskAxis *rows = &e->schedule->tile[0];
    axis_plus(e, rows->axis, 2 * rows->block - 1);
    prefetch_factor(e, e->schedule->of.a, rows->axis, 1);
    axis_plus(e, rows->axis, 0);
}

void prefetch_step(Emit *e, const Tile *t)
{
    const Schedule *s = e->schedule;
    if (s->products || !t->k_count) return;
    Axis k = t->k[t->k_count - 1];
    if (s->panels < SEVERAL && rows_lie_far(e, t)) prefetch_next_tile(e);
    if (s->pack || !s->vector.id || !schedule_is_far(e->kernel, s->of.b, k, e->arena)) return;
    int64_t step = e->axis[k.id - 1].plus;
    axis_plus(e, k, step + AHEAD);
    prefetch_factor(e, s->of.b, k, t->column * 4 / LINE);
    axis_plus(e, k, step);
}

static void prefetch_runs(Emit *e, const Tile *t, uint32_t at)
{
    const Runs *runs = &t->run_a;
    if (at == runs->count) {
        prefetch_next_tile(e);
        return;
    }
    Loop loop;
    loop_open(e, &loop, runs->from[at], runs->to[at], 1, 0, NULL);
    axis_bind(e, runs->axis[at], loop.index, e->depth);
    prefetch_runs(e, t, at + 1);
    axis_bind(e, runs->axis[at], emit_i64(e, 0), 0);
    loop_close(e, &loop, NULL);
}

void prefetch_next_rows(Emit *e, Tile *t)
{
    if (e->schedule->panels < SEVERAL || !rows_lie_far(e, t)) return;
    bind_k(e, t, &t->run_a);
    prefetch_runs(e, t, 0);
    release_k(e, t);
}

/* What the code after the sum reads at each of its elements, b's side and a's, and what it writes elsewhere than it reads. */
typedef struct Ahead {
    const Access *access[8];
    Type type[8];
    uint32_t count;
} Ahead;

static void ahead_add(const Emit *e, Ahead *ahead, const Access *access)
{
    const Schedule *s = e->schedule;
    uint32_t axes = access_axes(e->kernel, access), rows = 0;
    int64_t step;
    for (uint32_t i = 0; i < s->tile_count; i++)
        rows |= 1u << (s->tile[i].axis.id - 1);
    if (is_computed_address(access)) return;
    for (uint32_t i = 0; i < ahead->count; i++)
        if (access_same_element(ahead->access[i], access))
            return; /* a new value goes where the old one is */
    bool lies_along = access_step(e->kernel, access, s->vector, &step) && step == 1;
    if (!lies_along || !(axes & rows) || ahead->count == 8) return;
    ahead->type[ahead->count] = e->kernel->buffer.at[access->buffer].type;
    ahead->access[ahead->count++] = access;
}

static Ahead plan_ahead(const Emit *e)
{
    Ahead ahead = {0};
    const bool *live = kernel_live(e->kernel, e->arena);
    const bool *of_sum = kernel_needed(e->kernel, e->schedule->of.sum, e->arena);
    for (uint32_t i = 1; i < e->kernel->scalar.count; i++) {
        const ScalarNode *node = &e->kernel->scalar.at[i];
        if (live[i] && !of_sum[i] && node->op == SCALAR_load) ahead_add(e, &ahead, node->access);
    }
    for (uint32_t i = 0; i < e->kernel->store.count; i++)
        ahead_add(e, &ahead, &e->kernel->store.at[i].at);
    return ahead;
}

static void prefetch_rows(Emit *e, const Tile *t, int64_t rows, const Ahead *ahead, uint32_t at)
{
    const Schedule *s = e->schedule;
    if (at == s->tile_count) {
        for (uint32_t i = 0; i < ahead->count; i++) {
            int64_t bytes = type_info[ahead->type[i]].bytes;
            for (int64_t to = 0; to < t->column; to += LINE / bytes)
                prefetch_access(e, ahead->access[i], ahead->type[i], to, 2);
        }
        return;
    }
    Loop loop;
    Axis axis = s->tile[at].axis;
    Binding before = e->axis[axis.id - 1];
    int64_t block = at ? s->tile[at].block : rows;
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, block), 1, 0, NULL);
    LLVMValueRef first = before.value ? before.value : emit_i64(e, before.base);
    axis_bind(e, axis, LLVMBuildAdd(e->builder, first, loop.index, ""), e->depth);
    prefetch_rows(e, t, rows, ahead, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
    e->axis[axis.id - 1] = before;
}

void prefetch_finish(Emit *e, const Tile *t, int64_t rows)
{
    Ahead ahead = plan_ahead(e);
    prefetch_rows(e, t, rows, &ahead, 0);
    emit_at(e, e->depth);
}

/* Much, as an update of weights, or more than the caches of the core hold. */
bool finish_is_far(const Emit *e)
{
    const Schedule *s = e->schedule;
    if (!s->vector.id || s->k < LONG_ENOUGH) return false;
    if (s->finish_looped) return true;
    Ahead ahead = plan_ahead(e);
    int64_t bytes = 0;
    for (uint32_t i = 0; i < ahead.count; i++)
        bytes += access_bytes(e->kernel, ahead.access[i]);
    return s->k <= LONG && bytes > e->target->schedule.l2;
}

void prefetch_elements(Emit *e, const Area *area, int64_t plus, int64_t count)
{
    for (int64_t to = 0; to < count; to += LINE / 4)
        prefetch_line(e, area_element(e, area, plus + to), 1);
}

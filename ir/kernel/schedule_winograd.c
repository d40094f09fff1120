/* Schedules of minimal filtering: how many tiles are turned at a time, and how the work is cut into tasks. */
#include "ir/kernel/schedule.h"

#define PLANES (WINOGRAD_POINTS * WINOGRAD_POINTS)
#define APART  16 /* elements that keep planes from falling on the same sets of the cache */
#define FEWEST                                                                                     \
    16 /* tiles at a time: each brings all turned taps, or all sums, from where they are */
#define SLICE_TILES                                                                                \
    128 /* of a slice: turning the taps takes a twentieth of the time of its products */
#define MOST_ROWS 28

typedef struct Filtering {
    const Kernel *kernel;
    const Winograd *winograd;
    const ScheduleTarget *target;
    int64_t channels, filters; /* of a task; two channels of integers are one */
} Filtering;

static int64_t extent_of(const Kernel *kernel, Axis axis)
{
    return axis.id ? kernel->axis.at[axis.id - 1].extent : 1;
}

static int64_t ceiling(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static uint32_t most_rows(const Filtering *f, uint32_t vectors)
{
    uint32_t rows = (f->target->registers - 1 - vectors) / vectors;
    return rows < MOST_ROWS ? rows : MOST_ROWS;
}

static void add_task(const Filtering *f, Schedule *s, Axis axis, int64_t block)
{
    s->task[s->task_count++] = (TaskAxis){axis, block};
    s->tasks *= ceiling(extent_of(f->kernel, axis), block);
}

static void order_axes(const Filtering *f, Schedule *s)
{
    const Winograd *w = f->winograd;
    for (uint32_t i = 0; i < f->kernel->axis.count; i++)
        if (w->around >> i & 1) s->order[s->order_count++] = (Axis){i + 1};
    for (uint32_t i = 0; i < f->kernel->axis.count; i++) {
        if (!(w->images >> i & 1)) continue;
        if (s->image.id) s->order[s->order_count++] = s->image;
        s->image = (Axis){i + 1};
    }
}

static int64_t tiles_of(const Filtering *f)
{
    const Winograd *w = f->winograd;
    int64_t tiles = extent_of(f->kernel, w->window[0]) / WINOGRAD_SIDE *
                    extent_of(f->kernel, w->window[1]) / WINOGRAD_SIDE;
    for (uint32_t i = 0; i < f->kernel->axis.count; i++)
        if (w->images >> i & 1) tiles *= f->kernel->axis.at[i].extent;
    return tiles;
}

/* A slice is a task. */
static void take_slices(const Filtering *f, Schedule *s, const Slices *slices)
{
    const Winograd *w = f->winograd;
    uint32_t axis = slices->axis.id - 1;
    int64_t block = extent_of(f->kernel, slices->axis) / slices->count;
    bool is_parallel = (w->is_gradient ? w->around : w->images) >> axis & 1;
    if (!is_parallel || (!w->is_gradient && tiles_of(f) / slices->count < SLICE_TILES)) return;
    add_task(f, s, slices->axis, block);
    s->sliced = true;
}

static void share_filters(Filtering *f, Schedule *s)
{
    int64_t column = s->vectors * s->width;
    f->filters = ceiling(f->filters / column, f->target->threads) * column;
    add_task(f, s, f->winograd->filter, f->filters);
}

/* Images, or rows of tiles: each thread turns the taps once.  Where tiles are fewer than the filters, those: each thread turns all images, and its
 * own taps. */
static void share_outputs(Filtering *f, Schedule *s)
{
    int64_t threads = f->target->threads;
    const Axis window = f->winograd->window[0];
    if (threads > 1 && tiles_of(f) < f->filters) {
        share_filters(f, s);
        return;
    }
    for (uint32_t i = 0; i <= s->order_count; i++) {
        Axis axis = i ? s->order[i - 1] : s->image;
        int64_t extent = extent_of(f->kernel, axis);
        if (!axis.id || extent < threads) continue;
        add_task(f, s, axis, ceiling(extent, threads));
        return;
    }
    int64_t rows = extent_of(f->kernel, window) / WINOGRAD_SIDE;
    add_task(f, s, window, ceiling(rows, threads) * WINOGRAD_SIDE);
}

/* Taps: by what they are around of, else by filters and channels, which turns images or outputs more than once. */
static void share_taps(Filtering *f, Schedule *s)
{
    int64_t threads = f->target->threads;
    const Winograd *w = f->winograd;
    for (uint32_t i = 0; i < s->order_count; i++) {
        int64_t extent = extent_of(f->kernel, s->order[i]);
        if (!(w->around >> (s->order[i].id - 1) & 1) || extent < threads) continue;
        add_task(f, s, s->order[i], ceiling(extent, threads));
        return;
    }
    share_filters(f, s);
    threads = ceiling(threads, s->tasks);
    if (threads == 1) return;
    int64_t unit = s->rows > s->width ? s->rows : s->width; /* whole vectors, whole tiles */
    f->channels = ceiling(f->channels / unit, threads) * unit;
    add_task(f, s, w->channel, f->channels);
}

/* As many tiles as keep to half of the second-level cache; whole images, or whole rows of tiles of one. */
static void choose_tiles(const Filtering *f, Schedule *s)
{
    const Winograd *w = f->winograd;
    int64_t fitting = f->target->l2 / 2 / (PLANES * (f->channels + f->filters) * 4);
    if (fitting < FEWEST) fitting = FEWEST;
    int64_t rows = schedule_task_points(s, f->kernel, w->window[0]) / WINOGRAD_SIDE;
    int64_t columns = extent_of(f->kernel, w->window[1]) / WINOGRAD_SIDE;
    int64_t images = s->image.id ? schedule_task_points(s, f->kernel, s->image) : 1;
    bool is_cut = rows * WINOGRAD_SIDE < extent_of(f->kernel, w->window[0]);
    s->at_once = 1;
    s->tile_rows = smaller(rows, fitting / columns > 1 ? fitting / columns : 1);
    if (s->tile_rows == rows && !is_cut) s->at_once = smaller(images, fitting / (rows * columns));
    if (s->at_once < 1) s->at_once = 1;
    s->at_once = ceiling(images, ceiling(images, s->at_once));
    s->tile_rows = ceiling(rows, ceiling(rows, s->tile_rows));
    s->tiles = s->at_once * s->tile_rows * columns;
}

/* Rows of the register tile: of tiles, of which there may be more in scratch than there are, so that few are computed in vain. */
static uint32_t rows_for(const Filtering *f, int64_t tiles, uint32_t vectors)
{
    uint32_t best = 1;
    int64_t least = INT64_MAX;
    for (uint32_t rows = most_rows(f, vectors); rows > 0; rows--) {
        int64_t cost = ceiling(tiles, rows) * (rows * vectors + vectors + 1);
        if (cost >= least) continue;
        least = cost;
        best = rows;
    }
    return best;
}

static int64_t reserve(Schedule *s, int64_t elements)
{
    int64_t at = s->scratch / 4;
    s->scratch += (elements * 4 + 63) / 64 * 64;
    return at;
}

static void place_scratch(const Filtering *f, Schedule *s)
{
    bool is_gradient = f->winograd->is_gradient;
    int64_t tiles = is_gradient ? s->tiles : ceiling(s->tiles, s->rows) * s->rows;
    s->image_pitch = f->channels;
    s->other_pitch = s->sums_row = f->filters;
    s->image_plane = tiles * s->image_pitch + APART;
    s->other_plane = (is_gradient ? tiles : f->channels) * s->other_pitch + APART;
    s->sums_plane = (is_gradient ? f->channels : tiles) * s->sums_row + APART;
    int64_t columns = extent_of(f->kernel, f->winograd->window[1]) + WINOGRAD_TAPS - 1;
    int64_t rows = s->tile_rows * WINOGRAD_SIDE + WINOGRAD_TAPS - 1;
    s->points_at = reserve(s, rows * columns * f->channels + APART);
    s->image_at = reserve(s, PLANES * s->image_plane);
    s->other_at = reserve(s, PLANES * s->other_plane);
    s->sums_at = reserve(s, PLANES * s->sums_plane);
}

Schedule schedule_winograd(const Kernel *kernel, const Contraction *contraction,
                           const Winograd *winograd, const ScheduleTarget *target,
                           const Slices *slices)
{
    Filtering f = {.kernel = kernel, .winograd = winograd, .target = target};
    f.channels = extent_of(kernel, winograd->channel) / (winograd->of_integers ? 2 : 1);
    f.filters = extent_of(kernel, winograd->filter);
    Schedule s = {.contraction = true,
                  .is_winograd = true,
                  .of = *contraction,
                  .winograd = *winograd,
                  .vector = winograd->filter,
                  .width = target->lanes,
                  .tasks = 1};
    s.vectors = f.filters / s.width % 2 ? 1 : 2;
    if (winograd->is_gradient)
        for (s.rows = 1; 2 * s.rows <= most_rows(&f, s.vectors) && 2 * s.rows <= 16;)
            s.rows *= 2;
    order_axes(&f, &s);
    if (slices) take_slices(&f, &s, slices);
    if (!s.sliced && winograd->is_gradient) share_taps(&f, &s);
    if (!s.sliced && !winograd->is_gradient) share_outputs(&f, &s);
    choose_tiles(&f, &s);
    if (!winograd->is_gradient) s.rows = rows_for(&f, s.tiles, s.vectors);
    s.finish_paired = s.vectors == 2 && target->registers <= FEW_REGISTERS &&
                      !winograd->is_gradient && schedule_stores_bytes(kernel);
    place_scratch(&f, &s);
    return s;
}

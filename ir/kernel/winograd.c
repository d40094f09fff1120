#include "ir/kernel/winograd.h"
#include "ir/base/boundary.h"
#include "ir/kernel/schedule.h"

#define LANES            16 /* of the widest vectors: channels come in whole ones */
/* Below, turning the taps takes longer than it saves: from vectors of filters side by side; or gathered one by one, or back. */
#define LEAST_TILES      4
#define LEAST_TILES_SLOW 32
#define MOST_TAPS        16384 /* channels times filters: 36 numbers of each are kept by every thread */
#define MOST_SUM         (1 << 25) /* of bytes */

/* --- recognition ---------------------------------------------------------------------------------------------------------------- */

static int64_t by(const Affine *affine, Axis axis)
{
    return affine->by[axis.id - 1];
}

/* Whether the factor sees the two axes as window + sign * tap alone; *sign is 0 as long as nothing is known of it. */
static bool sees_window(const Kernel *kernel, const bool *needed, Scalar factor, Axis window,
                        Axis tap, int *sign)
{
    *sign = 0;
    for (uint32_t i = 1; i <= factor.id; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        if (needed[i] && node->op == SCALAR_reduce) return false;
        for (int d = 0; needed[i] && node->access && d < node->access->rank; d++) {
            const Affine *affine = &node->access->at[d].affine;
            int64_t w = by(affine, window), t = by(affine, tap);
            if (!w && !t) continue;
            if (t != w && t != -w) return false;
            int now = t == w ? 1 : -1;
            if (*sign && *sign != now) return false;
            *sign = now;
        }
    }
    return *sign != 0;
}

/* Whether all loads of the factor that the axis moves go from neighbour to neighbour along it. */
static bool lies_along(const Kernel *kernel, const bool *needed, Scalar factor, Axis axis)
{
    for (uint32_t i = 1; i <= factor.id; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        int64_t step;
        if (!needed[i] || node->op != SCALAR_load) continue;
        if (!access_step(kernel, node->access, axis, &step) || (step != 0 && step != 1))
            return false;
    }
    return true;
}

typedef struct Finding {
    const Kernel *kernel;
    Arena *arena;
    uint32_t image, other; /* axes of the factors */
    const bool *needed;    /* by the image */
    uint32_t left;         /* axes of extent above 1 without a role yet */
} Finding;

static bool has_two_windows(Finding *f, Winograd *w, uint32_t windows, uint32_t taps)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < f->kernel->axis.count; i++)
        for (uint32_t k = 0; k < f->kernel->axis.count; k++) {
            int sign;
            bool fits = windows >> i & 1 && taps >> k & 1 &&
                        f->kernel->axis.at[i].extent % WINOGRAD_SIDE == 0 &&
                        f->kernel->axis.at[k].extent == WINOGRAD_TAPS;
            if (!fits ||
                !sees_window(f->kernel, f->needed, w->image, (Axis){i + 1}, (Axis){k + 1}, &sign))
                continue;
            if (found == 2) return false;
            w->window[found] = (Axis){i + 1};
            w->tap[found] = (Axis){k + 1};
            w->sign[found++] = sign;
            windows &= ~(1u << i);
            taps &= ~(1u << k);
            f->left &= ~(1u << i | 1u << k);
        }
    return found == 2;
}

/* The only axis of a set, if it comes in whole vectors. */
static Axis only_axis(Finding *f, uint32_t axes)
{
    if (!axes || axes & (axes - 1)) return (Axis){0};
    Axis axis = {(uint32_t)__builtin_ctz(axes) + 1};
    f->left &= ~axes;
    return f->kernel->axis.at[axis.id - 1].extent % LANES ? (Axis){0} : axis;
}

static int64_t points(const Kernel *kernel, uint32_t axes)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < kernel->axis.count; i++)
        if (axes >> i & 1) count *= kernel->axis.at[i].extent;
    return count;
}

static uint32_t bit(Axis axis)
{
    return 1u << (axis.id - 1);
}

static bool is_worth_it(const Kernel *kernel, const Winograd *w, const bool *by_other)
{
    bool is_slow = w->is_gradient || !lies_along(kernel, by_other, w->other, w->filter);
    int64_t tiles = points(kernel, w->images | bit(w->window[0]) | bit(w->window[1])) /
                    WINOGRAD_SIDE / WINOGRAD_SIDE;
    return tiles >= (is_slow ? LEAST_TILES_SLOW : LEAST_TILES) &&
           points(kernel, bit(w->channel) | bit(w->filter)) <= MOST_TAPS;
}

/* With one factor as the image. */
static bool recognize(Finding *f, const Contraction *of, Winograd *w)
{
    const Kernel *kernel = f->kernel;
    uint32_t parallel = (of->m | of->n | of->batch) & f->left, summed = of->k & f->left;
    f->image = kernel->scalar.at[w->image.id].depends;
    f->other = kernel->scalar.at[w->other.id].depends;
    f->needed = kernel_needed(kernel, w->image, f->arena);
    uint32_t both = f->image & f->other, alone = f->image & ~f->other;
    w->is_gradient = !has_two_windows(f, w, alone & parallel, both & summed);
    if (w->is_gradient && !has_two_windows(f, w, both & summed, alone & parallel)) return false;
    w->filter = only_axis(f, f->other & ~f->image & f->left & parallel);
    w->channel = only_axis(f, (w->is_gradient ? alone & parallel : both & summed) & f->left);
    if (!w->filter.id || !w->channel.id) return false;
    w->images = f->left & (w->is_gradient ? summed & both : parallel & alone);
    w->around = w->is_gradient ? f->left & parallel & both : 0;
    if (f->left != (w->images | w->around)) return false;
    const bool *by_other = kernel_needed(kernel, w->other, f->arena);
    if (!lies_along(kernel, f->needed, w->image, w->channel)) return false;
    if (w->is_gradient && !lies_along(kernel, by_other, w->other, w->filter)) return false;
    for (uint32_t i = 0; i < kernel->store.count && !w->is_gradient; i++) {
        int64_t step;
        if (!access_step(kernel, &kernel->store.at[i].at, w->filter, &step) || step != 1)
            return false;
    }
    return is_worth_it(kernel, w, by_other);
}

/* The largest magnitude of a factor that widens bytes. */
static int64_t reach_of(const Kernel *kernel, Scalar factor)
{
    Type type = kernel->scalar.at[kernel->scalar.at[factor.id].argument[0].id].type;
    return type == TYPE_u8 ? 255 : 128;
}

/* As sums, and turned taps as numbers of 16 bits. */
static bool are_small(const Kernel *kernel, const Contraction *of, const Winograd *w)
{
    int64_t taps = reach_of(kernel, w->other);
    int64_t most = points(kernel, of->k) * reach_of(kernel, w->image) * taps;
    return most < MOST_SUM && taps * WINOGRAD_TAPS_GROW <= INT16_MAX;
}

bool winograd_of(const Kernel *kernel, const Contraction *of, Winograd *winograd)
{
    Products products = contraction_products(kernel, of, PRODUCTS_pairs, PRODUCTS_integers);
    bool of_integers = products == PRODUCTS_integers;
    bool is_single = products == PRODUCTS_single && kernel->scalar.at[of->sum.id].type == TYPE_f32;
    if (!of_integers && !is_single) return false;
    Arena *scratch = arena_open(&host_default);
    if (!scratch) out_of_memory();
    bool is_found = false;
    for (int swapped = 0; swapped < 2 && !is_found; swapped++) {
        Finding f = {.kernel = kernel, .arena = scratch};
        for (uint32_t i = 0; i < kernel->axis.count; i++)
            if (kernel->axis.at[i].extent > 1) f.left |= 1u << i;
        *winograd = (Winograd){.image = swapped ? of->b : of->a,
                               .other = swapped ? of->a : of->b,
                               .of_integers = of_integers};
        is_found = recognize(&f, of, winograd);
        if (of_integers) is_found &= !winograd->is_gradient && are_small(kernel, of, winograd);
    }
    arena_close(scratch);
    return is_found;
}

/* --- arithmetic: the matrices of Lavin and Gray for the points 0, 1, -1, 2, -2 ------------------------------------------------- */

typedef WinogradNumber Number;
typedef const WinogradArithmetic With;

static void turn_image(With *a, const Number *x, Number *y)
{
    Number even = a->fma(a->user, -4, x[2], x[4]), odd = a->fma(a->user, -4, x[1], x[3]);
    Number second = a->subtract(a->user, x[4], x[2]), first = a->subtract(a->user, x[3], x[1]);
    y[0] = a->fma(a->user, 4, x[0], a->fma(a->user, -5, x[2], x[4]));
    y[1] = a->add(a->user, even, odd);
    y[2] = a->subtract(a->user, even, odd);
    y[3] = a->fma(a->user, 2, first, second);
    y[4] = a->fma(a->user, -2, first, second);
    y[5] = a->fma(a->user, 4, x[1], a->fma(a->user, -5, x[3], x[5]));
}

static void turn_taps(With *a, const Number *x, Number *y)
{
    Number outside = a->add(a->user, x[0], x[2]);
    Number far = a->fma(a->user, 1.0f / 6, x[2], a->scale(a->user, 1.0f / 24, x[0]));
    y[0] = a->scale(a->user, 0.25f, x[0]);
    y[1] = a->scale(a->user, -1.0f / 6, a->add(a->user, outside, x[1]));
    y[2] = a->scale(a->user, -1.0f / 6, a->subtract(a->user, outside, x[1]));
    y[3] = a->fma(a->user, 1.0f / 12, x[1], far);
    y[4] = a->fma(a->user, -1.0f / 12, x[1], far);
    y[5] = x[2];
}

static Number twice(With *a, Number x)
{
    return a->add(a->user, x, x);
}

/* turn_image with what both halves share. */
static void turn_integer_image(With *a, const Number *x, Number *y)
{
    Number even = a->fma(a->user, -4, x[2], x[4]), odd = a->fma(a->user, -4, x[1], x[3]);
    Number second = a->subtract(a->user, x[4], x[2]), first = a->subtract(a->user, x[3], x[1]);
    Number third = a->subtract(a->user, x[5], x[3]), zeroth = a->subtract(a->user, x[0], x[2]);
    first = twice(a, first);
    y[0] = a->fma(a->user, 4, zeroth, second);
    y[1] = a->add(a->user, even, odd);
    y[2] = a->subtract(a->user, even, odd);
    y[3] = a->add(a->user, second, first);
    y[4] = a->subtract(a->user, second, first);
    y[5] = a->subtract(a->user, third, twice(a, first));
}

/* 24 times turn_taps, but for the last, of which an eighth. */
static void turn_integer_taps(With *a, const Number *x, Number *y)
{
    Number outside = a->add(a->user, x[0], x[2]), far = a->fma(a->user, 4, x[2], x[0]);
    y[0] = a->scale(a->user, 6, x[0]);
    y[1] = a->scale(a->user, -4, a->add(a->user, outside, x[1]));
    y[2] = a->scale(a->user, -4, a->subtract(a->user, outside, x[1]));
    y[3] = a->fma(a->user, 2, x[1], far);
    y[4] = a->fma(a->user, -2, x[1], far);
    y[5] = a->scale(a->user, 3, x[2]);
}

static void turn_outputs(With *a, const Number *x, Number *y)
{
    Number even = a->add(a->user, x[0], x[2]), odd = a->add(a->user, x[1], x[3]);
    Number far = a->fma(a->user, 4, x[2], x[0]);
    Number farther = a->fma(a->user, 4, x[3], x[1]);
    y[0] = x[0];
    y[1] = a->add(a->user, even, odd);
    y[2] = a->subtract(a->user, even, odd);
    y[3] = a->fma(a->user, 2, farther, far);
    y[4] = a->fma(a->user, -2, farther, far);
    y[5] = x[3];
}

static void turn_back(With *a, const Number *x, Number *y)
{
    Number near = a->add(a->user, x[1], x[2]), nearer = a->subtract(a->user, x[1], x[2]);
    Number far = a->add(a->user, x[3], x[4]), farther = a->subtract(a->user, x[3], x[4]);
    y[0] = a->add(a->user, a->add(a->user, x[0], near), far);
    y[1] = a->fma(a->user, 2, farther, nearer);
    y[2] = a->fma(a->user, 4, far, near);
    y[3] = a->add(a->user, a->fma(a->user, 8, farther, nearer), x[5]);
}

/* 24 times turn_back, of such sums. */
static void turn_integers_back(With *a, const Number *x, Number *y)
{
    Number near = a->add(a->user, x[1], x[2]), nearer = a->subtract(a->user, x[1], x[2]);
    Number far = a->add(a->user, x[3], x[4]), farther = a->subtract(a->user, x[3], x[4]);
    y[0] = a->add(a->user, a->add(a->user, x[0], near), far);
    y[1] = a->add(a->user, twice(a, farther), nearer);
    y[2] = a->fma(a->user, 4, far, near);
    y[3] = a->fma(a->user, 8, a->add(a->user, farther, x[5]), nearer);
}

static void turn_taps_back(With *a, const Number *x, Number *y)
{
    Number near = a->add(a->user, x[1], x[2]), nearer = a->subtract(a->user, x[2], x[1]);
    Number far = a->add(a->user, x[3], x[4]), farther = a->subtract(a->user, x[3], x[4]);
    Number first = a->fma(a->user, -1.0f / 6, near, a->scale(a->user, 0.25f, x[0]));
    y[0] = a->fma(a->user, 1.0f / 24, far, first);
    y[1] = a->fma(a->user, 1.0f / 12, farther, a->scale(a->user, 1.0f / 6, nearer));
    y[2] = a->fma(a->user, 1.0f / 6, a->subtract(a->user, far, near), x[5]);
}

static const struct Turn {
    int from, to;
    void (*turn)(With *with, const Number *x, Number *y);
} turns[] = {
    [WINOGRAD_image] = {WINOGRAD_POINTS, WINOGRAD_POINTS, turn_image},
    [WINOGRAD_taps] = {WINOGRAD_TAPS, WINOGRAD_POINTS, turn_taps},
    [WINOGRAD_outputs] = {WINOGRAD_SIDE, WINOGRAD_POINTS, turn_outputs},
    [WINOGRAD_back] = {WINOGRAD_POINTS, WINOGRAD_SIDE, turn_back},
    [WINOGRAD_taps_back] = {WINOGRAD_POINTS, WINOGRAD_TAPS, turn_taps_back},
    [WINOGRAD_integer_image] = {WINOGRAD_POINTS, WINOGRAD_POINTS, turn_integer_image},
    [WINOGRAD_integer_taps] = {WINOGRAD_TAPS, WINOGRAD_POINTS, turn_integer_taps},
    [WINOGRAD_integer_back] = {WINOGRAD_POINTS, WINOGRAD_SIDE, turn_integers_back},
};

int winograd_from(WinogradStep step)
{
    return turns[step].from;
}

int winograd_to(WinogradStep step)
{
    return turns[step].to;
}

void winograd_square(With *with, WinogradStep step, const Number *from, Number *to)
{
    const struct Turn *t = &turns[step];
    Number half[WINOGRAD_POINTS][WINOGRAD_POINTS], line[WINOGRAD_POINTS], turned[WINOGRAD_POINTS];
    for (int column = 0; column < t->from; column++) {
        for (int row = 0; row < t->from; row++)
            line[row] = from[row * t->from + column];
        t->turn(with, line, turned);
        for (int row = 0; row < t->to; row++)
            half[row][column] = turned[row];
    }
    for (int row = 0; row < t->to; row++)
        t->turn(with, half[row], &to[row * t->to]);
}

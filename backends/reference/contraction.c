/* dot and conv: for each element of y, the sum over all other letters.  Of the three letters of a window one is in y, one
 * is summed over, and the third follows from the two. */
#include "backends/reference/interpret.h"

/* A letter that is gone through: how far a step moves in each operand. */
typedef struct Letter {
    int64_t extent, a, b;
    int window; /* or -1 */
} Letter;

/* A window's letters in the order: in y, summed, solved for.  Their places i satisfy
 * scale[0] * i[0] + scale[1] * i[1] + scale[2] * i[2] + offset = 0. */
typedef struct Window {
    char letter[3];
    int64_t scale[3], offset;
    Letter solved;
    int64_t place; /* i[0] at the moment */
} Window;

typedef struct Contraction {
    const Indices *indices;
    const Shape *a, *b, *y;
    Letter outer[MAX_RANK], inner[2 * MAX_RANK];
    int outer_count, inner_count;
    Window window[MAX_WINDOWS];
    bool wraps; /* 32-bit integers */
} Contraction;

static int64_t stride_of(const char *letters, const Shape *shape, char letter)
{
    const char *at = strchr(letters, letter);
    if (!at) return 0;
    int64_t stride[MAX_RANK];
    shape_strides(shape, stride);
    return stride[at - letters];
}

static Letter letter_of(const Contraction *c, char name, int window)
{
    return (Letter){
        .extent = indices_extent(c->indices, name, c->a, c->b, c->y),
        .a = stride_of(c->indices->a, c->a, name),
        .b = stride_of(c->indices->b, c->b, name),
        .window = window,
    };
}

static Window window_of(const Contraction *c, int w)
{
    const Indices *indices = c->indices;
    Window window = {
        .letter = {indices->window[w].output, indices->window[w].tap, indices->window[w].input},
        .scale = {indices->window[w].output_scale, indices->window[w].tap_scale,
                  -indices->window[w].input_scale},
        .offset = indices->window[w].offset,
    };
    for (int i = 1; i < 3; i++) {
        if (!strchr(indices->y, window.letter[i])) continue;
        char letter = window.letter[0];
        int64_t scale = window.scale[0];
        window.letter[0] = window.letter[i], window.scale[0] = window.scale[i];
        window.letter[i] = letter, window.scale[i] = scale;
        break;
    }
    window.solved = letter_of(c, window.letter[2], w);
    return window;
}

static bool is_windowed(const Contraction *c, char letter)
{
    for (int w = 0; w < c->indices->windows; w++)
        if (letter == c->indices->window[w].input || letter == c->indices->window[w].output ||
            letter == c->indices->window[w].tap)
            return true;
    return false;
}

static void prepare(Contraction *c)
{
    int outer_window[128];
    memset(outer_window, -1, sizeof outer_window);
    for (int w = 0; w < c->indices->windows; w++) {
        c->window[w] = window_of(c, w);
        outer_window[(int)c->window[w].letter[0]] = w;
        c->inner[c->inner_count++] = letter_of(c, c->window[w].letter[1], w);
    }
    for (const char *letter = c->indices->y; *letter; letter++)
        c->outer[c->outer_count++] = letter_of(c, *letter, outer_window[(int)*letter]);
    for (const char *letter = c->indices->a; *letter; letter++)
        if (!strchr(c->indices->y, *letter) && !is_windowed(c, *letter))
            c->inner[c->inner_count++] = letter_of(c, *letter, -1);
}

/* Where the third letter of a window is when the summed one is at i; -1 if nowhere. */
static int64_t solve(const Window *window, int64_t i)
{
    int64_t sum = -(window->scale[0] * window->place + window->scale[1] * i + window->offset);
    if (sum % window->scale[2] != 0) return -1;
    int64_t at = sum / window->scale[2];
    return at >= 0 && at < window->solved.extent ? at : -1;
}

/* The product of wrapping integers, short enough that doubles add up many of them exactly. */
static double wrapped_product(double x, double y)
{
    return (double)(int32_t)(uint32_t)((uint64_t)(int64_t)x * (uint64_t)(int64_t)y);
}

static double add_up(const Contraction *c, int depth, const double *a, const double *b)
{
    if (depth == c->inner_count) return c->wraps ? wrapped_product(*a, *b) : *a * *b;

    const Letter *letter = &c->inner[depth];
    double sum = 0;
    if (letter->window >= 0) {
        const Window *window = &c->window[letter->window];
        for (int64_t i = 0; i < letter->extent; i++) {
            int64_t third = solve(window, i);
            if (third < 0) continue;
            sum += add_up(c, depth + 1, a + i * letter->a + third * window->solved.a,
                          b + i * letter->b + third * window->solved.b);
        }
    } else if (depth + 1 == c->inner_count && !c->wraps) {
        for (int64_t i = 0; i < letter->extent; i++)
            sum += a[i * letter->a] * b[i * letter->b];
    } else {
        for (int64_t i = 0; i < letter->extent; i++)
            sum += add_up(c, depth + 1, a + i * letter->a, b + i * letter->b);
    }
    return sum;
}

static double *each(Contraction *c, int depth, const double *a, const double *b, double *y)
{
    if (depth == c->outer_count) {
        *y = add_up(c, 0, a, b);
        return y + 1;
    }
    const Letter *letter = &c->outer[depth];
    for (int64_t i = 0; i < letter->extent; i++) {
        if (letter->window >= 0) c->window[letter->window].place = i;
        y = each(c, depth + 1, a + i * letter->a, b + i * letter->b, y);
    }
    return y;
}

static void contract(const Evaluation *e)
{
    Contraction c = {
        .indices = &e->node->attribute->indices,
        .a = graph_shape(e->graph, e->node->argument[0]),
        .b = graph_shape(e->graph, e->node->argument[1]),
        .y = &e->graph->shape.at[e->node->shape],
        .wraps = type_is_integer(e->node->type) && type_info[e->node->type].bytes == 4,
    };
    prepare(&c);
    each(&c, 0, e->x[0], e->x[1], e->y);
}

void eval_dot(const Evaluation *e)
{
    contract(e);
}

void eval_conv(const Evaluation *e)
{
    contract(e);
}

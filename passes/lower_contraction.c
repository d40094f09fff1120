/* dot, conv and fold: sums whose operands are indexed by letters.  The letters of the result are known; the others become
 * reduction axes, except that a window leaves one letter to be solved for. */
#include "ir/base/boundary.h"
#include "passes/layout.h"
#include "passes/lower_rules.h"
#include <stdlib.h>

#define LETTERS 26

typedef struct Letters {
    const Indices *indices;
    const Shape *a, *b, *y;
    int distance[2][MAX_RANK]; /* of an operand's axes from the innermost in memory */
    bool known[LETTERS];
    Coordinate at[LETTERS];
    char order[2 * MAX_RANK]; /* letters to reduce over, innermost last */
    uint32_t count;
} Letters;

static int64_t extent_of(const Letters *letters, char letter)
{
    return indices_extent(letters->indices, letter, letters->a, letters->b, letters->y);
}

/* The last axis is at 1; where another one was moved to the innermost place, it is at 0. */
static void measure(const Lower *l, Value x, int distance[MAX_RANK])
{
    const Shape *shape = graph_shape(l->graph, x);
    Value stored = fusion_storage(l->graph, x);
    int64_t stride[MAX_RANK];
    bool is_moved = l->fusion->group[stored.id] && l->fusion->innermost[stored.id];
    int innermost = l->fusion->innermost[x.id] - 1;
    if (is_moved) layout_strides(l->fusion, stored, shape, stride);
    for (int d = 0; d < shape->rank; d++) {
        distance[d] = d == innermost ? 0 : shape->rank - d;
        if (!is_moved) continue;
        distance[d] = 0;
        for (int other = 0; other < shape->rank; other++)
            distance[d] += stride[other] < stride[d];
    }
}

/* The nearer, the more contiguous. */
static int distance(const Letters *letters, char letter)
{
    const char *lists[] = {letters->indices->a, letters->indices->b};
    int least = MAX_RANK;
    for (int i = 0; i < 2; i++) {
        const char *found = strchr(lists[i], letter);
        int now = found ? letters->distance[i][found - lists[i]] : least;
        if (now < least) least = now;
    }
    return least;
}

static void reduce_over(Letters *letters, char letter)
{
    uint32_t i = letters->count++;
    while (i > 0 && distance(letters, letters->order[i - 1]) < distance(letters, letter)) {
        letters->order[i] = letters->order[i - 1];
        i--;
    }
    letters->order[i] = letter;
}

typedef struct Tie {
    char letter;
    int64_t scale; /* scale * letter stands on its side of the window's equation */
} Tie;

/* Of the two unknown letters of a window, `ties` has the one to reduce over first and the one to solve for second.  A
 * division costs about as much as twice the iterations, since neighbouring points then do different things. */
static void choose(const Letters *letters, uint32_t w, Tie ties[2])
{
    int64_t input = letters->indices->window[w].input_scale;
    int64_t output = letters->indices->window[w].output_scale;
    int64_t tap = letters->indices->window[w].tap_scale;
    Tie all[3] = {{letters->indices->window[w].tap, tap},
                  {letters->indices->window[w].output, output},
                  {letters->indices->window[w].input, input}};
    int count = 0;
    for (int i = 0; i < 3; i++)
        if (count < 2 && !strchr(letters->indices->y, all[i].letter)) ties[count++] = all[i];

    int64_t first = extent_of(letters, ties[0].letter) * (llabs(ties[1].scale) == 1 ? 1 : 2);
    int64_t second = extent_of(letters, ties[1].letter) * (llabs(ties[0].scale) == 1 ? 1 : 2);
    if (second < first) {
        Tie other = ties[0];
        ties[0] = ties[1];
        ties[1] = other;
    }
}

static Affine term(const Letters *letters, char letter, int64_t scale)
{
    return affine_scale(letters->at[letter - 'a'].affine, scale);
}

/* input_scale * input = output_scale * output + tap_scale * tap + offset, solved for one letter. */
static Coordinate solve(const Letters *letters, uint32_t w, char letter)
{
    int64_t input = letters->indices->window[w].input_scale;
    int64_t output = letters->indices->window[w].output_scale;
    int64_t tap = letters->indices->window[w].tap_scale;
    char h = letters->indices->window[w].input, y = letters->indices->window[w].output;
    char k = letters->indices->window[w].tap;
    Affine offset = affine_constant(letters->indices->window[w].offset);

    Affine sum;
    int64_t divisor;
    if (letter == h) {
        sum = affine_add(affine_add(term(letters, y, output), term(letters, k, tap)), offset);
        divisor = input;
    } else if (letter == y) {
        sum = affine_add(term(letters, h, input), term(letters, k, -tap));
        sum = affine_add(sum, affine_scale(offset, -1));
        divisor = output;
    } else {
        sum = affine_add(term(letters, h, input), term(letters, y, -output));
        sum = affine_add(sum, affine_scale(offset, -1));
        divisor = tap;
    }
    if (divisor < 0) sum = affine_scale(sum, -1);
    return (Coordinate){.affine = sum, .divisor = llabs(divisor)};
}

static void know(Letters *letters, char letter, Coordinate at)
{
    letters->known[letter - 'a'] = true;
    letters->at[letter - 'a'] = at;
}

static uint32_t index_of_letters(Lower *l, const Letters *letters, const char *list)
{
    Index index = {.rank = (uint32_t)strlen(list)};
    for (uint32_t d = 0; d < index.rank; d++)
        index.at[d] = letters->at[list[d] - 'a'];
    return index_intern(l, &index);
}

static bool is_tied(const Indices *indices, char letter)
{
    for (int w = 0; w < indices->windows; w++)
        if (letter == indices->window[w].input || letter == indices->window[w].output ||
            letter == indices->window[w].tap)
            return true;
    return false;
}

/* Letters of both operands that the result lacks, then of each window the better one. */
static void choose_reduced(Letters *letters, char solved[MAX_WINDOWS])
{
    const Indices *indices = letters->indices;
    for (const char *letter = indices->a; *letter; letter++)
        if (strchr(indices->b, *letter) && !strchr(indices->y, *letter) &&
            !is_tied(indices, *letter))
            reduce_over(letters, *letter);
    for (uint32_t w = 0; w < indices->windows; w++) {
        Tie ties[2];
        choose(letters, w, ties);
        reduce_over(letters, ties[0].letter);
        solved[w] = ties[1].letter;
    }
}

/* How far a value is looked through for where it is 0. */
#define MASK_DEPTH 8

static bool is_zero(const Graph *graph, Value x)
{
    double number;
    return graph_is_number(graph, x, &number) && number == 0;
}

/* A condition on indices alone, unless which x is 0; {0}: none is known. */
static Value mask_of(const Graph *graph, Value x, int depth)
{
    const Node *node = graph_node(graph, x);
    Value mask = {0};
    switch (depth ? (int)node->op : OP_COUNT) {
    case OP_select:
        if (!is_zero(graph, node->argument[2])) return mask;
        if (fusion_is_index(graph, node->argument[0])) return node->argument[0];
        return mask_of(graph, node->argument[1], depth - 1);
    case OP_mul:
        mask = mask_of(graph, node->argument[0], depth - 1);
        return mask.id ? mask : mask_of(graph, node->argument[1], depth - 1);
    case OP_div:
    case OP_neg: return mask_of(graph, node->argument[0], depth - 1);
    default: return mask;
    }
}

/* A stored factor that is known to be 0 for part of what is summed over is said to be so: as rows of causal attention, whose sums end
 * with the row's own position. */
static Scalar with_promise(Lower *l, Value x, uint32_t at, Scalar value)
{
    if (l->outcome || graph_type(l->graph, x) != TYPE_f32 || !l->fusion->group[x.id]) return value;
    Value mask = mask_of(l->graph, x, MASK_DEPTH);
    if (!mask.id) return value;
    Scalar where = value_at(l, mask, at);
    if (l->outcome) return value;
    return kernel_apply(l->kernel, SCALAR_zero_unless, TYPE_f32, (Scalar[]){where, value});
}

static Scalar multiply(Lower *l, Value y, const Letters *letters)
{
    Type type = graph_type(l->graph, y);
    Value a = graph_argument(l->graph, y, 0), b = graph_argument(l->graph, y, 1);
    uint32_t at_a = index_of_letters(l, letters, letters->indices->a);
    uint32_t at_b = index_of_letters(l, letters, letters->indices->b);
    Scalar x = value_or_zero(l, a, at_a);
    Scalar z = value_or_zero(l, b, at_b);
    if (graph_node(l->graph, y)->op == OP_dot) {
        x = with_promise(l, a, at_a, x);
        z = with_promise(l, b, at_b, z);
    }
    x = kernel_apply(l->kernel, SCALAR_cast, type, &x);
    z = kernel_apply(l->kernel, SCALAR_cast, type, &z);
    return kernel_apply(l->kernel, SCALAR_mul, type, (Scalar[]){x, z});
}

static Scalar lower_contraction(Lower *l, Value y, uint32_t at)
{
    const Node *node = graph_node(l->graph, y);
    Type type = node->type;
    Letters letters = {.indices = &node->attribute->indices,
                       .a = graph_shape(l->graph, node->argument[0]),
                       .b = graph_shape(l->graph, node->argument[1]),
                       .y = graph_shape(l->graph, y)};
    for (int i = 0; i < 2; i++)
        measure(l, node->argument[i], letters.distance[i]);
    if (shape_elements(letters.a) == 0 || shape_elements(letters.b) == 0)
        return lower_number(l, type, 0);

    Index index = l->index.at[at];
    bool plain = true;
    for (uint32_t d = 0; d < index.rank; d++) {
        know(&letters, letters.indices->y[d], index.at[d]);
        plain &= coordinate_is_plain(&index.at[d]);
    }
    char solved[MAX_WINDOWS];
    choose_reduced(&letters, solved);
    uint32_t used = index_axes(l, &index), axes = 0;
    if (!plain) lower_want_store(l, y);
    if (!plain || !lower_can_reduce(l, y, used, letters.count)) return lower_number(l, type, 0);

    int64_t terms = 1;
    for (uint32_t i = 0; i < letters.count; i++) {
        int64_t extent = extent_of(&letters, letters.order[i]);
        know(&letters, letters.order[i], index_reduction(l, extent, used, &axes));
        terms *= extent;
    }
    for (uint32_t w = 0; w < letters.indices->windows; w++)
        know(&letters, solved[w], solve(&letters, w, solved[w]));
    l->flops += 2 * terms * shape_elements(letters.y);
    l->main = y;
    Scalar product = multiply(l, y, &letters);
    if (l->outcome || !axes) return product;
    return kernel_reduce(l->kernel, REDUCE_add, axes, product);
}

Scalar lower_dot(Lower *l, Value y, uint32_t at)
{
    return lower_contraction(l, y, at);
}

Scalar lower_conv(Lower *l, Value y, uint32_t at)
{
    return lower_contraction(l, y, at);
}

/* y[h] = the sum over taps k of x[(h - k * dilation) / stride, k]: a gather, so that no two points add to one element. */
Scalar lower_fold(Lower *l, Value y, uint32_t at)
{
    const Windows *windows = &graph_node(l->graph, y)->attribute->windows;
    Value x = graph_argument(l->graph, y, 0);
    Type type = graph_type(l->graph, y);
    if (shape_elements(graph_shape(l->graph, x)) == 0) return lower_number(l, type, 0);

    Index index = l->index.at[at];
    bool plain = true;
    for (uint32_t w = 0; w < windows->count; w++)
        plain &= coordinate_is_plain(&index.at[windows->at[w].axis]);
    uint32_t used = index_axes(l, &index), axes = 0;
    if (!plain) lower_want_store(l, y);
    if (!plain || !lower_can_reduce(l, y, used, windows->count)) return lower_number(l, type, 0);

    for (uint32_t w = 0; w < windows->count; w++) {
        Coordinate tap = index_reduction(l, windows->at[w].size, used, &axes);
        Coordinate *o = &index.at[windows->at[w].axis];
        o->affine = affine_add(o->affine, affine_scale(tap.affine, -windows->at[w].dilation));
        o->divisor = windows->at[w].stride;
        index.at[index.rank++] = tap;
    }
    l->flops += shape_elements(graph_shape(l->graph, x));
    l->main = l->main.id ? l->main : y;
    Scalar body = value_or_zero(l, x, index_intern(l, &index));
    if (l->outcome || !axes) return body;
    bool wide = type == TYPE_bf16 || type == TYPE_f16;
    if (wide) body = kernel_apply(l->kernel, SCALAR_cast, TYPE_f32, &body);
    body = kernel_reduce(l->kernel, REDUCE_add, axes, body);
    return wide ? kernel_apply(l->kernel, SCALAR_cast, type, &body) : body;
}

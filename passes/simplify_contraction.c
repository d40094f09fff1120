/* Builders of the rows for dot and conv. */
#include "passes/simplify.h"

#include "ir/graph/build.h"

static const Value none = {0};

static Value contract(const Match *match, Value a, Value b, const Indices *indices, Shape shape)
{
    return indices->windows ? ir_conv(match->graph, a, b, *indices, shape)
                            : ir_dot(match->graph, a, b, *indices);
}

/* Names the axes of x as the operand that transposes it names its own. */
static void rename_through(char letters[MAX_RANK + 1], const Axes *axes)
{
    char old[MAX_RANK + 1];
    memcpy(old, letters, sizeof old);
    for (int i = 0; i < axes->count; i++)
        letters[axes->at[i]] = old[i];
}

Value contraction_of_transpose_a(const Match *match)
{
    Indices indices = match->root->attribute->indices;
    const Node *transpose = graph_node(match->graph, match->root->argument[0]);
    rename_through(indices.a, &transpose->attribute->axes);
    return contract(match, match->slot[0], match->slot[1], &indices,
                    match->graph->shape.at[match->root->shape]);
}

Value contraction_of_transpose_b(const Match *match)
{
    Indices indices = match->root->attribute->indices;
    const Node *transpose = graph_node(match->graph, match->root->argument[1]);
    rename_through(indices.b, &transpose->attribute->axes);
    return contract(match, match->slot[0], match->slot[1], &indices,
                    match->graph->shape.at[match->root->shape]);
}

Value transpose_of_contraction(const Match *match)
{
    const Node *contraction = graph_node(match->graph, match->root->argument[0]);
    Indices indices = contraction->attribute->indices;
    const Axes *axes = &match->root->attribute->axes;
    for (int i = 0; i < axes->count; i++)
        indices.y[i] = contraction->attribute->indices.y[axes->at[i]];
    return contract(match, match->slot[0], match->slot[1], &indices,
                    match->graph->shape.at[match->root->shape]);
}

Value conv_without_windows(const Match *match)
{
    const Indices *indices = &match->root->attribute->indices;
    if (indices->windows) return none;
    return ir_dot(match->graph, match->slot[0], match->slot[1], *indices);
}

/* A contraction whose lists are being changed. */
typedef struct Change {
    Value a, b;
    Indices indices;
    Shape y;
} Change;

static void drop_letter(char letters[MAX_RANK + 1], Shape *shape, char letter)
{
    char *at = strchr(letters, letter);
    if (!at) return;
    int axis = (int)(at - letters);
    memmove(at, at + 1, (size_t)(MAX_RANK - axis));
    for (int i = axis; i + 1 < shape->rank; i++)
        shape->extent[i] = shape->extent[i + 1];
    shape->extent[--shape->rank] = 0;
}

static void drop_everywhere(Graph *graph, Change *change, char letter)
{
    Shape a = *graph_shape(graph, change->a), b = *graph_shape(graph, change->b);
    drop_letter(change->indices.a, &a, letter);
    drop_letter(change->indices.b, &b, letter);
    drop_letter(change->indices.y, &change->y, letter);
    change->a = ir_reshape(graph, change->a, a);
    change->b = ir_reshape(graph, change->b, b);
}

static void rename_letter(Indices *indices, char from, char to)
{
    char *lists[] = {indices->a, indices->b, indices->y};
    for (int i = 0; i < 3; i++) {
        char *at = strchr(lists[i], from);
        if (at) *at = to;
    }
}

/* A letter of extent 1 is always at 0; if then the window says no more than that its other two are equal, they are one
 * letter and there is no window.  Returns which of input, output, tap (0, 1, 2) is the idle one, or -1. */
static int idle_letter(const Match *match, int w)
{
    const Indices *indices = &match->root->attribute->indices;
    const Shape *a = graph_shape(match->graph, match->slot[0]),
                *b = graph_shape(match->graph, match->slot[1]),
                *y = &match->graph->shape.at[match->root->shape];
    const char letter[3] = {indices->window[w].input, indices->window[w].output,
                            indices->window[w].tap};
    const int64_t scale[3] = {-indices->window[w].input_scale, indices->window[w].output_scale,
                              indices->window[w].tap_scale};
    int64_t extent[3];
    for (int i = 0; i < 3; i++)
        extent[i] = indices_extent(indices, letter[i], a, b, y);
    for (int i = 0; i < 3 && indices->window[w].offset == 0; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        if (extent[i] == 1 && scale[j] == -scale[k] && extent[j] == extent[k]) return i;
    }
    return -1;
}

static Value without_window(const Match *match, int w, int idle)
{
    Change change = {match->slot[0], match->slot[1], match->root->attribute->indices,
                     match->graph->shape.at[match->root->shape]};
    Shape full = change.y;
    const char letter[3] = {change.indices.window[w].input, change.indices.window[w].output,
                            change.indices.window[w].tap};

    for (int i = w; i + 1 < change.indices.windows; i++)
        change.indices.window[i] = change.indices.window[i + 1];
    change.indices.windows--;
    memset(&change.indices.window[change.indices.windows], 0, sizeof change.indices.window[0]);
    rename_letter(&change.indices, letter[(idle + 2) % 3], letter[(idle + 1) % 3]);
    drop_everywhere(match->graph, &change, letter[idle]);
    Value y = contract(match, change.a, change.b, &change.indices, change.y);
    return ir_reshape(match->graph, y, full);
}

Value conv_without_unit_window(const Match *match)
{
    for (int w = 0; w < match->root->attribute->indices.windows; w++) {
        int idle = idle_letter(match, w);
        if (idle >= 0) return without_window(match, w, idle);
    }
    return none;
}

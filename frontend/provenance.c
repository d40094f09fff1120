/* One step back per op: which axis of which operand has the same indices.  Extents must agree as well, so that a
 * sliced or padded axis loses its name. */
#include "frontend/provenance.h"

#define MAX_STEPS 100000

typedef struct Step {
    int argument, axis; /* argument < 0: none */
} Step;

static const Step NOWHERE = {-1, -1};

static Step through_indices(const Node *n, int axis)
{
    const Indices *indices = &n->attribute->indices;
    char letter = indices->y[axis];
    for (int i = 0; indices->a[i]; i++)
        if (indices->a[i] == letter) return (Step){0, i};
    for (int i = 0; indices->b[i]; i++)
        if (indices->b[i] == letter) return (Step){1, i};
    return NOWHERE;
}

static Step through_reduction(const Node *n, int axis)
{
    const Axes *axes = &n->attribute->axes;
    for (int i = 0; i < axes->count; i++)
        if (axes->at[i] <= axis) axis++;
    return (Step){0, axis};
}

static Step through_broadcast(const Node *n, int axis)
{
    for (int i = 0; i < n->attribute->axes.count; i++)
        if (n->attribute->axes.at[i] == axis) return (Step){0, i};
    return NOWHERE;
}

static Step through_gather(const Graph *graph, const Node *n, int axis)
{
    int at = n->attribute->axis, index_rank = graph_shape(graph, n->argument[1])->rank;
    if (axis < at) return (Step){0, axis};
    if (axis < at + index_rank) return (Step){1, axis - at};
    return (Step){0, axis - index_rank + 1};
}

static Step step_back(const Graph *graph, const Node *n, int axis)
{
    switch (op_info[n->op].class) {
    case LEAF:
    case STATE:
    case RANDOM: return NOWHERE;
    case ELEMENTWISE: return (Step){0, axis};
    case GRADIENT: return (Step){1, axis};
    case CONTRACTION: return through_indices(n, axis);
    case INDEXING: return n->op == OP_gather ? through_gather(graph, n, axis) : NOWHERE;
    case REDUCTION: return n->op == OP_fold ? NOWHERE : through_reduction(n, axis);
    case MOVEMENT: break;
    }
    if (n->op == OP_broadcast) return through_broadcast(n, axis);
    if (n->op == OP_transpose) return (Step){0, n->attribute->axes.at[axis]};
    return (Step){0, axis};
}

static Name trace(const Graph *graph, Value value, int axis, ProvenanceInput *input, void *user,
                  int *budget);

/* The only axis of one element; -1: there are several or none. */
static int only_unit(const Shape *shape)
{
    int found = -1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->extent[i] != 1) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

/* Of axes of one element there may be several in a row: whichever has a name.  Where each side has one, wherever it is, they are the
 * same: a transpose of such shapes is a reshape. */
static Name trace_reshape(const Graph *graph, const Node *n, int axis, ProvenanceInput *input,
                          void *user, int *budget)
{
    const Shape *from = graph_shape(graph, n->argument[0]), *to = &graph->shape.at[n->shape];
    int64_t before = 1, after = 1;
    int unit = from->rank == to->rank && only_unit(to) == axis ? only_unit(from) : -1;
    if (unit >= 0) return trace(graph, n->argument[0], unit, input, user, budget);
    for (int i = 0; i < axis; i++)
        before *= to->extent[i];
    for (int i = 0; i < from->rank; i++) {
        Name name = {0};
        if (after == before && from->extent[i] == to->extent[axis])
            name = trace(graph, n->argument[0], i, input, user, budget);
        if (name.id) return name;
        after *= from->extent[i];
    }
    return (Name){0};
}

static Name trace(const Graph *graph, Value value, int axis, ProvenanceInput *input, void *user,
                  int *budget)
{
    while ((*budget)-- > 0) {
        const Node *n = graph_node(graph, value);
        if (n->op == OP_input) return input(user, n->attribute->name, axis);

        int64_t extent = graph_shape(graph, value)->extent[axis];
        if (op_info[n->op].class == ELEMENTWISE) {
            for (uint32_t i = 0; i + 1 < n->argument_count; i++) {
                Name name = trace(graph, n->argument[i], axis, input, user, budget);
                if (name.id) return name;
            }
            value = n->argument[n->argument_count - 1];
            continue;
        }
        if (n->op == OP_reshape) return trace_reshape(graph, n, axis, input, user, budget);
        Step step = step_back(graph, n, axis);
        if (step.argument < 0) return (Name){0};
        value = n->argument[step.argument];
        axis = step.axis;
        const Shape *shape = graph_shape(graph, value);
        if (axis >= shape->rank || shape->extent[axis] != extent) return (Name){0};
    }
    return (Name){0};
}

Name provenance_axis(const Graph *graph, Value value, int axis, ProvenanceInput *input, void *user)
{
    int budget = MAX_STEPS;
    return trace(graph, value, axis, input, user, &budget);
}

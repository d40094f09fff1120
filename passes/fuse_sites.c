/* Carries sites from a value to its operands: the shape of each op, seen from the kernel that evaluates it. */
#include "passes/fuse_sites.h"

/* A factor is packed: computed once, in vectors, for each block of the other factor's side; for the side along which the
 * result is contiguous there are fewer such blocks. */
#define COPIES_PACKED 2.0
#define COPIES_OTHER  8.0

static Track track_new(Value y, uint32_t argument, uint32_t d)
{
    uint64_t mix = ((uint64_t)y.id << 16 | argument << 8 | d) * 0x9e3779b97f4a7c15u;
    return (Track){.code = (uint32_t)(mix >> 32) | 0x80000000u};
}

/* Reduction dimensions are told apart as the lowering does: by extent, and by number where one is in use already. */
static Track track_reduced(const Site *site, int rank, int64_t extent)
{
    for (uint32_t number = 0;; number++) {
        uint64_t mix = ((uint64_t)extent * 31 + number) * 0xc2b2ae3d27d4eb4fu;
        uint32_t code = ((uint32_t)(mix >> 32) & 0x3fffffffu) | 0x40000000u;
        bool used = false;
        for (int d = 0; d < rank; d++)
            used |= site->track[d].code == code;
        if (!used) return (Track){.code = code};
    }
}

Site site_of_store(const Graph *graph, Value stored, uint32_t group)
{
    Site site = {.group = group, .spot = SPOT_point, .copies = 1};
    const Shape *shape = graph_shape(graph, stored);
    for (uint32_t d = 0; d < shape->rank; d++)
        if (shape->extent[d] > 1) site.track[d] = (Track){d + 1, 1u << d};
    return site;
}

static double elements_of(const Graph *graph, Value x)
{
    double elements = (double)shape_elements(graph_shape(graph, x));
    return elements < 1 ? 1 : elements;
}

static Spot deeper(Spot a, Spot b)
{
    return a > b ? a : b;
}

/* -- movement ------------------------------------------------------------------------------------------- */

/* Runs of axes with equally many elements; one axis against one moves along, others are made of all the run's roots. */
static void through_reshape(const Graph *graph, Value y, Value x, const Site *site, Site *inner)
{
    const Shape *from = graph_shape(graph, y), *to = graph_shape(graph, x);
    uint32_t i = 0, k = 0;
    while (i < from->rank || k < to->rank) {
        uint32_t first = k, moving = 0, last = 0;
        uint32_t roots = 0;
        bool known = true;
        int64_t a = 1, b = 1;
        do {
            if (i < from->rank && (a <= b || k == to->rank)) {
                known &= from->extent[i] > 1 || !site->track[i].code;
                if (from->extent[i] > 1) {
                    moving++;
                    last = i;
                    roots |= site->track[i].roots;
                    known &= site->track[i].roots != 0;
                }
                a *= from->extent[i++];
            } else {
                b *= to->extent[k++];
            }
        } while (a != b);
        uint32_t to_moving = 0;
        for (uint32_t d = first; d < k; d++)
            to_moving += to->extent[d] > 1;
        for (uint32_t d = first; d < k; d++) {
            if (to->extent[d] == 1) continue;
            inner->track[d] =
                moving == 1 && to_moving == 1 ? site->track[last] : track_new(y, 0, d);
            if (known) inner->track[d].roots = roots;
        }
    }
}

/* Trailing dimensions that the operand lacks are innermost loops, out of which its value is hoisted. */
static void through_broadcast(const Graph *graph, Value y, Value x, const Site *site, Site *inner)
{
    Axes axes = graph_node(graph, y)->attribute->axes;
    const Shape *from = graph_shape(graph, y), *to = graph_shape(graph, x);
    int last = -1;
    for (int d = 0; d < axes.count; d++) {
        if (to->extent[d] == 1) continue;
        inner->track[d] = site->track[axes.at[d]];
        last = axes.at[d];
    }
    double repeats = 1;
    for (int d = 0; d < last; d++)
        repeats *= (double)from->extent[d];
    for (int d = 0; d < axes.count; d++)
        if (axes.at[d] < last && to->extent[d] > 1) repeats /= (double)to->extent[d];
    inner->copies = site->copies * repeats;
}

/* Each part has a kernel: nothing is shared between two of them. */
static void through_pieces(const Graph *graph, Value x, uint32_t i, Site *inner)
{
    *inner = site_of_store(graph, x, inner->group);
    inner->spot = SPOT_piece;
    inner->piece = i + 1;
}

static void through_movement(const Graph *graph, Value y, uint32_t i, const Site *site, Site *inner)
{
    const Node *node = graph_node(graph, y);
    Value x = node->argument[i];
    if (fusion_in_pieces(graph, y)) {
        through_pieces(graph, x, i, inner);
        return;
    }
    const Shape *from = graph_shape(graph, y), *to = graph_shape(graph, x);
    if (node->op == OP_reshape) {
        through_reshape(graph, y, x, site, inner);
        return;
    }
    if (node->op == OP_broadcast) {
        through_broadcast(graph, y, x, site, inner);
        return;
    }
    if (node->op == OP_transpose) {
        for (uint32_t d = 0; d < from->rank; d++)
            inner->track[node->attribute->axes.at[d]] = site->track[d];
        return;
    }
    /* slice, pad, concat, window: axes of one length on both sides are untouched, unless a slice turns them round. */
    for (uint32_t d = 0; d < to->rank; d++) {
        bool same = d < from->rank && from->extent[d] == to->extent[d];
        if (node->op == OP_slice) same &= node->attribute->slice.stride[d] == 1;
        inner->track[d] = same ? site->track[d] : track_new(y, i, d);
    }
    inner->copies = site->copies * elements_of(graph, y) / elements_of(graph, x);
}

/* -- reductions and the rest ---------------------------------------------------------------------------- */

static void through_reduction(const Graph *graph, Value y, const Site *site, Site *inner)
{
    const Node *node = graph_node(graph, y);
    const Shape *to = graph_shape(graph, node->argument[0]);
    inner->spot = deeper(site->spot, SPOT_body);
    if (node->op == OP_fold) {
        const Shape *from = graph_shape(graph, y);
        for (uint32_t d = 0; d < to->rank; d++)
            inner->track[d] = d < from->rank && from->extent[d] == to->extent[d]
                                  ? site->track[d]
                                  : track_new(y, 0, d);
        return;
    }
    Axes reduced = node->attribute->axes;
    uint32_t next = 0, rest = 0;
    for (uint32_t d = 0; d < to->rank; d++) {
        bool is_reduced = next < reduced.count && reduced.at[next] == d;
        next += is_reduced;
        if (!is_reduced) inner->track[d] = site->track[rest++];
    }
    for (uint32_t k = 0; k < reduced.count; k++)
        if (to->extent[reduced.at[k]] > 1)
            inner->track[reduced.at[k]] = track_reduced(inner, to->rank, to->extent[reduced.at[k]]);
}

/* Products of a contraction: its result's elements times what each is a sum of. Of the two letters that a window leaves open,
 * one is solved for. */
static double products(const Graph *graph, Value y)
{
    const Node *node = graph_node(graph, y);
    const Indices *indices = &node->attribute->indices;
    const Shape *a = graph_shape(graph, node->argument[0]);
    const Shape *b = graph_shape(graph, node->argument[1]), *shape = graph_shape(graph, y);
    double count = elements_of(graph, y);
    for (const char *letter = indices->a; *letter; letter++)
        if (strchr(indices->b, *letter) && !strchr(indices->y, *letter))
            count *= (double)a->extent[letter - indices->a];
    for (int w = 0; w < indices->windows; w++) {
        const char letters[] = {indices->window[w].input, indices->window[w].output,
                                indices->window[w].tap};
        int64_t fewest = INT64_MAX;
        for (int i = 0; i < 3; i++) {
            int64_t extent = indices_extent(indices, letters[i], a, b, shape);
            if (!strchr(indices->y, letters[i]) && extent < fewest) fewest = extent;
        }
        count *= (double)fewest;
    }
    return count;
}

static void through_contraction(const Graph *graph, Value y, uint32_t i, const Site *site,
                                Site *inner)
{
    const Node *node = graph_node(graph, y);
    const Indices *indices = &node->attribute->indices;
    const char *list = i ? indices->b : indices->a;
    const Shape *to = graph_shape(graph, node->argument[i]);
    for (uint32_t d = 0; d < to->rank; d++) {
        const char *kept = strchr(indices->y, list[d]);
        inner->track[d] = kept ? site->track[kept - indices->y] : track_new(y, i, d);
    }
    double copies = products(graph, y) / elements_of(graph, node->argument[i]);
    const char *last = strlen(indices->y) ? indices->y + strlen(indices->y) - 1 : indices->y;
    bool packed = *last && strchr(list, *last) && !strchr(i ? indices->a : indices->b, *last);
    double most = packed ? COPIES_PACKED : COPIES_OTHER;
    if (copies > most) copies = most;
    inner->copies = site->copies * (copies < 1 ? 1 : copies);
    inner->spot = deeper(site->spot, SPOT_factor);
}

static void through_gather(const Graph *graph, Value y, uint32_t i, const Site *site, Site *inner)
{
    const Node *node = graph_node(graph, y);
    uint32_t axis = (uint32_t)node->attribute->axis;
    uint32_t rank = graph_shape(graph, node->argument[1])->rank;
    const Shape *to = graph_shape(graph, node->argument[i]);
    double outer = 1;
    for (uint32_t d = 0; d < axis; d++)
        outer *= (double)graph_shape(graph, y)->extent[d];
    for (uint32_t d = 0; d < to->rank; d++) {
        if (to->extent[d] == 1) continue;
        if (i == 1)
            inner->track[d] = site->track[axis + d];
        else if (d == axis)
            inner->track[d] = track_new(y, i, d);
        else
            inner->track[d] = site->track[d < axis ? d : d + rank - 1];
    }
    if (i == 1) {
        inner->copies = site->copies * outer;
    } else {
        inner->spot = SPOT_indexed;
        inner->copies =
            site->copies * elements_of(graph, y) / elements_of(graph, node->argument[0]);
    }
}

static void through_scatter(const Graph *graph, Value y, uint32_t i, Site *inner)
{
    const Shape *to = graph_shape(graph, graph_argument(graph, y, (int)i));
    for (uint32_t d = 0; d < to->rank; d++)
        if (to->extent[d] > 1) inner->track[d] = track_new(y, i, d);
    inner->spot = SPOT_body;
}

Site site_of_argument(const Graph *graph, Value y, uint32_t i, const Site *site)
{
    const Node *node = graph_node(graph, y);
    Site inner = {.group = site->group,
                  .spot = site->spot,
                  .piece = site->piece,
                  .depth = site->depth + 1,
                  .copies = site->copies};
    switch (op_info[node->op].class) {
    case ELEMENTWISE:
        inner = *site;
        inner.depth++;
        break;
    case RANDOM: inner.copies = 1; break; /* seed and step: once a kernel */
    case MOVEMENT: through_movement(graph, y, i, site, &inner); break;
    case REDUCTION: through_reduction(graph, y, site, &inner); break;
    case CONTRACTION: through_contraction(graph, y, i, site, &inner); break;
    case INDEXING:
        if (node->op == OP_gather)
            through_gather(graph, y, i, site, &inner);
        else
            through_scatter(graph, y, i, &inner);
        break;
    case LEAF:
    case STATE:
    case GRADIENT: break;
    }
    return inner;
}

/* -- sets ----------------------------------------------------------------------------------------------- */

static bool is_same_place(const Site *a, const Site *b, int rank)
{
    if (a->group != b->group || a->piece != b->piece) return false;
    for (int d = 0; d < rank; d++)
        if (a->track[d].code != b->track[d].code) return false;
    return true;
}

void sites_add(Sites *sites, const Site *site, int rank)
{
    for (uint32_t i = 0; i < sites->count; i++) {
        Site *known = &sites->at[i];
        if (!is_same_place(known, site, rank)) continue;
        if (site->copies > known->copies) {
            sites->copies += site->copies - known->copies;
            known->copies = site->copies;
        }
        known->spot = deeper(known->spot, site->spot);
        if (site->depth > known->depth) known->depth = site->depth;
        return;
    }
    sites->copies += site->copies;
    if (sites->count == MAX_SITES)
        sites->overflow = true;
    else
        sites->at[sites->count++] = *site;
}

bool site_is_identity(const Site *site, const Shape *shape)
{
    for (uint32_t d = 0; d < shape->rank; d++)
        if (site->track[d].code != (shape->extent[d] > 1 ? d + 1 : 0)) return false;
    return true;
}

bool site_covers(const Site *site, const Shape *shape, const Shape *root, uint32_t *roots)
{
    *roots = 0;
    for (uint32_t d = 0; d < shape->rank; d++) {
        if (!site->track[d].code) continue;
        if (!site->track[d].roots) return false;
        *roots |= site->track[d].roots;
    }
    int64_t elements = 1;
    for (uint32_t d = 0; d < root->rank; d++)
        if (*roots >> d & 1) elements *= root->extent[d];
    return elements == shape_elements(shape);
}

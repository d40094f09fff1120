/* Several stores in one kernel: which group can store a value along with what it stores already. */
#include "passes/fuse_groups.h"

/* How far up the operands of an elementwise value are looked at for a kernel that has them. */
#define ALONG_DEPTH 3

/* Whether a path from x leaves the group through another stored value and comes back: the kernels would then wait for each
 * other.  Values are numbered in topological order, so only those up to the group's last can be on such a path.
 * (Cycles through two groups of several stores are found after lowering.) */
static bool comes_back(const Fuse *f, Value x, uint32_t group)
{
    const Group *stores = &f->fusion->groups.at[group];
    uint32_t last = 0;
    for (uint32_t i = 0; i < stores->store.count; i++)
        if (stores->store.at[i].id > last) last = stores->store.at[i].id;

    /* 1: reached inside the group, 2: reached through a stored value outside of it. */
    uint8_t *reached = arena_array(f->arena, uint8_t, last + 1 - x.id);
    reached[0] = 1;
    for (uint32_t id = x.id; id <= last; id++) {
        if (!reached[id - x.id]) continue;
        uint8_t state = reached[id - x.id];
        if (id != x.id && f->fusion->group[id]) {
            if (state == 2 && f->fusion->group[id] == group) return true;
            if (f->fusion->group[id] != group) state = 2;
        }
        for (uint32_t u = f->user_first[id]; u < f->user_first[id + 1]; u++)
            if (f->user[u] <= last && reached[f->user[u] - x.id] < state)
                reached[f->user[u] - x.id] = state;
    }
    return false;
}

/* The site whose kernel can store x along with what it stores already; NULL if there is none. */
static const Site *store_along(const Fuse *f, Value x, const Sites *sites)
{
    const Shape *shape = graph_shape(f->graph, x);
    if (graph_node(f->graph, x)->op == OP_scatter || fusion_in_pieces(f->graph, x)) return NULL;
    for (uint32_t i = 0; i < sites->count; i++) {
        const Site *site = &sites->at[i];
        const Group *group = &f->fusion->groups.at[site->group];
        if (site->spot > SPOT_body || f->growing.at[site->group].closed) continue;
        if (group->store.count >= STORES_LIMIT) continue;
        if (!shape_same(shape, fuse_root(f, site->group))) continue;
        if (!site_is_identity(site, shape) || !fuse_fits(f, x, site)) continue;
        bool elsewhere = false;
        for (uint32_t k = 0; k < sites->count; k++)
            elsewhere |= k != i && sites->at[k].group == site->group;
        if (!elsewhere && !comes_back(f, x, site->group)) return site;
    }
    return NULL;
}

static bool is_plain_reduce(const Fuse *f, Value x)
{
    Op op = graph_node(f->graph, x)->op;
    return op == OP_sum || op == OP_reduce_max;
}

/* A search for a stored reduce over the same axes of values made from the same elements: down from x's operand through
 * elementwise ops, and from each value on the way up again through its users. */
typedef struct Siblings {
    const Fuse *f;
    Value x;
    const Sites *sites;
    uint32_t budget; /* values still to be looked at */
    uint32_t group;  /* found */
} Siblings;

#define SIBLING_DEPTH  5
#define SIBLING_BUDGET 200

static bool is_sibling(const Siblings *s, Value other)
{
    const Fuse *f = s->f;
    const Node *node = graph_node(f->graph, s->x), *sibling = graph_node(f->graph, other);
    uint32_t group = f->fusion->group[other.id];
    if (!group || !is_plain_reduce(f, other) || value_same(other, s->x)) return false;
    Axes a = node->attribute->axes, b = sibling->attribute->axes;
    if (a.count != b.count || memcmp(a.at, b.at, a.count) != 0) return false;
    if (f->fusion->groups.at[group].store.count >= STORES_LIMIT) return false;
    if (!shape_same(graph_shape(f->graph, s->x), fuse_root(f, group))) return false;
    for (uint32_t k = 0; s->sites && k < s->sites->count; k++)
        if (s->sites->at[k].group == group) return false;
    Site site = site_of_store(f->graph, s->x, group);
    return fuse_fits(f, s->x, &site) && !comes_back(f, s->x, group);
}

static void search_up(Siblings *s, Value from, int depth)
{
    const Fuse *f = s->f;
    uint32_t shape = graph_node(f->graph, graph_argument(f->graph, s->x, 0))->shape;
    if (graph_node(f->graph, from)->shape != shape) return;
    for (uint32_t u = f->user_first[from.id]; u < f->user_first[from.id + 1]; u++) {
        Value user = {f->user[u]};
        if (s->group || s->budget == 0) return;
        s->budget--;
        if (is_sibling(s, user))
            s->group = f->fusion->group[user.id];
        else if (depth && !fuse_is_border(f, user))
            search_up(s, user, depth - 1);
    }
}

static void search_down(Siblings *s, Value from, int depth)
{
    const Node *node = graph_node(s->f->graph, from);
    bool inner = depth && !fuse_is_border(s->f, from);
    if (node->op == OP_constant || node->op == OP_iota || node->op == OP_broadcast) return;
    if (!inner || s->f->uses[from.id] > 1) search_up(s, from, SIBLING_DEPTH);
    for (uint32_t i = 0; inner && !s->group && i < node->argument_count; i++)
        search_down(s, node->argument[i], depth - 1);
}

/* Reduces over the same axes of the same elements, as the gradients of a normalization's scale and shift: one pass over
 * memory.  The group of such a sibling, 0 if there is none. */
static uint32_t group_of_sibling(const Fuse *f, Value x, const Sites *sites)
{
    Siblings search = {.f = f, .x = x, .sites = sites, .budget = SIBLING_BUDGET};
    if (sites && sites->overflow) return 0;
    search_down(&search, graph_argument(f->graph, x, 0), SIBLING_DEPTH);
    return search.group;
}

bool fuse_is_number(const Fuse *f, Value x)
{
    const Node *node = graph_node(f->graph, x);
    return graph_shape(f->graph, x)->rank == 0 && op_info[node->op].class == ELEMENTWISE;
}

/* The group that evaluates an operand of x at exactly the elements at which x would be stored, and can store x along. */
static uint32_t group_of_operand(const Fuse *f, Value x, Value from, int depth)
{
    const Node *node = graph_node(f->graph, from);
    const Shape *shape = graph_shape(f->graph, x);
    for (uint32_t i = 0; i < node->argument_count; i++) {
        Value y = node->argument[i];
        const Sites *sites = f->sites[y.id];
        if (graph_node(f->graph, y)->shape != graph_node(f->graph, x)->shape) continue;
        if (fusion_is_index(f->graph, y)) continue; /* every kernel has it */
        for (uint32_t k = 0; sites && k < sites->count; k++) {
            uint32_t group = sites->at[k].group;
            const Growing *growing = &f->growing.at[group];
            if (sites->at[k].piece || growing->closed || growing->contracts) continue;
            if (f->fusion->groups.at[group].store.count >= STORES_LIMIT) continue;
            if (!shape_same(shape, fuse_root(f, group))) continue;
            if (!site_is_identity(&sites->at[k], shape)) continue;
            if (!fuse_is_full(f, &sites->at[k]) && !comes_back(f, x, group)) return group;
        }
        bool inner = depth && !fuse_is_border(f, y);
        uint32_t found = inner ? group_of_operand(f, x, y, depth - 1) : 0;
        if (found) return found;
    }
    return 0;
}

uint32_t fuse_along(const Fuse *f, Value x, const Sites *sites)
{
    const Site *along = sites ? store_along(f, x, sites) : NULL;
    if (along) return along->group;
    if (is_plain_reduce(f, x)) return group_of_sibling(f, x, sites);
    bool elementwise = op_info[graph_node(f->graph, x)->op].class == ELEMENTWISE;
    if (elementwise && graph_shape(f->graph, x)->rank > 0)
        return sites && sites->overflow ? 0 : group_of_operand(f, x, x, ALONG_DEPTH);
    if (!f->numbers || !fuse_is_number(f, x)) return 0;
    if (f->fusion->groups.at[f->numbers].store.count >= STORES_LIMIT) return 0;
    return comes_back(f, x, f->numbers) ? 0 : f->numbers;
}

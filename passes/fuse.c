/* Decides from the results backwards: when a value's turn comes, everything that reads it has been placed, so all the sites at
 * which it would be evaluated are known.  fuse.def says what may join where, fuse_cost.c whether it pays. */
#include "passes/fuse.h"
#include "ir/base/boundary.h"
#include "passes/fuse_sites.h"

/* A row that a kernel goes over several times must stay in a cache close by. */
#define ROW_LIMIT    65536
/* With fewer rows than this a large reduce is better alone, where the backend may split it otherwise. */
#define ROWS_LEAST   8
/* Of one kernel; more gains nothing and costs compile time. */
#define NODES_LIMIT  300
#define STORES_LIMIT 6
/* Of what a part of a long concat computes itself. */
#define PIECE_DEPTH  16

/* -- the assignment ------------------------------------------------------------------------------------- */

Value fusion_storage(const Graph *graph, Value x)
{
    while (graph_node(graph, x)->op == OP_reshape || graph_node(graph, x)->op == OP_stop)
        x = graph_argument(graph, x, 0);
    return x;
}

static bool is_spread(const Graph *graph, Value x)
{
    double number;
    return graph_node(graph, x)->op == OP_broadcast || graph_is_number(graph, x, &number);
}

/* What is left of the only operand that is neither a number nor broadcast; {0} if there are several or none. */
static Value only_operand(const Graph *graph, Value x)
{
    const Node *node = graph_node(graph, x);
    Value only = {0};
    for (uint32_t i = 0; i < node->argument_count; i++) {
        Value y = node->argument[i];
        if (is_spread(graph, y) || value_same(y, only)) continue;
        if (only.id) return (Value){0};
        only = y;
    }
    return only;
}

/* A contraction, perhaps under another shape, with a bias added or through an activation. */
static bool ends_contraction(const Graph *graph, Value x)
{
    for (int depth = 0; x.id && depth < PIECE_DEPTH; depth++) {
        const Node *node = graph_node(graph, x);
        OpClass class = op_info[node->op].class;
        if (class == CONTRACTION) return true;
        bool passes = class == ELEMENTWISE || node->op == OP_reshape || node->op == OP_transpose;
        x = passes ? only_operand(graph, x) : (Value){0};
    }
    return false;
}

/* Contractions store their parts where they belong; many parts would be as many selects. */
bool fusion_in_pieces(const Graph *graph, Value x)
{
    const Node *node = graph_node(graph, x);
    if (node->op != OP_concat) return false;
    if (node->argument_count > CONCAT_LIMIT) return true;
    for (uint32_t i = 0; i < node->argument_count; i++)
        if (ends_contraction(graph, node->argument[i])) return true;
    return false;
}

bool fusion_is_source(const Graph *graph, Value x)
{
    Op op = graph_node(graph, x)->op;
    return op == OP_input || op == OP_read || op == OP_table;
}

uint32_t fusion_store(Fusion *fusion, Value x)
{
    uint32_t number = fusion->groups.count;
    Group *group = list_add(fusion->arena, &fusion->groups);
    *group = (Group){0};
    *list_add(fusion->arena, &group->store) = x;
    fusion->group[x.id] = number;
    return number;
}

void fusion_separate(Fusion *fusion, uint32_t group)
{
    Group old = fusion->groups.at[group];
    fusion->groups.at[group] = (Group){0};
    for (uint32_t i = 0; i < old.store.count; i++)
        fusion_store(fusion, old.store.at[i]);
}

static Fusion *fusion_new(Arena *arena, const Graph *graph)
{
    Fusion *fusion = arena_new(arena, Fusion);
    fusion->arena = arena;
    fusion->graph = graph;
    fusion->group = arena_array(arena, uint32_t, graph->node.count);
    *list_add(arena, &fusion->groups) = (Group){0};
    return fusion;
}

Fusion *fuse_nothing(Arena *arena, const Graph *graph)
{
    Fusion *fusion = fusion_new(arena, graph);
    for (uint32_t id = 1; id < graph->node.count; id++) {
        OpClass class = op_info[graph->node.at[id].op].class;
        bool is_computed = class != LEAF && class != STATE && class != MOVEMENT &&
                           graph->node.at[id].op != OP_stop;
        if (is_computed || fusion_in_pieces(graph, (Value){id})) fusion_store(fusion, (Value){id});
    }
    for (uint32_t i = 0; i < graph->result.count; i++) {
        Value value = fusion_storage(graph, graph->result.at[i].value);
        if (!fusion->group[value.id] && !fusion_is_source(graph, value))
            fusion_store(fusion, value);
    }
    return fusion;
}

/* -- the work ------------------------------------------------------------------------------------------- */

/* What is known of a group while it grows. */
typedef struct Growing {
    uint32_t rows;                   /* root dimensions that its reduces move with */
    bool reduces, contracts, closed; /* closed: nothing may be stored along (scatter, pieces) */
    uint32_t nodes;
} Growing;

typedef struct Fuse {
    Arena *arena;
    const Graph *graph;
    Fusion *fusion;
    bool *wanted;                /* by node: a result */
    uint32_t *uses;              /* by node: how many operands it is */
    uint32_t *user_first, *user; /* users of node i: user[user_first[i] ...] */
    Sites **sites;               /* by node: where it is evaluated if inline; NULL: nowhere yet */
    Weights weights;
    LIST(Growing) growing; /* by group */
    uint32_t numbers;      /* group of single numbers: they share kernels, related or not */
} Fuse;

static const Shape *root_shape(const Fuse *f, uint32_t group)
{
    return graph_shape(f->graph, f->fusion->groups.at[group].store.at[0]);
}

static int64_t elements_of(const Fuse *f, Value x)
{
    return shape_elements(graph_shape(f->graph, x));
}

/* -- reduces and contractions inside a kernel ----------------------------------------------------------- */

/* A reduce joins if it is evaluated once a row, all reduces of the kernel have the same rows, and rows are neither too long
 * nor too few; where the root has the reduce's own points, there is nothing to lose. */
static bool reduce_fits(const Fuse *f, Value x, const Site *site, uint32_t *rows)
{
    const Growing *group = &f->growing.at[site->group];
    if (group->contracts || group->closed || site->spot > SPOT_body) return false;
    if (!site_covers(site, graph_shape(f->graph, x), root_shape(f, site->group), rows))
        return false;
    if (group->reduces && group->rows != *rows) return false;
    int64_t points = elements_of(f, x), taken = elements_of(f, graph_argument(f->graph, x, 0));
    if (points == shape_elements(root_shape(f, site->group))) return true;
    if (taken / points > ROW_LIMIT) return false;
    return points >= ROWS_LEAST || taken <= ROW_LIMIT;
}

static Value concat_of(const Fuse *f, const Site *site)
{
    return f->fusion->groups.at[site->group].store.at[0];
}

static bool contraction_fits(const Fuse *f, Value x, const Site *site)
{
    const Growing *group = &f->growing.at[site->group];
    const Shape *root = root_shape(f, site->group);
    uint32_t roots;
    if (site->piece)
        root = graph_shape(f->graph,
                           graph_argument(f->graph, concat_of(f, site), (int)site->piece - 1));
    else if (group->contracts || group->reduces || group->closed || site->spot != SPOT_point)
        return false;
    if (!site_covers(site, graph_shape(f->graph, x), root, &roots)) return false;
    return elements_of(f, x) == shape_elements(root);
}

/* Notes what x, evaluated at the site, makes of the group. */
static void join(Fuse *f, Value x, const Site *site)
{
    Growing *group = &f->growing.at[site->group];
    OpClass class = op_info[graph_node(f->graph, x)->op].class;
    if (site->piece) return;
    group->nodes++;
    if (class == CONTRACTION) group->contracts = true;
    if (class == REDUCTION) {
        group->reduces = true;
        site_covers(site, graph_shape(f->graph, x), root_shape(f, site->group), &group->rows);
    }
}

/* Whether the kernel that the site is in is large enough. */
static bool is_full(const Fuse *f, const Site *site)
{
    return site->piece ? site->depth >= PIECE_DEPTH
                       : f->growing.at[site->group].nodes >= NODES_LIMIT;
}

static bool fits(const Fuse *f, Value x, const Site *site)
{
    OpClass class = op_info[graph_node(f->graph, x)->op].class;
    uint32_t rows;
    if (is_full(f, site)) return false;
    if (class == REDUCTION) return reduce_fits(f, x, site, &rows);
    return class != CONTRACTION || contraction_fits(f, x, site);
}

/* -- stored or inline ----------------------------------------------------------------------------------- */

typedef enum Join { JOIN_always, JOIN_cost, JOIN_rows, JOIN_once, JOIN_never } Join;

static Join join_rule(OpClass class, Spot spot)
{
    static const Join rule[][SPOT_indexed + 1] = {
#define JOIN(class, point, body, piece, factor, indexed)                                           \
    [class] = {JOIN_##point, JOIN_##body, JOIN_##piece, JOIN_##factor, JOIN_##indexed},
#include "passes/fuse.def"
#undef JOIN
    };
    return rule[class][spot];
}

/* What will be loaded rather than computed. */
static bool is_border(const Fuse *f, Value x)
{
    return op_info[graph_node(f->graph, x)->op].class != ELEMENTWISE || f->fusion->group[x.id] ||
           f->weights.seen[x.id] != f->weights.own[x.id];
}

/* Whether another user than x of the value is evaluated in the group, so that its elements are there anyway. */
static bool is_read_in(const Fuse *f, Value value, Value x, uint32_t group, int depth)
{
    for (uint32_t u = f->user_first[value.id]; u < f->user_first[value.id + 1]; u++) {
        Value user = {f->user[u]};
        const Sites *sites = f->sites[user.id];
        if (value_same(user, x) || !sites) continue;
        if (graph_node(f->graph, user)->op == OP_reshape) {
            if (depth && is_read_in(f, user, x, group, depth - 1)) return true;
            continue;
        }
        for (uint32_t i = 0; i < sites->count; i++)
            if (sites->at[i].group == group) return true;
    }
    return false;
}

/* What a vector of x costs where the group computes it: what the group reads anyway is free. */
static double cost_in(const Fuse *f, Value x, uint32_t group, int depth)
{
    const Node *node = graph_node(f->graph, x);
    double cost = f->weights.own[x.id];
    for (uint32_t i = 0; i < node->argument_count; i++) {
        Value y = node->argument[i];
        if (i && value_same(y, node->argument[i - 1])) continue;
        double seen = f->weights.seen[y.id];
        Value storage = fusion_storage(f->graph, y);
        if (is_read_in(f, storage, x, group, 2))
            cost -= seen;
        else if (depth && !is_border(f, storage))
            cost -= seen - cost_in(f, storage, group, depth - 1);
    }
    return cost > 0 ? cost : 0;
}

static double cost_inlined(const Fuse *f, Value x, const Sites *sites)
{
    double cost = 0, copies = 0;
    for (uint32_t i = 0; i < sites->count; i++) {
        bool elementwise = op_info[graph_node(f->graph, x)->op].class == ELEMENTWISE;
        double one = elementwise ? cost_in(f, x, sites->at[i].group, 3) : f->weights.own[x.id];
        cost += sites->at[i].copies * one;
        copies += sites->at[i].copies;
    }
    return cost + (sites->copies - copies) * f->weights.own[x.id];
}

/* Movement is inline at no cost, but not without end: a rule calls the next, and the stack is finite.  (A reshape has no buffer of
 * its own.) */
static bool is_deep(const Fuse *f, Value x, const Sites *sites)
{
    Op op = graph_node(f->graph, x)->op;
    if (op_info[op].class != MOVEMENT || op == OP_reshape) return false;
    for (uint32_t i = 0; i < sites->count; i++)
        if (is_full(f, &sites->at[i])) return true;
    return false;
}

static bool must_store(const Fuse *f, Value x, const Sites *sites)
{
    Op op = graph_node(f->graph, x)->op;
    bool by_cost = false;
    if (f->wanted[x.id]) return true;
    if (op == OP_scatter || fusion_in_pieces(f->graph, x)) return true;
    if (op == OP_stop) return false;
    for (uint32_t i = 0; i < sites->count; i++) {
        Join rule = join_rule(op_info[op].class, sites->at[i].spot);
        if (rule == JOIN_never) return true;
        if (rule == JOIN_always) return is_deep(f, x, sites);
        if ((rule == JOIN_rows || rule == JOIN_once) && (sites->count > 1 || sites->overflow))
            return true;
        if (!fits(f, x, &sites->at[i])) return true;
        by_cost |= rule == JOIN_cost;
    }
    return by_cost && cost_says_store(&f->weights, f->graph, x, sites, cost_inlined(f, x, sites));
}

/* -- several stores in one kernel ----------------------------------------------------------------------- */

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
        if (!shape_same(shape, root_shape(f, site->group))) continue;
        if (!site_is_identity(site, shape) || !fits(f, x, site)) continue;
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
    if (!shape_same(graph_shape(f->graph, s->x), root_shape(f, group))) return false;
    for (uint32_t k = 0; s->sites && k < s->sites->count; k++)
        if (s->sites->at[k].group == group) return false;
    Site site = site_of_store(f->graph, s->x, group);
    return fits(f, s->x, &site) && !comes_back(f, s->x, group);
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
        else if (depth && !is_border(f, user))
            search_up(s, user, depth - 1);
    }
}

static void search_down(Siblings *s, Value from, int depth)
{
    const Node *node = graph_node(s->f->graph, from);
    bool inner = depth && !is_border(s->f, from);
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

/* A single number that is computed from others can be stored in the last kernel that stores such numbers. */
static bool is_number(const Fuse *f, Value x)
{
    const Node *node = graph_node(f->graph, x);
    return graph_shape(f->graph, x)->rank == 0 && op_info[node->op].class == ELEMENTWISE;
}

/* The group that stores x along, 0 if it needs its own. */
static uint32_t group_along(const Fuse *f, Value x, const Sites *sites)
{
    const Site *along = sites ? store_along(f, x, sites) : NULL;
    if (along) return along->group;
    if (is_plain_reduce(f, x)) return group_of_sibling(f, x, sites);
    if (!f->numbers || !is_number(f, x)) return 0;
    if (f->fusion->groups.at[f->numbers].store.count >= STORES_LIMIT) return 0;
    return comes_back(f, x, f->numbers) ? 0 : f->numbers;
}

static void store(Fuse *f, Value x, Sites *sites)
{
    uint32_t group = group_along(f, x, sites);
    if (group) {
        *list_add(f->fusion->arena, &f->fusion->groups.at[group].store) = x;
        f->fusion->group[x.id] = group;
    } else {
        group = fusion_store(f->fusion, x);
        bool closed = graph_node(f->graph, x)->op == OP_scatter || fusion_in_pieces(f->graph, x);
        *list_add(f->arena, &f->growing) = (Growing){.closed = closed};
    }
    if (is_number(f, x)) f->numbers = group;
    Site site = site_of_store(f->graph, x, group);
    join(f, x, &site);
    if (!sites) sites = f->sites[x.id] = arena_new(f->arena, Sites);
    *sites = (Sites){.count = 1, .copies = 1, .at[0] = site};
}

/* -- the sweep ------------------------------------------------------------------------------------------ */

static void pass_on(Fuse *f, Value y)
{
    const Node *node = graph_node(f->graph, y);
    const Sites *sites = f->sites[y.id];
    for (uint32_t i = 0; i < node->argument_count; i++) {
        Value x = node->argument[i];
        if (!f->sites[x.id]) f->sites[x.id] = arena_new(f->arena, Sites);
        for (uint32_t s = 0; s < sites->count; s++) {
            Site inner = site_of_argument(f->graph, y, i, &sites->at[s]);
            sites_add(f->sites[x.id], &inner, graph_shape(f->graph, x)->rank);
        }
        f->sites[x.id]->overflow |= sites->overflow;
    }
}

static void place(Fuse *f, Value x)
{
    Sites *sites = f->sites[x.id];
    if (fusion_is_source(f->graph, x) || (!sites && !f->wanted[x.id])) return;
    if (elements_of(f, x) == 0) return;
    if (!sites || must_store(f, x, sites)) {
        store(f, x, sites);
    } else {
        for (uint32_t i = 0; i < sites->count; i++)
            join(f, x, &sites->at[i]);
    }
    pass_on(f, x);
}

static void find_users(Fuse *f)
{
    const Graph *graph = f->graph;
    uint32_t count = graph->node.count;
    f->uses = arena_array(f->arena, uint32_t, count + 1);
    f->user_first = arena_array(f->arena, uint32_t, count + 1);
    for (uint32_t id = 1; id < count; id++)
        for (uint32_t i = 0; i < graph->node.at[id].argument_count; i++)
            f->uses[graph->node.at[id].argument[i].id]++;
    for (uint32_t id = 1; id <= count; id++)
        f->user_first[id] = f->user_first[id - 1] + f->uses[id - 1];
    f->user = arena_array(f->arena, uint32_t, f->user_first[count] + 1);
    uint32_t *next = arena_array(f->arena, uint32_t, count + 1);
    for (uint32_t id = 1; id < count; id++)
        for (uint32_t i = 0; i < graph->node.at[id].argument_count; i++) {
            uint32_t x = graph->node.at[id].argument[i].id;
            f->user[f->user_first[x] + next[x]++] = id;
        }
}

Fusion *fuse(Arena *arena, const Graph *graph)
{
    Arena *scratch = arena_open(&host_default);
    if (!scratch) out_of_memory();
    Fuse f = {.arena = scratch, .graph = graph, .fusion = fusion_new(arena, graph)};
    f.wanted = arena_array(scratch, bool, graph->node.count);
    f.sites = arena_array(scratch, Sites *, graph->node.count);
    for (uint32_t i = 0; i < graph->result.count; i++)
        f.wanted[fusion_storage(graph, graph->result.at[i].value).id] = true;
    find_users(&f);
    f.weights = cost_weights(scratch, graph, f.uses);
    *list_add(scratch, &f.growing) = (Growing){0};
    for (uint32_t id = graph->node.count; id-- > 1;)
        place(&f, (Value){id});
    arena_close(scratch);
    return f.fusion;
}

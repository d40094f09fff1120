/* Decides from the results backwards: when a value's turn comes, everything that reads it has been placed, so all the sites at
 * which it would be evaluated are known.  fuse.def says what may join where, fuse_cost.c whether it pays. */
#include "passes/fuse.h"
#include "ir/base/boundary.h"
#include "passes/fuse_groups.h"

/* A row that a kernel goes over several times must stay in a cache close by. */
#define ROW_LIMIT     65536
/* With fewer rows than this a large reduce is better alone, where the backend may split it otherwise. */
#define ROWS_LEAST    8
/* What is computed while it is packed goes by short runs, with addresses and guards of its own. */
#define WORK_PACKING  3.0
/* How far the operand of a reduce is looked through for what it reads. */
#define FOREIGN_DEPTH 6
/* Of what a part of a long concat computes itself. */
#define PIECE_DEPTH   16

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

/* The contraction that x is, perhaps under another shape, with a bias added or through an activation; {0}: it is none. */
static Value contraction_behind(const Graph *graph, Value x)
{
    for (int depth = 0; x.id && depth < PIECE_DEPTH; depth++) {
        const Node *node = graph_node(graph, x);
        OpClass class = op_info[node->op].class;
        if (class == CONTRACTION) return x;
        bool passes = class == ELEMENTWISE || node->op == OP_reshape || node->op == OP_transpose;
        x = passes ? only_operand(graph, x) : (Value){0};
    }
    return (Value){0};
}

/* Sums of a contraction rounded to bytes: it stores these rather than have a reduce make them of the sums. */
static bool is_narrowed(const Graph *graph, Value x, const Sites *sites)
{
    Type type = graph_type(graph, x);
    bool is_byte = type_is_integer(type) && type_info[type].bytes == 1;
    return is_byte && sites->count == 1 && sites->at[0].spot == SPOT_body &&
           contraction_behind(graph, x).id;
}

/* Contractions store their parts where they belong; many parts would be as many selects. */
bool fusion_in_pieces(const Graph *graph, Value x)
{
    const Node *node = graph_node(graph, x);
    if (node->op != OP_concat) return false;
    if (node->argument_count > CONCAT_LIMIT) return true;
    for (uint32_t i = 0; i < node->argument_count; i++)
        if (contraction_behind(graph, node->argument[i]).id) return true;
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
    fusion->innermost = arena_array(arena, uint8_t, graph->node.count);
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

const Shape *fuse_root(const Fuse *f, uint32_t group)
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
    if (!site_covers(site, graph_shape(f->graph, x), fuse_root(f, site->group), rows)) return false;
    if (group->reduces && group->rows != *rows) return false;
    int64_t points = elements_of(f, x), taken = elements_of(f, graph_argument(f->graph, x, 0));
    if (points == shape_elements(fuse_root(f, site->group))) return true;
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
    const Shape *root = fuse_root(f, site->group);
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
        site_covers(site, graph_shape(f->graph, x), fuse_root(f, site->group), &group->rows);
    }
}

/* Whether the kernel that the site is in is large enough. */
bool fuse_is_full(const Fuse *f, const Site *site)
{
    return site->piece ? site->depth >= PIECE_DEPTH
                       : f->growing.at[site->group].nodes >= NODES_LIMIT;
}

bool fuse_fits(const Fuse *f, Value x, const Site *site)
{
    OpClass class = op_info[graph_node(f->graph, x)->op].class;
    uint32_t rows;
    if (fuse_is_full(f, site)) return false;
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

bool fuse_is_border(const Fuse *f, Value x)
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

/* Whether computing x for `user` in the group makes it read a value of at least so many elements that it does not read otherwise. */
static bool reads_anew(const Fuse *f, Value x, Value user, uint32_t group, int64_t elements,
                       int depth)
{
    x = fusion_storage(f->graph, x);
    const Node *node = graph_node(f->graph, x);
    OpClass class = op_info[node->op].class;
    if (elements_of(f, x) < elements || (class == LEAF && !fusion_is_source(f->graph, x)))
        return false;
    if (is_read_in(f, x, user, group, 2)) return false;
    if (!depth || (class != MOVEMENT && fuse_is_border(f, x))) return true;
    for (uint32_t i = 0; i < node->argument_count; i++)
        if (reads_anew(f, node->argument[i], x, group, elements, depth - 1)) return true;
    return false;
}

/* A reduce that stands for many elements of the kernel, but is taken over others than those: better with its like. */
static bool is_foreign_reduce(const Fuse *f, Value x, const Site *site)
{
    if (op_info[graph_node(f->graph, x)->op].class != REDUCTION) return false;
    Value y = graph_argument(f->graph, x, 0);
    if (elements_of(f, x) == shape_elements(fuse_root(f, site->group))) return false;
    return reads_anew(f, y, x, site->group, elements_of(f, y), FOREIGN_DEPTH);
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
        else if (depth && !fuse_is_border(f, storage))
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
        if (sites->at[i].spot == SPOT_factor) one += WORK_PACKING * f->weights.work[x.id];
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
        if (fuse_is_full(f, &sites->at[i])) return true;
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
        if (!fuse_fits(f, x, &sites->at[i]) || is_foreign_reduce(f, x, &sites->at[i])) return true;
        by_cost |= rule == JOIN_cost;
    }
    if (!by_cost) return false;
    return is_narrowed(f->graph, x, sites) ||
           cost_says_store(&f->weights, f->graph, x, sites, cost_inlined(f, x, sites));
}

static void store(Fuse *f, Value x, Sites *sites)
{
    uint32_t group = fuse_along(f, x, sites);
    if (group) {
        *list_add(f->fusion->arena, &f->fusion->groups.at[group].store) = x;
        f->fusion->group[x.id] = group;
    } else {
        group = fusion_store(f->fusion, x);
        bool closed = graph_node(f->graph, x)->op == OP_scatter || fusion_in_pieces(f->graph, x);
        *list_add(f->arena, &f->growing) = (Growing){.closed = closed};
    }
    if (fuse_is_number(f, x)) f->numbers = group;
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

#include "tests/properties/kit.h"

#include "backends/reference/interpret.h"
#include "ir/base/boundary.h"
#include "ir/graph/print.h"
#include "passes/pass.h"
#include <math.h>

uint64_t random_next(Random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t random_from(Random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(random_next(random) % (uint64_t)(high - low + 1));
}

bool random_once_in(Random *random, int64_t n)
{
    return random_from(random, 1, n) == 1;
}

double random_real(Random *random, double low, double high)
{
    return low + (high - low) * (double)(random_next(random) >> 11) * 0x1p-53;
}

Kit kit_open(uint64_t seed)
{
    Arena *arena = arena_open(&host_default);
    if (!arena) out_of_memory();
    return (Kit){arena, names_new(arena), {seed}};
}

void kit_close(Kit *kit)
{
    arena_close(kit->arena);
}

static double integer_of(Random *random, Type type, Domain domain)
{
    if (type == TYPE_bool) return (double)random_from(random, 0, 1);
    int64_t low = type_info[type].class == CLASS_UNSIGNED ? 0 : -2;
    if (domain == DOMAIN_positive) low = 1;
    double x = (double)random_from(random, low, 2);
    return domain == DOMAIN_nonzero && x == 0 ? 1 : x;
}

static double real_of(Random *random, Domain domain)
{
    switch (domain) {
    case DOMAIN_any:
    case DOMAIN_apart: return random_real(random, -2, 2);
    case DOMAIN_nonzero: {
        double x = random_real(random, -1.5, 1.5);
        return x < 0 ? x - 0.5 : x + 0.5;
    }
    case DOMAIN_positive: return random_real(random, 0.5, 2);
    case DOMAIN_fraction: return (double)random_from(random, -2, 2) + random_real(random, 0.1, 0.4);
    }
    unreachable("domain");
}

Feed kit_feed(Kit *kit, const Graph *graph, Data data, Domain domain)
{
    Feed feed = {0};
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = &graph->node.at[id];
        if (node->op != OP_input && node->op != OP_read) continue;
        if (feed.count == 64) bug("more leaves than a feed holds");

        int64_t count = shape_elements(graph_shape(graph, (Value){id}));
        double *at = arena_array(kit->arena, double, count);
        bool is_real = data == DATA_reals && type_is_float(node->type);
        for (int64_t i = 0; i < count; i++) {
            double x = is_real ? real_of(&kit->random, domain)
                               : integer_of(&kit->random, node->type, domain);
            at[i] = interpret_round(node->type, false, x);
        }
        feed.leaf[feed.count].name = node->attribute->name;
        feed.leaf[feed.count].type = node->type;
        feed.leaf[feed.count].count = count;
        feed.leaf[feed.count++].at = at;
    }
    return feed;
}

double *feed_find(const Feed *feed, Name name)
{
    for (int i = 0; i < feed->count; i++)
        if (name_same(feed->leaf[i].name, name)) return feed->leaf[i].at;
    return NULL;
}

static const double *leaf_of(void *user, const Graph *graph, Value leaf)
{
    const double *at = feed_find(user, graph_node(graph, leaf)->attribute->name);
    if (!at) bug("nothing feeds a leaf");
    return at;
}

double **kit_evaluate(Kit *kit, const Graph *graph, const Feed *feed, bool in_double)
{
    double **result = arena_array(kit->arena, double *, graph->result.count);
    for (uint32_t i = 0; i < graph->result.count; i++)
        result[i] = arena_array(kit->arena, double,
                                shape_elements(graph_shape(graph, graph->result.at[i].value)));
    Interpretation how = {.in_double = in_double, .leaf = leaf_of, .user = (void *)(uintptr_t)feed};
    if (interpret(graph, &how, result) != STATUS_ok) out_of_memory();
    return result;
}

Graph *kit_differentiate(Kit *kit, const Graph *graph)
{
    Pass pass = {.arena = kit->arena, .scratch = kit->arena, .options = &(PassOptions){0}};
    return pass_autodiff(&pass, graph);
}

Program *kit_program(Kit *kit, Graph *graph)
{
    Program *program = program_new(kit->arena, kit->names);
    program->entry[ENTRY_predict] = graph;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = &graph->node.at[id];
        if (node->op != OP_read || program_state(program, node->attribute->name)) continue;
        *list_add(kit->arena, &program->state) = (State){.name = node->attribute->name,
                                                         .role = STATE_buffer,
                                                         .type = node->type,
                                                         .shape = *graph_shape(graph, (Value){id})};
    }
    return program;
}

const char *kit_difference(Kit *kit, const double *a, const double *b, int64_t count,
                           double absolute, double relative)
{
    double worst = 0;
    int64_t where = -1;
    for (int64_t i = 0; i < count; i++) {
        bool same = a[i] == b[i] || (isnan(a[i]) && isnan(b[i]));
        if (same) continue;
        double excess = fabs(a[i] - b[i]) - absolute - relative * fabs(b[i]);
        if (isnan(excess)) excess = INFINITY;
        if (excess > 0 && (where < 0 || excess > worst)) worst = excess, where = i;
    }
    if (where < 0) return NULL;
    Text text = {.arena = kit->arena};
    text_add(&text, "element %lld of %lld is %.17g, not %.17g", (long long)where, (long long)count,
             a[where], b[where]);
    return text_done(&text);
}

const char *kit_text(Kit *kit, const Graph *graph)
{
    Text text = {.arena = kit->arena};
    graph_print(&text, graph, &(PrintOptions){0});
    return text_done(&text);
}

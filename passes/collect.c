/* Sums of products alike become one product.  The gradient of weights that every step of a sequence uses is a sum of products,
 *
 *     dot(dy1, x1) + dot(dy2, x2) + ...  ->  dot(concat(dy1, dy2, ...), concat(x1, x2, ...))
 *
 * of which each would be stored and read again; and each is too small to run at full speed.  The last use comes first in the sum, as the
 * sweep back from the loss meets it: put together in the opposite order, what is joined is what slices of a sequence are joined to. */
#include "passes/pass.h"

#include "ir/graph/build.h"

#define LEAST_TERMS 4

/* Operands that were joined along a new axis, the first. */
typedef struct Joined {
    const Value *part; /* in the graph that is read */
    uint32_t count;
    Value whole;
} Joined;

typedef struct Collect {
    Graph *out;
    const Graph *in;
    Arena *scratch;
    Value *map;
    uint32_t *uses; /* by node */
    uint32_t *user; /* the last of them; 0: a result */
    LIST(Joined) joined;
} Collect;

typedef LIST(Value) Terms;

static const Node *node_of(const Collect *c, Value value)
{
    return graph_node(c->in, value);
}

static void count_uses(Collect *c)
{
    for (uint32_t id = 1; id < c->in->node.count; id++) {
        const Node *node = node_of(c, (Value){id});
        for (uint32_t i = 0; i < node->argument_count; i++) {
            c->uses[node->argument[i].id]++;
            c->user[node->argument[i].id] = id;
        }
    }
    for (uint32_t i = 0; i < c->in->result.count; i++) {
        c->uses[c->in->result.at[i].value.id]++;
        c->user[c->in->result.at[i].value.id] = 0;
    }
}

static bool is_inner(const Collect *c, Value value)
{
    return node_of(c, value)->op == OP_add && c->uses[value.id] == 1;
}

/* What a chain of additions adds up, from left to right. */
static void list_terms(const Collect *c, Value sum, Terms *terms)
{
    const Node *node = node_of(c, sum);
    for (int i = 0; i < 2; i++) {
        if (is_inner(c, node->argument[i]))
            list_terms(c, node->argument[i], terms);
        else
            *list_add(c->scratch, terms) = node->argument[i];
    }
}

static int64_t elements_of(const Collect *c, Value value)
{
    return shape_elements(graph_shape(c->in, value));
}

/* A product that is a term and nothing else, and whose operands are no more to move than its result, stored and read again. */
static bool is_worth_it(const Collect *c, Value value)
{
    const Node *node = node_of(c, value);
    if (node->op != OP_dot || c->uses[value.id] != 1) return false;
    const Indices *indices = &node->attribute->indices;
    int64_t moved = elements_of(c, node->argument[0]) + elements_of(c, node->argument[1]);
    return strlen(indices->a) < MAX_RANK && strlen(indices->b) < MAX_RANK &&
           moved <= 2 * elements_of(c, value);
}

static bool are_alike(const Collect *c, Value x, Value y)
{
    const Node *a = node_of(c, x), *b = node_of(c, y);
    if (memcmp(&a->attribute->indices, &b->attribute->indices, sizeof a->attribute->indices))
        return false;
    for (int i = 0; i < 2; i++) {
        if (value_same(a->argument[i], b->argument[i])) return false;
        if (graph_type(c->in, a->argument[i]) != graph_type(c->in, b->argument[i])) return false;
        if (!shape_same(graph_shape(c->in, a->argument[i]), graph_shape(c->in, b->argument[i])))
            return false;
    }
    return true;
}

/* Terms from `first` on that go together with it, itself included, the last first. */
static Terms terms_alike(const Collect *c, const Terms *terms, uint32_t first, const bool *is_done)
{
    Terms alike = {0};
    for (uint32_t i = terms->count; i-- > first;) {
        bool fits = !is_done[i] && is_worth_it(c, terms->at[i]);
        if (fits && (i == first || are_alike(c, terms->at[first], terms->at[i])))
            *list_add(c->scratch, &alike) = terms->at[i];
    }
    return alike;
}

/* Operand `which` of the products, joined along a new axis, which is the first: the parts then follow each other in memory. */
static Value join(Collect *c, const Terms *products, uint32_t which)
{
    Value *part = arena_array(c->scratch, Value, products->count);
    Value *whole = arena_array(c->scratch, Value, products->count);
    for (uint32_t i = 0; i < products->count; i++) {
        part[i] = node_of(c, products->at[i])->argument[which];
        Shape shape = *graph_shape(c->in, part[i]);
        memmove(shape.extent + 1, shape.extent, sizeof *shape.extent * (size_t)shape.rank);
        shape.extent[0] = 1;
        shape.rank++;
        whole[i] = ir_reshape(c->out, c->map[part[i].id], shape);
    }
    Joined joined = {part, products->count, ir_concat(c->out, products->count, whole, 0)};
    *list_add(c->scratch, &c->joined) = joined;
    return joined.whole;
}

static Value product_of_all(Collect *c, const Terms *products)
{
    Indices indices = node_of(c, products->at[0])->attribute->indices;
    char letter = indices_free_letter(&indices);
    Value a = join(c, products, 0), b = join(c, products, 1);
    indices_insert(indices.a, 0, letter);
    indices_insert(indices.b, 0, letter);
    return ir_dot(c->out, a, b, indices);
}

static Value collect_sum(Collect *c, Value sum)
{
    Terms terms = {0};
    bool any = false;
    Value all = {0};
    list_terms(c, sum, &terms);
    bool *is_done = arena_array(c->scratch, bool, terms.count);
    for (uint32_t i = 0; i < terms.count; i++) {
        if (is_done[i]) continue;
        Value term = c->map[terms.at[i].id];
        Terms alike = is_worth_it(c, terms.at[i]) ? terms_alike(c, &terms, i, is_done) : (Terms){0};
        if (alike.count >= LEAST_TERMS) {
            term = product_of_all(c, &alike);
            any = true;
            for (uint32_t k = i; k < terms.count; k++)
                for (uint32_t n = 0; n < alike.count; n++)
                    is_done[k] |= value_same(terms.at[k], alike.at[n]);
        }
        all = all.id ? ir_add(c->out, all, term) : term;
    }
    return any ? all : (Value){0};
}

/* The sum of what was joined for a product, as of a bias beside weights. */
static Value collect_reduction(Collect *c, Value value)
{
    const Node *node = node_of(c, value);
    Terms terms = {0};
    if (!is_inner(c, node->argument[0])) return (Value){0};
    list_terms(c, node->argument[0], &terms);
    for (uint32_t i = 0; i < c->joined.count; i++) {
        const Joined *j = &c->joined.at[i];
        bool is_same = j->count == terms.count;
        for (uint32_t k = 0; is_same && k < terms.count; k++)
            is_same = value_same(j->part[j->count - 1 - k], terms.at[k]);
        if (!is_same) continue;
        Axes axes = {.count = 1};
        for (int k = 0; k < node->attribute->axes.count; k++)
            axes.at[axes.count++] = (uint8_t)(node->attribute->axes.at[k] + 1);
        return ir_sum(c->out, j->whole, axes);
    }
    return (Value){0};
}

static Value collect(Collect *c, Value value)
{
    const Node *node = node_of(c, value);
    c->out->at = node->at;
    if (!type_is_float(node->type)) return (Value){0};
    if (node->op == OP_sum) return collect_reduction(c, value);
    bool is_root = node->op == OP_add &&
                   !(is_inner(c, value) && node_of(c, (Value){c->user[value.id]})->op == OP_add);
    return is_root ? collect_sum(c, value) : (Value){0};
}

Graph *pass_collect(Pass *pass, const Graph *in)
{
    Graph *out = graph_new(pass->arena, in->names, in->name, in->simplify);
    uint32_t count = in->node.count;
    Collect c = {.out = out,
                 .in = in,
                 .scratch = pass->scratch,
                 .map = arena_array(pass->scratch, Value, count),
                 .uses = arena_array(pass->scratch, uint32_t, count),
                 .user = arena_array(pass->scratch, uint32_t, count)};
    count_uses(&c);
    for (uint32_t id = 1; id < count; id++) {
        c.map[id] = collect(&c, (Value){id});
        if (!c.map[id].id) c.map[id] = graph_copy(out, in, (Value){id}, c.map);
    }
    for (uint32_t i = 0; i < in->result.count; i++) {
        const Result *result = &in->result.at[i];
        graph_result(out, (int)result->kind, result->name, c.map[result->value.id], result->at);
    }
    return out;
}

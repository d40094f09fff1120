#ifndef MLC_IR_GRAPH_GRAPH_H
#define MLC_IR_GRAPH_GRAPH_H
/* The tensor graph: SSA nodes in an array, operands before users, ids dense from 1.  graph_add is the only way in,
 * for the frontend and for every pass: it simplifies (through the rules it was given), shares equal nodes (CSE) and
 * only then stores, so nothing unfolded ever exists.  Nodes never change once added.  A graph belongs to its arena. */
#include "ir/base/context.h"
#include "ir/base/list.h"
#include "ir/graph/shape.h"

typedef struct Value {
    uint32_t id; /* 0: none */
} Value;

/* Span.storage of a node: no part of what it computes, and taken on by what it is rewritten to. */
enum {
    STORAGE_free,
    STORAGE_kept,     /* the model says `keep` */
    STORAGE_gradient, /* written by autodiff: there is no use of it before */
    STORAGE_regions   /* and up: of one `recompute`, each has its number */
};

typedef struct Node {
    Op op;
    Type type;
    uint32_t shape; /* index into Graph.shapes: equal shapes are equal ids */
    uint32_t argument_count;
    const Value *argument;
    const Attribute *attribute; /* NULL for ATTRIBUTE_none */
    Span at;
} Node;

/* What an entry gives back, in order. */
typedef struct Result {
    enum { RESULT_output, RESULT_write } kind;
    Name name; /* of the output, or of the state that is written */
    Value value;
    Span at;
} Result;

typedef struct Graph Graph;

/* Simplification at insertion: returns an existing or new value that equals `node`, or {0} to store it as it is.
 * Provided by the passes, handed in by whoever opens the graph; NULL: none. */
typedef Value GraphSimplify(Graph *graph, const Node *node);

struct Graph {
    Arena *arena;
    Names *names;
    GraphSimplify *simplify;
    Name name; /* of the entry */
    Span at;   /* cursor: given to every node added; set by the frontend and by rewrites */
    LIST(Node) node;    /* [0] is no node */
    LIST(Shape) shape;  /* interned; [0] is rank 0 */
    LIST(Result) result;
    uint32_t *table, table_room; /* CSE: open addressing over node ids */
    uint32_t *shape_table, shape_table_room;
};

Graph *graph_new(Arena *arena, Names *names, Name name, GraphSimplify *simplify);

/* Adds (or finds) op(arguments).  `attribute` may be NULL when the op has none; `given` may be NULL when the rule
 * infers everything.  The shape rule must hold: the frontend asks shape_infer first, others are right by
 * construction; a violation is a bug(). Everything is copied. */
Value graph_add(Graph *graph, Op op, uint32_t argument_count, const Value *arguments, const Attribute *attribute,
                const TypedShape *given);
void graph_result(Graph *graph, int kind, Name name, Value value, Span at);

/* The same node in another graph, its operands replaced by map[old id].  It keeps its span, whatever the cursor. */
Value graph_copy(Graph *to, const Graph *from, Value value, const Value *map);
/* What the results need, operands first, in depth-first order from the results (operands left to right). Returns how
 * many there are; `order` has room for graph->node.count. */
uint32_t graph_order(const Graph *graph, Value *order, Arena *scratch);
/* A graph of what the results need, renumbered in that order, inputs that nobody needs dropped; no rule is asked.  Equal programs have equal texts after it. */
Graph *graph_sweep(const Graph *graph, Arena *arena);

static inline const Node *graph_node(const Graph *graph, Value value)
{
    return &graph->node.at[value.id];
}
static inline const Shape *graph_shape(const Graph *graph, Value value)
{
    return &graph->shape.at[graph->node.at[value.id].shape];
}
static inline Type graph_type(const Graph *graph, Value value)
{
    return graph->node.at[value.id].type;
}
static inline Value graph_argument(const Graph *graph, Value value, int i)
{
    return graph->node.at[value.id].argument[i];
}
static inline bool value_same(Value a, Value b)
{
    return a.id == b.id;
}
/* True and the number if value is a constant. */
bool graph_is_number(const Graph *graph, Value value, double *number);

#endif

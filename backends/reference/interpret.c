#include "backends/reference/interpret.h"

#include "ir/base/bits.h"
#include "ir/base/boundary.h"
#include <math.h>

static EvalRule *const eval_rule[OP_COUNT] = {
#define UNARY(name, ...)  [OP_##name] = eval_elementwise,
#define BINARY(name, ...) [OP_##name] = eval_elementwise,
#define OP(name, ...)     [OP_##name] = eval_##name,
#include "ir/graph/ops.def"
#undef UNARY
#undef BINARY
#undef OP
};

/* x modulo 2^bits, as a signed or unsigned number. x is an integer. */
static double wrap(double x, int bits, bool is_signed)
{
    if (!isfinite(x)) return 0;
    double size = ldexp(1, bits), low = is_signed ? -size / 2 : 0;
    if (x >= low && x < low + size) return x;

    return x - size * floor((x - low) / size);
}

double interpret_round(Type type, bool in_double, double x)
{
    switch (type_info[type].class) {
    case CLASS_FLOAT:
        if (in_double) return x;
        if (type == TYPE_bf16) return (double)bits_of_bf16(bits_bf16_of((float)x));
        if (type == TYPE_f16) return (double)bits_of_f16(bits_f16_of((float)x));
        return (double)(float)x;
    case CLASS_SIGNED: return wrap(x, 8 * type_info[type].bytes, true);
    case CLASS_UNSIGNED: return wrap(x, 8 * type_info[type].bytes, false);
    case CLASS_LOGIC: return x != 0;
    }
    unreachable("type class");
}

#define EACH(T, READ)                                                                              \
    do {                                                                                           \
        const T *from = buffer;                                                                    \
        for (int64_t i = 0; i < count; i++)                                                        \
            elements[i] = (double)(READ);                                                          \
    } while (0)

void interpret_load(Type type, const void *buffer, int64_t count, double *elements)
{
    switch (type) {
    case TYPE_f32: EACH(float, from[i]); return;
    case TYPE_bf16: EACH(uint16_t, bits_of_bf16(from[i])); return;
    case TYPE_f16: EACH(uint16_t, bits_of_f16(from[i])); return;
    case TYPE_i64: EACH(int64_t, from[i]); return;
    case TYPE_i32: EACH(int32_t, from[i]); return;
    case TYPE_i8: EACH(int8_t, from[i]); return;
    case TYPE_u32: EACH(uint32_t, from[i]); return;
    case TYPE_u8: EACH(uint8_t, from[i]); return;
    case TYPE_bool: EACH(uint8_t, from[i] != 0); return;
    case TYPE_none:
    case TYPE_COUNT: break;
    }
    unreachable("type");
}
#undef EACH

#define EACH(T, WRITE)                                                                             \
    do {                                                                                           \
        T *to = buffer;                                                                            \
        for (int64_t i = 0; i < count; i++)                                                        \
            to[i] = (T)(WRITE);                                                                    \
    } while (0)

void interpret_store(Type type, const double *elements, int64_t count, void *buffer)
{
    switch (type) {
    case TYPE_f32: EACH(float, elements[i]); return;
    case TYPE_bf16: EACH(uint16_t, bits_bf16_of((float)elements[i])); return;
    case TYPE_f16: EACH(uint16_t, bits_f16_of((float)elements[i])); return;
    case TYPE_i64: EACH(int64_t, elements[i]); return;
    case TYPE_i32: EACH(int32_t, elements[i]); return;
    case TYPE_i8: EACH(int8_t, elements[i]); return;
    case TYPE_u32: EACH(uint32_t, elements[i]); return;
    case TYPE_u8: EACH(uint8_t, elements[i]); return;
    case TYPE_bool: EACH(uint8_t, elements[i] != 0); return;
    case TYPE_none:
    case TYPE_COUNT: break;
    }
    unreachable("type");
}
#undef EACH

/* The values of one run. A value is freed after its last use, so a big graph needs what is alive and no more. */
typedef struct Values {
    const Graph *graph;
    const Interpretation *how;
    const double **at;      /* by node id */
    double **own;           /* the same, where it is ours to free */
    uint32_t *last;         /* id of the last user */
    const double **operand; /* room for the operands of one node */
} Values;

static void *take(size_t size)
{
    return host_default.resize(host_default.user, NULL, size ? size : 1);
}

static void give(void *block)
{
    if (block) host_default.resize(host_default.user, block, 0);
}

static void find_last_uses(const Graph *graph, uint32_t *last, uint32_t *widest)
{
    for (uint32_t id = 1; id < graph->node.count; id++) {
        const Node *node = &graph->node.at[id];
        last[id] = id;
        if (node->argument_count > *widest) *widest = node->argument_count;
        for (uint32_t i = 0; i < node->argument_count; i++)
            last[node->argument[i].id] = id;
    }
    for (uint32_t i = 0; i < graph->result.count; i++)
        last[graph->result.at[i].value.id] = UINT32_MAX;
}

static Status compute(Values *values, Value value)
{
    const Graph *graph = values->graph;
    const Node *node = graph_node(graph, value);
    if (node->op == OP_input || node->op == OP_read) {
        values->at[value.id] = values->how->leaf(values->how->user, graph, value);
        return STATUS_ok;
    }
    int64_t count = shape_elements(graph_shape(graph, value));
    double *y = take(sizeof *y * (size_t)count);
    if (!y) return STATUS_no_memory;

    memset(y, 0, sizeof *y * (size_t)count);
    values->at[value.id] = values->own[value.id] = y;
    for (uint32_t i = 0; i < node->argument_count; i++)
        values->operand[i] = values->at[node->argument[i].id];
    Evaluation e = {graph, node, values->operand, y, values->how->in_double};
    eval_rule[node->op](&e);
    for (int64_t i = 0; i < count; i++)
        y[i] = interpret_round(node->type, values->how->in_double, y[i]);
    return STATUS_ok;
}

static void drop_after(Values *values, uint32_t id)
{
    const Node *node = &values->graph->node.at[id];
    for (uint32_t i = 0; i < node->argument_count; i++) {
        uint32_t used = node->argument[i].id;
        if (values->last[used] != id) continue;
        give(values->own[used]);
        values->own[used] = NULL;
    }
    if (values->last[id] == id) {
        give(values->own[id]);
        values->own[id] = NULL;
    }
}

static Status run_all(Values *values, double *const *result)
{
    const Graph *graph = values->graph;
    for (uint32_t id = 1; id < graph->node.count; id++) {
        TRY(compute(values, (Value){id}));
        if (values->how->watch)
            values->how->watch(values->how->user, graph, (Value){id}, values->at[id]);
        drop_after(values, id);
    }
    for (uint32_t i = 0; i < graph->result.count; i++) {
        Value value = graph->result.at[i].value;
        size_t size = sizeof(double) * (size_t)shape_elements(graph_shape(graph, value));
        if (size) memcpy(result[i], values->at[value.id], size);
    }
    return STATUS_ok;
}

Status interpret(const Graph *graph, const Interpretation *how, double *const *result)
{
    uint32_t count = graph->node.count, widest = 1;
    size_t pointers = sizeof(void *) * (size_t)(count + 1);
    Values values = {.graph = graph, .how = how};
    values.at = take(pointers);
    values.own = take(pointers);
    values.last = take(sizeof(uint32_t) * (size_t)(count + 1));
    bool had = values.at && values.own && values.last;
    if (had) {
        memset(values.own, 0, pointers);
        find_last_uses(graph, values.last, &widest);
        values.operand = take(sizeof(double *) * (size_t)widest);
    }
    Status status = had && values.operand ? run_all(&values, result) : STATUS_no_memory;

    for (uint32_t id = 1; had && id < count; id++)
        give(values.own[id]);
    give(values.operand);
    give(values.last);
    give(values.own);
    give(values.at);
    return status;
}

/* Kernels that are no contraction: loops over the rows, in each the reduces, then the stores. */
#include "backends/cpu/reduce.h"

typedef struct Rows {
    const RowReduces *reduces;
    LLVMValueRef from[MAX_AXES], to[MAX_AXES];
} Rows;

typedef struct Nest {
    Rows *rows;
    const Axis *order;
    uint32_t count, at; /* the loop to open next */
    Axis vector, minor;
    bool unrolled; /* the loops are few points, each code of its own */
    bool columns;  /* the vector axis, the last, in blocks of schedule->columns */
    void (*inside)(Emit *e, Rows *rows);
} Nest;

static void nest(Emit *e, Nest n);

static void columns(Emit *e, Rows *rows, Axis axis);

static void inside_transposed(Emit *e, void *user)
{
    const Nest *n = user;
    n->inside(e, n->rows);
}

/* The two innermost loops at once. */
static void transposed(Emit *e, const Nest *n)
{
    Axis vector = n->vector, across = e->schedule->across;
    emit_transposed(e, &(Transposed){.vector = vector,
                                     .across = across,
                                     .from = n->rows->from[vector.id - 1],
                                     .to = n->rows->to[vector.id - 1],
                                     .across_from = n->rows->from[across.id - 1],
                                     .across_to = n->rows->to[across.id - 1],
                                     .inside = inside_transposed,
                                     .user = (void *)n});
}

static void nest_in_vector(Emit *e, VectorLoop *loop)
{
    Nest inner = *(const Nest *)loop->user;
    inner.at++;
    nest(e, inner);
}

static void nest(Emit *e, Nest n)
{
    if (n.at == n.count) {
        n.inside(e, n.rows);
        return;
    }
    Axis axis = n.order[n.at];
    uint32_t i = axis.id - 1;
    if (axis.id == e->schedule->across.id) {
        transposed(e, &n);
        return;
    }
    if (axis.id == n.vector.id && n.columns) {
        columns(e, n.rows, axis);
        return;
    }
    if (axis.id == n.vector.id) {
        vector_loop(e, &(VectorLoop){.axis = axis,
                                     .minor = n.minor,
                                     .from = n.rows->from[i],
                                     .to = n.rows->to[i],
                                     .extent = e->kernel->axis.at[i].extent,
                                     .width = e->schedule->width,
                                     .body = nest_in_vector,
                                     .user = &n});
        return;
    }
    Nest inner = n;
    inner.at++;
    if (e->axis[i].bound) {
        nest(e, inner);
        return;
    }
    int64_t from, to;
    if (n.unrolled && is_known(n.rows->from[i], &from) && is_known(n.rows->to[i], &to)) {
        for (; from < to; from++) {
            axis_bind(e, axis, emit_i64(e, from), 0);
            nest(e, inner);
        }
        axis_release(e, axis);
        return;
    }
    Loop loop;
    loop_open(e, &loop, n.rows->from[i], n.rows->to[i], 1, 0, NULL);
    axis_bind(e, axis, loop.index, e->depth);
    nest(e, inner);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

/* All values before the first store: a load sees what was there before this point. */
void store_all(Emit *e)
{
    const Kernel *kernel = e->kernel;
    for (uint32_t i = 0; i < kernel->store.count; i++)
        evaluate_vector(e, kernel->store.at[i].value);
    for (uint32_t i = 0; i < kernel->store.count; i++) {
        const Store *store = &kernel->store.at[i];
        LLVMValueRef value = evaluate_vector(e, store->value);
        const Access *at = e->moved_store[i] ? e->moved_store[i] : &store->at;
        store_access(e, at, kernel->buffer.at[store->at.buffer].type, value, store->accumulate);
    }
}

static void store_point(Emit *e, Rows *rows)
{
    (void)rows;
    store_all(e);
}

/* The values of all points of the woven axis, then the stores. */
static void store_weave(Emit *e, Rows *rows)
{
    (void)rows;
    Axis axis = e->schedule->woven;
    const Kernel *kernel = e->kernel;
    uint32_t points = (uint32_t)kernel->axis.at[axis.id - 1].extent, stores = kernel->store.count;
    LLVMValueRef *value = arena_array(e->arena, LLVMValueRef, points * stores);
    for (uint32_t k = points; k-- > 0;) {
        axis_bind(e, axis, emit_i64(e, k), 0);
        for (uint32_t i = 0; i < stores; i++)
            value[i * points + k] = evaluate_vector(e, kernel->store.at[i].value);
    }
    emit_at(e, e->depth);
    for (uint32_t i = 0; i < stores; i++) {
        const Access *access = &kernel->store.at[i].at;
        store_woven(e, access, kernel->buffer.at[access->buffer].type, value + i * points, points);
    }
    axis_release(e, axis);
}

#define FEW_STORES 9

static bool are_few(const Emit *e)
{
    const Schedule *s = e->schedule;
    int64_t points = e->kernel->store.count;
    for (uint32_t i = 0; i < s->store_count; i++)
        if (s->store_order[i].id != s->store_vector.id)
            points *= e->kernel->axis.at[s->store_order[i].id - 1].extent;
    return points <= FEW_STORES;
}

static void row_stores(Emit *e, void *user)
{
    const Schedule *s = e->schedule;
    Rows *rows = user;
    nest(e, (Nest){.rows = rows,
                   .order = s->store_order,
                   .count = s->store_count - (s->woven.id != 0),
                   .vector = s->store_vector,
                   .unrolled = are_few(e),
                   .inside = s->woven.id ? store_weave : store_point});
}

static void row(Emit *e, Rows *rows)
{
    emit_reduces(e, rows->reduces);
    row_stores(e, rows);
}

static void columns(Emit *e, Rows *rows, Axis axis)
{
    Loop loop;
    LLVMValueRef end = rows->to[axis.id - 1], width = emit_i64(e, e->schedule->columns);
    loop_open(e, &loop, rows->from[axis.id - 1], end, e->schedule->columns, 0, NULL);
    emit_at(e, e->depth);
    LLVMValueRef to = emit_smaller(e, LLVMBuildAdd(e->builder, loop.index, width, ""), end);
    emit_columns(e, &(RowBlock){rows->reduces, loop.index, to, row_stores, rows});
    loop_close(e, &loop, NULL);
}

void emit_rows(Emit *e)
{
    Rows rows;
    RowReduces reduces = plan_reduces(e->kernel, e->arena);
    rows.reduces = &reduces;
    Loop tasks;
    tasks_open(e, &tasks, rows.from, rows.to);
    nest(e, (Nest){.rows = &rows,
                   .order = e->schedule->order,
                   .count = e->schedule->order_count,
                   .vector = e->schedule->vector,
                   .minor = e->schedule->minor,
                   .columns = e->schedule->columns > 0,
                   .inside = row});
    loop_close(e, &tasks, NULL);
}

/* Statements: bindings, static control flow, the model's inputs and outputs, scans. */
#include "frontend/elaborate.h"

static void bind(Elaborator *e, const Ast *ast)
{
    Datum value = elaborate_bound(e, ast->child[0], ast->name, false);
    if (e->exhausted) value = POISON;
    if (value.kind == DATUM_none && ast->child[0]->kind == AST_call) {
        elaborate_error(e, ast->child[0]->at, "the call returns nothing that `%s` could be",
                        name_text(e->names, ast->name));
        elaborate_hint(e, "a function gives a value by `return`");
        value = POISON;
    }
    frame_bind(e, e->frame, ast->name, value);
}

/* All that a binding marked `recompute` computes is of one region; what is marked `keep` inside of it is not. */
static void bind_stored(Elaborator *e, const Ast *ast)
{
    uint32_t outer = e->storage;
    bool is_kept = strcmp(ast->text, "keep") == 0;
    if (!is_kept) e->storage = STORAGE_regions + e->regions++;
    elaborate_at(e, ast->at);
    bind(e, ast);
    e->storage = outer;
    elaborate_at(e, ast->at);
    const Datum *bound = frame_find(e->frame, ast->name);
    if (!is_kept || !bound || bound->kind != DATUM_tensor) return;
    e->graph->node.at[bound->value.id].at.storage = STORAGE_kept;
}

static void declare_output(Elaborator *e, const Ast *ast)
{
    Frame *f = e->frame;
    if (f->function) {
        elaborate_error(e, ast->at, "`output` belongs to the model, not to a function");
        elaborate_hint(e, "a function gives its result by `return`");
        return;
    }
    Datum *old = frame_find(f, ast->name);
    const Ast *value = ast->count ? ast->child[0] : NULL;
    Datum datum = POISON;
    if (value && !(value->kind == AST_name && name_same(value->name, ast->name)))
        datum = elaborate_bound(e, value, ast->name, false);
    else if (old)
        datum = *old;
    else if (value)
        datum = elaborate_expression(e, value);

    for (uint32_t i = 0; i < f->output.count; i++) {
        if (!name_same(f->output.at[i], ast->name)) continue;
        elaborate_error(e, ast->at, "the output `%s` is declared twice",
                        name_text(e->names, ast->name));
        return;
    }
    if (datum.kind != DATUM_tensor && datum.kind != DATUM_poison) {
        elaborate_error(e, ast->at, "an output is a tensor, and this is %s", static_kind(&datum));
        if (datum.kind == DATUM_number)
            elaborate_hint(e, "full(x, []) makes a tensor of a number x");
        datum = POISON;
    }
    *list_add(e->arena, &f->output) = ast->name;
    frame_bind(e, f, ast->name, datum);
}

static void follow_if(Elaborator *e, const Ast *ast)
{
    bool which;
    if (!elaborate_condition(e, ast->child[0], &which)) return;
    const Ast *otherwise = ast->count > 2 ? ast->child[2] : NULL;
    if (which)
        elaborate_block(e, ast->child[1]);
    else if (otherwise && otherwise->kind == AST_if)
        follow_if(e, otherwise);
    else if (otherwise)
        elaborate_block(e, otherwise);
}

static void unroll(Elaborator *e, const Ast *ast)
{
    Datum over = elaborate_expression(e, ast->child[0]);
    if (over.kind == DATUM_poison) return;
    if (over.kind != DATUM_list && over.kind != DATUM_range) {
        elaborate_error(e, ast->child[0]->at, "`for` goes over a range or a list, and this is %s",
                        elaborate_describe(e, &over));
        if (over.kind == DATUM_number)
            elaborate_hint(e, "write 0..%s", elaborate_describe(e, &over));
        if (over.kind == DATUM_tensor) elaborate_hint(e, "along an axis of a tensor goes `scan`");
        return;
    }
    Frame *f = e->frame;
    for (uint32_t i = 0; i < static_count(&over) && !f->returned; i++) {
        if (!elaborate_work(e, ast->at)) return;
        frame_bind(e, f, ast->name, static_element(&over, i));
        *list_add(e->arena, &f->index) = i;
        elaborate_block(e, ast->child[1]);
        f->index.count--;
    }
}

static void give_back(Elaborator *e, const Ast *ast)
{
    if (!e->frame->function) {
        elaborate_error(e, ast->at, "`return` belongs to a function; a model has `output`");
        return;
    }
    e->frame->result = ast->count && ast->child[0]
                           ? elaborate_bound(e, ast->child[0], (Name){0}, true)
                           : static_none();
    e->frame->returned = true;
}

static void misplaced_input(Elaborator *e, const Ast *ast)
{
    if (!e->frame->function) return; /* bound before the model's statements run */
    elaborate_error(e, ast->at, "`input` belongs to the model, not to a function");
    elaborate_hint(e, "a function's inputs are its parameters");
}

static void elaborate_statement(Elaborator *e, const Ast *ast)
{
    elaborate_at(e, ast->at);
    switch ((unsigned)ast->kind) {
    case AST_bind:
        if (ast->text)
            bind_stored(e, ast);
        else
            bind(e, ast);
        return;
    case AST_update: elaborate_update(e, ast); return;
    case AST_param:
    case AST_state: elaborate_declare(e, ast); return;
    case AST_input: misplaced_input(e, ast); return;
    case AST_output: declare_output(e, ast); return;
    case AST_if: follow_if(e, ast); return;
    case AST_for: unroll(e, ast); return;
    case AST_return: give_back(e, ast); return;
    case AST_yield:
        *list_add(e->arena, &e->frame->yield) = elaborate_expression(e, ast->child[0]);
        return;
    case AST_evaluate: elaborate_expression(e, ast->child[0]); return;
    case AST_weights: /* read with the file's blocks */
    case AST_error: return;
    default: break; /* the parser puts no other kind into a block */
    }
    elaborate_error(e, ast->at, "a statement is expected here");
}

void elaborate_block(Elaborator *e, const Ast *block)
{
    if (block->kind != AST_block) return;
    for (uint32_t i = 0; i < block->count && !e->frame->returned && !e->exhausted; i++)
        elaborate_statement(e, block->child[i]);
}

/* ---- scan ----
 *
 * The steps lie outermost while the scan goes over them, whichever axis they are: what a turn reads and yields is then one stretch of
 * memory, and the gradients that autodiff joins along the steps are, too. */

/* The axis `from` goes where `to` is, the others keep their order. */
static Value moved_axis(Elaborator *e, Value x, int from, int to)
{
    Axes axes = {.count = (uint8_t)tensor_shape(e, x)->rank};
    int next = 0;
    if (from == to) return x;
    for (int i = 0; i < axes.count; i++) {
        next += next == from;
        axes.at[i] = (uint8_t)(i == to ? from : next++);
    }
    return tensor_transpose(e, x, axes);
}

static Value time_slice(Elaborator *e, Value x, int64_t t)
{
    Shape shape = *tensor_shape(e, x);
    Slice slice = {.start[0] = t};
    for (int i = 0; i < shape.rank; i++) {
        slice.stride[i] = 1;
        slice.extent[i] = i == 0 ? 1 : shape.extent[i];
    }
    return tensor_reshape(e, tensor_slice(e, x, &slice), shape_remove(shape, 0));
}

static Datum stacked(Elaborator *e, uint32_t count, const Datum *datum, int axis, Span at)
{
    Value *part = arena_array(e->arena, Value, count);
    for (uint32_t i = 0; i < count; i++) {
        if (datum[i].kind == DATUM_poison) return POISON;
        if (datum[i].kind != DATUM_tensor) {
            elaborate_error(e, at, "a scan yields tensors, and this yields %s",
                            static_kind(&datum[i]));
            return POISON;
        }
        Shape shape = *tensor_shape(e, datum[i].value);
        if (shape.rank >= MAX_RANK) {
            elaborate_error(e, at, "what a scan yields may have %d axes at most", MAX_RANK - 1);
            return POISON;
        }
        if (axis > shape.rank) axis = shape.rank;
        part[i] = tensor_reshape(e, datum[i].value, shape_insert(shape, 0, 1));
    }
    e->doing = "scan";
    return tensor_datum(moved_axis(e, tensor_concat(e, count, part, 0), 0, axis));
}

static void check_carry(Elaborator *e, const Ast *carry, const Datum *before)
{
    Datum *after = frame_find(e->frame, carry->name);
    if (!after || after->kind != DATUM_tensor || before->kind != DATUM_tensor) return;
    const Shape *a = tensor_shape(e, before->value), *b = tensor_shape(e, after->value);
    if (shape_same(a, b) && tensor_type(e, before->value) == tensor_type(e, after->value)) return;

    const char *was = elaborate_type(e, before->value), *is = elaborate_type(e, after->value);
    elaborate_error(e, carry->at, "`%s` is carried as %s and left as %s by a turn of the scan",
                    name_text(e->names, carry->name), was, is);
    *after = POISON;
}

static bool scan_axis(Elaborator *e, const Ast *scan, Value over, int *axis)
{
    const Shape *shape = tensor_shape(e, over);
    int64_t wanted = shape->rank > 1 ? 1 : 0;
    const Ast *ast = scan->child[1];
    if (ast) {
        Datum d = elaborate_expression(e, ast);
        if (d.kind == DATUM_poison) return false;
        if (!static_as_integer(&d, &wanted)) wanted = MAX_RANK;
    }
    if (wanted < 0) wanted += shape->rank;
    *axis = (int)wanted;
    if (wanted >= 0 && wanted < shape->rank) return true;
    elaborate_error(e, ast ? ast->at : scan->at, "there is no such axis in %s",
                    elaborate_type(e, over));
    return false;
}

/* One turn: the parameters made in the first serve all turns, and unbound calls are numbered anew. */
static bool turn(Elaborator *e, const Ast *scan, Value over, int64_t t)
{
    Frame *f = e->frame;
    uint32_t carries = scan->count - 3;
    Datum *before = arena_array(e->arena, Datum, carries);
    for (uint32_t i = 0; i < carries; i++) {
        Datum *carry = frame_find(f, scan->child[2 + i]->name);
        before[i] = carry ? *carry : POISON;
    }
    if (!elaborate_work(e, scan->at)) return false;
    frame_bind(e, f, scan->name, tensor_datum(time_slice(e, over, t)));
    elaborate_block(e, scan->child[scan->count - 1]);
    for (uint32_t i = 0; i < carries; i++)
        check_carry(e, scan->child[2 + i], &before[i]);
    return true;
}

Datum elaborate_scan(Elaborator *e, const Ast *scan)
{
    Datum over = elaborate_expression(e, scan->child[0]);
    int axis;
    if (over.kind == DATUM_poison) return over;
    if (over.kind != DATUM_tensor) {
        elaborate_error(e, scan->child[0]->at,
                        "`scan` goes along an axis of a tensor, and this is %s",
                        static_kind(&over));
        return POISON;
    }
    if (!scan_axis(e, scan, over.value, &axis)) return POISON;
    for (uint32_t i = 2; i + 1 < scan->count; i++)
        bind(e, scan->child[i]);

    Frame *f = e->frame;
    bool sharing = e->sharing;
    Frame outer = *f;
    memset(&f->yield, 0, sizeof f->yield);
    Value steps = moved_axis(e, over.value, axis, 0);
    int64_t turns = tensor_shape(e, steps)->extent[0];
    for (int64_t t = 0; t < turns; t++) {
        memset(&f->unbound, 0, sizeof f->unbound);
        for (uint32_t i = 0; i < outer.unbound.count; i++)
            *list_add(e->arena, &f->unbound) = outer.unbound.at[i];
        e->sharing = sharing || t > 0;
        if (!turn(e, scan, steps, t)) break;
    }
    e->sharing = sharing;
    uint32_t count = f->yield.count;
    const Datum *yielded = f->yield.at;
    f->yield.at = outer.yield.at;
    f->yield.count = outer.yield.count;
    f->yield.room = outer.yield.room;
    elaborate_at(e, scan->at);
    return count && !e->exhausted ? stacked(e, count, yielded, axis, scan->at) : static_none();
}

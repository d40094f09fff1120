/* The frame of a kernel's function: levels, loops, what the axes are worth. */
#include "backends/cpu/emit.h"
#include <string.h>

LLVMValueRef emit_i64(const Emit *e, int64_t value)
{
    return LLVMConstInt(LLVMInt64TypeInContext(e->context), (uint64_t)value, true);
}

LLVMValueRef emit_i32(const Emit *e, int64_t value)
{
    return LLVMConstInt(LLVMInt32TypeInContext(e->context), (uint64_t)value, true);
}

void emit_at(Emit *e, uint32_t level)
{
    if (level < e->depth)
        LLVMPositionBuilderBefore(e->builder, e->level[level].end);
    else
        LLVMPositionBuilderAtEnd(e->builder, e->level[e->depth].block);
}

void emit_here(Emit *e, LLVMBasicBlockRef block)
{
    e->level[e->depth].block = block;
    LLVMPositionBuilderAtEnd(e->builder, block);
}

bool is_known(LLVMValueRef value, int64_t *number)
{
    if (!LLVMIsAConstantInt(value)) return false;
    *number = LLVMConstIntGetSExtValue(value);
    return true;
}

static bool runs_once(LLVMValueRef from, LLVMValueRef to, int64_t step)
{
    int64_t first, last;
    return is_known(from, &first) && is_known(to, &last) && first < last && last - first <= step;
}

void loop_open(Emit *e, Loop *loop, LLVMValueRef from, LLVMValueRef to, int64_t step,
               uint32_t carried, LLVMValueRef *values)
{
    emit_at(e, e->depth);
    if (carried > MAX_CARRIED || e->depth + 1 >= MAX_LEVELS) bug("a loop too deep or too wide");
    *loop = (Loop){.index = from, .to = to, .step = emit_i64(e, step), .carried = carried};
    loop->is_trivial = runs_once(from, to, step);
    if (loop->is_trivial) return;

    LLVMBasicBlockRef before = e->level[e->depth].block;
    loop->body = LLVMAppendBasicBlockInContext(e->context, e->function, "loop");
    loop->exit = LLVMAppendBasicBlockInContext(e->context, e->function, "after");
    e->level[e->depth].end = LLVMBuildBr(e->builder, loop->body);
    e->depth++;
    emit_here(e, loop->body);
    loop->index = LLVMBuildPhi(e->builder, LLVMInt64TypeInContext(e->context), "");
    LLVMAddIncoming(loop->index, &from, &before, 1);
    for (uint32_t i = 0; i < carried; i++) {
        loop->phi[i] = LLVMBuildPhi(e->builder, LLVMTypeOf(values[i]), "");
        LLVMAddIncoming(loop->phi[i], &values[i], &before, 1);
        values[i] = loop->phi[i];
    }
}

void loop_open_checked(Emit *e, Loop *loop, LLVMValueRef from, LLVMValueRef to, int64_t step)
{
    loop_open(e, loop, from, to, step, 0, NULL);
    if (loop->is_trivial) return;
    LLVMValueRef end = e->level[e->depth - 1].end;
    LLVMPositionBuilderBefore(e->builder, end);
    LLVMValueRef some = LLVMBuildICmp(e->builder, LLVMIntSLT, from, to, "");
    e->level[e->depth - 1].end = LLVMBuildCondBr(e->builder, some, loop->body, loop->exit);
    LLVMInstructionEraseFromParent(end);
    emit_at(e, e->depth);
}

void loop_open_if(Emit *e, Loop *loop, LLVMValueRef condition)
{
    emit_at(e, e->depth);
    LLVMValueRef skipped = LLVMBuildNot(e->builder, condition, "");
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->context);
    LLVMValueRef from = LLVMBuildZExt(e->builder, skipped, i64, "");
    loop_open_checked(e, loop, from, emit_i64(e, 1), 1);
}

/* What was emitted inside the level is not seen outside. */
static void leave_level(Emit *e)
{
    for (uint32_t i = 1; i < e->kernel->scalar.count; i++)
        if (e->kept[i].level >= e->depth) e->kept[i] = (Kept){0};
    e->depth--;
}

void loop_close(Emit *e, Loop *loop, LLVMValueRef *values)
{
    if (loop->is_trivial) return;
    emit_at(e, e->depth);
    LLVMBasicBlockRef latch = e->level[e->depth].block;
    LLVMValueRef next = LLVMBuildNSWAdd(e->builder, loop->index, loop->step, "");
    LLVMAddIncoming(loop->index, &next, &latch, 1);
    for (uint32_t i = 0; i < loop->carried; i++)
        LLVMAddIncoming(loop->phi[i], &values[i], &latch, 1);
    LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntSLT, next, loop->to, "");
    LLVMBuildCondBr(e->builder, more, loop->body, loop->exit);
    leave_level(e);
    emit_here(e, loop->exit);
}

static LLVMValueRef emit_extreme(Emit *e, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    return emit_intrinsic(e, name, 1, (LLVMTypeRef[]){LLVMTypeOf(a)}, 2, (LLVMValueRef[]){a, b});
}

LLVMValueRef emit_smaller(Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    int64_t x, y;
    if (is_known(a, &x) && is_known(b, &y)) return x < y ? a : b;
    return emit_extreme(e, "llvm.smin", a, b);
}

LLVMValueRef emit_larger(Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    int64_t x, y;
    if (is_known(a, &x) && is_known(b, &y)) return x > y ? a : b;
    return emit_extreme(e, "llvm.smax", a, b);
}

void forget(Emit *e, uint32_t axes)
{
    for (uint32_t i = 1; i < e->kernel->scalar.count; i++)
        if (!e->kept[i].pinned && (e->kernel->scalar.at[i].depends & axes)) e->kept[i] = (Kept){0};
}

static uint32_t bit_of(Axis axis)
{
    return axis.id ? 1u << (axis.id - 1) : 0;
}

void axis_bind(Emit *e, Axis axis, LLVMValueRef value, uint32_t level)
{
    forget(e, bit_of(axis));
    Binding *binding = &e->axis[axis.id - 1];
    *binding = (Binding){.value = value, .level = level, .bound = true};
    if (is_known(value, &binding->base)) {
        binding->value = NULL;
        binding->level = 0;
    }
}

void axis_plus(Emit *e, Axis axis, int64_t plus)
{
    if (e->axis[axis.id - 1].plus == plus) return;
    forget(e, bit_of(axis));
    e->axis[axis.id - 1].plus = plus;
}

void axis_release(Emit *e, Axis axis)
{
    for (uint32_t i = 1; i < e->kernel->scalar.count; i++)
        if (e->kernel->scalar.at[i].depends & bit_of(axis)) e->kept[i] = (Kept){0};
    e->axis[axis.id - 1] = (Binding){0};
}

void vector_set(Emit *e, Axis axis, uint32_t width, LLVMValueRef mask, uint32_t mask_level)
{
    forget(e, bit_of(e->vector) | bit_of(e->minor) | bit_of(axis));
    for (uint32_t i = 1; i < e->kernel->scalar.count && e->width != width; i++)
        if (e->kept[i].scalar) e->kept[i].vector = NULL;
    e->vector = axis;
    e->minor = (Axis){0};
    e->minor_extent = 1;
    e->width = width;
    e->mask = mask;
    e->left = NULL;
    e->mask_level = mask ? mask_level : 0;
}

LLVMValueRef spread(Emit *e, LLVMValueRef scalar, uint32_t width)
{
    if (width == 1) return scalar;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), width);
    LLVMValueRef undefined = LLVMGetPoison(type);
    LLVMValueRef first = LLVMBuildInsertElement(e->builder, undefined, scalar, emit_i32(e, 0), "");
    LLVMValueRef zeros = LLVMConstNull(LLVMVectorType(LLVMInt32TypeInContext(e->context), width));
    return LLVMBuildShuffleVector(e->builder, first, undefined, zeros, "");
}

LLVMValueRef shuffle(Emit *e, LLVMValueRef a, LLVMValueRef b, const uint32_t *from, uint32_t width)
{
    LLVMValueRef lane[128];
    for (uint32_t l = 0; l < width; l++)
        lane[l] = emit_i32(e, from[l]);
    return LLVMBuildShuffleVector(e->builder, a, b ? b : LLVMGetPoison(LLVMTypeOf(a)),
                                  LLVMConstVector(lane, width), "");
}

LLVMValueRef lane_numbers(const Emit *e, uint32_t width, uint32_t bits, int64_t scale)
{
    LLVMValueRef lane[64];
    LLVMTypeRef type = LLVMIntTypeInContext(e->context, bits);
    for (uint32_t i = 0; i < width; i++)
        lane[i] = LLVMConstInt(type, (uint64_t)(i * scale), true);
    return width == 1 ? lane[0] : LLVMConstVector(lane, width);
}

LLVMValueRef emit_slots(Emit *e, LLVMTypeRef type, uint32_t count)
{
    LLVMBuilderRef at = LLVMCreateBuilderInContext(e->context);
    LLVMPositionBuilderBefore(at, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(e->function)));
    LLVMValueRef slots = LLVMBuildArrayAlloca(at, type, emit_i32(e, count), "");
    LLVMDisposeBuilder(at);
    return slots;
}

LLVMValueRef emit_intrinsic(Emit *e, const char *name, uint32_t types, LLVMTypeRef *type,
                            uint32_t count, LLVMValueRef *argument)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    if (!id) bug("LLVM has no %s", name);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, type, types);
    LLVMTypeRef signature = LLVMGlobalGetValueType(function);
    return LLVMBuildCall2(e->builder, signature, function, argument, count, "");
}

LLVMValueRef lanes_left(Emit *e, LLVMValueRef left, int64_t from)
{
    LLVMValueRef point[64];
    for (uint32_t l = 0; l < e->width; l++)
        point[l] = emit_i32(e, from + l / e->minor_extent);
    LLVMValueRef points = e->width == 1 ? point[0] : LLVMConstVector(point, e->width);
    return LLVMBuildICmp(e->builder, LLVMIntSGT, spread(e, left, e->width), points, "");
}

/* Lanes whose index is below `to`. */
LLVMValueRef lanes_below(Emit *e, LLVMValueRef index, LLVMValueRef to, uint32_t width)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->context);
    LLVMValueRef left = LLVMBuildSub(e->builder, to, index, "");
    LLVMValueRef many = LLVMBuildTrunc(e->builder, left, i32, "");
    return LLVMBuildICmp(e->builder, LLVMIntSGT, spread(e, many, width),
                         lane_numbers(e, width, 32, 1), "");
}

static void run_part(Emit *e, VectorLoop *v, LLVMValueRef from, LLVMValueRef to, bool is_masked)
{
    Loop loop;
    int64_t minor = v->minor.id ? e->kernel->axis.at[v->minor.id - 1].extent : 1;
    if (v->may_be_empty)
        loop_open_checked(e, &loop, from, to, v->width / minor);
    else
        loop_open(e, &loop, from, to, v->width / minor, v->carried, v->values);
    vector_set(e, v->axis, v->width, NULL, 0);
    if (v->minor.id) {
        axis_bind(e, v->minor, emit_i64(e, 0), 0);
        e->minor = v->minor;
        e->minor_extent = (uint32_t)minor;
    }
    if (is_masked) {
        LLVMTypeRef i32 = LLVMInt32TypeInContext(e->context);
        LLVMValueRef left = LLVMBuildSub(e->builder, v->to, loop.index, "");
        e->left = LLVMBuildTrunc(e->builder, left, i32, "");
        e->mask = lanes_left(e, e->left, 0);
        e->mask_level = e->depth;
    }
    axis_bind(e, v->axis, loop.index, e->depth);
    v->body(e, v);
    axis_release(e, v->axis);
    if (v->minor.id) axis_release(e, v->minor);
    vector_set(e, (Axis){0}, 1, NULL, 0);
    loop_close(e, &loop, v->values);
}

/* Where loads and stores under a mask cost more, the full vectors run by themselves. */
static void run_split(Emit *e, VectorLoop *v, int64_t step)
{
    LLVMValueRef points = LLVMBuildSub(e->builder, v->to, v->from, "");
    LLVMValueRef rest = LLVMBuildURem(e->builder, points, emit_i64(e, step), "");
    LLVMValueRef full = LLVMBuildSub(e->builder, v->to, rest, "");
    if (v->carried) bug("sums over a range that is not known");
    v->may_be_empty = true;
    run_part(e, v, v->from, full, false);
    run_part(e, v, full, v->to, true);
}

/* Bounds known while compiling are split into full vectors and one masked; blocks of tasks are multiples of the width, so
 * that only the very last vector of the axis can be short: then every vector is masked, which costs a compare. */
void vector_loop(Emit *e, VectorLoop *v)
{
    int64_t first, last, step = v->width;
    if (v->minor.id) step /= e->kernel->axis.at[v->minor.id - 1].extent;
    if (!is_known(v->from, &first) || !is_known(v->to, &last)) {
        bool is_short = v->extent % step != 0;
        if (is_short && !e->target->has_masks)
            run_split(e, v, step);
        else
            run_part(e, v, v->from, v->to, is_short);
        return;
    }
    int64_t full = first + (last - first) / step * step;
    if (full > first) run_part(e, v, v->from, emit_i64(e, full), false);
    if (full < last) run_part(e, v, emit_i64(e, full), v->to, true);
}

static void open_function(Emit *e, const char *name)
{
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->context, 0);
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->context);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->context),
                                        (LLVMTypeRef[]){pointer, i64, i64, pointer}, 4, false);
    e->function = LLVMAddFunction(e->module, name, type);
    e->begin = LLVMGetParam(e->function, 1);
    e->end = LLVMGetParam(e->function, 2);
    e->scratch = LLVMGetParam(e->function, 3);
    const char *attribute[][2] = {{"target-cpu", e->target->cpu},
                                  {"target-features", e->target->features},
                                  {"prefer-vector-width", "512"},
                                  {"min-legal-vector-width", "512"}};
    for (size_t i = 0; i < sizeof attribute / sizeof *attribute; i++)
        LLVMAddTargetDependentFunctionAttr(e->function, attribute[i][0], attribute[i][1]);
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(e->function, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->context, nounwind, 0));
    emit_here(e, LLVMAppendBasicBlockInContext(e->context, e->function, "entry"));
    for (uint32_t i = 0; i < e->kernel->buffer.count; i++) {
        LLVMValueRef at = emit_i64(e, i);
        LLVMValueRef slot =
            LLVMBuildGEP2(e->builder, pointer, LLVMGetParam(e->function, 0), &at, 1, "");
        e->buffer[i] = LLVMBuildLoad2(e->builder, pointer, slot, "");
    }
}

static void bind_tasks(Emit *e, LLVMValueRef task, LLVMValueRef *from, LLVMValueRef *to)
{
    for (uint32_t i = e->schedule->task_count; i-- > 0;) {
        const TaskAxis *t = &e->schedule->task[i];
        int64_t extent = e->kernel->axis.at[t->axis.id - 1].extent;
        int64_t blocks = (extent + t->block - 1) / t->block;
        LLVMValueRef count = emit_i64(e, blocks);
        LLVMValueRef at = i ? LLVMBuildURem(e->builder, task, count, "") : task;
        if (i) task = LLVMBuildUDiv(e->builder, task, count, "");
        LLVMValueRef first = LLVMBuildMul(e->builder, at, emit_i64(e, t->block), "");
        LLVMValueRef last = LLVMBuildAdd(e->builder, first, emit_i64(e, t->block), "");
        if (extent % t->block) last = emit_smaller(e, last, emit_i64(e, extent));
        from[t->axis.id - 1] = first;
        to[t->axis.id - 1] = last;
        if (t->block == 1) axis_bind(e, t->axis, first, e->depth);
    }
}

/* Opens the loop over tasks; from and to: the range of every axis in a task, so that an axis that no task splits has its whole
 * extent.  Axes of which a task takes a single point are bound already. */
void tasks_open(Emit *e, Loop *loop, LLVMValueRef *from, LLVMValueRef *to)
{
    for (uint32_t i = 0; i < e->kernel->axis.count; i++) {
        from[i] = emit_i64(e, 0);
        to[i] = emit_i64(e, e->kernel->axis.at[i].extent);
    }
    loop_open(e, loop, e->begin, e->end, 1, 0, NULL);
    bind_tasks(e, loop->index, from, to);
    for (uint32_t i = 0; i < e->kernel->axis.count; i++)
        if (e->kernel->axis.at[i].extent == 1 && !e->axis[i].bound)
            axis_bind(e, (Axis){i + 1}, emit_i64(e, 0), 0);
}

LLVMModuleRef emit_kernel(LLVMContextRef context, const CpuTarget *target, const Kernel *kernel,
                          const Schedule *schedule, const char *name, Arena *arena)
{
    Emit e = {.context = context,
              .module = LLVMModuleCreateWithNameInContext(name, context),
              .builder = LLVMCreateBuilderInContext(context),
              .target = target,
              .kernel = kernel,
              .schedule = schedule,
              .arena = arena,
              .buffer = arena_array(arena, LLVMValueRef,
                                    kernel->buffer.count + kernel->scalar.count +
                                        kernel->store.count + 2),
              .moved = arena_array(arena, Moved, kernel->scalar.count + 1),
              .moved_store = arena_array(arena, const Access *, kernel->store.count + 1),
              .kept = arena_array(arena, Kept, kernel->scalar.count + 1),
              .minor_extent = 1,
              .width = 1};
    open_function(&e, name);
    if (schedule->is_winograd)
        emit_winograd(&e);
    else if (schedule->contraction)
        emit_contraction(&e);
    else
        emit_rows(&e);
    LLVMBuildRetVoid(e.builder);
    LLVMDisposeBuilder(e.builder);
    return e.module;
}

/* Sums that wait in scratch for the next part of k, [row][column].  Where much follows them, it runs along memory, and not over a panel's
 * width of each row at a time. */
#include "backends/cpu/tile.h"

/* Rows by the axes that a depends on, from the task's first; columns from the group's first. */
void place_sums(Emit *e, Tile *t)
{
    const Schedule *s = e->schedule;
    LLVMTypeRef byte = LLVMInt8TypeInContext(e->context),
                element = type_of(e, e->kernel->scalar.at[s->of.sum.id].type, 1);
    t->sums = (Area){.element = element};
    emit_at(e, e->depth);
    LLVMValueRef at = step_pointer(e, byte, e->scratch, emit_i64(e, s->sums_offset));
    at = step_pointer(e, element, at, LLVMBuildNeg(e->builder, t->group, ""));
    int64_t pitch = s->sums_pitch;
    t->sums.at.by[s->vector.id - 1] = 1;
    for (uint32_t i = 0; i < e->kernel->axis.count; i++) {
        if (!(s->of.m >> i & 1) || e->kernel->axis.at[i].extent == 1) continue;
        t->sums.at.by[i] = pitch;
        LLVMValueRef back = LLVMBuildMul(e->builder, t->from[i], emit_i64(e, -pitch), "");
        at = step_pointer(e, element, at, back);
        pitch *= schedule_task_points(s, e->kernel, (Axis){i + 1});
    }
    t->sums.base = at;
}

static void finish_lanes(Emit *e, VectorLoop *loop)
{
    finish_vector(e, load_lanes(e, &((Tile *)loop->user)->sums, 0, loop->width));
    e->kept[e->schedule->of.sum.id] = (Kept){0};
}

static void finish_rows(Emit *e, Tile *t, uint32_t at)
{
    const Schedule *s = e->schedule;
    if (at == s->tile_count) {
        vector_loop(e, &(VectorLoop){.axis = s->vector,
                                     .from = t->group,
                                     .to = t->group_to,
                                     .extent = t->extent,
                                     .width = s->finish_paired ? 2 * s->width : s->width,
                                     .body = finish_lanes,
                                     .user = t});
        return;
    }
    Loop loop;
    Axis axis = s->tile[at].axis;
    LLVMValueRef from = at ? emit_i64(e, 0) : t->rows;
    LLVMValueRef to = at ? emit_i64(e, s->tile[at].block) : t->rows_to;
    loop_open_checked(e, &loop, from, to, 1);
    axis_bind(e, axis, loop.index, e->depth);
    finish_rows(e, t, at + 1);
    axis_release(e, axis);
    loop_close(e, &loop, NULL);
}

void finish_rows_of_sums(Emit *e, Tile *t)
{
    Loop last;
    loop_open_if(e, &last, t->is_last);
    finish_rows(e, t, 0);
    loop_close(e, &last, NULL);
}

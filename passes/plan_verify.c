/* Walks the calls of a module and keeps, for every byte range of the arena, which call wrote it last: each read must find all its
 * bytes written, and written by the call that the first reader saw.  That catches overlaps of live regions whatever planned them. */
#include "passes/plan_steps.h"

typedef struct Check {
    const Module *module;
    const Program *program;
    Text text;
} Check;

static int64_t room_of(const Check *check, const Region *region)
{
    const Module *module = check->module;
    switch (region->place) {
    case PLACE_arena: return module->arena_bytes;
    case PLACE_state: {
        if (region->index >= check->program->state.count) return -1;
        const State *state = &check->program->state.at[region->index];
        return shape_elements(&state->shape) * type_info[state->type].bytes;
    }
    case PLACE_input:
        if (region->index >= module->input.count) return -1;
        return shape_elements(&module->input.at[region->index].shape) *
               type_info[module->input.at[region->index].type].bytes;
    case PLACE_output:
        if (region->index >= module->output.count) return -1;
        return shape_elements(&module->output.at[region->index].shape) *
               type_info[module->output.at[region->index].type].bytes;
    case PLACE_literal:
        return region->index < module->literal.count ? module->literal.at[region->index].size : -1;
    }
    return -1;
}

static bool overlap(const Region *a, const Region *b)
{
    if (a->place != b->place || (a->place != PLACE_arena && a->index != b->index)) return false;
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static bool region_same(const Region *a, const Region *b)
{
    return a->place == b->place && a->index == b->index && a->offset == b->offset &&
           a->bytes == b->bytes;
}

static void check_call(Check *check, uint32_t number)
{
    const Call *call = &check->module->call.at[number];
    const Kernel *kernel = check->module->kernel.at[call->kernel];
    for (uint32_t i = 0; i < call->count; i++) {
        const Region *region = &call->binding[i];
        const BufferInfo *buffer = &kernel->buffer.at[i];
        if (region->bytes != buffer->elements * type_info[buffer->type].bytes)
            text_add(&check->text, "call %u, buffer %u: %lld bytes\n", number, i,
                     (long long)region->bytes);
        if (region->offset < 0 || region->offset + region->bytes > room_of(check, region))
            text_add(&check->text, "call %u, buffer %u: outside its place\n", number, i);
        if (buffer->written && (region->place == PLACE_input || region->place == PLACE_literal))
            text_add(&check->text, "call %u, buffer %u: writes what is read-only\n", number, i);
        for (uint32_t k = 0; k < call->count; k++) {
            if (k == i || !overlap(region, &call->binding[k]) || !buffer->written) continue;
            bool in_place = !kernel->buffer.at[k].written &&
                            region_same(region, &call->binding[k]) && plan_in_place(kernel, k, i);
            if (!in_place)
                text_add(&check->text, "call %u: buffers %u and %u overlap\n", number, i, k);
        }
    }
}

/* Regions of the arena and of outputs that hold a value now; of one that is written in parts, from the first to the last byte
 * so far. (That the slices leave no gaps is not seen here.) */
typedef struct Alive {
    LIST(Region) region;
} Alive;

/* What the first part and those after it have written: the region that was added last, and this one. */
static Region hull_of(const Alive *alive, const Region *written)
{
    const Region *last = list_last(&alive->region);
    if (last->place != written->place || last->index != written->index) return *written;
    int64_t end = written->offset + written->bytes;
    Region hull = *last;
    if (written->offset < hull.offset) hull.offset = written->offset;
    if (last->offset + last->bytes > end) end = last->offset + last->bytes;
    hull.bytes = end - hull.offset;
    return hull;
}

static void write_region(Arena *arena, Alive *alive, const Region *region)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < alive->region.count; i++)
        if (!overlap(&alive->region.at[i], region)) alive->region.at[kept++] = alive->region.at[i];
    alive->region.count = kept;
    *list_add(arena, &alive->region) = *region;
}

static const Region *region_at(const Alive *alive, const Region *first)
{
    for (uint32_t i = 0; i < alive->region.count; i++) {
        const Region *region = &alive->region.at[i];
        if (region->place == first->place && region->index == first->index &&
            region->offset <= first->offset && first->offset < region->offset + region->bytes)
            return region;
    }
    return NULL;
}

/* Several regions may hold what is read: the parts of what was joined in place. */
static bool is_alive(const Alive *alive, const Region *region)
{
    if (region->place != PLACE_arena && region->place != PLACE_output) return true;
    Region left = *region;
    while (left.bytes > 0) {
        const Region *has = region_at(alive, &left);
        if (!has) return false;
        int64_t known = has->offset + has->bytes - left.offset;
        left.offset += known;
        left.bytes -= known;
    }
    return true;
}

const char *plan_verify(const Module *module, const Program *program, Arena *arena)
{
    Check check = {.module = module, .program = program, .text.arena = arena};
    for (uint32_t i = 0; i < module->kernel.count; i++) {
        const char *wrong = kernel_verify(module->kernel.at[i], arena);
        if (wrong) text_add(&check.text, "kernel %u:\n%s\n", i, wrong);
    }
    Alive alive = {0};
    for (uint32_t c = 0; c < module->call.count; c++) {
        const Call *call = &module->call.at[c];
        const Kernel *kernel = module->kernel.at[call->kernel];
        check_call(&check, c);
        for (uint32_t i = 0; i < call->count; i++)
            if (!kernel->buffer.at[i].written && !is_alive(&alive, &call->binding[i]))
                text_add(&check.text, "call %u, buffer %u: read before written\n", c, i);
        for (uint32_t i = 0; i < call->count; i++)
            if (kernel->buffer.at[i].written) {
                Region region = call->binding[i];
                if (call->part > 0) region = hull_of(&alive, &region);
                write_region(arena, &alive, &region);
            }
    }
    return check.text.count ? text_done(&check.text) : NULL;
}

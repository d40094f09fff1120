/* Which schedules of a contraction are worth measuring.  The model decides well which half of them is bad, and not which of the rest is
 * best: caches, the loads of a core and what the compiler makes of a tile are too much for arithmetic. */
#include "ir/base/bits.h"
#include "ir/kernel/schedule.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROOM         160
#define MOST_VECTORS 4
#define TOO_DEAR                                                                                   \
    2.5 /* times what the model expects of the schedule that others are compared with */

typedef struct Found {
    ScheduleChoice choice;
    double cost;
    uint64_t hash; /* of the schedule's text */
    uint32_t number;
} Found;

typedef struct Search {
    const Kernel *kernel;
    const Contraction *contraction;
    const ScheduleTarget *target;
    const Slices *slices;
    Arena *arena;
    ScheduleChoice around;
    Schedule own; /* that `around` gives */
    Found found[ROOM];
    uint32_t count;
} Search;

bool choice_is_none(const ScheduleChoice *choice)
{
#define CHOICE(name)                                                                               \
    if (choice->name) return false;
#include "ir/kernel/choice.def"
#undef CHOICE
    return true;
}

static void print_number(Text *out, size_t begin, const char *name, uint32_t number)
{
    const char *comma = out->count > begin ? ", " : "";
    if (number) text_add(out, "%s%s %u", comma, name, number);
}

void choice_print(Text *out, const ScheduleChoice *choice)
{
    size_t begin = out->count;
#define CHOICE(name) print_number(out, begin, #name, choice->name);
#include "ir/kernel/choice.def"
#undef CHOICE
}

/* More scratch than this evicts what the kernel works on, and counts where memory is short. */
static int64_t most_scratch(const Search *s)
{
    return s->own.scratch + s->target->l2;
}

static bool is_new(const Search *s, uint64_t hash)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->found[i].hash == hash) return false;
    return true;
}

static void propose(Search *s, ScheduleChoice choice)
{
    if (s->count == ROOM) return;
    Text text = {.arena = s->arena};
    Schedule made =
        schedule_default(s->kernel, s->contraction, s->target, s->slices, &choice, s->arena);
    schedule_print(&text, &made);
    uint64_t hash = bits_hash(text.at, text.count, 0);
    if (!s->count) s->own = made;
    bool is_good = made.sliced == s->own.sliced && made.scratch <= most_scratch(s) &&
                   made.cost <= TOO_DEAR * s->own.cost;
    if (s->count && (!is_good || !is_new(s, hash))) return;
    if (choice.rows > made.rows) choice.rows = made.rows; /* as many as there may be */
    s->found[s->count] = (Found){choice, made.cost, hash, s->count};
    s->count++;
}

/* Every way to lie vectors over the result. */
static void propose_vectors(Search *s)
{
    for (uint32_t side = 1; side <= 2; side++)
        for (uint32_t axis = 0; axis < s->kernel->axis.count; axis++) {
            uint32_t of_side = side == 1 ? s->contraction->n : s->contraction->m;
            if (!(of_side >> axis & 1) || s->kernel->axis.at[axis].extent == 1) continue;
            for (uint32_t vectors = 1; vectors <= MOST_VECTORS; vectors++) {
                ScheduleChoice choice = s->around;
                choice.side = side;
                choice.vector = axis + 1;
                choice.vectors = vectors;
                choice.rows = 0;
                propose(s, choice);
            }
        }
}

/* Taller and lower tiles than the first `count` that were found have. */
static void propose_rows(Search *s, uint32_t count)
{
    static const int more[] = {100, 2, 1, -1, -2, -4};
    for (uint32_t i = 0; i < count; i++) {
        ScheduleChoice choice = s->found[i].choice;
        Schedule made =
            schedule_default(s->kernel, s->contraction, s->target, s->slices, &choice, s->arena);
        for (size_t k = 0; k < sizeof more / sizeof *more; k++) {
            int rows = (int)made.rows + more[k];
            choice.vectors = made.vectors;
            choice.rows = (uint32_t)rows;
            if (rows > 0) propose(s, choice);
        }
    }
}

static void vary(Search *s, size_t field, uint32_t number)
{
    ScheduleChoice choice = s->around;
    memcpy((char *)&choice + field, &number, sizeof number);
    propose(s, choice);
}

/* What the model's costs do not see: one thing at a time. */
static void propose_rest(Search *s)
{
    for (uint32_t way = 1; way <= 2; way++) {
        vary(s, offsetof(ScheduleChoice, pack_b), way);
        vary(s, offsetof(ScheduleChoice, pack_a), way + 1);
        vary(s, offsetof(ScheduleChoice, around), way);
        vary(s, offsetof(ScheduleChoice, split), way);
    }
    vary(s, offsetof(ScheduleChoice, pack_a), 1);
    vary(s, offsetof(ScheduleChoice, order), 2);
    vary(s, offsetof(ScheduleChoice, panels), 1);
    vary(s, offsetof(ScheduleChoice, panels), s->own.panels / 2);
    vary(s, offsetof(ScheduleChoice, panels), s->own.panels * 2);
    for (uint32_t block = 128; block <= 1024; block *= 2)
        vary(s, offsetof(ScheduleChoice, k_block), block);
    int64_t all = 1;
    for (uint32_t i = 0; i < s->kernel->axis.count; i++)
        if (s->contraction->k >> i & 1) all *= s->kernel->axis.at[i].extent;
    if (all < UINT32_MAX) vary(s, offsetof(ScheduleChoice, k_block), (uint32_t)all);
}

static int by_cost(const void *x, const void *y)
{
    const Found *a = x, *b = y;
    if (a->cost != b->cost) return a->cost < b->cost ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

uint32_t schedule_choices(const Kernel *kernel, const Contraction *contraction,
                          const ScheduleTarget *target, const Slices *slices,
                          const ScheduleChoice *around, ScheduleChoice choice[CHOICE_MOST],
                          Arena *arena)
{
    Search *s = arena_new(arena, Search);
    *s = (Search){.kernel = kernel,
                  .contraction = contraction,
                  .target = target,
                  .slices = slices,
                  .arena = arena,
                  .around = *around};
    propose(s, *around);
    propose_vectors(s);
    qsort(s->found + 1, s->count - 1, sizeof *s->found, by_cost);
    propose_rows(s, s->count < 4 ? s->count : 4);
    propose_rest(s);
    qsort(s->found + 1, s->count - 1, sizeof *s->found, by_cost);
    uint32_t count = s->count < CHOICE_MOST ? s->count : CHOICE_MOST;
    for (uint32_t i = 0; i < count; i++)
        choice[i] = s->found[i].choice;
    return count;
}

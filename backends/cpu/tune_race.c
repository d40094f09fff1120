/* The machine is shared and its clock moves, so schedules run in turn, and what counts is who was faster in the same rounds.  Most drop out after
 * a few: who is a quarter slower at its best does not become the best, unless times are scattered by more than that. */
#include "backends/cpu/tune.h"
#include "ir/base/boundary.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define FIRST_ROUNDS  3
#define MORE_ROUNDS   4
#define LEAST_ROUNDS  11
#define LEAST_SECONDS 0.2 /* of rounds: short kernels are measured more often */
#define MOST_SECONDS  4.0
#define FIRST_SLACK   1.25
#define SLACK         1.06
#define MARGIN                                                                                     \
    0.97        /* of the model's time that a choice takes at most, or it is not worth keeping */
#define TRIES 3 /* to run without being interrupted */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* --- a heat --------------------------------------------------------------------------------------------------------------- */

/* An entrant's calls as a module of their own. */
typedef struct Lane {
    const Plan *plan;
    Entrant *entrant; /* whose times are taken; NULL: nobody's */
    Module module;
    Executor *executor;
    Profile profile;
} Lane;

typedef struct Heat {
    const Stand *stand;
    Lane *lane; /* in the order in which they run */
    uint32_t count, rounds;
    Arena *arena;
} Heat;

static KernelCode *chain_code(const Stand *stand, const Plan *plan, Arena *arena)
{
    KernelCode *code = arena_array(arena, KernelCode, stand->calls);
    for (uint32_t i = 0; i < stand->calls; i++)
        code[i] = device_code(stand->device, i == stand->at ? plan : &stand->chain->plan[i]);
    return code;
}

static Status open_lane(const Stand *stand, Lane *lane, Arena *arena)
{
    KernelCode *kernel = arena_array(arena, KernelCode, 1);
    Chain *chain = arena_array(arena, Chain, 1);
    *kernel = device_code(stand->device, lane->plan);
    lane->module.literal = stand->module->literal;
    for (uint32_t i = 0; i < stand->calls; i++) {
        Call *call = list_add(arena, &lane->module.call);
        *call = stand->bound[i];
        call->kernel = 0;
    }
    if (stand->chain)
        *chain = (Chain){.count = stand->calls,
                         .slices = stand->chain->slices,
                         .code = chain_code(stand, lane->plan, arena),
                         .tile = stand->chain->tile.at,
                         .tiles = stand->chain->tile.count,
                         .tile_bytes = stand->chain->tile_bytes};
    ExecutorCode code = {.kernel = kernel, .chain = chain, .chains = stand->chain != NULL};
    TRY(executor_open(&lane->module, &code, stand->device->threads, &lane->executor));
    executor_profile(lane->executor, true, &lane->profile);
    return STATUS_ok;
}

/* How often the system took a core from one of this process's threads. */
static long interruptions(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

static double seconds_of(const Stand *stand, const Lane *lane)
{
    double least = -1;
    for (int i = 0; i < TRIES; i++) {
        long before = interruptions();
        executor_run(lane->executor, NULL, (void *[]){stand->block}, NULL);
        double seconds = lane->profile.seconds[stand->at];
        if (least < 0 || seconds < least) least = seconds;
        if (interruptions() == before) break;
    }
    return least;
}

static Status run_once(void *argument)
{
    const Heat *h = argument;
    TRY(open_lane(h->stand, h->lane, h->arena));
    executor_run(h->lane->executor, NULL, (void *[]){h->stand->block}, NULL);
    return STATUS_ok;
}

static Status run_heat(void *argument)
{
    Heat *h = argument;
    for (uint32_t i = 0; i < h->count; i++)
        TRY(open_lane(h->stand, &h->lane[i], h->arena));
    for (uint32_t round = 0; round < h->rounds; round++)
        for (uint32_t i = 0; i < h->count; i++) {
            Entrant *entrant = h->lane[i].entrant;
            double seconds = seconds_of(h->stand, &h->lane[i]);
            if (entrant->rounds < ROUNDS_MOST) entrant->seconds[entrant->rounds++] = seconds;
        }
    return STATUS_ok;
}

static void close_heat(void *argument)
{
    Heat *h = argument;
    for (uint32_t i = 0; i < h->count; i++)
        executor_close(h->lane[i].executor);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

Status race_run(const Stand *stand, const Entrant *entrant, Arena *arena)
{
    Lane lane = {.plan = entrant->plan};
    Heat h = {.stand = stand, .lane = &lane, .count = 1, .arena = arena};
    return boundary_clean(run_once, close_heat, &h);
}

/* Each heat begins with another of them, and every second one goes the other way: nobody always finds what the same one left in the caches. */
Status race_heat(const Stand *stand, Entrant *entrant, uint32_t count, uint32_t rounds,
                 uint32_t heat, Arena *arena)
{
    Heat h = {.stand = stand, .rounds = rounds, .arena = arena};
    h.lane = arena_array(arena, Lane, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (heat % 2 ? count - 1 - i : i) + heat * 5;
        Entrant *next = &entrant[at % count];
        if (next->is_out) continue;
        h.lane[h.count].plan = next->plan;
        h.lane[h.count++].entrant = next;
    }
    TRY(boundary_clean(run_heat, close_heat, &h));
    for (uint32_t i = 0; i < h.count; i++)
        qsort(h.lane[i].entrant->seconds, h.lane[i].entrant->rounds, sizeof(double), ascending);
    return STATUS_ok;
}

/* --- a race ------------------------------------------------------------------------------------------------------------------- */

double race_median(const Entrant *entrant)
{
    return entrant->seconds[entrant->rounds / 2];
}

/* The first stays: it is what others are compared with, and shows how much times are scattered.  Returns how many are left. */
static uint32_t drop(Entrant *entrant, uint32_t count, double slack)
{
    uint32_t left = 0;
    double best = entrant[0].seconds[0], scatter = race_median(&entrant[0]) / best;
    if (scatter > slack) slack = scatter;
    for (uint32_t i = 1; i < count; i++)
        if (!entrant[i].is_out && entrant[i].seconds[0] < best) best = entrant[i].seconds[0];
    for (uint32_t i = 0; i < count; i++) {
        entrant[i].is_out |= i && entrant[i].seconds[0] > slack * best;
        left += !entrant[i].is_out;
    }
    return left;
}

Status race(const Stand *stand, Entrant *entrant, uint32_t count, int64_t repeat, Arena *arena)
{
    Entrant *warm = arena_array(arena, Entrant, count); /* caches, threads and page faults */
    memcpy(warm, entrant, count * sizeof *warm);
    TRY(race_heat(stand, warm, count, 1, 0, arena));
    double begin = now();
    int64_t most = repeat > 0 && repeat < ROUNDS_MOST ? repeat : ROUNDS_MOST;
    uint32_t left = count;
    for (uint32_t heat = 0; left > 1 && entrant[0].rounds < most; heat++) {
        int64_t rounds = heat ? MORE_ROUNDS : FIRST_ROUNDS, rest = most - entrant[0].rounds;
        TRY(race_heat(stand, entrant, count, (uint32_t)(rounds < rest ? rounds : rest), heat,
                      arena));
        left = drop(entrant, count, heat ? SLACK : FIRST_SLACK);
        double passed = now() - begin;
        bool is_enough = entrant[0].rounds >= LEAST_ROUNDS && passed > LEAST_SECONDS;
        bool is_scattered = race_median(&entrant[0]) > SLACK * entrant[0].seconds[0];
        if (repeat == 0 && is_enough && (!is_scattered || passed > MOST_SECONDS)) break;
    }
    return STATUS_ok;
}

/* At its best and usually. */
uint32_t race_winner(const Entrant *entrant, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        bool wins = !entrant[i].is_out &&
                    race_median(&entrant[i]) <= MARGIN * race_median(&entrant[0]) &&
                    entrant[i].seconds[0] <= MARGIN * entrant[0].seconds[0];
        if (wins && race_median(&entrant[i]) < race_median(&entrant[best])) best = i;
    }
    return best;
}

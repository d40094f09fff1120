/* The machine is shared and its clock moves, so schedules run in turn, and what counts is who was faster in the same rounds.  Most drop out after
 * a few: what is a quarter slower at its best does not become the best. */
#include "backends/cpu/tune.h"
#include "ir/base/boundary.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_ROUNDS  3
#define MORE_ROUNDS   4
#define LEAST_ROUNDS  11
#define LEAST_SECONDS 0.2 /* of rounds: short kernels are measured more often */
#define FIRST_SLACK   1.25
#define SLACK         1.06
#define MARGIN                                                                                     \
    0.97 /* of the model's time that a choice takes at most, or it is not worth keeping */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* --- a heat: an executor whose calls are the entrants' one after the other ------------------------------------------------------ */

typedef struct Heat {
    const Stand *stand;
    Entrant **entrant; /* in the order in which they run */
    uint32_t count, rounds;
    Module module;
    Executor *executor;
} Heat;

static KernelCode *chain_code(const Heat *h, const Entrant *entrant, Arena *arena)
{
    const Stand *stand = h->stand;
    KernelCode *code = arena_array(arena, KernelCode, stand->calls);
    for (uint32_t i = 0; i < stand->calls; i++)
        code[i] =
            device_code(stand->device, i == stand->at ? entrant->plan : &stand->chain->plan[i]);
    return code;
}

static Chain chain_of(const Heat *h, uint32_t i, Arena *arena)
{
    const ChainPlan *of = h->stand->chain;
    return (Chain){.first = i * of->count,
                   .count = of->count,
                   .slices = of->slices,
                   .code = chain_code(h, h->entrant[i], arena),
                   .tile = of->tile.at,
                   .tiles = of->tile.count,
                   .tile_bytes = of->tile_bytes};
}

static Status open_heat(Heat *h, Arena *arena)
{
    const Stand *stand = h->stand;
    KernelCode *kernel = arena_array(arena, KernelCode, h->count);
    Chain *chain = arena_array(arena, Chain, h->count);
    h->module.literal = stand->module->literal;
    for (uint32_t i = 0; i < h->count; i++) {
        kernel[i] = device_code(stand->device, h->entrant[i]->plan);
        if (stand->chain) chain[i] = chain_of(h, i, arena);
        for (uint32_t k = 0; k < stand->calls; k++) {
            Call *call = list_add(arena, &h->module.call);
            *call = stand->bound[k];
            call->kernel = i;
        }
    }
    ExecutorCode code = {kernel, chain, stand->chain ? h->count : 0};
    return executor_open(&h->module, &code, stand->device->threads, &h->executor);
}

static Status run_heat(void *argument)
{
    Heat *h = argument;
    const Stand *stand = h->stand;
    Profile profile;
    executor_profile(h->executor, true, &profile);
    for (uint32_t round = 0; round < h->rounds; round++) {
        executor_run(h->executor, NULL, (void *[]){stand->block}, NULL);
        for (uint32_t i = 0; i < h->count; i++) {
            Entrant *entrant = h->entrant[i];
            if (entrant->rounds == ROUNDS_MOST) continue;
            entrant->seconds[entrant->rounds++] = profile.seconds[i * stand->calls + stand->at];
        }
    }
    return STATUS_ok;
}

static void close_heat(void *argument)
{
    executor_close(((Heat *)argument)->executor);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Each heat begins with another of them, and every second one goes the other way: nobody always finds what the same one left in the caches. */
Status race_heat(const Stand *stand, Entrant *entrant, uint32_t count, uint32_t rounds,
                 uint32_t heat, Arena *arena)
{
    Heat h = {.stand = stand, .rounds = rounds};
    h.entrant = arena_array(arena, Entrant *, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (heat % 2 ? count - 1 - i : i) + heat * 5;
        if (!entrant[at % count].is_out) h.entrant[h.count++] = &entrant[at % count];
    }
    TRY(open_heat(&h, arena));
    TRY(boundary_clean(run_heat, close_heat, &h));
    for (uint32_t i = 0; i < h.count; i++)
        qsort(h.entrant[i]->seconds, h.entrant[i]->rounds, sizeof(double), ascending);
    return STATUS_ok;
}

/* --- a race ------------------------------------------------------------------------------------------------------------------- */

/* The first stays: it is what others are compared with.  Returns how many are left. */
static uint32_t drop(Entrant *entrant, uint32_t count, double slack)
{
    uint32_t left = 0;
    double best = entrant[0].seconds[0];
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
        bool is_enough = entrant[0].rounds >= LEAST_ROUNDS && now() - begin > LEAST_SECONDS;
        if (repeat == 0 && is_enough) break;
    }
    return STATUS_ok;
}

double race_median(const Entrant *entrant)
{
    return entrant->seconds[entrant->rounds / 2];
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

#ifndef MLC_BACKENDS_CPU_TUNE_H
#define MLC_BACKENDS_CPU_TUNE_H
/* Measuring schedules of one kernel against each other, as the entry runs it: its call, or the chain of calls that it is part of, on all
 * threads, at the true sizes, on memory of its own that lies as the entry's does. */
#include "backends/cpu/device.h"

#define ROUNDS_MOST 63

/* A schedule that takes part. */
typedef struct Entrant {
    ScheduleChoice choice;
    const Plan *plan;
    double seconds[ROUNDS_MOST]; /* of each round, in ascending order */
    uint32_t rounds;
    bool is_out; /* it cannot win */
} Entrant;

typedef struct Stand {
    Device *device;
    const Module *module;
    const ChainPlan *chain; /* that the call is part of; NULL: none */
    uint32_t call, calls;   /* the first that runs, and how many of them */
    uint32_t at;            /* which of those is the kernel's */
    const Call *bound;      /* the same calls, to `block` */
    char *block, *expected; /* from malloc */
    int64_t bytes;
} Stand;

/* Binds the calls.  STATUS_no_memory: the memory that they work on is not to be had twice. */
Status stand_open(Stand *stand, Arena *arena);
void stand_close(Stand *stand);

/* Runs every entrant once, on sparse small integers, and compares all that it leaves with what the first does.  bug() if that differs. */
Status race_check(Stand *stand, const Entrant *entrant, uint32_t count, Arena *arena);
/* Runs it exactly once, as updates in place would differ otherwise. */
Status race_run(const Stand *stand, const Entrant *entrant, Arena *arena);
/* So many rounds of all that are not out; no more of who is. */
Status race_heat(const Stand *stand, Entrant *entrant, uint32_t count, uint32_t rounds, uint32_t heat,
                 Arena *arena);
/* Heats until it is clear who wins, or is not going to become clearer. repeat: as in Tuning. */
Status race(const Stand *stand, Entrant *entrant, uint32_t count, int64_t repeat, Arena *arena);
/* The number of who beat the first by more than measuring is wrong; 0: nobody did. */
uint32_t race_winner(const Entrant *entrant, uint32_t count);
double race_median(const Entrant *entrant);

#endif

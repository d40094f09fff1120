#ifndef MLC_BACKENDS_CPU_TUNED_H
#define MLC_BACKENDS_CPU_TUNED_H
/* What tuning found: choices of schedules, by workload.  All of them are one file of the cache, under the cache's rules: what is damaged,
 * foreign or another build's is not there.  A choice cannot be wrong (ir/kernel/choice.def), only slow. */
#include "backends/cpu/cache.h"

#define TUNED_MOST 1024 /* the oldest go first */

typedef struct TunedRecord {
    uint64_t key[2]; /* of the workload */
    ScheduleChoice choice;
} TunedRecord;

struct Tuned {
    TunedRecord *at; /* oldest first */
    uint32_t count;
};

Tuned tuned_read(const Cache *cache, Arena *arena);
/* NULL: the model's. */
const ScheduleChoice *tuned_find(const Tuned *tuned, const uint64_t key[2]);
/* In place of what was found before; a choice of nothing forgets it.  What other processes kept meanwhile stays.  False
 * if it is not there afterwards: the folder cannot be written, or the disk is full. */
bool tuned_keep(const Cache *cache, const uint64_t key[2], const ScheduleChoice *choice);

#endif

#ifndef MLC_RUNTIME_CORE_CORES_H
#define MLC_RUNTIME_CORE_CORES_H
/* The processor's cores: how many threads are worth starting, and where they run. */
#include "ir/base/status.h"
#include <pthread.h>
#include <stdint.h>

typedef struct Cpu { /* what runs one thread; those of one core have one `core` */
    uint32_t cpu, core;
} Cpu;

typedef struct Cores {
    uint32_t count; /* of cores */
    uint32_t cpu_count;
    Cpu cpu[]; /* that the calling thread may use */
} Cores;

/* NULL when out of memory.  From free(). */
Cores *cores_open(void);
/* Those of any machine: root is the folder that stands for / (for tests). */
Cores *cores_open_in(const char *root, uint32_t count, const uint32_t *allowed);

/* Cores that this process may keep busy: no more than its control groups allow it the time of; at least 1. */
uint32_t cores_usable(void);
uint32_t cores_usable_in(const char *root, const Cores *cores);

/* Keeps workers off the core that the caller runs on, which wake-ups would rather share than use an idle one.  If there is a thread
 * for every core, each worker has one of its own.  The caller is left where the system puts it. */
typedef struct Placement Placement;
/* NULL: out of memory, or fewer cores than threads, which are then placed by the system alone. */
Placement *placement_open(uint32_t threads);
void placement_close(Placement *placement); /* NULL is fine */
/* The caller runs on this CPU: moves the workers that must move; worker[1] to worker[threads - 1]. */
void placement_follow(Placement *placement, uint32_t cpu, const pthread_t *worker);

#endif

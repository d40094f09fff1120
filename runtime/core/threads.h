#ifndef MLC_RUNTIME_CORE_THREADS_H
#define MLC_RUNTIME_CORE_THREADS_H
/* A pool of threads that stay.  Every thread has a contiguous range of the tasks, the same one each time, so that what it left in
 * its caches is used again; who is done helps the others, and a thread that the system does not run holds nobody up.  Workers
 * spin for some tens of microseconds after their work and then sleep. */
#include "ir/base/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct Threads Threads;

/* thread: 0 (the caller) to count - 1; tasks [begin, end), never empty.  Called any number of times for one round. */
typedef void ThreadWork(void *user, uint32_t thread, int64_t begin, int64_t end);

/* `count` threads, the caller included. */
Status threads_open(uint32_t count, Threads **threads);
void threads_close(Threads *threads); /* NULL is fine */
uint32_t threads_count(const Threads *threads);
/* Returns when all tasks are done.  One caller at a time. */
void threads_run(Threads *threads, int64_t tasks, ThreadWork *work, void *user);
/* Between expect(true) and expect(false) more work comes soon: workers stay awake for longer, as long as nobody else wants their
 * cores. */
void threads_expect(Threads *threads, bool more);

#endif

#ifndef MLC_IR_BASE_BOUNDARY_H
#define MLC_IR_BASE_BOUNDARY_H
/* The two ways out of the compiler that are nobody's input: our own bug, and out of memory.  Both leave by longjmp
 * to the API function that was called; arenas make that leak-free.  It never crosses an LLVM callback.
 *
 *     Boundary b;
 *     boundary_enter(&b);
 *     if (setjmp(b.jump) == 0) { ...work...; }
 *     boundary_leave(&b);
 *     if (b.status) ...b.message...
 *
 * The current boundary is per thread and nests. Without one, bug() aborts (tests, tools). */
#include "ir/base/status.h"
#include <setjmp.h>

typedef struct Boundary {
    jmp_buf jump;
    struct Boundary *outer;
    Status status;     /* STATUS_ok until something left through it */
    char message[512]; /* what bug() was told */
} Boundary;

void boundary_enter(Boundary *boundary);
void boundary_leave(Boundary *boundary);

/* work(argument), then clean(argument), however work ended: what left it by a jump goes on to the boundary outside.  For what
 * arenas do not hold: files, threads, the host's blocks. */
Status boundary_clean(Status (*work)(void *argument), void (*clean)(void *argument), void *argument);

_Noreturn void bug_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void out_of_memory(void);

#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define unreachable(why) bug("unreachable: %s", (why))

#endif

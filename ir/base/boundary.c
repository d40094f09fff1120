#include "ir/base/boundary.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local Boundary *current;

void boundary_enter(Boundary *boundary)
{
    boundary->status = STATUS_ok;
    boundary->message[0] = 0;
    boundary->outer = current;
    current = boundary;
}

void boundary_leave(Boundary *boundary)
{
    current = boundary->outer;
}

/* The boundary is left before the jump: a bug in the handling of a bug goes one further out. */
static _Noreturn void leave_through(Status status)
{
    Boundary *boundary = current;
    current = boundary->outer;
    boundary->status = status;
    longjmp(boundary->jump, 1);
}

Status boundary_clean(Status (*work)(void *argument), void (*clean)(void *argument), void *argument)
{
    Boundary boundary;
    volatile Status status = STATUS_ok;
    boundary_enter(&boundary);
    if (setjmp(boundary.jump) == 0) status = work(argument);
    boundary_leave(&boundary);

    clean(argument);
    if (!boundary.status) return status;
    if (!current) abort();
    memcpy(current->message, boundary.message, sizeof boundary.message);
    leave_through(boundary.status);
}

static const char *file_of_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

_Noreturn void bug_at(const char *file, int line, const char *format, ...)
{
    char message[sizeof current->message];
    size_t begin = (size_t)snprintf(message, 128, "%s:%d: ", file_of_path(file), line);
    if (begin > 127) begin = 127;
    va_list list;
    va_start(list, format);
    vsnprintf(message + begin, sizeof message - begin, format, list);
    va_end(list);

    if (!current) {
        fprintf(stderr, "bug: %s\n", message);
        abort();
    }
    memcpy(current->message, message, sizeof message);
    leave_through(STATUS_bug);
}

_Noreturn void out_of_memory(void)
{
    if (!current) {
        fputs("out of memory\n", stderr);
        abort();
    }
    strcpy(current->message, "out of memory");
    leave_through(STATUS_no_memory);
}

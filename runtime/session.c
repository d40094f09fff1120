#include "runtime/session.h"
#include "ir/base/boundary.h"
#include "runtime/compile.h"
#include "runtime/state.h"

#include <stdlib.h>
#include <time.h>

_Static_assert((int)MLC_OK == (int)STATUS_ok && (int)MLC_FAILED == (int)STATUS_failed &&
                   (int)MLC_USAGE == (int)STATUS_usage && (int)MLC_INVALID == (int)STATUS_invalid &&
                   (int)MLC_NO_MEMORY == (int)STATUS_no_memory && (int)MLC_BUG == (int)STATUS_bug &&
                   (int)MLC_INTERRUPTED == (int)STATUS_interrupted,
               "the public codes are the internal ones");

double session_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void context_open(Context *context, Arena *arena)
{
    context->arena = arena;
    context->names = names_new(arena);
    context->sources = sources_new(arena);
    context->report = report_new(arena, context->sources);
}

mlc_status mlc_session_open(const mlc_session_options *options, mlc_session **session)
{
    if (!session) return MLC_USAGE;
    *session = NULL;
    if (options && options->size != sizeof *options) return MLC_USAGE;
    Host host = host_default;
    if (options && options->resize) {
        host.resize = options->resize;
        host.user = options->resize_user;
    }
    Arena *arena = arena_open(&host);
    Arena *message = arena_open(&host);
    mlc_session *s = host.resize(host.user, NULL, sizeof *s);
    if (!arena || !message || !s) {
        arena_close(arena);
        arena_close(message);
        if (s) host.resize(host.user, s, 0);
        return MLC_NO_MEMORY;
    }
    *s = (mlc_session){
        .host = host, .arena = arena, .message = message, .plain = "", .coloured = ""};
    *session = s;
    return MLC_OK;
}

void mlc_session_close(mlc_session *session)
{
    if (!session || session->busy) return;
    while (session->model)
        mlc_model_close(session->model);
    arena_close(session->message);
    arena_close(session->arena);
    session->host.resize(session->host.user, session, 0);
}

const char *mlc_diagnostics(mlc_session *session, bool colour)
{
    if (!session) return "";
    return colour ? session->coloured : session->plain;
}

void mlc_interrupt(mlc_session *session)
{
    if (session) atomic_store(&session->interrupted, 1);
}

bool session_interrupted(const mlc_session *session)
{
    return atomic_load(&session->interrupted) != 0;
}

void mlc_on_event(mlc_session *session, mlc_event_function *function, void *user)
{
    if (!session) return;
    session->event = function;
    session->event_user = user;
}

void session_event(mlc_session *session, const mlc_event *event)
{
    if (session->event) session->event(session->event_user, event);
}

mlc_status session_misused(mlc_session *session)
{
    if (session && !session->busy)
        session->plain = session->coloured = "error: an argument is NULL that must not be, or "
                                             "options are not of the size they state\n";
    return MLC_USAGE;
}

mlc_status model_misused(const mlc_model *model)
{
    return session_misused(model ? model->session : NULL);
}

static const char *rendered(mlc_session *session, const Context *context, bool colour)
{
    Text text = {.arena = session->message};
    report_render(context->report, &text, colour);
    return text_done(&text);
}

/* What left through the boundary is ours to explain: nothing was reported. */
static void explain(Context *context, const Boundary *boundary)
{
    const Span nowhere = {0};
    if (boundary->status == STATUS_no_memory) {
        report_error(context->report, nowhere, "out of memory while compiling");
    } else {
        report_error(context->report, nowhere, "internal error: %s", boundary->message);
        report_hint(context->report,
                    "this is a defect of mlc %s; please report it with the model file",
                    mlc_version());
    }
}

mlc_status session_guard(mlc_session *session, Context *context, Status (*work)(void *argument),
                         void *argument)
{
    Boundary boundary;
    volatile Status status = STATUS_ok;
    if (session->busy)
        return MLC_USAGE; /* called from an event function: the work outside goes on */
    session->busy = true;
    arena_reset(session->message);
    session->plain = session->coloured = "";
    if (context) report_clear(context->report);

    boundary_enter(&boundary);
    if (setjmp(boundary.jump) == 0) status = work(argument);
    boundary_leave(&boundary);

    if (boundary.status) status = boundary.status;
    if (status == STATUS_interrupted) atomic_store(&session->interrupted, 0);
    session->busy = false;
    if (!context) return (mlc_status)status;
    /* Rendering allocates too: a second failure leaves the diagnostics empty rather than taking the host down. */
    Boundary second;
    boundary_enter(&second);
    if (setjmp(second.jump) == 0) {
        if (boundary.status) explain(context, &boundary);
        session->plain = rendered(session, context, false);
        session->coloured = rendered(session, context, true);
    }
    boundary_leave(&second);
    return (mlc_status)status;
}

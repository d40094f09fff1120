/* What needs no model: version, help, formatting, devices. */
#include "frontend/parser.h"
#include "runtime/session.h"

#include <string.h>
#include <unistd.h>

#define TEXT_OF(x) #x
#ifdef __clang__
#define COMPILER __VERSION__ /* Clang's says so itself */
#else
#define COMPILER "gcc " __VERSION__
#endif
#define VERSION(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *mlc_version(void)
{
    return VERSION(MLC_VERSION_MAJOR, MLC_VERSION_MINOR, MLC_VERSION_PATCH);
}

const char *mlc_version_long(void)
{
#ifdef MLC_HAS_LLVM
    return "mlc " VERSION(MLC_VERSION_MAJOR, MLC_VERSION_MINOR,
                          MLC_VERSION_PATCH) " (" COMPILER ", LLVM " MLC_LLVM_VERSION ")";
#else
    return "mlc " VERSION(MLC_VERSION_MAJOR, MLC_VERSION_MINOR,
                          MLC_VERSION_PATCH) " (" COMPILER ", without LLVM)";
#endif
}

typedef struct Asking {
    mlc_session *session;
    Arena *arena; /* of this question: the answer alone outlives it */
    Context context;
    Status (*work)(void *argument);
    const char *path, *text, *answer;
    bool json;
} Asking;

static Status make_context(void *argument)
{
    Asking *asking = argument;
    context_open(&asking->context, asking->arena);
    return STATUS_ok;
}

static Status answer(void *argument)
{
    Asking *a = argument;
    TRY(a->work(a));
    if (a->answer) a->answer = arena_text(a->session->arena, a->answer, strlen(a->answer));
    return STATUS_ok;
}

static mlc_status ask(Asking *asking, Status (*work)(void *argument), const char **text)
{
    *text = "";
    asking->work = work;
    asking->arena = arena_open(&asking->session->host);
    if (!asking->arena) return MLC_NO_MEMORY;
    mlc_status status = session_guard(asking->session, NULL, make_context, asking);
    if (status == MLC_OK) status = session_guard(asking->session, &asking->context, answer, asking);
    arena_close(asking->arena);
    if (status == MLC_OK) *text = asking->answer;
    return status;
}

static Status format(void *argument)
{
    Asking *a = argument;
    Text out = {.arena = a->arena};
    char *bytes = NULL;
    size_t size = a->text ? strlen(a->text) : 0;
    if (!a->text)
        TRY(file_read(&a->session->host, a->path, 16u << 20, &bytes, &size, a->context.report));
    uint32_t source =
        sources_add(a->context.sources, a->path, a->text ? a->text : bytes, size, false);
    if (bytes) a->session->host.resize(a->session->host.user, bytes, 0);
    if (!format_source(&a->context, source, &out)) return STATUS_invalid;
    a->answer = text_done(&out);
    return STATUS_ok;
}

mlc_status mlc_format(mlc_session *session, const char *path, const char *text,
                      const char **formatted)
{
    if (!session || !path || !formatted) return session_misused(session);
    Asking asking = {.session = session, .path = path, .text = text};
    return ask(&asking, format, formatted);
}

static Status help(void *argument)
{
    Asking *a = argument;
    const char *const *name, *nearest = NULL;
    unsigned least = 4;
    a->answer = frontend_help(&a->context, a->path);
    if (a->answer) return STATUS_ok;
    uint32_t count = frontend_topics(&a->context, &name);
    for (uint32_t i = 0; i < count; i++) {
        unsigned distance = text_distance(a->path, name[i], least);
        if (distance >= least) continue;
        least = distance;
        nearest = name[i];
    }
    report_error(a->context.report, (Span){0}, "no help on `%s`", a->path);
    if (nearest) report_hint(a->context.report, "did you mean `%s`?", nearest);
    return STATUS_usage;
}

mlc_status mlc_help(mlc_session *session, const char *topic, const char **text)
{
    if (!session || !topic || !text) return session_misused(session);
    Asking asking = {.session = session, .path = topic};
    return ask(&asking, help, text);
}

static Status devices(void *argument)
{
    Asking *a = argument;
    Text out = {.arena = a->arena};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    BackendOptions options = {.threads = cores > 0 ? (int)cores : 1};
    for (uint32_t i = 0; i < backend_count; i++) {
        Device *device;
        Text line = {.arena = a->arena};
        TRY(backends[i]->open(&options, a->context.report, &device));
        backends[i]->describe(device, &line);
        backends[i]->close(device);
        if (a->json)
            text_add(&out, "{\"device\":\"%s\",\"description\":\"%s\"}\n", backends[i]->name,
                     text_done(&line));
        else
            text_add(&out, "%s\n", text_done(&line));
    }
    a->answer = text_done(&out);
    return STATUS_ok;
}

mlc_status mlc_devices(mlc_session *session, bool json, const char **text)
{
    if (!session || !text) return session_misused(session);
    Asking asking = {.session = session, .json = json};
    return ask(&asking, devices, text);
}

static Status write_text(void *argument)
{
    Asking *a = argument;
    return file_write(a->path, a->text, strlen(a->text), a->context.report);
}

mlc_status mlc_write_text(mlc_session *session, const char *path, const char *text)
{
    if (!session || !path || !text) return session_misused(session);
    const char *answer;
    Asking asking = {.session = session, .path = path, .text = text};
    return ask(&asking, write_text, &answer);
}

#include "ir/base/boundary.h"
#include "passes/pass.h"
#include "runtime/compile.h"
#include "runtime/core/cores.h"
#include "runtime/state.h"

#include <stdlib.h>
#include <string.h>

typedef struct Opening {
    mlc_model *model;
    const mlc_model_options *options;
} Opening;

static const char *folder_of(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_text(arena, path, (size_t)(slash - path)) : ".";
}

const char *session_cache_folder(Arena *arena, const char *asked)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    Text text = {.arena = arena};
    if (asked) return *asked ? arena_text(arena, asked, strlen(asked)) : NULL;
    if (cache && *cache)
        text_add(&text, "%s/mlc", cache);
    else if (home && *home)
        text_add(&text, "%s/.cache/mlc", home);
    else
        return NULL;
    return text_done(&text);
}

/* Files that `use` names, beside the file that uses them. The frontend says at which line one is missing. */
static const char *read_used(void *user, const char *path, size_t *size)
{
    mlc_model *model = user;
    char *bytes;
    Report *unheard = report_new(model->arena, model->context.sources);
    if (file_read(&model->session->host, path, 16u << 20, &bytes, size, unheard) != STATUS_ok)
        return NULL;
    const char *text = arena_text(model->arena, bytes, *size);
    model->session->host.resize(model->session->host.user, bytes, 0);
    return text;
}

static Status read_model(const Opening *opening)
{
    mlc_model *model = opening->model;
    const char *text = opening->options ? opening->options->text : NULL;
    size_t size = text ? strlen(text) : 0;
    char *bytes = NULL;
    if (!text) {
        TRY(file_read(&model->session->host, model->path, 16u << 20, &bytes, &size,
                      model->context.report));
        text = bytes;
    }
    model->source = sources_add(model->context.sources, model->path, text, size, false);
    if (bytes) model->session->host.resize(model->session->host.user, bytes, 0);
    return STATUS_ok;
}

static Status split_overrides(mlc_model *model, const char *const *set)
{
    const Span nowhere = {0};
    uint32_t count = 0;
    while (set && set[count])
        count++;
    Override *override = arena_array(model->arena, Override, count);
    for (uint32_t i = 0; i < count; i++) {
        const char *equals = strchr(set[i], '=');
        if (!equals || equals == set[i]) {
            report_error(model->context.report, nowhere, "`--set %s` has no value", set[i]);
            report_hint(model->context.report,
                        "write `--set train.batch=64` or, for a constant, `--set width=192`");
            return STATUS_usage;
        }
        override[i].key = arena_text(model->arena, set[i], (size_t)(equals - set[i]));
        override[i].value = arena_text(model->arena, equals + 1, strlen(equals + 1));
    }
    model->frontend.overrides = override;
    model->frontend.override_count = count;
    return STATUS_ok;
}

static Status choose_backend(mlc_model *model, const char *device)
{
    const Span nowhere = {0};
    model->backend = backend_named(device);
    if (model->backend) return STATUS_ok;
    report_error(model->context.report, nowhere, "unknown device `%s`", device);
    Text known = {.arena = model->arena};
    for (uint32_t i = 0; i < backend_count; i++)
        text_add(&known, "%s%s", i ? ", " : "", backends[i]->name);
    report_hint(model->context.report, "this build has: %s", text_done(&known));
    return STATUS_usage;
}

static Status check_precision(mlc_model *model)
{
    const Span nowhere = {0};
    static const char *const known[] = {"f32", "bf16", "f32_fast", "int8"};
    if (!model->precision) return STATUS_ok;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(model->precision, known[i])) return STATUS_ok;
    report_error(model->context.report, nowhere, "unknown precision `%s`", model->precision);
    report_hint(model->context.report, "choose f32, bf16, f32_fast or int8");
    return STATUS_usage;
}

bool model_is_int8(const mlc_model *model)
{
    return model->precision && !strcmp(model->precision, "int8");
}

static Status check_seed(mlc_model *model, const mlc_model_options *o)
{
    if (!o || o->seed <= UINT32_MAX) return STATUS_ok;
    report_error(model->context.report, (Span){0}, "the seed %lld is larger than %u",
                 (long long)o->seed, UINT32_MAX);
    return STATUS_usage;
}

static const char *copied(Arena *arena, const char *text)
{
    return text ? arena_text(arena, text, strlen(text)) : NULL;
}

static void set_options(mlc_model *model, const mlc_model_options *o)
{
    model->threads = o && o->threads > 0 ? o->threads : (int)cores_usable();
    model->folder = folder_of(model->arena, model->path);
    model->data_folder = o && o->data_folder ? copied(model->arena, o->data_folder) : model->folder;
    model->cache_folder = session_cache_folder(model->arena, o ? o->cache_folder : NULL);
    model->target = o ? copied(model->arena, o->target) : NULL;
    model->precision = o ? copied(model->arena, o->precision) : NULL;
    model->memory = o ? o->memory : 0;
    model->verify = o && o->verify;
    model->seed = o && o->seed >= 0 ? (uint32_t)o->seed : 0;
    model->seed_given = o && o->seed >= 0;
    model->frontend = (FrontendOptions){.variant = o ? copied(model->arena, o->variant) : NULL,
                                        .simplify = pass_simplify_node,
                                        .read_file = read_used,
                                        .user = model};
}

Status model_experiment(mlc_model *model)
{
    if (model->experiment) return STATUS_ok;
    if (model_is_program(model)) {
        report_error(model->context.report, (Span){0}, "%s holds IR text, not a model",
                     model->path);
        report_hint(model->context.report, "`mlc dump` alone reads IR text");
        return STATUS_invalid;
    }
    model->experiment = experiment_open(&model->context, model->source, &model->frontend);
    if (!model->experiment) return STATUS_invalid;
    const TrainSettings *train = experiment_train(model->experiment);
    if (!model->seed_given && train && train->present) model->seed = train->seed;
    return STATUS_ok;
}

typedef struct Guarded {
    mlc_model *model;
    Status (*work)(void *argument);
    void *argument;
} Guarded;

static Status work_on_experiment(void *argument)
{
    const Guarded *guarded = argument;
    state_take_back(guarded->model);
    TRY(model_experiment(guarded->model));
    return guarded->work(guarded->argument);
}

mlc_status model_guard(mlc_model *model, Status (*work)(void *argument), void *argument)
{
    Guarded guarded = {model, work, argument};
    return session_guard(model->session, &model->context, work_on_experiment, &guarded);
}

static Status open_model(void *argument)
{
    const Opening *opening = argument;
    mlc_model *model = opening->model;
    const mlc_model_options *o = opening->options;
    set_options(model, o);
    TRY(check_precision(model));
    TRY(check_seed(model, o));
    TRY(choose_backend(model, o && o->device ? o->device : "cpu"));
    TRY(split_overrides(model, o ? o->set : NULL));
    TRY(read_model(opening));
    return o && o->unchecked ? STATUS_ok : model_experiment(model);
}

/* The context must exist before the guard, which reports into it. */
typedef struct Making {
    mlc_model *model;
    const char *path;
} Making;

static Status make_context(void *argument)
{
    const Making *making = argument;
    context_open(&making->model->context, making->model->arena);
    making->model->path = copied(making->model->arena, making->path);
    return STATUS_ok;
}

mlc_status mlc_model_open(mlc_session *session, const char *path, const mlc_model_options *options,
                          mlc_model **model)
{
    if (!session || !model || !path || (options && options->size != sizeof *options))
        return session_misused(session);
    *model = NULL;
    mlc_model *m = session->host.resize(session->host.user, NULL, sizeof *m);
    Arena *arena = arena_open(&session->host);
    if (!m || !arena) {
        if (m) session->host.resize(session->host.user, m, 0);
        arena_close(arena);
        return MLC_NO_MEMORY;
    }
    *m = (mlc_model){.session = session, .arena = arena, .next = session->model};
    session->model = m;
    Making making = {m, path};
    mlc_status status = session_guard(session, NULL, make_context, &making);
    Opening opening = {m, options};
    if (status == MLC_OK) status = session_guard(session, &m->context, open_model, &opening);
    if (status == MLC_OK)
        *model = m;
    else
        mlc_model_close(m);
    return status;
}

void mlc_model_close(mlc_model *model)
{
    if (!model || model->session->busy) return;
    mlc_session *session = model->session;
    mlc_model **link = &session->model;
    while (*link != model)
        link = &(*link)->next;
    *link = model->next;
    for (Compiled *c = model->compiled; c; c = c->next) {
        if (c->executable) model->backend->dispose(c->executable);
        arena_close(c->arena);
    }
    if (model->device) model->backend->close(model->device);
    state_release(model);
    data_close(model->data);
    arena_close(model->arena);
    session->host.resize(session->host.user, model, 0);
}

typedef struct DataReading {
    mlc_model *model;
    const DataBlock *block;
    bool done;
} DataReading;

static Status read_data(void *argument)
{
    DataReading *r = argument;
    mlc_model *model = r->model;
    DataOptions options = {
        .host = &model->session->host, .folder = model->data_folder, .seed = model->seed};
    TRY(data_open(&model->context, r->block, &options, &model->data));
    r->done = true;
    return STATUS_ok;
}

/* Nobody may take what was read by halves for the data. */
static void drop_half(void *argument)
{
    DataReading *r = argument;
    if (r->done) return;
    data_close(r->model->data);
    r->model->data = NULL;
}

Status model_data(mlc_model *model)
{
    if (model->data) return STATUS_ok;
    const DataBlock *block = experiment_data(model->experiment);
    const Span nowhere = {0};
    if (!block) {
        report_error(model->context.report, nowhere, "%s has no `data` block", model->path);
        report_hint(
            model->context.report,
            "add: data NAME { train: idx(\"images.gz\", \"labels.gz\") }; see `mlc help data`");
        return STATUS_invalid;
    }
    DataReading reading = {.model = model, .block = block};
    return boundary_clean(read_data, drop_half, &reading);
}

/* The train block's settings, but for the expressions: those wait for the graph (elaborate_train.c). */
#include "frontend/elaborate.h"

typedef struct SettingInfo {
    const char *name;
    unsigned most;
} SettingInfo;

static const SettingInfo setting_table[] = {
#define SETTING(name, most, help) {#name, most},
#include "frontend/blocks/settings.def"
#undef SETTING
};
#define SETTINGS (sizeof setting_table / sizeof *setting_table)

static const SettingInfo *setting_info(const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(setting_table[i].name, name) == 0) return &setting_table[i];
    return NULL;
}

static void check_names(Elaborator *e)
{
    const Ast *train = e->experiment->train;
    for (uint32_t i = 0; i < train->count; i++) {
        const Ast *s = train->child[i];
        if (s->kind != AST_setting) continue;
        const char *name = name_text(e->names, s->name);
        const SettingInfo *info = setting_info(name);
        if (!info) {
            Suggestion nearest = {.wanted = name};
            for (size_t k = 0; k < SETTINGS; k++)
                suggest(&nearest, setting_table[k].name);
            elaborate_error(e, s->name_at.length ? s->name_at : s->at,
                            "`train` has no setting `%s`", name);
            if (nearest.best)
                elaborate_hint(e, "did you mean `%s`?", nearest.best);
            else
                elaborate_hint(e, "`mlc help train` lists them");
            continue;
        }
        for (uint32_t k = 0; info->most == 1 && k < i; k++) {
            if (train->child[k]->kind != AST_setting || !name_same(train->child[k]->name, s->name))
                continue;
            elaborate_error(e, s->at, "`%s` is set twice", name);
            report_note(e->report, train->child[k]->at, "the first is here");
            break;
        }
    }
}

static bool is_word(const Elaborator *e, const Ast *ast, const char *word)
{
    return ast && ast->kind == AST_name && strcmp(name_text(e->names, ast->name), word) == 0;
}

static const Ast *value_of(const Elaborator *e, const char *name)
{
    const Ast *s = train_setting(e->experiment, name, NULL);
    return s && s->count ? s->child[0] : NULL;
}

/* A whole number of at least `low`; `otherwise` if it is not set. */
static int64_t integer(Elaborator *e, const char *name, int64_t low, int64_t high,
                       int64_t otherwise)
{
    const Ast *s = train_setting(e->experiment, name, NULL);
    if (!s) return otherwise;
    int64_t number = 0;
    const Ast *value = s->count == 1 ? s->child[0] : NULL;
    if (value && value->kind == AST_name && !frame_find(e->globals, value->name)) {
        elaborate_error(e, value->at, "`%s` is a whole number from %lld on, and this is `%s`", name,
                        (long long)low, name_text(e->names, value->name));
    } else if (value) {
        Datum d = elaborate_expression(e, value);
        if (d.kind == DATUM_poison) return otherwise;
        if (static_as_integer(&d, &number) && number >= low && number <= high) return number;
        bool above = static_as_integer(&d, &number) && number > high;
        elaborate_error(e, value->at, "`%s` is a whole number %s %lld%s, and this is %s", name,
                        above ? "up to" : "from", (long long)(above ? high : low),
                        above ? "" : " on", elaborate_describe(e, &d));
    } else {
        elaborate_error(e, s->at, "`%s` takes one number", name);
    }
    return otherwise;
}

static const char *metric_name(Elaborator *e, const Ast *ast)
{
    const char *name = ast->kind == AST_name     ? name_text(e->names, ast->name)
                       : ast->kind == AST_string ? ast->text
                                                 : NULL;
    if (name && strcmp(name, "loss") == 0) return name;
    Suggestion nearest = {.wanted = name ? name : ""};
    const Ast *s = NULL;
    while (name && (s = train_setting(e->experiment, "report", s))) {
        for (uint32_t i = 0; i < s->count; i++) {
            const char *metric = name_text(e->names, s->child[i]->name);
            if (strcmp(metric, name) == 0) return name;
            suggest(&nearest, metric);
        }
    }
    if (name)
        elaborate_error(e, ast->at, "there is no metric `%s`", name);
    else
        elaborate_error(e, ast->at, "the name of a metric is expected here");
    if (nearest.best)
        elaborate_hint(e, "did you mean `%s`?", nearest.best);
    else
        elaborate_hint(e, "metrics are `loss` and those of `report NAME = ...`");
    return NULL;
}

/* stop 5 | stop accuracy, 5 | stop patience(5, metric: accuracy) */
static void read_stop(Elaborator *e, TrainSettings *t)
{
    const Ast *s = train_setting(e->experiment, "stop", NULL);
    for (uint32_t i = 0; s && i < s->count; i++) {
        const Ast *value = s->child[i];
        bool call = value->kind == AST_call && is_word(e, value->child[0], "patience");
        for (uint32_t k = call ? 1 : 0; k < (call ? value->count : 1); k++) {
            const Ast *part = call ? value->child[k]->child[0] : value;
            int64_t number;
            if (part->kind == AST_name || part->kind == AST_string) {
                t->stop_metric = metric_name(e, part);
                continue;
            }
            Datum d = elaborate_expression(e, part);
            if (d.kind == DATUM_poison) continue;
            if (static_as_integer(&d, &number) && number >= 1)
                t->stop_patience = number;
            else
                elaborate_error(e, part->at,
                                "`stop` takes a number of validations from 1 on, and this is %s",
                                elaborate_describe(e, &d));
        }
    }
    if (s && !s->count) {
        elaborate_error(e, s->at, "`stop` needs the number of validations without improvement");
        elaborate_hint(e, "for example `stop 5`");
    }
}

static void read_best(Elaborator *e, TrainSettings *t)
{
    const Ast *best = value_of(e, "best"), *report = train_setting(e->experiment, "report", NULL);
    t->best_metric = "loss";
    if (best)
        t->best_metric = metric_name(e, best);
    else if (report && report->count && report->child[0]->name.id)
        t->best_metric = name_text(e->names, report->child[0]->name);
    if (!t->stop_metric) t->stop_metric = t->best_metric;
}

static void read_precision(Elaborator *e, TrainSettings *t)
{
    const Ast *value = value_of(e, "precision");
    t->precision = "f32";
    if (!value) return;
    t->precision = name_text(e->names, value->name);
    if (is_word(e, value, "f32") || is_word(e, value, "bf16") || is_word(e, value, "f32_fast"))
        return;
    elaborate_error(e, value->at, "`precision` is f32, bf16 or f32_fast");
}

static void read_length(Elaborator *e, TrainSettings *t)
{
    const Ast *epochs = train_setting(e->experiment, "epochs", NULL),
              *steps = train_setting(e->experiment, "steps", NULL);
    t->epochs = integer(e, "epochs", 1, INT32_MAX, 0);
    t->steps = integer(e, "steps", 1, INT32_MAX, 0);
    if (epochs && steps) {
        elaborate_error(e, steps->at, "`epochs` and `steps` both say how long to train");
        report_note(e->report, epochs->at, "`epochs` is here");
    }
    if (!epochs && !steps) t->epochs = 10;
}

static void read_plateau(Elaborator *e, TrainSettings *t)
{
    const Ast *value = value_of(e, "schedule");
    t->plateau_factor = 0.1;
    t->plateau_patience = 10;
    bool call = value && value->kind == AST_call;
    if (!is_word(e, call ? value->child[0] : value, "plateau")) return;
    t->plateau = true;
    for (uint32_t i = 1; call && i < value->count; i++) {
        const Ast *a = value->child[i];
        const char *name = a->name.id ? name_text(e->names, a->name)
                           : i == 1   ? "factor"
                                      : "patience";
        bool factor = strcmp(name, "factor") == 0, patience = strcmp(name, "patience") == 0;
        if (!factor && !patience) {
            elaborate_error(e, a->name_at, "`plateau` has no argument `%s`", name);
            elaborate_hint(e, "it is plateau(factor: 0.1, patience: 10)");
            continue;
        }
        Datum d = elaborate_expression(e, a->child[0]);
        if (d.kind == DATUM_poison) continue;
        if (factor && d.kind == DATUM_number && d.number > 0 && d.number < 1)
            t->plateau_factor = d.number;
        else if (patience && static_as_integer(&d, &t->plateau_patience) &&
                 t->plateau_patience >= 1)
            continue;
        else
            elaborate_error(
                e, a->at,
                "`plateau` takes factor, between 0 and 1, and patience, a whole number from 1 on");
    }
}

void block_train(Elaborator *e)
{
    Experiment *x = e->experiment;
    TrainSettings *t = &x->settings;
    *t = (TrainSettings){.batch = 32,
                         .accumulate = 1,
                         .log = 100,
                         .validate = -1,
                         .precision = "f32",
                         .best_metric = "loss"};
    if (!x->train) return;

    check_names(e);
    t->present = true;
    t->at = x->train->at;
    t->batch = is_word(e, value_of(e, "batch"), "all") ? 0 : integer(e, "batch", 1, INT32_MAX, 32);
    t->accumulate = integer(e, "accumulate", 1, INT32_MAX, 1);
    t->seed = (uint32_t)integer(e, "seed", 0, INT32_MAX, 1);
    t->log = integer(e, "log", 1, INT32_MAX, 100);
    t->checkpoint = is_word(e, value_of(e, "checkpoint"), "epoch")
                        ? 0
                        : integer(e, "checkpoint", 1, INT32_MAX, 0);
    const Ast *validate = value_of(e, "validate");
    t->validate = is_word(e, validate, "none")    ? 0
                  : is_word(e, validate, "epoch") ? -1
                                                  : integer(e, "validate", 1, INT32_MAX, -1);
    read_length(e, t);
    read_stop(e, t);
    read_best(e, t);
    read_precision(e, t);
    read_plateau(e, t);
}

#include "runtime/progress.h"
#include "runtime/state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
#define COUNT(name)        NOTED_##name,
#define NUMBER(name)       NOTED_##name,
#define SAME(name, called) NOTED_##name,
#include "runtime/progress.def"
#undef COUNT
#undef NUMBER
#undef SAME
    NOTED
};

/* Keys and texts of the notes live here. */
typedef struct Notes {
    Note note[NOTED + MAX_METRICS];
    uint32_t count;
    char text[NOTED + MAX_METRICS][32];
    char key[MAX_METRICS][32];
} Notes;

static void note_count(Notes *notes, const char *key, int64_t value)
{
    snprintf(notes->text[notes->count], 32, "%lld", (long long)value);
    notes->note[notes->count] = (Note){key, notes->text[notes->count]};
    notes->count++;
}

static void note_number(Notes *notes, const char *key, double value)
{
    snprintf(notes->text[notes->count], 32, "%a", value);
    notes->note[notes->count] = (Note){key, notes->text[notes->count]};
    notes->count++;
}

Status progress_save(mlc_model *model, const Progress *progress, const char *path)
{
    Notes notes = {.count = 0};
#define COUNT(name)        note_count(&notes, "mlc." #name, progress->name);
#define NUMBER(name)       note_number(&notes, "mlc." #name, progress->name);
#define SAME(name, called) COUNT(name)
#include "runtime/progress.def"
#undef COUNT
#undef NUMBER
#undef SAME
    for (uint32_t i = 0; i < progress->metric_count; i++) {
        snprintf(notes.key[i], 32, "mlc.sum.%u", i);
        note_number(&notes, notes.key[i], progress->sum[i]);
    }
    return state_save_checkpoint(model, path, notes.count, notes.note);
}

static double noted(const TensorSet *set, const char *key)
{
    const char *text = tensor_set_noted(set, key);
    char *end = NULL;
    double number = text ? strtod(text, &end) : NAN;
    return end && end > text && !*end ? number : NAN;
}

/* -1 if it is none. */
static int64_t noted_count(const TensorSet *set, const char *key)
{
    double number = noted(set, key);
    return number >= 0 && number <= 0x1p53 ? (int64_t)number : -1;
}

/* Whether every count is there. */
static bool read_notes(const TensorSet *set, Progress *p)
{
    bool is_whole = true;
#define COUNT(name)        is_whole &= (p->name = noted_count(set, "mlc." #name)) >= 0;
#define NUMBER(name)       p->name = noted(set, "mlc." #name);
#define SAME(name, called) COUNT(name)
#include "runtime/progress.def"
#undef COUNT
#undef NUMBER
#undef SAME
    for (uint32_t i = 0; i < p->metric_count; i++) {
        char key[32];
        snprintf(key, sizeof key, "mlc.sum.%u", i);
        p->sum[i] = noted(set, key);
    }
    return is_whole && p->batch > 0 && p->step <= INT64_MAX / 2 / p->batch;
}

static bool same(Report *report, const char *path, const char *called, int64_t theirs, int64_t ours)
{
    if (theirs == ours) return true;
    report_error(report, (Span){0}, "the run of %s had the %s %lld, this one has %lld", path,
                 called, (long long)theirs, (long long)ours);
    return false;
}

static Status compare(Report *report, const char *path, const Progress *theirs,
                      const Progress *ours)
{
    bool fits = true;
#define COUNT(name)
#define NUMBER(name)
#define SAME(name, called) fits &= same(report, path, called, theirs->name, ours->name);
#include "runtime/progress.def"
#undef COUNT
#undef NUMBER
#undef SAME
    if (fits) return STATUS_ok;
    report_hint(report, "resume with what it had, or start anew from its weights, with --init and "
                        "another --out folder");
    return STATUS_invalid;
}

Status progress_load(mlc_model *model, Progress *progress, const char *path)
{
    TensorSet set;
    Report *report = model->context.report;
    Progress read = {.metric_count = progress->metric_count};
    TRY(state_load_checkpoint(model, path, &set));
    bool is_whole = read_notes(&set, &read);
    tensor_set_close(&set);
    if (!is_whole) {
        report_error(report, (Span){0}, "%s does not say how far its run was", path);
        report_hint(report, "start anew from its weights, with --init and another --out folder");
        return STATUS_invalid;
    }
    TRY(compare(report, path, &read, progress));
    *progress = read;
    return STATUS_ok;
}

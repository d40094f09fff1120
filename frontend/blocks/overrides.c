/* What the command line changes: a variant of the file, and --set; and the file written out with both applied. */
#include "frontend/elaborate.h"
#include "frontend/parser.h"

static const char *text_of(const Experiment *x, Span at)
{
    const Source *source = sources_get(x->context->sources, at.source);
    return source ? arena_text(x->context->arena, source->text + at.begin, at.length) : "";
}

static void edit(Experiment *x, Span at, const char *text)
{
    *list_add(x->context->arena, &x->edit) = (Edit){at, text};
}

static Global *constant_named(Experiment *x, Name name)
{
    for (uint32_t i = 0; i < x->constant.count; i++)
        if (name_same(x->constant.at[i].name, name)) return &x->constant.at[i];
    return NULL;
}

static void set_constant(Experiment *x, Global *g, const Ast *value)
{
    const char *text = text_of(x, value->at);
    g->value = value;
    for (uint32_t i = 0; i < x->edit.count; i++) {
        if (memcmp(&x->edit.at[i].at, &g->written, sizeof(Span)) != 0) continue;
        x->edit.at[i].text = text;
        return;
    }
    edit(x, g->written, text);
}

static bool same_setting(const Experiment *x, Name a, Name b)
{
    const char *s = name_text(x->context->names, a), *t = name_text(x->context->names, b);
    bool length = (strcmp(s, "epochs") == 0 || strcmp(s, "steps") == 0) &&
                  (strcmp(t, "epochs") == 0 || strcmp(t, "steps") == 0);
    return length || strcmp(s, t) == 0;
}

/* The setting takes the place of those of its name; epochs and steps of each other. */
static void set_setting(Experiment *x, const Ast *setting)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->setting.count; i++) {
        const Ast *old = x->setting.at[i];
        if (old->kind == AST_setting && same_setting(x, old->name, setting->name))
            edit(x, old->at, "");
        else
            x->setting.at[kept++] = old;
    }
    x->setting.count = kept;
    *list_add(x->context->arena, &x->setting) = setting;
}

/* ---- variants ---- */

/* Of all variants, chosen or not: a mistake shows before the day that one is wanted. */
static void check_variant(Experiment *x, uint32_t index)
{
    const Ast *variant = x->variant.at[index];
    const Names *names = x->context->names;
    for (uint32_t i = 0; i < index; i++) {
        if (!name_same(x->variant.at[i]->name, variant->name)) continue;
        report_error(x->context->report, variant->at, "the variant `%s` is defined twice",
                     name_text(names, variant->name));
        report_note(x->context->report, x->variant.at[i]->at, "the first is here");
        break;
    }
    for (uint32_t k = 0; k < variant->count; k++) {
        const Ast *item = variant->child[k];
        if (item->kind != AST_const || constant_named(x, item->name)) continue;
        Suggestion nearest = {.wanted = name_text(names, item->name)};
        for (uint32_t i = 0; i < x->constant.count; i++)
            suggest(&nearest, name_text(names, x->constant.at[i].name));
        report_error(x->context->report, item->at,
                     "the variant sets the constant `%s`, which the file does not have",
                     nearest.wanted);
        if (nearest.best) report_hint(x->context->report, "did you mean `%s`?", nearest.best);
    }
}

static void apply_item(Experiment *x, const Ast *item)
{
    Report *report = x->context->report;
    if (item->kind == AST_const) {
        Global *g = constant_named(x, item->name);
        if (g) set_constant(x, g, item->child[0]);
    } else if (item->kind == AST_train) {
        if (!x->train)
            report_error(report, item->at, "the variant has a train block and the file has none");
        for (uint32_t i = 0; x->train && i < item->count; i++)
            if (item->child[i]->kind == AST_setting) set_setting(x, item->child[i]);
    } else if (item->kind == AST_compress) {
        if (x->compress) edit(x, x->compress->at, text_of(x, item->at));
        x->compress = item;
    }
}

static void apply_variant(Experiment *x)
{
    const char *wanted = x->options.variant;
    Suggestion nearest = {.wanted = wanted ? wanted : ""};
    bool found = !wanted;
    for (uint32_t i = 0; i < x->variant.count; i++) {
        const Ast *v = x->variant.at[i];
        const char *name = name_text(x->context->names, v->name);
        check_variant(x, i);
        edit(x, v->at, "");
        suggest(&nearest, name);
        if (!wanted || strcmp(name, wanted) != 0) continue;
        found = true;
        for (uint32_t k = 0; k < v->count; k++)
            apply_item(x, v->child[k]);
    }
    if (found) return;
    report_error(x->context->report, (Span){0}, "the file has no variant `%s`", wanted);
    if (nearest.best) report_hint(x->context->report, "did you mean `%s`?", nearest.best);
}

/* ---- --set ---- */

static const Ast *new_setting(Experiment *x, const char *name, const Ast *value)
{
    Ast *setting = arena_new(x->context->arena, Ast);
    const Ast **child = arena_array(x->context->arena, const Ast *, 1);
    child[0] = value;
    *setting = (Ast){.kind = AST_setting,
                     .at = value->at,
                     .name_at = value->at,
                     .name = name_of(x->context->names, name),
                     .height = value->height + 1,
                     .count = 1,
                     .child = child};
    return setting;
}

static void unknown_key(Experiment *x, const Override *o)
{
    Suggestion nearest = {.wanted = o->key};
    for (uint32_t i = 0; i < x->constant.count; i++)
        suggest(&nearest, name_text(x->context->names, x->constant.at[i].name));
#define SETTING(name, most, help) suggest(&nearest, "train." #name);
#include "frontend/blocks/settings.def"
#undef SETTING
    report_error(x->context->report, (Span){0}, "--set %s=%s: there is no such constant or setting",
                 o->key, o->value);
    if (nearest.best)
        report_hint(x->context->report, "did you mean `%s`?", nearest.best);
    else
        report_hint(x->context->report, "a constant is set by its name, a setting as train.NAME");
}

static bool known_setting(const char *name)
{
#define SETTING(known, most, help)                                                                 \
    if (strcmp(name, #known) == 0) return true;
#include "frontend/blocks/settings.def"
#undef SETTING
    return false;
}

static void apply_override(Experiment *x, const Override *o)
{
    Context *context = x->context;
    Global *g = constant_named(x, name_of(context->names, o->key));
    bool train = strncmp(o->key, "train.", 6) == 0 && known_setting(o->key + 6);
    if (!g && !train) {
        unknown_key(x, o);
        return;
    }
    if (train && !x->train) {
        report_error(context->report, (Span){0}, "--set %s=%s: the file has no train block", o->key,
                     o->value);
        return;
    }
    Text path = {.arena = context->arena};
    text_add(&path, "--set %s", o->key);
    uint32_t source =
        sources_add(context->sources, text_done(&path), o->value, strlen(o->value), false);
    const Ast *value = parse_expression(context, source);
    if (g)
        set_constant(x, g, value);
    else
        set_setting(x, new_setting(x, o->key + 6, value));
}

static const Ast *merged_train(const Experiment *x)
{
    Ast *train = arena_new(x->context->arena, Ast);
    *train = *x->train;
    train->count = x->setting.count;
    train->child = (const Ast *const *)x->setting.at;
    return train;
}

/* Settings that are not in the train block of the file, written at its end. */
static void edit_train(Experiment *x)
{
    Text text = {.arena = x->context->arena};
    Span block = x->train->at;
    for (uint32_t i = 0; i < x->setting.count; i++) {
        const Ast *s = x->setting.at[i];
        bool own = s->at.source == block.source && s->at.begin >= block.begin &&
                   s->at.begin < block.begin + block.length;
        if (own) continue;
        const char *written = text_of(x, s->at), *name = name_text(x->context->names, s->name);
        bool whole = s->at.begin != s->name_at.begin || s->at.length != s->name_at.length;
        text_add(&text, "\n%s%s%s\n", whole ? "" : name, whole ? "" : " ", written);
    }
    if (text.count && block.length)
        edit(x, (Span){.source = block.source, .begin = block.begin + block.length - 1},
             text_done(&text));
}

void block_overrides(Experiment *x)
{
    for (uint32_t i = 0; x->train && i < x->train->count; i++)
        *list_add(x->context->arena, &x->setting) = x->train->child[i];
    apply_variant(x);
    for (uint32_t i = 0; i < x->options.override_count; i++)
        apply_override(x, &x->options.overrides[i]);
    if (!x->train) return;
    edit_train(x);
    x->train = merged_train(x);
}

/* ---- the resolved file ---- */

static const Edit *edit_at(const Experiment *x, uint32_t source, uint32_t at)
{
    const Edit *found = NULL;
    for (uint32_t i = 0; i < x->edit.count; i++) {
        const Edit *candidate = &x->edit.at[i];
        if (candidate->at.source != source || candidate->at.begin != at) continue;
        if (!found || candidate->at.length >= found->at.length) found = candidate;
    }
    return found;
}

const char *block_resolved(const Experiment *x)
{
    Text out = {.arena = x->context->arena};
    for (uint32_t i = 0; i < x->used.count; i++) {
        const Source *source = sources_get(x->context->sources, x->used.at[i]);
        for (uint32_t at = 0; at <= source->size;) {
            const Edit *e = edit_at(x, x->used.at[i], at);
            if (e) text_add(&out, "%s", e->text);
            if (e && e->at.length) {
                at += e->at.length;
                continue;
            }
            if (at < source->size) text_put(&out, source->text + at, 1);
            at++;
        }
        text_put(&out, "\n", 1);
    }
    return text_done(&out);
}

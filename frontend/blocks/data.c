/* The data block, for the runtime to read: entries as trees of static values, constants put in. */
#include "frontend/elaborate.h"

static Static of_datum(Elaborator *e, const Datum *d, Span at)
{
    Static s = {.kind = STATIC_none, .at = at};
    switch (d->kind) {
    case DATUM_number:
    case DATUM_bool:
        s.kind = STATIC_number;
        s.number = d->number;
        s.is_integer = d->is_integer || d->kind == DATUM_bool;
        return s;
    case DATUM_text:
        s.kind = STATIC_text;
        s.text = d->text;
        return s;
    case DATUM_type:
        s.kind = STATIC_name;
        s.text = type_info[d->type].name;
        return s;
    case DATUM_list:
    case DATUM_range: {
        Static *element = arena_array(e->arena, Static, static_count(d));
        for (uint32_t i = 0; i < static_count(d); i++) {
            Datum part = static_element(d, i);
            element[i] = of_datum(e, &part, at);
        }
        s.kind = STATIC_list;
        s.count = static_count(d);
        s.element = element;
        return s;
    }
    case DATUM_none:
    case DATUM_poison:
    case DATUM_function:
    case DATUM_builtin:
    case DATUM_thunk:
    case DATUM_tensor: return s;
    }
    return s;
}

static Static call_tree(Elaborator *e, const Ast *ast)
{
    Static s = {.kind = STATIC_call, .at = ast->at, .count = ast->count - 1};
    s.text = name_text(e->names, ast->child[0]->name);
    Static *element = arena_array(e->arena, Static, s.count);
    const char **label = arena_array(e->arena, const char *, s.count);
    for (uint32_t i = 0; i < s.count; i++) {
        const Ast *a = ast->child[i + 1];
        element[i] = static_tree(e, a->child[0]);
        label[i] = name_text(e->names, a->name);
    }
    s.element = element;
    s.label = label;
    return s;
}

/* Numbers are computed; what is not known here stays a call of the operator. */
static Static operator_tree(Elaborator *e, const Ast *ast)
{
    Static *side = arena_array(e->arena, Static, 2);
    const char **label = arena_array(e->arena, const char *, 2);
    for (int i = 0; i < 2; i++) {
        side[i] = static_tree(e, ast->child[i]);
        label[i] = "";
    }
    if (side[0].kind == STATIC_number && side[1].kind == STATIC_number) {
        Datum d = elaborate_expression(e, ast);
        return of_datum(e, &d, ast->at);
    }
    return (Static){.kind = STATIC_call,
                    .at = ast->at,
                    .text = name_text(e->names, ast->name),
                    .count = 2,
                    .element = side,
                    .label = label};
}

Static static_tree(Elaborator *e, const Ast *ast)
{
    if (ast->kind == AST_binary) return operator_tree(e, ast);
    if (ast->kind == AST_call && ast->child[0]->kind == AST_name) return call_tree(e, ast);
    if (ast->kind == AST_list) {
        Static s = {.kind = STATIC_list, .at = ast->at, .count = ast->count};
        Static *element = arena_array(e->arena, Static, ast->count);
        for (uint32_t i = 0; i < ast->count; i++)
            element[i] = static_tree(e, ast->child[i]);
        s.element = element;
        return s;
    }
    if (ast->kind == AST_name && !frame_find(e->globals, ast->name)) {
        const char *name = name_text(e->names, ast->name);
        Static s = {.kind = STATIC_name, .at = ast->at, .text = name};
        if (strcmp(name, "none") == 0) s.kind = STATIC_none;
        if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0) {
            s.kind = STATIC_number;
            s.number = name[0] == 't';
            s.is_integer = true;
        }
        return s;
    }
    Datum d = elaborate_expression(e, ast);
    return of_datum(e, &d, ast->at);
}

static bool is_split(const char *name)
{
    return strcmp(name, "train") == 0 || strcmp(name, "validate") == 0 || strcmp(name, "test") == 0;
}

/* Splits of other names are for `--split NAME` and to take from; `val` is more likely meant to be used. */
static void check_name(Elaborator *e, const char *name, Span at)
{
    static const char *const known[] = {"train", "validate", "test"};
    if (is_split(name)) return;
    Suggestion s = {.wanted = name};
    for (int i = 0; i < 3; i++) {
        suggest(&s, known[i]);
        if (strncmp(name, known[i], 3) == 0) s.best = known[i];
    }
    if (!s.best) return;
    report_warning(e->report, at, "training does not look at a split called `%s`", name);
    elaborate_hint(e, "did you mean `%s`?", s.best);
}

/* split(train, 0.1) takes from another entry, which must be there. */
static void check_source(Elaborator *e, const DataEntry *entry, const DataBlock *block)
{
    const Static *v = &entry->value;
    if (v->kind != STATIC_call || strcmp(v->text, "split") != 0 || !v->count) return;
    const Static *from = &v->element[0];
    if (from->kind != STATIC_name) {
        elaborate_error(e, v->at,
                        "`split` takes the name of a split first, such as split(train, 0.1)");
        return;
    }
    for (uint32_t i = 0; i < block->count; i++) {
        if (strcmp(block->entry[i].name, from->text) != 0) continue;
        if (strcmp(from->text, entry->name) == 0)
            elaborate_error(e, from->at, "`%s` is split from itself", entry->name);
        return;
    }
    Suggestion s = {.wanted = from->text};
    for (uint32_t i = 0; i < block->count; i++)
        suggest(&s, block->entry[i].name);
    elaborate_error(e, from->at, "there is no split `%s`", from->text);
    if (s.best) elaborate_hint(e, "did you mean `%s`?", s.best);
}

void block_data(Elaborator *e)
{
    Experiment *x = e->experiment;
    if (!x->data) return;
    DataEntry *entry = arena_array(e->arena, DataEntry, x->data->count);
    DataBlock *block = &x->data_block;
    *block = (DataBlock){name_text(e->names, x->data->name), x->data->at, 0, entry};
    bool trains = false;
    for (uint32_t i = 0; i < x->data->count; i++) {
        const Ast *ast = x->data->child[i];
        if (ast->kind != AST_entry) continue;
        const char *name = name_text(e->names, ast->name);
        for (uint32_t k = 0; k < block->count; k++)
            if (is_split(name) && strcmp(block->entry[k].name, name) == 0)
                elaborate_error(e, ast->at, "the split `%s` is given twice", name);
        check_name(e, name, ast->at);
        trains = trains || strcmp(name, "train") == 0;
        entry[block->count++] = (DataEntry){name, static_tree(e, ast->child[0]), ast->at};
    }
    for (uint32_t i = 0; i < block->count; i++)
        check_source(e, &block->entry[i], block);
    if (trains || !x->train) return;
    elaborate_error(e, x->data->at, "the data block has no `train` split");
    elaborate_hint(e, "for example `train: csv(\"train.csv\")`");
}

/* The compress block: names are checked here; what they do is the passes' business. */
#include "frontend/elaborate.h"

typedef struct Choice {
    const char *keyword, *name;
} Choice;

static const Choice choice_table[] = {
#define CHOICE(keyword, name, help) {#keyword, #name},
#include "frontend/blocks/compress.def"
#undef CHOICE
};
#define CHOICES (sizeof choice_table / sizeof *choice_table)

static void check_setting(Elaborator *e, const Ast *s)
{
    const char *keyword = name_text(e->names, s->name);
    if (strcmp(keyword, "require") == 0) return;

    Suggestion nearest_keyword = {.wanted = keyword};
    const Ast *value = s->count ? s->child[0] : NULL;
    const Ast *callee = value && value->kind == AST_call ? value->child[0] : value;
    const char *name = callee && callee->kind == AST_name ? name_text(e->names, callee->name) : "";
    Suggestion nearest = {.wanted = name};
    bool known = false;
    for (size_t i = 0; i < CHOICES; i++) {
        suggest(&nearest_keyword, choice_table[i].keyword);
        if (strcmp(choice_table[i].keyword, keyword) != 0) continue;
        known = true;
        if (strcmp(choice_table[i].name, name) == 0) return;
        suggest(&nearest, choice_table[i].name);
    }
    const Suggestion *best = known ? &nearest : &nearest_keyword;
    if (known)
        elaborate_error(e, value ? value->at : s->at, "there is no `%s` for `%s`", name, keyword);
    else
        elaborate_error(e, s->at, "`compress` has no setting `%s`", keyword);
    if (best->best)
        elaborate_hint(e, "did you mean `%s`?", best->best);
    else
        elaborate_hint(e, "`mlc help compress` lists what there is");
}

void block_compress(Elaborator *e)
{
    const Ast *compress = e->experiment->compress;
    if (!compress) return;
    CompressSetting *setting = arena_array(e->arena, CompressSetting, compress->count);
    CompressBlock *block = &e->experiment->compress_block;
    *block = (CompressBlock){compress->at, 0, setting};
    for (uint32_t i = 0; i < compress->count; i++) {
        const Ast *s = compress->child[i];
        if (s->kind != AST_setting) continue;
        check_setting(e, s);
        if (s->count == 1)
            setting[block->count++] =
                (CompressSetting){name_text(e->names, s->name), static_tree(e, s->child[0]), s->at};
        else
            elaborate_error(e, s->at, "`%s` takes one value", name_text(e->names, s->name));
    }
}

/* weights "gpt2.safetensors" { "transformer.*" -> "*"; "*.c_attn.weight" -> transpose } */
#include "frontend/elaborate.h"

static unsigned stars(const char *text)
{
    unsigned count = 0;
    for (; *text; text++)
        count += *text == '*';
    return count;
}

void block_weights(Elaborator *e)
{
    Experiment *x = e->experiment;
    if (!x->weights) return;
    WeightRule *rule = arena_array(e->arena, WeightRule, x->weights->count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < x->weights->count; i++) {
        const Ast *m = x->weights->child[i];
        if (m->kind != AST_mapping) continue;
        const Ast *target = m->child[0];
        bool transpose = target->kind == AST_name;
        rule[count++] = (WeightRule){m->text, transpose ? NULL : target->text, transpose, m->at};
        if (!transpose && target->kind == AST_string && stars(target->text) > stars(m->text)) {
            elaborate_error(e, target->at, "\"%s\" has more * than \"%s\" can fill", target->text,
                            m->text);
        }
    }
    x->weight_map = (WeightMap){x->weights->text, x->weights->at, count, rule};
}

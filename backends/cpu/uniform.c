/* bits_uniform: Philox4x32-10 as ir/kernel/expand_uniform.c states it.  One evaluation gives the words of four elements that
 * follow each other; where the lanes of a vector do, there are fewer evaluations than lanes. */
#include "backends/cpu/emit.h"

#define ROUNDS 10

/* `count` counters at once: a lane of 64 bits for a word of each, of which the low half counts.  The two lanes of a counter are neighbours,
 * which trade places in a cycle: the rounds wait for each other. */
typedef struct Philox {
    uint32_t count;
    LLVMValueRef even, odd; /* words 0 and 2 of each counter; words 1 and 3 */
    LLVMValueRef key;
} Philox;

static LLVMValueRef constant_halves(Emit *e, uint32_t count, uint32_t first, uint32_t second)
{
    LLVMValueRef lane[128];
    for (uint32_t l = 0; l < 2 * count; l++)
        lane[l] = emit_i64(e, l % 2 ? second : first);
    return LLVMConstVector(lane, 2 * count);
}

/* An i32 of all counters, or one a counter, as both halves of lanes of 64 bits. */
static LLVMValueRef widened(Emit *e, LLVMValueRef value, uint32_t count)
{
    LLVMTypeRef type = LLVMInt64TypeInContext(e->context);
    if (LLVMGetTypeKind(LLVMTypeOf(value)) != LLVMVectorTypeKind)
        return spread(e, LLVMBuildZExt(e->builder, value, type, ""), 2 * count);
    uint32_t from[128];
    for (uint32_t l = 0; l < 2 * count; l++)
        from[l] = l / 2;
    value = LLVMBuildZExt(e->builder, value, LLVMVectorType(type, count), "");
    return shuffle(e, value, NULL, from, 2 * count);
}

static LLVMValueRef halves(Emit *e, LLVMValueRef first, LLVMValueRef second, uint32_t count)
{
    uint32_t from[128];
    for (uint32_t l = 0; l < 2 * count; l++)
        from[l] = l % 2 ? 2 * count + l : l;
    first = widened(e, first, count);
    return shuffle(e, first, widened(e, second, count), from, 2 * count);
}

static LLVMValueRef as_words(Emit *e, LLVMValueRef lanes, uint32_t count)
{
    LLVMTypeRef words = LLVMVectorType(LLVMInt32TypeInContext(e->context), 4 * count);
    return LLVMBuildBitCast(e->builder, lanes, words, "");
}

/* To each lane, the other of its counter: its half `half` (0: the low one) in place of the low one. */
static LLVMValueRef from_other(Emit *e, LLVMValueRef lanes, uint32_t half, uint32_t count)
{
    uint32_t from[256];
    for (uint32_t w = 0; w < 4 * count; w++)
        from[w] = w / 4 * 4 + (w % 4 < 2 ? 2 : 0) + half;
    LLVMValueRef words = as_words(e, lanes, count);
    return LLVMBuildBitCast(e->builder, shuffle(e, words, NULL, from, 4 * count), LLVMTypeOf(lanes),
                            "");
}

static void run_round(Emit *e, Philox *p)
{
    LLVMBuilderRef b = e->builder;
    uint32_t n = p->count;
    LLVMValueRef low = constant_halves(e, n, UINT32_MAX, UINT32_MAX);
    LLVMValueRef factor = constant_halves(e, n, 0xD2511F53, 0xCD9E8D57);
    LLVMValueRef step = constant_halves(e, n, 0x9E3779B9, 0xBB67AE85);
    LLVMValueRef product = LLVMBuildMul(b, LLVMBuildAnd(b, p->even, low, ""), factor, "");
    LLVMValueRef known = LLVMBuildXor(b, p->odd, p->key, "");
    p->even = LLVMBuildXor(b, from_other(e, product, 1, n), known, "");
    p->odd = from_other(e, product, 0, n);
    p->key = LLVMBuildAdd(b, p->key, step, "");
}

/* Whether the kernel makes numbers of nothing that lies at its points, as what training begins with is made: once. */
static bool is_run_once(const Emit *e)
{
    for (uint32_t i = 1; i < e->kernel->scalar.count; i++) {
        const ScalarNode *node = &e->kernel->scalar.at[i];
        if (node->op == SCALAR_load && node->depends) return false;
    }
    return true;
}

/* As a loop where running takes less time than compiling: code for all rounds takes LLVM four times as long. */
static void run_rounds(Emit *e, Philox *p, uint32_t level)
{
    if (level != e->depth || !is_run_once(e)) {
        for (int round = 0; round < ROUNDS; round++)
            run_round(e, p);
        return;
    }
    Loop loop;
    LLVMValueRef carried[] = {p->even, p->odd, p->key};
    loop_open(e, &loop, emit_i64(e, 0), emit_i64(e, ROUNDS), 1, 3, carried);
    emit_at(e, e->depth);
    Philox inside = {p->count, carried[0], carried[1], carried[2]};
    run_round(e, &inside);
    LLVMValueRef last[] = {inside.even, inside.odd, inside.key};
    loop_close(e, &loop, last);
    emit_at(e, e->depth);
    *p = (Philox){p->count, last[0], last[1], last[2]};
}

/* Lane l: word (first + l) % 4 of counter (first + l) / 4. */
static LLVMValueRef words_in_order(Emit *e, const Philox *p, uint32_t first, uint32_t width)
{
    uint32_t n = p->count, from[64];
    for (uint32_t l = 0; l < width; l++) {
        uint32_t word = (first + l) % 4, counter = (first + l) / 4;
        from[l] = (word & 1 ? 4 * n : 0) + 4 * counter + (word & 2);
    }
    return shuffle(e, as_words(e, p->even, n), as_words(e, p->odd, n), from, width);
}

/* Of counters from element / 4 on, for lanes that follow each other. */
static LLVMValueRef words_from(Emit *e, const Philox *p, LLVMValueRef element)
{
    LLVMValueRef words = words_in_order(e, p, 0, e->width);
    LLVMValueRef first = LLVMBuildAnd(e->builder, element, emit_i32(e, 3), "");
    for (uint32_t f = 1; f < 4; f++) {
        LLVMValueRef is_it = LLVMBuildICmp(e->builder, LLVMIntEQ, first, emit_i32(e, f), "");
        is_it = spread(e, is_it, e->width);
        words = LLVMBuildSelect(e->builder, is_it, words_in_order(e, p, f, e->width), words, "");
    }
    return words;
}

/* Every lane's own word of its own counter. */
static LLVMValueRef words_chosen(Emit *e, const Philox *p, LLVMValueRef element)
{
    LLVMBuilderRef b = e->builder;
    uint32_t n = p->count, from[64];
    LLVMValueRef word[4], bit[2];
    for (uint32_t r = 0; r < 4; r++) {
        LLVMValueRef all = as_words(e, r & 1 ? p->odd : p->even, n);
        for (uint32_t g = 0; g < n; g++)
            from[g] = 4 * g + (r & 2);
        word[r] = n == 1 ? LLVMBuildExtractElement(b, all, emit_i32(e, from[0]), "")
                         : shuffle(e, all, NULL, from, n);
    }
    for (int i = 0; i < 2; i++) {
        LLVMValueRef masked = LLVMBuildAnd(b, element, whole_of(e, 32, 1 << i, n), "");
        bit[i] = LLVMBuildICmp(b, LLVMIntNE, masked, whole_of(e, 32, 0, n), "");
    }
    LLVMValueRef low = LLVMBuildSelect(b, bit[0], word[1], word[0], "");
    LLVMValueRef high = LLVMBuildSelect(b, bit[0], word[3], word[2], "");
    return LLVMBuildSelect(b, bit[1], high, low, "");
}

/* How many lanes the first of a vector is beyond a multiple of four is known only where the vector axis begins at multiples
 * of the width: in kernels that are no contraction. */
static bool is_whole(const Emit *e, const Affine *affine)
{
    if (e->schedule->contraction || affine->constant % 4) return false;
    for (uint32_t i = 0; i < e->kernel->axis.count; i++)
        if (i + 1 != e->vector.id && affine->by[i] % 4) return false;
    return true;
}

/* The affine of the element if lanes follow each other; NULL: they do not. */
static const Affine *consecutive(const Emit *e, const ScalarNode *node)
{
    const ScalarNode *element = &e->kernel->scalar.at[node->argument[3].id];
    if (!e->vector.id || e->minor.id || e->width % 4 || element->op != SCALAR_index) return NULL;
    const Affine *affine = &element->access->at[0].affine;
    return affine->by[e->vector.id - 1] == 1 ? affine : NULL;
}

Lanes emit_uniform(Emit *e, const ScalarNode *node, uint32_t level)
{
    LLVMValueRef argument[4];
    bool is_vector = evaluate(e, node->argument[3]).is_vector, is_shared = true;
    for (int i = 0; i < 3; i++)
        is_shared &= !evaluate(e, node->argument[i]).is_vector;
    is_vector |= !is_shared;
    const Affine *affine = is_shared ? consecutive(e, node) : NULL;
    for (int i = 0; i < 4; i++)
        argument[i] = is_vector && (i == 3 || !is_shared) ? evaluate_vector(e, node->argument[i])
                                                          : evaluate(e, node->argument[i]).value;
    emit_at(e, level);
    uint32_t width = is_vector ? e->width : 1;
    Philox p = {.count = width};
    LLVMValueRef element = argument[3], counter;
    if (affine) {
        p.count = is_whole(e, affine) ? e->width / 4 : e->width / 2;
        element = LLVMBuildExtractElement(e->builder, element, emit_i32(e, 0), "");
        /* Lanes in front of element 0, as padding has them, count up to it: -1 belongs to counter -1. */
        counter = LLVMBuildAShr(e->builder, element, emit_i32(e, 2), "");
        if (p.count > 1)
            counter = LLVMBuildAdd(e->builder, spread(e, counter, p.count),
                                   lane_numbers(e, p.count, 32, 1), "");
    } else {
        counter = LLVMBuildLShr(e->builder, element, whole_of(e, 32, 2, width), "");
    }
    p.even = halves(e, counter, argument[1], p.count);
    p.odd = halves(e, emit_i32(e, 0), argument[2], p.count);
    p.key = halves(e, argument[0], emit_i32(e, 0), p.count);
    run_rounds(e, &p, level);
    LLVMValueRef word = !affine                ? words_chosen(e, &p, element)
                        : p.count * 4 == width ? words_in_order(e, &p, 0, width)
                                               : words_from(e, &p, element);
    LLVMValueRef top = LLVMBuildLShr(e->builder, word, whole_of(e, 32, 8, width), "");
    LLVMValueRef real = LLVMBuildSIToFP(e->builder, top, type_of(e, TYPE_f32, width), "");
    LLVMValueRef unit = spread(e, constant_of(e, TYPE_f32, 0x1p-24), width);
    return (Lanes){LLVMBuildFMul(e->builder, real, unit, ""), is_vector};
}

/* Rebuilds the kernel without its MATH scalars, then once more in canonical order: depth first
 * from the stores, dead scalars dropped, so that the numbering tells nothing of how the expansions
 * were built. */
#include "ir/kernel/expand.h"
#include "ir/base/boundary.h"
#include "ir/kernel/expand_math.h"
#include "ir/kernel/scalar.h"

typedef Scalar ExpandFn(Kernel *kernel, const ScalarNode *node);

static ExpandFn *const expansion[SCALAR_COUNT] = {
#define EXPAND_BASIC(name)
#define EXPAND_MATH(name)                 [SCALAR_##name] = expand_##name,
#define SCALAR(name, arity, level, types) EXPAND_##level(name)
#include "ir/kernel/scalars.def"
#undef SCALAR
#undef EXPAND_BASIC
#undef EXPAND_MATH
};

Scalar math_apply(Kernel *k, ScalarOp op, Scalar a, Scalar b, Scalar c)
{
    Scalar last = c.id ? c : b.id ? b : a;
    bool compares = scalar_info[op].types == SCALAR_TYPES_compare;
    Type type = compares ? TYPE_bool : k->scalar.at[last.id].type;
    return kernel_apply(k, op, type, (Scalar[]){a, b, c});
}

Scalar math_polynomial(Kernel *k, Scalar x, int count, const double *coefficient)
{
    Scalar sum = REAL(coefficient[count - 1]);
    for (int i = count - 1; i-- > 0;)
        sum = FMA(sum, x, REAL(coefficient[i]));
    return sum;
}

Scalar math_power_of_two(Kernel *k, Scalar n)
{
    return BITS(TWO(shift_left, ADD(n, WORD(127)), WORD(23)), TYPE_f32);
}

Scalar math_with_sign(Kernel *k, Scalar x, Scalar y)
{
    Scalar magnitude = TWO(bit_and, BITS(x, TYPE_i32), WORD(INT32_MAX));
    Scalar sign = TWO(bit_and, BITS(y, TYPE_i32), WORD(INT32_MIN));
    return BITS(TWO(bit_or, magnitude, sign), TYPE_f32);
}

/* (x > 0) - (x < 0): 0 for NaN and for both zeros. */
Scalar expand_sign(Kernel *k, const ScalarNode *node)
{
    Scalar x = node->argument[0], zero = kernel_constant(k, node->type, 0);
    Scalar one = kernel_constant(k, node->type, 1);
    bool is_unsigned = type_info[node->type].class == CLASS_UNSIGNED;
    Scalar rest = is_unsigned ? zero : SELECT(LESS(x, zero), ONE(neg, one), zero);
    return SELECT(LESS(zero, x), one, rest);
}

/* Floats of 16 bits are computed in f32 and rounded once. */
static Scalar expand_math(Kernel *k, const ScalarNode *node)
{
    bool is_half = node->type == TYPE_bf16 || node->type == TYPE_f16;
    if (!is_half || node->op == SCALAR_sign) return expansion[node->op](k, node);

    ScalarNode wide = *node;
    wide.type = TYPE_f32;
    for (int i = 0; i < scalar_info[node->op].arguments; i++)
        wide.argument[i] = CAST(node->argument[i], TYPE_f32);
    return CAST(expansion[node->op](k, &wide), node->type);
}

typedef struct Copy {
    const Kernel *from;
    Kernel *to;
    uint32_t *copied;    /* by id in from */
    LIST(uint32_t) open; /* the path from a root to where we are */
    uint8_t *next;       /* child to visit next, by id */
    bool keeps_uniform;
} Copy;

static Access copy_access(const Copy *copy, const Access *access)
{
    Access result = *access;
    for (int d = 0; d < access->rank; d++)
        result.at[d].dynamic.id = copy->copied[access->at[d].dynamic.id];
    return result;
}

static Scalar copy_scalar(Copy *copy, uint32_t id)
{
    Kernel *to = copy->to;
    ScalarNode node = copy->from->scalar.at[id];
    Access access = {0};
    if (node.access) access = copy_access(copy, node.access);
    for (int i = 0; i < SCALAR_ARGUMENTS; i++)
        node.argument[i].id = copy->copied[node.argument[i].id];

    bool stays = copy->keeps_uniform && node.op == SCALAR_uniform && node.type == TYPE_f32;
    if (scalar_info[node.op].is_math && !stays) return expand_math(to, &node);
    switch ((int)node.op) {
    case SCALAR_constant: return kernel_constant(to, node.type, node.number);
    case SCALAR_index: return kernel_index(to, access.at[0].affine);
    case SCALAR_inside: return kernel_inside(to, access.rank, access.at);
    case SCALAR_load: return kernel_load(to, &access);
    case SCALAR_reduce: return kernel_reduce(to, node.reduce, node.axes, node.argument[0]);
    default: return kernel_apply(to, node.op, node.type, node.argument);
    }
}

/* The next operand of the scalar that was not copied yet; 0 if there is none. */
static uint32_t next_operand(Copy *copy, uint32_t id)
{
    const ScalarNode *node = &copy->from->scalar.at[id];
    int count = SCALAR_ARGUMENTS + (node->access ? node->access->rank : 0);
    while (copy->next[id] < count) {
        int i = copy->next[id]++;
        uint32_t operand = i < SCALAR_ARGUMENTS ? node->argument[i].id
                                                : node->access->at[i - SCALAR_ARGUMENTS].dynamic.id;
        if (operand && !copy->copied[operand]) return operand;
    }
    return 0;
}

/* Depth first, without recursion: expansions of user formulas may be deep. */
static void copy_tree(Copy *copy, Scalar root)
{
    if (!root.id || copy->copied[root.id]) return;
    *list_add(copy->to->arena, &copy->open) = root.id;
    while (copy->open.count) {
        uint32_t id = *list_last(&copy->open), operand = next_operand(copy, id);
        if (operand) {
            *list_add(copy->to->arena, &copy->open) = operand;
        } else {
            copy->copied[id] = copy_scalar(copy, id).id;
            copy->open.count--;
        }
    }
}

static Kernel *copy_kernel(const Kernel *from, bool keeps_uniform, Arena *arena)
{
    Kernel *to = kernel_new(arena);
    Copy copy = {.from = from,
                 .to = to,
                 .copied = arena_array(arena, uint32_t, from->scalar.count),
                 .next = arena_array(arena, uint8_t, from->scalar.count),
                 .keeps_uniform = keeps_uniform};
    for (uint32_t i = 0; i < from->axis.count; i++)
        kernel_axis(to, from->axis.at[i].kind, from->axis.at[i].extent);
    for (uint32_t i = 0; i < from->buffer.count; i++) {
        const BufferInfo *buffer = &from->buffer.at[i];
        kernel_buffer(to, buffer->type, buffer->elements, buffer->written);
    }
    for (uint32_t i = 0; i < from->store.count; i++) {
        const Store *store = &from->store.at[i];
        for (int d = 0; d < store->at.rank; d++)
            copy_tree(&copy, store->at.at[d].dynamic);
        copy_tree(&copy, store->value);
        Access at = copy_access(&copy, &store->at);
        kernel_store(to, &at, (Scalar){copy.copied[store->value.id]}, store->accumulate);
    }
    for (uint32_t i = 0; i < from->span.count; i++)
        *list_add(arena, &to->span) = from->span.at[i];
    return to;
}

Kernel *kernel_expand(const Kernel *kernel, Arena *arena)
{
    return copy_kernel(copy_kernel(kernel, false, arena), false, arena);
}

Kernel *kernel_expand_but_uniform(const Kernel *kernel, Arena *arena)
{
    return copy_kernel(copy_kernel(kernel, true, arena), true, arena);
}

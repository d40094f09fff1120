/* Scalars: each once, at the deepest level on whose axes it depends. */
#include "backends/cpu/emit.h"
#include "ir/kernel/scalar.h"

uint32_t level_of(const Emit *e, uint32_t axes)
{
    uint32_t level = 0;
    for (uint32_t i = 0; i < e->kernel->axis.count; i++) {
        if (!(axes & 1u << i)) continue;
        if (!e->axis[i].bound) bug("axis %u has no value here", i + 1);
        if (e->axis[i].level > level) level = e->axis[i].level;
    }
    return level;
}

static uint32_t deeper(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

bool is_varying(const Emit *e, uint32_t axes)
{
    uint32_t lanes = e->vector.id ? 1u << (e->vector.id - 1) : 0;
    if (e->minor.id) lanes |= 1u << (e->minor.id - 1);
    return axes & lanes;
}

uint32_t level_of_access(Emit *e, const Access *access)
{
    uint32_t level = 0, axes = 0;
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        axes |= affine_axes(&at->affine);
        if (!at->dynamic.id) continue;
        axes |= e->kernel->scalar.at[at->dynamic.id].depends;
        evaluate(e, at->dynamic);
        level = deeper(level, e->kept[at->dynamic.id].level);
    }
    level = deeper(level, level_of(e, axes));
    return is_varying(e, axes) ? deeper(level, e->mask_level) : level;
}

static uint32_t level_of_arguments(Emit *e, const ScalarNode *node)
{
    uint32_t level = level_of(e, node->depends);
    for (int i = 0; i < scalar_info[node->op].arguments; i++) {
        evaluate(e, node->argument[i]);
        level = deeper(level, e->kept[node->argument[i].id].level);
    }
    return level;
}

static Lanes apply(Emit *e, const ScalarNode *node, uint32_t level)
{
    int count = scalar_info[node->op].arguments;
    bool is_vector = false;
    for (int i = 0; i < count; i++)
        is_vector |= evaluate(e, node->argument[i]).is_vector;
    LLVMValueRef argument[SCALAR_ARGUMENTS] = {0};
    for (int i = 0; i < count; i++)
        argument[i] = is_vector ? evaluate_vector(e, node->argument[i])
                                : evaluate(e, node->argument[i]).value;
    emit_at(e, level);
    Type of = e->kernel->scalar.at[node->argument[count - 1].id].type;
    return (Lanes){apply_scalar(e, node, of, argument, is_vector ? e->width : 1), is_vector};
}

const Access *access_of(const Emit *e, uint32_t id)
{
    return e->moved[id].access ? e->moved[id].access : e->kernel->scalar.at[id].access;
}

static Lanes emit_scalar(Emit *e, const ScalarNode *node, const Access *access, uint32_t level)
{
    switch ((int)node->op) {
    case SCALAR_constant: return (Lanes){constant_of(e, node->type, node->number), false};
    case SCALAR_index: return index_affine(e, &node->access->at[0].affine, level);
    case SCALAR_inside: return inside_access(e, node->access, level);
    case SCALAR_load: return load_access(e, access, node->type, level);
    case SCALAR_uniform: return emit_uniform(e, node, level);
    case SCALAR_reduce: bug("a reduce is used before it was computed");
    default: return apply(e, node, level);
    }
}

Lanes evaluate(Emit *e, Scalar scalar)
{
    Kept *kept = &e->kept[scalar.id];
    if (kept->scalar) return (Lanes){kept->scalar, false};
    if (kept->vector) return (Lanes){kept->vector, true};

    const ScalarNode *node = &e->kernel->scalar.at[scalar.id];
    if (node->op == SCALAR_reduce) bug("a reduce is used before it was computed");
    const Access *access = access_of(e, scalar.id);
    uint32_t level = access ? level_of_access(e, access) : level_of_arguments(e, node);
    level = deeper(level, e->moved[scalar.id].level);
    Lanes result = emit_scalar(e, node, access, level);
    *kept = (Kept){.level = level};
    *(result.is_vector ? &kept->vector : &kept->scalar) = result.value;
    return result;
}

LLVMValueRef evaluate_vector(Emit *e, Scalar scalar)
{
    Lanes lanes = evaluate(e, scalar);
    if (lanes.is_vector || e->width == 1) return lanes.value;
    Kept *kept = &e->kept[scalar.id];
    if (!kept->vector) {
        emit_at(e, kept->level);
        kept->vector = spread(e, lanes.value, e->width);
    }
    return kept->vector;
}

void keep(Emit *e, Scalar scalar, Lanes value)
{
    e->kept[scalar.id] = (Kept){.level = e->depth, .pinned = true};
    *(value.is_vector ? &e->kept[scalar.id].vector : &e->kept[scalar.id].scalar) = value.value;
}

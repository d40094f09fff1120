#include "tests/properties/generate.h"

#include "ir/base/boundary.h"
#include "ir/graph/build.h"

#define ELEMENTS_MOST 2000

Generator generator_open(Kit *kit, GraphSimplify *simplify)
{
    Name name = name_of(kit->names, "predict");
    return (Generator){.kit = kit, .graph = graph_new(kit->arena, kit->names, name, simplify)};
}

/* In graphs: seldom scalars, and extents around the widths of vectors. */
static Shape wider_shape(Generator *g)
{
    static const int64_t extents[] = {1, 2, 3, 4, 5, 7, 8, 16, 17, 33};
    Random *random = &g->kit->random;
    Shape shape = {.rank = (uint8_t)(random_once_in(random, 10) ? 0 : random_from(random, 1, 3))};
    for (int i = 0, most = shape.rank < 3 ? 9 : 5; i < shape.rank; i++)
        shape.extent[i] = extents[random_from(random, 0, most)];
    return shape;
}

Shape generate_shape(Generator *g)
{
    if (g->operands == OPERANDS_values) return wider_shape(g);
    Random *random = &g->kit->random;
    Shape shape = {.rank = (uint8_t)random_from(random, 0, 3)};
    for (int i = 0; i < shape.rank; i++) {
        shape.extent[i] = random_from(random, 1, 4);
        if (g->may_be_empty && random_once_in(random, 6)) shape.extent[i] = 0;
    }
    return shape;
}

static Value new_leaf(Generator *g, Type type, Shape shape)
{
    if (g->operands == OPERANDS_constants) {
        int64_t low = type == TYPE_bool || type_info[type].class == CLASS_UNSIGNED ? 0 : -3;
        int64_t high = type == TYPE_bool ? 1 : 3;
        return ir_constant(g->graph, type, shape, (double)random_from(&g->kit->random, low, high));
    }
    Name name = name_format(g->kit->names, "x%d", g->inputs++);
    return ir_input(g->graph, name, type, shape);
}

static bool fits(const Graph *graph, uint32_t id, Type type, const Shape *shape)
{
    const Node *node = &graph->node.at[id];
    return node->type == type && (!shape || shape_same(&graph->shape.at[node->shape], shape));
}

Value generate_operand(Generator *g, Type type, const Shape *shape)
{
    Random *random = &g->kit->random;
    uint32_t count = g->graph->node.count, found = 0;
    if (g->operands == OPERANDS_values && !random_once_in(random, 6)) {
        /* Reservoir sampling, so that one walk picks evenly. */
        Value chosen = {0};
        for (uint32_t id = 1; id < count; id++)
            if (fits(g->graph, id, type, shape) && random_once_in(random, ++found))
                chosen = (Value){id};
        if (chosen.id) return chosen;
    }
    return new_leaf(g, type, shape ? *shape : generate_shape(g));
}

Value generate_node(Generator *g, Op op, uint32_t count, const Value *argument,
                    const Attribute *attribute, const TypedShape *given)
{
    TypedShape typed[8], result;
    if (count > 8) return (Value){0};
    for (uint32_t i = 0; i < count; i++) {
        if (!argument[i].id) return (Value){0};
        typed[i] =
            (TypedShape){graph_type(g->graph, argument[i]), *graph_shape(g->graph, argument[i])};
    }
    if (shape_infer(op, count, typed, attribute, given, g->kit->arena, &result)) return (Value){0};
    int64_t elements = shape_elements(&result.shape);
    if (elements > ELEMENTS_MOST || result.shape.rank > 6) return (Value){0};
    if (!elements && !g->may_be_empty) return (Value){0};
    return graph_add(g->graph, op, count, argument, attribute, given);
}

/* A type that operands of an elementwise op may have. */
static Type operand_type(Generator *g, Op op)
{
    Random *random = &g->kit->random;
    static const Type numbers[] = {TYPE_f32, TYPE_f32, TYPE_i32,  TYPE_i8, TYPE_u32,
                                   TYPE_u8,  TYPE_f16, TYPE_bf16, TYPE_i64};
    static const Type reals[] = {TYPE_f32, TYPE_f32, TYPE_f16, TYPE_bf16};
    bool only = g->only_f32;
    switch (op_info[op].types) {
    case TYPES_number: return only ? TYPE_f32 : numbers[random_from(random, 0, 8)];
    case TYPES_real: return only ? TYPE_f32 : reals[random_from(random, 0, 3)];
    case TYPES_logic: return TYPE_bool;
    case TYPES_compare:
        if (only) return TYPE_f32;
        return random_once_in(random, 4) ? TYPE_bool : numbers[random_from(random, 0, 8)];
    }
    unreachable("types");
}

static Value generate_elementwise(Generator *g, Op op, Value first)
{
    Value x = first.id ? first : generate_operand(g, operand_type(g, op), NULL);
    Shape shape = *graph_shape(g->graph, x);
    Type type = graph_type(g->graph, x);
    if (op == OP_select) {
        Value condition =
            type == TYPE_bool && first.id ? x : generate_operand(g, TYPE_bool, &shape);
        Value then = condition.id == x.id ? generate_operand(g, TYPE_f32, &shape) : x;
        Value otherwise = generate_operand(g, graph_type(g->graph, then), &shape);
        return generate_node(g, op, 3, (Value[]){condition, then, otherwise}, NULL, NULL);
    }
    if (op == OP_cast) {
        Type to = (Type)random_from(&g->kit->random, TYPE_none + 1, TYPE_COUNT - 1);
        if (g->only_f32) to = random_once_in(&g->kit->random, 2) ? TYPE_f32 : TYPE_bf16;
        return generate_node(g, op, 1, &x, NULL, &(TypedShape){.type = to});
    }
    Value argument[2] = {x};
    if (op_info[op].arguments == 2) argument[1] = generate_operand(g, type, &shape);
    return generate_node(g, op, (uint32_t)op_info[op].arguments, argument, NULL, NULL);
}

Value generate(Generator *g, Op op, Value first)
{
    return op_info[op].class == ELEMENTWISE ? generate_elementwise(g, op, first)
                                            : generate_structured(g, op, first);
}

Value generate_surely(Generator *g, Op op, Value first, int tries)
{
    Value value = {0};
    for (int i = 0; i < tries && !value.id; i++)
        value = generate(g, op, first);
    return value;
}

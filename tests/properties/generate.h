#ifndef MLC_TESTS_PROPERTIES_GENERATE_H
#define MLC_TESTS_PROPERTIES_GENERATE_H
/* Makes valid nodes of any op with random operands and attributes: the one source of samples for every test here, and,
 * repeated, of random graphs. */
#include "tests/properties/kit.h"

/* Where operands come from. */
typedef enum Operands { OPERANDS_inputs, OPERANDS_constants, OPERANDS_values } Operands;

typedef struct Generator {
    Kit *kit;
    Graph *graph;
    Operands operands; /* new inputs, new constants, or values that exist (else a new input) */
    bool only_f32;     /* no other element type than where the op demands it */
    bool may_be_empty; /* extents of 0 */
    int inputs;        /* made so far: x0, x1, ... */
} Generator;

Generator generator_open(Kit *kit, GraphSimplify *simplify);
/* A value of the type and, if given, shape. */
Value generate_operand(Generator *generator, Type type, const Shape *shape);
/* A node of op, on `first` if that is a value. {0} if the draw was not a valid one; try again. */
Value generate(Generator *generator, Op op, Value first);
/* The same with `tries` draws. */
Value generate_surely(Generator *generator, Op op, Value first, int tries);
/* Adds the node if its shape rule allows it and it stays small, else {0}. */
Value generate_node(Generator *generator, Op op, uint32_t count, const Value *argument,
                    const Attribute *attribute, const TypedShape *given);
Shape generate_shape(Generator *generator);

/* Structured ops: generate_structure.c */
Value generate_structured(Generator *generator, Op op, Value first);

/* A graph of `count` nodes and more, each result an output; `gradients`: of one loss by some inputs too.  Values are
 * kept small, and operands inside the domain of each op. */
typedef struct RandomGraph {
    int count;
    bool integers; /* only ops that give integers from integers */
    bool gradients;
} RandomGraph;

Graph *random_graph(Kit *kit, const RandomGraph *what, GraphSimplify *simplify);

#endif

#ifndef MLC_TESTS_UNIT_RANDOM_GRAPH_H
#define MLC_TESTS_UNIT_RANDOM_GRAPH_H
/* Entries put together at random from all ops, small enough to evaluate and tame enough to compare: values stay near 1 and
 * nothing jumps where f32 rounds.  The same seed gives the same text. */
#include "ir/graph/program.h"

const char *random_graph(Arena *arena, uint32_t seed, int nodes);

#endif

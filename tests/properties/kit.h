#ifndef MLC_TESTS_PROPERTIES_KIT_H
#define MLC_TESTS_PROPERTIES_KIT_H
/* What the property tests share: a seeded generator, data for a graph's leaves, values computed on the reference, and
 * comparing them with the place of the worst element. */
#include "ir/graph/program.h"

typedef struct Random {
    uint64_t state;
} Random;

uint64_t random_next(Random *random);                           /* splitmix64 */
int64_t random_from(Random *random, int64_t low, int64_t high); /* both included */
bool random_once_in(Random *random, int64_t n);
double random_real(Random *random, double low, double high);

/* One test's memory. */
typedef struct Kit {
    Arena *arena;
    Names *names;
    Random random;
} Kit;

Kit kit_open(uint64_t seed);
void kit_close(Kit *kit);

typedef enum Data {
    DATA_integers, /* -2 to 2: sums and products of a few are exact in every type */
    DATA_reals,    /* within the domain, away from its edges */
} Data;

/* The elements of every input and state of a graph, found by name: they fit any graph made from it. */
typedef struct Feed {
    struct {
        Name name;
        Type type;
        int64_t count;
        double *at;
    } leaf[64];
    int count;
} Feed;

Feed kit_feed(Kit *kit, const Graph *graph, Data data, Domain domain);
double *feed_find(const Feed *feed, Name name); /* NULL if there is none */

/* The results in order, by the reference. */
double **kit_evaluate(Kit *kit, const Graph *graph, const Feed *feed, bool in_double);
/* Gradient nodes expanded, nothing else; `simplify` of the graph is kept. */
Graph *kit_differentiate(Kit *kit, const Graph *graph);
/* The states that the entry reads or writes, and the entry as `predict`. */
Program *kit_program(Kit *kit, Graph *graph);

/* NULL if |a - b| <= absolute + relative * |b| for all elements (NaN and infinity equal themselves), else a message that
 * names the worst. */
const char *kit_difference(Kit *kit, const double *a, const double *b, int64_t count,
                           double absolute, double relative);
const char *kit_text(Kit *kit, const Graph *graph);

#endif

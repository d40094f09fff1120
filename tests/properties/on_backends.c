/* Every backend of backends.def but the reference, against the reference: samples of every op, and random graphs with
 * gradients, at several thread counts.  MLC_GRAPHS raises the number of graphs, MLC_SEED runs one
 * again (or so many from there on), MLC_TARGET is the cpu's level. */
#include "tests/properties/generate.h"

#include "backends/backend.h"
#include "backends/reference/interpret.h"
#include "ir/base/boundary.h"
#include "passes/pass.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define VARIANTS 40
#define GRAPHS   300
#define CHUNK    10

/* One backend, opened. */
#define SMALL_CACHE 256 /* bytes */

typedef struct Bench {
    Kit *kit;
    const Backend *backend;
    Device *device;
    const char *failed; /* to do at all, as opposed to computing something else */
} Bench;

/* cache_bytes: 0, or so few that what is small here runs as if it were too large for a cache. */
static Bench bench_open(Kit *kit, const Backend *backend, int threads, int64_t cache_bytes)
{
    Bench bench = {.kit = kit, .backend = backend};
    Report *report = report_new(kit->arena, sources_new(kit->arena));
    BackendOptions options = {.threads = threads,
                              .target = getenv("MLC_TARGET"),
                              .cache_bytes = cache_bytes,
                              .verify = true};
    Status status = backend->open(&options, report, &bench.device);
    Text text = {.arena = kit->arena};
    report_render(report, &text, false);
    ck_assert_msg(status == STATUS_ok, "%s does not open: %s", backend->name, text_done(&text));
    return bench;
}

static void bench_close(Bench *bench)
{
    bench->backend->close(bench->device);
}

static void *buffer_of(Kit *kit, Type type, int64_t count)
{
    size_t size = (size_t)count * type_info[type].bytes + 64;
    uintptr_t at = (uintptr_t)arena_alloc(kit->arena, size + 64);
    void *buffer = (void *)((at + 63) & ~(uintptr_t)63);
    memset(buffer, 0xcd, size); /* what is not written shows */
    return buffer;
}

/* Buffers of one run, filled from the feed. */
typedef struct Buffers {
    const void **input;
    void **output, **state;
} Buffers;

static Buffers buffers_of(Kit *kit, const Program *program, const Module *module, const Feed *feed)
{
    Buffers buffers = {
        arena_array(kit->arena, const void *, module->input.count + 1),
        arena_array(kit->arena, void *, module->output.count + 1),
        arena_array(kit->arena, void *, program->state.count + 1),
    };
    for (uint32_t i = 0; i < module->input.count; i++) {
        const Port *port = &module->input.at[i];
        int64_t count = shape_elements(&port->shape);
        void *buffer = buffer_of(kit, port->type, count);
        interpret_store(port->type, feed_find(feed, port->name), count, buffer);
        buffers.input[i] = buffer;
    }
    for (uint32_t i = 0; i < module->output.count; i++) {
        const Port *port = &module->output.at[i];
        buffers.output[i] = buffer_of(kit, port->type, shape_elements(&port->shape));
    }
    for (uint32_t i = 0; i < program->state.count; i++) {
        const State *state = &program->state.at[i];
        int64_t count = shape_elements(&state->shape);
        buffers.state[i] = buffer_of(kit, state->type, count);
        interpret_store(state->type, feed_find(feed, state->name), count, buffers.state[i]);
    }
    return buffers;
}

/* The outputs of a graph that went through the passes, on the backend. NULL after a failure. */
static double **run_on(Bench *bench, Graph *graph, const Feed *feed)
{
    Kit *kit = bench->kit;
    Sources *sources = sources_new(kit->arena);
    Context context = {kit->arena, kit->names, sources, report_new(kit->arena, sources)};
    PassOptions options = {.verify = true, .precision = "f32", .alignment = 64};
    const Program *program = kit_program(kit, graph);
    const Module *module = passes_lower(&context, kit->arena, program, graph, &options);
    BackendEntry entry = {program, graph, module};
    Executable *executable;
    if (bench->backend->compile(bench->device, &context, &entry, &executable) != STATUS_ok) {
        Text text = {.arena = kit->arena};
        report_render(context.report, &text, false);
        bench->failed = text_done(&text);
        return NULL;
    }
    int64_t forecast =
        bench->backend->scratch ? bench->backend->scratch(bench->device, &context, module) : 0;
    if (bench->backend->statistics(executable).scratch != forecast) {
        bench->backend->dispose(executable);
        bench->failed = "another amount of scratch was allocated than was forecast";
        return NULL;
    }
    Buffers buffers = buffers_of(kit, program, module, feed);
    Status status = bench->backend->run(executable, buffers.input, buffers.output, buffers.state);
    bench->backend->dispose(executable);
    if (status != STATUS_ok) {
        bench->failed = "run failed";
        return NULL;
    }
    double **result = arena_array(kit->arena, double *, module->output.count + 1);
    for (uint32_t i = 0; i < module->output.count; i++) {
        const Port *port = &module->output.at[i];
        int64_t count = shape_elements(&port->shape);
        result[i] = arena_array(kit->arena, double, count);
        interpret_load(port->type, buffers.output[i], count, result[i]);
    }
    return result;
}

static Graph *through_passes(Kit *kit, const Graph *graph, const char *precision)
{
    Context context = {.arena = kit->arena, .names = kit->names};
    PassOptions options = {.verify = true, .precision = precision};
    return passes_run(&context, kit->arena, kit_program(kit, (Graph *)(uintptr_t)graph), graph,
                      &options);
}

/* Whether every value of a run is so small a multiple of 1/4 that f32 holds each partial sum in whatever order. */
typedef struct Exactness {
    const Feed *feed;
    bool holds;
    double *largest; /* by node id */
} Exactness;

static void watch_exactness(void *user, const Graph *graph, Value value, const double *elements)
{
    Exactness *exactness = user;
    const Node *node = graph_node(graph, value);
    double largest = 0;
    for (int64_t i = 0, n = shape_elements(graph_shape(graph, value)); i < n; i++) {
        largest = fmax(largest, fabs(elements[i]));
        if (!(4 * elements[i] == nearbyint(4 * elements[i]))) exactness->holds = false;
    }
    exactness->largest[value.id] = largest;
    double most = op_info[node->op].class == CONTRACTION ? 0x1p4
                  : op_info[node->op].class == REDUCTION ? 0x1p9
                                                         : 0x1p20;
    for (uint32_t i = 0; i < node->argument_count; i++)
        if (exactness->largest[node->argument[i].id] > most) exactness->holds = false;
    if (largest > 0x1p20) exactness->holds = false;
}

static const double *feed_leaf(void *user, const Graph *graph, Value leaf)
{
    const Exactness *exactness = user;
    return feed_find(exactness->feed, graph_node(graph, leaf)->attribute->name);
}

static bool is_exact(Kit *kit, const Graph *graph, const Feed *feed)
{
    Exactness exactness = {feed, true, arena_array(kit->arena, double, graph->node.count)};
    double **result = arena_array(kit->arena, double *, graph->result.count);
    for (uint32_t i = 0; i < graph->result.count; i++)
        result[i] = arena_array(kit->arena, double,
                                shape_elements(graph_shape(graph, graph->result.at[i].value)));
    Interpretation how = {
        .in_double = true, .leaf = feed_leaf, .watch = watch_exactness, .user = &exactness};
    if (interpret(graph, &how, result) != STATUS_ok) out_of_memory();
    return exactness.holds;
}

/* Half a unit in the last place, relative. */
static double rounding_of(Type type)
{
    if (type == TYPE_f16) return 0x1p-11;
    if (type == TYPE_bf16) return 0x1p-8;
    return type_is_float(type) ? 0x1p-24 : 0;
}

/* How far apart the reference's own two ways to compute are: how much this graph magnifies a rounding. */
static double spread_of(const double *narrow, const double *wide, int64_t count)
{
    double spread = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(narrow[i]) && isfinite(wide[i]))
            spread = fmax(spread, fabs(narrow[i] - wide[i]));
    return spread;
}

static double largest_of(const double *at, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(at[i])) largest = fmax(largest, fabs(at[i]));
    return largest;
}

/* NULL if the backend agrees.  Exactly on small integers; else each element within 32 times the magnification measured
 * and 64 roundings of the tensor's largest element: vector sums, polynomials of 4 units and fused multiply-adds err by no
 * more in graphs of this size, and a wrong element errs by far more. */
static const char *disagreement(Bench *bench, Graph *graph, const Feed *feed)
{
    Kit *kit = bench->kit;
    double **got = run_on(bench, graph, feed);
    if (!got) return bench->failed;
    double **narrow = kit_evaluate(kit, graph, feed, false);
    double **wide = kit_evaluate(kit, graph, feed, true);
    bool exact = is_exact(kit, graph, feed);
    for (uint32_t i = 0; i < graph->result.count; i++) {
        Value value = graph->result.at[i].value;
        int64_t count = shape_elements(graph_shape(graph, value));
        double rounding = exact ? 0 : rounding_of(graph_type(graph, value));
        double absolute = 64 * rounding * largest_of(wide[i], count);
        if (rounding > 0) absolute += 32 * spread_of(narrow[i], wide[i], count);
        const char *wrong = kit_difference(kit, got[i], narrow[i], count, absolute, 0);
        if (!wrong) continue;
        Text text = {.arena = kit->arena};
        text_add(&text, "%s, tolerance %g: %s", name_text(kit->names, graph->result.at[i].name),
                 absolute, wrong);
        return text_done(&text);
    }
    return NULL;
}

/* The first node that is wrong on its own, as a graph; the whole if there is none. */
static Graph *shrunk(Bench *bench, Graph *graph, const Feed *feed)
{
    for (uint32_t id = 1; id < graph->node.count; id++) {
        Graph part = *graph;
        memset(&part.result, 0, sizeof part.result);
        graph_result(&part, RESULT_output, name_of(bench->kit->names, "y"), (Value){id}, (Span){0});
        Graph *alone = graph_sweep(&part, bench->kit->arena);
        if (disagreement(bench, alone, feed)) return alone;
    }
    return graph;
}

static void expect_agreement(Bench *bench, Graph *graph, const Feed *feed, const char *what)
{
    const char *wrong = disagreement(bench, graph, feed);
    if (!wrong) return;
    Graph *least = shrunk(bench, graph, feed);
    const char *why = disagreement(bench, least, feed);
    ck_abort_msg("%s, %s: %s\n%s", bench->backend->name, what, why ? why : wrong,
                 kit_text(bench->kit, least));
}

static void check_sample(const Backend *backend, Op op, int variant)
{
    Kit kit = kit_open((uint64_t)op * VARIANTS + (uint64_t)variant);
    Generator g = generator_open(&kit, pass_simplify_node);
    g.may_be_empty = variant % 8 == 7;
    Value y = generate_surely(&g, op, (Value){0}, 10);
    if (y.id) {
        graph_result(g.graph, RESULT_output, name_of(kit.names, "y"), y, (Span){0});
        bool is_smooth = op_info[op].meaning && op_info[op].types == TYPES_real && variant % 4;
        Feed feed =
            kit_feed(&kit, g.graph, is_smooth ? DATA_reals : DATA_integers, op_info[op].domain);
        Bench bench = bench_open(&kit, backend, 1 + variant % 3, 0);
        char what[64];
        snprintf(what, sizeof what, "%s, variant %d", op_info[op].name, variant);
        expect_agreement(&bench, through_passes(&kit, g.graph, "f32"), &feed, what);
        bench_close(&bench);
    }
    kit_close(&kit);
}

START_TEST(compute_every_op)
{
    for (uint32_t i = 0; i < backend_count; i++)
        for (int variant = 0; variant < VARIANTS && !backends[i]->takes_graph; variant++)
            check_sample(backends[i], (Op)_i, variant);
}
END_TEST

static void check_graph(const Backend *backend, uint64_t seed)
{
    Kit kit = kit_open(seed);
    RandomGraph what = {
        .count = 5 + (int)(seed % 36), .integers = seed % 2, .gradients = seed % 3 != 0};
    const Graph *graph = random_graph(&kit, &what, pass_simplify_node);
    Feed feed = kit_feed(&kit, graph, what.integers ? DATA_integers : DATA_reals, DOMAIN_any);
    Graph *passed = through_passes(&kit, graph, seed % 5 == 4 ? "bf16" : "f32");
    Bench bench = bench_open(&kit, backend, 1, 0);
    char text[64];
    snprintf(text, sizeof text, "MLC_SEED=%llu", (unsigned long long)seed);
    expect_agreement(&bench, passed, &feed, text);

    Bench many = bench_open(&kit, backend, 2 + (int)(seed % 6), SMALL_CACHE);
    double **left = run_on(&bench, passed, &feed), **right = run_on(&many, passed, &feed);
    for (uint32_t i = 0; i < passed->result.count; i++) {
        int64_t count = shape_elements(graph_shape(passed, passed->result.at[i].value));
        const char *wrong = kit_difference(&kit, right[i], left[i], count, 0, 0);
        ck_assert_msg(!wrong, "%s, %s: threads or chains change result %u: %s", backend->name, text,
                      i, wrong);
    }
    bench_close(&many);
    bench_close(&bench);
    kit_close(&kit);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(compute_random_graphs)
{
    uint64_t first = (uint64_t)_i * CHUNK, last = first + CHUNK;
    if (getenv("MLC_SEED")) {
        uint64_t begin = number_from("MLC_SEED", 0), end = begin + number_from("MLC_GRAPHS", 1);
        first += begin;
        last = first + CHUNK < end ? first + CHUNK : end;
    }
    for (uint32_t i = 0; i < backend_count; i++)
        for (uint64_t seed = first; seed < last && !backends[i]->takes_graph; seed++)
            check_graph(backends[i], seed);
}
END_TEST

TCase *case_on_backends(void);
TCase *case_on_backends(void)
{
    TCase *tests = tcase_create("on_backends");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, compute_every_op, OP_none + 1, OP_gradient);
    int chunks = (int)((number_from("MLC_GRAPHS", GRAPHS) + CHUNK - 1) / CHUNK);
    tcase_add_loop_test(tests, compute_random_graphs, 0, chunks);
    return tests;
}

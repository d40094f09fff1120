/* The reference as a backend: typed buffers in and out, states written when everything has been computed. */
#include "backends/backend.h"
#include "backends/reference/interpret.h"

#include "ir/base/boundary.h"

struct Device {
    bool in_double;
};

struct Executable {
    const Graph *graph;
    const Program *program;
    bool in_double;
};

/* One run: elements of each leaf and each result. */
typedef struct Run {
    const Executable *executable;
    double **leaf;   /* by node id; NULL where the node is no leaf */
    double **result; /* by place in graph.result */
} Run;

static void *take(size_t size)
{
    void *block = host_default.resize(host_default.user, NULL, size ? size : 1);
    if (block) memset(block, 0, size);
    return block;
}

static void give(void *block)
{
    if (block) host_default.resize(host_default.user, block, 0);
}

static void reference_describe(Device *device, Text *out)
{
    text_add(out, "reference: %s, 1 thread",
             device->in_double ? "in double" : "in the graph's types");
}

static Status reference_open(const BackendOptions *options, Report *report, Device **device)
{
    (void)report;
    *device = take(sizeof **device);
    if (!*device) return STATUS_no_memory;
    (*device)->in_double = options->in_double;
    return STATUS_ok;
}

static void reference_close(Device *device)
{
    give(device);
}

static Status reference_compile(Device *device, Context *context, const BackendEntry *entry,
                                Executable **executable)
{
    (void)context;
    *executable = take(sizeof **executable);
    if (!*executable) return STATUS_no_memory;
    **executable = (Executable){entry->graph, entry->program, device->in_double};
    return STATUS_ok;
}

static void reference_dispose(Executable *executable)
{
    give(executable);
}

static uint32_t state_index(const Program *program, Name name)
{
    for (uint32_t i = 0; i < program->state.count; i++)
        if (name_same(program->state.at[i].name, name)) return i;
    bug("no state of that name");
}

static int64_t elements_of(const Graph *graph, Value value)
{
    return shape_elements(graph_shape(graph, value));
}

static Status load_leaves(Run *run, const void *const *input, void *const *state)
{
    const Graph *graph = run->executable->graph;
    for (uint32_t id = 1, inputs = 0; id < graph->node.count; id++) {
        const Node *node = &graph->node.at[id];
        if (node->op != OP_input && node->op != OP_read) continue;
        const void *from =
            node->op == OP_input
                ? input[inputs++]
                : state[state_index(run->executable->program, node->attribute->name)];
        int64_t count = elements_of(graph, (Value){id});
        run->leaf[id] = take(sizeof(double) * (size_t)count);
        if (!run->leaf[id]) return STATUS_no_memory;
        interpret_load(node->type, from, count, run->leaf[id]);
    }
    return STATUS_ok;
}

static const double *leaf_of(void *user, const Graph *graph, Value leaf)
{
    (void)graph;
    const Run *run = user;
    return run->leaf[leaf.id];
}

static Status compute(Run *run)
{
    const Graph *graph = run->executable->graph;
    for (uint32_t i = 0; i < graph->result.count; i++) {
        run->result[i] =
            take(sizeof(double) * (size_t)elements_of(graph, graph->result.at[i].value));
        if (!run->result[i]) return STATUS_no_memory;
    }
    Interpretation how = {.in_double = run->executable->in_double, .leaf = leaf_of, .user = run};
    return interpret(graph, &how, run->result);
}

static void store_results(const Run *run, void *const *output, void *const *state)
{
    const Graph *graph = run->executable->graph;
    for (uint32_t i = 0, outputs = 0; i < graph->result.count; i++) {
        const Result *result = &graph->result.at[i];
        void *to = result->kind == RESULT_output
                       ? output[outputs++]
                       : state[state_index(run->executable->program, result->name)];
        interpret_store(graph_type(graph, result->value), run->result[i],
                        elements_of(graph, result->value), to);
    }
}

static Status reference_run(Executable *executable, const void *const *input, void *const *output,
                            void *const *state)
{
    const Graph *graph = executable->graph;
    Run run = {
        .executable = executable,
        .leaf = take(sizeof(double *) * graph->node.count),
        .result = take(sizeof(double *) * graph->result.count),
    };
    Status status = run.leaf && run.result ? STATUS_ok : STATUS_no_memory;
    if (status == STATUS_ok) status = load_leaves(&run, input, state);
    if (status == STATUS_ok) status = compute(&run);
    if (status == STATUS_ok) store_results(&run, output, state);

    for (uint32_t id = 0; run.leaf && id < graph->node.count; id++)
        give(run.leaf[id]);
    for (uint32_t i = 0; run.result && i < graph->result.count; i++)
        give(run.result[i]);
    give(run.result);
    give(run.leaf);
    return status;
}

static BackendStatistics reference_statistics(const Executable *executable)
{
    (void)executable;
    return (BackendStatistics){0};
}

extern const Backend backend_reference;
const Backend backend_reference = {
    .name = "reference",
    .takes_graph = true,
    .describe = reference_describe,
    .open = reference_open,
    .close = reference_close,
    .compile = reference_compile,
    .run = reference_run,
    .dispose = reference_dispose,
    .statistics = reference_statistics,
};

#ifndef MLC_BACKENDS_BACKEND_H
#define MLC_BACKENDS_BACKEND_H
/* What a backend is: one struct of functions. reference takes the tensor graph, the others the kernel module. */
#include "ir/base/status.h"
#include "ir/graph/program.h"
#include "ir/kernel/module.h"

/* Every file that a backend puts into the cache folder ends so. */
#define BACKEND_CACHE_SUFFIX ".mlcache"

typedef struct BackendOptions {
    int threads;              /* >= 1 */
    const char *cache_folder; /* NULL: no cache on disk */
    const char *target;       /* cpu: NULL for the host, or "sse4.2", "avx2", "avx512", "avx512bf16", "amx", "neon"; what the host cannot run is dumped and measured, not compiled */
    int64_t cache_bytes;      /* cpu: of the second-level cache to plan for; 0: the host's */
    bool verify;
    bool in_double;           /* reference: compute floats in double */
} BackendOptions;

typedef struct BackendEntry {
    const Program *program;
    const Graph *graph;   /* after the passes */
    const Module *module; /* NULL for reference */
} BackendEntry;

typedef struct BackendStatistics {
    double compile_seconds;
    uint32_t kernels, compiled, cached; /* structures; of which compiled now, and read from the cache */
    uint32_t chains;                    /* of calls that run slice by slice */
    uint32_t tuned;                     /* plans of kernels, alone or in chains, whose schedule was measured */
    int64_t scratch;                    /* bytes allocated for all threads to pack, sum and keep slices in */
} BackendStatistics;

/* A kernel as an entry runs it, measured under its schedules. */
typedef struct TunedKernel {
    uint32_t call;        /* the first of those that run it so */
    uint32_t calls;       /* how many they are */
    int64_t slices;       /* it is run in, one of a chain; 0: by itself */
    uint32_t schedules;   /* tried, the model's own included */
    double before, after; /* seconds of a call: as the model says; with what was chosen */
    const char *choice;   /* "rows 6, panels 4"; "": the model's schedule stays */
} TunedKernel;

typedef struct Tuning {
    int64_t repeat; /* rounds that what may be best is measured in; 0: as many as it takes */
    /* With done = 0 while it is measured which kernels are worth it; then before each of those, and after the last with done = all.
     * False: stop, and keep what was found. */
    bool (*goes_on)(void *user, uint32_t done, uint32_t all);
    void *user;
    LIST(TunedKernel) kernel; /* costliest first */
} Tuning;

typedef struct Device Device;         /* an opened backend: threads, JIT, cache */
typedef struct Executable Executable; /* one compiled entry */

typedef struct Backend {
    const char *name;
    bool takes_graph; /* reference */
    /* Short description of what it runs on: "cpu: AVX-512, 2 threads". */
    void (*describe)(Device *device, Text *out);
    Status (*open)(const BackendOptions *options, Report *report, Device **device);
    void (*close)(Device *device);
    Status (*compile)(Device *device, Context *context, const BackendEntry *entry, Executable **executable);
    /* Whether three products of bf16 take less time than one of f32. NULL function: no. */
    bool (*is_fast_in_bf16)(Device *device);
    /* What statistics will say of scratch once the module is compiled. NULL function: none. */
    int64_t (*scratch)(Device *device, Context *context, const Module *module);
    /* Buffers in the order of Module.input, Module.output and Program.state (for reference: the entry's inputs sorted as
     * Module.input has them: by first appearance in the graph; outputs in result order), row-major, 64-byte aligned; states are updated in place.
     * Returns when all is done. Not concurrently on one device. */
    Status (*run)(Executable *executable, const void *const *input, void *const *output, void *const *state);
    void (*dispose)(Executable *executable);
    BackendStatistics (*statistics)(const Executable *executable);
    /* Switches profiling on or off; *profile is that of the last run, always in the same place. NULL function: not offered. */
    void (*profile)(Executable *executable, bool on, Profile *profile);
    /* Text of a compile stage for `mlc dump` ("llvm", "asm"); NULL function: none. */
    Status (*dump)(Device *device, Context *context, const BackendEntry *entry, const char *stage, Text *out);
    /* Measures other schedules of the entry's kernels, and keeps in the cache which are better than the model's: later compilations take
     * those, to the same bits.  STATUS_interrupted: goes_on said so.  NULL function: not offered. */
    Status (*tune)(Device *device, Context *context, const BackendEntry *entry, Tuning *tuning);
} Backend;

/* The backends of backends.def, in order of preference. */
extern const Backend *const backends[];
extern const uint32_t backend_count;
const Backend *backend_named(const char *name); /* NULL if unknown */

#endif

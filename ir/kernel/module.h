#ifndef MLC_IR_KERNEL_MODULE_H
#define MLC_IR_KERNEL_MODULE_H
/* The planned program of one entry: kernels (each structure once), the calls in order, and where every byte lives.
 * This is all that a backend (except `reference`) sees, and all that the executor needs at run time. */
#include "ir/graph/program.h"
#include "ir/kernel/kernel.h"

typedef enum RegionPlace {
    PLACE_arena,  /* offset into the entry's one arena, 64-byte aligned (256 for Vulkan: plan option) */
    PLACE_state,  /* index into Program.state */
    PLACE_input,  /* index into Module.input */
    PLACE_output, /* index into Module.output */
    PLACE_literal /* index into Module.literal: table ops too large for a scalar, read-only */
} RegionPlace;

typedef struct Region {
    RegionPlace place;
    uint32_t index; /* of the state, input, output or literal */
    int64_t offset; /* bytes; of a kernel that takes a slice, where the slice begins: aligned as its elements are */
    int64_t bytes;
} Region;

typedef struct Call {
    uint32_t kernel;       /* index into Module.kernel */
    uint32_t count;        /* = kernel's buffers */
    uint32_t part;         /* calls that fill one buffer together follow each other and are counted from 0 */
    const Region *binding; /* one a buffer */
    Span at;               /* the line of the model file it stands for */
    const char *label;     /* "dot fc1", for profiles */
    int64_t flops, bytes;  /* of this call: arithmetic by the op table's meaning, bytes loaded and stored once each */
} Call;

/* When a thread worked on a call, in seconds since its run began; end 0: it had no share. */
typedef struct Interval {
    double begin, end;
} Interval;

/* What the last run of a module took, call by call. */
typedef struct Profile {
    uint32_t threads;
    const double *seconds; /* of each call, until the next began */
    const Interval *share; /* of each call, each thread: [call * threads + thread] */
} Profile;

typedef struct Port {
    Name name;
    Type type;
    Shape shape;
} Port;

typedef struct Literal {
    const void *bytes;
    int64_t size;
} Literal;

typedef struct Module {
    Name name; /* of the entry */
    LIST(Kernel *) kernel;
    LIST(Call) call;
    LIST(Port) input;
    LIST(Port) output;
    LIST(Literal) literal;
    int64_t arena_bytes;  /* exactly what the executor allocates for this entry */
    int64_t peak_bytes;   /* arena plus states plus inputs and outputs of the entry; backends add their threads' scratch */
    int64_t flops, bytes; /* sums over calls */
    Span peak_at;         /* the line whose call sees the peak of the arena */
} Module;

bool region_overlaps(const Region *a, const Region *b); /* a byte of one is of the other */
void module_print(Text *out, const Module *module, const Names *names); /* plan and kernels, as `mlc dump` shows them */

#endif

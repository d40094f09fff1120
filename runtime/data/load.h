#ifndef MLC_RUNTIME_DATA_LOAD_H
#define MLC_RUNTIME_DATA_LOAD_H
/* What the sources share while a data set is being loaded: where it goes, the arguments they were called with, and
 * where complaints go. */
#include "runtime/core/file.h"
#include "runtime/data/data.h"

typedef struct Part {
    Split split;
    bool sequential; /* neighbours belong together (text): split off the end, not at random */
} Part;

struct Data {
    const Host *host;
    Arena *arena; /* names, paths, class names */
    LIST(Part) parts;
    LIST(void *) blocks;  /* of the host */
    LIST(void *) aligned; /* of aligned_new */
};

/* The limits keep a data set's products inside int64 and its rows inside uint32. */
#define MAX_ROWS    ((int64_t)UINT32_MAX)
#define MAX_CLASSES 65536

typedef struct Load {
    Context *context;
    Data *data;
    const DataOptions *options;
    const DataEntry *entry;
    const Static *call; /* the entry's value */
    Part *part;         /* what is being filled */
    int64_t features;   /* csv for predict: the features that the model takes; 0: unknown */
} Load;

/* Memory that lives as long as the data; NULL after reporting. */
void *load_block(Load *load, size_t size); /* aligned to 64, undefined */
void load_keep(Load *load, void *block);   /* takes over a block of the host */
const char *load_text(Load *load, const char *text, size_t length);

const char *load_path(Load *load,
                      const char *path); /* relative ones start at the options' folder */
Origin load_origin(const Load *load, const Static *argument, const char *path);
Status load_no_memory(const Load *load, uint64_t bytes);

/* Fields and samples of the split. */
Field *load_field(Load *load, const char *name, const char *path);
/* A field over a tensor whose first axis counts the samples. */
Status load_tensor(Load *load, const Origin *origin, const char *name, Type type,
                   const Shape *shape, const void *bytes);
/* Every field has `count` samples; the second and later are refused if theirs differ. */
Status load_count(Load *load, const Origin *origin, int64_t count);

/* Arguments of the call: positional ones from 0; options by label, NULL if not given. */
const Static *argument_at(const Load *load, uint32_t i);
uint32_t argument_count(const Load *load); /* positional */
const Static *argument_option(const Load *load, const char *label);
Status argument_refuse(const Load *load, const Static *argument, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A positional argument that has to be a string. */
Status argument_text(const Load *load, uint32_t i, const char **text);
/* Leaves *value alone when the option is absent. */
Status argument_integer(const Load *load, const char *label, int64_t low, int64_t high,
                        int64_t *value);
/* Reports unknown options, options twice, and a wrong number of arguments. */
Status argument_check(const Load *load, uint32_t fewest, uint32_t most, const char *options,
                      const char *usage);

/* The word of the list (separated by blanks) nearest to `wrong`; NULL if none is near. */
const char *nearest_word(Arena *arena, const char *wrong, const char *words);

#define SOURCE(name, ...) Status source_##name(Load *load);
#include "runtime/data/sources.def"
#undef SOURCE

/* split(NAME, share or count): takes samples out of another split into load->part. */
Status split_off(Load *load);

/* Gives a class the same number in every split; refused if a split has one that the training split has not. */
Status classes_share(Load *load, const DataBlock *block);

/* CIFAR-10 binary batches, for `cifar` and for folders of them. */
Status cifar_load(Load *load, const Static *argument, const char *const *paths, uint32_t count);

/* Ordinal files of a folder or of a pattern in a folder, sorted by name in byte order. */
typedef struct Paths {
    uint32_t count, room;
    const char **at;
} Paths;
Status paths_in(Load *load, const Static *argument, const char *folder, const char *pattern,
                bool folders, Paths *paths);
const char *path_name(const char *path);              /* after the last slash */
bool path_ends(const char *path, const char *ending); /* in any case */

#endif

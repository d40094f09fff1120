#ifndef MLC_TESTS_UNIT_TABLES_H
#define MLC_TESTS_UNIT_TABLES_H
/* A folder for files, a report, and data entries built by hand: what the tests of files and data share. */
#include "runtime/data/data.h"

typedef struct Tables {
    Arena *arena;
    Context context;
    char folder[64];
    DataEntry entry[8];
    uint32_t entry_count;
    Data *data;
} Tables;

void tables_open(Tables *tables);
void tables_close(Tables *tables); /* and removes the folder with what is in it */
const char *tables_path(Tables *tables, const char *name);
/* Writes a file, in folders made as needed; its path. */
const char *tables_file(Tables *tables, const char *name, const void *bytes, size_t size);
const char *tables_text(Tables *tables, const char *name, const char *text);
const char *tables_gzip(Tables *tables, const char *name, const void *bytes, size_t size);
const char *tables_report(Tables *tables); /* as rendered so far */
void tables_forget(Tables *tables);        /* entries, data and report */

/* One argument of a call; label "" for a positional one. */
typedef struct Argument {
    const char *label;
    Static value;
} Argument;

Static a_text(const char *text);
Static a_word(const char *text);
Static a_number(double number);
Static a_list(Tables *tables, uint32_t count, const double *number);

/* Adds `name: source(arguments)`; ends with an argument whose label is NULL. */
void tables_entry(Tables *tables, const char *name, const char *source, const Argument *arguments);
#define TABLES_ENTRY(tables, name, source, ...)                                                    \
    tables_entry((tables), (name), (source), (const Argument[]){__VA_ARGS__, {NULL, {0}}})
/* Opens the entries added so far, with seed 1. */
Status tables_load(Tables *tables);
/* `train` of a load that has to succeed. */
const Split *tables_train(Tables *tables);

ModelInput tables_input(Tables *tables, const char *name, Type type, int rank,
                        const int64_t *extent);

#endif

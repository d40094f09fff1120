#ifndef MLC_RUNTIME_DATA_CSV_H
#define MLC_RUNTIME_DATA_CSV_H
/* Rows and cells of separated values: RFC 4180, with any of CR, LF, CRLF as line ends, blanks about cells ignored, and
 * optionally runs of blanks as the separator. */
#include "runtime/data/load.h"

typedef struct Csv {
    const Origin *origin;
    const char *begin, *at, *end;
    char separator; /* ' ': runs of blanks */
    uint64_t line;  /* of `at`, from 1 */
} Csv;

typedef struct Cell {
    const char *at; /* the text, between the quotes if quoted */
    size_t length;
    bool has_quotes; /* doubled quotes in it stand for one */
    bool is_last;    /* of its row */
} Cell;

/* Refuses NULs and UTF-16, skips a byte order mark. */
Status csv_begin(Csv *csv, const Origin *origin, const char *text, size_t size);
/* The separator of the first row: what occurs most often of , ; and tab, else blanks. */
char csv_guess_separator(const Csv *csv);
/* Skips empty lines; false at the end. */
bool csv_next_row(Csv *csv);
Status csv_next_cell(Csv *csv, Cell *cell);
/* The cell's text with doubled quotes undone, NUL-terminated; false if it does not fit. */
bool csv_text(const Cell *cell, char *text, size_t room);
/* Nothing, ?, NA, N/A, NaN, null: what the tables of this world write for "not known". */
bool csv_is_missing(const Cell *cell);
/* A finite decimal number. */
bool csv_number(const Cell *cell, double *value);
/* Moves behind the next line end, whatever the line holds. */
void csv_skip_line(Csv *csv);

enum { MAX_COLUMNS = 65536, MAX_LABEL = 1024, TABLE = 2 * MAX_CLASSES };

typedef enum Kind { KIND_missing, KIND_number, KIND_text } Kind;
typedef enum Missing { MISSING_nan, MISSING_drop, MISSING_error, MISSING_fill } Missing;

typedef struct Column {
    const char *name;       /* NULL without a header */
    Kind kind;              /* by its first cell that is not missing */
    uint8_t texts, numbers; /* cells of a text column, of either kind, counted up to 2 */
    bool is_chosen;         /* in `columns`, or there is no such option */
    int32_t feature;        /* its place in the features; -1: none */
} Column;

typedef struct Classes {
    uint32_t *slot; /* open addressing, TABLE of them: 1 + index, 0 free */
    uint32_t count;
    LIST(const char *) names;
} Classes;

typedef struct CsvTable {
    Load *load;
    Origin origin;
    Csv csv, rows; /* at the start, and behind the header */
    Column *column;
    uint32_t columns, features;
    int64_t label; /* column, -1: none */
    bool label_is_integer;
    Missing missing;
    float fill;
    int64_t count;
    uint64_t missing_cells, missing_line;
    Classes classes;
    float *feature;
    void *target; /* int32_t or float a row */
} CsvTable;

/* The place of a column in messages: its name, or its index. */
const char *csv_column_name(const CsvTable *table, uint32_t i, char room[96]);
Status csv_refuse(const CsvTable *table, uint64_t line, uint32_t i, const Cell *cell,
                  const char *problem);

/* First pass: kinds of the columns, number of rows, classes.  Second: the arrays. */
Status csv_survey(CsvTable *table);
Status csv_fill(CsvTable *table);

#endif

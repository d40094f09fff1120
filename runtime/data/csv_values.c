/* The two passes over the rows of a csv file. */
#include "ir/base/bits.h"
#include "runtime/data/csv.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *csv_column_name(const CsvTable *table, uint32_t i, char room[96])
{
    const char *name = table->column[i].name;
    if (name)
        snprintf(room, 96, "column `%s`", shown(name, strlen(name)).text);
    else
        snprintf(room, 96, "column %u (from 0)", i);
    return room;
}

Status csv_refuse(const CsvTable *table, uint64_t line, uint32_t i, const Cell *cell,
                  const char *problem)
{
    char room[96];
    return origin_refuse(&table->origin, "line %" PRIu64 ", %s: `%s` %s", line,
                         csv_column_name(table, i, room), shown(cell->at, cell->length).text,
                         problem);
}

/* --- classes: the different texts of the label column ---------------------------------------------------------------- */

/* Index of the class of a name, added if new; UINT32_MAX when there are too many or no memory. */
static uint32_t class_of(CsvTable *table, const char *name)
{
    Classes *classes = &table->classes;
    size_t length = strlen(name);
    uint64_t at = bits_hash(name, length, 0) % TABLE;
    for (; classes->slot[at]; at = (at + 1) % TABLE)
        if (strcmp(classes->names.at[classes->slot[at] - 1], name) == 0)
            return classes->slot[at] - 1;
    if (classes->count == MAX_CLASSES) return UINT32_MAX;
    *list_add(table->load->data->arena, &classes->names) = load_text(table->load, name, length);
    classes->slot[at] = ++classes->count;
    return classes->count - 1;
}

static Status read_class(CsvTable *table, uint64_t line, uint32_t column, const Cell *cell,
                         uint32_t *class)
{
    char name[MAX_LABEL];
    if (!csv_text(cell, name, sizeof name))
        return csv_refuse(table, line, column, cell, "is too long for a label");
    *class = class_of(table, name);
    if (*class != UINT32_MAX) return STATUS_ok;
    return csv_refuse(table, line, column, cell,
                      "is one label too many: 65536 classes are the most");
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Classes are numbered by their names, whatever the order of the rows. */
static void sort_classes(CsvTable *table)
{
    Classes *classes = &table->classes;
    if (classes->count == 0) return;
    qsort(classes->names.at, classes->count, sizeof *classes->names.at, compare_texts);
    memset(classes->slot, 0, TABLE * sizeof *classes->slot);
    for (uint32_t i = 0; i < classes->count; i++) {
        const char *name = classes->names.at[i];
        uint64_t at = bits_hash(name, strlen(name), 0) % TABLE;
        while (classes->slot[at])
            at = (at + 1) % TABLE;
        classes->slot[at] = i + 1;
    }
}

/* --- first pass ------------------------------------------------------------------------------------------------------ */

static Status survey_label(CsvTable *table, uint64_t line, uint32_t i, const Cell *cell)
{
    uint32_t class;
    double value;
    if (table->column[i].kind == KIND_text) return read_class(table, line, i, cell, &class);
    if (!csv_number(cell, &value))
        return csv_refuse(table, line, i, cell, "is no number, but labels before it are");
    if (value != trunc(value) || fabs(value) > INT32_MAX) table->label_is_integer = false;
    return STATUS_ok;
}

static bool is_used(const CsvTable *table, uint32_t i)
{
    return table->label == i || (table->column[i].is_chosen && table->column[i].kind != KIND_text);
}

/* *is_gap: the cell is missing and its column matters. */
static Status survey_cell(CsvTable *table, uint64_t line, uint32_t i, const Cell *cell,
                          bool *is_gap)
{
    double value;
    Column *column = &table->column[i];
    if (csv_is_missing(cell)) {
        *is_gap = is_used(table, i);
        if (table->label == i && table->missing != MISSING_drop)
            return csv_refuse(table, line, i, cell,
                              "is no label; `missing: drop` leaves out such rows");
        if (*is_gap && table->missing == MISSING_error)
            return csv_refuse(table, line, i, cell, "is missing");
        return STATUS_ok;
    }
    if (column->kind == KIND_missing)
        column->kind = csv_number(cell, &value) ? KIND_number : KIND_text;
    if (column->kind == KIND_text && column->texts < 2) {
        bool is_number = csv_number(cell, &value);
        if (!is_number)
            column->texts++;
        else if (column->numbers < 2)
            column->numbers++;
    }
    if (table->label == i) return survey_label(table, line, i, cell);
    if (is_used(table, i) && !csv_number(cell, &value))
        return csv_refuse(table, line, i, cell,
                          "is no number that f32 holds, but the cells before it are");
    return STATUS_ok;
}

static Status survey_row(CsvTable *table, Csv *csv)
{
    Cell cell = {0};
    uint64_t first = csv->line;
    bool has_gap = false;
    uint32_t i = 0;
    for (; !cell.is_last; i++) {
        uint64_t line = csv->line;
        bool is_gap = false;
        TRY(csv_next_cell(csv, &cell));
        if (i >= table->columns) continue;
        TRY(survey_cell(table, line, i, &cell, &is_gap));
        if (is_gap && table->missing_cells++ == 0) table->missing_line = line;
        has_gap |= is_gap;
    }
    if (i != table->columns)
        return origin_refuse(&table->origin,
                             "line %" PRIu64 " has %u cells, but the first row has %u", first, i,
                             table->columns);
    table->count += !(has_gap && table->missing == MISSING_drop);
    return STATUS_ok;
}

/* With a number of features wanted (predict), a file without labels is told from one with them. */
static void place_features(CsvTable *table)
{
    uint32_t numbers = 0;
    for (uint32_t i = 0; i < table->columns; i++)
        numbers += table->column[i].is_chosen && table->column[i].kind != KIND_text;
    if (table->load->features > 0 && numbers == table->load->features) table->label = -1;
    for (uint32_t i = 0; i < table->columns; i++) {
        bool is_feature = table->label != i && is_used(table, i);
        table->column[i].feature = is_feature ? (int32_t)table->features++ : -1;
    }
}

/* A first row that is text where all others are numbers is no data: counts and class names, or half a header. */
static Status check_first_row(const CsvTable *table)
{
    for (uint32_t i = 0; i < table->columns; i++) {
        const Column *column = &table->column[i];
        if (column->texts != 1 || column->numbers < 2) continue;
        char room[96];
        origin_refuse(&table->origin, "%s begins with a text, but all other cells are numbers",
                      csv_column_name(table, i, room));
        report_hint(table->load->context->report,
                    "`skip: 1` leaves the first line out, `header: true` reads names from it");
        return STATUS_invalid;
    }
    return STATUS_ok;
}

Status csv_survey(CsvTable *table)
{
    table->label_is_integer = true;
    if (table->label >= 0) {
        table->classes.slot = load_block(table->load, TABLE * sizeof *table->classes.slot);
        if (!table->classes.slot) return STATUS_no_memory;
        memset(table->classes.slot, 0, TABLE * sizeof *table->classes.slot);
    }
    Csv csv = table->rows;
    while (csv_next_row(&csv))
        TRY(survey_row(table, &csv));
    TRY(check_first_row(table));
    place_features(table);
    if (table->count == 0) return origin_refuse(&table->origin, "there are no rows in it");
    if (table->features == 0)
        return origin_refuse(&table->origin, "no column of numbers is left for features");
    sort_classes(table);
    return STATUS_ok;
}

/* --- second pass ----------------------------------------------------------------------------------------------------- */

static Status fill_label(CsvTable *table, uint64_t line, uint32_t i, const Cell *cell, int64_t row)
{
    uint32_t class;
    double value = 0;
    if (table->column[i].kind == KIND_text) {
        TRY(read_class(table, line, i, cell, &class));
        ((int32_t *)table->target)[row] = (int32_t)class;
        return STATUS_ok;
    }
    csv_number(cell, &value);
    if (table->label_is_integer)
        ((int32_t *)table->target)[row] = (int32_t)value;
    else
        ((float *)table->target)[row] = (float)value;
    return STATUS_ok;
}

/* *keeps: the row has no gap that drops it. */
static Status fill_row(CsvTable *table, Csv *csv, int64_t row, bool *keeps)
{
    Cell cell = {0};
    *keeps = true;
    for (uint32_t i = 0; !cell.is_last; i++) {
        uint64_t line = csv->line;
        TRY(csv_next_cell(csv, &cell));
        int32_t feature = table->column[i].feature;
        bool is_gap = csv_is_missing(&cell) && (feature >= 0 || table->label == i);
        if (is_gap && table->missing == MISSING_drop) *keeps = false;
        if (table->label == i && !is_gap) TRY(fill_label(table, line, i, &cell, row));
        if (feature < 0) continue;
        double value = 0;
        csv_number(&cell, &value);
        table->feature[row * table->features + feature] = is_gap ? table->fill : (float)value;
    }
    return STATUS_ok;
}

Status csv_fill(CsvTable *table)
{
    /* One row more than there are: a row that is dropped after the last kept one is written there. */
    size_t rows = (size_t)table->count + 1;
    table->feature = load_block(table->load, rows * table->features * sizeof *table->feature);
    if (table->feature && table->label >= 0)
        table->target = load_block(table->load, rows * sizeof(float));
    if (!table->feature || (table->label >= 0 && !table->target)) return STATUS_no_memory;

    Csv csv = table->rows;
    for (int64_t row = 0; csv_next_row(&csv);) {
        bool keeps;
        TRY(fill_row(table, &csv, row, &keeps));
        row += keeps;
    }
    return STATUS_ok;
}

/* csv("file", label: NAME or index): the numeric columns as one row of f32 features a sample, and the label.  Two passes
 * over the text: the first finds out what the columns hold, the second fills the arrays, so nothing is kept a cell. */
#include "runtime/data/csv.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define MAX_FILE ((size_t)1 << 38)

/* --- the first row ------------------------------------------------------------------------------------------------ */

/* A row of texts alone is taken for a header. */
static Status count_columns(CsvTable *table, bool *has_header)
{
    Csv csv = table->csv;
    Cell cell = {0};
    double value;
    *has_header = true;
    if (!csv_next_row(&csv)) return origin_refuse(&table->origin, "there are no rows in it");
    while (!cell.is_last) {
        TRY(csv_next_cell(&csv, &cell));
        if (csv_number(&cell, &value) || csv_is_missing(&cell)) *has_header = false;
        if (++table->columns > MAX_COLUMNS)
            return origin_refuse(&table->origin, "more than %d columns", MAX_COLUMNS);
    }
    return STATUS_ok;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static Status check_names(CsvTable *table)
{
    const Host *host = table->origin.host;
    const char **name = host->resize(host->user, NULL, table->columns * sizeof *name);
    if (!name) return origin_no_memory(&table->origin, table->columns * sizeof *name);
    for (uint32_t i = 0; i < table->columns; i++)
        name[i] = table->column[i].name;
    qsort(name, table->columns, sizeof *name, compare_names);
    Status status = STATUS_ok;
    for (uint32_t i = 1; i < table->columns && status == STATUS_ok; i++)
        if (name[i][0] && strcmp(name[i - 1], name[i]) == 0)
            status = origin_refuse(&table->origin, "two columns are called `%s`",
                                   shown(name[i], strlen(name[i])).text);
    host->resize(host->user, name, 0);
    return status;
}

static Status read_header(CsvTable *table)
{
    Cell cell;
    table->rows = table->csv;
    csv_next_row(&table->rows);
    for (uint32_t i = 0; i < table->columns; i++) {
        char name[MAX_LABEL];
        uint64_t line = table->rows.line;
        TRY(csv_next_cell(&table->rows, &cell));
        if (!csv_text(&cell, name, sizeof name))
            return csv_refuse(table, line, i, &cell, "is too long for a name");
        table->column[i].name = load_text(table->load, name, strlen(name));
    }
    return check_names(table);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static bool is_name(const Static *value, const char *name)
{
    return value && value->kind == STATIC_name && strcmp(value->text, name) == 0;
}

static bool is_truth(const Static *value, bool wanted)
{
    return is_name(value, wanted ? "true" : "false") ||
           (value && value->kind == STATIC_number && value->number == (wanted ? 1 : 0));
}

static Status read_separator(CsvTable *table)
{
    const Static *value = argument_option(table->load, "separator");
    bool is_one = value && value->kind == STATIC_text && strlen(value->text) == 1 &&
                  !strchr("\"\r\n", value->text[0]);
    if (!value || is_name(value, "auto")) {
        Csv first = table->csv;
        csv_next_row(&first);
        table->csv.separator = csv_guess_separator(&first);
    } else if (is_one) {
        table->csv.separator = value->text[0];
    } else {
        return argument_refuse(table->load, value,
                               "`separator` has to be one character, like \";\", or auto");
    }
    return STATUS_ok;
}

static Status read_missing(CsvTable *table)
{
    const Static *value = argument_option(table->load, "missing");
    if (!value || is_name(value, "nan"))
        table->missing = MISSING_nan;
    else if (is_name(value, "drop"))
        table->missing = MISSING_drop;
    else if (is_name(value, "error"))
        table->missing = MISSING_error;
    else if (value->kind == STATIC_number)
        table->missing = MISSING_fill;
    else
        return argument_refuse(table->load, value,
                               "`missing` has to be drop, error, nan or a number to put there");
    table->fill = table->missing == MISSING_fill ? (float)value->number : NAN;
    return STATUS_ok;
}

/* A column by name, or by index from 0, or from the end if negative. */
static Status find_column(const CsvTable *table, const Static *value, int64_t *found)
{
    if (value->kind == STATIC_number && value->is_integer) {
        double index = value->number < 0 ? value->number + table->columns : value->number;
        if (!(index >= 0 && index < table->columns))
            return argument_refuse(table->load, value,
                                   "there is no column %.0f; there are %u, counted from 0",
                                   value->number, table->columns);
        *found = (int64_t)index;
        return STATUS_ok;
    }
    if (value->kind != STATIC_text)
        return argument_refuse(table->load, value, "a column is given by its name or its index");
    Text names = {.arena = table->load->context->arena};
    for (uint32_t i = 0; i < table->columns && table->column[i].name; i++) {
        *found = i;
        if (strcmp(table->column[i].name, value->text) == 0) return STATUS_ok;
        if (i < 200) text_add(&names, "%s%s", i ? " " : "", table->column[i].name);
    }
    argument_refuse(table->load, value, "%s has no column `%s`", table->origin.path, value->text);
    const char *near = nearest_word(table->load->context->arena, value->text, text_done(&names));
    if (!table->column[0].name)
        report_hint(table->load->context->report, "it has no header, so columns have no names");
    else if (near)
        report_hint(table->load->context->report, "did you mean `%s`?", near);
    return STATUS_invalid;
}

static Status choose_columns(CsvTable *table)
{
    const Static *label = argument_option(table->load, "label"),
                 *columns = argument_option(table->load, "columns");
    table->label = (label && label->kind == STATIC_none) ? -1 : (int64_t)table->columns - 1;
    if (label && table->label >= 0) TRY(find_column(table, label, &table->label));
    for (uint32_t i = 0; i < table->columns; i++)
        table->column[i].is_chosen = !columns;
    if (!columns) return STATUS_ok;

    if (columns->kind != STATIC_list)
        return argument_refuse(table->load, columns,
                               "`columns` has to be a list like [\"age\", \"height\"]");
    for (uint32_t i = 0; i < columns->count; i++) {
        int64_t at;
        TRY(find_column(table, &columns->element[i], &at));
        table->column[at].is_chosen = true;
    }
    return STATUS_ok;
}

static Status open_columns(CsvTable *table)
{
    const Static *header = argument_option(table->load, "header");
    int64_t skip = 0;
    bool has_header;
    TRY(argument_integer(table->load, "skip", 0, 1000000, &skip));
    while (skip-- > 0)
        csv_skip_line(&table->csv);
    TRY(read_separator(table));
    TRY(read_missing(table));
    TRY(count_columns(table, &has_header));
    if (header && !is_name(header, "auto")) {
        has_header = is_truth(header, true);
        if (!has_header && !is_truth(header, false))
            return argument_refuse(table->load, header, "`header` has to be true, false or auto");
    }
    table->column = load_block(table->load, table->columns * sizeof *table->column);
    if (!table->column) return STATUS_no_memory;
    memset(table->column, 0, table->columns * sizeof *table->column);
    table->rows = table->csv;
    if (has_header) TRY(read_header(table));
    return choose_columns(table);
}

/* Left out, unless they were asked for by name. */
static Status warn_of_texts(const CsvTable *table)
{
    Text names = {.arena = table->load->context->arena};
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->columns; i++) {
        const Column *column = &table->column[i];
        if (!column->is_chosen || column->kind != KIND_text || i == table->label) continue;
        char room[96];
        if (count++ < 8)
            text_add(&names, "%s%s", count > 1 ? ", " : "", csv_column_name(table, i, room));
    }
    if (count == 0) return STATUS_ok;
    const Static *asked = argument_option(table->load, "columns");
    if (asked) {
        argument_refuse(table->load, asked, "%s: %s %s text, and only numbers can feed a model",
                        table->origin.path, text_done(&names), count == 1 ? "holds" : "hold");
        report_hint(table->load->context->report,
                    "write numbers in their place; only the label may be text");
        return STATUS_invalid;
    }
    report_warning(table->load->context->report, table->origin.at,
                   "%s: left out, since %s text: %s%s", table->origin.path,
                   count == 1 ? "it holds" : "they hold", text_done(&names),
                   count > 8 ? ", ..." : "");
    report_hint(table->load->context->report, "name the columns you want with `columns: [...]`");
    return STATUS_ok;
}

static void warn_of_missing(const CsvTable *table)
{
    if (!table->missing_cells || argument_option(table->load, "missing")) return;
    report_warning(table->load->context->report, table->origin.at,
                   "%s: %" PRIu64 " cells are missing, the first in line %" PRIu64
                   "; they are read as NaN",
                   table->origin.path, table->missing_cells, table->missing_line);
    report_hint(table->load->context->report,
                "say `missing: drop` to leave out those rows, or `missing: 0`");
}

/* The fields: features, then the label. */
static Status finish(CsvTable *table)
{
    Load *load = table->load;
    Shape rows = {2, {table->count, table->features}};
    TRY(warn_of_texts(table));
    warn_of_missing(table);
    TRY(load_tensor(load, &table->origin, "features", TYPE_f32, &rows, table->feature));
    if (table->label < 0) return STATUS_ok;

    const Column *label = &table->column[table->label];
    bool is_id = label->kind == KIND_text || table->label_is_integer;
    load->part->split.class_count = table->classes.count;
    load->part->split.class_name = table->classes.names.at;
    return load_tensor(load, &table->origin, label->name ? label->name : "label",
                       is_id ? TYPE_i32 : TYPE_f32, &(Shape){1, {table->count}}, table->target);
}

static Status read_table(CsvTable *table, const char *text, size_t size)
{
    TRY(csv_begin(&table->csv, &table->origin, text, size));
    TRY(open_columns(table));
    TRY(csv_survey(table));
    TRY(csv_fill(table));
    return finish(table);
}

Status source_csv(Load *load)
{
    const char *path;
    TRY(argument_text(load, 0, &path));
    CsvTable table = {.load = load,
                      .origin = load_origin(load, argument_at(load, 0), load_path(load, path))};
    char *text;
    size_t size;
    TRY(file_load(&table.origin, MAX_FILE, 3, &text, &size));
    Status status = read_table(&table, text, size);
    load->data->host->resize(load->data->host->user, text, 0);
    return status;
}

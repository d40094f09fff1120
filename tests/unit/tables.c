#include "tests/unit/tables.h"
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

void tables_open(Tables *tables)
{
    *tables = (Tables){.arena = arena_open(&host_default)};
    Arena *arena = tables->arena;
    Sources *sources = sources_new(arena);
    tables->context = (Context){arena, names_new(arena), sources, report_new(arena, sources)};
    const char *root = getenv("TMPDIR");
    snprintf(tables->folder, sizeof tables->folder, "%s/mlc-tables-XXXXXX",
             root && strlen(root) < 40 ? root : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(tables->folder));
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

void tables_close(Tables *tables)
{
    data_close(tables->data);
    nftw(tables->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_close(tables->arena);
}

const char *tables_path(Tables *tables, const char *name)
{
    Text path = {.arena = tables->arena};
    text_add(&path, "%s/%s", tables->folder, name);
    return text_done(&path);
}

static void make_folders(Tables *tables, const char *path)
{
    for (const char *slash = path + strlen(tables->folder) + 1; (slash = strchr(slash, '/'));
         slash++)
        mkdir(arena_text(tables->arena, path, (size_t)(slash - path)), 0777);
}

const char *tables_file(Tables *tables, const char *name, const void *bytes, size_t size)
{
    const char *path = tables_path(tables, name);
    make_folders(tables, path);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return path;
}

const char *tables_text(Tables *tables, const char *name, const char *text)
{
    return tables_file(tables, name, text, strlen(text));
}

const char *tables_gzip(Tables *tables, const char *name, const void *bytes, size_t size)
{
    const char *path = tables_path(tables, name);
    gzFile file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    if (size) ck_assert_int_eq(gzwrite(file, bytes, (unsigned)size), (int)size);
    gzclose(file);
    return path;
}

const char *tables_report(Tables *tables)
{
    Text text = {.arena = tables->arena};
    report_render(tables->context.report, &text, false);
    return text_done(&text);
}

void tables_forget(Tables *tables)
{
    data_close(tables->data);
    tables->data = NULL;
    tables->entry_count = 0;
    report_clear(tables->context.report);
}

Static a_text(const char *text)
{
    return (Static){.kind = STATIC_text, .text = text};
}

Static a_word(const char *text)
{
    return (Static){.kind = STATIC_name, .text = text};
}

Static a_number(double number)
{
    bool is_integer = number == (double)(int64_t)number;
    return (Static){.kind = STATIC_number, .number = number, .is_integer = is_integer};
}

Static a_list(Tables *tables, uint32_t count, const double *number)
{
    Static *element = arena_array(tables->arena, Static, count);
    for (uint32_t i = 0; i < count; i++)
        element[i] = a_number(number[i]);
    return (Static){.kind = STATIC_list, .count = count, .element = element};
}

void tables_entry(Tables *tables, const char *name, const char *source, const Argument *arguments)
{
    uint32_t count = 0;
    while (arguments[count].label)
        count++;
    Static *element = arena_array(tables->arena, Static, count);
    const char **label = arena_array(tables->arena, const char *, count);
    for (uint32_t i = 0; i < count; i++) {
        element[i] = arguments[i].value;
        label[i] = arguments[i].label;
    }
    Static call = {
        .kind = STATIC_call, .text = source, .count = count, .element = element, .label = label};
    tables->entry[tables->entry_count++] = (DataEntry){.name = name, .value = call};
}

Status tables_load(Tables *tables)
{
    DataBlock block = {.name = "test", .count = tables->entry_count, .entry = tables->entry};
    DataOptions options = {&host_default, tables->folder, 1};
    return data_open(&tables->context, &block, &options, &tables->data);
}

const Split *tables_train(Tables *tables)
{
    Status status = tables_load(tables);
    ck_assert_msg(status == STATUS_ok, "%s", tables_report(tables));
    return data_split(tables->data, "train");
}

ModelInput tables_input(Tables *tables, const char *name, Type type, int rank,
                        const int64_t *extent)
{
    return (ModelInput){.name = name_of(tables->context.names, name),
                        .type = type,
                        .shape = shape_of(rank, extent),
                        .batched = true};
}

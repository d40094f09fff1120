/* Opens a data block: sources first, then the splits taken from them, each in the file's order. */
#include "runtime/data/load.h"

static const struct SourceRow {
    const char *name;
    uint32_t fewest, most;
    const char *options, *usage;
    Status (*load)(Load *load);
} sources[] = {
#define SOURCE(name, fewest, most, options, usage)                                                 \
    {#name, fewest, most, options, usage, source_##name},
#include "runtime/data/sources.def"
#undef SOURCE
};
enum { SOURCE_COUNT = sizeof sources / sizeof *sources };

static const char source_names[] =
#define SOURCE(name, ...) #name " "
#include "runtime/data/sources.def"
#undef SOURCE
    "split";

static const struct SourceRow *find_source(const char *name)
{
    for (int i = 0; i < SOURCE_COUNT; i++)
        if (strcmp(sources[i].name, name) == 0) return &sources[i];
    return NULL;
}

static bool is_call(const Static *value, const char *name)
{
    return value->kind == STATIC_call && strcmp(value->text, name) == 0;
}

static Status refuse_entry(Load *load)
{
    Report *report = load->context->report;
    const Static *value = &load->entry->value;
    if (value->kind != STATIC_call) {
        report_error(report, load->entry->at,
                     "`%s` is neither a split nor a step that data blocks know", load->entry->name);
        report_hint(report, "a split is written like `train: %s`", sources[0].usage);
        return STATUS_invalid;
    }
    report_error(report, value->at, "there is no data source `%s`", value->text);
    const char *near = nearest_word(load->context->arena, value->text, source_names);
    if (near)
        report_hint(report, "did you mean `%s`?", near);
    else
        report_hint(report, "there are: %s", source_names);
    return STATUS_invalid;
}

static Status check_name(Load *load)
{
    if (!data_split(load->data, load->entry->name)) return STATUS_ok;
    report_error(load->context->report, load->entry->at, "split `%s` is given twice",
                 load->entry->name);
    return STATUS_invalid;
}

static Status load_entry(Load *load)
{
    const struct SourceRow *row =
        is_call(load->call, "split") ? NULL : find_source(load->call->text);
    Part part = {.split.name = load_text(load, load->entry->name, strlen(load->entry->name))};
    load->part = &part;
    TRY(check_name(load));
    if (row) {
        TRY(argument_check(load, row->fewest, row->most, row->options, row->usage));
        TRY(row->load(load));
    } else {
        TRY(argument_check(load, 2, 2, "seed", "split(train, 0.1)"));
        TRY(split_off(load));
    }
    *list_add(load->data->arena, &load->data->parts) = part;
    return STATUS_ok;
}

/* Goes on after an error, so that all are reported; the worst of them is returned. */
static Status load_entries(Load *load, const DataBlock *block)
{
    Status worst = STATUS_ok;
    for (int pass = 0; pass < 2 && worst == STATUS_ok; pass++) {
        if (pass == 1) TRY(classes_share(load, block));
        for (uint32_t i = 0; i < block->count; i++) {
            load->entry = &block->entry[i];
            load->call = &load->entry->value;
            bool is_split = is_call(load->call, "split");
            bool is_known =
                is_split || (load->call->kind == STATIC_call && find_source(load->call->text));
            Status status = is_known && is_split == (pass == 1) ? load_entry(load)
                            : !is_known && pass == 0            ? refuse_entry(load)
                                                                : STATUS_ok;
            if (status == STATUS_no_memory) return status;
            if (worst == STATUS_ok) worst = status;
        }
    }
    return worst;
}

Status data_open(Context *context, const DataBlock *block, const DataOptions *options, Data **data)
{
    *data = options->host->resize(options->host->user, NULL, sizeof **data);
    if (!*data) return STATUS_no_memory;
    **data = (Data){.host = options->host, .arena = arena_open(options->host)};
    Load load = {.context = context, .data = *data, .options = options};
    Status status = (*data)->arena ? load_entries(&load, block) : STATUS_no_memory;
    if (status == STATUS_ok) return status;

    data_close(*data);
    *data = NULL;
    return status;
}

void data_close(Data *data)
{
    if (!data) return;
    const Host *host = data->host;
    for (uint32_t i = 0; i < data->blocks.count; i++)
        host->resize(host->user, data->blocks.at[i], 0);
    for (uint32_t i = 0; i < data->aligned.count; i++)
        aligned_free(host, data->aligned.at[i]);
    arena_close(data->arena);
    host->resize(host->user, data, 0);
}

const Split *data_split(const Data *data, const char *name)
{
    for (uint32_t i = 0; i < data->parts.count; i++)
        if (strcmp(data->parts.at[i].split.name, name) == 0) return &data->parts.at[i].split;
    return NULL;
}

uint32_t data_split_count(const Data *data)
{
    return data->parts.count;
}

const Split *data_split_at(const Data *data, uint32_t i)
{
    return i < data->parts.count ? &data->parts.at[i].split : NULL;
}

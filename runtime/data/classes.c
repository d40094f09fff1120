/* Sources number classes by their sorted names, each for itself: where a split lacks a class of the training split, all behind it
 * would be called otherwise.  So the training split's numbers hold for all. */
#include "runtime/data/load.h"
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static Split *numbering_split(const Data *data)
{
    Split *first = NULL;
    for (uint32_t i = 0; i < data->parts.count; i++) {
        Split *split = &data->parts.at[i].split;
        if (split->class_count && strcmp(split->name, "train") == 0) return split;
        if (split->class_count && !first) first = split;
    }
    return first;
}

static Status refuse_class(const Load *load, const Split *split, const Split *by, const char *name)
{
    Report *report = load->context->report;
    report_error(report, load->entry->at,
                 "class `%s` of %s is not one of %s, by which classes count",
                 shown(name, strlen(name)).text, split->field[0].path, by->field[0].path);
    Text words = {.arena = load->context->arena};
    for (uint32_t i = 0; i < by->class_count && i < 8; i++)
        text_add(&words, "%s%s", i ? ", " : "",
                 shown(by->class_name[i], strlen(by->class_name[i])).text);
    report_hint(report, "those are: %s%s", text_done(&words), by->class_count > 8 ? ", ..." : "");
    return STATUS_invalid;
}

/* Other names for as many classes (">50K." for ">50K") are taken in their order, with a warning. */
static void warn_of_names(const Load *load, const Split *split, const Split *by)
{
    report_warning(load->context->report, load->entry->at,
                   "%s names its classes otherwise than %s; they are taken in order",
                   split->field[0].path, by->field[0].path);
}

/* The labels anew: a source may have left them among the pixels, as bytes. */
static Status write_labels(Load *load, const Split *split, Field *label, const int32_t *number)
{
    int32_t *to = load_block(load, (size_t)split->count * sizeof *to);
    if (!to) return STATUS_no_memory;
    for (int64_t i = 0; i < split->count; i++) {
        const uint8_t *from = label->bytes + i * label->stride;
        int32_t class = *from; /* CIFAR's */
        if (label->type == TYPE_i32) memcpy(&class, from, sizeof class);
        to[i] = number[class];
    }
    label->type = TYPE_i32;
    label->stride = sizeof *to;
    label->bytes = (const uint8_t *)to;
    return STATUS_ok;
}

static Status renumber(Load *load, Split *split, const Split *by)
{
    int32_t *number = arena_array(load->data->arena, int32_t, split->class_count);
    uint32_t known = 0;
    const char *stranger = NULL;
    for (uint32_t c = 0; c < split->class_count; c++) {
        const char *const *found = bsearch(&split->class_name[c], by->class_name, by->class_count,
                                           sizeof *by->class_name, compare);
        number[c] = found ? (int32_t)(found - by->class_name) : (int32_t)c;
        known += found != NULL;
        if (!found && !stranger) stranger = split->class_name[c];
    }
    bool renamed = known == 0 && split->class_count == by->class_count;
    if (stranger && !renamed) return refuse_class(load, split, by, stranger);
    if (renamed) warn_of_names(load, split, by);

    bool shifted = split->class_count < by->class_count;
    split->class_count = by->class_count;
    split->class_name = by->class_name;
    Field *label = &split->field[split->field_count - 1];
    return shifted ? write_labels(load, split, label, number) : STATUS_ok;
}

Status classes_share(Load *load, const DataBlock *block)
{
    const Split *by = numbering_split(load->data);
    for (uint32_t i = 0; by && i < block->count; i++) {
        load->entry = &block->entry[i];
        for (uint32_t k = 0; k < load->data->parts.count; k++) {
            Split *split = &load->data->parts.at[k].split;
            if (split == by || !split->class_count || strcmp(split->name, load->entry->name) != 0)
                continue;
            TRY(renumber(load, split, by));
        }
    }
    return STATUS_ok;
}

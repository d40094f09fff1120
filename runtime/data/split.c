/* split(NAME, share or count): moves samples of another split into a new one; the rest stays.  Samples in order (text)
 * give their end, so that no window of one is seen in the other; all others are drawn at random by the seed and keep
 * their order. */
#include "runtime/data/load.h"
#include "runtime/data/random.h"
#include <inttypes.h>

static Part *find_part(Load *load, const Static *argument)
{
    const char *name =
        argument->kind == STATIC_name || argument->kind == STATIC_text ? argument->text : "";
    Text known = {.arena = load->context->arena};
    for (uint32_t i = 0; i < load->data->parts.count; i++) {
        if (strcmp(load->data->parts.at[i].split.name, name) == 0) return &load->data->parts.at[i];
        text_add(&known, "%s%s", i ? " " : "", load->data->parts.at[i].split.name);
    }
    argument_refuse(load, argument, "there is no split `%s` to split", name);
    const char *near = nearest_word(load->context->arena, name, text_done(&known));
    if (near)
        report_hint(load->context->report, "did you mean `%s`?", near);
    else
        report_hint(load->context->report, "before this entry there are: %s", text_done(&known));
    return NULL;
}

static Status read_share(Load *load, const Static *argument, int64_t have, int64_t *count)
{
    double share = argument->number;
    if (argument->kind != STATIC_number || !(share > 0))
        return argument_refuse(load, argument,
                               "a split takes a share between 0 and 1, or a number of samples");
    bool is_count = argument->is_integer || share >= 1;
    double wanted = is_count ? share : (double)have * share + 0.5;
    if (is_count && !argument->is_integer)
        return argument_refuse(load, argument,
                               "a split takes a share between 0 and 1, or a number of samples");
    if (!(wanted >= 1 && wanted < (double)have))
        return argument_refuse(load, argument,
                               "this takes %.0f of %" PRId64 " samples; both splits need some",
                               wanted, have);
    *count = (int64_t)wanted;
    return STATUS_ok;
}

/* Windows before the cut that do not reach into the windows after it.  A window at token t predicts tokens up to
 * t + window, the first one behind predicts from cut * stride + 1 on. */
static int64_t before_cut(const Split *split, int64_t cut)
{
    const Field *field = &split->field[0];
    int64_t bytes = shape_elements(&field->sample) * type_info[field->type].bytes;
    int64_t overlapping = (bytes + field->stride - 1) / field->stride - 1;
    return cut - overlapping;
}

static Status split_end(Load *load, Split *from, int64_t count)
{
    Split *split = &load->part->split;
    int64_t cut = from->count - count, kept = before_cut(from, cut);
    if (kept < 1)
        return argument_refuse(load, load->call, "nothing would be left of `%s`", from->name);
    for (uint32_t i = 0; i < from->field_count; i++)
        split->field[i].bytes += cut * from->field[i].stride;
    split->count = count;
    from->count = kept;
    return STATUS_ok;
}

static Status split_random(Load *load, Split *from, int64_t count, uint32_t seed)
{
    Split *split = &load->part->split;
    int64_t have = from->count;
    int64_t *taken = load_block(load, (size_t)count * sizeof *taken);
    int64_t *left = load_block(load, (size_t)(have - count) * sizeof *left);
    if (!taken || !left) return STATUS_no_memory;
    uint32_t *drawn = aligned_new(load->data->host, (size_t)have * (sizeof *drawn + 1));
    if (!drawn) return load_no_memory(load, (uint64_t)have * 5);
    unsigned char *is_taken = (unsigned char *)(drawn + have);

    /* The draw's third word counts the splits, so that two of them with one seed are independent. */
    random_permutation(seed, RANDOM_SPLIT, load->data->parts.count, drawn, (uint32_t)have);
    memset(is_taken, 0, (size_t)have);
    for (int64_t i = 0; i < count; i++)
        is_taken[drawn[i]] = 1;
    for (int64_t i = 0, t = 0, l = 0; i < have; i++) {
        int64_t row = from->order ? from->order[i] : i;
        if (is_taken[i])
            taken[t++] = row;
        else
            left[l++] = row;
    }
    aligned_free(load->data->host, drawn);
    split->order = taken;
    split->count = count;
    from->order = left;
    from->count = have - count;
    return STATUS_ok;
}

Status split_off(Load *load)
{
    Part *from = find_part(load, argument_at(load, 0));
    if (!from) return STATUS_invalid;

    int64_t count = 0, seed = load->options->seed;
    TRY(read_share(load, argument_at(load, 1), from->split.count, &count));
    TRY(argument_integer(load, "seed", 0, UINT32_MAX, &seed));
    const char *name = load->part->split.name;
    *load->part = *from;
    load->part->split.name = name;
    return from->sequential ? split_end(load, &from->split, count)
                            : split_random(load, &from->split, count, (uint32_t)seed);
}

/* Does a split feed these inputs?  Counts, shapes and types from their descriptions; values only where a bound or a
 * narrower type makes them matter. */
#include "runtime/data/convert.h"
#include "runtime/data/data.h"
#include <inttypes.h>

typedef struct Check {
    Context *context;
    const Split *split;
    const Field *field;
    const ModelInput *input;
} Check;

static const char *input_name(const Check *check)
{
    return name_text(check->context->names, check->input->name);
}

static const char *show(const Check *check, Type type, const Shape *shape)
{
    Text text = {.arena = check->context->arena};
    shape_print(&text, type, shape);
    return text_done(&text);
}

/* The same but for axes of one element. */
static bool shapes_fit(const Shape *a, const Shape *b)
{
    int i = 0, k = 0;
    for (;;) {
        while (i < a->rank && a->extent[i] == 1)
            i++;
        while (k < b->rank && b->extent[k] == 1)
            k++;
        if (i == a->rank || k == b->rank) return i == a->rank && k == b->rank;
        if (a->extent[i++] != b->extent[k++]) return false;
    }
}

static Status check_shape(const Check *check)
{
    const ModelInput *input = check->input;
    Report *report = check->context->report;
    if (!input->batched) {
        report_error(report, input->at, "input `%s` has no batch axis, so samples cannot feed it",
                     input_name(check));
        report_hint(report, "declare it with N first, like f32[N, 8]");
        return STATUS_invalid;
    }
    Shape wanted = shape_of(input->shape.rank - 1, input->shape.extent + 1);
    if (shapes_fit(&wanted, &check->field->sample)) return STATUS_ok;

    report_error(report, input->at, "input `%s` takes samples of %s, but `%s` gives %s",
                 input_name(check), show(check, input->type, &wanted), check->split->name,
                 show(check, check->field->type, &check->field->sample));
    report_note(report, (Span){0}, "they come from %s", check->field->path);
    return STATUS_invalid;
}

static Status refuse_type(const Check *check)
{
    Report *report = check->context->report;
    const char *from = type_info[check->field->type].name, *to = type_info[check->input->type].name;
    report_error(report, check->input->at,
                 "input `%s` is of %s, but %s holds %s, which would lose precision",
                 input_name(check), to, check->field->path, from);
    report_hint(report, "declare it as %s and use cast(%s, %s) in the model", from,
                input_name(check), to);
    return STATUS_invalid;
}

static Status refuse_value(const Check *check, double value, int64_t row)
{
    const ModelInput *input = check->input;
    Report *report = check->context->report;
    Text number = {.arena = check->context->arena};
    text_number(&number, value);
    if (!convert_holds(input->type, value)) {
        report_error(report, input->at, "%s %s of sample %" PRId64 " is no %s", input_name(check),
                     text_done(&number), row, type_info[input->type].name);
        report_note(report, (Span){0}, "it comes from %s", check->field->path);
        return STATUS_invalid;
    }
    report_error(report, input->at, "%s %s of sample %" PRId64 " is outside [0, %" PRId64 ")",
                 input_name(check), text_done(&number), row, input->bound);
    report_note(report, input->bound_at, "it comes from %s and is used here", check->field->path);
    return STATUS_invalid;
}

/* `count` elements of row `row` on; several rows at once where they lie densely. */
static Status check_run(const Check *check, const uint8_t *bytes, int64_t count, int64_t row)
{
    double chunk[256];
    const ModelInput *input = check->input;
    unsigned size = type_info[check->field->type].bytes;
    for (int64_t done = 0; done < count; done += 256) {
        int64_t step = count - done < 256 ? count - done : 256;
        convert_to_double(chunk, check->field->type, bytes + done * size, (size_t)step);
        for (int64_t i = 0; i < step; i++) {
            bool fits = convert_holds(input->type, chunk[i]) &&
                        (input->bound <= 0 || (chunk[i] >= 0 && chunk[i] < (double)input->bound));
            if (!fits)
                return refuse_value(check, chunk[i],
                                    row + (done + i) / (check->field->stride / size));
        }
    }
    return STATUS_ok;
}

static Status check_values(const Check *check)
{
    const Field *field = check->field;
    const Split *split = check->split;
    int64_t elements = shape_elements(&field->sample),
            bytes = elements * type_info[field->type].bytes;
    if (split->order || field->stride > bytes) {
        for (int64_t i = 0; i < split->count; i++) {
            int64_t row = split->order ? split->order[i] : i;
            TRY(check_run(check, field->bytes + row * field->stride, elements, row));
        }
        return STATUS_ok;
    }
    int64_t span = (split->count - 1) * field->stride + bytes;
    return check_run(check, field->bytes, span / type_info[field->type].bytes, 0);
}

static Status check_input(const Check *check)
{
    const ModelInput *input = check->input;
    Type from = check->field->type;
    TRY(check_shape(check));
    bool is_exact = convert_is_exact(from, input->type);
    if (!is_exact && type_is_float(from) && type_is_float(input->type)) return refuse_type(check);
    bool is_bounded = input->bound > 0 && !type_is_float(input->type);
    return is_exact && !is_bounded ? STATUS_ok : check_values(check);
}

Status data_check(Context *context, const Data *data, const Split *split, uint32_t input_count,
                  const ModelInput *input)
{
    (void)data;
    if (split->field_count < input_count) {
        report_error(context->report, input[split->field_count].at,
                     "nothing feeds input `%s`: `%s` has %u field%s",
                     name_text(context->names, input[split->field_count].name), split->name,
                     split->field_count, split->field_count == 1 ? "" : "s");
        return STATUS_invalid;
    }
    Status worst = STATUS_ok;
    for (uint32_t i = 0; i < input_count; i++) {
        Status status = check_input(&(Check){context, split, &split->field[i], &input[i]});
        if (worst == STATUS_ok) worst = status;
    }
    return worst;
}

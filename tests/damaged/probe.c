/* Loads one data source as a model file would, or one tensor file or picture, walks over every value, and says what it
 * found.  Exit 0: read; 3: refused with a report.  The last line of stdout is the most memory that was held at once.
 *
 *     probe idx images.gz labels.gz           probe csv table.csv missing=0 label=none
 *     probe tensors FILE.safetensors          probe array FILE.npy
 *     probe picture FILE.png PIXELS.raw       (8-bit channels, interleaved, after a line "width height channels") */
#include "runtime/data/data.h"
#include "runtime/data/picture.h"
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static size_t held, peak;

static void *resize(void *user, void *block, size_t size)
{
    (void)user;
    size_t before = block ? malloc_usable_size(block) : 0;
    if (size == 0) {
        free(block);
        held -= before;
        return NULL;
    }
    void *moved = realloc(block, size);
    if (moved) held += malloc_usable_size(moved) - before;
    if (held > peak) peak = held;
    return moved;
}

static const Host host = {resize, NULL};

/* Bytes of the set, so that reading past an end is seen by the sanitizers and two runs can be compared. */
static uint64_t digest(uint64_t sum, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return sum;
}

static const char *show(Arena *arena, Type type, const Shape *shape)
{
    Text text = {.arena = arena};
    shape_print(&text, type, shape);
    return text_done(&text);
}

static void print_split(Arena *arena, const Split *split)
{
    printf("%s: %" PRId64 " samples, %u classes\n", split->name, split->count, split->class_count);
    for (uint32_t k = 0; k < split->field_count; k++) {
        const Field *field = &split->field[k];
        size_t size = (size_t)shape_elements(&field->sample) * type_info[field->type].bytes;
        uint64_t sum = 0;
        for (int64_t i = 0; i < split->count; i++) {
            int64_t row = split->order ? split->order[i] : i;
            sum = digest(sum, field->bytes + row * field->stride, size);
        }
        printf("  %s %s %016" PRIx64 "\n", field->name, show(arena, field->type, &field->sample),
               sum);
    }
    for (uint32_t i = 0; i < split->class_count && i < 20; i++)
        printf("  class %s\n", split->class_name[i]);
}

/* key=value: a number, none, a name, or after ' a string. */
static Static option_value(Arena *arena, const char *text)
{
    double number;
    if (text_read_number(text, strlen(text), &number))
        return (Static){.kind = STATIC_number,
                        .number = number,
                        .is_integer = number == (double)(int64_t)number};
    if (strcmp(text, "none") == 0) return (Static){.kind = STATIC_none};
    return (Static){
        .kind = text[0] == '\'' ? STATIC_text : STATIC_name,
        .text = arena_text(arena, text + (text[0] == '\''), strlen(text + (text[0] == '\'')))};
}

static Status probe_source(Context *context, int count, char **words)
{
    Arena *arena = context->arena;
    Static *element = arena_array(arena, Static, count);
    const char **label = arena_array(arena, const char *, count);
    for (int i = 1; i < count; i++) {
        const char *equals = strchr(words[i], '=');
        label[i - 1] = equals ? arena_text(arena, words[i], (size_t)(equals - words[i])) : "";
        element[i - 1] = equals ? option_value(arena, equals + 1)
                                : (Static){.kind = STATIC_text, .text = words[i]};
    }
    DataEntry entry = {.name = "train",
                       .value = {.kind = STATIC_call,
                                 .text = words[0],
                                 .count = (uint32_t)count - 1,
                                 .element = element,
                                 .label = label}};
    DataBlock block = {.name = "probe", .count = 1, .entry = &entry};
    Data *data;
    Status status = data_open(context, &block, &(DataOptions){&host, "", 1}, &data);
    if (status == STATUS_ok) print_split(arena, data_split_at(data, 0));
    data_close(data);
    return status;
}

static Status probe_tensors(Context *context, const char *path, bool is_npy)
{
    TensorSet set;
    tensor_set_open(&set, &host);
    Status status = is_npy ? npy_read(&set, "array", path, context->report)
                           : safetensors_read(&set, path, context->report);
    for (uint32_t i = 0; i < set.count && status == STATUS_ok; i++)
        printf("%s %s %016" PRIx64 "\n", set.at[i].name,
               show(context->arena, set.at[i].type, &set.at[i].shape),
               digest(0, set.at[i].bytes, set.at[i].size));
    for (uint32_t i = 0; i < set.text_count; i++)
        printf("%s = %s\n", set.text[i].key, set.text[i].value);
    tensor_set_close(&set);
    return status;
}

static Status probe_picture(Context *context, const char *path, const char *pixels)
{
    Picture picture;
    Status status = picture_read(&(Origin){&host, context->report, {0}, path}, &picture);
    if (status != STATUS_ok) return status;
    size_t size = (size_t)(picture.width * picture.height * picture.channels);
    printf("%" PRId64 " %" PRId64 " %d %016" PRIx64 "\n", picture.width, picture.height,
           picture.channels, digest(0, picture.pixels, size));
    FILE *out = pixels ? fopen(pixels, "wb") : NULL;
    if (out) {
        fprintf(out, "%" PRId64 " %" PRId64 " %d\n", picture.width, picture.height,
                picture.channels);
        fwrite(picture.pixels, 1, size, out);
        fclose(out);
    }
    aligned_free(&host, picture.pixels);
    return STATUS_ok;
}

int main(int count, char **words)
{
    if (count < 2) return 2;
    Arena *arena = arena_open(&host);
    Sources *sources = sources_new(arena);
    Context context = {arena, names_new(arena), sources, report_new(arena, sources)};
    size_t base = held;

    Status status;
    if (strcmp(words[1], "tensors") == 0)
        status = probe_tensors(&context, words[2], false);
    else if (strcmp(words[1], "array") == 0)
        status = probe_tensors(&context, words[2], true);
    else if (strcmp(words[1], "picture") == 0)
        status = probe_picture(&context, words[2], count > 3 ? words[3] : NULL);
    else
        status = probe_source(&context, count - 1, words + 1);

    Text text = {.arena = arena};
    report_render(context.report, &text, false);
    fputs(text_done(&text), stdout);
    bool is_silent = status != STATUS_ok && report_errors(context.report) == 0;
    if (is_silent) puts("refused without a report");
    printf("peak %zu\n", peak - base);
    arena_close(arena);
    if (held != 0) printf("leaked %zu\n", held);
    return is_silent || held != 0 ? 1 : (int)status;
}

/* images("folder"): a folder a class with PNG and JPEG files in it, or CIFAR-10's binary batches. */
#include "runtime/data/load.h"
#include "runtime/data/picture.h"
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct Images {
    Load *load;
    const Static *argument;
    Paths classes;
    Paths files;
    LIST(int32_t) labels;
    int64_t width, height, channels; /* channels 0: those of the first file */
    uint8_t *pixels;
} Images;

static bool is_picture(const char *path)
{
    return path_ends(path, ".png") || path_ends(path, ".jpg") || path_ends(path, ".jpeg");
}

static Status list_files(Images *images)
{
    Load *load = images->load;
    for (uint32_t c = 0; c < images->classes.count; c++) {
        Paths all;
        TRY(paths_in(load, images->argument, images->classes.at[c], "*", false, &all));
        uint32_t before = images->files.count;
        for (uint32_t i = 0; i < all.count; i++) {
            if (!is_picture(all.at[i])) continue;
            *list_add(load->data->arena, &images->files) = all.at[i];
            *list_add(load->data->arena, &images->labels) = (int32_t)c;
        }
        if (images->files.count == before)
            report_warning(load->context->report, images->argument->at,
                           "%s: no PNG or JPEG files in it", images->classes.at[c]);
    }
    return STATUS_ok;
}

static Status refuse_picture(const Images *images, const Origin *origin, const Picture *picture)
{
    Status status =
        origin_refuse(origin,
                      "%" PRId64 " x %" PRId64 " pixels of %d channels, but the first has %" PRId64
                      " x %" PRId64 " of %" PRId64,
                      picture->width, picture->height, picture->channels, images->width,
                      images->height, images->channels);
    bool same_size = picture->width == images->width && picture->height == images->height;
    report_hint(images->load->context->report,
                same_size ? "images(..., channels: 3) makes all of them color, channels: 1 gray"
                          : "all pictures have to be of one size; scale them first");
    return status;
}

/* Reads picture i into its place; the first decides the size. */
static Status read_picture(Images *images, uint32_t i)
{
    Load *load = images->load;
    Origin origin = load_origin(load, images->argument, images->files.at[i]);
    Picture picture;
    TRY(picture_read(&origin, &picture));
    if (i == 0) {
        images->width = picture.width;
        images->height = picture.height;
        if (!images->channels) images->channels = picture.channels;
        int64_t bytes = images->width * images->height * images->channels;
        images->pixels = load_block(load, (size_t)bytes * images->files.count);
    }
    bool is_chosen = argument_option(load, "channels") != NULL;
    Status status = STATUS_ok;
    if (!images->pixels)
        status = STATUS_no_memory;
    else if (picture.width != images->width || picture.height != images->height ||
             (!is_chosen && picture.channels != images->channels))
        status = refuse_picture(images, &origin, &picture);
    size_t bytes = (size_t)(images->width * images->height * images->channels);
    if (status == STATUS_ok)
        picture_planes(&picture, (int)images->channels, images->pixels + i * bytes);
    aligned_free(load->data->host, picture.pixels);
    return status;
}

static Status finish(Images *images, const char *folder)
{
    Load *load = images->load;
    Split *split = &load->part->split;
    int64_t count = images->files.count;
    int32_t *label = load_block(load, (size_t)count * sizeof *label);
    if (!label) return STATUS_no_memory;
    memcpy(label, images->labels.at, (size_t)count * sizeof *label);
    const char **name = arena_array(load->data->arena, const char *, images->classes.count);
    for (uint32_t c = 0; c < images->classes.count; c++)
        name[c] = path_name(images->classes.at[c]);
    split->class_count = images->classes.count;
    split->class_name = name;

    Origin origin = load_origin(load, images->argument, folder);
    Shape shape = {4, {count, images->channels, images->height, images->width}};
    TRY(load_tensor(load, &origin, "image", TYPE_u8, &shape, images->pixels));
    return load_tensor(load, &origin, "label", TYPE_i32, &(Shape){1, {count}}, label);
}

static Status load_classes(Images *images, const char *folder)
{
    Load *load = images->load;
    if (images->classes.count > MAX_CLASSES)
        return argument_refuse(load, images->argument, "%s: more than %d class folders", folder,
                               MAX_CLASSES);
    TRY(argument_integer(load, "channels", 1, 3, &images->channels));
    if (images->channels == 2)
        return argument_refuse(load, argument_option(load, "channels"),
                               "`channels` has to be 1 (gray) or 3 (color)");
    TRY(list_files(images));
    if (images->files.count == 0)
        return argument_refuse(load, images->argument, "%s: no PNG or JPEG files in its folders",
                               folder);
    for (uint32_t i = 0; i < images->files.count; i++)
        TRY(read_picture(images, i));
    return finish(images, folder);
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* CIFAR-10 batches in the folder or, for "cifar10/train", the files cifar10/train*.bin and .bin.gz. */
static Status find_batches(Load *load, const Static *argument, const char *path, Paths *batches)
{
    *batches = (Paths){0};
    if (is_folder(path)) {
        TRY(paths_in(load, argument, path, "*.bin", false, batches));
        return batches->count ? STATUS_ok
                              : paths_in(load, argument, path, "*.bin.gz", false, batches);
    }
    const char *name = path_name(path);
    const char *folder = name - path > 1 ? load_text(load, path, (size_t)(name - path - 1))
                         : name > path   ? "/"
                                         : ".";
    if (!is_folder(folder) || !*name || strpbrk(name, "*?[\\")) return STATUS_ok;
    Text pattern = {.arena = load->data->arena};
    text_add(&pattern, "%s[-_.0-9]*bin", name); /* "tr" is not "train-0.bin" */
    TRY(paths_in(load, argument, folder, text_done(&pattern), false, batches));
    if (batches->count) return STATUS_ok;
    text_add(&pattern, ".gz");
    return paths_in(load, argument, folder, text_done(&pattern), false, batches);
}

Status source_images(Load *load)
{
    const char *text;
    TRY(argument_text(load, 0, &text));
    const Static *argument = argument_at(load, 0);
    const char *path = load_path(load, text);
    if (path_ends(path, ".bin") || path_ends(path, ".bin.gz"))
        return cifar_load(load, argument, &path, 1);

    Images images = {.load = load, .argument = argument};
    if (is_folder(path)) TRY(paths_in(load, argument, path, "*", true, &images.classes));
    if (images.classes.count) return load_classes(&images, path);

    Paths batches;
    TRY(find_batches(load, argument, path, &batches));
    if (batches.count) return cifar_load(load, argument, batches.at, batches.count);
    if (!is_folder(path))
        return argument_refuse(load, argument, "%s: there is no such folder", path);
    argument_refuse(load, argument, "%s: neither class folders nor .bin files in it", path);
    report_hint(load->context->report,
                "a folder a class is expected, with PNG or JPEG files in each");
    return STATUS_invalid;
}

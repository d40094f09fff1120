#include "backends/cpu/jit.h"
#include "backends/cpu/object.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct Mapping {
    struct Mapping *next;
    void *at;
    size_t size;
} Mapping;

struct Jit {
    Mapping *mapping;
};

Status jit_open(Report *report, Jit **jit)
{
    (void)report;
    *jit = calloc(1, sizeof **jit);
    return *jit ? STATUS_ok : STATUS_no_memory;
}

void jit_close(Jit *jit)
{
    if (!jit) return;
    for (Mapping *m = jit->mapping, *next; m; m = next) {
        next = m->next;
        munmap(m->at, m->size);
        free(m);
    }
    free(jit);
}

static bool is_image(const ImageHeader *header, size_t size, const char *name)
{
    return size > sizeof *header && header->magic == IMAGE_MAGIC &&
           header->size == size - sizeof *header && header->entry < header->size &&
           strncmp(header->name, name, sizeof header->name) == 0;
}

/* Never writable and executable at once. */
static bool fill(char *at, size_t room, const ImageHeader *image)
{
    memcpy(at, image + 1, image->size);
    __builtin___clear_cache(at,
                            at + image->size); /* of instructions, where it does not see stores */
    return mprotect(at, room, PROT_READ | PROT_EXEC) == 0;
}

Status jit_add(Jit *jit, const void *object, size_t size, const char *name,
               KernelFunction **function)
{
    const ImageHeader *image = object;
    if (!is_image(image, size, name)) return STATUS_failed;
    Mapping *mapping = malloc(sizeof *mapping);
    if (!mapping) return STATUS_no_memory;
    size_t room = (image->size + IMAGE_ALIGNMENT - 1) / IMAGE_ALIGNMENT * IMAGE_ALIGNMENT;
    void *at = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || !fill(at, room, image)) {
        if (at != MAP_FAILED) munmap(at, room);
        free(mapping);
        return STATUS_failed;
    }
    *mapping = (Mapping){.next = jit->mapping, .at = at, .size = room};
    jit->mapping = mapping;
    *function = (KernelFunction *)((uintptr_t)at + image->entry);
    return STATUS_ok;
}

/* From LLVM's object files to images: System V ABI, AMD64 supplement, version 1.0; ELF for the Arm 64-bit architecture, 2023Q3.  Kernels call
 * nothing and refer to nothing but their own constants, always relative to where they are, so that linking is: sections one behind
 * the other, differences filled in.  AArch64's are of pages of 4096 bytes, and an image begins at one. */
#include "backends/cpu/object.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SECTIONS 64
#define NOWHERE      UINT64_MAX /* of sections that are not there */

typedef struct Linking {
    const char *object;
    size_t size;
    const Elf64_Ehdr *file;
    const Elf64_Shdr *section;
    const char *names; /* of sections */
    uint16_t machine;
    char *code;
    uint64_t code_size;
    uint64_t place[MAX_SECTIONS]; /* of each section in the image */
} Linking;

static const void *range(const Linking *l, uint64_t offset, uint64_t size)
{
    if (offset > l->size || size > l->size - offset) bug("an object file ends early");
    return l->object + offset;
}

static void open_file(Linking *l)
{
    l->file = range(l, 0, sizeof *l->file);
    bool is_known = !memcmp(l->file->e_ident, ELFMAG, SELFMAG) &&
                    l->file->e_ident[EI_CLASS] == ELFCLASS64 && l->file->e_type == ET_REL &&
                    l->file->e_machine == l->machine &&
                    l->file->e_shentsize == sizeof *l->section &&
                    l->file->e_shnum <= MAX_SECTIONS && l->file->e_shstrndx < l->file->e_shnum;
    if (!is_known) bug("LLVM made no object file for machine %u", l->machine);
    l->section = range(l, l->file->e_shoff, (uint64_t)l->file->e_shnum * sizeof *l->section);
    const Elf64_Shdr *names = &l->section[l->file->e_shstrndx];
    l->names = range(l, names->sh_offset, names->sh_size);
    if (!names->sh_size || l->names[names->sh_size - 1]) bug("section names without an end");
}

/* Unwinding tables are for debuggers. */
static bool is_kept(const Linking *l, const Elf64_Shdr *section)
{
    if (!(section->sh_flags & SHF_ALLOC) || !section->sh_size) return false;
    if (section->sh_name >= l->section[l->file->e_shstrndx].sh_size) bug("a section has no name");
    if (!strcmp(l->names + section->sh_name, ".eh_frame")) return false;
    if (section->sh_type != SHT_PROGBITS || section->sh_flags & SHF_WRITE)
        bug("a kernel has variables: %s", l->names + section->sh_name);
    return true;
}

static void place_sections(Linking *l)
{
    for (uint32_t i = 0; i < l->file->e_shnum; i++) {
        const Elf64_Shdr *section = &l->section[i];
        l->place[i] = NOWHERE;
        if (!is_kept(l, section)) continue;
        uint64_t alignment = section->sh_addralign ? section->sh_addralign : 1;
        if (alignment & (alignment - 1) || alignment > IMAGE_ALIGNMENT)
            bug("a section is aligned to %llu", (unsigned long long)alignment);
        l->place[i] = (l->code_size + alignment - 1) & ~(alignment - 1);
        range(l, section->sh_offset, section->sh_size);
        l->code_size = l->place[i] + section->sh_size;
    }
}

static void copy_sections(Linking *l)
{
    for (uint32_t i = 0; i < l->file->e_shnum; i++)
        if (l->place[i] != NOWHERE)
            memcpy(l->code + l->place[i], l->object + l->section[i].sh_offset,
                   l->section[i].sh_size);
}

static const Elf64_Shdr *section_at(const Linking *l, uint32_t index)
{
    if (index >= l->file->e_shnum) bug("an object file names a section that is not there");
    return &l->section[index];
}

static uint64_t address_of(const Linking *l, const Elf64_Sym *symbol)
{
    if (symbol->st_shndx >= l->file->e_shnum || l->place[symbol->st_shndx] == NOWHERE)
        bug("a kernel refers to what is not its own");
    if (symbol->st_value > l->section[symbol->st_shndx].sh_size) bug("a symbol lies outside");
    return l->place[symbol->st_shndx] + symbol->st_value;
}

/* The distance of pages: 21 bits, the lower two of them apart. */
static uint32_t set_page(uint32_t adrp, uint64_t at, uint64_t target)
{
    int64_t pages = (int64_t)(target >> 12) - (int64_t)(at >> 12);
    if (pages < -(1 << 20) || pages >= 1 << 20)
        bug("a constant is %lld pages away", (long long)pages);
    const uint32_t low = 3u << 29, high = 0x7ffffu << 5;
    uint32_t distance = (uint32_t)pages;
    return (adrp & ~(low | high)) | (distance << 29 & low) | (distance << 3 & high);
}

/* The offset inside of the page, in units of what is loaded. */
static uint32_t set_offset(uint32_t instruction, uint64_t target, uint32_t shift)
{
    uint32_t offset = target & 0xfff;
    if (offset & ((1u << shift) - 1)) bug("a constant is not aligned");
    return (instruction & ~(0xfffu << 10)) | offset >> shift << 10;
}

static uint32_t relocate_aarch64(const Linking *l, uint64_t type, uint32_t old, uint64_t at,
                                 uint64_t target)
{
    if (at % 4) bug("an instruction lies between others");
    if (target >= l->code_size) bug("a constant lies outside");
    switch (type) {
    case R_AARCH64_ADR_PREL_PG_HI21: return set_page(old, at, target);
    case R_AARCH64_ADD_ABS_LO12_NC:
    case R_AARCH64_LDST8_ABS_LO12_NC: return set_offset(old, target, 0);
    case R_AARCH64_LDST16_ABS_LO12_NC: return set_offset(old, target, 1);
    case R_AARCH64_LDST32_ABS_LO12_NC: return set_offset(old, target, 2);
    case R_AARCH64_LDST64_ABS_LO12_NC: return set_offset(old, target, 3);
    case R_AARCH64_LDST128_ABS_LO12_NC: return set_offset(old, target, 4);
    default: bug("unknown relocation %llu", (unsigned long long)type);
    }
}

/* What the 32 bits at `at` become, which say how to get to `target`; both are places in the image. */
static uint32_t relocated(const Linking *l, uint64_t type, uint32_t old, uint64_t at,
                          uint64_t target)
{
    if (l->machine == EM_AARCH64) return relocate_aarch64(l, type, old, at, target);
    if (type != R_X86_64_PC32 && type != R_X86_64_PLT32)
        bug("unknown relocation %llu", (unsigned long long)type);
    return (uint32_t)(target - at);
}

static void relocate(const Linking *l, const Elf64_Shdr *table)
{
    uint64_t place = l->place[table->sh_info];
    const Elf64_Shdr *section = &l->section[table->sh_info];
    const Elf64_Shdr *symbols = section_at(l, table->sh_link);
    const Elf64_Rela *entry = range(l, table->sh_offset, table->sh_size);
    const Elf64_Sym *symbol = range(l, symbols->sh_offset, symbols->sh_size);
    for (uint64_t i = 0; i < table->sh_size / sizeof *entry; i++) {
        uint64_t type = ELF64_R_TYPE(entry[i].r_info), at = entry[i].r_offset;
        if (at > section->sh_size || section->sh_size - at < 4 ||
            ELF64_R_SYM(entry[i].r_info) >= symbols->sh_size / sizeof *symbol)
            bug("a relocation lies outside");
        uint64_t target = address_of(l, &symbol[ELF64_R_SYM(entry[i].r_info)]);
        target += (uint64_t)entry[i].r_addend;
        uint32_t value;
        memcpy(&value, l->code + place + at, sizeof value);
        value = relocated(l, type, value, place + at, target);
        memcpy(l->code + place + at, &value, sizeof value);
    }
}

/* The one global function. */
static uint64_t find_entry(const Linking *l)
{
    for (uint32_t i = 0; i < l->file->e_shnum; i++) {
        if (l->section[i].sh_type != SHT_SYMTAB) continue;
        const Elf64_Sym *symbol = range(l, l->section[i].sh_offset, l->section[i].sh_size);
        for (uint64_t k = 0; k < l->section[i].sh_size / sizeof *symbol; k++)
            if (ELF64_ST_BIND(symbol[k].st_info) == STB_GLOBAL &&
                ELF64_ST_TYPE(symbol[k].st_info) == STT_FUNC)
                return address_of(l, &symbol[k]);
    }
    bug("an object file without a function");
}

static void fill(Linking *l)
{
    copy_sections(l);
    for (uint32_t i = 0; i < l->file->e_shnum; i++) {
        const Elf64_Shdr *table = &l->section[i];
        if (table->sh_type != SHT_RELA) continue;
        section_at(l, table->sh_info);
        if (l->place[table->sh_info] != NOWHERE) relocate(l, table);
    }
}

ObjectCode image_of(const void *object, size_t size, uint16_t machine, const char *name)
{
    Linking l = {.object = object, .size = size, .machine = machine};
    open_file(&l);
    place_sections(&l);
    ObjectCode image = {.size = sizeof(ImageHeader) + l.code_size};
    image.bytes = calloc(1, image.size);
    if (!image.bytes) out_of_memory();
    ImageHeader *header = image.bytes;
    *header = (ImageHeader){.magic = IMAGE_MAGIC, .size = l.code_size};
    strncpy(header->name, name, sizeof header->name - 1);
    l.code = (char *)(header + 1);
    fill(&l);
    header->entry = find_entry(&l);
    return image;
}

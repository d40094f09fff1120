#include "ir/kernel/module.h"
#include <inttypes.h>

bool region_overlaps(const Region *a, const Region *b)
{
    if (a->place != b->place || (a->place != PLACE_arena && a->index != b->index)) return false;
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static const char *const place_name[] = {[PLACE_arena] = "arena",
                                         [PLACE_state] = "state",
                                         [PLACE_input] = "input",
                                         [PLACE_output] = "output",
                                         [PLACE_literal] = "literal"};

static void print_ports(Text *out, const char *word, const Port *port, uint32_t count,
                        const Names *names)
{
    for (uint32_t i = 0; i < count; i++) {
        text_add(out, "  %s %u %s: ", word, i, name_text(names, port[i].name));
        shape_print(out, port[i].type, &port[i].shape);
        text_add(out, "\n");
    }
}

/* b0 arena+4096 (2560), b1 state 3: where, then bytes. */
static void print_binding(Text *out, uint32_t buffer, const Region *region)
{
    text_add(out, "%s b%u %s", buffer ? "," : "", buffer, place_name[region->place]);
    if (region->place != PLACE_arena) text_add(out, " %u", region->index);
    if (region->place == PLACE_arena || region->offset)
        text_add(out, " + %" PRId64, region->offset);
    text_add(out, " (");
    text_bytes(out, (uint64_t)region->bytes);
    text_add(out, ")");
}

static void print_work(Text *out, int64_t flops, int64_t bytes)
{
    text_add(out, "%" PRId64 " flops, ", flops);
    text_bytes(out, (uint64_t)bytes);
    text_add(out, " moved");
}

static void print_calls(Text *out, const Module *module)
{
    for (uint32_t i = 0; i < module->call.count; i++) {
        const Call *call = &module->call.at[i];
        text_add(out, "  call %u kernel %u: %s; ", i, call->kernel, call->label ? call->label : "");
        print_work(out, call->flops, call->bytes);
        text_add(out, "\n   ");
        for (uint32_t b = 0; b < call->count; b++)
            print_binding(out, b, &call->binding[b]);
        text_add(out, "\n");
    }
}

void module_print(Text *out, const Module *module, const Names *names)
{
    text_add(out, "module %s {\n", name_text(names, module->name));
    print_ports(out, "input", module->input.at, module->input.count, names);
    print_ports(out, "output", module->output.at, module->output.count, names);
    for (uint32_t i = 0; i < module->literal.count; i++)
        text_add(out, "  literal %u: %" PRId64 " bytes\n", i, module->literal.at[i].size);
    print_calls(out, module);
    text_add(out, "  total %u calls of %u kernels; ", module->call.count, module->kernel.count);
    print_work(out, module->flops, module->bytes);
    text_add(out, "; arena ");
    text_bytes(out, (uint64_t)module->arena_bytes);
    text_add(out, ", peak ");
    text_bytes(out, (uint64_t)module->peak_bytes);
    text_add(out, "\n}\n");
    for (uint32_t i = 0; i < module->kernel.count; i++) {
        text_add(out, "\nkernel %u:\n", i);
        kernel_print(out, module->kernel.at[i]);
    }
}

#include "ir/kernel/module.h"
#include <check.h>

START_TEST(plans_read_well)
{
    Arena *arena = arena_open(&host_default);
    Names *names = names_new(arena);
    Kernel *kernel = kernel_new(arena);
    kernel_buffer(kernel, TYPE_f32, 1, false);
    kernel_buffer(kernel, TYPE_f32, 1, true);
    Access from = {.buffer = 0}, to = {.buffer = 1};
    kernel_store(kernel, &to, kernel_load(kernel, &from), false);

    const Region binding[] = {{.place = PLACE_state, .index = 3, .bytes = 4},
                              {.place = PLACE_arena, .offset = 2048, .bytes = 4}};
    Module module = {.name = name_of(names, "step"),
                     .arena_bytes = 4096,
                     .peak_bytes = 8192,
                     .flops = 7,
                     .bytes = 8};
    int64_t extent[] = {8, 3};
    *list_add(arena, &module.input) = (Port){name_of(names, "x"), TYPE_f32, shape_of(2, extent)};
    *list_add(arena, &module.output) =
        (Port){name_of(names, "loss"), TYPE_f32, shape_of(0, extent)};
    *list_add(arena, &module.literal) = (Literal){NULL, 12};
    *list_add(arena, &module.kernel) = kernel;
    *list_add(arena, &module.call) =
        (Call){.count = 2, .binding = binding, .label = "copy fc1", .flops = 7, .bytes = 8};

    Text text = {.arena = arena};
    module_print(&text, &module, names);
    ck_assert_str_eq(text_done(&text),
                     "module step {\n"
                     "  input 0 x: f32[8, 3]\n"
                     "  output 0 loss: f32[]\n"
                     "  literal 0: 12 bytes\n"
                     "  call 0 kernel 0: copy fc1; 7 flops, 8 B moved\n"
                     "    b0 state 3 (4 B), b1 arena + 2048 (4 B)\n"
                     "  total 1 calls of 1 kernels; 7 flops, 8 B moved; arena 4 KiB, peak 8 KiB\n"
                     "}\n"
                     "\n"
                     "kernel 0:\n"
                     "kernel {\n"
                     "  buffer b0 f32[1]\n"
                     "  buffer b1 f32[1] out\n"
                     "  %1 = load b0 [] : f32\n"
                     "  store b1 [] = %1\n"
                     "}\n");
    arena_close(arena);
}
END_TEST

Suite *suite_module(void);
Suite *suite_module(void)
{
    Suite *suite = suite_create("module");
    TCase *tests = tcase_create("module");
    tcase_add_test(tests, plans_read_well);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Which states lie in panels, and that nothing moves them while an entry runs. */
#include "tests/unit/graph_text.h"
#include <stdio.h>

/* A layer of 512 inputs with what Adam keeps, whose update is all that is done with it. */
static const char *const layer = "state w: f32[256, 512] parameter\n"
                                 "state m: f32[256, 512] optimizer\n"
                                 "state v: f32[256, 512] optimizer\n"
                                 "entry step (x: f32[8, 512]) {\n"
                                 "  %1 = read w : f32[256, 512]\n"
                                 "  %2 = dot x, %1 mk,nk->mn : f32[8, 256]\n"
                                 "  %3 = mul %2, %2 : f32[8, 256]\n"
                                 "  %4 = sum %3 [0, 1] : f32[]\n"
                                 "  %5 = gradient %4, %1 : f32[256, 512]\n"
                                 "  %6 = read m : f32[256, 512]\n"
                                 "  %7 = constant 0.9 : f32[256, 512]\n"
                                 "  %8 = mul %6, %7 : f32[256, 512]\n"
                                 "  %9 = add %8, %5 : f32[256, 512]\n"
                                 "  %10 = read v : f32[256, 512]\n"
                                 "  %11 = mul %5, %5 : f32[256, 512]\n"
                                 "  %12 = add %10, %11 : f32[256, 512]\n"
                                 "  %13 = sqrt %12 : f32[256, 512]\n"
                                 "  %14 = broadcast %4 [] : f32[256, 512]\n"
                                 "  %15 = div %9, %13 : f32[256, 512]\n"
                                 "  %16 = mul %15, %14 : f32[256, 512]\n"
                                 "  %17 = sub %1, %16 : f32[256, 512]\n"
                                 "  output loss = %4\n"
                                 "  write w = %17\n"
                                 "  write m = %9\n"
                                 "  write v = %12\n"
                                 "}\n";

static Program *place(Kit *kit, const char *text, EntryKind kind, const bool *fixed)
{
    Program *program = text_program(kit, text);
    static const bool none[8];
    passes_place(program, program->entry[kind], fixed ? fixed : none, kit->arena);
    return program;
}

/* Stored as [a, b, ..], say. */
static const char *stored(Kit *kit, const Program *program, const char *name)
{
    const State *state = program_state(program, name_of(kit->names, name));
    Shape shape = state_stored(state);
    Text text = {.arena = kit->arena};
    shape_print(&text, state->type, &shape);
    return text_done(&text);
}

START_TEST(what_is_updated_together_lies_alike)
{
    Kit kit = kit_open(1);
    Program *program = place(&kit, layer, ENTRY_step, NULL);
    ck_assert_str_eq(stored(&kit, program, "w"), "f32[16, 256, 32]");
    ck_assert_str_eq(stored(&kit, program, "m"), "f32[16, 256, 32]");
    ck_assert_str_eq(stored(&kit, program, "v"), "f32[16, 256, 32]");
    kit_close(&kit);
}
END_TEST

START_TEST(nothing_moves_them)
{
    Kit kit = kit_open(1);
    Program *program = place(&kit, layer, ENTRY_step, NULL);
    Context context = {.arena = kit.arena, .names = kit.names};
    PassOptions options = {.verify = true, .round_trip = true, .precision = "f32"};
    const Graph *graph =
        passes_run(&context, kit.arena, program, program->entry[ENTRY_step], &options);
    const char *text = kit_text(&kit, graph);
    ck_assert_msg(!strstr(text, "transpose"), "%s", text);
    ck_assert_msg(strstr(text, "= read w : f32[16, 256, 32]") != NULL, "%s", text);
    for (uint32_t i = 0; i < graph->result.count; i++)
        if (graph->result.at[i].kind == RESULT_write)
            ck_assert_int_eq(graph_shape(graph, graph->result.at[i].value)->rank, 3);
    kit_close(&kit);
}
END_TEST

START_TEST(what_is_fixed_stays)
{
    Kit kit = kit_open(1);
    const bool fixed[] = {false, true, false};
    Program *program = place(&kit, layer, ENTRY_step, fixed);
    ck_assert_str_eq(stored(&kit, program, "w"), "f32[256, 512]");
    ck_assert_str_eq(stored(&kit, program, "m"), "f32[256, 512]");
    kit_close(&kit);
}
END_TEST

#define CONVOLUTION(entry, write)                                                                  \
    "state c: f32[64, 3, 3, 3] parameter\n"                                                        \
    "state w: f32[64, 2304] parameter\n"                                                           \
    "entry " entry " (x: f32[2, 3, 8, 8]) {\n"                                                     \
    "  %1 = read c : f32[64, 3, 3, 3]\n"                                                           \
    "  %2 = conv x, %1 nchi,ockl->noyx h=y+k i=x+l : f32[2, 64, 6, 6]\n"                           \
    "  %3 = exp %2 : f32[2, 64, 6, 6]\n"                                                           \
    "  %4 = reshape %3 : f32[2, 2304]\n"                                                           \
    "  %5 = tanh %4 : f32[2, 2304]\n"                                                              \
    "  %6 = read w : f32[64, 2304]\n"                                                              \
    "  %7 = dot %5, %6 mk,nk->mn : f32[2, 64]\n"                                                   \
    "  output y = %7\n" write "}\n"

/* As a convolution leaves its channels innermost, so are they in the panels of what follows it. */
START_TEST(flattened_images_have_their_channels_innermost)
{
    Kit kit = kit_open(1);
    Program *program = place(&kit, CONVOLUTION("step", "  write w = %6\n"), ENTRY_step, NULL);
    ck_assert_str_eq(stored(&kit, program, "c"), "f32[64, 3, 3, 3]");
    ck_assert_str_eq(stored(&kit, program, "w"), "f32[36, 2, 64, 32]");
    const Storage *storage = &program_state(program, name_of(kit.names, "w"))->storage;
    ck_assert_int_eq(storage->split.extent[storage->order.at[0]], 36);
    ck_assert_int_eq(storage->order.at[0], 3);
    ck_assert_int_eq(storage->order.at[1], 1);
    kit_close(&kit);
}
END_TEST

/* Where weights are only multiplied by: the outputs or filters innermost, panels of them where they make whole ones. */
START_TEST(what_is_only_read_lies_as_it_is_read)
{
    Kit kit = kit_open(1);
    Program *program = place(&kit, CONVOLUTION("predict", ""), ENTRY_predict, NULL);
    ck_assert_str_eq(stored(&kit, program, "c"), "f32[3, 3, 3, 64]");
    ck_assert_str_eq(stored(&kit, program, "w"), "f32[2, 36, 64, 32]");
    Context context = {.arena = kit.arena, .names = kit.names};
    PassOptions options = {.verify = true, .round_trip = true, .precision = "f32"};
    const Graph *graph =
        passes_run(&context, kit.arena, program, program->entry[ENTRY_predict], &options);
    const char *text = kit_text(&kit, graph);
    ck_assert_msg(!strstr(text, "transpose"), "%s", text);
    ck_assert_msg(strstr(text, "= read c : f32[3, 3, 3, 64]") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "= read w : f32[2, 36, 64, 32]") != NULL, "%s", text);

    program = place(&kit,
                    "state w: f32[500, 30] parameter\n"
                    "state r: f32[64, 30] parameter\n"
                    "state s: f32[16, 30] parameter\n"
                    "entry predict (x: f32[8, 30], y: f32[2, 30]) {\n"
                    "  %1 = read w : f32[500, 30]\n"
                    "  %2 = dot x, %1 mk,nk->mn : f32[8, 500]\n"
                    "  %3 = read r : f32[64, 30]\n"
                    "  %4 = dot x, %3 mk,nk->mn : f32[8, 64]\n"
                    "  %5 = dot y, %3 mk,nk->mn : f32[2, 64]\n"
                    "  %6 = read s : f32[16, 30]\n"
                    "  %7 = dot x, %6 mk,nk->mn : f32[8, 16]\n"
                    "  output a = %2\n  output b = %4\n  output c = %5\n  output d = %7\n}\n",
                    ENTRY_predict, NULL);
    ck_assert_str_eq(stored(&kit, program, "w"), "f32[30, 500]");
    ck_assert_str_eq(stored(&kit, program, "r"), "f32[2, 30, 32]");
    ck_assert_str_eq(stored(&kit, program, "s"), "f32[16, 30]");
    kit_close(&kit);
}
END_TEST

/* Small, read in parts, in several products, or of inputs that make no whole panels. */
START_TEST(others_stay_as_they_are)
{
    static const char *const use[] = {
        "  %2 = slice %1 [0:1, 0:1] : f32[1, 512]\n",
        "  %2 = transpose %1 [1, 0] : f32[512, 256]\n",
        "  %2 = gather %1, i 0 : f32[2, 512]\n",
        "  %4 = exp x : f32[8, 512]\n  %2 = dot %4, %1 mk,nk->mn : f32[8, 256]\n",
    };
    Kit kit = kit_open(1);
    for (size_t i = 0; i < sizeof use / sizeof *use; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "state w: f32[256, 512] parameter\n"
                 "entry step (x: f32[8, 512], i: i32[2]) {\n"
                 "  %%1 = read w : f32[256, 512]\n%s"
                 "  %%3 = dot x, %%1 mk,nk->mn : f32[8, 256]\n"
                 "  output y = %%3\n  output z = %%2\n  write w = %%1\n}\n",
                 use[i]);
        ck_assert_str_eq(stored(&kit, place(&kit, text, ENTRY_step, NULL), "w"), "f32[256, 512]");
    }
    static const char *const odd = "state w: f32[512, 500] parameter\n"
                                   "state s: f32[256, 256] parameter\n"
                                   "entry step (x: f32[8, 500], y: f32[8, 256]) {\n"
                                   "  %1 = read w : f32[512, 500]\n"
                                   "  %2 = dot x, %1 mk,nk->mn : f32[8, 512]\n"
                                   "  %3 = read s : f32[256, 256]\n"
                                   "  %4 = dot y, %3 mk,nk->mn : f32[8, 256]\n"
                                   "  output a = %2\n  output b = %4\n"
                                   "  write w = %1\n  write s = %3\n}\n";
    Program *program = place(&kit, odd, ENTRY_step, NULL);
    ck_assert_str_eq(stored(&kit, program, "w"), "f32[512, 500]");
    ck_assert_str_eq(stored(&kit, program, "s"), "f32[256, 256]");
    kit_close(&kit);
}
END_TEST

Suite *suite_states(void);
Suite *suite_states(void)
{
    Suite *suite = suite_create("states");
    TCase *tests = tcase_create("states");
    tcase_add_test(tests, what_is_updated_together_lies_alike);
    tcase_add_test(tests, nothing_moves_them);
    tcase_add_test(tests, what_is_fixed_stays);
    tcase_add_test(tests, flattened_images_have_their_channels_innermost);
    tcase_add_test(tests, what_is_only_read_lies_as_it_is_read);
    tcase_add_test(tests, others_stay_as_they_are);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Merging of axes keeps the meaning; schedules keep their own rules, whatever the kernel. */
#include "ir/kernel/schedule.h"
#include "tests/unit/random_kernel.h"
#include <check.h>
#include <string.h>

static const ScheduleTarget machine = {16, 32, 2, 48 << 10, 2 << 20};

static bool is_reduction_free(const Kernel *kernel)
{
    for (uint32_t i = 1; i < kernel->scalar.count; i++)
        if (kernel->scalar.at[i].op == SCALAR_reduce) return false;
    return true;
}

START_TEST(merging_keeps_the_meaning)
{
    Arena *arena = arena_open(&host_default);
    for (int kind = 0; kind < RANDOM_KIND_COUNT; kind++)
        for (uint64_t seed = 100; seed < 115; seed++) {
            Kernel *kernel = random_kernel((RandomKind)kind, seed, arena);
            Contraction contraction;
            bool is_contraction = contraction_of(kernel, &contraction);
            Kernel *merged =
                kernel_merge_axes(kernel, is_contraction ? &contraction : NULL, (Axis){0}, arena);
            Contraction again;
            /* Merged away, an axis may no longer tell the factors apart: then the interpreter does not know. */
            if (contraction_of(merged, &again) != is_contraction) continue;
            Buffers a = random_buffers(kernel, seed, false, arena);
            Buffers b = random_buffers(kernel, seed, false, arena);
            kernel_interpret(kernel, a.at);
            kernel_interpret(merged, b.at);
            int64_t element;
            ck_assert_int_lt(buffers_differ(kernel, &a, &b, &element), 0);
            buffers_free(&a);
            buffers_free(&b);
        }
    arena_close(arena);
}
END_TEST

START_TEST(contiguous_axes_become_one)
{
    Arena *arena = arena_open(&host_default);
    Kernel *kernel = kernel_new(arena);
    Access access = {.rank = 3, .stride = {35, 7, 1}};
    static const int64_t extent[] = {3, 5, 7};
    for (int d = 0; d < 3; d++) {
        Axis axis = kernel_axis(kernel, AXIS_parallel, extent[d]);
        access.at[d] = (Coordinate){.affine = affine_axis(axis), .divisor = 1, .extent = extent[d]};
    }
    access.buffer = kernel_buffer(kernel, TYPE_f32, 105, false);
    Scalar value = kernel_load(kernel, &access);
    access.buffer = kernel_buffer(kernel, TYPE_f32, 105, true);
    kernel_store(kernel, &access, value, false);
    ck_assert(is_reduction_free(kernel));
    Kernel *merged = kernel_merge_axes(kernel, NULL, (Axis){0}, arena);
    ck_assert_int_eq(merged->axis.at[0].extent, 1);
    ck_assert_int_eq(merged->axis.at[1].extent, 1);
    ck_assert_int_eq(merged->axis.at[2].extent, 105);
    arena_close(arena);
}
END_TEST

static void check_tasks(const Kernel *kernel, const Schedule *s)
{
    int64_t tasks = 1;
    for (uint32_t i = 0; i < s->task_count; i++) {
        const AxisInfo *axis = &kernel->axis.at[s->task[i].axis.id - 1];
        ck_assert_int_eq(axis->kind, AXIS_parallel);
        ck_assert_int_ge(s->task[i].block, 1);
        tasks *= (axis->extent + s->task[i].block - 1) / s->task[i].block;
        if (s->task[i].axis.id == s->vector.id) ck_assert_int_eq(s->task[i].block % s->width, 0);
        for (uint32_t k = 0; k < i; k++)
            ck_assert_uint_ne(s->task[k].axis.id, s->task[i].axis.id);
    }
    ck_assert_int_eq(tasks, s->tasks);
    ck_assert_int_ge(s->tasks, 1);
}

static void check_registers(const Schedule *s)
{
    if (!s->contraction) return;
    if (s->products == PRODUCTS_tiles) {
        ck_assert_uint_le(s->rows, 32);
        ck_assert_uint_le(s->vectors, 2);
        ck_assert_int_eq(s->k % 32, 0);
        ck_assert_int_eq(s->depth % 32, 0);
    } else {
        ck_assert_uint_le(s->rows * s->vectors + s->vectors + 1, machine.registers);
    }
    uint32_t rows = 1;
    for (uint32_t i = 0; i < s->tile_count; i++)
        rows *= (uint32_t)s->tile[i].block;
    ck_assert_uint_eq(rows, s->rows);
}

START_TEST(schedules_keep_their_rules)
{
    Arena *arena = arena_open(&host_default);
    for (int kind = 0; kind < RANDOM_KIND_COUNT; kind++)
        for (uint64_t seed = 0; seed < 200; seed++) {
            Kernel *kernel = random_kernel((RandomKind)kind, seed, arena);
            Contraction contraction;
            const Contraction *of = contraction_of(kernel, &contraction) ? &contraction : NULL;
            kernel = kernel_merge_axes(kernel, of, (Axis){0}, arena);
            ScheduleTarget target = machine;
            target.products = (Products)(seed % 3);
            target.integer_steps = (uint32_t)(seed / 3 % 3);
            Schedule schedule = schedule_default(kernel, of, &target, NULL, NULL, arena);
            check_tasks(kernel, &schedule);
            check_registers(&schedule);
        }
    arena_close(arena);
}
END_TEST

static const Kernel *parsed(const char *text, Arena *arena)
{
    Context context = {.arena = arena, .sources = sources_new(arena)};
    context.report = report_new(arena, context.sources);
    uint32_t source = sources_add(context.sources, "kernel", text, strlen(text), false);
    const Kernel *kernel = kernel_parse(&context, arena, source);
    ck_assert_ptr_nonnull(kernel);
    ck_assert_ptr_null(kernel_verify(kernel, arena));
    return kernel;
}

/* Maxima of windows, read channels last and written channels first: `stored` is the place of the result, `times` how often it
 * is written. */
static Schedule pooling(const char *stored, int times, const Kernel **kernel, Arena *arena)
{
    Text text = {.arena = arena};
    text_add(&text,
             "kernel {\n axis i 37\n axis j 19\n axis k %d\n axis l 2 reduction\n"
             " buffer b0 f32[1406]\n buffer b1 f32[2109] out\n"
             " %%1 = load b0 [i + 74*j + 37*l : 1406] : f32\n %%2 = reduce max l %%1 : f32\n"
             " store b1 [%s] = %%2\n}\n",
             times, stored);
    *kernel = parsed(text_done(&text), arena);
    return schedule_default(*kernel, NULL, &machine, NULL, NULL, arena);
}

START_TEST(what_lies_across_is_stored_by_blocks)
{
    Arena *arena = arena_open(&host_default);
    const Kernel *kernel;
    Schedule s = pooling("j + 19*i : 2109", 1, &kernel, arena);
    ck_assert_uint_eq(s.vector.id, 1);
    ck_assert_uint_eq(s.across.id, 2);
    ck_assert(schedule_lies_across(&s, kernel, &kernel->store.at[0].at));
    ck_assert_int_eq(s.scratch, 16 * 16 * 4);
    s = pooling("i + 37*j : 2109", 1, &kernel, arena);
    ck_assert_uint_eq(s.across.id, 0);
    s = pooling("57*i + 19*k + j : 2109", 3, &kernel, arena); /* a block holds one point of k */
    ck_assert(!schedule_lies_across(&s, kernel, &kernel->store.at[0].at));
    arena_close(arena);
}
END_TEST

START_TEST(guards_are_copied_inside_a_loop_over_images)
{
    static const char text[] =
        "kernel {\n axis i 1024\n axis j 8\n axis k 32\n axis l 64 reduction\n axis m 2 reduction\n"
        " buffer b0 f32[524288]\n buffer b1 f32[18426]\n buffer b2 f32[262144] out\n"
        " %1 = load b0 [j - m + 1 ? : 8 * 64, 512*i + l : 524288] : f32\n"
        " %2 = load b1 [9*k + 288*l + 2*m : 18426] : f32\n %3 = mul %1, %2 : f32\n"
        " %4 = reduce add l m %3 : f32\n store b2 [256*i + 32*j + k : 262144] = %4\n}\n";
    Arena *arena = arena_open(&host_default);
    const Kernel *kernel = parsed(text, arena);
    Contraction contraction;
    ck_assert(contraction_of(kernel, &contraction));
    Schedule s = schedule_default(kernel, &contraction, &machine, NULL, NULL, arena);
    ck_assert_uint_eq(s.tile_count, 1);
    ck_assert_uint_eq(s.tile[0].axis.id, 2);
    ck_assert_uint_eq(s.copy_count, 1);
    arena_close(arena);
}
END_TEST

/* The gradient by the inputs, or by the weights, of which the panels are axis 3: what is stored lies along it, or along the rows. */
START_TEST(rows_stay_where_panels_lie_side_by_side)
{
    static const char *const stored[] = {"5408*i + j + 32*k", "32*i + j + 4096*k"};
    Arena *arena = arena_open(&host_default);
    for (int by_weights = 0; by_weights < 2; by_weights++) {
        Text text = {.arena = arena};
        text_add(&text,
                 "kernel {\n axis i 128\n axis j 32\n axis k 169\n axis l 128 reduction\n"
                 " buffer b0 f32[16384]\n buffer b1 f32[692224]\n buffer b2 f32[692224] out\n"
                 " %%1 = load b0 [128*i + l : 16384] : f32\n"
                 " %%2 = load b1 [j + 4096*k + 32*l : 692224] : f32\n %%3 = mul %%1, %%2 : f32\n"
                 " %%4 = reduce add l %%3 : f32\n store b2 [%s : 692224] = %%4\n}\n",
                 stored[by_weights]);
        const Kernel *kernel = parsed(text_done(&text), arena);
        Contraction contraction;
        ck_assert(contraction_of(kernel, &contraction));
        Schedule s = schedule_default(kernel, &contraction, &machine, NULL, NULL, arena);
        ck_assert_uint_eq(s.vector.id, 2);
        ck_assert_int_eq(s.rows_first, !by_weights);
    }
    arena_close(arena);
}
END_TEST

static Schedule attention(const char *condition, const char *factor, const char *stored,
                          Arena *arena)
{
    Text text = {.arena = arena};
    text_add(&text,
             "kernel {\n axis i 8\n axis j 256\n axis k 256\n axis l 256 reduction\n"
             " buffer b0 f32[524288]\n buffer b1 f32[524288]\n buffer b2 f32[524288] out\n"
             " %%1 = load b0 [65536*i + 256*j + l : 524288] : f32\n"
             " %%2 = load b1 [65536*i + k + 256*l : 524288] : f32\n"
             " %%3 = index %s : i32\n %%4 = index j : i32\n %%5 = %s %%3, %%4 : bool\n"
             " %%6 = zero_unless %%5, %%1 : f32\n %%7 = mul %s, %%2 : f32\n"
             " %%8 = reduce add l %%7 : f32\n %%9 = constant -1 : f32\n"
             " %%10 = select %%5, %%8, %%9 : f32\n"
             " store b2 [65536*i + 256*j + k : 524288] = %s\n}\n",
             strcmp(factor, "%6") ? "k" : "l", condition, factor, stored);
    const Kernel *kernel = parsed(text_done(&text), arena);
    Contraction contraction;
    ck_assert(contraction_of(kernel, &contraction));
    ck_assert_uint_eq(contraction.a.id, 1);
    return schedule_default(kernel, &contraction, &machine, NULL, NULL, arena);
}

START_TEST(sums_end_where_the_rest_is_nothing)
{
    Arena *arena = arena_open(&host_default);
    ck_assert_int_eq(attention("less_equal", "%6", "%8", arena).range, 1);
    ck_assert_int_eq(attention("less", "%6", "%8", arena).range, 1);
    ck_assert_int_eq(attention("equal", "%6", "%8", arena).range, 0);
    ck_assert_int_eq(attention("less_equal", "%1", "%8", arena).range, 0);
    ck_assert_int_eq(attention("less_equal", "%1", "%10", arena).wanted, 1);
    ck_assert_int_eq(attention("less_equal", "%1", "%8", arena).wanted, 0);
    ck_assert_int_eq(attention("equal", "%1", "%10", arena).wanted, 0);
    arena_close(arena);
}
END_TEST

static bool same_text(const Schedule *a, const Schedule *b, Arena *arena)
{
    Text x = {.arena = arena}, y = {.arena = arena};
    schedule_print(&x, a);
    schedule_print(&y, b);
    return !strcmp(text_done(&x), text_done(&y));
}

/* Choices of a contraction: each another schedule, the first the model's own. */
static void check_choices(const Kernel *kernel, const Contraction *of, const ScheduleTarget *target,
                          Arena *arena)
{
    ScheduleChoice choice[CHOICE_MOST], none = {0};
    Schedule schedule[CHOICE_MOST], own = schedule_default(kernel, of, target, NULL, NULL, arena);
    uint32_t count = schedule_choices(kernel, of, target, NULL, &none, choice, arena);
    ck_assert_uint_ge(count, 1);
    ck_assert_uint_le(count, CHOICE_MOST);
    ck_assert(choice_is_none(&choice[0]));
    for (uint32_t i = 0; i < count; i++) {
        schedule[i] = schedule_default(kernel, of, target, NULL, &choice[i], arena);
        check_tasks(kernel, &schedule[i]);
        check_registers(&schedule[i]);
        ck_assert_int_le(schedule[i].scratch, own.scratch + target->l2);
        if (i > 1) ck_assert_double_ge(schedule[i].cost, schedule[i - 1].cost);
        for (uint32_t k = 0; k < i; k++)
            ck_assert(!same_text(&schedule[i], &schedule[k], arena));
    }
    ck_assert(same_text(&schedule[0], &own, arena));
}

/* y = a' b, each of `k` rows. */
static Schedule gradient(int64_t m, int64_t n, int64_t k, Arena *arena)
{
    Text text = {.arena = arena};
    text_add(&text,
             "kernel {\n axis i %ld\n axis j %ld\n axis k %ld reduction\n"
             " buffer b0 f32[%ld]\n buffer b1 f32[%ld]\n buffer b2 f32[%ld] out\n"
             " %%1 = load b0 [i + %ld*k : %ld] : f32\n %%2 = load b1 [j + %ld*k : %ld] : f32\n"
             " %%3 = mul %%1, %%2 : f32\n %%4 = reduce add k %%3 : f32\n"
             " store b2 [%ld*i + j : %ld] = %%4\n}\n",
             (long)m, (long)n, (long)k, (long)(m * k), (long)(n * k), (long)(m * n), (long)m,
             (long)(m * k), (long)n, (long)(n * k), (long)n, (long)(m * n));
    const Kernel *kernel = parsed(text_done(&text), arena);
    Contraction contraction;
    ck_assert(contraction_of(kernel, &contraction));
    Schedule schedule = schedule_default(kernel, &contraction, &machine, NULL, NULL, arena);
    check_tasks(kernel, &schedule);
    return schedule;
}

START_TEST(long_gradients_are_packed_tile_by_tile)
{
    Arena *arena = arena_open(&host_default);
    Schedule s = gradient(640, 512, 2048, arena);
    ck_assert_int_eq(s.pack_a, PACK_A_tiles);
    ck_assert(s.waits && s.pack && !s.a_transposed);
    ck_assert_int_le(s.k * s.vectors * s.width * 4, machine.l1);
    ck_assert_int_ne(gradient(640, 512, 128, arena).pack_a, PACK_A_tiles);
    ck_assert_int_ne(gradient(16, 512, 2048, arena).pack_a, PACK_A_tiles);
    arena_close(arena);
}
END_TEST

/* As of the weights of a large vocabulary: all of them at once would take 150 MB. */
START_TEST(few_sums_wait_at_a_time)
{
    Arena *arena = arena_open(&host_default);
    Schedule s = gradient(50257, 768, 2048, arena);
    ck_assert(s.waits);
    ck_assert_int_le(s.scratch, 12 << 20);
    arena_close(arena);
}
END_TEST

START_TEST(choices_keep_the_rules)
{
    Arena *arena = arena_open(&host_default);
    uint32_t several = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        static const RandomKind kinds[] = {RANDOM_contraction_of_bf16, RANDOM_contraction,
                                           RANDOM_contraction_of_bytes};
        RandomKind kind = kinds[seed / 3 % 3];
        Kernel *kernel = random_kernel(kind, seed, arena);
        Contraction contraction;
        if (!contraction_of(kernel, &contraction)) continue;
        kernel = kernel_merge_axes(kernel, &contraction, (Axis){0}, arena);
        ScheduleTarget target = machine;
        target.products = (Products)(seed % 3);
        target.integer_steps = (uint32_t)(seed % 3);
        check_choices(kernel, &contraction, &target, arena);
        several++;
    }
    ck_assert_uint_gt(several, 20);
    arena_close(arena);
}
END_TEST

START_TEST(choices_are_written)
{
    Arena *arena = arena_open(&host_default);
    Text text = {.arena = arena}, nothing = {.arena = arena};
    choice_print(&text, &(ScheduleChoice){.rows = 6, .panels = 4});
    ck_assert_str_eq(text_done(&text), "rows 6, panels 4");
    choice_print(&nothing, &(ScheduleChoice){0});
    ck_assert_str_eq(text_done(&nothing), "");
    arena_close(arena);
}
END_TEST

Suite *suite_schedule(void);
Suite *suite_schedule(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, merging_keeps_the_meaning);
    tcase_add_test(tests, contiguous_axes_become_one);
    tcase_add_test(tests, schedules_keep_their_rules);
    tcase_add_test(tests, what_lies_across_is_stored_by_blocks);
    tcase_add_test(tests, guards_are_copied_inside_a_loop_over_images);
    tcase_add_test(tests, rows_stay_where_panels_lie_side_by_side);
    tcase_add_test(tests, sums_end_where_the_rest_is_nothing);
    tcase_add_test(tests, long_gradients_are_packed_tile_by_tile);
    tcase_add_test(tests, few_sums_wait_at_a_time);
    tcase_add_test(tests, choices_keep_the_rules);
    tcase_add_test(tests, choices_are_written);
    suite_add_tcase(suite, tests);
    return suite;
}

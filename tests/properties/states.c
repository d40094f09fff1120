/* An entry computes the same however its states lie: random storages, the same ones for states that are computed with each other or
 * others, against the entry as it was.  On integers, where every order of addition is exact. */
#include "tests/unit/graph_text.h"

#define STORAGES 200

/* Weights in products over either axis, in a loss, with moments, turned round, in parts; and a state of three axes. */
static const char *const text = "state w: f32[8, 12] parameter\n"
                                "state m: f32[8, 12] optimizer\n"
                                "state u: f32[12, 8] parameter\n"
                                "state c: f32[4, 6, 2] buffer\n"
                                "entry step (x: f32[3, 12], t: f32[3, 8]) {\n"
                                "  %1 = read w : f32[8, 12]\n"
                                "  %2 = dot x, %1 mk,nk->mn : f32[3, 8]\n"
                                "  %3 = read u : f32[12, 8]\n"
                                "  %4 = dot %3, x kn,mk->nm : f32[8, 3]\n"
                                "  %5 = transpose %4 [1, 0] : f32[3, 8]\n"
                                "  %6 = sub %2, t : f32[3, 8]\n"
                                "  %7 = mul %6, %5 : f32[3, 8]\n"
                                "  %8 = mul %1, %1 : f32[8, 12]\n"
                                "  %9 = sum %8 [0, 1] : f32[]\n"
                                "  %10 = sum %7 [0, 1] : f32[]\n"
                                "  %11 = add %9, %10 : f32[]\n"
                                "  %12 = gradient %11, %1 : f32[8, 12]\n"
                                "  %13 = gradient %11, %3 : f32[12, 8]\n"
                                "  %14 = read m : f32[8, 12]\n"
                                "  %15 = constant 3 : f32[8, 12]\n"
                                "  %16 = mul %14, %15 : f32[8, 12]\n"
                                "  %17 = add %16, %12 : f32[8, 12]\n"
                                "  %18 = broadcast %9 [] : f32[8, 12]\n"
                                "  %19 = less %17, %18 : bool[8, 12]\n"
                                "  %20 = select %19, %17, %1 : f32[8, 12]\n"
                                "  %21 = sum %12 [1] : f32[8]\n"
                                "  %22 = slice %1 [1:1, 0:5] : f32[6, 3]\n"
                                "  %23 = read c : f32[4, 6, 2]\n"
                                "  %24 = reshape %23 : f32[6, 8]\n"
                                "  %25 = dot %24, %1 an,nk->ak : f32[6, 12]\n"
                                "  %26 = add %23, %23 : f32[4, 6, 2]\n"
                                "  %27 = sub %3, %13 : f32[12, 8]\n"
                                "  output loss = %11\n"
                                "  output rows = %21\n"
                                "  output part = %22\n"
                                "  output other = %25\n"
                                "  write w = %20\n"
                                "  write m = %17\n"
                                "  write u = %27\n"
                                "  write c = %26\n"
                                "}\n";

static int64_t divisor_of(Kit *kit, int64_t n)
{
    int64_t divisor = random_from(&kit->random, 1, n);
    while (n % divisor != 0)
        divisor--;
    return divisor;
}

static Storage random_storage(Kit *kit, const Shape *shape)
{
    Storage storage = {0};
    if (random_once_in(&kit->random, 4)) return storage;
    for (int d = 0; d < shape->rank; d++) {
        int64_t inner = divisor_of(kit, shape->extent[d]);
        if (inner < shape->extent[d])
            storage.split.extent[storage.split.rank++] = shape->extent[d] / inner;
        if (inner > 1) storage.split.extent[storage.split.rank++] = inner;
    }
    storage.order.count = storage.split.rank;
    for (uint8_t i = 0; i < storage.order.count; i++) {
        uint8_t at = (uint8_t)random_from(&kit->random, 0, i);
        storage.order.at[i] = storage.order.at[at];
        storage.order.at[at] = i;
    }
    return storage;
}

/* Where element i of the row-major order lies. */
static int64_t place_of(const State *state, int64_t i)
{
    const Storage *storage = &state->storage;
    if (!storage->split.rank) return i;
    Shape stored = state_stored(state);
    int64_t own[MAX_RANK], place = 0, stride[MAX_RANK];
    shape_strides(&stored, own);
    for (int d = 0; d < stored.rank; d++)
        stride[storage->order.at[d]] = own[d];
    for (int d = storage->split.rank; d-- > 0;) {
        place += i % storage->split.extent[d] * stride[d];
        i /= storage->split.extent[d];
    }
    return place;
}

static Feed stored_feed(Kit *kit, const Program *program, const Feed *feed)
{
    Feed stored = *feed;
    for (int l = 0; l < stored.count; l++) {
        const State *state = program_state(program, stored.leaf[l].name);
        const double *from = feed->leaf[l].at;
        if (!state) continue;
        stored.leaf[l].at = arena_array(kit->arena, double, stored.leaf[l].count);
        for (int64_t i = 0; i < stored.leaf[l].count; i++)
            stored.leaf[l].at[place_of(state, i)] = from[i];
    }
    return stored;
}

static const double *plain_result(Kit *kit, const Program *program, const Result *result,
                                  const double *values, int64_t count)
{
    const State *state = result->kind == RESULT_write ? program_state(program, result->name) : NULL;
    if (!state) return values;
    double *plain = arena_array(kit->arena, double, count);
    for (int64_t i = 0; i < count; i++)
        plain[i] = values[place_of(state, i)];
    return plain;
}

START_TEST(compute_the_same)
{
    Kit kit = kit_open((uint64_t)_i);
    Program *program = text_program(&kit, text);
    Graph *entry = program->entry[ENTRY_step];
    Feed feed = kit_feed(&kit, entry, DATA_integers, DOMAIN_any);
    double **expected = kit_evaluate(&kit, kit_differentiate(&kit, entry), &feed, true);

    for (uint32_t i = 0; i < program->state.count; i++)
        program->state.at[i].storage = random_storage(&kit, &program->state.at[i].shape);
    if (random_once_in(&kit.random, 2)) program->state.at[1].storage = program->state.at[0].storage;
    Context context = {.arena = kit.arena, .names = kit.names};
    PassOptions options = {.verify = true, .round_trip = true, .precision = "f32"};
    const Graph *passed = passes_run(&context, kit.arena, program, entry, &options);
    Feed stored = stored_feed(&kit, program, &feed);
    double **got = kit_evaluate(&kit, passed, &stored, true);
    for (uint32_t i = 0; i < entry->result.count; i++) {
        int64_t count = shape_elements(graph_shape(entry, entry->result.at[i].value));
        const double *plain = plain_result(&kit, program, &passed->result.at[i], got[i], count);
        const char *wrong = kit_difference(&kit, plain, expected[i], count, 0, 0);
        ck_assert_msg(!wrong, "result %u: %s\n%s", i, wrong, kit_text(&kit, passed));
    }
    kit_close(&kit);
}
END_TEST

TCase *case_states(void);
TCase *case_states(void)
{
    TCase *tests = tcase_create("states");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, compute_the_same, 0, STORAGES);
    return tests;
}

/* What PyTorch answered (cases/, written by generate.py) against what mlc answers on every device: predictions, losses,
 * gradients, steps.  CK_RUN_CASE=cpu|reference runs one device; MLC_CASE=conv only the cases whose name begins so. */
#include "runtime/core/tensor.h"
#include "tests/embed/kit.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER    MLC_SOURCE_DIR "/tests/conformance/torch/cases/"
/* PyTorch computed in double, so all of a difference is our rounding: f32 keeps 6e-8 of each intermediate value, and the
 * cases have sums of some hundred terms at most, through some ten layers of operations. */
#define TOLERANCE 5e-6
/* A gradient that is zero but for rounding has the rounding of what cancelled in it. */
#define FLOOR     1e-2

static char names[256][64];
static int name_count;

typedef struct Answers {
    Arena *arena;
    TensorSet set;
} Answers;

static Answers answers_open(const char *name)
{
    char path[512];
    Answers answers = {.arena = arena_open(&host_default)};
    Report *report = report_new(answers.arena, sources_new(answers.arena));
    snprintf(path, sizeof path, FOLDER "%s.safetensors", name);
    tensor_set_open(&answers.set, &host_default);
    ck_assert_msg(safetensors_read(&answers.set, path, report) == STATUS_ok, "%s cannot be read",
                  path);
    return answers;
}

static void answers_close(Answers *answers)
{
    tensor_set_close(&answers->set);
    arena_close(answers->arena);
}

static double largest(const TensorSet *set, const char *prefix)
{
    double reach = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const Tensor *tensor = &set->at[i];
        if (strncmp(tensor->name, prefix, strlen(prefix)) != 0) continue;
        for (int64_t k = 0; k < shape_elements(&tensor->shape); k++)
            reach = fmax(reach, fabs(tensor_element(tensor, k)));
    }
    return reach;
}

static bool same_extents(const mlc_tensor *ours, const Tensor *theirs)
{
    bool same = ours->rank == theirs->shape.rank;
    for (int i = 0; same && i < ours->rank; i++)
        same = ours->extent[i] == theirs->shape.extent[i];
    return same;
}

/* Every answer below prefix has a tensor of ours, and is close to it; how many there were. */
static int expect_answers(const Side *side, const TensorSet *set, const char *prefix,
                          const Tensors *ours)
{
    int found = 0;
    double floor = FLOOR * largest(set, prefix);
    for (uint32_t i = 0; i < set->count; i++) {
        const Tensor *wanted = &set->at[i];
        if (strncmp(wanted->name, prefix, strlen(prefix)) != 0) continue;
        const mlc_tensor *got = NULL;
        for (uint32_t k = 0; k < ours->count; k++)
            if (!strcmp(ours->at[k].name, wanted->name + strlen(prefix))) got = &ours->at[k];
        ck_assert_msg(got && same_extents(got, wanted), "%s: no `%s` of that shape", side->label,
                      wanted->name);
        double allowed = TOLERANCE * (largest(set, wanted->name) + floor);
        for (uint64_t k = 0; k < tensor_count(got); k++) {
            double a = tensor_number(got, k), b = tensor_element(wanted, (int64_t)k);
            ck_assert_msg(fabs(a - b) <= allowed,
                          "%s: `%s`[%llu] is %.9g, PyTorch says %.9g, allowed %.2g", side->label,
                          wanted->name, (unsigned long long)k, a, b, allowed);
        }
        found++;
    }
    return found;
}

/* The tensors of ours that the case gives values for: all of them, unless `partly`. */
static void take(const Side *side, const TensorSet *set, const char *prefix, const Tensors *ours)
{
    for (uint32_t i = 0; i < ours->count; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s%s", prefix, ours->at[i].name);
        const Tensor *given = tensor_set_find(set, name);
        ck_assert_msg(given && same_extents(&ours->at[i], given) &&
                          given->size == ours->at[i].bytes,
                      "%s: the case has no `%s` of our shape", side->label, name);
        memcpy(ours->at[i].data, given->bytes, given->size);
    }
}

static Tensors call_with(Side *side, const char *entry, const TensorSet *set)
{
    Tensors inputs = side_inputs(side, entry, 1);
    take(side, set, "in/", &inputs);
    Tensors outputs = side_call(side, entry, &inputs);
    tensors_free(&inputs);
    return outputs;
}

static void check_step(Side *side, const TensorSet *set, int step)
{
    char prefix[32];
    Tensors outputs = call_with(side, "step", set), weights = side_weights(side);
    snprintf(prefix, sizeof prefix, "step/%d/", step);
    expect_answers(side, set, prefix, &weights);
    snprintf(prefix, sizeof prefix, "rate/%d", step);
    const Tensor *rate = tensor_set_find(set, prefix);
    for (uint32_t i = 0; rate && i < outputs.count; i++) {
        if (strcmp(outputs.at[i].name, "rate") != 0) continue;
        double got = tensor_number(&outputs.at[i], 0), wanted = tensor_element(rate, 0);
        ck_assert_msg(fabs(got - wanted) <= TOLERANCE * largest(set, "rate/"),
                      "%s: the rate of step %d is %.9g, PyTorch's %.9g", side->label, step, got,
                      wanted);
    }
    tensors_free(&outputs);
    tensors_free(&weights);
}

static int steps_of(const TensorSet *set)
{
    int steps = 0;
    for (uint32_t i = 0; i < set->count; i++)
        if (!strncmp(set->at[i].name, "step/", 5) && atoi(set->at[i].name + 5) > steps)
            steps = atoi(set->at[i].name + 5);
    return steps;
}

static void check_entry(Side *side, const TensorSet *set, const char *entry, const char *prefix)
{
    Tensors outputs = call_with(side, entry, set);
    expect_answers(side, set, prefix, &outputs);
    tensors_free(&outputs);
}

static void agree(const char *name, const char *device)
{
    char path[512];
    Side side;
    Answers answers = answers_open(name);
    snprintf(path, sizeof path, FOLDER "%s.mlc", name);
    side_open(&side, &(SideOptions){.device = device, .threads = 2, .path = path});
    Tensors weights = side_weights(&side);
    take(&side, &answers.set, "weight/", &weights);
    side_set_weights(&side, &weights);
    tensors_free(&weights);

    if (largest(&answers.set, "out/") > 0) check_entry(&side, &answers.set, "predict", "out/");
    if (largest(&answers.set, "grad/") > 0) {
        check_entry(&side, &answers.set, "loss", "loss/");
        check_entry(&side, &answers.set, "grad", "grad/");
    }
    int steps = steps_of(&answers.set);
    ck_assert_int_gt(steps, 0);
    for (int step = 1; step <= steps; step++)
        check_step(&side, &answers.set, step);
    side_close(&side);
    answers_close(&answers);
}

START_TEST(agrees_on_reference)
{
    agree(names[_i], "reference");
}
END_TEST

START_TEST(agrees_on_cpu)
{
    agree(names[_i], "cpu");
}
END_TEST

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void find_cases(void)
{
    const char *only = getenv("MLC_CASE");
    DIR *folder = opendir(FOLDER);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        const char *end = strstr(entry->d_name, ".mlc");
        if (!end || name_count == 256 || (only && strncmp(entry->d_name, only, strlen(only)) != 0))
            continue;
        snprintf(names[name_count++], sizeof *names, "%.*s", (int)(end - entry->d_name),
                 entry->d_name);
    }
    if (folder) closedir(folder);
    qsort(names, (size_t)name_count, sizeof *names, by_name);
}

int main(void)
{
    find_cases();
    Suite *suite = suite_create("torch");
    TCase *reference = tcase_create("reference"), *cpu = tcase_create("cpu");
    tcase_set_timeout(reference, 60);
    tcase_set_timeout(cpu, 60);
    tcase_add_loop_test(reference, agrees_on_reference, 0, name_count);
    tcase_add_loop_test(cpu, agrees_on_cpu, 0, name_count);
    suite_add_tcase(suite, reference);
    suite_add_tcase(suite, cpu);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed || !name_count;
}

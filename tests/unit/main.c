/* Runs every suite of suites.def, or those named on the command line. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITE(name) Suite *suite_##name(void);
#include "tests/unit/suites.def"
#undef SUITE

static const struct Row {
    const char *name;
    Suite *(*open)(void);
} suites[] = {
#define SUITE(name) {#name, suite_##name},
#include "tests/unit/suites.def"
#undef SUITE
};
enum { COUNT = sizeof suites / sizeof *suites };

static bool is_wanted(const char *name, int count, char **wanted)
{
    for (int i = 0; i < count; i++)
        if (strcmp(name, wanted[i]) == 0) return true;
    return count == 0;
}

static int refuse_unknown(int count, char **wanted)
{
    int unknown = 0;
    for (int i = 0; i < count; i++) {
        bool known = false;
        for (int k = 0; k < COUNT; k++)
            known |= strcmp(suites[k].name, wanted[i]) == 0;
        if (!known) fprintf(stderr, "no suite is called %s\n", wanted[i]);
        unknown += !known;
    }
    return unknown;
}

int main(int argc, char **argv)
{
    if (refuse_unknown(argc - 1, argv + 1)) return 2;

    SRunner *runner = srunner_create(NULL);
    for (int i = 0; i < COUNT; i++)
        if (is_wanted(suites[i].name, argc - 1, argv + 1))
            srunner_add_suite(runner, suites[i].open());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

/* Properties that hold for every row of the tables. CK_RUN_CASE=name runs one file's. */
#include <check.h>
#include <stdlib.h>

#define PROPERTY(name) TCase *case_##name(void);
#include "tests/properties/suites.def"
#undef PROPERTY

int main(void)
{
    Suite *suite = suite_create("properties");
#define PROPERTY(name) suite_add_tcase(suite, case_##name());
#include "tests/properties/suites.def"
#undef PROPERTY
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

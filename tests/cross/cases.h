#ifndef MLC_TESTS_CROSS_CASES_H
#define MLC_TESTS_CROSS_CASES_H
/* What write.c sends to run.c: kernels, their code for run.c's machine, and what they compute.  A stream of
 *
 *     CaseHeader, the kernel's text, all elements of its buffers before it runs, and after it in each CaseMode,
 *     and of each code: CodeHeader, image
 *
 * that ends with a header of magic END_MAGIC.  Both machines are little-endian and align alike. */
#include <stdint.h>

#define CASE_MAGIC UINT64_C(0x31657361636c6d) /* "mlcase1" */
#define END_MAGIC  UINT64_C(0x31646e65636c6d) /* "mlcend1" */

typedef enum CaseMode {
    MODE_usual,  /* as a program has it: denormal numbers are kept */
    MODE_kernel, /* runtime/core/float_mode.h */
    MODES
} CaseMode;

typedef struct CaseHeader {
    uint64_t magic;
    uint64_t seed; /* of the buffers; at the end: how many cases there were */
    uint64_t text_bytes, codes;
} CaseHeader;

typedef struct CodeHeader {
    uint64_t image_bytes;
    int64_t tasks, at_once; /* so many tasks are run by one call */
    int64_t scratch;
} CodeHeader;

#endif

/* Runs what write.c wrote, from standard input, on the machine that the code is for: every element of every buffer must be the one
 * that kernel_interpret left there. */
#include "backends/cpu/jit.h"
#include "backends/cpu/object.h"
#include "runtime/core/float_mode.h"
#include "tests/cross/cases.h"
#include "tests/unit/random_kernel.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN 3 /* kernels that failed */

static const char *const mode_name[MODES] = {
    [MODE_usual] = "denormal numbers kept", [MODE_kernel] = "denormal numbers 0"};

typedef struct Case {
    CaseHeader header;
    char *text;
    const Kernel *kernel;
    Buffers before, after[MODES];
    Arena *arena;
    Jit *jit;
} Case;

static const char *running = ""; /* what a signal is about */

static void fail(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static void crash(int signal)
{
    (void)signal;
    static const char why[] = "the code of this kernel crashed:\n";
    if (write(STDERR_FILENO, why, sizeof why - 1) < 0) _exit(2);
    if (write(STDERR_FILENO, running, strlen(running)) < 0) _exit(2);
    _exit(1);
}

static void get(void *bytes, size_t size)
{
    if (fread(bytes, 1, size, stdin) != size) fail("the cases end early");
}

static void *new_bytes(Arena *arena, size_t size)
{
    return arena_array(arena, char, size + 1);
}

static Buffers get_buffers(const Case *c)
{
    Buffers buffers = guarded_buffers(c->kernel, c->header.seed % 2, c->arena);
    for (uint32_t i = 0; i < buffers.count; i++)
        get(buffers.at[i], buffers.bytes[i]);
    return buffers;
}

static void open_case(Case *c)
{
    c->arena = arena_open(&host_default);
    if (!c->arena || jit_open(NULL, &c->jit) != STATUS_ok) fail("no memory");
    c->text = new_bytes(c->arena, c->header.text_bytes);
    get(c->text, c->header.text_bytes);
    Context context = {.arena = c->arena, .sources = sources_new(c->arena)};
    context.report = report_new(c->arena, context.sources);
    uint32_t source = sources_add(context.sources, "case", c->text, c->header.text_bytes, false);
    c->kernel = kernel_parse(&context, c->arena, source);
    running = c->text;
    if (!c->kernel) fail("a case has no kernel");
    c->before = get_buffers(c);
    for (CaseMode mode = 0; mode < MODES; mode++)
        c->after[mode] = get_buffers(c);
}

static void close_case(Case *c)
{
    buffers_free(&c->before);
    for (CaseMode mode = 0; mode < MODES; mode++)
        buffers_free(&c->after[mode]);
    jit_close(c->jit);
    arena_close(c->arena);
}

/* The last tasks first: they are independent. */
static void call(KernelFunction *function, const CodeHeader *code, void *const *buffer)
{
    void *scratch = aligned_alloc(64, ((size_t)code->scratch + 127) / 64 * 64);
    if (!scratch) fail("no memory");
    for (int64_t end = code->tasks; end > 0; end -= code->at_once) {
        int64_t begin = end > code->at_once ? end - code->at_once : 0;
        function(buffer, begin, end, scratch);
    }
    free(scratch);
}

static void put_element(Type type, const void *elements, int64_t at)
{
    const unsigned char *byte = elements;
    uint32_t size = type_info[type].bytes;
    fprintf(stderr, " 0x");
    for (uint32_t i = size; i-- > 0;)
        fprintf(stderr, "%02x", byte[(size_t)at * size + i]);
}

static void tell(const Case *c, const CodeHeader *code, CaseMode mode, const Buffers *buffers,
                 int differs, int64_t element)
{
    Type type = c->kernel->buffer.at[differs].type;
    fprintf(stderr, "seed %llu, %s, %lld of %lld tasks a call: buffer %d, element %lld is",
            (unsigned long long)c->header.seed, mode_name[mode], (long long)code->at_once,
            (long long)code->tasks, differs, (long long)element);
    put_element(type, buffers->at[differs], element);
    fprintf(stderr, ", should be");
    put_element(type, c->after[mode].at[differs], element);
    fprintf(stderr, "\n");
}

/* Compared in the mode that it ran in: where denormal numbers are 0, one that is passed on by min or max may come out as it is or as
 * 0, as the instructions choose that make a min (x86 has both). */
static bool agrees(const Case *c, KernelFunction *function, const CodeHeader *code, CaseMode mode)
{
    Buffers buffers = guarded_buffers(c->kernel, c->header.seed % 2, c->arena);
    for (uint32_t i = 0; i < buffers.count; i++)
        memcpy(buffers.at[i], c->before.at[i], buffers.bytes[i]);
    FloatMode before = 0;
    if (mode == MODE_kernel) before = float_mode_enter();
    call(function, code, buffers.at);
    int64_t element;
    int differs = buffers_differ(c->kernel, &c->after[mode], &buffers, &element);
    if (mode == MODE_kernel) float_mode_leave(before);
    if (differs >= 0) tell(c, code, mode, &buffers, differs, element);
    buffers_free(&buffers);
    return differs < 0;
}

static bool check_code(const Case *c)
{
    CodeHeader code;
    get(&code, sizeof code);
    char *image = new_bytes(c->arena, code.image_bytes);
    get(image, code.image_bytes);
    KernelFunction *function;
    const char *name = ((const ImageHeader *)image)->name;
    if (code.image_bytes < sizeof(ImageHeader) || code.at_once < 1 ||
        jit_add(c->jit, image, code.image_bytes, name, &function) != STATUS_ok)
        fail("a case has no code");
    bool is_right = true;
    for (CaseMode mode = 0; mode < MODES; mode++)
        is_right &= agrees(c, function, &code, mode);
    return is_right;
}

/* False at the end. */
static bool next_case(Case *c)
{
    *c = (Case){0};
    get(&c->header, sizeof c->header);
    if (c->header.magic == CASE_MAGIC) return true;
    if (c->header.magic != END_MAGIC) fail("these are no cases");
    return false;
}

int main(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], crash);
    uint64_t cases = 0, codes = 0, wrong = 0;
    Case c;
    for (; next_case(&c); cases++) {
        open_case(&c);
        bool is_right = true;
        for (uint64_t i = 0; i < c.header.codes; i++, codes++)
            is_right &= check_code(&c);
        if (!is_right && wrong++ < SHOWN) fprintf(stderr, "%s\n", c.text);
        close_case(&c);
    }
    if (!cases || c.header.seed != cases) fail("cases are missing");
    printf("%llu of %llu kernels disagree; %llu images of code were run\n",
           (unsigned long long)wrong, (unsigned long long)cases, (unsigned long long)codes);
    return wrong ? 1 : 0;
}

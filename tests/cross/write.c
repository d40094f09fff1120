/* write LEVEL: the kernels of tests/unit/kernel_cases.c, compiled for a level that this machine need not run, and what
 * kernel_interpret makes of them, to standard output; run.c says whether the code agrees. */
#include "backends/cpu/object.h"
#include "ir/kernel/expand.h"
#include "ir/kernel/reach.h"
#include "runtime/core/float_mode.h"
#include "tests/cross/cases.h"
#include "tests/unit/kernel_cases.h"
#include "tests/unit/random_kernel.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct Writer {
    Arena *arena;
    CpuTarget target;
    Compiler *compiler;
    uint64_t cases;
} Writer;

static void put(const void *bytes, size_t size)
{
    if (fwrite(bytes, 1, size, stdout) == size) return;
    fprintf(stderr, "nobody reads the cases\n");
    exit(1);
}

static void put_buffers(const Buffers *buffers)
{
    for (uint32_t i = 0; i < buffers->count; i++)
        put(buffers->at[i], buffers->bytes[i]);
}

static void put_result(const Writer *w, const Plan *plan, const Kernel *kernel, uint64_t seed,
                       CaseMode mode)
{
    Buffers buffers = random_buffers(kernel, seed, false, w->arena);
    const Kernel *expanded = kernel_expand(kernel, w->arena);
    FloatMode before = 0;
    if (mode == MODE_kernel) before = float_mode_enter();
    if (plan->schedule.is_winograd)
        kernel_interpret_winograd(plan->kernel, &plan->schedule.of, &plan->schedule.winograd,
                                  buffers.at);
    else
        kernel_interpret(expanded, buffers.at);
    if (mode == MODE_kernel) float_mode_leave(before);
    put_buffers(&buffers);
    buffers_free(&buffers);
}

/* As the unit test does it, in halves; slices one by one, as chains run them. */
static void put_code(const Writer *w, const Plan *plan)
{
    ObjectCode code = compile_plan(w->compiler, plan);
    int64_t tasks = plan->schedule.tasks;
    CodeHeader header = {.image_bytes = code.size,
                         .tasks = tasks,
                         .at_once = plan->schedule.sliced ? 1 : (tasks + 1) / 2,
                         .scratch = plan->schedule.scratch};
    put(&header, sizeof header);
    put(code.bytes, code.size);
    free(code.bytes);
}

/* Cut into as few slices as there can be, and as many. */
static uint32_t plan_slices(const Writer *w, const Kernel *kernel, Plan *plan)
{
    Axis axis = reach_axis(kernel, 1);
    if (!axis.id) return 0;
    int64_t extent = kernel->axis.at[axis.id - 1].extent, fewest = 2;
    while (extent % fewest)
        fewest++;
    uint32_t count = 0;
    for (int64_t slices = fewest; slices <= extent; slices += extent - fewest) {
        plan[count] = plan_kernel(kernel, &w->target, &(Slices){axis, slices}, NULL, w->arena);
        if (plan[count].schedule.sliced) count++;
        if (fewest == extent) break;
    }
    return count;
}

static void put_case(void *user, const Kernel *kernel, uint64_t seed)
{
    Writer *w = user;
    Text text = {.arena = w->arena};
    kernel_print(&text, kernel);
    Plan plan[3] = {plan_kernel(kernel, &w->target, NULL, NULL, w->arena)};
    uint32_t plans = 1 + plan_slices(w, kernel, plan + 1);

    CaseHeader header = {CASE_MAGIC, seed, text.count, plans};
    put(&header, sizeof header);
    put(text.at, text.count);
    Buffers before = random_buffers(kernel, seed, false, w->arena);
    put_buffers(&before);
    buffers_free(&before);
    for (CaseMode mode = 0; mode < MODES; mode++)
        put_result(w, &plan[0], kernel, seed, mode);
    for (uint32_t i = 0; i < plans; i++)
        put_code(w, &plan[i]);
    w->cases++;
}

static bool write_group(const CaseGroup *group, const char *level, uint64_t *cases)
{
    Writer w = {.arena = arena_open(&host_default)};
    Report *report = report_new(w.arena, sources_new(w.arena));
    bool is_known = cpu_target(level, 2, report, &w.target) == STATUS_ok;
    w.compiler = is_known ? compiler_open(&w.target) : NULL;
    if (w.compiler) {
        if (group->is_cut) {
            w.target.schedule.l1 = CASE_L1;
            w.target.schedule.l2 = CASE_L2;
            w.target.schedule.threads = CASE_THREADS;
        }
        group->each(&(CaseSink){.arena = w.arena, .take = put_case, .user = &w});
    }
    compiler_close(w.compiler);
    arena_close(w.arena);
    *cases += w.cases;
    return w.compiler;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: write LEVEL\n");
        return 2;
    }
    uint64_t cases = 0;
    for (uint32_t i = 0; i < case_group_count; i++)
        if (!write_group(&case_groups[i], argv[1], &cases)) {
            fprintf(stderr, "no code can be made for %s\n", argv[1]);
            return 1;
        }
    put(&(CaseHeader){END_MAGIC, cases, 0, 0}, sizeof(CaseHeader));
    return fflush(stdout) ? 1 : 0;
}

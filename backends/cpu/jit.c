#include "backends/cpu/jit.h"
#include "backends/cpu/object.h"
#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <stdlib.h>

struct Jit {
    LLVMOrcLLJITRef lljit;
};

static bool failed(LLVMErrorRef error, Report *report)
{
    if (!error) return false;
    char *message = LLVMGetErrorMessage(error);
    if (report) report_error(report, (Span){0}, "LLVM's JIT: %s", message);
    LLVMDisposeErrorMessage(message);
    return true;
}

/* What is wrong with an object is known to the caller by the status. */
static void keep_silent(void *user, LLVMErrorRef error)
{
    (void)user;
    LLVMConsumeError(error);
}

Status jit_open(Report *report, Jit **jit)
{
    llvm_start();
    *jit = calloc(1, sizeof **jit);
    if (!*jit) return STATUS_no_memory;
    if (!failed(LLVMOrcCreateLLJIT(&(*jit)->lljit, NULL), report)) {
        LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession((*jit)->lljit),
                                                keep_silent, NULL);
        return STATUS_ok;
    }
    free(*jit);
    *jit = NULL;
    return STATUS_failed;
}

void jit_close(Jit *jit)
{
    if (!jit) return;
    LLVMErrorRef error = LLVMOrcDisposeLLJIT(jit->lljit);
    if (error) LLVMConsumeError(error);
    free(jit);
}

Status jit_add(Jit *jit, const void *object, size_t size, const char *name,
               KernelFunction **function)
{
    LLVMOrcJITDylibRef into = LLVMOrcLLJITGetMainJITDylib(jit->lljit);
    LLVMOrcResourceTrackerRef tracker = LLVMOrcJITDylibCreateResourceTracker(into);
    LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, size, name);
    LLVMOrcExecutorAddress address = 0;
    bool is_lost = failed(LLVMOrcLLJITAddObjectFileWithRT(jit->lljit, tracker, buffer), NULL) ||
                   failed(LLVMOrcLLJITLookup(jit->lljit, &address, name), NULL) || !address;
    if (is_lost) LLVMConsumeError(LLVMOrcResourceTrackerRemove(tracker));
    LLVMOrcReleaseResourceTracker(tracker);
    if (is_lost) return STATUS_failed;
    *function = (KernelFunction *)(uintptr_t)address;
    return STATUS_ok;
}

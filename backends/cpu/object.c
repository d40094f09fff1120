#include "backends/cpu/object.h"
#include "backends/cpu/emit.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Vectors and hoisting are explicit, so little is left to do: sharing of addresses, folding of what was emitted plainly. */
static const char passes[] =
    "early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,early-cse";

struct Compiler {
    const CpuTarget *target;
    LLVMTargetMachineRef machine;
};

static void register_targets(void)
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
}

/* LLVM's list of targets is the process's and has no lock of its own. */
static void llvm_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_targets);
}

Compiler *compiler_open(const CpuTarget *target)
{
    llvm_start();
    LLVMTargetRef found;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(target->triple, &found, &message)) {
        LLVMDisposeMessage(message);
        return NULL;
    }
    Compiler *compiler = calloc(1, sizeof *compiler);
    if (!compiler) return NULL;
    compiler->target = target;
    compiler->machine =
        LLVMCreateTargetMachine(found, target->triple, target->cpu, target->features,
                                LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelSmall);
    return compiler;
}

void compiler_close(Compiler *compiler)
{
    if (!compiler) return;
    LLVMDisposeTargetMachine(compiler->machine);
    free(compiler);
}

static void optimize(Compiler *compiler, LLVMModuleRef module)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(module, passes, compiler->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (error) {
        char *message = LLVMGetErrorMessage(error);
        bug("LLVM refuses its passes: %s", message);
    }
}

static LLVMModuleRef module_of(Compiler *compiler, LLVMContextRef context, const Plan *plan)
{
    Arena *arena = arena_open(&host_default);
    if (!arena) out_of_memory();
    LLVMModuleRef module =
        emit_kernel(context, compiler->target, plan->kernel, &plan->schedule, plan->name, arena);
    arena_close(arena);
    LLVMSetTarget(module, compiler->target->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(compiler->machine);
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
#ifndef NDEBUG
    char *message = NULL;
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &message))
        bug("wrong LLVM IR: %.400s", message);
    LLVMDisposeMessage(message);
#endif
    optimize(compiler, module);
    return module;
}

static LLVMMemoryBufferRef generate(Compiler *compiler, const Plan *plan, LLVMCodeGenFileType type)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = module_of(compiler, context, plan);
    LLVMMemoryBufferRef buffer = NULL;
    char *message = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(compiler->machine, module, type, &message, &buffer))
        bug("LLVM makes no code: %.400s", message);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return buffer;
}

ObjectCode compile_plan(Compiler *compiler, const Plan *plan)
{
    LLVMMemoryBufferRef buffer = generate(compiler, plan, LLVMObjectFile);
    ObjectCode code = image_of(LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer),
                               compiler->target->machine, plan->name);
    LLVMDisposeMemoryBuffer(buffer);
    return code;
}

void compile_to_assembly(Compiler *compiler, const Plan *plan, Text *out)
{
    LLVMMemoryBufferRef buffer = generate(compiler, plan, LLVMAssemblyFile);
    text_put(out, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
}

void compile_to_llvm(Compiler *compiler, const Plan *plan, Text *out)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = module_of(compiler, context, plan);
    char *text = LLVMPrintModuleToString(module);
    text_add(out, "%s", text);
    LLVMDisposeMessage(text);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
}

/* The door of the module that holds LLVM's side. */
#include "backends/cpu/object.h"
#include <setjmp.h>

static void compile(Compiler *compiler, const Plan *plan, ObjectCode *code, Boundary *boundary)
{
    boundary_enter(boundary);
    if (setjmp(boundary->jump) == 0) *code = compile_plan(compiler, plan);
    boundary_leave(boundary);
}

static void print(Compiler *compiler, const Plan *plan, bool is_assembly, Text *out,
                  Boundary *boundary)
{
    boundary_enter(boundary);
    if (setjmp(boundary->jump) == 0)
        (is_assembly ? compile_to_assembly : compile_to_llvm)(compiler, plan, out);
    boundary_leave(boundary);
}

__attribute__((visibility("default"))) const CompilerModule mlc_compiler = {
    .identity = emission_identity,
    .open = compiler_open,
    .close = compiler_close,
    .compile = compile,
    .print = print,
};

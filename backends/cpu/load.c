#include "backends/cpu/object.h"
#include <dlfcn.h>
#include <string.h>

static Status refuse(Report *report, const char *why)
{
    report_error(report, (Span){0},
                 "kernels must be compiled, and the compiler is not to be had: %s",
                 why ? why : "unknown reason");
    report_hint(report, "%s belongs to mlc, and needs libLLVM 19; --device reference runs without",
                MLC_MODULE);
    return STATUS_failed;
}

/* Found where the program or library that this is in says that its own libraries are (RUNPATH), or where the system's are. */
Status module_open(Report *report, const CompilerModule **module)
{
    void *library = dlopen(MLC_MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) return refuse(report, dlerror());
    const CompilerModule *found = dlsym(library, "mlc_compiler");
    if (!found) return refuse(report, dlerror());
    if (strcmp(found->identity, emission_identity))
        return refuse(report, MLC_MODULE " is of another build");
    *module = found;
    return STATUS_ok;
}

/* The list of backends.def as C. A row is there when its condition was true at configuration. */
#include "backends/backend.h"

#ifndef MLC_HAS_LLVM
#define MLC_HAS_LLVM 0
#endif

#define PRESENT_(condition) PRESENT_##condition
#define PRESENT(condition)  PRESENT_(condition)
#define PRESENT_0(...)
#define PRESENT_1(...) __VA_ARGS__

#define BACKEND(name, condition) PRESENT(condition)(extern const Backend backend_##name;)
#include "backends/backends.def"
#undef BACKEND

const Backend *const backends[] = {
#define BACKEND(name, condition) PRESENT(condition)(&backend_##name, )
#include "backends/backends.def"
#undef BACKEND
};
const uint32_t backend_count = sizeof backends / sizeof *backends;

const Backend *backend_named(const char *name)
{
    for (uint32_t i = 0; i < backend_count; i++)
        if (strcmp(backends[i]->name, name) == 0) return backends[i];
    return NULL;
}

#ifndef MLC_BACKENDS_CPU_WINOGRAD_H
#define MLC_BACKENDS_CPU_WINOGRAD_H
/* Shared by the parts of minimal filtering: winograd.c, and points.c, which brings the points of an image into scratch. */
#include "backends/cpu/emit.h"

typedef struct Filtering {
    const Winograd *w;
    LLVMValueRef from[MAX_AXES], to[MAX_AXES]; /* of the task */
    LLVMValueRef image, image_to;              /* at hand, of the last axis of images */
    LLVMValueRef row, row_to;                  /* at hand, windows */
    LLVMValueRef tiles;                        /* at hand */
} Filtering;

/* Element `at` + row * pitch + column of scratch; `elements` on from a pointer; vectors of f32, wherever they begin. */
LLVMValueRef place(Emit *e, int64_t at, LLVMValueRef row, int64_t pitch, LLVMValueRef column);
LLVMValueRef plus(Emit *e, LLVMValueRef pointer, int64_t elements);
LLVMValueRef load_floats(Emit *e, LLVMValueRef pointer);
void store_floats(Emit *e, LLVMValueRef value, LLVMValueRef pointer);
LLVMTypeRef real(const Emit *e);
/* The loop over an axis in whole vectors. */
void open_vectors(Emit *e, Loop *loop, Axis axis, LLVMValueRef from, LLVMValueRef to);
void close_vectors(Emit *e, Loop *loop, Axis axis);

/* Columns of the points that all windows of a row see. */
int64_t columns_of(const Emit *e);
/* Of the image that is bound, what the windows at hand see, with the zeros around it: [row][column][channel of the task]. */
void fill_points(Emit *e, const Filtering *f);

#endif

#ifndef MLC_BACKENDS_CPU_WINOGRAD_H
#define MLC_BACKENDS_CPU_WINOGRAD_H
/* Shared by the parts of minimal filtering: winograd.c, points.c, which brings the points of an image into scratch, and winograd_integers.c,
 * which is about bytes. */
#include "backends/cpu/emit.h"

typedef struct Filtering {
    const Winograd *w;
    LLVMValueRef from[MAX_AXES], to[MAX_AXES]; /* of the task */
    LLVMValueRef image, image_to;              /* at hand, of the last axis of images */
    LLVMValueRef row, row_to;                  /* at hand, windows */
    LLVMValueRef tiles;                        /* at hand */
} Filtering;

/* Element `at` + row * pitch + column of scratch; `elements` on from a pointer; vectors of elements, wherever they begin. */
LLVMValueRef place(Emit *e, int64_t at, LLVMValueRef row, int64_t pitch, LLVMValueRef column);
LLVMValueRef plus(Emit *e, LLVMValueRef pointer, int64_t elements);
LLVMValueRef load_floats(Emit *e, LLVMValueRef pointer);
void store_floats(Emit *e, LLVMValueRef value, LLVMValueRef pointer);
LLVMTypeRef real(const Emit *e); /* an element of scratch: f32; i32, or a pair of i16 */
/* The loop over an axis in whole vectors. */
void open_vectors(Emit *e, Loop *loop, Axis axis, LLVMValueRef from, LLVMValueRef to,
                  uint32_t width);
void close_vectors(Emit *e, Loop *loop, Axis axis);

/* Columns of the points that all windows of a row see. */
int64_t columns_of(const Emit *e);
/* Of the image that is bound, what the windows at hand see, with the zeros around it: [row][column][channel of the task]. */
void fill_points(Emit *e, const Filtering *f);

/* A step on vectors of integers of so many bits. */
void turn_integers(Emit *e, WinogradStep step, uint32_t bits, WinogradNumber *square);
/* Elements as two numbers of 16 bits each, and back. */
void split_pairs(Emit *e, WinogradNumber *square, int count);
void join_pairs(Emit *e, WinogradNumber *square, int count);
/* That vector of elements, of each of which the halves come from two vectors of numbers, of all filters of a register tile. */
LLVMValueRef pairs_of(Emit *e, LLVMValueRef first, LLVMValueRef second, uint32_t vector);
/* Bytes of taps as i16; others as they are. */
LLVMValueRef as_numbers(Emit *e, LLVMValueRef value);
/* Sums of products from 576 times them, modulo 2^32. */
void sums_of_integers(Emit *e, WinogradNumber *sum, int count);

/* What a factor widens, if it widens bytes; the type of what gives a point; what points are in scratch, f32 or i16, and how many of them a vector of them
 * takes; such a vector from where the kernel reads it; `width` of them from what the image's factor comes to. */
Scalar byte_source(const Emit *e, Scalar factor);
Type point_type(const Emit *e);
LLVMTypeRef point_element(const Emit *e);
uint32_t point_lanes(const Emit *e);
LLVMValueRef load_points(Emit *e, LLVMValueRef from);
LLVMValueRef as_points(Emit *e, LLVMValueRef value);

#endif

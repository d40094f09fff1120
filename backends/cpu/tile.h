#ifndef MLC_BACKENDS_CPU_TILE_H
#define MLC_BACKENDS_CPU_TILE_H
/* Shared by the two halves of contractions: tile.c computes, packing.c fills the scratch that it reads from.
 *
 * Packed b: panels of `vectors * width` neighbours of the vector axis, [panel][k][lane], k counting all points of the
 * reduction axes in their order. */
#include "backends/cpu/emit.h"

typedef struct Tile {
    LLVMValueRef from[MAX_AXES], to[MAX_AXES];
    uint32_t k_count;
    Axis k[MAX_AXES];           /* reduction axes of extent above 1, outermost first */
    int64_t k_stride[MAX_AXES]; /* points of k that a step along k[i] passes */
    /* The same for packing alone, where axes are merged if b allows it: those in front of the innermost of a merged run are 0. */
    uint32_t run_count;
    Axis run[MAX_AXES];
    int64_t run_extent[MAX_AXES];
    int64_t column;               /* points of the vector axis in a panel */
    int64_t extent;               /* of the vector axis */
    LLVMValueRef group, group_to; /* what is packed: a range of the vector axis */
    LLVMValueRef panel;           /* where the packed panel begins */
} Tile;

/* The panel that begins at `index` of the vector axis. */
LLVMValueRef panel_at(Emit *e, const Tile *t, LLVMValueRef index);
/* Element of a panel at the point that the reduction axes are at. */
LLVMValueRef panel_element(Emit *e, const Tile *t, LLVMValueRef panel, uint32_t vector);
/* Makes the copies that stand inside so many of the outer loops. */
void emit_copies(Emit *e, uint32_t loops);
/* Fills in the runs. */
void plan_pack(const Emit *e, Tile *t);
void emit_pack(Emit *e, const Tile *t);
/* Mask of vector `vector` of the column at `index`; NULL: full. */
LLVMValueRef column_mask(Emit *e, const Tile *t, LLVMValueRef index, uint32_t vector);

#endif

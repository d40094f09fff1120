/* Sums of products in the tiles of AMX: up to 2 x 2 tiles of 16 x 16 sums, to which an instruction adds 32 products each.  Every
 * register has the same shape all through a kernel, set at its entry; at its exit they are given back, so that nothing of them is
 * left to save when threads change.  Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18. */
#include "backends/cpu/tile.h"

enum { HIGH = 16, DEPTH = 32 }; /* rows of a tile; points of k */
enum {
    SUMS = 0,
    ROWS = 4,
    COLUMNS = 6
}; /* first register of sums [row tile][column tile], of a and of b */

static LLVMValueRef emit_i8(const Emit *e, uint32_t value)
{
    return LLVMConstInt(LLVMInt8TypeInContext(e->context), value, false);
}

static void call(Emit *e, const char *name, uint32_t count, LLVMValueRef *argument)
{
    emit_intrinsic(e, name, 0, NULL, count, argument);
}

static uint32_t rows_of(const Emit *e, uint32_t high)
{
    uint32_t rows = e->schedule->rows, before = high * HIGH;
    return rows <= before ? 0 : rows - before < HIGH ? rows - before : HIGH;
}

/* The 64 bytes that LDTILECFG reads: palette 1, bytes a row, rows. */
void tiles_open(Emit *e)
{
    uint8_t byte[64] = {1};
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t high = i >= COLUMNS ? 0 : i >= ROWS ? i - ROWS : i / 2;
        uint32_t rows = i >= COLUMNS ? HIGH : rows_of(e, high);
        byte[16 + 2 * i] = rows ? 64 : 0;
        byte[48 + i] = (uint8_t)rows;
    }
    LLVMValueRef lane[64];
    for (uint32_t i = 0; i < 64; i++)
        lane[i] = emit_i8(e, byte[i]);
    LLVMTypeRef type = LLVMVectorType(LLVMInt8TypeInContext(e->context), 64);
    LLVMValueRef shapes = emit_slots(e, type, 1);
    emit_at(e, e->depth);
    LLVMBuildStore(e->builder, LLVMConstVector(lane, 64), shapes);
    call(e, "llvm.x86.ldtilecfg", 1, &shapes);
}

void tiles_close(Emit *e)
{
    emit_at(e, e->depth);
    call(e, "llvm.x86.tilerelease", 0, NULL);
}

static void load_tile(Emit *e, const char *name, uint32_t tile, LLVMValueRef from, int64_t bytes)
{
    call(e, name, 3, (LLVMValueRef[]){emit_i8(e, tile), from, emit_i64(e, bytes)});
}

/* b streams by from the second-level cache, past the rows of a that are to stay in the first: hence T1. */
static void add_products(Emit *e, const Tile *t, LLVMValueRef a, LLVMValueRef b, uint32_t tall)
{
    const Schedule *s = e->schedule;
    LLVMTypeRef element = t->a.element;
    for (uint32_t c = 0; c < s->vectors; c++)
        load_tile(e, "llvm.x86.tileloaddt164", COLUMNS + c,
                  step_pointer(e, element, b, emit_i64(e, c * 2 * HIGH)), t->column * 4);
    for (uint32_t r = 0; r < tall; r++) {
        LLVMValueRef from = step_pointer(e, element, a, emit_i64(e, r * HIGH * s->a_pitch));
        load_tile(e, "llvm.x86.tileloadd64", ROWS + r, from, s->a_pitch * 2);
        for (uint32_t c = 0; c < s->vectors; c++)
            call(e, "llvm.x86.tdpbf16ps", 3,
                 (LLVMValueRef[]){emit_i8(e, SUMS + 2 * r + c), emit_i8(e, ROWS + r),
                                  emit_i8(e, COLUMNS + c)});
    }
}

typedef void TileWork(Emit *e, uint32_t tile, LLVMValueRef memory);

static void clear(Emit *e, uint32_t tile, LLVMValueRef memory)
{
    (void)memory;
    call(e, "llvm.x86.tilezero", 1, (LLVMValueRef[]){emit_i8(e, tile)});
}

static void load(Emit *e, uint32_t tile, LLVMValueRef memory)
{
    load_tile(e, "llvm.x86.tileloadd64", tile, memory, e->schedule->vectors * 64);
}

static void store(Emit *e, uint32_t tile, LLVMValueRef memory)
{
    call(e, "llvm.x86.tilestored64", 3,
         (LLVMValueRef[]){emit_i8(e, tile), memory, emit_i64(e, e->schedule->vectors * 64)});
}

/* With each tile of sums and its place in memory. */
static void each_tile(Emit *e, uint32_t tall, LLVMValueRef memory, TileWork *work)
{
    uint32_t vectors = e->schedule->vectors;
    LLVMTypeRef vector = type_of(e, TYPE_f32, HIGH);
    emit_at(e, e->depth);
    for (uint32_t r = 0; r < tall; r++)
        for (uint32_t c = 0; c < vectors; c++) {
            LLVMValueRef place = emit_i64(e, r * HIGH * vectors + c);
            LLVMValueRef at = memory ? step_pointer(e, vector, memory, place) : NULL;
            work(e, SUMS + 2 * r + c, at);
        }
}

void sum_tiles(Emit *e, const Tile *t, const Area *panel, const Part *part, LLVMValueRef to)
{
    uint32_t tall = part->rows > HIGH ? 2 : 1;
    Loop loop;
    LLVMValueRef a = area_element(e, &t->a, 0);
    each_tile(e, tall, part->sums, part->is_first ? clear : load);
    loop_open(e, &loop, part->from, part->to, DEPTH, 0, NULL);
    LLVMValueRef plus = LLVMBuildMul(e->builder, loop.index, emit_i64(e, t->column), "");
    LLVMValueRef b = step_pointer(e, panel->element, panel->base, plus);
    add_products(e, t, step_pointer(e, t->a.element, a, loop.index), b, tall);
    loop_close(e, &loop, NULL);
    each_tile(e, tall, to, store);
}

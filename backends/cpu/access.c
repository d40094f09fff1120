/* Loads, stores and guards.  An access is split into an address that is affine in the axes and the quotients of those
 * coordinates that have a dynamic part or a divisor; guards become masks, and no code ever branches on them. */
#include "backends/cpu/emit.h"

#define NARROW ((int64_t)1 << 30) /* affine values below this are computed in 32 bits */

LLVMValueRef affine_value(Emit *e, const Affine *affine, int64_t *constant)
{
    LLVMValueRef sum = NULL;
    *constant = affine->constant;
    for (uint32_t level = 0; level <= e->depth; level++)
        for (uint32_t i = 0; i < e->kernel->axis.count; i++) {
            const Binding *binding = &e->axis[i];
            if (!affine->by[i] || binding->level != level) continue;
            *constant += affine->by[i] * (binding->base + binding->plus);
            if (!binding->value) continue;
            emit_at(e, level);
            LLVMValueRef term =
                LLVMBuildMul(e->builder, binding->value, emit_i64(e, affine->by[i]), "");
            sum = sum ? LLVMBuildAdd(e->builder, sum, term, "") : term;
        }
    return sum;
}

static int64_t lane_offset(const Emit *e, const Affine *affine, uint32_t lane)
{
    int64_t offset = 0;
    if (e->vector.id) offset += affine->by[e->vector.id - 1] * (lane / e->minor_extent);
    if (e->minor.id) offset += affine->by[e->minor.id - 1] * (lane % e->minor_extent);
    return offset;
}

LLVMValueRef lane_offsets(const Emit *e, const Affine *affine, uint32_t bits)
{
    LLVMValueRef lane[64];
    LLVMTypeRef type = LLVMIntTypeInContext(e->context, bits);
    for (uint32_t l = 0; l < e->width; l++)
        lane[l] = LLVMConstInt(type, (uint64_t)lane_offset(e, affine, l), true);
    return e->width == 1 ? lane[0] : LLVMConstVector(lane, e->width);
}

/* How addresses go from lane to lane. */
typedef enum Pattern {
    PATTERN_same,
    PATTERN_next,     /* one element on */
    PATTERN_apart,    /* a few elements on */
    PATTERN_repeated, /* one element on every minor_extent lanes */
    PATTERN_any,
} Pattern;

static bool is_pattern(const Emit *e, const Affine *affine, uint32_t times, uint32_t repeat)
{
    for (uint32_t l = 0; l < e->width; l++)
        if (lane_offset(e, affine, l) != (int64_t)(l / repeat * times)) return false;
    return true;
}

static Pattern pattern_of(const Emit *e, const Affine *affine, uint32_t *apart)
{
    if (is_pattern(e, affine, 0, 1)) return PATTERN_same;
    if (is_pattern(e, affine, 1, 1)) return PATTERN_next;
    for (*apart = 2; *apart <= MOST_APART; ++*apart)
        if (is_pattern(e, affine, *apart, 1)) return PATTERN_apart;
    return is_pattern(e, affine, 1, e->minor_extent) ? PATTERN_repeated : PATTERN_any;
}

/* Whether every value, those of lanes past the end included, is a 32-bit number. */
static bool is_narrow(const Emit *e, const Affine *affine)
{
    int64_t least, greatest, slack = e->vector.id ? affine->by[e->vector.id - 1] : 0;
    affine_range(e->kernel, affine, &least, &greatest);
    slack = (slack < 0 ? -slack : slack) * (int64_t)e->width * 8;
    return least - slack > -NARROW && greatest + slack < NARROW;
}

static LLVMValueRef add_constant(Emit *e, LLVMValueRef value, int64_t constant)
{
    if (!value) return emit_i64(e, constant);
    return constant ? LLVMBuildAdd(e->builder, value, emit_i64(e, constant), "") : value;
}

/* The affine in 32 or 64 bits: a vector if it varies over the lanes. */
static Lanes affine_lanes(Emit *e, const Affine *affine, uint32_t bits, uint32_t level)
{
    int64_t constant;
    LLVMValueRef value = affine_value(e, affine, &constant);
    emit_at(e, level);
    value = add_constant(e, value, constant);
    if (bits == 32)
        value = LLVMBuildTrunc(e->builder, value, LLVMInt32TypeInContext(e->context), "");
    if (!is_varying(e, affine_axes(affine))) return (Lanes){value, false};
    return (Lanes){
        LLVMBuildAdd(e->builder, spread(e, value, e->width), lane_offsets(e, affine, bits), ""),
        true};
}

Lanes index_affine(Emit *e, const Affine *affine, uint32_t level)
{
    return affine_lanes(e, affine, 32, level);
}

static LLVMValueRef widen(Emit *e, LLVMValueRef value, uint32_t bits, uint32_t width)
{
    LLVMTypeRef type = LLVMIntTypeInContext(e->context, bits);
    if (width > 1) type = LLVMVectorType(type, width);
    return LLVMBuildSExtOrBitCast(e->builder, value, type, "");
}

/* (affine + dynamic) / divisor, and whether it is whole and inside; index NULL if only that is asked. */
typedef struct Place1 {
    Lanes index;
    Lanes inside;
    uint32_t bits;
} Place1;

static Place1 place_plain(Emit *e, const Coordinate *at, uint32_t level)
{
    uint32_t own = level_of(e, affine_axes(&at->affine));
    if (is_varying(e, affine_axes(&at->affine)) && e->mask_level > own) own = e->mask_level;
    if (own > level) own = level;
    uint32_t bits = is_narrow(e, &at->affine) && at->extent < NARROW ? 32 : 64;
    Place1 place = {.index = affine_lanes(e, &at->affine, bits, own), .bits = bits};
    uint32_t width = place.index.is_vector ? e->width : 1;
    emit_at(e, own);
    place.inside.value = LLVMBuildICmp(e->builder, LLVMIntULT, place.index.value,
                                       whole_of(e, bits, at->extent, width), "");
    place.inside.is_vector = place.index.is_vector;
    return place;
}

static Place1 place_special(Emit *e, const Coordinate *at, uint32_t level)
{
    Lanes sum = affine_lanes(e, &at->affine, 64, level);
    if (at->dynamic.id) {
        Lanes dynamic = evaluate(e, at->dynamic);
        uint32_t width = sum.is_vector || dynamic.is_vector ? e->width : 1;
        LLVMValueRef other =
            width > 1 ? evaluate_vector(e, at->dynamic) : evaluate(e, at->dynamic).value;
        emit_at(e, level);
        if (width > 1 && !sum.is_vector) sum.value = spread(e, sum.value, width);
        sum.value = LLVMBuildAdd(e->builder, sum.value, widen(e, other, 64, width), "");
        sum.is_vector = width > 1;
    }
    /* Narrow values divide by a multiplication of 32 bits.  A dynamic part may be anything. */
    uint32_t bits = 64, width = sum.is_vector ? e->width : 1;
    if (!at->dynamic.id && is_narrow(e, &at->affine) && at->extent < NARROW / at->divisor) {
        bits = 32;
        LLVMTypeRef type = LLVMInt32TypeInContext(e->context);
        if (width > 1) type = LLVMVectorType(type, width);
        sum.value = LLVMBuildTrunc(e->builder, sum.value, type, "");
    }
    LLVMValueRef divisor = whole_of(e, bits, at->divisor, width);
    LLVMValueRef quotient = sum.value, inside = NULL;
    if (at->divisor != 1) {
        /* A negative sum is a huge unsigned one, whose quotient is still at least the extent. */
        quotient = LLVMBuildUDiv(e->builder, sum.value, divisor, "");
        LLVMValueRef back = LLVMBuildMul(e->builder, quotient, divisor, "");
        inside = LLVMBuildICmp(e->builder, LLVMIntEQ, back, sum.value, "");
    }
    LLVMValueRef below =
        LLVMBuildICmp(e->builder, LLVMIntULT, quotient, whole_of(e, bits, at->extent, width), "");
    inside = inside ? LLVMBuildAnd(e->builder, inside, below, "") : below;
    return (Place1){{quotient, sum.is_vector}, {inside, sum.is_vector}, bits};
}

static bool is_special(const Coordinate *at)
{
    return at->dynamic.id || at->divisor != 1;
}

/* Both, with one of them spread if need be; a value of NULL stands for true. */
static Lanes both(Emit *e, Lanes a, Lanes b, uint32_t level)
{
    if (!a.value) return b;
    if (!b.value) return a;
    emit_at(e, level);
    if (a.is_vector != b.is_vector) {
        Lanes *narrow = a.is_vector ? &b : &a;
        *narrow = (Lanes){spread(e, narrow->value, e->width), true};
    }
    return (Lanes){LLVMBuildAnd(e->builder, a.value, b.value, ""), a.is_vector};
}

Lanes inside_access(Emit *e, const Access *access, uint32_t level)
{
    Lanes all = {0};
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        if (!at->guarded) continue;
        Place1 place = is_special(at) ? place_special(e, at, level) : place_plain(e, at, level);
        all = both(e, all, place.inside, level);
    }
    if (!all.value) all.value = LLVMConstInt(LLVMInt1TypeInContext(e->context), 1, false);
    return all;
}

/* An access taken apart: base + step * lane + extra, where `mask` holds. */
typedef struct Address {
    LLVMValueRef pointer; /* of lane 0, without extra */
    Affine linear;
    Pattern pattern;
    uint32_t apart;     /* PATTERN_apart */
    LLVMValueRef extra; /* i64 a lane, or NULL */
    Lanes mask;         /* value NULL: everywhere */
} Address;

static void add_special(Emit *e, const Coordinate *at, int64_t stride, Address *address,
                        LLVMValueRef *scalar, uint32_t level)
{
    Place1 place = place_special(e, at, level);
    address->mask = both(e, address->mask, place.inside, level);
    emit_at(e, level);
    uint32_t width = place.index.is_vector ? e->width : 1;
    LLVMValueRef wide = widen(e, place.index.value, 64, width);
    LLVMValueRef term = LLVMBuildMul(e->builder, wide, whole_of(e, 64, stride, width), "");
    LLVMValueRef *sum = place.index.is_vector ? &address->extra : scalar;
    *sum = *sum ? LLVMBuildAdd(e->builder, *sum, term, "") : term;
}

LLVMValueRef step_pointer(Emit *e, LLVMTypeRef type, LLVMValueRef pointer, LLVMValueRef by)
{
    return LLVMBuildGEP2(e->builder, type, pointer, &by, 1, "");
}

static Address address_of(Emit *e, const Access *access, Type type, uint32_t level)
{
    Address address = {0};
    Affine linear = {.constant = access->offset};
    LLVMValueRef scalar = NULL;
    for (int d = 0; d < access->rank; d++) {
        const Coordinate *at = &access->at[d];
        if (is_special(at)) {
            add_special(e, at, access->stride[d], &address, &scalar, level);
            continue;
        }
        linear = affine_add(linear, affine_scale(at->affine, access->stride[d]));
        if (at->guarded)
            address.mask = both(e, address.mask, place_plain(e, at, level).inside, level);
    }
    address.linear = linear;
    address.pattern = pattern_of(e, &linear, &address.apart);
    int64_t constant;
    LLVMValueRef offset = affine_value(e, &linear, &constant);
    emit_at(e, level);
    LLVMTypeRef element = memory_type(e, type, 1);
    address.pointer = e->buffer[access->buffer];
    if (offset) address.pointer = step_pointer(e, element, address.pointer, offset);
    if (scalar) address.pointer = step_pointer(e, element, address.pointer, scalar);
    if (constant)
        address.pointer = step_pointer(e, element, address.pointer, emit_i64(e, constant));
    return address;
}

/* A number of which LLVM does not know what it is. */
static LLVMValueRef hidden(Emit *e, LLVMValueRef number)
{
    LLVMTypeRef type = LLVMTypeOf(number), takes = LLVMFunctionType(type, &type, 1, false);
    LLVMValueRef nothing =
        LLVMGetInlineAsm(takes, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    return LLVMBuildCall2(e->builder, takes, nothing, &number, 1, "");
}

/* Of a vector that it cuts in two, LLVM 19 loads a half without asking the guard if the mask of the end is known and nothing of
 * the half is wanted: the address may be anywhere.  Hence an end that is not known. */
static LLVMValueRef end_mask(Emit *e, const Address *address, uint32_t level)
{
    if (!e->mask || !e->left || !address->mask.value) return e->mask;
    emit_at(e, level);
    return lanes_left(e, hidden(e, e->left), 0);
}

static LLVMValueRef lane_mask(Emit *e, const Address *address, uint32_t level)
{
    Lanes all = both(e, (Lanes){end_mask(e, address, level), true}, address->mask, level);
    emit_at(e, level);
    if (all.value && !all.is_vector) return spread(e, all.value, e->width);
    return all.value;
}

static void set_alignment(LLVMValueRef access, Type type)
{
    LLVMSetAlignment(access, type_info[type].bytes);
}

/* What is read where the guard fails is thrown away, so it may be any element: the buffer's first. */
static LLVMValueRef load_one(Emit *e, const Access *access, Type type, const Address *address)
{
    LLVMValueRef pointer = address->pointer, guard = address->mask.value;
    if (guard) pointer = LLVMBuildSelect(e->builder, guard, pointer, e->buffer[access->buffer], "");
    LLVMTypeRef memory = memory_type(e, type, 1);
    LLVMValueRef value = LLVMBuildLoad2(e->builder, memory, pointer, "");
    set_alignment(value, type);
    if (guard) value = LLVMBuildSelect(e->builder, guard, value, LLVMConstNull(memory), "");
    return from_memory(e, type, value, 1);
}

static LLVMValueRef lane_pointers(Emit *e, Type type, const Address *address)
{
    LLVMValueRef lanes = lane_offsets(e, &address->linear, 64);
    if (address->extra) lanes = LLVMBuildAdd(e->builder, lanes, address->extra, "");
    return step_pointer(e, memory_type(e, type, 1), address->pointer, lanes);
}

/* Of an address without extra: all lanes share a register, and lie in the instructions. */
static LLVMValueRef lane_pointer(Emit *e, Type type, const Address *address, uint32_t lane)
{
    LLVMValueRef by = emit_i64(e, lane_offset(e, &address->linear, lane));
    return step_pointer(e, memory_type(e, type, 1), address->pointer, by);
}

/* Gathering by an instruction pays from 16 lanes on. */
#define MOST_ONE_BY_ONE 8

static LLVMValueRef load_one_by_one(Emit *e, Type type, const Address *address)
{
    LLVMValueRef value = LLVMGetPoison(memory_type(e, type, e->width));
    for (uint32_t l = 0; l < e->width; l++) {
        LLVMValueRef pointer = lane_pointer(e, type, address, l);
        LLVMValueRef element = LLVMBuildLoad2(e->builder, memory_type(e, type, 1), pointer, "");
        set_alignment(element, type);
        value = LLVMBuildInsertElement(e->builder, value, element, emit_i32(e, l), "");
    }
    return value;
}

static LLVMValueRef all_lanes(const Emit *e)
{
    return LLVMConstAllOnes(LLVMVectorType(LLVMInt1TypeInContext(e->context), e->width));
}

static LLVMValueRef load_vector(Emit *e, Type type, LLVMValueRef pointer, LLVMValueRef mask,
                                uint32_t width)
{
    LLVMTypeRef memory = memory_type(e, type, width);
    if (mask)
        return emit_intrinsic(e, "llvm.masked.load", 2,
                              (LLVMTypeRef[]){memory, LLVMTypeOf(pointer)}, 4,
                              (LLVMValueRef[]){pointer, emit_i32(e, type_info[type].bytes), mask,
                                               LLVMConstNull(memory)});
    LLVMValueRef value = LLVMBuildLoad2(e->builder, memory, pointer, "");
    set_alignment(value, type);
    return value;
}

/* Lanes 0, apart, 2 apart, ... to the front; what is in the others does not matter. */
static LLVMValueRef first_part(Emit *e, LLVMValueRef value, uint32_t apart)
{
    uint32_t from[64];
    for (uint32_t l = 0; l < e->width; l++)
        from[l] = l * apart < e->width ? l * apart : l;
    return shuffle(e, value, NULL, from, e->width);
}

/* Every `apart`-th element, from as many loads, the last of which ends with the last element wanted. */
static LLVMValueRef load_apart(Emit *e, Type type, LLVMValueRef pointer, uint32_t apart)
{
    uint32_t width = e->width, from[64], last = (width - 1) * apart + 1 - width;
    LLVMValueRef elements = NULL, value = NULL;
    if (e->mask) {
        elements = LLVMBuildSub(e->builder, e->left, emit_i32(e, 1), "");
        elements = LLVMBuildMul(e->builder, elements, emit_i32(e, apart), "");
        elements = LLVMBuildAdd(e->builder, elements, emit_i32(e, 1), "");
    }
    for (uint32_t part = 0; part < apart; part++) {
        uint32_t begin = part + 1 < apart ? part * width : last;
        LLVMValueRef mask = e->mask ? lanes_left(e, elements, begin) : NULL;
        LLVMValueRef at = step_pointer(e, memory_type(e, type, 1), pointer, emit_i64(e, begin));
        LLVMValueRef next = load_vector(e, type, at, mask, width);
        for (uint32_t l = 0; l < width; l++) {
            bool is_here = l * apart >= begin && l * apart < begin + width;
            from[l] = is_here ? width + l * apart - begin : l;
        }
        value = value ? shuffle(e, value, next, from, width) : first_part(e, next, apart);
    }
    return value;
}

static LLVMValueRef load_repeated(Emit *e, Type type, LLVMValueRef pointer, LLVMValueRef mask)
{
    uint32_t points = e->width / e->minor_extent, from[64];
    for (uint32_t l = 0; l < points; l++)
        from[l] = l * e->minor_extent;
    if (mask) mask = shuffle(e, mask, NULL, from, points);
    LLVMValueRef value = load_vector(e, type, pointer, mask, points);
    for (uint32_t l = 0; l < e->width; l++)
        from[l] = l / e->minor_extent;
    return shuffle(e, value, NULL, from, e->width);
}

/* As many zeros as a vector has at most. */
static LLVMValueRef zeros(Emit *e)
{
    static const char name[] = "zeros";
    LLVMValueRef found = LLVMGetNamedGlobal(e->module, name);
    if (found) return found;
    LLVMTypeRef type = LLVMArrayType2(LLVMInt64TypeInContext(e->context), 64);
    found = LLVMAddGlobal(e->module, type, name);
    LLVMSetInitializer(found, LLVMConstNull(type));
    LLVMSetGlobalConstant(found, true);
    LLVMSetLinkage(found, LLVMPrivateLinkage);
    LLVMSetAlignment(found, 64);
    return found;
}

/* One guard for all lanes chooses from where they are loaded: cheaper than a mask of all. */
static LLVMValueRef load_all_or_zeros(Emit *e, Type type, const Address *address)
{
    LLVMValueRef from =
        LLVMBuildSelect(e->builder, address->mask.value, address->pointer, zeros(e), "");
    return load_vector(e, type, from, NULL, e->width);
}

static LLVMValueRef load_lanes(Emit *e, Type type, const Address *address, uint32_t level)
{
    bool is_guarded_as_one = address->mask.value && !address->mask.is_vector && !e->mask;
    if (is_guarded_as_one && !address->extra && address->pattern == PATTERN_next) {
        emit_at(e, level);
        return load_all_or_zeros(e, type, address);
    }
    LLVMValueRef mask = lane_mask(e, address, level);
    bool has_tail_only = !mask || (e->left && !address->mask.value && e->minor_extent == 1);
    if (!address->extra && address->pattern == PATTERN_next)
        return load_vector(e, type, address->pointer, mask, e->width);
    if (!address->extra && address->pattern == PATTERN_apart && has_tail_only)
        return load_apart(e, type, address->pointer, address->apart);
    bool is_tail_or_same = !address->mask.is_vector;
    if (!address->extra && address->pattern == PATTERN_repeated && is_tail_or_same)
        return load_repeated(e, type, address->pointer, mask);
    if (!address->extra && !mask && e->width <= MOST_ONE_BY_ONE)
        return load_one_by_one(e, type, address);

    LLVMTypeRef memory = memory_type(e, type, e->width);
    LLVMValueRef pointers = lane_pointers(e, type, address);
    return emit_intrinsic(e, "llvm.masked.gather", 2, (LLVMTypeRef[]){memory, LLVMTypeOf(pointers)},
                          4,
                          (LLVMValueRef[]){pointers, emit_i32(e, type_info[type].bytes),
                                           mask ? mask : all_lanes(e), LLVMConstNull(memory)});
}

static bool is_lane_dependent(const Address *address)
{
    return address->pattern != PATTERN_same || address->extra || address->mask.is_vector;
}

Lanes load_access(Emit *e, const Access *access, Type type, uint32_t level)
{
    Address address = address_of(e, access, type, level);
    if (e->width == 1 || !is_lane_dependent(&address))
        return (Lanes){load_one(e, access, type, &address), false};
    LLVMValueRef value = load_lanes(e, type, &address, level);
    return (Lanes){from_memory(e, type, value, e->width), true};
}

void prefetch_access(Emit *e, const Access *access, Type type, int64_t plus, uint32_t cache)
{
    Address address = address_of(e, access, type, e->depth);
    prefetch_line(e, step_pointer(e, memory_type(e, type, 1), address.pointer, emit_i64(e, plus)),
                  cache);
}

void prefetch_line(Emit *e, LLVMValueRef at, uint32_t cache)
{
    emit_intrinsic(e, "llvm.prefetch", 1, (LLVMTypeRef[]){LLVMTypeOf(at)}, 4,
                   (LLVMValueRef[]){at, emit_i32(e, 0), emit_i32(e, 4 - cache), emit_i32(e, 1)});
}

static void store_vector(Emit *e, Type type, LLVMValueRef pointer, LLVMValueRef mask,
                         LLVMValueRef value)
{
    if (!mask) {
        set_alignment(LLVMBuildStore(e->builder, value, pointer), type);
        return;
    }
    LLVMValueRef align = emit_i32(e, type_info[type].bytes);
    emit_intrinsic(e, "llvm.masked.store", 2,
                   (LLVMTypeRef[]){LLVMTypeOf(value), LLVMTypeOf(pointer)}, 4,
                   (LLVMValueRef[]){value, pointer, align, mask});
}

/* Scattering by an instruction takes three times as long on Zen 4. */
static void store_one_by_one(Emit *e, Type type, const Address *address, LLVMValueRef value)
{
    LLVMValueRef pointers = address->extra ? lane_pointers(e, type, address) : NULL;
    for (uint32_t l = 0; l < e->width; l++) {
        LLVMValueRef lane = emit_i32(e, l);
        LLVMValueRef element = LLVMBuildExtractElement(e->builder, value, lane, "");
        LLVMValueRef pointer = pointers ? LLVMBuildExtractElement(e->builder, pointers, lane, "")
                                        : lane_pointer(e, type, address, l);
        set_alignment(LLVMBuildStore(e->builder, element, pointer), type);
    }
}

static void store_lanes(Emit *e, Type type, const Address *address, LLVMValueRef mask,
                        LLVMValueRef value)
{
    LLVMTypeRef memory = LLVMTypeOf(value);
    LLVMValueRef align = emit_i32(e, type_info[type].bytes);
    if (address->pattern == PATTERN_next && !address->extra) {
        store_vector(e, type, address->pointer, mask, value);
        return;
    }
    if (!mask) {
        store_one_by_one(e, type, address, value);
        return;
    }
    LLVMValueRef pointers = lane_pointers(e, type, address);
    emit_intrinsic(e, "llvm.masked.scatter", 2, (LLVMTypeRef[]){memory, LLVMTypeOf(pointers)}, 4,
                   (LLVMValueRef[]){value, pointers, align, mask ? mask : all_lanes(e)});
}

/* A guarded store of one value goes to a place of its own on the stack where the guard fails. */
static LLVMValueRef pointer_or_nowhere(Emit *e, Type type, const Address *address)
{
    if (!address->mask.value) return address->pointer;
    LLVMBuilderRef at = LLVMCreateBuilderInContext(e->context);
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(e->function);
    LLVMPositionBuilderBefore(at, LLVMGetFirstInstruction(entry));
    LLVMValueRef nowhere = LLVMBuildAlloca(at, memory_type(e, type, 1), "");
    LLVMDisposeBuilder(at);
    return LLVMBuildSelect(e->builder, address->mask.value, address->pointer, nowhere, "");
}

void store_access(Emit *e, const Access *access, Type type, LLVMValueRef value, bool accumulate)
{
    level_of_access(e, access); /* dynamic parts first */
    Address address = address_of(e, access, type, e->depth);
    if (e->width == 1) {
        LLVMValueRef pointer = pointer_or_nowhere(e, type, &address);
        if (accumulate) {
            LLVMValueRef old = LLVMBuildLoad2(e->builder, memory_type(e, type, 1), pointer, "");
            set_alignment(old, type);
            value = apply_binary(e, SCALAR_add, type, from_memory(e, type, old, 1), value, 1);
        }
        set_alignment(LLVMBuildStore(e->builder, to_memory(e, type, value, 1), pointer), type);
        return;
    }
    if (accumulate) {
        LLVMValueRef old = load_lanes(e, type, &address, e->depth);
        old = from_memory(e, type, old, e->width);
        value = apply_binary(e, SCALAR_add, type, old, value, e->width);
    }
    LLVMValueRef mask = lane_mask(e, &address, e->depth);
    store_lanes(e, type, &address, mask, to_memory(e, type, value, e->width));
}

/* Half of a0 b0 a1 b1 ...: the first or the second. */
static LLVMValueRef half_of_two(Emit *e, LLVMValueRef a, LLVMValueRef b, uint32_t half)
{
    uint32_t from[64];
    for (uint32_t l = 0; l < e->width; l++)
        from[l] = (half * e->width + l) / 2 + (l & 1 ? e->width : 0);
    return shuffle(e, a, b, from, e->width);
}

/* In place; count: a power of two. */
static void weave(Emit *e, LLVMValueRef *value, uint32_t count)
{
    LLVMValueRef even[64], odd[64];
    if (count == 1) return;
    for (uint32_t i = 0; i < count / 2; i++) {
        even[i] = value[2 * i];
        odd[i] = value[2 * i + 1];
    }
    weave(e, even, count / 2);
    weave(e, odd, count / 2);
    for (uint32_t i = 0; i < count; i++)
        value[i] = half_of_two(e, even[i / 2], odd[i / 2], i % 2);
}

void store_woven(Emit *e, const Access *access, Type type, LLVMValueRef *value, uint32_t count)
{
    Address address = address_of(e, access, type, e->depth);
    for (uint32_t i = 0; i < count; i++)
        value[i] = to_memory(e, type, value[i], e->width);
    weave(e, value, count);
    LLVMValueRef left = NULL;
    if (e->mask) left = LLVMBuildMul(e->builder, e->left, emit_i32(e, count), "");
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef mask = left ? lanes_left(e, left, (int64_t)i * e->width) : NULL;
        LLVMValueRef pointer = step_pointer(e, memory_type(e, type, 1), address.pointer,
                                            emit_i64(e, (int64_t)i * e->width));
        store_vector(e, type, pointer, mask, value[i]);
    }
}

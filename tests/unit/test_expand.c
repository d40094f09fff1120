/* Every MATH row against double libm, through the interpreter, over a sample of all floats. */
#include "ir/base/bits.h"
#include "ir/kernel/expand.h"
#include "ir/kernel/scalar.h"
#include <check.h>
#include <float.h>
#include <math.h>

static Arena *arena;

static void open_arena(void)
{
    arena = arena_open(&host_default);
}

static void close_arena(void)
{
    arena_close(arena);
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static Access row(uint32_t buffer, Axis axis, int64_t extent)
{
    return (Access){.buffer = buffer,
                    .rank = 1,
                    .stride = {1},
                    .at[0] = {.affine = affine_axis(axis), .divisor = 1, .extent = extent}};
}

/* z[i] = op(x[i], y[i]) for i < count, expanded. */
static Kernel *kernel_of(ScalarOp op, Type type, int64_t count)
{
    Kernel *kernel = kernel_new(arena);
    Axis i = kernel_axis(kernel, AXIS_parallel, count);
    Scalar argument[2];
    for (int n = 0; n < 2; n++) {
        Access at = row(kernel_buffer(kernel, type, count, false), i, count);
        argument[n] = kernel_load(kernel, &at);
    }
    Access to = row(kernel_buffer(kernel, type, count, true), i, count);
    kernel_store(kernel, &to, kernel_apply(kernel, op, type, argument), false);
    return kernel_expand(kernel, arena);
}

/* The kernel on a target whose fma rounds twice. */
static Kernel *unfused(const Kernel *kernel)
{
    Kernel *to = kernel_new(arena);
    Scalar *copied = arena_array(arena, Scalar, kernel->scalar.count);
    to->axis.at = kernel->axis.at;
    to->axis.count = to->axis.room = kernel->axis.count;
    to->buffer.at = kernel->buffer.at;
    to->buffer.count = to->buffer.room = kernel->buffer.count;
    for (uint32_t i = 1; i < kernel->scalar.count; i++) {
        const ScalarNode *node = &kernel->scalar.at[i];
        Scalar x[3];
        for (int n = 0; n < 3; n++)
            x[n] = copied[node->argument[n].id];
        if (node->op == SCALAR_constant) {
            copied[i] = kernel_constant(to, node->type, node->number);
        } else if (node->op == SCALAR_load) {
            copied[i] = kernel_load(to, node->access);
        } else if (node->op == SCALAR_fma) {
            Scalar product = kernel_apply(to, SCALAR_mul, node->type, x);
            copied[i] = kernel_apply(to, SCALAR_add, node->type, (Scalar[]){product, x[2]});
        } else {
            copied[i] = kernel_apply(to, node->op, node->type, x);
        }
    }
    const Store *store = &kernel->store.at[0];
    kernel_store(to, &store->at, copied[store->value.id], false);
    return to;
}

static float *apply_fused(ScalarOp op, bool fused, uint32_t count, float *x, float *y)
{
    float *z = arena_array(arena, float, count);
    Kernel *kernel = kernel_of(op, TYPE_f32, count);
    kernel_interpret(fused ? kernel : unfused(kernel), (void *[]){x, y ? y : x, z});
    return z;
}

static float *apply(ScalarOp op, uint32_t count, float *x, float *y)
{
    return apply_fused(op, true, count, x, y);
}

static float apply_one(ScalarOp op, float x, float y)
{
    return *apply(op, 1, &x, &y);
}

/* |got - exact| in units of the last place of f32 at `exact`; infinity counts as 2^128. */
static double ulps(float got, double exact)
{
    if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : INFINITY;
    double magnitude = fabs(exact);
    if (magnitude > 0x1p128) exact = copysign(magnitude = 0x1p128, exact);
    double value = isinf(got) ? copysign(0x1p128, (double)got) : (double)got;
    int exponent = magnitude > 0 ? ilogb(magnitude) : -149;
    if (exponent > 127) exponent = 127;
    if (exponent < -126) exponent = -126;
    return fabs(value - exact) / ldexp(1, exponent - 23);
}

typedef struct Row {
    ScalarOp op;
    const char *name;
    double (*exact)(double);
    float limit; /* of |x| */
    double ulps; /* the bound stated beside the expansion */
} Row;

static const Row rows[] = {
    {SCALAR_exp, "exp", exp, INFINITY, 1},      {SCALAR_expm1, "expm1", expm1, INFINITY, 2},
    {SCALAR_log, "log", log, INFINITY, 2},      {SCALAR_log1p, "log1p", log1p, INFINITY, 2},
    {SCALAR_tanh, "tanh", tanh, INFINITY, 2.5}, {SCALAR_erf, "erf", erf, INFINITY, 2},
    {SCALAR_sin, "sin", sin, 1e5f, 2},          {SCALAR_cos, "cos", cos, 1e5f, 2},
};
enum { ROWS = sizeof rows / sizeof *rows };

#ifndef EXPAND_STEP
#define EXPAND_STEP 40009 /* of bit patterns: some 200000 floats */
#endif

/* Patterns step by step through all floats, and as many between 2^-6 and 2^7. */
static uint32_t sample(float limit, float **x)
{
    uint32_t count = 0;
    *x = arena_array(arena, float, 2 * (UINT32_MAX / EXPAND_STEP) + 2);
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += EXPAND_STEP) {
        float wide = float_of((uint32_t)bits);
        if (!(fabsf(wide) > limit)) (*x)[count++] = wide;
        uint64_t random = bits_hash(&bits, sizeof bits, 1);
        (*x)[count++] = float_of((uint32_t)(random & 0x80000000) |
                                 (uint32_t)(0x3c800000 + (random >> 32) % 0x06800000));
    }
    return count;
}

START_TEST(errors_stay_within_bounds)
{
    const Row *test = &rows[_i / 2];
    float *x;
    uint32_t count = sample(test->limit, &x);
    const float *z = apply_fused(test->op, _i % 2, count, x, NULL);
    double worst = 0;
    float at = 0;
    for (uint32_t i = 0; i < count; i++) {
        double error = ulps(z[i], test->exact((double)x[i]));
        if (error > worst) {
            worst = error;
            at = x[i];
        }
    }
    ck_assert_msg(worst <= test->ulps, "%s: %g ULP at %a", test->name, worst, (double)at);
}
END_TEST

/* Bases near 1 with large exponents, where y log x needs most digits, and any others. */
START_TEST(powers_stay_within_bounds)
{
    uint32_t count = 4 * (UINT32_MAX / EXPAND_STEP);
    float *x = arena_array(arena, float, count), *y = arena_array(arena, float, count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t random = bits_hash(&i, sizeof i, 2);
        x[i] = fabsf(float_of((uint32_t)random));
        if (i % 2) x[i] = float_of(0x3f000000 + (uint32_t)random % 0x01000000);
        double most = 104 / fabs(log((double)x[i]));
        y[i] = (float)((double)(random >> 40) * 0x1p-23 * most - most);
        if (i % 4 == 0) y[i] = (float)(int)(random >> 60) - 8;
    }
    const float *z = apply_fused(SCALAR_pow, _i, count, x, y);
    double worst = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        double error = ulps(z[i], pow((double)x[i], (double)y[i]));
        if (error > worst) {
            worst = error;
            at = i;
        }
    }
    ck_assert_msg(worst <= 2, "pow: %g ULP at %a, %a", worst, (double)x[at], (double)y[at]);
}
END_TEST

static void assert_bits(float got, float wanted, const char *name, float x, float y)
{
    bool same = bits_of(got) == bits_of(wanted) || (isnan(got) && isnan(wanted));
    ck_assert_msg(same, "%s(%a, %a) is %a, not %a", name, (double)x, (double)y, (double)got,
                  (double)wanted);
}

START_TEST(special_values_are_libms)
{
    static const float special[] = {0.0f,    -0.0f,    INFINITY,  -INFINITY,  NAN,   FLT_MIN,
                                    FLT_MAX, -FLT_MAX, 0x1p-149f, -0x1p-149f, -1.0f, 0x1.8p-120f};
    for (unsigned i = 0; i < sizeof special / sizeof *special; i++) {
        if (!(fabsf(special[i]) <= rows[_i].limit) && isfinite(special[i])) continue;
        float got = apply_one(rows[_i].op, special[i], 0),
              wanted = (float)rows[_i].exact((double)special[i]);
        if (isfinite(wanted) && wanted != 0) {
            ck_assert(ulps(got, rows[_i].exact((double)special[i])) <= rows[_i].ulps);
            continue;
        }
        assert_bits(got, wanted, rows[_i].name, special[i], 0);
    }
}
END_TEST

START_TEST(special_powers_are_libms)
{
    static const float special[] = {0.0f,      -0.0f, 1.0f,        -1.0f, 0.5f,   -0.5f,
                                    2.0f,      -2.0f, 3.0f,        -3.0f, 2.5f,   INFINITY,
                                    -INFINITY, NAN,   16777217.0f, 1e30f, -1e30f, 0x1p-149f};
    enum { COUNT = sizeof special / sizeof *special };
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            double exact = pow((double)special[i], (double)special[j]);
            float got = apply_one(SCALAR_pow, special[i], special[j]);
            if (isfinite((float)exact) && (float)exact != 0)
                ck_assert_msg(ulps(got, exact) <= 2, "pow(%a, %a) is %a", (double)special[i],
                              (double)special[j], (double)got);
            else
                assert_bits(got, (float)exact, "pow", special[i], special[j]);
        }
}
END_TEST

START_TEST(angles_out_of_reach_are_bounded)
{
    static const float large[] = {1.1e5f, 1e6f, 6.49e6f, 6.6e6f, 1e9f, FLT_MAX};
    for (unsigned i = 0; i < sizeof large / sizeof *large; i++) {
        ck_assert(fabsf(apply_one(SCALAR_sin, large[i], 0)) <= 1);
        ck_assert(fabsf(apply_one(SCALAR_cos, -large[i], 0)) <= 1);
    }
    ck_assert(apply_one(SCALAR_cos, FLT_MAX, 0) == 1);
}
END_TEST

START_TEST(signs_of_every_number)
{
    static const float real[] = {0.0f, -0.0f, 3.0f, -0x1p-149f, INFINITY, -INFINITY, NAN};
    static const float sign[] = {0, 0, 1, -1, 1, -1, 0};
    for (int i = 0; i < 7; i++)
        assert_bits(apply_one(SCALAR_sign, real[i], 0), sign[i], "sign", real[i], 0);
    int32_t whole[] = {INT32_MIN, -1, 0, 1, INT32_MAX}, got[5];
    kernel_interpret(kernel_of(SCALAR_sign, TYPE_i32, 5), (void *[]){whole, whole, got});
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(got[i], (whole[i] > 0) - (whole[i] < 0));
    uint8_t small[] = {0, 1, 255}, result[3];
    kernel_interpret(kernel_of(SCALAR_sign, TYPE_u8, 3), (void *[]){small, small, result});
    ck_assert(result[0] == 0 && result[1] == 1 && result[2] == 1);
}
END_TEST

/* All bf16 and f16 values: computed in f32, rounded once. */
START_TEST(half_floats_round_once)
{
    const Type type = _i ? TYPE_f16 : TYPE_bf16;
    uint16_t *x = arena_array(arena, uint16_t, 65536), *z = arena_array(arena, uint16_t, 65536);
    float *wide = arena_array(arena, float, 65536);
    for (uint32_t i = 0; i < 65536; i++) {
        x[i] = (uint16_t)i;
        wide[i] = number_load(type, x, i).real;
    }
    kernel_interpret(kernel_of(SCALAR_tanh, type, 65536), (void *[]){x, x, z});
    const float *expected = apply(SCALAR_tanh, 65536, wide, NULL);
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t rounded = _i ? bits_f16_of(expected[i]) : bits_bf16_of(expected[i]);
        ck_assert(z[i] == rounded || isnan(expected[i]));
    }
}
END_TEST

START_TEST(uniform_is_bits_uniform)
{
    enum { COUNT = 1000 };
    static const int32_t first[] = {0, 1, -500, INT32_MAX - 999, 123456};
    const uint32_t stream = 3000000000u + (uint32_t)_i;
    Kernel *kernel = kernel_new(arena);
    Axis i = kernel_axis(kernel, AXIS_parallel, COUNT);
    uint32_t state = kernel_buffer(kernel, TYPE_i32, 2, false),
             z = kernel_buffer(kernel, TYPE_f32, COUNT, true);
    Scalar seed = kernel_load(kernel, &(Access){.buffer = state});
    Scalar step = kernel_load(kernel, &(Access){.buffer = state, .offset = 1});
    Scalar element = kernel_index(kernel, affine_add(affine_axis(i), affine_constant(first[_i])));
    Access to = row(z, i, COUNT);
    const Scalar argument[] = {seed, step, kernel_constant(kernel, TYPE_u32, stream), element};
    kernel_store(kernel, &to, kernel_apply(kernel, SCALAR_uniform, TYPE_f32, argument), false);

    int32_t states[] = {-77 + 1000 * _i, 12345678 * _i};
    float got[COUNT];
    kernel_interpret(kernel_expand(kernel, arena), (void *[]){states, got});
    for (int n = 0; n < COUNT; n++) {
        uint32_t at = (uint32_t)first[_i] + (uint32_t)n;
        ck_assert(got[n] == bits_uniform((uint32_t)states[0], stream, (uint32_t)states[1], at));
    }
}
END_TEST

/* Numbered by use, nothing dead: expanding again changes nothing. */
START_TEST(expanded_kernels_are_canonical)
{
    for (int i = 0; i < ROWS; i++) {
        Kernel *once = kernel_of(rows[i].op, TYPE_f16, 4), *twice = kernel_expand(once, arena);
        ck_assert(kernel_same(once, twice));
        for (uint32_t n = 1; n < once->scalar.count; n++)
            ck_assert(!scalar_info[once->scalar.at[n].op].is_math);
    }
}
END_TEST

Suite *suite_expand(void);
Suite *suite_expand(void)
{
    Suite *suite = suite_create("expand");
    TCase *tests = tcase_create("expand");
    tcase_add_checked_fixture(tests, open_arena, close_arena);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, errors_stay_within_bounds, 0, 2 * ROWS);
    tcase_add_loop_test(tests, powers_stay_within_bounds, 0, 2);
    tcase_add_loop_test(tests, special_values_are_libms, 0, ROWS);
    tcase_add_test(tests, special_powers_are_libms);
    tcase_add_test(tests, angles_out_of_reach_are_bounded);
    tcase_add_test(tests, signs_of_every_number);
    tcase_add_loop_test(tests, half_floats_round_once, 0, 2);
    tcase_add_loop_test(tests, uniform_is_bits_uniform, 0, 5);
    tcase_add_test(tests, expanded_kernels_are_canonical);
    suite_add_tcase(suite, tests);
    return suite;
}

#include "ir/base/bits.h"
#include <check.h>
#include <math.h>
#include <string.h>

START_TEST(f16_reads_back_every_pattern)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = bits_of_f16((uint16_t)bits);
        if (isnan(value))
            ck_assert(isnan(bits_of_f16(bits_f16_of(value))));
        else
            ck_assert_uint_eq(bits_f16_of(value), bits);
    }
}
END_TEST

START_TEST(bf16_reads_back_every_pattern)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = bits_of_bf16((uint16_t)bits);
        if (isnan(value))
            ck_assert(isnan(bits_of_bf16(bits_bf16_of(value))));
        else
            ck_assert_uint_eq(bits_bf16_of(value), bits);
    }
}
END_TEST

/* Between two neighbours of either format: below the middle rounds down, above up, the middle to the even pattern. */
START_TEST(rounding_is_to_nearest_even)
{
    for (uint32_t bits = 0; bits < 0x7bff; bits++) {
        float low = bits_of_f16((uint16_t)bits), high = bits_of_f16((uint16_t)(bits + 1));
        float middle = (low + high) / 2;
        ck_assert_uint_eq(bits_f16_of(middle), bits + (bits & 1));
        ck_assert_uint_eq(bits_f16_of(nextafterf(middle, 0)), bits);
        ck_assert_uint_eq(bits_f16_of(nextafterf(middle, INFINITY)), bits + 1);
        ck_assert_uint_eq(bits_f16_of(-middle), 0x8000 | (bits + (bits & 1)));
    }
    for (uint32_t bits = 0x80; bits < 0x7f7f; bits++) {
        double low = (double)bits_of_bf16((uint16_t)bits),
               high = (double)bits_of_bf16((uint16_t)(bits + 1));
        float middle = (float)((low + high) / 2);
        ck_assert_uint_eq(bits_bf16_of(middle), bits + (bits & 1));
        ck_assert_uint_eq(bits_bf16_of(nextafterf(middle, 0)), bits);
        ck_assert_uint_eq(bits_bf16_of(nextafterf(middle, INFINITY)), bits + 1);
    }
    ck_assert_uint_eq(bits_f16_of(65519), 0x7bff);
    ck_assert_uint_eq(bits_f16_of(65520), 0x7c00);
    ck_assert_uint_eq(bits_f16_of(1e30f), 0x7c00);
    ck_assert_uint_eq(bits_f16_of(-INFINITY), 0xfc00);
}
END_TEST

/* The known-answer vectors that Random123 1.09 ships for philox4x32-10. */
START_TEST(philox_gives_the_known_answers)
{
    static const uint32_t known[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        bits_philox(known[i], known[i] + 4, out);
        ck_assert_mem_eq(out, known[i] + 6, sizeof out);
    }
}
END_TEST

START_TEST(uniform_follows_its_definition)
{
    uint64_t element = (uint64_t)5 << 34 | 6;
    uint32_t out[4];
    bits_philox((uint32_t[4]){1, 5, 9, 3}, (uint32_t[2]){7, 0}, out);
    ck_assert_float_eq(bits_uniform(7, 3, 9, element), (float)(out[2] >> 8) / 16777216.0f);

    double sum = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        float value = bits_uniform(1, 2, 3, i);
        ck_assert(value >= 0 && value < 1);
        sum += (double)value;
    }
    /* Mean of 4000 uniforms: deviation sqrt(1/12/4000) = 0.0046; five of them. */
    ck_assert(fabs(sum / 4000 - 0.5) < 0.023);
}
END_TEST

START_TEST(hash_depends_on_everything)
{
    char bytes[64] = {0};
    uint64_t base = bits_hash(bytes, sizeof bytes, 0);
    ck_assert(bits_hash(bytes, sizeof bytes, 1) != base);
    ck_assert(bits_hash(bytes, sizeof bytes - 1, 0) != base);
    for (unsigned bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        ck_assert(bits_hash(bytes, sizeof bytes, 0) != base);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    ck_assert(bits_hash(bytes, sizeof bytes, 0) == base);
}
END_TEST

Suite *suite_bits(void);
Suite *suite_bits(void)
{
    Suite *suite = suite_create("bits");
    TCase *tests = tcase_create("bits");
    tcase_add_test(tests, f16_reads_back_every_pattern);
    tcase_add_test(tests, bf16_reads_back_every_pattern);
    tcase_add_test(tests, rounding_is_to_nearest_even);
    tcase_add_test(tests, philox_gives_the_known_answers);
    tcase_add_test(tests, uniform_follows_its_definition);
    tcase_add_test(tests, hash_depends_on_everything);
    suite_add_tcase(suite, tests);
    return suite;
}

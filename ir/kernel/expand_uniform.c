/* bits_uniform as scalars: Philox4x32-10, one element a point. */
#include "ir/kernel/expand_math.h"

/* One word of four, chosen by the low bits of the element. */
static Scalar choose(Kernel *k, Scalar element, const Scalar word[4])
{
    Scalar is_odd = EQUAL(TWO(bit_and, element, NATURAL(1)), NATURAL(1));
    Scalar is_high = EQUAL(TWO(bit_and, element, NATURAL(2)), NATURAL(2));
    return SELECT(is_high, SELECT(is_odd, word[3], word[2]), SELECT(is_odd, word[1], word[0]));
}

Scalar expand_uniform(Kernel *k, const ScalarNode *node)
{
    Scalar element = BITS(node->argument[3], TYPE_u32), key[2], c[4];
    key[0] = BITS(node->argument[0], TYPE_u32);
    key[1] = NATURAL(0);
    c[0] = TWO(shift_right, element, NATURAL(2));
    c[1] = NATURAL(0);
    c[2] = BITS(node->argument[1], TYPE_u32);
    c[3] = node->argument[2];
    for (int round = 0; round < 10; round++) {
        Scalar first = NATURAL(0xD2511F53), second = NATURAL(0xCD9E8D57), old[2] = {c[0], c[2]};
        c[0] = TWO(bit_xor, TWO(bit_xor, TWO(mul_high, second, old[1]), c[1]), key[0]);
        c[2] = TWO(bit_xor, TWO(bit_xor, TWO(mul_high, first, old[0]), c[3]), key[1]);
        c[1] = MUL(second, old[1]);
        c[3] = MUL(first, old[0]);
        key[0] = ADD(key[0], NATURAL(0x9E3779B9));
        key[1] = ADD(key[1], NATURAL(0xBB67AE85));
    }
    Scalar top = TWO(shift_right, choose(k, element, c), NATURAL(8));
    return MUL(CAST(BITS(top, TYPE_i32), TYPE_f32), REAL(0x1p-24));
}

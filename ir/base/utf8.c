#include "ir/base/utf8.h"

uint32_t utf8_length(const void *bytes, size_t left)
{
    const unsigned char *at = bytes;
    if (at[0] < 0x80) return 1;

    uint32_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || length > left) return 0;
    for (uint32_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    int is_overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    int is_beyond = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return is_overlong || is_beyond ? 0 : length;
}

uint32_t utf8_put(char *out, uint32_t code)
{
    uint32_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (uint32_t i = length; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[length] | code);
    return length;
}

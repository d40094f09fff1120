#ifndef MLC_IR_BASE_UTF8_H
#define MLC_IR_BASE_UTF8_H
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include <stddef.h>
#include <stdint.h>

/* Bytes of the sequence at `at`, of which `left` (at least 1) may be read; 0 if there is none. */
uint32_t utf8_length(const void *at, size_t left);
/* Writes a code point that is one; returns its bytes, 1 to 4. */
uint32_t utf8_put(char *out, uint32_t code);

#endif

#include "ir/base/text.h"
#include "ir/base/boundary.h"
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Room for `more` bytes and the NUL. */
static void make_room(Text *text, size_t more)
{
    if (text->room - text->count > more) return;

    size_t room = text->room ? text->room : 64;
    while (room - text->count <= more)
        room *= 2;
    char *at = arena_alloc(text->arena, room);
    if (text->count) memcpy(at, text->at, text->count);
    text->at = at;
    text->room = room;
}

void text_put(Text *text, const char *bytes, size_t length)
{
    make_room(text, length);
    if (length) memcpy(text->at + text->count, bytes, length);
    text->count += length;
    text->at[text->count] = 0;
}

void text_add(Text *text, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    make_room(text, 0);
    size_t left = text->room - text->count;
    int length = vsnprintf(text->at + text->count, left, format, list);
    va_end(list);
    if (length < 0) bug("format '%s' cannot be printed", format);

    if ((size_t)length >= left) {
        make_room(text, (size_t)length);
        vsnprintf(text->at + text->count, (size_t)length + 1, format, again);
    }
    va_end(again);
    text->count += (size_t)length;
}

const char *text_done(Text *text)
{
    return text->at ? text->at : "";
}

/* A host program may have set a locale with another decimal point: whatever is not part of a number is one. */
static void restore_point(char *number)
{
    char *to = number;
    bool in_point = false;
    for (const char *from = number; *from; from++) {
        bool plain = strchr("0123456789+-e", *from) != NULL;
        if (plain)
            *to++ = *from;
        else if (!in_point)
            *to++ = '.';
        in_point = !plain;
    }
    *to = 0;
}

/* A decimal of up to 15 digits survives the way to a normal double and back, so when %.15g (which drops trailing
 * zeros) reads back, nothing shorter does; subnormals have less precision and are tried from one digit on. */
static void shortest(char *out, size_t size, double value)
{
    for (int digits = fabs(value) < 0x1p-1022 ? 1 : 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value) return;
    }
}

void text_number(Text *text, double value)
{
    char number[64];
    if (isnan(value)) {
        text_put(text, "nan", 3);
        return;
    }
    if (isinf(value)) {
        text_add(text, "%s", value < 0 ? "-inf" : "inf");
        return;
    }
    if (value == trunc(value) && fabs(value) <= 0x1p53)
        snprintf(number, sizeof number, "%.0f", value);
    else
        shortest(number, sizeof number, value);
    restore_point(number);
    text_put(text, number, strlen(number));
}

/* Writes the number with the locale's decimal point, as strtod wants it; false if it holds anything else. */
static bool to_locale(char *out, size_t room, const char *text, size_t length)
{
    char half[32];
    snprintf(half, sizeof half, "%.1f", 0.5);
    size_t point = strlen(half) - 2, count = 0;
    for (size_t i = 0; i < length; i++) {
        if (!memchr("0123456789.+-eE", text[i], 15) || count + point + 1 >= room) return false;
        if (text[i] == '.') {
            memcpy(out + count, half + 1, point);
            count += point;
        } else {
            out[count++] = text[i];
        }
    }
    out[count] = 0;
    return count > 0;
}

bool text_read_number(const char *text, size_t length, double *value)
{
    bool negative = length > 0 && text[0] == '-';
    const char *word = text + negative;
    size_t word_length = length - negative;
    if (word_length == 3 && (memcmp(word, "inf", 3) == 0 || memcmp(word, "nan", 3) == 0)) {
        double magnitude = word[0] == 'i' ? (double)INFINITY : (double)NAN;
        *value = negative ? -magnitude : magnitude;
        return true;
    }
    char number[512], *end;
    if (!to_locale(number, sizeof number, text, length)) return false;
    *value = strtod(number, &end);
    return !*end;
}

void text_bytes(Text *text, uint64_t bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = (double)bytes;
    int i = 0;
    while (amount >= 1023.5 && i < 6) {
        amount /= 1024;
        i++;
    }
    double tenths = nearbyint(amount * 10) / 10;
    if (amount < 100 && tenths != trunc(tenths))
        text_add(text, "%d.%d %s", (int)tenths, (int)nearbyint(tenths * 10) % 10, unit[i]);
    else
        text_add(text, "%d %s", (int)nearbyint(amount), unit[i]);
}

#define DISTANCE_MOST 128

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours, one each (optimal string alignment). */
unsigned text_distance(const char *a, const char *b, unsigned limit)
{
    size_t rows = strlen(a), columns = strlen(b);
    size_t difference = rows > columns ? rows - columns : columns - rows;
    if (difference > limit || rows > DISTANCE_MOST || columns > DISTANCE_MOST)
        return strcmp(a, b) == 0 ? 0 : limit + 1;

    unsigned row[3][DISTANCE_MOST + 1]; /* row[i % 3][j]: distance of a[:i] and b[:j] */
    for (unsigned j = 0; j <= columns; j++)
        row[0][j] = j;
    for (unsigned i = 1; i <= rows; i++) {
        unsigned *now = row[i % 3], *before = row[(i + 2) % 3], *two_before = row[(i + 1) % 3];
        unsigned lowest = now[0] = i;
        for (unsigned j = 1; j <= columns; j++) {
            unsigned replaced = before[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(replaced, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], two_before[j - 2] + 1);
            lowest = least(lowest, now[j]);
        }
        if (lowest > limit + 1) return limit + 1;
    }
    return least(row[rows % 3][columns], limit + 1);
}

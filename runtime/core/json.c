#include "runtime/core/json.h"
#include "ir/base/utf8.h"

bool json_fail(Json *json, const char *problem)
{
    if (!json->problem) json->problem = problem;
    return false;
}

static void skip_blanks(Json *json)
{
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\n' || *json->at == '\r' || *json->at == '\t'))
        json->at++;
}

bool json_take(Json *json, char mark)
{
    if (json->problem) return false;
    skip_blanks(json);
    if (json->at == json->end || *json->at != mark) return false;
    json->at++;
    return true;
}

bool json_want(Json *json, char mark)
{
    return json_take(json, mark) || json_fail(json, "unexpected text");
}

bool json_end(Json *json)
{
    if (json->problem) return false;
    skip_blanks(json);
    return json->at == json->end || json_fail(json, "text after the closing brace");
}

static bool read_hex(Json *json, uint32_t *value)
{
    if (json->end - json->at < 4) return json_fail(json, "a string that does not end");
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = *json->at++;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return json_fail(json, "a bad \\u escape");
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

/* After "\u": one code unit, or two that form a surrogate pair. */
static bool read_unicode(Json *json, char **out)
{
    uint32_t code, low;
    if (!read_hex(json, &code)) return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (json->end - json->at < 6 || json->at[0] != '\\' || json->at[1] != 'u')
            return json_fail(json, "half a surrogate pair");
        json->at += 2;
        if (!read_hex(json, &low)) return false;
        if (low < 0xdc00 || low > 0xdfff) return json_fail(json, "half a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
        return json_fail(json, "half a surrogate pair");
    }
    if (code < 0x20 || code == 0x7f) return json_fail(json, "a control character in a string");
    *out += utf8_put(*out, code);
    return true;
}

static bool read_escape(Json *json, char **out)
{
    if (json->at == json->end) return json_fail(json, "a string that does not end");
    char mark = *json->at++;
    if (mark == 'u') return read_unicode(json, out);
    if (mark != '"' && mark != '\\' && mark != '/')
        return json_fail(json, "a control character or bad escape in a string");
    *(*out)++ = mark;
    return true;
}

/* An escape is at least as long as what it stands for, so `out` never overtakes `at`. */
bool json_string(Json *json, char **text)
{
    if (!json_want(json, '"')) return false;
    char *out = *text = json->at;
    while (json->at < json->end && *json->at != '"') {
        char c = *json->at++;
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return json_fail(json, "a control character in a string");
        if (c != '\\')
            *out++ = c;
        else if (!read_escape(json, &out))
            return false;
    }
    if (json->at == json->end) return json_fail(json, "a string that does not end");
    json->at++;
    *out = 0;
    return true;
}

bool json_natural(Json *json, uint64_t *value)
{
    if (json->problem) return false;
    skip_blanks(json);
    const char *first = json->at;
    *value = 0;
    for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; json->at++)
        if (__builtin_mul_overflow(*value, 10u, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*json->at - '0'), value))
            return json_fail(json, "a number over 2^64");
    if (json->at == first) return json_fail(json, "not a whole number of zero or more");
    if (*first == '0' && json->at - first > 1)
        return json_fail(json, "a number that begins with 0");
    return true;
}

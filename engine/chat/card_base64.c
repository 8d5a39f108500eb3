#include "engine/chat/card_base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int base64_decode(struct strbuf *out, const char *text, size_t length)
{
    uint32_t bits = 0;
    size_t held = 0, padding = 0;
    for (size_t i = 0; i < length; i++) {
        if (is_space(text[i]))
            continue;
        if (text[i] == '=') {
            padding++;
            continue;
        }
        const char *found = memchr(alphabet, text[i], sizeof alphabet - 1);
        if (found == NULL || padding > 0)
            return -1;
        bits = bits << 6 | (uint32_t)(found - alphabet);
        if (++held == 4) {
            const char bytes[] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
            strbuf_add(out, bytes, 3);
            held = 0;
        }
    }
    if (held == 1 || padding > 2)
        return -1;
    bits <<= 6 * (4 - held);
    const char bytes[] = {(char)(bits >> 16), (char)(bits >> 8)};
    strbuf_add(out, bytes, held > 0 ? held - 1 : 0);
    return 0;
}

void base64_encode(struct strbuf *out, const char *bytes, size_t length)
{
    const unsigned char *in = (const unsigned char *)bytes;
    for (size_t i = 0; i < length; i += 3) {
        size_t have = length - i < 3 ? length - i : 3;
        uint32_t bits = (uint32_t)in[i] << 16 | (have > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                        (have > 2 ? in[i + 2] : 0u);
        char four[4];
        for (size_t k = 0; k < 4; k++)
            four[k] = k <= have ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
        strbuf_add(out, four, 4);
    }
}

#include "engine/base/utf8.h"

#include <string.h>

/* Length of the sequence that `lead` begins; 0 when it cannot begin one. */
static size_t sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    if (lead >= 0xF0 && lead <= 0xF4)
        return 4;
    return 0;
}

/* Whether `second` may follow `lead`: excludes overlong forms, surrogates and > U+10FFFF. */
static int second_allowed(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return second >= 0x80 && second <= 0xBF;
    }
}

/* Bytes of a well-formed prefix of one sequence, at most `length`; 0 when text[0] is invalid. */
static size_t well_formed(const char *text, size_t length, size_t *wanted)
{
    unsigned char lead = (unsigned char)text[0];
    *wanted = sequence_length(lead);
    if (*wanted <= 1)
        return *wanted;
    size_t have = 1;
    while (have < *wanted && have < length) {
        unsigned char byte = (unsigned char)text[have];
        if (have == 1 ? !second_allowed(lead, byte) : (byte & 0xC0) != 0x80)
            return 0;
        have++;
    }
    return have;
}

size_t utf8_decode(const char *text, size_t length, uint32_t *code)
{
    static const unsigned char lead_mask[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t wanted;
    if (well_formed(text, length, &wanted) != wanted || wanted == 0) {
        *code = UTF8_REPLACEMENT;
        return 1;
    }
    uint32_t value = (unsigned char)text[0] & lead_mask[wanted];
    for (size_t i = 1; i < wanted; i++)
        value = value << 6 | ((unsigned char)text[i] & 0x3F);
    *code = value;
    return wanted;
}

size_t utf8_encode(uint32_t code, char *out)
{
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        code = UTF8_REPLACEMENT;
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    static const unsigned char lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(lead[length] | code);
    return length;
}

size_t utf8_whole(const char *text, size_t length)
{
    size_t back = length < 3 ? length : 3;
    for (size_t i = 1; i <= back; i++) {
        const char *at = text + length - i;
        if (((unsigned char)*at & 0xC0) == 0x80)
            continue;
        size_t wanted;
        size_t have = well_formed(at, i, &wanted);
        return have == i && have < wanted ? length - i : length;
    }
    return length;
}

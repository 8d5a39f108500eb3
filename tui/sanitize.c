#include "tui/sanitize.h"

#include <stdbool.h>
#include <stdint.h>
#include <unictype.h>
#include <uniwidth.h>

#include "engine/base/utf8.h"

static bool is_plain(char byte)
{
    return (unsigned char)byte >= 0x20 && (unsigned char)byte < 0x7F;
}

/* Ranges that are shown by number. */
static const struct {
    uint32_t first, last;
} forbidden[] = {
    {0x80, 0x9F},       /* C1 controls */
    {0x061C, 0x061C},   /* Arabic letter mark */
    {0x180E, 0x180E},   /* Mongolian vowel separator */
    {0x200E, 0x200F},   /* left-to-right and right-to-left marks */
    {0x2028, 0x202E},   /* separators, bidi embeddings and overrides */
    {0x2061, 0x206F},   /* invisible operators, bidi isolates, deprecated format controls */
    {0xFEFF, 0xFEFF},   /* byte order mark */
    {0xFFF9, 0xFFFB},   /* interlinear annotation */
    {0x1D173, 0x1D17A}, /* musical format controls */
    {0xE0000, 0xE00FF}, /* tags */
};

static bool is_forbidden(uint32_t code)
{
    if ((code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code <= 0xFDEF))
        return true;
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (code >= forbidden[i].first && code <= forbidden[i].last)
            return true;
    return false;
}

/* What is put on top of the character before it, whether it can be seen or not. */
static bool is_mark(uint32_t code)
{
    return code >= 0x300 && (uc_width((ucs4_t)code, "UTF-8") == 0 ||
                             uc_is_general_category_withtable(code, UC_CATEGORY_MASK_M));
}

static void put_code(struct strbuf *out, uint32_t code)
{
    char bytes[4];
    strbuf_add(out, bytes, utf8_encode(code, bytes));
}

static void put_ascii(struct strbuf *out, char byte, unsigned flags)
{
    bool kept = (byte == '\n' && (flags & SANITIZE_KEEP_NEWLINES)) ||
                (byte == '\t' && (flags & SANITIZE_KEEP_TABS)) || is_plain(byte);
    if (kept)
        strbuf_putc(out, byte);
    else
        put_code(out, byte == 0x7F ? 0x2421 : 0x2400 + (unsigned char)byte);
}

void sanitize_text(struct strbuf *out, const char *text, size_t length, unsigned flags)
{
    unsigned marks = 0;
    for (size_t at = 0; at < length;) {
        size_t run = 0;
        while (at + run < length && is_plain(text[at + run]))
            run++;
        strbuf_add(out, text + at, run);
        at += run;
        marks = run > 0 ? 0 : marks;
        if (at >= length)
            break;
        uint32_t code;
        size_t bytes = utf8_decode(text + at, length - at, &code);
        bool mark = code >= 0x80 && is_mark(code);
        marks = mark ? marks + 1 : 0;
        if (code < 0x80)
            put_ascii(out, text[at], flags);
        else if (is_forbidden(code) || marks > SANITIZE_MARKS_MAX)
            strbuf_printf(out, "<U+%04X>", (unsigned)code);
        else
            put_code(out, code);
        at += bytes;
    }
}

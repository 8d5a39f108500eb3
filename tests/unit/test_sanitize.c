/* Tests of tui/sanitize: nothing that a terminal would act on gets out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/utf8.h"
#include "tui/sanitize.h"

static void check(const char *text, size_t length, unsigned flags, const char *expected)
{
    struct strbuf out = {0};
    sanitize_text(&out, text, length, flags);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void each_kind_is_shown(void **state)
{
    (void)state;
    check("plain text", 10, 0, "plain text");
    check("\033[31m", 5, 0, "␛[31m");
    check("a\0b", 3, 0, "a␀b");
    check("\r\n\t\a\b\x7F", 6, 0, "␍␊␉␇␈␡");
    check("\r\n\t", 3, SANITIZE_KEEP_NEWLINES, "␍\n␉");
    check("\r\n\t", 3, SANITIZE_KEEP_TABS, "␍␊\t");
    check("\xC2\x9B"
          "31m",
          5, 0, "<U+009B>31m");
    check("\x9B", 1, 0, "\xEF\xBF\xBD");
    check("\xE2\x80\xAE", 3, 0, "<U+202E>");
    check("\xE2\x81\xA6", 3, 0, "<U+2066>");
    check("\xE2\x80\xA8\xE2\x80\xA9", 6, 0, "<U+2028><U+2029>");
    check("\xF3\xA0\x81\x81", 4, 0, "<U+E0041>");
    check("\xEF\xBB\xBF", 3, 0, "<U+FEFF>");
    check("\xC0\x80\xED\xA0\x80", 5, 0,
          "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    check("海豚 👨‍👩‍👧 e\xCC\x81", strlen("海豚 👨‍👩‍👧 e\xCC\x81"), 0,
          "海豚 👨‍👩‍👧 e\xCC\x81");
}

static void marks_are_limited(void **state)
{
    (void)state;
    struct strbuf text = {0}, expected = {0};
    strbuf_putc(&text, 'e');
    strbuf_putc(&expected, 'e');
    for (int i = 0; i < 12; i++) {
        strbuf_puts(&text, "\xCC\x81");
        strbuf_puts(&expected, i < SANITIZE_MARKS_MAX ? "\xCC\x81" : "<U+0301>");
    }
    strbuf_puts(&text, "x\xCC\x81");
    strbuf_puts(&expected, "x\xCC\x81");
    check(text.data, text.length, 0, expected.data);
    strbuf_free(&text);
    strbuf_free(&expected);
}

/* What must never come out, written down apart from the code under test. */
static bool is_dangerous(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x61C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF ||
           (code >= 0xE0000 && code <= 0xE007F);
}

static void assert_harmless(const struct strbuf *out, unsigned flags)
{
    for (size_t at = 0; at < out->length;) {
        uint32_t code;
        size_t bytes = utf8_decode(out->data + at, out->length - at, &code);
        if (code == UTF8_REPLACEMENT)
            assert_memory_equal(out->data + at, "\xEF\xBF\xBD", 3); /* never an invalid byte */
        if (!(code == '\n' && (flags & SANITIZE_KEEP_NEWLINES)) &&
            !(code == '\t' && (flags & SANITIZE_KEEP_TABS)))
            assert_false(is_dangerous(code));
        at += code == UTF8_REPLACEMENT ? 3 : bytes;
    }
}

/* Pieces that matter, put together at random with random bytes between. */
static size_t random_text(char *text, size_t room, unsigned *seed)
{
    static const char *const pieces[] = {"\033[2J",
                                         "\033]0;x\007",
                                         "\xC2\x9B",
                                         "\x9B",
                                         "\xE2\x80\xAE",
                                         "\xE2\x80\xA8",
                                         "\xF3\xA0\x80\xA0",
                                         "\xF3\xA0\x81\xBF",
                                         "\xCC\x81",
                                         "\xEF\xBB\xBF",
                                         "\r",
                                         "\n",
                                         "\t",
                                         "\b",
                                         "\x7F",
                                         "海",
                                         "\xE2\x81\xA9",
                                         "\xD8\x9C",
                                         "\xE2\x80"};
    size_t length = 0;
    int count = rand_r(seed) % 12;
    for (int i = 0; i < count; i++) {
        const char *piece = pieces[(size_t)rand_r(seed) % (sizeof pieces / sizeof pieces[0])];
        size_t size = strlen(piece);
        if (rand_r(seed) % 2)
            size = 1 + (size_t)rand_r(seed) % size; /* cut short */
        if (length + size + 1 > room)
            break;
        memcpy(text + length, piece, size);
        length += size;
        if (rand_r(seed) % 3 == 0)
            text[length++] = (char)(rand_r(seed) % 256);
    }
    return length;
}

static void nothing_dangerous_gets_out(void **state)
{
    (void)state;
    unsigned seed = 7;
    struct strbuf out = {0};
    for (unsigned round = 0; round < 200000; round++) {
        char text[96];
        unsigned flags = round % 4;
        size_t length = random_text(text, sizeof text, &seed);
        strbuf_clear(&out);
        sanitize_text(&out, text, length, flags);
        assert_harmless(&out, flags);
    }
    strbuf_free(&out);
}

static void every_code_point_is_harmless_and_stays_so(void **state)
{
    (void)state;
    struct strbuf once = {0}, twice = {0};
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char bytes[4];
        size_t length = utf8_encode(code, bytes);
        strbuf_clear(&once);
        strbuf_clear(&twice);
        sanitize_text(&once, bytes, length, 0);
        assert_harmless(&once, 0);
        sanitize_text(&twice, once.data, once.length, 0);
        assert_string_equal(once.data, twice.data);
    }
    strbuf_free(&once);
    strbuf_free(&twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_shown),
        cmocka_unit_test(marks_are_limited),
        cmocka_unit_test(nothing_dangerous_gets_out),
        cmocka_unit_test(every_code_point_is_harmless_and_stays_so),
    };
    return cmocka_run_group_tests_name("sanitize", tests, NULL, NULL);
}

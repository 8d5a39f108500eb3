/* Tests of engine/base/width. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/utf8.h"
#include "engine/base/width.h"

static const struct {
    const char *text; /* clusters parted by | */
    int columns;
} cases[] = {
    {"a|b|c", 3},
    {"e\xCC\x81|x", 2},                /* combining acute */
    {"海|豚", 4},                      /* wide */
    {"\r\n|x", 1},                     /* one line end */
    {"👨‍👩‍👧|x", 3},       /* joined */
    {"🇲🇽|🇩🇪|x", 5},                    /* flags pair up */
    {"👍🏽|x", 3},                 /* skin tone */
    {"❤️|x", 3},                   /* text character made an emoji */
    {"❤|x", 2},                        /* ... and not */
    {"1️⃣|x", 3},                  /* keycap */
    {"🏴‍☠️|x", 3},            /* joined to a text character */
    {"각|x", 3},                       /* a precomposed syllable */
    {"\xE1\x84\x80\xE1\x85\xA1|x", 3}, /* ... and one from its letters */
    {"\xCC\x81", 1},                   /* a mark alone stands on a space */
    {"\xE2\x80\x8B", 0},               /* zero width space */
    {"\xE0\xA4\x95\xE0\xA4\xBE|x", 3}, /* a spacing mark takes its own column */
};

static void clusters_and_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char plain[128], *copy = strdup(cases[i].text), *rest = NULL;
        size_t length = 0, at = 0;
        for (char *part = strtok_r(copy, "|", &rest); part; part = strtok_r(NULL, "|", &rest)) {
            memcpy(plain + length, part, strlen(part));
            length += strlen(part);
        }
        free(copy);
        copy = strdup(cases[i].text);
        for (char *part = strtok_r(copy, "|", &rest); part; part = strtok_r(NULL, "|", &rest)) {
            assert_int_equal(grapheme_next(plain + at, length - at), strlen(part));
            at += strlen(part);
            assert_int_equal(grapheme_previous(plain, length, at), at - strlen(part));
        }
        free(copy);
        assert_int_equal(at, length);
        assert_int_equal(text_columns(plain, length), cases[i].columns);
    }
}

static void fitting_never_cuts_a_cluster(void **state)
{
    (void)state;
    const char *text = "a海👨‍👩‍👧e\xCC\x81";
    size_t length = strlen(text);
    static const size_t fits[] = {0, 1, 1, 4, 4, 22, 25, 25};
    for (int columns = 0; columns < 8; columns++)
        assert_int_equal(text_fit(text, length, columns), fits[columns]);
}

/* Bytes of every kind: the clusters cover the text, and going back finds the same borders. */
static void random_bytes_are_covered(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char text[64];
        size_t length = 1 + (size_t)(rand_r(&seed) % 40), at = 0, borders[64], count = 0;
        for (size_t i = 0; i < length; i++)
            text[i] = (char)(rand_r(&seed) % (round % 2 ? 256 : 96) + (round % 2 ? 0 : 0xC0));
        while (at < length) {
            size_t bytes = grapheme_next(text + at, length - at);
            assert_true(bytes > 0 && bytes <= length - at);
            assert_true(grapheme_columns(text + at, bytes) >= 0);
            borders[count++] = at;
            at += bytes;
        }
        while (count > 0) {
            at = grapheme_previous(text, length, at);
            assert_int_equal(at, borders[--count]);
        }
        assert_int_equal(grapheme_previous(text, length, 0), 0);
    }
}

static void lines_break_at_words(void **state)
{
    (void)state;
    const char *text = "one two-three 海豚";
    char breaks[64];
    text_line_breaks(text, strlen(text), breaks);
    assert_false(breaks[0]);
    assert_true(breaks[4]);
    assert_false(breaks[5]);
    assert_true(breaks[8]); /* after the hyphen */
    assert_true(breaks[14]);
    assert_true(breaks[17]); /* between ideographs */
    assert_false(breaks[15]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_and_columns),
        cmocka_unit_test(fitting_never_cuts_a_cluster),
        cmocka_unit_test(random_bytes_are_covered),
        cmocka_unit_test(lines_break_at_words),
    };
    return cmocka_run_group_tests_name("width", tests, NULL, NULL);
}

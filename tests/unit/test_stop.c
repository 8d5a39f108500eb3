/* Tests of engine/infer/stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "engine/infer/stop.h"

/* Feeds `text` in pieces of `step` bytes; returns whether a stop string was met. */
static bool feed(struct stop *stop, const char *text, size_t step, struct strbuf *out)
{
    for (size_t at = 0, length = strlen(text); at < length; at += step)
        if (stop_push(stop, text + at, length - at < step ? length - at : step, out))
            return true;
    return false;
}

static void cuts_at_the_first_stop_whatever_the_pieces(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kept; /* kept NULL: no stop */
    } cases[] = {
        {"Hello USER: hi", "Hello "},
        {"USER:", ""},
        {"USERUSER:x", "USER"},
        {"UUSUSEUSERUSER :USER", NULL},
        {"aab aaab", "a"},
        {"x USER:ab ", "x "},
        {"line\n### Input", "line"},
        {"line\n## Input", NULL},
        {"\xE6\xBC\xA2\xE5\xAD\x97 and \xE6\xBC\xA3", "\xE6\xBC\xA2\xE5\xAD\x97 and "},
        {"\xE6\xBC\xA2\xE5\xAD\x97", NULL},
        {"", NULL},
    };
    static const char *const stops[] = {"USER:", "", "ab ", "\n###", "\xE6\xBC\xA3"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 20; step++) {
            struct stop *stop = stop_create(stops, sizeof stops / sizeof stops[0]);
            struct strbuf out = {0};
            bool met = feed(stop, cases[i].text, step, &out);
            assert_int_equal(met, cases[i].kept != NULL);
            if (!met)
                stop_flush(stop, &out);
            assert_string_equal(strbuf_text(&out), met ? cases[i].kept : cases[i].text);
            strbuf_free(&out);
            stop_free(stop);
        }
}

static void holds_back_only_what_may_be_a_stop(void **state)
{
    (void)state;
    static const char *const stops[] = {"</end>", "<<"};
    struct stop *stop = stop_create(stops, 2);
    struct strbuf out = {0};
    assert_false(stop_push(stop, "abc</e", 6, &out));
    assert_string_equal(strbuf_text(&out), "abc");
    assert_false(stop_push(stop, "x", 1, &out));
    assert_string_equal(strbuf_text(&out), "abc</ex");
    assert_false(stop_push(stop, "</end", 5, &out));
    assert_string_equal(strbuf_text(&out), "abc</ex");
    stop_flush(stop, &out);
    assert_string_equal(strbuf_text(&out), "abc</ex</end");
    assert_true(stop_push(stop, "<<<", 3, &out));
    assert_string_equal(strbuf_text(&out), "abc</ex</end");
    strbuf_free(&out);
    stop_free(stop);
}

static void without_stops_everything_passes(void **state)
{
    (void)state;
    struct stop *stop = stop_create(NULL, 0);
    struct strbuf out = {0};
    assert_false(feed(stop, "anything at all", 1, &out));
    assert_string_equal(strbuf_text(&out), "anything at all");
    strbuf_free(&out);
    stop_free(stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_at_the_first_stop_whatever_the_pieces),
        cmocka_unit_test(holds_back_only_what_may_be_a_stop),
        cmocka_unit_test(without_stops_everything_passes),
    };
    return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}

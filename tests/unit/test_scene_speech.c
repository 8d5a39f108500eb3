/* Tests of engine/chat/scene_speech: stop strings, foreign speakers in a stream, lines for display.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/chat/scene_speech.h"

static struct scene *cast(void)
{
    struct scene *scene = scene_create();
    assert_int_equal(scene_add_character(scene, "Yoda", "", "", NULL, NULL), 0);
    assert_int_equal(scene_add_character(scene, "Captain Mara Voss", "Mara", "", NULL, NULL), 0);
    assert_int_equal(scene_set_user(scene, "Jon", NULL), 0);
    return scene;
}

static void stops_are_the_known_names(void **state)
{
    (void)state;
    struct scene *scene = cast();
    size_t count;
    char **stops = scene_stops(scene, false, &count);
    assert_int_equal(count, 4);
    assert_string_equal(stops[0], "USER:");
    assert_string_equal(stops[1], "\nUSER:");
    assert_string_equal(stops[2], "\nJon:");
    assert_string_equal(stops[3], "\nUSER/Jon:");
    assert_null(stops[4]);
    scene_stops_free(stops);
    stops = scene_stops(scene, true, &count);
    assert_int_equal(count, 4);
    assert_string_equal(stops[1], "\nYoda:");
    assert_string_equal(stops[2], "\nMara:");
    assert_string_equal(stops[3], "\nCaptain Mara Voss:");
    scene_stops_free(stops);
    scene_free(scene);
}

#define NOWHERE ((size_t)-1)

/* Where a reply is cut when it comes in pieces of `piece` bytes. */
static size_t cut(const struct scene *scene, const char *text, size_t piece, bool for_user)
{
    struct scene_watch watch = {.scene = scene, .for_user = for_user};
    size_t length = strlen(text), offset = NOWHERE;
    bool found = false;
    for (size_t at = 0; at < length && !found; at += piece) {
        size_t bytes = length - at < piece ? length - at : piece;
        found = scene_watch_push(&watch, text + at, bytes, &offset);
    }
    if (!found && !scene_watch_finish(&watch, &offset))
        offset = NOWHERE;
    scene_watch_free(&watch);
    return offset;
}

/* '|' marks where the cut is expected. */
static void expect_cut(const char *marked)
{
    struct scene *scene = cast();
    struct strbuf text = {0};
    const char *bar = strchr(marked, '|');
    size_t expected = bar != NULL ? (size_t)(bar - marked) : NOWHERE;
    for (const char *at = marked; *at != '\0'; at++)
        if (*at != '|')
            strbuf_putc(&text, *at);
    for (size_t piece = 1; piece <= text.length; piece += piece < 8 ? 1 : 13) {
        size_t found = cut(scene, strbuf_text(&text), piece, false);
        if (found != expected)
            fail_msg("%s: cut at %zd in pieces of %zu", marked, (ssize_t)found, piece);
    }
    strbuf_free(&text);
    scene_free(scene);
}

static void foreign_speakers_end_a_reply(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "Yoda: \"Hm.\"\n|Bob: \"Hi.\"",
        "Yoda: \"Hm.\"\n|Jon: \"Hi.\"",
        "|Jon: \"Hi.\"",
        "Yoda: \"Hm.\"\n|JON: hi",
        "Yoda: \"Hm.\"\n\n|  Big Bad Bob: hi",
        "Yoda: \"Hm.\"\n|**Bob:** hi",
        "Yoda: \"Hm.\"\n|**Bob**: hi",
        "Yoda: \"Hm.\"\n|Bob (softly): hi",
        "Yoda: \"Hm.\"\n|\u00C9lodie: hi",
        "Yoda: \"Hm.\"\n|Dr. O'Neil-Smith: hi",
        "Yoda: \"Hm.\"\n|Bob:*waves*",
        "Yoda: \"Hm.\"\n|Bob:",
        "Yoda: \"Hm.\"\n|ASSISTANT: hi",
        "Yoda: \"Hm.\"\n|USER/Jon: hi",
        "Yoda: \"Never closed.\nMore of it.\n|Bob: \"Hi.\"",
        "Yoda: \"Never closed.\n\n|Bob: Hi.",
        "Yoda: \"Open, this is.\n|Jon: hi",
        "Yoda: \"One.\nMara: \"Two.\"\n|Bob: three",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_cut(cases[i]);
}

static void others_do_not(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "Yoda: \"Hm.\"\nMara: \"Hi.\"\nYoda: \"Bob: that is his name.\"",
        "Captain Mara Voss: a\nCaptain Mara: b\nVoss: c\nmara: d\nYODA: e\nMara Voss: f",
        "Yoda: \"Hm.\"\nNote: this is a scene.\nThe End: of it\nChapter Two: more",
        "Yoda: \"Listen.\nNote: it is open.\nBob: still inside the quote.\"",
        "*Yoda reads aloud.\nBob: an old friend*",
        "He turned to Bob: nobody. Then Bob: \"Hi.\"",
        "Yoda: \"Hm.\"\nhttp://example.org\nHttp://example.org\n12:30 it was\nAt 12:30 sharp",
        "Yoda: \"Hm.\"\nThe four word name here: hi",
        "Yoda: \"Hm.\"\nBig bad Bob: hi",
        "Yoda: \"Hm.\"\nBob\n: hi",
        "Yoda: \"Hm.\"\n: hi\n :\n** :\n():",
        "",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_cut(cases[i]);
}

static void the_users_own_line_ends_at_a_character(void **state)
{
    (void)state;
    struct scene *scene = cast();
    assert_int_equal(cut(scene, "\"Hi.\"\nJon: \"More.\"\nYoda: \"Hm.\"", 1, true), 19);
    assert_int_equal(cut(scene, "\"Hi.\"\nBob: hi", 1, true), NOWHERE);
    scene_free(scene);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void lines_have_speakers(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int speaker;
        size_t name, text;
    } cases[] = {
        {"Yoda: \"Hm.\"", 0, 4, 6},
        {"yoda:  hm", 0, 4, 7},
        {"Captain Mara Voss: a", 1, 17, 19},
        {"Mara (smiling): a", 1, 14, 16},
        {"**Mara:** a", 1, 6, 10},
        {"Jon: hi", SCENE_USER, 3, 5},
        {"USER: hi", SCENE_USER, 4, 6},
        {"Bob: hi", SCENE_STRANGER, 3, 5},
        {"*Yoda nods: yes*", SCENE_NARRATION, 0, 0},
        {"Note: hi", SCENE_NARRATION, 0, 0},
        {"", SCENE_NARRATION, 0, 0},
        {"Yoda:", 0, 4, 5},
    };
    struct scene *scene = cast();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene_line line;
        scene_parse_line(scene, cases[i].line, strlen(cases[i].line), &line);
        if (line.speaker != cases[i].speaker || line.name_length != cases[i].name ||
            line.text_begin != cases[i].text)
            fail_msg("%s: speaker %d, name %zu, text %zu", cases[i].line, line.speaker,
                     line.name_length, line.text_begin);
    }
    scene_free(scene);
}

/* The spans written as [P...], [S...], [A...]. */
static void spans_cover_a_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"Hm.\" *nods* yes", "[S\"Hm.\"][P ][A*nods*][P yes]"},
        {"\u201CHm.\u201D \u00ABOui\u00BB", "[S\u201CHm.\u201D][P ][S\u00ABOui\u00BB]"},
        {"a * b", "[Pa * b]"},
        {"**bold** and *act*", "[P**bold** and ][A*act*]"},
        {"\"open *a*", "[S\"open *a*]"},
        {"*a**b*", "[A*a*][A*b*]"},
        {"*", "[P*]"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene_span span = {0};
        struct strbuf text = {0};
        size_t end = 0;
        while (scene_next_span(cases[i][0], strlen(cases[i][0]), &span)) {
            assert_int_equal(span.begin, end);
            end = span.end;
            strbuf_printf(&text, "[%c%.*s]", "PSA"[span.kind], (int)(span.end - span.begin),
                          cases[i][0] + span.begin);
        }
        assert_int_equal(end, strlen(cases[i][0]));
        assert_string_equal(strbuf_text(&text), cases[i][1]);
        strbuf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_are_the_known_names),
        cmocka_unit_test(foreign_speakers_end_a_reply),
        cmocka_unit_test(others_do_not),
        cmocka_unit_test(the_users_own_line_ends_at_a_character),
        cmocka_unit_test(lines_have_speakers),
        cmocka_unit_test(spans_cover_a_line),
    };
    return cmocka_run_group_tests_name("scene_speech", tests, NULL, NULL);
}

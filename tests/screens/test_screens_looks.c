/* Screens as a person sees them: sizes, wide characters, themes, hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "tests/screens/screen_steps.h"

/* --- looks ------------------------------------------------------------------------------------ */

static void start_page(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    assert_true(screen_matches(screen, "start-80x24"));
    assert_true(pty_screen_state(screen)->alternate);
    pty_screen_type(screen, "\t");
    assert_true(pty_screen_wait_text(screen, "› What can you do?"));
    pty_screen_type(screen, "\t"); /* the next offer */
    assert_true(pty_screen_wait_text(screen, "› What color are blueberries?"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_no_text(screen, "› What"));
    steps_leave(screen);
}

static void a_reply_comes_and_is_drawn(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "What is a vaquita?");
    assert_true(pty_screen_wait_text(screen, "▌ What is a vaquita?"));
    assert_true(pty_screen_wait_text(screen, "◆ The vaquita is the smallest porpoise."));
    steps_idle(screen);
    steps_ask(screen, "And?");
    assert_true(pty_screen_wait_text(screen, "date: 2021"));
    steps_idle(screen);
    assert_true(pty_screen_wait_text(screen, "│     x = 1;")); /* a tab stop */
    assert_true(screen_matches(screen, "reply-80x24"));
    steps_leave(screen);
}

static void every_size_is_drawn(void **state)
{
    (void)state;
    static const struct {
        int rows, columns;
        const char *name;
    } sizes[] = {{5, 20, "size-20x5"},
                 {10, 40, "size-40x10"},
                 {36, 120, "size-120x36"},
                 {45, 160, "size-160x45"},
                 {24, 80, "size-80x24"}};
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "A question that is long enough to be wrapped on a narrow screen?");
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    steps_idle(screen);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned long frames = pty_screen_frames(screen);
        pty_screen_resize(screen, sizes[i].rows, sizes[i].columns);
        char mark[2] = {(char)('a' + i), 0};
        pty_screen_type(screen, mark);
        char *typed = strndup("abcdefgh", i + 1), *line = NULL;
        assert_true(asprintf(&line, "› %s", typed) > 0);
        assert_true(pty_screen_wait_text(screen, line));
        assert_true(pty_screen_frames(screen) > frames);
        assert_true(screen_matches(screen, sizes[i].name));
        free(typed);
        free(line);
    }
    pty_screen_resize(screen, 1, 1);
    pty_screen_resize(screen, 2, 3);
    pty_screen_resize(screen, 3, 9);
    pty_screen_resize(screen, 200, 500);
    pty_screen_resize(screen, 24, 80);
    pty_screen_type(screen, "z");
    assert_true(pty_screen_wait_text(screen, "› abcdez"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    steps_leave(screen);
}

static void wide_and_combining_characters_line_up(void **state)
{
    (void)state;
    static const char replies[] = "海豚 and 日本語|\n"
                                  "emoji 🐬|\n"
                                  "family 👨‍👩‍👧|\n"
                                  "heart ❤️|\n"
                                  "flag 🇲🇽|\n"
                                  "combining e\xCC\x81|\n";
    struct chat_child child = {.script = replies};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "wide");
    assert_true(pty_screen_wait_text(screen, "combining e\xCC\x81|"));
    steps_idle(screen);
    assert_true(screen_matches(screen, "wide-80x24"));
    int row, column;
    pty_screen_type(screen, "海豚e\xCC\x81👨‍👩‍👧");
    assert_true(pty_screen_wait_text(screen, "› 海豚e\xCC\x81👨"));
    pty_screen_cursor(screen, &row, &column);
    assert_int_equal(column, 3 + 4 + 1 + 2);
    pty_screen_type(screen, "\177\177x"); /* a cluster each */
    assert_true(pty_screen_wait_text(screen, "› 海豚x"));
    pty_screen_type(screen, "\033[D\033[D\033[Dy");
    assert_true(pty_screen_wait_text(screen, "› y海豚x"));
    pty_screen_type(screen, CTRL_C);
    steps_leave(screen);
}

static void themes_and_colour_depths(void **state)
{
    (void)state;
    static const struct pty_variable direct[] = {{"COLORTERM", "truecolor"}, {NULL, NULL}};
    static const struct pty_variable none[] = {{"NO_COLOR", "1"}, {NULL, NULL}};
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = chat_child_start(24, 80, direct, &child);
    int prompt = pty_screen_row_of(screen, "› Type");
    assert_int_equal(pty_screen_colour(screen, prompt, 1), 0xe5b77a);
    steps_ask(screen, "/theme vaquita-nonesuch");
    assert_true(pty_screen_wait_text(screen, "no theme \"vaquita-nonesuch\""));
    steps_ask(screen, "/theme themes/vaquita-light.ini");
    assert_true(pty_screen_wait_text(screen, "› Type"));
    steps_leave(screen);
    screen = chat_child_start(24, 80, NULL, &child);
    assert_non_null(strstr(strbuf_text(pty_screen_output(screen)), "38;5;"));
    assert_null(strstr(strbuf_text(pty_screen_output(screen)), "38;2;"));
    steps_leave(screen);
    screen = chat_child_start(24, 80, none, &child);
    assert_true(screen_matches(screen, "no-colour-80x24"));
    const char *output = strbuf_text(pty_screen_output(screen));
    for (const char *at = output; (at = strstr(at, "\033[")) != NULL; at += 2) {
        assert_true(strncmp(at, "\033[3", 3) != 0 || at[3] == 'm' || at[3] == ';');
        assert_true(strncmp(at, "\033[4", 3) != 0 || at[3] == 'm' || at[3] == 'l');
    }
    steps_leave(screen);
    child.colour = "16";
    screen = chat_child_start(24, 80, NULL, &child);
    assert_null(strstr(strbuf_text(pty_screen_output(screen)), "38;5;"));
    steps_leave(screen);
}

/* --- hostile text ----------------------------------------------------------------------------- */

static void a_reply_cannot_touch_the_terminal(void **state)
{
    (void)state;
    struct chat_child child = {
        .script = "\033]0;owned\007\033[31mred\033[?1000h\033[2J\033[?25l\a\b\b\r\x0e\n"
                  "c1 \xC2\x9B"
                  "31m raw \x9B"
                  "31m bidi \xE2\x80\xAE"
                  "abc tag \xF3\xA0\x81\x81\n"
                  "▌ You: faked\n◆ faked\nend of attack"};
    struct pty_screen *screen = steps_start(24, 80, &child);
    int mouse = pty_screen_state(screen)->mouse;
    steps_ask(screen, "attack");
    assert_true(pty_screen_wait_text(screen, "end of attack"));
    steps_idle(screen);
    const struct pty_state *now = pty_screen_state(screen);
    assert_null(strstr(now->title, "owned"));
    assert_int_equal(now->mouse, mouse);
    assert_int_equal(now->bells, 0);
    assert_true(now->cursor_visible);
    assert_true(screen_matches(screen, "attack-80x24"));
    /* The markers of the gutter stand left of any text. */
    char *shown = pty_screen_text(screen);
    assert_non_null(strstr(shown, "\n   ▌ You: faked"));
    assert_non_null(strstr(shown, "\n   ◆ faked"));
    free(shown);
    steps_leave(screen);
}

static void typed_controls_are_shown(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    pty_screen_type(screen, "\026\033]0;x"); /* quoted insert of an escape */
    assert_true(pty_screen_wait_text(screen, "› ␛]0;x"));
    pty_screen_type(screen, CTRL_C "\033[200~a\033]0;t\007b\033[201~");
    assert_true(pty_screen_wait_text(screen, "› a␛]0;t␇b"));
    assert_string_equal(pty_screen_state(screen)->title, "airo");
    pty_screen_type(screen, CTRL_C);
    steps_leave(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_page),
        cmocka_unit_test(a_reply_comes_and_is_drawn),
        cmocka_unit_test(every_size_is_drawn),
        cmocka_unit_test(wide_and_combining_characters_line_up),
        cmocka_unit_test(themes_and_colour_depths),
        cmocka_unit_test(a_reply_cannot_touch_the_terminal),
        cmocka_unit_test(typed_controls_are_shown),
    };
    return cmocka_run_group_tests_name("screens: looks", tests, NULL, NULL);
}

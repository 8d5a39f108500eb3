/* Tests of panes where it is tight: sizes that change, wide characters, hostile titles, no colour.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/base/width.h"
#include "tests/screens/screen_steps.h"

static const char wide[] =
    "海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚"
    "海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚|\n\n"
    "🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬🐬\n\n"
    "e\xCC\x81 👨‍👩‍👧 🇲🇽 ❤️ end";

/* Two panes, the left one with a reply. */
static struct pty_screen *two_panes(int rows, int columns, struct chat_child *child,
                                    const char *question)
{
    struct pty_screen *screen = steps_start(rows, columns, child);
    steps_ask(screen, question);
    assert_true(pty_screen_wait_text(screen, " end"));
    steps_idle(screen);
    pty_screen_type(screen, F7);
    steps_cursor_in(screen, 0, rows, columns / 2, columns);
    return screen;
}

/* In how many rows a line goes down in this column, cells of wide characters counted. */
static int lines_at(struct pty_screen *screen, int column)
{
    char *shown = pty_screen_text(screen), *rest = shown;
    int rows = 0;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        size_t fits = text_fit(line, strlen(line), column);
        bool whole = text_columns(line, fits) == column;
        rows += whole && strncmp(line + fits, "│", strlen("│")) == 0;
    }
    free(shown);
    return rows;
}

static void wide_characters_end_at_the_border(void **state)
{
    (void)state;
    struct chat_child child = {.script = wide};
    struct pty_screen *screen = two_panes(24, 121, &child, "wide 海豚");
    struct strbuf typed = {0};
    strbuf_puts(&typed, "› ");
    for (int columns = 100; columns < 130; columns += 3) {
        strbuf_printf(&typed, "%c", 'a' + (columns - 100) / 3);
        pty_screen_resize(screen, 24, columns);
        pty_screen_type(screen, strbuf_text(&typed) + typed.length - 1);
        assert_true(pty_screen_wait_text(screen, strbuf_text(&typed)));
        int border = steps_column_of(screen, "┮");
        assert_in_range(border, columns / 2 - 1, columns / 2 + 1);
        assert_int_equal(lines_at(screen, border), 22); /* all but header and gauge */
    }
    strbuf_free(&typed);
    assert_true(screen_matches(screen, "panes-wide-127x24"));
    steps_end(screen);
}

static void a_wide_title_is_cut_at_the_border(void **state)
{
    (void)state;
    struct chat_child child = {.script = "short end"};
    struct pty_screen *screen =
        two_panes(24, 81, &child, "海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚海豚");
    int border = steps_column_of(screen, "┮");
    assert_int_equal(lines_at(screen, border), 22);
    assert_true(pty_screen_shows(screen, "… ─"));
    steps_end(screen);
}

static void a_title_cannot_touch_the_terminal(void **state)
{
    (void)state;
    struct chat_child child = {.script = "short end"};
    struct pty_screen *screen = steps_start(24, 100, &child);
    pty_screen_type(screen, "\026\033]0;owned\026\007 \xE2\x80\xAE"
                            "bidi\r");
    assert_true(pty_screen_wait_text(screen, "short end"));
    pty_screen_type(screen, F7);
    steps_cursor_in(screen, 0, 24, 50, 100);
    char *shown = pty_screen_text(screen);
    assert_true(strncmp(shown, "─ ␛]0;owned␇", strlen("─ ␛]0;owned␇")) == 0);
    assert_null(strstr(shown, "\xE2\x80\xAE"));
    free(shown);
    pty_screen_type(screen, F6 "x");
    assert_true(pty_screen_wait_text(screen, "› x"));
    steps_title(screen, "␛]0;owned");
    assert_int_equal(pty_screen_state(screen)->bells, 0);
    steps_end(screen);
}

static void the_window_has_the_title_of_the_chat(void **state)
{
    (void)state;
    struct chat_child child = {.script = "short end\n---\nother end"};
    struct pty_screen *screen = two_panes(24, 100, &child, "What is a vaquita?");
    assert_true(pty_screen_wait_text(screen, "› Type"));
    steps_title(screen, "airo");
    assert_null(strstr(pty_screen_state(screen)->title, "vaquita"));
    steps_ask(screen, "And a dolphin?");
    assert_true(pty_screen_wait_text(screen, "other end"));
    steps_idle(screen);
    steps_title(screen, "And a dolphin? · airo");
    pty_screen_type(screen, F6 "x");
    assert_true(pty_screen_wait_text(screen, "› x"));
    steps_title(screen, "What is a vaquita? · airo");
    pty_screen_type(screen, F1); /* a side pane shows the chat that had the keys */
    assert_true(pty_screen_wait_text(screen, "Help"));
    steps_title(screen, "What is a vaquita? · airo");
    steps_end(screen);
}

static void the_cursor_is_a_bar_while_one_types(void **state)
{
    (void)state;
    struct chat_child child = {.script = "short end"};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_type(screen, "x");
    assert_non_null(strstr(strbuf_text(pty_screen_output(screen)), "\033[6 q"));
    steps_clear(screen, "x");
    steps_leave(screen);
}

static void sizes_come_and_go(void **state)
{
    (void)state;
    static const struct {
        int rows, columns;
    } sizes[] = {{1, 1},  {45, 160}, {2, 3},   {24, 80},  {3, 200}, {60, 20}, {10, 40},
                 {7, 37}, {8, 73},   {200, 5}, {15, 160}, {5, 90},  {14, 72}, {120, 400}};
    char *text = steps_numbered(3000);
    struct chat_child child = {.script = text, .piece_ms = 1, .context = 1u << 20};
    struct pty_screen *screen = steps_start(36, 120, &child);
    steps_ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 3."));
    pty_screen_type(screen, F7);
    steps_cursor_in(screen, 0, 36, 60, 120);
    pty_screen_type(screen, SHIFT_F7 F1 F6);
    for (int i = 0; i < 80; i++) {
        size_t at = (size_t)i * 5 % (sizeof sizes / sizeof sizes[0]);
        pty_screen_resize(screen, sizes[at].rows, sizes[at].columns);
        pty_screen_type(screen, i % 8 == 3 ? F6 : i % 8 == 5 ? F9 : i % 8 == 6 ? F9 : "x");
        assert_true(pty_screen_pump(screen, 0));
    }
    pty_screen_resize(screen, 45, 170);
    pty_screen_type(screen, F9);
    assert_true(pty_screen_wait_text(screen, "What do you want to do?"));
    pty_screen_type(screen, "quit");
    assert_true(pty_screen_wait_text(screen, "› quit"));
    assert_true(pty_screen_wait_text(screen, "│ quit"));
    pty_screen_type(screen, "\r");
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
    free(text);
}

static void every_kind_of_pane_survives_every_small_size(void **state)
{
    (void)state;
    struct chat_child child = {.script = "short end"};
    struct pty_screen *screen = steps_start(24, 120, &child);
    pty_screen_type(screen, F7 SHIFT_F7 F1);
    assert_true(pty_screen_wait_text(screen, "━ Help"));
    for (int rows = 1; rows <= 12; rows++)
        for (int columns = 1; columns <= 90; columns += 11) {
            unsigned long frames = pty_screen_frames(screen);
            pty_screen_resize(screen, rows, columns);
            while (pty_screen_frames(screen) == frames)
                assert_true(pty_screen_pump(screen, 1000));
        }
    pty_screen_resize(screen, 24, 120);
    assert_true(pty_screen_wait_text(screen, "━ Help"));
    steps_end(screen);
}

/* Among the parameters of an SGR sequence is a colour. */
static bool sets_a_colour(const char *output)
{
    for (const char *at = output; (at = strstr(at, "\033[")) != NULL;) {
        at += 2;
        size_t length = strspn(at, "0123456789;");
        if (at[length] != 'm')
            continue;
        for (const char *number = at; number < at + length; number += strcspn(number, ";m") + 1) {
            int value = atoi(number);
            if ((value >= 30 && value <= 38) || (value >= 40 && value <= 48) || value >= 90)
                return true;
        }
    }
    return false;
}

static void the_keys_are_seen_without_colour(void **state)
{
    (void)state;
    static const struct pty_variable none[] = {{"NO_COLOR", "1"}, {NULL, NULL}};
    struct chat_child child = {.script = "short end"};
    struct pty_screen *screen = chat_child_start(24, 120, none, &child);
    pty_screen_type(screen, F7);
    assert_true(pty_screen_wait_text(screen, "┮━ airo"));
    pty_screen_type(screen, F6);
    assert_true(pty_screen_wait_text(screen, "┭─ airo"));
    assert_false(sets_a_colour(strbuf_text(pty_screen_output(screen))));
    steps_end(screen);
}

static void no_more_panes_than_there_may_be(void **state)
{
    (void)state;
    struct chat_child child = {.script = "short end"};
    struct pty_screen *screen = steps_start(24, 80, &child);
    for (int i = 0; i < 32; i++)
        pty_screen_type(screen, F7);
    assert_true(pty_screen_wait_text(screen, "no more than 32 panes"));
    assert_true(pty_screen_shows(screen, "pane 32 of 32"));
    for (int i = 0; i < 31; i++)
        pty_screen_type(screen, F8);
    pty_screen_type(screen, "x");
    assert_true(pty_screen_wait_text(screen, "› x"));
    assert_false(pty_screen_shows(screen, "pane "));
    steps_clear(screen, "x");
    steps_leave(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_characters_end_at_the_border),
        cmocka_unit_test(a_wide_title_is_cut_at_the_border),
        cmocka_unit_test(a_title_cannot_touch_the_terminal),
        cmocka_unit_test(the_window_has_the_title_of_the_chat),
        cmocka_unit_test(the_cursor_is_a_bar_while_one_types),
        cmocka_unit_test(sizes_come_and_go),
        cmocka_unit_test(every_kind_of_pane_survives_every_small_size),
        cmocka_unit_test(the_keys_are_seen_without_colour),
        cmocka_unit_test(no_more_panes_than_there_may_be),
    };
    return cmocka_run_group_tests_name("workspace edges", tests, NULL, NULL);
}

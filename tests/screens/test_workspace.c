/* Tests of panes beside each other: splitting, going about, borders, drafts, replies at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "engine/base/strbuf.h"
#include "tests/screens/screen_steps.h"

#define MIDDLE 60 /* a column near the middle of 120 */

/* A chat on the left, two on the right; the lower one has the keys. Each has a word typed. */
static struct pty_screen *three_panes(int rows, int columns, struct chat_child *child)
{
    struct pty_screen *screen = steps_start(rows, columns, child);
    steps_type(screen, "first");
    pty_screen_type(screen, F7);
    assert_true(pty_screen_wait_text(screen, "› Type"));
    steps_type(screen, "second");
    pty_screen_type(screen, SHIFT_F7);
    assert_true(pty_screen_wait_text(screen, "› Type"));
    steps_type(screen, "third");
    return screen;
}

/* --- places ---------------------------------------------------------------------------------- */

static void looks(int rows, int columns, const char *name)
{
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(rows, columns, &child);
    assert_true(screen_matches(screen, name));
    steps_end(screen);
}

static void three_panes_on_a_large_screen(void **state)
{
    (void)state;
    looks(45, 160, "panes-160x45");
}

static void three_panes_on_a_usual_screen(void **state)
{
    (void)state;
    looks(36, 120, "panes-120x36");
}

static void three_panes_at_100_columns(void **state)
{
    (void)state;
    looks(30, 100, "panes-100x30");
}

static void panes_stand_alone_on_small_screens(void **state)
{
    (void)state;
    looks(10, 40, "panes-40x10");
}

static void two_panes_at_80_columns(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_type(screen, "left");
    pty_screen_type(screen, F7);
    steps_type(screen, "right");
    assert_true(screen_matches(screen, "panes-80x24"));
    steps_end(screen);
}

static void lines_cross(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(36, 120, &child);
    pty_screen_type(screen, GO_LEFT SHIFT_F7); /* two by two */
    assert_true(pty_screen_wait_text(screen, "› Type"));
    steps_type(screen, "fourth");
    assert_true(screen_matches(screen, "panes-cross-120x36"));
    steps_end(screen);
}

/* --- going about ----------------------------------------------------------------------------- */

static void next_and_previous_go_round(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(36, 120, &child);
    steps_cursor_in(screen, 18, 36, MIDDLE, 120);
    pty_screen_type(screen, F6);
    steps_cursor_in(screen, 18, 36, 0, MIDDLE);
    pty_screen_type(screen, F6);
    steps_cursor_in(screen, 0, 18, MIDDLE, 120);
    pty_screen_type(screen, SHIFT_F6 SHIFT_F6);
    steps_cursor_in(screen, 18, 36, MIDDLE, 120);
    steps_end(screen);
}

static void directions_lead_to_neighbours(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(36, 120, &child);
    pty_screen_type(screen, GO_UP);
    steps_cursor_in(screen, 0, 18, MIDDLE, 120);
    pty_screen_type(screen, GO_UP); /* nothing there */
    pty_screen_type(screen, GO_DOWN);
    steps_cursor_in(screen, 18, 36, MIDDLE, 120);
    pty_screen_type(screen, GO_LEFT);
    steps_cursor_in(screen, 18, 36, 0, MIDDLE);
    pty_screen_type(screen, GO_RIGHT);
    steps_cursor_in(screen, 0, 36, MIDDLE, 120);
    steps_end(screen);
}

static void a_click_gives_the_keys(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(36, 120, &child);
    steps_click(screen, 8, 10);
    steps_cursor_in(screen, 18, 36, 0, MIDDLE);
    steps_click(screen, 0, 100); /* a header too */
    steps_cursor_in(screen, 0, 18, MIDDLE, 120);
    steps_click(screen, 35, 3); /* the gauge is nobody's */
    steps_click(screen, 5, steps_column_of(screen, "│"));
    pty_screen_type(screen, "!");
    assert_true(pty_screen_wait_text(screen, "› second!"));
    steps_end(screen);
}

static void the_wheel_scrolls_the_pane_under_it(void **state)
{
    (void)state;
    char *text = steps_numbered(100);
    struct chat_child child = {.script = text};
    struct pty_screen *screen = steps_start(36, 120, &child);
    steps_ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 100."));
    pty_screen_type(screen, F7);
    steps_cursor_in(screen, 0, 36, MIDDLE, 120);
    for (int i = 0; i < 40; i++)
        steps_wheel(screen, 10, 10, true);
    assert_true(pty_screen_wait_text(screen, "line 1."));
    steps_type(screen, "here"); /* the keys stay */
    steps_cursor_in(screen, 0, 36, MIDDLE, 120);
    for (int i = 0; i < 40; i++)
        steps_wheel(screen, 10, 10, false);
    assert_true(pty_screen_wait_text(screen, "line 100."));
    free(text);
    steps_end(screen);
}

/* --- changing the tree ----------------------------------------------------------------------- */

static void panes_close_but_the_last_chat(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(36, 120, &child);
    pty_screen_type(screen, F8);
    assert_true(pty_screen_wait_no_text(screen, "third"));
    pty_screen_type(screen, GO_RIGHT F8);
    assert_true(pty_screen_wait_no_text(screen, "second"));
    assert_true(pty_screen_wait_no_text(screen, "│"));
    pty_screen_type(screen, F8);
    assert_true(pty_screen_wait_text(screen, "the last chat stays; /quit leaves"));
    assert_true(pty_screen_shows(screen, "› first"));
    steps_clear(screen, "first");
    steps_leave(screen);
}

static void panes_change_places(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 120, &child);
    steps_type(screen, "one");
    pty_screen_type(screen, F7);
    steps_cursor_in(screen, 0, 24, MIDDLE, 120);
    steps_ask(screen, "/swap");
    steps_cursor_in(screen, 0, 24, 0, MIDDLE);
    assert_true(steps_column_of(screen, "› one") > MIDDLE - 2);
    steps_end(screen);
}

static void borders_move_and_are_evened(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(36, 120, &child);
    int column = steps_column_of(screen, "│"), row = pty_screen_row_of(screen, "├");
    assert_in_range(column, MIDDLE - 2, MIDDLE);
    pty_screen_type(screen, GROW_LEFT GROW_DOWN "!");
    assert_true(pty_screen_wait_text(screen, "› third!"));
    assert_int_equal(steps_column_of(screen, "│"), column - 4);
    assert_int_not_equal(pty_screen_row_of(screen, "┝"), row);
    pty_screen_type(screen, GROW_RIGHT GROW_RIGHT "?");
    assert_true(pty_screen_wait_text(screen, "› third!?"));
    assert_int_equal(steps_column_of(screen, "│"), column + 4);
    steps_clear(screen, "third");
    steps_ask(screen, "/even");
    steps_type(screen, "even");
    assert_int_equal(steps_column_of(screen, "│"), column);
    steps_end(screen);
}

static void what_has_no_room_is_told(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(36, 120, &child);
    pty_screen_type(screen, F7);
    assert_true(pty_screen_wait_text(screen, " pane 4 of 4 ━"));
    assert_true(pty_screen_shows(screen, "│"));
    pty_screen_resize(screen, 36, 200);
    assert_true(pty_screen_wait_no_text(screen, " pane 4 of 4"));
    assert_true(pty_screen_shows(screen, "› second"));
    steps_end(screen);
}

static void a_pane_is_zoomed(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = three_panes(36, 160, &child);
    pty_screen_type(screen, F12);
    assert_true(pty_screen_wait_text(screen, "zoomed · pane 3 of 3"));
    assert_false(pty_screen_shows(screen, "second"));
    assert_false(pty_screen_shows(screen, "│"));
    pty_screen_type(screen, F6); /* still zoomed, on another */
    assert_true(pty_screen_wait_text(screen, "zoomed · pane 1 of 3"));
    assert_true(pty_screen_shows(screen, "› first"));
    pty_screen_type(screen, F12);
    assert_true(pty_screen_wait_text(screen, "second"));
    assert_false(pty_screen_shows(screen, "zoomed"));
    pty_screen_type(screen, F12 F7); /* a new pane ends it */
    assert_true(pty_screen_wait_text(screen, "› Type"));
    assert_true(pty_screen_shows(screen, "second"));
    steps_end(screen);
}

/* --- drafts ---------------------------------------------------------------------------------- */

static void drafts_stay_apart(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 120, &child);
    pty_screen_type(screen, "left \033[200~");
    for (int i = 0; i < 40; i++)
        pty_screen_type(screen, "a line that is pasted\r");
    pty_screen_type(screen, "\033[201~ end");
    assert_true(pty_screen_wait_text(screen, "› left [pasted: 40 lines"));
    pty_screen_type(screen, F7);
    assert_true(pty_screen_wait_text(screen, "› Type a message"));
    steps_type(screen, "right");
    pty_screen_type(screen, "\037"); /* undo is of this draft */
    assert_true(pty_screen_wait_no_text(screen, "right"));
    assert_true(pty_screen_shows(screen, "[pasted: 40 lines"));
    steps_type(screen, "again");
    pty_screen_type(screen, F6 "\001X"); /* the cursor goes home and types there */
    assert_true(pty_screen_wait_text(screen, "› Xleft [pasted: 40 lines"));
    pty_screen_type(screen, "\005\037"); /* and undo takes that back */
    assert_true(pty_screen_wait_text(screen, "› left [pasted: 40 lines"));
    assert_true(pty_screen_shows(screen, "› again"));
    pty_screen_type(screen, F6 "\b\b");
    assert_true(pty_screen_wait_text(screen, "› aga"));
    steps_end(screen);
}

static void a_pane_that_closes_gives_the_line_back(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 120, &child);
    steps_type(screen, "kept");
    pty_screen_type(screen, F7);
    steps_type(screen, "lost");
    pty_screen_type(screen, F8);
    assert_true(pty_screen_wait_no_text(screen, "lost"));
    pty_screen_type(screen, "!");
    assert_true(pty_screen_wait_text(screen, "› kept!"));
    steps_end(screen);
}

static void typed_keys_in_one_burst_reach_the_pane_that_has_them(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 120, &child);
    pty_screen_type(screen, "abc" F7 "def" F6 "ghi" F6 "jkl");
    assert_true(pty_screen_wait_text(screen, "› abcghi"));
    assert_true(pty_screen_wait_text(screen, "› defjkl"));
    steps_end(screen);
}

/* --- replies at once ------------------------------------------------------------------------- */

/* What stands left or right of the divider. To be freed. */
static char *part_of(struct pty_screen *screen, bool right)
{
    struct strbuf part = {0};
    char *shown = pty_screen_text(screen), *rest = shown;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *divider = strstr(line, "│");
        if (divider != NULL)
            strbuf_printf(&part, "%.*s\n", right ? 1000 : (int)(divider - line),
                          right ? divider : line);
    }
    free(shown);
    return strbuf_detach(&part);
}

static void wait_for_change(struct pty_screen *screen, bool right, const char *before)
{
    for (bool same = true; same;) {
        assert_true(pty_screen_pump(screen, 1000));
        char *now = part_of(screen, right);
        same = strcmp(before, now) == 0;
        free(now);
    }
}

static void two_chats_reply_at_once(void **state)
{
    (void)state;
    char *text = steps_numbered(3000);
    struct chat_child child = {.script = text, .piece_ms = 1, .context = 1u << 20};
    struct pty_screen *screen = steps_start(24, 120, &child);
    steps_ask(screen, "count here");
    assert_true(pty_screen_wait_text(screen, "line 3."));
    pty_screen_type(screen, F7);
    steps_cursor_in(screen, 0, 24, MIDDLE, 120);
    steps_ask(screen, "count there");
    assert_true(pty_screen_wait_text(screen, "Ctrl-C stops"));
    for (int i = 1; i <= 2; i++) { /* both go on, whoever has the keys */
        char *left = part_of(screen, false), *right = part_of(screen, true);
        wait_for_change(screen, false, left);
        wait_for_change(screen, true, right);
        free(left);
        free(right);
        pty_screen_type(screen, F6);
    }
    steps_cursor_in(screen, 0, 24, MIDDLE, 120);
    pty_screen_type(screen, CTRL_C); /* stops this one only */
    assert_true(pty_screen_wait_text(screen, "stopped · /continue"));
    assert_true(steps_column_of(screen, "stopped · /continue") > MIDDLE);
    pty_screen_type(screen, F6 CTRL_C);
    assert_true(pty_screen_wait_no_text(screen, "Ctrl-C stops"));
    free(text);
    steps_end(screen);
}

static void a_pane_is_closed_while_its_reply_runs(void **state)
{
    (void)state;
    char *text = steps_numbered(3000);
    struct chat_child child = {.script = text, .piece_ms = 1, .context = 1u << 20};
    struct pty_screen *screen = steps_start(24, 120, &child);
    pty_screen_type(screen, F7);
    steps_cursor_in(screen, 0, 24, MIDDLE, 120);
    steps_ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 3."));
    pty_screen_type(screen, F8);
    assert_true(pty_screen_wait_no_text(screen, "line "));
    steps_ask(screen, "again"); /* the generator is free */
    assert_true(pty_screen_wait_text(screen, "line 3."));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "stopped"));
    free(text);
    steps_leave(screen);
}

static void leaving_in_the_middle(void **state)
{
    (void)state;
    static const int signals[] = {0, SIGTERM, SIGHUP};
    char *text = steps_numbered(3000);
    struct chat_child child = {.script = text, .piece_ms = 1, .context = 1u << 20};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct pty_screen *screen = steps_start(24, 120, &child);
        steps_ask(screen, "count");
        assert_true(pty_screen_wait_text(screen, "line 3."));
        pty_screen_type(screen, F7 "half a wor" F1 F9);
        assert_true(pty_screen_wait_text(screen, "type a part of its name"));
        if (signals[i] == 0)
            pty_screen_type(screen, "quit\r");
        else
            kill(pty_screen_child(screen), signals[i]);
        int status = pty_screen_wait_exit(screen);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), signals[i] == 0 ? 0 : 128 + signals[i]);
        assert_false(pty_screen_state(screen)->alternate);
        assert_int_equal(pty_screen_state(screen)->mouse, 0);
        pty_screen_free(screen);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_panes_on_a_large_screen),
        cmocka_unit_test(three_panes_on_a_usual_screen),
        cmocka_unit_test(three_panes_at_100_columns),
        cmocka_unit_test(panes_stand_alone_on_small_screens),
        cmocka_unit_test(two_panes_at_80_columns),
        cmocka_unit_test(lines_cross),
        cmocka_unit_test(next_and_previous_go_round),
        cmocka_unit_test(directions_lead_to_neighbours),
        cmocka_unit_test(a_click_gives_the_keys),
        cmocka_unit_test(the_wheel_scrolls_the_pane_under_it),
        cmocka_unit_test(panes_close_but_the_last_chat),
        cmocka_unit_test(panes_change_places),
        cmocka_unit_test(borders_move_and_are_evened),
        cmocka_unit_test(what_has_no_room_is_told),
        cmocka_unit_test(a_pane_is_zoomed),
        cmocka_unit_test(drafts_stay_apart),
        cmocka_unit_test(a_pane_that_closes_gives_the_line_back),
        cmocka_unit_test(typed_keys_in_one_burst_reach_the_pane_that_has_them),
        cmocka_unit_test(two_chats_reply_at_once),
        cmocka_unit_test(a_pane_is_closed_while_its_reply_runs),
        cmocka_unit_test(leaving_in_the_middle),
    };
    return cmocka_run_group_tests_name("workspace", tests, NULL, NULL);
}

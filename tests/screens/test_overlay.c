/* Tests of what lies over or beside the chats: the palette, questions, help; and of keys that
 * airo.ini binds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "tests/screens/screen_steps.h"

#define PALETTE "What do you want to do?"

static struct pty_screen *with_palette(int rows, int columns, struct chat_child *child)
{
    struct pty_screen *screen = steps_start(rows, columns, child);
    pty_screen_type(screen, F9);
    assert_true(pty_screen_wait_text(screen, "type a part of its name"));
    return screen;
}

/* --- the palette ----------------------------------------------------------------------------- */

static void the_palette_filters_and_ranks(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = with_palette(24, 80, &child);
    steps_type(screen, "splb");
    assert_true(pty_screen_wait_text(screen, "│ split-below        another chat below this one"));
    int row = pty_screen_row_of(screen, "split-below");
    assert_int_equal(row, pty_screen_row_of(screen, "├") + 1); /* the first */
    assert_int_equal(pty_screen_row_of(screen, "swap"), -1);
    pty_screen_type(screen, "qqqq");
    assert_true(pty_screen_wait_text(screen, "nothing matches"));
    pty_screen_type(screen, "\r"); /* of nothing, nothing */
    assert_true(pty_screen_wait_no_text(screen, PALETTE));
    steps_leave(screen);
}

static void of_equals_the_earlier_comes_first(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = with_palette(24, 80, &child);
    steps_type(screen, "split");
    assert_true(pty_screen_wait_no_text(screen, "zoom"));
    assert_true(pty_screen_row_of(screen, "│ split [below]") <
                pty_screen_row_of(screen, "│ split-below"));
    steps_end(screen);
}

static void letters_that_match_are_marked(void **state)
{
    (void)state;
    static const struct pty_variable direct[] = {{"COLORTERM", "truecolor"}, {NULL, NULL}};
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = chat_child_start(24, 80, direct, &child);
    pty_screen_type(screen, F9);
    assert_true(pty_screen_wait_text(screen, "type a part of its name"));
    steps_type(screen, "splb");
    assert_true(pty_screen_wait_no_text(screen, "palette "));
    int row = pty_screen_row_of(screen, "split-below"),
        column = steps_column_of(screen, "split-below");
    unsigned marked = pty_screen_colour(screen, row, column);
    assert_int_equal(marked, 0x10151b); /* s p l of the name, and b */
    assert_int_equal(pty_screen_colour(screen, row, column + 2), marked);
    assert_int_not_equal(pty_screen_colour(screen, row, column + 3), marked);
    assert_int_equal(pty_screen_colour(screen, row, column + 6), marked);
    steps_end(screen);
}

static void enter_runs_and_escape_leaves(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 120, &child);
    steps_type(screen, "draft");
    pty_screen_type(screen, F9);
    assert_true(pty_screen_wait_text(screen, "type a part of its name"));
    pty_screen_type(screen, "split-be" ESCAPE);
    assert_true(pty_screen_wait_no_text(screen, PALETTE));
    assert_true(pty_screen_shows(screen, "› draft")); /* the line is as it was */
    assert_int_equal(pty_screen_row_of(screen, "━ airo"), -1);
    pty_screen_type(screen, F9 F9); /* the same key leaves it too */
    pty_screen_type(screen, "!" F9 "split-be\r");
    assert_true(pty_screen_wait_text(screen, "› draft!"));
    assert_true(pty_screen_wait_text(screen, "━ airo"));
    assert_true(pty_screen_row_of(screen, "━ airo") > 8);
    steps_end(screen);
}

static void an_argument_is_typed(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = with_palette(24, 80, &child);
    steps_type(screen, "save F");
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "› /save"));
    assert_true(pty_screen_wait_no_text(screen, PALETTE));
    pty_screen_type(screen, "x");
    assert_true(pty_screen_wait_text(screen, "› /save x"));
    steps_end(screen);
}

static void a_key_is_found_too(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = with_palette(24, 80, &child);
    steps_type(screen, "F12");
    assert_true(pty_screen_wait_text(screen, "│ zoom "));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_no_text(screen, PALETTE));
    steps_leave(screen);
}

static void the_palette_moves_and_scrolls(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = with_palette(24, 80, &child);
    assert_false(pty_screen_shows(screen, "│ quit "));
    assert_true(pty_screen_shows(screen, " 1 of "));
    pty_screen_type(screen, "\033[B");
    assert_true(pty_screen_wait_text(screen, " 2 of "));
    for (int i = 0; i < 20; i++)
        pty_screen_type(screen, "\033[6~");
    assert_true(pty_screen_wait_text(screen, "│ quit "));
    pty_screen_type(screen, "\r");
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

static void the_mouse_picks(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = with_palette(24, 80, &child);
    steps_type(screen, "quit");
    assert_true(pty_screen_wait_text(screen, "│ quit "));
    steps_wheel(screen, 2, 2, false);
    steps_click(screen, 23, 0); /* beside the box */
    assert_true(pty_screen_wait_no_text(screen, PALETTE));
    pty_screen_type(screen, F9 "grow");
    assert_true(pty_screen_wait_text(screen, "│ grow-up "));
    int row = pty_screen_row_of(screen, "│ grow-up "), column = steps_column_of(screen, "grow-up");
    steps_click(screen, row, column + 30);
    steps_click(screen, pty_screen_row_of(screen, "├"), 40); /* the line of the box is not a row */
    assert_true(pty_screen_wait_text(screen, PALETTE));
    steps_click(screen, row, column);
    assert_true(pty_screen_wait_no_text(screen, PALETTE));
    steps_leave(screen);
}

static void the_palette_at_every_size(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = with_palette(10, 40, &child);
    steps_type(screen, "zoom");
    assert_true(pty_screen_wait_text(screen, "│ zoom"));
    assert_true(screen_matches(screen, "palette-40x10"));
    pty_screen_resize(screen, 3, 12);
    pty_screen_resize(screen, 1, 1);
    pty_screen_resize(screen, 36, 120);
    pty_screen_type(screen, " ");
    assert_true(pty_screen_wait_text(screen, "this pane alone, or all of them again"));
    assert_true(screen_matches(screen, "palette-120x36"));
    steps_end(screen);
}

/* --- questions ------------------------------------------------------------------------------- */

static void a_question_is_asked_and_left(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "hello");
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    steps_idle(screen);
    pty_screen_type(screen, ESCAPE);
    assert_true(pty_screen_wait_text(screen, "i writes"));
    pty_screen_type(screen, "/");
    assert_true(pty_screen_wait_text(screen, "╭─ Search this chat ─"));
    steps_type(screen, "porpoise");
    assert_true(screen_matches(screen, "question-80x24"));
    pty_screen_type(screen, ESCAPE);
    assert_true(pty_screen_wait_no_text(screen, "Search this chat"));
    pty_screen_type(screen, "/smallest\r");
    assert_true(pty_screen_wait_no_text(screen, "Search this chat"));
    assert_true(pty_screen_wait_text(screen, "i writes"));
    pty_screen_type(screen, "i");
    steps_idle(screen);
    steps_leave(screen);
}

/* --- help ------------------------------------------------------------------------------------ */

static void help_opens_beside_and_closes(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(36, 120, &child);
    pty_screen_type(screen, F1);
    assert_true(pty_screen_wait_text(screen, "━ Help ━"));
    assert_true(pty_screen_shows(screen, "F9, Alt-x"));
    pty_screen_type(screen, F1);
    assert_true(pty_screen_wait_no_text(screen, "Help"));
    steps_ask(screen, "/help");
    assert_true(pty_screen_wait_text(screen, "━ Help ━"));
    pty_screen_type(screen, F6);
    assert_true(pty_screen_wait_text(screen, "─ Help ─"));
    pty_screen_type(screen, F1); /* it is there: go to it */
    assert_true(pty_screen_wait_text(screen, "━ Help ━"));
    pty_screen_type(screen, F8);
    assert_true(pty_screen_wait_no_text(screen, "Help"));
    steps_leave(screen);
}

static void help_begins_where_one_was_and_q_closes_it(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    pty_screen_type(screen, F1);
    assert_true(pty_screen_wait_text(screen, "Everywhere"));
    pty_screen_type(screen, "q");
    assert_true(pty_screen_wait_no_text(screen, "Everywhere"));
    pty_screen_type(screen, F1);
    assert_true(pty_screen_wait_text(screen, "q closes"));
    pty_screen_type(screen, ESCAPE);
    assert_true(pty_screen_wait_no_text(screen, "q closes"));
    steps_ask(screen, "hello");
    steps_idle(screen);
    pty_screen_type(screen, ESCAPE);
    assert_true(pty_screen_wait_text(screen, "i writes"));
    pty_screen_type(screen, "?");
    assert_true(pty_screen_wait_text(screen, "In the transcript"));
    pty_screen_type(screen, "qi");
    steps_idle(screen);
    steps_leave(screen);
}

static void help_scrolls_to_its_end(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    pty_screen_type(screen, F1);
    assert_true(pty_screen_wait_text(screen, "Everywhere"));
    pty_screen_type(screen, "G");
    assert_true(pty_screen_wait_text(screen, "In a list or a question"));
    assert_false(pty_screen_shows(screen, "Everywhere"));
    pty_screen_type(screen, "k");
    pty_screen_type(screen, "g");
    assert_true(pty_screen_wait_text(screen, "Everywhere"));
    pty_screen_type(screen, "j");
    assert_true(pty_screen_wait_no_text(screen, "Everywhere"));
    pty_screen_type(screen, F1);
    steps_idle(screen);
    steps_leave(screen);
}

static void help_on_a_small_screen(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(10, 40, &child);
    pty_screen_type(screen, F1);
    assert_true(pty_screen_wait_text(screen, "Everywhere"));
    assert_true(pty_screen_shows(screen, "pane 2 of 2"));
    pty_screen_type(screen, F1);
    steps_idle(screen);
    steps_leave(screen);
}

/* --- keys of one's own ----------------------------------------------------------------------- */

static char *config_with(const char *text)
{
    char *path = xstrdup("/tmp/airo-keys-XXXXXX");
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void keys_are_bound_anew(void **state)
{
    (void)state;
    char *path = config_with("[keys]\nzoom = \"Ctrl-O\"\nhelp = \"F2\"\nwrite = \"w\"\n");
    struct chat_child child = {.script = steps_script, .config = path};
    struct pty_screen *screen = steps_start(30, 120, &child);
    pty_screen_type(screen, F1); /* no longer */
    pty_screen_type(screen, "\033OQ");
    assert_true(pty_screen_wait_text(screen, "━ Help ━"));
    assert_true(pty_screen_shows(screen, "/help, F2"));
    pty_screen_type(screen, "\017");
    assert_true(pty_screen_wait_text(screen, "zoomed · pane 2 of 2"));
    assert_true(pty_screen_wait_no_text(screen, "F12"));
    pty_screen_type(screen, "\017\033OQ");
    assert_true(pty_screen_wait_no_text(screen, "Help"));
    steps_ask(screen, "hello");
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    pty_screen_type(screen, ESCAPE);
    assert_true(pty_screen_wait_text(screen, "? help"));
    pty_screen_type(screen, "w");
    assert_true(pty_screen_wait_text(screen, "› Type"));
    steps_leave(screen);
    unlink(path);
    free(path);
}

static void an_unknown_action_is_told(void **state)
{
    (void)state;
    char *path = config_with("[keys]\n\nzom = \"Ctrl-O\"\n");
    struct chat_child child = {.script = steps_script, .config = path};
    struct pty_screen *screen = steps_start(24, 100, &child);
    char *line = xasprintf("airo: %s: line 3: keys:zom", path);
    assert_true(pty_screen_wait_text(screen, line));
    assert_true(pty_screen_wait_text(screen, "did you mean zoom?"));
    assert_int_equal(WEXITSTATUS(pty_screen_wait_exit(screen)), 1);
    const struct strbuf *output = pty_screen_output(screen);
    assert_null(memmem(output->data, output->length, "\033[?1049h", 8)); /* not taken over */
    free(line);
    pty_screen_free(screen);
    unlink(path);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_palette_filters_and_ranks),
        cmocka_unit_test(of_equals_the_earlier_comes_first),
        cmocka_unit_test(letters_that_match_are_marked),
        cmocka_unit_test(enter_runs_and_escape_leaves),
        cmocka_unit_test(an_argument_is_typed),
        cmocka_unit_test(a_key_is_found_too),
        cmocka_unit_test(the_palette_moves_and_scrolls),
        cmocka_unit_test(the_mouse_picks),
        cmocka_unit_test(the_palette_at_every_size),
        cmocka_unit_test(a_question_is_asked_and_left),
        cmocka_unit_test(help_opens_beside_and_closes),
        cmocka_unit_test(help_begins_where_one_was_and_q_closes_it),
        cmocka_unit_test(help_scrolls_to_its_end),
        cmocka_unit_test(help_on_a_small_screen),
        cmocka_unit_test(keys_are_bound_anew),
        cmocka_unit_test(an_unknown_action_is_told),
    };
    return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}

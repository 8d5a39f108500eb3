/* The line editor as a person sees it: keys in, screens out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/screens/screen_steps.h"

static void several_lines_are_typed_and_edited(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    pty_screen_type(screen, "first" ALT_ENTER "second" ALT_ENTER);
    assert_true(pty_screen_wait_text(screen, "› first\n   second\n"));
    int row, column;
    pty_screen_cursor(screen, &row, &column);
    assert_int_equal(column, 3);
    assert_int_equal(row, pty_screen_row_of(screen, "   second") + 1);
    pty_screen_type(screen, "\033[A!"); /* up, to the start of the second line */
    assert_true(pty_screen_wait_text(screen, "   !second"));
    pty_screen_type(screen, "\001\013"); /* C-a C-k keep to the line */
    assert_true(pty_screen_wait_no_text(screen, "second"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "▌ first"));
    steps_leave(screen);
}

static void a_small_paste_is_inert(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    pty_screen_type(screen, "\033[200~one\rtwo\r/quit\r\033[201~");
    assert_true(pty_screen_wait_text(screen, "› one\n   two\n   /quit\n"));
    pty_screen_type(screen, "\037"); /* undo: one edit */
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    steps_leave(screen);
}

static void a_large_paste_is_one_edit(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script, .context = 16u << 20};
    struct pty_screen *screen = steps_start(24, 80, &child);
    size_t size = 10u << 20;
    char *text = malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 64 == 63 ? '\r' : (char)('a' + i % 26);
    pty_screen_type(screen, "before \033[200~");
    pty_screen_send(screen, text, size);
    pty_screen_type(screen, "\033[201~ after");
    assert_true(pty_screen_wait_text(screen, "before [pasted: 163840 lines, 10.0 MiB] after"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "10.0 MiB in all"));
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    free(text);
    steps_leave(screen);
}

static void history_outlives_the_program(void **state)
{
    (void)state;
    char directory[] = "/tmp/airo-history-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char path[64];
    snprintf(path, sizeof path, "%s/deep/history", directory);
    struct chat_child child = {.script = steps_script, .history = path};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "line one" ALT_ENTER "line two");
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    steps_leave(screen);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    screen = steps_start(24, 80, &child);
    pty_screen_type(screen, "\033[A");
    assert_true(pty_screen_wait_text(screen, "› line one\n   line two\n"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    steps_leave(screen);
    unlink(path);
    snprintf(path, sizeof path, "%s/deep", directory);
    rmdir(path);
    rmdir(directory);
}

static void an_inputrc_is_obeyed(void **state)
{
    (void)state;
    char path[] = "/tmp/airo-inputrc-XXXXXX";
    static const char lines[] = "set editing-mode vi\nset bell-style audible\n"
                                "set show-mode-in-prompt on\n\"\\C-g\": \"macro\"\n";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, lines, sizeof lines - 1), (ssize_t)sizeof lines - 1);
    close(fd);
    const struct pty_variable variables[] = {{"INPUTRC", path}, {NULL, NULL}};
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = chat_child_start(24, 80, variables, &child);
    pty_screen_type(screen, "abc\033");
    assert_true(pty_screen_wait_text(screen, "› abc"));
    pty_screen_type(screen, "0x");
    assert_true(pty_screen_wait_text(screen, "› bc"));
    pty_screen_type(screen, "hhhh"); /* at the start: readline would ring */
    pty_screen_type(screen, "A!");
    assert_true(pty_screen_wait_text(screen, "› bc!"));
    pty_screen_type(screen, "\007");
    assert_true(pty_screen_wait_text(screen, "› bc!macro"));
    assert_int_equal(pty_screen_state(screen)->bells, 0);
    pty_screen_type(screen, CTRL_C);
    steps_leave(screen);
    unlink(path);
}

static void a_dumb_terminal_is_refused(void **state)
{
    (void)state;
    static const struct pty_variable dumb[] = {{"TERM", "dumb"}, {NULL, NULL}};
    static const struct pty_variable unknown[] = {{"TERM", "nosuch"}, {NULL, NULL}};
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = chat_child_start(24, 80, dumb, &child);
    assert_int_equal(WEXITSTATUS(pty_screen_wait_exit(screen)), 1);
    assert_true(
        pty_screen_shows(screen, "airo: TERM=dumb cannot place a cursor; use airo chat --plain"));
    pty_screen_free(screen);
    screen = chat_child_start(24, 80, unknown, &child);
    assert_int_equal(WEXITSTATUS(pty_screen_wait_exit(screen)), 1);
    assert_true(pty_screen_shows(screen, "airo: TERM=nosuch: no such terminal"));
    pty_screen_free(screen);
}

static void tab_completes(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    pty_screen_type(screen, "/he\t");
    assert_true(pty_screen_wait_text(screen, "› /help"));
    pty_screen_type(screen, CTRL_C "/ret\t");
    assert_true(pty_screen_wait_text(screen, "› /retry"));
    pty_screen_type(screen, CTRL_C "/do\t");
    assert_true(pty_screen_wait_text(screen, "/doc"));
    pty_screen_type(screen, CTRL_C "/doc prompts/samples/vaq\t");
    assert_true(pty_screen_wait_text(screen, "› /doc prompts/samples/vaquita.txt"));
    pty_screen_type(screen, CTRL_C "/set temp\t");
    assert_true(pty_screen_wait_text(screen, "› /set temperature"));
    pty_screen_type(screen, CTRL_C);
    steps_leave(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_lines_are_typed_and_edited),
        cmocka_unit_test(a_small_paste_is_inert),
        cmocka_unit_test(a_large_paste_is_one_edit),
        cmocka_unit_test(history_outlives_the_program),
        cmocka_unit_test(an_inputrc_is_obeyed),
        cmocka_unit_test(a_dumb_terminal_is_refused),
        cmocka_unit_test(tab_completes),
    };
    return cmocka_run_group_tests_name("screens: typing", tests, NULL, NULL);
}

/* Loading, leaving and being stopped: the terminal is given back whatever happens. */
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

static void assert_restored(struct pty_screen *screen)
{
    struct termios now, before;
    pty_screen_modes(screen, &now, &before);
    assert_int_equal(now.c_lflag, before.c_lflag);
    assert_int_equal(now.c_iflag, before.c_iflag);
    assert_int_equal(now.c_oflag, before.c_oflag);
    assert_false(pty_screen_state(screen)->alternate);
    assert_true(pty_screen_state(screen)->cursor_visible);
    assert_int_equal(pty_screen_state(screen)->mouse, 0);
    const char *output = strbuf_text(pty_screen_output(screen)), *on = output, *off = output;
    for (const char *at = output; (at = strstr(at, "\033[?2004h")) != NULL; at++)
        on = at;
    for (const char *at = output; (at = strstr(at, "\033[?2004l")) != NULL; at++)
        off = at;
    assert_true(off > on);
}

static void every_way_out_restores_the_terminal(void **state)
{
    (void)state;
    static const int deaths[] = {0,       SIGINT,  SIGTERM, SIGHUP, SIGQUIT,
                                 SIGSEGV, SIGABRT, SIGBUS,  SIGFPE};
    struct chat_child child = {.script = steps_script};
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        struct pty_screen *screen = steps_start(24, 80, &child);
        if (deaths[i] == 0)
            steps_ask(screen, "/quit");
        else
            kill(pty_screen_child(screen), deaths[i]);
        int status = pty_screen_wait_exit(screen);
        assert_true(status != -1);
        if (i < 5) /* as a shell says it of a signal */
            assert_int_equal(WEXITSTATUS(status), deaths[i] == 0 ? 0 : 128 + deaths[i]);
        else
            assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
        assert_restored(screen);
        pty_screen_free(screen);
    }
}

static void the_model_loads_behind_a_bar(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script, .load_steps = 30};
    struct pty_screen *screen = steps_start(24, 80, &child);
    assert_true(pty_screen_wait_text(screen, "loading vaquita"));
    pty_screen_type(screen, "typed tooo\177 early\r");
    assert_true(pty_screen_wait_text(screen, "▌ typed too early"));
    steps_idle(screen);
    steps_leave(screen);
    child.load_steps = 3;
    screen = steps_start(24, 80, &child);
    assert_true(pty_screen_wait_text(screen, "loaded · plain RoPE · script"));
    steps_leave(screen);
    child.load_error = "models/x/config.json: no such file";
    screen = steps_start(24, 80, &child);
    assert_int_equal(WEXITSTATUS(pty_screen_wait_exit(screen)), 1);
    assert_restored(screen);
    assert_true(pty_screen_shows(screen, "airo: models/x/config.json: no such file"));
    pty_screen_free(screen);
    child.load_error = NULL;
    child.load_forever = true;
    screen = steps_start(24, 80, &child);
    pty_screen_type(screen, CTRL_C);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    assert_restored(screen);
    pty_screen_free(screen);
}

static bool is_stopped(struct pty_screen *screen, void *user)
{
    int *status = user;
    return waitpid(pty_screen_child(screen), status, WUNTRACED | WNOHANG) > 0 &&
           WIFSTOPPED(*status);
}

static void a_stop_gives_the_terminal_back(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(24, 80, &child);
    int status = 0;
    pty_screen_type(screen, "draft");
    assert_true(pty_screen_wait_text(screen, "› draft"));
    kill(pty_screen_child(screen), SIGSTOP);
    assert_true(pty_screen_wait(screen, is_stopped, &status));
    kill(pty_screen_child(screen), SIGCONT);
    pty_screen_type(screen, "ed");
    assert_true(pty_screen_wait_text(screen, "› drafted"));
    /* Ctrl-Z: the group is an orphan here, so the stop is ignored and the chat goes on. */
    pty_screen_type(screen, "\032!");
    assert_true(pty_screen_wait_text(screen, "› drafted!"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    steps_leave(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_out_restores_the_terminal),
        cmocka_unit_test(the_model_loads_behind_a_bar),
        cmocka_unit_test(a_stop_gives_the_terminal_back),
    };
    return cmocka_run_group_tests_name("screens: signals", tests, NULL, NULL);
}

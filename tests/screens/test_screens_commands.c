/* What /commands do, as a person sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/strbuf.h"
#include "tests/screens/screen_steps.h"

static void settings_are_listed_and_changed(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(50, 110, &child);
    steps_ask(screen, "/set temperature 0.5");
    assert_true(pty_screen_wait_text(screen, "temperature           0.5"));
    steps_ask(screen, "/set temperature 99");
    assert_true(pty_screen_wait_text(screen, "! temperature"));
    steps_ask(screen, "/set nosuch 1");
    assert_true(pty_screen_wait_text(screen, "no setting nosuch"));
    steps_ask(screen, "/hlep");
    assert_true(pty_screen_wait_text(screen, "no command /hlep; did you mean /help?"));
    steps_ask(screen, "/set");
    assert_true(pty_screen_wait_text(screen, "top-k"));
    steps_ask(screen, "/quit");
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

static void documents_and_saving(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = steps_start(30, 100, &child);
    steps_ask(screen, "/doc nosuch.txt");
    assert_true(pty_screen_wait_text(screen, "! nosuch.txt"));
    char pipe[] = "/tmp/airo-pipe-XXXXXX", line[80];
    assert_non_null(mkdtemp(pipe));
    snprintf(line, sizeof line, "/doc %s/fifo", pipe);
    assert_int_equal(mkfifo(line + 5, 0600), 0);
    steps_ask(screen, line); /* what would wait for someone to write is refused */
    assert_true(pty_screen_wait_text(screen, "fifo: not a regular file"));
    unlink(line + 5);
    rmdir(pipe);
    steps_ask(screen, "/doc -");
    assert_true(pty_screen_wait_text(screen, "! -: No such file"));
    steps_ask(screen, "/doc prompts/samples/vaquita.txt");
    assert_true(pty_screen_wait_text(screen, "vaquita.txt goes with the next message, "));
    assert_true(pty_screen_wait_text(screen, "documents "));
    steps_ask(screen, "/attached");
    assert_true(pty_screen_wait_text(screen, "url: "));
    steps_ask(screen, "What is it?");
    assert_true(pty_screen_wait_text(screen, "with prompts/samples/vaquita.txt"));
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    steps_idle(screen);
    char path[] = "/tmp/airo-save-XXXXXX";
    assert_non_null(mkdtemp(path));
    snprintf(line, sizeof line, "/save %s/chat.md", path);
    steps_ask(screen, line);
    assert_true(pty_screen_wait_text(screen, "saved as"));
    steps_ask(screen, line);
    assert_true(pty_screen_wait_text(screen, "File exists"));
    struct stat status;
    assert_int_equal(stat(line + 6, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    unlink(line + 6);
    rmdir(path);
    steps_ask(screen, "/new");
    assert_true(pty_screen_wait_text(screen, "What can you do?"));
    steps_leave(screen);
}

static void a_source_that_was_not_given_is_marked(void **state)
{
    (void)state;
    struct chat_child child = {.script = "Yes.\nSource:\ndate: 1999\nurl: blueberries.txt\n\n---\n"
                                         "No.\nSource:\ntitle: Made up\n\n---\n"
                                         "Green.\nSource:\nurl: blueberries.txt"};
    struct pty_screen *screen = steps_start(40, 100, &child);
    steps_ask(screen, "without documents nothing is checked");
    assert_true(pty_screen_wait_text(screen, "url: blueberries.txt"));
    steps_idle(screen);
    assert_false(pty_screen_shows(screen, "not among"));
    steps_ask(screen, "/doc prompts/samples/blueberries.txt");
    steps_ask(screen, "What color are they?");
    assert_true(pty_screen_wait_text(screen, "   not among the documents: title: Made up"));
    steps_ask(screen, "And now?"); /* the documents of the whole path count */
    assert_true(pty_screen_wait_text(screen, "◆ Green."));
    steps_idle(screen);
    steps_ask(screen, "/retry"); /* on the same document, the first reply again */
    assert_true(pty_screen_wait_text(screen, "   not among the documents: date: 1999"));
    char path[] = "/tmp/airo-save-XXXXXX", line[80];
    assert_non_null(mkdtemp(path));
    snprintf(line, sizeof line, "/save %s/chat.md", path);
    steps_ask(screen, line);
    assert_true(pty_screen_wait_text(screen, "saved as"));
    struct strbuf saved = {0};
    assert_int_equal(file_read(line + 6, 1 << 20, &saved, NULL), 0);
    assert_null(strstr(strbuf_text(&saved), "not among")); /* no part of the text */
    strbuf_free(&saved);
    unlink(line + 6);
    rmdir(path);
    steps_leave(screen);
}

static void the_reserve_is_what_a_reply_may_take(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script, .colour = "none"};
    struct pty_screen *screen = steps_start(24, 80, &child);
    assert_true(pty_screen_wait_text(screen, "-..."));
    assert_false(pty_screen_shows(screen, "draft"));
    steps_ask(screen, "/set max-tokens 0"); /* no limit: all that is left */
    assert_true(pty_screen_wait_no_text(screen, "-..."));
    assert_true(pty_screen_shows(screen, "s-----"));
    pty_screen_type(screen, "typed");
    assert_true(pty_screen_wait_text(screen, "draft "));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_no_text(screen, "draft "));
    steps_leave(screen);
}

static void a_document_that_does_not_fit_is_told(void **state)
{
    (void)state;
    struct chat_child child = {.script = steps_script, .context = 200};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "/doc LICENSE");
    assert_true(pty_screen_wait_text(screen, "and the context holds 200: F3"));
    assert_true(pty_screen_wait_text(screen, "does not fit"));
    steps_ask(screen, "What does it say?"); /* asked before anything is left out */
    assert_true(pty_screen_wait_text(screen, "tokens do not fit into 200"));
    pty_screen_type(screen, ESCAPE);
    assert_true(pty_screen_wait_no_text(screen, "tokens do not fit"));
    assert_true(pty_screen_wait_text(screen, "› What does it say?")); /* nothing typed is lost */
    steps_clear(screen, "What does it say?");
    steps_ask(screen, "/undoc LICENSE");
    assert_true(pty_screen_wait_no_text(screen, "does not fit"));
    steps_ask(screen, "/attached");
    assert_true(pty_screen_wait_text(screen, "no documents attached"));
    steps_ask(screen, "/doc prompts/samples/blueberries.txt");
    assert_true(pty_screen_wait_text(screen, "blueberries.txt goes with the next message"));
    assert_false(pty_screen_shows(screen, "does not fit"));
    steps_leave(screen);
}

static void a_tilde_is_home(void **state)
{
    (void)state;
    char directory[] = "/tmp/airo-home-XXXXXX", path[64], line[80];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/notes-here.txt", directory);
    FILE *file = fopen(path, "w");
    fputs("Some notes.\n", file);
    fclose(file);
    const struct pty_variable variables[] = {{"HOME", directory}, {NULL, NULL}};
    struct chat_child child = {.script = steps_script};
    struct pty_screen *screen = chat_child_start(24, 80, variables, &child);
    pty_screen_type(screen, "/doc ~/notes-h\t");
    assert_true(pty_screen_wait_text(screen, "/doc ~/notes-here.txt"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "~/notes-here.txt goes with the next message"));
    steps_ask(screen, "/save ~/chat.md");
    assert_true(pty_screen_wait_text(screen, "saved as ~/chat.md"));
    snprintf(line, sizeof line, "%s/chat.md", directory);
    assert_true(file_exists(line));
    steps_ask(screen, "/undoc ~/notes-here.txt");
    assert_true(pty_screen_wait_text(screen, "no documents attached"));
    steps_leave(screen);
    unlink(line);
    unlink(path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_listed_and_changed),
        cmocka_unit_test(documents_and_saving),
        cmocka_unit_test(a_source_that_was_not_given_is_marked),
        cmocka_unit_test(the_reserve_is_what_a_reply_may_take),
        cmocka_unit_test(a_document_that_does_not_fit_is_told),
        cmocka_unit_test(a_tilde_is_home),
    };
    return cmocka_run_group_tests_name("screens: commands", tests, NULL, NULL);
}

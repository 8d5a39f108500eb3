/*
 * Start, cancel, resize, quit, again and again, with a model and its threads: the whole interface
 * on Vaquita. Meant for ThreadSanitizer, whose reports fail it.
 *
 * AIRO_CYCLES=5000 makes that many replies; every QUIT_EVERY the program is left, half of the time
 * while a reply comes, and begun again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/infer/generator.h"
#include "engine/model/model.h"
#include "tests/screens/chat_child.h"
#include "tui/command.h"

#define CYCLES     50
#define QUIT_EVERY 10
#define CONTEXT    1024

/* In the child. */
static struct generator *open_vaquita(void)
{
    struct model *model;
    struct generator *generator;
    struct error error;
    const struct model_options options = {.context = CONTEXT, .threads = 2};
    if (model_open(&model, "models/vaquita", &options, &error) == 0 &&
        generator_local_open(&generator, model, NULL, &error) == 0)
        return generator;
    fprintf(stderr, "%s\n", error.message);
    _exit(1);
}

static void resize(struct pty_screen *screen, unsigned *seed)
{
    int rows = 5 + rand_r(seed) % 50, columns = 20 + rand_r(seed) % 120;
    pty_screen_resize(screen, rows, columns);
}

/* A reply is begun, and stopped after a while that is random. */
static void cycle(struct pty_screen *screen, unsigned *seed, bool cancel)
{
    static const char *const lines[] = {"Tell me about whales.\r",
                                        "What is 17 + 4?\r",
                                        "/retry\r",
                                        "Who are you?\r",
                                        "/new\r",
                                        "/split\r",
                                        "Name three fish.\r"};
    pty_screen_type(screen, lines[rand_r(seed) % 7]);
    if (rand_r(seed) % 2)
        resize(screen, seed);
    for (int i = rand_r(seed) % 6; i > 0; i--)
        pty_screen_take(screen, 1 + rand_r(seed) % 4);
    if (cancel)
        pty_screen_type(screen, "\003");
    if (rand_r(seed) % 8 == 0)
        pty_screen_type(screen, "\033[19~"); /* closes a pane */
    pty_screen_drop(screen, pty_screen_output(screen)->length);
}

static void check_end(struct pty_screen *screen, unsigned cycles)
{
    int status = pty_screen_wait_exit(screen);
    if (!WIFEXITED(status) ||
        (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EXIT_SIGNAL + SIGTERM))
        fail_msg("before cycle %u: ended with status 0x%X", cycles, (unsigned)status);
    pty_screen_free(screen);
}

static void replies_start_and_stop(void **state)
{
    (void)state;
    const char *set = getenv("AIRO_CYCLES");
    unsigned cycles = set != NULL ? (unsigned)atoi(set) : CYCLES, done = 0, seed = 5;
    char directory[] = "/tmp/airo-cycles-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *library = path_join(directory, "chats.sqlite3");
    while (done < cycles) {
        struct chat_child child = {.generator = open_vaquita, .chats_path = library};
        struct pty_screen *screen = chat_child_start(24, 100, NULL, &child);
        pty_screen_blindfold(screen, true);
        for (unsigned i = 0; i < QUIT_EVERY && done < cycles; i++)
            cycle(screen, &seed, ++done % QUIT_EVERY != 0 || rand_r(&seed) % 2);
        kill(pty_screen_child(screen), SIGTERM);
        check_end(screen, done);
    }
    char *command = xasprintf("rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    free(command);
    free(library);
    print_message("%u cycles\n", done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replies_start_and_stop)};
    return cmocka_run_group_tests_name("cycles", tests, NULL, NULL);
}

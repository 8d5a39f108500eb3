#include "tui/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};
static const int fatal[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
/* Writing where nobody reads, or where a file may not grow, is an error and no reason to die. */
static const int ignored[] = {SIGPIPE, SIGXFSZ};
#define IGNORED_COUNT (sizeof ignored / sizeof ignored[0])
#define CAUGHT_COUNT  (sizeof caught / sizeof caught[0])
#define FATAL_COUNT   (sizeof fatal / sizeof fatal[0])
#define STACK_BYTES   65536

/* For the fatal handlers, when the interface's own stack is what has run out. */
static char spare_stack[STACK_BYTES];

static struct {
    int read_fd, write_fd, tty_fd;
    struct termios modes;
    const char *restore;
    size_t restore_length;
    atomic_bool dying;
    stack_t old_stack;
    struct sigaction old_caught[CAUGHT_COUNT], old_fatal[FATAL_COUNT], old_ignored[IGNORED_COUNT];
} bridge = {.read_fd = -1, .write_fd = -1};

static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    /* A full pipe already holds more news than anyone reads. */
    ssize_t written = write(bridge.write_fd, &byte, 1);
    (void)written;
    errno = saved;
}

static void on_fatal(int number)
{
    if (!atomic_exchange(&bridge.dying, true)) {
        ssize_t written = write(bridge.tty_fd, bridge.restore, bridge.restore_length);
        (void)written;
        tcsetattr(bridge.tty_fd, TCSANOW, &bridge.modes);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void install(const int *numbers, size_t count, void (*handler)(int), int flags,
                    struct sigaction *old)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < count; i++)
        sigaction(numbers[i], &action, &old[i]);
}

static void put_back(const int *numbers, size_t count, const struct sigaction *old)
{
    for (size_t i = 0; i < count; i++)
        sigaction(numbers[i], &old[i], NULL);
}

int signals_open(int tty_fd, const struct termios *modes, const char *restore, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return error_set_errno(error, "cannot make a pipe");
    bridge.read_fd = ends[0];
    bridge.write_fd = ends[1];
    bridge.tty_fd = tty_fd;
    bridge.modes = *modes;
    bridge.restore = restore;
    bridge.restore_length = strlen(restore);
    atomic_store(&bridge.dying, false);
    stack_t stack = {.ss_sp = spare_stack, .ss_size = sizeof spare_stack};
    sigaltstack(&stack, &bridge.old_stack);
    install(ignored, IGNORED_COUNT, SIG_IGN, 0, bridge.old_ignored);
    install(caught, CAUGHT_COUNT, on_signal, SA_RESTART, bridge.old_caught);
    install(fatal, FATAL_COUNT, on_fatal, (int)SA_NODEFER | SA_ONSTACK, bridge.old_fatal);
    return 0;
}

void signals_close(void)
{
    if (bridge.read_fd < 0)
        return;
    put_back(caught, CAUGHT_COUNT, bridge.old_caught);
    put_back(fatal, FATAL_COUNT, bridge.old_fatal);
    put_back(ignored, IGNORED_COUNT, bridge.old_ignored);
    sigaltstack(&bridge.old_stack, NULL);
    close(bridge.read_fd);
    close(bridge.write_fd);
    bridge.read_fd = bridge.write_fd = -1;
}

int signals_fd(void)
{
    return bridge.read_fd;
}

int signals_next(void)
{
    unsigned char byte;
    return read(bridge.read_fd, &byte, 1) == 1 ? byte : 0;
}

void signals_suspend(void)
{
    /* To the whole group, as the terminal does, so that a `make run` around us stops as well. An
     * orphaned group ignores it, and so cannot hang. */
    struct sigaction plain = {.sa_handler = SIG_DFL}, ours;
    sigaction(SIGTSTP, &plain, &ours);
    kill(0, SIGTSTP);
    sigaction(SIGTSTP, &ours, NULL);
}

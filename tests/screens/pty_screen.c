#include "tests/screens/pty_screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>
#include <vterm.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define DEADLINE_MS                                                                                \
    90000 /* only a failure gets there; AIRO_DEADLINE_MS says less while one works */
#define LEAK_STATUS 77
#define SYNC_QUERY  "\033[?2026$p"
#define SYNC_ANSWER "\033[?2026;2$y"
#define TITLE_BYTES 1024 /* longer than any title's sequence */
#define FRAME_BEGIN "\033[?2026h"
#define FRAME_END   "\033[?2026l"

struct pty_screen {
    VTerm *vterm;
    VTermScreen *screen;
    int fd, rows, columns;
    pid_t child;
    bool reaped;
    int status;
    struct strbuf output;
    size_t shown;  /* of output, given to the terminal */
    size_t titled; /* of output, looked through for titles */
    bool blind;
    struct pty_state state;
    struct termios before;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t deadline_ms(void)
{
    const char *wanted = getenv("AIRO_DEADLINE_MS");
    return wanted != NULL ? atoll(wanted) : DEADLINE_MS;
}

/* --- the terminal ---------------------------------------------------------------------------- */

static int on_property(VTermProp property, VTermValue *value, void *user)
{
    struct pty_state *state = &((struct pty_screen *)user)->state;
    if (property == VTERM_PROP_ALTSCREEN)
        state->alternate = value->boolean;
    else if (property == VTERM_PROP_CURSORVISIBLE)
        state->cursor_visible = value->boolean;
    else if (property == VTERM_PROP_MOUSE)
        state->mouse = value->number;
    return 1;
}

static int on_bell(void *user)
{
    ((struct pty_screen *)user)->state.bells++;
    return 1;
}

static void on_answer(const char *bytes, size_t length, void *user)
{
    pty_screen_send(user, bytes, length);
}

static void open_terminal(struct pty_screen *screen)
{
    static const VTermScreenCallbacks callbacks = {.settermprop = on_property, .bell = on_bell};
    screen->vterm = vterm_new(screen->rows, screen->columns);
    vterm_set_utf8(screen->vterm, 1);
    vterm_output_set_callback(screen->vterm, on_answer, screen);
    screen->screen = vterm_obtain_screen(screen->vterm);
    vterm_screen_enable_altscreen(screen->screen, 1);
    vterm_screen_set_callbacks(screen->screen, &callbacks, screen);
    vterm_screen_reset(screen->screen, 1);
}

/* To the terminal; the question for mode 2026, which it does not know, is answered here. */
static void show_output(struct pty_screen *screen)
{
    size_t end = screen->output.length;
    if (screen->blind)
        screen->shown = end;
    while (screen->shown < end) {
        const char *from = screen->output.data + screen->shown;
        size_t length = end - screen->shown;
        const char *query = memmem(from, length, SYNC_QUERY, strlen(SYNC_QUERY));
        size_t run = query != NULL ? (size_t)(query - from) : length;
        vterm_input_write(screen->vterm, from, run);
        screen->shown += run;
        if (query == NULL)
            break;
        screen->shown += strlen(SYNC_QUERY);
        pty_screen_send(screen, SYNC_ANSWER, strlen(SYNC_ANSWER));
    }
}

/* --- the child ------------------------------------------------------------------------------- */

static void set_variables(const struct pty_variable *variables)
{
    static const struct pty_variable defaults[] = {{"TERM", "xterm-256color"},
                                                   {"LC_ALL", "C.UTF-8"},
                                                   {"INPUTRC", "/dev/null"},
                                                   {"COLORTERM", NULL},
                                                   {"NO_COLOR", NULL},
                                                   {"TERMINFO", NULL},
                                                   {"LINES", NULL},
                                                   {"COLUMNS", NULL},
                                                   {NULL, NULL}};
    const struct pty_variable *lists[] = {defaults, variables};
    for (int i = 0; i < 2; i++) {
        for (const struct pty_variable *v = lists[i]; v != NULL && v->name != NULL; v++) {
            if (v->value != NULL)
                setenv(v->name, v->value, 1);
            else
                unsetenv(v->name);
        }
    }
}

/* A sanitizer's report goes where the parent's goes, not to the screen. */
static void report_to(int fd)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    __sanitizer_set_report_fd((void *)(intptr_t)fd);
#else
    (void)fd;
#endif
}

#ifdef __SANITIZE_ADDRESS__
/* Readline itself loses copies of what was killed, undo lists and lines of its searches; libtinfo
 * what it had begun with when it refuses a terminal. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libreadline\nleak:libtinfo\n";
}
#endif

static bool leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __lsan_do_recoverable_leak_check() != 0;
#else
    return false;
#endif
}

struct pty_screen *pty_screen_start(int rows, int columns, const struct pty_variable *variables,
                                    int (*app)(void *user), void *user)
{
    struct pty_screen *screen = xcalloc(1, sizeof *screen);
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    int slave;
    screen->rows = rows;
    screen->columns = columns;
    open_terminal(screen);
    if (openpty(&screen->fd, &slave, NULL, NULL, &size) != 0) {
        perror("a pseudo-terminal (is /dev/pts mounted?)");
        abort();
    }
    tcgetattr(slave, &screen->before);
    screen->child = fork();
    if (screen->child == 0) {
        close(screen->fd);
        report_to(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
        login_tty(slave);
        set_variables(variables);
        int status = app(user);
        fflush(stdout);
        _exit(leaks() ? LEAK_STATUS : status);
    }
    close(slave);
    return screen;
}

void pty_screen_free(struct pty_screen *screen)
{
    if (screen == NULL)
        return;
    if (!screen->reaped) {
        kill(screen->child, SIGKILL);
        waitpid(screen->child, NULL, 0);
    }
    close(screen->fd);
    vterm_free(screen->vterm);
    strbuf_free(&screen->output);
    free(screen);
}

/* Takes output in while the child does not read, so that neither waits for the other. */
void pty_screen_send(struct pty_screen *screen, const char *bytes, size_t length)
{
    int64_t deadline = now_ms() + deadline_ms();
    while (length > 0 && now_ms() < deadline) {
        struct pollfd fd = {.fd = screen->fd, .events = POLLIN | POLLOUT};
        poll(&fd, 1, 100);
        if (fd.revents & POLLIN) {
            char chunk[4096];
            ssize_t got = read(screen->fd, chunk, sizeof chunk);
            if (got > 0)
                strbuf_add(&screen->output, chunk, (size_t)got);
        }
        if (!(fd.revents & POLLOUT))
            continue;
        /* Small pieces: a write to a full line discipline would wait. */
        ssize_t written = write(screen->fd, bytes, length < 256 ? length : 256);
        if (written <= 0)
            return;
        bytes += written;
        length -= (size_t)written;
    }
}

void pty_screen_type(struct pty_screen *screen, const char *text)
{
    pty_screen_send(screen, text, strlen(text));
}

void pty_screen_resize(struct pty_screen *screen, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    screen->rows = rows;
    screen->columns = columns;
    if (!screen->blind)
        vterm_set_size(screen->vterm, rows, columns);
    ioctl(screen->fd, TIOCSWINSZ, &size);
    kill(screen->child, SIGWINCH);
}

/* --- waiting --------------------------------------------------------------------------------- */

static bool take_output(struct pty_screen *screen, int wait_ms)
{
    struct pollfd fd = {.fd = screen->fd, .events = POLLIN};
    bool open = true;
    while (open && poll(&fd, 1, wait_ms) > 0) {
        char chunk[65536];
        ssize_t got = read(screen->fd, chunk, sizeof chunk);
        if (got > 0)
            strbuf_add(&screen->output, chunk, (size_t)got);
        open = got > 0 || (got < 0 && errno == EINTR);
        wait_ms = 0;
    }
    return open;
}

/* The last title that was set whole. Read from the bytes: versions of libvterm differ in what they
 * make of one that comes in two reads. */
static void read_title(struct pty_screen *screen)
{
    const char *text = strbuf_text(&screen->output);
    size_t least = screen->titled > TITLE_BYTES ? screen->titled - TITLE_BYTES : 0;
    screen->titled = screen->output.length;
    for (size_t from = screen->output.length; from-- > least;) {
        bool begins = text[from] == '\033' && (strncmp(text + from, "\033]2;", 4) == 0 ||
                                               strncmp(text + from, "\033]0;", 4) == 0);
        size_t length = begins ? strcspn(text + from + 4, "\033\a") : 0;
        if (!begins || text[from + 4 + length] == '\0')
            continue;
        snprintf(screen->state.title, sizeof screen->state.title, "%.*s", (int)length,
                 text + from + 4);
        return;
    }
}

bool pty_screen_pump(struct pty_screen *screen, int wait_ms)
{
    bool open = take_output(screen, wait_ms);
    read_title(screen);
    show_output(screen);
    return open;
}

bool pty_screen_take(struct pty_screen *screen, int wait_ms)
{
    bool open = take_output(screen, wait_ms);
    screen->shown = screen->output.length;
    return open;
}

void pty_screen_blindfold(struct pty_screen *screen, bool blind)
{
    if (screen->blind && !blind) {
        vterm_free(screen->vterm);
        open_terminal(screen);
    }
    screen->blind = blind;
}

void pty_screen_drop(struct pty_screen *screen, size_t bytes)
{
    strbuf_remove(&screen->output, 0, bytes);
    screen->shown = screen->shown > bytes ? screen->shown - bytes : 0;
    screen->titled = screen->titled > bytes ? screen->titled - bytes : 0;
}

/* Half a frame is nothing to look at. */
static bool between_frames(const struct pty_screen *screen)
{
    const char *text = strbuf_text(&screen->output);
    size_t from = screen->output.length;
    while (from > 0 && !(from + strlen(FRAME_END) <= screen->output.length &&
                         memcmp(text + from, FRAME_BEGIN, strlen(FRAME_BEGIN)) == 0))
        from--;
    return from == 0 ||
           memmem(text + from, screen->output.length - from, FRAME_END, strlen(FRAME_END)) != NULL;
}

bool pty_screen_wait(struct pty_screen *screen, bool (*condition)(struct pty_screen *, void *),
                     void *user)
{
    int64_t deadline = now_ms() + deadline_ms();
    bool open = true;
    pty_screen_pump(screen, 0);
    while (!between_frames(screen) || !condition(screen, user)) {
        if (!open || now_ms() > deadline)
            return false;
        open = pty_screen_pump(screen, 100);
    }
    return true;
}

static bool text_is_there(struct pty_screen *screen, void *user)
{
    return pty_screen_shows(screen, user);
}

static bool text_is_gone(struct pty_screen *screen, void *user)
{
    return !pty_screen_shows(screen, user);
}

static bool wait_or_tell(struct pty_screen *screen, bool (*condition)(struct pty_screen *, void *),
                         const char *text, const char *what)
{
    if (pty_screen_wait(screen, condition, (void *)(uintptr_t)text))
        return true;
    char *shown = pty_screen_text(screen);
    fprintf(stderr, "waited for \"%s\" %s; the screen is:\n%s", text, what, shown);
    free(shown);
    return false;
}

bool pty_screen_wait_text(struct pty_screen *screen, const char *text)
{
    return wait_or_tell(screen, text_is_there, text, "to be there");
}

bool pty_screen_wait_no_text(struct pty_screen *screen, const char *text)
{
    return wait_or_tell(screen, text_is_gone, text, "to be gone");
}

int pty_screen_wait_exit(struct pty_screen *screen)
{
    int64_t deadline = now_ms() + deadline_ms();
    while (!screen->reaped && now_ms() < deadline) {
        bool open = pty_screen_pump(screen, 20);
        screen->reaped = waitpid(screen->child, &screen->status, WNOHANG) == screen->child;
        if (!open && !screen->reaped)
            poll(NULL, 0, 5);
    }
    pty_screen_pump(screen, 0);
    return screen->reaped ? screen->status : -1;
}

/* --- looking --------------------------------------------------------------------------------- */

char *pty_screen_text(struct pty_screen *screen)
{
    struct strbuf text = {0};
    for (int row = 0; row < screen->rows; row++) {
        VTermScreenCell cell;
        for (int column = 0; column<screen->columns; column += cell.width> 1 ? 2 : 1) {
            VTermPos place = {row, column};
            char bytes[4];
            vterm_screen_get_cell(screen->screen, place, &cell);
            if (cell.chars[0] == 0)
                strbuf_putc(&text, ' ');
            for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] != 0; i++)
                if (cell.chars[i] != (uint32_t)-1)
                    strbuf_add(&text, bytes, utf8_encode(cell.chars[i], bytes));
        }
        /* Trailing spaces go. */
        while (text.length > 0 && text.data[text.length - 1] == ' ')
            text.length--;
        strbuf_putc(&text, '\n');
    }
    return strbuf_detach(&text);
}

bool pty_screen_shows(struct pty_screen *screen, const char *text)
{
    return pty_screen_row_of(screen, text) >= 0;
}

int pty_screen_row_of(struct pty_screen *screen, const char *text)
{
    char *shown = pty_screen_text(screen);
    char *found = strstr(shown, text);
    int row = found != NULL ? 0 : -1;
    for (char *at = shown; at < found; at++)
        row += *at == '\n';
    free(shown);
    return row;
}

void pty_screen_cursor(struct pty_screen *screen, int *row, int *column)
{
    VTermPos place;
    vterm_state_get_cursorpos(vterm_obtain_state(screen->vterm), &place);
    *row = place.row;
    *column = place.col;
}

unsigned pty_screen_colour(struct pty_screen *screen, int row, int column)
{
    VTermPos place = {row, column};
    VTermScreenCell cell;
    vterm_screen_get_cell(screen->screen, place, &cell);
    vterm_screen_convert_color_to_rgb(screen->screen, &cell.fg);
    return (unsigned)cell.fg.rgb.red << 16 | (unsigned)cell.fg.rgb.green << 8 | cell.fg.rgb.blue;
}

static unsigned rgb(struct pty_screen *screen, VTermColor colour)
{
    vterm_screen_convert_color_to_rgb(screen->screen, &colour);
    return (unsigned)colour.rgb.red << 16 | (unsigned)colour.rgb.green << 8 | colour.rgb.blue;
}

void pty_screen_cell(struct pty_screen *screen, int row, int column, struct pty_cell *out)
{
    VTermPos place = {row, column};
    VTermScreenCell cell;
    size_t length = 0;
    *out = (struct pty_cell){.columns = 1};
    if (!vterm_screen_get_cell(screen->screen, place, &cell))
        return;
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] != 0; i++)
        if (cell.chars[i] != (uint32_t)-1 && length + 5 < sizeof out->text)
            length += utf8_encode(cell.chars[i], out->text + length);
    out->columns = cell.width > 1 ? 2 : 1;
    out->foreground = rgb(screen, cell.attrs.reverse ? cell.bg : cell.fg);
    out->background = rgb(screen, cell.attrs.reverse ? cell.fg : cell.bg);
    out->bold = cell.attrs.bold;
    out->italic = cell.attrs.italic;
    out->underline = cell.attrs.underline != 0;
}

const struct pty_state *pty_screen_state(const struct pty_screen *screen)
{
    return &screen->state;
}

const struct strbuf *pty_screen_output(const struct pty_screen *screen)
{
    return &screen->output;
}

unsigned long pty_screen_frames(const struct pty_screen *screen)
{
    unsigned long frames = 0;
    size_t size = strlen(FRAME_END), length = screen->output.length;
    const char *at = strbuf_text(&screen->output), *end = at + length;
    while ((at = memmem(at, (size_t)(end - at), FRAME_END, size)) != NULL) {
        frames++;
        at += size;
    }
    return frames;
}

pid_t pty_screen_child(const struct pty_screen *screen)
{
    return screen->child;
}

void pty_screen_modes(const struct pty_screen *screen, struct termios *now, struct termios *before)
{
    tcgetattr(screen->fd, now);
    *before = screen->before;
}

#include "tui/terminal.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"
#include "engine/base/width.h"
#include "tui/cells.h"
#include "tui/direct_colour.h"
#include "tui/palette.h"
#include "tui/sanitize.h"
#include "tui/signals.h"

#define SYNC_MODE     2026
#define WRITE_WAIT_MS 100

#define MODES_ON    "\033[?2004h"
#define MOUSE_ON    "\033[?1002h\033[?1006h"
#define MOUSE_OFF   "\033[?1006l\033[?1002l"
#define MODES_OFF   MOUSE_OFF "\033[?2004l"
#define TITLE_KEEP  "\033[22;2t"
#define TITLE_BACK  "\033[23;2t"
#define SHAPE_BAR   "\033[6 q"
#define SHAPE_BACK  "\033[0 q"
#define EXTRAS_BACK SHAPE_BACK TITLE_BACK
#define SCREEN_BACK "\033[0m\033[?25h\033[?1049l\r\n"

#define TITLE_COLUMNS   120
#define TITLE_BYTES_MAX 480

/* What a fatal signal writes. Consoles without titles and cursor shapes may print the rest. */
#define RESTORE_ALL    "\033[?2026l" MODES_OFF EXTRAS_BACK SCREEN_BACK
#define RESTORE_SIMPLE "\033[?2026l" MODES_OFF SCREEN_BACK

struct terminal {
    SCREEN *screen;
    struct termios modes; /* as they were */
    enum colour_depth depth;
    bool mouse, synchronised;
    bool extras;     /* titles, the clipboard, cursor shapes */
    bool title_kept; /* the one that was there */
    bool bar, bar_shown;
    char *title; /* sanitised, NULL: none */
    struct {
        attr_t attributes;
        int pair;
    } looks[STYLES];
    struct strbuf scratch; /* sanitised text of the current call */
    int cursor_row, cursor_column;
    bool cursor_shown;
    unsigned long frames;
};

/* All of them, also to a terminal that takes no more for now; until it has vanished. */
static void send_all(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, length);
        struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (written < 0 && errno == EAGAIN)
            poll(&fd, 1, WRITE_WAIT_MS);
        else if (written < 0 && errno != EINTR)
            return;
        bytes += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
}

static void send_bytes(const char *bytes)
{
    send_all(bytes, strlen(bytes));
}

/* --- opening and closing --------------------------------------------------------------------- */

static void need_utf8(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static SCREEN *open_direct(void)
{
    char *description = direct_colour_description();
    if (description == NULL)
        return NULL;
    const char *kept = getenv("TERMINFO");
    char *saved = kept != NULL ? xstrdup(kept) : NULL;
    setenv("TERMINFO", description, 1);
    SCREEN *screen = newterm(DIRECT_COLOUR_TERM, stdout, stdin);
    if (saved != NULL)
        setenv("TERMINFO", saved, 1);
    else
        unsetenv("TERMINFO");
    free(saved);
    free(description);
    return screen;
}

static void start_colours(struct terminal *terminal)
{
    if (terminal->depth == COLOUR_NONE || !has_colors() || start_color() != OK) {
        terminal->depth = COLOUR_NONE;
        return;
    }
    use_default_colors();
    if (terminal->depth == COLOUR_256 && COLORS < 256)
        terminal->depth = COLOUR_16;
}

static int open_screen(struct terminal *terminal, struct error *error)
{
    if (terminal->depth == COLOUR_DIRECT && (terminal->screen = open_direct()) == NULL)
        terminal->depth = COLOUR_256;
    if (terminal->screen == NULL)
        terminal->screen = newterm(NULL, stdout, stdin);
    const char *name = getenv("TERM") != NULL ? getenv("TERM") : "";
    if (terminal->screen == NULL)
        return error_set(
            error, ERROR_INPUT,
            "TERM=%s: no such terminal is known here; TERM=xterm-256color suits most, or use "
            "airo chat --plain",
            name);
    char *place = tigetstr("cup");
    if (place == NULL || place == (char *)-1) {
        endwin();
        delscreen(terminal->screen);
        return error_set(error, ERROR_INPUT, "TERM=%s cannot place a cursor; use airo chat --plain",
                         name);
    }
    raw();
    noecho();
    nonl();
    start_colours(terminal);
    return 0;
}

/* Terminals that take strings and forget what they do not know. */
static bool has_extras(void)
{
    static const char *const plain[] = {"linux", "vt",  "ansi", "dumb",
                                        "cons",  "sun", "wsvt", "eterm"};
    const char *term = getenv("TERM");
    for (size_t i = 0; term != NULL && i < sizeof plain / sizeof plain[0]; i++)
        if (strncmp(term, plain[i], strlen(plain[i])) == 0 && strncmp(term, "vte", 3) != 0)
            return false;
    return term != NULL;
}

static void send_title(const struct terminal *terminal)
{
    if (terminal->title == NULL || !terminal->extras)
        return;
    send_bytes("\033]2;");
    send_bytes(terminal->title);
    send_bytes("\033\\");
}

static void modes_on(struct terminal *terminal)
{
    send_bytes(MODES_ON);
    if (terminal->mouse)
        send_bytes(MOUSE_ON);
    if (!terminal->extras)
        return;                /* the Linux console prints a question that it does not know */
    if (!terminal->title_kept) /* a SIGCONT may come without a stop */
        send_bytes(TITLE_KEEP);
    terminal->title_kept = true;
    send_bytes("\033[?2026$p");
    send_title(terminal);
}

static void modes_off(struct terminal *terminal)
{
    send_bytes(terminal->extras ? MODES_OFF EXTRAS_BACK : MODES_OFF);
    terminal->bar_shown = false;
    terminal->title_kept = false;
}

int terminal_open(struct terminal **out, const char *colour, bool mouse, const struct theme *theme,
                  struct error *error)
{
    struct termios modes;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &modes) != 0)
        return error_set(
            error, ERROR_INPUT,
            "chat needs a terminal; for pipes use airo ask, airo run or airo chat --plain");
    need_utf8();
    bool extras = has_extras();
    const char *restore = extras ? RESTORE_ALL : RESTORE_SIMPLE;
    if (signals_open(STDOUT_FILENO, &modes, restore, error) != 0)
        return -1;
    struct terminal *terminal = xcalloc(1, sizeof *terminal);
    terminal->modes = modes;
    terminal->mouse = mouse;
    terminal->extras = extras;
    terminal->depth = palette_depth(colour);
    if (open_screen(terminal, error) != 0) {
        signals_close();
        free(terminal);
        return -1;
    }
    terminal_set_theme(terminal, theme);
    modes_on(terminal);
    terminal_resize(terminal);
    *out = terminal;
    return 0;
}

void terminal_close(struct terminal *terminal)
{
    if (terminal == NULL)
        return;
    modes_off(terminal);
    endwin();
    delscreen(terminal->screen);
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal->modes);
    signals_close();
    strbuf_free(&terminal->scratch);
    free(terminal->title);
    free(terminal);
}

/* --- colours --------------------------------------------------------------------------------- */

static attr_t curses_attributes(unsigned attributes)
{
    static const struct {
        unsigned bit;
        attr_t attribute;
    } table[] = {{THEME_BOLD, A_BOLD},
                 {THEME_DIM, A_DIM},
                 {THEME_ITALIC, A_ITALIC},
                 {THEME_UNDERLINE, A_UNDERLINE},
                 {THEME_REVERSE, A_REVERSE}};
    attr_t result = A_NORMAL;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (attributes & table[i].bit)
            result |= table[i].attribute;
    return result;
}

/* Eight colours have no bright ones; "bright-black" would be lost on black. */
static int colour_number(const struct terminal *terminal, int32_t colour)
{
    int number = palette_index(colour, terminal->depth);
    if (terminal->depth != COLOUR_16 || number < COLORS)
        return number;
    return number == 8 ? 7 : number & 7;
}

void terminal_set_theme(struct terminal *terminal, const struct theme *theme)
{
    bool full = terminal->depth >= COLOUR_256;
    const struct theme_style *base = &theme->styles[STYLE_TEXT];
    int32_t ground = full ? base->full.background : base->basic.background;
    for (int i = 0; i < STYLES; i++) {
        const struct theme_style *style = &theme->styles[i];
        const struct theme_look *look = full ? &style->full : &style->basic;
        terminal->looks[i].attributes = curses_attributes(look->attributes);
        terminal->looks[i].pair = 0;
        if (terminal->depth == COLOUR_NONE)
            continue;
        int32_t back = look->background != THEME_COLOUR_DEFAULT ? look->background : ground;
        int pair = i + 1;
        terminal->looks[i].pair = pair;
        init_extended_pair(pair, colour_number(terminal, look->foreground),
                           colour_number(terminal, back));
    }
    cchar_t blank;
    int pair = terminal->looks[STYLE_TEXT].pair;
    setcchar(&blank, L" ", A_NORMAL, (short)pair, &pair);
    bkgrndset(&blank);
    terminal_repaint(terminal);
}

enum colour_depth terminal_depth(const struct terminal *terminal)
{
    return terminal->depth;
}

/* --- size and frames ------------------------------------------------------------------------- */

int terminal_fd(const struct terminal *terminal)
{
    (void)terminal;
    return STDIN_FILENO;
}

void terminal_resize(struct terminal *terminal)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    terminal_repaint(terminal);
}

struct rect terminal_area(const struct terminal *terminal)
{
    (void)terminal;
    return (struct rect){0, 0, LINES, COLS};
}

void terminal_repaint(struct terminal *terminal)
{
    (void)terminal;
    clearok(stdscr, TRUE);
}

void terminal_release(struct terminal *terminal)
{
    modes_off(terminal);
    endwin();
}

void terminal_suspend(struct terminal *terminal)
{
    terminal_release(terminal);
    signals_suspend();
    terminal_resume(terminal);
}

void terminal_resume(struct terminal *terminal)
{
    reset_prog_mode();
    raw();
    modes_on(terminal);
    terminal_resize(terminal);
}

void terminal_mode_report(struct terminal *terminal, int mode, int value)
{
    if (mode == SYNC_MODE)
        terminal->synchronised = value == 1 || value == 2;
}

void terminal_begin(struct terminal *terminal)
{
    terminal->cursor_shown = false;
    terminal->bar = false;
    erase();
}

static void send_shape(struct terminal *terminal)
{
    bool bar = terminal->cursor_shown && terminal->bar;
    if (!terminal->extras || bar == terminal->bar_shown)
        return;
    send_bytes(bar ? SHAPE_BAR : SHAPE_BACK);
    terminal->bar_shown = bar;
}

void terminal_end(struct terminal *terminal)
{
    curs_set(terminal->cursor_shown ? 1 : 0);
    if (terminal->cursor_shown)
        move(terminal->cursor_row, terminal->cursor_column);
    wnoutrefresh(stdscr);
    if (terminal->synchronised)
        send_bytes("\033[?2026h");
    doupdate();
    send_shape(terminal);
    if (terminal->synchronised)
        send_bytes("\033[?2026l");
    terminal->frames++;
}

unsigned long terminal_frames(const struct terminal *terminal)
{
    return terminal->frames;
}

void terminal_cursor(struct terminal *terminal, const struct rect *area, int row, int column)
{
    if (row < 0 || column < 0 || row >= area->rows || column >= area->columns)
        return;
    terminal->cursor_row = area->row + row;
    terminal->cursor_column = area->column + column;
    terminal->cursor_shown = true;
}

void terminal_cursor_bar(struct terminal *terminal)
{
    terminal->bar = true;
}

/* --- beside the frames ------------------------------------------------------------------------ */

void terminal_set_mouse(struct terminal *terminal, bool mouse)
{
    if (mouse != terminal->mouse)
        send_bytes(mouse ? MOUSE_ON : MOUSE_OFF);
    terminal->mouse = mouse;
}

void terminal_set_title(struct terminal *terminal, const char *title)
{
    struct strbuf clean = {0};
    sanitize_text(&clean, title, strlen(title), 0);
    size_t fits = text_fit(strbuf_text(&clean), clean.length, TITLE_COLUMNS);
    fits = fits < TITLE_BYTES_MAX ? fits : utf8_whole(strbuf_text(&clean), TITLE_BYTES_MAX);
    char *kept = xstrndup(strbuf_text(&clean), fits);
    strbuf_free(&clean);
    bool same = terminal->title != NULL && strcmp(terminal->title, kept) == 0;
    free(terminal->title);
    terminal->title = kept;
    if (!same)
        send_title(terminal);
}

int terminal_send_clipboard(struct terminal *terminal, const char *base64, size_t length,
                            struct error *error)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    if (!terminal->extras)
        return error_set(error, ERROR_INPUT, "TERM=%s: this terminal has no clipboard",
                         getenv("TERM") != NULL ? getenv("TERM") : "");
    if (length > TERMINAL_CLIPBOARD_MAX)
        return error_set(error, ERROR_INPUT,
                         "%zu bytes are too much for a clipboard, which holds %u", length / 4 * 3,
                         TERMINAL_CLIPBOARD_MAX / 4 * 3);
    for (size_t i = 0; i < length; i++)
        if (base64[i] == '\0' || strchr(letters, base64[i]) == NULL)
            return error_set(error, ERROR_INPUT, "clipboard: byte %zu is not base64", i);
    send_bytes("\033]52;c;");
    send_all(base64, length);
    send_bytes("\033\\");
    return 0;
}

/* --- drawing --------------------------------------------------------------------------------- */

int terminal_put(struct terminal *terminal, const struct rect *area, int row, int column,
                 enum style style, const char *text, size_t length)
{
    return terminal_put_with(terminal, area, row, column, style, 0, text, length);
}

int terminal_put_with(struct terminal *terminal, const struct rect *area, int row, int column,
                      enum style style, unsigned attributes, const char *text, size_t length)
{
    attr_t look = terminal->looks[style].attributes ^ curses_attributes(attributes & THEME_REVERSE);
    look |= curses_attributes(attributes & ~(unsigned)THEME_REVERSE);
    if (row < 0 || row >= area->rows || column < 0 || column >= area->columns)
        return 0;
    struct strbuf *clean = &terminal->scratch;
    strbuf_clear(clean);
    sanitize_text(clean, text, length, 0);
    move(area->row + row, area->column + column);
    int used = 0;
    for (size_t at = 0; at < clean->length;) {
        size_t bytes = grapheme_next(clean->data + at, clean->length - at);
        int columns = grapheme_columns(clean->data + at, bytes);
        if (column + used + columns > area->columns)
            break;
        if (columns > 0)
            cells_put(clean->data + at, bytes, columns, look, terminal->looks[style].pair);
        used += columns;
        at += bytes;
    }
    return used;
}

int terminal_puts(struct terminal *terminal, const struct rect *area, int row, int column,
                  enum style style, const char *text)
{
    return terminal_put(terminal, area, row, column, style, text, strlen(text));
}

int terminal_printf(struct terminal *terminal, const struct rect *area, int row, int column,
                    enum style style, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return terminal_puts(terminal, area, row, column, style, line);
}

void terminal_repeat(struct terminal *terminal, const struct rect *area, int row, int column,
                     enum style style, const char *character, int count)
{
    for (int i = 0; i < count; i++)
        terminal_puts(terminal, area, row, column + i, style, character);
}

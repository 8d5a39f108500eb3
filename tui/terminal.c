#include "tui/terminal.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"
#include "engine/base/width.h"
#include "tui/direct_colour.h"
#include "tui/palette.h"
#include "tui/sanitize.h"
#include "tui/signals.h"

#define SYNC_MODE 2026

#define MODES_ON    "\033[?2004h"
#define MOUSE_ON    "\033[?1000h\033[?1006h"
#define MODES_OFF   "\033[?1006l\033[?1000l\033[?2004l"
#define RESTORE_ALL "\033[?2026l" MODES_OFF "\033[0m\033[?25h\033[?1049l\r\n"

struct terminal {
    SCREEN *screen;
    struct termios modes; /* as they were */
    enum colour_depth depth;
    bool mouse, synchronised;
    struct {
        attr_t attributes;
        int pair;
    } looks[STYLES];
    struct strbuf scratch; /* sanitised text of the current call */
    int cursor_row, cursor_column;
    bool cursor_shown;
    unsigned long frames;
};

static void send_bytes(const char *bytes)
{
    ssize_t ignored = write(STDOUT_FILENO, bytes, strlen(bytes));
    (void)ignored;
}

/* --- opening and closing --------------------------------------------------------------------- */

static void need_utf8(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static enum colour_depth choose_depth(const char *colour)
{
    static const struct {
        const char *name;
        enum colour_depth depth;
    } names[] = {{"truecolor", COLOUR_DIRECT},
                 {"256", COLOUR_256},
                 {"16", COLOUR_16},
                 {"none", COLOUR_NONE}};
    for (size_t i = 0; colour != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(colour, names[i].name) == 0)
            return names[i].depth;
    const char *no_colour = getenv("NO_COLOR");
    if (no_colour != NULL && no_colour[0] != '\0')
        return COLOUR_NONE;
    const char *claim = getenv("COLORTERM");
    if (claim != NULL && (strcmp(claim, "truecolor") == 0 || strcmp(claim, "24bit") == 0))
        return COLOUR_DIRECT;
    return COLOUR_256;
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
        return error_set(error, ERROR_INPUT, "TERM=%s: no such terminal is known here", name);
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

static void modes_on(const struct terminal *terminal)
{
    const char *term = getenv("TERM");
    send_bytes(MODES_ON);
    if (terminal->mouse)
        send_bytes(MOUSE_ON);
    /* The Linux console prints a question that it does not know. */
    if (term != NULL && strcmp(term, "linux") != 0)
        send_bytes("\033[?2026$p");
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
    if (signals_open(STDOUT_FILENO, &modes, RESTORE_ALL, error) != 0)
        return -1;
    struct terminal *terminal = xcalloc(1, sizeof *terminal);
    terminal->modes = modes;
    terminal->mouse = mouse;
    terminal->depth = choose_depth(colour);
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
    send_bytes(MODES_OFF);
    endwin();
    delscreen(terminal->screen);
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal->modes);
    signals_close();
    strbuf_free(&terminal->scratch);
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

void terminal_suspend(struct terminal *terminal)
{
    send_bytes(MODES_OFF);
    endwin();
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
    erase();
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

/* --- drawing --------------------------------------------------------------------------------- */

/* A run of characters for one cell: a spacing one and the marks on it. */
struct cell {
    wchar_t text[CCHARW_MAX + 1];
    size_t count;
    int columns;
};

/* Takes the next cell of a cluster, returns its bytes. Characters that the C library does not know
 * are replaced; what has no place in the cell is left out. */
static size_t next_cell(const char *text, size_t length, struct cell *cell)
{
    uint32_t code;
    size_t at = utf8_decode(text, length, &code);
    int columns = wcwidth((wchar_t)code);
    *cell = (struct cell){{0}, 0, columns};
    if (columns <= 0) {
        /* A mark without a base stands on a space; another zero-width character is nothing. */
        cell->text[cell->count++] = columns == 0 ? L' ' : (wchar_t)UTF8_REPLACEMENT;
        cell->columns = 1;
    }
    if (columns >= 0)
        cell->text[cell->count++] = (wchar_t)code;
    while (at < length) {
        size_t bytes = utf8_decode(text + at, length - at, &code);
        if (wcwidth((wchar_t)code) != 0)
            break;
        if (cell->count < CCHARW_MAX && code != 0xFE0F && code != 0x200D)
            cell->text[cell->count++] = (wchar_t)code;
        at += bytes;
    }
    return at;
}

static void put_cell(const struct terminal *terminal, const struct cell *cell, enum style style)
{
    cchar_t glyph;
    int pair = terminal->looks[style].pair;
    setcchar(&glyph, cell->text, terminal->looks[style].attributes, (short)pair, &pair);
    add_wch(&glyph);
}

/* Draws one cluster of `columns` columns where the cursor is. */
static void put_cluster(const struct terminal *terminal, enum style style, const char *text,
                        size_t bytes, int columns)
{
    static const struct cell blank = {L" ", 1, 1};
    bool emoji = grapheme_is_emoji(text, bytes);
    int drawn = 0;
    for (size_t at = 0; at < bytes && drawn < columns;) {
        struct cell cell;
        size_t used = next_cell(text + at, bytes - at, &cell);
        /* Of an emoji sequence the first character; of a flag, both halves. */
        if (drawn + cell.columns > columns || (emoji && at > 0 && cell.columns != 1))
            break;
        put_cell(terminal, &cell, style);
        drawn += cell.columns;
        at += used;
    }
    for (; drawn < columns; drawn++)
        put_cell(terminal, &blank, style);
}

int terminal_put(struct terminal *terminal, const struct rect *area, int row, int column,
                 enum style style, const char *text, size_t length)
{
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
            put_cluster(terminal, style, clean->data + at, bytes, columns);
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

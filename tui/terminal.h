/*
 * terminal.h - the terminal through curses: modes, colours, frames, and drawing that cannot leave
 * its rectangle.
 *
 * One at a time. Whatever ends the program, the terminal gets its modes back. A frame is drawn
 * between terminal_begin and terminal_end, and goes out in one update, inside synchronised output
 * where the terminal reports to have it. No other file writes escape sequences. All text is
 * sanitised on its way.
 */
#ifndef AIRO_TUI_TERMINAL_H
#define AIRO_TUI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"
#include "tui/style.h"
#include "tui/theme.h"

#define TERMINAL_CLIPBOARD_MAX (1u << 20)

struct rect {
    int row, column, rows, columns;
};

enum colour_depth { COLOUR_NONE, COLOUR_16, COLOUR_256, COLOUR_DIRECT };

struct terminal;

/* `colour` is "auto", "truecolor", "256", "16" or "none"; auto heeds NO_COLOR and COLORTERM. */
int terminal_open(struct terminal **out, const char *colour, bool mouse, const struct theme *theme,
                  struct error *error);
void terminal_close(struct terminal *terminal);

void terminal_set_theme(struct terminal *terminal, const struct theme *theme);
enum colour_depth terminal_depth(const struct terminal *terminal);
/* The file descriptor to poll and read keys from. */
int terminal_fd(const struct terminal *terminal);

/* Asks the system for the size again, after SIGWINCH. */
void terminal_resize(struct terminal *terminal);
struct rect terminal_area(const struct terminal *terminal);
/* Draws everything anew with the next frame. */
void terminal_repaint(struct terminal *terminal);
/* Gives the terminal back, stops the process, takes the terminal again when it goes on. */
void terminal_suspend(struct terminal *terminal);
/* Gives the terminal back to another program of the user's, until terminal_resume. */
void terminal_release(struct terminal *terminal);
/* After that, and after SIGCONT from outside: the modes may be gone. */
void terminal_resume(struct terminal *terminal);
/* The terminal's answer about a private mode (DECRPM). */
void terminal_mode_report(struct terminal *terminal, int mode, int value);

void terminal_begin(struct terminal *terminal);
void terminal_end(struct terminal *terminal);
unsigned long terminal_frames(const struct terminal *terminal);

/* Text at a place in `area`, which clips it; returns the columns it took. */
int terminal_put(struct terminal *terminal, const struct rect *area, int row, int column,
                 enum style style, const char *text, size_t length);
/* The same with bits of enum theme_attribute over the style's; reverse turns the style's round. */
int terminal_put_with(struct terminal *terminal, const struct rect *area, int row, int column,
                      enum style style, unsigned attributes, const char *text, size_t length);
int terminal_puts(struct terminal *terminal, const struct rect *area, int row, int column,
                  enum style style, const char *text);
int terminal_printf(struct terminal *terminal, const struct rect *area, int row, int column,
                    enum style style, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* `count` times the same character. */
void terminal_repeat(struct terminal *terminal, const struct rect *area, int row, int column,
                     enum style style, const char *character, int count);
/* Where the cursor stands after the frame; hidden when not called. */
void terminal_cursor(struct terminal *terminal, const struct rect *area, int row, int column);

/* In this frame the cursor is a bar, where the terminal can: one is typing. */
void terminal_cursor_bar(struct terminal *terminal);

/* Gives the mouse to the program or leaves it to the terminal. */
void terminal_set_mouse(struct terminal *terminal, bool mouse);
/* The window's title, sanitised; the old one comes back when the terminal is given back. */
void terminal_set_title(struct terminal *terminal, const char *title);
/* Puts base64 into the system's clipboard (OSC 52), between frames. Errors: a console that has
 * none, more than TERMINAL_CLIPBOARD_MAX bytes, anything that is not base64. */
int terminal_send_clipboard(struct terminal *terminal, const char *base64, size_t length,
                            struct error *error);

#endif

/*
 * pty_screen.h - runs a function in a child behind a pseudo-terminal, with libvterm as the
 * terminal that looks at it.
 *
 * Nothing here sleeps for a fixed time: every wait is for a condition, with a deadline that only
 * a failure ever reaches.
 */
#ifndef AIRO_TESTS_PTY_SCREEN_H
#define AIRO_TESTS_PTY_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#include "engine/base/strbuf.h"

struct pty_screen;

/* Environment of the child: pairs of name and value (NULL: unset), ended by a NULL name. TERM is
 * xterm-256color unless set. */
struct pty_variable {
    const char *name, *value;
};

/* `app`'s result is the child's exit status; what a sanitizer finds there (leaks too) makes it
 * another one, and is told on the parent's stderr. */
struct pty_screen *pty_screen_start(int rows, int columns, const struct pty_variable *variables,
                                    int (*app)(void *user), void *user);
/* Kills what still runs. */
void pty_screen_free(struct pty_screen *screen);

void pty_screen_send(struct pty_screen *screen, const char *bytes, size_t length);
void pty_screen_type(struct pty_screen *screen, const char *text);
void pty_screen_resize(struct pty_screen *screen, int rows, int columns);

/* Takes in what has come; false when the child has closed the terminal. */
bool pty_screen_pump(struct pty_screen *screen, int wait_ms);
/* The same without a terminal that looks at it: libvterm does not stand everything. */
bool pty_screen_take(struct pty_screen *screen, int wait_ms);
/* Until it is taken off, nothing is looked at; then an empty terminal begins to look, which must be
 * drawn anew to see anything. */
void pty_screen_blindfold(struct pty_screen *screen, bool blind);
/* Forgets so many bytes of the output, from its beginning: what has been looked at. */
void pty_screen_drop(struct pty_screen *screen, size_t bytes);
/* True as soon as the condition holds of a whole frame; false at the deadline. */
bool pty_screen_wait(struct pty_screen *screen, bool (*condition)(struct pty_screen *, void *),
                     void *user);
bool pty_screen_wait_text(struct pty_screen *screen, const char *text);
bool pty_screen_wait_no_text(struct pty_screen *screen, const char *text);
/* The child's status as waitpid gives it, -1 at the deadline. */
int pty_screen_wait_exit(struct pty_screen *screen);

/* The rows, trailing spaces cut, each ended by a newline. To be freed. */
char *pty_screen_text(struct pty_screen *screen);
bool pty_screen_shows(struct pty_screen *screen, const char *text);
/* The row that shows the text, -1: none. */
int pty_screen_row_of(struct pty_screen *screen, const char *text);
void pty_screen_cursor(struct pty_screen *screen, int *row, int *column);
/* Foreground as 0xrrggbb, of the cell. */
unsigned pty_screen_colour(struct pty_screen *screen, int row, int column);

/* One cell as it is to be drawn: colours resolved, reverse video carried out. */
struct pty_cell {
    char text[64];                   /* UTF-8; "" for an empty one */
    int columns;                     /* 2: the next cell is the rest of it */
    unsigned foreground, background; /* 0xrrggbb */
    bool bold, italic, underline;
};
void pty_screen_cell(struct pty_screen *screen, int row, int column, struct pty_cell *cell);

/* What the child did to the terminal. */
struct pty_state {
    char title[128];
    bool alternate, cursor_visible;
    int mouse;
    unsigned bells;
};
const struct pty_state *pty_screen_state(const struct pty_screen *screen);
/* Every byte that came, and how many synchronised frames they held. */
const struct strbuf *pty_screen_output(const struct pty_screen *screen);
unsigned long pty_screen_frames(const struct pty_screen *screen);
pid_t pty_screen_child(const struct pty_screen *screen);
/* The modes of the terminal line, now and before the child began. */
void pty_screen_modes(const struct pty_screen *screen, struct termios *now, struct termios *before);

#endif

/*
 * signals.h - the signal bridge: turns signals into bytes of a pipe that the interface polls, and
 * puts the terminal back when the process dies of one that cannot be survived.
 *
 * Process-wide by nature; this file's one struct is the only state.
 */
#ifndef AIRO_TUI_SIGNALS_H
#define AIRO_TUI_SIGNALS_H

#include <stddef.h>
#include <termios.h>

#include "engine/base/error.h"

/* Catches INT TERM HUP QUIT WINCH TSTP CONT into the pipe, ignores PIPE and XFSZ, and on SEGV ABRT
 * BUS FPE ILL writes `restore` to tty_fd, sets `modes` and dies as it would have. `restore` must
 * live until signals_close. */
int signals_open(int tty_fd, const struct termios *modes, const char *restore, struct error *error);
void signals_close(void);

/* The pipe's reading end. */
int signals_fd(void);
/* The next signal's number, 0 when there is none. Never blocks. */
int signals_next(void);

/* Stops the process as SIGTSTP would; returns when it goes on. */
void signals_suspend(void);

#endif

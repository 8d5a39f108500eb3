/*
 * screen_steps.h - what the tests of screens do again and again: start the chat, ask, wait, leave.
 *
 * Each step asserts that it worked, so these are for the body of a test.
 */
#ifndef AIRO_TESTS_SCREEN_STEPS_H
#define AIRO_TESTS_SCREEN_STEPS_H

#include "tests/screens/chat_child.h"

#define CTRL_C     "\003"
#define CTRL_D     "\004"
#define ESCAPE     "\033"
#define PAGE_UP    "\033[5~"
#define ALT_ENTER  "\033\r"
#define F1         "\033OP"
#define F6         "\033[17~"
#define F7         "\033[18~"
#define F8         "\033[19~"
#define F9         "\033[20~"
#define F12        "\033[24~"
#define SHIFT_F6   "\033[17;2~"
#define SHIFT_F7   "\033[18;2~"
#define GO_UP      "\033[1;4A"
#define GO_DOWN    "\033[1;4B"
#define GO_RIGHT   "\033[1;4C"
#define GO_LEFT    "\033[1;4D"
#define GROW_DOWN  "\033[1;6B"
#define GROW_RIGHT "\033[1;6C"
#define GROW_LEFT  "\033[1;6D"

/* Three replies in order: a line, one with a heading, code and a source, a word. */
extern const char steps_script[];

struct pty_screen *steps_start(int rows, int columns, struct chat_child *child);
/* Types the text and Enter. */
void steps_ask(struct pty_screen *screen, const char *text);
/* Waits until nothing is typed and no reply runs; needs 40 columns. */
void steps_idle(struct pty_screen *screen);
/* Leaves by Ctrl-D at an empty line and frees the screen. */
void steps_leave(struct pty_screen *screen);
/* Types `text` into the pane that has the keys and waits for it. */
void steps_type(struct pty_screen *screen, const char *text);
/* Clears what is typed there. */
void steps_clear(struct pty_screen *screen, const char *text);
/* Waits until the cursor stands in these columns and rows, `to` not included. */
void steps_cursor_in(struct pty_screen *screen, int row, int to_row, int column, int to_column);
/* Waits until the window's title has this in it. */
void steps_title(struct pty_screen *screen, const char *part);
/* Presses and releases the left button. */
void steps_click(struct pty_screen *screen, int row, int column);
void steps_wheel(struct pty_screen *screen, int row, int column, bool up);
/* The column where a text begins on the screen, -1: it is not there. */
int steps_column_of(struct pty_screen *screen, const char *text);
/* Kills the child and frees the screen: for a test that ends anywhere. */
void steps_end(struct pty_screen *screen);
/* A long reply of numbered lines, "line 7."; to be freed. */
char *steps_numbered(int lines);

#endif

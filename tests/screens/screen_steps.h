/*
 * screen_steps.h - what the tests of screens do again and again: start the chat, ask, wait, leave.
 *
 * Each step asserts that it worked, so these are for the body of a test.
 */
#ifndef AIRO_TESTS_SCREEN_STEPS_H
#define AIRO_TESTS_SCREEN_STEPS_H

#include "tests/screens/chat_child.h"

#define CTRL_C    "\003"
#define CTRL_D    "\004"
#define ESCAPE    "\033"
#define PAGE_UP   "\033[5~"
#define ALT_ENTER "\033\r"
#define F1        "\033OP"

/* Three replies in order: a line, one with a heading, code and a source, a word. */
extern const char steps_script[];

struct pty_screen *steps_start(int rows, int columns, struct chat_child *child);
/* Types the text and Enter. */
void steps_ask(struct pty_screen *screen, const char *text);
/* Waits until nothing is typed and no reply runs; needs 40 columns. */
void steps_idle(struct pty_screen *screen);
/* Leaves by Ctrl-D at an empty line and frees the screen. */
void steps_leave(struct pty_screen *screen);
/* A long reply of numbered lines, "line 7."; to be freed. */
char *steps_numbered(int lines);

#endif

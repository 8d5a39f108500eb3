/*
 * cells.h - one grapheme cluster -> the cells of the screen, through curses. The text has been
 * sanitised; terminal.c is the only caller.
 */
#ifndef AIRO_TUI_CELLS_H
#define AIRO_TUI_CELLS_H

#include <curses.h>
#include <stddef.h>

/* Draws a cluster of `columns` columns where the cursor of the screen is. */
void cells_put(const char *text, size_t bytes, int columns, attr_t attributes, int pair);

#endif

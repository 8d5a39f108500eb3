/*
 * palette.h - how many colours the terminal is given, and a theme's colour -> the number that
 * curses wants at that depth.
 */
#ifndef AIRO_TUI_PALETTE_H
#define AIRO_TUI_PALETTE_H

#include <stdint.h>

#include "tui/terminal.h"

/* For "truecolor", "256", "16" or "none"; anything else heeds NO_COLOR and COLORTERM. */
enum colour_depth palette_depth(const char *colour);

int palette_index(int32_t colour, enum colour_depth depth);

#endif

/*
 * palette.h - a theme's colour -> the colour number that curses wants at a given depth.
 */
#ifndef AIRO_TUI_PALETTE_H
#define AIRO_TUI_PALETTE_H

#include <stdint.h>

#include "tui/terminal.h"

int palette_index(int32_t colour, enum colour_depth depth);

#endif

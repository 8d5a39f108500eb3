/*
 * start_page.h - what an empty chat shows.
 */
#ifndef AIRO_TUI_START_PAGE_H
#define AIRO_TUI_START_PAGE_H

#include "tui/terminal.h"

/* `chosen`: the offer that is typed, -1: none. */
void start_page_draw(struct terminal *terminal, const struct rect *area, int chosen);

#endif

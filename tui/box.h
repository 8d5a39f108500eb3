/*
 * box.h - frames with a title, and filled rectangles, for panes and what lies over them.
 */
#ifndef AIRO_TUI_BOX_H
#define AIRO_TUI_BOX_H

#include "tui/terminal.h"

/* Blanks the whole area with a style's background. */
void box_fill(struct terminal *terminal, const struct rect *area, enum style style);

/* A rounded frame along the edge of `area`, `title` (may be NULL) in its upper line, cut with an
 * ellipsis where it is too long. Returns what is inside; nothing is drawn, and it is empty, when
 * there is no room. */
struct rect box_draw(struct terminal *terminal, const struct rect *area, enum style border,
                     enum style title_style, const char *title);

#endif

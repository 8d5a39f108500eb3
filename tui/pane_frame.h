/*
 * pane_frame.h - the lines around panes: a header above each, dividers between them, and the
 * corners where they meet. The header of the pane that has the keys is drawn heavy, so that it is
 * told apart without colours too.
 */
#ifndef AIRO_TUI_PANE_FRAME_H
#define AIRO_TUI_PANE_FRAME_H

#include "tui/split.h"

struct pane_frame {
    const struct split_place *places;
    size_t count;
    const struct pane *focus; /* NULL: none has the keys */
    const char *note;         /* at the right end of the header of the pane that has the keys */
};

void pane_frame_draw(const struct pane_frame *frame, struct terminal *terminal,
                     const struct rect *area);

#endif

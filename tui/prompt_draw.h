/*
 * prompt_draw.h - the prompt pane's picture: the legend with tokens by part, what fell out, the
 * text, and the keys at the foot.
 */
#ifndef AIRO_TUI_PROMPT_DRAW_H
#define AIRO_TUI_PROMPT_DRAW_H

#include "engine/chat/prompt_report.h"
#include "tui/prompt_flow.h"
#include "tui/terminal.h"

/* Everything is borrowed. */
struct prompt_picture {
    const struct prompt_view *view; /* NULL: not there yet, or `error` says why not */
    const struct prompt_notes *notes;
    const char *error; /* "": none */
    size_t context;    /* tokens */
    struct prompt_look *look;
    size_t top; /* where the view begins; moved back where less than a view would be shown */
    int left;   /* columns out of view on the left; less where no row is that long */
    bool all_notes, busy, focused;
    int rows; /* of text that are in view: set by drawing */
};

void prompt_draw(struct prompt_picture *picture, struct terminal *terminal,
                 const struct rect *area);

#endif

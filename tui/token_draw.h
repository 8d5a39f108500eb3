/*
 * token_draw.h - the token pane's picture: the reply's tokens in a flow, and what is known about
 * the one under the cursor.
 */
#ifndef AIRO_TUI_TOKEN_DRAW_H
#define AIRO_TUI_TOKEN_DRAW_H

#include "tui/terminal.h"
#include "tui/token_probes.h"
#include "tui/token_reply.h"

/* Everything is borrowed. */
struct token_picture {
    struct token_reply *reply;
    const struct token_probes *probes;
    const char *notice; /* in place of the probabilities: why there are none; NULL: none */
    size_t cursor;      /* a token */
    size_t choice;      /* an alternative, where `choosing` */
    bool choosing, focused;
    size_t all_done, all_wanted; /* of the tokens that are all asked about; 0: not */
    int top;                     /* row of the flow: moved so that the cursor is in view */
    int flow_rows;               /* set by drawing */
};

void token_draw(struct token_picture *picture, struct terminal *terminal, const struct rect *area);

#endif
